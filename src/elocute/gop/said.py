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
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from elocute.errors import AlignmentError, PhoneError
from elocute.gop.edits import as_frames, spell
from elocute.types import Float64, Int64, PhoneSet

LONGEST_SKIP = 8
"""Canonical phones in a row that may be missing; more of them are a missing word, which is not decided here."""

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
        phone_set: one label a phone.
        prior: of the edits.

    Raises:
        AlignmentError: no frames, or frames in which no string of phones is possible.
        PhoneError: a phone of several labels, a canonical id that is no phone, or frames of another phone set.
        ValueError: the prior is of another phone set.

    Deviates: at most `LONGEST_SKIP` phones in a row are left out. Probabilities are scaled frame by frame, not
        logarithms; what is less than 1e-290 of a frame's mass is lost. What enters a label from other labels is a
        difference, good to 1e-16 of that label's own mass: it matters only where the prior forbids all else.
    Cost: time O(T L K), three passes; memory O(L K) a frame of one block.

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
    return _EditLattice(np.exp(emissions.phones), np.exp(emissions.blank), phones, prior).solve()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Emissions:
    """Log posteriors of a model with one label a phone: phones (T, K) in the order of the phone set, blank (T,)."""

    phones: Float64
    blank: Float64


def phone_emissions(log_probs: ArrayLike, phone_set: PhoneSet) -> Emissions:
    """Log posteriors by phone; PhoneError for another phone set's, and for phones of several labels."""
    frames = as_frames(log_probs, phone_set)
    if any(len(tokens) != 1 for tokens in phone_set.tokens):
        raise PhoneError("the edit lattice needs one label a phone; this phone set spells some with several")
    columns = [tokens[0] for tokens in phone_set.tokens]
    return Emissions(phones=frames[:, columns], blank=frames[:, phone_set.blank_id])


class _EditLattice:
    """The forward and the backward pass.

    Masses of a frame are those of `labels`, shape (2, L+1, K): said for phone j (the last row stays empty) and added in
    gap j; and of `blanks`, shape (L+1,). They are scaled to sum to 1.
    """

    def __init__(self, emissions: Float64, blanks: Float64, canonical: Int64, prior: EditPrior) -> None:
        L, K = len(canonical), len(prior.inserted)
        self.doubt = 1.0 - np.diagonal(prior.said)
        self.emissions, self.blanks = emissions, blanks
        self.block_frames = max(16, _BLOCK_NUMBERS // ((L + 1) * K))
        self.masses = np.empty((L + 1, K + 1))
        self.weights = np.zeros((2, L + 1, K))
        self.weights[0, :L] = prior.said[canonical, :-1]
        self.weights[1] = prior.inserted
        skipping = prior.said[canonical, -1]
        # Row j: from which gaps gap j is reached by leaving out all phones between, and how likely that is.
        self.skips = np.eye(L + 1)
        for reach in range(1, min(LONGEST_SKIP, L) + 1):
            rows = np.arange(reach, L + 1)
            self.skips[rows, rows - reach] = self.skips[rows, rows - reach + 1] * skipping[rows - reach]
        self.log_rest = (L + 1) * float(np.log1p(-prior.inserted.sum()))  # every gap adds nothing, or nothing more

    def solve(self) -> Said:
        """Posteriors of every edit."""
        _, gaps, K = self.weights.shape
        blocks, entries, log_scale, ending = self._forward()
        edits, moments = np.zeros_like(self.weights), np.zeros((gaps, K))
        # After the last frame all phones that are left are skipped.
        after_blank = self.skips[-1].copy()
        after = np.empty_like(self.weights)
        after[0, :-1], after[0, -1], after[1] = after_blank[1:, None], 0.0, after_blank[:, None]
        to_go = -ending  # log of what scales `after`, less the log of the whole
        for number in range(len(blocks) - 1, -1, -1):
            begin = number * self.block_frames
            if number < len(blocks) - 1:
                entries = self._entries(*blocks[number], begin)
            for t in range(begin + len(entries) - 1, begin - 1, -1):
                after *= self.emissions[t]
                after_blank *= self.blanks[t]
                entering = self.weights * after
                # Beyond e^700 the other factors were rounded to nothing long before.
                entered = entering * (entries[t - begin] * np.exp(min(log_scale[t] + to_go, 700.0)))
                edits += entered
                moments += t * entered[1]
                onward = self.skips.T @ (entering[0] + entering[1])
                anything = onward.sum(axis=1)
                left = np.maximum(anything[:, None] - onward, 0.0) + after_blank[:, None]
                after[0, :-1] += left[1:]
                after[1] += left
                after_blank += anything
                total = after.max()
                after /= total
                after_blank /= total
                to_go += np.log(total)
        posterior = np.column_stack([edits[0, :-1], np.maximum(1.0 - edits[0, :-1].sum(axis=1), 0.0)])
        frame = np.full_like(moments, np.nan)
        np.divide(moments, edits[1], out=frame, where=edits[1] > 0.0)
        return Said(
            posterior=posterior / posterior.sum(axis=1, keepdims=True),
            inserted=edits[1],
            inserted_frame=frame,
            doubt=self.doubt,
            log_evidence=ending + self.log_rest,
        )

    def _forward(self) -> tuple[list[tuple[Float64, Float64]], list[Float64], Float64, float]:
        """Masses before each block, entries of the last one, log scale before each frame (T,), log of the whole."""
        labels, blanks = np.zeros_like(self.weights), np.zeros(self.weights.shape[1])
        blanks[0] = 1.0
        blocks: list[tuple[Float64, Float64]] = []
        entries: list[Float64] = []
        log_scale = np.zeros(len(self.emissions) + 1)
        for t in range(len(self.emissions)):
            if t % self.block_frames == 0:
                blocks.append((labels.copy(), blanks.copy()))
                entries = []
            entry, scale = self._step(labels, blanks, t)
            entries.append(entry)
            log_scale[t + 1] = log_scale[t] + np.log(scale) if scale > 0.0 else -np.inf
        ending = (blanks + self._last_labels(labels).sum(axis=1)) @ self.skips[-1]
        if not (ending > 0.0 and np.isfinite(log_scale[-1])):
            raise AlignmentError("no string of phones is possible in the recording; check that it holds any sound")
        return blocks, entries, log_scale, float(log_scale[-1] + np.log(ending))

    def _entries(self, labels: Float64, blanks: Float64, begin: int) -> list[Float64]:
        """Mass that may enter each label at each gap (L+1, K), for each frame of a block."""
        labels, blanks = labels.copy(), blanks.copy()
        end = min(begin + self.block_frames, len(self.emissions))
        return [self._step(labels, blanks, t)[0] for t in range(begin, end)]

    def _step(self, labels: Float64, blanks: Float64, t: int) -> tuple[Float64, float]:
        """Carry the masses, in place, over frame t; returns what could enter each label (L+1, K), and their sum."""
        last = self.masses[:, :-1]
        last[:] = labels[1]
        last[1:] += labels[0, :-1]
        self.masses[:, -1] = blanks
        reached = self.skips @ self.masses
        entry = reached.sum(axis=1, keepdims=True) - reached[:, :-1]
        np.maximum(entry, 0.0, out=entry)  # rounding can leave -1e-17
        labels += self.weights * entry
        labels *= self.emissions[t]
        blanks += last.sum(axis=1)
        blanks *= self.blanks[t]
        scale = float(labels.sum() + blanks.sum())
        if scale > 0.0:
            labels *= 1.0 / scale
            blanks *= 1.0 / scale
        return entry, scale

    @staticmethod
    def _last_labels(labels: Float64) -> Float64:
        """Mass in the gaps by the label said last, shape (L+1, K)."""
        last = labels[1].copy()
        last[1:] += labels[0, :-1]
        return np.asarray(last)
