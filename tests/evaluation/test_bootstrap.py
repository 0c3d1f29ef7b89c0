"""Weighted sums against the plain statistic on the drawn items, by scipy and scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from elocute.evaluation.bootstrap import (
    Draws,
    Ranking,
    best_f1_threshold,
    estimate_mse,
    estimate_pcc,
    estimate_scc,
    pr_auc_of_counts,
    roc_auc_of_counts,
)

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is an oracle of these tests only")


@st.composite
def problems(draw):
    """Items of a few speakers, with many ties."""
    n = draw(st.integers(4, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    speakers = draw(st.integers(2, 4))
    speaker = np.sort(np.append(np.arange(speakers), rng.integers(speakers, size=n)))
    truth = rng.integers(0, 4, len(speaker)) / 2
    predicted = np.round(truth * rng.random() + rng.normal(size=len(speaker)), 1)
    return speaker, truth, predicted, Draws.of(speakers, draws=20, seed=draw(st.integers(0, 100)))


def drawn(speaker: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Indices of the items of a draw, repeated as their speakers are."""
    return np.concatenate([np.flatnonzero(speaker == s) for s, times in enumerate(weight) for _ in range(int(times))])


def interval(values: list[float]) -> tuple[float, float] | None:
    kept = [value for value in values if np.isfinite(value)]
    if not kept or np.ptp(kept) < 1e-9:
        return None
    return tuple(np.percentile(kept, [2.5, 97.5]))


def check(found, value: float, values: list[float]) -> None:
    if not np.isfinite(value):
        assert found.value is None
        return
    assert found.value == pytest.approx(value, abs=1e-9)
    expected = interval(values)
    if expected is not None:
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def quietly(function, *arguments) -> float:
    """A reference implementation warns where the statistic does not exist, and returns NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(function(*arguments))


@settings(max_examples=20, deadline=None)
@given(problems())
def test_correlations_and_errors_equal_scipy_on_every_draw(problem) -> None:
    speaker, truth, predicted, draws = problem
    draw_items = [drawn(speaker, weight) for weight in draws.weights]
    for estimate_it, oracle in (
        (estimate_pcc, lambda x, y: stats.pearsonr(x, y).statistic),
        (estimate_scc, lambda x, y: stats.spearmanr(x, y).statistic),
        (estimate_mse, metrics.mean_squared_error),
    ):
        found = estimate_it(truth, predicted, speaker, draws)
        values = [quietly(oracle, truth[i], predicted[i]) for i in draw_items]
        check(found, quietly(oracle, truth, predicted), values)


@settings(max_examples=20, deadline=None)
@given(problems())
def test_areas_equal_scikit_learn_on_every_draw(problem) -> None:
    speaker, truth, score, draws = problem
    wrong = truth < 0.75
    ranking = Ranking.of(wrong, score, speaker, draws.speakers)

    def oracle(metric, index) -> float:
        if wrong[index].all() or not wrong[index].any():
            return float("nan") if metric is metrics.roc_auc_score else float(wrong[index].mean() or np.nan)
        return float(metric(wrong[index], score[index]))

    everything = np.arange(len(speaker))
    draw_items = [drawn(speaker, weight) for weight in draws.weights]
    for statistic, metric in (
        (roc_auc_of_counts, metrics.roc_auc_score),
        (pr_auc_of_counts, metrics.average_precision_score),
    ):
        found = ranking.estimate(statistic, draws)
        check(found, oracle(metric, everything), [oracle(metric, index) for index in draw_items])


@settings(max_examples=20, deadline=None)
@given(problems())
def test_the_best_threshold_has_the_highest_f1_of_all(problem) -> None:
    speaker, truth, score, draws = problem
    wrong = truth < 0.75
    best = best_f1_threshold(Ranking.of(wrong, score, speaker, draws.speakers))
    f1 = {t: metrics.f1_score(wrong, score >= t, zero_division=0) for t in np.unique(score)}
    assert f1[best] == pytest.approx(max(f1.values()))
    assert all(value < f1[best] - 1e-12 for t, value in f1.items() if t > best)


def test_a_constant_has_no_correlation_but_an_error() -> None:
    speaker, truth = np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 2.0, 2.0])
    draws = Draws.of(2, draws=50)
    flat = np.full(4, 0.1 + 0.2)
    assert estimate_pcc(truth, flat, speaker, draws).value is None
    assert estimate_scc(truth, flat, speaker, draws).value is None
    assert estimate_mse(truth, flat, speaker, draws).value == pytest.approx(float(np.square(truth - 0.3).mean()))


def test_one_speaker_has_no_interval() -> None:
    found = estimate_pcc(np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 1.0]), np.zeros(3, dtype=int), Draws.of(1))
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (None, None)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Speakers differ in their means, so an interval over items would be far too narrow."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(40), 20)
    covered = 0
    for trial in range(60):
        own = rng.normal(size=40)[speaker]
        truth, predicted = own + rng.normal(size=800), own + rng.normal(size=800)
        found = estimate_pcc(truth, predicted, speaker, Draws.of(40, draws=200, seed=trial))
        covered += found.low <= 0.5 <= found.high
    assert 50 <= covered <= 60


def test_draws_repeat_and_hold_every_speaker_s_share() -> None:
    draws = Draws.of(7, draws=300, seed=3)
    assert (draws.weights == Draws.of(7, draws=300, seed=3).weights).all()
    assert (draws.weights.sum(axis=1) == 7).all()
    assert draws.weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.2)
