"""Trivial predictors that know nothing of the recording; what a model adds is what it has above them.

All are fitted on the labels of other speakers (the speakers are dealt into folds), except the speaker mean, which is an
oracle: it knows the evaluated speaker's own labels, and says how much of a correlation is knowing who speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elocute.corpora.speechocean762 import speaker_folds
from elocute.evaluation.result import CONSTANT, ECHO, MODEL, PHONE_PRIOR, SPEAKER_MEAN, LevelName
from elocute.evaluation.table import Level, Table
from elocute.types import Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guess:
    """What a predictor says.

    Attributes:
        scores: of each level, shape (N, K); NaN columns for scores that it does not give.
        suspicion: shape (L,), ranks phones from right to wrong.
        stated: shape (L,), its probability that a phone is wrong; None where it states none.
        is_constant: whether it says the same of everything. Fitted on other speakers, a constant differs a little from
            fold to fold, which is no knowledge: its correlations are those of one number.
    """

    scores: Mapping[LevelName, Float64]
    suspicion: Float64
    stated: Float64 | None
    is_constant: bool = False


def deal_folds(table: Table, folds: int, seed: int) -> Int64 | None:
    """Fold of every utterance, no more folds than speakers; None with a single speaker, who has no others."""
    count = min(folds, len(table.speakers))
    if count < 2:
        return None
    fold_of = speaker_folds(table.utterances, count, seed)
    return np.array([fold_of[utterance.speaker] for utterance in table.utterances])


def guesses(table: Table, fold: Int64 | None) -> dict[str, Guess]:
    """The model and its baselines, by name; without folds only those that need no other speakers."""
    found = {
        MODEL: Guess(
            scores={level.name: level.predicted for level in table.levels},
            suspicion=table.suspicion,
            stated=table.stated,
        )
    }
    if fold is not None:
        found[CONSTANT] = _constant(table, fold)
        found[PHONE_PRIOR] = _phone_prior(table, fold)
    found[SPEAKER_MEAN] = _speaker_mean(table)
    found[ECHO] = _echo(table)
    return found


def _constant(table: Table, fold: Int64) -> Guess:
    """The mean label of other speakers."""

    def means(owner: Int64, truth: Float64) -> Float64:
        guess = np.empty_like(truth)
        for k in np.unique(fold):
            here = fold[owner] == k
            guess[here] = truth[~here].mean(axis=0)
        return guess

    return Guess(
        scores={level.name: means(level.owner, level.truth) for level in table.levels},
        suspicion=np.zeros(len(table.wrong)),
        stated=means(table.phone.owner, table.wrong[:, None].astype(np.float64))[:, 0],
        is_constant=True,
    )


def _phone_prior(table: Table, fold: Int64) -> Guess:
    """What other speakers' items with the same phones got: the mean over an item's phones of E[label | phone]."""

    def prior(level: Level, truth: Float64) -> Float64:
        item = {"phone": np.arange(len(table.phone_ids)), "word": table.word_of_phone, "utterance": table.phone.owner}
        item_of_phone = item[level.name]
        sizes = np.bincount(item_of_phone, minlength=len(truth))
        guess = np.empty_like(truth)
        fold_of_phone = fold[table.phone.owner]
        for k in np.unique(fold):
            seen, here = fold_of_phone != k, fold[level.owner] == k
            for j, labels in enumerate(truth.T):
                by_phone = _mean_by(table.phone_ids[seen], labels[item_of_phone[seen]], len(table.symbols))
                total = np.bincount(item_of_phone, by_phone[table.phone_ids], len(truth))
                guess[here, j] = (total / sizes)[here]
        return guess

    stated = prior(table.phone, table.wrong[:, None].astype(np.float64))[:, 0]
    return Guess(
        scores={level.name: prior(level, level.truth) for level in table.levels}, suspicion=stated, stated=stated
    )


def _mean_by(key: Int64, values: Float64, size: int) -> Float64:
    """Mean of the values of each key; of all values for a key that does not occur."""
    count = np.bincount(key, minlength=size)
    return np.where(count > 0, np.bincount(key, values, size) / np.maximum(count, 1), values.mean())


def _speaker_mean(table: Table) -> Guess:
    """The mean of the speaker's own labels."""

    def own(owner: Int64, truth: Float64) -> Float64:
        who = table.speaker[owner]
        return np.column_stack([_mean_by(who, labels, len(table.speakers))[who] for labels in truth.T])

    stated = own(table.phone.owner, table.wrong[:, None].astype(np.float64))[:, 0]
    return Guess(
        scores={level.name: own(level.owner, level.truth) for level in table.levels}, suspicion=stated, stated=stated
    )


def _echo(table: Table) -> Guess:
    """Everything was said as it should be: full marks, and never an error."""
    nothing = np.zeros(len(table.wrong))
    return Guess(
        scores={level.name: np.full_like(level.truth, level.highest) for level in table.levels},
        suspicion=nothing,
        stated=nothing,
        is_constant=True,
    )
