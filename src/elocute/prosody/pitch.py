"""Pitch, periodicity and intensity of a recording, a value every 10 ms.

The tracker that comes with elocute is Boersma's (1993): the autocorrelation of a windowed frame, divided by that of
the window, has its peaks at the period and its multiples; the best path through the candidates of all frames decides
what is voiced and in which octave. It needs numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from elocute.audio.frames import frames_of
from elocute.types import SAMPLE_RATE_HZ, Audio, Float32, Float64

FRAME_SHIFT_S = 0.01
SILENCE_DB = -100.0
"""Level given to digital silence."""
_HOP = round(FRAME_SHIFT_S * SAMPLE_RATE_HZ)
_INTENSITY_WIDTH = round(0.04 * SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pitch:
    """Pitch of a recording; frame n has its centre at `start_s + n * frame_shift_s`.

    Attributes:
        f0_hz: shape (N,), NaN where unvoiced.
        strength: shape (N,), periodicity from 0 (noise) to 1: of the chosen period where voiced; elsewhere of the most
            periodic candidate, or 0 where the tracker does not tell.
        intensity_db: shape (N,), level of the 40 ms around the centre, dB relative to full scale.
        frame_shift_s: seconds from one centre to the next.
        start_s: centre of frame 0.
    """

    f0_hz: Float64
    strength: Float64
    intensity_db: Float64
    frame_shift_s: float
    start_s: float

    def __len__(self) -> int:
        """Number of frames N."""
        return len(self.f0_hz)

    @property
    def is_voiced(self) -> NDArray[np.bool_]:
        """Shape (N,), whether the frame has a pitch."""
        return np.isfinite(self.f0_hz)

    @property
    def times_s(self) -> Float64:
        """Centres of the frames, shape (N,)."""
        return np.asarray(self.start_s + self.frame_shift_s * np.arange(len(self.f0_hz)), dtype=np.float64)

    def between(self, start_s: float, end_s: float) -> slice:
        """Frames whose centres lie in [start_s, end_s); empty where there is none."""
        first, last = (int(np.ceil((t - self.start_s) / self.frame_shift_s - 1e-9)) for t in (start_s, end_s))
        return slice(max(0, first), max(0, first, min(last, len(self.f0_hz))))


@runtime_checkable
class PitchTracker(Protocol):
    """Finds the pitch of a recording.

    Attributes:
        name: short name, as users type it.
    """

    @property
    def name(self) -> str:
        """Short name."""

    def track(self, audio: Audio) -> Pitch:
        """Pitch of one recording: a frame for every begun 10 ms, the first with its centre at 5 ms; deterministic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutocorrelationTracker:
    """Boersma's tracker; costs and thresholds are those of his paper and of Praat.

    Attributes:
        floor_hz: lowest pitch; the window spans three of its periods.
        ceiling_hz: highest pitch.
        candidates: periods considered in a frame, the strongest first.
        voicing_threshold: strength that unvoiced has in a loud frame.
        silence_threshold: a frame whose peak is below this share of the loud frames' is more likely unvoiced.
        octave_cost: how much each octave down costs a candidate; it decides between a period and its multiples.
        octave_jump_cost: of a step of one octave between frames.
        voicing_cost: of a change between voiced and unvoiced.

    Source: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of
        a sampled sound", IFA Proceedings 17 (1993), 97-110.
    Deviates: peaks are interpolated by a parabola, not by a windowed sinc; the loudness that silence is measured
        against is the one reached in 0.2 s, not the loudest sample, so that one bang does not silence the speech; the
        ends are padded with silence.
    """

    floor_hz: float = 75.0
    ceiling_hz: float = 600.0
    candidates: int = 8
    voicing_threshold: float = 0.45
    silence_threshold: float = 0.03
    octave_cost: float = 0.01
    octave_jump_cost: float = 0.35
    voicing_cost: float = 0.14

    @property
    def name(self) -> str:
        """Short name."""
        return "autocorrelation"

    def track(self, audio: Audio) -> Pitch:
        """Pitch of one recording.

        Cost: O(N) FFTs of 1,024 points; about 1/300 of real time on one core.
        """
        width = round(3 / self.floor_hz * SAMPLE_RATE_HZ / 2) * 2
        blocks = [self._candidates(frames) for frames in blocks_of_frames(audio.samples, width)]
        lag, strength, intensity, peak = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        chosen = self._best_path(lag, strength, peak)
        rows = np.arange(len(lag))
        is_voiced = chosen > 0
        column = np.maximum(chosen - 1, 0)
        with np.errstate(divide="ignore"):
            f0 = np.where(is_voiced, SAMPLE_RATE_HZ / lag[rows, column], np.nan)
        return Pitch(
            f0_hz=f0,
            strength=np.where(is_voiced, strength[rows, column], strength.max(axis=1)).clip(0.0, 1.0),
            intensity_db=intensity,
            frame_shift_s=FRAME_SHIFT_S,
            start_s=FRAME_SHIFT_S / 2,
        )

    def _candidates(self, frames: Float32) -> tuple[Float64, Float64, Float64, Float64]:
        """Lags (B, K) in samples and their strengths, 0 where there is none; intensity (B,) in dB, and peak (B,)."""
        width = frames.shape[1]
        window, correlation = _window(width, lags=round(SAMPLE_RATE_HZ / self.floor_hz) + 2)
        frames = frames - frames.mean(axis=1, keepdims=True)
        half = round(SAMPLE_RATE_HZ / self.floor_hz / 2)
        peak = np.abs(frames[:, width // 2 - half : width // 2 + half]).max(axis=1)
        frames *= window
        size = 1 << (width + len(correlation) - 1).bit_length()
        spectrum = np.fft.rfft(frames, size)
        raw = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:, : len(correlation)]
        power = raw[:, :1]
        r = np.asarray(raw / np.maximum(power, 1e-20) / correlation, dtype=np.float32)
        lag, strength = self._peaks(r)
        return lag, strength, _level_db(power[:, 0], window), peak.astype(np.float64)

    def _peaks(self, r: Float32) -> tuple[Float64, Float64]:
        """The strongest peaks of each row of normalised autocorrelations (B, lags): lags (B, K) and strengths."""
        shortest = max(2, int(SAMPLE_RATE_HZ / self.ceiling_hz))
        middle = r[:, shortest:-1]
        is_peak = (middle > r[:, shortest - 1 : -2]) & (middle >= r[:, shortest + 1 :])
        is_peak &= middle > self.voicing_threshold / 2
        rows, columns = np.nonzero(is_peak)
        columns += shortest
        before, here, after = (r[rows, columns + step].astype(np.float64) for step in (-1, 0, 1))
        slope, bend = (after - before) / 2, 2 * here - before - after
        shift = slope / bend
        lag, height = columns + shift, here + slope * shift / 2
        # A strength above 1 is the window's doing; Praat folds it back in the same way.
        height = np.where(height > 1, 1 / height, height)
        is_in_range = (lag >= SAMPLE_RATE_HZ / self.ceiling_hz) & (lag <= SAMPLE_RATE_HZ / self.floor_hz)
        rows, lag, height = rows[is_in_range], lag[is_in_range], height[is_in_range]
        order = np.lexsort((self.octave_cost * np.log2(lag) - height, rows))
        rows, lag, height = rows[order], lag[order], height[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        is_kept = rank < self.candidates
        found = np.zeros((2, len(r), self.candidates))
        found[:, rows[is_kept], rank[is_kept]] = lag[is_kept], height[is_kept]
        return found[0], found[1]

    def _best_path(self, lag: Float64, strength: Float64, peak: Float64) -> NDArray[np.intp]:
        """Best state of each frame, shape (N,): 0 unvoiced, k candidate k - 1 (Viterbi)."""
        is_there = lag > 0
        octaves = np.log2(np.where(is_there, lag, 1.0))
        local = np.empty((len(lag), 1 + lag.shape[1]))
        quiet = 2 - peak / max(_loud(peak), 1e-9) * (1 + self.voicing_threshold) / self.silence_threshold
        local[:, 0] = self.voicing_threshold + np.maximum(0.0, quiet)
        below_ceiling = octaves - np.log2(SAMPLE_RATE_HZ / self.ceiling_hz)
        local[:, 1:] = np.where(is_there, strength - self.octave_cost * below_ceiling, -np.inf)
        step = np.empty((len(lag) - 1, 1 + lag.shape[1], 1 + lag.shape[1]))
        step[:, 0, :] = step[:, :, 0] = -self.voicing_cost
        step[:, 0, 0] = 0.0
        step[:, 1:, 1:] = -self.octave_jump_cost * np.abs(octaves[:-1, :, None] - octaves[1:, None, :])
        step += local[1:, None, :]
        best = local[0]
        back = np.empty((len(step), step.shape[1]), dtype=np.intp)
        for t, steps in enumerate(step):
            total = steps + best[:, None]
            back[t] = total.argmax(axis=0)
            best = total.max(axis=0)
        path = np.empty(len(lag), dtype=np.intp)
        path[-1] = best.argmax()
        for t in range(len(back) - 1, -1, -1):
            path[t] = back[t, path[t + 1]]
        return path


def load() -> AutocorrelationTracker:
    """The tracker that comes with elocute."""
    return AutocorrelationTracker()


def intensity_db(audio: Audio) -> Float64:
    """Level of each 10 ms in dB relative to full scale, shape (N,): mean square under a Hann window of 40 ms."""
    window, _ = _window(_INTENSITY_WIDTH, lags=1)
    levels = []
    for block in blocks_of_frames(audio.samples, _INTENSITY_WIDTH):
        frames = (block - block.mean(axis=1, keepdims=True)) * window
        levels.append(_level_db(np.square(frames).sum(axis=1), window))
    return np.concatenate(levels)


def _level_db(energy: NDArray[np.floating[Any]], window: Float32) -> Float64:
    """Level of windowed frames from their sums of squares."""
    power = energy.astype(np.float64) / float(np.square(window).sum())
    return np.asarray(10 * np.log10(power + 10 ** (SILENCE_DB / 10)), dtype=np.float64)


def frame_count(samples: int) -> int:
    """Frames of a recording of so many samples: one for every begun 10 ms."""
    return -(-samples // _HOP)


def blocks_of_frames(samples: Float32, width: int, rows: int = 256) -> Iterator[Float32]:
    """Overlapping frames, shape (B, width), block by block; frame n has its centre at (n + 1/2) * 10 ms."""
    count = frame_count(len(samples))
    left = (width - _HOP) // 2
    padded = np.zeros((count - 1) * _HOP + width, dtype=np.float32)
    padded[left : left + len(samples)] = samples
    frames = frames_of(padded, width, _HOP)
    for start in range(0, count, rows):
        yield frames[start : start + rows]


@cache
def _window(width: int, lags: int) -> tuple[Float32, Float32]:
    """Hann window (width,) and its autocorrelation (lags,) relative to lag 0."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(width) + 0.5) / width)
    correlation = np.correlate(window, window, "full")[width - 1 :][:lags]
    return window.astype(np.float32), (correlation / correlation[0]).astype(np.float32)


def _loud(peak: Float64) -> float:
    """Peak that the loudest 0.2 s of frames reach."""
    rank = min(len(peak), round(0.2 / FRAME_SHIFT_S))
    return float(np.partition(peak, -rank)[-rank])
