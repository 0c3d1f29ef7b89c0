"""Hard cases, assessed: one utterance with all of its cases becomes one row of plain JSON values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from elocute.audio import load_audio
from elocute.batch.local import AssessRow
from elocute.batch.manifest import ManifestRow
from elocute.config import AssessorConfig, AudioConfig
from elocute.evaluation.robustness_build import Material, NotBuiltError, Other, Recording, WordTimes
from elocute.evaluation.robustness_cases import BY_NAME, Case
from elocute.evaluation.robustness_judge import (
    EXTRA_ERRORS,
    SCALE,
    Assessed,
    CanAssess,
    has_on_clean,
    has_succeeded,
    kind_of,
)
from elocute.evaluation.robustness_plan import Plan, generator
from elocute.evaluation.splice_edges import phone_edges
from elocute.gop import align_phones
from elocute.report import Report, WordReport
from elocute.types import SAMPLE_RATE_HZ, Float32

WORD_ERRORS = ("omission", "mispronunciation", "truncation", *EXTRA_ERRORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the assessor said of one recording of a case.

    Attributes:
        utterance: id of the utterance.
        case: its name.
        detail: which word, clip or utterance.
        total: 0 to 100; None where it refused.
        clean_total: that of the clean recording.
        completeness: 0 to 1; None where it refused.
        words: words of the text.
        errors: how many words have each error, of the text and beside it.
        has_succeeded: by the case's own measure.
        has_on_clean: whether the clean recording with its own text passes the same measure at the same place, by
            chance or by false alarm; None where that means nothing.
        total_change: total less that of the clean recording; None where either was refused, or the text is another.
        phone_change: mean of the phones' scores, likewise; None also where phones have none.
        phone_distance: mean absolute change of the phones' scores; None also where other variants were chosen.
        false_omissions: words called omitted that are in the recording and were not so in the clean one; None where
            the text is another.
        reasons: kinds of the warnings of a refusal, or the error that refused the recording.
        warnings: kinds of all its warnings.
    """

    utterance: str
    case: str
    detail: str
    total: float | None
    clean_total: float | None
    completeness: float | None
    words: int
    errors: Mapping[str, int]
    has_succeeded: bool
    has_on_clean: bool | None
    total_change: float | None
    phone_change: float | None
    phone_distance: float | None
    false_omissions: int | None
    reasons: Sequence[str]
    warnings: Sequence[str]


class NamedAssessor:
    """Whatever makes reports under the name of a backend; one thread, as the workers share the cores."""

    def __init__(self, backend: str) -> None:
        from elocute.assessors import listener_of, load_assessor

        self._maker = load_assessor(AssessorConfig(backend=backend, scale=SCALE, threads=1))
        self._listener = listener_of(self._maker)

    def assess(
        self,
        audio: Float32,
        text: str,
        *,
        sample_rate: int | None = None,
        pronunciations: Sequence[Sequence[str]] | None = None,
    ) -> Report:
        """Say how well a recording speaks a text."""
        return self._maker.assess(audio, text, sample_rate=sample_rate, pronunciations=pronunciations)

    def word_times(
        self, audio: Float32, report: Report, *, text: str, pronunciations: Sequence[Sequence[str]] | None
    ) -> WordTimes:
        """Where the phones are in the sound, closer than the report's times: see `splice_edges`.

        A word whose place there contradicts the report's counts as not found. Where the report is by something that
        does not hear in time, an acoustic model's report takes its place.
        """
        if self._listener is not self._maker:
            report = self._listener.assess(audio, text, sample_rate=SAMPLE_RATE_HZ, pronunciations=pronunciations)
            if report.utterance.total is None:
                return tuple(() for _ in report.text_words)
        said = [
            (index, phone.expected)
            for index, word in enumerate(report.text_words)
            if word.error != "omission"
            for phone in word.phonemes
            if phone.expected is not None
        ]
        if not said:
            return tuple(() for _ in report.text_words)
        recording = load_audio(audio, sample_rate=SAMPLE_RATE_HZ)
        posteriors = self._listener.backend.posteriors(recording)
        ids = [posteriors.phone_set.id_of(phone) for _, phone in said]
        spans = align_phones(posteriors.log_probs, ids, posteriors.phone_set).spans
        edges = phone_edges(recording, spans, posteriors.frame_shift_s)
        times: list[list[tuple[float, float]]] = [[] for _ in report.text_words]
        for (index, _), start_s, end_s in zip(said, edges.start_s, edges.end_s, strict=True):
            times[index].append((float(start_s), float(end_s)))
        return tuple(
            tuple(phones) if _overlaps(phones, word) else ()
            for phones, word in zip(times, report.text_words, strict=True)
        )


def _overlaps(phones: Sequence[tuple[float, float]], word: WordReport) -> bool:
    """Whether phones lie where the report has their word, by half of its length at least."""
    if not phones or word.start_s is None or word.end_s is None:
        return False
    shared = min(phones[-1][1], word.end_s) - max(phones[0][0], word.start_s)
    return shared >= 0.5 * (word.end_s - word.start_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFactory:
    """Makes the assessor of one worker."""

    backend: str

    def __call__(self) -> CanAssess:
        """Load the models."""
        return NamedAssessor(self.backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessFactory:
    """Makes the assessor of one worker process; it answers with the observations of one utterance.

    Attributes:
        make_assessor: makes what assesses.
        plans: by id of the utterance.
        recordings: files of utterances by id, those that are joined or lend words too.
        clips: files of noise by name.
        cases: names of the cases, without clean, which always is one.
        seed: of what is drawn while building.
        run: fingerprint of the run, which every row carries.
    """

    make_assessor: Callable[[], CanAssess]
    plans: Mapping[str, Plan]
    recordings: Mapping[str, Path]
    clips: Mapping[str, Path]
    cases: tuple[str, ...]
    seed: int
    run: str

    def __call__(self) -> AssessRow:
        """Load the models once."""
        assessor = self.make_assessor()
        clip = cache(lambda name: _samples(self.clips[name]))

        def assess(row: ManifestRow) -> Mapping[str, object]:
            plan = self.plans[row.id]
            return {"run": self.run} | observe(
                assessor,
                plan,
                _samples(self.recordings[row.id]),
                cases=[BY_NAME[name] for name in self.cases],
                recording_of=lambda name: _samples(self.recordings[name]),
                clip=clip,
                seed=self.seed,
            )

        return assess


def _samples(path: Path) -> Float32:
    """Samples of a file; read first, so that errors do not say where the corpus lies."""
    return load_audio(path.read_bytes()).samples


def observe(
    assessor: CanAssess,
    plan: Plan,
    samples: Float32,
    *,
    cases: Sequence[Case],
    recording_of: Callable[[str], Float32],
    clip: Callable[[str], Float32],
    seed: int,
) -> dict[str, Any]:
    """Assess the cases of one utterance.

    Args:
        assessor: with scores of 0 to 100.
        plan: of the utterance.
        samples: its recording.
        cases: what to build besides the clean case.
        recording_of: reads another utterance by its id.
        clip: reads a noise clip by its name.
        seed: of what is drawn while building.

    Returns: `observations`, a list of plain `Observation`s, the clean one first, and `not_built`, reasons by case.
    """
    clean = Assessed.of(assessor, plan, Recording(samples=samples))

    @cache
    def other() -> Other | None:
        if plan.other is None:
            return None
        spoken = recording_of(plan.other.id)
        report = assessor.assess(spoken, plan.other.text, sample_rate=SAMPLE_RATE_HZ, pronunciations=plan.other.phones)
        scored = report.utterance.total is not None
        return Other(
            id=plan.other.id,
            samples=spoken,
            words=tuple(word.word for word in report.text_words),
            times=assessor.word_times(spoken, report, text=plan.other.text, pronunciations=plan.other.phones)
            if scored
            else (),
        )

    times: WordTimes = ()
    if clean.report is not None and clean.total is not None:
        times = assessor.word_times(samples, clean.report, text=plan.text, pronunciations=plan.phones)
    material = Material(plan=plan, samples=samples, times=times, other=other, clip=clip)
    observations = [_observation(plan.id, BY_NAME["clean"], clean, clean)]
    not_built: dict[str, str] = {}
    for case in cases:
        try:
            built = list(case.build(material, generator(seed, plan.id, case.name)))
            _check_length(built)
            assessed = [Assessed.of(assessor, plan, recording) for recording in built]
        except NotBuiltError as reason:
            not_built[case.name] = str(reason)
            continue
        observations.extend(_observation(plan.id, case, item, clean) for item in assessed)
    return {"observations": [asdict(item) for item in observations], "not_built": not_built}


def _check_length(recordings: Sequence[Recording]) -> None:
    """NotBuiltError if a recording is longer than any that is accepted."""
    limit_s = AudioConfig().max_duration_s
    if any(len(recording.samples) > limit_s * SAMPLE_RATE_HZ for recording in recordings):
        raise NotBuiltError(f"the recording would be longer than {limit_s:g} s")


def _observation(utterance: str, case: Case, item: Assessed, clean: Assessed) -> Observation:
    """What is kept of a report."""
    report, total = item.report, item.total
    completeness = None if report is None or total is None else report.utterance.completeness
    found: Counter[str] = Counter(word.error for word in (report.words if report is not None else ()) if word.error)
    warnings = () if report is None else tuple(sorted({kind_of(warning) for warning in report.warnings}))
    change = _change(item, clean)
    return Observation(
        utterance=utterance,
        case=case.name,
        detail=item.recording.detail,
        total=total,
        clean_total=clean.total,
        completeness=None if completeness is None else round(completeness / SCALE, 4),
        words=0 if report is None else len(report.text_words),
        errors={name: found[name] for name in WORD_ERRORS},
        has_succeeded=has_succeeded(case, item, clean),
        has_on_clean=has_on_clean(case, item.recording.truth, clean),
        total_change=None if change is None else change.total,
        phone_change=None if change is None else change.phone,
        phone_distance=None if change is None else change.phone_distance,
        false_omissions=None if change is None else change.false_omissions,
        reasons=(item.refusal,) if item.refusal is not None else warnings if total is None else (),
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """Of a report against that of the clean recording, as in `Observation`."""

    total: float
    phone: float | None
    phone_distance: float | None
    false_omissions: int


def _change(item: Assessed, clean: Assessed) -> _Change | None:
    """What a change of the recording changed; None where the text is another or either was refused."""
    if item.recording.text is not None or item.total is None or clean.total is None:
        return None
    phones, before = item.phone_scores, clean.phone_scores
    is_scored = bool(phones and before)
    is_alike = is_scored and phones.keys() == before.keys()
    distance = float(np.mean([abs(phones[key] - before[key]) for key in phones])) if is_alike else None
    return _Change(
        total=round(item.total - clean.total, 3),
        phone=round(float(np.mean(list(phones.values())) - np.mean(list(before.values()))), 3) if is_scored else None,
        phone_distance=None if distance is None else round(distance, 3),
        false_omissions=len(item.omitted - clean.omitted - item.recording.truth.absent),
    )
