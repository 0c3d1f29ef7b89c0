"""The G2P network: letters in, CTC log-probabilities over ARPABET phones with stress out, one pass, no decoder.

Every letter has two output slots (x makes two phones, e often none). Gated convolutions run over the letters; half way
the network sees its own CTC guess (self-conditioned CTC, Nozaki and Komatsu, Interspeech 2021), which makes up for
CTC's conditional independence. Small and convolutional, so that one CPU core trains it in minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, pad

from elocute.phones.g2p import BLANK_ID, LETTERS, encode_word
from elocute.phones.lexicon import SYMBOLS

SLOTS_PER_LETTER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class G2PModelConfig:
    """Size of the network.

    Attributes:
        dim: width.
        blocks: gated convolutions.
        kernel: width of a convolution in letters, odd; blocks * (kernel - 1) / 2 letters are seen on either side.
        dropout: probability of dropping an activation in training.
    """

    dim: int = 112
    blocks: int = 6
    kernel: int = 5
    dropout: float = 0.0


class Block(nn.Module):
    """A gated convolution, pre-normalised with a residual; one large matrix product, which is what a CPU does best."""

    def __init__(self, config: G2PModelConfig) -> None:
        super().__init__()
        self.kernel = config.kernel
        self.norm = nn.LayerNorm(config.dim)
        self.conv = nn.Linear(config.kernel * config.dim, 2 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Letters x (B, N, dim); keep (B, N, 1) is 1 on real letters and 0 on padding."""
        length, side = x.shape[1], self.kernel // 2
        padded = pad(self.norm(x) * keep, (0, 0, side, side))
        around = torch.cat([padded[:, i : i + length] for i in range(self.kernel)], dim=2)
        moved: Tensor = self.out(glu(self.conv(around), dim=-1))
        moved = self.dropout(moved)
        return x + moved


class G2PNetwork(nn.Module):
    """Letters (B, N) to CTC log-probabilities (B, 2 N, 1 + 69)."""

    def __init__(self, config: G2PModelConfig) -> None:
        super().__init__()
        self.config = config
        labels = SLOTS_PER_LETTER * (1 + len(SYMBOLS))
        self.letters = nn.Embedding(len(LETTERS) + 1, config.dim, padding_idx=0)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, labels)
        self.condition = nn.Linear(labels, config.dim)

    def forward(self, letters: Tensor) -> Tensor:
        """Log-probabilities (B, 2 N, V) of letter ids (B, N), 0 = padding."""
        return self.all_log_probs(letters)[-1]

    def all_log_probs(self, letters: Tensor) -> list[Tensor]:
        """Log-probabilities half way and at the end."""
        batch, length = letters.shape
        x = self.letters(letters)
        keep = (letters > 0).unsqueeze(2).to(x.dtype)
        out: list[Tensor] = []
        half = max(len(self.blocks) // 2, 1)
        for number, block in enumerate(self.blocks, 1):
            x = block(x, keep)
            if number in (half, len(self.blocks)):
                logits = self.head(self.norm(x)).float()
                out.append(logits.view(batch, length * SLOTS_PER_LETTER, 1 + len(SYMBOLS)).log_softmax(-1))
                if number < len(self.blocks):
                    x = x + self.condition(out[-1].exp().to(x.dtype).view(batch, length, -1))
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
