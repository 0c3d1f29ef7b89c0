"""What a CTC training computes in an update: losses, errors, learning rates, seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from elocute.evaluation import edit_distance
from elocute.training.acoustic_loss import ExactCtc, with_wildcards
from elocute.training.ctc_batches import IGNORED, CtcBatch
from elocute.training.ctc_data import Example
from elocute.training.ctc_model import PhoneModel
from elocute.training.ctc_recipe import CtcTraining


def make_optimizer(phones: PhoneModel, training: CtcTraining) -> torch.optim.AdamW:
    """AdamW over what learns: matrices with decay and vectors without, of the encoder and of the head."""
    heads = {id(parameter) for parameter in phones.head.parameters()}
    groups: list[dict[str, Any]] = []
    for is_head in (False, True):
        for is_matrix in (True, False):
            members = [
                parameter
                for parameter in phones.model.parameters()
                if parameter.requires_grad and (id(parameter) in heads) == is_head and (parameter.ndim > 1) == is_matrix
            ]
            decay = training.weight_decay if is_matrix else 0.0
            if members:
                groups.append({"params": members, "weight_decay": decay, "is_head": is_head})
    is_fused = next(phones.model.parameters()).device.type == "cuda"
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, 0.98), fused=is_fused)


def learning_rate(training: CtcTraining, step: int, share: float, steps: int) -> float:
    """Learning rate of an update.

    Args:
        training: the schedule.
        step: number of the update, from 0.
        share: of the training that is done.
        steps: updates of the whole training, 0 if it goes by the clock.
    """
    warm_up = training.warm_up_steps or round(training.warm_up_share * steps)
    if step < warm_up:
        return training.learning_rate * (step + 1) / warm_up
    begin = warm_up / steps if steps else 0.0
    if not steps and not training.warm_up_steps and share < training.warm_up_share:
        return training.learning_rate * max(share, 1e-3) / training.warm_up_share
    done = min(1.0, max(0.0, (share - begin) / (1 - begin))) if begin < 1 else 1.0
    factor = {
        "constant": 1.0,
        "linear": 1 - done,
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        "tri-stage": 1.0 if share < 0.5 else 0.05 ** ((share - 0.5) / 0.5),
    }[training.schedule]
    return training.learning_rate * factor


def ctc_loss(logits: Tensor, batch: CtcBatch) -> Tensor:
    """Mean over the batch of the negative log-likelihood a label; logits (B, T, V), blank first."""
    log_probs = with_wildcards(F.log_softmax(logits, dim=-1)).transpose(0, 1)
    nll: Tensor = ExactCtc.apply(log_probs, batch.labels, batch.frame_counts, batch.label_counts)
    return (nll / torch.tensor(batch.label_counts, device=nll.device)).mean()


def errors(logits: Tensor, batch: CtcBatch, examples: Sequence[Example]) -> tuple[int, int]:
    """Edits between what is heard and what was said, and phones said."""
    best = logits.argmax(dim=-1).cpu()
    wrong = 0
    for row, (count, example) in enumerate(zip(batch.frame_counts, examples, strict=True)):
        heard = torch.unique_consecutive(best[row, :count]).tolist()
        wrong += edit_distance([label for label in heard if label], example.phones)
    return wrong, sum(len(example.phones) for example in examples)


def seed_update(seed: int, step: int, part: int) -> None:
    """Seed every generator that a forward pass draws from: dropout and dropped layers (torch), masks (numpy's own)."""
    value = int(np.random.SeedSequence([seed, step, part]).generate_state(1)[0])
    torch.manual_seed(value)
    np.random.seed(value)  # noqa: NPY002 - transformers draws its masks from numpy's global generator


def frame_loss(logits: Tensor, frame_labels: Tensor) -> Tensor:
    """Cross-entropy of logits (B, T, V) against frame labels (B, T)."""
    frames = min(logits.shape[1], frame_labels.shape[1])
    target = frame_labels[:, :frames].flatten()
    return F.cross_entropy(logits[:, :frames].flatten(0, 1), target, ignore_index=IGNORED)
