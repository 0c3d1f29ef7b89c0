"""Silence planted into real recordings: is it found, at its place and to its length, and is nothing else found?

A recording gets one silence of 0.3 to 1.5 s, cut in where the sound changes from one phone to the next. Between two
words it is once digital zeros and once noise with the spectrum and level of the recording's quietest 50 ms; inside a
word, between two syllables, it is such noise. A place where the clean recording has a pause already is not used. A
pause is false if the planted recording has one where none was planted and where the clean recording has none.

That tells whether silence makes pauses elsewhere, not whether those of the clean recording are pauses. For that flite
speaks the same words, whose pauses are known: there is none inside a sentence unless flite says so.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from elocute.acoustic import Backend
from elocute.audio import audio_from_array, load_audio
from elocute.errors import AlignmentError
from elocute.evaluation.bootstrap import Draws, Estimate, estimate_of_sums, ratio
from elocute.evaluation.flite import speak_phones
from elocute.evaluation.localisation_corpus import Spoken
from elocute.evaluation.splice import FADE_S, spliced
from elocute.evaluation.splice_edges import phone_edges
from elocute.gop import align_phones
from elocute.phones import PHONES
from elocute.phones.syllables import syllable_indices
from elocute.prosody import Timing
from elocute.scorer import analyse
from elocute.types import SAMPLE_RATE_HZ, Audio, Float32, Float64

FORMAT = "elocute pauses 1"
LENGTHS_S = (0.3, 1.5)
WITHIN_S = 0.05
"""How far begin and end of a pause may be off."""
SPOKEN_PAUSE_S = 0.1
"""From this length a silence that flite reports between two phones is a pause."""
_QUIETEST_S = 0.05
_FRAME = 160
_AUDIBLE = 1e-9  # power; below is digital silence, which says nothing about the room

Kind = Literal["zeros", "noise", "noise in a word"]
KINDS: tuple[Kind, ...] = ("zeros", "noise", "noise in a word")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One planted silence, or (kind "flite") one sentence without any.

    Attributes:
        recording: its id.
        speaker: who speaks.
        kind: one of `KINDS`, or "flite".
        after_phone: phone before the silence; -1 for none.
        length_s: of the silence, seconds.
        is_placed: whether a pause was found there; always False for flite.
        begin_error_s: found minus planted begin; None where nothing was found.
        end_error_s: the same of the end.
        gaps: places between words where nothing was planted and the clean recording has no pause.
        false_gaps: of them, those with a pause.
        inside: such places inside words.
        false_inside: of them, those with a pause.
    """

    recording: str
    speaker: str
    kind: str
    after_phone: int
    length_s: float
    is_placed: bool
    begin_error_s: float | None
    end_error_s: float | None
    gaps: int
    false_gaps: int
    inside: int
    false_inside: int

    @property
    def is_within(self) -> bool:
        """Whether the pause was found at its place, begin and end within `WITHIN_S`."""
        if self.begin_error_s is None or self.end_error_s is None:
            return False
        return max(abs(self.begin_error_s), abs(self.end_error_s)) <= WITHIN_S + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """Measures of one kind of silence.

    Attributes:
        kind: which.
        trials: how many.
        placed: share found at its place.
        within: share found there, begin and end within 50 ms.
        begin_ms: median distance of the begin, where found.
        end_ms: the same of the end.
        false_gaps: share of the other gaps between words with a false pause.
        false_inside: share of the places inside words with a false pause.
    """

    kind: str
    trials: int
    placed: Estimate
    within: Estimate
    begin_ms: float | None
    end_ms: float | None
    false_gaps: Estimate
    false_inside: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesResult:
    """The whole evaluation.

    Attributes:
        rows: one for each kind.
        clean_pauses: pauses between words in the clean recordings.
        clean_gaps: gaps between words there.
        clean_inside: pauses inside words there.
        skipped: why silences were not planted, and how often.
        trials: every one.
        data: what it was measured on.
        settings: of the run.
        provenance: what made it.
    """

    rows: tuple[KindRow, ...]
    clean_pauses: int
    clean_gaps: int
    clean_inside: int
    skipped: Mapping[str, int]
    trials: tuple[Trial, ...]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one recording gave: pauses between and inside words when clean, trials, and why others are missing."""

    gaps: int
    pauses: int
    inside: int
    trials: tuple[Trial, ...]
    skipped: tuple[str, ...]


class PauseTrials:
    """Plants silences and has them looked for.

    Args:
        backend: hears.
        voices: of flite; empty leaves its sentences out.
        seed: of all draws.
    """

    def __init__(self, backend: Backend, voices: Sequence[str] = (), seed: int = 0) -> None:
        self._backend, self._voices, self._seed = backend, tuple(voices), seed

    def answers(self, chosen: Sequence[Spoken], progress: Callable[[int, int], None]) -> Iterator[Answer]:
        """One answer for each recording."""
        for done, spoken in enumerate(chosen, start=1):
            yield self._answer(spoken)
            progress(done, len(chosen))

    def _answer(self, spoken: Spoken) -> Answer:
        """Everything about one recording."""
        rng = np.random.default_rng([self._seed, zlib.crc32(spoken.id.encode())])
        symbols = [phone for word in spoken.phones for phone in word]
        words = np.array([number for number, word in enumerate(spoken.phones) for _ in word])
        audio = load_audio(spoken.audio)
        try:
            clean = self._paused(audio, symbols, words)
            cuts = self._cuts(audio, symbols)
        except AlignmentError:
            return Answer(gaps=0, pauses=0, inside=0, trials=(), skipped=("the recording is too short for its text",))
        is_gap = np.diff(words) > 0
        syllables = np.array([index for word in spoken.phones for index in syllable_indices(word)])
        is_inside = ~is_gap & (np.diff(syllables) > 0)
        taken = np.isin(np.arange(len(is_gap)), list(clean))
        trials, skipped = [], []
        for places, kinds in ((is_gap & ~taken, ("zeros", "noise")), (is_inside & ~taken, ("noise in a word",))):
            if not places.any():
                skipped.append(
                    "no place between words" if kinds[0] == "zeros" else "no place between syllables of a word"
                )
                continue
            place, length_s = int(rng.choice(np.flatnonzero(places))), float(rng.uniform(*LENGTHS_S))
            for kind in kinds:
                silence = _silence(audio.samples, length_s, kind, rng)
                at = round(cuts[place] * SAMPLE_RATE_HZ)
                planted = audio_from_array(spliced(audio.samples, at, at, silence), SAMPLE_RATE_HZ)
                try:
                    found = self._paused(planted, symbols, words)
                except AlignmentError:
                    skipped.append("no path through the planted recording")
                    continue
                trials.append(_judged(spoken, kind, place, (at / SAMPLE_RATE_HZ, length_s), found, (is_gap, taken)))
        trials += self._spoken_by_flite(spoken, symbols, words, rng)
        return Answer(
            gaps=int(is_gap.sum()),
            pauses=int((is_gap & taken).sum()),
            inside=int((~is_gap & taken).sum()),
            trials=tuple(trials),
            skipped=tuple(skipped),
        )

    def _paused(self, audio: Audio, symbols: Sequence[str], words: np.ndarray) -> dict[int, tuple[float, float]]:
        """Begin and end of each pause that the analysis finds, by the phone before it."""
        times: Timing = analyse(self._backend.posteriors(audio), symbols, words.tolist(), audio).times
        return {pause.after_phone: (pause.start_s, pause.end_s) for pause in times.pauses}

    def _cuts(self, audio: Audio, symbols: Sequence[str]) -> Float64:
        """Where the sound changes from one phone to the next, seconds, shape (L - 1,)."""
        posteriors = self._backend.posteriors(audio)
        ids = [PHONES.index(symbol) for symbol in symbols]
        spans = align_phones(posteriors.log_probs, ids, posteriors.phone_set).spans
        edges = phone_edges(audio, spans, posteriors.frame_shift_s)
        return np.asarray((edges.end_s[:-1] + edges.start_s[1:]) / 2)

    def _spoken_by_flite(
        self, spoken: Spoken, symbols: Sequence[str], words: np.ndarray, rng: np.random.Generator
    ) -> list[Trial]:
        """A sentence of flite, whose pauses are known; nothing where it does not speak these phones."""
        if not self._voices:
            return []
        voice = self._voices[int(rng.integers(len(self._voices)))]
        speech = speak_phones(spoken.phones, voice)
        if speech is None:
            return []
        found = self._paused(speech.audio, symbols, words)
        is_gap = np.diff(words) > 0
        paused = speech.start_s[1:] - speech.end_s[:-1] > SPOKEN_PAUSE_S
        return [_judged(spoken, "flite", -1, (0.0, 0.0), found, (is_gap, paused), speaker=f"flite {voice}")]


def summarise(trials: Sequence[Trial], draws: int) -> tuple[KindRow, ...]:
    """Measures of each kind that occurs, with intervals over speakers."""
    return tuple(
        _row(kind, [trial for trial in trials if trial.kind == kind], draws)
        for kind in (*KINDS, "flite")
        if any(trial.kind == kind for trial in trials)
    )


def room_noise(samples: Float32, length: int, rng: np.random.Generator) -> Float64:
    """Noise, shape (length,), with the spectrum and level of a recording's quietest 50 ms that are not digital silence.

    Zeros where all of it is.
    """
    frames = samples[: len(samples) // _FRAME * _FRAME].astype(np.float64).reshape(-1, _FRAME)
    width = round(_QUIETEST_S * SAMPLE_RATE_HZ / _FRAME)
    if len(frames) < width:
        return np.zeros(length)
    power = np.convolve(np.square(frames).mean(axis=1), np.full(width, 1 / width), "valid")
    if power.max() <= _AUDIBLE:
        return np.zeros(length)
    first = int(np.where(power > _AUDIBLE, power, np.inf).argmin())
    quiet = frames[first : first + width].reshape(-1)
    shape = np.abs(np.fft.rfft(quiet * np.hanning(len(quiet))))
    white = np.fft.rfft(rng.standard_normal(length))
    gain = np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(shape)), shape)
    noise = np.fft.irfft(white * gain, length)
    return np.asarray(noise * np.sqrt(power[first] / np.square(noise).mean()))


def _silence(samples: Float32, length_s: float, kind: str, rng: np.random.Generator) -> Float64:
    """The silence with half a cross-fade at either end, for `spliced`."""
    length = round(length_s * SAMPLE_RATE_HZ) + round(FADE_S * SAMPLE_RATE_HZ)
    return np.zeros(length) if kind == "zeros" else room_noise(samples, length, rng)


def _judged(
    spoken: Spoken,
    kind: str,
    place: int,
    planted: tuple[float, float],
    found: Mapping[int, tuple[float, float]],
    places: tuple[np.ndarray, np.ndarray],
    speaker: str | None = None,
) -> Trial:
    """A trial: `planted` is begin and length; `places` say which are between words, and which have a pause anyway."""
    is_gap, taken = places
    is_other = ~taken & (np.arange(len(is_gap)) != place)
    is_false = is_other & np.isin(np.arange(len(is_gap)), list(found))
    begin_s, length_s = planted
    begin, end = found.get(place, (None, None))
    return Trial(
        recording=spoken.id,
        speaker=speaker or spoken.speaker,
        kind=kind,
        after_phone=place,
        length_s=length_s,
        is_placed=begin is not None,
        begin_error_s=None if begin is None else begin - begin_s,
        end_error_s=None if end is None else end - begin_s - length_s,
        gaps=int((is_other & is_gap).sum()),
        false_gaps=int((is_false & is_gap).sum()),
        inside=int((is_other & ~is_gap).sum()),
        false_inside=int((is_false & ~is_gap).sum()),
    )


def _row(kind: str, trials: Sequence[Trial], draws: int) -> KindRow:
    """Measures of trials of one kind."""
    names, speaker = np.unique([trial.speaker for trial in trials], return_inverse=True)
    resamples = Draws.of(len(names), draws)
    is_planted = kind in KINDS

    def share(part: Sequence[float], whole: Sequence[float]) -> Estimate:
        columns = np.column_stack([part, whole]).astype(np.float64)
        return estimate_of_sums(ratio, speaker.astype(np.int64), columns, resamples)

    def median_ms(errors: Sequence[float | None]) -> float | None:
        known = [abs(error) for error in errors if error is not None]
        return 1000 * float(np.median(known)) if known else None

    ones = [float(is_planted)] * len(trials)  # nothing was planted into flite's sentences: no share exists
    return KindRow(
        kind=kind,
        trials=len(trials),
        placed=share([trial.is_placed for trial in trials], ones),
        within=share([trial.is_within for trial in trials], ones),
        begin_ms=median_ms([trial.begin_error_s for trial in trials]),
        end_ms=median_ms([trial.end_error_s for trial in trials]),
        false_gaps=share([trial.false_gaps for trial in trials], [trial.gaps for trial in trials]),
        false_inside=share([trial.false_inside for trial in trials], [trial.inside for trial in trials]),
    )
