"""Metrics with their sources, and intervals."""

from elocute.evaluation.metrics import (
    bootstrap_by_group,
    edit_distance,
    expected_calibration_error,
    f1_at,
    mse,
    pcc,
    roc_auc,
)

__all__ = ["bootstrap_by_group", "edit_distance", "expected_calibration_error", "f1_at", "mse", "pcc", "roc_auc"]
