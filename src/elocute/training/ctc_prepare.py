"""From corpora to what a CTC training reads: refusals of all kinds, samples, the split by speaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elocute.acoustic.frame_count import FrameCount
from elocute.errors import ConfigError
from elocute.training.ctc_data import Examples, Source, check_left, hold_out, read_examples
from elocute.training.ctc_recipe import CtcTraining
from elocute.training.ctc_store import Store, decode_examples
from elocute.types import SAMPLE_RATE_HZ

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """What is trained on.

    Attributes:
        examples: what can be used and what was refused.
        store: samples of the former.
        training: indices of those that are trained on.
        held: indices of those that are evaluated.
    """

    examples: Examples
    store: Store
    training: tuple[int, ...]
    held: tuple[int, ...]


def prepare(
    sources: Sequence[Source], training: CtcTraining, frames: FrameCount, cache: Path, progress: Progress | None = None
) -> Prepared:
    """Read, check, decode and split.

    Args:
        sources: corpora.
        training: limits of length, share of held-out speakers.
        frames: of the model; recordings with fewer frames than their labels need are refused.
        cache: folder for samples.
        progress: called with the name of a step, recordings done and their number.

    Raises:
        ConfigError: a corpus is not in its layout, nothing can be used, or nobody can be held out.
    """

    def bar(step: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(step, done, total)

    read = read_examples(sources, training.unknown_words, bar("phones"))
    hold_out(read.kept, training.held_out, training.held_out_most, training.seed)  # decoding takes long: complain now
    decoded = decode_examples(read, cache, training.longest_s, bar("decoding"))
    lengths = decoded.store.lengths
    place = {example.id: index for index, example in enumerate(decoded.examples.kept)}
    counts = frames(lengths)

    def why(index: int) -> tuple[str, str] | None:
        seconds = lengths[index] / SAMPLE_RATE_HZ
        if seconds < training.shortest_s:
            return "too short", f"{seconds:.2f} s; expected at least {training.shortest_s:g} s"
        needed = decoded.examples.kept[index].frames_needed
        if counts[index] < needed:
            return (
                "too few frames for its phones",
                f"{counts[index]} frames of {1000 * frames.frame_s:.0f} ms, its phones need {needed}",
            )
        return None

    left = check_left(decoded.examples.refusing(lambda example: why(place[example.id])))
    store = decoded.store.only([place[example.id] for example in left.kept])
    kept, held = hold_out(left.kept, training.held_out, training.held_out_most, training.seed)
    if not kept:
        raise ConfigError("every recording is of a held-out speaker; lower training.held_out or add a corpus")
    return Prepared(examples=left, store=store, training=tuple(kept), held=tuple(held))


def read_noise(folder: Path | None) -> np.ndarray:
    """All recordings of noise in a folder as int16 samples, one after the other; empty without a folder.

    Raises:
        ConfigError: the folder holds none.
        AudioError: one of them cannot be read.
    """
    if folder is None:
        return np.zeros(0, dtype=np.int16)
    from elocute.training.recordings import load_pcm

    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".wav", ".flac", ".ogg", ".opus", ".mp3")]
    if not files:
        raise ConfigError(f"{folder} holds no recordings of noise; expected files such as .wav, .flac or .opus")
    return np.concatenate(load_pcm(files))
