"""Detector and thresholds of a scorer run, on data whose answers are known."""

import math
from pathlib import Path

import numpy as np
import pytest

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.diagnosis import detector_inputs
from elocute.scorer import PHONE_FEATURES, Features
from elocute.training.detector import (
    FALSE_ALARMS,
    FIRST_HEARD,
    LEAST_OMISSION_NATS,
    fit_detector,
    fit_logistic,
    omission_threshold,
)
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import Heldout, ScoredFeatures
from planted import heard


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


def spoken(number: int, words: list[list[str]]) -> ScoredUtterance:
    score = {"accuracy": 10.0, "stress": 10.0, "total": 10.0}
    return ScoredUtterance(
        id=str(number),
        speaker="0001",
        gender="f",
        age=30,
        audio=Path("none.wav"),
        text="",
        words=tuple(
            ScoredWord(text="", phones=tuple(word), phone_accuracy=(2.0,) * len(word), **score) for word in words
        ),
        completeness=10.0,
        fluency=10.0,
        prosodic=10.0,
        **{name: 10.0 for name in ("accuracy", "total")},
    )


def test_planted_words_are_found_and_said_words_kept():
    texts = [
        [["DH", "AH"], ["B", "L", "AE", "K"], ["HH", "AE", "T"]],
        [["W", "IY"], ["K", "AO", "L"], ["IH", "T"], ["B", "EH", "R"]],
        [["AY"], ["S", "IY"], ["SH", "IY", "P"]],
    ]
    utterances = [spoken(number, texts[number % 3]) for number in range(48)]
    everything = {
        u.id: Heldout(log_probs=heard(u.phones).log_probs, ratings=np.zeros((0, 43), np.float32)) for u in utterances
    }
    nats, facts = omission_threshold(utterances, everything)
    assert nats >= LEAST_OMISSION_NATS
    assert math.isclose(nats, facts["threshold_nats_per_phone"])
    assert facts["false_alarms_on_said_words"] == 0.0
    assert facts["planted_words_found"] > 0.7
    assert facts["said_words"] == sum(len(u.words) for u in utterances)
    assert facts["planted_words"] == 48


def scored_rows(rng: np.random.Generator, count: int, is_planted: bool) -> tuple[list[ScoredFeatures], list[Predicted]]:
    """Utterances of ten phones whose lattice posterior and predicted score both tell wrong from right, with noise."""
    rows, predicted = [], []
    for number in range(count):
        wrong = rng.random(10) < (0.3 if is_planted else 0.1)
        features = np.zeros((10, len(PHONE_FEATURES)), np.float32)
        features[:, FIRST_HEARD] = np.where(wrong, -5.0, -0.2) + rng.normal(0, 1.5, 10)
        rows.append(
            ScoredFeatures(
                id=str(number),
                speaker=str(number % 20),
                is_child=False,
                features=Features(
                    phone=features,
                    utterance=np.zeros(1, np.float32),
                    phone_ids=np.zeros(10, np.int64),
                    word_ids=np.zeros(10, np.int64),
                ),
                phone=np.where(wrong, 0.0, 2.0),
                word=np.zeros((1, 3)),
                utterance=np.zeros(4),
                is_planted=is_planted,
            )
        )
        score = np.clip(np.where(wrong, 0.8, 1.9) + rng.normal(0, 0.3, 10), 0, 2)
        predicted.append(Predicted(phone=score, word=np.zeros((1, 3)), utterance=np.zeros(4)))
    return rows, predicted


def test_the_detector_is_calibrated_and_spares_what_is_well_said():
    rng = np.random.default_rng(5)
    fold_of = {str(speaker): speaker % 5 for speaker in range(20)}
    detector, metrics = fit_detector(scored_rows(rng, 800, False), scored_rows(rng, 80, True), fold_of, 7.0)
    assert metrics["roc_auc"] > 0.97
    assert metrics["expected_calibration_error"] < 0.02
    assert metrics["shipped_point"]["flagged_of_well_said"] == pytest.approx(FALSE_ALARMS, abs=0.006)
    assert metrics["shipped_point"]["recall"] > 0.6
    assert detector.omission_nats_per_phone == 7.0
    low, high = detector.probability(detector_inputs(np.array([0.3, 0.95]), np.array([-8.0, 0.0])))
    assert low > detector.threshold > high
