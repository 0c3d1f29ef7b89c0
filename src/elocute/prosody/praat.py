"""Praat's pitch, through parselmouth; needs the extra `praat` (GPL-3, so never part of the core)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.errors import MissingExtraError
from elocute.prosody.pitch import FRAME_SHIFT_S, Pitch, frame_count, intensity_db
from elocute.types import SAMPLE_RATE_HZ, Audio

_SPARE_S = 0.0175
"""Silence added at either end: with a window of 40 ms, Praat then puts its frames where ours are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PraatTracker:
    """Praat's "To Pitch (ac)" with its standard settings, 75 to 600 Hz; intensity is measured as elsewhere."""

    @property
    def name(self) -> str:
        """Short name."""
        return "praat"

    def track(self, audio: Audio) -> Pitch:
        """Pitch of one recording; strength is 0 where unvoiced.

        Raises:
            MissingExtraError: parselmouth is not installed.
        """
        parselmouth = _parselmouth()
        count = frame_count(len(audio.samples))
        spare = round(_SPARE_S * SAMPLE_RATE_HZ)
        samples = np.zeros(round(count * FRAME_SHIFT_S * SAMPLE_RATE_HZ) + 2 * spare)
        samples[spare : spare + len(audio.samples)] = audio.samples
        found = parselmouth.Sound(samples, SAMPLE_RATE_HZ).to_pitch_ac(time_step=FRAME_SHIFT_S)
        f0 = found.selected_array["frequency"]
        return Pitch(
            f0_hz=np.where(f0 > 0, f0, np.nan),
            strength=np.clip(found.selected_array["strength"], 0.0, 1.0),
            intensity_db=intensity_db(audio),
            frame_shift_s=FRAME_SHIFT_S,
            start_s=float(found.x1) - _SPARE_S,
        )


def load() -> PraatTracker:
    """Praat as a tracker.

    Raises:
        MissingExtraError: parselmouth is not installed.
    """
    _parselmouth()
    return PraatTracker()


def _parselmouth() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import parselmouth
    except ImportError as error:
        raise MissingExtraError(
            "the pitch tracker 'praat' needs parselmouth, which is not installed: pip install 'elocute[praat]'"
        ) from error
    return parselmouth
