"""What the scorer's trees look at: a phone with its neighbours, its word and its utterance, or an utterance, in a row.

A transformer finds this context by itself; trees see only what stands in their row.
"""

from __future__ import annotations

import numpy as np

from elocute.scorer.features import PHONE_FEATURES, SCALARS, UTTERANCE_FEATURES, Features
from elocute.scorer.manner import PROSODY_FEATURES, UNKNOWN
from elocute.types import Float32

REACH = 2
"""Neighbours on either side."""
NO_NEIGHBOUR = -20.0
"""Stands for every feature of a neighbour beyond the utterance; below all that a neighbour has but cannot mean."""
SUMMARISED = (
    "canonical_lpp",
    "margin",
    "gop_sd",
    "gop_sdi",
    "best_competitor",
    "deletion_ratio",
    "insertion_before",
    "insertion_after",
    "duration_s",
    "peak",
    "rating",
    "rating_over_others",
)
"""Phone features of which trees see a summary over the word and over the utterance."""

_OFFSETS = tuple(offset for offset in range(-REACH, REACH + 1) if offset)
CONTEXT_FEATURES: tuple[str, ...] = (
    *PHONE_FEATURES,
    "phone",
    *(f"{name}{offset:+d}" for offset in _OFFSETS for name in (*SCALARS, "phone")),
    *(f"word_{summary}_{name}" for summary in ("mean", "min") for name in SUMMARISED),
    "place_in_word",
    "place_from_end_of_word",
    "phones_of_word",
    "place_in_utterance",
    *UTTERANCE_FEATURES,
    *(f"utterance_{summary}_{name}" for summary in ("mean", "min", "std") for name in SUMMARISED),
)
"""Names of the columns of `phone_context`."""

SUMMARIES = ("mean", "std", "p10", "p90")
"""Of the phones' scalars over an utterance, in `UTTERANCE_CONTEXT`."""
UTTERANCE_CONTEXT: tuple[str, ...] = (
    *UTTERANCE_FEATURES,
    *(f"{summary}_{name}" for summary in SUMMARIES for name in SCALARS),
    "words",
    *PROSODY_FEATURES,
)
"""Names of the columns of `utterance_context`."""

_SCALAR_COLUMNS = [PHONE_FEATURES.index(name) for name in SCALARS]
_SUMMARISED_COLUMNS = [PHONE_FEATURES.index(name) for name in SUMMARISED]


def phone_context(features: Features) -> Float32:
    """One row a phone, shape (L, len(CONTEXT_FEATURES))."""
    own = np.column_stack([features.phone, features.phone_ids])
    L = len(own)
    seen = own[:, [*_SCALAR_COLUMNS, -1]]
    padded = np.pad(seen, ((REACH, REACH), (0, 0)), constant_values=NO_NEIGHBOUR)
    neighbours = [padded[REACH + offset : REACH + offset + L] for offset in _OFFSETS]
    summarised = features.phone[:, _SUMMARISED_COLUMNS]
    words = features.word_ids
    begins = np.flatnonzero(np.diff(words, prepend=-1))
    counts = np.diff(np.append(begins, L))
    mean = np.add.reduceat(summarised, begins) / counts[:, None]
    place = np.arange(L) - begins[words]
    whole = np.concatenate([features.utterance, summarised.mean(0), summarised.min(0), summarised.std(0)])
    rows = [
        own,
        *neighbours,
        mean[words],
        np.minimum.reduceat(summarised, begins)[words],
        np.column_stack([place, counts[words] - 1 - place, counts[words], np.arange(L) / L]),
        np.broadcast_to(whole, (L, len(whole))),
    ]
    return np.column_stack(rows).astype(np.float32)


def utterance_context(features: Features) -> Float32:
    """One utterance in a row, shape (len(UTTERANCE_CONTEXT),)."""
    scalars = features.phone[:, _SCALAR_COLUMNS]
    prosody = features.prosody
    if prosody is None:
        prosody = np.full(len(PROSODY_FEATURES), UNKNOWN, dtype=np.float32)
    rows = [
        features.utterance,
        scalars.mean(axis=0),
        scalars.std(axis=0),
        *np.percentile(scalars, [10, 90], axis=0),
        [features.word_ids[-1] + 1],
        prosody,
    ]
    return np.concatenate(rows).astype(np.float32)
