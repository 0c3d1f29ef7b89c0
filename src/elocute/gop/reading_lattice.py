"""Step 5/10 - the lattice of every way of reading a text, and the best path through it.

The lattice of `ctc` spells the whole text, once, in order. This one holds every way of reading:

    each phone is said, said as another, or dropped; phones are added inside words, and strings of any phones between
    them (filler); words are skipped; and the reader goes back to the beginning of a word from its end, from its
    middle (restart), or from any later place (repetition).

Each of these has a price in nats. The best path through the lattice (Viterbi) tells the reading as it went by. A path
is in gap j once it has dealt with the first j phones; a move between gaps takes no time, and each label is entered by
one move from the gap in which the path was. Going on is a move from a gap to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.gop.said import EditPrior, Emissions
from elocute.types import Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingPrices:
    """What each deviation costs, in nats; all are positive.

    Attributes:
        added_phone: one certain phone added inside a word.
        filler: beginning with speech that is not of the text, between words, with one certain phone.
        filler_phone: every further certain phone of it, at once or after a pause.
        skipped_word: leaving out a word, or the first of several in a row.
        next_skipped_word: leaving out each word after that.
        going_back: to the beginning of the word just said.
        further_back: for each word more.
        breaking_off: in the middle of a word, on top of what follows: going back, leaving out words after it, or
            nothing (going on without its end).
    """

    added_phone: float = 8.0
    filler: float = 7.0
    filler_phone: float = 3.7
    skipped_word: float = 9.0
    next_skipped_word: float = 2.5
    going_back: float = 6.0
    further_back: float = 0.5
    breaking_off: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenPhone:
    """One phone, `label`, on the best path: said for phone `place` of the text, or added in gap `place`.

    It takes the frames from `start` to before `end`.
    """

    is_added: bool
    place: int
    label: int
    start: int
    end: int


class ReadingLattice:
    """Viterbi over phones said (L+1, K; the last row is empty), phones added (L+1, K), and blanks (L+1)."""

    def __init__(
        self, emissions: Emissions, words: Sequence[Sequence[int]], prior: EditPrior, prices: ReadingPrices
    ) -> None:
        self.phones, self.blank = emissions.phones, emissions.blank
        text = np.array([phone for word in words for phone in word], dtype=np.int64)
        bounds = np.cumsum([0, *map(len, words)])
        L, K = len(text), self.phones.shape[1]
        # Whatever is certain is free: only deviations have a price.
        right = prior.said[text, text]
        with np.errstate(divide="ignore"):
            said = np.log(prior.said[text]) - np.log(right)[:, None]
        self.moves = _moves(bounds, -said[:, -1], prices)
        is_border = np.isin(np.arange(L + 1), bounds)
        self.entry = np.full((2, L + 1, K), -np.inf)
        self.entry[0, :L] = said[:, :-1]
        self.entry[1] = np.where(is_border, -prices.filler, -prices.added_phone)[:, None]
        # From a filler phone to the next: as an entry into the same gap, at a price of its own.
        self.going_on = np.where(is_border, -prices.filler_phone, -prices.added_phone)

    def best_path(self) -> tuple[list[SpokenPhone], float]:
        """Labels of the best path, in time order, and what it costs."""
        T, (_, gaps, K) = len(self.blank), self.entry.shape
        labels, blanks = np.full((2, gaps, K), -np.inf), np.full(gaps, -np.inf)
        blanks[0] = 0.0
        held = np.full(gaps, -np.inf)  # in a blank behind a filler, which may go on
        free = float(np.maximum(self.phones.max(axis=1), self.blank).sum())
        stays, sources = [], []
        from_label = np.zeros((T, gaps), dtype=bool)
        for t in range(T):
            source = _Sources.of(labels, blanks, held, self.moves, self.going_on)
            arriving = source.arrivals() + self.entry
            filler = source.within()
            np.maximum(arriving[1], filler, out=arriving[1])
            stays.append(np.packbits(labels >= arriving, axis=-1))
            sources.append(source)
            from_label[t] = source.said.mass > blanks
            blanks = np.maximum(blanks, source.said.mass) + self.blank[t]
            held = np.maximum(held, source.added.mass) + self.blank[t]
            labels = np.maximum(labels, arriving) + self.phones[t]
        return self._walk_back(labels, blanks, stays, sources, from_label, free)

    def _walk_back(
        self,
        labels: Float64,
        blanks: Float64,
        stays: Sequence[NDArray[np.uint8]],
        sources: Sequence[_Sources],
        from_label: NDArray[np.bool_],
        free: float,
    ) -> tuple[list[SpokenPhone], float]:
        """Follow the best path from the last frame to the first."""
        last = _Sources.of(labels, blanks, blanks, self.moves, self.going_on)
        ending = last.gap_best + self.moves[:, -1]
        gap = int(ending.argmax())
        price = free - float(ending[gap])
        state = last.state_in(gap, None)
        path: list[SpokenPhone] = []
        end = len(stays)
        for t in range(len(stays) - 1, -1, -1):
            if state is None:  # in the blank of `gap`
                if from_label[t, gap]:
                    state = sources[t].label_in(gap, None)
                    end = t
                continue
            side, place, label = state
            if side == 2:  # in a blank inside the filler of a gap
                source = sources[t]
                if source.added.mass[place] > source.held[place]:
                    state = 1, place, int(source.added.label[place])
                    end = t
                continue
            if stays[t][side, place, label // 8] >> (7 - label % 8) & 1:
                continue
            path.append(SpokenPhone(is_added=side == 1, place=place, label=label, start=t, end=end))
            end = t
            source = sources[t]
            if side == 1 and source.within_wins(place, label, self.entry[1, place, label]):
                gap, state = place, source.filler_in(place, label)
            else:
                gap = source.origin(place, label)
                state = source.state_in(gap, label)
        return path[::-1], price


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _BestTwo:
    """The best label of each gap and the next best, so that any one label can be left out.

    Attributes:
        label: (gaps,), the best label.
        mass: (gaps,), its mass.
        other_label: (gaps,), the best label but for that one.
        other_mass: (gaps,), its mass.
    """

    label: Int64
    mass: Float64
    other_label: Int64
    other_mass: Float64

    @classmethod
    def of(cls, masses: Float64) -> _BestTwo:
        """The best two of each row of masses (gaps, K)."""
        rows = np.arange(len(masses))
        label = masses.argmax(axis=1)
        rest = masses.copy()
        rest[rows, label] = -np.inf
        other = rest.argmax(axis=1)
        return cls(label=label, mass=masses[rows, label], other_label=other, other_mass=rest[rows, other])

    def label_but(self, gap: int, label: int | None) -> int:
        """Best label of a gap other than `label`."""
        return int(self.other_label[gap] if self.label[gap] == label else self.label[gap])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sources:
    """What a label of the next frame can be entered from; a label cannot follow itself without a blank.

    One of these is kept for every frame: nothing in here has as many numbers as there are gaps and phones.

    Attributes:
        phones: K.
        blanks: (gaps,).
        moves: (gaps, gaps), the same array for all frames.
        going_on: (gaps,), price of going on with a filler.
        said: last labels in each gap, said or added.
        is_added: (2, gaps), whether these best two were added.
        added: those added.
        gap_best: (gaps,), best mass in each gap.
        gap_other: (gaps,), best mass in each gap but for that of its best label.
    """

    phones: int
    blanks: Float64
    held: Float64
    moves: Float64
    going_on: Float64
    said: _BestTwo
    is_added: NDArray[np.bool_]
    added: _BestTwo
    gap_best: Float64
    gap_other: Float64

    @classmethod
    def of(cls, labels: Float64, blanks: Float64, held: Float64, moves: Float64, going_on: Float64) -> _Sources:
        """Look at the masses of one frame."""
        last = labels[1].copy()
        np.maximum(last[1:], labels[0, :-1], out=last[1:])
        said = _BestTwo.of(last)
        rows = np.arange(len(last))
        return cls(
            phones=last.shape[1],
            blanks=blanks,
            held=held,
            moves=moves,
            going_on=going_on,
            said=said,
            is_added=np.stack([labels[1, rows, best] >= last[rows, best] for best in (said.label, said.other_label)]),
            added=_BestTwo.of(labels[1]),
            gap_best=np.maximum(blanks, said.mass),
            gap_other=np.maximum(blanks, said.other_mass),
        )

    def arrivals(self) -> Float64:
        """Best mass that can enter each label at each gap, (gaps, K)."""
        gaps = np.arange(len(self.gap_best))
        origin = (self.moves + self.gap_best[:, None]).argmax(axis=0)
        arriving = np.repeat((self.gap_best[origin] + self.moves[origin, gaps])[:, None], self.phones, axis=1)
        merging = self.said.label[origin]
        arriving[gaps, merging] = (self._but(merging) + self.moves).max(axis=0)
        return arriving

    def _but(self, label: Int64) -> Float64:
        """Best mass of each gap without label[into], shape (from, into)."""
        return np.where(self.said.label[:, None] == label, self.gap_other[:, None], self.gap_best[:, None])

    def _entering(self, place: int, label: int) -> Float64:
        """Best mass of each gap that enters a label, (gaps,)."""
        return np.where(self.said.label == label, self.gap_other, self.gap_best) + self.moves[:, place]

    def origin(self, place: int, label: int) -> int:
        """Gap from which the best path into a label comes."""
        return int(self._entering(place, label).argmax())

    def within(self) -> Float64:
        """Best mass of a filler that goes on with each label, (gaps, K)."""
        on = np.repeat(np.maximum(self.added.mass, self.held)[:, None], self.phones, axis=1)
        on[np.arange(len(on)), self.added.label] = np.maximum(self.added.other_mass, self.held)
        return np.asarray(on + self.going_on[:, None])

    def within_wins(self, place: int, label: int, entry: float) -> bool:
        """Whether the best path into an added label comes from the filler's last one."""
        added = self.added.other_mass if self.added.label[place] == label else self.added.mass
        return bool(
            max(added[place], self.held[place]) + self.going_on[place] >= self._entering(place, label).max() + entry
        )

    def filler_in(self, gap: int, label: int) -> tuple[int, int, int]:
        """The filler's last state from which `label` can follow."""
        added = self.added.other_mass if self.added.label[gap] == label else self.added.mass
        return (2, gap, 0) if self.held[gap] >= added[gap] else (1, gap, self.added.label_but(gap, label))

    def state_in(self, gap: int, label: int | None) -> tuple[int, int, int] | None:
        """Best state of a gap from which `label` can follow; None is the blank."""
        best = self.gap_other[gap] if self.said.label[gap] == label else self.gap_best[gap]
        return None if self.blanks[gap] >= best else self.label_in(gap, label)

    def label_in(self, gap: int, label: int | None) -> tuple[int, int, int]:
        """Best label of a gap other than `label`: whether added, its place, and itself."""
        said = self.said.label_but(gap, label)
        is_added = self.is_added[int(self.said.label[gap] == label), gap]
        return (1, gap, said) if is_added else (0, gap - 1, said)


def _moves(bounds: Int64, dropped: Float64, prices: ReadingPrices) -> Float64:
    """Log weight of moving from each gap to each, shape (L+1, L+1).

    Args:
        bounds: shape (W+1,), gaps between words, 0 and L included.
        dropped: shape (L,), price of leaving out each phone of a word that is said.
        prices: of the deviations.
    """
    L, W = int(bounds[-1]), len(bounds) - 1
    moves = np.full((L + 1, L + 1), -np.inf)
    np.fill_diagonal(moves, 0.0)
    skips = np.array([0.0, *(-prices.skipped_word - n * prices.next_skipped_word for n in range(W))])
    for word in range(W):
        begin, end = int(bounds[word]), int(bounds[word + 1])
        # Phones dropped inside a word, but not all of them: that is a skipped word.
        for gap in range(begin, end + 1):
            for later in range(gap + 1, end + 1):
                if later - gap < end - begin:
                    moves[gap, later] = -dropped[gap:later].sum()
        # From its beginning: words are skipped. From its inside: it is broken off first.
        for gap in range(begin, end):
            broken = 0.0 if gap == begin else prices.breaking_off
            skipped = 0 if gap == begin else 1
            for target in range(word + 1, W + 1):
                n = target - word - skipped  # a word broken off was not skipped
                weight = skips[n] - broken
                place = int(bounds[target])
                moves[gap, place] = max(moves[gap, place], weight)
        # From its inside and from its end: back to its beginning, or to that of a word before.
        for gap in range(begin + 1, end + 1):
            broken = 0.0 if gap == end else prices.breaking_off
            for target in range(word + 1):
                weight = -prices.going_back - (word - target) * prices.further_back - broken
                place = int(bounds[target])
                moves[gap, place] = max(moves[gap, place], weight)
    return moves
