"""What of a syllable is heard of its stress: length, level, pitch and colour of its vowel, in numbers.

English stress is heard in all four, none of them alone decides (Fry 1955, 1958; Sluijter and van Heuven 1996), so every
syllable is measured in all of them, against the other syllables of its word and against the vowels of the utterance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from elocute.audio.frames import frames_of
from elocute.phones import VOWELS
from elocute.prosody.pitch import Pitch
from elocute.prosody.timing import Timing
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64, Int64, Phone

LEAST_NUCLEUS_S = 0.02
"""A vowel shorter than two frames of pitch was not measured."""

_VOWELS = tuple(sorted(VOWELS))
_HOP = 160
_WINDOW = 400
_FFT = 512
_BANDS_HZ = (100.0, 3600.0)
"""What a telephone lets through, so that it changes little."""
_BANDS = 16
_CEPSTRA = 8
_LOUD_BAND_HZ = (400.0, 2500.0)
_POWER_FLOOR = 1e-10
_VOICELESS = frozenset("P T K F TH S SH CH HH".split())
_PAUSE_S = 0.1
MEASURES = (
    "log_nucleus",
    "log_syllable",
    "log_onset",
    "level_peak",
    "level_mean",
    "level_band",
    "f0_mean",
    "f0_max",
    "f0_slope",
    "voiced",
    *(f"cepstrum_{number}" for number in range(1, _CEPSTRA + 1)),
)
"""What is measured of a syllable: the other names of length are in log seconds, levels in dB, pitch in semitones."""
CONTEXT = (
    "syllables_2",
    "syllables_3",
    "syllables_4",
    "is_first",
    "is_last",
    "pause_before",
    "pause_after",
    "onset",
    "coda",
    "is_open",
    "is_clipped",
)
"""Where a syllable stands: in a word of how many, at which end, how many consonants around the vowel, and whether the
next sound is of the next word (open) or a consonant without voice, before which vowels are short (clipped)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """The S syllables of one word in numbers.

    Attributes:
        word: which one, counted from 0.
        measures: shape (S + 2, len(MEASURES)), less what is usual in the utterance; the first and the last row are the
            neighbours, or the word's own end where there is none.
        vowels: shape (S + 2,), their vowels, places in `VOWELS` in alphabetical order.
        context: shape (S, len(CONTEXT)).
    """

    word: int
    measures: Float64
    vowels: Int64
    context: Float64

    def __len__(self) -> int:
        """Number of syllables S."""
        return len(self.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Syllable:
    """Where a syllable lies: its phones [first, last) with the vowel `nucleus`, counted in the utterance."""

    word: int
    index: int
    count: int
    first: int
    nucleus: int
    last: int
    vowel: int
    following: str | None


def measure_stress(audio: Audio, pitch: Pitch, times: Timing, words: Sequence[Sequence[Phone]]) -> tuple[Measured, ...]:
    """Measure the words of two or more syllables that can be measured; arguments as in `spoken_stress`."""
    syllables = _syllables(words)
    if not any(syllable.count > 1 for syllable in syllables):
        return ()
    base = _base(audio, pitch, times, syllables)
    found = []
    for place, syllable in enumerate(syllables):
        inside = range(place, place + syllable.count)
        own = syllables[place : place + syllable.count]
        if syllable.index or syllable.count < 2 or not _is_measurable(base[inside], times, own):
            continue
        around = [max(place - 1, 0), *inside, min(inside[-1] + 1, len(syllables) - 1)]
        found.append(
            Measured(
                word=syllable.word,
                measures=base[around],
                vowels=np.array([syllables[n].vowel for n in around]),
                context=_context(times, own),
            )
        )
    return tuple(found)


def _syllables(words: Sequence[Sequence[Phone]]) -> list[_Syllable]:
    """Syllables of the utterance that have a vowel."""
    found, offset = [], 0
    for number, phones in enumerate(words):
        nuclei = {phone.syllable_index: place for place, phone in enumerate(phones) if phone.symbol in VOWELS}
        for index in sorted(nuclei):
            inside = [place for place, phone in enumerate(phones) if phone.syllable_index == index]
            found.append(
                _Syllable(
                    word=number,
                    index=len([other for other in nuclei if other < index]),
                    count=len(nuclei),
                    first=offset + inside[0],
                    nucleus=offset + nuclei[index],
                    last=offset + inside[-1] + 1,
                    vowel=_VOWELS.index(phones[nuclei[index]].symbol),
                    following=phones[nuclei[index] + 1].symbol if nuclei[index] + 1 < len(phones) else None,
                )
            )
        offset += len(phones)
    return found


def _is_measurable(base: Float64, times: Timing, syllables: Sequence[_Syllable]) -> bool:
    """Whether every vowel is long enough, and one at least has a voice."""
    long_enough = all(times.duration_s[syllable.nucleus] >= LEAST_NUCLEUS_S for syllable in syllables)
    return long_enough and bool(base[:, MEASURES.index("voiced")].any())


def _base(audio: Audio, pitch: Pitch, times: Timing, syllables: Sequence[_Syllable]) -> Float64:
    """The measures of `MEASURES` for every syllable, less what is usual in the utterance; shape (S, len(MEASURES))."""
    bands = _band_levels_db(audio)
    loud = _band_index(_LOUD_BAND_HZ)
    semitones = 12 * np.log2(pitch.f0_hz / 100.0)
    rows = np.zeros((len(syllables), len(MEASURES)))
    for row, syllable in zip(rows, syllables, strict=True):
        begin, end = times.start_s[syllable.nucleus], times.end_s[syllable.nucleus]
        inside = pitch.between(begin, end)
        frames = _frames(begin, end, len(bands))
        inner = _frames(begin + 0.25 * (end - begin), end - 0.25 * (end - begin), len(bands))
        levels = pitch.intensity_db[inside]
        row[0] = np.log(max(end - begin, 0.01))
        row[1] = np.log(max(times.end_s[syllable.last - 1] - times.start_s[syllable.first], 0.01))
        row[2] = np.log(max(begin - times.start_s[syllable.first], 0.02))
        row[3:5] = (levels.max(), levels.mean()) if len(levels) else (np.nan, np.nan)
        row[5] = bands[frames, loud].mean(axis=1).max()
        row[6:10] = _melody(semitones[inside])
        row[10:] = _cepstrum(bands[inner].mean(axis=0))
    is_known = np.isfinite(rows)
    for number, known in enumerate(is_known.T):
        if known.any() and MEASURES[number] != "voiced":
            rows[:, number] -= np.median(rows[known, number])
    return np.where(is_known, rows, 0.0)


def _melody(semitones: Float64) -> tuple[float, float, float, float]:
    """Mean, highest and slope of the pitch of a vowel (NaN where it has none), and the voiced share."""
    voiced = semitones[np.isfinite(semitones)]
    if len(voiced) < 2:
        return np.nan, np.nan, np.nan, 0.0
    third = max(len(voiced) // 3, 1)
    slope = voiced[-third:].mean() - voiced[:third].mean()
    return float(voiced.mean()), float(np.percentile(voiced, 90)), float(slope), len(voiced) / len(semitones)


def _context(times: Timing, syllables: Sequence[_Syllable]) -> Float64:
    """Where the syllables of one word stand, shape (S, len(CONTEXT))."""
    first, last, count = syllables[0].first, syllables[-1].last, len(syllables)
    context = np.zeros((count, len(CONTEXT)))
    context[:, min(count, 4) - 2] = 1.0
    context[0, 3] = context[-1, 4] = 1.0
    context[0, 5] = first == 0 or times.start_s[first] - times.end_s[first - 1] > _PAUSE_S
    context[-1, 6] = last == len(times.start_s) or times.start_s[last] - times.end_s[last - 1] > _PAUSE_S
    for row, syllable in zip(context, syllables, strict=True):
        row[7] = syllable.nucleus - syllable.first
        row[8] = syllable.last - syllable.nucleus - 1
        row[9] = syllable.following is None
        row[10] = syllable.following in _VOICELESS
    return context


def _frames(begin_s: float, end_s: float, count: int) -> slice:
    """Frames of the spectrum from one time to another, one at least."""
    first = min(max(round(begin_s * SAMPLE_RATE_HZ / _HOP), 0), count - 1)
    return slice(first, max(min(round(end_s * SAMPLE_RATE_HZ / _HOP), count), first + 1))


def _band_levels_db(audio: Audio) -> Float64:
    """Level of each band of the mel scale every 10 ms, shape (frames, _BANDS); frame n is centred at n * 10 ms."""
    padded = np.pad(audio.samples, _WINDOW // 2 + 1)
    frames = frames_of(padded, _WINDOW, _HOP)
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), _FFT)))
    return np.asarray(10 * np.log10(power @ _mel_bands() + _POWER_FLOOR))


def _mel(hz: Float64 | float) -> Float64:
    """Mel scale (O'Shaughnessy 1987)."""
    return np.asarray(2595 * np.log10(1 + np.asarray(hz) / 700))


@cache
def _edges_hz() -> Float64:
    """Edges of the bands, shape (_BANDS + 2,); band n reaches from edge n to edge n + 2."""
    low, high = _mel(np.array(_BANDS_HZ))
    mels = np.linspace(low, high, _BANDS + 2)
    return np.asarray(700 * (10 ** (mels / 2595) - 1))


@cache
def _mel_bands() -> Float64:
    """Triangles over the FFT's bins, shape (bins, _BANDS)."""
    edges = _edges_hz()
    bins = np.arange(_FFT // 2 + 1)[:, None] * SAMPLE_RATE_HZ / _FFT
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(up, down), 0.0))


def _band_index(hz: tuple[float, float]) -> slice:
    """Bands whose centres lie between two frequencies."""
    inside = np.flatnonzero((_edges_hz()[1:-1] >= hz[0]) & (_edges_hz()[1:-1] <= hz[1]))
    return slice(int(inside[0]), int(inside[-1]) + 1)


@cache
def _cosines() -> Float64:
    """Cosine transform without its first row, which would be the level; shape (_CEPSTRA, _BANDS)."""
    order, band = np.arange(1, _CEPSTRA + 1)[:, None], np.arange(_BANDS)
    return np.asarray(np.cos(np.pi * order * (band + 0.5) / _BANDS) / _BANDS)


def _cepstrum(levels_db: Float64) -> Float64:
    """Shape of a spectrum, shape (_CEPSTRA,)."""
    return np.asarray(_cosines() @ levels_db)
