"""Step 5/10 - which errors to expect at which phone: the prior of the edit lattice.

Phones that are made alike are confused more often: without anything learned, an error's probability falls with the
articulatory distance. Where learners' errors are known, counts of them are added. Switched off, every error is as
likely as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from elocute.assets import read_card
from elocute.errors import PhoneError
from elocute.gop.said import EditPrior
from elocute.phones import PHONES
from elocute.phones.articulation import distances
from elocute.types import Float64

ERROR = 0.06
"""Probability that a phone is not said as it should be."""
DROPPED = 0.2
"""Share of the errors that leave a phone out, before any is counted."""
INSERTED = 0.01
"""Probability that a phone is added at a place."""
REACH = 0.25
"""Articulatory distance over which an error becomes e times less likely."""
LEAST = 1e-3
"""Weight of every error beside the nearest one's, about 1: nothing is impossible."""
PRIOR_COUNTS = 20.0
"""Errors of each phone that the articulatory prior is worth beside counted ones."""


def articulatory_errors() -> Float64:
    """How the errors of each phone are spread, shape (K, K+1), last column: left out; rows sum to 1."""
    near = np.exp(-distances() / REACH) + LEAST
    np.fill_diagonal(near, 0.0)
    near /= near.sum(axis=1, keepdims=True)
    return np.column_stack([near * (1.0 - DROPPED), np.full(len(PHONES), DROPPED)])


def edit_prior(errors: Float64) -> EditPrior:
    """The prior from the spread of each phone's errors, shape (K, K+1), rows sum to 1 with nothing on the diagonal."""
    said = errors * ERROR
    said[np.arange(len(PHONES)), np.arange(len(PHONES))] = 1.0 - ERROR
    return EditPrior(said=said, inserted=np.full(len(PHONES), INSERTED / len(PHONES)))


def with_counts(counts: Float64) -> Float64:
    """The articulatory spread and counted errors together; counts have its shape."""
    joint = articulatory_errors() * PRIOR_COUNTS + counts
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


@cache
def learned_prior() -> EditPrior:
    """The prior with the counts that come with the package (`assets/confusions.json`)."""
    return edit_prior(with_counts(counts_of(read_card("confusions")["counts"])))


def flat_prior() -> EditPrior:
    """Every error as likely as any other."""
    return EditPrior.flat(len(PHONES), error=ERROR, insertion=INSERTED)


def counts_of(table: Mapping[str, Mapping[str, float]]) -> Float64:
    """Counts as an array, shape (K, K+1), from phone said by canonical phone; "-" is left out.

    Raises:
        PhoneError: a phone that is not of the inventory, a phone said as itself, or a count that is negative.
    """
    counts = np.zeros((len(PHONES), len(PHONES) + 1))
    columns = [*PHONES, "-"]
    for canonical, row in table.items():
        for phone, count in row.items():
            if canonical not in PHONES or phone not in columns or phone == canonical or not 0.0 <= count < np.inf:
                raise PhoneError(
                    f"{canonical!r} is counted {count} times as said as {phone!r}; expected two different phones of "
                    "the inventory, or '-' for a phone left out, and a number that is not negative"
                )
            counts[PHONES.index(canonical), columns.index(phone)] = count
    return counts
