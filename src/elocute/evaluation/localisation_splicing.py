"""Make a recording with one known error out of a clean one, and of another for what is said instead.

Cut exactly at its edges, a phone leaves its traces in its neighbours, whose transitions lead to it. How much of them
has to go was set on speech of flite, where the same error can also be spoken directly (132 substitutions, 72
deletions): with 20 ms from either neighbour a deleted phone scores 77 of 100 and is the lowest of its word in 78 %
(spoken directly 72 and 81 %; cut exactly 86 and 68 %), with 10 ms a substituted one 86 and 66 % (82 and 69 %; 88 and
66 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.audio import audio_from_array
from elocute.evaluation.localisation_planting import Kind, Phones, Place, Planted, bare, flat_index, neighbours
from elocute.evaluation.splice import cut, gain_between, spliced
from elocute.gop.chains import phones_in
from elocute.phones import VOWELS
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64, Posteriors

TRANSITION_S: dict[Kind, float] = {"substitution": 0.01, "deletion": 0.02, "insertion": 0.0}
"""How much of either neighbour goes with the phone, though never more than a third of it."""
DONOR_TRANSITION_S = 0.01
"""How much of either of its own neighbours a donor brings."""
LONGEST = 2.5
"""A donor this many times as long as the phone that it replaces loses its middle."""
LONGEST_INSERTION_S = 0.15
SHORTEST_DONOR_S = 0.03
"""Shorter ones are no good: as like as not the alignment went wrong there."""
AT_PLACE_S = 0.02
"""The acoustic model's spike may lie so far outside a spliced piece, ..."""
AT_CUT_S = 0.04
"""... and the spike of a phone that was cut out imperfectly so far from the cut."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """A recording with its reference: what counts as right, how it is assessed, where its phones are.

    Attributes:
        audio: the recording.
        given: pronunciations, with stress digits where known.
        start_s: begin of each phone.
        end_s: end of each phone.
        posteriors: what the acoustic model hears.
    """

    audio: Audio
    given: tuple[Phones, ...]
    start_s: Float64
    end_s: Float64
    posteriors: Posteriors

    @property
    def phones(self) -> tuple[Phones, ...]:
        """Canonical phones without stress."""
        return tuple(bare(word) for word in self.given)

    def index(self, place: Place) -> int:
        """Number of a phone in the recording."""
        return flat_index(self.given, place)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Donor:
    """A phone of another recording: where it is, and whether the acoustic model hears it there as what it is."""

    audio: Audio
    start_s: float
    end_s: float
    was_heard: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplicedError:
    """A recording with an error, and where in it the error is: begin and end, the same for a deletion."""

    audio: Audio
    start_s: float
    end_s: float


def splice_error(heard: Heard, planted: Planted, donor: Donor | None) -> SplicedError:
    """Make the recording with the error; `donor` is None for a deletion."""
    begin, end = _room(heard, planted)
    samples = heard.audio.samples
    piece, length = None, 0
    if donor is not None:
        first = max(round((donor.start_s - DONOR_TRANSITION_S) * SAMPLE_RATE_HZ), 0)
        last = min(round((donor.end_s + DONOR_TRANSITION_S) * SAMPLE_RATE_HZ), len(donor.audio.samples))
        room = LONGEST_INSERTION_S * SAMPLE_RATE_HZ if planted.kind == "insertion" else LONGEST * (end - begin)
        longest = round(max(room, SHORTEST_DONOR_S * SAMPLE_RATE_HZ))
        gain = gain_between(samples, begin, end, donor.audio.samples, first, last)
        piece = cut(donor.audio.samples, first, last, gain, longest)
        length = min(last - first, longest)
    made = np.clip(spliced(samples, begin, end, piece), -1.0, 1.0)
    return SplicedError(
        audio=audio_from_array(made, SAMPLE_RATE_HZ),
        start_s=begin / SAMPLE_RATE_HZ,
        end_s=(begin + length) / SAMPLE_RATE_HZ,
    )


def _room(heard: Heard, planted: Planted) -> tuple[int, int]:
    """Samples [begin, end) that give way; none for an insertion."""
    at = heard.index(planted.place)
    start_s, end_s = heard.start_s, heard.end_s
    reach_s = TRANSITION_S[planted.kind]
    begin_s, stop_s = float(start_s[at]), float(end_s[at])
    if planted.kind == "insertion":
        begin_s = stop_s
    else:
        # Across a pause there are no transitions.
        if at and start_s[at] == end_s[at - 1]:
            begin_s -= min(reach_s, float(end_s[at - 1] - start_s[at - 1]) / 3)
        if at + 1 < len(start_s) and start_s[at + 1] == end_s[at]:
            stop_s += min(reach_s, float(end_s[at + 1] - start_s[at + 1]) / 3)
    last = len(heard.audio.samples)
    return min(round(begin_s * SAMPLE_RATE_HZ), last), min(round(stop_s * SAMPLE_RATE_HZ), last)


def heard_at(posteriors: Posteriors, start_s: float, end_s: float) -> tuple[str, ...]:
    """Phones that the acoustic model, left to itself, hears at a place: its best path there without blanks."""
    margin_s = AT_PLACE_S if end_s > start_s else AT_CUT_S
    phone_set = posteriors.phone_set
    best = posteriors.log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    is_sound = best[starts] != phone_set.blank_id
    labels, starts, ends = best[starts][is_sound].tolist(), starts[is_sound], ends[is_sound]
    heard = []
    for symbol, first, last in phones_in(labels, phone_set):
        middle_s = (starts[first] + ends[last]) / 2 * posteriors.frame_shift_s
        if start_s - margin_s <= middle_s <= end_s + margin_s:
            heard.append(symbol)
    return tuple(heard)


def likeness(phones: Sequence[Phones], place: Place, heard: Sequence[Phones], planted: Planted) -> int:
    """How like the neighbours of a donor are to those that it gets: 2 for each that is the same phone.

    1 for each where both are vowels or both are consonants.
    """
    before, after = neighbours(heard, planted.place)
    if planted.kind == "insertion":
        before = heard[planted.place.word][planted.place.phone]
    pairs = zip(neighbours(phones, place), (before, after), strict=True)
    return sum(2 if a == b else int(None not in (a, b) and (a in VOWELS) == (b in VOWELS)) for a, b in pairs)
