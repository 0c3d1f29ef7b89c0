"""The recording as it is drawn: outline of the waveform and spectrogram; and as it is played, in FLAC."""

from __future__ import annotations

import io

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from elocute.types import SAMPLE_RATE_HZ, Audio, Float32, Float64

STEP_S = 0.005
"""Seconds a column of the spectrogram."""
HIGHEST_HZ = SAMPLE_RATE_HZ // 2
_STEP = round(STEP_S * SAMPLE_RATE_HZ)
_WINDOW = round(0.010 * SAMPLE_RATE_HZ)
"""10 ms of Hann window: the wide band in which formants and bursts show, as in Praat's default view."""
_FFT = 256
_PREEMPHASIS = 0.97
_RANGE_DB = 55.0


def outline(samples: Float32, columns: int) -> Float64:
    """Least and greatest sample of each of so many even stretches, shape (columns, 2); needs a sample at least."""
    edges = np.linspace(0, len(samples), columns + 1).astype(np.int64)
    starts = np.minimum(edges[:-1], len(samples) - 1)
    return np.stack([np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)], axis=1).astype(
        np.float64
    )


def spectrogram(samples: Float32) -> Float64:
    """Loudness over frequency and time, as shares of the range that is drawn.

    Returns: shape (F, C): row 0 is 0 Hz, the last `HIGHEST_HZ`; column c is the 10 ms around (c + 0.5) `STEP_S`; 0 is
    55 dB under the loud parts (the 99.9th percentile, so that a click does not darken the rest) or less, 1 is loud.
    """
    columns = max(1, -(-len(samples) // _STEP))
    half = (_WINDOW - _STEP) // 2
    padded = np.zeros(columns * _STEP + 2 * half + 1, dtype=np.float64)
    padded[half + 1 : half + 1 + len(samples)] = samples
    sharpened = padded[1:] - _PREEMPHASIS * padded[:-1]
    frames = sliding_window_view(sharpened, _WINDOW)[::_STEP] * np.hanning(_WINDOW)
    power = np.square(np.abs(np.fft.rfft(frames, _FFT, axis=1)))
    level = 10 * np.log10(power + 1e-12)
    top = np.percentile(level, 99.9)
    return np.asarray(np.clip((level - top) / _RANGE_DB + 1.0, 0.0, 1.0)).T


def flac(audio: Audio) -> bytes:
    """The recording as a FLAC file of 16 bits, which every browser plays."""
    import soundfile

    page = io.BytesIO()
    soundfile.write(page, np.clip(audio.samples, -1.0, 1.0), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return page.getvalue()
