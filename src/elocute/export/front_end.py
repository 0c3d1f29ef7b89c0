"""Front ends of transformers' CTC models as torch modules, so that an exported graph begins with samples.

Every spectrum is a convolution with cosines and sines, as in our own acoustic model: any run-time that has
convolutions computes the same numbers, and int8 quantisation, which takes matrix products, leaves the huge range of
power alone. What a frame goes through before its Fourier transform (mean, pre-emphasis, window) is linear and part of
the same convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from elocute.errors import ConfigError
from elocute.types import SAMPLE_RATE_HZ, Float64

WINDOW, HOP, N_FFT = 400, 160, 512
"""25 ms, 10 ms, and the length of the transform, in samples; the same in every front end here."""
KALDI_SCALE = 2.0**15
KALDI_FLOOR = 1.192092955078125e-07
"""Least mel power, as Kaldi has it, of samples that range over 16 bits."""
KALDI_PRE_EMPHASIS = 0.97
PARAKEET_GUARD = 2.0**-24
"""Added to mel power before the logarithm."""
PARAKEET_EPSILON = 1e-5
"""Added to the deviation of a mel over time."""
VARIANCE_FLOOR = 1e-7
"""Added to the variance of a waveform, or of a Kaldi mel over time."""


class Waveform(nn.Module):
    """Samples (B, N), brought to mean 0 and variance 1 where the model was trained so.

    Source: `Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm` of transformers.
    """

    def __init__(self, *, normalise: bool) -> None:
        super().__init__()
        self.normalise = normalise

    def forward(self, samples: Tensor) -> Tensor:
        """Samples as the model expects them."""
        if not self.normalise:
            return samples
        centred = samples - samples.mean(dim=1, keepdim=True)
        return centred / (centred.square().mean(dim=1, keepdim=True) + VARIANCE_FLOOR).sqrt()


class KaldiMel(nn.Module):
    """Samples (B, N) to normalised log-mels of `stride` frames side by side, (B, frames // stride, stride * mels).

    Source: `SeamlessM4TFeatureExtractor` of transformers. A last frame that fills no row is dropped, where transformers
    pads it and then masks its row.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, filters: Float64, window: Float64, *, stride: int) -> None:
        """Args: filters of shape (257, mels); window of shape (400,); frames side by side."""
        super().__init__()
        self.stride = stride
        centre = np.eye(WINDOW) - 1.0 / WINDOW
        emphasis = np.eye(WINDOW) - KALDI_PRE_EMPHASIS * np.eye(WINDOW, k=-1)
        emphasis[0, 0] -= KALDI_PRE_EMPHASIS
        basis = KALDI_SCALE * fourier(WINDOW) @ (window[:, None] * emphasis) @ centre
        self.register_buffer("basis", torch.from_numpy(basis.astype(np.float32))[:, None, :], persistent=False)
        self.register_buffer("filters", _as_convolution(filters), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Every mel with mean 0 and variance 1 over time."""
        power = _power(F.conv1d(samples[:, None], self.basis, stride=HOP))
        log = F.conv1d(power, self.filters).clamp(min=KALDI_FLOOR).log().transpose(1, 2)
        centred = log - log.mean(dim=1, keepdim=True)
        variance = centred.square().sum(dim=1, keepdim=True) / (log.shape[1] - 1)
        mels = centred / (variance + VARIANCE_FLOOR).sqrt()
        rows = mels.shape[1] // self.stride
        return mels[:, : rows * self.stride].reshape(mels.shape[0], rows, self.stride * mels.shape[2])


class ParakeetMel(nn.Module):
    """Samples (B, N) to normalised log-mels (B, N // 160, mels).

    Source: `ParakeetFeatureExtractor` of transformers, without the one frame more that it computes and then masks.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, filters: Float64, *, pre_emphasis: float) -> None:
        """Args: filters of shape (257, mels); pre-emphasis of the whole waveform."""
        super().__init__()
        self.pre_emphasis = pre_emphasis
        margin = (N_FFT - WINDOW) // 2  # torch.stft puts a short window in the middle
        window = np.pad(np.hanning(WINDOW), margin)
        basis = fourier(N_FFT) * window
        self.register_buffer("basis", torch.from_numpy(basis.astype(np.float32))[:, None, :], persistent=False)
        self.register_buffer("filters", _as_convolution(filters), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Every mel with mean 0 and deviation 1 over time."""
        emphasised = torch.cat([samples[:, :1], samples[:, 1:] - self.pre_emphasis * samples[:, :-1]], dim=1)
        # One hop less behind than in front: the frame that would be masked is not computed.
        padded = F.pad(emphasised, (N_FFT // 2, N_FFT // 2 - HOP))
        power = _power(F.conv1d(padded[:, None], self.basis, stride=HOP))
        log = (F.conv1d(power, self.filters) + PARAKEET_GUARD).log().transpose(1, 2)
        centred = log - log.mean(dim=1, keepdim=True)
        variance = centred.square().sum(dim=1, keepdim=True) / (log.shape[1] - 1)
        return centred / (variance.sqrt() + PARAKEET_EPSILON)


def fourier(length: int) -> Float64:
    """Cosines above sines of a transform of `N_FFT` points over `length` samples, shape (2 * 257, length)."""
    angle = 2 * np.pi * np.outer(np.arange(N_FFT // 2 + 1), np.arange(length)) / N_FFT
    return np.concatenate([np.cos(angle), -np.sin(angle)])


def front_end_of(extractor: Any) -> nn.Module:
    """The front end that a feature extractor of transformers computes.

    Raises:
        ConfigError: another kind of extractor, or settings that this front end does not know.
    """
    kind = type(extractor).__name__
    if kind == "Wav2Vec2FeatureExtractor":
        _expect(extractor, {"sampling_rate": SAMPLE_RATE_HZ, "feature_size": 1})
        return Waveform(normalise=bool(extractor.do_normalize))
    if kind == "SeamlessM4TFeatureExtractor":
        _expect(extractor, {"sampling_rate": SAMPLE_RATE_HZ})
        return KaldiMel(np.asarray(extractor.mel_filters), np.asarray(extractor.window), stride=int(extractor.stride))
    if kind == "ParakeetFeatureExtractor":
        shape = {"sampling_rate": SAMPLE_RATE_HZ, "hop_length": HOP, "n_fft": N_FFT, "win_length": WINDOW}
        _expect(extractor, shape)
        filters = extractor.mel_filters.numpy().T.astype(np.float64)
        return ParakeetMel(filters, pre_emphasis=float(extractor.preemphasis or 0.0))
    raise ConfigError(
        f"front end is {kind}; expected Wav2Vec2FeatureExtractor, SeamlessM4TFeatureExtractor or "
        "ParakeetFeatureExtractor, whose graphs are known"
    )


def _expect(extractor: Any, settings: Mapping[str, int]) -> None:
    """ConfigError unless an extractor has these settings."""
    for name, expected in settings.items():
        if getattr(extractor, name) != expected:
            raise ConfigError(
                f"the model's {type(extractor).__name__} has {name} {getattr(extractor, name)}; expected {expected}"
            )


def _as_convolution(filters: Float64) -> Tensor:
    """Mel filters (bins, mels) as a convolution over one frame."""
    return torch.from_numpy(np.ascontiguousarray(filters.T, dtype=np.float32))[..., None]


def _power(spectrum: Tensor) -> Tensor:
    """Power (B, bins, frames) of real above imaginary parts."""
    real, imaginary = spectrum.chunk(2, dim=1)
    return real.square() + imaginary.square()
