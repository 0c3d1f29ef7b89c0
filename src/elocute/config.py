"""Every default in one place: frozen settings, one dataclass per step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """What step 1 accepts.

    Attributes:
        max_duration_s: a longer recording is refused.
        min_duration_s: a shorter recording is refused; no phone fits into it.
        silence_db: a recording whose loudest 25 ms stay below this level (dB relative to full scale) is silent.
    """

    max_duration_s: float = 60.0
    min_duration_s: float = 0.05
    silence_db: float = -70.0
