"""What the scorer's card says of it: correlation with people, detection of planted errors, trivial baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elocute.corpora.speechocean762 import UTTERANCE_SCORES
from elocute.diagnosis import Detector
from elocute.evaluation import bootstrap_by_group, mse, pcc
from elocute.phones import PHONES
from elocute.training.detector import detector_inputs_of
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import WORD_SCORES, ScoredFeatures
from elocute.types import Float64, Posteriors


def score_table(rows: Sequence[ScoredFeatures], predicted: Sequence[Predicted]) -> dict[str, dict[str, Any]]:
    """PCC with its interval over speakers, and MSE, of every score; phone also by age group."""
    table: dict[str, dict[str, Any]] = {}
    for name, (truth, guess, who) in _columns(rows, predicted).items():

        def statistic(index: np.ndarray, truth: Float64 = truth, guess: Float64 = guess) -> float:
            return pcc(truth[index], guess[index])

        low, high = bootstrap_by_group(statistic, who)
        table[name] = {
            "pcc": round(pcc(truth, guess), 4),
            "pcc_95": [round(low, 4), round(high, 4)],
            "mse": round(mse(truth, guess), 4),
        }
    child = np.concatenate([np.full(len(row.phone), row.is_child) for row in rows])
    truth, guess, _ = _columns(rows, predicted)["phone"]
    for name, group in (("phone, children", child), ("phone, adults", ~child)):
        table[name] = {
            "pcc": round(pcc(truth[group], guess[group]), 4),
            "mse": round(mse(truth[group], guess[group]), 4),
        }
    return table


def _columns(
    rows: Sequence[ScoredFeatures], predicted: Sequence[Predicted]
) -> dict[str, tuple[Float64, Float64, list[str]]]:
    """Truth, prediction and speaker of every score."""
    columns = {
        "phone": (
            np.concatenate([row.phone for row in rows]),
            np.concatenate([p.phone for p in predicted]),
            [row.speaker for row in rows for _ in row.phone],
        )
    }
    words, guessed = np.concatenate([row.word for row in rows]), np.concatenate([p.word for p in predicted])
    speakers = [row.speaker for row in rows for _ in row.word]
    columns |= {f"word {name}": (words[:, j], guessed[:, j], speakers) for j, name in enumerate(WORD_SCORES)}
    whole, guess = np.stack([row.utterance for row in rows]), np.stack([p.utterance for p in predicted])
    speakers = [row.speaker for row in rows]
    columns |= {f"utterance {name}": (whole[:, j], guess[:, j], speakers) for j, name in enumerate(UTTERANCE_SCORES)}
    return columns


def planted_table(
    planted: Sequence[ScoredFeatures],
    predicted: Sequence[Predicted],
    heard: Mapping[str, Posteriors],
    detector: Detector,
) -> dict[str, float]:
    """How well planted errors are told from their surroundings; a planted phone may be one that was wrong before."""
    lowest, score, rest, flagged = [], [], [], []
    for row, scores in zip(planted, predicted, strict=True):
        is_wrong = row.phone == 0
        if is_wrong.any() and not is_wrong.all():
            lowest.append(bool(is_wrong[scores.phone.argmin()]))
            score.extend(scores.phone[is_wrong])
            rest.extend(scores.phone[~is_wrong])
            stated = detector.probability(detector_inputs_of(row, scores, heard[row.id]))
            flagged.extend(stated[is_wrong] >= detector.flagged_from())
    return {
        "utterances": len(lowest),
        "lowest_phone_is_planted": round(float(np.mean(lowest)), 4),
        "mean_score_of_planted": round(float(np.mean(score)), 3),
        "mean_score_of_the_rest": round(float(np.mean(rest)), 3),
        "flagged": round(float(np.mean(flagged)), 4),
    }


def baseline_table(rows: Sequence[ScoredFeatures], fold_of: Mapping[str, int]) -> dict[str, dict[str, float | None]]:
    """What trivial predictors reach on the phone score: a constant, each phone's mean, the speaker's own mean."""
    truth = np.concatenate([row.phone for row in rows])
    phone = np.concatenate([row.features.phone_ids for row in rows])
    fold = np.concatenate([np.full(len(row.phone), fold_of[row.speaker]) for row in rows])
    speaker = np.concatenate([np.full(len(row.phone), row.speaker) for row in rows])
    constant, prior, own = np.empty_like(truth), np.empty_like(truth), np.empty_like(truth)
    for k in np.unique(fold):
        here, seen = fold == k, fold != k
        constant[here] = truth[seen].mean()
        means = np.bincount(phone[seen], truth[seen], len(PHONES)) / np.maximum(
            np.bincount(phone[seen], minlength=len(PHONES)), 1
        )
        prior[here] = means[phone[here]]
    for name in np.unique(speaker):
        own[speaker == name] = truth[speaker == name].mean()
    table: dict[str, dict[str, float | None]] = {}
    for label, guess in (("constant", constant), ("phone prior", prior), ("speaker mean (oracle)", own)):
        value = pcc(truth, guess) if label != "constant" else float("nan")
        table[label] = {"pcc": None if math.isnan(value) else round(value, 4), "mse": round(mse(truth, guess), 4)}
    return table
