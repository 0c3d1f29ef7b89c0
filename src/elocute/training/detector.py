"""The detector of wrong phones: calibrated on out-of-fold predictions, with operating points chosen for precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.ctc import logistic
from elocute.diagnosis import Detector, detector_inputs, own_posterior
from elocute.evaluation import bootstrap_by_group, expected_calibration_error, f1_at, roc_auc
from elocute.evaluation.operating import choose_thresholds, fit_logistic
from elocute.gop import said_posterior
from elocute.gop.confusions import learned_prior
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import ScoredFeatures
from elocute.types import Float64, Int64, Posteriors

WELL_SAID = 1.8
"""A phone with at least this mean expert score (of 2) is well said."""
EVIDENCE = (1.0, -8.0, -0.1)
"""How much the trees' log-odds, the score (0 to 1) and the nats of the edit lattice count beside each other.

Fitted weights trust the trees more and the score less, and lose precision where it matters, among the few phones that
are flagged (docs/experiments.md, section 16); so only the scale and the bias of this sum are fitted.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """All phones of some utterances.

    Attributes:
        evidence: shape (N,), the weighted sum that is calibrated.
        is_wrong: shape (N,), whether people called the phone wrong.
        is_good: shape (N,), whether they scored it `WELL_SAID`.
        fold: shape (N,), of the speaker.
        speakers: of each phone.
    """

    evidence: Float64
    is_wrong: NDArray[np.bool_]
    is_good: NDArray[np.bool_]
    fold: Int64
    speakers: list[str]


def judge(
    rows: Sequence[ScoredFeatures],
    predicted: Sequence[Predicted],
    heard: Mapping[str, Posteriors],
    fold_of: Mapping[str, int],
) -> Judged:
    """Evidence and people's verdict on every phone.

    Args:
        rows: utterances that people scored.
        predicted: out-of-fold predictions of each.
        heard: what was heard in each by the acoustic model without its speaker.
        fold_of: fold of every speaker.
    """
    scores = np.concatenate([row.phone for row in rows])
    inputs = [detector_inputs_of(row, one, heard[row.id]) for row, one in zip(rows, predicted, strict=True)]
    return Judged(
        evidence=np.concatenate(inputs) @ np.array(EVIDENCE),
        is_wrong=scores < MISPRONOUNCED_BELOW,
        is_good=scores >= WELL_SAID,
        fold=np.concatenate([np.full(len(row.phone), fold_of[row.speaker]) for row in rows]),
        speakers=[row.speaker for row in rows for _ in row.phone],
    )


def detector_inputs_of(row: ScoredFeatures, predicted: Predicted, heard: Posteriors) -> Float64:
    """Detector inputs of one utterance, from its scores and the edit lattice."""
    canonical = row.features.phone_ids
    said = said_posterior(heard.log_probs, canonical, heard.phone_set, learned_prior())
    assert predicted.error is not None, "the detector needs a head that says log-odds"
    return detector_inputs(predicted.phone / 2, predicted.error, own_posterior(said, canonical))


def fit_detector(judged: Judged) -> tuple[Detector, dict[str, Any]]:
    """Calibrate the probability that a phone is wrong, and choose the operating points.

    Two numbers and the thresholds are fitted on the out-of-fold predictions of all folds; what comes out when they
    are fitted without the fold that they are applied to stands beside it.

    Returns: the detector and its metrics.
    """
    everything = np.ones(len(judged.evidence), dtype=bool)
    detector = _fitted(judged, everything)
    stated = _stated(detector, judged)
    across, flagged = np.empty_like(stated), np.empty(len(stated), dtype=bool)
    for k in np.unique(judged.fold):
        part = _fitted(judged, judged.fold != k)
        across[judged.fold == k] = _stated(part, judged)[judged.fold == k]
        flagged[judged.fold == k] = across[judged.fold == k] >= part.flagged_from()
    wrong = judged.is_wrong
    auc = bootstrap_by_group(lambda index: roc_auc(wrong[index], stated[index]), judged.speakers, draws=200)
    metrics = {
        "positives": f"phones scored below {MISPRONOUNCED_BELOW}: {int(wrong.sum())} of {len(wrong)}",
        "roc_auc": round(roc_auc(wrong, stated), 4),
        "roc_auc_95": [round(value, 4) for value in auc],
        "expected_calibration_error": round(expected_calibration_error(wrong, stated), 4),
        "sensitivity": {
            name: _point(judged, stated >= detector.flagged_from(name)) for name in ("low", "normal", "high")
        },
        "flagged_or_unsure": {
            name: _point(judged, stated >= detector.unsure_from(name)) for name in ("low", "normal", "high")
        },
        "fitted_on_the_other_folds": {
            "roc_auc": round(roc_auc(wrong, across), 4),
            "expected_calibration_error": round(expected_calibration_error(wrong, across), 4),
            "normal": _point(judged, flagged),
        },
    }
    return detector, metrics


def _fitted(judged: Judged, seen: NDArray[np.bool_]) -> Detector:
    """Scale, bias and thresholds from some of the phones."""
    bias, (scale,) = fit_logistic(judged.evidence[seen, None], judged.is_wrong[seen])
    draft = Detector(bias=bias, weights=tuple(scale * weight for weight in EVIDENCE), thresholds=(1.0, 1.0, 1.0, 1.0))
    stated, wrong = _stated(draft, judged)[seen], judged.is_wrong[seen]
    return replace(draft, thresholds=choose_thresholds(wrong, stated))


def _stated(detector: Detector, judged: Judged) -> Float64:
    """Probabilities from the evidence, which already holds the weights in their proportion."""
    return logistic(detector.bias + detector.weights[0] / EVIDENCE[0] * judged.evidence)


def _point(judged: Judged, flagged: NDArray[np.bool_]) -> dict[str, float]:
    """Precision, recall and F1 of some flags, and how many well-said phones they hit."""
    point = f1_at(judged.is_wrong, flagged.astype(float), 0.5)
    return {
        "precision": round(point.precision, 4),
        "recall": round(point.recall, 4),
        "f1": round(point.f1, 4),
        "flagged_of_well_said": round(float(flagged[judged.is_good].mean()), 4),
    }
