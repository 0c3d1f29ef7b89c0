"""Step 8/10 - diagnosis: which phones were wrong, what was said instead, how sure we are; which words were left out.

The scorer and the lattice are joined by a logistic regression fitted on out-of-fold predictions: its output is the
probability that people would call the phone wrong (mean expert score below 0.5 of 2). What was said instead comes
from the lattice alone. A phone is flagged from the threshold with the highest F1; below it the report stays silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from elocute.ctc import Lattice, logsumexp
from elocute.ctc import lattice as build_lattice
from elocute.gop import Alternatives, perceived_posterior
from elocute.scorer.features import LOG_FLOOR
from elocute.types import Float64, Int64

ErrorType = Literal["substitution", "deletion", "distortion"]
OMITTED_BELOW = 0.6
"""A word whose phones score this much on average (of 1) was said, however little the lattice would miss it, ..."""
CLEAR_FROM = 0.75
"""... unless the rest is heard this surely (mean posterior of its canonical phones): then the lattice alone decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The calibrated detector of wrong phones, stored in the scorer's card.

    Attributes:
        bias: of the logistic regression.
        weights: of its inputs (`detector_inputs`).
        threshold: a phone whose probability reaches it is flagged.
        omission_nats_per_phone: a word whose phones score below `OMITTED_BELOW` counts as left out when the recording
            is explained better without it by this much for each of its phones.
    """

    bias: float
    weights: tuple[float, ...]
    threshold: float
    omission_nats_per_phone: float

    def probability(self, inputs: Float64) -> Float64:
        """Probability that each phone is wrong, shape (L,), from `detector_inputs` (L, len(weights))."""
        return logistic(self.bias + inputs @ np.array(self.weights))


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneDiagnosis:
    """What happened at one phone.

    Attributes:
        probability: that people would call it wrong.
        error: None if not flagged.
        actual: phone heard, None for nothing; the canonical one where nothing is flagged, and for a distortion.
        nbest: (phone or None for nothing, probability), most probable first.
    """

    probability: float
    error: ErrorType | None
    actual: str | None
    nbest: tuple[tuple[str | None, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnosis:
    """What happened at every phone, and which words were left out, shape (W,)."""

    phones: tuple[PhoneDiagnosis, ...]
    omitted: NDArray[np.bool_]


def logistic(odds: Float64) -> Float64:
    """1 / (1 + exp(-odds)) without its overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -odds)))


def detector_inputs(phone_score: Float64, error_log_odds: Float64, log_heard: Float64) -> Float64:
    """Inputs of the detector: score, its square, log posterior of the canonical phone, their product, log-odds.

    Args:
        phone_score: shape (L,), 0 to 1.
        error_log_odds: shape (L,), the scorer's own log-odds that the phone is wrong.
        log_heard: shape (L,), log posterior that the canonical phone was said, nats.

    Returns: shape (L, 5).
    """
    log_heard = np.maximum(log_heard, LOG_FLOOR)
    return np.column_stack([phone_score, phone_score**2, log_heard, phone_score * log_heard, error_log_odds])


def diagnose(
    found: Alternatives,
    phone_score: Float64,
    error_log_odds: Float64,
    word_ids: Int64,
    symbols: Sequence[str],
    detector: Detector,
    nbest: int = 5,
) -> Diagnosis:
    """Decide what happened at every phone and to every word.

    Args:
        found: alternatives of the utterance.
        phone_score: shape (L,), 0 to 1, from the scorer.
        error_log_odds: shape (L,), log-odds that a phone is wrong, from the scorer.
        word_ids: shape (L,), word of each phone.
        symbols: phones of the phone set, in order.
        detector: calibrated probability and operating point.
        nbest: how many candidates to keep.
    """
    posterior = perceived_posterior(found)
    canonical_posterior = posterior[np.arange(len(posterior)), found.canonical]
    log_heard = np.log(np.maximum(canonical_posterior, np.exp(LOG_FLOOR)))
    wrong = detector.probability(detector_inputs(phone_score, error_log_odds, log_heard))
    named: list[str | None] = [*symbols, None]
    flagged = wrong >= detector.threshold
    said = said_instead(posterior, found.canonical, flagged)
    phones = []
    for row, canonical, best, probability, is_wrong in zip(
        posterior, found.canonical, said, wrong, flagged, strict=True
    ):
        others = row.copy()
        others[canonical] = 0.0
        instead = others / max(float(others.sum()), 1e-300) * probability
        instead[canonical] = 1.0 - probability
        order = np.argsort(-instead, kind="stable")[:nbest]
        error: ErrorType | None = None
        if is_wrong:
            error = "distortion" if best == canonical else "deletion" if named[best] is None else "substitution"
        phones.append(
            PhoneDiagnosis(
                probability=float(probability),
                error=error,
                actual=named[best],
                nbest=tuple((named[k], float(instead[k])) for k in order),
            )
        )
    omitted = left_out(
        found.lattice, posterior, found.canonical, word_ids, phone_score, detector.omission_nats_per_phone
    )
    return Diagnosis(phones=tuple(phones), omitted=omitted)


def said_instead(posterior: Float64, canonical: Int64, flagged: NDArray[np.bool_]) -> Int64:
    """What was said at each place, shape (L,): the canonical phone unless it is flagged and another was likelier.

    Where the lattice hears the canonical phone and the scorer dislikes it, it was said, but with a heavy accent.

    Args:
        posterior: shape (L, K + 1), of every phone and of nothing (`gop.perceived_posterior`).
        canonical: shape (L,), phone ids.
        flagged: shape (L,), which phones count as wrong.
    """
    rows = np.arange(len(canonical))
    others = posterior.copy()
    others[rows, canonical] = 0.0
    best = others.argmax(axis=1)
    is_distorted = posterior[rows, canonical] >= others[rows, best]
    return np.where(flagged & ~is_distorted, best, canonical)


def left_out(
    lattice: Lattice,
    posterior: Float64,
    canonical: Int64,
    word_ids: Int64,
    phone_score: Float64,
    nats_per_phone: float,
) -> NDArray[np.bool_]:
    """Which words were left out, shape (W,): those that the lattice would not miss and the scorer does not like.

    Either alone goes wrong: the lattice would rather do without a short word said in haste, and the scorer dislikes
    whatever was said badly. In clear speech the lattice needs no second opinion on a word of which it hears no phone.

    Args:
        lattice: of the whole text.
        posterior: shape (L, K + 1), of every phone and, last, of nothing, at each place (`gop.perceived_posterior`).
        canonical: shape (L,), phone ids.
        word_ids: shape (L,), word of each phone.
        phone_score: shape (L,), 0 to 1.
        nats_per_phone: see `Detector`.
    """
    counts = np.bincount(word_ids)
    is_disliked = np.bincount(word_ids, phone_score) / counts < OMITTED_BELOW
    said = posterior[np.arange(len(word_ids)), canonical]
    rest = len(word_ids) - counts
    clarity = (said.sum() - np.bincount(word_ids, said)) / np.maximum(rest, 1)
    is_unheard = np.bincount(word_ids, posterior[:, -1] > 0.5) == counts
    surely = is_unheard & (counts > 1) & (rest > 0) & (clarity >= CLEAR_FROM)
    decided: NDArray[np.bool_] = is_disliked | surely
    return omitted_words(lattice, word_ids, nats_per_phone) & decided


def omitted_words(lattice: Lattice, word_ids: Int64, nats_per_phone: float) -> NDArray[np.bool_]:
    """Which words were left out, shape (W,): the most certain first, then again on the text without it.

    A word that was left out makes its neighbours look superfluous too, for they have to lend it their frames; once
    it is gone from the text they do not.
    """
    omitted = np.zeros(int(word_ids[-1]) + 1, dtype=bool)
    labels, owner = lattice.labels, word_ids
    while True:
        kept, ranks, counts = np.unique(owner, return_inverse=True, return_counts=True)
        gains = omission_gain(lattice, ranks) / counts
        best = int(gains.argmax())
        if not gains[best] > nats_per_phone:
            return omitted
        omitted[kept[best]] = True
        stays = owner != kept[best]
        labels, owner = labels[stays], owner[stays]
        lattice = build_lattice(lattice.log_probs, labels, lattice.blank_id)


def omission_gain(lattice: Lattice, word_ids: Int64) -> Float64:
    """How much better, in nats, the recording is explained without each word of the text, shape (W,).

    A text of a single word cannot be left out: a recording of nothing is refused before.
    """
    words = int(word_ids[-1]) + 1
    if words == 1:
        return np.array([-np.inf])
    L = len(word_ids)
    begins = np.flatnonzero(np.diff(word_ids, prepend=-1))
    without = []
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), L], strict=True):
        # Cut before each frame: up to it the labels before the word, from it on those behind. What alpha and beta
        # hold of either side is enough, so that a long text costs no forward pass a word.
        blank = np.append(0.0 if begin == 0 else -np.inf, lattice.alpha[:, 2 * begin])
        label = np.append(-np.inf, lattice.alpha[:, 2 * begin - 1]) if begin else np.full_like(blank, -np.inf)
        if end == L:
            without.append(np.logaddexp(blank[-1], label[-1]))
            continue
        merges = begin > 0 and lattice.labels[begin - 1] == lattice.labels[end]  # then a blank must part the two
        before = blank if merges else np.logaddexp(blank, label)
        without.append(logsumexp(before[:-1] + lattice.beta[:, 2 * end + 1]))
    return np.array(without) - lattice.log_prob
