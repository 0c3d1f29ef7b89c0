"""What is exported of a CTC model: samples in, log-probabilities over phone labels out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from elocute.acoustic.huggingface import HuggingFaceBackend, fine_frames
from elocute.acoustic.vocabulary import Folding
from elocute.errors import ConfigError
from elocute.export.front_end import front_end_of

LEAST_LEFT = 1e-7
"""Share of the blank, and of a label of two phones, that stays where it is; as in `Folding.fold`."""


class PhoneFold(nn.Module):
    """Log-probabilities of a vocabulary (B, T, V) to those of phone labels (B, T, P), as `Folding.fold` has it.

    Sums are taken in the logarithm, since a phone is often far less likely than float32 can say in probabilities.
    """

    single: Tensor
    order: Tensor
    pairs: Tensor
    blank: Tensor

    def __init__(self, folding: Folding) -> None:
        super().__init__()
        labels, seconds = folding.pairs.T.tolist()
        # Behind the vocabulary come, where there are labels of two phones: what is left of these labels, what is left
        # of the blank, and what these labels move on to their second phones.
        V, P = len(folding.columns), len(labels)
        moved_to = {label: V + n for n, label in enumerate(labels)} | ({folding.blank_id: V + P} if P else {})
        members: list[list[int]] = [[] for _ in range(folding.phone_set.size)]
        for column, label in enumerate(folding.columns.tolist()):
            members[label].append(moved_to.get(column, column))
        for n, second in enumerate(seconds):
            members[second].append(V + P + 1 + n)
        alone = [label for label, columns in enumerate(members) if len(columns) == 1]
        several = [label for label, columns in enumerate(members) if len(columns) > 1]
        places = {label: place for place, label in enumerate([*alone, *several])}
        self._keep("single", [members[label][0] for label in alone])
        self._keep("order", [places[label] for label in range(len(members))])
        self._keep("pairs", labels)
        self._keep("blank", [folding.blank_id])
        self.groups = len(several)
        for number, label in enumerate(several):
            self._keep(f"group_{number}", members[label])

    def _keep(self, name: str, columns: Sequence[int]) -> None:
        """Columns to look up, as a constant of the graph."""
        self.register_buffer(name, torch.tensor(columns, dtype=torch.long), persistent=False)

    def forward(self, log_probs: Tensor) -> Tensor:
        """Rows that sum to 1 still do."""
        columns = self._moved(log_probs) if len(self.pairs) else log_probs
        parts = [columns.index_select(2, self.single)] if len(self.single) else []
        for number in range(self.groups):
            group = columns.index_select(2, getattr(self, f"group_{number}"))
            parts.append(group.logsumexp(dim=2, keepdim=True))
        return torch.cat(parts, dim=2).index_select(2, self.order)

    def _moved(self, log_probs: Tensor) -> Tensor:
        """The vocabulary, and behind it what becomes of labels of two phones."""
        labels, blank = log_probs.index_select(2, self.pairs), log_probs.index_select(2, self.blank)
        before = torch.cat([torch.full_like(labels[:, :1], -torch.inf), labels[:, :-1]], dim=1)
        share = before.exp()
        kept = labels + (1.0 - share).clamp(min=LEAST_LEFT).log()
        kept_blank = blank + (1.0 - share.sum(dim=2, keepdim=True)).clamp(min=LEAST_LEFT).log()
        return torch.cat([log_probs, kept, kept_blank, before + torch.logaddexp(labels, blank)], dim=2)


class ExportedModel(nn.Module):
    """Front end, acoustic model and fold in one.

    Args:
        front_end: samples (B, N) to what the model takes.
        model: any CTC model of transformers; its answer has `logits` (B, T, V).
        folding: the model's vocabulary in phone labels.
    """

    def __init__(self, front_end: nn.Module, model: nn.Module, folding: Folding) -> None:
        super().__init__()
        self.front_end = front_end
        self.model = model
        self.fold = PhoneFold(folding)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (B, N), all of one length, to log-probabilities (B, T, P); each row sums to 1 after exp."""
        logits = fine_frames(self.model(self.front_end(samples)).logits, self.model.config)
        folded: Tensor = self.fold(F.log_softmax(logits, dim=-1))
        return folded


SKEWING = (
    "transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer",
    "transformers.models.wav2vec2_bert.modeling_wav2vec2_bert",
)
"""Modules whose relative positions are skewed by a view that torch.export takes to promise an odd number of frames."""
SKEW = "_apply_relative_position_encoding"


@contextlib.contextmanager
def exportable_skew(model: nn.Module) -> Iterator[None]:
    """While it lasts, relative positions of these Conformers are computed in a way that can be exported for any length.

    Raises:
        ConfigError: this version of transformers computes them elsewhere.
    """
    import importlib

    used = [name for name in SKEWING if type(model).__module__ == name]
    if not used or getattr(getattr(model, "config", None), "position_embeddings_type", None) != "relative":
        yield
        return
    module = importlib.import_module(used[0])
    if not hasattr(module, SKEW):
        raise ConfigError(
            f"{type(model).__name__} with relative positions cannot be exported: this version of transformers has no "
            f"{SKEW}; install transformers 5.23"
        )
    before = getattr(module, SKEW)
    setattr(module, SKEW, _relative_positions)
    try:
        yield
    finally:
        setattr(module, SKEW, before)


def _relative_positions(module: Any, query: Tensor, key: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Query with the bias of content, and what positions add to attention (Dai et al. 2019, appendix B).

    Like transformers' own, but what it finds by skewing is looked up.
    """
    projected = module.linear_pos(positions).view(*positions.shape[:2], -1, module.head_size).permute(0, 2, 3, 1)
    scores = torch.matmul(query + module.pos_bias_v[None, :, None, :], projected)
    T = key.size(2)
    steps = torch.arange(T, device=scores.device)
    # Column T - 1 is distance 0; row i of the result looks at column j from a distance of i - j.
    columns = (steps[None, :] - steps[:, None] + (T - 1)).expand(*scores.shape[:2], T, T)
    return query + module.pos_bias_u[None, :, None, :], scores.gather(3, columns) * module.scaling


def exported(backend: HuggingFaceBackend) -> ExportedModel:
    """What is exported of a backend, in float32 on the CPU."""
    return ExportedModel(front_end_of(backend.features), backend.model.float().cpu(), backend.folding).eval()
