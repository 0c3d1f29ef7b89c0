"""A melody beside that of a reference recording of the same sentence: how far apart, and how much alike.

Speakers differ in height of voice, which is no fault, so each melody is counted from its own median. Where phone times
of both are at hand, the same place of the same phone is compared; without them the recordings are aligned by dynamic
time warping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.prosody.intonation import semitones
from elocute.prosody.pitch import Pitch
from elocute.types import Float64

LEAST_COMPARED_S = 0.3
"""With less in common that is voiced in both, nothing is said."""
_STEP = 2
"""Frames that warping takes together: 20 ms."""
_MOST_STEPS = 1_500
_INTENSITY_WEIGHT, _VOICING_WEIGHT, _PITCH_WEIGHT = 1.0, 1.0, 0.25
_DETOUR = 0.3
"""Cost of a step along one recording only, standard deviations: keeps the path from hunting for likeness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MelodyComparison:
    """Two melodies of one sentence.

    Attributes:
        distance_st: mean distance in semitones, each counted from its median over what is compared.
        correlation: Pearson's; None where one of them is flat.
        compared_s: seconds of the first recording that are voiced in both.
    """

    distance_st: float
    correlation: float | None
    compared_s: float


def compare_melodies(
    pitch: Pitch, said_s: Float64, reference: Pitch, reference_said_s: Float64
) -> MelodyComparison | None:
    """Compare what was said in two recordings.

    Args:
        pitch: of the recording.
        said_s: shape (K, 2), begin and end in seconds of each stretch that was said, in order.
        reference: pitch of the reference recording.
        reference_said_s: the same of the reference. Where it has as many stretches, and more than one, stretch k of
            either is taken for the same phone or word, and its inside as running evenly; else all is warped.

    Returns: None where less than 0.3 s is voiced in both.
    """
    melody, other = semitones(pitch, said_s), semitones(reference, reference_said_s)
    is_paired = len(said_s) == len(reference_said_s) > 1
    own, others = (
        paired_frames(pitch, said_s, reference, reference_said_s)
        if is_paired
        else warped_frames(pitch, melody, said_s, reference, other, reference_said_s)
    )
    is_both = np.isfinite(melody[own]) & np.isfinite(other[others])
    own, others = own[is_both], others[is_both]
    frames = np.unique(own)
    spacing = int(np.diff(frames).min()) if len(frames) > 1 else 1
    compared_s = len(frames) * spacing * pitch.frame_shift_s
    if compared_s < LEAST_COMPARED_S:
        return None
    x, y = melody[own] - np.median(melody[own]), other[others] - np.median(other[others])
    return MelodyComparison(
        distance_st=float(np.abs(x - y).mean()),
        correlation=float(np.corrcoef(x, y)[0, 1]) if min(x.std(), y.std()) > 1e-6 else None,
        compared_s=compared_s,
    )


def paired_frames(
    pitch: Pitch, stretches_s: Float64, reference: Pitch, reference_s: Float64
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Frames of the recording inside the stretches, and for each the frame of the reference at the same place."""
    own, others = [], []
    times = pitch.times_s
    for (start_s, end_s), (from_s, to_s) in zip(stretches_s.tolist(), reference_s.tolist(), strict=True):
        frames = np.arange(len(pitch))[pitch.between(start_s, end_s)]
        place = (times[frames] - start_s) / max(end_s - start_s, 1e-9)
        target = (from_s + place * (to_s - from_s) - reference.start_s) / reference.frame_shift_s
        own.append(frames)
        others.append(np.clip(np.round(target), 0, len(reference) - 1).astype(np.intp))
    return np.concatenate(own), np.concatenate(others)


def warped_frames(
    pitch: Pitch, melody: Float64, said_s: Float64, reference: Pitch, other: Float64, reference_s: Float64
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Frames of both along the best alignment by intensity, voicing and, lightly, pitch."""
    own, features = _described(pitch, melody, said_s)
    others, targets = _described(reference, other, reference_s)
    if not len(own) or not len(others):
        empty = np.empty(0, dtype=np.intp)
        return empty, empty
    rows, columns = warp(features, targets)
    return own[rows], others[columns]


def _described(pitch: Pitch, melody: Float64, said_s: Float64) -> tuple[NDArray[np.intp], Float64]:
    """Every second frame that was said, (M,), and what warping compares there, (M, 3)."""
    inside = [np.arange(len(pitch))[pitch.between(start_s, end_s)] for start_s, end_s in said_s.tolist()]
    frames = np.concatenate(inside)[::_STEP] if inside else np.empty(0, dtype=np.intp)
    frames = frames[:: -(-len(frames) // _MOST_STEPS) or 1]
    voiced = np.isfinite(melody)
    if not len(frames) or not voiced.any():
        return frames[:0], np.empty((0, 3))
    level = pitch.intensity_db[frames]
    heights = np.interp(frames, np.flatnonzero(voiced), melody[voiced])
    columns = (
        _INTENSITY_WEIGHT * (level - level.mean()) / max(float(level.std()), 1e-6),
        _VOICING_WEIGHT * 2.0 * pitch.is_voiced[frames],
        _PITCH_WEIGHT * (heights - np.median(heights)),
    )
    return frames, np.column_stack(columns)


def warp(features: Float64, targets: Float64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Best alignment of two sequences (A, D) and (B, D) by dynamic time warping, from both begins to both ends.

    Each pair costs the distance of its features, a step along one side only `_DETOUR` more. Cells of an antidiagonal
    do not depend on each other, so they are computed together.

    Returns: rows and columns of the pairs along the path, in order.

    Source: H. Sakoe and S. Chiba 1978, symmetric form without slope constraint.
    """
    A, B = len(features), len(targets)
    cost = np.sqrt(
        np.maximum(
            np.square(features).sum(axis=1)[:, None] + np.square(targets).sum(axis=1) - 2 * features @ targets.T, 0.0
        )
    )
    total = np.full((A + 1, B + 1), np.inf)
    total[0, 0] = 0.0
    step = np.zeros((A, B), dtype=np.int8)
    for diagonal in range(A + B - 1):
        i = np.arange(max(0, diagonal - B + 1), min(A, diagonal + 1))
        j = diagonal - i
        options = np.stack([total[i, j], total[i, j + 1] + _DETOUR, total[i + 1, j] + _DETOUR])
        step[i, j] = options.argmin(axis=0)
        total[i + 1, j + 1] = cost[i, j] + options.min(axis=0)
    rows, columns = [A - 1], [B - 1]
    while rows[-1] or columns[-1]:
        move = step[rows[-1], columns[-1]]
        rows.append(rows[-1] - (move != 2))
        columns.append(columns[-1] - (move != 1))
    return np.array(rows[::-1], dtype=np.intp), np.array(columns[::-1], dtype=np.intp)
