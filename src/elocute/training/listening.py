"""What a backend hears in a corpus that it did not train on, kept on disk; and the same at another sharpness."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from elocute.acoustic import Backend
from elocute.audio import load_audio
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.errors import ConfigError
from elocute.types import Float32, Posteriors

CHUNK = 100
"""Utterances a file: what is heard again at most when a run is stopped."""
TEMPERATURES = (0.5, 1.5)
"""Range of what log-probabilities are divided by."""
BLANK_SD = 1.5
"""Nats; standard deviation of what is added to the blank's log-probability."""
UNBENT_SHARE = 0.25
"""Of the utterances, so many stay as they were heard."""


def hear_all(
    backend: Backend,
    utterances: Sequence[ScoredUtterance],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Posteriors]:
    """What a backend hears in each utterance, `CHUNK` of them a file, so that a stopped run goes on.

    Args:
        backend: of which nothing else is asked than its posteriors.
        utterances: all of them, in an order that repeats.
        folder: of the files; it belongs to this backend and these utterances.
        progress: called with utterances heard, and all.

    Raises:
        ConfigError: the folder holds what another backend heard, or other utterances.
    """
    folder.mkdir(parents=True, exist_ok=True)
    heard: dict[str, Posteriors] = {}
    for start in range(0, len(utterances), CHUNK):
        part = utterances[start : start + CHUNK]
        file = folder / f"{start:06d}.npz"
        found = _read(file, backend, part) if file.exists() else None
        if found is None:
            found = [backend.posteriors(load_audio(one.audio)) for one in part]
            _write(file, backend, part, found)
        heard |= {one.id: posteriors for one, posteriors in zip(part, found, strict=True)}
        if progress:
            progress(len(heard), len(utterances))
    return heard


def _write(file: Path, backend: Backend, part: Sequence[ScoredUtterance], found: Sequence[Posteriors]) -> None:
    """Keep what was heard; the file takes its name when it is whole."""
    arrays = {
        "identity": np.array(_identity(backend)),
        "ids": np.array([one.id for one in part]),
        "frames": np.array([len(one.log_probs) for one in found]),
        "frame_shift_s": np.array(found[0].frame_shift_s),
        "log_probs": np.concatenate([one.log_probs for one in found]),
    }
    rated = [one.ratings for one in found if one.ratings is not None]
    if rated:
        arrays["ratings"] = np.concatenate(rated)
    draft = file.with_suffix(".partial")
    with draft.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **arrays)
    os.replace(draft, file)


def _read(file: Path, backend: Backend, part: Sequence[ScoredUtterance]) -> list[Posteriors]:
    """What was heard by an earlier run."""
    with np.load(file, allow_pickle=False) as arrays:
        identity, ids = str(arrays["identity"]), arrays["ids"].tolist()
        if identity != _identity(backend) or ids != [one.id for one in part]:
            raise ConfigError(
                f"{file} holds what {identity} heard in {len(ids)} recordings from {ids[0]} on; expected "
                f"{_identity(backend)} and {part[0].id}; name another folder, or delete this one"
            )
        ends = np.cumsum(arrays["frames"])[:-1]
        log_probs = np.split(arrays["log_probs"], ends)
        ratings: list[Float32] | list[None] = [None] * len(ids)
        if "ratings" in arrays:
            ratings = np.split(arrays["ratings"], ends)
        shift = float(arrays["frame_shift_s"])
    return [
        Posteriors(log_probs=one, frame_shift_s=shift, phone_set=backend.phone_set, ratings=rated)
        for one, rated in zip(log_probs, ratings, strict=True)
    ]


def _identity(backend: Backend) -> str:
    return f"{backend.name} {backend.version}"


def bent(heard: Mapping[str, Posteriors], rng: np.random.Generator) -> dict[str, Posteriors]:
    """The same utterances as if other models had heard them: sharper or softer, more or less of blank, no ratings."""
    return {key: _bent(one, rng) for key, one in heard.items()}


def _bent(heard: Posteriors, rng: np.random.Generator) -> Posteriors:
    """One utterance at a sharpness that is drawn."""
    log_probs = heard.log_probs.astype(np.float64)
    if rng.random() > UNBENT_SHARE:
        log_probs = log_probs / np.exp(rng.uniform(*np.log(TEMPERATURES)))
        log_probs[:, heard.phone_set.blank_id] += rng.normal(0.0, BLANK_SD)
        log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)
    return replace(heard, log_probs=log_probs.astype(np.float32), ratings=None)
