"""GOPT as published: the transformer, its loss and its training, many models at once.

Source: Y. Gong et al., "Transformer-Based Multi-Aspect Multi-Granularity Non-Native English Speaker Pronunciation
Assessment", ICASSP 2022, arXiv 2205.03432, and the settings of its public repository (YuanGongND/gopt). Kept as they
are there: sequences padded to 50 phones, padding that is attended to like any phone, word scores learned at every
phone of the word and averaged, one scale for all input columns, no noise (it is an option there, off in the published
run), a learning rate of 0 for the first five steps.
Deviates: phone numbers are ours (theirs follow the first appearance in train; the numbering does not matter); padding
is known by its place, where the original's normalisation stops at the first phone whose first feature is exactly 0;
mean and deviation are those of the very utterances trained on; seeds are fixed; on request, models of equal training
size are stacked along a first axis and trained side by side, which changes none of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.types import Float32, Float64, Int64

UTTERANCE_TOKENS = ("accuracy", "completeness", "fluency", "prosodic", "total")
"""What the five leading tokens learn, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoptConfig:
    """Size of the network; the defaults are the published ones."""

    features: int = 84
    width: int = 24
    layers: int = 3
    length: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class GoptTraining:
    """Settings of the training; the defaults are the published ones.

    Attributes:
        epochs: all of them are run.
        batch: utterances a step.
        learning_rate: Adam's, after the warm-up.
        weight_decay: added to the gradient (Adam, not AdamW).
        betas: Adam's.
        warm_up_steps: the rate climbs to its full value over these steps, in stairs of five.
        halve_at: the rate is halved when so many epochs have ended after the warm-up.
        noise: the input is lowered by a uniform draw from 0 to this, in standard deviations.
    """

    epochs: int = 100
    batch: int = 25
    learning_rate: float = 1e-3
    weight_decay: float = 5e-7
    betas: tuple[float, float] = (0.95, 0.999)
    warm_up_steps: int = 100
    halve_at: tuple[int, ...] = tuple(range(20, 100, 5))
    noise: float = 0.0

    def rate(self, step: int, batches: int) -> float:
        """Learning rate of a step, counted from 0, with so many batches an epoch."""
        if step <= self.warm_up_steps:
            return self.learning_rate * (step - step % 5) / self.warm_up_steps
        ended = step // batches
        # An epoch counts only when the warm-up was over at its end.
        counted = ended - min(ended, self.warm_up_steps // batches)
        return self.learning_rate * 0.5 ** sum(milestone <= counted for milestone in self.halve_at)


class GoptScores(NamedTuple):
    """Outputs in units of 0 to 2; any leading batch dimensions.

    Attributes:
        phone: shape (..., length).
        word: shape (..., length, 3), accuracy, stress and total of the word around each phone.
        utterance: shape (..., 5), see UTTERANCE_TOKENS.
    """

    phone: Tensor
    word: Tensor
    utterance: Tensor


class Block(nn.Module):
    """A transformer layer: normalised first, one head, queries, keys and values without bias, no mask."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width)
        self.before_feed_forward = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, length, width) to the same shape."""
        query, key, value = self.query_key_value(self.before_attention(x)).chunk(3, dim=-1)
        weight = torch.softmax(query @ key.transpose(-2, -1) / x.shape[-1] ** 0.5, dim=-1)
        x = x + self.mix(weight @ value)
        y: Tensor = self.narrow(nn.functional.gelu(self.widen(self.before_feed_forward(x))))
        return x + y


class Gopt(nn.Module):
    """The network; 26,577 parameters for the 84 features of the publication."""

    def __init__(self, config: GoptConfig) -> None:
        super().__init__()
        width, tokens = config.width, len(UTTERANCE_TOKENS)
        self.project = nn.Linear(config.features, width)
        self.phone = nn.Linear(1 + len(PHONES), width)
        self.tokens = nn.Parameter(torch.empty(tokens, width))
        self.positions = nn.Parameter(torch.empty(tokens + config.length, width))
        for parameter in (self.tokens, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.layers))

        def heads(count: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1)) for _ in range(count))

        self.phone_head, self.word_heads, self.utterance_heads = heads(1), heads(3), heads(tokens)

    def forward(self, features: Tensor, phone: Tensor) -> GoptScores:
        """Score a batch.

        Args:
            features: shape (B, length, features), normalised; zeros where there is no phone.
            phone: shape (B, length, 40), one-hot; column 0 stands for padding.
        """
        x = self.project(features) + self.phone(phone)
        x = torch.cat([self.tokens.expand(len(x), -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        n = len(self.utterance_heads)
        whole = [head(x[:, i]) for i, head in enumerate(self.utterance_heads)]
        word = [head(x[:, n:]) for head in self.word_heads]
        return GoptScores(self.phone_head[0](x[:, n:])[..., 0], torch.cat(word, -1), torch.cat(whole, -1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoptRow:
    """One utterance as GOPT takes it.

    Attributes:
        features: shape (L, D), not normalised.
        phone_ids: shape (L,), canonical phones.
        word_ids: shape (L,), word of each phone, counted from 0.
        phone: shape (L,), expert scores, 0 to 2.
        word: shape (W, 3), expert accuracy, stress and total, 0 to 10.
        utterance: shape (5,), expert scores 0 to 10, see UTTERANCE_TOKENS.
    """

    features: Float32
    phone_ids: Int64
    word_ids: Int64
    phone: Float64
    word: Float64
    utterance: Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoptTable:
    """All utterances, padded to one length: inputs as `Gopt.forward` takes them, targets -1 where there is none."""

    features: Tensor
    phone: Tensor
    valid: Tensor
    target: GoptScores


def tabulate(rows: Sequence[GoptRow], length: int = GoptConfig().length) -> GoptTable:
    """Pad the utterances.

    Raises:
        ConfigError: an utterance has more phones than GOPT has positions.
    """
    longest = max(len(row.phone) for row in rows)
    if longest > length:
        raise ConfigError(
            f"GOPT has {length} positions and an utterance has {longest} phones; the published network cannot score it"
        )
    N, D = len(rows), rows[0].features.shape[1]
    features, valid = np.zeros((N, length, D), np.float32), np.zeros((N, length), np.float32)
    ids = np.zeros((N, length), np.int64)
    phone, word = np.full((N, length), -1, np.float32), np.full((N, length, 3), -1, np.float32)
    for n, row in enumerate(rows):
        L = len(row.phone)
        features[n, :L], valid[n, :L], ids[n, :L] = row.features, 1, 1 + row.phone_ids
        phone[n, :L], word[n, :L] = row.phone, row.word[row.word_ids] / 5
    whole = np.stack([row.utterance / 5 for row in rows]).astype(np.float32)
    return GoptTable(
        features=torch.from_numpy(features),
        phone=nn.functional.one_hot(torch.from_numpy(ids), 1 + len(PHONES)).float(),
        valid=torch.from_numpy(valid),
        target=GoptScores(torch.from_numpy(phone), torch.from_numpy(word), torch.from_numpy(whole)),
    )


def losses_of(found: GoptScores, target: GoptScores) -> Tensor:
    """Loss of every model of a stack, shape (S,), from scores and targets (S, B, ...).

    The sum of the mean squared errors of phones, words (at every phone) and utterances; targets below 0 are padding.
    """
    losses = (found.utterance - target.utterance).square().flatten(1).mean(1)
    for guess, truth in ((found.phone, target.phone), (found.word, target.word)):
        there = (truth >= 0).to(guess.dtype).flatten(1)
        losses = losses + ((guess - truth).flatten(1).square() * there).sum(1) / there.sum(1)
    return losses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoptJob:
    """One model to train: on which utterances, on which to be read, and from which seed."""

    seen: Int64
    unseen: Int64
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoptReadings:
    """Scores of a job's unseen utterances, in the order of the job, shapes as in `GoptScores`.

    Attributes:
        best: at the epoch whose phone error on these very utterances is lowest: it peeks.
        last: at the last epoch.
        best_epoch: counted from 1.
        phone_mse: of every epoch.
    """

    best: GoptScores
    last: GoptScores
    best_epoch: int
    phone_mse: tuple[float, ...]


def train_stack(
    table: GoptTable,
    jobs: Sequence[GoptJob],
    config: GoptTraining,
    *,
    scale_columns: bool = False,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> list[GoptReadings]:
    """Train one model a job, side by side, and read each on its unseen utterances after every epoch.

    Args:
        table: all utterances.
        jobs: of one size, that is with equally many seen and equally many unseen utterances.
        config: settings.
        scale_columns: normalise every column by itself, for columns of different units; the published way is one
            mean and one deviation for all of them.
        device: torch device. A stack pays on a GPU; on a CPU, stacks of one in several processes are faster.
        progress: told how many of the epochs are done.
    """
    if len({(len(job.seen), len(job.unseen)) for job in jobs}) != 1:
        raise ConfigError("the jobs of a stack differ in their number of utterances; train them in stacks of one size")
    stack = _Stack(table, jobs, scale_columns, device)
    optimizer = torch.optim.Adam(
        stack.parameters, config.learning_rate, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )
    rngs = [np.random.default_rng([job.seed, int(job.unseen[0])]) for job in jobs]
    noise = torch.Generator(device).manual_seed(jobs[0].seed)
    unseen = torch.from_numpy(np.stack([job.unseen for job in jobs])).to(device)
    N = len(jobs[0].seen)
    batches, step = -(-N // config.batch), 0
    curves: list[list[float]] = [[] for _ in jobs]
    best: dict[int, GoptScores] = {}
    for epoch in range(config.epochs):
        order = np.stack([job.seen[rng.permutation(N)] for job, rng in zip(jobs, rngs, strict=True)])
        for start in range(0, N, config.batch):
            for group in optimizer.param_groups:
                group["lr"] = config.rate(step, batches)
            index = torch.from_numpy(order[:, start : start + config.batch]).to(device)
            optimizer.zero_grad()
            stack.losses(index, config.noise, noise).sum().backward()
            optimizer.step()
            step += 1
        last, errors = stack.read(unseen)
        for i, error in enumerate(errors):
            if error < min(curves[i], default=float("inf")):
                best[i] = GoptScores(*(part[i].clone() for part in last))
            curves[i].append(error)
        if progress:
            progress(epoch + 1, config.epochs)
    return [
        GoptReadings(
            best=best[i],
            last=GoptScores(*(part[i] for part in last)),
            best_epoch=1 + int(np.argmin(curve)),
            phone_mse=tuple(curve),
        )
        for i, curve in enumerate(curves)
    ]


class _Stack:
    """Models side by side, and the table they draw from, on one device."""

    def __init__(self, table: GoptTable, jobs: Sequence[GoptJob], scale_columns: bool, device: str) -> None:
        self.features, self.phone, self.valid = (p.to(device) for p in (table.features, table.phone, table.valid))
        self.target = GoptScores(*(part.to(device) for part in table.target))
        models, scales = [], []
        for job in jobs:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(job.seed)
                config = GoptConfig(features=self.features.shape[-1], length=self.features.shape[1])
                models.append(Gopt(config).to(device))
            seen = torch.from_numpy(job.seen).to(device)
            values = self.features[seen][self.valid[seen] > 0]
            values = values if scale_columns else values.reshape(-1, 1)
            scales.append(torch.stack([values.mean(0), values.std(0, correction=0) + 1e-6]))
        # (models, utterances, phones, columns), the middle two of size 1
        self.mean, self.scale = torch.stack(scales, 1)[:, :, None, None]
        self.parameters, self.scores = _side_by_side(models)

    def inputs(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features and phones of utterances (S, B)."""
        x = (self.features[index] - self.mean) / self.scale
        return x * self.valid[index][..., None], self.phone[index]

    def losses(self, index: Tensor, noise: float, generator: torch.Generator) -> Tensor:
        """Loss of every model on its batch, shape (S,), from indices (S, B)."""
        x, phone = self.inputs(index)
        if noise:
            x = x - noise * torch.rand(x.shape, generator=generator, device=x.device)
        found = self.scores(x, phone)
        target = GoptScores(*(part[index] for part in self.target))
        return losses_of(found, target)

    @torch.no_grad()
    def read(self, index: Tensor) -> tuple[GoptScores, list[float]]:
        """Scores of utterances (S, B), on the CPU, and every model's mean squared phone error on them."""
        # 100 utterances at a time keep the memory small.
        parts = [self.scores(*self.inputs(piece)) for piece in index.split(100, dim=1)]
        found = GoptScores(*(torch.cat(pieces, 1) for pieces in zip(*parts, strict=True)))
        truth = self.target.phone[index]
        there = truth >= 0
        errors = ((found.phone - truth).square() * there).sum((1, 2)) / there.sum((1, 2))
        return GoptScores(*(part.cpu() for part in found)), errors.tolist()


def _side_by_side(models: Sequence[Gopt]) -> tuple[list[Tensor], Callable[[Tensor, Tensor], GoptScores]]:
    """Parameters to train, and a function from inputs (S, B, ...) to scores (S, B, ...), one slice a model."""
    if len(models) == 1:  # without the cost of stacking
        (model,) = models
        return list(model.parameters()), lambda x, phone: GoptScores(*(part[None] for part in model(x[0], phone[0])))
    stacked, _ = torch.func.stack_module_state(list(models))
    empty = copy.deepcopy(models[0]).to("meta")

    def forward(parameters: dict[str, Tensor], x: Tensor, phone: Tensor) -> GoptScores:
        scores: GoptScores = torch.func.functional_call(empty, parameters, (x, phone))
        return scores

    together = torch.vmap(forward)
    return list(stacked.values()), lambda x, phone: together(stacked, x, phone)


def word_means(scores: Float64, word_ids: Int64) -> Float64:
    """Scores of the words, shape (W, 3): the mean over each word's phones of (L, 3) scores at the phones."""
    words = int(word_ids[-1]) + 1
    count = np.bincount(word_ids, minlength=words)
    return np.column_stack([np.bincount(word_ids, column, words) for column in scores.T]) / count[:, None]
