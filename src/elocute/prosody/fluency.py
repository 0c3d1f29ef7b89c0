"""Rates and pauses: how fluently the words came, in the units of the literature.

Speech rate counts syllables over the time from first to last phone, articulation rate over that time without counted
pauses (shorter silences belong to articulation); mean length of run is syllables between pauses (Lennon 1990; de Jong
and Wempe 2009). WCPM is words correct per minute (Fuchs et al. 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elocute.prosody.timing import Timing

COUNTED_PAUSE_S = 0.25
"""A pause is counted from this length (Goldman-Eisler 1968)."""
LONG_PAUSE_S = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluency:
    """Rates and pauses of one utterance.

    Attributes:
        speech_rate_syl_s: syllables per second, pauses included.
        articulation_rate_syl_s: syllables per second, pauses excluded.
        wcpm: words correct per minute.
        pause_count: pauses of 0.25 s or more.
        long_pause_count: pauses above 0.4 s.
        mean_pause_s: mean length of the counted pauses; None without any.
        pause_ratio: share of the time from first to last phone spent in counted pauses.
        phonation_ratio: share of that time spent speaking, shorter silences included; 1 minus `pause_ratio`.
        mean_length_of_run: syllables between counted pauses.
    """

    speech_rate_syl_s: float
    articulation_rate_syl_s: float
    wcpm: float
    pause_count: int
    long_pause_count: int
    mean_pause_s: float | None
    pause_ratio: float
    phonation_ratio: float
    mean_length_of_run: float


def fluency(times: Timing, syllables: int, correct_words: int, beside_s: float = 0.0) -> Fluency:
    """Rates and pauses from phone times.

    Args:
        times: from `timing`.
        syllables: syllables of the words of the text that were said.
        correct_words: words said and not marked as wrong.
        beside_s: speech beside the text (repetitions, restarts, insertions) between the first phone and the last that
            is not in `times`, seconds. It takes time, also from speaking, and has no syllables that count.
    """
    span = float(times.end_s[-1] - times.start_s[0]) + beside_s
    # Rounded, because times are binary fractions: 20 frames of 0.02 s are 0.4 s wherever they lie.
    rounded = [round(pause.duration_s, 6) for pause in times.pauses]
    lengths = np.array([length for length in rounded if length >= COUNTED_PAUSE_S])
    paused = float(lengths.sum())
    return Fluency(
        speech_rate_syl_s=syllables / span,
        articulation_rate_syl_s=syllables / (span - paused),
        wcpm=60 * correct_words / span,
        pause_count=len(lengths),
        long_pause_count=int((lengths > LONG_PAUSE_S).sum()),
        mean_pause_s=float(lengths.mean()) if len(lengths) else None,
        pause_ratio=paused / span,
        phonation_ratio=1.0 - paused / span,
        mean_length_of_run=syllables / (len(lengths) + 1),
    )
