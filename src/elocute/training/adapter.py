"""A small network on top of a CTC model's posteriors that learns how it mishears a new kind of speech.

Log posteriors in, log posteriors out: three convolutions over 17 frames add a correction, zero at first. Trained by
CTC, in a minute on a processor, on sentences that are mostly right, it makes the next search for them surer. Whoever
judges sentences by it must train it on other recordings (`adapted` does), or it agrees with its own mistakes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from elocute.errors import ConfigError
from elocute.types import Float32

FLOOR_NATS = -12.0
_PADDING = FLOOR_NATS / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How adapters are trained.

    Attributes:
        folds: recordings are split by the hash of their id; those of a fold are heard by the adapter of the others.
        epochs: passes over the recordings.
        channels: width of the network.
        batch: recordings a step.
        peak_rate: highest learning rate, of AdamW in one cycle.
        jitter: standard deviation of a constant that is added to each column of a recording, nats.
        seed: of the weights and the order.
    """

    folds: int = 2
    epochs: int = 16
    channels: int = 96
    batch: int = 16
    peak_rate: float = 3e-3
    jitter: float = 0.3
    seed: int = 1


class Adapter(nn.Module):
    """Corrects log posteriors, shape (B, T, V), from their neighbourhood."""

    def __init__(self, columns: int, channels: int) -> None:
        super().__init__()
        last = nn.Conv1d(channels, columns, 5, padding=2)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.correction = nn.Sequential(
            nn.Conv1d(columns, channels, 5, padding=2),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Conv1d(channels, channels, 5, padding=2),
            nn.GELU(),
            nn.Dropout(0.3),
            last,
        )

    def forward(self, log_probs: Tensor) -> Tensor:
        """Normalised log posteriors of the same shape."""
        scaled = (log_probs - _PADDING) / 4.0  # about -1.5 to 1.5
        return nn.functional.log_softmax(log_probs + self.correction(scaled.transpose(1, 2)).transpose(1, 2), dim=-1)


def fold_of(name: str, folds: int) -> int:
    """Fold of a recording, by the hash of its id."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % folds


def adapted(
    posteriors: Mapping[str, Float32],
    labels: Mapping[str, Sequence[int]],
    config: Adaptation,
    blank_id: int = 0,
    on_epoch: Callable[[int], None] = lambda _: None,
) -> dict[str, Float32]:
    """Posteriors of all recordings, each through an adapter that was trained on recordings of the other folds.

    Args:
        posteriors: log posteriors by id, shape (T, V).
        labels: CTC labels of the recordings to train on, by id; may lack some.
        config: how to train.
        blank_id: column of the CTC blank.
        on_epoch: called after every epoch with the number of epochs done, all folds counted.

    Raises:
        ConfigError: a fold leaves no recording to train on.
    """
    inputs = {
        name: torch.from_numpy(np.asarray(frames, dtype=np.float32)).clamp(min=FLOOR_NATS)
        for name, frames in posteriors.items()
    }
    result: dict[str, Float32] = {}
    for fold in range(config.folds):
        heard = [name for name in inputs if fold_of(name, config.folds) == fold]
        train = [name for name in sorted(labels) if fold_of(name, config.folds) != fold]
        if heard and not train:
            raise ConfigError(f"fold {fold} leaves no transcribed recording to adapt on; got {len(labels)} in all")
        if not heard:
            continue
        examples = [(inputs[name], labels[name]) for name in train]
        model = _fit(examples, config, blank_id, partial(_shifted, on_epoch, fold * config.epochs))
        with torch.inference_mode():
            result |= {name: model(inputs[name][None])[0].numpy() for name in heard}
    return {name: result[name] for name in posteriors}


def _shifted(on_epoch: Callable[[int], None], before: int, done: int) -> None:
    on_epoch(before + done)


def _fit(
    examples: Sequence[tuple[Tensor, Sequence[int]]],
    config: Adaptation,
    blank_id: int,
    on_epoch: Callable[[int], None],
) -> Adapter:
    """Train one adapter; deterministic for a number of threads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Adapter(examples[0][0].shape[1], config.channels)
        order = sorted(examples, key=lambda example: len(example[0]))
        batches = [order[start : start + config.batch] for start in range(0, len(order), config.batch)]
        optimizer = torch.optim.AdamW(model.parameters(), config.peak_rate, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.peak_rate, config.epochs * len(batches))
        for epoch in range(config.epochs):
            for number in torch.randperm(len(batches)).tolist():
                loss = _loss(model, batches[number], config.jitter, blank_id)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
            on_epoch(epoch + 1)
    return model.eval()


def _loss(model: Adapter, batch: Sequence[tuple[Tensor, Sequence[int]]], jitter: float, blank_id: int) -> Tensor:
    """CTC loss per label; recordings with fewer frames than labels teach nothing."""
    frames = [frames + jitter * torch.randn(1, frames.shape[1]) for frames, _ in batch]
    padded = nn.utils.rnn.pad_sequence(frames, batch_first=True, padding_value=_PADDING)
    return nn.functional.ctc_loss(
        model(padded).transpose(0, 1),
        torch.tensor([label for _, labels in batch for label in labels]),
        torch.tensor([len(one) for one in frames]),
        torch.tensor([len(labels) for _, labels in batch]),
        blank=blank_id,
        zero_infinity=True,
    )
