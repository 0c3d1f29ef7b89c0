"""In place of soxr: the same change of rate in the frequency domain, in numpy.

The recording's spectrum is multiplied by that of a linear-phase low-pass, cut (or filled with zeros) at the new rate's
highest frequency, and turned back: exact for any ratio of rates, as long as the filter's tails are.

Deviates: between pass band and stop band of soxr's quality "HQ" the slope is a Kaiser window's, whose parameters were
fitted to soxr's response. White noise differs by -62 dB, speech by much less (tests/browser/test_resample.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.types import Float32, Float64

PASS = 0.914
"""End of the pass band as a share of the lower of the two highest frequencies; the stop band begins at 1."""
REJECTION_DB = 130.0


def resample(x: NDArray[Any], in_rate: float, out_rate: float, quality: str = "HQ") -> Float32:
    """Samples of one channel at another rate; N becomes round(N * out_rate / in_rate), as soxr has it.

    Args:
        x: shape (N,).
        in_rate: Hz, a whole number.
        out_rate: likewise.
        quality: "HQ", the only one there is.
    """
    if quality != "HQ":
        raise ValueError(f"quality is {quality!r}; expected 'HQ'")
    common = math.gcd(round(in_rate), round(out_rate))
    up, down = round(out_rate) // common, round(in_rate) // common
    length = round(len(x) * up / down)
    taps = _low_pass(min(in_rate, out_rate) / in_rate)
    padded = -(-(len(x) + len(taps)) // down) * down  # becomes a whole number of samples
    size = padded * up // down
    half = len(taps) // 2
    kernel = np.zeros(padded)
    kernel[: half + 1], kernel[-half:] = taps[half:], taps[:half]
    spectrum = np.fft.rfft(np.asarray(x, dtype=np.float64), padded) * np.fft.rfft(kernel).real
    kept = np.zeros(size // 2 + 1, dtype=complex)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return (np.fft.irfft(kept, size)[:length] * (size / padded)).astype(np.float32)


def _low_pass(share: float) -> Float64:
    """A windowed sinc that ends at a share of the highest frequency; odd length, sum 1.

    Source: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974.
    """
    width = math.pi * share * (1 - PASS)
    beta = 0.1102 * (REJECTION_DB - 8.7)
    half = math.ceil((REJECTION_DB - 8) / (2.285 * width) / 2)
    at = np.arange(-half, half + 1)
    edge = share * (1 + PASS) / 2
    taps = np.asarray(np.sinc(edge * at) * np.kaiser(2 * half + 1, beta))
    return np.asarray(taps / taps.sum())
