"""How robust the assessor is: figures of hard cases, with intervals over speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.errors import ConfigError
from elocute.evaluation.bootstrap import (
    Draws,
    Estimate,
    Ranking,
    estimate_of_sums,
    estimate_pcc,
    ratio,
    roc_auc_of_counts,
)
from elocute.evaluation.robustness import Answer
from elocute.evaluation.robustness_cases import CASES, SUCCESS, Case, Group
from elocute.evaluation.robustness_observe import WORD_ERRORS, Observation

FORMAT = "elocute robustness 1"
_MOST_FAILURES = 10
_REFUSED = -1.0
"""Stands for a refusal in rankings: lower than any total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Totals of 0 to 100, a refusal counted as 0."""

    p5: float
    median: float
    p95: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a changed recording changed against the clean one of the same text, where both were scored.

    Attributes:
        pairs: how many.
        total: mean change of the total, points of 100.
        phone: mean change of the mean phone score.
        phone_distance: mean absolute change of a phone's score.
        pcc: correlation of the totals with those of the clean recordings.
        false_omissions: words called omitted that were said and not so called before, as a share of all words.
    """

    pairs: int
    total: Estimate
    phone: Estimate
    phone_distance: Estimate
    pcc: Estimate
    false_omissions: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One case.

    Attributes:
        name: of the case.
        group: as in `robustness_cases`.
        about: what it is.
        success_means: its measure of success.
        recordings: how many were assessed.
        refused: how many got no total.
        not_built: why it could not be made of some utterances, and of how many.
        total: distribution of the totals.
        separation: probability that a clean recording with its own text gets a higher total, ties counted half and a
            refusal as lowest; None for the clean case itself.
        completeness: mean, 0 to 1, of what was scored.
        errors: words with each error, per recording.
        succeeded: how many.
        success: share of them.
        on_clean: share of clean recordings that pass the same measure at the same place: a false alarm, which a
            success is to be compared with; no value where that means nothing.
        failures: of those that did not succeed, ten with the highest totals: utterance, detail and total.
        change: None for other texts, and where nothing was scored.
        reasons: kinds of warnings and errors of the refusals, and how many have them.
        warnings: kinds of warnings of all recordings.
    """

    name: str
    group: Group
    about: str
    success_means: str
    recordings: int
    refused: int
    not_built: Mapping[str, int]
    total: Distribution
    separation: Estimate | None
    completeness: Estimate
    errors: Mapping[str, float]
    succeeded: int
    success: Estimate
    on_clean: Estimate
    failures: tuple[tuple[str, str, float | None], ...]
    change: Change | None
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """Everything.

    Attributes:
        data: corpus, split, utterances, speakers, what was left out.
        provenance: models, versions, command, machine.
        settings: seed, cases, resamples, noise.
        cases: one after the other; clean is the first.
        totals: of every case, refusals as None, for plots.
        unreadable: utterances whose recording cannot be read: id and reason.
        notes: how to read it.
    """

    data: Mapping[str, Any]
    provenance: Mapping[str, Any]
    settings: Mapping[str, Any]
    cases: tuple[CaseResult, ...]
    totals: Mapping[str, tuple[float | None, ...]]
    unreadable: Mapping[str, str]
    notes: tuple[str, ...]


def measure(
    answers: Sequence[Answer],
    speakers: Mapping[str, str],
    *,
    draws: int,
    data: Mapping[str, Any],
    provenance: Mapping[str, Any],
    settings: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> Robustness:
    """Turn answers into figures.

    Args:
        answers: of a run.
        speakers: who spoke each utterance; whole speakers are resampled.
        draws: resamples for an interval.
        data: facts for the result.
        provenance: facts for the result.
        settings: facts for the result.
        notes: further notes.

    Raises:
        ConfigError: no recording could be read.
    """
    read = [answer for answer in answers if answer.unreadable is None]
    if not read:
        reason = answers[0].unreadable
        raise ConfigError(f"none of {len(answers)} recordings can be used ({reason}); expected recordings of speech")
    index = {name: k for k, name in enumerate(sorted({speakers[answer.id] for answer in read}))}
    resamples = Draws.of(len(index), draws)
    found: dict[str, list[_Item]] = {}
    not_built: dict[str, Counter[str]] = {}
    for answer in read:
        for observation in answer.observations:
            found.setdefault(observation.case, []).append((index[speakers[answer.id]], observation))
        for name, reason in answer.not_built.items():
            not_built.setdefault(name, Counter())[reason] += 1
    usual = frozenset.intersection(*(frozenset(item.warnings) for _, item in found["clean"]))
    built = [case for case in CASES if case.name in found]
    results = tuple(
        _result(case, found[case.name], found["clean"], not_built.get(case.name, Counter()), usual, resamples)
        for case in built
    )
    never = (
        f"{name} could not be made of any utterance ({'; '.join(reasons)})"
        for name, reasons in not_built.items()
        if name not in found
    )
    return Robustness(
        data=dict(data) | {"utterances": len(read), "speakers": len(index)},
        provenance=provenance,
        settings=dict(settings) | {"draws": draws},
        cases=results,
        totals={case.name: tuple(item.total for _, item in found[case.name]) for case in built},
        unreadable={answer.id: answer.unreadable for answer in answers if answer.unreadable is not None},
        notes=(*notes, *never),
    )


_Item = tuple[int, Observation]
"""An observation with the number of its speaker."""


def _result(
    case: Case,
    items: Sequence[_Item],
    clean: Sequence[_Item],
    not_built: Mapping[str, int],
    usual: frozenset[str],
    draws: Draws,
) -> CaseResult:
    """The figures of one case; warnings in `usual`, which every clean recording has, are no reasons."""
    observations = [item for _, item in items]
    totals = np.array([item.total or 0.0 for item in observations])
    p5, median, p95 = np.percentile(totals, [5, 50, 95])
    reasons = Counter(reason for item in observations for reason in item.reasons if reason not in usual)
    return CaseResult(
        name=case.name,
        group=case.group,
        about=case.about,
        success_means=SUCCESS[case.group],
        recordings=len(items),
        refused=sum(item.total is None for item in observations),
        not_built=dict(not_built),
        total=Distribution(p5=float(p5), median=float(median), p95=float(p95), highest=float(totals.max())),
        separation=None if case.group == "clean" else _separation(items, clean, draws),
        completeness=_mean([(s, item.completeness) for s, item in items], draws),
        errors={name: sum(item.errors[name] for item in observations) / len(observations) for name in WORD_ERRORS},
        succeeded=sum(item.has_succeeded for item in observations),
        success=_mean([(s, float(item.has_succeeded)) for s, item in items], draws),
        on_clean=_mean([(s, _number(item.has_on_clean)) for s, item in items], draws),
        failures=_failures(observations),
        change=None if case.group == "clean" else _change(items, draws),
        reasons=dict(reasons.most_common()),
        warnings=dict(Counter(name for item in observations for name in item.warnings).most_common()),
    )


def _failures(observations: Sequence[Observation]) -> tuple[tuple[str, str, float | None], ...]:
    """The failures that look best by their total."""
    failed = sorted((item for item in observations if not item.has_succeeded), key=lambda item: -(item.total or 0.0))
    return tuple((item.utterance, item.detail, item.total) for item in failed[:_MOST_FAILURES])


def _number(value: bool | None) -> float | None:
    """A truth value to be averaged."""
    return None if value is None else float(value)


def _mean(values: Sequence[tuple[int, float | None]], draws: Draws) -> Estimate:
    """Mean of what is there, over (speaker, value)."""
    return _ratio([(s, value, 1.0) for s, value in values if value is not None], draws)


def _ratio(parts: Sequence[tuple[int, float, float]], draws: Draws) -> Estimate:
    """Sum over sum, from (speaker, numerator, denominator); no value without parts."""
    if not parts:
        return Estimate(value=None)
    speaker, above, below = (np.array(column) for column in zip(*parts, strict=True))
    return estimate_of_sums(ratio, speaker.astype(np.int64), np.column_stack([above, below]), draws)


def _separation(items: Sequence[_Item], clean: Sequence[_Item], draws: Draws) -> Estimate:
    """Probability that a clean recording's total is higher than one of these."""
    both = [*items, *clean]
    is_hard = np.arange(len(both)) < len(items)
    lowness = np.array([-_REFUSED if item.total is None else -item.total for _, item in both])
    speaker = np.array([s for s, _ in both], dtype=np.int64)
    return Ranking.of(is_hard, lowness, speaker, draws.speakers).estimate(roc_auc_of_counts, draws)


def _change(items: Sequence[_Item], draws: Draws) -> Change | None:
    """Against the clean recordings, where that means something."""
    pairs = [(s, item) for s, item in items if item.total_change is not None]
    if not pairs:
        return None
    speaker = np.array([s for s, _ in pairs], dtype=np.int64)
    after = np.array([item.total or 0.0 for _, item in pairs])
    before = np.array([item.clean_total or 0.0 for _, item in pairs])
    return Change(
        pairs=len(pairs),
        total=_mean([(s, item.total_change) for s, item in pairs], draws),
        phone=_mean([(s, item.phone_change) for s, item in pairs], draws),
        phone_distance=_mean([(s, item.phone_distance) for s, item in pairs], draws),
        pcc=estimate_pcc(before, after, speaker, draws),
        false_omissions=_ratio([(s, float(item.false_omissions or 0), float(item.words)) for s, item in pairs], draws),
    )
