"""How well an index detects what annotators heard: the literature's rates, and the area under the ROC curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from elocute.audio import load_audio
from elocute.errors import AlignmentError
from elocute.evaluation.bootstrap import (
    Draws,
    Estimate,
    Ranking,
    best_f1_threshold,
    estimate_of_sums,
    roc_auc_of_counts,
)
from elocute.evaluation.mdd_counts import Counts, aligned_counts, is_mispronounced, phone_counts
from elocute.evaluation.metrics import f1_at
from elocute.retrieval.build import Detected, Progress, Search, decode, detect
from elocute.retrieval.index import PhoneIndex
from elocute.retrieval.spoken import Spoken
from elocute.retrieval.states import Encoder
from elocute.types import Float64, Int64

RATES: Mapping[str, tuple[str, str]] = {
    "FRR": ("FR", "TA FR"),
    "FAR": ("FA", "FA TR"),
    "DER": ("DE", "CD DE"),
    "precision": ("TR", "TR FR"),
    "recall": ("TR", "TR FA"),
    "F1": ("TR TR", "TR TR FR FA"),
}
"""Rates of outcomes: what is counted, over what, as `evaluation.mdd` has them."""
_COLUMNS = ("TA", "FR", "FA", "TR", "CD", "DE")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """One recording with what an index says of it.

    Attributes:
        spoken: the recording.
        detected: at every canonical phone.
        decoded: phones heard without the text.
    """

    spoken: Spoken
    detected: Detected
    decoded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalEvaluation:
    """Figures of one index on annotated recordings.

    Attributes:
        recordings: that were measured.
        too_short: that were not, having too few frames.
        phones: canonical phones.
        wrong: of these, mispronounced.
        roc_auc: of the doubt.
        best_f1: highest F1 of any threshold on the doubt, and that threshold; chosen on these very phones.
        by_phone: rates where a phone is flagged if another has most votes, or nobody votes.
        by_alignment: rates of phones decoded without the text, by three alignments.
    """

    recordings: int
    too_short: int
    phones: int
    wrong: int
    roc_auc: Estimate
    best_f1: tuple[float, float]
    by_phone: Mapping[str, Estimate]
    by_alignment: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def answer(
    index: PhoneIndex,
    encoder: Encoder,
    spoken: Sequence[Spoken],
    search: Search,
    progress: Progress | None = None,
) -> tuple[list[Answered], int]:
    """What an index says of recordings, and how many were too short for their phones."""
    answers, too_short = [], 0
    for number, item in enumerate(spoken, start=1):
        encoded = encoder.encode(load_audio(item.audio))
        try:
            detected = detect(index, encoded, item.canonical, search)
        except AlignmentError:
            too_short += 1
        else:
            answers.append(Answered(spoken=item, detected=detected, decoded=decode(index, encoded, search)))
        if progress:
            progress(number, len(spoken))
    return answers, too_short


def evaluate(answers: Sequence[Answered], *, strict: bool, too_short: int = 0, seed: int = 0) -> RetrievalEvaluation:
    """Measure answers against annotators.

    Args:
        answers: at least one.
        strict: whether the canonical phone with an accent (`X*`) counts as mispronounced.
        too_short: recordings that could not be measured.
        seed: of the resampling of speakers.
    """
    names = sorted({item.spoken.speaker for item in answers})
    speaker: Int64 = np.array([names.index(item.spoken.speaker) for item in answers], dtype=np.int64)
    draws = Draws.of(len(names), seed=seed)
    wrong = np.array([is_mispronounced(phone, strict=strict) for item in answers for phone in item.spoken.phones])
    doubt = np.concatenate([item.detected.doubt for item in answers])
    of_phone = np.repeat(speaker, [len(item.spoken.phones) for item in answers])
    ranking = Ranking.of(wrong, doubt, of_phone, len(names))
    threshold = best_f1_threshold(ranking)
    return RetrievalEvaluation(
        recordings=len(answers),
        too_short=too_short,
        phones=len(wrong),
        wrong=int(wrong.sum()),
        roc_auc=ranking.estimate(roc_auc_of_counts, draws),
        best_f1=(f1_at(wrong, doubt, threshold).f1, threshold),
        by_phone=_rates([_by_phone(item, strict=strict) for item in answers], speaker, draws),
        by_alignment=_rates([_by_alignment(item) for item in answers], speaker, draws),
    )


def _by_phone(item: Answered, *, strict: bool) -> Counts:
    """Outcomes at every canonical phone."""
    heard = item.detected.heard
    flagged = [one != phone.canonical for one, phone in zip(heard, item.spoken.phones, strict=True)]
    return phone_counts(item.spoken.phones, flagged, heard, strict=strict)


def _by_alignment(item: Answered) -> Counts:
    """Outcomes of the decoded string."""
    return aligned_counts(item.spoken.canonical, item.spoken.perceived, item.decoded)


def _rates(counts: Sequence[Counts], speaker: Int64, draws: Draws) -> dict[str, Estimate]:
    """All rates with intervals."""
    table = np.array([each.row for each in counts], dtype=np.float64)
    return {name: estimate_of_sums(_ratio(*sides), speaker, table, draws) for name, sides in RATES.items()}


def _ratio(top: str, bottom: str) -> Callable[[Float64], Float64]:
    """A rate as a function of summed outcomes (..., 6)."""
    over, under = (
        np.array([side.split().count(name) for name in _COLUMNS], dtype=np.float64) for side in (top, bottom)
    )

    def rate(sums: Float64) -> Float64:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((sums @ over) / (sums @ under))

    return rate
