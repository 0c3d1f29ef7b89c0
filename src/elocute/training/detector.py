"""The detector of wrong phones and of omitted words: fitted on out-of-fold predictions, measured across folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.ctc import lattice
from elocute.diagnosis import OMITTED_BELOW, Detector, detector_inputs, logistic, omission_gain
from elocute.evaluation import bootstrap_by_group, expected_calibration_error, f1_at, roc_auc
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import WORD_SCORES, Heldout, ScoredFeatures
from elocute.types import Float64

WELL_SAID = 1.8
"""A phone with at least this mean expert score (of 2) is well said."""
OMISSION_FALSE_ALARMS = 0.001
"""Share of spoken words that the omission threshold may take for left out."""
SPOKEN_FROM = 5.0
"""Word accuracy, of 10, from which people surely heard the word; 3 is what many gave to a word left out."""
LEAST_OMISSION_NATS = 1.0
"""A phone; below it the recording would hardly be explained better without the word."""
PLANTED_WEIGHT = 0.3
"""Weight of a phone of a planted utterance beside one that people scored."""
FIRST_HEARD = PHONE_FEATURES.index(f"heard_{PHONES[0]}")


def fit_detector(
    scored: tuple[Sequence[ScoredFeatures], Sequence[Predicted]],
    planted: tuple[Sequence[ScoredFeatures], Sequence[Predicted]],
    fold_of: Mapping[str, int],
    omission_nats: float,
) -> tuple[Detector, dict[str, Any], list[Float64]]:
    """Fit the probability that a phone is wrong, and choose its threshold; measured on people's scores across folds.

    Lone errors of otherwise good speakers are rare among the people-scored recordings, so planted ones are added with
    a small weight. They move the probability only where the lattice contradicts the text, and never the metrics.

    Args:
        scored: utterances that people scored, and their out-of-fold predictions.
        planted: utterances with planted errors, and theirs.
        fold_of: fold of every speaker.
        omission_nats: from `omission_threshold`.

    Returns: the detector fitted on all out-of-fold predictions; its metrics when fitted without the fold; the
        probabilities that it then states, one array an utterance.
    """
    rows, predicted = scored
    inputs, scores, fold = _stack(rows, predicted, fold_of)
    more_inputs, more_scores, more_fold = _stack(*planted, fold_of)
    wrong, more_wrong, good = scores < MISPRONOUNCED_BELOW, more_scores < MISPRONOUNCED_BELOW, scores >= WELL_SAID

    def fitted(seen: np.ndarray, more: np.ndarray) -> Detector:
        weight = np.concatenate([np.ones(seen.sum()), np.full(more.sum(), PLANTED_WEIGHT)])
        bias, weights = fit_logistic(
            np.concatenate([inputs[seen], more_inputs[more]]), np.concatenate([wrong[seen], more_wrong[more]]), weight
        )
        draft = Detector(bias=bias, weights=weights, threshold=0.5, omission_nats_per_phone=omission_nats)
        return replace(draft, threshold=best_threshold(wrong[seen], draft.probability(inputs[seen])))

    stated, flagged = np.empty(len(wrong)), np.zeros(len(wrong), dtype=bool)
    for k in np.unique(fold):
        here = fold == k
        part = fitted(~here, more_fold != k)
        stated[here] = part.probability(inputs[here])
        flagged[here] = stated[here] >= part.threshold
    speakers = [row.speaker for row in rows for _ in row.phone]
    auc = bootstrap_by_group(lambda index: roc_auc(wrong[index], stated[index]), speakers, draws=200)
    best = f1_at(wrong, stated, best_threshold(wrong, stated))
    shipped = f1_at(wrong, flagged.astype(float), 0.5)
    metrics = {
        "positives": f"phones scored below {MISPRONOUNCED_BELOW}: {int(wrong.sum())} of {len(wrong)}",
        "roc_auc": round(roc_auc(wrong, stated), 4),
        "roc_auc_95": [round(value, 4) for value in auc],
        "expected_calibration_error": round(expected_calibration_error(wrong, stated), 4),
        "shipped_point": {name: round(getattr(shipped, name), 4) for name in ("precision", "recall", "f1")}
        | {"flagged_of_well_said": round(float(flagged[good].mean()), 4)},
        "best_f1_point": {key: round(float(value), 4) for key, value in asdict(best).items()},
    }
    ends = np.cumsum([len(row.phone) for row in rows])[:-1]
    detector = fitted(np.ones(len(wrong), dtype=bool), np.ones(len(more_wrong), dtype=bool))
    return detector, metrics, np.split(stated, ends)


def best_threshold(is_wrong: NDArray[np.bool_], probability: Float64) -> float:
    """Probability from which flagging phones gives the highest F1, to two decimals."""
    return max((k / 100 for k in range(2, 91)), key=lambda threshold: f1_at(is_wrong, probability, threshold).f1)


def _stack(
    rows: Sequence[ScoredFeatures], predicted: Sequence[Predicted], fold_of: Mapping[str, int]
) -> tuple[Float64, Float64, NDArray[np.int64]]:
    """Detector inputs (N, 5), people's scores (N,) and fold (N,) of all phones."""
    return (
        np.concatenate([detector_inputs_of(row, p) for row, p in zip(rows, predicted, strict=True)]),
        np.concatenate([row.phone for row in rows]),
        np.concatenate([np.full(len(row.phone), fold_of[row.speaker]) for row in rows]),
    )


def detector_inputs_of(row: ScoredFeatures, predicted: Predicted) -> Float64:
    """Detector inputs of one utterance, from the stored features."""
    L = len(row.phone)
    log_heard = row.features.phone[np.arange(L), FIRST_HEARD + row.features.phone_ids].astype(np.float64)
    assert predicted.error is not None, "the detector needs a head that says log-odds"
    return detector_inputs(predicted.phone / 2, predicted.error, log_heard)


def fit_logistic(
    inputs: Float64, positive: NDArray[np.bool_], weight: Float64 | None = None
) -> tuple[float, tuple[float, ...]]:
    """Logistic regression of weighted examples by Newton's method; returns bias and weights."""
    share = np.ones(len(inputs)) if weight is None else weight
    design = np.column_stack([np.ones(len(inputs)), inputs])
    weights = np.zeros(design.shape[1])
    penalty = 1e-6 * share.sum() * np.diag([0.0, *([1.0] * inputs.shape[1])])
    for _ in range(50):
        stated = logistic(design @ weights)
        gradient = design.T @ (share * (positive - stated)) - penalty @ weights
        hessian = (design * (share * stated * (1 - stated))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), tuple(float(w) for w in weights[1:])


def omission_threshold(
    said: tuple[Sequence[ScoredFeatures], Sequence[Predicted]],
    inserted: tuple[Sequence[ScoredFeatures], Sequence[Predicted]],
    heard: Mapping[str, Heldout],
) -> tuple[float, dict[str, Any]]:
    """Choose from how many nats a phone a word counts as left out, by words put into the texts that nobody said.

    Args:
        said: utterances with their own texts, and their out-of-fold predictions.
        inserted: utterances with one word more, whose phones score 0, and theirs.
        heard: what was heard in every utterance.

    Returns: the threshold, and the shares of said words taken for left out and of inserted words found at it.
    """
    gains, _ = _word_gains(*said, heard)
    accuracy = WORD_SCORES.index("accuracy")
    kept = gains[np.concatenate([row.word[:, accuracy] for row in said[0]]) >= SPOKEN_FROM]
    gains, is_inserted = _word_gains(*inserted, heard)
    planted = gains[is_inserted]
    # Words that score well gain -inf, between which no quantile can be interpolated.
    threshold = round(float(np.quantile(kept.clip(LEAST_OMISSION_NATS), 1 - OMISSION_FALSE_ALARMS)), 2)
    facts = {
        "threshold_nats_per_phone": threshold,
        "false_alarms_on_said_words": round(float((kept > threshold).mean()), 4),
        "planted_words_found": round(float((planted > threshold).mean()), 4),
        "said_words": len(kept),
        "planted_words": len(planted),
    }
    return threshold, facts


def _word_gains(
    rows: Sequence[ScoredFeatures], predicted: Sequence[Predicted], heard: Mapping[str, Heldout]
) -> tuple[Float64, NDArray[np.bool_]]:
    """Nats a phone that leaving each word out would gain, -inf where it scores too well; and which words score 0."""
    gains, unsaid = [], []
    for row, scores in zip(rows, predicted, strict=True):
        ids = row.features.word_ids
        counts = np.bincount(ids)
        whole = lattice(heard[row.id].log_probs, row.features.phone_ids + 1)
        mean = np.bincount(ids, scores.phone / 2) / counts
        gains.append(np.where(mean < OMITTED_BELOW, omission_gain(whole, ids) / counts, -np.inf))
        # People gave no word an accuracy of 0 that had no phone either: only an inserted word has neither.
        unsaid.append((np.bincount(ids, row.phone) == 0) & (row.word[:, WORD_SCORES.index("accuracy")] == 0))
    return np.concatenate(gains), np.concatenate(unsaid)
