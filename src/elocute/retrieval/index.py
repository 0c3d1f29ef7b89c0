"""The index: known phones as vectors, their nearest neighbours, and the vote of these."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.errors import ConfigError, MissingExtraError
from elocute.phones import PHONES
from elocute.types import Float32, Float64, Int64

FORMAT = "elocute phone index 1"
CARD, VECTORS, ENTRIES = "card.json", "index.faiss", "entries.npz"
TOP_K = 10
THRESHOLD = 0.7
NOBODY = -1
"""Winner of a vote in which nobody is near enough."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """The nearest known phones of some vectors, nearest first.

    Attributes:
        similarity: shape (M, k), cosine.
        phones: shape (M, k), ids in `PHONES`.
    """

    similarity: Float32
    phones: Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Votes:
    """What the neighbours say.

    Attributes:
        counts: shape (M, 39), voting neighbours of each phone.
        weight: shape (M, 39), sum of their similarities.
        winner: shape (M,), id of the phone with most votes, of several the nearer; `NOBODY` where nobody votes.
    """

    counts: Int64
    weight: Float64
    winner: Int64

    def doubt(self, canonical: Int64) -> Float64:
        """Share of the vote, by similarity, that is against each vector's canonical phone; 1 where nobody votes."""
        total = self.weight.sum(axis=1)
        own = self.weight[np.arange(len(canonical)), canonical]
        return np.asarray(1.0 - np.divide(own, total, out=np.zeros_like(own), where=total > 0))


class PhoneIndex:
    """Known phones, searched by the inner product of vectors of length 1.

    Args:
        vectors: shape (N, D), float32, rows of length 1.
        phones: shape (N,), ids in `PHONES`.
        card: where they come from.
        speakers: who said them.

    Raises:
        ConfigError: there are none, or vectors and phones do not fit.
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, vectors: Float32, phones: Int64, card: Mapping[str, Any], speakers: frozenset[str]) -> None:
        if vectors.ndim != 2 or len(vectors) != len(phones) or not len(phones):
            raise ConfigError(f"index of {vectors.shape} vectors and {len(phones)} phones; expected one for each")
        if phones.min() < 0 or phones.max() >= len(PHONES):
            raise ConfigError(f"index has phone ids up to {phones.max()}; expected 0 to {len(PHONES) - 1}")
        self.phones, self.card, self.speakers = phones, dict(card), speakers
        self._faiss = faiss_or_error().IndexFlatIP(int(vectors.shape[1]))
        self._faiss.add(np.ascontiguousarray(vectors))

    def __len__(self) -> int:
        """How many phones are known."""
        return len(self.phones)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self._faiss.d)

    def neighbours(self, vectors: Float32, top_k: int = TOP_K) -> Neighbours:
        """The `top_k` nearest known phones of each vector, fewer where fewer are known.

        Raises:
            ConfigError: vectors of another size.
        """
        if vectors.shape[1] != self.dimension:
            raise ConfigError(
                f"states have {vectors.shape[1]} dimensions, the index {self.dimension}; search with the backbone and "
                "layer that the index was built with"
            )
        similarity, found = self._faiss.search(np.ascontiguousarray(vectors), min(top_k, len(self)))
        return Neighbours(similarity=similarity, phones=self.phones[found])

    def save(self, folder: Path) -> None:
        """Write the index; the folder appears in one step.

        Raises:
            ConfigError: the folder is taken or cannot be written.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder} exists already; name a folder that does not")
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            faiss_or_error().write_index(self._faiss, str(partial / VECTORS))
            np.savez_compressed(partial / ENTRIES, phones=self.phones.astype(np.int16), speakers=sorted(self.speakers))
            text = json.dumps(self.card | {"format": FORMAT, "phones": len(self)}, indent=1, ensure_ascii=False)
            (partial / CARD).write_text(text + "\n", encoding="utf-8")
            if folder.is_dir():
                folder.rmdir()
            partial.rename(folder)
        except (OSError, RuntimeError) as error:  # faiss says RuntimeError of a full disk
            raise ConfigError(f"cannot write {folder}: {error}; make room, or name another folder") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> PhoneIndex:
        """Read a stored index.

        Raises:
            ConfigError: it is missing, damaged or of another format.
        """
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            if card.get("format") != FORMAT:
                raise ConfigError(f"{folder / CARD}: format is {card.get('format')!r}; expected {FORMAT!r}")
            stored = faiss_or_error().read_index(str(folder / VECTORS))
            with np.load(folder / ENTRIES) as entries:
                phones, speakers = entries["phones"].astype(np.int64), frozenset(map(str, entries["speakers"]))
            vectors = stored.reconstruct_n(0, stored.ntotal)
        except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{folder} is no whole index ({error}); make it by elocute retrieval build") from error
        return cls(vectors, phones, card, speakers)


def vote(neighbours: Neighbours, threshold: float = THRESHOLD) -> Votes:
    """Neighbours at least as similar as the threshold have one vote each."""
    M = len(neighbours.phones)
    votes = neighbours.similarity >= threshold
    rows = np.repeat(np.arange(M), votes.sum(axis=1))
    counts = np.zeros((M, len(PHONES)), dtype=np.int64)
    weight = np.zeros((M, len(PHONES)))
    np.add.at(counts, (rows, neighbours.phones[votes]), 1)
    np.add.at(weight, (rows, neighbours.phones[votes]), neighbours.similarity[votes])
    # A similarity is at most 1, so that its mean decides among equal counts only.
    winner = (counts + weight / (2 * max(1, neighbours.phones.shape[1]))).argmax(axis=1)
    return Votes(counts=counts, weight=weight, winner=np.where(counts.any(axis=1), winner, NOBODY))


def faiss_or_error() -> Any:
    """The package faiss.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("faiss is not installed; pip install 'elocute[retrieval]'") from error
    return faiss
