"""When each phone of the training recordings was spoken, by forced alignment with a model trained before.

Splicing (`training/splicing.py`) cuts the recordings at these times. They are found once and kept in a small file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from elocute.acoustic import Backend
from elocute.audio import audio_from_array
from elocute.errors import AlignmentError, ConfigError
from elocute.evaluation.splice_edges import phone_edges
from elocute.gop import align_phones
from elocute.phones import PHONES
from elocute.training.acoustic_batches import FRAMES_PER_S
from elocute.training.recordings import Recording, read_pcm
from elocute.types import SAMPLE_RATE_HZ, Int64

PhoneTimes = Mapping[str, Int64]
"""For each recording by its id, the mel frames [begin, end) of its canonical phones, shape (L, 2)."""


def find_phone_times(
    recordings: Iterable[Recording], backend: Backend, progress: Callable[[], None] = lambda: None
) -> dict[str, Int64]:
    """Align every recording with its canonical phones; those too short for their phones are left out.

    Args:
        recordings: with their audio files.
        backend: hears them; it may have been trained on them.
        progress: called after each.
    """
    times = {}
    order = [backend.phone_set.symbols.index(phone) for phone in PHONES]
    for recording in recordings:
        audio = audio_from_array(read_pcm(recording.audio).astype(np.float32) / 32768.0, SAMPLE_RATE_HZ)
        heard = backend.posteriors(audio)
        canonical = [order[phone - 1] for phone in recording.phones]
        progress()
        try:
            spans = align_phones(heard.log_probs, canonical, heard.phone_set).spans
        except AlignmentError:
            continue
        edges = phone_edges(audio, spans, heard.frame_shift_s)
        found = np.round(np.column_stack([edges.start_s, edges.end_s]) * FRAMES_PER_S).astype(np.int64)
        times[recording.id] = np.clip(found, 0, len(audio.samples) * FRAMES_PER_S // SAMPLE_RATE_HZ)
    return times


def write_phone_times(path: Path, times: PhoneTimes) -> None:
    """Keep the times: ids, phones of each, and all begins and ends one after the other."""
    np.savez_compressed(
        path,
        ids=np.array(list(times)),
        phones=np.array([len(spans) for spans in times.values()]),
        spans=np.concatenate(list(times.values())).astype(np.uint16),
    )


def read_phone_times(path: Path) -> dict[str, Int64]:
    """What `write_phone_times` wrote; ConfigError where it is something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ids, phones, spans = (arrays[name] for name in ("ids", "phones", "spans"))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} holds no phone times ({error}); expected what `elocute train phone-times` writes"
        ) from error
    if phones.sum() != len(spans):
        raise ConfigError(f"{path} is damaged: {len(spans)} phones, expected {phones.sum()}; write it anew")
    pieces = np.split(spans.astype(np.int64), np.cumsum(phones)[:-1])
    return dict(zip(ids.tolist(), pieces, strict=True))
