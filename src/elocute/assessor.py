"""The pipeline: the only file that knows all ten steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from elocute.acoustic import Backend, load_backend, rates
from elocute.assets import SCORERS, read_card
from elocute.audio import AudioSource, load_audio
from elocute.config import AssessorConfig
from elocute.ctc import min_frames
from elocute.diagnosis import Detector, Diagnosis, detector_inputs, diagnose, left_out, own_posterior
from elocute.errors import AlignmentError, ConfigError
from elocute.feedback import LEVELS
from elocute.finding import Finding
from elocute.gop import Said, read_words, said_posterior
from elocute.gop.confusions import flat_prior, learned_prior
from elocute.gop.edits import spell
from elocute.gop.expected import expected_errors, had_been_expected
from elocute.gop.match import embedded_matcher, match
from elocute.gop.variants import best_variants
from elocute.phones import PHONES, UserLexicon, phonemize
from elocute.phones.l1 import l1_profile
from elocute.prosody import Prosody, measure_prosody, word_times
from elocute.prosody.pitch import Pitch
from elocute.prosody.reference import MelodyComparison, compare_melodies
from elocute.prosody.trackers import load_pitch_tracker
from elocute.report import Report
from elocute.report_writer import write_report
from elocute.scorer import Analysis, Features, analyse
from elocute.scorer.embedded import EmbeddedScorer, Scores, read_scorer, shipped_scorer
from elocute.scorer.manner import prosody_features
from elocute.types import SAMPLE_RATE_HZ, Audio, Canonical, Float64, Int64, Posteriors

SCALES = (1, 10, 100)
MOST_UNREAD = 64
"""Phones of skipped words that are looked at: without more of them the edit lattice would take the text for impossible,
and that so much was left out needs no second opinion."""


class Scorer(Protocol):
    """What turns features into scores."""

    @property
    def name(self) -> str:
        """Of the scorer."""

    @property
    def version(self) -> str:
        """Of the weights."""

    def score(self, features: Features) -> Scores:
        """Score one utterance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """A text in a recording that holds just it: taken apart, measured, and scored."""

    analysis: Analysis
    prosody: Prosody
    said: Said
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spoken:
    """A recording that holds a text and nothing else: its samples, what was heard in them, and their pitch."""

    audio: Audio
    posteriors: Posteriors
    pitch: Pitch


class Assessor:
    """Holds the models and assesses recordings.

    Args:
        config: settings; defaults if None.
        backend: an acoustic backend to use in place of the one that the settings name.
        scorer: a scorer to use in place of that of the settings.
        detector: a detector to use in place of that in the scorer's card; a scorer that has no card goes with the one
            that ships.

    Raises:
        ConfigError: unknown backend, scorer, scale, sensitivity, advice, first language, nbest or threads, or a backend
            whose phones or lack of ratings do not suit the scorer.
    """

    def __init__(
        self,
        config: AssessorConfig | None = None,
        *,
        backend: Backend | None = None,
        scorer: Scorer | None = None,
        detector: Detector | None = None,
    ) -> None:
        self.config = config or AssessorConfig()
        if self.config.scale not in SCALES:
            raise ConfigError(f"scale is {self.config.scale}; expected one of {', '.join(map(str, SCALES))}")
        if self.config.nbest < 1:
            raise ConfigError(f"nbest is {self.config.nbest}; expected 1 or more candidates")
        if self.config.advice not in ("off", *LEVELS):
            raise ConfigError(f"advice is {self.config.advice!r}; expected one of off, {', '.join(LEVELS)}")
        if self.config.threads is not None and self.config.threads < 1:
            raise ConfigError(f"threads is {self.config.threads}; expected 1 or more, or None for as many as it takes")
        self.backend = backend or load_backend(self.config.backend, threads=self.config.threads)
        phone_set = self.backend.phone_set
        if phone_set.symbols != PHONES:
            raise ConfigError(
                f"backend {self.backend.name} has {len(phone_set.symbols)} phones; the embedded scorer expects the 39 "
                "ARPABET phones in alphabetical order"
            )
        self.scorer: Scorer = scorer or self._own_scorer()
        shipped = read_card(SCORERS[rates(self.backend)][1])
        self.detector = detector or detector_of(getattr(self.scorer, "card", shipped))
        self.detector.flagged_from(self.config.sensitivity)  # a wrong sensitivity is refused here
        self.prior = learned_prior() if self.config.confusions else flat_prior()
        self.l1 = None if self.config.l1 is None else l1_profile(self.config.l1)
        if self.l1 is not None and not self.config.confusions:
            raise ConfigError("l1 says which errors to expect, and confusions is off; leave one of them out")
        self.tracker = load_pitch_tracker(self.config.pitch)

    @property
    def follower(self) -> Assessor:
        """What gives provisional scores of a reading that is not over: the same."""
        return self

    def with_config(self, config: AssessorConfig) -> Assessor:
        """The same models under other settings, without loading them again.

        Raises:
            ConfigError: the settings are contradictory.
        """
        return Assessor(config, backend=self.backend, scorer=self.scorer, detector=self.detector)

    def _own_scorer(self) -> EmbeddedScorer:
        """The scorer that the settings name, else the shipped one that suits the backend."""
        if self.config.scorer is None:
            return shipped_scorer(rated=rates(self.backend))
        found = read_scorer(Path(self.config.scorer))
        if found.needs_ratings and not rates(self.backend):
            raise ConfigError(
                f"scorer {self.config.scorer} learned to rely on ratings, and backend {self.backend.name} gives none; "
                f"train one with `elocute train scorer --backend {self.config.backend}`"
            )
        return found

    def assess(
        self,
        audio: AudioSource | Audio,
        text: str,
        *,
        sample_rate: int | None = None,
        lexicon: UserLexicon | None = None,
        pronunciations: Sequence[Sequence[str]] | None = None,
        reference: AudioSource | Audio | None = None,
    ) -> Report:
        """Say how well a recording speaks a text.

        Args:
            audio: recording: path, bytes, binary file object, array, or `Audio`.
            text: what should have been said.
            sample_rate: of an array, Hz.
            lexicon: the user's pronunciations.
            pronunciations: ARPABET phones of every word, which fix what counts as right.
            reference: somebody else's recording of the same text, whose melody this one is compared with.

        Raises:
            AudioError, TextError, PhoneError, AlignmentError: the recording or the text cannot be used.
        """
        canonical = phonemize(text, lexicon=lexicon, pronunciations=pronunciations)
        recording = audio if isinstance(audio, Audio) else load_audio(audio, sample_rate=sample_rate)
        return self.assess_heard(recording, self.backend.posteriors(recording), canonical, reference=reference)

    def assess_heard(
        self,
        recording: Audio,
        posteriors: Posteriors,
        canonical: Canonical,
        *,
        reference: AudioSource | Audio | None = None,
    ) -> Report:
        """The same of a recording that the backend has heard already, perhaps with many others.

        Raises:
            AudioError, AlignmentError: the recording cannot be used with this text, or the reference not at all.
        """
        if self.config.variants:
            canonical = best_variants(posteriors, canonical)
        found = self.find(recording, posteriors, canonical)
        if reference is not None:
            found = replace(found, reference=self._compare(found, reference))
        return write_report(
            found,
            scale=self.config.scale,
            backend=f"{self.backend.name} {self.backend.version}",
            scorer=f"{self.scorer.name} {self.scorer.version}",
            advice=None if self.config.advice == "off" else self.config.advice,
            l1=self.config.l1,
        )

    def find(self, recording: Audio, posteriors: Posteriors, canonical: Canonical) -> Finding:
        """What was read and how well: first all of the text without the extras, then only what was said of it."""
        words = [[PHONES.index(phone.symbol) for phone in word.phones] for word in canonical.words]
        reading = read_words(posteriors.log_probs, words, posteriors.phone_set, self.prior)
        kept = reading.kept_frames(len(posteriors.log_probs))
        heard, audio = cut(posteriors, recording, kept)
        fitting = _to_examine(words, reading.skipped, heard)
        if not fitting:  # next to nothing is of the text: all of the recording has to speak for it
            reading, kept = replace(reading, extras=()), np.arange(len(posteriors.log_probs))
            heard, audio = posteriors, recording
            fitting = _to_examine(words, reading.skipped, heard)
        if not fitting:
            raise AlignmentError(
                f"the recording has {len(heard.log_probs)} frames of {1000 * heard.frame_shift_s:.0f} ms; the "
                f"{sum(map(len, words))} phones of the text need more; record the whole text again"
            )
        spoken = Spoken(audio=audio, posteriors=heard, pitch=self.tracker.track(audio))
        part = self._examine(spoken, canonical, fitting)
        features = part.analysis.features
        skipped = [fitting.index(n) for n in reading.skipped if n in fitting]
        begun = [fitting.index(n) for n in reading.truncated if n in fitting]
        gone = left_out(skipped, part.said, features.phone_ids, features.word_ids, part.scores.phone, begun=begun)
        doubts = self._doubts(part)
        said = [n for n, is_gone in zip(fitting, gone, strict=True) if not is_gone]
        if said and len(said) < len(fitting):
            part = self._examine(spoken, canonical, said)
        return Finding(
            recording=recording,
            canonical=canonical,
            reading=reading,
            frames=kept,
            frame_shift_s=posteriors.frame_shift_s,
            spoken=tuple(said),
            analysis=part.analysis,
            prosody=part.prosody,
            scores=part.scores,
            diagnosis=self._diagnose(part),
            doubts=_of_every_phone(doubts, fitting, words),
            match=match(
                posteriors,
                part.analysis.found,
                own_posterior(part.said, part.analysis.features.phone_ids),
                reading,
                phones=sum(map(len, words)),
                share=len(said) / len(words),
                matcher=embedded_matcher(),
            ),
            symbols=posteriors.phone_set.symbols,
        )

    def _examine(self, spoken: Spoken, canonical: Canonical, indices: Sequence[int]) -> Examined:
        """Take some words of a text apart that were all said, one after the other and nothing else, and score them."""
        words = [canonical.words[index].phones for index in indices]
        symbols = [phone.symbol for word in words for phone in word]
        word_ids = [number for number, word in enumerate(words) for _ in word]
        analysis = analyse(spoken.posteriors, symbols, word_ids, spoken.audio)
        prosody = measure_prosody(spoken.audio, spoken.pitch, analysis.times, canonical, indices)
        features = replace(analysis.features, prosody=prosody_features(prosody))
        phones, phone_set = features.phone_ids, spoken.posteriors.phone_set
        return Examined(
            analysis=replace(analysis, features=features),
            prosody=prosody,
            said=said_posterior(spoken.posteriors.log_probs, phones, phone_set, self.prior),
            scores=self.scorer.score(features),
        )

    def _compare(self, found: Finding, reference: AudioSource | Audio) -> MelodyComparison | None:
        """The melody beside that of a reference recording, over the words that were said in both.

        Raises:
            AudioError, AlignmentError: the reference cannot be used.
        """
        recording = reference if isinstance(reference, Audio) else load_audio(reference)
        other = self.find(recording, self.backend.posteriors(recording), found.canonical)
        if not (found.is_scorable and other.is_scorable):
            return None
        both = [index for index in found.spoken if index in other.spoken]
        own, theirs = (
            word_times(one.analysis.times, one.analysis.features.word_ids)[[one.spoken.index(index) for index in both]]
            for one in (found, other)
        )
        return compare_melodies(found.prosody.pitch, own, other.prosody.pitch, theirs) if both else None

    def _doubts(self, part: Examined) -> Float64:
        """Probability that each phone is wrong, shape (L,)."""
        heard = own_posterior(part.said, part.analysis.features.phone_ids)
        return self.detector.probability(detector_inputs(part.scores.phone, part.scores.error_log_odds, heard))

    def _diagnose(self, part: Examined) -> Diagnosis:
        """What happened at every phone that was said."""
        features = part.analysis.features
        said = part.said
        if self.l1 is not None:
            ends = np.flatnonzero(np.diff(features.word_ids)) + 1
            words = [[PHONES[phone] for phone in word] for word in np.split(features.phone_ids, ends)]
            said = had_been_expected(said, features.phone_ids, self.prior, expected_errors(self.l1, words))
        return diagnose(
            said,
            features.phone_ids,
            part.scores.phone,
            part.scores.error_log_odds,
            features.word_ids,
            self.backend.phone_set.symbols,
            self.detector,
            sensitivity=self.config.sensitivity,
            nbest=self.config.nbest,
        )


def assess(audio: AudioSource, text: str, *, sample_rate: int | None = None) -> Report:
    """Assess one recording with the embedded models; hold an `Assessor` for more than one."""
    return Assessor().assess(audio, text, sample_rate=sample_rate)


def embedded_detector() -> Detector:
    """The detector that goes with the embedded acoustic model."""
    return detector_of(read_card(SCORERS[True][1]))


def detector_of(card: Mapping[str, Any]) -> Detector:
    """The detector in a scorer's card."""
    stored = card["detector"]
    low, normal, high, least = stored["thresholds"]
    return Detector(bias=stored["bias"], weights=tuple(stored["weights"]), thresholds=(low, normal, high, least))


def cut(posteriors: Posteriors, audio: Audio, kept: Int64) -> tuple[Posteriors, Audio]:
    """The kept frames of what was heard, and their samples."""
    frames = len(posteriors.log_probs)
    if len(kept) == frames:
        return posteriors, audio
    hop = round(posteriors.frame_shift_s * SAMPLE_RATE_HZ)
    padded = np.zeros(frames * hop, dtype=np.float32)
    padded[: len(audio.samples)] = audio.samples[: frames * hop]
    ratings = posteriors.ratings
    return (
        replace(posteriors, log_probs=posteriors.log_probs[kept], ratings=None if ratings is None else ratings[kept]),
        replace(audio, samples=padded.reshape(frames, hop)[kept].reshape(-1)),
    )


def _to_examine(words: Sequence[Sequence[int]], skipped: Sequence[int], posteriors: Posteriors) -> list[int]:
    """Words to look at: all, but for skipped ones where those are too many; none if there are too few frames."""
    rest = [n for n in range(len(words)) if n not in skipped]
    if sum(len(words[n]) for n in skipped) > MOST_UNREAD:
        # Of a text that was not read at all the beginning shows it as well.
        lengths = np.cumsum([len(word) for word in words])
        rest = rest or list(range(max(int((lengths <= MOST_UNREAD).sum()), 1)))
    elif _fits(words, posteriors):
        return list(range(len(words)))
    return rest if _fits([words[n] for n in rest], posteriors) else []


def _fits(words: Sequence[Sequence[int]], posteriors: Posteriors) -> bool:
    """Whether there are frames enough for the words."""
    spelling = spell([phone for word in words for phone in word], posteriors.phone_set)
    return min_frames(spelling.labels) <= len(posteriors.log_probs)


def _of_every_phone(doubts: Float64, fitting: Sequence[int], words: Sequence[Sequence[int]]) -> Float64:
    """Doubts of all phones of the text, from those of the words that were looked at; 1 for the others."""
    bounds = np.cumsum([0, *map(len, words)])
    spread = np.ones(bounds[-1])
    places = [place for word in fitting for place in range(bounds[word], bounds[word + 1])]
    spread[places] = doubts
    return spread
