"""Recordings and posteriors that say what they are told to say; for tests of the steps after the acoustic model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elocute.acoustic.fake import PlantedBackend
from elocute.phones import PHONES
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality, Posteriors


def recording(seconds: float, *, amplitude: float = 0.1, seed: int = 0, snr_db: float | None = 30.0) -> Audio:
    """Noise of the given amplitude; 0 is digital silence."""
    rng = np.random.default_rng(seed)
    samples = (amplitude * rng.normal(size=round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)
    quality = AudioQuality(
        duration_s=seconds,
        peak=float(np.abs(samples).max()),
        rms_db=-20.0,
        speech_s=seconds,
        snr_db=snr_db,
        clipped=0.0,
        source_rate_hz=SAMPLE_RATE_HZ,
        source_channels=1,
    )
    return Audio(samples=samples, quality=quality)


def heard(said: Sequence[str], seconds: float = 2.0, certainty: float = 0.9) -> Posteriors:
    """Posteriors in which exactly these phones are spoken."""
    return PlantedBackend(PHONES, said, certainty=certainty).posteriors(recording(seconds))
