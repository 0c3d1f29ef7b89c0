"""Step 5/10 - the recursions of `batched`: forward pass, cuts, and everything that may be said between them.

Here a batch is one row of N gaps, those of all texts one after the other. Arrays over cuts have shape (T+1, N+1); the
last column is of no gap, leads nowhere, and stands for the gap behind the last one of a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.ctc import NEG_INF
from elocute.errors import PhoneError
from elocute.gop.arrays import Arrays
from elocute.gop.edits import BLOCK_FRAMES, NO_LABEL, TRUSTED, spell
from elocute.types import Int64, PhoneSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """Canonical phones of B texts in the labels of a model; all numpy.

    Attributes:
        phones: shape (B, L), phone ids; what is beyond a text's phones means nothing.
        lengths: shape (B,), phones of each text.
        starts: shape (B+1,), how many phones are in the texts before each, and in all.
        labels: shape (B, S), the labels that spell them.
        sizes: shape (B,), labels of each text.
        bounds: shape (B, L+1), how many labels come before each gap.
    """

    phones: Int64
    lengths: Int64
    starts: Int64
    labels: Int64
    sizes: Int64
    bounds: Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passes:
    """Both passes over B lattices, each of shape (T, B, 2S+1); states as `ctc` has them.

    Attributes:
        alpha: as `ctc.Lattice` has it.
        beta: likewise; -inf in states that a text does not have.
        emissions: log posterior of what each state emits.
    """

    alpha: Any
    beta: Any
    emissions: Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cuts:
    """Both sides of every cut and gap, and what is next to each gap; N gaps, P of them before a phone.

    Attributes:
        before: shape (T+1, N+1), log mass of what ends in the gap.
        before_blank: its part that ends in blank.
        after: shape (T+1, N+1), log mass of what begins in the gap.
        after_blank: its part that begins with blank.
        after_label: its part that begins with the next label.
        left: shape (N+1,), the label before each gap.
        right: shape (N+1,), the label after each gap.
        following: shape (N,), the next gap of the same text; N behind the last.
        owner: shape (N,), the text of each gap.
        phones: shape (P,), the gap before each phone.
        label_begins: shape (P,), place of each phone's first label in rows of (B, S+1).
        label_ends: shape (P,), place behind its last.
    """

    before: Any
    before_blank: Any
    after: Any
    after_blank: Any
    after_label: Any
    left: Any
    right: Any
    following: Any
    owner: Any
    phones: Any
    label_begins: Any
    label_ends: Any


def pack(canonical: Sequence[Sequence[int] | Int64], phone_set: PhoneSet) -> Texts:
    """Look up the labels of the phones of many texts; PhoneError where one is none of the set."""
    spell((), phone_set)  # refuses a set that is no good
    lengths = np.array([len(one) for one in canonical], dtype=np.int64)
    B, L, K = len(lengths), int(lengths.max(initial=0)), len(phone_set.symbols)
    phones = np.zeros((B, L), dtype=np.int64)
    is_phone = np.arange(L) < lengths[:, None]
    if B:
        phones[is_phone] = np.concatenate([np.asarray(one, dtype=np.int64) for one in canonical])
    if B and L and (phones.min() < 0 or phones.max() >= K):
        raise PhoneError(f"a canonical phone id is {phones.min()} or {phones.max()}; expected 0 to {K - 1}")
    counts = np.array([len(tokens) for tokens in phone_set.tokens])
    table = np.zeros((K, counts.max()), dtype=np.int64)
    for k, tokens in enumerate(phone_set.tokens):
        table[k, : len(tokens)] = tokens
    spelled = np.where(is_phone, counts[phones], 0)
    bounds = np.concatenate([np.zeros((B, 1), dtype=np.int64), np.cumsum(spelled, axis=1)], axis=1)
    labels = np.full((B, int(bounds[:, -1].max(initial=0))), phone_set.blank_id, dtype=np.int64)
    for part in range(table.shape[1]):
        row, at = np.nonzero(spelled > part)
        labels[row, bounds[row, at] + part] = table[phones[row, at], part]
    return Texts(
        phones=phones,
        lengths=lengths,
        starts=np.cumsum([0, *lengths]),
        labels=labels,
        sizes=bounds[:, -1].copy(),
        bounds=bounds,
    )


def forward(xp: Arrays, emissions: Any, jumps: Any) -> Any:
    """Alpha, shape (T, n, 2S+1), of n problems side by side; `ctc` has the recursion. `jumps` has shape (n, S-1)."""
    T, n, states = emissions.shape
    # An impossible state in front spares the first real state, which nothing moves into, a case of its own.
    alpha = xp.full((T, n, states + 1), NEG_INF)
    alpha[0, :, 1:3] = emissions[0, :, :2]
    before, now = alpha[:-1], alpha[1:]
    steps = before[..., 1:], before[..., :-1], before[..., 2:-2:2], now[..., 1:], now[..., 4::2], emissions[1:]
    for stay, move, jump, arrive, arrive_by_jump, emission in zip(*steps, strict=True):
        xp.logaddexp(stay, move, out=arrive)
        xp.logaddexp(arrive_by_jump, jump + jumps, out=arrive_by_jump)
        arrive += emission
    return alpha[..., 1:]


def cut(xp: Arrays, passes: Passes, texts: Texts) -> Cuts:
    """Read both sides of every cut off the lattices."""
    alpha, beta = passes.alpha, passes.beta
    T, B, states = alpha.shape
    S = texts.labels.shape[1]
    owner = np.repeat(np.arange(B), texts.lengths + 1)
    first = texts.starts[:-1] + np.arange(B)
    N = len(owner)
    gap = np.arange(N) - first[owner]
    bound = texts.bounds[owner, gap]
    is_first, is_last = gap == 0, gap == texts.lengths[owner]
    state = owner * states + 2 * bound

    def read(masses: Any, places: Int64, absent: Any) -> Any:
        """Columns of (T, B, states) at places, -inf where absent, and one more of no gap."""
        flat = masses.reshape(T, B * states)
        kept = xp.where(xp.put(absent), NEG_INF, flat[:, xp.put(np.where(absent, 0, places))])
        return xp.join([kept, xp.full((T, 1), NEG_INF)], 1)

    nobody = np.zeros(N, dtype=bool)
    # Outside the recording stand a blank before the first phone and an end mark after the last.
    start = np.where(np.append(is_first, False), 0.0, NEG_INF)[None]
    end = np.where(np.append(is_last, False), 0.0, NEG_INF)[None]
    never = xp.full((1, N + 1), NEG_INF)
    before_blank = xp.join([xp.put(start), read(alpha, state, nobody)], 0)
    before_label = xp.join([never, read(alpha, state - 1, is_first)], 0)
    after_blank = xp.join([read(beta, state, nobody), never], 0)
    after_label = xp.join([read(beta, state + 1, is_last), xp.put(end)], 0)
    labels = np.append(texts.labels.reshape(-1), 0)
    left = np.where(is_first, NO_LABEL, labels[owner * S + np.maximum(bound - 1, 0)])
    right = np.where(is_last, NO_LABEL, labels[owner * S + np.where(is_last, 0, bound)])
    phones = np.flatnonzero(~is_last)
    return Cuts(
        before=xp.logaddexp(before_blank, before_label),
        before_blank=before_blank,
        after=xp.logaddexp(after_blank, after_label),
        after_blank=after_blank,
        after_label=after_label,
        left=xp.put(np.append(left, NO_LABEL)),
        right=xp.put(np.append(right, NO_LABEL)),
        following=xp.put(np.where(is_last, N, np.arange(N) + 1)),
        owner=xp.put(owner),
        phones=xp.put(phones),
        label_begins=xp.put(owner[phones] * (S + 1) + bound[phones]),
        label_ends=xp.put(owner[phones] * (S + 1) + bound[np.minimum(phones + 1, N - 1)]),
    )


def say(xp: Arrays, log_probs: Any, texts: Texts, cuts: Cuts, phone_set: PhoneSet) -> tuple[Any, Any]:
    """Log P of adding each phone in each gap, (N, K), and of saying it in place of each canonical phone, (P, K)."""
    N, K = len(cuts.following), len(phone_set.symbols)
    said = xp.full((2, N, K), NEG_INF)
    lengths = np.array([len(tokens) for tokens in phone_set.tokens])
    single = np.flatnonzero(lengths == 1)
    if len(single):
        labels = np.array([phone_set.tokens[k][0] for k in single])
        quick = _say_quickly(xp, log_probs[:, :, xp.put(labels)], xp.put(labels), cuts)
        said[:, :, xp.put(single)] = quick
        unsure = xp.numpy(quick[0] == NEG_INF)
        unsure |= xp.numpy((quick[1] == NEG_INF) & (cuts.following != N)[:, None])
        gap, at = unsure.nonzero()
        if len(gap):
            found = _say_in_logs(xp, log_probs, labels[at][:, None], xp.put(gap), cuts, phone_set.blank_id)
            said[:, xp.put(gap), xp.put(single[at])] = found
    for length in np.unique(lengths[lengths > 1]).tolist():
        chains = np.flatnonzero(lengths == length)
        gap, at = (part.reshape(-1) for part in np.meshgrid(np.arange(N), np.arange(len(chains)), indexing="ij"))
        tokens = np.array([phone_set.tokens[k] for k in chains])[at]
        found = _say_in_logs(xp, log_probs, tokens, xp.put(gap), cuts, phone_set.blank_id)
        said[:, xp.put(gap), xp.put(chains[at])] = found
    return said[0], said[1][cuts.phones]


def _say_quickly(xp: Arrays, emissions: Any, labels: Any, cuts: Cuts) -> Any:
    """Phones of one label each, shape (2, N, K), without a logarithm a step; `edits._say_quickly` has the reasoning."""
    T, _, K = emissions.shape
    N = len(cuts.following)
    peak = xp.maximum(xp.max(emissions, 2), -700.0)
    height = xp.join([xp.full((1, peak.shape[1]), 0.0), xp.cumsum(peak, 0)], 0)[:, cuts.owner]
    leave = xp.maximum(cuts.after[:, :N], cuts.after[:, cuts.following])
    potential = xp.flip(xp.cummax(xp.flip(leave + height, 0)), 0) - height
    unit = xp.where(potential == NEG_INF, 0.0, potential)
    scale = xp.max(cuts.before[:, :N] + potential, 0)
    scale = xp.where(scale == NEG_INF, 0.0, scale)

    enter, enter_blank = (xp.exp(side[:-1, :N] + potential[:-1] - scale) for side in (cuts.before, cuts.before_blank))
    go_on = xp.exp(potential[1:] + peak[:, cuts.owner] - unit[:-1])
    likely = xp.exp(emissions - peak[:, :, None])
    leave_both, leave_blank = (
        [xp.exp(side[1:, into] - unit[1:]) for into in (slice(0, N), cuts.following)]
        for side in (cuts.after, cuts.after_blank)
    )
    merges_left = cuts.left[:N, None] == labels  # (N, K)
    merges_right = [(cuts.right[into, None] == labels).nonzero() for into in (slice(0, N), cuts.following)]
    pairs = [_pair(found) for found in merges_right]

    total = xp.full((N, 2, K), 0.0)
    now = xp.full((N, K), 0.0)
    for begin in range(0, T, BLOCK_FRAMES):
        block = slice(begin, begin + BLOCK_FRAMES)
        said = xp.where(merges_left, enter_blank[block, :, None], enter[block, :, None])  # (t, N, K), what comes in
        share = go_on[block, :, None] * likely[block][:, cuts.owner]
        for one, part in zip(said, share, strict=True):
            one += now
            one *= part
            now = one
        both = xp.transpose(xp.join([side[None, block] for side in leave_both], 0), (2, 0, 1))  # (N, 2, t)
        left = both @ xp.transpose(said, (1, 0, 2))
        for into, (gap, phone) in enumerate(pairs):
            left[gap, into, phone] = (said[:, gap, phone] * leave_blank[into][block][:, gap]).sum(0)
        total += left
    logs = xp.where(total < TRUSTED, NEG_INF, xp.log(total) + scale[:, None, None])
    return xp.transpose(logs, (1, 0, 2))


def _pair(found: Any) -> tuple[Any, Any]:
    """Rows and columns as numpy's or torch's `nonzero` has them."""
    if isinstance(found, tuple):
        return found[0], found[1]
    return found[:, 0], found[:, 1]


def _say_in_logs(xp: Arrays, log_probs: Any, tokens: Int64, gap: Any, cuts: Cuts, blank_id: int) -> Any:
    """Say each of n phones, spelled by `tokens` (n, m), from its own `gap` (n,): shape (2, n) as `say` gives."""
    T, B, V = log_probs.shape
    n, m = tokens.shape
    columns = np.full((2 * m - 1, n), blank_id)
    columns[::2] = tokens.T
    places = cuts.owner[gap] * V + xp.put(columns)
    jumps = xp.put(np.where(tokens[:, 1:] == tokens[:, :-1], NEG_INF, 0.0).T.copy())
    first, last = xp.put(tokens[:, 0].copy()), xp.put(tokens[:, -1].copy())
    frames = log_probs.reshape(T, B * V)
    merges_left = cuts.left[gap] == first
    exits = [gap, cuts.following[gap]]
    merges_right = [cuts.right[into] == last for into in exits]
    chain = xp.full((2 * m - 1, n), NEG_INF)
    total = xp.full((2, n), NEG_INF)
    for begin in range(0, T, BLOCK_FRAMES):
        block = slice(begin, min(begin + BLOCK_FRAMES, T))
        after = slice(block.start + 1, block.stop + 1)  # the cuts behind these frames
        inflow = xp.where(merges_left, cuts.before_blank[block][:, gap], cuts.before[block][:, gap])
        said = xp.full((block.stop - block.start, n), 0.0)
        for emission, new, out in zip(frames[block][:, places], inflow, said, strict=True):
            for state in range(2 * m - 2, 0, -1):  # from the back, so that each state reads the frame before
                xp.logaddexp(chain[state], chain[state - 1], out=chain[state])
                if state % 2 == 0:
                    xp.logaddexp(chain[state], chain[state - 2] + jumps[state // 2 - 1], out=chain[state])
            xp.logaddexp(chain[0], new, out=chain[0])
            chain += emission
            out[:] = chain[-1]
        for number, (into, merges) in enumerate(zip(exits, merges_right, strict=True)):
            outflow = xp.where(merges, cuts.after_blank[after][:, into], cuts.after[after][:, into])
            total[number] = xp.logaddexp(total[number], xp.logsumexp(said + outflow, 0))
    return total


def skip(xp: Arrays, cuts: Cuts) -> Any:
    """Log P with each phone left out, shape (P,)."""
    here, behind = cuts.phones, cuts.following[cuts.phones]
    merges = cuts.left[here] == cuts.right[behind]
    before = xp.where(merges, cuts.before_blank[:, here], cuts.before[:, here])
    return xp.logsumexp(before + cuts.after_label[:, behind], 0)


def any_string(xp: Arrays, log_probs: Any, passes: Passes, texts: Texts, cuts: Cuts) -> Any:
    """Log P with each phone replaced by any string of labels, shape (P,); `edits._say_anything` has the reasoning."""
    B = len(texts.lengths)
    here, behind = cuts.phones, cuts.following[cuts.phones]
    left, right, owner = cuts.left[here], cuts.right[behind], cuts.owner[here]
    entered = _entered(xp, passes, texts)
    is_first = left == NO_LABEL
    free = xp.join([xp.full((1, B), 0.0), xp.cumsum(xp.logsumexp(log_probs, 2), 0)], 0)[:, owner]
    # `passed` at cut t+1 is that at cut t, times all that frame t may say, and what is entered in frame t.
    seed = xp.where(is_first, 0.0, NEG_INF)[None]
    passed = xp.logcumsumexp(xp.join([seed, entered - free[1:]], 0)) + free
    rest = _without(xp, log_probs, owner, right)
    again = xp.where(left == right, NEG_INF, entered)
    ready = xp.join([passed[:1], xp.logaddexp(passed[:-1] + rest, again)], 0)
    return xp.logsumexp(ready + cuts.after_label[:, behind], 0)


def _entered(xp: Arrays, passes: Passes, texts: Texts) -> Any:
    """Log mass of paths that enter the label before each phone exactly at each frame, shape (T, P)."""
    T, B, states = passes.alpha.shape
    owner = np.repeat(np.arange(B), texts.lengths)
    place = np.arange(len(owner)) - texts.starts[owner]
    label = texts.bounds[owner, place] - 1  # of the phone before
    absent = label < 0
    state = owner * states + 2 * np.maximum(label, 0) + 1
    before = np.maximum(label - 1, 0)
    no_jump = absent | (label < 1) | (texts.labels[owner, before] == texts.labels[owner, np.maximum(label, 0)])
    flat = passes.alpha.reshape(T, B * states)
    begin = np.where(label == 0, 0.0, NEG_INF)
    moved = xp.join([xp.put(begin)[None], flat[:-1, xp.put(state - 1)]], 0)
    jumped = xp.join(
        [xp.full((1, len(owner)), NEG_INF), xp.where(xp.put(no_jump), NEG_INF, flat[:-1, xp.put(state - 2)])], 0
    )
    entered = xp.logaddexp(moved, jumped) + passes.emissions.reshape(T, B * states)[:, xp.put(state)]
    return xp.where(xp.put(absent), NEG_INF, entered)


def _without(xp: Arrays, log_probs: Any, owner: Any, labels: Any) -> Any:
    """Log sum of each row without the column of each label, shape (T, P); `NO_LABEL` leaves out none."""
    T, B, V = log_probs.shape
    top = xp.argmax(log_probs, 2)  # (T, B)
    scale = xp.max(log_probs, 2)
    scale = xp.where(scale == NEG_INF, 0.0, scale)
    probs = xp.exp(log_probs - scale[:, :, None])
    is_none = labels == NO_LABEL
    own = probs.reshape(T, B * V)[:, owner * V + xp.where(is_none, 0, labels)]
    taken = xp.where(is_none, 0.0, own)
    # Subtracting the largest term would cancel every digit of the rest; subtracting a smaller one cancels none.
    is_top = xp.put(np.arange(V)) == top[:, :, None]
    others = xp.logsumexp(xp.where(is_top, NEG_INF, log_probs), 2)
    is_largest = top[:, owner] == labels
    rest = xp.log(xp.where(is_largest, 1.0, probs.sum(2)[:, owner] - taken)) + scale[:, owner]
    return xp.where(is_largest, others[:, owner], rest)
