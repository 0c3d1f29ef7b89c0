"""Step 1/10 - what is refused as no recording; each message says what, got, expected and fix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.errors import AudioError, ConfigError, LongAudioError
from elocute.types import Float32

_MIN_DURATION_S = 0.05  # shorter than any phone with its neighbours
_MIN_RATE_HZ, _MAX_RATE_HZ = 4_000, 384_000
_MAX_CHANNELS = 32
_MAX_FLOAT_PEAK = 16.0  # decoders overshoot to about 1.3, integers kept as floats exceed 100


def check_array(name: str, samples: NDArray[Any]) -> None:
    """Refuse arrays whose type or shape cannot be samples by channels."""
    if samples.dtype.kind not in "fiu":
        raise AudioError(f"{name} has dtype {samples.dtype}; expected floats or integers, such as float32 or int16")
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name} has shape {samples.shape}; expected (N,) or (N, channels), so reshape it")
    if samples.size == 0:
        raise AudioError(f"{name} of shape {samples.shape} is empty; expected at least {_MIN_DURATION_S} s of samples")
    if samples.ndim == 2 and samples.shape[1] > _MAX_CHANNELS:
        raise AudioError(
            f"{name} of shape {samples.shape} would have {samples.shape[1]} channels, expected (N, channels) with at "
            f"most {_MAX_CHANNELS}; transpose it if channels come first"
        )


def check_limit(max_duration_s: float) -> None:
    """Refuse a limit under which nothing could pass."""
    if not max_duration_s > 0:
        raise ConfigError(f"max_duration_s is {max_duration_s}; expected seconds above 0, such as 60")


def check_channels(name: str, channels: int) -> None:
    """Refuse more channels than any recording of speech has."""
    if channels > _MAX_CHANNELS:
        raise AudioError(f"{name} has {channels} channels; expected at most {_MAX_CHANNELS}, so mix it down first")


def check_rate(name: str, rate: object) -> int:
    """The rate in Hz as an int; refuse what is missing, fractional or no rate of speech."""
    if rate is None:
        raise AudioError(f"{name} came without its rate; pass sample_rate in Hz, such as sample_rate=16000")
    rate_hz = math.nan
    if isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool):
        rate_hz = float(rate)
    if not _MIN_RATE_HZ <= rate_hz <= _MAX_RATE_HZ or rate_hz % 1:
        raise AudioError(
            f"{name} has a sample rate of {rate} Hz; expected a whole number from {_MIN_RATE_HZ} to {_MAX_RATE_HZ}"
        )
    return int(rate_hz)


def check_length(name: str, duration_s: float, max_duration_s: float) -> None:
    """Refuse what is too short for any phone or longer than the limit."""
    if duration_s < _MIN_DURATION_S:
        raise AudioError(
            f"{name} lasts {duration_s:.3f} s; expected at least {_MIN_DURATION_S} s, so record the whole text"
        )
    if duration_s > max_duration_s:
        raise LongAudioError(
            f"{name} lasts {duration_s:.1f} s; expected at most {max_duration_s:g} s, so split it (or, in Python, give "
            "load_audio a higher max_duration_s)"
        )


def check_values(name: str, samples: NDArray[np.floating[Any]]) -> None:
    """Refuse NaN, infinity and floats that are not scaled to 1; samples have shape (N, channels)."""
    finite = np.isfinite(samples)
    if not finite.all():
        first = int(np.argmin(finite.all(axis=1)))
        raise AudioError(
            f"{name} holds {int((~finite).sum())} NaN or infinite samples, the first at index {first}; expected "
            "finite numbers, so look for a division by zero before"
        )
    peak = float(np.abs(samples).max())
    if peak > _MAX_FLOAT_PEAK:
        raise AudioError(
            f"{name} holds floats up to {peak:g}; expected full scale at 1, so divide by 32768 if they were 16-bit "
            "integers"
        )


def scaled(samples: NDArray[Any]) -> Float32:
    """Floats as they are, integers with full scale at 1."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
    offset = full_scale if samples.dtype.kind == "u" else 0.0
    return ((samples.astype(np.float64) - offset) / full_scale).astype(np.float32)
