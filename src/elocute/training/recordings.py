"""Recordings to train on, learners', native and synthetic, with the labels that their CTC paths may take."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, UTTERANCE_SCORES, Split, read_speechocean762
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import PhoneError, TextError
from elocute.phones import PHONES, phonemize, split_stress
from elocute.training.synthetic import read_synthetic
from elocute.types import SAMPLE_RATE_HZ

log = logging.getLogger(__name__)

WILDCARD = len(PHONES) + 1
"""First of two label ids that stand for 'any phone'; two, used in turn, so that neighbours need no blank between."""

Kind = Literal["learner", "native", "synthetic"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One training example: where its audio is and the labels its CTC path may take.

    Attributes:
        id: of the recording.
        audio: its file.
        labels: CTC labels; 1 to 39 are phones, from `WILDCARD` on any phone.
        phones: canonical phones, 1 to 39.
        speaker: of the recording, or the name of its corpus.
        kind: a learner's, transcribed native speech, or a synthesiser's; only learners' were scored.
        phone_scores: people's scores, 0 to 2, one a phone; empty where nobody scored.
        utterance_scores: people's accuracy, fluency, prosodic and total, divided by 5; empty where nobody scored.
        instead: what was spliced in for each canonical phone, 0 where nothing was; empty where nothing was anywhere.
        instead_scores: people's scores of that, NaN where nothing was.
    """

    id: str
    audio: Path
    labels: tuple[int, ...]
    phones: tuple[int, ...]
    speaker: str
    kind: Kind
    phone_scores: tuple[float, ...] = ()
    utterance_scores: tuple[float, ...] = ()
    instead: tuple[int, ...] = ()
    instead_scores: tuple[float, ...] = ()


def speechocean_recordings(folder: Path, split: Split = "train") -> list[Recording]:
    """Learner recordings; a phone that people scored as mispronounced becomes a wildcard in the CTC labels."""
    recordings = []
    for utterance in read_speechocean762(folder, split):
        phones = tuple(PHONES.index(phone) + 1 for phone in utterance.phones)
        labels = tuple(
            WILDCARD + position % 2 if score < MISPRONOUNCED_BELOW else phone
            for position, (phone, score) in enumerate(zip(phones, utterance.phone_accuracy, strict=True))
        )
        recordings.append(
            Recording(
                id=utterance.id,
                audio=utterance.audio,
                labels=labels,
                phones=phones,
                speaker=utterance.speaker,
                kind="learner",
                phone_scores=utterance.phone_accuracy,
                utterance_scores=tuple(getattr(utterance, name) / 5 for name in UTTERANCE_SCORES),
            )
        )
    return recordings


def native_recordings(folder: Path) -> list[Recording]:
    """Recordings of native speech with their canonical phones; only those whose words the lexicon knows for sure."""
    recordings = []
    utterances = read_transcribed(folder)
    for utterance in utterances:
        try:
            canonical = phonemize(utterance.text)
        except (PhoneError, TextError):
            continue  # counted below
        if any(word.source == "g2p" for word in canonical):
            continue
        phones = tuple(PHONES.index(phone.symbol) + 1 for phone in canonical.phones)
        recordings.append(
            Recording(
                id=utterance.id,
                audio=utterance.audio,
                labels=phones,
                phones=phones,
                speaker=folder.name,
                kind="native",
            )
        )
    log.info("%s: %d of %d recordings have only words of the lexicon", folder, len(recordings), len(utterances))
    return recordings


def synthetic_recordings(folder: Path) -> list[Recording]:
    """Recordings of `elocute train synthetic`: labels and phones are what was said, errors included."""
    recordings = []
    for audio, sentence in read_synthetic(folder):
        phones = tuple(PHONES.index(split_stress(phone)[0]) + 1 for word in sentence.spoken for phone in word)
        recordings.append(
            Recording(
                id=f"{folder.name}/{audio.stem}",
                audio=audio,
                labels=phones,
                phones=phones,
                speaker=str(sentence.voice),
                kind="synthetic",
            )
        )
    return recordings


def read_pcm(path: Path) -> np.ndarray:
    """Samples of a recording at 16 kHz, int16; training machines need only soundfile for it."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if rate != SAMPLE_RATE_HZ:
        from elocute.audio import load_audio

        # Resampling overshoots loud edges; beyond 16 bits a sample would wrap around to the other sign.
        return (load_audio(path).samples.clip(-1.0, 1.0) * 32767).astype(np.int16)
    return np.asarray(samples.mean(axis=1), dtype=np.int16)


def load_pcm(paths: Sequence[Path], cache: Path | None = None) -> list[np.ndarray]:
    """Decode recordings in parallel; a cache folder keeps them as one array for the next process."""
    # Corpora may share file names: the folder and the size tell them apart.
    listing = "\n".join(f"{path.absolute()} {path.stat().st_size}" for path in paths)
    key = hashlib.sha256(listing.encode()).hexdigest()[:16]
    store = cache / f"pcm-{key}.npy" if cache and paths else None
    if store is not None and store.exists():
        flat = np.load(store, mmap_mode="r")
        lengths = json.loads(store.with_suffix(".json").read_text())
        return np.split(flat, np.cumsum(lengths)[:-1])
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        decoded = list(pool.map(read_pcm, paths, chunksize=16))
    if store is not None:
        store.parent.mkdir(parents=True, exist_ok=True)
        store.with_suffix(".json").write_text(json.dumps([len(samples) for samples in decoded]))
        # Renamed when complete: other processes of the machine may look for it at any time.
        part = store.with_name(f"{os.getpid()}-{store.name}")
        np.save(part, np.concatenate(decoded))
        part.rename(store)
    return decoded
