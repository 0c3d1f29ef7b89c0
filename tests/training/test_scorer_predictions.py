"""Out-of-fold predictions: what is stored is what a report says that was written without the speaker."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.diagnosis import Detector
from elocute.evaluation.assessing import prediction_from_report
from elocute.evaluation.predictions import Prediction, read_predictions, write_predictions
from elocute.phones import PHONES
from elocute.scorer import Features
from elocute.scorer.embedded import Scores
from elocute.training import scorer_predictions as module
from elocute.training.acoustic_model import FRAME_SHIFT_S
from elocute.training.scorer_data import PHONE_SET
from elocute.training.scorer_predictions import HeldoutBackend, predict_all, predict_utterance, provenance
from elocute.training.scorer_run import ScorerRun
from elocute.types import SAMPLE_RATE_HZ, Posteriors
from inline_pool import Inline
from planted import ListeningScorer, RatedBackend, recording

TEXT = "The black hat"
WORDS = [["DH", "AH"], ["B", "L", "AE", "K"], ["HH", "AE", "T"]]
PHONES_OF_TEXT = [phone for word in WORDS for phone in word]
DETECTOR = Detector(bias=0.0, weights=(1.0, 0.0, 0.0), thresholds=(0.8, 0.5, 0.3, 0.1))
SECONDS = 2.0


def listened(said: Sequence[str]) -> Posteriors:
    return RatedBackend(PHONES, said, frame_shift_s=FRAME_SHIFT_S, certainty=0.9999).posteriors(recording(SECONDS))


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "noise.wav"
    soundfile.write(path, recording(SECONDS).samples, SAMPLE_RATE_HZ)
    return path


def utterance(audio: Path, name: str = "1", speaker: str = "0001") -> ScoredUtterance:
    """What people scored does not matter."""
    words = tuple(
        ScoredWord(
            text=text.upper(),
            phones=tuple(phones),
            phone_accuracy=(2.0,) * len(phones),
            accuracy=10,
            stress=10,
            total=10,
            mispronunciations=(),
        )
        for text, phones in zip(TEXT.split(), WORDS, strict=True)
    )
    scores = {"accuracy": 9.0, "completeness": 10.0, "fluency": 9.0, "prosodic": 9.0, "total": 9.0}
    return ScoredUtterance(
        id=name, speaker=speaker, gender="f", age=20, audio=audio, text=TEXT.upper(), words=words, **scores
    )


def predicted(audio: Path, said: Sequence[str], scorer: Any = None) -> Prediction:
    found = predict_utterance(utterance(audio), listened(said), scorer or ListeningScorer(), DETECTOR)
    assert found.id == "1"
    return found


def test_what_was_held_out_is_heard_whatever_the_audio():
    held = listened(PHONES_OF_TEXT)
    backend = HeldoutBackend(held)
    for seconds in (0.5, 3.0):
        found = backend.posteriors(recording(seconds))
        assert found.log_probs is held.log_probs
        assert found.ratings is held.ratings
        assert (found.phone_set, found.frame_shift_s) == (PHONE_SET, FRAME_SHIFT_S)
    Assessor(backend=backend)  # its phones are the scorer's


def test_what_is_said_right_scores_well(audio: Path):
    found = predicted(audio, PHONES_OF_TEXT)
    assert (found.reason, list(found.omitted)) == (None, [])
    assert found.heard == PHONES_OF_TEXT
    assert list(found.perceived) == PHONES_OF_TEXT
    assert min(found.phone) > 1.9
    assert max(found.phone_error) < 0.1
    assert found.utterance["completeness"] == 10.0


@pytest.mark.parametrize("place", range(len(PHONES_OF_TEXT)))
def test_a_wrong_phone_is_named(audio: Path, place: int):
    said = [*PHONES_OF_TEXT[:place], "SH", *PHONES_OF_TEXT[place + 1 :]]
    found = predicted(audio, said)
    assert found.heard == list(found.perceived) == said
    assert int(np.argmin(found.phone)) == int(np.argmax(found.phone_error)) == place


@pytest.mark.parametrize("word", [0, 1, 2])
def test_a_word_left_out_scores_nothing_and_lowers_completeness(audio: Path, word: int):
    said = [phone for number, phones in enumerate(WORDS) for phone in phones if number != word]
    found = predicted(audio, said)
    assert list(found.omitted) == [word]
    assert tuple(found.word[word]) == (0.0, None, 0.0)
    assert found.utterance["completeness"] == pytest.approx(20 / 3, abs=0.01)
    assert [phone for phone in found.heard if phone] == said


def test_a_phone_that_was_added_is_kept_with_its_place(audio: Path):
    said = [*PHONES_OF_TEXT[:4], "OY", *PHONES_OF_TEXT[4:]]
    assert list(predicted(audio, said).inserted) == [(4, "OY")]


@pytest.mark.parametrize("said", [[], ["SH", "OY", "ZH", "UW", "G"]])
def test_where_hardly_anything_was_heard_there_is_a_reason_and_no_score(audio: Path, said: list[str]):
    found = predicted(audio, said)
    assert not found.is_scored
    assert found.reason.startswith(("hardly any", "the recording does not fit", "the recording sounds like noise"))
    assert (found.word, found.utterance, found.phone_error, found.heard) == (None, None, None, None)
    assert list(found.perceived) == said


def test_the_scorer_and_the_detector_are_those_that_are_given(audio: Path):
    class Half(ListeningScorer):
        def score(self, features: Features) -> Scores:
            scores = super().score(features)
            return replace(
                scores, phone=np.full(len(scores.phone), 0.5), error_log_odds=np.full(len(scores.phone), 0.2)
            )

    found = predicted(audio, PHONES_OF_TEXT, Half())
    assert found.phone == [1.0] * len(PHONES_OF_TEXT)
    assert found.phone_error == pytest.approx([1 / (1 + np.exp(-0.2))] * len(PHONES_OF_TEXT), abs=1e-4)


def test_what_is_stored_is_what_a_report_says(audio: Path):
    """On the corpus's canonical phones, which are not the lexicon's here, and its scales."""
    words = tuple(replace(word, phones=("D", "AH")) if word.text == "THE" else word for word in utterance(audio).words)
    said = ["D", "AH", *PHONES_OF_TEXT[2:8]]
    held = listened(said)
    found = predict_utterance(replace(utterance(audio), words=words), held, ListeningScorer(), DETECTOR)
    assessor = Assessor(
        AssessorConfig(scale=10), backend=HeldoutBackend(held), scorer=ListeningScorer(), detector=DETECTOR
    )
    report = assessor.assess(audio, TEXT, pronunciations=[["D", "AH"], *WORDS[1:]])
    assert found == prediction_from_report("1", report, tuple(said))
    assert found.heard[:2] == ["D", "AH"]


def test_every_utterance_is_predicted_by_the_scorer_without_its_speaker(audio: Path, monkeypatch: pytest.MonkeyPatch):
    """In their order, whatever the folds; more than one chunk a fold."""
    every = [utterance(audio, str(number), f"{number % 3:04d}") for number in range(60)]
    fold_of = {"0000": 0, "0001": 1, "0002": 0}
    asked: list[tuple[str, object, object, Detector]] = []

    def predict_one(one: ScoredUtterance, held: object, scorer: object, detector: Detector) -> Prediction:
        asked.append((one.id, held, scorer, detector))
        return Prediction(id=one.id, phone=None, word=None, utterance=None, reason="x")

    monkeypatch.setattr(module, "predict_utterance", predict_one)
    monkeypatch.setattr(module.concurrent.futures, "ProcessPoolExecutor", Inline)
    heard: dict[str, Any] = {one.id: f"heard in {one.id}" for one in every}
    scorers: dict[int, Any] = {0: "without fold 0", 1: "without fold 1"}
    seen: list[tuple[int, int]] = []
    found = predict_all(every, heard, scorers, fold_of, DETECTOR, lambda done, total: seen.append((done, total)))
    assert [one.id for one in found] == [one.id for one in every]
    assert len(asked) == 60
    for name, held, scorer, detector in asked:
        assert held == f"heard in {name}"
        assert scorer == f"without fold {fold_of[f'{int(name) % 3:04d}']}"
        assert detector is DETECTOR
    assert seen[-1] == (60, 60)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_predictions_can_be_stored_with_where_they_come_from(audio: Path, tmp_path: Path):
    config = ScorerRun(speechocean=Path("corpus"), heldout=Path("heldout"), out=tmp_path)
    header = provenance(config, DETECTOR, "abc123")
    for place, said in enumerate((PHONES_OF_TEXT, PHONES_OF_TEXT[:2] + PHONES_OF_TEXT[6:], [])):
        write_predictions(tmp_path / f"{place}.jsonl.gz", header, [predicted(audio, said)])
        found = read_predictions(tmp_path / f"{place}.jsonl.gz")
        assert found.threshold == DETECTOR.flagged_from("normal")
        assert found.provenance == json.loads(json.dumps(header))
        assert [one.is_scored for one in found.utterances] == [bool(said)]
    assert header["members"] == [asdict(member) for member in config.members]
    assert header["error_trees"]["objective"] == "binary"
    assert (header["folds"], header["fold_seed"], header["commit"]) == (config.folds, config.fold_seed, "abc123")
    assert "corpus" not in json.dumps(header)  # no path of the machine
