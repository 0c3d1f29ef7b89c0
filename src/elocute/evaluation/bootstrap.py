"""Intervals by resampling speakers: each statistic from sums kept per speaker, so that a draw is a weighted sum.

Utterances of one speaker resemble each other, so whole speakers are drawn with replacement (Field and Welsh 2007, the
cluster bootstrap) and the interval is the 2.5th to the 97.5th percentile of the draws (Efron 1979). A draw gives
speaker s a weight, how often it was drawn; every statistic here is a function of weighted sums, which is the same as
computing it on the drawn items, ties and repetitions included (tests/evaluation/test_bootstrap.py does both).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elocute.types import Float64, Int64

DRAWS = 500
SEED = 0
_CHUNK = 100
"""Draws at a time where a draw needs one number for every level of a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A statistic and its 95 % interval; None where it does not exist (a correlation with a constant, say)."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Resamples of speakers.

    Attributes:
        weights: shape (D, S), how often each speaker occurs in each draw.
    """

    weights: Float64

    @classmethod
    def of(cls, speakers: int, draws: int = DRAWS, seed: int = SEED) -> Draws:
        """Draw `speakers` speakers with replacement, `draws` times."""
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(speakers, np.full(speakers, 1.0 / speakers), size=draws)
        return cls(weights=weights.astype(np.float64))

    @property
    def speakers(self) -> int:
        """Number of speakers."""
        return int(self.weights.shape[1])


def estimate(value: float, draws: Float64) -> Estimate:
    """A value with the percentiles of its draws; draws on which it does not exist are left out.

    A single speaker cannot be resampled, so its interval, a point, is none.
    """
    if not np.isfinite(value):
        return Estimate(value=None)
    kept = draws[np.isfinite(draws)]
    if len(kept) == 0 or np.ptp(kept) == 0.0:
        return Estimate(value=value)
    low, high = np.percentile(kept, [2.5, 97.5])
    return Estimate(value=value, low=float(low), high=float(high))


def sums_by_speaker(speaker: Int64, columns: Float64, speakers: int) -> Float64:
    """Sums of columns (N, K) over the items of each speaker, shape (S, K)."""
    return np.column_stack([np.bincount(speaker, column, speakers) for column in columns.T])


def estimate_of_sums(
    statistic: Callable[[Float64], Float64], speaker: Int64, columns: Float64, draws: Draws
) -> Estimate:
    """Estimate of a statistic of sums.

    Args:
        statistic: from sums (..., K) to values (...); NaN where it does not exist.
        speaker: shape (N,), speaker of each item.
        columns: shape (N, K), what is summed.
        draws: resamples.
    """
    sums = sums_by_speaker(speaker, columns, draws.speakers)
    return estimate(float(statistic(sums.sum(axis=0))), statistic(draws.weights @ sums))


def ratio(sums: Float64) -> Float64:
    """First sum over second; NaN where that is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def estimate_mse(truth: Float64, predicted: Float64, speaker: Int64, draws: Draws) -> Estimate:
    """Mean squared error."""
    columns = np.column_stack([np.square(truth - predicted), np.ones(len(truth))])
    return estimate_of_sums(ratio, speaker, columns, draws)


def estimate_pcc(truth: Float64, predicted: Float64, speaker: Int64, draws: Draws) -> Estimate:
    """Pearson correlation; it does not exist where one side is constant."""
    if np.ptp(truth) == 0.0 or np.ptp(predicted) == 0.0:
        return Estimate(value=None)
    x, y = truth - truth.mean(), predicted - predicted.mean()  # small numbers keep the sums exact
    columns = np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])
    return estimate_of_sums(pearson, speaker, columns, draws)


def pearson(sums: Float64) -> Float64:
    """Pearson correlation from sums of 1, x, y, xx, yy, xy, shape (..., 6); NaN where one side is constant."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x, spread_y = xx - x * x / n, yy - y * y / n
        found = (xy - x * y / n) / np.sqrt(spread_x * spread_y)
        # What rounding leaves of a constant is no spread.
        is_flat = (spread_x <= 1e-12 * (xx + 1e-300)) | (spread_y <= 1e-12 * (yy + 1e-300))
    return np.where(is_flat | (n == 0), np.nan, found)


def estimate_scc(truth: Float64, predicted: Float64, speaker: Int64, draws: Draws) -> Estimate:
    """Spearman's rank correlation: Pearson's of the ranks, ties sharing their mean rank.

    Every draw is ranked anew, from its own counts of each level.
    """
    if np.ptp(truth) == 0.0 or np.ptp(predicted) == 0.0:
        return Estimate(value=None)
    levels = [np.unique(side, return_inverse=True)[1] for side in (truth, predicted)]
    # Items alike in speaker and both levels are counted together.
    alike, counts = np.unique(np.column_stack([speaker, *levels]), axis=0, return_counts=True)
    who, x, y = alike.T
    sizes = int(x.max()) + 1, int(y.max()) + 1

    def spearman(weight: Float64) -> float:
        each = counts * weight[who]
        in_x, in_y = np.bincount(x, each, sizes[0]), np.bincount(y, each, sizes[1])
        n = float(each.sum())
        # Mean rank of a level, counted from the middle rank.
        rank_x, rank_y = np.cumsum(in_x) - (in_x + n) / 2, np.cumsum(in_y) - (in_y + n) / 2
        spread = float(in_x @ np.square(rank_x)) * float(in_y @ np.square(rank_y))
        return float(each @ (rank_x[x] * rank_y[y])) / spread**0.5 if spread > 0 else float("nan")

    values = np.array([spearman(weight) for weight in draws.weights])
    return estimate(spearman(np.ones(draws.speakers)), values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """How many right and wrong items each speaker has at every level of a detector's score.

    Attributes:
        levels: shape (U,), the scores that occur, ascending.
        wrong: shape (S, U), number of items to be found.
        right: shape (S, U), number of the others.
    """

    levels: Float64
    wrong: Float64
    right: Float64

    @classmethod
    def of(cls, is_wrong: np.ndarray, score: Float64, speaker: Int64, speakers: int) -> Ranking:
        """Count the items."""
        levels, index = np.unique(score, return_inverse=True)
        cell = speaker * len(levels) + index
        size = speakers * len(levels)
        wrong = np.bincount(cell[is_wrong], minlength=size).reshape(speakers, -1).astype(np.float64)
        right = np.bincount(cell[~is_wrong], minlength=size).reshape(speakers, -1).astype(np.float64)
        return cls(levels=levels, wrong=wrong, right=right)

    def estimate(self, statistic: Callable[[Float64, Float64], Float64], draws: Draws) -> Estimate:
        """Estimate of a statistic of counts: from wrong and right (..., U), ascending, to values (...)."""
        value = float(statistic(self.wrong.sum(axis=0), self.right.sum(axis=0)))
        parts = [
            statistic(weights @ self.wrong, weights @ self.right)
            for weights in np.split(draws.weights, range(_CHUNK, len(draws.weights), _CHUNK))
        ]
        return estimate(value, np.concatenate(parts))


def roc_auc_of_counts(wrong: Float64, right: Float64) -> Float64:
    """Probability that a wrong item scores above a right one, ties counted half (Mann-Whitney U); (..., U) to (...)."""
    below = np.cumsum(right, axis=-1) - right / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((wrong * below).sum(axis=-1) / (wrong.sum(axis=-1) * right.sum(axis=-1)))


def pr_auc_of_counts(wrong: Float64, right: Float64) -> Float64:
    """Area under precision over recall as average precision; (..., U) to (...).

    The mean, over the wrong items, of the precision when all that score as high or higher are flagged: steps, not the
    straight lines between points that would promise what no threshold reaches (Davis and Goadrich, ICML 2006).
    """
    hits, alarms = (np.cumsum(side[..., ::-1], axis=-1) for side in (wrong, right))
    flagged = hits + alarms
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((wrong[..., ::-1] * precision).sum(axis=-1) / wrong.sum(axis=-1))


def best_f1_threshold(ranking: Ranking) -> float:
    """Threshold of the highest F1 on these very items; of several the highest, which flags least."""
    wrong, right = ranking.wrong.sum(axis=0)[::-1], ranking.right.sum(axis=0)[::-1]
    hits, alarms = np.cumsum(wrong), np.cumsum(right)
    f1 = 2 * hits / np.maximum(hits + alarms + wrong.sum(), 1.0)
    return float(ranking.levels[::-1][int(f1.argmax())])
