"""The pitch as it is drawn: runs of voiced frames on an axis of semitones, with round frequencies beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elocute.prosody.pauses import runs_of
from elocute.prosody.pitch import Pitch
from elocute.types import Float64

_LEAST_RANGE_ST = 12.0
"""An axis spans an octave at least, so that a flat melody looks flat."""
_MARGIN_ST = 1.5
_ROUND_HZ = (40, 50, 60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Neighbouring voiced frames: `times_s` and `f0_hz`, both of shape (n,)."""

    times_s: Float64
    f0_hz: Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Melody:
    """Pitch with its axis.

    Attributes:
        runs: voiced stretches, in order.
        low_hz: lower end of the axis.
        high_hz: upper end.
        median_hz: the speaker's middle pitch, 0 of the axis in semitones.
    """

    runs: tuple[Run, ...]
    low_hz: float
    high_hz: float
    median_hz: float

    def height(self, f0_hz: Float64) -> Float64:
        """Place on the axis, evenly by semitone: 0 at its lower end, 1 at its upper; what lies beyond is at the end."""
        share = np.log(f0_hz / self.low_hz) / np.log(self.high_hz / self.low_hz)
        return np.asarray(np.clip(share, 0.0, 1.0))

    @property
    def ticks_hz(self) -> tuple[int, ...]:
        """Round frequencies on the axis, at least three semitones apart."""
        kept: list[int] = []
        for tick in _ROUND_HZ:
            if self.low_hz <= tick <= self.high_hz and (not kept or 12 * np.log2(tick / kept[-1]) >= 3.0):
                kept.append(tick)
        return tuple(kept)

    @property
    def ticks_st(self) -> tuple[int, ...]:
        """Semitones over and under the median that are marked."""
        low, high = (12 * float(np.log2(end / self.median_hz)) for end in (self.low_hz, self.high_hz))
        step = 6 if high - low > 15 else 3
        return tuple(range(int(np.ceil(low / step)) * step, int(high) + 1, step))


def melody(pitch: Pitch | None) -> Melody | None:
    """Lay out a pitch; None where there is none, or nothing is voiced."""
    if pitch is None or not pitch.is_voiced.any():
        return None
    voiced = pitch.is_voiced
    runs = tuple(
        Run(times_s=pitch.times_s[first:last], f0_hz=pitch.f0_hz[first:last]) for first, last in runs_of(voiced)
    )
    # A lone octave error must not squeeze the rest, so the axis leaves the outermost frames aside.
    low, high = 12 * np.log2(np.percentile(pitch.f0_hz[voiced], [2, 98]))
    spare = max(_MARGIN_ST, (_LEAST_RANGE_ST - (high - low)) / 2)
    return Melody(
        runs=runs,
        low_hz=float(2 ** ((low - spare) / 12)),
        high_hz=float(2 ** ((high + spare) / 12)),
        median_hz=float(np.median(pitch.f0_hz[voiced])),
    )
