"""The G2P network: letters in, CTC log-probabilities over ARPABET phones with stress out, one pass, no decoder.

Every letter has two output slots (x makes two phones, e often none). Blocks of self-attention, depthwise convolution
and a feed-forward layer run over the letters; the same blocks may run several times (shared weights), which buys depth
without bytes. Between blocks the network sees its own CTC guess (self-conditioned CTC, Nozaki and Komatsu 2021),
which makes up for CTC's conditional independence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, silu

from elocute.phones.g2p import BLANK_ID, LETTERS, encode_word
from elocute.phones.lexicon import SYMBOLS

SLOTS_PER_LETTER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class G2PModelConfig:
    """Size of the network.

    Attributes:
        dim: width; a multiple of `heads`.
        heads: attention heads.
        blocks: blocks with weights of their own.
        passes: how often the stack of blocks is run.
        ffn: width of the feed-forward layer in multiples of `dim`.
        kernel: width of the depthwise convolution in letters, odd.
        max_letters: longest word, its two boundary marks included.
        dropout: probability of dropping an activation in training.
    """

    dim: int = 176
    heads: int = 4
    blocks: int = 4
    passes: int = 2
    ffn: int = 3
    kernel: int = 7
    max_letters: int = 64
    dropout: float = 0.15


class Block(nn.Module):
    """Attention, convolution, feed-forward; each pre-normalised with a residual."""

    def __init__(self, config: G2PModelConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attention_out = nn.Linear(dim, dim)
        self.conv_norm = nn.LayerNorm(dim)
        self.conv_in = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, config.kernel, padding=config.kernel // 2, groups=dim)
        self.conv_out = nn.Linear(dim, dim)
        self.ffn_norm = nn.LayerNorm(dim)
        self.ffn_in = nn.Linear(dim, config.ffn * dim)
        self.ffn_out = nn.Linear(config.ffn * dim, dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, keep: Tensor, bias: Tensor) -> Tensor:
        """Letters x (B, N, dim); keep (B, N, 1) is 1 on real letters; bias (B, 1, 1, N) is -1e4 on padding."""
        batch, length, dim = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query @ key.transpose(-1, -2)) * (dim // self.heads) ** -0.5 + bias
        mixed = (self.dropout(weights.softmax(-1)) @ value).transpose(1, 2).reshape(batch, length, dim)
        x = x + self.dropout(self.attention_out(mixed))
        gated = glu(self.conv_in(self.conv_norm(x)), dim=-1) * keep
        x = x + self.dropout(self.conv_out(silu(self.depthwise(gated.transpose(1, 2)).transpose(1, 2))))
        x = x + self.dropout(self.ffn_out(self.dropout(silu(self.ffn_in(self.ffn_norm(x))))))
        return x


class G2PNetwork(nn.Module):
    """Letters (B, N) to CTC log-probabilities (B, 2 N, 1 + 69)."""

    def __init__(self, config: G2PModelConfig) -> None:
        super().__init__()
        self.config = config
        labels = SLOTS_PER_LETTER * (1 + len(SYMBOLS))
        self.letters = nn.Embedding(len(LETTERS) + 1, config.dim, padding_idx=0)
        self.places = nn.Parameter(0.02 * torch.randn(config.max_letters, config.dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.passes = nn.Parameter(0.02 * torch.randn(config.passes, config.dim))
        self.norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, labels)
        self.condition = nn.Linear(labels, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, letters: Tensor) -> Tensor:
        """Log-probabilities (B, 2 N, V) of letter ids (B, N), 0 = padding."""
        return self.all_log_probs(letters)[-1]

    def all_log_probs(self, letters: Tensor) -> list[Tensor]:
        """Log-probabilities after every second block, the final ones last."""
        batch, length = letters.shape
        real = letters > 0
        x = self.letters(letters) + self.places[:length]
        keep = real.unsqueeze(2).to(x.dtype)
        bias = (~real)[:, None, None, :].to(x.dtype) * -1e4
        x = self.dropout(x) * keep
        out: list[Tensor] = []
        layers = self.config.blocks * self.config.passes
        for layer in range(layers):
            if layer % self.config.blocks == 0:
                x = x + self.passes[layer // self.config.blocks]
            x = self.blocks[layer % self.config.blocks](x, keep, bias)
            if (layer + 1) % 2 == 0 or layer + 1 == layers:
                logits = self.head(self.norm(x)).float()
                log_probs = logits.view(batch, length * SLOTS_PER_LETTER, 1 + len(SYMBOLS)).log_softmax(-1)
                out.append(log_probs)
                if layer + 1 < layers:
                    x = x + self.condition(log_probs.exp().to(x.dtype).view(batch, length, -1))
        return out


def greedy(log_probs: Tensor, slots: Sequence[int]) -> list[tuple[str, ...]]:
    """Best path of every row, blanks and repeats collapsed."""
    best = log_probs.argmax(-1).cpu().tolist()
    out = []
    for row, used in zip(best, slots, strict=True):
        labels = [label for i, label in enumerate(row[:used]) if i == 0 or label != row[i - 1]]
        out.append(tuple(SYMBOLS[label - 1] for label in labels if label != BLANK_ID))
    return out


def encode_words(words: Sequence[str]) -> Tensor:
    """Letter ids (B, N) of words, padded with 0."""
    rows = [encode_word(word) for word in words]
    out = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row)
    return out
