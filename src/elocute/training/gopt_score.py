"""How heads are compared: PCC and MSE of every kind of score over several seeds, folds averaged or pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.evaluation import bootstrap_by_group
from elocute.training.gopt import UTTERANCE_TOKENS
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import WORD_SCORES, ScoredFeatures
from elocute.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One kind of score of all utterances: shape (items,), and the utterance of each item."""

    values: Float64
    utterance: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What people scored, by kind of score in units of 0 to 2, and speaker and age of each utterance."""

    columns: dict[str, Column]
    speaker: list[str]
    is_child: np.ndarray


def truth_of(rows: Sequence[ScoredFeatures], completeness: Float64) -> Truth:
    """The experts' scores of all utterances."""
    scores = [
        Predicted(phone=row.phone, word=row.word, utterance=np.insert(row.utterance, 1, complete))
        for row, complete in zip(rows, completeness, strict=True)
    ]
    return Truth(
        columns=columns_of(scores),
        speaker=[row.speaker for row in rows],
        is_child=np.array([row.is_child for row in rows]),
    )


def columns_of(scores: Sequence[Predicted]) -> dict[str, Column]:
    """Scores of utterances in order, by kind."""
    numbers = np.arange(len(scores))
    word = np.concatenate([one.word for one in scores]) / 5
    whole = np.stack([one.utterance for one in scores]) / 5
    of_word = np.repeat(numbers, [len(one.word) for one in scores])
    columns = {
        "phone": Column(
            values=np.concatenate([one.phone for one in scores]),
            utterance=np.repeat(numbers, [len(one.phone) for one in scores]),
        )
    }
    columns |= {f"word {name}": Column(values=word[:, i], utterance=of_word) for i, name in enumerate(WORD_SCORES)}
    return columns | {
        f"utterance {name}": Column(values=whole[:, i], utterance=numbers) for i, name in enumerate(UTTERANCE_TOKENS)
    }


def score(
    truth: Truth, predicted: Sequence[Mapping[str, Column]], fold: np.ndarray, *, is_pooled: bool
) -> dict[str, dict[str, Any]]:
    """PCC with its interval, and MSE, of every kind of score; of phones also by age when all folds are pooled.

    Args:
        truth: what people scored.
        predicted: of every seed.
        fold: of every utterance.
        is_pooled: whether the PCC is of all folds together instead of the mean of each fold's.
    """
    groups = np.zeros_like(fold) if is_pooled else fold
    table = {}
    for name, column in truth.columns.items():
        guesses = [one[name].values for one in predicted]
        table[name] = _score(truth, column, guesses, groups)
    if is_pooled:
        for label, chosen in (("phone, children", truth.is_child), ("phone, adults", ~truth.is_child)):
            everyone = truth.columns["phone"]
            here = chosen[everyone.utterance]
            if here.any():
                part = Column(values=everyone.values[here], utterance=everyone.utterance[here])
                table[label] = _score(truth, part, [one["phone"].values[here] for one in predicted], groups)
    return table


def _score(truth: Truth, column: Column, guesses: Sequence[Float64], groups: np.ndarray) -> dict[str, Any]:
    """PCC, averaged over the groups, of one kind of score."""
    speakers = np.array(truth.speaker)
    names, who = np.unique(speakers[column.utterance], return_inverse=True)
    group_of = np.array([groups[truth.speaker.index(name)] for name in names])
    every = [*guesses, np.mean(guesses, axis=0)]
    moments = np.stack([_moments(column.values, guess, who, len(names)) for guess in every])  # (seeds + 1, speakers, 6)

    def pccs(index: np.ndarray) -> Float64:
        """Of every seed, and of the mean of the seeds, on these speakers."""
        parts = [moments[:, index[group_of[index] == group]].sum(1) for group in np.unique(group_of[index])]
        mean: Float64 = np.mean([_pcc(part) for part in parts], axis=0)
        return mean

    whole = pccs(np.arange(len(names)))
    if np.isnan(whole).any():  # a head without this score, or one that always says the same
        return {"pcc": None, "mse": _rounded(np.mean([np.square(guess - column.values).mean() for guess in guesses]))}
    low, high = bootstrap_by_group(lambda index: float(pccs(index)[:-1].mean()), names.tolist())
    return {
        "pcc": _rounded(whole[:-1].mean()),
        "pcc_sd": _rounded(whole[:-1].std()),
        "pcc_95": [_rounded(low), _rounded(high)],
        "mse": _rounded(np.mean([np.square(guess - column.values).mean() for guess in guesses])),
        "pcc_of_mean": _rounded(whole[-1]),
    }


def _moments(truth: Float64, guess: Float64, who: np.ndarray, speakers: int) -> Float64:
    """Count, sums, sums of squares and of products of every speaker, shape (speakers, 6): all that a PCC needs."""
    x, y = truth - truth.mean(), guess - guess.mean()
    parts = (np.ones_like(x), x, y, x * x, y * y, x * y)
    return np.column_stack([np.bincount(who, part, speakers) for part in parts])


def _pcc(moments: Float64) -> Float64:
    """PCC from sums (..., 6)."""
    n, x, y, xx, yy, xy = np.moveaxis(moments, -1, 0)
    spread = np.maximum((xx - x * x / n) * (yy - y * y / n), 0.0)
    value: Float64 = np.full_like(n, np.nan)
    np.divide(xy - x * y / n, np.sqrt(spread), out=value, where=spread > 0)
    return value


def _rounded(value: float) -> float | None:
    """Four decimals; None where there is no value, for JSON has no NaN."""
    return None if np.isnan(value) else round(float(value), 4)
