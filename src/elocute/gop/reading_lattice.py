"""Step 5/10 - the lattice of every way of reading a text, and the best path through it.

The lattice of `ctc` spells the whole text, once, in order. This one holds every way of reading:

    each phone is said, said as another, or dropped; phones are added inside words, and strings of any phones between
    them (filler); words are skipped; and the reader goes back to the beginning of a word from its end, from its
    middle (restart), or from any later place (repetition).

Each of these has a price in nats. The best path through the lattice (Viterbi) tells the reading as it went by. A path
is in gap j once it has dealt with the first j phones; a move between gaps takes no time, and each label is entered by
one move from the gap in which the path was. Going on is a move from a gap to itself.

A phone that is a chain of labels is entered at its first place and left from its last label; between them the path
stays inside of it (`chains.Chains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.gop.chains import Emissions, Ends, InsideMasses
from elocute.gop.said import EditPrior
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
        self.inside, self.chains, self.ends = emissions.inside, emissions.chains, Ends.of(emissions)
        text = np.array([phone for word in words for phone in word], dtype=np.int64)
        bounds = np.cumsum([0, *map(len, words)])
        L, K = len(text), self.phones.shape[1]
        # Whatever is certain is free: only deviations have a price.
        right = prior.said[text, text]
        with np.errstate(divide="ignore"):
            said = np.log(prior.said[text]) - np.log(right)[:, None]
        self.moves = _moves(bounds, -said[:, -1], prices)
        self.entry = np.full((2, L + 1, K), -np.inf)
        self.entry[0, :L] = said[:, :-1]
        self.entry[1] = -prices.added_phone
        self.entry[1, bounds] = -prices.filler
        # From a filler phone to the next: as an entry into the same gap, at a price of its own. Inside a word it has
        # the price of any added phone.
        self.borders, self.going_on = bounds, -prices.filler_phone

    def best_path(self) -> tuple[list[SpokenPhone], float]:
        """Labels of the best path, in time order, and what it costs."""
        trace = self._forward()
        T = len(self.blank)
        best, _ = trace.open(T)
        ending = best + self.moves[:, -1]
        gap = int(ending.argmax())
        heard = self.phones.max(axis=1)
        if self.inside.shape[1]:
            heard = np.maximum(heard, self.inside.max(axis=1))
        free = float(np.maximum(heard, self.blank).sum())
        return self._walk_back(trace, gap), free - float(ending[gap])

    def _forward(self) -> _Trace:
        """Carry the masses over all frames; returns what the way back needs.

        All is done in place, in arrays made here: making them anew for every frame takes longer than filling them.
        """
        T, (_, gaps, K) = len(self.blank), self.entry.shape
        trace = _Trace.empty(T, gaps, K, self.borders, self.ends, self.inside.shape[1])
        # Row j of `before` is phone j-1, the one that was said last where gap j is; gap 0 has none.
        masses = np.full((2 * gaps + 1, K), -np.inf)
        before, labels, added = masses[:gaps], masses[1:].reshape(2, gaps, K), masses[gaps + 1 :]
        last = np.empty((gaps + len(self.borders), K))
        bits = np.zeros(trace.inside_bit(2, 0, 0, 0), dtype=bool)
        flags = bits[: 3 * gaps * K].reshape(3, gaps, K)
        entries = _Entries(self, trace)
        inside = InsideMasses(self.inside, self.chains, bits[3 * gaps * K :].reshape(2, 2, gaps, -1))
        for t in range(T + 1):
            np.maximum(before, added, out=last[:gaps])
            last[gaps:] = added.take(self.borders, axis=0)
            np.greater_equal(added, before, out=flags[2])
            trace.note_best_two(t, last)
            if t < T:
                arriving = entries.arriving(t)
                inside.move_on(t, arriving)
                np.greater_equal(labels, arriving, out=flags[:2])
                np.maximum(labels, arriving, out=labels)
                labels += self.phones[t]
                trace.note_blanks(t + 1, self.blank[t])
            trace.flags[t] = np.packbits(bits)
        return trace

    def _walk_back(self, trace: _Trace, gap: int) -> list[SpokenPhone]:
        """Follow the best path from the last frame, in which it is in `gap`, to the first."""
        end = len(self.blank)
        state = trace.state_in(end, gap, None)
        spot: int | None = None  # inside of the chain of `state`
        path: list[SpokenPhone] = []
        for t in range(end - 1, -1, -1):
            if state is None:  # in the blank of `gap`
                if trace.mass[t, 0, gap] > trace.blanks[t, gap]:
                    state = trace.label_in(t, gap, None)
                    end = t
                continue
            side, place, label = state
            if side == 2:  # in a blank inside the filler of a gap
                border = trace.border(place)
                if trace.mass[t, 0, border] > trace.held[t, border - trace.gaps]:
                    state = 1, place, int(trace.label[t, 0, border])
                    end = t
                continue
            spot, is_entered = self._inside_before(trace, t, state, spot)
            if not is_entered:
                continue
            path.append(SpokenPhone(is_added=side == 1, place=place, label=label, start=t, end=end))
            end = t
            entering = trace.entering(t, label) + self.moves[:, place]
            gap = int(entering.argmax())
            state = trace.state_in(t, gap, label)
            if side == 1 and place in self.borders:
                mass, filler = trace.filler_in(t, place, label)
                if mass + self.going_on >= entering[gap] + self.entry[1, place, label]:
                    gap, state = place, filler
        return path[::-1]

    def _inside_before(
        self, trace: _Trace, t: int, state: tuple[int, int, int], spot: int | None
    ) -> tuple[int | None, bool]:
        """Where inside of a chain a path was before frame t, and whether it entered its phone in this frame.

        Args:
            trace: of the way.
            t: frame.
            state: whether added, place and phone.
            spot: where inside of a chain it is in frame t; None on the last label, for most phones the only one.
        """
        side, place, label = state
        if spot is None and trace.flag(t, side, place, label):
            return None, False
        if spot is not None and trace.bit(t, trace.inside_bit(0, side, place, spot)):
            return spot, False
        begin, behind = self.ends.before.get(label, (None, 0))
        if spot == begin:
            return None, True
        # The chain's last spot, a blank, keeps the bit of the last label; into a blank nothing jumps.
        at, noted = (behind, behind - 1) if spot is None else (spot, spot)
        is_label = (at - (begin or 0)) % 2 == 0
        jumps = is_label and trace.bit(t, trace.inside_bit(1, side, place, noted))
        return at - 1 - jumps, False


class _Entries:
    """What enters each label, in arrays that are filled again for every frame."""

    def __init__(self, lattice: ReadingLattice, trace: _Trace) -> None:
        gaps, K = trace.gaps, trace.phones
        self.trace, self.borders, self.ends = trace, lattice.borders, lattice.ends
        self.entry, self.flat_entry = lattice.entry, lattice.entry.reshape(2, -1)
        self.adding, self.going_on = lattice.entry[1, :, 0], lattice.going_on
        self.into = np.ascontiguousarray(lattice.moves.T)
        self.entering = np.empty((gaps, gaps))
        self.flat_entering, self.entering_rows = self.entering.reshape(-1), np.arange(gaps) * gaps
        self.result, self.rows = np.empty((2, gaps, K)), np.arange(gaps) * K
        self.said, self.added = self.result.reshape(2, -1)
        self.border_rows = self.rows[self.borders]
        # Of each gap; where no filler can be, inside words, they stay as they are.
        self.filler, self.other_filler = np.full((2, gaps), -np.inf)
        self.last_added = np.full(gaps, -1)

    def arriving(self, t: int) -> Float64:
        """Best mass that enters each label in frame t, (2, gaps, K); a label cannot follow itself without a blank."""
        gaps, label = self.trace.gaps, self.trace.label[t, 0]
        best, other = self.trace.open(t)
        np.add(self.into, best, out=self.entering)
        origin = self.entering.argmax(axis=1)
        reach = self.flat_entering[self.entering_rows + origin]
        adding = reach + self.adding
        # A filler goes on in its gap: with its last label only behind a blank.
        filler, other_filler = np.maximum(self.trace.mass[t, :, gaps:], self.trace.held[t]) + self.going_on
        self.filler[self.borders] = filler
        self.result[1] = np.maximum(adding, self.filler)[:, None]
        np.add(self.entry[0], reach[:, None], out=self.result[0])
        fresh = np.maximum(adding[self.borders], other_filler)
        if self.ends.is_plain:
            self.added[self.border_rows + label[gaps:]] = fresh
        else:
            rows, phones = self.ends.merges[label[gaps:]].nonzero()
            self.result[1, self.borders[rows], phones] = fresh[rows]
        # The best label of the best gap has to come from elsewhere, unless that gap's blank is as good.
        bound = (other < best)[origin].nonzero()[0]
        if len(bound):
            merging, last = label[origin[bound]], self.ends.last
            others = np.where(last[label[:gaps]] == last[merging][:, None], other, best)
            others += self.into[bound]
            from_others = others.max(axis=1)
            self.other_filler[self.borders] = other_filler
            self.last_added[self.borders] = label[gaps:]
            same = last[self.last_added[bound]] == last[merging]
            added = np.where(same, self.other_filler[bound], self.filler[bound])
            np.maximum(from_others + self.adding[bound], added, out=added)
            if self.ends.is_plain:
                at = self.rows[bound] + merging
                self.said[at] = self.flat_entry[0, at] + from_others
                self.added[at] = added
            else:
                rows, phones = self.ends.merges[merging].nonzero()
                self.result[0, bound[rows], phones] = self.entry[0, bound[rows], phones] + from_others[rows]
                self.result[1, bound[rows], phones] = added[rows]
        return self.result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trace:
    """What the way back needs, for the state before each of T frames and after the last.

    Rows are the gaps, with labels said or added last, and then the borders between words, with added labels alone.
    Nothing in here has as many numbers as there are gaps and phones.

    Attributes:
        gaps: how many.
        phones: K.
        borders: gaps between words, both ends included.
        rows: (rows,), index of the first number of each row where it has K.
        label: (T+1, 2, rows), the best label, and the best but for that one, so that any label can be left out.
        mass: (T+1, 2, rows), theirs.
        blanks: (T+1, gaps), mass of the blank.
        held: (T+1, borders), mass of the blank behind a filler, which may go on.
        flags: (T+1, bytes), bits of (3, gaps, K): in the frame that follows a label said is not entered anew, the same
            for one added; and a last label was added, not said. Then bits of (2, 2, gaps, C), of phones said and added:
            in that frame a path stays in a spot inside of a chain; and it jumps to it from the last but one.
        ends: which phones share labels.
        inside: C.
    """

    gaps: int
    phones: int
    borders: Int64
    rows: Int64
    label: NDArray[np.intp]
    mass: Float64
    blanks: Float64
    held: Float64
    flags: NDArray[np.uint8]
    ends: Ends
    inside: int

    @classmethod
    def empty(cls, frames: int, gaps: int, phones: int, borders: Int64, ends: Ends, inside: int) -> _Trace:
        """To be filled; the masses of blanks are those before the first frame."""
        rows = gaps + len(borders)
        blanks, held = np.empty((frames + 1, gaps)), np.empty((frames + 1, len(borders)))
        blanks[0], held[0] = -np.inf, -np.inf
        blanks[0, 0] = 0.0
        return cls(
            gaps=gaps,
            phones=phones,
            borders=borders,
            rows=np.arange(rows) * phones,
            label=np.empty((frames + 1, 2, rows), dtype=np.intp),  # what argmax writes
            mass=np.empty((frames + 1, 2, rows)),
            blanks=blanks,
            held=held,
            flags=np.empty((frames + 1, -(-(3 * phones + 4 * inside) * gaps // 8)), dtype=np.uint8),
            ends=ends,
            inside=inside,
        )

    def note_best_two(self, t: int, last: Float64) -> None:
        """Note the best two labels of each row of `last` (rows, K), which is spoilt."""
        flat = last.reshape(-1)
        for label, mass in zip(self.label[t], self.mass[t], strict=True):
            last.argmax(axis=1, out=label)
            at = self.rows + label
            mass[:] = flat[at]
            if self.ends.is_plain:
                flat[at] = -np.inf
            else:
                last[self.ends.alike[label]] = -np.inf

    def note_blanks(self, t: int, blank: float) -> None:
        """Note the masses of blanks after frame t-1, in which a blank weighs `blank`."""
        best = self.mass[t - 1, 0]
        np.maximum(self.blanks[t - 1], best[: self.gaps], out=self.blanks[t])
        np.maximum(self.held[t - 1], best[self.gaps :], out=self.held[t])
        self.blanks[t] += blank
        self.held[t] += blank

    def open(self, t: int) -> Float64:
        """Best mass in each gap, blank included, and the best but for its best label; shape (2, gaps)."""
        return np.asarray(np.maximum(self.mass[t, :, : self.gaps], self.blanks[t]))

    def entering(self, t: int, label: int) -> Float64:
        """Best mass of each gap from which `label` can follow."""
        best, other = self.open(t)
        return np.asarray(np.where(self.ends.merges[self.label[t, 0, : self.gaps], label], other, best))

    def flag(self, t: int, kind: int, gap: int, label: int) -> bool:
        """One of the bits of labels."""
        return self.bit(t, (kind * self.gaps + gap) * self.phones + label)

    def inside_bit(self, kind: int, side: int, gap: int, spot: int) -> int:
        """Which bit says that a path stays in a spot inside of a chain (0), or jumps to it (1)."""
        return 3 * self.gaps * self.phones + ((kind * 2 + side) * self.gaps + gap) * self.inside + spot

    def bit(self, t: int, number: int) -> bool:
        """One of the bits."""
        byte, bit = divmod(number, 8)
        return bool(self.flags[t, byte] >> (7 - bit) & 1)

    def second(self, t: int, row: int, label: int | None) -> int:
        """1 where the best label of a row would merge with `label`, so that the second best counts."""
        return 0 if label is None else int(self.ends.merges[self.label[t, 0, row], label])

    def border(self, gap: int) -> int:
        """Row of a gap that is a border."""
        return self.gaps + int(np.searchsorted(self.borders, gap))

    def filler_in(self, t: int, gap: int, label: int) -> tuple[float, tuple[int, int, int]]:
        """Mass, and the filler's last state from which `label` can follow."""
        row = self.border(gap)
        second = self.second(t, row, label)
        added, held = float(self.mass[t, second, row]), float(self.held[t, row - self.gaps])
        return (held, (2, gap, 0)) if held >= added else (added, (1, gap, int(self.label[t, second, row])))

    def state_in(self, t: int, gap: int, label: int | None) -> tuple[int, int, int] | None:
        """Best state of a gap from which `label` can follow; None is the blank."""
        second = self.second(t, gap, label)
        return None if self.blanks[t, gap] >= self.mass[t, second, gap] else self.label_in(t, gap, label)

    def label_in(self, t: int, gap: int, label: int | None) -> tuple[int, int, int]:
        """Best label of a gap other than `label`: whether added, its place, and itself."""
        said = int(self.label[t, self.second(t, gap, label), gap])
        return (1, gap, said) if self.flag(t, 2, gap, said) else (0, gap - 1, said)


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
    turns = np.full((L + 1, W + 1), -np.inf)  # from each gap to the beginning of each word, and to the end
    for word in range(W):
        begin, end = int(bounds[word]), int(bounds[word + 1])
        # Phones dropped inside a word, but not all of them: that is a skipped word.
        for gap in range(begin, end):
            moves[gap, gap + 1 : end + 1] = -np.cumsum(dropped[gap:end])
        moves[begin, end] = -np.inf
        # From its beginning words are left out. One that is broken off, in its inside, is not left out.
        inside, later = slice(begin + 1, end), W - word
        turns[begin, word + 1 :] = skips[1 : later + 1]
        turns[inside, word + 1 :] = skips[:later] - prices.breaking_off
        # From its inside and from its end: back to its beginning, or to that of a word before.
        back = -prices.going_back - np.arange(word, -1, -1) * prices.further_back
        turns[inside, : word + 1] = back - prices.breaking_off
        turns[end, : word + 1] = back
    moves[:, bounds] = np.maximum(moves[:, bounds], turns)
    return moves
