"""The embedded acoustic model: 16 kHz samples to CTC log-probabilities and ratings of 39 phones, 20 ms frames.

Log-mel front end, two convolutions, Conformer blocks (Gulati et al. 2020, arXiv 2005.08100) with rotary positions
(Su et al. 2021, arXiv 2104.09864). Deviates from the Conformer paper: LayerNorm in place of BatchNorm, rotary in
place of relative positions, pointwise convolutions written as Linear so that int8 quantisation reaches them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from elocute.types import SAMPLE_RATE_HZ

HOP = SAMPLE_RATE_HZ // 100  # 10 ms
WINDOW = SAMPLE_RATE_HZ // 40  # 25 ms
N_FFT = 512
FRAME_SHIFT_S = 0.02
"""Seconds per output frame: two mel frames of 10 ms."""
LEVEL_FLOOR = 1e-5
"""Added to the root mean square before level normalisation, so that digital silence stays silence."""
POWER_FLOOR = 1e-5
"""Added to mel power (of level-normalised audio) before the logarithm."""
VARIANCE_FLOOR = 1e-2
"""Added to the variance of a mel over time, so that a constant band stays quiet."""
MEAN_RATING = 1.7
"""Near the corpus mean of every score on the scale of 0 to 2; where ratings start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcousticConfig:
    """Size of the network; the defaults are the shipped one."""

    mels: int = 80
    channels: int = 32
    width: int = 256
    feed_forward: int = 768
    heads: int = 4
    blocks: int = 8
    kernel: int = 15
    dropout: float = 0.15
    drop_block: float = 0.1
    intermediate_block: int = 5
    phones: int = 39
    utterance_ratings: int = 4
    rating_width: int = 128
    rating_dropout: float = 0.3


def mel_filterbank(mels: int) -> np.ndarray:
    """Triangular filters on the HTK mel scale from 20 Hz to 7,600 Hz, shape (N_FFT // 2 + 1, mels)."""

    def to_mel(hz: np.ndarray) -> np.ndarray:
        return 2595.0 * np.log10(1.0 + hz / 700.0)

    edges = np.linspace(to_mel(np.array(20.0)), to_mel(np.array(7600.0)), mels + 2)
    bins = to_mel(np.arange(N_FFT // 2 + 1) * SAMPLE_RATE_HZ / N_FFT)
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None), dtype=np.float32)


class LogMel(nn.Module):
    """Samples (B, N) to log-mel power (B, N // 160, mels); frame i is centred at (i + 0.5) * 10 ms.

    The Fourier transform is a convolution with a windowed cosine and sine basis, so that every run-time that has
    convolutions computes the same numbers.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, mels: int) -> None:
        super().__init__()
        time = np.arange(WINDOW)
        window = np.hanning(WINDOW + 1)[:-1]
        angle = 2 * np.pi * np.outer(np.arange(N_FFT // 2 + 1), time) / N_FFT
        basis = np.concatenate([np.cos(angle) * window, -np.sin(angle) * window])
        self.register_buffer("basis", torch.from_numpy(basis.astype(np.float32))[:, None, :], persistent=False)
        # A convolution, so that int8 quantisation, which takes matrix products, leaves the huge range of power alone.
        self.register_buffer("filters", torch.from_numpy(mel_filterbank(mels).T.copy())[..., None], persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Log-mel power of level-normalised audio."""
        level = samples.square().mean(dim=1, keepdim=True).sqrt() + LEVEL_FLOOR
        margin = (WINDOW - HOP) // 2
        padded = F.pad(samples / level, (margin, WINDOW - HOP - margin))
        spectrum = F.conv1d(padded[:, None, :], self.basis, stride=HOP)
        real, imaginary = spectrum.chunk(2, dim=1)
        power = F.conv1d(real.square() + imaginary.square(), self.filters)
        return torch.log(power + POWER_FLOOR).transpose(1, 2)


def normalise(log: Tensor, valid: Tensor | None = None) -> Tensor:
    """Bring every mel of an utterance to mean 0 and deviation 1 over its valid frames; elsewhere 0.

    Args:
        log: log-mel power, shape (B, frames, mels).
        valid: shape (B, frames), bool; None means all, which is what the exported graph computes.
    """
    if valid is None:
        mean = log.mean(dim=1, keepdim=True)
        variance = (log - mean).square().mean(dim=1, keepdim=True)
        return (log - mean) / (variance + VARIANCE_FLOOR).sqrt()
    weight = valid[..., None].to(log.dtype)
    count = weight.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (log * weight).sum(dim=1, keepdim=True) / count
    variance = ((log - mean).square() * weight).sum(dim=1, keepdim=True) / count
    return (log - mean) / (variance + VARIANCE_FLOOR).sqrt() * weight


def rotary(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables of rotary positions, each of shape (length, size)."""
    frequency = 1.0 / (10_000.0 ** (torch.arange(0, size, 2, device=device, dtype=torch.float32) / size))
    angle = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequency
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of the last dimension of x (..., T, size) by their position."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class FeedForward(nn.Sequential):
    """Half-step feed-forward module."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, config.feed_forward),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, config.width),
            nn.Dropout(config.dropout),
        )


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        """Attend over time; x (B, T, width), mask (B, 1, 1, T) true where valid."""
        B, T, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(B, T, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = self.out(y.transpose(1, 2).reshape(B, T, width))
        return F.dropout(y, self.dropout, self.training)


class Convolution(nn.Module):
    """Gated depthwise convolution over time."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.norm = nn.LayerNorm(config.width)
        self.gate = nn.Linear(config.width, 2 * config.width)
        self.depthwise = nn.Conv1d(
            config.width, config.width, config.kernel, padding=config.kernel // 2, groups=config.width
        )
        self.depthwise_norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """Mix neighbouring frames; x (B, T, width), valid (B, T, 1)."""
        y = F.glu(self.gate(self.norm(x)), dim=-1)
        if valid is not None:
            y = y * valid
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)
        y = self.out(F.silu(self.depthwise_norm(y)))
        return F.dropout(y, self.dropout, self.training)


class ConformerBlock(nn.Module):
    """Feed-forward, attention, convolution, feed-forward."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.before = FeedForward(config)
        self.attention = Attention(config)
        self.convolution = Convolution(config)
        self.after = FeedForward(config)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, valid: Tensor | None, mask: Tensor | None) -> Tensor:
        """One block; shapes stay (B, T, width)."""
        x = x + 0.5 * self.before(x)
        x = x + self.attention(x, cos, sin, mask)
        x = x + self.convolution(x, valid)
        x = x + 0.5 * self.after(x)
        normed: Tensor = self.norm(x)
        return normed


class Encoder(nn.Module):
    """Normalised log-mels (B, frames, mels) to states (B, frames // 2, width)."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.config = config
        # Kernel 4 with stride 2 keeps the centre of an output frame in the middle of its two mel frames.
        self.subsample = nn.Sequential(
            nn.Conv2d(1, config.channels, (4, 3), stride=(2, 2), padding=(1, 1)),
            nn.SiLU(),
            nn.Conv2d(config.channels, config.channels, 3, stride=(1, 2), padding=1),
            nn.SiLU(),
        )
        self.project = nn.Linear(config.channels * (config.mels // 4), config.width)
        self.blocks = nn.ModuleList(ConformerBlock(config) for _ in range(config.blocks))

    def forward(self, mels: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Final and intermediate states; lengths (B,) are valid output frames, None means all."""
        x = self.subsample[1](self.subsample[0](mels[:, None]))
        T = x.shape[2]
        valid = mask = None
        if lengths is not None:
            inside = torch.arange(T, device=x.device)[None, :] < lengths[:, None]
            valid, mask = inside[..., None].to(x.dtype), inside[:, None, None, :]
            # What the first convolution makes of padding must not reach the last valid frame through the second.
            x = x * valid[:, None]
        x = self.subsample[3](self.subsample[2](x))
        B, C, T, D = x.shape
        x = self.project(x.permute(0, 2, 1, 3).reshape(B, T, C * D))
        x = F.dropout(x, self.config.dropout, self.training)
        cos, sin = rotary(T, self.config.width // self.config.heads, x.device)
        middle = x
        for number, block in enumerate(self.blocks, start=1):
            skip = self.training and torch.rand(()).item() < self.config.drop_block * number / len(self.blocks)
            if not skip:
                x = block(x, cos, sin, valid, mask)
            if number == self.config.intermediate_block:
                middle = x
        return x, middle


class RatingHead(nn.Module):
    """States to ratings: how people would score each phone if it were the one meant here, and the utterance.

    A rating of a phone is read from the frames that the lattice gives to it; ratings of the utterance are averaged
    over its frames. So one pass over the audio serves every text, and the scorer sees numbers whose meaning does not
    depend on which of several encoders made them.
    """

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Dropout(config.rating_dropout),
            nn.Linear(config.width, config.rating_width),
            nn.GELU(),
            nn.Dropout(config.rating_dropout),
        )
        # One column more than phones: what holds for all of them, such as how good the speaker is.
        self.phone = nn.Linear(config.rating_width, config.phones + 1)
        self.utterance = nn.Linear(config.rating_width, config.utterance_ratings)
        for last in (self.phone, self.utterance):
            nn.init.zeros_(last.bias)
            nn.init.normal_(last.weight, std=0.02)

    def forward(self, states: Tensor) -> Tensor:
        """States (B, T, width) to ratings (B, T, phones + utterance_ratings), all on the scale of 0 to 2."""
        hidden = self.hidden(states)
        phone = self.phone(hidden)
        return MEAN_RATING + torch.cat([phone[..., :-1] + phone[..., -1:], self.utterance(hidden)], dim=-1)


class AcousticModel(nn.Module):
    """Encoder with its CTC head, its rating head and, for training, a second CTC head half way up."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config.mels)
        self.encoder = Encoder(config)
        labels = config.phones + 1
        self.head = nn.Linear(config.width, labels)
        self.middle_head = nn.Linear(config.width, labels)
        self.rating_head = RatingHead(config)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """What is exported: samples (1, N) to what is heard in N // 320 frames.

        Returns: log-probabilities (1, T, phones + 1), blank first; ratings (1, T, phones + utterance_ratings).
        """
        return self.hear(normalise(self.log_mel(samples)))

    def hear(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """The same from normalised log-mels (1, frames, mels)."""
        states, _ = self.encoder(mels)
        return F.log_softmax(self.head(states), dim=-1), self.rating_head(states)


class Heads(nn.Module):
    """What of the model learns, in one call, as processes that average gradients need it.

    Args:
        model: whole.
        rating_gradient: see `AcousticTraining`.
    """

    def __init__(self, model: AcousticModel, rating_gradient: float) -> None:
        super().__init__()
        self.encoder, self.head, self.middle_head = model.encoder, model.head, model.middle_head
        self.rating_head, self.rating_gradient = model.rating_head, rating_gradient

    def forward(self, mels: Tensor, lengths: Tensor, rates: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits of both heads, and ratings if they are to be learnt."""
        states, middle = self.encoder(mels, lengths)
        logits, middle_logits = self.head(states), self.middle_head(middle)
        # The value of the states, with a part of their gradient.
        seen = states.detach() + self.rating_gradient * (states - states.detach()) if rates else None
        return logits, middle_logits, None if seen is None else self.rating_head(seen)
