"""How far copies of a model differ, on recordings: log-probabilities, what wins each frame, and GOP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from elocute.acoustic import Backend
from elocute.acoustic.protocol import bare_audio
from elocute.audio import load_audio
from elocute.errors import AlignmentError, ConfigError, PhoneError, TextError
from elocute.evaluation.metrics import pcc
from elocute.gop import alternatives, gop_sf
from elocute.phones import phonemize
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64, Posteriors

SYNTHETIC_S = (0.3, 1.07, 4.0, 11.31)
"""Seconds of the sounds that are compared where there are no recordings."""
GOP_FLOOR = -36.0
"""Nats at which GOP is cut, as the scorer cuts it, so that no phone outweighs all others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """A recording to compare on, and the phones of its text; none where there is no text."""

    audio: Audio
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How two copies of a model differ.

    Attributes:
        copies: which, the one to measure by first.
        frames: that were compared.
        max_nats: largest difference of a log-probability.
        mean_nats: mean difference of log-probabilities, every column of every frame.
        mean_probability: mean difference of probabilities.
        argmax_agreement: share of frames in which the same label wins.
        phones: whose GOP was compared.
        gop_pcc: Pearson correlation of GOP-SF-SD between the copies; None without texts, or where GOP is constant.
        gop_mean_nats: mean difference of it; None without texts.
    """

    copies: tuple[str, str]
    frames: int
    max_nats: float
    mean_nats: float
    mean_probability: float
    argmax_agreement: float
    phones: int
    gop_pcc: float | None
    gop_mean_nats: float | None


def synthetic_samples() -> list[Sample]:
    """Gliding tones in noise, of several lengths."""
    rng = np.random.default_rng(0)
    samples = []
    for seconds in SYNTHETIC_S:
        time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        wave = 0.1 * np.sin(2 * np.pi * (120 + 40 * np.sin(3 * time)) * time) + rng.normal(0, 0.02, time.shape)
        samples.append(Sample(audio=bare_audio(wave.astype(np.float32))))
    return samples


def read_samples(path: Path, limit: int) -> list[Sample]:
    """The first recordings of a manifest (`elocute batch`), of a folder of transcribed speech, or of a plain folder.

    A folder is of transcribed speech if it has `transcripts.tsv`; else every file in it is a recording without a text.

    Raises:
        ConfigError: there is none.
        AudioError: a recording cannot be used.
    """
    from elocute.batch.manifest import read_manifest
    from elocute.corpora.transcribed import read_transcribed

    pairs: list[tuple[Path, str | None]]
    if path.is_file():
        pairs = [(row.audio, row.text) for row in read_manifest(path).rows]
    elif (path / "transcripts.tsv").is_file():
        pairs = [(item.audio, item.text) for item in read_transcribed(path)]
    elif path.is_dir():
        pairs = [(file, None) for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
    else:
        raise ConfigError(f"recordings are {path}, which does not exist; give a manifest or a folder of recordings")
    if not pairs:
        raise ConfigError(f"{path} holds no recordings; give a manifest or a folder of recordings")
    return [Sample(audio=load_audio(audio), phones=_phones(text)) for audio, text in pairs[:limit]]


def _phones(text: str | None) -> tuple[str, ...]:
    """Canonical phones of a text; none where there is no text, or nothing in it to say."""
    if text is None:
        return ()
    try:
        return tuple(phone.symbol for phone in phonemize(text).phones)
    except (PhoneError, TextError):
        return ()  # compared without GOP, which `Parity.phones` shows


def hear(
    backend: Backend, samples: Sequence[Sample], progress: Callable[[int, int], None] | None = None
) -> list[Posteriors]:
    """What a copy hears in all samples."""
    heard = []
    for number, sample in enumerate(samples, start=1):
        heard.append(backend.posteriors(sample.audio))
        if progress:
            progress(number, len(samples))
    return heard


def compare(
    copies: tuple[str, str], samples: Sequence[Sample], left: Sequence[Posteriors], right: Sequence[Posteriors]
) -> Parity:
    """Compare what two copies heard.

    Raises:
        ConfigError: they differ in frames or labels, or one says NaN.
    """
    gaps, probability, winners, gop = [], [], [], []
    for sample, one, other in zip(samples, left, right, strict=True):
        one, other = _alike(one, other)
        a, b = one.log_probs.astype(np.float64), other.log_probs.astype(np.float64)
        if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ConfigError(
                f"{copies[1]} gives log-probabilities of shape {b.shape}, {np.isfinite(b).mean():.0%} of them finite, "
                f"for {sample.audio.duration_s:.2f} s; {copies[0]} gives {a.shape}; this model cannot be exported"
            )
        gaps.append(np.abs(a - b))
        probability.append(np.abs(np.exp(a) - np.exp(b)))
        winners.append(a.argmax(axis=1) == b.argmax(axis=1))
        gop.append(_both_gop(sample, one, other))
    flat = np.concatenate([gap.ravel() for gap in gaps])
    scores: Float64 = np.concatenate(gop)
    correlation = pcc(*scores.T) if len(scores) > 1 else float("nan")
    return Parity(
        copies=copies,
        frames=sum(map(len, gaps)),
        max_nats=float(flat.max()),
        mean_nats=float(flat.mean()),
        mean_probability=float(np.concatenate([part.ravel() for part in probability]).mean()),
        argmax_agreement=float(np.concatenate(winners).mean()),
        phones=len(scores),
        gop_pcc=correlation if np.isfinite(correlation) else None,
        gop_mean_nats=float(np.abs(scores[:, 0] - scores[:, 1]).mean()) if len(scores) else None,
    )


def _alike(one: Posteriors, other: Posteriors) -> tuple[Posteriors, Posteriors]:
    """Both without a last row that only one has.

    Front ends of transformers pad to whole rows and mask what they padded; graphs leave it out.
    """
    T = min(len(one.log_probs), len(other.log_probs))
    if abs(len(one.log_probs) - len(other.log_probs)) > 1:
        return one, other
    return replace(one, log_probs=one.log_probs[:T]), replace(other, log_probs=other.log_probs[:T])


def _both_gop(sample: Sample, one: Posteriors, other: Posteriors) -> Float64:
    """GOP of every phone by two copies, shape (L, 2); nothing where there is no text or no room for it."""
    if not sample.phones:
        return np.empty((0, 2))
    columns = []
    for heard in (one, other):
        canonical = [heard.phone_set.id_of(symbol) for symbol in sample.phones]
        try:
            columns.append(gop_sf(alternatives(heard.log_probs, canonical, heard.phone_set), "SD"))
        except AlignmentError:
            return np.empty((0, 2))
    return np.maximum(np.column_stack(columns), GOP_FLOOR)
