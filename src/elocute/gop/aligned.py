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
    ids, labels, bounds = spell(canonical, phone_set)
    best = viterbi(as_frames(log_probs, phone_set), labels, phone_set.blank_id)
    if best.log_prob == NEG_INF:
        raise no_path(len(best.positions), len(ids), labels)
    phone_of_label = np.append(np.repeat(np.arange(len(ids)), np.diff(bounds)), -1)  # position -1 stays -1
    spans = np.column_stack([best.spans[bounds[:-1], 0], best.spans[bounds[1:] - 1, 1]])
    return PhoneAlignment(canonical=ids, positions=phone_of_label[best.positions], spans=spans, log_prob=best.log_prob)


def segment_lpp(log_probs: ArrayLike, alignment: PhoneAlignment, phone_set: PhoneSet) -> Float64:
    """Mean log posterior of every phone over the frames of each canonical phone, shape (L, K), nats.

    Source: Hu, Qian, Soong, Wang, "Improved mispronunciation detection with deep neural network trained acoustic models
        and transfer learning based logistic regression classifiers", Speech Communication 67, 2015 (LPP).
    """
    frames, starts = _owned(alignment)
    return _mean(_phone_log_probs(as_frames(log_probs, phone_set)[frames], phone_set), starts)


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
    frames, starts = _owned(alignment)
    phone = alignment.canonical[alignment.positions[frames]]
    own = _phone_log_probs(as_frames(log_probs, phone_set)[frames], phone_set)[np.arange(len(frames)), phone]
    if average == "log_probs":
        return _mean(own, starts)
    top = np.maximum.reduceat(own, starts)
    return top + np.log(_mean(np.exp(own - np.repeat(top, _counts(starts, len(own)))), starts))


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

    frames, starts = _owned(alignment)
    spells = np.array([np.isin(np.arange(phone_set.size), tokens) for tokens in phone_set.tokens])  # (K, V)
    own_labels = spells[alignment.canonical[alignment.positions[frames]]]  # (frames, V)
    rival_labels = spells.any(axis=0) & ~own_labels
    own = np.where(own_labels, values[frames], NEG_INF).max(axis=1)
    margin = _mean(own - np.where(rival_labels, values[frames], NEG_INF).max(axis=1), starts)
    deviation = own - np.repeat(_mean(own, starts), _counts(starts, len(own)))
    return LogitGop(
        max_logit=np.maximum.reduceat(own, starts),
        margin=margin,
        variance=_mean(deviation**2, starts),
        combined=margin_weight * margin + (1.0 - margin_weight) * posterior,
    )


def _phone_log_probs(log_probs: Float64, phone_set: PhoneSet) -> Float64:
    """Log posterior of each phone at each frame, shape (T, K)."""
    columns = [logsumexp(log_probs[:, sorted(set(tokens))], axis=1) for tokens in phone_set.tokens]
    return np.column_stack(columns)


def _owned(alignment: PhoneAlignment) -> tuple[Int64, Int64]:
    """The frames that belong to phones, shape (n,), and where in them each phone starts, shape (L,)."""
    frames = np.flatnonzero(alignment.positions >= 0)
    return frames, np.searchsorted(alignment.positions[frames], np.arange(len(alignment.canonical)))


def _counts(starts: Int64, total: int) -> Int64:
    """Frames per phone, never 0, shape (L,)."""
    return np.diff(starts, append=total)


def _mean(rows: Float64, starts: Int64) -> Float64:
    """Mean of the rows of each phone."""
    counts = _counts(starts, len(rows)).reshape(-1, *[1] * (rows.ndim - 1))
    return np.add.reduceat(rows, starts, axis=0) / counts
