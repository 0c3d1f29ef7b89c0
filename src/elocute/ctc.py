"""Step 4/10 - the CTC lattice: every way in which frames can spell a sequence of labels.

A path gives each frame one label or the blank; merging repeats and dropping blanks turns it into labels. The lattice
of `labels` l_1..l_S holds all paths that become exactly `labels`, as walks over 2S+1 states b_0, l_1, b_1, ..., l_S,
b_S: state 2s is the blank after s labels, state 2s+1 is label s (counted from 0). A walk starts in one of the first
two states, ends in one of the last two, and stays, moves on by one, or jumps over a blank between different labels.

Everything is a natural logarithm in float64; what is impossible is -inf, never NaN, and nothing warns.

Source: Graves, Fernandez, Gomez, Schmidhuber, "Connectionist temporal classification", ICML 2006, section 4.1.
As there, alpha and beta both include the emission of their frame.
Deviates: logarithms instead of per-frame scaling, which goes silently wrong on very peaky posteriors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from elocute.types import Float64, Int64

NEG_INF = -np.inf

_SPLICES_TOGETHER = 64
"""Splices worked on in one loop over the frames, those of like length together; bounds the memory of a long text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """All paths that spell `labels`, summed from both ends.

    Attributes:
        log_probs: shape (T, V), float64 natural-log posteriors that the lattice was built from.
        labels: shape (S,), label ids without blanks.
        blank_id: column of the CTC blank.
        alpha: shape (T, 2S+1), log mass of paths over frames 0..t that are in the state at t, emission at t included.
        beta: shape (T, 2S+1), log mass of paths over frames t..T-1 that are in the state at t, emission at t included.
        log_prob: log P(labels | x); -inf where no path exists.
    """

    log_probs: Float64
    labels: Int64
    blank_id: int
    alpha: Float64
    beta: Float64
    log_prob: float

    def occupancies(self) -> Float64:
        """Posterior probability of each state at each frame, shape (T, 2S+1); rows sum to 1, or to 0 without a path."""
        emissions = state_emissions(self.log_probs, self.labels, self.blank_id)
        joint = np.full_like(emissions, NEG_INF)  # the emission counts once although both sides hold it
        np.subtract(self.alpha + self.beta, emissions, out=joint, where=emissions > NEG_INF)
        return np.exp(joint - self.log_prob) if self.log_prob > NEG_INF else np.zeros_like(joint)

    def label_occupancies(self) -> Float64:
        """Posterior probability that each frame belongs to each label, shape (T, S); the rest of a row is blank."""
        return self.occupancies()[:, 1::2]

    def expected_durations(self) -> Float64:
        """Expected number of frames spent in each label, blanks excluded, shape (S,), frames."""
        return np.asarray(self.label_occupancies().sum(axis=0))

    def entries(self) -> Float64:
        """Log mass of paths over frames 0..t that enter each label exactly at frame t, shape (T, S)."""
        before = np.full_like(self.alpha, NEG_INF)
        before[1:] = self.alpha[:-1]
        before[:1, 0] = 0.0
        entered = before[:, :-1:2]
        jumped = before[:, 1:-2:2] + jump_log_weights(self.labels)
        np.logaddexp(entered[:, 1:], jumped, out=entered[:, 1:])
        return entered + self.log_probs[:, self.labels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """The single most probable path that spells `labels`.

    Attributes:
        positions: shape (T,), index into `labels` of the label that each frame belongs to, -1 for blank frames.
        spans: shape (S, 2), frames [start, end) of each label; all zero where no path exists.
        log_prob: log probability of that path; -inf where no path exists.
    """

    positions: Int64
    spans: Int64
    log_prob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """An edit of a string of labels: those in [start, end) give way to others, at least one."""

    start: int
    end: int
    labels: tuple[int, ...]


def min_frames(labels: Sequence[int] | Int64) -> int:
    """Fewest frames that can spell `labels`: one each, and a blank between two equal neighbours."""
    ids = np.asarray(labels, dtype=np.int64)
    return len(ids) + int((ids[1:] == ids[:-1]).sum())


def lattice(log_probs: ArrayLike, labels: Sequence[int] | Int64, blank_id: int = 0) -> Lattice:
    """Sum all paths that spell `labels`, forward and backward, in one loop over the frames.

    Args:
        log_probs: natural-log posteriors, shape (T, V).
        labels: label ids without blanks, shape (S,), values in [0, V) except `blank_id`; may be empty.
        blank_id: column of the CTC blank.

    Returns:
        The lattice; its `log_prob` is -inf if T < `min_frames(labels)` or if every path has probability zero.

    Raises:
        ValueError: shapes or ids that are no CTC problem, or NaN among `log_probs`.
    """
    frames, ids = checked(log_probs, labels, blank_id)
    emissions = state_emissions(frames, ids, blank_id)
    jumps = jump_log_weights(ids)
    # The backward pass is the forward pass of the problem reversed in time and in states; both share one loop.
    both = np.stack([emissions, emissions[::-1, ::-1]], axis=1)
    sums = _forward(both, np.stack([jumps, jumps[::-1]]))
    alpha, beta = sums[:, 0], sums[::-1, 1, ::-1]
    return Lattice(
        log_probs=frames, labels=ids, blank_id=blank_id, alpha=alpha, beta=beta, log_prob=_final_log_prob(alpha)
    )


def forward_log_prob(log_probs: ArrayLike, labels: Sequence[int] | Int64, blank_id: int = 0) -> float:
    """Log P(labels | x) by the plain forward algorithm; arguments as in `lattice`."""
    frames, ids = checked(log_probs, labels, blank_id)
    return _final_log_prob(_forward(state_emissions(frames, ids, blank_id), jump_log_weights(ids)))


def forward(
    log_probs: ArrayLike, labels: Sequence[int] | Int64, blank_id: int = 0, *, before: Float64 | None = None
) -> Float64:
    """Alpha of a forward pass that goes on when more frames come.

    Args:
        log_probs: natural-log posteriors of the frames that are new, shape (T, V).
        labels: label ids as in `lattice`.
        blank_id: column of the CTC blank.
        before: alpha of the frame before them, shape (2S+1,): the last row of what this gave then; None at the start.

    Returns:
        Shape (T, 2S+1): what `lattice` of all frames together has for the new ones, however they were divided.

    Raises:
        ValueError: as `lattice`, or `before` is of other labels.
    """
    frames, ids = checked(log_probs, labels, blank_id)
    emissions = state_emissions(frames, ids, blank_id)
    if before is not None and before.shape != emissions.shape[1:]:
        raise ValueError(f"before has shape {before.shape}; expected {emissions.shape[1:]}, from the same labels")
    return _forward(emissions, jump_log_weights(ids), before)


def spliced_log_probs(around: Lattice, splices: Sequence[Splice]) -> Float64:
    """Log P(labels with one splice made | x) of each splice, shape (N,).

    A splice needs a forward pass over its own labels alone: alpha holds all that may come before it, beta all that may
    come after. Splices share one loop over the frames.

    Raises:
        ValueError: a splice without labels or outside of the lattice's.
    """
    L = len(around.labels)
    if any(not splice.labels or not 0 <= splice.start <= splice.end <= L for splice in splices):
        raise ValueError(f"splices are {list(splices)}; expected labels, and start and end from 0 to {L}")
    log_probs = np.empty(len(splices))
    by_length = sorted(range(len(splices)), key=lambda n: len(splices[n].labels))
    for first in range(0, len(splices), _SPLICES_TOGETHER):
        group = by_length[first : first + _SPLICES_TOGETHER]
        log_probs[group] = _spliced(around, [splices[n] for n in group])
    return log_probs


def viterbi(log_probs: ArrayLike, labels: Sequence[int] | Int64, blank_id: int = 0) -> Alignment:
    """Find the most probable path that spells `labels`; arguments as in `lattice`.

    Among equally probable paths it prefers, from the last frame backwards, to stay rather than to move on by one
    state, and that rather than to jump a blank.
    """
    frames, ids = checked(log_probs, labels, blank_id)
    emissions = state_emissions(frames, ids, blank_id)
    T, states = emissions.shape
    no_path = Alignment(
        positions=np.full(T, -1, dtype=np.int64), spans=np.zeros((len(ids), 2), dtype=np.int64), log_prob=NEG_INF
    )
    if T == 0:
        return no_path if len(ids) else Alignment(positions=no_path.positions, spans=no_path.spans, log_prob=0.0)

    jumps = np.full(states, NEG_INF)
    jumps[3::2] = jump_log_weights(ids)
    steps_back = np.zeros((T, states), dtype=np.int8)
    arrivals = np.full((3, states), NEG_INF)  # by staying, by moving on one state, by jumping a blank
    best = np.full(states, NEG_INF)
    best[:2] = emissions[0, :2]
    for t in range(1, T):
        arrivals[0] = best
        arrivals[1, 1:] = best[:-1]
        arrivals[2, 2:] = best[:-2] + jumps[2:]
        steps_back[t] = arrivals.argmax(axis=0)
        best = arrivals.max(axis=0) + emissions[t]

    state = states - 1 if states == 1 or best[-1] > best[-2] else states - 2
    log_prob = float(best[state])
    if log_prob == NEG_INF:
        return no_path
    walk = np.empty(T, dtype=np.int64)
    for t in range(T - 1, -1, -1):
        walk[t] = state
        state -= int(steps_back[t, state])
    positions = np.where(walk % 2 == 1, walk // 2, -1)
    label_states = np.arange(len(ids)) * 2 + 1
    starts, ends = np.searchsorted(walk, label_states, "left"), np.searchsorted(walk, label_states, "right")
    return Alignment(positions=positions, spans=np.stack([starts, ends], axis=1).astype(np.int64), log_prob=log_prob)


def logsumexp(values: Float64, axis: int = 0) -> Float64:
    """log(sum(exp(values))) along `axis`; -inf where all of it is -inf, and for an empty axis."""
    if values.shape[axis] == 0:
        return np.full(np.delete(values.shape, axis), NEG_INF)
    top = values.max(axis=axis, keepdims=True)
    top[top == NEG_INF] = 0.0  # -inf minus -inf would be NaN
    shifted = values - top
    total = np.exp(shifted, out=shifted).sum(axis=axis)
    result = np.full(total.shape, NEG_INF)
    np.log(total, out=result, where=total > 0.0)
    return np.asarray(result + top.squeeze(axis))


def logistic(odds: ArrayLike) -> Float64:
    """1 / (1 + exp(-odds)) without its overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(odds))))


def state_emissions(log_probs: Float64, labels: Int64, blank_id: int) -> Float64:
    """Log posterior of what each of the 2S+1 states emits, shape (T, 2S+1)."""
    columns = np.full(2 * len(labels) + 1, blank_id, dtype=np.int64)
    columns[1::2] = labels
    return log_probs[:, columns]


def jump_log_weights(labels: Int64) -> Float64:
    """0 where the blank between neighbours may be jumped, -inf where they are equal; shape (max(S-1, 0),)."""
    return np.where(labels[1:] == labels[:-1], NEG_INF, 0.0)


def checked(log_probs: ArrayLike, labels: Sequence[int] | Int64, blank_id: int) -> tuple[Float64, Int64]:
    """The inputs as float64 and int64 arrays; ValueError if they are no CTC problem."""
    frames = np.asarray(log_probs, dtype=np.float64)
    ids = np.asarray(labels, dtype=np.int64).reshape(-1)
    if frames.ndim != 2:
        raise ValueError(f"log_probs have shape {frames.shape}; expected (T, V)")
    if np.isnan(frames).any() or (frames == np.inf).any():
        raise ValueError("log_probs hold NaN or +inf; expected natural logs of probabilities")
    V = frames.shape[1]
    if not 0 <= blank_id < V:
        raise ValueError(f"blank_id is {blank_id}; expected a column of log_probs, 0 to {V - 1}")
    if len(ids) and (ids.min() < 0 or ids.max() >= V or (ids == blank_id).any()):
        raise ValueError(f"labels are {ids.tolist()}; expected ids from 0 to {V - 1} without the blank {blank_id}")
    return frames, ids


def _forward(emissions: Float64, jumps: Float64, before_first: Float64 | None = None) -> Float64:
    """Alpha, shape (T, ..., 2S+1), of one problem or of several side by side; `jumps` has shape (..., S-1).

    With `before_first`, shape (..., 2S+1), the walks do not start here but go on from the frame that had this alpha.
    """
    # An impossible state in front spares the first real state, which nothing moves into, a case of its own.
    row = 0 if before_first is None else 1
    alpha = np.full((row + len(emissions), *emissions.shape[1:-1], emissions.shape[-1] + 1), NEG_INF)
    if before_first is not None:
        alpha[0, ..., 1:] = before_first
    elif len(alpha):
        alpha[0, ..., 1:3] = emissions[0, ..., :2]
    before, now = alpha[:-1], alpha[1:]
    # Slicing all frames at once, outside the loop, halves the cost of a frame.
    emitted = emissions[1 - row :]
    steps = before[..., 1:], before[..., :-1], before[..., 2:-2:2], now[..., 1:], now[..., 4::2], emitted
    for stay, move, jump, arrive, arrive_by_jump, emission in zip(*steps, strict=True):
        np.logaddexp(stay, move, out=arrive)
        np.logaddexp(arrive_by_jump, jump + jumps, out=arrive_by_jump)
        arrive += emission
    return alpha[row:, ..., 1:]


def _spliced(around: Lattice, splices: Sequence[Splice]) -> Float64:
    """Log P of each of some splices, shape (N,), in one loop over the frames."""
    T = len(around.log_probs)
    if not T:
        return np.full(len(splices), NEG_INF)
    lengths = np.array([len(splice.labels) for splice in splices])
    labels = np.full((lengths.max(), len(splices)), around.blank_id)
    for n, splice in enumerate(splices):
        labels[: lengths[n], n] = splice.labels
    columns = np.full((2 * len(labels) - 1, len(splices)), around.blank_id)
    columns[::2] = labels
    jumps = np.where(labels[1:] == labels[:-1], NEG_INF, 0.0)
    # Row 0 holds what enters; then come the splice's first label, a blank, its second label, and so on.
    mass = np.full((T + 1, 2 * len(labels), len(splices)), NEG_INF)
    mass[:-1, 0] = _entries(around, splices)
    before, now = mass[:-1], mass[1:]
    steps = before[:, 1:], before[:, :-1], before[:, 1:-2:2], now[:, 1:], now[:, 3::2], around.log_probs[:, columns]
    for stay, move, jump, arrive, arrive_by_jump, emission in zip(*steps, strict=True):
        np.logaddexp(stay, move, out=arrive)
        np.logaddexp(arrive_by_jump, jump + jumps, out=arrive_by_jump)
        arrive += emission
    ends = now[:, 2 * lengths - 1, np.arange(len(splices))]
    return logsumexp(ends + _exits(around, splices))


def _entries(around: Lattice, splices: Sequence[Splice]) -> Float64:
    """Log mass of the frames before each frame that spell the labels before each splice, shape (T, N)."""
    entries = np.full((len(around.alpha), len(splices)), NEG_INF)
    for n, splice in enumerate(splices):
        entries[0, n] = 0.0 if splice.start == 0 else NEG_INF
        entries[1:, n] = around.alpha[:-1, 2 * splice.start]
        if splice.start and around.labels[splice.start - 1] != splice.labels[0]:  # equal ones need a blank between
            np.logaddexp(entries[1:, n], around.alpha[:-1, 2 * splice.start - 1], out=entries[1:, n])
    return entries


def _exits(around: Lattice, splices: Sequence[Splice]) -> Float64:
    """Log mass of the frames after each frame that spell the labels behind each splice, shape (T, N)."""
    exits = np.full((len(around.beta), len(splices)), NEG_INF)
    for n, splice in enumerate(splices):
        exits[-1, n] = 0.0 if splice.end == len(around.labels) else NEG_INF
        exits[:-1, n] = around.beta[1:, 2 * splice.end]
        if splice.end < len(around.labels) and around.labels[splice.end] != splice.labels[-1]:
            np.logaddexp(exits[:-1, n], around.beta[1:, 2 * splice.end + 1], out=exits[:-1, n])
    return exits


def _final_log_prob(alpha: Float64) -> float:
    """Log mass of the walks that end in the last blank or the last label."""
    if len(alpha) == 0:  # no frames spell no labels
        return 0.0 if alpha.shape[1] == 1 else NEG_INF
    return float(np.logaddexp.reduce(alpha[-1, -2:]))
