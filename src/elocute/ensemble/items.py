"""What people and members say of a corpus, item by item, as the fitting of an ensemble takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredUtterance, speaker_folds
from elocute.ensemble.fit import LEAST_SAID, Items
from elocute.ensemble.values import Values, values_of_prediction
from elocute.evaluation.predictions import PHONE_MAX, SCORE_MAX, Prediction, StoredPredictions
from elocute.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opinions:
    """U utterances and what M members say of them.

    Attributes:
        utterances: with people's scores.
        stored: predictions of each member, in the order of the utterances.
        values: the same as numbers.
        fold: shape (U,), of each speaker.
        led: which utterances the leader scored.
    """

    utterances: Sequence[ScoredUtterance]
    stored: Sequence[Sequence[Prediction]]
    values: Sequence[Sequence[Values]]
    fold: Sequence[int]
    led: Sequence[bool]


def opinions_of(
    utterances: Sequence[ScoredUtterance], stored: Sequence[StoredPredictions], *, folds: int, fold_seed: int
) -> Opinions:
    """Utterances and predictions side by side."""
    by_id = [{one.id: one for one in found.utterances} for found in stored]
    ordered = [[found[one.id] for one in utterances] for found in by_id]
    fold_of = speaker_folds(utterances, folds, fold_seed)
    return Opinions(
        utterances=utterances,
        stored=ordered,
        values=[
            [
                values_of_prediction(one, len(utterance.phones), len(utterance.words))
                for one, utterance in zip(found, utterances, strict=True)
            ]
            for found in ordered
        ],
        fold=[fold_of[utterance.speaker] for utterance in utterances],
        led=[one.is_scored for one in ordered[0]],
    )


def items_of(corpus: Opinions, target: str) -> Items:
    """All items of a target in utterances that the leader scored, without those of words that it did not hear."""
    said, truth, fold = [], [], []
    for n, utterance in enumerate(corpus.utterances):
        if not corpus.led[n]:
            continue
        keeps = ~gone_of(corpus.stored[0][n], utterance, target)
        said.append(np.column_stack([values[n].of(target) for values in corpus.values])[keeps])
        truth.append(truth_of(utterance, target)[keeps])
        fold.append(np.full(int(keeps.sum()), corpus.fold[n]))
    return Items(
        said=np.concatenate(said), truth=np.concatenate(truth), fold=np.concatenate(fold), is_error=target == "error"
    )


def truth_of(utterance: ScoredUtterance, target: str) -> Float64:
    """What people say, 0 to 1: scores; whether a phone is wrong."""
    if target == "phone":
        return np.array(utterance.phone_accuracy) / PHONE_MAX
    if target == "error":
        return (np.array(utterance.phone_accuracy) < MISPRONOUNCED_BELOW).astype(np.float64)
    level, _, name = target.partition(" ")
    found = [getattr(word, name) for word in utterance.words] if level == "word" else [getattr(utterance, name)]
    return np.array(found) / SCORE_MAX


def gone_of(leader: Prediction, utterance: ScoredUtterance, target: str) -> NDArray[np.bool_]:
    """Which items of a target are of words that the leader says were left out."""
    gone = np.zeros(len(utterance.words), dtype=bool)
    gone[list(leader.omitted)] = True
    if target in ("phone", "error"):
        return np.repeat(gone, [len(word.phones) for word in utterance.words])
    return gone if target.startswith("word") else np.zeros(1, dtype=bool)


def tellers(items: Items) -> list[int]:
    """Members that tell enough of a target."""
    return np.flatnonzero((~np.isnan(items.said)).mean(axis=0) >= LEAST_SAID).tolist()


def keep_omitted(combined: Values, own: Values, leader: Prediction, utterance: ScoredUtterance) -> Values:
    """Combined values, but the leader's own in words that it says were left out."""
    phone, word = gone_of(leader, utterance, "phone"), gone_of(leader, utterance, "word total")
    return Values(
        phone=np.where(phone, own.phone, combined.phone),
        word=np.where(word[:, None], own.word, combined.word),
        utterance=combined.utterance,
        error=np.where(phone, own.error, combined.error),
    )
