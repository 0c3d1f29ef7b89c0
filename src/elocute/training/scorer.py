"""Train the embedded scorer on out-of-fold features, with speaker-disjoint folds and several seeds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.training.scorer_data import ScoredFeatures
from elocute.training.scorer_model import Scorer, ScorerConfig, Scores
from elocute.types import Float64

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerTraining:
    """Settings of one member's training; the loss is the sum of three mean squared errors and a cross-entropy."""

    epochs: int = 9
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    feature_noise: float = 0.1
    word_weight: float = 0.5
    error_weight: float = 0.3
    utterance_weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Padded:
    """A batch of utterances, padded; shapes as `Scorer.forward` takes them, targets as `Scores` gives them."""

    phone: Tensor
    utterance: Tensor
    phone_ids: Tensor
    member: Tensor
    valid: Tensor
    target: Scores
    word_valid: Tensor
    utterance_valid: Tensor


def pad(rows: Sequence[ScoredFeatures]) -> Padded:
    """Pad utterances to the longest."""
    B, L = len(rows), max(len(row.phone) for row in rows)
    W = max(len(row.word) for row in rows)
    phone = np.zeros((B, L, rows[0].features.phone.shape[1]), np.float32)
    member = np.zeros((B, L, W), np.float32)
    valid, ids = np.zeros((B, L), np.float32), np.zeros((B, L), np.int64)
    target_phone, target_word = np.zeros((B, L), np.float32), np.zeros((B, W, 3), np.float32)
    word_valid = np.zeros((B, W), np.float32)
    for b, row in enumerate(rows):
        n, w = row.word.shape[0], row.features.word_ids
        m = len(row.phone)
        phone[b, :m], valid[b, :m], ids[b, :m] = row.features.phone, 1, row.features.phone_ids
        member[b, np.arange(m), w] = 1
        target_phone[b, :m], target_word[b, :n], word_valid[b, :n] = row.phone, row.word / 5, 1
    whole = np.stack([row.utterance / 5 for row in rows]).astype(np.float32)
    return Padded(
        phone=torch.from_numpy(phone),
        utterance=torch.from_numpy(np.stack([row.features.utterance for row in rows])),
        phone_ids=torch.from_numpy(ids),
        member=torch.from_numpy(member),
        valid=torch.from_numpy(valid),
        target=Scores(
            torch.from_numpy(target_phone),
            torch.from_numpy(target_word),
            torch.from_numpy(whole),
            torch.from_numpy((target_phone < MISPRONOUNCED_BELOW).astype(np.float32)),
        ),
        word_valid=torch.from_numpy(word_valid),
        utterance_valid=torch.tensor([0.0 if row.is_planted else 1.0 for row in rows]),
    )


def new_member(rows: Sequence[ScoredFeatures]) -> Scorer:
    """An untrained member that standardises features by the statistics of these rows."""
    phone = np.concatenate([row.features.phone for row in rows])
    whole = np.stack([row.features.utterance for row in rows])
    member = Scorer(ScorerConfig(phone_features=phone.shape[1], utterance_features=whole.shape[1]))
    for name, values in (("phone", phone), ("utterance", whole)):
        getattr(member, f"{name}_mean").copy_(torch.from_numpy(values.mean(0)))
        getattr(member, f"{name}_scale").copy_(torch.from_numpy(values.std(0) + 1e-3))
    return member


def train_member(
    rows: Sequence[ScoredFeatures],
    config: ScorerTraining,
    seed: int,
    after_epoch: Callable[[Scorer], None] | None = None,
) -> Scorer:
    """Train one member; the last epoch is the result, nothing is selected.

    Args:
        rows: to train on.
        config: settings.
        seed: of weights, batches and noise.
        after_epoch: looks at the member, in evaluation mode, when an epoch has ended.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    member = new_member(rows)
    steps = config.epochs * -(-len(rows) // config.batch)
    warm_up = 0.1 if steps > 10 else 0.3  # PyTorch's schedule divides by zero when the warm-up is exactly one step
    optimizer = torch.optim.AdamW(member.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.learning_rate, total_steps=steps, pct_start=warm_up
    )
    member.train()
    for _ in range(config.epochs):
        for batch in batches(rows, config.batch, rng):
            noise = torch.randn_like(batch.phone) * member.phone_scale * config.feature_noise
            found = member(batch.phone + noise, batch.utterance, batch.phone_ids, batch.member, batch.valid)
            loss = loss_of(found, batch, config)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(member.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        if after_epoch:
            after_epoch(member.eval())
            member.train()
    return member.eval()


def batches(rows: Sequence[ScoredFeatures], size: int, rng: np.random.Generator) -> list[Padded]:
    """All rows once, in random batches of similar length."""
    lengths = np.array([len(row.phone) for row in rows]) * rng.uniform(0.7, 1.4, len(rows))
    order = np.argsort(lengths)
    chunks = [order[i : i + size] for i in range(0, len(order), size)]
    return [pad([rows[i] for i in chunks[number]]) for number in rng.permutation(len(chunks))]


def loss_of(found: Scores, batch: Padded, config: ScorerTraining) -> Tensor:
    """Weighted sum of the mean squared errors of phones, words and utterances, and of the cross-entropy of errors."""
    phone = ((found.phone - batch.target.phone).square() * batch.valid).sum() / batch.valid.sum()
    word = ((found.word - batch.target.word).square().sum(-1) * batch.word_valid).sum() / batch.word_valid.sum()
    squares = (found.utterance - batch.target.utterance).square().sum(-1)
    whole = (squares * batch.utterance_valid).sum() / batch.utterance_valid.sum().clamp(min=1)
    surprise = nn.functional.binary_cross_entropy_with_logits(found.error, batch.target.error, reduction="none")
    error = (surprise * batch.valid).sum() / batch.valid.sum()
    return phone + config.word_weight * word + config.utterance_weight * whole + config.error_weight * error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """Scores of one utterance in the corpus's units: phone (L,) 0 to 2, word (W, 3) and utterance (4,) 0 to 10.

    Attributes:
        error: shape (L,), log-odds that people would call the phone wrong; None from a head that does not say.
    """

    phone: Float64
    word: Float64
    utterance: Float64
    error: Float64 | None = None


@torch.inference_mode()
def predict(members: Sequence[Scorer], rows: Sequence[ScoredFeatures]) -> list[Predicted]:
    """Mean of the members on each row."""
    predicted = []
    for start in range(0, len(rows), 64):
        chunk = rows[start : start + 64]
        batch = pad(chunk)
        found = [m(batch.phone, batch.utterance, batch.phone_ids, batch.member, batch.valid) for m in members]
        phone, word, whole, error = (torch.stack(part).mean(0).double().numpy() for part in zip(*found, strict=True))
        for b, row in enumerate(chunk):
            L, W = len(row.phone), len(row.word)
            predicted.append(
                Predicted(
                    phone=phone[b, :L].clip(0, 2),
                    word=5 * word[b, :W].clip(0, 2),
                    utterance=5 * whole[b].clip(0, 2),
                    error=error[b, :L],
                )
            )
    return predicted
