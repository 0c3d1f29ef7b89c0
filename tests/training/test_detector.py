"""Detector and thresholds of a scorer run, on data whose answers are known."""

import math
from pathlib import Path

import numpy as np
import pytest

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.training.detector import LEAST_OMISSION_NATS, fit_logistic, omission_threshold, precise_threshold
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


def test_the_threshold_is_the_lowest_that_is_precise_enough():
    stated = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    wrong = np.array([False, False, False, True, False, True, True, True])
    found = precise_threshold(wrong, stated)
    assert 0.4 < found.threshold <= 0.5  # 4 of 5
    assert found.precision == pytest.approx(0.8)
    assert found.recall == 1.0


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
    posteriors = {u.id: heard(u.phones).log_probs for u in utterances}
    nats, facts = omission_threshold(utterances, posteriors)
    assert nats >= LEAST_OMISSION_NATS
    assert math.isclose(nats, facts["threshold_nats_per_phone"])
    assert facts["false_alarms_on_said_words"] == 0.0
    assert facts["planted_words_found"] > 0.7
    assert facts["said_words"] == sum(len(u.words) for u in utterances)
    assert facts["planted_words"] == 48
