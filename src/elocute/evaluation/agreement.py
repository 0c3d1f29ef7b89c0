"""Scores against people's: correlations and errors of every predictor, level by level, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from elocute.evaluation.baselines import Guess
from elocute.evaluation.bootstrap import Draws, Estimate, estimate_mse, estimate_pcc, estimate_scc
from elocute.evaluation.metrics import mse, pcc
from elocute.evaluation.result import Histogram, Rounded, ScoreRow, ShuffleRow
from elocute.evaluation.table import Bool, Level, Table
from elocute.types import Float64, Int64

BINS = 20
"""Bins of a prediction's scale in the histograms."""


class Part:
    """Some utterances of a table, with resamples of the speakers among them.

    Attributes:
        name: of the part.
        keeps: shape (U,), which utterances.
        draws: resamples of the part's speakers.
    """

    def __init__(self, name: str, table: Table, keeps: Bool, draws: int, seed: int) -> None:
        self.name = name
        self.keeps = keeps
        present, index = np.unique(table.speaker[keeps], return_inverse=True)
        self._speaker = np.full(len(keeps), -1)
        self._speaker[keeps] = index
        self.draws = Draws.of(len(present), draws, seed)

    def items(self, owner: Int64) -> Bool:
        """Which items of a level belong to the part, shape (N,)."""
        return self.keeps[owner]

    def speaker(self, owner: Int64) -> Int64:
        """Speaker of the part's items, counted within the part."""
        return self._speaker[owner[self.keeps[owner]]]


def score_rows(table: Table, guesses: Mapping[str, Guess], part: Part) -> Iterator[ScoreRow]:
    """Every score that the model gives, and every predictor's agreement with people on it."""
    for level in table.levels:
        kept, speaker = part.items(level.owner), part.speaker(level.owner)
        for j, score in enumerate(level.scores):
            if np.isnan(level.predicted[:, j]).any():
                continue
            truth = level.truth[kept, j]
            for name, guess in guesses.items():
                predicted = guess.scores[level.name][kept, j]
                none = Estimate(value=None)
                yield ScoreRow(
                    part=part.name,
                    predictor=name,
                    level=level.name,
                    score=score,
                    n=len(truth),
                    pcc=none if guess.is_constant else estimate_pcc(truth, predicted, speaker, part.draws),
                    scc=none if guess.is_constant else estimate_scc(truth, predicted, speaker, part.draws),
                    mse=estimate_mse(truth, predicted, speaker, part.draws),
                    rounded=rounded(truth, predicted, level.highest, is_constant=guess.is_constant),
                )


def rounded(truth: Float64, predicted: Float64, highest: float, *, is_constant: bool = False) -> Rounded:
    """Agreement on whole scores; halves go to the even neighbour, as in the sources (Python's and numpy's round)."""
    whole, labels = np.clip(np.round(predicted), 0.0, highest), np.round(truth)

    def correlation(x: Float64) -> float | None:
        return None if is_constant or np.ptp(x) == 0 or np.ptp(whole) == 0 else pcc(x, whole)

    return Rounded(
        pcc=correlation(truth), mse=mse(truth, whole), both_pcc=correlation(labels), both_mse=mse(labels, whole)
    )


def shuffle_rows(table: Table, shuffles: int, seed: int) -> Iterator[ShuffleRow]:
    """What the model's correlations are with labels dealt anew again and again: 0 but for luck, unless labels leak."""
    rng = np.random.default_rng(seed)
    for level in table.levels:
        orders = [rng.permutation(len(level.truth)) for _ in range(shuffles)]
        for j, score in enumerate(level.scores):
            truth, predicted = level.truth[:, j], level.predicted[:, j]
            if np.isnan(predicted).any() or np.ptp(predicted) == 0 or np.ptp(truth) == 0:
                continue
            each = np.array([pcc(truth[order], predicted) for order in orders])
            low, high = np.percentile(each, [2.5, 97.5])
            yield ShuffleRow(
                level=level.name,
                score=score,
                shuffles=shuffles,
                mean=float(each.mean()),
                low=float(low),
                high=float(high),
            )


def histograms(level: Level) -> Iterator[Histogram]:
    """Counts of the model's predictions by label, for every score of a level that it gives."""
    width = level.highest / BINS
    for j, score in enumerate(level.scores):
        predicted = level.predicted[:, j]
        if np.isnan(predicted).any():
            continue
        column = np.minimum((predicted / width).astype(int), BINS - 1)
        cells, counts = np.unique(np.column_stack([level.truth[:, j], column]), axis=0, return_counts=True)
        for (label, bin_), n in zip(cells, counts, strict=True):
            yield Histogram(
                level=level.name,
                score=score,
                label=float(label),
                low=float(bin_ * width),
                high=float((bin_ + 1) * width),
                n=int(n),
            )
