"""Decoded recordings: one file of 16-bit samples at 16 kHz, filled once, mapped into every process that reads it."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elocute.errors import AudioError, ConfigError
from elocute.training.ctc_data import Examples, check_left
from elocute.types import SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Store:
    """Samples of recordings, one after the other.

    Attributes:
        path: file of int16 samples.
        starts: first sample of each recording.
        lengths: samples of each.
    """

    path: Path
    starts: np.ndarray
    lengths: np.ndarray

    def open(self) -> np.ndarray:
        """All samples, mapped, not read."""
        return np.memmap(self.path, dtype=np.int16, mode="r")

    def only(self, indices: Sequence[int]) -> Store:
        """The same file with only these recordings, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Store(path=self.path, starts=self.starts[chosen], lengths=self.lengths[chosen])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """Examples with their samples, in the same order."""

    examples: Examples
    store: Store


def decode_examples(
    examples: Examples, folder: Path, longest_s: float, progress: Callable[[int, int], None] | None = None
) -> Decoded:
    """Decode every recording into a file in `folder`, unless it is there; 115 MB an hour of speech.

    A killed process goes on where it was. Recordings that cannot be decoded are refused.

    Args:
        examples: what to decode.
        folder: made if it is not there; shared by trainings on the same corpora.
        longest_s: longer recordings are refused without decoding all of them.
        progress: called with recordings done and their number.

    Raises:
        ConfigError: nothing can be decoded, or the disk is full.
    """
    paths = [example.audio for example in examples.kept]
    listing = "\n".join(f"{path.absolute()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths)
    key = hashlib.sha256(f"{longest_s}\n{listing}".encode()).hexdigest()[:16]
    target = folder / f"pcm-{key}.i16"
    rows = target.with_suffix(".jsonl")
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fill(target, rows, paths, longest_s, progress)
    read = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    lengths = np.array([row if isinstance(row, int) else 0 for row in read], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    reason = {example.id: row for example, row in zip(examples.kept, read, strict=True) if not isinstance(row, int)}
    left = examples.refusing(
        lambda example: ("a recording that cannot be read", reason[example.id]) if example.id in reason else None
    )
    kept = [index for index, row in enumerate(read) if isinstance(row, int)]
    store = Store(path=target, starts=starts, lengths=lengths).only(kept)
    return Decoded(examples=check_left(left), store=store)


def _fill(
    target: Path, rows: Path, paths: Sequence[Path], longest_s: float, progress: Callable[[int, int], None] | None
) -> None:
    """Write samples and, a line each, their number or why there are none; goes on from what a killed process left."""
    part = target.with_suffix(".part")
    done = _whole_rows(rows) if part.exists() else []
    held = sum(row for row in done if isinstance(row, int))
    if done and part.stat().st_size < 2 * held:  # the rows came to the disk, the samples did not
        done, held = [], 0
    try:
        with open(part, "r+b" if done else "wb") as samples, open(rows, "w", encoding="utf-8") as listing:
            samples.truncate(2 * held)
            samples.seek(2 * held)
            listing.writelines(json.dumps(row) + "\n" for row in done)
            with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
                left = paths[len(done) :]
                found = pool.map(_decode, left, [longest_s] * len(left), chunksize=8)
                for number, one in enumerate(found, start=len(done) + 1):
                    if not isinstance(one, str):
                        samples.write(one.tobytes())
                        samples.flush()
                    listing.write(json.dumps(one if isinstance(one, str) else len(one)) + "\n")
                    if progress is not None:
                        progress(number, len(paths))
    except OSError as error:
        raise ConfigError(f"cannot write {part}: {error.strerror}; free space or give another --cache") from error
    part.rename(target)


def _whole_rows(rows: Path) -> list[int | str]:
    """What a killed process wrote, but for a line cut short."""
    text = rows.read_text(encoding="utf-8") if rows.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _decode(path: Path, longest_s: float) -> np.ndarray | str:
    """Samples of a recording at 16 kHz, int16, or why there are none."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            seconds, rate = file.frames / file.samplerate, file.samplerate
            if seconds > longest_s:
                return f"{seconds:.1f} s; expected at most {longest_s:g} s"
            # Integers as they are in the file, without the detour over floats.
            samples = file.read(dtype="int16", always_2d=True) if rate == SAMPLE_RATE_HZ else None
    except soundfile.SoundFileError:
        samples = None  # of a kind that only PyAV reads, or damaged: the next reader tells
    if samples is None:
        from elocute.audio import load_audio

        try:
            # Resampling overshoots loud edges; beyond 16 bits a sample would wrap around to the other sign.
            samples = (load_audio(path, max_duration_s=longest_s).samples.clip(-1.0, 1.0) * 32767).astype(np.int16)
        except AudioError as error:
            return str(error)
    mono = samples if samples.ndim == 1 else samples.mean(axis=1).astype(np.int16)
    if not mono.any():
        return "all samples are zero; expected speech"
    return np.ascontiguousarray(mono)
