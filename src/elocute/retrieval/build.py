"""From recordings to an index, and from a recording and its text to votes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.audio import load_audio
from elocute.errors import AlignmentError, ConfigError
from elocute.phones import PHONES
from elocute.retrieval.index import NOBODY, THRESHOLD, TOP_K, PhoneIndex, Votes, vote
from elocute.retrieval.spoken import Spoken, corpus_hash
from elocute.retrieval.states import Encoded, Encoder, Pooling, normalised, pooled
from elocute.types import Float32, Int64

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How an index is asked.

    Attributes:
        top_k: neighbours.
        threshold: least similarity of one that votes.
    """

    top_k: int = TOP_K
    threshold: float = THRESHOLD


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detected:
    """What neighbours say of every canonical phone.

    Attributes:
        doubt: shape (L,), share of the vote against the phone, 0 to 1.
        heard: the phone with most votes at each, None where nobody is near.
        nearest: shape (L,), similarity of the nearest neighbour.
    """

    doubt: np.ndarray
    heard: tuple[str | None, ...]
    nearest: np.ndarray


def build_index(
    encoder: Encoder, spoken: Sequence[Spoken], *, pooling: Pooling, corpus: str, progress: Progress | None = None
) -> PhoneIndex:
    """Embed every phone of which it is known what was said.

    Recordings too short for their phones are left out, and counted in the card.

    Raises:
        ConfigError: no phone can be used.
    """
    vectors: list[Float32] = []
    labels: list[str] = []
    too_short = 0
    for number, item in enumerate(spoken, start=1):
        encoded = encoder.encode(load_audio(item.audio))
        try:
            states = pooled(encoded, item.said, pooling)
        except AlignmentError as error:
            too_short += 1
            log.info("%s is left out: %s", item.id, error)
        else:
            sure = np.array(item.said_is_sure, dtype=bool)
            vectors.append(states[sure])
            labels += [symbol for symbol, is_sure in zip(item.said, sure, strict=True) if is_sure]
        if progress:
            progress(number, len(spoken))
    if not labels:
        raise ConfigError(f"none of {len(spoken)} recordings holds a phone that can be used; give more")
    counts = Counter(labels)
    card: dict[str, Any] = {
        "backbone": encoder.name,
        "version": encoder.version,
        "layer": encoder.layer,
        "pooling": pooling,
        "corpus": corpus,
        "corpus_sha256": corpus_hash(spoken),
        "recordings": len(spoken) - too_short,
        "too_short": too_short,
        "speakers": len({item.speaker for item in spoken}),
        "counts": {symbol: counts[symbol] for symbol in PHONES},
    }
    ids = np.array([PHONES.index(symbol) for symbol in labels], dtype=np.int64)
    return PhoneIndex(np.concatenate(vectors), ids, card, frozenset(item.speaker for item in spoken))


def check_fits(index: PhoneIndex, encoder: Encoder) -> None:
    """ConfigError unless the index was built with this backbone and layer."""
    for what, found in (("backbone", encoder.name), ("version", encoder.version), ("layer", encoder.layer)):
        if index.card.get(what) != found:
            raise ConfigError(f"the index was built with {what} {index.card.get(what)}; got {found}: build it again")


def detect(index: PhoneIndex, encoded: Encoded, canonical: Sequence[str], search: Search | None = None) -> Detected:
    """Let the neighbours of every canonical phone vote.

    Raises:
        AlignmentError: the recording is too short for the phones.
    """
    search = search or Search()
    found = index.neighbours(pooled(encoded, canonical, index.card["pooling"]), search.top_k)
    votes = vote(found, search.threshold)
    ids: Int64 = np.array([PHONES.index(symbol) for symbol in canonical], dtype=np.int64)
    return Detected(doubt=votes.doubt(ids), heard=_names(votes), nearest=found.similarity[:, 0])


def decode(index: PhoneIndex, encoded: Encoded, search: Search | None = None) -> tuple[str, ...]:
    """What was said, without knowing the text: a vote for every frame; repeats, and frames near nobody, drop out.

    Frames that the backbone calls blank are near nobody: no phone of the index was pooled from them.
    """
    search = search or Search()
    phone_set = encoded.posteriors.phone_set
    vectors = normalised(encoded.states.astype(np.float64))
    winner = vote(index.neighbours(vectors, search.top_k), search.threshold).winner
    winner = np.where(encoded.posteriors.log_probs.argmax(axis=1) == phone_set.blank_id, NOBODY, winner)
    kept = winner[np.append(True, winner[1:] != winner[:-1])]
    return tuple(PHONES[phone] for phone in kept if phone != NOBODY)


def _names(votes: Votes) -> tuple[str | None, ...]:
    """Winners by name."""
    return tuple(None if winner == NOBODY else PHONES[winner] for winner in votes.winner.tolist())
