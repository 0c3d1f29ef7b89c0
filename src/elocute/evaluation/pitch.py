"""One pitch tracker against another on real recordings: gross and fine errors, voicing, and speed.

Measures as in Rabiner et al. 1976: a frame that both call voiced is a gross error where the two differ by more than
20 %; the others give the fine error. Neither tracker is the truth; that Praat is taken for it is a convention.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.audio import load_audio
from elocute.errors import AudioError, ConfigError
from elocute.evaluation.bootstrap import Draws, Estimate, estimate_of_sums, ratio
from elocute.prosody.pitch import Pitch, PitchTracker
from elocute.types import Audio, Float64

FORMAT = "elocute pitch 1"
GROSS = 0.2
"""Share of the reference's pitch from which an error is gross."""
SUFFIXES = frozenset(".wav .flac .opus .ogg .mp3 .m4a .aac .webm .aif .aiff".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file; who speaks is told by its folder, where the recordings have several."""

    path: Path
    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Frames of one recording.

    Attributes:
        frames: all.
        agreeing: voiced in both or in neither.
        missed: voiced in the reference only.
        added: voiced in the tracker only.
        both: voiced in both.
        too_high: of both, more than 20 % above the reference.
        too_low: of both, more than 20 % below.
        cents: sum of the absolute differences of the frames that are no gross errors, cents.
        duration_s: of the recording.
        tracker_s: time that the tracker took.
        reference_s: time that the reference took.
    """

    frames: int
    agreeing: int
    missed: int
    added: int
    both: int
    too_high: int
    too_low: int
    cents: float
    duration_s: float
    tracker_s: float
    reference_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRow:
    """Measures of one folder, or of all.

    Attributes:
        folder: its name.
        recordings: how many.
        speakers: how many.
        both: frames voiced in both.
        gross: share of them that differ by more than 20 %.
        too_high: share of them above by more.
        too_low: share of them below by more.
        fine_cents: mean absolute difference of the others, cents.
        voicing: share of all frames on whose voicing both agree.
        missed: share of the reference's voiced frames that the tracker calls unvoiced.
        added: share of the reference's unvoiced frames that the tracker calls voiced.
        times_real: seconds of recordings that the tracker does in a second.
        times_reference: speed as a multiple of the reference's.
    """

    folder: str
    recordings: int
    speakers: int
    both: int
    gross: Estimate
    too_high: Estimate
    too_low: Estimate
    fine_cents: Estimate
    voicing: Estimate
    missed: Estimate
    added: Estimate
    times_real: float
    times_reference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PitchResult:
    """The whole evaluation; `folders` ends with all of them together where there are several."""

    tracker: str
    reference: str
    folders: tuple[FolderRow, ...]
    refused: Mapping[str, str]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]


def find_recordings(folder: Path, limit: int | None, seed: int) -> tuple[Recording, ...]:
    """Recordings anywhere in a folder, in order; `limit` of them drawn at random.

    Raises:
        ConfigError: no such folder, or no recordings in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; expected one with recordings")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise ConfigError(f"{folder} has no recordings; expected files ending in {', '.join(sorted(SUFFIXES))}")
    has_speakers = len({path.parent for path in paths}) > 1
    drawn = np.random.default_rng(seed).permutation(len(paths))[:limit]
    chosen = [paths[index] for index in sorted(drawn.tolist())]
    return tuple(Recording(path=path, speaker=str(path.parent if has_speakers else path)) for path in chosen)


def measure_recordings(
    recordings: Sequence[Recording], tracker: PitchTracker, reference: PitchTracker
) -> Iterator[Counts | AudioError]:
    """Counts of each recording, or why it was refused."""
    for recording in recordings:
        try:
            audio = load_audio(recording.path)
        except AudioError as error:
            yield error
            continue
        own, tracker_s = _timed(tracker, audio)
        truth, reference_s = _timed(reference, audio)
        yield count(own, truth, duration_s=audio.duration_s, tracker_s=tracker_s, reference_s=reference_s)


def _timed(tracker: PitchTracker, audio: Audio) -> tuple[Pitch, float]:
    """A tracker's answer, and the seconds that it took."""
    started = time.perf_counter()
    return tracker.track(audio), time.perf_counter() - started


def count(own: Pitch, truth: Pitch, *, duration_s: float, tracker_s: float, reference_s: float) -> Counts:
    """Compare two trackers on one recording, frame by frame."""
    both = own.is_voiced & truth.is_voiced
    relative = own.f0_hz[both] / truth.f0_hz[both]
    is_gross = np.abs(relative - 1) > GROSS
    return Counts(
        frames=len(own),
        agreeing=int((own.is_voiced == truth.is_voiced).sum()),
        missed=int((~own.is_voiced & truth.is_voiced).sum()),
        added=int((own.is_voiced & ~truth.is_voiced).sum()),
        both=int(both.sum()),
        too_high=int((relative > 1 + GROSS).sum()),
        too_low=int((relative < 1 - GROSS).sum()),
        cents=float(np.abs(1200 * np.log2(relative[~is_gross])).sum()),
        duration_s=duration_s,
        tracker_s=tracker_s,
        reference_s=reference_s,
    )


def summarise(name: str, counts: Sequence[Counts], speakers: Sequence[str], draws: int) -> FolderRow:
    """Measures over recordings, with intervals over speakers."""
    names = sorted(set(speakers))
    speaker = np.array([names.index(one) for one in speakers], dtype=np.int64)
    resamples = Draws.of(len(names), draws)

    def column(*fields: str) -> Float64:
        return np.array([sum(getattr(one, field) for field in fields) for one in counts], dtype=np.float64)

    def share(part: Float64, whole: Float64) -> Estimate:
        return estimate_of_sums(ratio, speaker, np.column_stack([part, whole]), resamples)

    both, frames = column("both"), column("frames")
    high, low = column("too_high"), column("too_low")
    tracker_s = float(column("tracker_s").sum())
    return FolderRow(
        folder=name,
        recordings=len(counts),
        speakers=len(names),
        both=int(both.sum()),
        gross=share(high + low, both),
        too_high=share(high, both),
        too_low=share(low, both),
        fine_cents=share(column("cents"), both - high - low),
        voicing=share(column("agreeing"), frames),
        missed=share(column("missed"), column("missed", "both")),
        added=share(column("added"), frames - column("missed", "both")),
        times_real=float(column("duration_s").sum()) / tracker_s,
        times_reference=float(column("reference_s").sum()) / tracker_s,
    )
