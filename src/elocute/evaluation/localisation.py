"""Whether the assessor finds exactly the one error that was planted in a good recording: sums and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.evaluation.bootstrap import Draws, Estimate, estimate_of_sums, ratio
from elocute.evaluation.localisation_measures import CLASSES, SOURCES, Outcome
from elocute.evaluation.localisation_planting import KINDS
from elocute.evaluation.localisation_run import Trials
from elocute.evaluation.result import dumps

FORMAT = "elocute localisation 1"
QUANTILES = (10, 25, 50, 75, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """The measures over some of the planted errors; those that do not exist there are None.

    Shares have intervals over speakers. `naive` is what needs no recording: a phone drawn at random is the lowest,
    the commonest confusion is named, a phone drawn at random is flagged.

    Attributes:
        part: "all", a source, a kind, both ("splice substitution"), near or far substitutions (by one of the three
            commonest errors at the phone, or by another), or a class of phones.
        n: planted errors.
        speakers: who spoke.
        unscored: reports without scores, where the error counts as missed.
        replaced: substitutions and deletions, which have a canonical phone that should be lowest.
        lowest_in_word: it is.
        lowest_in_word_naive: 1 / phones of the word.
        lowest_in_utterance: it is the lowest of its sentence.
        lowest_in_utterance_naive: 1 / phones of the sentence.
        own_drop: mean drop of its score against the clean recording, points of 100.
        own_drop_quantiles: distribution of that drop, `QUANTILES`.
        control_drop: mean drop where the same splice puts in the phone that belongs there; None but for splices.
        control_flagged: how often it is flagged then.
        beside_share: mean drop of the phones beside it over its own mean drop.
        others_share: the same of the other phones of its word.
        inserted: insertions.
        place_reported: of them reported as inserted in their place.
        neighbour_lowest: of them with a neighbour that is lowest of the word.
        found_either: one or the other.
        inserted_beside_drop: mean drop of their neighbours, points of 100.
        actual_named: what was said is `actual` of a flagged phone.
        top1: it is the first candidate other than the canonical phone.
        top3: among the first three.
        top1_naive: the commonest confusion is it.
        top3_naive: one of the three commonest is.
        top1_of_flagged: first candidate, of the flagged ones.
        top3_of_flagged: among the first three, of the flagged ones.
        recall: planted errors flagged.
        recall_or_unsure: flagged, or called unsure.
        precision: of the flags in planted recordings, well-said phones and the planted error considered.
        precision_naive: planted errors / phones.
        alarms_before: well-said phones flagged in the clean recordings.
        alarms_after: the same phones with the error planted.
        alarms_beside: those of them that stand beside the error.
        alarms_elsewhere: the others.
        unsure_after: well-said phones called unsure.
        inserted_before: inserted phones reported in well-said words, a recording, clean.
        inserted_after: the same with the error, itself not counted.
        extra_before: words reported beside those of the text, a recording, clean.
        extra_after: the same with the error, itself not counted.
        flagged_before: planted words that had a flagged phone before.
        omitted: planted words reported as left out.
    """

    part: str
    n: int
    speakers: int
    unscored: int
    replaced: int
    lowest_in_word: Estimate
    lowest_in_word_naive: float | None
    lowest_in_utterance: Estimate
    lowest_in_utterance_naive: float | None
    own_drop: Estimate
    own_drop_quantiles: tuple[float, ...] | None
    control_drop: Estimate
    control_flagged: Estimate
    beside_share: Estimate
    others_share: Estimate
    inserted: int
    place_reported: Estimate
    neighbour_lowest: Estimate
    found_either: Estimate
    inserted_beside_drop: Estimate
    actual_named: Estimate
    top1: Estimate
    top3: Estimate
    top1_naive: float | None
    top3_naive: float | None
    top1_of_flagged: Estimate
    top3_of_flagged: Estimate
    recall: Estimate
    recall_or_unsure: Estimate
    precision: Estimate
    precision_naive: float | None
    alarms_before: Estimate
    alarms_after: Estimate
    alarms_beside: Estimate
    alarms_elsewhere: Estimate
    unsure_after: Estimate
    inserted_before: float | None
    inserted_after: float | None
    extra_before: float | None
    extra_after: float | None
    flagged_before: Estimate
    omitted: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One confusion in one source.

    Attributes:
        source: how it was planted.
        canonical: phone that should be said; None for an insertion.
        said: phone that was said; None for a deletion.
        n: how often.
        missed: how often it was not found: its phone was not the lowest of the word, its insertion not reported.
        flagged: how often it was flagged.
        top1: how often what was said was the first candidate.
        donor_unheard: how often the acoustic model did not hear the donor as what it is, in its own recording.
        error_heard: how often, left to itself, it hears the error at its place (`is_heard`); None where the place is
            not known (source text).
        canonical_heard: how often it still hears the canonical phone there: then the splice failed, or the model
            hears what it expects; None likewise.
    """

    source: str
    canonical: str | None
    said: str | None
    n: int
    missed: float
    flagged: int
    top1: int
    donor_unheard: int
    error_heard: int | None
    canonical_heard: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Localisation:
    """Everything that was found; `to_json` is its only form on disk.

    Attributes:
        data: facts about the recordings.
        provenance: models and command.
        settings: seed, draws, sources.
        parts: the measures, for everything and part by part.
        pairs: confusions, those that fail most first.
        outcomes: every single planted error.
        skipped: recordings that took no error of a source: why, and how many.
        notes: what the reader should know.
    """

    data: Mapping[str, Any]
    provenance: Mapping[str, Any]
    settings: Mapping[str, Any]
    parts: tuple[PartRow, ...]
    pairs: tuple[PairRow, ...]
    outcomes: tuple[Outcome, ...]
    skipped: Mapping[str, int]
    notes: tuple[str, ...]


def summarise(
    trials: Trials,
    *,
    data: Mapping[str, Any],
    provenance: Mapping[str, Any],
    settings: Mapping[str, Any],
    draws: int,
    notes: Sequence[str] = (),
) -> Localisation:
    """All measures, for everything and by source, kind, both, and class of phones."""
    found = trials.outcomes
    return Localisation(
        data=data,
        provenance=provenance,
        settings=dict(settings) | {"draws": draws},
        parts=tuple(part_row(name, part, draws) for name, part in parts_of(found)),
        pairs=pair_rows(found),
        outcomes=found,
        skipped=trials.skipped,
        notes=tuple(notes),
    )


def parts_of(outcomes: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    """The parts that are measured, with their outcomes; none is empty, and none says the same as "all"."""
    ways: list[tuple[str, Callable[[Outcome], bool]]] = [("all", lambda one: True)]
    ways += [(source, lambda one, s=source: one.source == s) for source in SOURCES]  # type: ignore[misc]
    ways += [(kind, lambda one, k=kind: one.kind == k) for kind in KINDS]  # type: ignore[misc]
    ways += [
        (f"{source} {kind}", lambda one, s=source, k=kind: (one.source, one.kind) == (s, k))  # type: ignore[misc]
        for source in SOURCES
        for kind in KINDS
    ]
    ways += [
        ("near substitution", lambda one: one.kind == "substitution" and one.naive_top3),
        ("far substitution", lambda one: one.kind == "substitution" and not one.naive_top3),
    ]
    ways += [(name, lambda one, c=name: one.phone_class == c) for name in CLASSES]  # type: ignore[misc]
    parts = [(name, [one for one in outcomes if belongs(one)]) for name, belongs in ways]
    return [(name, part) for name, part in parts if part]


class _Speakers:
    """Shares of sums with intervals over the speakers of some outcomes."""

    def __init__(self, outcomes: Sequence[Outcome], draws: int) -> None:
        speakers = sorted({one.speaker for one in outcomes})
        self.number = {speaker: index for index, speaker in enumerate(speakers)}
        self._resamples = Draws.of(len(speakers), draws)

    def share(self, pairs: Iterable[tuple[Outcome, float, float]]) -> Estimate:
        """Sum of the first numbers over that of the second."""
        kept = list(pairs)
        if not kept:
            return Estimate(value=None)
        who = np.array([self.number[one.speaker] for one, _, _ in kept])
        return estimate_of_sums(ratio, who, np.array([sides for _, *sides in kept], dtype=np.float64), self._resamples)

    def mean(self, value: Callable[[Outcome], float | None], among: Sequence[Outcome]) -> Estimate:
        """Mean of a value over the outcomes that have one."""
        return self.share((one, number, 1.0) for one in among if (number := value(one)) is not None)


def _plain_mean(value: Callable[[Outcome], float], among: Sequence[Outcome]) -> float | None:
    """Mean without an interval."""
    return float(np.mean([value(one) for one in among])) if among else None


def part_row(name: str, outcomes: Sequence[Outcome], draws: int) -> PartRow:
    """The measures over some outcomes."""
    speakers = _Speakers(outcomes, draws)
    share, mean, naive = speakers.share, speakers.mean, _plain_mean
    replaced = [one for one in outcomes if one.kind != "insertion"]
    inserted = [one for one in outcomes if one.kind == "insertion"]
    flagged = [one for one in outcomes if one.flagged]
    dropped = [one for one in replaced if one.own_drop is not None]
    drops = np.array([one.own_drop for one in dropped], dtype=np.float64)
    return PartRow(
        part=name,
        n=len(outcomes),
        speakers=len(speakers.number),
        unscored=sum(not one.is_scored for one in outcomes),
        replaced=len(replaced),
        lowest_in_word=mean(lambda one: one.lowest_in_word, replaced),
        lowest_in_word_naive=naive(lambda one: 1 / one.phones_in_word, replaced),
        lowest_in_utterance=mean(lambda one: one.lowest_in_utterance, replaced),
        lowest_in_utterance_naive=naive(lambda one: 1 / one.phones_in_utterance, replaced),
        own_drop=mean(lambda one: one.own_drop, dropped),
        own_drop_quantiles=tuple(np.percentile(drops, QUANTILES).tolist()) if len(drops) else None,
        control_drop=mean(lambda one: one.control_drop, replaced),
        control_flagged=mean(lambda one: one.control_flagged, replaced),
        beside_share=share(
            (one, one.beside_drop, one.own_drop or 0.0) for one in dropped if one.beside_drop is not None
        ),
        others_share=share(
            (one, one.others_drop, one.own_drop or 0.0) for one in dropped if one.others_drop is not None
        ),
        inserted=len(inserted),
        place_reported=mean(lambda one: one.place_reported, inserted),
        neighbour_lowest=mean(lambda one: one.neighbour_lowest, inserted),
        found_either=mean(lambda one: 1.0 if one.place_reported else one.neighbour_lowest, inserted),
        inserted_beside_drop=mean(lambda one: one.beside_drop, inserted),
        actual_named=mean(lambda one: one.actual_named, outcomes),
        top1=mean(lambda one: one.top1, outcomes),
        top3=mean(lambda one: one.top3, outcomes),
        top1_naive=naive(lambda one: one.naive_top1, outcomes),
        top3_naive=naive(lambda one: one.naive_top3, outcomes),
        top1_of_flagged=mean(lambda one: one.top1, flagged),
        top3_of_flagged=mean(lambda one: one.top3, flagged),
        recall=mean(lambda one: one.flagged, outcomes),
        recall_or_unsure=mean(lambda one: one.flagged_or_unsure, outcomes),
        precision=share(
            (one, one.flagged, one.flagged + one.alarms_after + one.inserted_after + one.extra_after)
            for one in outcomes
        ),
        precision_naive=len(outcomes) / sum(one.untouched + 1 for one in outcomes),
        alarms_before=share((one, one.alarms_before, one.untouched) for one in outcomes),
        alarms_after=share((one, one.alarms_after, one.untouched) for one in outcomes),
        alarms_beside=share((one, one.alarms_beside, one.beside) for one in outcomes),
        alarms_elsewhere=share(
            (one, one.alarms_after - one.alarms_beside, one.untouched - one.beside) for one in outcomes
        ),
        unsure_after=share((one, one.unsure_after, one.untouched) for one in outcomes),
        inserted_before=naive(lambda one: one.inserted_before, outcomes),
        inserted_after=naive(lambda one: one.inserted_after, outcomes),
        extra_before=naive(lambda one: one.extra_before, outcomes),
        extra_after=naive(lambda one: one.extra_after, outcomes),
        flagged_before=mean(lambda one: one.flagged_before, outcomes),
        omitted=mean(lambda one: one.omitted, outcomes),
    )


def pair_rows(outcomes: Sequence[Outcome]) -> tuple[PairRow, ...]:
    """The confusions, those that were missed most often first."""
    groups: dict[tuple[str, str | None, str | None], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.source, one.canonical, one.said), []).append(one)
    rows = []
    for (source, canonical, said), group in groups.items():
        known = [one for one in group if one.heard_at_place is not None]
        rows.append(
            PairRow(
                source=source,
                canonical=canonical,
                said=said,
                n=len(group),
                missed=sum(1.0 - found_share(one) for one in group),
                flagged=sum(one.flagged for one in group),
                top1=sum(one.top1 for one in group),
                donor_unheard=sum(one.said_was_heard is False for one in group),
                error_heard=sum(map(is_heard, known)) if known else None,
                canonical_heard=sum(map(is_canonical_heard, known)) if known else None,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.missed, -row.n, row.source, str(row.canonical), str(row.said))))


def found_share(outcome: Outcome) -> float:
    """1 where the error was found in its place, less where others share the lowest score."""
    if outcome.kind == "insertion":
        return float(bool(outcome.place_reported))
    return outcome.lowest_in_word or 0.0


def is_heard(outcome: Outcome) -> bool:
    """Whether the acoustic model, left to itself, hears the error: what was said, and not what should have been."""
    heard = outcome.heard_at_place or ()
    return (outcome.said is None or outcome.said in heard) and not is_canonical_heard(outcome)


def is_canonical_heard(outcome: Outcome) -> bool:
    """Whether the acoustic model, left to itself, hears at the place of the error what should have been said there."""
    return outcome.canonical is not None and outcome.canonical in (outcome.heard_at_place or ())


def to_json(result: Localisation) -> str:
    """Everything as JSON; see `dumps`."""
    return dumps(result, FORMAT)
