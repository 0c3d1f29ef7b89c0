"""What a training of Phi-4-multimodal computes in an update: losses, learning rates, the optimiser."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from elocute.errors import MissingExtraError
from elocute.mllm.adapters import NAME
from elocute.mllm.assembling import audio_of
from elocute.mllm.bank import UNKNOWN_LABEL, Batch
from elocute.mllm.collate import IGNORED
from elocute.mllm.recipe import TrainingTable


def answer_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the answers, summed over their tokens.

    Args:
        logits: of the last places, shape (B, K, V); the place of every learned token but the first of the longest
            answer, and the one before, is among them.
        batch: what was asked.
    """
    labels = batch.labels[:, -(logits.shape[1] - 1) :]
    return F.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


class CtcHead(nn.Module):
    """Phones on the output of the audio encoder, for an auxiliary loss (Watanabe et al. 2017); no part of the model.

    A decoder with random weights has to find out at once where in the sound an answer's tokens are and what they
    sound like; the encoder learns the second by CTC in a fraction of the time.
    """

    def __init__(self, model: Any) -> None:
        """For the audio encoder of a model."""
        super().__init__()
        width = audio_of(model).up_proj_for_speech.in_features
        self.scores = nn.Linear(width, UNKNOWN_LABEL + 1)
        self._heard: Tensor | None = None

    @contextlib.contextmanager
    def listening(self, model: Any) -> Iterator[None]:
        """Keep what the encoder gives."""

        def keep(module: nn.Module, given: Any, found: Tensor) -> None:
            self._heard = found

        handle = audio_of(model).encoder.register_forward_hook(keep)
        try:
            yield
        finally:
            handle.remove()

    def hear(self, model: Any, batch: Batch) -> None:
        """Run the encoder alone."""
        features = batch.inputs["audio_input_features"]
        self._heard = audio_of(model).encoder(features, batch.inputs.get("audio_attention_mask"))

    def loss(self, batch: Batch, *, flat: bool = False) -> Tensor:
        """Negative log-likelihood a phone, summed over the recordings of the last forward pass.

        Recordings too short for their phones give 0.

        Args:
            batch: what was heard.
            flat: that of a frame instead, with phones spread evenly over the sound.
        """
        assert self._heard is not None
        if flat:
            scores = self.scores(self._heard.float())
            labels = flat_labels(batch, scores.shape[1]).to(scores.device)
            self._heard = None
            found = F.cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
            return found * len(batch.sizes)
        log_probs = self.scores(self._heard.float()).log_softmax(dim=-1).transpose(0, 1)
        self._heard = None
        counts = torch.tensor(batch.phone_counts)
        found = F.ctc_loss(
            log_probs,
            batch.phones.to(log_probs.device),
            torch.tensor(batch.sizes),
            counts,
            reduction="none",
            zero_infinity=True,
        )
        return (found / counts.clamp_min(1).to(found.device)).sum()


def flat_labels(batch: Batch, frames: int) -> Tensor:
    """Phones spread evenly over the vectors with sound, blank (0) elsewhere; shape (B, frames), padding ignored.

    A vector has sound if its level lies above 35 % of the way from the 10th to the 95th percentile of the recording's
    levels, as in `elocute.training.ctc_batches.frame_labels`.
    """
    spectra = batch.inputs["audio_input_features"].float()
    power = F.pad(spectra.logsumexp(dim=2), (0, frames * 8 - spectra.shape[1]))
    level = power.reshape(len(power), frames, 8).mean(dim=2).cpu()
    sizes = torch.tensor(batch.sizes)[:, None]
    inside = torch.arange(frames)[None] < sizes
    level = level.masked_fill(~inside, math.nan)
    low, high = torch.nanquantile(level, torch.tensor([0.1, 0.95]), dim=1)
    active = inside & (level >= (low + 0.35 * (high - low))[:, None])
    counts = torch.tensor(batch.phone_counts)[:, None]
    place = (active.cumsum(dim=1) - 1) * counts // active.sum(dim=1, keepdim=True).clamp_min(1)
    phones = batch.phones.gather(1, place.clamp(min=0).minimum((counts - 1).clamp_min(0)))
    return torch.where(active, phones, 0).masked_fill(~inside, IGNORED)


def orthogonality(model: Any) -> Tensor | None:
    """What AdaLoRA adds to the loss: how far its matrices are from orthogonal (Zhang et al. 2023, Eq. 4).

    None for other adapters. peft adds it to a loss that the model computes; ours is computed outside of it.
    """
    config = getattr(model, "peft_config", {}).get(NAME)
    weight = getattr(config, "orth_reg_weight", None)
    if weight is None:
        return None
    found = []
    for name, matrix in model.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            product = matrix @ matrix.T if ".lora_A." in name else matrix.T @ matrix
            found.append((product - torch.eye(len(product), device=product.device)).norm())
    total: Tensor = weight * torch.stack(found).mean()
    return total


def trained(model: Any, head: nn.Module | None) -> list[nn.Parameter]:
    """Parameters that learn."""
    parts = [model] if head is None else [model, head]
    return [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]


def make_optimizer(model: Any, head: nn.Module | None, table: TrainingTable) -> torch.optim.Optimizer:
    """AdamW over what learns, matrices with decay and vectors without; its moments in 32 or 8 bits.

    Raises:
        MissingExtraError: 8-bit moments without bitsandbytes.
    """
    learned = trained(model, head)
    groups: list[dict[str, Any]] = [
        {"params": members, "weight_decay": decay}
        for decay, members in (
            (table.weight_decay, [parameter for parameter in learned if parameter.ndim > 1]),
            (0.0, [parameter for parameter in learned if parameter.ndim <= 1]),
        )
        if members
    ]
    settings: dict[str, Any] = {"lr": table.learning_rate, "betas": table.betas}
    if table.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=learned[0].device.type == "cuda", **settings)
    try:
        optim: Any = import_module("bitsandbytes.optim")
    except ImportError as error:
        raise MissingExtraError(
            f"bitsandbytes is not installed, which optimizer {table.optimizer} needs; install elocute[phi4]"
        ) from error
    kind: Any = optim.PagedAdamW8bit if table.optimizer == "paged-adamw-8bit" else optim.AdamW8bit
    made: torch.optim.Optimizer = kind(groups, **settings)
    return made


def learning_rate(table: TrainingTable, step: int, share: float, steps: int) -> float:
    """Learning rate of an update.

    Args:
        table: the schedule.
        step: number of the update, from 0.
        share: of the training that is done.
        steps: updates of the whole training, 0 if it goes by the clock.
    """
    warm_up = table.warm_up_share
    if steps:
        first = round(warm_up * steps)
        if step < first:
            return table.learning_rate * (step + 1) / first
    elif share < warm_up:
        return table.learning_rate * max(share, 1e-3) / warm_up
    done = min(1.0, (share - warm_up) / (1 - warm_up)) if warm_up < 1 else 0.0
    done = max(0.0, done)
    factor = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[table.schedule]
    if table.schedule != "constant":
        factor = table.final_share + (1 - table.final_share) * factor
    return table.learning_rate * factor
