"""Every default in one place: frozen settings, one dataclass per step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """What step 1 accepts.

    Attributes:
        max_duration_s: a longer recording is refused.
    """

    max_duration_s: float = 60.0
