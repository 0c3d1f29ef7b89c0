"""Step 8/10 - diagnosis: which phones were wrong, what was said instead, how sure we are; which words were left out.

Whether a phone was wrong is decided by the scorer, the trees beside it and the edit lattice together, as a calibrated
probability that people would call it wrong (mean expert score below 0.5 of 2). What was said instead comes from the
edit lattice alone, which takes in whatever was said at the places around. Between "right" and "wrong" lies a zone in
which the diagnosis abstains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from elocute.ctc import logistic
from elocute.errors import ConfigError
from elocute.gop import Said
from elocute.prosody.pauses import runs_of
from elocute.types import Float64, Int64

ErrorType = Literal["substitution", "deletion", "distortion"]
Sensitivity = Literal["low", "normal", "high"]
"""How readily a phone is flagged; the scorer's card has precision and recall of each."""

SAID_FLOOR = 1e-6
"""A posterior below it counts as this."""
OMITTED_BELOW = 0.5
"""A word that the best reading skips was left out if its phones score less than this on average (of 1)."""
CLEAR_FROM = 0.97
"""Where the other words are heard as surely as this (mean posterior of their canonical phones), ..."""
MISSING_FROM = 0.65
"""... a word was left out if its phones are missing with this probability on average: in clear speech the edit lattice
needs no other witness."""
WHOLE_PART = 3
"""So many words in a row are left out together, with no second opinion; two are enough at either end of the text."""
CONTRADICTED_BELOW = 0.01
"""Posterior of the canonical phone below which the diagnosis never calls it right, whatever the scorer says."""
MISREAD_BELOW = 0.55
"""Evidence below which a word did not sound like this word, whether or not one of its phones is flagged."""
INSERTED_FROM = 0.8
"""Posterior from which an added phone is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The calibrated detector of wrong phones, stored in the scorer's card.

    Attributes:
        bias: of the log-odds.
        weights: of the inputs (`detector_inputs`).
        thresholds: probabilities, falling: from which a phone is flagged at low, normal and high sensitivity, and one
            more. Between a sensitivity's threshold and the next one it abstains.
    """

    bias: float
    weights: tuple[float, ...]
    thresholds: tuple[float, float, float, float]

    def probability(self, inputs: Float64) -> Float64:
        """Probability that each phone is wrong, shape (L,), from `detector_inputs` (L, len(weights))."""
        return logistic(self.bias + inputs @ np.array(self.weights))

    def flagged_from(self, sensitivity: Sensitivity = "normal") -> float:
        """Probability from which a phone is flagged."""
        return self.thresholds[_rank(sensitivity)]

    def unsure_from(self, sensitivity: Sensitivity = "normal") -> float:
        """Probability from which nothing is said of a phone that is not flagged."""
        return self.thresholds[_rank(sensitivity) + 1]


def _rank(sensitivity: Sensitivity) -> int:
    """Position of a sensitivity among the thresholds."""
    known = get_args(Sensitivity)
    if sensitivity not in known:
        raise ConfigError(f"sensitivity is {sensitivity!r}; expected one of {', '.join(known)}")
    return known.index(sensitivity)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneDiagnosis:
    """What happened at one phone.

    Attributes:
        probability: that people would call it wrong.
        error: None if not flagged.
        is_unsure: whether it is too probable to be wrong for being called right, and not flagged.
        actual: phone heard, None for nothing; the canonical one where nothing is flagged, and for a distortion.
        nbest: (phone or None for nothing, probability), most probable first.
    """

    probability: float
    error: ErrorType | None
    is_unsure: bool
    actual: str | None
    nbest: tuple[tuple[str | None, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """A phone that was said although the text has none there.

    Attributes:
        gap: it was said before this canonical phone; the number of phones for the end.
        phone: which one.
        probability: that it was said.
        frame: where it begins.
    """

    gap: int
    phone: str
    probability: float
    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What happened at every phone, what was added between them, and which words sounded like others, shape (W,)."""

    phones: tuple[PhoneDiagnosis, ...]
    inserted: tuple[Inserted, ...]
    misread: tuple[bool, ...]


def own_posterior(said: Said, canonical: Int64) -> Float64:
    """Posterior that each canonical phone was said as such, shape (L,)."""
    return said.posterior[np.arange(len(canonical)), canonical]


def detector_inputs(phone_score: Float64, error_log_odds: Float64, heard: Float64) -> Float64:
    """Inputs of the detector: log-odds, score, log posterior of the canonical phone.

    Args:
        phone_score: shape (L,), 0 to 1.
        error_log_odds: shape (L,), the scorer's own log-odds that the phone is wrong.
        heard: shape (L,), `own_posterior`.

    Returns: shape (L, 3).
    """
    return np.column_stack([error_log_odds, phone_score, np.log(np.maximum(heard, SAID_FLOOR))])


def diagnose(
    said: Said,
    canonical: Int64,
    phone_score: Float64,
    error_log_odds: Float64,
    word_ids: Int64,
    symbols: Sequence[str],
    detector: Detector,
    *,
    sensitivity: Sensitivity = "normal",
    nbest: int = 5,
) -> Diagnosis:
    """Decide what happened at every phone.

    Args:
        said: posterior of what was said.
        canonical: shape (L,), phone ids.
        phone_score: shape (L,), 0 to 1, from the scorer.
        error_log_odds: shape (L,), log-odds that a phone is wrong, from the scorer.
        word_ids: shape (L,), word of each phone.
        symbols: phones of the phone set, in order.
        detector: calibrated probability and operating points.
        sensitivity: which operating point.
        nbest: how many candidates to keep.
    """
    heard = own_posterior(said, canonical)
    wrong = detector.probability(detector_inputs(phone_score, error_log_odds, heard))
    is_wrong = wrong >= detector.flagged_from(sensitivity)
    is_unsure = ~is_wrong & ((wrong >= detector.unsure_from(sensitivity)) | (heard < CONTRADICTED_BELOW))
    instead = if_wrong(said, canonical)
    best = said_instead(said, canonical, is_wrong)
    named: list[str | None] = [*symbols, None]
    phones = []
    for i, own in enumerate(canonical.tolist()):
        candidates = instead[i] * wrong[i]
        candidates[own] = 1.0 - wrong[i]
        error: ErrorType | None = None
        if is_wrong[i]:
            error = "distortion" if best[i] == own else "deletion" if named[best[i]] is None else "substitution"
        phones.append(
            PhoneDiagnosis(
                probability=float(wrong[i]),
                error=error,
                is_unsure=bool(is_unsure[i]),
                actual=named[best[i]],
                nbest=tuple(
                    (named[k], float(candidates[k])) for k in np.argsort(-candidates, kind="stable")[:nbest].tolist()
                ),
            )
        )
    return Diagnosis(
        phones=tuple(phones),
        inserted=inserted_phones(said, symbols),
        misread=tuple(misread_words(heard, phone_score, word_ids).tolist()),
    )


def if_wrong(said: Said, canonical: Int64) -> Float64:
    """What was said at each place if not the canonical phone, shape (L, K+1); rows sum to 1, the canonical one is 0."""
    others = said.posterior.copy()
    others[np.arange(len(canonical)), canonical] = 0.0
    return np.asarray(others / np.maximum(others.sum(axis=1, keepdims=True), 1e-300))


def said_instead(said: Said, canonical: Int64, is_wrong: NDArray[np.bool_]) -> Int64:
    """What was said at each place, shape (L,): the canonical phone unless it is wrong and another was likelier.

    That the phone is wrong is no longer in question, so the prior's trust in the canonical phone is taken out: where
    the recording itself speaks for it, it was said, but with a heavy accent.

    Args:
        said: posterior of what was said.
        canonical: shape (L,), phone ids.
        is_wrong: shape (L,), which phones count as wrong.
    """
    rows = np.arange(len(canonical))
    others = said.posterior.copy()
    others[rows, canonical] = 0.0
    best = others.argmax(axis=1)
    odds = said.posterior[rows, canonical] * said.doubt[canonical] / (1.0 - said.doubt[canonical])
    return np.where(is_wrong & (odds < others[rows, best]), best, canonical)


def misread_words(heard: Float64, phone_score: Float64, word_ids: Int64) -> NDArray[np.bool_]:
    """Which words were said so that another word may have been meant, shape (W,).

    Each phone of a strange word may find some evidence, too much for any to be flagged; together they do not. A word
    of one phone has no company to speak for it.

    Args:
        heard: shape (L,), `own_posterior`.
        phone_score: shape (L,), 0 to 1.
        word_ids: shape (L,), word of each phone.
    """
    word_ids = word_ids.astype(np.intp)  # what bincount takes on every platform
    counts = np.bincount(word_ids)
    evidence = np.bincount(word_ids, (heard + phone_score) / 2) / counts
    found: NDArray[np.bool_] = (evidence < MISREAD_BELOW) & (counts > 1)
    return found


def inserted_phones(said: Said, symbols: Sequence[str]) -> tuple[Inserted, ...]:
    """The phones that were added, in order."""
    found = []
    for gap in np.flatnonzero(said.inserted.max(axis=1) >= INSERTED_FROM).tolist():
        phone = int(said.inserted[gap].argmax())
        found.append(
            Inserted(
                gap=gap,
                phone=symbols[phone],
                probability=min(float(said.inserted[gap, phone]), 1.0),
                frame=round(float(said.inserted_frame[gap, phone])),
            )
        )
    return tuple(found)


def left_out(
    skipped: Sequence[int],
    said: Said,
    canonical: Int64,
    word_ids: Int64,
    phone_score: Float64,
    *,
    begun: Sequence[int] = (),
) -> NDArray[np.bool_]:
    """Which words were left out, shape (W,).

    A whole part of the text that the best reading skips was left out. A single word needs a second witness beside the
    reading, which would rather do without a short word said in haste: the scorer, which dislikes whatever was said
    badly. In clear speech the edit lattice alone decides.

    Args:
        skipped: words that the best reading skips.
        said: posterior of what was said.
        canonical: shape (L,), phone ids.
        word_ids: shape (L,), word of each phone.
        phone_score: shape (L,), 0 to 1.
        begun: words that the best reading breaks off; what is missing of them does not make them left out.
    """
    word_ids = word_ids.astype(np.intp)  # what bincount takes on every platform
    counts = np.bincount(word_ids)
    is_skipped = np.zeros(len(counts), dtype=bool)
    is_skipped[list(skipped)] = True
    is_disliked = np.bincount(word_ids, phone_score) / counts < OMITTED_BELOW
    heard = np.bincount(word_ids, own_posterior(said, canonical))
    missing = np.bincount(word_ids, said.posterior[:, -1]) / counts
    # The other words, without those that are skipped and the word itself.
    others = (heard * ~is_skipped).sum() - heard * ~is_skipped
    phones = (counts * ~is_skipped).sum() - counts * ~is_skipped
    is_clear = others >= CLEAR_FROM * np.maximum(phones, 1)
    is_missing = (missing >= MISSING_FROM) & (counts > 1)
    is_missing[list(begun)] = False
    decided: NDArray[np.bool_] = is_skipped & (is_disliked | _whole_parts(is_skipped)) | (is_clear & is_missing)
    return decided


def _whole_parts(is_skipped: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which skipped words stand in a run of `WHOLE_PART`, or of two at an end of the text, shape (W,)."""
    found = np.zeros_like(is_skipped)
    for begin, end in runs_of(is_skipped):
        at_an_end = begin == 0 or end == len(is_skipped)
        found[begin:end] = end - begin >= (2 if at_an_end else WHOLE_PART)
    return found
