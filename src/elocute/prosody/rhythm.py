"""Rhythm: how long vowels and consonants are, and how much that varies from one to the next.

Neighbouring vowels, or consonants, make one interval, across words; a pause ends it. Intervals beside a pause count
like all others, with their lengthening.

Sources: %V, delta V, delta C: Ramus, Nespor, Mehler, "Correlates of linguistic rhythm in the speech signal", Cognition
1999; nPVI: Grabe and Low, "Durational variability in speech and the rhythm class hypothesis", 2002; varco: Dellwo,
"Rhythm and speech rate: a variation coefficient for delta C", 2006 (C), and White and Mattys, "Calibrating rhythm",
Journal of Phonetics 2007 (V).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from elocute.phones import VOWELS
from elocute.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Rhythm measures; None where there are fewer than two intervals of the kind.

    Attributes:
        npvi_v: mean difference of successive vocalic intervals relative to their mean, times 100; intervals that a
            pause parts do not follow each other.
        percent_v: share of vocalic intervals in the time of all intervals, percent.
        varco_v: standard deviation of vocalic intervals relative to their mean, percent.
        varco_c: the same of consonantal intervals.
        delta_v_s: standard deviation of vocalic intervals, seconds.
        delta_c_s: the same of consonantal intervals.
    """

    npvi_v: float | None
    percent_v: float | None
    varco_v: float | None
    varco_c: float | None
    delta_v_s: float | None
    delta_c_s: float | None


def rhythm(start_s: Float64, end_s: Float64, symbols: Sequence[str]) -> Rhythm:
    """Measure the rhythm of phones.

    Args:
        start_s: shape (L,), begin of each phone; one that is later than the end of the phone before follows a pause.
        end_s: shape (L,).
        symbols: ARPABET of each phone without stress.

    Deviates: standard deviations are of the sample (N - 1), as in White and Mattys; Ramus et al. do not say.
    """
    runs = _intervals(start_s, end_s, symbols)
    vowels = np.array([length for run in runs for is_vowel, length in run if is_vowel])
    consonants = np.array([length for run in runs for is_vowel, length in run if not is_vowel])
    pairs = [(a, b) for run in runs for a, b in pairwise([length for is_vowel, length in run if is_vowel])]
    both = len(vowels) >= 2 and len(consonants) >= 2
    return Rhythm(
        npvi_v=100 * float(np.mean([2 * abs(a - b) / (a + b) for a, b in pairs])) if pairs else None,
        percent_v=100 * float(vowels.sum() / (vowels.sum() + consonants.sum())) if both else None,
        varco_v=_varco(vowels),
        varco_c=_varco(consonants),
        delta_v_s=_spread(vowels),
        delta_c_s=_spread(consonants),
    )


def _intervals(start_s: Float64, end_s: Float64, symbols: Sequence[str]) -> list[list[tuple[bool, float]]]:
    """Between two pauses each, whether an interval is vocalic, and its length in seconds."""
    runs: list[list[tuple[bool, float]]] = []
    previous_end = -np.inf
    for begin, end, symbol in zip(start_s.tolist(), end_s.tolist(), symbols, strict=True):
        if begin > previous_end + 1e-6:
            runs.append([])
        run, is_vowel = runs[-1], symbol in VOWELS
        if run and run[-1][0] == is_vowel:
            run[-1] = (is_vowel, run[-1][1] + end - begin)
        else:
            run.append((is_vowel, end - begin))
        previous_end = end
    return runs


def _spread(lengths: Float64) -> float | None:
    return float(lengths.std(ddof=1)) if len(lengths) >= 2 else None


def _varco(lengths: Float64) -> float | None:
    return 100 * float(lengths.std(ddof=1) / lengths.mean()) if len(lengths) >= 2 else None
