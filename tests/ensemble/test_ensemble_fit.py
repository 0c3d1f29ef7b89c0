"""Weights of an ensemble: against their definition, and on members whose worth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from elocute.ensemble.combination import Blend
from elocute.ensemble.fit import AVERAGES, RIDGES, Items, Way, choose_way, fit_blend
from elocute.errors import ConfigError
from elocute.types import Float64

FREE = Way(is_calibrated=False, penalty=1e-9)


def items(noises: tuple[float, ...], seed: int = 1, count: int = 3000, *, is_error: bool = False) -> Items:
    """What members say who hear the truth with noise of these sizes, five folds."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(scale=1.0 if is_error else 0.12, size=count)
    truth = (rng.random(count) < 1 / (1 + np.exp(2 - 2 * ability))).astype(float) if is_error else 0.6 + ability
    base = -2 + 2 * ability if is_error else truth
    said = np.column_stack([base + rng.normal(scale=noise, size=count) for noise in noises])
    return Items(said=said, truth=truth, fold=np.arange(count) % 5, is_error=is_error)


def alike(apart: float) -> Items:
    """What two fair members say who hear nearly the same: the mean is all that can be had from them."""
    found = items((0.05,))
    slope = 0.12**2 / (0.12**2 + 0.05**2)
    fair = 0.6 + slope * (found.said - 0.6)
    return replace(found, said=fair + np.random.default_rng(5).normal(scale=apart, size=(len(fair), 2)))


def test_a_blend_follows_its_definition() -> None:
    blend = Blend(center=0.5, calibration=((0.1, 0.8), None, (0.0, 1.0)), weights=(0.3, 0.0, 0.6))
    said = np.array([[0.9, 7.0, 0.4], [0.9, np.nan, np.nan], [np.nan, 1.0, 0.4], [np.nan, 0.3, np.nan]])
    first, third = 0.1 + 0.8 * 0.9 - 0.5, 0.4 - 0.5
    expected = [0.5 + 0.3 * first + 0.6 * third, 0.5 + 0.9 * first, 0.5 + 0.9 * third]
    assert blend.of(said)[:3] == pytest.approx(expected)
    assert np.isnan(blend.of(said)[3])  # the one that speaks does not count


def test_without_a_penalty_the_weights_are_least_squares() -> None:
    found = items((0.05, 0.1))
    blend = fit_blend(found, FREE)
    center = found.truth.mean()
    expected = np.linalg.lstsq(found.said - center, found.truth - center, rcond=None)[0]
    assert blend.weights == pytest.approx(expected, abs=1e-5)
    assert blend.weights[0] > 2.5 * blend.weights[1] > 0  # inverse to the variance of the noise


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_the_ridge_minimises_what_it_says(penalty: float) -> None:
    found = items((0.05, 0.1, 0.2))
    center, count = found.truth.mean(), len(found.truth)
    columns = found.said - center
    strength = penalty * count * columns.var(axis=0).mean()

    def cost(weights: Float64) -> float:
        misses = found.truth - center - columns @ weights
        return float(misses @ misses + strength * ((weights - 1 / 3) ** 2).sum())

    best = np.array(fit_blend(found, Way(is_calibrated=False, penalty=penalty)).weights)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-3:
        assert cost(best + step) > cost(best)


def test_the_logistic_ridge_minimises_what_it_says() -> None:
    found = items((0.5, 1.0), is_error=True)
    mean, count = found.truth.mean(), len(found.truth)
    center = math.log((found.truth.sum() + 0.5) / (count - found.truth.sum() + 0.5))
    columns = found.said - center
    strength = 0.1 * count * columns.var(axis=0).mean() * mean * (1 - mean)

    def cost(weights: Float64) -> float:
        odds = center + columns @ weights
        return float((np.logaddexp(0, odds) - found.truth * odds).sum() + strength / 2 * ((weights - 0.5) ** 2).sum())

    best = np.array(fit_blend(found, Way(is_calibrated=False, penalty=0.1)).weights)
    for step in np.vstack([np.eye(2), -np.eye(2)]) * 1e-3:
        assert cost(best + step) > cost(best)


def test_an_average_is_one_and_calibration_undoes_a_line() -> None:
    found = items((0.05, 0.05))
    plain, calibrated = (fit_blend(found, way) for way in AVERAGES)
    assert plain.of(found.said) == pytest.approx(found.said.mean(axis=1))
    bent = replace(found, said=np.column_stack([found.said[:, 0], 0.9 - 0.5 * (1 - found.said[:, 1])]))
    again = fit_blend(bent, AVERAGES[1])
    assert again.of(bent.said) == pytest.approx(calibrated.of(found.said))
    assert choose_way(bent, AVERAGES) == AVERAGES[1]
    assert choose_way(alike(0.01), AVERAGES) == AVERAGES[0]


def test_a_member_that_would_count_against_is_left_out() -> None:
    found = items((0.02, 0.1))
    copy = np.column_stack([found.said, found.said[:, 1] - 3 * (found.said[:, 0] - found.truth)])
    blend = fit_blend(replace(found, said=copy - 0.5 * (copy - found.truth[:, None])), FREE)
    assert min(blend.weights) >= 0
    upside_down = replace(found, said=np.column_stack([found.said[:, 0], 1.2 - found.said[:, 1]]))
    turned = fit_blend(upside_down, Way(is_calibrated=True, penalty=0.1))
    assert turned.weights[1] == 0
    assert turned.calibration[1] is None


def test_weights_are_learned_only_where_that_pays() -> None:
    even = fit_blend(alike(0.01), choose_way(alike(0.01), RIDGES))
    assert even.weights == pytest.approx((0.5, 0.5), abs=0.02)
    uneven = choose_way(items((0.03, 0.3)), RIDGES)
    assert uneven.penalty < 10
    weights = fit_blend(items((0.03, 0.3)), uneven).weights
    assert weights[0] > 5 * weights[1]


@pytest.mark.parametrize("is_error", [False, True])
def test_two_are_better_than_one(is_error: bool) -> None:
    noises = (1.0, 1.2) if is_error else (0.08, 0.09)
    learned, unseen = (items(noises, seed, is_error=is_error) for seed in (1, 2))
    combined = fit_blend(learned, choose_way(learned, RIDGES)).of(unseen.said)
    alone = [np.corrcoef(unseen.truth, column)[0, 1] for column in unseen.said.T]
    assert np.corrcoef(unseen.truth, combined)[0, 1] > max(alone) + 0.02


def test_who_says_little_or_always_the_same_is_not_used() -> None:
    found = items((0.05, 0.05, 0.05))
    said = found.said.copy()
    said[: len(said) * 2 // 3, 1] = np.nan
    said[:, 2] = 0.7
    blend = fit_blend(replace(found, said=said), AVERAGES[0])
    assert blend.weights == (1.0, 0.0, 0.0)
    with pytest.raises(ConfigError, match="no member says enough to be combined"):
        fit_blend(replace(found, said=np.full_like(said, np.nan)), AVERAGES[0])
