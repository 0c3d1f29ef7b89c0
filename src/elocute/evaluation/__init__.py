"""Metrics with their sources, intervals over speakers, and whole evaluations of stored predictions."""

from elocute.evaluation.metrics import (
    bootstrap_by_group,
    edit_distance,
    expected_calibration_error,
    f1_at,
    mse,
    pcc,
    roc_auc,
)
from elocute.evaluation.predictions import Prediction, read_predictions, write_predictions

__all__ = [
    "Prediction",
    "bootstrap_by_group",
    "edit_distance",
    "expected_calibration_error",
    "f1_at",
    "mse",
    "pcc",
    "read_predictions",
    "roc_auc",
    "write_predictions",
]
