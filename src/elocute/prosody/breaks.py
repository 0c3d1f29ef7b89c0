"""Pauses in the text: which a fluent reader would have made, which not, and which are missing.

A pause is judged by its place and its length: where fluent readers seldom pause, and longer than they do, it is a
hesitation. A punctuation mark without a pause is not yet one that was read over: half of the commas that natives read
have none, and are heard by the long syllable before them. (A pitch that begins anew behind them would be the third
sign, but in these readings it does so as often elsewhere: docs/experiments.md.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elocute.ctc import logistic
from elocute.phones import VOWELS
from elocute.prosody.pauses import Pause
from elocute.prosody.phrases import MARKS, Gap, GapKind
from elocute.prosody.timing import Timing
from elocute.types import Float64, Int64

PausePlace = Literal["boundary", "phrase", "word"]

RATE_IN_WORD = 1e-4
"""How often fluent readers pause at a place inside a word: never, at 10,801 places of 350 native sentences."""
HESITATION_RATE = 0.1
"""How often learners of fluency up to 7 pause where fluent readers hardly do (`function`: 0.11 to 0.36)."""
_FLUENT_PAUSE, _BETWEEN_SENTENCES, _HESITATION = (np.log(0.28), 0.35), (np.log(0.5), 0.5), (np.log(0.4), 0.6)
"""Mean and deviation of the log of their lengths, seconds; counted, save for the second, of which there were few."""
LEAST_CONFIDENCE = 0.5
"""Of what is reported. Of the marks that natives read, fewer than 8 % are then called missing."""
EXPECTED: dict[GapKind, float] = {"sentence": 0.95, "comma": 0.8}
"""Chance that a listener wants a boundary at a mark; some commas ("yes, sir") ask for none."""
_LENGTHENED, _LENGTHENED_SLOPE = 0.18, 5.0
"""At commas without a pause natives say the last rhyme exp(0.39) times as long as between other words (medians; the
quartiles lie about 0.23 from them). Half way counts for neither."""
_USUAL_MS = {
    "AA": 111, "AE": 98, "AH": 53, "AO": 76, "AW": 167, "AY": 181, "B": 51, "CH": 133, "D": 57, "DH": 43, "EH": 88,
    "ER": 119, "EY": 149, "F": 96, "G": 63, "HH": 57, "IH": 64, "IY": 118, "JH": 103, "K": 95, "L": 111, "M": 74,
    "N": 63, "NG": 89, "OW": 114, "OY": 152, "P": 87, "R": 73, "S": 137, "SH": 138, "T": 78, "TH": 85, "UH": 70,
    "UW": 79, "V": 59, "W": 65, "Y": 77, "Z": 124, "ZH": 70,
}  # fmt: skip
"""Geometric mean of the length of each phone in 70 sentences of LJSpeech and Kathleen, milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedPause:
    """A pause in the text.

    Attributes:
        start_s: begin.
        end_s: end.
        after_word: word of the text before it, or that it is in, counted from 0.
        place: "boundary" of a phrase, "phrase" inside one, or "word" inside a word.
        hesitation: probability that it is a hesitation, and not the break of a fluent reader.
    """

    start_s: float
    end_s: float
    after_word: int
    place: PausePlace
    hesitation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A pause where none belongs, or none where one does.

    Attributes:
        kind: which of the two.
        after_word: word of the text before the place, or around it, counted from 0.
        start_s: begin of the pause, or the time of the place.
        end_s: end of the pause, or the time of the place.
        confidence: 0 to 1.
    """

    kind: Literal["unexpected", "missing"]
    after_word: int
    start_s: float
    end_s: float
    confidence: float


def place_pauses(
    pauses: Sequence[Pause], word_ids: Sequence[int] | Int64, gaps: Sequence[Gap]
) -> tuple[PlacedPause, ...]:
    """Say of each pause where in the text it is, and whether a fluent reader would have made it.

    The odds of a hesitation are those of pausing at such a place at all, times those of the pause's length.

    Args:
        pauses: between phones.
        word_ids: shape (L,), for each phone the word of the text that it is in, counted from 0.
        gaps: of the text.
    """
    placed = []
    for pause in pauses:
        word = int(word_ids[pause.after_phone])
        is_inside = word == word_ids[pause.after_phone + 1]
        # Where words between were left out, all their gaps have become one.
        crossed = [] if is_inside else gaps[word : int(word_ids[pause.after_phone + 1])]
        prior = RATE_IN_WORD if is_inside else max(gap.prior for gap in crossed)
        odds = (
            HESITATION_RATE / prior * _density_ratio(pause.duration_s, any(gap.kind == "sentence" for gap in crossed))
        )
        is_boundary = any(gap.is_boundary for gap in crossed)
        placed.append(
            PlacedPause(
                start_s=pause.start_s,
                end_s=pause.end_s,
                after_word=word,
                place="word" if is_inside else "boundary" if is_boundary else "phrase",
                hesitation=odds / (1.0 + odds),
            )
        )
    return tuple(placed)


def find_breaks(
    times: Timing, symbols: Sequence[str], word_ids: Sequence[int] | Int64, gaps: Sequence[Gap]
) -> tuple[Break, ...]:
    """Find pauses inside phrases and words, and marks that were read over, as far as `LEAST_CONFIDENCE`; in time order.

    A mark counts as heard if there is a pause, or the syllable before it is lengthened. A pause where a phrase ends is
    never unexpected.

    Args:
        times: of the phones.
        symbols: ARPABET of each phone without stress.
        word_ids: shape (L,), for each phone the word of the text that it is in, counted from 0.
        gaps: of the text.
    """
    words = np.asarray(word_ids)
    breaks = [
        Break(
            kind="unexpected",
            after_word=pause.after_word,
            start_s=pause.start_s,
            end_s=pause.end_s,
            confidence=pause.hesitation,
        )
        for pause in place_pauses(times.pauses, words, gaps)
        if pause.place != "boundary"
    ]
    breaks += _read_over(times, symbols, words, gaps)
    sure = (found for found in breaks if found.confidence >= LEAST_CONFIDENCE)
    return tuple(sorted(sure, key=lambda found: found.start_s))


def _read_over(times: Timing, symbols: Sequence[str], words: Int64, gaps: Sequence[Gap]) -> list[Break]:
    """Every mark without a pause, with the confidence that it was read over."""
    stretched = _lengthening(times, symbols)
    paused = {pause.after_phone for pause in times.pauses}
    found = []
    for last in np.flatnonzero(np.diff(words)).tolist():
        # Where a word was left out, so was its mark.
        if last in paused or words[last + 1] != words[last] + 1 or gaps[words[last]].kind not in MARKS:
            continue
        gap = gaps[words[last]]
        vowels = [i for i in np.flatnonzero(words == words[last]).tolist() if symbols[i] in VOWELS]
        rhyme = stretched[vowels[-1] if vowels else last : last + 1].mean()
        heard = float(logistic(_LENGTHENED_SLOPE * (rhyme - _LENGTHENED)))
        time_s = float(times.end_s[last])
        confidence = EXPECTED[gap.kind] * (1.0 - heard)
        found.append(
            Break(kind="missing", after_word=gap.after_word, start_s=time_s, end_s=time_s, confidence=confidence)
        )
    return found


def _density_ratio(duration_s: float, is_sentence: bool) -> float:
    """How much likelier a hesitation has such a length than a fluent reader's pause."""
    logs = [
        -0.5 * ((np.log(duration_s) - mean) / deviation) ** 2 - np.log(deviation)
        for mean, deviation in (_HESITATION, _BETWEEN_SENTENCES if is_sentence else _FLUENT_PAUSE)
    ]
    return float(np.exp(np.clip(logs[0] - logs[1], -10.0, 10.0)))


def _lengthening(times: Timing, symbols: Sequence[str]) -> Float64:
    """By how much each phone is longer than such phones are at the speaker's rate, natural log, shape (L,)."""
    usual = np.array([_USUAL_MS[symbol] for symbol in symbols]) / 1000
    stretched = np.log(np.maximum(times.duration_s, 0.01) / usual)
    return np.asarray(stretched - np.median(stretched))
