"""Recordings in which the stress of words is known, measured as the assessor measures them.

Three kinds: synthesisers, whose stress was ordered; native speakers, taken to stress as the lexicon says; learners,
whose stress people called right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from elocute.acoustic import Backend
from elocute.audio import load_audio
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.corpora.spoken import SpokenUtterance
from elocute.errors import AlignmentError, AudioError, PhoneError, TextError
from elocute.evaluation import distort
from elocute.evaluation.stress_speech import Voice, as_phones, speak_stressed
from elocute.evaluation.stress_words import StressedSentence
from elocute.gop.variants import best_variants
from elocute.phones import phonemize
from elocute.prosody.pitch import AutocorrelationTracker, PitchTracker
from elocute.prosody.stress import expected_stress
from elocute.prosody.syllables import Measured, measure_stress
from elocute.scorer.features import analyse
from elocute.types import Audio, Canonical, Phone

RIGHT_STRESS = 10.0
"""What people give a word of speechocean762 whose stress is right."""
LEARNERS = "speechocean762"

Distort = Callable[[Audio, np.random.Generator], Audio]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StressRow:
    """One spoken word whose stress is known.

    Attributes:
        group: voice or corpus, what a held-out model has not heard.
        speaker: in the group.
        word: lower case.
        kind: "natural", "kept", "reduced" or "pair" from a synthesiser; "native" or "learner".
        stressed: syllable that bears the stress, counted from 0.
        measured: None where the word could not be measured.
    """

    group: str
    speaker: str
    word: str
    kind: str
    stressed: int
    measured: Measured | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """Measures words as the assessor does.

    Attributes:
        backend: acoustic model.
        tracker: of the pitch.
        distort: what is done to a recording before it is heard; None for nothing.
        rng: of the distortions.
    """

    backend: Backend
    tracker: PitchTracker = field(default_factory=AutocorrelationTracker)
    distort: Distort | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def measure(self, audio: Audio, words: Sequence[Sequence[Phone]]) -> tuple[Measured, ...]:
        """Measure words that are given by their phones; AlignmentError where the recording is too short for them."""
        heard = audio if self.distort is None else self.distort(audio, self.rng)
        posteriors = self.backend.posteriors(heard)
        phones = [phone for word in words for phone in word]
        analysis = analyse(
            posteriors, [phone.symbol for phone in phones], [phone.word_index for phone in phones], heard
        )
        return measure_stress(heard, self.tracker.track(heard), analysis.times, words)

    def choose_forms(self, audio: Audio, text: str) -> Canonical:
        """A text in the accepted pronunciations that the recording fits best."""
        return best_variants(self.backend.posteriors(audio), phonemize(text))


def synthetic_rows(
    sentences: Sequence[StressedSentence], voices: Sequence[Voice], listener: Listener, *, kind: str | None = None
) -> Iterator[list[StressRow]]:
    """Sentences spoken by voices in turn; yields the words of each, none where the voice did not say just that.

    Args:
        sentences: what to say.
        voices: who speaks; sentence n is for voice n modulo their number.
        listener: measures.
        kind: what the rows are; that of the word if None.
    """
    for number, sentence in enumerate(sentences):
        voice = voices[number % len(voices)]
        audio = speak_stressed(sentence.words, voice)
        if audio is None:
            yield []
            continue
        found = {one.word: one for one in listener.measure(audio, as_phones(sentence.words))}
        yield [
            StressRow(
                group=voice.group,
                speaker=str(voice),
                word=word.name,
                kind=kind or word.kind,
                stressed=word.stressed,
                measured=found.get(target),
            )
            for target, word in zip(sentence.targets, sentence.stressed, strict=True)
        ]


def recorded_rows(utterances: Sequence[SpokenUtterance], group: str, listener: Listener) -> Iterator[list[StressRow]]:
    """Words of native speech, whose stress is the lexicon's; yields those of each recording.

    Words that the lexicon does not have, or that have no or two primary stresses there, are left out.
    """
    for utterance in utterances:
        yield _rows_of(utterance.audio, utterance.text, None, listener, group, utterance.speaker or group, "native")


def learner_rows(utterances: Sequence[ScoredUtterance], listener: Listener) -> Iterator[list[StressRow]]:
    """Words of learners whose stress people called right; yields those of each recording."""
    for utterance in utterances:
        is_right = [word.stress == RIGHT_STRESS for word in utterance.words]
        yield _rows_of(utterance.audio, utterance.text, is_right, listener, LEARNERS, utterance.speaker, "learner")


def _rows_of(
    source: object,
    text: str,
    is_right: Sequence[bool] | None,
    listener: Listener,
    group: str,
    speaker: str,
    kind: str,
) -> list[StressRow]:
    """Words of one recording; none where recording and text cannot be aligned."""
    try:
        audio = load_audio(source)  # type: ignore[arg-type]
        canonical = listener.choose_forms(audio, text)
        words = [word.phones for word in canonical.words]
        found = {one.word: one for one in listener.measure(audio, words)}
    except (AlignmentError, AudioError, PhoneError, TextError):
        return []  # the caller counts recordings without rows
    if is_right is not None and len(is_right) != len(words):
        return []
    rows = []
    for number, word in enumerate(canonical.words):
        stressed = expected_stress(word.phones)
        if word.source != "lexicon" or stressed is None or (is_right is not None and not is_right[number]):
            continue
        if len({phone.syllable_index for phone in word.phones}) > 1:
            rows.append(
                StressRow(
                    group=group,
                    speaker=speaker,
                    word=word.spoken,
                    kind=kind,
                    stressed=stressed,
                    measured=found.get(number),
                )
            )
    return rows


def distorted(audio: Audio, rng: np.random.Generator) -> Audio:
    """A recording as it may come: in half of all cases as it is, else in noise or through a telephone."""
    choice = rng.random()
    if choice < 0.5:
        return audio
    samples = audio.samples
    if choice < 0.8:
        noise = distort.coloured_noise(len(samples), rng, slope_db_per_octave=float(rng.choice([0.0, 3.0, 6.0])))
        samples = distort.with_noise(samples, noise, float(rng.uniform(8.0, 30.0)))
    if choice > 0.7:
        samples = distort.telephoned(samples)
    return replace(audio, samples=samples)
