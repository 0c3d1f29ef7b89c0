"""Metrics of pronunciation scores and of error detection. Predictions are never rounded here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from elocute.types import Float64


def pcc(expected: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson correlation coefficient; NaN where one side is constant, for it has none."""
    x, y = np.asarray(expected, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else float("nan")


def mse(expected: ArrayLike, predicted: ArrayLike) -> float:
    """Mean squared error."""
    return float(np.square(np.asarray(expected, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)).mean())


def roc_auc(is_positive: ArrayLike, score: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counted half (Mann-Whitney U); NaN without both."""
    positive, value = np.asarray(is_positive, dtype=bool), np.asarray(score, dtype=np.float64)
    _, inverse, counts = np.unique(value, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Precision, recall and F1 of a detector at a threshold; 0 where nothing is flagged."""

    threshold: float
    precision: float
    recall: float
    f1: float


def f1_at(is_positive: ArrayLike, score: ArrayLike, threshold: float) -> Detection:
    """Precision, recall and F1 of flagging scores that reach the threshold."""
    positive, flagged = np.asarray(is_positive, dtype=bool), np.asarray(score) >= threshold
    hits = int((positive & flagged).sum())
    precision = hits / int(flagged.sum()) if flagged.any() else 0.0
    recall = hits / int(positive.sum()) if positive.any() else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return Detection(threshold=threshold, precision=precision, recall=recall, f1=f1)


def edit_distance(left: Sequence[object], right: Sequence[object]) -> int:
    """Least number of substitutions, deletions and insertions between two strings of phones (Levenshtein 1966)."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def expected_calibration_error(is_positive: ArrayLike, probability: ArrayLike, bins: int = 15) -> float:
    """Mean gap between stated probability and frequency over bins of equal width, weighted by their size.

    Source: Naeini et al., AAAI 2015.
    """
    positive, stated = np.asarray(is_positive, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    index = np.minimum((stated * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    gap = np.abs(np.bincount(index, positive, bins) - np.bincount(index, stated, bins))
    return float(gap[count > 0].sum() / len(stated))


def bootstrap_by_group(
    statistic: Callable[[np.ndarray], float], groups: Sequence[str], *, draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a statistic under resampling of whole groups (speakers), percentile method.

    Args:
        statistic: takes indices of items and returns its value on them.
        groups: group of each item.
        draws: number of resamples.
        seed: of the resampling.
    """
    names = np.asarray(groups)
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    rng = np.random.default_rng(seed)
    values: Float64 = np.array(
        [
            statistic(np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))]))
            for _ in range(draws)
        ]
    )
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
