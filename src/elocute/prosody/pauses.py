"""Where the speaker paused: silences between the phones, to 10 ms.

The lattice says between which two phones a silence lies, the sound says from when to when. A stop is silent before it
bursts, and that silence is not a pause but a part of the phone, so that a pause before or after a stop is what
remains of the silence without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from elocute.phones.syllables import syllable_indices
from elocute.prosody.activity import Activity, speech_activity
from elocute.types import Audio, Float64, Int64

MIN_PAUSE_S = 0.15
"""A shorter silence between two phones belongs to them (a stop's closure lasts up to about 0.12 s)."""
CLOSURE_S = 0.06
"""A stop or affricate beside a silence may have so much of it: there the silence has to be longer to be a pause."""
STOPS = frozenset(("P", "T", "K", "B", "D", "G", "CH", "JH"))
_SILENT_DB = 4.0
"""Planted silence stays below 2.1 dB of excess in 99 % of frames, phones rise above 5.8 dB in 99 % of their spikes."""
_CLICK_S = 0.05
"""A sound of this length inside a silence (a click of the tongue, of the mouse) does not end it."""
_TAIL_S = 0.12
_TAIL_DB = 6.0
"""What is so far above the silence at its edges, for so long at most, is a closure, or a sound that dies away."""
_LOG_BETWEEN_SYLLABLES, _LOG_INSIDE = -2.0, -8.0
"""Nats; prior odds of a pause inside a word, between syllables and elsewhere. Who spells a word out pauses between its
syllables; a final stop without release is easily heard behind the silence that follows the word."""
_HUSHED_S, _HUSHED_DB, _HUSHED_SHARE = 0.4, 10.0, 0.35
"""A stretch without a phone, so long, and so far below the phones, is noise up to so much of the way to them."""
_BREATH_DB, _BREATH_S = 25.0, 0.5
"""A sound between two silences without a phone in it, nowhere less than this below loud speech, is a breath."""
_LOG_OUTSIDE, _SPOKEN_S = -5.0, 0.2
"""Nats; prior odds of a silence before the first phone, or behind the last, with so much sound on its other side."""
_NO_MASS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A silence between two phones.

    Attributes:
        start_s: begin.
        end_s: end.
        after_phone: index of the phone before it.
    """

    start_s: float
    end_s: float
    after_phone: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def find_pauses(
    audio: Audio,
    occupancies: Float64,
    frame_shift_s: float,
    *,
    symbols: Sequence[str],
    word_ids: Sequence[int] | Int64,
    activity: Activity | None = None,
) -> tuple[Pause, ...]:
    """Find the silences of `MIN_PAUSE_S` and more between consecutive phones; at most one after each phone.

    Args:
        audio: the recording.
        occupancies: shape (T, 2L + 1), posterior of each state of the phones' lattice (`ctc.Lattice.occupancies`).
        frame_shift_s: seconds a frame of `occupancies`.
        symbols: ARPABET of each phone without stress, L of them.
        word_ids: shape (L,), word of each phone.
        activity: of the recording, if it is at hand.

    Returns: pauses in order; silence before the first phone and after the last is none.
    """
    heard = activity or speech_activity(audio)
    log_prior = _log_prior_of_places(symbols, np.asarray(word_ids))
    placed = _placed(heard, occupancies, frame_shift_s, log_prior)
    pauses = []
    for place in sorted(placed.keys() - {0, len(symbols)}):
        longest = max(_through_breaths(heard, placed[place]), key=lambda run: run[1] - run[0])
        stops = sum(symbol in STOPS for symbol in symbols[place - 1 : place + 1])
        least = round((MIN_PAUSE_S + stops * CLOSURE_S) / heard.frame_shift_s)
        begin, end = _without_tails(heard, *longest)
        if end - begin >= least:
            # Rounded, because times are binary fractions.
            start_s, end_s = round(begin * heard.frame_shift_s, 6), round(end * heard.frame_shift_s, 6)
            pauses.append(Pause(start_s=start_s, end_s=end_s, after_phone=place - 1))
    return tuple(pauses)


def _placed(
    activity: Activity, occupancies: Float64, frame_shift_s: float, log_prior: Float64
) -> dict[int, list[tuple[int, int]]]:
    """The silences by the number of phones before them, each as a range of frames."""
    silent = silent_frames(activity) | _hushed_frames(activity, occupancies, frame_shift_s)
    spoken_s = np.concatenate([[0.0], np.cumsum(~silent)]) * activity.frame_shift_s
    placed: dict[int, list[tuple[int, int]]] = {}
    for begin, end in runs_of(silent):
        # The silence is whole frames of the lattice, those half in it included, and one frame at least.
        first = min(round(begin * activity.frame_shift_s / frame_shift_s), len(occupancies) - 1)
        last = max(round(end * activity.frame_shift_s / frame_shift_s), first + 1)
        log_odds = np.log(occupancies[first:last, ::2].mean(axis=0) + _NO_MASS) + log_prior
        # What was said on the other side is hardly something else than the text.
        log_odds[0] += _LOG_OUTSIDE * (spoken_s[begin] >= _SPOKEN_S)
        log_odds[-1] += _LOG_OUTSIDE * (spoken_s[-1] - spoken_s[end] >= _SPOKEN_S)
        placed.setdefault(int(log_odds.argmax()), []).append((begin, end))
    return placed


def _hushed_frames(activity: Activity, occupancies: Float64, frame_shift_s: float) -> NDArray[np.bool_]:
    """Frames of long stretches without a phone that are far below the phones, shape (N,): pauses in a noisy place.

    Noise that comes and goes rises above its own floor, but the lattice hears no phone in it.
    """
    hushed = np.zeros(len(activity.level_db), dtype=bool)
    frames = (np.arange(len(hushed)) * (activity.frame_shift_s / frame_shift_s)).astype(np.int64)
    phone = occupancies[np.minimum(frames, len(occupancies) - 1), 1::2].sum(axis=1)
    if not (phone >= 0.5).any():
        return hushed
    loud = float(np.median(activity.level_db[phone >= 0.5]))
    for begin, end in runs_of(phone < 0.1):
        if (end - begin) * activity.frame_shift_s >= _HUSHED_S:
            level = activity.level_db[begin:end]
            low = float(np.percentile(level, 25))
            if loud - low >= _HUSHED_DB:
                hushed[begin:end] = level < low + _HUSHED_SHARE * (loud - low)
    return hushed


def _through_breaths(activity: Activity, runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Silences at one place, those joined between which only a breath is heard."""
    faint = float(np.percentile(activity.level_db, 95)) - _BREATH_DB
    joined = [runs[0]]
    for begin, end in runs[1:]:
        between = activity.level_db[joined[-1][1] : begin]
        if len(between) * activity.frame_shift_s <= _BREATH_S and between.max() < faint:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    return joined


def _without_tails(activity: Activity, begin: int, end: int) -> tuple[int, int]:
    """The frames of a silence without edges that are louder than most of it."""
    level, reach = activity.level_db[begin:end], round(_TAIL_S / activity.frame_shift_s)
    loud = np.flatnonzero(level > np.median(level) + _TAIL_DB)
    head, tail = loud[loud < reach], loud[loud >= len(level) - reach]
    first = int(head[-1]) + 1 if len(head) else 0
    tail = tail[tail >= first]
    return begin + first, begin + int(tail[0]) if len(tail) else end


def _log_prior_of_places(symbols: Sequence[str], word_ids: Int64) -> Float64:
    """Log prior odds of a pause before each phone and after the last, shape (L + 1,)."""
    prior = np.zeros(len(symbols) + 1)
    starts = [0, *(np.flatnonzero(np.diff(word_ids)) + 1).tolist(), len(symbols)]
    for first, last in pairwise(starts):
        syllables = np.array(syllable_indices(symbols[first:last]))
        prior[first + 1 : last] = np.where(np.diff(syllables) > 0, _LOG_BETWEEN_SYLLABLES, _LOG_INSIDE)
    return prior


def silent_frames(activity: Activity) -> NDArray[np.bool_]:
    """Frames without speech, shape (N,); a short sound between two silences that are longer than it is silent, too."""
    silent = activity.excess_db < _SILENT_DB
    longest = round(_CLICK_S / activity.frame_shift_s)
    runs = runs_of(silent)
    for (before, end), (begin, after) in pairwise(runs):
        if begin - end <= longest and min(end - before, after - begin) >= longest:
            silent[end:begin] = True
    return np.asarray(silent)


def runs_of(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of the runs of true values, in order."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
