"""Calibrating a detector and choosing its operating points, on phones that it did not learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elocute.ctc import logistic
from elocute.evaluation.metrics import f1_at
from elocute.types import Float64

PRECISIONS = (0.8, 0.7)
"""Precision that reports have at low and at normal sensitivity, on out-of-fold predictions."""
LEAST_RECALL = 0.85
"""Recall of what is flagged or unsure at high sensitivity."""
MARGIN = 0.025
"""Precision beyond what is asked: reports also flag the phones of words that they take, not always rightly, for left
out."""


def choose_thresholds(is_wrong: NDArray[np.bool_], stated: Float64) -> tuple[float, float, float, float]:
    """Probabilities, falling, from which a phone is flagged at low, normal and high sensitivity, and one more.

    Args:
        is_wrong: shape (N,), people's verdict on each phone.
        stated: shape (N,), the probability of that.
    """
    low, normal = (threshold_of_precision(is_wrong, stated, wanted + MARGIN) for wanted in PRECISIONS)
    high = best_threshold(is_wrong, stated)
    least = float(np.quantile(stated[is_wrong], 1.0 - LEAST_RECALL))
    ordered = sorted((low, normal, high, round(least, 3)), reverse=True)
    return ordered[0], ordered[1], ordered[2], ordered[3]


def threshold_of_precision(is_wrong: NDArray[np.bool_], probability: Float64, precision: float) -> float:
    """Lowest probability, to three decimals, from which flagging has a precision.

    Above 1, so that nothing is flagged, where no threshold has it.
    """
    order = np.argsort(-probability, kind="stable")
    reached = np.cumsum(is_wrong[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(reached >= precision)
    # Rounded up: the phones between would cost precision.
    return float(np.ceil(probability[order[enough[-1]]] * 1000) / 1000) if len(enough) else 1.001


def best_threshold(is_wrong: NDArray[np.bool_], probability: Float64) -> float:
    """Probability from which flagging phones gives the highest F1, to two decimals."""
    return max((k / 100 for k in range(2, 91)), key=lambda threshold: f1_at(is_wrong, probability, threshold).f1)


def fit_logistic(inputs: Float64, positive: NDArray[np.bool_]) -> tuple[float, tuple[float, ...]]:
    """Logistic regression by Newton's method; returns bias and weights."""
    design = np.column_stack([np.ones(len(inputs)), inputs])
    weights = np.zeros(design.shape[1])
    penalty = 1e-6 * len(inputs) * np.diag([0.0, *([1.0] * inputs.shape[1])])
    for _ in range(50):
        stated = logistic(design @ weights)
        gradient = design.T @ (positive - stated) - penalty @ weights
        hessian = (design * (stated * (1 - stated))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), tuple(float(w) for w in weights[1:])
