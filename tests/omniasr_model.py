"""wav2vec 2.0 with a CTC head as fairseq2 names and computes it, written from its description; nothing of elocute.

A. Baevski et al., "wav2vec 2.0", 2020: convolutions with layer norm and GELU over samples, layer norm, projection, a
grouped convolution for positions (weight-normalised over its kernel), transformer layers with the norm first, a last
layer norm, a linear head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


class Conv(nn.Module):
    def __init__(self, inside: int, outside: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inside, outside, kernel, stride)
        self.layer_norm = nn.LayerNorm(outside)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.layer_norm(self.conv(x).mT).mT)


class FeatureExtractor(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Conv(1 if n == 0 else width, width, *LAYERS[n]) for n in range(7))


class PositionConv(nn.Module):
    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight_v = nn.Parameter(torch.randn(width, width // groups, kernel) * 0.1)
        self.weight_g = nn.Parameter(torch.rand(1, 1, kernel) + 0.5)
        self.bias = nn.Parameter(torch.randn(width) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight_v.shape[2]
        norm = self.weight_v.square().sum(dim=(0, 1), keepdim=True).sqrt()
        y = F.conv1d(x, self.weight_v / norm * self.weight_g, self.bias, padding=kernel // 2, groups=self.groups)
        return F.gelu(y[..., :-1] if kernel % 2 == 0 else y)


class PositionEncoder(nn.Module):
    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv = PositionConv(width, kernel, groups)


class Frontend(nn.Module):
    def __init__(self, inside: int, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.feature_extractor = FeatureExtractor(inside)
        self.post_extract_layer_norm = nn.LayerNorm(inside)
        self.model_dim_proj = nn.Linear(inside, width)
        self.pos_encoder = PositionEncoder(width, kernel, groups)

    def forward(self, samples: Tensor) -> Tensor:
        x = samples[:, None]
        for layer in self.feature_extractor.layers:
            x = layer(x)
        x = self.model_dim_proj(self.post_extract_layer_norm(x.mT))
        return x + self.pos_encoder.conv(x.mT).mT


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.output_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        parts = []
        size = x.shape[-1] // self.heads
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        for head in range(self.heads):
            mine = slice(head * size, (head + 1) * size)
            weight = torch.softmax(q[..., mine] @ k[..., mine].mT / math.sqrt(size), dim=-1)
            parts.append(weight @ v[..., mine])
        return self.output_proj(torch.cat(parts, dim=-1))


class FeedForward(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.inner_proj, self.output_proj = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.output_proj(F.gelu(self.inner_proj(x)))


class Layer(nn.Module):
    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.self_attn_layer_norm, self.self_attn = nn.LayerNorm(width), Attention(width, heads)
        self.ffn_layer_norm, self.ffn = nn.LayerNorm(width), FeedForward(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.ffn(self.ffn_layer_norm(x))


class Encoder(nn.Module):
    def __init__(self, width: int, inner: int, heads: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, inner, heads) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width)


class Masker(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.temporal_mask_embed = nn.Parameter(torch.rand(width))


class OmniAsr(nn.Module):
    """Sizes of 300M: conv 512, width 1024, inner 4096, 16 heads, 24 layers, 9,812 labels, kernel 128, 16 groups."""

    def __init__(
        self, *, conv: int, width: int, inner: int, heads: int, layers: int, labels: int, kernel: int, groups: int,
        has_masker: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder_frontend = Frontend(conv, width, kernel, groups)
        self.encoder = Encoder(width, inner, heads, layers)
        self.final_proj = nn.Linear(width, labels)
        if has_masker:
            self.masker = Masker(width)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (B, N) to logits (B, T, labels)."""
        x = self.encoder_frontend(samples)
        for layer in self.encoder.layers:
            x = layer(x)
        return self.final_proj(self.encoder.layer_norm(x))


def tiny(seed: int = 0, **changes: int) -> OmniAsr:
    """A small one whose norms and biases are far from where they start, so that a forgotten one shows."""
    torch.manual_seed(seed)
    sizes = {"conv": 24, "width": 64, "inner": 96, "heads": 16, "layers": 3, "labels": 11, "kernel": 16, "groups": 4}
    model = OmniAsr(**(sizes | changes))  # type: ignore[arg-type]
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim == 1:
                value.add_(torch.randn_like(value) * 0.2)
            elif "layers" in name:
                value.mul_(1.5)
    return model.eval()
