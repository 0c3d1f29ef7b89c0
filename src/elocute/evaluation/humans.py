"""One expert against the others: how well people agree, which is what a model can be measured by at best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elocute.corpora.experts import ExpertUtterance
from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.evaluation.agreement import Part
from elocute.evaluation.bootstrap import Estimate, estimate_mse, estimate_of_sums, estimate_pcc, ratio
from elocute.evaluation.predictions import UTTERANCE_SCORES, WORD_SCORES
from elocute.evaluation.result import HumanDetection, HumanRow, LevelName
from elocute.evaluation.table import Table
from elocute.types import Float64, Int64

Against = Literal["mean", "median"]
_LEAST_EXPERTS = 3
"""With fewer there are no others to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairs:
    """Expert against others.

    Attributes:
        items: number of items that could be used.
        owner: shape (P,), utterance of each pair.
        expert: shape (P,), what the expert gave.
        others: shape (P,), what the others gave, by how they are summed up.
    """

    items: int
    owner: Int64
    expert: Float64
    others: Mapping[Against, Float64]


def human_rows(
    table: Table, experts: Sequence[ExpertUtterance], parts: Iterable[Part]
) -> Iterator[HumanRow | HumanDetection]:
    """The human ceiling of every score, and of detection, part by part."""
    by_id = {item.id: item for item in experts}
    columns = _columns(table, by_id)
    paired = {key: _pairs(values) for key, values in columns.items()}
    totals = {level.name: level.owner for level in table.levels}
    for part in parts:
        for (level, score), pairs in paired.items():
            kept = part.items(pairs.owner)
            if not kept.any():
                continue
            speaker, expert = part.speaker(pairs.owner), pairs.expert[kept]
            possible = int(part.items(totals[level]).sum())
            items = pairs.items if part.keeps.all() else _items(columns[level, score], part)
            for against, others in pairs.others.items():
                yield HumanRow(
                    part=part.name,
                    level=level,
                    score=score,
                    against=against,
                    items=items,
                    coverage=items / possible,
                    pairs=len(expert),
                    pcc=estimate_pcc(others[kept], expert, speaker, part.draws),
                    mse=estimate_mse(others[kept], expert, speaker, part.draws),
                )
        if ("phone", "accuracy") in paired:
            yield from _detection(paired["phone", "accuracy"], part)


_Values = list[tuple[int, tuple[float, ...]]]
"""Utterance and the experts' scores of every item."""


def _columns(table: Table, experts: Mapping[str, ExpertUtterance]) -> dict[tuple[LevelName, str], _Values]:
    """The experts' scores of every item, score by score."""
    columns: dict[tuple[LevelName, str], _Values] = {}

    def add(level: LevelName, score: str, owner: int, values: tuple[float, ...]) -> None:
        if len(values) >= _LEAST_EXPERTS:
            columns.setdefault((level, score), []).append((owner, values))

    for owner, utterance in enumerate(table.utterances):
        found = experts.get(utterance.id)
        if found is None:
            continue
        for word in found.words:
            for marks in zip(*word.phones, strict=True) if word.phones is not None else ():
                add("phone", "accuracy", owner, marks)
            for score in WORD_SCORES:
                add("word", score, owner, getattr(word, score))
        for score in UTTERANCE_SCORES:
            add("utterance", score, owner, getattr(found, score))
    return columns


def _items(values: _Values, part: Part) -> int:
    """How many items of a column belong to a part."""
    return sum(bool(part.keeps[owner]) for owner, _ in values)


def _pairs(values: _Values) -> _Pairs:
    """Each expert of each item against the others; items with as many experts are worked on together."""
    by_size: dict[int, _Values] = {}
    for item in values:
        by_size.setdefault(len(item[1]), []).append(item)
    owner, expert, means, medians = [], [], [], []
    for size, items in sorted(by_size.items()):
        given = np.array([scores for _, scores in items])
        for k in range(size):
            others = np.delete(given, k, axis=1)
            owner.append(np.array([number for number, _ in items]))
            expert.append(given[:, k])
            means.append(others.mean(axis=1))
            medians.append(np.median(others, axis=1))
    return _Pairs(
        items=len(values),
        owner=np.concatenate(owner),
        expert=np.concatenate(expert),
        others={"mean": np.concatenate(means), "median": np.concatenate(medians)},
    )


def _detection(pairs: _Pairs, part: Part) -> Iterator[HumanDetection]:
    """One expert as a detector."""
    kept = part.items(pairs.owner)
    if not kept.any():
        return
    flagged, wrong = pairs.expert[kept] == 0.0, pairs.others["mean"][kept] < MISPRONOUNCED_BELOW
    speaker = part.speaker(pairs.owner)
    hits, alarms, missed = (
        column.astype(np.float64) for column in (flagged & wrong, flagged & ~wrong, ~flagged & wrong)
    )

    def rate(top: Float64, bottom: Float64) -> Estimate:
        return estimate_of_sums(ratio, speaker, np.column_stack([top, bottom]), part.draws)

    yield HumanDetection(
        part=part.name,
        pairs=len(wrong),
        wrong=int(wrong.sum()),
        precision=rate(hits, hits + alarms),
        recall=rate(hits, hits + missed),
        f1=rate(2 * hits, 2 * hits + alarms + missed),
    )
