"""Out-of-fold predictions: what was planted is what is stored, and what a report says is what is stored."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elocute import assessor as assessor_module
from elocute.acoustic.fake import PlantedBackend
from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.diagnosis import OMITTED_BELOW, Detector
from elocute.evaluation.assessing import NOTHING_HEARD, prediction_from_report
from elocute.evaluation.predictions import Prediction, read_predictions, write_predictions
from elocute.phones import PHONES
from elocute.scorer import Features, analyse
from elocute.scorer.embedded import Scores
from elocute.scorer.features import NO_RATING
from elocute.training.detector import detector_inputs_of
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import Heldout, ScoredFeatures
from elocute.training.scorer_predictions import prediction_of, provenance
from elocute.training.scorer_run import ScorerRun
from elocute.types import Posteriors
from planted import heard, recording

WORDS = [["DH", "AH"], ["B", "L", "AE", "K"], ["HH", "AE", "T"]]
TEXT = [phone for word in WORDS for phone in word]
WORD_IDS = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
DETECTOR = Detector(bias=5.0, weights=(-8.0, 0.0, -1.0, 0.0, 1.0), threshold=0.5, omission_nats_per_phone=3.0)
SURE = np.full(len(TEXT), 0.1)


def row_of(posteriors: Posteriors) -> ScoredFeatures:
    """The utterance, heard like this; what people scored does not matter."""
    return ScoredFeatures(
        id="1",
        speaker="1",
        is_child=False,
        features=analyse(posteriors, TEXT, WORD_IDS.tolist(), recording(2.0)).features,
        phone=np.zeros(len(TEXT)),
        word=np.zeros((3, 3)),
        utterance=np.zeros(4),
    )


def predicted_of(phone: np.ndarray | None = None, error: np.ndarray | None = None) -> Predicted:
    return Predicted(
        phone=np.linspace(1.6, 2.0, len(TEXT)) if phone is None else phone,
        word=np.array([[8.0, 10.0, 7.5], [6.0, 9.5, 6.5], [5.0, 9.0, 4.0]]),
        utterance=np.array([8.0, 7.0, 6.0, 5.0]),
        error=np.full(len(TEXT), -4.0) if error is None else error,
    )


def stored(said: list[str], stated: np.ndarray = SURE, phone: np.ndarray | None = None) -> Prediction:
    posteriors = heard(said)
    listened = Heldout(log_probs=posteriors.log_probs, ratings=np.zeros((0, 43), np.float32))
    return prediction_of(row_of(posteriors), predicted_of(phone), stated, listened, DETECTOR)


def at(place: int) -> np.ndarray:
    """Probabilities that flag one phone."""
    return np.where(np.arange(len(TEXT)) == place, 0.9, 0.1)


def test_what_is_said_right_is_stored_as_it_was_scored():
    found, scores = stored(TEXT), predicted_of()
    assert (found.id, found.reason, list(found.omitted)) == ("1", None, [])
    assert found.phone == scores.phone.tolist()
    assert found.word == [tuple(word) for word in scores.word.tolist()]
    assert found.utterance == {"accuracy": 8.0, "completeness": 10.0, "fluency": 7.0, "prosodic": 6.0, "total": 5.0}
    assert found.heard == TEXT
    assert list(found.perceived or ()) == TEXT
    assert found.phone_error == SURE.tolist()


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_a_wrong_phone_is_named_where_it_is_flagged(place: int):
    said = [*TEXT[:place], "SH", *TEXT[place + 1 :]]
    found = stored(said, at(place))
    assert found.heard == list(found.perceived or ()) == said
    assert found.phone_error == at(place).tolist()
    assert found.phone == predicted_of().phone.tolist()  # a flag changes no score
    assert stored(said).heard == TEXT


def test_the_threshold_is_the_first_probability_that_is_flagged():
    said = [*TEXT[:3], "R", *TEXT[4:]]
    for probability, expected in ((0.5, "R"), (0.4999, "L")):
        assert (stored(said, np.where(at(3) > 0.5, probability, 0.1)).heard or [])[3] == expected


@pytest.mark.parametrize("place", [1, 4, 8])
def test_a_phone_that_was_not_said_is_stored_as_nothing(place: int):
    found = stored(TEXT[:place] + TEXT[place + 1 :], at(place))
    assert found.heard == [*TEXT[:place], None, *TEXT[place + 1 :]]
    assert list(found.omitted) == []


def test_a_phone_that_was_said_badly_is_stored_as_itself():
    assert stored(TEXT, at(4)).heard == TEXT


@pytest.mark.parametrize("word", [0, 1, 2])
def test_a_word_left_out_scores_nothing_and_lowers_completeness(word: int):
    gone = word == WORD_IDS
    said = [phone for phone, is_gone in zip(TEXT, gone, strict=True) if not is_gone]
    phone = np.where(gone, 2 * OMITTED_BELOW - 0.1, 1.9)
    found, scores = stored(said, at(0), phone), predicted_of()
    assert list(found.omitted) == [word]
    assert found.phone == np.where(gone, 0.0, 1.9).tolist()
    assert found.word == [
        (0.0, None, 0.0) if number == word else tuple(scores.word[number].tolist()) for number in range(3)
    ]
    assert found.utterance == pytest.approx(
        {"accuracy": 8.0, "completeness": 20 / 3, "fluency": 7.0, "prosodic": 6.0, "total": 10 / 3}
    )
    assert found.heard == [None if is_gone else symbol for symbol, is_gone in zip(TEXT, gone, strict=True)]
    assert list(found.perceived or ()) == said


@pytest.mark.parametrize("score", [2 * OMITTED_BELOW + 0.1, 2.0])
def test_a_word_that_the_scorer_likes_was_said(score: float):
    found = stored(TEXT[:2] + TEXT[6:], phone=np.where(WORD_IDS == 1, score, 1.9))
    assert list(found.omitted) == []
    assert (found.utterance or {})["completeness"] == 10.0


@pytest.mark.parametrize("said", [[], ["SH", "OY", "ZH", "UW", "G"]])
def test_where_hardly_anything_was_heard_there_is_a_reason_and_no_score(said: list[str]):
    """As where there was nothing but noise, and where another text was read."""
    found = stored(said)
    assert found.reason == NOTHING_HEARD
    assert not found.is_scored
    assert (found.word, found.utterance, found.phone_error, found.heard) == (None, None, None, None)
    assert list(found.perceived or ()) == said


def test_predictions_can_be_stored_with_where_they_come_from(tmp_path: Path):
    config = ScorerRun(speechocean=Path("corpus"), heldout=Path("heldout"), out=tmp_path)
    header = provenance(config, DETECTOR, "abc123")
    for place, said in enumerate((TEXT, TEXT[:2] + TEXT[6:], [])):
        write_predictions(tmp_path / f"{place}.jsonl.gz", header, [stored(said, phone=np.full(len(TEXT), 0.9))])
        found = read_predictions(tmp_path / f"{place}.jsonl.gz")
        assert found.threshold == DETECTOR.threshold
        assert found.provenance == json.loads(json.dumps(header))
        assert [one.is_scored for one in found.utterances] == [bool(said)]
    assert header["members"] == [asdict(member) for member in config.members]
    assert (header["folds"], header["fold_seed"], header["commit"]) == (config.folds, config.fold_seed, "abc123")
    assert "corpus" not in json.dumps(header)  # no path of the machine


# --- the same as the report ------------------------------------------------------------------------------------


def scorer_that_says(predicted: Predicted) -> Any:
    """In place of the shipped scorer."""

    class Fixed:
        name, version = "fixed", "0"
        card = {"detector": asdict(DETECTOR)}

        def score(self, features: Features) -> Scores:
            assert predicted.error is not None
            return Scores(
                phone=predicted.phone / 2,
                error_log_odds=predicted.error,
                word_accuracy=predicted.word[:, 0] / 10,
                word_stress=predicted.word[:, 1] / 10,
                word_total=predicted.word[:, 2] / 10,
                **{
                    name: float(score) / 10
                    for name, score in zip(
                        ("accuracy", "fluency", "prosodic", "total"), predicted.utterance, strict=True
                    )
                },
            )

    return Fixed


@pytest.mark.parametrize(
    ("said", "low"),
    [
        (TEXT, ()),
        (TEXT, (4,)),
        ([*TEXT[:4], "IY", *TEXT[5:]], (4,)),
        ([*TEXT[:4], "IY", *TEXT[5:]], (4, 7)),
        (TEXT[:8], (8,)),
        (TEXT[:2] + TEXT[6:], (2, 3, 4, 5)),
        (TEXT[:2] + TEXT[6:], (2, 3)),
        (TEXT[2:], (0, 1, 8)),
        (["SH", "OY", "ZH"], range(9)),
    ],
)
def test_what_is_stored_is_what_a_report_says(said: list[str], low: tuple[int, ...], monkeypatch: pytest.MonkeyPatch):
    """The same posteriors and scores, once through the assessor and once through the table of training."""
    is_low = np.isin(np.arange(len(TEXT)), low)
    predicted = predicted_of(np.where(is_low, 0.4, 1.9), np.where(is_low, 2.0, -4.0))
    monkeypatch.setattr(assessor_module, "EmbeddedScorer", scorer_that_says(predicted))
    backend, audio = PlantedBackend(PHONES, said), recording(2.0)
    assessor = Assessor(AssessorConfig(variants=False), backend=backend)
    report = assessor.assess(audio, "the black hat", pronunciations=WORDS)
    expected = prediction_from_report("1", report, tuple(said))

    posteriors = backend.posteriors(audio)
    ratings = np.full((len(posteriors.log_probs), 43), NO_RATING, np.float32)
    row = row_of(posteriors)
    stated = DETECTOR.probability(detector_inputs_of(row, predicted))
    found = prediction_of(row, predicted, stated, Heldout(log_probs=posteriors.log_probs, ratings=ratings), DETECTOR)

    for name in ("id", "omitted", "perceived", "heard", "reason"):
        assert getattr(found, name) == getattr(expected, name), name
    if expected.phone is None:
        assert not found.is_scored
        return
    assert found.phone == pytest.approx(expected.phone, abs=0.001 + 1e-9)  # reports round to a tenth of a percent
    assert found.phone_error == pytest.approx(expected.phone_error, abs=1e-4)
    assert found.utterance == pytest.approx(expected.utterance, abs=0.005 + 1e-9)
    assert found.word is not None
    assert expected.word is not None
    for ours, theirs in zip(found.word, expected.word, strict=True):
        assert [score is None for score in ours] == [score is None for score in theirs]
        assert [score or 0.0 for score in ours] == pytest.approx([score or 0.0 for score in theirs], abs=0.005 + 1e-9)
