"""Step 5/10 - segmentation-free scores: they sum over every alignment instead of trusting one.

Sources: GOP-SF is Cao, Fan, Svendsen, Salvi, "A Framework for Phoneme-Level Pronunciation Assessment Using CTC",
Interspeech 2024, and its journal version "Segmentation-free Goodness of Pronunciation", with code in
frank613/CTC-based-GOP.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from elocute.ctc import logsumexp
from elocute.errors import ConfigError
from elocute.gop.edits import Alternatives
from elocute.types import Float64

Edits = Literal["S", "SD", "SDI"]
"""What competes with the canonical phone: a substitution (S), also its deletion (D), also insertions (I)."""


def gop_sf(found: Alternatives, edits: Edits = "SD") -> Float64:
    """Segmentation-free goodness of pronunciation of each canonical phone.

    gop[i] = log P(canonical | x) - log P(E_i | x), where E_i holds the canonical phones with phone i substituted (S),
    or also left out (SD), or replaced by any string of labels (SDI). Never above 0: it is the log posterior that phone
    i was said, given that the others were.

    Args:
        found: from `alternatives`.
        edits: what competes with the canonical phone.

    Returns:
        Shape (L,), nats.

    Raises:
        ConfigError: no such edits.

    Deviates: exact sums, where the reference code prunes some paths of the first, last and repeated phones (up to
        .03 nat for SD). Not divided by a length; see `gop_sf_per_frame`.

    >>> from elocute.gop import alternatives
    >>> from elocute.types import PhoneSet
    >>> phones = PhoneSet(symbols=("S", "TH"), tokens=((1,), (2,)), size=3, blank_id=0)
    >>> log_probs = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.3, 0.6]])
    >>> gop_sf(alternatives(log_probs, [0, 1], phones), edits="S").round(3).tolist()
    [-0.093, -0.328]
    """
    if edits not in get_args(Edits):
        raise ConfigError(f"edits is {edits!r}; expected one of {', '.join(get_args(Edits))}")
    if edits == "SDI":
        denominator = found.any_string
    else:
        denominator = logsumexp(found.substitution, axis=1)
        if edits == "SD":
            denominator = np.logaddexp(denominator, found.deletion)
    return np.minimum(found.log_prob - denominator, 0.0)  # rounding can leave 1e-15 above


def gop_sf_per_frame(found: Alternatives, edits: Edits = "SD") -> Float64:
    """GOP-SF divided by the expected duration of the phone, shape (L,), nats per frame.

    Deviates: the expected duration is the posterior one, of forward and backward pass, and at least 1 frame, since
        every path gives each label one. The reference code counts a normalised forward mass, which is shorter (.80 for
        a true 2.29 frames on toy data), tends to 0 for phones that were left out, and so needs a floor.
    """
    return gop_sf(found, edits) / found.durations


def gop_vector(found: Alternatives, *, duration: bool = False, ceiling: float = 1000.0) -> Float64:
    """Feature vector of each canonical phone: [LPP, LPR_del, LPR_1 .. LPR_K], and its duration if asked for.

    LPP = log P(canonical | x), the same for all phones of an utterance. LPR_k = LPP - log P(with phone i said as k),
    positive where the canonical phone fits better, 0 for k = the canonical phone; LPR_del likewise, for leaving it out.

    Args:
        found: from `alternatives`.
        duration: append the expected duration, in frames.
        ceiling: nats; larger ratios, such as the infinite one of an impossible alternative, are cut to it.

    Returns:
        Shape (L, K+2) or (L, K+3): 41 or 42 numbers a phone for the 39 ARPABET phones.

    Deviates: the reference code writes -LPP and rounds to 3 decimals; its columns are in the order of its label ids,
        ours in that of the phone set. LPP grows with the length of the recording: standardise it, or divide it by T.
    """
    said = np.column_stack([found.deletion, found.substitution])
    ratios = np.minimum(found.log_prob - said, ceiling)
    lpp = np.full(len(ratios), found.log_prob)
    return np.column_stack([lpp, ratios, found.durations] if duration else [lpp, ratios])


def perceived_posterior(found: Alternatives, prior: ArrayLike | None = None, temperature: float = 1.0) -> Float64:
    """Posterior of what was said at each phone, given that all the other phones were said as they should be.

    q[i, k] is proportional to P(with phone i said as k | x) ** (1 / temperature) * prior[i, k]. With no prior and
    temperature 1, log q of the canonical phone is `gop_sf(found, "SD")`.

    Args:
        found: from `alternatives`.
        prior: how common each perceived phone is, shape (K+1,) or (L, K+1), last column: nothing; uniform if None. It
            need not sum to 1.
        temperature: above 1 flattens the acoustic evidence; fit it on held-out data to calibrate the posterior.

    Returns:
        Shape (L, K+1), rows sum to 1; the last column is the deletion.

    Raises:
        ValueError: the temperature is not positive, or the prior is misshapen, negative or rules out all at a phone.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature is {temperature}; expected a positive number, 1 for none")
    evidence = np.column_stack([found.substitution, found.deletion]) / temperature
    if prior is not None:
        weights = np.asarray(prior, dtype=np.float64)
        if weights.shape not in (evidence.shape, evidence.shape[1:]):
            raise ValueError(f"the prior has shape {weights.shape}; expected {evidence.shape} or {evidence.shape[1:]}")
        if not (weights >= 0.0).all():
            raise ValueError("the prior holds negative numbers or NaN; expected probabilities")
        with np.errstate(divide="ignore"):
            evidence = evidence + np.log(weights)
    total = logsumexp(evidence, axis=1)[:, None]
    if not np.isfinite(total).all():
        raise ValueError(f"the prior rules out all that could have been said at phone {total.argmin()}; smooth it")
    return np.exp(evidence - total)
