"""What an evaluation found, as plain values that become JSON; `evaluate` fills it, cards and tables are made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

from elocute.evaluation.bootstrap import Estimate

FORMAT = "elocute evaluation 1"
DECIMALS = 4

MODEL = "model"
CONSTANT = "constant"
PHONE_PRIOR = "phone prior"
SPEAKER_MEAN = "speaker mean (oracle)"
ECHO = "echo of the canonical phones"
PREDICTORS = (MODEL, CONSTANT, PHONE_PRIOR, SPEAKER_MEAN, ECHO)
"""The model and the trivial baselines that stand beside it in every table."""

LevelName = Literal["phone", "word", "utterance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """Agreement after rounding to whole scores, halves to even, and cutting to the scale.

    Attributes:
        pcc: predictions rounded, labels as they are (frank613/CTC-based-GOP, evaluate_gop_feats.py).
        mse: the same.
        both_pcc: labels rounded too (Kaldi, gop_speechocean762); differs for phones only, other labels are whole.
        both_mse: the same.
    """

    pcc: float | None
    mse: float
    both_pcc: float | None
    both_mse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """How well one predictor agrees with people on one score.

    Attributes:
        part: "all", "children", "adults", "female", "male", or "fold 1" and so on.
        predictor: one of `PREDICTORS`.
        level: phone, word or utterance.
        score: name of the score at that level.
        n: number of items.
        pcc: Pearson correlation, nothing rounded, as GOPT computes it.
        scc: Spearman rank correlation.
        mse: mean squared error on the corpus's scale (phone 0 to 2, others 0 to 10).
        rounded: the same on whole scores.
    """

    part: str
    predictor: str
    level: LevelName
    score: str
    n: int
    pcc: Estimate
    scc: Estimate
    mse: Estimate
    rounded: Rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """What comes of flagging every phone from a threshold on.

    Attributes:
        threshold: least probability that is flagged.
        is_best: chosen for the highest F1 on these very labels, so that its F1 is a ceiling and no promise.
        true_rejections: wrong phones flagged (TR).
        false_rejections: other phones flagged (FR).
        false_acceptances: wrong phones missed (FA).
        true_acceptances: other phones passed (TA).
        precision: TR / (TR + FR).
        recall: TR / (TR + FA).
        f1: 2 TR / (2 TR + FR + FA).
        far: FA / (FA + TR), which is 1 - recall.
        frr: FR / (FR + TA).
    """

    threshold: float
    is_best: bool
    true_rejections: int
    false_rejections: int
    false_acceptances: int
    true_acceptances: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    far: Estimate
    frr: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """How well one predictor finds the phones that people call wrong (mean score below 0.5).

    Attributes:
        part: as in `ScoreRow`.
        predictor: one of `PREDICTORS`.
        n: phones.
        wrong: phones that people call wrong.
        roc_auc: area under the ROC curve.
        pr_auc: average precision; that of a constant is the share of wrong phones.
        shipped: at the model's own operating point, None where the predictions name none; of the baselines only echo
            has one, and flags nothing.
        best: at the threshold that suits these labels best; None without a wrong phone, and for echo.
    """

    part: str
    predictor: str
    n: int
    wrong: int
    roc_auc: Estimate
    pr_auc: Estimate
    shipped: OperatingPoint | None
    best: OperatingPoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Phones whose stated probability lies in [low, high): how many, their mean, and the share that was wrong."""

    low: float
    high: float
    n: int
    stated: float
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Whether a predictor's probabilities mean what they say; `ece` is the expected calibration error."""

    predictor: str
    ece: Estimate
    bins: tuple[CalibrationBin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneRow:
    """One phone: how often, how often wrong, and how well the model tells; the oracle's figures stand beside.

    Within one phone, constant, phone prior and echo are constants: AUC 0.5, no correlation.
    """

    phone: str
    n: int
    wrong: int
    human_mean: float
    predicted_mean: float
    roc_auc: Estimate
    pcc: Estimate
    speaker_mean_roc_auc: float | None
    speaker_mean_pcc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often one phone was heard for another.

    Attributes:
        canonical: what should be said.
        heard: what was said; None for nothing; the canonical phone where nothing was flagged or it was distorted.
        n: phones.
        wrong: phones among them that people call wrong.
    """

    canonical: str
    heard: str | None
    n: int
    wrong: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Whether the model names what people heard, over the wrong phones that it flagged (true rejections).

    Attributes:
        der: wrong diagnoses / (right and wrong ones); `X*` counts as X.
        der_strict: the same where `X*` is none of the 39 phones, unless X is the canonical phone, distorted.
        right: diagnoses as people say.
        wrong: others.
        approximate: how many of both are `X*` for people.
        unknown: left out, for nobody could tell (`<unk>`).
        unannotated: left out, for the corpus does not say.
        contradictory: annotations left out, for they name a phone that is not there.
    """

    der: Estimate
    der_strict: Estimate
    right: int
    wrong: int
    approximate: int
    unknown: int
    unannotated: int
    contradictory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionRow:
    """Error rate of strings: phones (PER) or words (WER).

    Attributes:
        part: as in `ScoreRow`.
        unit: phone or word.
        reference: what people say was said.
        hypothesis: whose string.
        utterances: how many.
        reference_length: units of the reference.
        errors: substitutions, deletions and insertions.
        rate: errors / reference_length.
    """

    part: str
    unit: Literal["phone", "word"]
    reference: str
    hypothesis: str
    utterances: int
    reference_length: int
    errors: int
    rate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanRow:
    """How well one expert agrees with the others: the ceiling of what can be asked for.

    The corpus lists the experts in the same order everywhere; each is compared with the mean (or median) of the other
    ones, and the correlations are averaged. Items of which one expert is missing are left out. A model is compared
    with all experts, which is a steadier target than all but one.

    Attributes:
        part: all, children or adults.
        level: phone, word or utterance.
        score: name of the score.
        against: mean or median of the others.
        experts: how many.
        items: that could be used.
        coverage: share of all items that is.
        pcc: mean Pearson correlation.
        pcc_of_each: of each expert.
        mse: mean squared error.
    """

    part: str
    level: LevelName
    score: str
    against: Literal["mean", "median"]
    experts: int
    items: int
    coverage: float
    pcc: Estimate
    pcc_of_each: tuple[float | None, ...]
    mse: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanDetection:
    """One expert as a detector (a phone he marks 0) of phones whose mean by the others is below 0.5."""

    part: str
    pairs: int
    wrong: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldSummary:
    """Mean and standard deviation of the model's figures over the folds; the sample's, with n - 1."""

    level: str
    score: str
    metric: str
    folds: int
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many items have this label and a prediction in [low, high): what a scatter plot of many items shows."""

    level: LevelName
    score: str
    label: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleRow:
    """The model's correlation with labels that were dealt anew, many times: `mean` of all, and the middle 95 %."""

    level: LevelName
    score: str
    shuffles: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscored:
    """What the model did not score; in every metric it counts with the model's own mean of that score.

    Attributes:
        utterances: how many were not scored at all.
        reasons: why, and how often.
        ids: which.
        values: single scores withheld in scored utterances (the stress of a word that was left out).
    """

    utterances: int
    reasons: Mapping[str, int]
    ids: tuple[str, ...]
    values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything; `to_json` is its only form on disk.

    Attributes:
        data: facts about the evaluated part of the corpus.
        provenance: where the predictions came from, from their header.
        settings: resamples, seeds, folds, what was shuffled.
        unscored: what the model did not score.
        scores: part by part, level by level, every predictor.
        detection: part by part, every predictor.
        diagnosis: None where the corpus does not say what was said, see `notes`.
        calibration: of probabilities of an error; empty where the model states none.
        phones: phone by phone.
        confusions: what the model heard; empty where it does not tell.
        annotated_confusions: what people heard; empty where the corpus does not tell.
        recognition: PER and WER.
        humans: one expert against the others; empty without their single scores.
        human_detection: likewise.
        folds: empty unless folds were asked for.
        histograms: labels against predictions.
        shuffles: empty unless labels were shuffled.
        methods: every metric's definition, source and deviations.
        notes: what could not be measured, and why.
    """

    data: Mapping[str, Any]
    provenance: Mapping[str, Any]
    settings: Mapping[str, Any]
    unscored: Unscored
    scores: tuple[ScoreRow, ...]
    detection: tuple[DetectionRow, ...]
    diagnosis: Diagnosis | None
    calibration: tuple[Calibration, ...]
    phones: tuple[PhoneRow, ...]
    confusions: tuple[Confusion, ...]
    annotated_confusions: tuple[Confusion, ...]
    recognition: tuple[RecognitionRow, ...]
    humans: tuple[HumanRow, ...]
    human_detection: tuple[HumanDetection, ...]
    folds: tuple[FoldSummary, ...]
    histograms: tuple[Histogram, ...]
    shuffles: tuple[ShuffleRow, ...]
    methods: Mapping[str, str]
    notes: tuple[str, ...]


def to_json(evaluation: Evaluation) -> str:
    """The evaluation as JSON; see `dumps`."""
    return dumps(evaluation, FORMAT)


def dumps(result: Any, format: str) -> str:
    """A dataclass of results as JSON, numbers to four decimals; the same results give the same bytes."""
    plain = {"format": format} | _plain(result)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON knows them."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0
    return value
