"""Step 5/10 - what was said at every phone, whatever was said at the others.

`edits` asks what one phone may have been, given that all others were said as they should be; two errors side by side
then spoil each other's evidence. Here every phone may be another, be missing or have company, all at once. A prior says
how likely each edit is:

    each canonical phone c is said as phone k with probability said[c, k], or not at all,
    and before every phone and at the end phone k is added with probability inserted[k], any number of times.

That makes every string of phones possible. The edit lattice sums the CTC paths of all of them, weighted by the prior,
forward and backward, so that the posterior of what was said at one place takes in all that may have been said
elsewhere; no beam, no threshold.

A path stands in gap j once the first j canonical phones are dealt with. It is in the gap's blank, or in the last frame
of a label that was said for phone j-1 or added in the gap. Phones are skipped when the next label begins, so that a
path through skipped phones and blanks counts once. CTC merges equal neighbours unless a blank parts them: a label is
entered from the blank, and from every other label.

A phone may be a chain of labels (CH: t, ʃ). A path is then inside the phone, on its first label or in a blank behind
it, until the chain's last label, and only there may it go on to anything else. Two strings of phones that are spelled
alike (CH, and T SH) both count, each with its own weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from elocute.errors import AlignmentError
from elocute.gop.chains import Emissions, phone_emissions
from elocute.gop.edits import spell
from elocute.types import Float64, Int64, PhoneSet

LONGEST_SKIP = 8
"""Canonical phones in a row that may be missing; more of them are a missing word, which is not decided here."""

_TILE_ROWS = 64
"""Gaps whose skips are worked on together."""

_BLOCK_NUMBERS = 4_000_000
"""Of the forward pass so many numbers are kept (32 MB), those of one block of frames; the backward pass computes those
of earlier blocks again. A sentence is one block."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EditPrior:
    """How likely every edit is, before the recording is heard.

    Attributes:
        said: shape (K, K+1), probability that canonical phone c is said as phone k, last column: not at all; rows sum
            to 1.
        inserted: shape (K,), probability that phone k is added at a place; their sum is below 1.
    """

    said: Float64
    inserted: Float64

    def __post_init__(self) -> None:
        """ValueError where these are no probabilities."""
        K = len(self.inserted)
        if self.said.shape != (K, K + 1) or not np.allclose(self.said.sum(axis=1), 1.0) or (self.said < 0.0).any():
            raise ValueError(f"said has shape {self.said.shape}; expected ({K}, {K + 1}), rows of probabilities")
        if (self.inserted < 0.0).any() or not self.inserted.sum() < 1.0:
            raise ValueError(f"inserted sums to {self.inserted.sum():.3g}; expected probabilities that leave a rest")

    def check(self, phone_set: PhoneSet) -> None:
        """ValueError if this is no prior of the set's phones."""
        if len(self.inserted) != len(phone_set.symbols):
            raise ValueError(f"the prior is of {len(self.inserted)} phones; the model has {len(phone_set.symbols)}")

    @classmethod
    def flat(cls, phones: int, *, error: float = 0.06, insertion: float = 0.01) -> EditPrior:
        """Every error as likely as any other.

        Args:
            phones: K.
            error: probability that a phone is not said as it should be.
            insertion: probability that some phone is added at a place.
        """
        said = np.full((phones, phones + 1), error / phones)
        said[np.arange(phones), np.arange(phones)] = 1.0 - error
        return cls(said=said, inserted=np.full(phones, insertion / phones))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """Posterior of what was said, each place summed over all that may have been said at the others.

    Attributes:
        posterior: shape (L, K+1), probability that each canonical phone was said as phone k, last column: not at all;
            rows sum to 1.
        inserted: shape (L+1, K), expected number of phones k added in gap j, before phone j (gap L: at the end).
        inserted_frame: shape (L+1, K), expected frame at which such a phone begins; NaN where there is none.
        doubt: shape (K,), probability of the prior that each phone is not said as it should be.
        log_evidence: log P(recording | canonical phones, prior), up to what the model thinks of the frames; nats.
    """

    posterior: Float64
    inserted: Float64
    inserted_frame: Float64
    doubt: Float64
    log_evidence: float


def said_posterior(
    log_probs: ArrayLike, canonical: Sequence[int] | Int64, phone_set: PhoneSet, prior: EditPrior
) -> Said:
    """Sum over everything that may have been said for the canonical phones.

    Args:
        log_probs: natural-log posteriors, shape (T, V), V = `phone_set.size`.
        canonical: phone ids (positions in `phone_set.symbols`), shape (L,).
        phone_set: how each phone is spelled in labels.
        prior: of the edits.

    Raises:
        AlignmentError: no frames, or frames in which no string of phones is possible.
        PhoneError: a canonical id that is no phone, phones spelled alike, or frames of another phone set.
        ValueError: the prior is of another phone set.

    Deviates: at most `LONGEST_SKIP` phones in a row are left out. Probabilities are scaled frame by frame, not
        logarithms; what is less than 1e-290 of a frame's mass is lost.
    Cost: time O(T L K (L + K)), four products of small matrices a frame, and three more for chains; memory O(L K) a
        frame of one block.

    >>> phones = PhoneSet(symbols=("S", "TH"), tokens=((1,), (2,)), size=3, blank_id=0)
    >>> log_probs = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.3, 0.6]])
    >>> said_posterior(log_probs, [0, 1], phones, EditPrior.flat(2)).posterior.round(3).tolist()
    [[0.992, 0.003, 0.005], [0.012, 0.979, 0.008]]
    """
    emissions = phone_emissions(log_probs, phone_set)
    if not len(emissions.blank):
        raise AlignmentError("the recording has no frames; record the text")
    prior.check(phone_set)
    phones = spell(canonical, phone_set).phones
    return _EditLattice(emissions, phones, prior).solve()


class _EditLattice:
    """The forward and the backward pass.

    Masses of a frame have shape (L+1, K+1): by gap, and by the label that was said or added last; the last column is
    the gap's blank. Whether the label was said for phone j-1 or added in gap j is the same to all that follows, so
    that the two are one number. Masses are scaled to sum to 1, and in the backward pass to be at most 1.

    Weights have the same shape, with nothing for the blank, so that whole arrays are multiplied and added; operations
    on a part of the columns take several times as long.

    Behind these columns come those of the places inside of chains. What enters a chain enters its first place.
    """

    def __init__(self, emissions: Emissions, canonical: Int64, prior: EditPrior) -> None:
        L, K = len(canonical), len(prior.inserted)
        self.width, self.chains = K + 1, emissions.chains
        self.has_chains = bool(len(self.chains.phones))
        self.doubt = 1.0 - np.diagonal(prior.said)
        self.emissions = np.column_stack([np.exp(emissions.phones), np.exp(emissions.blank), np.exp(emissions.inside)])
        self.block_frames = max(16, _BLOCK_NUMBERS // ((L + 1) * (K + 1)))
        self.said = np.column_stack([prior.said[canonical, :-1], np.zeros(L)])
        self.added = np.tile(np.append(prior.inserted, 0.0), (L + 1, 1))
        skipping = prior.said[canonical, -1]
        # Row j: from which gaps gap j is reached by leaving out all phones between, and how likely that is.
        self.skips = np.eye(L + 1)
        for reach in range(1, min(LONGEST_SKIP, L) + 1):
            rows = np.arange(reach, L + 1)
            self.skips[rows, rows - reach] = self.skips[rows, rows - reach + 1] * skipping[rows - reach]
        self.onward, self.backward = _tiles(self.skips), _tiles(self.skips.T)
        self.log_rest = (L + 1) * float(np.log1p(-prior.inserted.sum()))  # every gap adds nothing, or nothing more
        # A phone is entered from all that do not end in the label with which it begins; of one label, all but itself.
        self.others = np.ones((K + 1, K + 1))
        self.others[:-1, :-1] -= emissions.last[:, None] == emissions.first
        self.others[-1, -1] = 0.0
        self.others_back = np.ascontiguousarray(self.others.T)
        self.ones = np.ones(K + 1)
        self.reached, self.entered = np.empty((2, L + 1, K + 1))  # filled again by every frame

    def solve(self) -> Said:
        """Posteriors of every edit."""
        blocks, entries, log_scale, ending = self._forward()
        said, added, moments = np.zeros_like(self.said), np.zeros_like(self.added), np.zeros_like(self.added)
        # After the last frame all phones that are left are skipped.
        after = np.zeros((len(self.skips), self.emissions.shape[1]))
        after[:, : self.width] = self.skips[-1][:, None]
        as_said, as_added = np.empty_like(said), np.empty_like(added)
        to_go = -ending  # log of what scales `after`, less the log of the whole
        for number in range(len(blocks) - 1, -1, -1):
            begin = number * self.block_frames
            if number < len(blocks) - 1:
                entries = self._entries(blocks[number], begin)
            for t in range(begin + len(entries) - 1, begin - 1, -1):
                after *= self.emissions[t]
                begun = self._begun(after)
                np.multiply(self.said, begun[1:], out=as_said)
                np.multiply(self.added, begun, out=as_added)
                # Beyond e^700 the other factors were rounded to nothing long before.
                entry = entries[t - begin]
                entry *= np.exp(min(log_scale[t] + to_go, 700.0))
                said += np.multiply(as_said, entry[:-1], out=self.entered[:-1])
                added += np.multiply(as_added, entry, out=self.entered)
                if t:  # what begins in frame t is counted t times in all: in frames t, t-1, .. 1
                    moments += added
                to_go += self._step_back(after, as_said, as_added)
        said[:, -1] = np.maximum(1.0 - said[:, :-1].sum(axis=1), 0.0)
        added, moments = added[:, :-1], moments[:, :-1]
        frame = np.full_like(moments, np.nan)
        np.divide(moments, added, out=frame, where=added > 0.0)
        return Said(
            posterior=said / said.sum(axis=1, keepdims=True),
            inserted=added,
            inserted_frame=frame,
            doubt=self.doubt,
            log_evidence=ending + self.log_rest,
        )

    def _forward(self) -> tuple[list[Float64], list[Float64], Float64, float]:
        """Masses before each block, entries of the last one, log scale before each frame (T,), log of the whole."""
        masses = np.zeros((len(self.skips), self.emissions.shape[1]))
        masses[0, self.width - 1] = 1.0
        blocks: list[Float64] = []
        entries: list[Float64] = []
        log_scale = np.zeros(len(self.emissions) + 1)
        for t in range(len(self.emissions)):
            if t % self.block_frames == 0:
                blocks.append(masses.copy())
                entries = []
            entry, scale = self._step(masses, t)
            entries.append(entry)
            log_scale[t + 1] = log_scale[t] + np.log(scale) if scale > 0.0 else -np.inf
        ending = masses[:, : self.width].sum(axis=1) @ self.skips[-1]
        if not (ending > 0.0 and np.isfinite(log_scale[-1])):
            raise AlignmentError(
                "no string of phones is possible in the recording; check that it holds speech, and this text"
            )
        return blocks, entries, log_scale, float(log_scale[-1] + np.log(ending))

    def _entries(self, masses: Float64, begin: int) -> list[Float64]:
        """Mass that may enter each label at each gap, for each frame of a block."""
        masses = masses.copy()
        end = min(begin + self.block_frames, len(self.emissions))
        return [self._step(masses, t)[0] for t in range(begin, end)]

    def _step(self, masses: Float64, t: int) -> tuple[Float64, float]:
        """Carry the masses, in place, over frame t; returns what could enter each label (L+1, K+1), and their sum."""
        labels = masses[:, : self.width]
        for rows, columns, part in self.onward:
            np.matmul(part, labels[columns], out=self.reached[rows])
        entry = self.reached @ self.others
        labels[:, -1] = labels @ self.ones
        if self.has_chains:
            self._enter(masses, entry)
        else:
            labels += np.multiply(self.added, entry, out=self.entered)
            labels[1:] += np.multiply(self.said, entry[:-1], out=self.entered[:-1])
        masses *= self.emissions[t]
        scale = float(masses.sum())
        if scale > 0.0:
            masses *= 1.0 / scale
        return entry, scale

    def _enter(self, masses: Float64, entry: Float64) -> None:
        """Move on inside of chains, and let in what enters phones, in place."""
        labels, inside = masses[:, : self.width], masses[:, self.width :]
        arriving = np.multiply(self.added, entry, out=self.entered)
        arriving[1:] += self.said * entry[:-1]
        begun = arriving[:, self.chains.phones]
        arriving[:, self.chains.phones] = 0.0
        labels += arriving
        labels[:, :-1] += inside @ self.chains.ends
        inside += inside @ self.chains.onward
        inside[:, self.chains.begins] += begun

    def _begun(self, after: Float64) -> Float64:
        """What follows when each phone begins in a frame, shape (L+1, K+1), from what follows each state in it."""
        begun = after[:, : self.width]
        if self.has_chains:
            begun = begun.copy()
            begun[:, self.chains.phones] = after[:, self.width + self.chains.begins]
        return begun

    def _step_back(self, after: Float64, as_said: Float64, as_added: Float64) -> float:
        """From what follows each state, in a frame, to what follows it before that frame.

        Args:
            after: shape (L+1, K+1+C), the frame included; changed in place.
            as_said: shape (L, K+1), mass of each label that is entered for a phone of the text.
            as_added: shape (L+1, K+1), of each that is added; spoilt.

        Returns:
            The log of the scale that was taken out.
        """
        as_added[:-1] += as_said
        onward = self.reached
        for rows, columns, part in self.backward:
            np.matmul(part, as_added[columns], out=onward[rows])
        labels, inside = after[:, : self.width], after[:, self.width :]
        onward[:, -1] = labels[:, -1]
        if self.has_chains:
            inside += inside @ self.chains.onward.T + labels[:, :-1] @ self.chains.ends.T
        labels += np.matmul(onward, self.others_back, out=self.entered)
        total = float(after.max())
        after /= total
        return float(np.log(total))


def _tiles(band: Float64) -> list[tuple[slice, slice, Float64]]:
    """Rows, columns and numbers of the parts of a band matrix that hold something; a sentence is one part."""
    size = len(band)
    tiles = []
    for begin in range(0, size, _TILE_ROWS):
        rows = slice(begin, min(begin + _TILE_ROWS, size))
        columns = slice(max(begin - LONGEST_SKIP, 0), min(rows.stop + LONGEST_SKIP, size))
        tiles.append((rows, columns, np.ascontiguousarray(band[rows, columns])))
    return tiles
