"""Step 5/10 - scores of aligned segments: one best alignment, then averages over the frames of each phone.

Frames that the alignment gives to the blank belong to no phone and are left out: a CTC model says next to nothing
about phones there, and with them every average would collapse.

For phones of several labels, the posterior of the phone at a frame is the sum over its labels, its logit the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from elocute.ctc import NEG_INF, logsumexp, viterbi
from elocute.errors import ConfigError
from elocute.gop.edits import as_frames, no_path, spell
from elocute.types import Float64, Int64, PhoneSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhoneAlignment:
    """The most probable alignment of the canonical phones with the frames.

    Attributes:
        canonical: shape (L,), phone ids.
        positions: shape (T,), index of the phone whose label the frame says, -1 for blank frames.
        spans: shape (L, 2), frames [start, end) from the first label of each phone to its last.
        log_prob: log probability of the alignment, nats.
    """

    canonical: Int64
    positions: Int64
    spans: Int64
    log_prob: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogitGop:
    """Scores from pre-softmax logits over the frames of each phone, all of shape (L,).

    Attributes:
        max_logit: largest logit of the phone.
        margin: mean of the phone's logit minus the largest logit of any other phone.
        variance: population variance of the phone's logit; 0 for a phone of one frame.
        combined: weighted sum of margin and log mean posterior.
    """

    max_logit: Float64
    margin: Float64
    variance: Float64
    combined: Float64


def align_phones(log_probs: ArrayLike, canonical: Sequence[int] | Int64, phone_set: PhoneSet) -> PhoneAlignment:
    """Align canonical phones with frames by the best CTC path.

    Args:
        log_probs: natural-log posteriors, shape (T, V).
        canonical: phone ids, shape (L,).
        phone_set: how each phone is spelled in label ids.

    Raises:
        AlignmentError: no CTC path spells the canonical phones in T frames.
        PhoneError: a canonical id is no phone of the set, or the set does not fit `log_probs`.
    """
    spelling = spell(canonical, phone_set)
    best = viterbi(as_frames(log_probs, phone_set), spelling.labels, phone_set.blank_id)
    if best.log_prob == NEG_INF:
        raise no_path(len(best.positions), spelling)
    bounds = spelling.bounds
    phone_of_label = np.append(np.repeat(np.arange(len(bounds) - 1), np.diff(bounds)), -1)  # position -1 stays -1
    return PhoneAlignment(
        canonical=spelling.phones,
        positions=phone_of_label[best.positions],
        spans=np.column_stack([best.spans[bounds[:-1], 0], best.spans[bounds[1:] - 1, 1]]),
        log_prob=best.log_prob,
    )


def segment_lpp(log_probs: ArrayLike, alignment: PhoneAlignment, phone_set: PhoneSet) -> Float64:
    """Mean log posterior of every phone over the frames of each canonical phone, shape (L, K), nats.

    Source: Hu, Qian, Soong, Wang, "Improved mispronunciation detection with deep neural network trained acoustic models
        and transfer learning based logistic regression classifiers", Speech Communication 67, 2015 (LPP).
    """
    owned = _owned(log_probs, alignment, phone_set)
    return owned.mean(_phone_log_probs(owned.rows, phone_set))


def segment_lpr(log_probs: ArrayLike, alignment: PhoneAlignment, phone_set: PhoneSet) -> Float64:
    """Log posterior ratios LPR(q | canonical) = LPP(q) - LPP(canonical), shape (L, K), nats; source as `segment_lpp`.

    The classical GOP, normalised by the best competitor, is minus the largest ratio of a row.
    """
    lpp = segment_lpp(log_probs, alignment, phone_set)
    return lpp - lpp[np.arange(len(lpp)), alignment.canonical][:, None]


def gop_sa(
    log_probs: ArrayLike,
    alignment: PhoneAlignment,
    phone_set: PhoneSet,
    average: Literal["log_probs", "probs"] = "log_probs",
) -> Float64:
    """Self-aligned goodness of pronunciation: the canonical phone's average posterior over its own frames.

    Args:
        log_probs: natural-log posteriors, shape (T, V).
        alignment: from `align_phones` on the same posteriors.
        phone_set: how each phone is spelled in label ids.
        average: of logarithms (GOP as Witt and Young define it), or the logarithm of the average probability, which
            the code of the GOP-SA paper computes and which is minus the GOP-DNN of logit-based GOP.

    Returns:
        Shape (L,), nats, never above 0.

    Source: GOP-CTC-SA, Cao et al., Interspeech 2024.
    """
    if average not in ("log_probs", "probs"):
        raise ConfigError(f"average is {average!r}; expected 'log_probs' or 'probs'")
    owned = _owned(log_probs, alignment, phone_set)
    own = _phone_log_probs(owned.rows, phone_set)[np.arange(len(owned.rows)), owned.phones]
    if average == "log_probs":
        return owned.mean(own)
    top = owned.max(own)
    return top + np.log(owned.mean(np.exp(own - owned.spread(top))))


def logit_gop(
    logits: ArrayLike, alignment: PhoneAlignment, phone_set: PhoneSet, margin_weight: float = 0.5
) -> LogitGop:
    """Logit-based goodness of pronunciation: what the softmax hides.

    Args:
        logits: pre-softmax outputs, shape (T, V), finite.
        alignment: from `align_phones` on the posteriors of these logits.
        phone_set: how each phone is spelled in label ids.
        margin_weight: a of combined = a * margin + (1 - a) * log mean posterior, 0 to 1.

    Source: Parikh et al., "Evaluating Logit-Based GOP Scores for Mispronunciation Detection", arXiv 2506.12067.
    Deviates: competitors are phones only; the blank and special labels, which dominate peaky models, are left out of
        the margin's maximum (not out of the softmax). The paper aligns with CTC segmentation, we by the best path.
    """
    values = as_frames(logits, phone_set)
    if not np.isfinite(values).all():
        raise ValueError("logits hold NaN or infinity; expected finite numbers")
    log_probs = values - logsumexp(values, axis=1)[:, None]
    posterior = gop_sa(log_probs, alignment, phone_set, average="probs")

    owned = _owned(values, alignment, phone_set)
    spells = np.array([np.isin(np.arange(phone_set.size), tokens) for tokens in phone_set.tokens])  # (K, V)
    own_labels = spells[owned.phones]  # (n, V)
    rival_labels = spells.any(axis=0) & ~own_labels
    own = np.where(own_labels, owned.rows, NEG_INF).max(axis=1)
    margin = owned.mean(own - np.where(rival_labels, owned.rows, NEG_INF).max(axis=1))
    return LogitGop(
        max_logit=owned.max(own),
        margin=margin,
        variance=owned.mean((own - owned.spread(owned.mean(own))) ** 2),
        combined=margin_weight * margin + (1.0 - margin_weight) * posterior,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Owned:
    """The n frames that belong to phones, in order.

    Attributes:
        rows: shape (n, V), what the model says there.
        phones: shape (n,), id of the canonical phone.
        starts: shape (L,), index of the first frame of each phone; none is without frames.
    """

    rows: Float64
    phones: Int64
    starts: Int64

    def mean(self, values: Float64) -> Float64:
        """Mean over the frames of each phone, (n, ...) to (L, ...)."""
        return (np.add.reduceat(values, self.starts, axis=0).T / self._counts()).T

    def max(self, values: Float64) -> Float64:
        """Largest value of each phone, (n,) to (L,)."""
        return np.maximum.reduceat(values, self.starts)

    def spread(self, values: Float64) -> Float64:
        """The value of its phone for each frame, (L,) to (n,)."""
        return np.repeat(values, self._counts().astype(np.intp))

    def _counts(self) -> Int64:
        return np.diff(self.starts, append=len(self.phones))


def _owned(values: ArrayLike, alignment: PhoneAlignment, phone_set: PhoneSet) -> _Owned:
    """Select the frames that the alignment gives to phones."""
    frames, positions = as_frames(values, phone_set), alignment.positions
    if len(frames) != len(positions):
        raise ValueError(f"{len(frames)} frames were given with an alignment of {len(positions)}; expected its own")
    owned = positions[positions >= 0]
    return _Owned(
        rows=frames[positions >= 0],
        phones=alignment.canonical[owned],
        starts=np.searchsorted(owned, np.arange(len(alignment.canonical))),
    )


def _phone_log_probs(log_probs: Float64, phone_set: PhoneSet) -> Float64:
    """Log posterior of each phone at each frame, shape (T, K)."""
    return np.column_stack([logsumexp(log_probs[:, sorted(set(tokens))], axis=1) for tokens in phone_set.tokens])
