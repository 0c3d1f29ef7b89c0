"""The embedded scorer: features of one utterance to phone, word and utterance scores.

A small transformer over phones in the manner of GOPT (Gong et al. 2022, arXiv 2205.03432). Deviates: padding is
masked, words are pooled before their head instead of after, utterance heads see timing features that the phone heads
do not, and several members trained with different seeds are averaged inside one graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerConfig:
    """Size of one member."""

    phone_features: int
    utterance_features: int
    phones: int = 39
    width: int = 64
    heads: int = 4
    layers: int = 3
    dropout: float = 0.25
    positions: int = 512


class Scores(NamedTuple):
    """Outputs, in the corpus's units divided so that all lie near 0 to 2.

    Attributes:
        phone: shape (B, L), accuracy 0 to 2.
        word: shape (B, W, 3), accuracy, stress, total, 0 to 10 divided by 5.
        utterance: shape (B, 4), accuracy, fluency, prosodic, total, 0 to 10 divided by 5.
        error: shape (B, L), log-odds that people would call the phone wrong.
    """

    phone: Tensor
    word: Tensor
    utterance: Tensor
    error: Tensor


def head(inputs: int, outputs: int, dropout: float, start: float = 1.7) -> nn.Sequential:
    """Two-layer head; the bias starts near the corpus mean, which is about 1.7 for every score."""
    last = nn.Linear(48, outputs)
    nn.init.constant_(last.bias, start)
    return nn.Sequential(nn.Linear(inputs, 48), nn.GELU(), nn.Dropout(dropout), last)


class Scorer(nn.Module):
    """One member."""

    phone_mean: Tensor
    phone_scale: Tensor
    utterance_mean: Tensor
    utterance_scale: Tensor

    def __init__(self, config: ScorerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.register_buffer("phone_mean", torch.zeros(config.phone_features))
        self.register_buffer("phone_scale", torch.ones(config.phone_features))
        self.register_buffer("utterance_mean", torch.zeros(config.utterance_features))
        self.register_buffer("utterance_scale", torch.ones(config.utterance_features))
        self.project = nn.Linear(config.phone_features, width)
        self.phone = nn.Embedding(config.phones, width)
        self.edge = nn.Linear(2, width)
        self.neighbours = nn.Conv1d(width, width, 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, config.heads, 2 * width, config.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.phone_head = head(width, 1, config.dropout)
        self.error_head = head(width, 1, config.dropout, start=-3.0)
        self.word_head = head(2 * width + 2, 3, config.dropout)
        self.attend = nn.Linear(width, 1)
        self.utterance_head = head(width + 3 + 32, 4, config.dropout)
        self.timing = nn.Sequential(nn.Linear(config.utterance_features, 32), nn.GELU(), nn.Dropout(2 * config.dropout))

    def forward(self, phone: Tensor, utterance: Tensor, phone_ids: Tensor, member: Tensor, valid: Tensor) -> Scores:
        """Score a batch.

        Args:
            phone: shape (B, L, phone_features).
            utterance: shape (B, utterance_features).
            phone_ids: shape (B, L), canonical phones.
            member: shape (B, L, W), 1 where the phone belongs to the word.
            valid: shape (B, L), 1 for phones, 0 for padding.
        """
        mask = valid[..., None]
        x = self.project((phone - self.phone_mean) / self.phone_scale)
        same = (member[:, 1:] * member[:, :-1]).sum(-1)
        edge = torch.zeros_like(valid[:, :1])
        inside = torch.stack([torch.cat([edge, same], 1), torch.cat([same, edge], 1)], dim=-1)
        x = (x + self.phone(phone_ids) + self.edge(inside)) * mask
        x = x + nn.functional.gelu(self.neighbours(x.transpose(1, 2)).transpose(1, 2)) * mask
        for layer in self.encoder:
            x = self._layer(cast(nn.TransformerEncoderLayer, layer), x, valid)
        x = self.norm(x) * mask
        phone_score = self.phone_head(x)[..., 0]
        share = member / member.sum(1, keepdim=True).clamp(min=1.0)
        word_mean = share.transpose(1, 2) @ x
        outside = (1.0 - member) * 1e4
        word_max = (x[:, :, None, :] - outside[..., None]).amax(1)
        belongs = share.transpose(1, 2) @ phone_score[..., None]
        worst = (phone_score[..., None] + outside).amin(1)[..., None]
        word_score = self.word_head(torch.cat([word_mean, word_max.clamp(min=-50), belongs, worst.clamp(max=5)], -1))
        weight = torch.softmax(self.attend(x)[..., 0] + (valid - 1) * 1e4, dim=1)
        count = valid.sum(1, keepdim=True)
        mean = (phone_score * valid).sum(1, keepdim=True) / count
        spread = (((phone_score - mean) * valid).square().sum(1, keepdim=True) / count + 1e-6).sqrt()
        lowest = (phone_score + (1 - valid) * 10).amin(1, keepdim=True)
        timing = self.timing((utterance - self.utterance_mean) / self.utterance_scale)
        pooled = (weight[:, None] @ x)[:, 0]
        whole = self.utterance_head(torch.cat([pooled, mean, spread, lowest, timing], -1))
        return Scores(phone_score, word_score, whole, self.error_head(x)[..., 0])

    def _layer(self, layer: nn.TransformerEncoderLayer, x: Tensor, valid: Tensor) -> Tensor:
        """A pre-norm transformer layer, spelled out so that export needs no fused kernel."""
        config = self.config
        B, L, width = x.shape
        attention = layer.self_attn
        q, k, v = (
            nn.functional.linear(layer.norm1(x), attention.in_proj_weight, attention.in_proj_bias)
            .view(B, L, 3, config.heads, width // config.heads)
            .permute(2, 0, 3, 1, 4)
        )
        weight = q @ k.transpose(-1, -2) / (width // config.heads) ** 0.5 + (valid[:, None, None, :] - 1) * 1e4
        y = (torch.softmax(weight, -1) @ v).transpose(1, 2).reshape(B, L, width)
        x = x + layer.dropout1(attention.out_proj(y))
        y = layer.linear2(layer.dropout(layer.activation(layer.linear1(layer.norm2(x)))))
        added: Tensor = x + layer.dropout2(y)
        return added


class Ensemble(nn.Module):
    """The mean of several members, clipped to the corpus's range."""

    def __init__(self, members: Sequence[Scorer]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, phone: Tensor, utterance: Tensor, phone_ids: Tensor, member: Tensor) -> Scores:
        """Score one utterance; no leading batch dimension: (L, D), (U,), (L,), (L, W) to (L,), (W, 3), (4,), (L,)."""
        valid = torch.ones_like(phone[None, :, 0])
        scores = [m(phone[None], utterance[None], phone_ids[None], member[None], valid) for m in self.members]
        phone_score, word, whole, error = (torch.stack(parts).mean(0)[0] for parts in zip(*scores, strict=True))
        return Scores(phone_score.clamp(0.0, 2.0), word.clamp(0.0, 2.0), whole.clamp(0.0, 2.0), error)
