"""What a member says of the corpus, from whatever file it left: predictions, or the answers of a language model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from elocute.ensemble.values import UTTERANCE
from elocute.errors import ConfigError
from elocute.evaluation.predictions import SCORE_MAX, Prediction, StoredPredictions, read_predictions
from elocute.mllm.stored import FORMAT, StoredAnswers, read_answers

_TASKS = ("apa", "combined")
"""Those whose answers hold scores."""


def read_member(path: Path) -> StoredPredictions:
    """Predictions of a member.

    Args:
        path: stored predictions; or answers that `elocute evaluate phi4` kept, which hold scores of utterances alone.

    Raises:
        ConfigError: the file cannot be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            start = file.readline(2**16)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give a file of stored predictions") from error
    return _of_answers(path, read_answers(path)) if FORMAT.encode() in start else read_predictions(path)


def _of_answers(path: Path, stored: StoredAnswers) -> StoredPredictions:
    """Answers as predictions."""
    found = []
    for key, answer in stored.answers.items():
        utterance, _, task = key.rpartition("/")
        if task in _TASKS:
            found.append(_of_scores(utterance, answer.expected))
    if not found:
        raise ConfigError(
            f"{path} holds no scores, only transcripts; give the answers of a model that was asked for them"
        )
    return StoredPredictions(provenance=dict(stored.facts), utterances=tuple(found))


def _of_scores(utterance_id: str, scores: Mapping[str, float | None]) -> Prediction:
    """The prediction of an utterance of which only scores of the whole are known."""
    told = {name: scores.get(name) for name in UTTERANCE}
    if all(score is None for score in told.values()):
        return Prediction(
            id=utterance_id, phone=None, word=None, utterance=None, reason="the answer held no score that can be read"
        )
    within = {name: None if score is None else min(max(score, 0.0), SCORE_MAX) for name, score in told.items()}
    return Prediction(id=utterance_id, phone=(), word=(), utterance=within)
