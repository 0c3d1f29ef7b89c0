"""The pipeline: the only file that knows all ten steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from elocute.acoustic import Backend, load_backend
from elocute.audio import AudioSource, load_audio
from elocute.config import AssessorConfig
from elocute.ctc import Lattice
from elocute.diagnosis import Detector, Diagnosis, diagnose
from elocute.errors import ConfigError
from elocute.gop.variants import best_variants
from elocute.phones import PHONES, UserLexicon, ipa_name, phonemize
from elocute.prosody import fluency
from elocute.report import (
    SCHEMA_VERSION,
    AudioFacts,
    FluencyFacts,
    Heard,
    Mispronunciation,
    ModelFacts,
    PhoneReport,
    Report,
    SyllableReport,
    UtteranceScores,
    WordReport,
)
from elocute.scorer import Analysis, analyse
from elocute.scorer.embedded import EmbeddedScorer, Scores
from elocute.types import Audio, Canonical, Phone, Word

SCALES = (1, 10, 100)
FAINT_DB = -45.0
NOISY_DB = 10.0
CLIPPED_SHARE = 0.005
HEARD_PROBABILITY = 0.2
"""A phone counts as heard where the acoustic model gives it this probability in one of its frames."""
HEARD_SHARE = 0.2
"""Below this share of phones heard, the recording holds another text, or no speech at all, and nothing is scored.

Of speechocean762's 2,500 train utterances, 4 lie below with acoustic models that did not train on their speakers; with
the text of another utterance, 51 % do.
"""


class Assessor:
    """Holds the models and assesses recordings.

    Args:
        config: settings; defaults if None.
        backend: an acoustic backend to use in place of the one that the settings name.

    Raises:
        ConfigError: unknown backend, scale, nbest or threads, or a backend whose phones are not the scorer's.
    """

    def __init__(self, config: AssessorConfig | None = None, *, backend: Backend | None = None) -> None:
        self.config = config or AssessorConfig()
        if self.config.scale not in SCALES:
            raise ConfigError(f"scale is {self.config.scale}; expected one of {', '.join(map(str, SCALES))}")
        if self.config.nbest < 1:
            raise ConfigError(f"nbest is {self.config.nbest}; expected 1 or more candidates")
        if self.config.threads is not None and self.config.threads < 1:
            raise ConfigError(f"threads is {self.config.threads}; expected 1 or more, or None for as many as it takes")
        self.backend = backend or load_backend(self.config.backend, threads=self.config.threads)
        phone_set = self.backend.phone_set
        if phone_set.symbols != PHONES or any(len(tokens) != 1 for tokens in phone_set.tokens):
            raise ConfigError(
                f"backend {self.backend.name} has {len(phone_set.symbols)} phones; the embedded scorer expects the 39 "
                "ARPABET phones in alphabetical order, one label each"
            )
        self.scorer = EmbeddedScorer()
        detector = self.scorer.card["detector"]
        self.detector = Detector(**(detector | {"weights": tuple(detector["weights"])}))

    def assess(
        self,
        audio: AudioSource | Audio,
        text: str,
        *,
        sample_rate: int | None = None,
        lexicon: UserLexicon | None = None,
        pronunciations: Sequence[Sequence[str]] | None = None,
    ) -> Report:
        """Say how well a recording speaks a text.

        Args:
            audio: recording: path, bytes, binary file object, array, or `Audio`.
            text: what should have been said.
            sample_rate: of an array, Hz.
            lexicon: the user's pronunciations.
            pronunciations: ARPABET phones of every word, which fix what counts as right.

        Raises:
            AudioError, TextError, PhoneError, AlignmentError: the recording or the text cannot be used.
        """
        canonical = phonemize(text, lexicon=lexicon, pronunciations=pronunciations)
        recording = audio if isinstance(audio, Audio) else load_audio(audio, sample_rate=sample_rate)
        posteriors = self.backend.posteriors(recording)
        if self.config.variants:
            canonical = best_variants(posteriors, canonical)
        phones = canonical.phones
        analysis = analyse(
            posteriors, [phone.symbol for phone in phones], [phone.word_index for phone in phones], recording
        )
        scores = self.scorer.score(analysis.features)
        diagnosis = diagnose(
            analysis.found,
            scores.phone,
            scores.error_log_odds,
            analysis.features.word_ids,
            posteriors.phone_set.symbols,
            self.detector,
            self.config.nbest,
        )
        heard = heard_phones(analysis.found.lattice)
        is_scorable = bool(heard.mean() >= HEARD_SHARE)
        has_ratings = posteriors.ratings is not None
        return _Writer(
            self, recording, canonical, analysis, scores, diagnosis, heard, is_scorable, has_ratings
        ).report()


def assess(audio: AudioSource, text: str, *, sample_rate: int | None = None) -> Report:
    """Assess one recording with the embedded models; hold an `Assessor` for more than one."""
    return Assessor().assess(audio, text, sample_rate=sample_rate)


def heard_phones(text: Lattice) -> NDArray[np.bool_]:
    """Which phones of a lattice the acoustic model found anywhere in the recording, shape (L,)."""
    own = text.label_occupancies() * np.exp(text.log_probs[:, text.labels])
    return np.asarray(own.max(axis=0) >= HEARD_PROBABILITY)


@cache
def _version() -> str:
    """Version of elocute; asked once, because reading it takes a millisecond."""
    return version("elocute")


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes what the steps found into a report.

    `heard` tells which phones were heard at all, `is_scorable` whether enough were for scores to mean anything,
    `has_ratings` whether the acoustic model gave the ratings that the scorer learned from.
    """

    assessor: Assessor
    audio: Audio
    canonical: Canonical
    analysis: Analysis
    scores: Scores
    diagnosis: Diagnosis
    heard: NDArray[np.bool_]
    is_scorable: bool
    has_ratings: bool

    def report(self) -> Report:
        """The report."""
        words = tuple(self._word(index, word) for index, word in enumerate(self.canonical.words))
        said = [word for word in words if word.error != "omission"]
        warnings = [*self._warnings(), "pitch and rhythm are not measured yet, so the report has no prosody facts"]
        scale = self.assessor.config.scale
        return Report(
            schema_version=SCHEMA_VERSION,
            text=self.canonical.text,
            language="en-US",
            scale=scale,
            model=ModelFacts(
                backend=f"{self.assessor.backend.name} {self.assessor.backend.version}",
                scorer=f"{self.assessor.scorer.name} {self.assessor.scorer.version}",
                version=_version(),
            ),
            audio=AudioFacts(
                duration_s=round(self.audio.duration_s, 3),
                speech_s=round(self.audio.quality.speech_s, 2),
                snr_db=None if self.audio.quality.snr_db is None else round(self.audio.quality.snr_db, 1),
                clipped=round(self.audio.quality.clipped, 5),
            ),
            utterance=UtteranceScores(
                accuracy=self._scaled(self.scores.accuracy),
                fluency=self._scaled(self.scores.fluency),
                prosody=self._scaled(self.scores.prosodic),
                completeness=self._scaled(len(said) / len(words)),
                total=self._scaled(self.scores.total * len(said) / len(words)),
            ),
            words=words,
            mispronunciations=self._mispronunciations(words),
            fluency=self._fluency(words) if self.is_scorable else None,
            prosody=None,
            feedback=(),
            warnings=tuple(warnings),
        )

    def _scaled(self, score: float) -> float | None:
        """A score of 0 to 1 on the report's scale, rounded to a tenth of a percent of it; None if nothing is scored."""
        if not self.is_scorable:
            return None
        scale = self.assessor.config.scale
        return round(float(score) * scale, {1: 3, 10: 2, 100: 1}[scale])

    def _word(self, index: int, word: Word) -> WordReport:
        positions = np.flatnonzero(self.analysis.features.word_ids == index)
        omitted = self.is_scorable and bool(self.diagnosis.omitted[index])
        phones = tuple(self._phone(int(i), phone, omitted) for i, phone in zip(positions, word.phones, strict=True))
        wrong = any(phone.error for phone in phones)
        return WordReport(
            word=word.text,
            text_index=index,
            start_s=phones[0].start_s,
            end_s=phones[-1].end_s,
            accuracy=self._scaled(0.0 if omitted else self.scores.word_accuracy[index]),
            stress=None if omitted else self._scaled(self.scores.word_stress[index]),
            total=self._scaled(0.0 if omitted else self.scores.word_total[index]),
            error="omission" if omitted else "mispronunciation" if wrong else None,
            variant=None,
            syllables=self._syllables(word, positions, omitted),
            phonemes=phones,
        )

    def _phone(self, i: int, phone: Phone, omitted: bool) -> PhoneReport:
        found = self.diagnosis.phones[i]
        times = self.analysis.times
        return PhoneReport(
            phone=phone.symbol if phone.stress is None else f"{phone.symbol}{phone.stress}",
            ipa=ipa_name(phone.symbol, phone.stress),
            start_s=None if omitted else round(float(times.start_s[i]), 3),
            end_s=None if omitted else round(float(times.end_s[i]), 3),
            score=self._scaled(0.0 if omitted else self.scores.phone[i]),
            expected=phone.symbol,
            actual=found.actual if self.is_scorable and not omitted else None,
            error="deletion" if omitted else found.error if self.is_scorable else None,
            probability=round(found.probability, 4),
            is_unsure=False,
            nbest=tuple(Heard(phone=symbol, probability=round(p, 4)) for symbol, p in found.nbest),
        )

    def _syllables(self, word: Word, positions: np.ndarray, omitted: bool) -> tuple[SyllableReport, ...]:
        syllables = []
        for number in sorted({phone.syllable_index for phone in word.phones}):
            inside = [k for k, phone in enumerate(word.phones) if phone.syllable_index == number]
            stresses = [word.phones[k].stress for k in inside if word.phones[k].stress is not None]
            syllables.append(
                SyllableReport(
                    phones=tuple(word.phones[k].symbol for k in inside),
                    score=self._scaled(0.0 if omitted else float(self.scores.phone[positions[inside]].mean())),
                    stress_expected=stresses[0] if stresses else None,
                    stress_spoken=None,
                )
            )
        return tuple(syllables)

    def _mispronunciations(self, words: Sequence[WordReport]) -> tuple[Mispronunciation, ...]:
        """All flagged phones of words that were said, most certain first."""
        flagged = [
            Mispronunciation(
                word=word.word,
                word_index=index,
                phone_index=position,
                expected=phone.expected,
                actual=phone.actual,
                type=phone.error,
                probability=phone.probability,
                suggestion=None,
            )
            for index, word in enumerate(words)
            if word.error != "omission"
            for position, phone in enumerate(word.phonemes)
            if phone.error is not None
        ]
        return tuple(sorted(flagged, key=lambda item: -item.probability))

    def _fluency(self, words: Sequence[WordReport]) -> FluencyFacts:
        syllables = sum(len(word.syllables) for word in words if word.error != "omission")
        facts = fluency(self.analysis.times, syllables, sum(word.error is None for word in words))
        return FluencyFacts(
            speech_rate_syl_s=round(facts.speech_rate_syl_s, 2),
            articulation_rate_syl_s=round(facts.articulation_rate_syl_s, 2),
            wcpm=round(facts.wcpm, 1),
            pause_count=facts.pause_count,
            long_pause_count=facts.long_pause_count,
            mean_pause_s=None if facts.mean_pause_s is None else round(facts.mean_pause_s, 3),
            pause_ratio=round(facts.pause_ratio, 3),
            mean_length_of_run=round(facts.mean_length_of_run, 2),
        )

    def _warnings(self) -> list[str]:
        """What about the recording makes the scores less certain."""
        quality = self.audio.quality
        warnings = []
        if quality.clipped > CLIPPED_SHARE:
            warnings.append(f"audio is clipped ({quality.clipped:.1%} of samples); lower the microphone's level")
        if quality.rms_db < FAINT_DB:
            warnings.append(f"audio is faint ({quality.rms_db:.0f} dB); move closer to the microphone")
        if quality.snr_db is not None and quality.snr_db < NOISY_DB:
            warnings.append(f"audio is noisy (about {quality.snr_db:.0f} dB over the noise); find a quieter place")
        if not self.is_scorable:
            warnings.append(
                f"hardly any of the text was heard ({self.heard.sum()} of {len(self.heard)} sounds), so nothing is "
                "scored; check that the recording holds speech, and this text"
            )
        if not self.has_ratings:
            warnings.append(
                f"backend {self.assessor.backend.name} gives no ratings, which the scorer learned to rely on, so "
                "scores mean little; train a scorer for it"
            )
        guessed = [word.text for word in self.canonical if word.source == "g2p"]
        if guessed:
            warnings.append(f"not in the lexicon, pronunciation guessed: {', '.join(guessed)}")
        return warnings
