"""Step 5/10 - phones that are chains of labels (CH: t, ʃ), as the lattices of phones follow them.

A path enters a chain on its first label, goes on from label to label, with or without a blank between them as CTC has
it, and leaves it from the last. So every lattice keeps, beside each phone's last label, the spots inside of chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elocute.gop.edits import as_frames
from elocute.types import Float64, Int64, PhoneSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chains:
    """Where paths are inside phones of several labels: on every label but the last, and in the blank behind each.

    There are C such places, those of a phone in order; none where every phone is one label.

    Attributes:
        phones: shape (n,), the phones that are chains.
        begins: shape (n,), the place at which each begins.
        onward: shape (C, C), 1 where a path goes from one place to another in the next frame; staying is not among it.
        ends: shape (C, K), 1 where it goes from a place to the last label of a phone.
    """

    phones: Int64
    begins: Int64
    onward: Float64
    ends: Float64

    @classmethod
    def of(cls, tokens: Sequence[Sequence[int]]) -> Chains:
        """The chains among the spellings of K phones."""
        phones = [k for k, labels in enumerate(tokens) if len(labels) > 1]
        inside = [2 * len(tokens[k]) - 2 for k in phones]
        begins = np.cumsum([0, *inside])
        onward, ends = np.zeros((begins[-1], begins[-1])), np.zeros((begins[-1], len(tokens)))
        for k, begin in zip(phones, begins.tolist(), strict=False):
            # Places of this phone are labels and blanks in turn; a blank may be jumped between different labels.
            steps = {(at, at + 1) for at in range(2 * len(tokens[k]) - 2)}
            steps |= {(2 * i, 2 * i + 2) for i, label in enumerate(tokens[k][:-1]) if label != tokens[k][i + 1]}
            for source, target in steps:
                if target == 2 * len(tokens[k]) - 2:
                    ends[begin + source, k] = 1.0
                else:
                    onward[begin + source, begin + target] = 1.0
        return cls(
            phones=np.array(phones, dtype=np.int64),
            begins=begins[:-1].astype(np.int64),
            onward=onward,
            ends=ends,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Emissions:
    """Log posteriors by phone, in the order of the phone set.

    Attributes:
        phones: shape (T, K), of the last label of each phone, for most the only one.
        blank: shape (T,).
        inside: shape (T, C), of the places inside of chains.
        chains: these places.
        first: shape (K,), first label of each phone.
        last: shape (K,), last label of each phone.
    """

    phones: Float64
    blank: Float64
    inside: Float64
    chains: Chains
    first: Int64
    last: Int64


def phones_in(labels: Sequence[int], phone_set: PhoneSet) -> list[tuple[str, int, int]]:
    """Phones that a string of labels spells: symbol, and its first label's and its last label's place in the string.

    Read from left to right, the longest first; labels that spell none are left out.

    >>> chained = PhoneSet(symbols=("T", "SH", "CH"), tokens=((1,), (2,), (1, 2)), size=4, blank_id=0)
    >>> phones_in([1, 2, 3, 2, 1], chained)
    [('CH', 0, 1), ('SH', 3, 3), ('T', 4, 4)]
    """
    symbol = dict(zip(phone_set.tokens, phone_set.symbols, strict=True))
    longest = max(map(len, symbol))
    found = []
    at = 0
    while at < len(labels):
        sizes = range(min(longest, len(labels) - at), 0, -1)
        size = next((size for size in sizes if tuple(labels[at : at + size]) in symbol), 0)
        if size:
            found.append((symbol[tuple(labels[at : at + size])], at, at + size - 1))
        at += size or 1
    return found


def phone_emissions(log_probs: ArrayLike, phone_set: PhoneSet) -> Emissions:
    """Log posteriors by phone; PhoneError for another phone set's."""
    frames = as_frames(log_probs, phone_set)
    tokens, blank_id = phone_set.tokens, phone_set.blank_id
    last = [labels[-1] for labels in tokens]
    inside = [column for labels in tokens for label in labels[:-1] for column in (label, blank_id)]
    return Emissions(
        phones=frames[:, last],
        blank=frames[:, blank_id],
        inside=frames[:, inside],
        chains=Chains.of(tokens),
        first=np.array([labels[0] for labels in tokens], dtype=np.int64),
        last=np.array(last, dtype=np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ends:
    """Which phones share labels at their ends, and where chains begin.

    Attributes:
        first: shape (K,), first label of each phone.
        last: shape (K+1,), last label of each phone, and -1 for none.
        merges: shape (K, K), whether the second phone begins with the last label of the first.
        alike: shape (K, K), whether both end in one label.
        is_plain: whether every phone merges with itself alone and ends like no other.
        before: for each chain the spot in which it begins, and that behind its last.
    """

    first: Int64
    last: Int64
    merges: NDArray[np.bool_]
    alike: NDArray[np.bool_]
    is_plain: bool
    before: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, emissions: Emissions) -> Ends:
        """Of a phone set's emissions."""
        first, last = emissions.first, emissions.last
        begins = emissions.chains.begins.tolist()
        behind = [*begins[1:], emissions.inside.shape[1]][: len(begins)]
        merges, alike = last[:, None] == first, last[:, None] == last
        itself = np.eye(len(first), dtype=bool)
        return cls(
            first=first,
            last=np.append(last, -1),
            merges=merges,
            alike=alike,
            is_plain=bool((merges == itself).all() and (alike == itself).all()),
            before=dict(zip(emissions.chains.phones.tolist(), zip(begins, behind, strict=True), strict=True)),
        )


class InsideMasses:
    """Best masses inside of chains, shape (2, gaps, C), of phones said and added; none where all are one label.

    Args:
        emissions: shape (T, C).
        chains: of the phones.
        bits: shape (2, 2, gaps, C), to be filled for every frame: a path stays in a spot; it jumps to it from the last
            but one. Jumps to a chain's last label are noted at its last spot, a blank, into which nothing else jumps.
    """

    def __init__(self, emissions: Float64, chains: Chains, bits: NDArray[np.bool_]) -> None:
        self.emissions, self.chains, (self.stays, self.jumps) = emissions, chains, bits
        self.masses = np.full(self.stays.shape, -np.inf)
        C = emissions.shape[1]
        onward, ends = chains.onward > 0.0, chains.ends > 0.0
        # Into each spot one may step from the one before, unless it is the first, or jump from the last but one.
        self.may_step = np.array([at > 0 and onward[at - 1, at] for at in range(C)], dtype=bool)
        self.may_jump = np.array([at > 1 and onward[at - 2, at] for at in range(C)], dtype=bool)
        # The last label of a chain is reached from its last spot, a blank, or from the label before it.
        self.last = np.array([int(np.flatnonzero(ends[:, k])[-1]) for k in chains.phones], dtype=np.int64)
        self.may_leave = np.array([ends[at - 1, k] for at, k in zip(self.last, chains.phones, strict=True)], dtype=bool)

    def move_on(self, t: int, arriving: Float64) -> None:
        """Let what arrives at chains in frame t in, and put what leaves them into its place."""
        phones, before = self.chains.phones, self.masses
        if not len(phones):
            return
        by_step, by_jump = np.full((2, *before.shape), -np.inf)
        by_step[..., 1:] = np.where(self.may_step[1:], before[..., :-1], -np.inf)
        by_jump[..., 2:] = np.where(self.may_jump[2:], before[..., :-2], -np.inf)
        by_step[..., self.chains.begins] = arriving[..., phones]
        moving = np.maximum(by_step, by_jump)
        np.greater_equal(before, moving, out=self.stays)
        np.greater(by_jump, by_step, out=self.jumps)
        blank, label = before[..., self.last], before[..., self.last - 1]
        label = np.where(self.may_leave, label, -np.inf)
        self.jumps[..., self.last] = label > blank
        arriving[..., phones] = np.maximum(blank, label)
        self.masses = np.maximum(before, moving) + self.emissions[t]
