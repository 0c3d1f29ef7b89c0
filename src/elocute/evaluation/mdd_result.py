"""What an evaluation of mispronunciation detection found, as plain values that become JSON, and every definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elocute.evaluation.bootstrap import Estimate
from elocute.evaluation.result import dumps

FORMAT = "elocute mdd 1"

MODEL = "model"
NOTHING = "nothing flagged"
EVERYTHING = "everything flagged"
FREE = "free decoding"
DIAGNOSIS = "diagnosis, which knows the text"
ECHO = "echo of the canonical phones"

PHONES = "canonical phones"
STRICT = "canonical phones, accents count as wrong"
ALIGNED = "aligned strings"

DEFINITIONS: Mapping[str, str] = {
    "positives": "mispronounced canonical phones: annotated as substituted, deleted or err. One said with an accent "
    "(X,X*,s) counts as said well, as in the literature, which drops the star, unless 'accents count as wrong'",
    "hierarchy": "TA: said well, not flagged; FR: said well, flagged; FA: mispronounced, not flagged; TR: "
    "mispronounced, flagged = CD (what was said is named) + DE (another phone is named) + those that are err, which "
    "nobody can name",
    "precision": "TR / (TR + FR)",
    "recall": "TR / (TR + FA)",
    "f1": "2 TR / (2 TR + FR + FA)",
    "frr": "false rejection rate, FR / (TA + FR)",
    "far": "false acceptance rate, FA / (FA + TR) = 1 - recall",
    "der": "diagnosis error rate, DE / (CD + DE)",
    "da": "diagnosis accuracy, CD / (CD + DE) = 1 - DER",
    "accuracy": "of detection, (TA + TR) / (TA + FR + FA + TR)",
    "canonical phones": "decided phone by phone: both sides speak of the same canonical phones, nothing is aligned, "
    "added sounds are apart (`insertions`)",
    "aligned strings": "the literature's protocol (K. Fu et al., arXiv 2104.08428): counts from the alignments of "
    "canonical, perceived and hypothesised phones; annotated additions are positives, what the hypothesis adds counts "
    "nowhere. Compare published figures with this, and know that 'free decoding' is what most of them evaluate, some "
    "after merging AO with AA",
    "insertions": "added sounds, matched by the gap between canonical phones that they lie in; named: the phone agrees",
    "roc_auc": "probability that a mispronounced phone seems more wrong than one said well, ties counted half",
    "per": "phone error rate against what annotators heard, (S + D + I) / N; err equals no hypothesis",
    "correct": "correct rate of strings, (N - S - D) / N",
    "string accuracy": "accuracy rate of strings, (N - S - D - I) / N = 1 - PER",
    "interval": "95 %, percentiles of resamples of whole speakers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """Counts and rates of one predictor in one part; every name is defined in `DEFINITIONS`.

    Attributes:
        part: "all", a first language, or a speaker with it.
        labels: `PHONES`, `STRICT` or `ALIGNED`.
        predictor: a detector (`MODEL`, `NOTHING`, `EVERYTHING`) or, for `ALIGNED`, a string (`FREE`, `DIAGNOSIS`,
            `ECHO`).
    """

    part: str
    labels: str
    predictor: str
    ta: int
    fr: int
    fa: int
    tr: int
    cd: int
    de: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    frr: Estimate
    far: Estimate
    der: Estimate
    da: Estimate
    accuracy: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRow:
    """How well the model's probability ranks the `n` phones of a part, of which `wrong` are mispronounced."""

    part: str
    labels: str
    n: int
    wrong: int
    roc_auc: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertionRow:
    """Added sounds in one part: found, of these named right, missed, and false; rates are over found and false."""

    part: str
    predictor: str
    found: int
    named: int
    missed: int
    false: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class StringRow:
    """How far one kind of string is from what annotators heard, `length` phones in one part."""

    part: str
    hypothesis: str
    utterances: int
    length: int
    substitutions: int
    deletions: int
    insertions: int
    per: Estimate
    correct: Estimate
    accuracy: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class MddEvaluation:
    """Everything; `to_json` is its only form on disk.

    Attributes:
        data: facts about what was evaluated.
        provenance: where the predictions came from, from their header.
        settings: resamples, seed, threshold.
        unscored: utterances that the model did not score, with the reason; they count as not flagged.
        detection: part by part, label by label, every predictor.
        ranking: part by part; empty where the model scores nothing.
        insertions: part by part; empty where the model has no detector.
        strings: part by part, every string.
        definitions: of every measure.
        notes: what a reader should know.
    """

    data: Mapping[str, Any]
    provenance: Mapping[str, Any]
    settings: Mapping[str, Any]
    unscored: Mapping[str, str]
    detection: tuple[DetectionRow, ...]
    ranking: tuple[RankingRow, ...]
    insertions: tuple[InsertionRow, ...]
    strings: tuple[StringRow, ...]
    definitions: Mapping[str, str]
    notes: tuple[str, ...]


def to_json(evaluation: MddEvaluation) -> str:
    """The evaluation as JSON; the same evaluation gives the same bytes."""
    return dumps(evaluation, FORMAT)
