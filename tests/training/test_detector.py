"""Detector and thresholds of a scorer run, on data whose answers are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.diagnosis import detector_inputs
from elocute.evaluation import f1_at, roc_auc
from elocute.scorer import PHONE_FEATURES, Features, analyse
from elocute.training import detector as module
from elocute.training.detector import (
    FIRST_HEARD,
    LEAST_OMISSION_NATS,
    best_threshold,
    detector_inputs_of,
    fit_detector,
    fit_logistic,
    omission_threshold,
)
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import Heldout, ScoredFeatures
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


# --- words left out --------------------------------------------------------------------------------------------

TEXTS = [
    [["DH", "AH"], ["B", "L", "AE", "K"], ["HH", "AE", "T"]],
    [["W", "IY"], ["K", "AO", "L"], ["IH", "T"], ["B", "EH", "R"]],
    [["AY"], ["S", "IY"], ["SH", "IY", "P"]],
]
OTHERS = [["F", "UH", "L"], ["G", "OW"], ["OW", "V", "ER"]]


def row(number: int, words: Sequence[Sequence[str]], scores: Sequence[float]) -> ScoredFeatures:
    """An utterance of which people scored each word and its phones alike; the text of its number was said."""
    symbols = [phone for word in words for phone in word]
    ids = np.repeat(np.arange(len(words)), [len(word) for word in words])
    said = [phone for word in TEXTS[number % 3] for phone in word]
    return ScoredFeatures(
        id=str(number),
        speaker="0001",
        is_child=False,
        features=analyse(heard(said), symbols, ids.tolist(), recording(2.0)).features,
        phone=np.array(scores)[ids],
        word=np.column_stack([5 * np.array(scores)] * 3),
        utterance=np.zeros(4),
    )


def guess(row: ScoredFeatures, score: float | None = None) -> Predicted:
    """People's own scores, or one for all."""
    phone = row.phone if score is None else np.full(len(row.phone), score)
    return Predicted(phone=phone, word=row.word, utterance=row.utterance, error=np.zeros(len(row.phone)))


Table = list[ScoredFeatures]


@pytest.fixture(scope="module")
def texts() -> tuple[Table, Table, dict[str, Heldout]]:
    """Texts as they were said, with one word more that nobody said, and what was heard."""
    said, inserted = [], []
    for number in range(24):
        words = TEXTS[number % 3]
        place = number % (len(words) + 1)
        said.append(row(number, words, [2.0] * len(words)))
        longer = [*words[:place], OTHERS[number % 2], *words[place:]]
        inserted.append(row(number, longer, [0.0 if w == place else 2.0 for w in range(len(longer))]))
    nothing = np.zeros((0, 43), np.float32)
    spoken = [heard([phone for word in words for phone in word]).log_probs for words in TEXTS]
    return said, inserted, {r.id: Heldout(log_probs=spoken[int(r.id) % 3], ratings=nothing) for r in said}


def test_inserted_words_are_found_and_said_words_kept(texts: tuple[Table, Table, dict[str, Heldout]]):
    said, inserted, everything = texts
    nats, facts = omission_threshold(
        (said, [guess(one) for one in said]), (inserted, [guess(one) for one in inserted]), everything
    )
    assert nats == facts["threshold_nats_per_phone"] == LEAST_OMISSION_NATS  # no said word comes near
    assert facts["false_alarms_on_said_words"] == 0.0
    assert facts["planted_words_found"] == 1.0
    assert facts["said_words"] == sum(len(one.word) for one in said)
    assert facts["planted_words"] == 24


def test_inserted_words_that_the_scorer_likes_are_not_found(texts: tuple[Table, Table, dict[str, Heldout]]):
    said, inserted, everything = texts
    liked = inserted[:6]
    guesses = [guess(one, 2.0 if one in liked else None) for one in inserted]
    _, facts = omission_threshold((said, [guess(one) for one in said]), (inserted, guesses), everything)
    assert facts["planted_words_found"] == pytest.approx(18 / 24)


def test_the_threshold_lies_above_disliked_words_that_were_said_after_all(
    texts: tuple[Table, Table, dict[str, Heldout]], monkeypatch: pytest.MonkeyPatch
):
    """Inserted words taken for said ones: the threshold rises until the share of false alarms is kept."""
    _, inserted, everything = texts
    guesses = [guess(one) for one in inserted]
    spoken = [replace(one, word=np.full((len(one.word), 3), 10.0)) for one in inserted]
    monkeypatch.setattr(module, "OMISSION_FALSE_ALARMS", 0.0)
    nats, facts = omission_threshold((spoken, guesses), (inserted, guesses), everything)
    assert nats > 2 * LEAST_OMISSION_NATS
    assert facts["false_alarms_on_said_words"] <= 0.02  # the threshold is rounded, perhaps below the highest
    monkeypatch.setattr(module, "OMISSION_FALSE_ALARMS", 0.1)
    lower, facts = omission_threshold((spoken, guesses), (inserted, guesses), everything)
    assert LEAST_OMISSION_NATS < lower < nats
    assert facts["false_alarms_on_said_words"] == pytest.approx(0.1, abs=0.03)


def test_words_that_people_missed_too_are_no_false_alarms(texts: tuple[Table, Table, dict[str, Heldout]]):
    """Of the text as it stands, a word that nobody said counts neither way where people scored it so."""
    _, inserted, everything = texts
    guesses = [guess(one) for one in inserted]
    nats, facts = omission_threshold((inserted, guesses), (inserted, guesses), everything)
    assert nats == LEAST_OMISSION_NATS
    assert facts["said_words"] == sum(len(one.word) - 1 for one in inserted)
    assert facts["false_alarms_on_said_words"] == 0.0


# --- wrong phones ----------------------------------------------------------------------------------------------


def scored_rows(rng: np.random.Generator, count: int, is_planted: bool) -> tuple[list[ScoredFeatures], list[Predicted]]:
    """Utterances of ten phones whose lattice posterior, score and log-odds all tell wrong from right, with noise."""
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
        odds = np.where(wrong, 0.0, -3.0) + rng.normal(0, 1.0, 10)
        predicted.append(Predicted(phone=score, word=np.zeros((1, 3)), utterance=np.zeros(4), error=odds))
    return rows, predicted


FOLD_OF = {str(speaker): speaker % 5 for speaker in range(20)}


def test_the_detector_is_calibrated_and_spares_what_is_well_said():
    rng = np.random.default_rng(5)
    rows, predicted = scored_rows(rng, 800, False)
    detector, metrics, stated = fit_detector((rows, predicted), scored_rows(rng, 80, True), FOLD_OF, 7.0)
    assert metrics["roc_auc"] > 0.98
    assert metrics["expected_calibration_error"] < 0.02
    assert metrics["shipped_point"]["flagged_of_well_said"] < 0.02
    assert metrics["shipped_point"]["f1"] > 0.85
    assert metrics["shipped_point"]["f1"] == pytest.approx(metrics["best_f1_point"]["f1"], abs=0.01)
    assert detector.omission_nats_per_phone == 7.0
    assert len(detector.weights) == 5
    low, high = detector.probability(
        detector_inputs(np.array([0.3, 0.95]), np.array([1.0, -4.0]), np.array([-8.0, 0.0]))
    )
    assert low > detector.threshold > high
    assert [len(one) for one in stated] == [10] * 800
    wrong = np.concatenate([row.phone for row in rows]) < 0.5
    assert roc_auc(wrong, np.concatenate(stated)) == pytest.approx(metrics["roc_auc"], abs=1e-4)
    inputs = np.concatenate([detector_inputs_of(*one) for one in zip(rows, predicted, strict=True)])
    assert detector.threshold == best_threshold(wrong, detector.probability(inputs))


def test_stated_probabilities_of_a_fold_do_not_depend_on_its_scores():
    """With one fold's scores turned around, what is stated of it stays and what is stated of the others moves."""
    rng = np.random.default_rng(6)
    rows, predicted = scored_rows(rng, 100, False)
    planted = scored_rows(rng, 10, True)
    is_first = np.array([FOLD_OF[row.speaker] == 0 for row in rows])
    turned = [
        ScoredFeatures(
            id=row.id,
            speaker=row.speaker,
            is_child=False,
            features=row.features,
            phone=2.0 - row.phone if first else row.phone,
            word=row.word,
            utterance=row.utterance,
        )
        for row, first in zip(rows, is_first, strict=True)
    ]
    before = np.stack(fit_detector((rows, predicted), planted, FOLD_OF, 7.0)[2])
    after = np.stack(fit_detector((turned, predicted), planted, FOLD_OF, 7.0)[2])
    np.testing.assert_array_equal(before[is_first], after[is_first])
    assert np.abs(before - after)[~is_first].max() > 0.1


def test_inputs_of_a_row_are_its_posterior_score_and_log_odds():
    (row,), (predicted,) = scored_rows(np.random.default_rng(7), 1, False)
    row.features.phone[:, FIRST_HEARD] = -np.arange(10)
    expected = detector_inputs(predicted.phone / 2, predicted.error, -np.arange(10.0))
    np.testing.assert_allclose(detector_inputs_of(row, predicted), expected)


@settings(max_examples=50, deadline=None)
@given(
    answers=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=30).filter(
        lambda answers: any(wrong for wrong, _ in answers)
    )
)
def test_no_threshold_is_better_than_the_best(answers: list[tuple[bool, float]]):
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
