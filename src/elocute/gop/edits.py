"""Step 5/10 - what else could have been said, and how likely was it?

The exact CTC probability of the utterance with any one phone replaced by any other, left out, added, or replaced by
anything: all of it from one forward and one backward pass.

A phone is said between two gaps. Gap j lies after the first j phones, so an utterance of L phones has gaps 0 to L.
Cutting the T frames after frame t (t = 0..T) splits a path in two:

    before[t, j]    log mass of the first t frames spelling exactly the phones before gap j
    after[t, j]     log mass of the other frames spelling exactly the phones from gap j on

Neither depends on what is said in between, so one recursion over time that enters phone k from gap j serves at once
the insertion of k (it leaves into the same gap j) and the substitution of phone j by k (it leaves into gap j+1):

    say_t(k) = y_t(k) (say_{t-1}(k) + before[t-1, j]),      P = sum_t say_t(k) after[t, gap of exit]

CTC merges equal neighbours unless a blank parts them, so where k equals the label on the other side of the cut, only
the part of before or after that ends or begins in blank counts. Each side therefore comes in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elocute.ctc import NEG_INF, Lattice, lattice, logsumexp, min_frames
from elocute.errors import AlignmentError, PhoneError
from elocute.types import Float64, Int64, PhoneSet

BLOCK_FRAMES = 32
"""Frames worked on together; bounds the memory of a long recording and keeps a short one in the processor's cache."""

TRUSTED = 1e-250
"""Least total, as a share of the largest conceivable one, for which probabilities need no logarithms to be exact."""

NO_LABEL = -1
"""Stands for the neighbour beyond either end of the utterance; equal to no label."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alternatives:
    """Log probability (nats) of the canonical phones and of every utterance that is one edit away.

    Attributes:
        canonical: shape (L,), phone ids of what should be said.
        lattice: the CTC lattice of the canonical phones' labels.
        log_prob: log P(canonical | x).
        substitution: shape (L, K), log P with phone i replaced by phone k; the canonical k gives `log_prob` again.
        deletion: shape (L,), log P with phone i left out.
        insertion: shape (L+1, K), log P with phone k added in gap j, before phone j (gap L: at the end).
        any_string: shape (L,), log P with phone i replaced by any string of labels, the empty one included.
        durations: shape (L,), expected number of frames in phone i, blanks excluded.
        bounds: shape (L+1,), how many labels come before each gap.
    """

    canonical: Int64
    lattice: Lattice
    log_prob: float
    substitution: Float64
    deletion: Float64
    insertion: Float64
    any_string: Float64
    durations: Float64
    bounds: Int64

    def occupancies(self) -> Float64:
        """Posterior probability of each gap's blank and each phone in turn, at each frame, shape (T, 2L+1).

        The blanks between the labels of a phone are the phone's.
        """
        starts = np.empty(2 * len(self.bounds) - 1, dtype=np.intp)  # as reduceat wants it
        starts[::2], starts[1::2] = 2 * self.bounds, 2 * self.bounds[:-1] + 1
        return np.add.reduceat(self.lattice.occupancies(), starts, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spelling:
    """Canonical phones in the labels of a model.

    Attributes:
        phones: shape (L,), phone ids.
        labels: shape (S,), the labels that spell them, S >= L.
        bounds: shape (L+1,), how many labels come before each gap.
    """

    phones: Int64
    labels: Int64
    bounds: Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Gaps:
    """Both sides of every cut and gap: log masses with one row a cut, T+1, and one column a gap.

    Attributes:
        before: shape (T+1, L+1), log mass of what ends in the gap.
        before_blank: its part that ends in blank.
        after: shape (T+1, L+2), log mass of what begins in the gap; the last gap does not exist and leads nowhere.
        after_blank: its part that begins with blank.
        after_label: its part that begins with the next label.
        left: shape (L+1,), the label before each gap, `NO_LABEL` before the first.
        right: shape (L+2,), the label after each gap, `NO_LABEL` after the last.
    """

    before: Float64
    before_blank: Float64
    after: Float64
    after_blank: Float64
    after_label: Float64
    left: Int64
    right: Int64


def alternatives(log_probs: ArrayLike, canonical: Sequence[int] | Int64, phone_set: PhoneSet) -> Alternatives:
    """Compute the exact probability of every utterance that is one edit away from the canonical phones.

    Args:
        log_probs: natural-log posteriors, shape (T, V), V = `phone_set.size`.
        canonical: phone ids (positions in `phone_set.symbols`), shape (L,).
        phone_set: how each phone is spelled in label ids.

    Returns:
        All substitutions, deletions and insertions, the free string at each phone, expected durations.

    Raises:
        AlignmentError: no CTC path spells the canonical phones in T frames.
        PhoneError: a canonical id is no phone of the set, or the set does not fit `log_probs`.

    Source: GOP-CTC-AF, Cao et al., Interspeech 2024, and its code (frank613/CTC-based-GOP), which run one forward
        pass per alternative; the shared recursion here gives the same sums.
    Deviates: the alternatives are sets of label sequences, so first, last and repeated phones are no special cases
        (the reference prunes some of their paths).
    Cost: time O(T L K m) for phones of m labels, against O(T L^2 K) of one forward pass each; memory O(T L + L K).

    >>> phones = PhoneSet(symbols=("S", "TH"), tokens=((1,), (2,)), size=3, blank_id=0)
    >>> log_probs = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.3, 0.6]])
    >>> found = alternatives(log_probs, [0, 1], phones)
    >>> np.exp(found.substitution).round(3).tolist()  # S TH, TH TH; S S, S TH
    [[0.494, 0.048], [0.192, 0.494]]
    """
    frames = as_frames(log_probs, phone_set)
    spelling = spell(canonical, phone_set)
    full = lattice(frames, spelling.labels, phone_set.blank_id)
    if full.log_prob == NEG_INF:
        raise no_path(len(frames), spelling)

    gaps = _cut(full, spelling.bounds)
    L, K = len(spelling.phones), len(phone_set.symbols)
    substitution, insertion = np.empty((L, K)), np.empty((L + 1, K))
    lengths = np.array([len(tokens) for tokens in phone_set.tokens])
    for length in np.unique(lengths):
        phones = np.flatnonzero(lengths == length)
        tokens = np.array([phone_set.tokens[k] for k in phones])
        said = _say(frames, tokens, gaps, phone_set.blank_id)
        insertion[:, phones], substitution[:, phones] = said[0], said[1, :-1]
    return Alternatives(
        canonical=spelling.phones,
        lattice=full,
        log_prob=full.log_prob,
        substitution=substitution,
        deletion=_skip(gaps),
        insertion=insertion,
        any_string=_say_anything(full, spelling.bounds, gaps),
        durations=np.add.reduceat(full.expected_durations(), spelling.bounds[:-1]),
        bounds=spelling.bounds,
    )


def as_frames(values: ArrayLike, phone_set: PhoneSet) -> Float64:
    """Log posteriors or logits as float64, shape (T, V); PhoneError if the phone set is not theirs."""
    frames = np.asarray(values, dtype=np.float64)
    if frames.ndim != 2 or frames.shape[1] != phone_set.size:
        raise PhoneError(f"frames have shape {frames.shape}; the phone set expects (T, {phone_set.size})")
    return frames


def spell(canonical: Sequence[int] | Int64, phone_set: PhoneSet) -> Spelling:
    """Look up the labels of the canonical phones."""
    ids = np.asarray(canonical, dtype=np.int64).reshape(-1)
    K = len(phone_set.symbols)
    if len(ids) and (ids.min() < 0 or ids.max() >= K):
        raise PhoneError(f"canonical phone ids are {ids.tolist()}; expected 0 to {K - 1}, positions in the phone set")
    if not all(phone_set.tokens) or len(set(phone_set.tokens)) < K:
        raise PhoneError("two phones of the set are spelled alike, or one has no labels; give each its own spelling")
    tokens = [phone_set.tokens[k] for k in ids]
    return Spelling(
        phones=ids,
        labels=np.array([label for labels in tokens for label in labels], dtype=np.int64),
        bounds=np.cumsum([0, *map(len, tokens)]),
    )


def no_path(T: int, spelling: Spelling) -> AlignmentError:
    """The error for phones that cannot be aligned with `T` frames."""
    L, needed = len(spelling.phones), min_frames(spelling.labels)
    if needed > T:
        return AlignmentError(
            f"the recording has {T} frames; its {L} phones need at least {needed}; record the whole text again"
        )
    return AlignmentError(
        f"every alignment of the {L} phones (at least {needed} frames) with the {T} frames of the recording has "
        "probability zero; check that the recording is of this text"
    )


def _cut(full: Lattice, bounds: Int64) -> _Gaps:
    """Read both sides of every cut off the lattice; `bounds` (L+1,) counts the labels before each gap."""
    T, L = len(full.log_probs), len(bounds) - 1
    before_blank, before_label = np.full((2, T + 1, L + 1), NEG_INF)
    after_blank, after_label = np.full((2, T + 1, L + 2), NEG_INF)
    before_blank[1:] = full.alpha[:, 2 * bounds]
    before_label[1:, 1:] = full.alpha[:, 2 * bounds[1:] - 1]
    after_blank[:-1, :-1] = full.beta[:, 2 * bounds]
    after_label[:-1, :-2] = full.beta[:, 2 * bounds[:-1] + 1]
    # Outside the recording stand a blank before the first phone and an end mark after the last.
    before_blank[0, 0] = after_label[-1, -2] = 0.0
    left, right = np.full(L + 1, NO_LABEL), np.full(L + 2, NO_LABEL)
    left[1:], right[:-2] = full.labels[bounds[1:] - 1], full.labels[bounds[:-1]]
    return _Gaps(
        before=np.logaddexp(before_blank, before_label),
        before_blank=before_blank,
        after=np.logaddexp(after_blank, after_label),
        after_blank=after_blank,
        after_label=after_label,
        left=left,
        right=right,
    )


def _say(frames: Float64, tokens: Int64, gaps: _Gaps, blank_id: int) -> Float64:
    """Log P of saying each phone of `tokens` (K, m) from each gap, shape (2, L+1, K).

    First the insertions, which leave into the gap they came from, then the substitutions, which leave into the next.
    """
    said = np.full((2, len(gaps.left), len(tokens)), NEG_INF)
    if tokens.shape[1] == 1:
        said = _say_quickly(frames[:, tokens[:, 0]], tokens[:, 0], gaps)
    unsure = np.isneginf(said[0])
    unsure[:-1] |= np.isneginf(said[1, :-1])  # after the last gap there is nothing to substitute
    gap, phone = unsure.nonzero()
    if len(gap):
        said[:, gap, phone] = _say_in_logs(frames, tokens[phone], gap, gaps, blank_id)
    return said


def _say_quickly(emissions: Float64, labels: Int64, gaps: _Gaps) -> Float64:
    """Say phones of one label each, as `_say` does, without a logarithm a step; -inf where that might lose digits.

    In place of say_t it carries say_t * potential_t, where potential_t bounds what any phone that is being said can
    still contribute: it leaves at the best cut, and until then every frame says its likeliest phone. In units of
    `scale`, the largest contribution that one entry could make, every factor is at most 1, so nothing exceeds T and
    whatever underflows takes less than 1e-300 away from any total. Totals above `TRUSTED` are therefore exact; the
    rest, few unless the recording is noise or the model certain, is left to `_say_in_logs`.
    """
    T, K = emissions.shape
    # A frame that no phone can say counts as e^-700: still a bound, and never nothing divided by nothing.
    peak = np.maximum(emissions.max(axis=1, initial=NEG_INF), -700.0)
    height = np.cumsum([0.0, *peak])[:, None]
    leave = np.maximum(gaps.after[:, :-1], gaps.after[:, 1:])
    potential = np.maximum.accumulate((leave + height)[::-1])[::-1] - height
    unit = np.where(potential == NEG_INF, 0.0, potential)
    scale = (gaps.before + potential).max(axis=0)
    scale[scale == NEG_INF] = 0.0

    enter, enter_blank = (np.exp(side[:-1] + potential[:-1] - scale) for side in (gaps.before, gaps.before_blank))
    go_on = np.exp(potential[1:] + peak[:, None] - unit[:-1])
    likely = np.exp(emissions - peak[:, None])
    exits = [slice(None, -1), slice(1, None)]  # into the same gap, into the next
    leave_both, leave_blank = (
        np.stack([np.exp(side[1:, into] - unit[1:]).T for into in exits], axis=1)  # (L+1, 2, T)
        for side in (gaps.after, gaps.after_blank)
    )
    merges_left = (gaps.left[:, None] == labels).nonzero()
    merges_right = [(gaps.right[into, None] == labels).nonzero() for into in exits]

    total = np.zeros((len(gaps.left), 2, K))
    now = np.zeros((len(gaps.left), K))
    for start in range(0, T, BLOCK_FRAMES):
        block = slice(start, start + BLOCK_FRAMES)
        inflow = enter[block, :, None].repeat(K, axis=2)
        inflow[:, merges_left[0], merges_left[1]] = enter_blank[block, merges_left[0]]
        share = go_on[block, :, None] * likely[block, None]
        said = np.empty_like(share)
        for new, part, after in zip(inflow, share, said, strict=True):
            now = np.multiply(np.add(now, new, out=after), part, out=after)
        left = leave_both[:, :, block] @ said.transpose(1, 0, 2)
        for into, (gap, phone) in enumerate(merges_right):
            left[gap, into, phone] = (said[:, gap, phone] * leave_blank[gap, into, block].T).sum(axis=0)
        total += left
    with np.errstate(divide="ignore"):
        logs = np.where(total < TRUSTED, NEG_INF, np.log(total) + scale[:, None, None])
    return logs.transpose(1, 0, 2)


def _say_in_logs(frames: Float64, tokens: Int64, gap: Int64, gaps: _Gaps, blank_id: int) -> Float64:
    """Say each of n phones, spelled by `tokens` (n, m), from its own `gap` (n,): shape (2, n) as `_say` gives."""
    n, m = tokens.shape
    columns = np.full((2 * m - 1, n), blank_id)  # a phone of m labels is a chain of m labels and m - 1 blanks
    columns[::2] = tokens.T
    jumps = np.where(tokens[:, 1:] == tokens[:, :-1], NEG_INF, 0.0).T
    merges_left = gaps.left[gap] == tokens[:, 0]
    chain = np.full((2 * m - 1, n), NEG_INF)
    total = np.full((2, n), NEG_INF)
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = slice(start, min(start + BLOCK_FRAMES, len(frames)))
        cut = slice(block.start + 1, block.stop + 1)  # after each of these frames
        inflow = _side(gaps.before[block], gaps.before_blank[block], gap, merges_left)
        said = np.empty_like(inflow)
        for emission, new, out in zip(frames[block][:, columns], inflow, said, strict=True):
            for state in range(2 * m - 2, 0, -1):  # from the back, so that each state reads the frame before
                np.logaddexp(chain[state], chain[state - 1], out=chain[state])
                if state % 2 == 0:
                    np.logaddexp(chain[state], chain[state - 2] + jumps[state // 2 - 1], out=chain[state])
            np.logaddexp(chain[0], new, out=chain[0])
            chain += emission
            out[:] = chain[-1]
        for into in (0, 1):  # the gap that it came from, the next one
            merges_right = gaps.right[gap + into] == tokens[:, -1]
            outflow = _side(gaps.after[cut], gaps.after_blank[cut], gap + into, merges_right)
            np.logaddexp(total[into], logsumexp(said + outflow), out=total[into])
    return total


def _side(both: Float64, blank: Float64, gap: Int64, merges: NDArray[np.bool_]) -> Float64:
    """Columns `gap` (any shape) of `both` (t, gaps), but of `blank` where the phone `merges` with its neighbour."""
    side = both.take(gap, axis=1)
    side[:, merges] = blank.take(gap[merges], axis=1)
    return side


def _skip(gaps: _Gaps) -> Float64:
    """Log P with each phone left out: cut where the label after it begins, so that every path is counted once."""
    merges = gaps.left[:-1] == gaps.right[1:-1]
    before = np.where(merges, gaps.before_blank[:, :-1], gaps.before[:, :-1])
    return logsumexp(before + gaps.after_label[:, 1:-1])


def _say_anything(full: Lattice, bounds: Int64, gaps: _Gaps) -> Float64:
    """Log P with each phone replaced by any string of labels, shape (L,).

    From the frame at which the label left of the phone is entered, all is free until the label right of it is entered,
    which needs a frame before it that is not that label already.
    """
    T, L = len(full.log_probs), len(bounds) - 1
    left, right = gaps.left[:-1], gaps.right[1:-1]
    entered = np.full((T, L), NEG_INF)
    entered[:, 1:] = full.entries()[:, bounds[1:-1] - 1]
    passed = np.full((T + 1, L), NEG_INF)  # entered at any frame before the cut
    passed[0, :1] = 0.0
    for now, following, new, free in zip(
        passed[:-1], passed[1:], entered, logsumexp(full.log_probs, axis=1), strict=True
    ):
        np.logaddexp(now + free, new, out=following)  # `free` is 0 where the row of log_probs sums to 1
    ready = passed.copy()  # ... and the frame before the cut is not the label on the right
    ready[1:] = np.logaddexp(passed[:-1] + _without(full.log_probs, right), np.where(left == right, NEG_INF, entered))
    return logsumexp(ready + gaps.after_label[:, 1:-1])


def _without(log_probs: Float64, labels: Int64) -> Float64:
    """Log sum of each row without the column of each label, shape (T, n); `NO_LABEL` leaves out none."""
    frames = np.arange(len(log_probs))
    top = log_probs.argmax(axis=1)
    scale = log_probs[frames, top][:, None]
    scale = np.where(scale == NEG_INF, 0.0, scale)
    probs = np.exp(log_probs - scale)
    taken = np.where(labels == NO_LABEL, 0.0, probs[:, labels])
    # Subtracting the largest term would cancel every digit of the rest; subtracting a smaller one cancels none.
    others = log_probs.copy()
    others[frames, top] = NEG_INF
    with np.errstate(divide="ignore"):
        rest = np.log(probs.sum(axis=1, keepdims=True) - taken) + scale
    return np.where(top[:, None] == labels, logsumexp(others, axis=1)[:, None], rest)
