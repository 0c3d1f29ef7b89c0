"""What every 10 ms of a recording sound like: a small network from the spectrum to phones, silence and change.

It knows nothing of the text and of the acoustic model. A CTC model says which phones there are and leaves open from
when to when; this network is weak at the first and sharp at the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.assets import read_asset
from elocute.audio.frames import frames_of
from elocute.errors import ConfigError
from elocute.types import SAMPLE_RATE_HZ, Float32

FRAME_S = 0.01
"""Seconds a frame; frame n covers [n, n + 1) of it."""
SILENCE = 39
"""Column of silence, behind those of the 39 phones."""
CHANGE = 40
"""Column of the log odds that a phone begins or ends with the frame; it is no part of the probabilities."""
OFFSETS = (-5, -3, -2, -1, 0, 1, 2, 3, 5)
"""Frames around a frame that the network sees."""
BANDS = 24
_HOP = round(FRAME_S * SAMPLE_RATE_HZ)
_WINDOW = 2 * _HOP
_LOW_HZ, _HIGH_HZ = 60.0, 7600.0
_LEAST_POWER = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundModel:
    """Weights of the network: dense layers with rectifiers between them.

    Attributes:
        weights: of each layer, shape (inputs, outputs).
        biases: of each layer, shape (outputs,).
        log_prior: shape (40,), log of the share of frames of each phone and of silence that it was trained on.
    """

    weights: tuple[Float32, ...]
    biases: tuple[Float32, ...]
    log_prior: Float32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sound:
    """What each frame sounds like.

    Attributes:
        log_probs: shape (N, 40), natural log; the 39 phones in the order of `PHONES`, and silence.
        change: shape (N,), log odds that a phone begins or ends where the frame begins.
        log_prior: shape (40,), of the model.
    """

    log_probs: Float32
    change: Float32
    log_prior: Float32


def listen(samples: NDArray[np.floating], model: SoundModel | None = None) -> Sound:
    """Say what every frame sounds like.

    Args:
        samples: shape (N,), 16 kHz.
        model: in place of the embedded one.
    """
    net = model or embedded_model()
    rows = with_context(spectrum(samples))
    for layer, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        rows = (np.maximum(rows, 0.0) if layer else rows) @ weight + bias
    phones = rows[:, :CHANGE]
    phones = phones - phones.max(axis=1, keepdims=True)
    log_probs = phones - np.log(np.exp(phones).sum(axis=1, keepdims=True))
    return Sound(log_probs=log_probs, change=rows[:, CHANGE], log_prior=net.log_prior)


def spectrum(samples: NDArray[np.floating], warp: float = 1.0) -> Float32:
    """Log mel bands of every frame, relative to loud speech of the recording, about -4 to 3; shape (frames, BANDS).

    Args:
        samples: shape (N,), 16 kHz; the last frame may be cut short.
        warp: stretches the scale of frequencies, as a shorter (above 1) or longer vocal tract does.
    """
    frames = max(-(-len(samples) // _HOP), 1)
    padded = np.zeros((frames - 1) * _HOP + _WINDOW, dtype=np.float32)
    before = (_WINDOW - _HOP) // 2  # the window is centred on the frame
    kept = samples[: len(padded) - before]
    padded[before : before + len(kept)] = kept
    pieces = frames_of(padded, _WINDOW, _HOP)
    waves = np.fft.rfft(pieces * _window())
    power = np.square(waves.real) + np.square(waves.imag)
    bands = np.log(power.astype(np.float32) @ _mel_filters(warp) + np.float32(_LEAST_POWER))
    level = bands.mean(axis=1)
    low, high = np.percentile(level, [5, 95])
    loud = bands[level >= (low + high) / 2].mean(axis=0)
    return np.asarray(np.clip((bands - loud) / 2, -4.0, 3.0), dtype=np.float32)


def with_context(bands: Float32) -> Float32:
    """Each frame with those around it, shape (frames, len(OFFSETS) * BANDS); the recording's ends are repeated."""
    places = np.arange(len(bands))[:, None] + np.array(OFFSETS)
    return np.asarray(bands[np.clip(places, 0, len(bands) - 1)].reshape(len(bands), -1))


def read_model(source: Path | bytes) -> SoundModel:
    """Read the weights that `write_model` wrote.

    Raises:
        ConfigError: something else.
    """
    try:
        with np.load(source if isinstance(source, Path) else BytesIO(source), allow_pickle=False) as arrays:
            stored = {name: arrays[name].astype(np.float32) for name in arrays.files}
        layers = (len(stored) - 1) // 2
        model = SoundModel(
            weights=tuple(stored[f"weight{layer}"] for layer in range(layers)),
            biases=tuple(stored[f"bias{layer}"] for layer in range(layers)),
            log_prior=stored["log_prior"],
        )
    except (OSError, EOFError, KeyError, ValueError) as error:
        name = source if isinstance(source, Path) else "elocute's asset timing.npz"
        raise ConfigError(f"{name} holds no weights ({error}); expected a file of `elocute train timing`") from error
    return model


def write_model(path: Path, model: SoundModel) -> None:
    """Keep the weights, 16 bits each."""
    arrays = {"log_prior": model.log_prior}
    for layer, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        arrays |= {f"weight{layer}": weight, f"bias{layer}": bias}
    halves: dict[str, Any] = {name: values.astype(np.float16) for name, values in arrays.items()}
    np.savez_compressed(path, **halves)


@cache
def embedded_model() -> SoundModel:
    """The model that ships."""
    return read_model(read_asset("timing.npz"))


@cache
def _window() -> Float32:
    return np.hanning(_WINDOW).astype(np.float32)


@cache
def _mel_filters(warp: float) -> Float32:
    """Triangles evenly wide on the mel scale, shape (bins, BANDS)."""
    hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (_LOW_HZ, _HIGH_HZ))
    corners = np.minimum(warp * 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1), SAMPLE_RATE_HZ / 2)
    left, middle, right = (corners[first : first + BANDS] for first in range(3))
    rise = (hz[:, None] - left) / np.maximum(middle - left, 1.0)
    fall = (right - hz[:, None]) / np.maximum(right - middle, 1.0)
    return np.asarray(np.clip(np.minimum(rise, fall), 0.0, None), dtype=np.float32)
