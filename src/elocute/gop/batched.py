"""Step 5/10 - what else could have been said in many recordings at once: `edits` over a batch, on the CPU or a GPU.

The same sums as `edits.alternatives`, with the recordings side by side in every step of the recursions over time:

    frames      a shorter recording is followed by frames that are blank for certain. They change no probability of any
                string of labels, so that nothing further needs to know where it ends.
    labels      the states of a shorter text come first in both passes, forward and backward; what lies behind them is
                never reached from beyond and never read.
    gaps        all gaps of all texts stand in one row, without padding.

`edits` has the reasoning; names are as there. One code serves numpy and torch (`arrays`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elocute.ctc import NEG_INF, Lattice
from elocute.errors import AlignmentError
from elocute.gop.arrays import Arrays, NumpyArrays
from elocute.gop.edits import Alternatives, Spelling, as_frames, no_path
from elocute.gop.edits_batched import Cuts, Passes, Texts, any_string, cut, forward, pack, say, skip
from elocute.types import Int64, PhoneSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchAlternatives:
    """What `Alternatives` has, of B recordings with P phones in all; arrays of numpy, or tensors on a device.

    Attributes:
        texts: the canonical phones, and where those of each recording begin.
        frames: of each recording, shape (B,), numpy.
        log_prob: shape (B,), log P(canonical | x); -inf where no path spells the phones.
        substitution: shape (P, K).
        deletion: shape (P,).
        insertion: shape (P+B, K), the gaps of the first recording, then those of the second, and so on.
        any_string: shape (P,).
        durations: shape (P,), frames.
        log_probs: shape (T, B, V), frames beyond the end of a recording are blank.
        alpha: shape (T, B, 2S+1).
        beta: shape (T, B, 2S+1).
        phone_set: of the posteriors.
        arrays: operations on them.
    """

    texts: Texts
    frames: Int64
    log_prob: Any
    substitution: Any
    deletion: Any
    insertion: Any
    any_string: Any
    durations: Any
    log_probs: Any
    alpha: Any
    beta: Any
    phone_set: PhoneSet
    arrays: Arrays

    def gop_sf(self) -> Any:
        """Segmentation-free GOP with substitutions and deletions of every phone, shape (P,), nats; see `free.gop_sf`.

        -inf where the text is impossible, for which `split` has the reason.
        """
        xp = self.arrays
        every = xp.logaddexp(xp.logsumexp(self.substitution, 1), self.deletion)
        own = self.log_prob[xp.put(np.repeat(np.arange(len(self.frames)), self.texts.lengths))]
        ratio = own - xp.where(every == NEG_INF, 0.0, every)
        return xp.where(ratio > 0.0, 0.0, ratio)  # rounding can leave 1e-15 above

    def split(self) -> list[Alternatives | AlignmentError]:
        """Those of each recording by itself, or why it has none."""
        found = {
            name: self.arrays.numpy(getattr(self, name))
            for name in ("log_prob", "substitution", "deletion", "insertion", "any_string", "durations")
        }
        lattices = {name: self.arrays.numpy(getattr(self, name)) for name in ("log_probs", "alpha", "beta")}
        return [self._one(number, found, lattices) for number in range(len(self.frames))]

    def _one(self, number: int, found: dict[str, Any], lattices: dict[str, Any]) -> Alternatives | AlignmentError:
        texts = self.texts
        T, L, S = int(self.frames[number]), int(texts.lengths[number]), int(texts.sizes[number])
        canonical, labels = texts.phones[number, :L], texts.labels[number, :S]
        bounds = texts.bounds[number, : L + 1]
        log_prob = float(found["log_prob"][number])
        if log_prob == NEG_INF:
            return no_path(T, Spelling(phones=canonical, labels=labels, bounds=bounds))
        first = int(texts.starts[number])
        phones, gaps = slice(first, first + L), slice(first + number, first + number + L + 1)
        full = Lattice(
            log_probs=lattices["log_probs"][:T, number],
            labels=labels,
            blank_id=self.phone_set.blank_id,
            alpha=lattices["alpha"][:T, number, : 2 * S + 1],
            beta=lattices["beta"][:T, number, : 2 * S + 1],
            log_prob=log_prob,
        )
        return Alternatives(
            canonical=canonical,
            lattice=full,
            log_prob=log_prob,
            substitution=found["substitution"][phones],
            deletion=found["deletion"][phones],
            insertion=found["insertion"][gaps],
            any_string=found["any_string"][phones],
            durations=found["durations"][phones],
            bounds=bounds,
        )


def alternatives_batch(
    log_probs: Sequence[ArrayLike],
    canonical: Sequence[Sequence[int] | Int64],
    phone_set: PhoneSet,
    *,
    arrays: Arrays | None = None,
) -> BatchAlternatives:
    """`edits.alternatives` of many recordings in one go.

    Args:
        log_probs: natural-log posteriors of each recording, shape (T, V); lengths may differ.
        canonical: phone ids of each recording's text.
        phone_set: how each phone is spelled in label ids.
        arrays: what computes, and where; None is numpy.

    Raises:
        PhoneError: a canonical id is no phone of the set, or the set does not fit the posteriors.
        ValueError: not as many texts as recordings.
    """
    frames = [as_frames(one, phone_set) for one in log_probs]
    if len(frames) != len(canonical):
        raise ValueError(f"{len(frames)} recordings came with {len(canonical)} texts; expected one for each")
    counts = np.array([len(one) for one in frames], dtype=np.int64)
    padded = np.zeros((max(counts, default=0), len(frames), phone_set.size))
    for number, one in enumerate(frames):
        padded[: len(one), number] = one
    xp = arrays or NumpyArrays()
    return alternatives_padded(xp, xp.put(padded), counts, pack(canonical, phone_set), phone_set)


def alternatives_padded(
    xp: Arrays, log_probs: Any, frames: Int64, texts: Texts, phone_set: PhoneSet
) -> BatchAlternatives:
    """The same from posteriors that are side by side already, where a GPU left them.

    Args:
        xp: operations on the arrays.
        log_probs: shape (T, B, V), float64; what is beyond a recording's frames is not looked at.
        frames: of each recording, shape (B,), numpy.
        texts: from `pack`.
        phone_set: how each phone is spelled in label ids.
    """
    padded = _ended(xp, log_probs, frames, phone_set.blank_id)
    passes = _both_passes(xp, padded, texts, phone_set.blank_id)
    log_prob = _final(xp, passes.alpha, texts)
    cuts = cut(xp, passes, texts)
    insertion, substitution = say(xp, padded, texts, cuts, phone_set)
    return BatchAlternatives(
        texts=texts,
        frames=frames,
        log_prob=log_prob,
        substitution=substitution,
        deletion=skip(xp, cuts),
        insertion=insertion,
        any_string=any_string(xp, padded, passes, texts, cuts),
        durations=_durations(xp, passes, log_prob, cuts),
        log_probs=padded,
        alpha=passes.alpha,
        beta=passes.beta,
        phone_set=phone_set,
        arrays=xp,
    )


def _ended(xp: Arrays, log_probs: Any, frames: Int64, blank_id: int) -> Any:
    """Posteriors with certain blanks behind the end of each recording."""
    T, _, V = log_probs.shape
    if not T:
        raise AlignmentError("no recording has frames; record the text")
    silence = np.where(np.arange(V) == blank_id, 0.0, NEG_INF)
    is_over = np.arange(T)[:, None, None] >= frames[:, None]
    return xp.where(xp.put(is_over), xp.put(silence), log_probs)


def _both_passes(xp: Arrays, log_probs: Any, texts: Texts, blank_id: int) -> Passes:
    """The backward pass is a forward pass of what is reversed; both share one loop."""
    B, S = texts.labels.shape
    states = np.arange(2 * S + 1)
    last = 2 * texts.sizes[:, None]
    columns = np.full((B, 2 * S + 1), blank_id, dtype=np.int64)
    columns[:, 1::2] = texts.labels
    mirrored = np.maximum(last - states, 0)
    back = np.where(states <= last, np.take_along_axis(columns, mirrored, 1), blank_id)
    both = np.concatenate([columns, back])
    jumps = np.where(both[:, 3::2] == both[:, 1:-2:2], NEG_INF, 0.0)
    emissions = xp.take(xp.join([log_probs, xp.flip(log_probs, 0)], 1), xp.put(both))
    sums = forward(xp, emissions, xp.put(jumps))
    behind = xp.take(xp.flip(sums[:, B:], 0), xp.put(mirrored))
    beta = xp.where(xp.put(states <= last), behind, NEG_INF)
    return Passes(alpha=sums[:, :B], beta=beta, emissions=emissions[:, :B])


def _final(xp: Arrays, alpha: Any, texts: Texts) -> Any:
    """Log mass of the walks that end in the last blank or the last label, shape (B,)."""
    last = 2 * texts.sizes[:, None]
    ends = xp.take(alpha[-1], xp.put(np.concatenate([last, np.maximum(last - 1, 0)], axis=1)))
    no_label = np.concatenate([last < 0, last == 0], axis=1)
    return xp.logsumexp(xp.where(xp.put(no_label), NEG_INF, ends), 1)


def _durations(xp: Arrays, passes: Passes, log_prob: Any, cuts: Cuts) -> Any:
    """Expected frames of every phone, shape (P,)."""
    own = passes.emissions[:, :, 1::2]
    both = passes.alpha[:, :, 1::2] + passes.beta[:, :, 1::2]
    whole = xp.where(log_prob == NEG_INF, 0.0, log_prob)[None, :, None]
    joint = xp.where(own == NEG_INF, NEG_INF, both - xp.where(own == NEG_INF, 0.0, own))  # the emission counts once
    labels = xp.exp(joint - whole).sum(0)  # (B, S)
    so_far = xp.join([0.0 * labels[:, :1], xp.cumsum(labels, 1)], 1) if labels.shape[1] else labels
    flat = so_far.reshape(-1)
    return flat[cuts.label_ends] - flat[cuts.label_begins]
