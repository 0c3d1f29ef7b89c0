"""Where phones begin and end, to 10 ms: the spikes of the CTC model say about where, the sound says exactly.

Between two pauses every frame belongs to one phone, in the order of the text. Of all such divisions near the spikes
the best is found: every frame counts by how much it sounds like its phone, every boundary by how much the sound
changes there, every phone by how usual its length is. As the sum splits into one term for each two neighbouring
boundaries, dynamic programming needs one pass over the phones (the segmentation of Ostendorf, Digalakis, Kimball,
"From HMM's to segment models", 1996, with frames independent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.prosody.sound import SILENCE, Sound
from elocute.types import Float64, Int64

_REACH = 4
"""Frames that a boundary may lie outside of the middles of two spikes, less the length of the spike; where that is
below 0, inside. Of flite's boundaries 11 % lie before the spike of the phone that they end, or behind that of the phone
that they begin, but to look for them further away costs more than it gains."""
_EDGE_REACH = 40
"""Frames that the first and the last phone may reach beyond their spikes."""
_LEAST = (3, 2, 1)
"""Frames that a phone lasts at least; fewer where the spikes leave no room."""
_WIDER = (16, 64, 256)
"""Frames by which the windows grow, one after the other, where the spikes contradict the pauses."""
_FLOOR = -8.0  # nats: a phone that was said as another must not move its neighbours
_PRIOR_SHARE = 0.5
_LENGTH_SPREAD = 0.5  # of the logarithms of phone durations within a recording, nats
_LENGTH_SHARE = 2.0
_SPIKE = 0.5  # nats for every frame that belongs to the phone of its spike


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Phones that follow each other without a pause.

    Attributes:
        first: the first phone.
        last: the phone behind the last one.
        begin: frame where the first begins at the earliest.
        end: frame where the last ends at the latest.
        is_open_before: whether silence may precede, which is so at the beginning of the recording.
        is_open_after: whether silence may follow, which is so at its end.
    """

    first: int
    last: int
    begin: int
    end: int
    is_open_before: bool
    is_open_after: bool


def phone_edges(sound: Sound, phones: Int64, spikes: Int64, section: Section) -> Int64:
    """Frames where the phones of a section begin, and where the last one ends, shape (phones + 1,), ascending.

    Args:
        sound: of the recording.
        phones: shape (L,), all phones of the recording, indices of `PHONES`.
        spikes: shape (L, 2), frames [begin, end) of their spikes.
        section: has at least one frame for each of its phones.
    """
    states = phones[section.first : section.last]
    if section.is_open_before:
        states = np.append(SILENCE, states)
    if section.is_open_after:
        states = np.append(states, SILENCE)
    if len(states) == 1:
        return np.array([section.begin, section.end])
    low, high, least = _windows(spikes, section, len(states))
    sums = _sums(sound, states, spikes, section)
    change = np.append(sound.change, 0.0)
    worth = _worth_of_lengths(spikes, max(least), section.end - section.begin)
    inner = _best_path(sums, change, low, high, worth, section)
    edges = [] if section.is_open_before else [section.begin]
    edges += inner
    return np.array(edges if section.is_open_after else [*edges, section.end])


def _windows(spikes: Int64, section: Section, states: int) -> tuple[list[int], list[int], list[int]]:
    """First and last place of each boundary, and least frames of each state; some division always fits."""
    own = spikes[section.first : section.last]
    middles = own.sum(axis=1) // 2
    lengths = own[:, 1] - own[:, 0]
    reach = np.maximum(_REACH - lengths, -lengths // 4)  # of a long spike at least half belongs to its phone
    low, high = (middles - reach)[:-1].tolist(), (middles + reach)[1:].tolist()
    if section.is_open_before:
        low, high = [int(own[0, 0]) - _EDGE_REACH, *low], [int(middles[0]), *high]
    if section.is_open_after:
        low, high = [*low, int(middles[-1])], [*high, int(own[-1, 1]) + _EDGE_REACH]
    anywhere = section.end + int(own.max())  # spikes may lie far outside of a section that pauses cut out
    for least, wider in (*((least, 0) for least in _LEAST), *((1, wider) for wider in _WIDER), (1, anywhere)):
        each = [least] * states
        if section.is_open_before:
            each[0] = 0
        if section.is_open_after:
            each[-1] = 0
        lows, highs = _fitting([place - wider for place in low], [place + wider for place in high], each, section)
        if all(a <= b for a, b in zip(lows, highs, strict=True)):
            break
    return lows, highs, each


def _fitting(
    low: Sequence[int], high: Sequence[int], least: Sequence[int], section: Section
) -> tuple[list[int], list[int]]:
    """The windows without the places that leave too little room for the states before or behind."""
    lows, highs = [], []
    reached = section.begin
    for place, frames in zip(low, least[:-1], strict=True):
        reached = max(place, reached + frames)
        lows.append(reached)
    reached = section.end
    for place, frames in zip(reversed(high), reversed(least[1:]), strict=True):
        reached = min(place, reached - frames)
        highs.append(reached)
    return lows, highs[::-1]


def _sums(sound: Sound, states: Int64, spikes: Int64, section: Section) -> Float64:
    """For each state how well the first t frames of the section sound like it, shape (frames + 1, states), nats."""
    frames = np.clip(np.arange(section.begin, section.end), 0, len(sound.log_probs) - 1)
    match = sound.log_probs[frames[:, None], states] - _PRIOR_SHARE * sound.log_prior[states]
    match = np.maximum(match, _FLOOR).astype(np.float64)
    own = spikes[section.first : section.last] - section.begin
    for state, (begin, end) in enumerate(np.maximum(own, 0).tolist(), start=int(section.is_open_before)):
        match[begin:end, state] += _SPIKE
    return np.vstack([np.zeros(len(states)), np.cumsum(match, axis=0)])


def _best_path(
    sums: Float64, change: Float64, low: Sequence[int], high: Sequence[int], worth: Float64, section: Section
) -> list[int]:
    """The boundaries between the states of a section; `worth` is that of a phone by its frames."""
    steps: list[tuple[Int64, Int64]] = []
    total = np.zeros(0)
    for boundary, (first, last) in enumerate(zip(low, high, strict=True)):
        places = np.arange(first, last + 1)
        inside = places - section.begin
        score = sums[inside, boundary] - sums[inside, boundary + 1]
        is_edge = (section.is_open_before and boundary == 0) or (section.is_open_after and boundary == len(low) - 1)
        if not is_edge:
            score = score + change[np.minimum(places, len(change) - 1)]
        if steps:
            reached = total[:, None] + worth[np.maximum(places - steps[-1][0][:, None], 0)]
            origin = reached.argmax(axis=0)
            score = score + reached[origin, np.arange(len(places))]
        else:
            origin = np.zeros(len(places), dtype=np.int64)
            score = score if section.is_open_before else score + worth[inside]
        if boundary == len(low) - 1 and not section.is_open_after:
            score = score + worth[section.end - places]
        total = score
        steps.append((places, origin))
    choice, found = int(total.argmax()), []
    for places, origin in reversed(steps):
        found.append(int(places[choice]))
        choice = int(origin[choice])
    return found[::-1]


def _worth_of_lengths(spikes: Int64, least: int, frames: int) -> Float64:
    """What a phone of 0 to `frames` frames is worth, nats: the less, the further it is from the usual."""
    steps = np.diff(spikes.sum(axis=1) / 2)
    usual = max(float(np.median(steps)), 1.0) if len(steps) else 1.0
    worth = np.full(frames + 1, -np.inf)
    worth[least:] = -_LENGTH_SHARE * np.square(np.log(np.arange(least, frames + 1) / usual) / _LENGTH_SPREAD) / 2
    return worth
