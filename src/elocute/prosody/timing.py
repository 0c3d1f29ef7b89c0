"""When each phone was spoken, and where the speaker paused.

A CTC model marks a phone with a spike, not with its extent: the blank frames around spikes belong to the phones too,
unless they are quiet for long enough to be a pause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.types import SAMPLE_RATE_HZ, Audio, Float64, Int64

MIN_PAUSE_S = 0.15
"""A shorter silence between two phones belongs to them (a stop's closure lasts up to about 0.12 s)."""
MAX_EDGE_S = 0.12
"""How far the first and last phone may reach beyond their spikes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A silence between two phones.

    Attributes:
        start_s: begin.
        end_s: end.
        after_phone: index of the phone before it.
    """

    start_s: float
    end_s: float
    after_phone: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timing:
    """Times of all phones, in order and without overlap.

    Attributes:
        start_s: shape (L,), seconds.
        end_s: shape (L,), seconds, above start_s.
        pauses: silences between phones, in order.
        energy_db: shape (T,), level of each posterior frame, dB relative to full scale.
        quiet: shape (T,), whether the frame is at the level of the background.
        frame_shift_s: seconds a frame.
    """

    start_s: Float64
    end_s: Float64
    pauses: tuple[Pause, ...]
    energy_db: Float64
    quiet: NDArray[np.bool_]
    frame_shift_s: float

    @property
    def duration_s(self) -> Float64:
        """Length of each phone in seconds, shape (L,)."""
        return self.end_s - self.start_s


def frame_energy_db(audio: Audio, frames: int, frame_shift_s: float) -> Float64:
    """Level of each frame in dB relative to full scale, shape (frames,); the last frame may be cut short."""
    hop = round(frame_shift_s * SAMPLE_RATE_HZ)
    padded = np.zeros(frames * hop, dtype=np.float64)
    kept = audio.samples[: frames * hop]
    padded[: len(kept)] = kept
    power = np.square(padded.reshape(frames, hop)).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-10))


def quiet_frames(energy_db: Float64) -> NDArray[np.bool_]:
    """Frames at the level of the background: below a quarter of the way from the noise floor to loud speech."""
    floor, loud = np.percentile(energy_db, [5, 95])
    threshold = max(floor + 0.25 * (loud - floor), loud - 45.0)
    return np.asarray(energy_db < threshold)


def timing(spans: Int64, energy_db: Float64, frame_shift_s: float) -> Timing:
    """Turn the spikes of the best path into phone times and pauses.

    Args:
        spans: shape (L, 2), frames [start, end) of each phone's spike.
        energy_db: shape (T,), level of each frame.
        frame_shift_s: seconds a frame.

    Between two spikes, the longest run of quiet frames is a pause if it lasts `MIN_PAUSE_S`; otherwise the phones meet
    half way.
    """
    quiet = quiet_frames(energy_db)
    starts = np.empty(len(spans))
    ends = np.empty(len(spans))
    reach = round(MAX_EDGE_S / frame_shift_s)
    pauses = []
    first, last = int(spans[0, 0]), int(spans[-1, 1])
    while first > max(0, int(spans[0, 0]) - reach) and not quiet[first - 1]:
        first -= 1
    while last < min(len(quiet), int(spans[-1, 1]) + reach) and not quiet[last]:
        last += 1
    starts[0], ends[-1] = first, last
    for i, (left, right) in enumerate(zip(spans[:-1, 1].tolist(), spans[1:, 0].tolist(), strict=True)):
        begin, end = longest_run(quiet[left:right])
        if (end - begin) * frame_shift_s >= MIN_PAUSE_S:
            ends[i], starts[i + 1] = left + begin, left + end
            pauses.append(Pause(start_s=ends[i] * frame_shift_s, end_s=starts[i + 1] * frame_shift_s, after_phone=i))
        else:
            ends[i] = starts[i + 1] = (left + right) / 2
    return Timing(
        start_s=starts * frame_shift_s,
        end_s=ends * frame_shift_s,
        pauses=tuple(pauses),
        energy_db=energy_db,
        quiet=quiet,
        frame_shift_s=frame_shift_s,
    )


def longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Half-open range of the longest run of true values; (0, 0) if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    begins, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest])
