"""Features before a model, in numpy: Kaldi's log mel filter bank, and what other tools do differently.

Steps, in Kaldi's order: frames of `window_s` every `shift_s`; mean of the frame taken out; pre-emphasis; window; power
spectrum; triangular mel filters; natural logarithm above a floor. Then, where asked for, each bin to mean 0 and
variance 1 over the recording, and several frames side by side.

Source: Kaldi's compute-fbank-feats (feat/feature-fbank.cc, feature-window.cc, mel-computations.cc), Apache-2.0.
Deviates: no dither, so that the same recording always gives the same features; no energy column.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from elocute.errors import ConfigError
from elocute.types import SAMPLE_RATE_HZ, Float32, Float64

_VARIANCE_FLOOR = 1e-7


def normalised(samples: Float32) -> Float32:
    """Samples of mean 0 and variance 1, as models of the wav2vec 2.0 family were trained on."""
    brought: Float32 = ((samples - samples.mean()) / np.sqrt(samples.var() + _VARIANCE_FLOOR)).astype(np.float32)
    return brought


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """A log mel filter bank.

    Attributes:
        bins: mel filters.
        low_hz: where the first begins.
        high_hz: where the last ends; counted from half the rate downwards where it is not positive.
        scale: what samples of -1 to 1 are multiplied by.
        pre_emphasis: share of the sample before that is taken away.
        window_s: length of a frame.
        shift_s: from one frame to the next.
        snip_edges: only frames that fit in (Kaldi's default); else one for each shift, the edges mirrored.
        floor: least energy of a filter.
        normalise: each bin to mean 0 and variance 1 over the recording.
        stride: frames side by side in one row; what is left over at the end is dropped.
    """

    bins: int = 80
    low_hz: float = 20.0
    high_hz: float = 0.0
    scale: float = 1.0
    pre_emphasis: float = 0.97
    window_s: float = 0.025
    shift_s: float = 0.01
    snip_edges: bool = True
    floor: float = float(np.finfo(np.float32).eps)
    normalise: bool = False
    stride: int = 1

    @classmethod
    def of(cls, stored: Any, path: Path) -> FrontEnd:
        """A front end from a card; ConfigError for what is none."""
        known = {one.name: type(one.default) for one in fields(cls)}
        if not isinstance(stored, dict) or not stored.keys() <= known.keys():
            raise ConfigError(f"{path}: features is {stored!r}; expected some of {', '.join(known)}")
        for name, value in stored.items():
            if isinstance(value, bool) is not (known[name] is bool) or not isinstance(value, (int, float)):
                raise ConfigError(f"{path}: features has {name} {value!r}; expected {known[name].__name__}")
        return cls(**stored)

    def __call__(self, samples: Float32) -> Float32:
        """Features of a recording at 16 kHz, shape (t, bins * stride)."""
        frames = self._frames(samples.astype(np.float64) * self.scale)
        frames -= frames.mean(axis=1, keepdims=True)
        before = np.column_stack([frames[:, :1], frames[:, :-1]])
        frames -= self.pre_emphasis * before
        spectrum = np.fft.rfft(frames * self._window, n=self._transform)
        energies = (spectrum.real**2 + spectrum.imag**2) @ self._filters
        features = np.log(np.maximum(energies, self.floor))
        if self.normalise and len(features) > 1:
            spread = features.var(axis=0, ddof=1)
            features = (features - features.mean(axis=0)) / np.sqrt(spread + _VARIANCE_FLOOR)
        rows = len(features) // self.stride
        return features[: rows * self.stride].reshape(rows, self.bins * self.stride).astype(np.float32)

    def _frames(self, samples: Float64) -> Float64:
        """Frames of the recording, shape (t, window)."""
        window, shift = len(self._window), round(self.shift_s * SAMPLE_RATE_HZ)
        if self.snip_edges:
            count = max(1 + (len(samples) - window) // shift, 0)
            first = 0
        else:
            count = (len(samples) + shift // 2) // shift
            first = shift // 2 - window // 2
        places = first + np.arange(count)[:, None] * shift + np.arange(window)
        # Mirrored at the edges, the edge sample twice; a recording shorter than a frame is mirrored again.
        places %= 2 * max(len(samples), 1)
        return np.asarray(samples[np.where(places < len(samples), places, 2 * len(samples) - 1 - places)])

    @cached_property
    def _window(self) -> Float64:
        """Kaldi's own window: Hann to the power .85."""
        count = round(self.window_s * SAMPLE_RATE_HZ)
        return np.asarray((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / (count - 1))) ** 0.85)

    @cached_property
    def _transform(self) -> int:
        """Length of the Fourier transform, the next power of 2."""
        return 1 << (len(self._window) - 1).bit_length()

    @cached_property
    def _filters(self) -> Float64:
        """Triangles on the mel scale, shape (transform / 2 + 1, bins)."""
        high_hz = self.high_hz if self.high_hz > 0 else SAMPLE_RATE_HZ / 2 + self.high_hz
        edges = np.linspace(_mel(self.low_hz), _mel(high_hz), self.bins + 2)
        bins = _mel(np.arange(self._transform // 2 + 1) * SAMPLE_RATE_HZ / self._transform)[:, None]
        rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
        fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
        filters = np.maximum(np.minimum(rise, fall), 0.0)
        filters[-1] = 0.0  # Kaldi leaves out the bin at half the rate
        return np.asarray(filters)


def _mel(hz: Any) -> Any:
    """Kaldi's mel scale."""
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)
