"""Intonation: how high, how wide, how steep the pitch of an utterance is, how it ends, and how flat it sounds.

Pitch is counted in semitones, as it is heard. Only the words that were said count: breath, noise and what was said
beside the text are left out by whoever gives the stretches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from elocute.prosody.pauses import runs_of
from elocute.prosody.pitch import Pitch
from elocute.types import Float64

Contour = Literal["rise", "fall", "level"]

REFERENCE_HZ = 100.0
"""0 semitones."""
LEAST_VOICED_S = 0.3
"""With less voice than this, nothing is said of the melody."""
LEAST_SPAN_S = 1.0
"""A shorter utterance has no declination."""
TURN_ST = 1.0
"""A smaller movement is the jitter of a voice, no turn of the melody."""
LEVEL_ST = 1.5
"""A final movement up to this is level; listeners hear movements from about 1.5 semitones ('t Hart 1981)."""
FINAL_S = 0.5
"""The last movement is looked for in so much of the end, where the last stressed vowel is not given."""
APPROACH_S, LEAST_FINAL_S = 0.1, 0.15
"""Where the last stressed vowel is given, its movement is looked for from so long before, and in so much at least."""
UNVOICED_END_S = 0.5
"""Voicelessness at the end, a creak say, after which the movement before it is no longer called the end's."""
RECOVERED = 0.5
"""A rise that takes back less than this of the fall before it is the curl at a fall's end, no rise."""
NATIVE_SD_ST = (
    (0.5, 0.61, 0.88),
    (0.8, 0.83, 1.11),
    (1.2, 0.98, 1.39),
    (2.0, 1.12, 1.58),
    (3.0, 1.48, 1.90),
    (5.0, 1.86, 2.06),
)
"""Seconds of voice; standard deviations (semitones) that 1 % and 5 % of native speech of this length are below."""
_LEAST_RUN = 3
_FAR_ST, _FARTHEST_ST = 7.0, 12.0
_FADED_DB = 12.0
_MOST_POINTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Intonation:
    """Melody of one utterance.

    Attributes:
        f0_mean_hz: mean pitch; the mean is taken in semitones.
        f0_range_st: from the 5th to the 95th percentile, semitones.
        f0_sd_st: standard deviation, semitones.
        f0_slope_st_s: declination, semitones a second, by the median of the slopes between all pairs of frames (Theil
            1950, Sen 1968); None in less than a second.
        voiced_s: seconds that all this rests on.
        final: the movement at the end; None where the end is unvoiced.
    """

    f0_mean_hz: float
    f0_range_st: float
    f0_sd_st: float
    f0_slope_st_s: float | None
    voiced_s: float
    final: Movement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Pitch movement at the end of a stretch of speech.

    Attributes:
        contour: where it goes.
        movement_st: by how much, from the last turn of the melody to its end; below 0 for a fall.
        start_s: the turn.
        end_s: the end.
    """

    contour: Contour
    movement_st: float
    start_s: float
    end_s: float


def intonation(pitch: Pitch, said_s: Float64, nucleus_s: float | None = None) -> Intonation | None:
    """Measure the melody of what was said; None where less than 0.3 s of it are voiced.

    Args:
        pitch: of the recording.
        said_s: shape (W, 2), begin and end of each word that was said, seconds, in order.
        nucleus_s: begin of the last stressed vowel, from which the melody's last movement is looked for; None for the
            last half second.
    """
    melody = semitones(pitch, said_s)
    voiced = np.flatnonzero(np.isfinite(melody))
    if len(voiced) * pitch.frame_shift_s < LEAST_VOICED_S:
        return None
    values = melody[voiced]
    low, high = np.percentile(values, [5, 95])
    times = pitch.times_s[voiced]
    return Intonation(
        f0_mean_hz=float(REFERENCE_HZ * 2 ** (values.mean() / 12)),
        f0_range_st=float(high - low),
        f0_sd_st=float(values.std()),
        f0_slope_st_s=robust_slope(times, values) if np.ptp(times) >= LEAST_SPAN_S else None,
        voiced_s=len(voiced) * pitch.frame_shift_s,
        final=final_movement(pitch, melody, float(said_s[-1, 1]), nucleus_s),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Monotone:
    """How flat a melody is.

    Attributes:
        f0_sd_st: standard deviation of the pitch, semitones.
        confidence: 0 to 1; 0.5 where one in a hundred native utterances with as much voice is as flat, 0.1 where five
            are.
    """

    f0_sd_st: float
    confidence: float


def monotone(found: Intonation) -> Monotone | None:
    """Whether a melody is flatter than native speech; None in less than half a second of voice.

    Source: 178 recordings of LibriSpeech, one speaker each, cut into pieces of so much voice. People's scores can
        hardly calibrate this: on the train split of speechocean762 the confidence correlates with the prosodic score
        at -0.29, but at -0.08 within equal fluency, accuracy and length.
    """
    if found.voiced_s < NATIVE_SD_ST[0][0]:
        return None
    voiced_s, one, five = np.array(NATIVE_SD_ST).T
    rare, uncommon = (float(np.interp(np.log(found.voiced_s), np.log(voiced_s), norm)) for norm in (one, five))
    # Logistic: log-odds 0 at the one, ln(0.1 / 0.9) at the other.
    log_odds = np.log(9.0) * (rare - found.f0_sd_st) / (uncommon - rare)
    return Monotone(f0_sd_st=found.f0_sd_st, confidence=float(1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))))


def semitones(pitch: Pitch, said_s: Float64) -> Float64:
    """Melody over the words that were said, shape (N,), semitones above 100 Hz; NaN where there is none.

    Voiced stretches under 30 ms are dropped, and those whose middle lies 7 semitones or more outside the speaker's
    middle half: there the tracker followed creak or a formant. So are single frames 12 semitones outside it. (De Looze
    and Hirst 2008 cut 5 below and 7 above; a stretch that leads there from within is the speaker's own.)
    """
    is_said = np.zeros(len(pitch), dtype=np.bool_)
    for start_s, end_s in said_s.tolist():
        is_said[pitch.between(start_s, end_s)] = True
    melody = 12 * np.log2(np.where(is_said, pitch.f0_hz, np.nan) / REFERENCE_HZ)
    if not np.isfinite(melody).any():
        return np.asarray(melody, dtype=np.float64)
    lower, upper = np.nanpercentile(melody, [25, 75])
    for first, last in runs_of(np.isfinite(melody)):
        middle = np.median(melody[first:last])
        if last - first < _LEAST_RUN or not lower - _FAR_ST < middle < upper + _FAR_ST:
            melody[first:last] = np.nan
    with np.errstate(invalid="ignore"):
        melody[(melody < lower - _FARTHEST_ST) | (melody > upper + _FARTHEST_ST)] = np.nan
    return np.asarray(melody, dtype=np.float64)


def final_movement(pitch: Pitch, melody: Float64, end_s: float, nucleus_s: float | None = None) -> Movement | None:
    """The last movement of a melody before `end_s`: from its last turn to its end.

    A turn is where the melody stops rising and falls by a semitone, or stops falling, rises by a semitone and takes
    back half of the fall: a fall-rise is a rise, a fall that curls up at its end is a fall. What fades away, 12 dB
    below the loudest of the end, is left out. None where under 50 ms are voiced, or nothing in the last half second.

    Args:
        pitch: of the recording.
        melody: from `semitones`.
        end_s: end of the last word.
        nucleus_s: begin of the last stressed vowel; None for `FINAL_S` before the last voice.
    """
    times = pitch.times_s
    voiced = np.flatnonzero(np.isfinite(melody[: pitch.between(0.0, end_s).stop]))
    if not len(voiced) or times[voiced[-1]] < end_s - UNVOICED_END_S:
        return None
    last_s = float(times[voiced[-1]])
    # The accent's own movement may begin before its vowel, and a vowel of 0.1 s alone shows the pull of consonants.
    from_s = last_s - FINAL_S if nucleus_s is None else min(nucleus_s - APPROACH_S, last_s - LEAST_FINAL_S)
    tail = voiced[times[voiced] >= from_s - 1e-9]
    level_db = pitch.intensity_db[tail]
    tail = tail[: np.flatnonzero(level_db >= level_db.max() - _FADED_DB)[-1] + 1]
    if len(tail) * pitch.frame_shift_s < 0.05:
        return None
    values = smoothed(melody[tail])
    turn = last_turn(values)
    moved = float(values[-1] - values[turn])
    contour: Contour = "level" if abs(moved) <= LEVEL_ST else "rise" if moved > 0 else "fall"
    return Movement(contour=contour, movement_st=moved, start_s=float(times[tail[turn]]), end_s=float(times[tail[-1]]))


def last_turn(values: Float64) -> int:
    """Index of the last turn of a curve (N,), see `final_movement`; 0 where there is none."""
    turn, low, high, direction = 0, 0, 0, 0
    for i, value in enumerate(values.tolist()):
        low = i if value < values[low] else low
        high = i if value > values[high] else high
        back = RECOVERED * (values[turn] - values[low]) if direction < 0 else 0.0
        if direction <= 0 and value - values[low] >= max(TURN_ST, back):
            turn, high, direction = low, i, 1
        elif direction >= 0 and values[high] - value >= TURN_ST:
            turn, low, direction = high, i, -1
    return turn


def robust_slope(times_s: Float64, values: Float64) -> float:
    """Median of the slopes between all pairs of points (Theil-Sen); of evenly chosen ones where there are many."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).astype(int))
    x, y = times_s[chosen], values[chosen]
    first, second = np.triu_indices(len(chosen), k=1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))


def smoothed(values: Float64) -> Float64:
    """Median of five neighbours, shape (N,); of fewer at the ends."""
    padded = np.concatenate([np.full(2, np.nan), values, np.full(2, np.nan)])
    return np.asarray(np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1), dtype=np.float64)
