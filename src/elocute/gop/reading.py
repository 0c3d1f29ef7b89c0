"""Step 5/10 - how the text was read: which words, in which order, and what else was said.

People leave words out, say them twice, break off and start again, add words, or read something else.
`reading_lattice` finds the best of all ways of reading, phone by phone; here it is told in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from elocute.gop.chains import phone_emissions
from elocute.gop.reading_lattice import ReadingLattice, ReadingPrices, SpokenPhone
from elocute.gop.said import EditPrior
from elocute.types import Int64, PhoneSet

__all__ = ["LEAST_INSERTION", "Extra", "ExtraKind", "Reading", "ReadingPrices", "read_words"]

LEAST_INSERTION = 2
"""Phones of a filler that count as words; a single one is an added phone, or a noise."""

ExtraKind = Literal["insertion", "repetition", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Speech beside the reading of the text, or before it is got right.

    Attributes:
        kind: of words that are not of the text; of words said again later; of one broken off and said again.
        before_word: index of the word of the text that it precedes; as many as there are words at the end.
        word: the word of the text that it repeats or begins; None for an insertion.
        phones: what was heard.
        start: first frame.
        end: behind the last frame.
    """

    kind: ExtraKind
    before_word: int
    word: int | None
    phones: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a text was read.

    Attributes:
        skipped: words that were left out, in order.
        truncated: words that were begun and of which half or more was never said, two phones at least; in order.
        extras: in time order.
        price: of the best path, nats: all its deviations, and what its labels lack in probability beside the most
            probable label of every frame.
    """

    skipped: tuple[int, ...]
    truncated: tuple[int, ...]
    extras: tuple[Extra, ...]
    price: float

    def kept_frames(self, frames: int) -> Int64:
        """Frames without those of the extras."""
        kept = np.ones(frames, dtype=bool)
        for extra in self.extras:
            kept[extra.start : extra.end] = False
        return np.flatnonzero(kept)


def read_words(
    log_probs: ArrayLike,
    words: Sequence[Sequence[int]],
    phone_set: PhoneSet,
    prior: EditPrior,
    prices: ReadingPrices | None = None,
) -> Reading:
    """Find how a text was most probably read.

    Args:
        log_probs: natural-log posteriors, shape (T, V).
        words: phone ids of each word of the text, none empty.
        phone_set: how each phone is spelled in labels.
        prior: how likely a phone of a word that is said is another one, or dropped.
        prices: of all other deviations.

    Cost: time O(T L (L + V)) for L phones of the text; memory O(L V) bits and O(L) numbers a frame.
    """
    emissions = phone_emissions(log_probs, phone_set)
    prior.check(phone_set)
    lattice = ReadingLattice(emissions, words, prior, prices or ReadingPrices())
    path, price = lattice.best_path()
    return _told(path, [len(word) for word in words], price)


def _told(path: Sequence[SpokenPhone], sizes: Sequence[int], price: float) -> Reading:
    """Tell a best path as a reading."""
    word_of = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum([0, *sizes])
    turns = _turns(path, word_of, first)
    said = [turn for turn in turns if turn.word is not None]
    # The last rendition of a word counts, unless an earlier one got further.
    best: dict[int, _Turn] = {}
    for turn in said:
        assert turn.word is not None
        rival = best.get(turn.word)
        if rival is None or turn.reach >= rival.reach:
            best[turn.word] = turn
    extras = []
    for turn in turns:
        if turn.word is None:
            if len(turn.phones) >= LEAST_INSERTION:
                extras.append(turn.extra("insertion"))
        elif best[turn.word] is not turn:
            is_whole = turn.reach == sizes[turn.word]
            extras.append(turn.extra("repetition" if is_whole else "restart"))
    return Reading(
        skipped=tuple(word for word in range(len(sizes)) if word not in best),
        truncated=tuple(word for word, turn in sorted(best.items()) if _is_broken_off(turn.reach, sizes[word])),
        extras=tuple(extras),
        price=price,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A word said in one go, or a filler.

    Attributes:
        word: of the text; None for a filler.
        before: word of the text that a filler precedes.
        reach: phones of the word that are behind the last one said, itself included.
        phones: what was heard.
        start: first frame.
        end: behind the last frame.
    """

    word: int | None
    before: int
    reach: int
    phones: tuple[int, ...]
    start: int
    end: int

    def extra(self, kind: ExtraKind) -> Extra:
        """This turn as an extra."""
        return Extra(
            kind=kind, before_word=self.before, word=self.word, phones=self.phones, start=self.start, end=self.end
        )


def _turns(path: Sequence[SpokenPhone], word_of: Int64, first: Int64) -> list[_Turn]:
    """Cut a path where a word or a filler ends, or begins anew."""
    groups: list[tuple[int | None, int, list[SpokenPhone]]] = []
    reached = -1  # the text place behind the last phone of the group
    for item in path:
        is_border = item.is_added and item.place in first
        if is_border:
            before = int(np.searchsorted(first, item.place))
            if groups and groups[-1][0] is None and groups[-1][1] == before:
                groups[-1][2].append(item)
            else:
                groups.append((None, before, [item]))
            continue
        word = int(word_of[item.place])
        goes_on = groups and groups[-1][0] == word and item.place >= reached
        if goes_on:
            groups[-1][2].append(item)
        else:
            groups.append((word, word, [item]))
        reached = item.place if item.is_added else item.place + 1
    turns = []
    for spoken, before, items in groups:
        reach = 0
        if spoken is not None:
            reach = max(item.place + (not item.is_added) for item in items) - int(first[spoken])
        turns.append(
            _Turn(
                word=spoken,
                before=before,
                reach=reach,
                phones=tuple(item.label for item in items),
                start=items[0].start,
                end=items[-1].end,
            )
        )
    return turns


def _is_broken_off(reach: int, size: int) -> bool:
    """Whether half of a word or more is missing, two phones at least: learners drop single ones, and short ends."""
    return size - reach >= max(2, size / 2)
