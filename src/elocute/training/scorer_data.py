"""The scorer's training table: out-of-fold features and expert scores of every utterance of a split."""

from __future__ import annotations

import concurrent.futures
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.audio import load_audio
from elocute.corpora.speechocean762 import UTTERANCE_SCORES, ScoredUtterance
from elocute.errors import ConfigError
from elocute.phones import PHONES, phonemize
from elocute.prosody import measure_prosody
from elocute.prosody.pitch import AutocorrelationTracker
from elocute.scorer import Features, analyse
from elocute.scorer.manner import prosody_features
from elocute.training.acoustic_model import FRAME_SHIFT_S
from elocute.training.rating import LEAST_RATING, RATING_STEP
from elocute.types import Float32, Float64, PhoneSet, Posteriors

PHONE_SET = PhoneSet.one_label_each(PHONES)
WORD_SCORES = ("accuracy", "stress", "total")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredFeatures:
    """One utterance: features and targets.

    Attributes:
        id: of the utterance.
        speaker: of the utterance.
        is_child: whether the speaker is younger than 16.
        features: from posteriors of a model that did not train on the speaker.
        phone: shape (L,), expert scores, 0 to 2.
        word: shape (W, 3), expert accuracy, stress and total, 0 to 10.
        utterance: shape (4,), expert accuracy, fluency, prosodic and total, 0 to 10.
        is_planted: whether the text was changed; then nobody scored the utterance, nor the words with a change.
    """

    id: str
    speaker: str
    is_child: bool
    features: Features
    phone: Float64
    word: Float64
    utterance: Float64
    is_planted: bool = False


def held_out(log_probs: Float32, ratings: Float32 | None = None) -> Posteriors:
    """What an acoustic model of ours, in training, heard in a recording.

    Args:
        log_probs: shape (T, 40), blank first.
        ratings: shape (T, 43), 0 to 2; None from a model that does not rate.
    """
    return Posteriors(log_probs=log_probs, frame_shift_s=FRAME_SHIFT_S, phone_set=PHONE_SET, ratings=ratings)


def read_heldout(folder: Path) -> dict[str, Posteriors]:
    """What models heard in all utterances of speakers they did not train on.

    From the `held*.npz` or `*/heldout.npz` files of acoustic folds.

    Raises:
        ConfigError: there is no such file, one is damaged or holds other arrays, or two hold the same utterance.
    """
    files = sorted([*folder.glob("held*.npz"), *folder.glob("*/heldout.npz")])
    if not files:
        raise ConfigError(f"{folder} holds no held*.npz and no */heldout.npz; run `elocute train acoustic --fold ...`")
    heard: dict[str, Posteriors] = {}
    for file in files:
        arrays = _heldout_arrays(file)
        ids, ends = arrays["ids"].tolist(), np.cumsum(arrays["frames"])[:-1]
        twice = heard.keys() & set(ids)
        if twice:
            raise ConfigError(
                f"{file} holds {min(twice)!r}, which another file holds too; these models are of other folds: "
                "keep the runs of one division of the speakers"
            )
        log_probs = arrays["log_probs"].astype(np.float32)
        # Stored in half precision: rows must sum to 1 again.
        log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)
        parts = np.split(log_probs, ends)
        ratings: list[Float32] | list[None] = [None] * len(parts)
        if "ratings" in arrays:
            ratings = np.split(LEAST_RATING + RATING_STEP * arrays["ratings"].astype(np.float32), ends)
        heard |= {key: held_out(one, rated) for key, one, rated in zip(ids, parts, ratings, strict=True)}
    return heard


_HELDOUT_ARRAYS = ("ids", "frames", "log_probs")
_RATED_ARRAYS = (*_HELDOUT_ARRAYS, "ratings")


def _heldout_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file that acoustic training left, of which each has what the others count."""
    expected = f"expected the arrays {', '.join(_HELDOUT_ARRAYS)} as `elocute train acoustic --fold ...` writes them"
    try:
        # Not by its name: numpy would open what is no zip file as something else.
        with file.open("rb") as opened, np.lib.npyio.NpzFile(opened) as archive:
            lacking = [name for name in _HELDOUT_ARRAYS if name not in archive]
            if lacking:
                raise ConfigError(f"{file} lacks {', '.join(lacking)}; {expected}")
            arrays = {name: archive[name] for name in _RATED_ARRAYS if name in archive}
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}; {expected}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{file} is damaged ({error}); {expected}") from error
    shapes = {name: array.shape for name, array in arrays.items()}
    recordings, total = shapes["ids"][:1], int(arrays["frames"].sum())
    by_frame = [shape for name, shape in shapes.items() if name not in ("ids", "frames")]
    is_whole = shapes["frames"] == recordings and all(len(one) == 2 and one[0] == total for one in by_frame)
    if not is_whole or len(recordings) != len(shapes["ids"]):
        raise ConfigError(f"{file} holds arrays of the shapes {shapes}, {total} frames; {expected}")
    return arrays


def scored_features(utterance: ScoredUtterance, heard: Posteriors, is_planted: bool = False) -> ScoredFeatures:
    """Features and targets of one utterance."""
    word_ids = [number for number, word in enumerate(utterance.words) for _ in word.phones]
    audio = load_audio(utterance.audio)
    analysis = analyse(heard, utterance.phones, word_ids, audio)
    features = analysis.features
    if not is_planted:  # what was planted has no scores of the utterance, so nobody asks for its prosody
        canonical = phonemize(utterance.text, pronunciations=[word.phones for word in utterance.words])
        pitch = AutocorrelationTracker().track(audio)
        prosody = measure_prosody(audio, pitch, analysis.times, canonical, range(len(canonical.words)))
        features = replace(features, prosody=prosody_features(prosody))
    return ScoredFeatures(
        id=utterance.id,
        speaker=utterance.speaker,
        is_child=utterance.is_child,
        features=features,
        phone=np.array(utterance.phone_accuracy),
        word=np.array([[getattr(word, name) for name in WORD_SCORES] for word in utterance.words]),
        utterance=np.array([getattr(utterance, name) for name in UTTERANCE_SCORES]),
        is_planted=is_planted,
    )


def build_table(
    utterances: Sequence[ScoredUtterance],
    heard: Mapping[str, Posteriors],
    progress: Callable[[int, int], None] | None = None,
    *,
    are_planted: bool = False,
) -> list[ScoredFeatures]:
    """Features and targets of all utterances, in their order, with one process a core."""
    missing = [utterance.id for utterance in utterances if utterance.id not in heard]
    if missing:
        raise ConfigError(
            f"no held-out posteriors for {len(missing)} of {len(utterances)} utterances: {missing[0]} ..."
        )
    table = []
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = pool.map(
            scored_features,
            utterances,
            (heard[utterance.id] for utterance in utterances),
            (are_planted for _ in utterances),
            chunksize=8,
        )
        for row in rows:
            table.append(row)
            if progress:
                progress(len(table), len(utterances))
    return table


def score_planted_words(rows: Sequence[ScoredFeatures], planted: Sequence[ScoredFeatures]) -> list[ScoredFeatures]:
    """Give the changed words of planted rows the score that people give to words with such phones.

    Accuracy and total follow by least squares from the mean and the lowest phone score of a word, fitted on `rows`;
    stress keeps its score.
    """
    design = np.concatenate([_phone_summary(row) for row in rows])
    targets = np.concatenate([row.word for row in rows])
    weights, *_ = np.linalg.lstsq(design, targets, rcond=None)
    scored = []
    for row in planted:
        summary = _phone_summary(row)
        guessed = np.clip(summary @ weights, 0.0, 10.0)
        changed = np.array([(row.phone[row.features.word_ids == word] == 0).any() for word in range(len(row.word))])
        word = row.word.copy()
        for column in (WORD_SCORES.index("accuracy"), WORD_SCORES.index("total")):
            word[:, column] = np.where(changed, np.minimum(word[:, column], guessed[:, column]), word[:, column])
        scored.append(replace(row, word=word))
    return scored


def _phone_summary(row: ScoredFeatures) -> Float64:
    """1, mean and lowest phone score of every word, shape (W, 3)."""
    words = [row.phone[row.features.word_ids == word] for word in range(len(row.word))]
    return np.array([[1.0, phones.mean(), phones.min()] for phones in words])
