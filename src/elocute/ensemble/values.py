"""What a report or a stored prediction says, as plain numbers of 0 to 1; NaN where it does not say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from elocute.evaluation.predictions import PHONE_MAX, SCORE_MAX, WORD_SCORES, Prediction
from elocute.report import Report
from elocute.types import Float64

UTTERANCE = ("accuracy", "fluency", "prosodic", "total")
"""Scores of the utterance that are combined; completeness is counted, not judged."""
TARGETS = (
    "phone",
    *(f"word {name}" for name in WORD_SCORES),
    *(f"utterance {name}" for name in UTTERANCE),
    "error",
)
"""Everything that is combined."""
LEAST_PROBABILITY = 5e-5
"""Probabilities are stored with four decimals, so that 0 stands for up to this much."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """What somebody says of an utterance of L phones in W words.

    Attributes:
        phone: shape (L,), accuracy of each canonical phone.
        word: shape (W, 3), accuracy, stress and total of each word.
        utterance: shape (4,), the scores of `UTTERANCE`.
        error: shape (L,), probability that each phone is wrong.
    """

    phone: Float64
    word: Float64
    utterance: Float64
    error: Float64

    def of(self, target: str) -> Float64:
        """What is combined under the name of a target, shape (N,): a score, or the log-odds of an error."""
        if target == "phone":
            return self.phone
        if target == "error":
            stated = np.clip(self.error, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
            return np.asarray(np.log(stated) - np.log1p(-stated))
        level, _, name = target.partition(" ")
        if level == "word":
            return np.asarray(self.word[:, WORD_SCORES.index(name)])
        return np.asarray(self.utterance[[UTTERANCE.index(name)]])


def nothing_said(phones: int, words: int) -> Values:
    """Of somebody who says nothing of an utterance."""
    return Values(
        phone=np.full(phones, np.nan),
        word=np.full((words, len(WORD_SCORES)), np.nan),
        utterance=np.full(len(UTTERANCE), np.nan),
        error=np.full(phones, np.nan),
    )


def values_of_prediction(prediction: Prediction, phones: int, words: int) -> Values:
    """What a stored prediction says of an utterance of so many phones and words; nothing of others.

    A prediction that has other phones than the text says nothing of phones, and so on.
    """
    empty = nothing_said(phones, words)
    if prediction.phone is None or prediction.word is None or prediction.utterance is None:
        return empty
    scores = [prediction.utterance.get(name) for name in UTTERANCE]
    fits = len(prediction.phone) == phones
    return Values(
        phone=_array(prediction.phone, PHONE_MAX) if fits else empty.phone,
        word=np.array([_array(word, SCORE_MAX) for word in prediction.word])
        if len(prediction.word) == words
        else empty.word,
        utterance=_array(scores, SCORE_MAX),
        error=_array(prediction.phone_error, 1.0) if fits and prediction.phone_error is not None else empty.error,
    )


def scores_of(report: Report) -> tuple[float | None, float | None, float | None, float | None]:
    """Scores of the utterance in the order of `UTTERANCE`."""
    whole = report.utterance
    return whole.accuracy, whole.fluency, whole.prosody, whole.total


def says_anything(report: Report) -> bool:
    """Whether a report has any score of the utterance."""
    return any(score is not None for score in scores_of(report))


def values_of_report(report: Report, phones: Sequence[Sequence[str | None]]) -> Values:
    """What a report says of a text; nothing of words and phones that are not those of the text.

    Args:
        report: of any backend.
        phones: canonical phones of each word of the text.
    """
    words, scale = report.text_words, float(report.scale)
    empty = nothing_said(sum(map(len, phones)), len(phones))
    if not says_anything(report):
        return empty
    utterance = _array(scores_of(report), scale)
    if len(words) != len(phones):
        return Values(phone=empty.phone, word=empty.word, utterance=utterance, error=empty.error)
    score: list[float | None] = []
    error: list[float | None] = []
    for word, expected in zip(words, phones, strict=True):
        own = [phone for phone in word.phonemes if phone.expected is not None]
        fits = [phone.expected for phone in own] == list(expected)
        score += [phone.score for phone in own] if fits else [None] * len(expected)
        error += [phone.probability for phone in own] if fits else [None] * len(expected)
    return Values(
        phone=_array(score, scale),
        word=np.array([_array((word.accuracy, word.stress, word.total), scale) for word in words]),
        utterance=utterance,
        error=_array(error, 1.0),
    )


def _array(values: Iterable[float | None], highest: float) -> Float64:
    """Numbers of 0 to 1; NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64) / highest
