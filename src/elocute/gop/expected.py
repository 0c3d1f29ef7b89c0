"""Step 5/10 - which errors to expect of a speaker whose first language is known.

The errors that come with the package were counted with speakers of one language. A profile of the speaker's own adds
to them what its speakers usually say, place by place in the word; the counts of strangers then weigh less.

Only the question of what was said instead is answered anew. That a phone was wrong is decided without it: people who
rated recordings did not ask where the speaker was from, and a score must not either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from elocute.assets import read_card
from elocute.gop.confusions import PRIOR_COUNTS, articulatory_errors, counts_of
from elocute.gop.said import EditPrior, Said
from elocute.phones import PHONES
from elocute.phones.l1 import L1Profile
from elocute.types import Float64, Int64

PROFILE_COUNTS = 20.0
"""Errors that a likelihood of 1 in a profile is worth beside counted ones."""
KNOWN_COUNTS = 5.0
"""The same in the language whose speakers were counted: the counts know more. At phones that people called wrong, worth
20 the profile expected a little less of what was heard than the counts alone, worth 5 it does not
(`elocute evaluate l1`)."""
STRANGERS = 0.5
"""What a counted error of speakers of another language is worth."""

_COLUMNS: dict[str | None, int] = {**{phone: k for k, phone in enumerate(PHONES)}, None: len(PHONES)}


def expected_errors(profile: L1Profile | None, words: Sequence[Sequence[str]]) -> Float64:
    """How errors at each place are spread, shape (L, K+1), last column: left out; rows sum to 1.

    Args:
        profile: of the speaker's first language; None takes all that was counted, as the learned prior does.
        words: ARPABET phones of each word, without stress digits; L in all.
    """
    places = [(word, at) for word in words for at in range(len(word))]
    ids = np.array([PHONES.index(word[at]) for word, at in places])
    is_known = profile is None or profile.name == _counted_language()
    errors = _common_errors(1.0 if is_known else STRANGERS)[ids]
    if profile is not None:
        errors += (KNOWN_COUNTS if is_known else PROFILE_COUNTS) * profile_errors(profile, words)
    errors[np.arange(len(ids)), ids] = 0.0
    return np.asarray(errors / errors.sum(axis=1, keepdims=True))


def profile_errors(profile: L1Profile, words: Sequence[Sequence[str]]) -> Float64:
    """Likelihood of each error at each place by the profile alone, shape (L, K+1), last column: left out."""
    places = [(word, at) for word in words for at in range(len(word))]
    found = np.zeros((len(places), len(_COLUMNS)))
    for row, (word, at) in zip(found, places, strict=True):
        for said, likelihood in profile.said_instead(word, at).items():
            row[_COLUMNS[said]] = likelihood
    return found


def had_been_expected(said: Said, canonical: Int64, prior: EditPrior, errors: Float64) -> Said:
    """What was said instead of each phone, had these been the errors to expect there.

    By Bayes' rule each posterior is the prior times what the recording speaks for, so that another prior at one place
    only multiplies. The probability that the phone was said as it should be stays what it was.

    Args:
        said: posterior under `prior`.
        canonical: shape (L,), phone ids.
        prior: that was used.
        errors: shape (L, K+1), spread of errors at each place, `expected_errors`.
    """
    rows = np.arange(len(canonical))
    own = said.posterior[rows, canonical]
    before = prior.said[canonical].copy()
    before[rows, canonical] = 1.0  # the canonical phone has no part in it
    others = said.posterior * errors / np.maximum(before, 1e-300)
    others[rows, canonical] = 0.0
    others *= ((1.0 - own) / np.maximum(others.sum(axis=1), 1e-300))[:, None]
    others[rows, canonical] = own
    return replace(said, posterior=others / others.sum(axis=1, keepdims=True))


@cache
def _common_errors(share: float) -> Float64:
    """Errors of all speakers, shape (K, K+1): likely ones by articulation, and counted ones, each worth `share`."""
    return np.asarray(PRIOR_COUNTS * articulatory_errors() + share * counts_of(read_card("confusions")["counts"]))


@cache
def _counted_language() -> str:
    """First language of those learners."""
    return str(read_card("confusions")["first_language"])
