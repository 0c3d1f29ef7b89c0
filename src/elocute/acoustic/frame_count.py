"""How many frames a CTC model of transformers gives for a number of samples, from its configuration alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.types import SAMPLE_RATE_HZ

SPECTRAL = ("wav2vec2-bert", "parakeet_ctc")
"""Families that are fed spectra."""
WAVEFORM = ("wav2vec2", "wavlm", "hubert", "data2vec-audio", "wav2vec2-conformer")
"""Families that are fed samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCount:
    """How many frames the phone head gives for a number of samples.

    Attributes:
        layers: kernel, stride and padding of every step that shortens time, from samples on.
        upsampling: frames of the head for each frame of the encoder.
    """

    layers: tuple[tuple[int, int, int], ...]
    upsampling: int = 1

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Frames of the head for each of these numbers of samples; at least 0."""
        counts = np.asarray(samples, dtype=np.int64)
        for kernel, stride, padding in self.layers:
            counts = np.maximum(0, (counts + 2 * padding - kernel) // stride + 1)
        return counts * self.upsampling

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return float(np.prod([stride for _, stride, _ in self.layers])) / SAMPLE_RATE_HZ / self.upsampling


def frame_count(config: Any, extractor: Any) -> FrameCount:
    """How samples become frames, from a model's configuration."""
    kind = config.model_type
    if kind in WAVEFORM:
        layers = [(kernel, stride, 0) for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True)]
        if getattr(config, "add_adapter", False):
            layers += [(1, config.adapter_stride, 0)] * config.num_adapter_layers
    elif kind == "wav2vec2-bert":
        # Kaldi's windows of 25 ms every 10 ms, then two of them to one.
        layers = [(400, 160, 0), (extractor.stride, extractor.stride, 0)]
        if config.add_adapter:
            kernel = config.adapter_kernel_size
            layers += [(kernel, config.adapter_stride, kernel // 2)] * config.num_adapter_layers
    else:
        inner = config.encoder_config
        kernel, halvings = inner.subsampling_conv_kernel_size, int(np.log2(inner.subsampling_factor))
        hop = (extractor.hop_length, extractor.hop_length, 0)
        layers = [hop, *[(kernel, inner.subsampling_conv_stride, (kernel - 1) // 2)] * halvings]
    return FrameCount(layers=tuple(layers), upsampling=getattr(config, "frame_upsampling", 1))


def row_count(config: Any, extractor: Any) -> FrameCount:
    """How many rows a model gives for a recording by itself: its frames, and those of which a part is padding."""
    counted = frame_count(config, extractor)
    first, second, *others = counted.layers
    if config.model_type == "wav2vec2-bert":
        second = (1, extractor.stride, 0)  # the last spectrum has no other half, and is padded
    elif config.model_type not in WAVEFORM:
        first = (0, first[1], 0)  # spectra of frames that are centred on the first sample and on all hops behind it
    return FrameCount(layers=(first, second, *others), upsampling=counted.upsampling)
