"""Learning how much each member counts: calibration by a straight line, weights by ridge regression.

The ridge pulls all weights towards one share each, not towards zero: with a strong penalty what remains is the plain
average, with none least squares. Members of an ensemble resemble each other, and then the data hardly say whose weight
should be larger. Negative weights are not allowed: a member that would get one is left out.

Whether members are calibrated at all, and how strong the penalty is, is chosen by leaving out fold after fold of
speakers. Members that learned from the same people's scores are on their scale already, and a line more, through
scores of which a few bad speakers decide, makes them worse (docs/experiments.md).

Source: Breiman, "Stacked regressions", Machine Learning 24 (1996); weights 0 or more as there. Deviates: the penalty is
on the distance from equal weights (there on their size).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.ctc import logistic
from elocute.ensemble.combination import Blend
from elocute.errors import ConfigError
from elocute.evaluation.operating import fit_logistic
from elocute.types import Float64, Int64

PENALTIES = (math.inf, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
"""Tried, strongest first, in units of the members' variance; infinite is the plain average."""
LEAST_SAID = 0.5
"""A member that speaks of fewer items than this share is not used for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a blend is learned.

    Attributes:
        is_calibrated: whether each member is calibrated by a line first.
        penalty: on the distance of the weights from equal ones.
    """

    is_calibrated: bool
    penalty: float


AVERAGES = (Way(is_calibrated=False, penalty=math.inf), Way(is_calibrated=True, penalty=math.inf))
"""Ways to average, the simplest first."""
RIDGES = tuple(Way(is_calibrated=one.is_calibrated, penalty=penalty) for one in AVERAGES for penalty in PENALTIES)
"""Ways to stack, which are also averages where nothing better is found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Items:
    """All items of one target, N of them, and what M members say.

    Attributes:
        said: shape (N, M), NaN where a member says nothing.
        truth: shape (N,), people's score of 0 to 1; whether they call the phone wrong, where errors are combined.
        fold: shape (N,), of the speaker.
        is_error: whether log-odds of errors are combined.
    """

    said: Float64
    truth: Float64
    fold: Int64
    is_error: bool

    def part(self, keeps: NDArray[np.bool_]) -> Items:
        """Some of them."""
        return Items(said=self.said[keeps], truth=self.truth[keeps], fold=self.fold[keeps], is_error=self.is_error)


def choose_way(items: Items, ways: Sequence[Way]) -> Way:
    """The first way that does as well as the best on folds of speakers that it did not see.

    As well: the mean difference of its losses is within one standard error, over the folds (Breiman et al.,
    "Classification and Regression Trees", 1984, section 3.4.3). So weights are only learned where that pays.
    """
    losses = np.array([_losses_left_out(items, way) for way in ways])  # (ways, folds)
    worse = losses - losses[losses.mean(axis=1).argmin()]
    error = worse.std(axis=1, ddof=1) / math.sqrt(worse.shape[1])
    return ways[int(np.flatnonzero(worse.mean(axis=1) <= error)[0])]


def fit_blend(items: Items, way: Way) -> Blend:
    """Learn how one target is combined.

    Args:
        items: to learn from; those of which a member that is used says nothing are left out.
        way: how.

    Raises:
        ConfigError: no member speaks of them.
    """
    used = _used(items)
    if not used:
        raise ConfigError("no member says enough to be combined; expected two that score at least half of the items")
    whole = items.part(np.asarray(~np.isnan(items.said[:, used]).any(axis=1)))
    lines = {m: _line(whole.said[:, m], whole) if way.is_calibrated else (0.0, 1.0) for m in used}
    used = [m for m in used if lines[m][1] > 0.0] or used[:1]
    center = _center(whole)
    while True:
        columns = np.column_stack([lines[m][0] + lines[m][1] * whole.said[:, m] - center for m in used])
        weights = (_logistic_ridge if items.is_error else _ridge)(columns, whole.truth, center, way.penalty)
        if min(weights) >= 0.0 or len(used) == 1:
            break
        used.pop(int(np.argmin(weights)))
    found = dict(zip(used, weights, strict=True))
    members = range(items.said.shape[1])
    return Blend(
        center=center,
        calibration=tuple(lines[m] if m in found else None for m in members),
        weights=tuple(max(found.get(m, 0.0), 0.0) for m in members),
    )


def _used(items: Items) -> list[int]:
    """Members that speak of enough items, and not always in the same words."""
    known = ~np.isnan(items.said)
    return [
        m
        for m in range(items.said.shape[1])
        if known[:, m].mean() >= LEAST_SAID and np.ptp(items.said[known[:, m], m]) > 0.0
    ]


def _center(items: Items) -> float:
    """Mean score; or the log-odds of an error, which half an item more of each kind keeps finite."""
    if items.is_error:
        wrong = float(items.truth.sum())
        return math.log(wrong + 0.5) - math.log(len(items.truth) - wrong + 0.5)
    return float(items.truth.mean())


def _line(said: Float64, items: Items) -> tuple[float, float]:
    """Offset and slope that turn what a member says into what people say on average."""
    if items.is_error:
        bias, (slope,) = fit_logistic(said[:, None], items.truth > 0.5)
        return bias, slope
    slope = float(np.cov(said, items.truth, bias=True)[0, 1] / said.var())
    return float(items.truth.mean() - slope * said.mean()), slope


def _ridge(columns: Float64, truth: Float64, center: float, penalty: float) -> list[float]:
    """Weights that predict scores from what is left of the members without the center."""
    count, M = columns.shape
    if math.isinf(penalty):
        return [1.0 / M] * M
    strength = penalty * count * _spread(columns)
    gram = columns.T @ columns + strength * np.eye(M)
    weights = np.linalg.solve(gram, columns.T @ (truth - center) + strength / M)
    return [float(weight) for weight in weights]


def _logistic_ridge(columns: Float64, truth: Float64, center: float, penalty: float) -> list[float]:
    """Weights that predict the log-odds of an error, by Newton's method."""
    count, M = columns.shape
    if math.isinf(penalty):
        return [1.0 / M] * M
    strength = penalty * count * _spread(columns) * float(truth.mean() * (1.0 - truth.mean()))
    found = np.full(M, 1.0 / M)
    for _ in range(50):
        stated = logistic(center + columns @ found)
        gradient = columns.T @ (truth - stated) - strength * (found - 1.0 / M)
        step = np.linalg.solve(
            (columns * (stated * (1.0 - stated))[:, None]).T @ columns + strength * np.eye(M), gradient
        )
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return [float(weight) for weight in found]


def _spread(columns: Float64) -> float:
    """Mean variance of the members: the unit of the penalty."""
    return float(columns.var(axis=0).mean())


def _losses_left_out(items: Items, way: Way) -> list[float]:
    """Loss on every fold of a blend that did not see it: squared error, or nats where errors are told."""
    losses = []
    for fold in np.unique(items.fold):
        own = items.part(items.fold == fold)
        losses.append(float(np.nanmean(_losses(fit_blend(items.part(items.fold != fold), way).of(own.said), own))))
    return losses


def _losses(combined: Float64, items: Items) -> Float64:
    """Loss of each item, NaN where nothing is said."""
    if items.is_error:
        sure = np.where(np.isnan(combined), 0.0, combined)
        return np.where(np.isnan(combined), np.nan, np.logaddexp(0.0, sure) - items.truth * sure)
    return np.square(np.clip(combined, 0.0, 1.0) - items.truth)
