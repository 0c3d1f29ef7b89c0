"""Metrics against definitions written out by hand and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from elocute.evaluation import bootstrap_by_group, expected_calibration_error, f1_at, mse, pcc, roc_auc

numbers = st.lists(st.integers(-50, 50), min_size=3, max_size=40)


@given(numbers, st.randoms(use_true_random=False))
def test_pcc_equals_scipy_and_is_nan_for_a_constant(values: list[int], random) -> None:
    other = [value + random.randint(-20, 20) for value in values]
    if len(set(values)) == 1 or len(set(other)) == 1:
        assert math.isnan(pcc(values, other))
    else:
        assert pcc(values, other) == pytest.approx(stats.pearsonr(values, other).statistic, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40))
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(items: list[tuple[bool, int]]) -> None:
    positive = [score for is_positive, score in items if is_positive]
    negative = [score for is_positive, score in items if not is_positive]
    found = roc_auc([is_positive for is_positive, _ in items], [score for _, score in items])
    if not positive or not negative:
        assert math.isnan(found)
        return
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_f1_counts_hits_and_never_divides_by_zero() -> None:
    found = f1_at([True, True, False, False, True], [0.9, 0.4, 0.8, 0.1, 0.5], 0.5)
    assert (found.precision, found.recall) == (2 / 3, 2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    nothing = f1_at([True, False], [0.1, 0.2], 0.5)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)


def test_calibration_error_is_zero_for_honest_probabilities_and_the_gap_for_liars() -> None:
    honest = np.repeat([0.1, 0.5, 0.9], 100)
    truth = np.concatenate([np.arange(100) < 100 * p for p in (0.1, 0.5, 0.9)])
    assert expected_calibration_error(truth, honest) == pytest.approx(0.0, abs=1e-12)
    assert expected_calibration_error(np.zeros(100), np.full(100, 0.8)) == pytest.approx(0.8)


def test_mse_is_the_mean_of_squares() -> None:
    assert mse([0, 2], [1, 5]) == 5.0


def test_bootstrap_resamples_whole_groups() -> None:
    values = np.repeat([0.0, 1.0], 50)
    groups = ["a"] * 50 + ["b"] * 50
    low, high = bootstrap_by_group(lambda index: float(values[index].mean()), groups, draws=400, seed=1)
    # Two groups drawn with replacement: means 0, 0.5 or 1 only, so the interval spans everything.
    assert (low, high) == (0.0, 1.0)
    single = [str(i) for i in range(100)]
    low, high = bootstrap_by_group(lambda index: float(values[index].mean()), single, draws=400, seed=1)
    assert 0.35 < low < 0.5 < high < 0.65
