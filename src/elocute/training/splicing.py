"""Spliced examples: a phone of the recording gives way to another one of the same voice, or to nothing.

In read speech nearly every phone is what its neighbours let expect, so a model that guesses from them is seldom wrong
in training, and deaf to a single wrong phone in clear speech. Here about one phone in thirty is not what is expected,
and the labels say so. Some are replaced by the same phone from elsewhere: the seams alone must not betray an error.

All happens on log-mel frames: an example is a list of frames, each taken from somewhere in the training set, with a
gain. The change of tempo that follows interpolates between neighbours, which fades one piece into the next.

Source: the idea is SpeechBlender's (Eltager Elkheir et al., arXiv 2211.00923). Deviates: phones are replaced as a whole
by others of the same speaker; the place of the error is learnt by the CTC labels and by the ratings.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from elocute.phones import PHONES
from elocute.training.planting import GOOD_FROM, SAID_INSTEAD, WRONG
from elocute.types import Float32, Float64, Int64

if TYPE_CHECKING:
    from elocute.training.recordings import Recording

NATIVE_SCORE = 2.0
"""What a phone of a native speaker counts as, on the scale of people's scores."""
LEAST_FRAMES = 3
"""Shorter phones neither give way nor come in: as like as not the alignment went wrong there."""
LONGEST = 2.5
"""A donor this many times as long as the phone that it replaces loses its middle."""
AROUND_FRAMES = 25
"""How much sound on either side of a place tells how loud the voice is there."""
MOST_GAIN = 15 * math.log(10) / 10
"""15 dB, in nats of power."""
NEAR = tuple(
    tuple(PHONES.index(said) + 1 for said in SAID_INSTEAD[phone].split() if said in PHONES) for phone in PHONES
)
"""For each phone (row 0 is phone 1) what learners say instead."""

Kind = Literal["substitution", "deletion", "insertion", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Splicing:
    """What is spliced into a recording that is chosen for it.

    Attributes:
        share_of_phones: at most this share of its phones changes, and at least one.
        most: and at most so many.
        deletions: share of the changes that cut a phone out.
        insertions: share that adds one.
        same: share that replaces a phone by the same phone from elsewhere.
        near: share of the other replacements that are errors which learners make.
        reach: how many frames of either neighbour may go with a phone, never more than a third of it.
    """

    share_of_phones: float = 0.12
    most: int = 3
    deletions: float = 0.15
    insertions: float = 0.1
    same: float = 0.15
    near: float = 0.5
    reach: int = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """A recording as it is trained on.

    Attributes:
        recording: with the labels and scores that hold for this example.
        source: shape (n,), which frame of the training set each of its frames is.
        gain: shape (n,), what is added to each frame, nats of power.
    """

    recording: Recording
    source: Int64
    gain: Float32


@dataclass(frozen=True, slots=True)
class _Change:
    """Phone `at` gives way to donor number `donor` (None for nothing); an insertion follows it instead."""

    at: int
    kind: Kind
    donor: int | None


class Splicer:
    """Makes spliced examples of the recordings whose phone times are known."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        power: Float64,
        offsets: Sequence[int],
        times: Mapping[str, Int64],
        settings: Splicing,
    ) -> None:
        """Collect the donors: well-said phones, by speaker and phone.

        Args:
            recordings: of the training set.
            power: shape (frames of all recordings,), power of each frame.
            offsets: first frame of each recording.
            times: frames [begin, end) of the canonical phones within a recording, by its id; recordings that are not
                in it stay as they are, and lend nothing.
            settings: what is spliced.
        """
        self.settings = settings
        self.recordings, self.offsets = recordings, offsets
        self.times = {i: times[r.id] for i, r in enumerate(recordings) if r.id in times}
        self.energy = np.concatenate([[0.0], np.cumsum(power)])
        self.owner: list[int] = []
        self.place: list[int] = []
        by_phone: dict[tuple[str, int], list[int]] = {}
        for i, spans in self.times.items():
            recording = recordings[i]
            for at, (phone, (begin, end)) in enumerate(zip(recording.phones, spans.tolist(), strict=True)):
                is_good = recording.kind != "learner" or recording.phone_scores[at] >= GOOD_FROM
                if is_good and end - begin >= LEAST_FRAMES:
                    by_phone.setdefault((recording.speaker, phone), []).append(len(self.owner))
                    self.owner.append(i)
                    self.place.append(at)
        self.donors = by_phone
        self.phones_of: dict[str, list[int]] = {}
        for speaker, phone in by_phone:
            self.phones_of.setdefault(speaker, []).append(phone)

    def splice(self, index: int, length: int, rng: np.random.Generator) -> Example | None:
        """Recording number `index`, of `length` frames, with one or more changes; None where nothing can change."""
        spans = self.times.get(index)
        if spans is None:
            return None
        recording = self.recordings[index]
        changes = self._changes(recording, index, spans, rng)
        if not changes:
            return None
        source, gain = self._frames(index, length, spans, changes, rng)
        return Example(recording=self._relabelled(recording, changes), source=source, gain=gain)

    def _changes(self, recording: Recording, index: int, spans: Int64, rng: np.random.Generator) -> list[_Change]:
        """Where what changes, in order; never two phones side by side."""
        limit = min(self.settings.most, max(1, round(self.settings.share_of_phones * len(spans))))
        wanted = int(rng.integers(1, limit + 1))
        chosen: dict[int, _Change] = {}
        for at in rng.permutation(len(spans))[: 2 * wanted + 2].tolist():
            if len(chosen) == wanted:
                break
            if spans[at, 1] - spans[at, 0] < LEAST_FRAMES or any(at + k in chosen for k in (-2, -1, 1, 2)):
                continue
            change = self._change(recording, index, at, rng)
            if change is not None:
                chosen[at] = change
        return [chosen[at] for at in sorted(chosen)]

    def _change(self, recording: Recording, index: int, at: int, rng: np.random.Generator) -> _Change | None:
        """What happens at one place; None where what was drawn is not possible there."""
        s = self.settings
        labels, own = recording.labels, recording.phones[at]
        before = labels[at - 1] if at else 0
        after = labels[at + 1] if at + 1 < len(labels) else 0
        draw = rng.random()
        if draw < s.deletions:
            # Equal neighbours would become one long phone.
            return _Change(at, "deletion", None) if before != after and len(labels) > 3 else None
        if draw < s.deletions + s.insertions:
            kind: Kind = "insertion"
        elif draw < s.deletions + s.insertions + s.same:
            kind = "same"
        else:
            kind = "substitution"
        if kind == "same":
            options = [own]
        elif rng.random() < s.near:
            options = list(NEAR[own - 1])
        else:
            options = self.phones_of.get(recording.speaker, [])
        taken = {labels[at], own, after} if kind == "insertion" else {before, after, own}
        if kind == "same":
            taken = {before, after}
        pool = [p for p in options if p not in taken and (recording.speaker, p) in self.donors]
        if not pool:
            return None
        donors = self.donors[recording.speaker, pool[int(rng.integers(len(pool)))]]
        donor = donors[int(rng.integers(len(donors)))]
        is_itself = self.owner[donor] == index and self.place[donor] == at
        return None if is_itself else _Change(at, kind, donor)

    def _frames(
        self, index: int, length: int, spans: Int64, changes: Sequence[_Change], rng: np.random.Generator
    ) -> tuple[Int64, Float32]:
        """Which frames the example consists of, and the gain of each."""
        offset = self.offsets[index]
        pieces: list[Int64] = []
        gains: list[Float32] = []
        now = 0
        for change in changes:
            begin, end = _room(spans, change, self.settings.reach, rng)
            begin, end = max(begin, now), max(end, now)
            pieces.append(np.arange(offset + now, offset + begin))
            gains.append(np.zeros(begin - now, dtype=np.float32))
            if change.donor is not None:
                piece, gain = self._donor(change.donor, (index, begin, end), rng)
                pieces.append(piece)
                gains.append(np.full(len(piece), gain, dtype=np.float32))
            now = end
        pieces.append(np.arange(offset + now, offset + length))
        gains.append(np.zeros(max(length - now, 0), dtype=np.float32))
        return np.concatenate(pieces), np.concatenate(gains)

    def _donor(self, donor: int, room: tuple[int, int, int], rng: np.random.Generator) -> tuple[Int64, float]:
        """Frames of a donor, and the gain that makes it as loud among its new neighbours as among its old ones."""
        owner = self.owner[donor]
        spans, at = self.times[owner], self.place[donor]
        reach = int(rng.integers(self.settings.reach))
        first = max(int(spans[at, 0]) - reach, 0)
        last = min(int(spans[at, 1]) + reach, int(spans[-1, 1]))
        index, begin, end = room
        frames = np.arange(self.offsets[owner] + first, self.offsets[owner] + last)
        # An insertion may last as long as its donor did.
        longest = round(LONGEST * (end - begin)) if end > begin else len(frames)
        if len(frames) > longest:
            head = longest // 2
            frames = np.concatenate([frames[:head], frames[head - longest :]])
        here = self._level_around(index, begin, end)
        there = self._level_around(owner, first, last)
        gain = math.log(here / there) if here > 0 and there > 0 else 0.0
        return frames, min(max(gain, -MOST_GAIN), MOST_GAIN)

    def _level_around(self, index: int, begin: int, end: int) -> float:
        """Mean power on either side of frames [begin, end) of a recording; 0 where there is none."""
        offset, stop = self.offsets[index], int(self.times[index][-1, 1])
        low, high = max(begin - AROUND_FRAMES, 0), min(end + AROUND_FRAMES, stop)
        energy, frames = 0.0, 0
        for first, last in ((low, begin), (end, high)):
            if last > first:
                energy += float(self.energy[offset + last] - self.energy[offset + first])
                frames += last - first
        return energy / frames if frames else 0.0

    def _relabelled(self, recording: Recording, changes: Sequence[_Change]) -> Recording:
        """The recording's labels and scores after the changes; people's scores of the whole no longer hold."""
        labels: list[tuple[int, ...]] = [(label,) for label in recording.labels]
        scores = list(recording.phone_scores or (math.nan,) * len(recording.phones))
        instead = [0] * len(scores)
        instead_scores = [math.nan] * len(scores)
        for change in changes:
            said, score = 0, WRONG
            if change.donor is not None:
                owner, at = self.recordings[self.owner[change.donor]], self.place[change.donor]
                said = owner.phones[at]
                score = NATIVE_SCORE if owner.kind != "learner" else owner.phone_scores[at]
            if change.kind == "insertion":
                labels[change.at] = (*labels[change.at], said)
                continue
            labels[change.at] = (said,) if said else ()
            scores[change.at] = score if change.kind == "same" else WRONG
            if change.kind == "substitution":
                instead[change.at], instead_scores[change.at] = said, score
        return dataclasses.replace(
            recording,
            labels=tuple(label for place in labels for label in place),
            phone_scores=tuple(scores),
            utterance_scores=(math.nan,) * 4,
            instead=tuple(instead),
            instead_scores=tuple(instead_scores),
        )


def _room(spans: Int64, change: _Change, most: int, rng: np.random.Generator) -> tuple[int, int]:
    """Frames [begin, end) that give way: the phone, and some of its neighbours where they touch it."""
    begin, end = map(int, spans[change.at])
    if change.kind == "insertion":
        return end, end
    # A phone that was cut out exactly still sounds in its neighbours.
    reach = most if change.kind == "deletion" else int(rng.integers(most + 1))
    if change.at and spans[change.at - 1, 1] == begin:
        begin -= min(reach, (begin - int(spans[change.at - 1, 0])) // 3)
    if change.at + 1 < len(spans) and spans[change.at + 1, 0] == end:
        end += min(reach, (int(spans[change.at + 1, 1]) - end) // 3)
    return begin, end
