"""Labels and predictions side by side: every item of a level is a row, whatever utterance it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredUtterance
from elocute.errors import ConfigError
from elocute.evaluation.predictions import (
    PHONE_MAX,
    SCORE_MAX,
    UTTERANCE_SCORES,
    WORD_SCORES,
    Prediction,
    StoredPredictions,
)
from elocute.evaluation.result import LevelName, Unscored
from elocute.types import Float64, Int64

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """All items of one level.

    Attributes:
        name: phone, word or utterance.
        scores: names of the scores, K.
        highest: of the scale, from 0.
        owner: shape (N,), utterance of each item.
        truth: shape (N, K), the experts' scores.
        predicted: shape (N, K), the model's; a column of NaN where it does not give that score at all.
    """

    name: LevelName
    scores: tuple[str, ...]
    highest: float
    owner: Int64
    truth: Float64
    predicted: Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """An evaluated part of the corpus, U utterances with L phones.

    Attributes:
        utterances: with the experts' scores.
        predictions: one for each of them.
        speakers: names, sorted.
        speaker: shape (U,), index into `speakers`.
        phone, word, utterance: the levels.
        symbols: the canonical phones that occur, sorted.
        phone_ids: shape (L,), index into `symbols`.
        word_of_phone: shape (L,), word of each phone.
        wrong: shape (L,), whether people call the phone wrong.
        stated: shape (L,), the model's probability of that; None where it states none.
        flagged: shape (L,), whether the model flags the phone; None where it has no operating point.
        threshold: of that point.
        unscored: what the model did not score.
    """

    utterances: tuple[ScoredUtterance, ...]
    predictions: tuple[Prediction, ...]
    speakers: tuple[str, ...]
    speaker: Int64
    phone: Level
    word: Level
    utterance: Level
    symbols: tuple[str, ...]
    phone_ids: Int64
    word_of_phone: Int64
    wrong: Bool
    stated: Float64 | None
    flagged: Bool | None
    threshold: float | None
    unscored: Unscored

    @property
    def levels(self) -> tuple[Level, Level, Level]:
        """Phone, word, utterance."""
        return self.phone, self.word, self.utterance

    @property
    def suspicion(self) -> Float64:
        """What ranks phones from right to wrong: the stated probability, else how low the score is."""
        return 1.0 - self.phone.predicted[:, 0] / PHONE_MAX if self.stated is None else self.stated


def build_table(utterances: Sequence[ScoredUtterance], stored: StoredPredictions) -> Table:
    """Join labels and predictions.

    Raises:
        ConfigError: a prediction is missing or has other phones or words than the corpus; or nothing is scored.
    """
    by_id = {prediction.id: prediction for prediction in stored.utterances}
    missing = [utterance.id for utterance in utterances if utterance.id not in by_id]
    if missing:
        raise ConfigError(
            f"the predictions lack {len(missing)} of {len(utterances)} utterances, first {missing[0]}; expected one "
            "for each: are they of this split, and whole?"
        )
    predictions = tuple(by_id[utterance.id] for utterance in utterances)
    for utterance, prediction in zip(utterances, predictions, strict=True):
        _check_fits(utterance, prediction)
    if not any(prediction.is_scored for prediction in predictions):
        raise ConfigError(f"none of the {len(utterances)} utterances is scored; expected predictions to evaluate")
    speakers = sorted({utterance.speaker for utterance in utterances})
    index = {name: number for number, name in enumerate(speakers)}
    phones = [phone for utterance in utterances for phone in utterance.phones]
    symbols = tuple(sorted(set(phones)))
    position = {symbol: number for number, symbol in enumerate(symbols)}
    phone, word, whole = (
        _phones(utterances, predictions),
        _words(utterances, predictions),
        _wholes(utterances, predictions),
    )
    stated, flagged = _detection(utterances, predictions, stored.threshold)
    sizes = [len(word.phones) for utterance in utterances for word in utterance.words]
    return Table(
        utterances=tuple(utterances),
        predictions=predictions,
        speakers=tuple(speakers),
        speaker=np.array([index[utterance.speaker] for utterance in utterances]),
        phone=_filled(phone),
        word=_filled(word),
        utterance=_filled(whole),
        symbols=symbols,
        phone_ids=np.array([position[phone] for phone in phones]),
        word_of_phone=np.repeat(np.arange(len(sizes)), sizes),
        wrong=phone.truth[:, 0] < MISPRONOUNCED_BELOW,
        stated=stated,
        flagged=flagged,
        threshold=None if flagged is None else stored.threshold,
        unscored=_unscored(predictions, word),
    )


def shuffled(table: Table, seed: int) -> Table:
    """The same table with its labels dealt anew among the items of each level: no predictor can be right but by luck.

    What the annotation says goes with the phones' scores and so is dropped, see `evaluate`.
    """
    rng = np.random.default_rng(seed)
    levels = [replace(level, truth=rng.permutation(level.truth)) for level in table.levels]
    return replace(
        table,
        phone=levels[0],
        word=levels[1],
        utterance=levels[2],
        wrong=levels[0].truth[:, 0] < MISPRONOUNCED_BELOW,
    )


def _check_fits(utterance: ScoredUtterance, prediction: Prediction) -> None:
    """ConfigError unless a prediction speaks of the utterance's phones and words."""
    if not prediction.is_scored:
        return
    assert prediction.phone is not None
    assert prediction.word is not None
    for what, expected, got in (
        ("phones", len(utterance.phones), len(prediction.phone)),
        ("words", len(utterance.words), len(prediction.word)),
    ):
        if expected != got:
            raise ConfigError(
                f"utterance {utterance.id} has {expected} {what}, its prediction {got}; expected predictions for the "
                "corpus's own canonical phones"
            )


def _phones(utterances: Sequence[ScoredUtterance], predictions: Sequence[Prediction]) -> Level:
    """Every phone; NaN where the model scored nothing."""
    guesses = [
        np.full(len(utterance.phones), np.nan) if prediction.phone is None else np.array(prediction.phone, dtype=float)
        for utterance, prediction in zip(utterances, predictions, strict=True)
    ]
    return Level(
        name="phone",
        scores=("accuracy",),
        highest=PHONE_MAX,
        owner=np.repeat(np.arange(len(utterances)), [len(utterance.phones) for utterance in utterances]),
        truth=np.array([score for utterance in utterances for score in utterance.phone_accuracy])[:, None],
        predicted=np.concatenate(guesses)[:, None],
    )


def _words(utterances: Sequence[ScoredUtterance], predictions: Sequence[Prediction]) -> Level:
    """Every word; NaN where the model scored nothing."""
    guesses = [
        np.full((len(utterance.words), len(WORD_SCORES)), np.nan)
        if prediction.word is None
        else np.array([list(word) for word in prediction.word], dtype=float)
        for utterance, prediction in zip(utterances, predictions, strict=True)
    ]
    words = [word for utterance in utterances for word in utterance.words]
    return Level(
        name="word",
        scores=WORD_SCORES,
        highest=SCORE_MAX,
        owner=np.repeat(np.arange(len(utterances)), [len(utterance.words) for utterance in utterances]),
        truth=np.array([[getattr(word, name) for name in WORD_SCORES] for word in words]),
        predicted=np.concatenate(guesses),
    )


def _wholes(utterances: Sequence[ScoredUtterance], predictions: Sequence[Prediction]) -> Level:
    """Every utterance; NaN where the model scored nothing."""
    guesses = [[_or_nan(prediction.utterance, name) for name in UTTERANCE_SCORES] for prediction in predictions]
    return Level(
        name="utterance",
        scores=UTTERANCE_SCORES,
        highest=SCORE_MAX,
        owner=np.arange(len(utterances)),
        truth=np.array([[getattr(utterance, name) for name in UTTERANCE_SCORES] for utterance in utterances]),
        predicted=np.array(guesses, dtype=float),
    )


def _or_nan(scores: Mapping[str, float | None] | None, name: str) -> float:
    """A score, NaN where it is not given."""
    value = None if scores is None else scores.get(name)
    return float("nan") if value is None else float(value)


def _filled(level: Level) -> Level:
    """The level with the model's own mean of a score wherever it gave none; no label has a part in that."""
    predicted = level.predicted.copy()
    for column in predicted.T:
        given = np.isfinite(column)
        if given.any():
            column[~given] = column[given].mean()
    return replace(level, predicted=predicted)


def _detection(
    utterances: Sequence[ScoredUtterance], predictions: Sequence[Prediction], threshold: float | None
) -> tuple[Float64 | None, Bool | None]:
    """Stated probabilities and flags of all phones; None for what the model does not have.

    Phones of an utterance that is not scored get the mean probability and no flag; those of a word that the model
    says was left out are flagged.
    """
    if any(prediction.is_scored and prediction.phone_error is None for prediction in predictions):
        return None, None
    stated, omitted = [], []
    for utterance, prediction in zip(utterances, predictions, strict=True):
        L = len(utterance.phones)
        known = prediction.is_scored and prediction.phone_error is not None
        stated.append(np.array(prediction.phone_error, dtype=float) if known else np.full(L, np.nan))
        words = np.repeat(np.arange(len(utterance.words)), [len(word.phones) for word in utterance.words])
        omitted.append(np.isin(words, list(prediction.omitted)))
    probability = np.concatenate(stated)
    given = np.isfinite(probability)
    flagged = None if threshold is None else (given & (probability >= threshold)) | np.concatenate(omitted)
    return np.where(given, probability, probability[given].mean()), flagged


def _unscored(predictions: Sequence[Prediction], word: Level) -> Unscored:
    """Counts of what was not scored."""
    refused = [prediction for prediction in predictions if not prediction.is_scored]
    reasons = Counter(str(prediction.reason) for prediction in refused)
    scored = np.array([prediction.is_scored for prediction in predictions])
    return Unscored(
        utterances=len(refused),
        reasons=dict(sorted(reasons.items())),
        ids=tuple(prediction.id for prediction in refused),
        values=int(np.isnan(word.predicted[scored[word.owner]]).sum()),
    )
