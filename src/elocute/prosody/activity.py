"""Speech or not, every 10 ms: how far the sound rises above this recording's own background, band by band.

A threshold on the level alone takes a quiet f for silence, and hum for speech. Here each band of the spectrum is
compared with its own floor, so that hum counts for nothing and a fricative shows in its few bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from elocute.audio.frames import frames_of
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64

FRAME_S = 0.01
"""Seconds a frame of the activity."""
_HOP = round(FRAME_S * SAMPLE_RATE_HZ)
_WINDOW = 2 * _HOP
_FFT = 512
_BANDS = 20
_LOW_HZ, _HIGH_HZ = 120.0, 7000.0
_LIVE_DB = -90.0  # digital silence (gates, padding) says nothing about the noise of the room
_FLOOR_PERCENTILE = 5
_LEAST_LIVE = 5
_MOST_DB = 20.0  # what a band can add: one strong band is not yet speech
_MARGIN_DB = 5.0  # noise strays so far above its 5th percentile
_SILENT_DB = 55.0  # so far below loud speech nothing is heard


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """How much like speech each frame sounds.

    Attributes:
        level_db: shape (N,), mean over bands of the level of each frame, dB relative to full scale.
        excess_db: shape (N,), mean over bands of what rises above the background, 0 to 20 dB.
        frame_shift_s: seconds a frame; frame n covers [n, n + 1) of it.
    """

    level_db: Float64
    excess_db: Float64
    frame_shift_s: float = FRAME_S


def speech_activity(audio: Audio) -> Activity:
    """Measure how far every 10 ms rise above the background.

    The floor of a band is the 5th percentile of its levels over the frames that are no digital silence.
    """
    bands = _band_levels_db(audio.samples.astype(np.float64))
    level = 10 * np.log10(np.power(10.0, bands / 10).sum(axis=1))
    live = level > _LIVE_DB
    loud = float(np.percentile(level[live], 95)) if live.any() else _LIVE_DB
    floor = np.percentile(bands[live], _FLOOR_PERCENTILE, axis=0) if live.sum() >= _LEAST_LIVE else bands.min(axis=0)
    excess = np.clip(bands - floor - _MARGIN_DB, 0.0, _MOST_DB).mean(axis=1)
    excess[level < loud - _SILENT_DB] = 0.0
    return Activity(level_db=bands.mean(axis=1), excess_db=excess)


def _band_levels_db(samples: Float64) -> Float64:
    """Level of each frame in each band, dB relative to full scale, shape (N, bands); windows centred on the frames."""
    count = max(len(samples) // _HOP, 1)
    padded = np.zeros((count + 1) * _HOP)
    padded[_HOP // 2 : _HOP // 2 + len(samples)] = samples[: len(padded) - _HOP // 2]
    frames = frames_of(padded, _WINDOW, _HOP)[:count]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), _FFT)))
    return np.asarray(10 * np.log10(power @ _filters().T / (_WINDOW * _FFT / 4) + 1e-12))


@cache
def _filters() -> Float64:
    """Triangles, evenly wide on the mel scale, shape (bands, bins)."""
    hz = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ)
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (_LOW_HZ, _HIGH_HZ))
    corners = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    left, middle, right = (corners[i : i + _BANDS, None] for i in range(3))
    return np.asarray(np.clip(np.minimum((hz - left) / (middle - left), (right - hz) / (right - middle)), 0.0, None))
