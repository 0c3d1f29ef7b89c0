"""Detector and thresholds of a scorer run, on data whose answers are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.diagnosis import detector_inputs, own_posterior
from elocute.evaluation import f1_at
from elocute.evaluation.operating import (
    LEAST_RECALL,
    MARGIN,
    PRECISIONS,
    best_threshold,
    fit_logistic,
    threshold_of_precision,
)
from elocute.gop import said_posterior
from elocute.gop.confusions import learned_prior
from elocute.phones import PHONES
from elocute.scorer import analyse
from elocute.training.detector import EVIDENCE, WELL_SAID, Judged, detector_inputs_of, fit_detector, judge
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import PHONE_SET, ScoredFeatures, held_out
from elocute.types import Posteriors
from planted import heard, recording


def test_logistic_regression_finds_planted_weights():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40_000, 3))
    odds = -1.0 + inputs @ np.array([2.0, -1.0, 0.0])
    positive = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    bias, weights = fit_logistic(inputs, positive)
    assert bias == pytest.approx(-1.0, abs=0.06)
    assert weights == pytest.approx((2.0, -1.0, 0.0), abs=0.06)


def test_logistic_regression_is_calibrated_on_its_own_data():
    """At the optimum the stated probabilities sum to the number of positives, whatever the inputs are."""
    rng = np.random.default_rng(1)
    inputs, positive = rng.normal(size=(500, 2)), rng.random(500) < 0.2
    bias, weights = fit_logistic(inputs, positive)
    stated = 1 / (1 + np.exp(-(bias + inputs @ np.array(weights))))
    assert stated.sum() == pytest.approx(positive.sum(), rel=1e-6)


# --- evidence --------------------------------------------------------------------------------------------------


def utterance(
    name: str, speaker: str, canonical: Sequence[str], said: Sequence[str], scores: Sequence[float]
) -> tuple[ScoredFeatures, Predicted, Posteriors]:
    """An utterance as people scored it, what was predicted of it, and what was heard."""
    posteriors = heard(said, certainty=0.999)
    row = ScoredFeatures(
        id=name,
        speaker=speaker,
        is_child=False,
        features=analyse(posteriors, canonical, [0] * len(canonical), recording(2.0)).features,
        phone=np.array(scores),
        word=np.zeros((1, 3)),
        utterance=np.zeros(4),
    )
    predicted = Predicted(
        phone=np.linspace(0.2, 2.0, len(canonical)),
        word=row.word,
        utterance=row.utterance,
        error=np.linspace(3.0, -4.0, len(canonical)),
    )
    return row, predicted, held_out(posteriors.log_probs)


def test_inputs_are_log_odds_score_and_what_the_edit_lattice_hears():
    row, predicted, listened = utterance("a", "1", ["S", "IY", "T"], ["S", "IH", "T"], [2.0, 0.0, 2.0])
    found = detector_inputs_of(row, predicted, listened)
    ids = np.array([PHONES.index(phone) for phone in ("S", "IY", "T")])
    own = own_posterior(said_posterior(listened.log_probs, ids, PHONE_SET, learned_prior()), ids)
    np.testing.assert_allclose(found, detector_inputs(predicted.phone / 2, predicted.error, own))
    assert found[1, 2] < -2.0 < -0.1 < found[0, 2]
    with pytest.raises(AssertionError, match="log-odds"):
        detector_inputs_of(row, replace(predicted, error=None), listened)


def test_all_phones_are_judged_with_their_speakers_and_folds():
    every = [
        utterance("a", "1", ["S", "IY", "T"], ["S", "IH", "T"], [2.0, 0.4, WELL_SAID]),
        utterance("b", "2", ["K", "AE"], ["K", "AE"], [0.5, 1.79]),
    ]
    rows, predicted, _ = map(list, zip(*every, strict=True))
    judged = judge(rows, predicted, {row.id: listened for row, _, listened in every}, {"1": 3, "2": 0})
    assert judged.is_wrong.tolist() == [False, True, False, False, False]  # 0.5 of 2 is not below 0.5
    assert judged.is_good.tolist() == [True, False, True, False, False]
    assert judged.fold.tolist() == [3, 3, 3, 0, 0]
    assert judged.speakers == ["1", "1", "1", "2", "2"]
    expected = [detector_inputs_of(*one) @ np.array(EVIDENCE) for one in every]
    np.testing.assert_allclose(judged.evidence, np.concatenate(expected))


# --- the fit ---------------------------------------------------------------------------------------------------


def judged_phones(count: int, seed: int, scale: float = 1.5, bias: float = -4.0) -> Judged:
    """Phones that are wrong with the probability that their evidence says, scaled and shifted."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0.0, 2.0, count)
    wrong = rng.random(count) < 1 / (1 + np.exp(-(bias + scale * evidence)))
    speakers = rng.integers(0, 20, count)
    return Judged(
        evidence=evidence,
        is_wrong=wrong,
        is_good=~wrong & (rng.random(count) < 0.8),
        fold=speakers % 5,
        speakers=[str(speaker) for speaker in speakers],
    )


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judged_phones(20_000, 0)


def test_only_scale_and_bias_are_fitted(judged: Judged):
    detector, metrics = fit_detector(judged)
    assert detector.bias == pytest.approx(-4.0, abs=0.25)
    np.testing.assert_allclose(np.array(detector.weights) / np.array(EVIDENCE), detector.weights[0] / EVIDENCE[0])
    assert detector.weights[0] / EVIDENCE[0] == pytest.approx(1.5, abs=0.1)
    assert metrics["expected_calibration_error"] < 0.01
    assert metrics["positives"].endswith(f"{int(judged.is_wrong.sum())} of 20000")
    low, high = metrics["roc_auc_95"]
    assert low < metrics["roc_auc"] < high


def test_each_sensitivity_has_its_precision_and_the_next_threshold_more_recall(judged: Judged):
    detector, metrics = fit_detector(judged)
    assert list(detector.thresholds) == sorted(detector.thresholds, reverse=True)
    stated = 1 / (1 + np.exp(-(detector.bias + detector.weights[0] / EVIDENCE[0] * judged.evidence)))
    points = metrics["sensitivity"]
    for name, wanted in zip(("low", "normal"), PRECISIONS, strict=True):
        assert wanted + MARGIN <= points[name]["precision"] + 1e-4 < wanted + MARGIN + 0.02
    assert points["low"]["recall"] < points["normal"]["recall"] < points["high"]["recall"]
    for name, point in points.items():
        flagged = stated >= detector.flagged_from(name)
        assert point["precision"] == pytest.approx(judged.is_wrong[flagged].mean(), abs=1e-4)
        assert point["recall"] == pytest.approx(flagged[judged.is_wrong].mean(), abs=1e-4)
        assert point["flagged_of_well_said"] == pytest.approx(flagged[judged.is_good].mean(), abs=1e-4)
        doubted = stated >= detector.unsure_from(name)
        assert metrics["flagged_or_unsure"][name]["recall"] == pytest.approx(doubted[judged.is_wrong].mean(), abs=1e-4)
    assert metrics["flagged_or_unsure"]["high"]["recall"] == pytest.approx(LEAST_RECALL, abs=0.01)
    assert points["high"]["f1"] == pytest.approx(max(point["f1"] for point in points.values()))


def test_what_is_measured_across_folds_does_not_depend_on_the_fold_s_own_verdicts(judged: Judged):
    """One speaker fold gets verdicts by lot; a detector that had seen them would state less there."""
    across = fit_detector(judged)[1]["fitted_on_the_other_folds"]
    assert across["normal"]["precision"] == pytest.approx(PRECISIONS[1], abs=0.04)
    assert across["expected_calibration_error"] < 0.02
    rng = np.random.default_rng(1)
    noise = np.where(judged.fold == 0, rng.random(len(judged.fold)) < 0.5, judged.is_wrong)
    detector, metrics = fit_detector(replace(judged, is_wrong=noise))
    own = fit_detector(replace(judged, is_wrong=np.where(judged.fold == 0, ~judged.is_wrong, judged.is_wrong)))[1]
    assert metrics["fitted_on_the_other_folds"]["expected_calibration_error"] > metrics["expected_calibration_error"]
    assert own["fitted_on_the_other_folds"]["roc_auc"] < across["roc_auc"]
    assert detector.weights[0] < fit_detector(judged)[0].weights[0]


# --- thresholds ------------------------------------------------------------------------------------------------

Answers = list[tuple[bool, float]]
answers_of = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=30).filter(
    lambda answers: any(wrong for wrong, _ in answers)
)


@settings(max_examples=100, deadline=None)
@given(
    verdicts=st.dictionaries(st.integers(0, 100), st.booleans(), min_size=1, max_size=30),
    precision=st.sampled_from([0.3, 0.5, 0.7, 1.0]),
)
def test_no_lower_threshold_has_the_precision(verdicts: dict[int, bool], precision: float):
    wrong, probability = np.array(list(verdicts.values())), np.array(list(verdicts)) / 100
    found = threshold_of_precision(wrong, probability, precision)
    assert round(found, 3) == found

    def precision_at(threshold: float) -> float:
        flagged = probability >= threshold
        return float(wrong[flagged].mean()) if flagged.any() else 0.0

    reaching = [p for p in probability.tolist() if precision_at(p) >= precision]
    assert found == (min(reaching) if reaching else 1.001)


def test_where_nothing_is_precise_enough_nothing_is_flagged():
    assert threshold_of_precision(np.array([False, True]), np.array([0.9, 0.2]), 0.7) > 1.0


def test_a_threshold_is_rounded_away_from_what_would_cost_precision():
    probability = np.array([0.9, 0.80049, 0.80041])
    found = threshold_of_precision(np.array([True, True, False]), probability, 1.0)
    assert probability[2] < found


@settings(max_examples=50, deadline=None)
@given(answers=answers_of)
def test_no_threshold_is_better_than_the_best(answers: Answers):
    wrong, probability = np.array([w for w, _ in answers]), np.array([p for _, p in answers])

    def f1(threshold: float) -> float:
        hits = (wrong & (probability >= threshold)).sum()
        return 2 * hits / (wrong.sum() + (probability >= threshold).sum())

    found = best_threshold(wrong, probability)
    assert round(found, 2) == found
    assert f1(found) == max(f1(k / 100) for k in range(2, 91))
    assert f1_at(wrong, probability, found).f1 == pytest.approx(f1(found))


def test_the_best_threshold_parts_what_can_be_parted():
    probability = np.array([0.05, 0.1, 0.2, 0.6, 0.7, 0.9])
    assert best_threshold(probability > 0.5, probability) == 0.21
