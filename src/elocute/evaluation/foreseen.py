"""Does predicted difficulty rank words and phones as people's scores do? Baselines: the length of the word."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.evaluation.bootstrap import Draws, Estimate, estimate, estimate_pcc, estimate_scc
from elocute.phones.difficulty import difficulty_of, risks_of
from elocute.phones.l1 import L1Profile, l1_profile
from elocute.phones.syllables import syllable_indices
from elocute.types import Float64, Int64

LEAST_SAID = 5
"""Words said less often have no mean score worth the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRow:
    """How well something known before a word is spoken ranks how badly it is said: -Spearman with people's scores.

    Attributes:
        level: "word" (every one that was said), "phone", or "word type" (its mean score).
        predictor: difficulty by a code, that difficulty where the number of phones is given ("beyond length"), or a
            baseline.
        n: items.
        scc: Spearman of predictor and badness.
    """

    level: str
    predictor: str
    n: int
    scc: Estimate


def prediction_rows(utterances: Sequence[ScoredUtterance], codes: Sequence[str], draws: int) -> list[PredictionRow]:
    """Predicted difficulty against people's scores of words and phones, and beside what the length alone foresees."""
    names = sorted({one.speaker for one in utterances})
    resamples = Draws.of(len(names), draws)
    words = [(names.index(one.speaker), word) for one in utterances for word in one.words]
    who = np.array([speaker for speaker, _ in words])
    bad = np.array([-word.accuracy for _, word in words])
    of_phone = np.array([speaker for speaker, word in words for _ in word.phones])
    bad_phone = np.array([-score for _, word in words for score in word.phone_accuracy])
    length = [float(len(word.phones)) for _, word in words]
    types = sorted({(word.text, word.phones) for _, word in words})
    of_type = np.array([bisect_left(types, (word.text, word.phones)) for _, word in words])
    often = np.flatnonzero(np.bincount(of_type) >= LEAST_SAID)
    found = [
        _row("word", "number of phones", who, bad, length, resamples),
        _row("word", "number of letters", who, bad, [float(len(word.text)) for _, word in words], resamples),
    ]
    for code in codes:
        profile = l1_profile(code)
        known = {phones: _difficulty(phones, profile) for phones in {word.phones for _, word in words}}
        hard = [known[word.phones][0] for _, word in words]
        found.append(_row("word", f"difficulty, {code}", who, bad, hard, resamples))
        beyond = estimate_pcc(_beyond(bad, length), _beyond(np.array(hard), length), who, resamples)
        found.append(PredictionRow(level="word", predictor=f"{code}, beyond length", n=len(bad), scc=beyond))
        each = [likelihood for _, word in words for likelihood in known[word.phones][1]]
        found.append(_row("phone", f"likelihood of an error, {code}", of_phone, bad_phone, each, resamples))
    for name, values in (
        ("number of phones", [float(len(phones)) for _, phones in types]),
        *((f"difficulty, {code}", [_difficulty(phones, l1_profile(code))[0] for _, phones in types]) for code in codes),
    ):
        scc = _of_types(bad, of_type, who, np.array(values), often, resamples)
        found.append(PredictionRow(level="word type", predictor=name, n=len(often), scc=scc))
    return found


def _of_types(bad: Float64, of_type: Int64, who: Int64, values: Float64, kept: Int64, resamples: Draws) -> Estimate:
    """Spearman of a predictor and the mean badness of each word type, over those that were said often."""

    def spearman(weight: Float64) -> float:
        said = np.bincount(of_type, weight, len(values))[kept]
        mean = np.bincount(of_type, weight * bad, len(values))[kept] / np.maximum(said, 1e-300)
        there = said > 0.0
        ranks = _ranks(mean[there]), _ranks(values[kept][there])
        return float(np.corrcoef(*ranks)[0, 1]) if min(map(np.ptp, ranks)) > 0.0 else float("nan")

    return estimate(spearman(np.ones(len(bad))), np.array([spearman(draw[who]) for draw in resamples.weights]))


def _ranks(values: Float64) -> Float64:
    """Ranks; those alike share their mean."""
    _, where, counts = np.unique(np.round(values, 9), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[where])


def _beyond(values: Float64, known: Sequence[float]) -> Float64:
    """Ranks of values, less what the ranks of something known foretell of them by a straight line."""
    ranks, other = _ranks(values), _ranks(np.array(known))
    other = other - other.mean()
    slope = float(other @ ranks) / max(float(other @ other), 1e-300)
    return np.asarray(ranks - ranks.mean() - slope * other)


def _difficulty(phones: tuple[str, ...], profile: L1Profile) -> tuple[float, tuple[float, ...]]:
    """Difficulty of a word, and the likelihood of an error at each of its phones."""
    risks = risks_of(phones, max(syllable_indices(phones)) + 1, profile)
    each = tuple(sum(profile.said_instead(phones, at).values()) for at in range(len(phones)))
    return difficulty_of(risks), each


def _row(
    level: str, predictor: str, who: Int64, bad: Float64, values: Sequence[float], resamples: Draws
) -> PredictionRow:
    """Spearman of a predictor and badness."""
    scc = estimate_scc(bad, np.round(np.array(values), 6), who, resamples)
    return PredictionRow(level=level, predictor=predictor, n=len(bad), scc=scc)
