"""`--backend ensemble:A,B,...`: several backends hear a recording, and one report comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from elocute.assessor import Assessor
from elocute.assessors import ReportMaker, load_assessor
from elocute.audio import AudioSource, load_audio
from elocute.config import AssessorConfig
from elocute.ensemble.combination import Combination, Member, plain_average, read_combination
from elocute.ensemble.merge import merge
from elocute.ensemble.values import says_anything
from elocute.errors import ConfigError, ElocuteError
from elocute.phones import UserLexicon
from elocute.report import ModelFacts, Report
from elocute.report_parts import own_version
from elocute.types import Audio

SUFFIX = ".json"
"""Of a fitted combination."""


def load(place: str, *, config: AssessorConfig) -> EnsembleAssessor:
    """Load all members.

    Args:
        place: "A,B,..." for members of equal weight, "FILE.json" for a fitted combination, or "FILE.json,A,B,..." for
            the same with other names for its members. A member is a backend, or BACKEND@SCORER.
        config: settings; their backend is the ensemble's name.

    Raises:
        ConfigError: fewer than two members, or a member, file or setting that cannot be used.
    """
    combination = combination_of(place)
    if config.scorer is not None:
        raise ConfigError(
            f"scorer is {config.scorer}, and an ensemble has none of its own; give a member its scorer, as "
            f"'ensemble:{combination.members[0].backend}@{config.scorer},...'"
        )
    makers = tuple(load_assessor(_settings(config, member)) for member in combination.members)
    return EnsembleAssessor(config, combination, makers)


def combination_of(place: str) -> Combination:
    """The combination that a place names.

    Raises:
        ConfigError: it names none.
    """
    parts = [part.strip() for part in place.split(",")]
    file = Path(parts.pop(0)) if parts[0].endswith(SUFFIX) else None
    members = tuple(Member.of(part) for part in parts)
    if file is None:
        if len(members) < 2:
            raise ConfigError(
                f"backend is 'ensemble:{place}'; expected two members or more, 'ensemble:A,B', or a file that "
                "`elocute train ensemble` made"
            )
        return plain_average(members)
    fitted = read_combination(file)
    if members and len(members) != len(fitted.members):
        raise ConfigError(
            f"{file} combines {len(fitted.members)} members ({', '.join(map(str, fitted.members))}), and "
            f"{len(members)} are named; expected as many, in that order"
        )
    return replace(fitted, members=members) if members else fitted


def identity(place: str) -> str:
    """What tells the ensemble from others: its members' models and the weights."""
    from elocute.installed import model_versions

    combination = combination_of(place)
    told = [
        " ".join(f"{key} {value}" for key, value in model_versions(member.backend, member.scorer).items())
        for member in combination.members
    ]
    facts = repr((combination.blends, combination.thresholds))
    return f"{'; '.join(told)}; {hashlib.sha256(facts.encode()).hexdigest()}"


def threshold(place: str) -> float | None:
    """Probability from which a phone is flagged at normal sensitivity; None where the leader decides."""
    thresholds = combination_of(place).thresholds
    return None if thresholds is None else min(thresholds[1], 1.0)


def _settings(config: AssessorConfig, member: Member) -> AssessorConfig:
    """The settings of a member; advice is written at the end, by the ensemble."""
    return replace(config, backend=member.backend, scorer=member.scorer, advice="off")


@dataclass(frozen=True, slots=True)
class EnsembleAssessor:
    """Lets every member assess, and combines the reports.

    Attributes:
        config: settings of the report.
        combination: how the members are combined.
        makers: the members, in its order.
    """

    config: AssessorConfig
    combination: Combination
    makers: tuple[ReportMaker, ...]

    @property
    def follower(self) -> Assessor | None:
        """What gives provisional scores: the first member that can."""
        return next((maker.follower for maker in self.makers if maker.follower is not None), None)

    def with_config(self, config: AssessorConfig) -> EnsembleAssessor:
        """The same models under other settings."""
        makers = tuple(
            maker.with_config(_settings(config, member))
            for maker, member in zip(self.makers, self.combination.members, strict=True)
        )
        return EnsembleAssessor(config, self.combination, makers)

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

        The first member leads. The others are asked about the pronunciation of each word that it accepted, so that
        all speak of the same phones. One that refuses the recording is left out, and the report says so.

        Raises:
            AudioError, TextError, PhoneError, AlignmentError: the recording or the text cannot be used; the leader
                says so.
        """
        recording = audio if isinstance(audio, Audio) else load_audio(audio, sample_rate=sample_rate)
        leader = self.makers[0].assess(
            recording, text, lexicon=lexicon, pronunciations=pronunciations, reference=reference
        )
        accepted = [
            [phone.phone for phone in word.phonemes if phone.expected is not None] for word in leader.text_words
        ]
        reports: list[Report | None] = [leader]
        warnings = []
        for member, maker in zip(self.combination.members[1:], self.makers[1:], strict=True):
            if leader.utterance.total is None:
                break  # nothing to combine
            try:
                report = maker.assess(recording, text, pronunciations=accepted)
            except ElocuteError as error:
                reports.append(None)
                warnings.append(f"{member} is left out of the ensemble, because it refused the recording: {error}")
                continue
            reports.append(report)
            if not says_anything(report):
                reasons = "; ".join(report.warnings)
                warnings.append(f"{member} is left out of the ensemble, because it scored nothing: {reasons}")
        if not self.combination.card and leader.utterance.total is not None:
            warnings.append(
                "the members of the ensemble count alike, and errors are the first one's; `elocute train ensemble` "
                "fits a combination"
            )
        model = ModelFacts(
            backend="ensemble of " + " and ".join(one.model.backend for one in reports if one is not None),
            scorer=f"combination {self.combination.card.get('version', 'without weights')} of "
            + " and ".join(one.model.scorer for one in reports if one is not None),
            version=own_version(),
        )
        return merge(self.combination, reports, self.config, model=model, warnings=warnings)
