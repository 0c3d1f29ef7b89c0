"""Which errors learners make, counted from recordings whose wrong phones people marked but did not name.

At a phone that people call wrong, the edit lattice says what was probably said instead; the expected counts make a
prior, with which it says so again (expectation maximisation). The acoustic models did not hear the speakers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredUtterance
from elocute.gop.confusions import articulatory_errors, edit_prior, with_counts
from elocute.gop.said import said_posterior
from elocute.phones import PHONES
from elocute.types import Float64, Posteriors

ROUNDS = 3
"""Of expectation maximisation; later ones change no probability by more than a percent."""
LEAST_COUNT = 0.05
"""Smaller expected counts are not stored."""


def count_errors(
    utterances: Sequence[ScoredUtterance],
    heard: Mapping[str, Posteriors],
    progress: Callable[[int, int], None] | None = None,
) -> Float64:
    """Expected number of times that each canonical phone was said as each other, or left out; shape (K, K+1)."""
    wrong = [
        (one, np.flatnonzero(np.array(one.phone_accuracy) < MISPRONOUNCED_BELOW))
        for one in utterances
        if min(one.phone_accuracy) < MISPRONOUNCED_BELOW
    ]
    counts = np.zeros_like(articulatory_errors())
    for turn in range(ROUNDS):
        prior = edit_prior(with_counts(counts))
        counts = np.zeros_like(counts)
        for number, (one, places) in enumerate(wrong):
            canonical = np.array([PHONES.index(phone) for phone in one.phones])
            found = said_posterior(heard[one.id].log_probs, canonical, heard[one.id].phone_set, prior).posterior
            for place in places.tolist():
                others = found[place].copy()
                others[canonical[place]] = 0.0
                # How surely it was another phone: a phone that the lattice hears as it should be counts for little.
                counts[canonical[place]] += others
            if progress:
                progress(turn * len(wrong) + number + 1, ROUNDS * len(wrong))
    return counts


def table_of(counts: Float64) -> dict[str, dict[str, float]]:
    """Counts as the asset stores them, the commonest first."""
    columns = [*PHONES, "-"]
    return {
        phone: {
            columns[k]: round(float(counts[i, k]), 2)
            for k in np.argsort(-counts[i], kind="stable").tolist()
            if counts[i, k] >= LEAST_COUNT
        }
        for i, phone in enumerate(PHONES)
    }


def card(counts: Float64, command: str) -> dict[str, Any]:
    """The asset `confusions.json`."""
    return {
        "name": "elocute confusions",
        "kind": "expected counts of what learners said instead of each phone; '-' is nothing",
        "data": ["speechocean762, official train split (CC BY 4.0): phones that people scored below 0.5"],
        "first_language": "Mandarin",
        "licence": "Apache-2.0",
        "command": command,
        "limits": ["people marked the phones, nobody named what was said: the acoustic models' own errors are in it"],
        "counts": table_of(counts),
    }
