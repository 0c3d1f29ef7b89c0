"""One expert against the others: how well people agree, which is what a model can be measured by at best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elocute.corpora.experts import ExpertUtterance
from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.evaluation.agreement import Part
from elocute.evaluation.bootstrap import Estimate, estimate_of_sums, pearson, ratio
from elocute.evaluation.predictions import UTTERANCE_SCORES, WORD_SCORES
from elocute.evaluation.result import HumanDetection, HumanRow, LevelName
from elocute.evaluation.table import Table
from elocute.types import Float64, Int64

Against = Literal["mean", "median"]
_LEAST_EXPERTS = 3
"""With fewer there are no others to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Given:
    """What the experts gave to the items of one score.

    Attributes:
        owner: shape (N,), utterance of each item.
        scores: shape (N, E), one column an expert.
        others: shape (N, E), the mean, or median, of the other experts.
    """

    owner: Int64
    scores: Float64
    others: Mapping[Against, Float64]


def human_rows(
    table: Table, experts: Sequence[ExpertUtterance], parts: Iterable[Part]
) -> Iterator[HumanRow | HumanDetection]:
    """The human ceiling of every score, and of detection, part by part."""
    given = {key: _given(values) for key, values in _columns(table, experts).items()}
    owners = {level.name: level.owner for level in table.levels}
    for part in parts:
        for (level, score), found in given.items():
            kept = part.items(found.owner)
            if not kept.any():
                continue
            speaker = part.speaker(found.owner)
            for against, others in found.others.items():
                each = [_pcc(found.scores[kept, k], others[kept, k]) for k in range(others.shape[1])]
                yield HumanRow(
                    part=part.name,
                    level=level,
                    score=score,
                    against=against,
                    experts=len(each),
                    items=int(kept.sum()),
                    coverage=int(kept.sum()) / int(part.items(owners[level]).sum()),
                    pcc=_mean_pcc(found.scores[kept], others[kept], speaker, part),
                    pcc_of_each=tuple(each),
                    mse=_mse(found.scores[kept], others[kept], speaker, part),
                )
        if ("phone", "accuracy") in given:
            yield from _detection(given["phone", "accuracy"], part)


def _mean_pcc(scores: Float64, others: Float64, speaker: Int64, part: Part) -> Estimate:
    """Mean over the experts of each one's correlation with the others."""
    x, y = scores - scores.mean(axis=0), others - others.mean(axis=0)
    columns = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)  # (N, E, 6)

    def statistic(sums: Float64) -> Float64:
        return np.asarray(pearson(sums.reshape(*sums.shape[:-1], -1, 6)).mean(axis=-1))

    return estimate_of_sums(statistic, speaker, columns.reshape(len(x), -1), part.draws)


def _pcc(scores: Float64, others: Float64) -> float | None:
    """Correlation of one expert with the others; None where it does not exist."""
    if np.ptp(scores) == 0 or np.ptp(others) == 0:
        return None
    return float(np.corrcoef(scores, others)[0, 1])


def _mse(scores: Float64, others: Float64, speaker: Int64, part: Part) -> Estimate:
    """Mean squared difference of an expert and the others."""
    columns = np.column_stack([np.square(scores - others).mean(axis=1), np.ones(len(scores))])
    return estimate_of_sums(ratio, speaker, columns, part.draws)


_Values = list[tuple[int, tuple[float, ...]]]
"""Utterance and the experts' scores of every item."""


def _columns(table: Table, experts: Sequence[ExpertUtterance]) -> dict[tuple[LevelName, str], _Values]:
    """The experts' scores of every item, score by score."""
    by_id = {item.id: item for item in experts}
    columns: dict[tuple[LevelName, str], _Values] = {}

    def add(level: LevelName, score: str, owner: int, values: tuple[float, ...]) -> None:
        if len(values) >= _LEAST_EXPERTS:
            columns.setdefault((level, score), []).append((owner, values))

    for owner, utterance in enumerate(table.utterances):
        found = by_id.get(utterance.id)
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


def _given(values: _Values) -> _Given:
    """The items that the usual number of experts scored: where one is missing, the columns are not who they were."""
    usual = Counter(len(scores) for _, scores in values).most_common(1)[0][0]
    kept = [(owner, scores) for owner, scores in values if len(scores) == usual]
    scores = np.array([scores for _, scores in kept])
    rest = np.stack([np.delete(scores, k, axis=1) for k in range(usual)], axis=1)  # (N, E, E - 1)
    return _Given(
        owner=np.array([owner for owner, _ in kept]),
        scores=scores,
        others={"mean": rest.mean(axis=-1), "median": np.median(rest, axis=-1)},
    )


def _detection(found: _Given, part: Part) -> Iterator[HumanDetection]:
    """One expert as a detector, every expert's flags counted together."""
    kept = part.items(found.owner)
    if not kept.any():
        return
    flagged, wrong = found.scores[kept] == 0.0, found.others["mean"][kept] < MISPRONOUNCED_BELOW
    speaker = part.speaker(found.owner)
    hits, alarms, missed = (
        cells.sum(axis=1).astype(np.float64) for cells in (flagged & wrong, flagged & ~wrong, ~flagged & wrong)
    )

    def rate(top: Float64, bottom: Float64) -> Estimate:
        return estimate_of_sums(ratio, speaker, np.column_stack([top, bottom]), part.draws)

    yield HumanDetection(
        part=part.name,
        pairs=wrong.size,
        wrong=int(wrong.sum()),
        precision=rate(hits, hits + alarms),
        recall=rate(hits, hits + missed),
        f1=rate(2 * hits, 2 * hits + alarms + missed),
    )
