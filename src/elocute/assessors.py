"""Everything that makes a report of a recording and its text, found by one name.

The name of a backend is either that of an acoustic one (group `elocute.backends`), which the ten steps in `Assessor`
turn into a report, or that of something with ways of its own (group `elocute.assessors`): a language model that hears,
a combination of others. Whoever wants a report of whatever the user named calls `load_assessor`.

An entry point of `elocute.assessors` is `NAME = "module:factory"`. The factory is called as
`factory(place, config=config)`, where the place is what stands after the colon of "NAME:PLACE", and returns a
`ReportMaker`; one without a parameter `place` takes no place. The module may also have `identity(place) -> str`, which
tells one state of the place from another without loading it, so that a batch is resumed with the same models only.
Importing the module must be cheap. `check_report_maker` is the contract, and third parties may run it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from typing import Protocol, runtime_checkable

import numpy as np

from elocute.acoustic import ENTRY_POINT_GROUP as BACKENDS
from elocute.assessor import Assessor
from elocute.audio import AudioSource, audio_from_array
from elocute.config import AssessorConfig
from elocute.errors import ConfigError, ElocuteError
from elocute.phones import UserLexicon, phonemize
from elocute.report import Report
from elocute.types import SAMPLE_RATE_HZ, Audio

ENTRY_POINT_GROUP = "elocute.assessors"

_TEXT = "we call it bear"


@runtime_checkable
class ReportMaker(Protocol):
    """What makes a report of a recording and its text.

    Attributes:
        config: its settings.
        follower: what gives provisional scores of a reading that is not over; None where it can give none.
    """

    @property
    def config(self) -> AssessorConfig:
        """Its settings."""

    @property
    def follower(self) -> Assessor | None:
        """What gives provisional scores."""

    def with_config(self, config: AssessorConfig) -> ReportMaker:
        """The same models under other settings, without loading them again."""

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
        """Say how well a recording speaks a text; the arguments are those of `Assessor.assess`.

        Raises:
            AudioError, TextError, PhoneError, AlignmentError: the recording or the text cannot be used.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the name of a backend stands for.

    Attributes:
        point: where it is.
        place: what stands after the colon; None where there is no colon.
        is_acoustic: whether it is a backend for `Assessor`.
    """

    point: EntryPoint
    place: str | None
    is_acoustic: bool


def find_named(name: str) -> Named:
    """What the name of a backend stands for.

    Raises:
        ConfigError: nothing of this name is installed.
    """
    family, colon, place = name.partition(":")
    for group in (BACKENDS, ENTRY_POINT_GROUP):
        for point in entry_points(group=group, name=family):
            return Named(point=point, place=place if colon else None, is_acoustic=group == BACKENDS)
    names = sorted({point.name for group in (BACKENDS, ENTRY_POINT_GROUP) for point in entry_points(group=group)})
    near = difflib.get_close_matches(family, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"backend is {family!r}; expected one of {', '.join(names) or 'none installed'}{hint}")


def load_assessor(config: AssessorConfig | None = None) -> ReportMaker:
    """What makes the reports that the settings ask for.

    Args:
        config: settings; defaults if None.

    Raises:
        ConfigError: unknown backend, or a place that is missing, wrong or not asked for; or other settings that
            contradict each other or the backend.
        MissingExtraError: the backend needs packages that are not installed.
    """
    config = config or AssessorConfig()
    named = find_named(config.backend)
    if named.is_acoustic:
        return Assessor(config)
    factory: Callable[..., ReportMaker] = named.point.load()
    takes_place = "place" in signature(factory).parameters
    if takes_place and not named.place:
        raise ConfigError(f"backend is {config.backend!r}; expected something after it, '{named.point.name}:PLACE'")
    if named.place is not None and not takes_place:
        raise ConfigError(f"backend is {config.backend!r}; expected {named.point.name!r} alone, which takes no place")
    return factory(named.place, config=config) if takes_place else factory(config=config)


def listener_of(maker: ReportMaker) -> Assessor:
    """What finds sounds in time where `maker` itself may not: what it follows readers with, else the embedded model."""
    if maker.follower is not None:
        return maker.follower
    return Assessor(replace(maker.config, backend=AssessorConfig().backend, scorer=None))


def check_report_maker(maker: ReportMaker) -> list[str]:
    """Run the contract on something that makes reports: noise, near silence, a tone, a short recording.

    Every recording is answered by a whole report or refused by an `ElocuteError`. What is not scored has its reason
    among the warnings.

    Returns: the names of the checks that passed, in order.

    Raises:
        ConfigError: the first check that failed, with what was found.
    """
    if not isinstance(maker, ReportMaker):
        raise ConfigError(
            f"{type(maker).__name__} lacks a member of ReportMaker: config, follower, with_config, assess"
        )
    passed = ["members"]
    for case, audio in _cases():
        report = _report(maker, audio)
        if report is not None:
            _check_report(report, maker.config.scale, case)
        passed.append(case)
    audio = next(_cases())[1]
    first, second = (None if one is None else one.to_json() for one in (_report(maker, audio), _report(maker, audio)))
    if first != second:
        raise ConfigError(f"backend {maker.config.backend} is not deterministic: two reports of one recording differ")
    passed.append("deterministic")
    scale = 10 if maker.config.scale != 10 else 100
    report = _report(maker.with_config(replace(maker.config, scale=scale)), audio)
    if report is not None:
        _check_report(report, scale, "other settings")
    return [*passed, "other settings"]


def _cases() -> Iterator[tuple[str, Audio]]:
    """Recordings in which nobody speaks, as `load_audio` lets them through; the first is noise."""
    rng = np.random.default_rng(0)
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    cases = {
        "noise": rng.normal(0, 0.05, 2 * SAMPLE_RATE_HZ),
        "near silence": rng.normal(0, 1e-3, 2 * SAMPLE_RATE_HZ),
        "a tone": 0.1 * np.sin(2 * np.pi * (200 * time_s + 400 * time_s**2)),
        "0.2 seconds": rng.normal(0, 0.05, SAMPLE_RATE_HZ // 5),
    }
    for case, samples in cases.items():
        yield case, audio_from_array(samples.astype(np.float32), SAMPLE_RATE_HZ)


def _report(maker: ReportMaker, audio: Audio) -> Report | None:
    """The report of a recording; None where it is refused."""
    try:
        return maker.assess(audio, _TEXT)
    except ElocuteError:
        return None


def _check_report(report: Report, scale: int, case: str) -> None:
    """ConfigError unless a report is whole, on its scale, and about the text."""
    if report.scale != scale:
        raise ConfigError(f"{case}: the report is of {report.scale}; expected a scale of {scale}, as the settings say")
    try:
        again = Report.from_json(report.to_json())
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{case}: the report does not go through JSON: {error}") from error
    if again != report:
        raise ConfigError(f"{case}: the report changes on its way through JSON; expected tuples and plain numbers")
    expected = [word.text for word in phonemize(_TEXT).words]
    words = [word.word for word in report.text_words]
    if words != expected:
        raise ConfigError(f"{case}: the report has the words {json.dumps(words)}; expected {json.dumps(expected)}")
    whole = report.utterance
    scores = [whole.accuracy, whole.fluency, whole.prosody, whole.completeness, whole.total]
    scores += [score for word in report.words for score in (word.accuracy, word.stress, word.total)]
    scores += [phone.score for word in report.words for phone in word.phonemes]
    wrong = [score for score in scores if score is not None and not 0 <= score <= scale]
    if wrong:
        raise ConfigError(f"{case}: a score is {wrong[0]}; expected 0 to {scale}, or null and a warning")
    if whole.total is None and not report.warnings:
        raise ConfigError(f"{case}: no total score and no warning; expected the reason among the warnings")
