"""What a worker does with one request: decode, assess, write; and how long each took."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from elocute.assessor import Assessor
from elocute.assessors import ReportMaker, load_assessor
from elocute.audio import audio_from_array, load_audio, stretch_of
from elocute.audio.decode import decode_file, opened
from elocute.azure import AzureConfig, Granularity, to_azure_json
from elocute.config import AssessorConfig
from elocute.phones import phonemize
from elocute.phones.l1 import l1_codes
from elocute.report import Report
from elocute.server.problems import Problem
from elocute.server.provisional import Followed, Progress, follow, script_of
from elocute.server.wanted import Detail, Wanted
from elocute.types import Audio, Canonical

_NO_PROFILE = "nothing is known of the first language {!r}, so it changes nothing in this report"
MAX_PHONES = 1000
"""A minute of speech hardly has more. The time for a report grows with phones and seconds, to 15 s of CPU for 644
phones (1,000 characters of English) in 60 s. Characters do not bound phones: 1,000 digits are 3,000 phones."""

_GRANULARITY: dict[Detail, Granularity] = {"full": "Phoneme", "word": "Word", "sentence": "FullText"}


class Desk:
    """The models of one worker, behind an assessor for each way of assessing that was asked for.

    Raises:
        ConfigError: the settings are contradictory, or a model is missing.
    """

    def __init__(self, config: AssessorConfig) -> None:
        self._config = config
        self._first = load_assessor(config)
        self._others: dict[AssessorConfig, ReportMaker] = {}
        self._embedded: Assessor | None = None
        self._warm_up()

    def assessor(self, wanted: Wanted) -> ReportMaker:
        """The assessor for what is wanted; they share the models. A language without a profile changes nothing."""
        l1 = wanted.l1 if wanted.l1 in l1_codes() else self._config.l1
        config = replace(self._config, scale=wanted.scale, sensitivity=wanted.sensitivity, l1=l1, advice=wanted.advice)
        if config == self._config:
            return self._first
        if config not in self._others:
            self._others[config] = self._first.with_config(config)
        return self._others[config]

    def follower(self, wanted: Wanted) -> Assessor:
        """What follows a reader; the embedded model where that of the settings cannot."""
        found = self.assessor(wanted).follower
        if found is not None:
            return found
        if self._embedded is None:
            self._embedded = Assessor(AssessorConfig(threads=self._config.threads))
        return self._embedded.with_config(
            replace(self.assessor(wanted).config, backend=AssessorConfig().backend, scorer=None)
        )

    def _warm_up(self) -> None:
        """Assess a second of a tone, so that lexicon, G2P model and buffers are there before the first request."""
        tone = (0.1 * np.sin(2e-5 * np.square(np.arange(16_000.0)))).astype(np.float32)
        self._first.assess(audio_from_array(tone, 16_000), "hello elocute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker made of a request.

    Attributes:
        body: JSON.
        duration_s: length of the recording.
        stages_s: seconds that each stage took, by its name.
    """

    body: bytes
    duration_s: float
    stages_s: dict[str, float]


class Source(Protocol):
    """Something that can be heard."""

    def audio(self) -> Audio:
        """Its samples; AudioError if they cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """A recording as it was sent.

    Attributes:
        data: a file; or 16-bit little-endian samples of one channel, where `sample_rate` is given.
        sample_rate: Hz.
        max_duration_s: a longer one is refused.
    """

    data: bytes
    sample_rate: int | None
    max_duration_s: float

    def audio(self) -> Audio:
        """Its samples.

        Raises:
            AudioError: it cannot be used.
        """
        if self.sample_rate is None:
            return load_audio(self.data, max_duration_s=self.max_duration_s)
        samples = np.frombuffer(self.data[: len(self.data) // 2 * 2], dtype="<i2")
        return audio_from_array(samples, self.sample_rate, max_duration_s=self.max_duration_s)

    def stretch(self, from_s: float) -> Audio:
        """Its samples as far as they go, from a time on; those that are no file are so already.

        Raises:
            AudioError: it cannot be used, or not yet.
        """
        if self.sample_rate is not None:
            return stretch_of(np.frombuffer(self.data[: len(self.data) // 2 * 2], dtype="<i2"), self.sample_rate)
        with opened(self.data) as (name, file):
            samples, rate = decode_file(name, file, self.max_duration_s)
        return stretch_of(samples[round(from_s * rate) :], rate)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assess:
    """A job: one recording becomes its answer.

    Attributes:
        wanted: what of it.
        recording: to be assessed.
    """

    wanted: Wanted
    recording: Source

    def __call__(self, desk: Desk) -> Answer:
        """Assess it.

        Raises:
            Problem: nothing can be scored, and it holds the report; or the text takes too long to say.
            AudioError, TextError, PhoneError, AlignmentError: the recording or the text cannot be used.
        """
        begin_s = time.monotonic()
        check_length(phonemize(self.wanted.text))
        audio = self.recording.audio()
        decoded_s = time.monotonic()
        report = desk.assessor(self.wanted).assess(audio, self.wanted.text)
        if self.wanted.l1 not in (None, *l1_codes()):
            report = replace(report, warnings=(*report.warnings, _NO_PROFILE.format(self.wanted.l1)))
        assessed_s = time.monotonic()
        body = _body(report, self.wanted)
        return Answer(
            body=body,
            duration_s=audio.duration_s,
            stages_s={
                "decode": decoded_s - begin_s,
                "assess": assessed_s - decoded_s,
                "write": time.monotonic() - assessed_s,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Follow:
    """A job: words that were finished in a recording that is being made.

    Attributes:
        wanted: of the report in the end.
        recording: as far as it goes; where it is no file, only what comes from `progress.from_s` on.
        progress: of the reader, at the last look.
    """

    wanted: Wanted
    recording: Recording
    progress: Progress

    def __call__(self, desk: Desk) -> Followed:
        """Follow the reader.

        Raises:
            AudioError: too short to tell, or a file that cannot be read before it is whole.
        """
        stretch = self.recording.stretch(self.progress.from_s)
        return follow(desk.follower(self.wanted), script_of(self.wanted.text), self.progress, stretch)


def check_length(text: Canonical) -> None:
    """Refuse a text that takes too long to say.

    Raises:
        Problem: it has too many phones.
    """
    phones = len(text.phones)
    if phones > MAX_PHONES:
        raise Problem(
            "too-large",
            f"the text has {phones} sounds when it is read aloud; expected at most {MAX_PHONES}, more than a minute of "
            "speech, so send it in parts",
        )


def _body(report: Report, wanted: Wanted) -> bytes:
    """The answer's JSON: in full the very bytes that the command line writes.

    The shape of Azure has a status of its own, NoMatch, for a recording that cannot be scored.
    """
    if wanted.shape == "azure":
        config = AzureConfig(granularity=_GRANULARITY[wanted.detail])
        return (to_azure_json(report, config, indent=2) + "\n").encode()
    less = trimmed(report, wanted.detail)
    if report.utterance.accuracy is None:
        raise Problem("not-scorable", "; ".join(report.warnings), report=less.to_dict())
    return (less.to_json(indent=2) + "\n").encode()


def trimmed(report: Report, detail: Detail) -> Report:
    """A report without what lies below a level: its lists are empty then.

    Errors of phones and advice on them point at phones, and go with these.
    """
    if detail == "full":
        return report
    words = () if detail == "sentence" else tuple(replace(word, syllables=(), phonemes=()) for word in report.words)
    advice = tuple(one for one in report.feedback if detail == "word" and one.phone_index is None)
    return replace(report, words=words, mispronunciations=(), feedback=advice)
