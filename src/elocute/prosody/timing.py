"""When each phone was spoken, and where the speaker paused.

A CTC model marks a phone with a spike, not with its extent: the blank frames around spikes belong to the phones too,
unless they are quiet for long enough to be a pause. Where one phone ends and the next begins, the sound says
(`boundaries`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from elocute.prosody.boundaries import Section, phone_edges
from elocute.prosody.pauses import MIN_PAUSE_S, Pause, runs_of
from elocute.prosody.sound import FRAME_S, SILENCE, Sound
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64, Int64

MAX_EDGE_S = 0.12
"""How far the first and last phone may reach beyond their spikes."""


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


def timing(spans: Int64, energy_db: Float64, frame_shift_s: float, pauses: Sequence[Pause] | None = None) -> Timing:
    """Turn the spikes of the best path into phone times and pauses.

    Args:
        spans: shape (L, 2), frames [start, end) of each phone's spike.
        energy_db: shape (T,), level of each frame.
        frame_shift_s: seconds a frame.
        pauses: from `find_pauses`; None takes quiet frames for pauses.

    Without `pauses`, between two spikes, the longest run of quiet frames is a pause if it lasts `MIN_PAUSE_S`;
    otherwise the phones meet half way.
    """
    quiet = quiet_frames(energy_db)
    starts = np.empty(len(spans))
    ends = np.empty(len(spans))
    reach = round(MAX_EDGE_S / frame_shift_s)
    given = None if pauses is None else {pause.after_phone: pause for pause in pauses}
    kept = []
    first, last = int(spans[0, 0]), int(spans[-1, 1])
    while first > max(0, int(spans[0, 0]) - reach) and not quiet[first - 1]:
        first -= 1
    while last < min(len(quiet), int(spans[-1, 1]) + reach) and not quiet[last]:
        last += 1
    starts[0], ends[-1] = first, last
    for i, (left, right) in enumerate(zip(spans[:-1, 1].tolist(), spans[1:, 0].tolist(), strict=True)):
        if given is None:
            begin, end = (left + frame for frame in longest_run(quiet[left:right]))
        else:
            begin, end = _between_spikes(given.get(i), spans[i], spans[i + 1], frame_shift_s)
        if round((end - begin) * frame_shift_s, 6) >= MIN_PAUSE_S:
            ends[i], starts[i + 1] = begin, end
            kept.append(Pause(start_s=begin * frame_shift_s, end_s=end * frame_shift_s, after_phone=i))
        else:
            ends[i] = starts[i + 1] = (left + right) / 2
    return Timing(
        start_s=starts * frame_shift_s,
        end_s=ends * frame_shift_s,
        pauses=tuple(kept),
        energy_db=energy_db,
        quiet=quiet,
        frame_shift_s=frame_shift_s,
    )


def _between_spikes(pause: Pause | None, left: Int64, right: Int64, frame_shift_s: float) -> tuple[float, float]:
    """Begin and end of a pause in frames, (0, 0) for none: half of a spike at least is left to its phone."""
    if pause is None:
        return 0.0, 0.0
    least, most = float(left @ (0.25, 0.75)), float(right @ (0.75, 0.25))
    return max(pause.start_s / frame_shift_s, least), min(pause.end_s / frame_shift_s, most)


def refined(rough: Timing, spans: Int64, sound: Sound, phones: Int64, pauses: Sequence[Pause] | None = None) -> Timing:
    """Phone times that the sound confirms, to 10 ms, in place of half way between spikes.

    Args:
        rough: from `timing`.
        spans: shape (L, 2), frames [start, end) of each phone's spike.
        sound: of the same recording, from `listen`.
        phones: shape (L,), indices of `PHONES`.
        pauses: in place of those of `rough`, in order; what reaches over a spike must sound like silence, and one
            that leaves a phone no room is dropped.
    """
    frames = round(len(rough.energy_db) * rough.frame_shift_s / FRAME_S)
    wanted = rough.pauses if pauses is None else tuple(pauses)
    if frames < len(spans):
        return rough  # not even a frame for each phone
    kept = _with_room(_believed(wanted, spans.astype(np.float64) * rough.frame_shift_s, sound), len(spans), frames)
    spikes = np.round(spans * (rough.frame_shift_s / FRAME_S)).astype(np.int64)
    starts, ends = np.empty(len(spans)), np.empty(len(spans))
    stops = [*((pause.after_phone + 1, pause.start_s, pause.end_s) for pause in kept), (len(spans), 0.0, 0.0)]
    first, begin = 0, 0
    for last, pause_start_s, pause_end_s in stops:
        is_last = last == len(spans)
        end = frames if is_last else _frame_before(pause_start_s)
        section = Section(
            first=first, last=last, begin=begin, end=end, is_open_before=first == 0, is_open_after=is_last
        )
        edges = phone_edges(sound, phones, spikes, section) * FRAME_S
        starts[first:last], ends[first:last] = edges[:-1], edges[1:]
        first, begin = last, _frame_behind(pause_end_s)
    for pause in kept:  # which may begin and end inside a frame
        ends[pause.after_phone], starts[pause.after_phone + 1] = pause.start_s, pause.end_s
    return replace(rough, start_s=starts, end_s=ends, pauses=kept)


def _believed(pauses: Sequence[Pause], spikes_s: Float64, sound: Sound) -> list[Pause]:
    """The pauses, without what reaches over the middle of a spike beside them unless silence is heard there.

    In loud noise, quiet phones are taken for silence, and the spikes know better; on the other hand the spike of a
    phone may lie behind the pause that follows it.
    """
    middles_s = spikes_s.mean(axis=1)
    kept = []
    for pause in pauses:
        before_s, behind_s = float(middles_s[pause.after_phone]), float(middles_s[pause.after_phone + 1])
        start_s, end_s = pause.start_s, pause.end_s
        if start_s < before_s and not _is_silent(sound, start_s, min(before_s, end_s)):
            start_s = before_s
        if end_s > behind_s and not _is_silent(sound, max(behind_s, start_s), end_s):
            end_s = behind_s
        if round(end_s - start_s, 6) >= MIN_PAUSE_S:
            kept.append(replace(pause, start_s=round(start_s, 6), end_s=round(end_s, 6)))
    return kept


def _is_silent(sound: Sound, start_s: float, end_s: float) -> bool:
    """Whether more than half of a stretch sounds like silence."""
    heard = sound.log_probs[_frame_before(start_s) : _frame_behind(end_s), SILENCE]
    return bool(len(heard)) and float(np.exp(heard).mean()) > 0.5


def _with_room(pauses: Sequence[Pause], phones: int, frames: int) -> tuple[Pause, ...]:
    """The pauses between which there is at least one frame for each phone."""
    kept: list[Pause] = []
    for pause in pauses:
        first, begin = (kept[-1].after_phone + 1, _frame_behind(kept[-1].end_s)) if kept else (0, 0)
        if _frame_before(pause.start_s) - begin >= pause.after_phone + 1 - first:
            kept.append(pause)
    while kept and frames - _frame_behind(kept[-1].end_s) < phones - (kept[-1].after_phone + 1):
        kept.pop()
    return tuple(kept)


def _frame_before(time_s: float) -> int:
    """Whole frames before a time, which binary fractions may miss by a bit."""
    return int(time_s / FRAME_S + 1e-6)


def _frame_behind(time_s: float) -> int:
    """The first frame that begins at a time or later."""
    return int(np.ceil(time_s / FRAME_S - 1e-6))


def longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Half-open range of the longest run of true values, the first of several; (0, 0) if there is none."""
    return max(runs_of(flags), key=lambda run: run[1] - run[0], default=(0, 0))
