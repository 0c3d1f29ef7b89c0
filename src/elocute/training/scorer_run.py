"""From held-out posteriors to the shipped scorer: folds, metrics beside trivial baselines, detector, export, card."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elocute.corpora.speechocean762 import (
    MISPRONOUNCED_BELOW,
    ScoredUtterance,
    read_speechocean762,
    speaker_folds,
)
from elocute.ctc import forward_log_prob
from elocute.diagnosis import Detector, detector_inputs
from elocute.evaluation import bootstrap_by_group, expected_calibration_error, f1_at, mse, pcc, roc_auc
from elocute.evaluation.metrics import Detection
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES
from elocute.training.scorer import Predicted, ScorerTraining, predict, train_member
from elocute.training.scorer_data import (
    UTTERANCE_SCORES,
    WORD_SCORES,
    ScoredFeatures,
    build_table,
    read_heldout,
)
from elocute.training.scorer_model import Ensemble
from elocute.types import Float32, Float64

log = logging.getLogger(__name__)

PRECISION_GOAL = 0.7
"""The shipped operating point is the lowest threshold that reaches this precision out of fold."""
OMISSION_FALSE_ALARMS = 0.002
"""Share of spoken words that the omission threshold may take for left out."""
FIRST_HEARD = PHONE_FEATURES.index(f"heard_{PHONES[0]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerRun:
    """What a run of `elocute train scorer` depends on."""

    speechocean: Path
    heldout: Path
    out: Path
    folds: int = 5
    fold_seed: int = 1
    seeds: tuple[int, ...] = (1, 2, 3, 4)
    command: str = ""
    training: ScorerTraining = ScorerTraining()


def run(config: ScorerRun, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Train, evaluate out of fold and export; writes `scorer.onnx`, `scorer.json` and `oof.npz` into `out`.

    Returns: the card.
    """
    torch.set_num_threads(1)
    config.out.mkdir(parents=True, exist_ok=True)
    utterances = read_speechocean762(config.speechocean)
    posteriors = read_heldout(config.heldout)
    rows = build_table(utterances, posteriors, progress)
    fold_of = speaker_folds(utterances, config.folds, config.fold_seed)
    predicted = out_of_fold(rows, fold_of, config)
    save_predictions(config.out / "oof.npz", rows, predicted)
    omission_nats, omission = omission_threshold(utterances, posteriors)
    detector, detection = fit_detector(rows, predicted, fold_of, omission_nats)
    members = [train_member(rows, config.training, seed) for seed in config.seeds]
    export(Ensemble(members).eval(), rows[0], config.out / "scorer.onnx")
    card = {
        "name": "elocute embedded scorer",
        "version": date.today().isoformat(),
        "kind": f"mean of {len(members)} transformers over phones",
        "parameters": sum(parameter.numel() for member in members for parameter in member.parameters()),
        "bytes": (config.out / "scorer.onnx").stat().st_size,
        "data": "speechocean762, official train split (CC BY 4.0)",
        "licence": "Apache-2.0",
        "command": config.command,
        "training": asdict(config.training),
        "seeds": list(config.seeds),
        "evaluation": {
            "protocol": f"out of fold, {config.folds} speaker-disjoint folds of train, fold seed {config.fold_seed}; "
            "features from acoustic models that did not hear the speakers; last epoch, nothing selected inside a fold",
            "scores": score_table(rows, predicted),
            "baselines": baseline_table(rows, fold_of),
            "detection": detection,
            "omission": omission,
        },
        "detector": asdict(detector),
        "features": [*PHONE_FEATURES, *UTTERANCE_FEATURES],
        "limits": [
            "trained on Mandarin-L1 learners, read speech, quiet rooms; other accents, children under 6 and noise are "
            "not measured",
            "the corpus's stress scores are 98 % 'right', so the stress score says little",
        ],
    }
    (config.out / "scorer.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def out_of_fold(rows: Sequence[ScoredFeatures], fold_of: Mapping[str, int], config: ScorerRun) -> list[Predicted]:
    """Predict every utterance by members that did not train on its speaker."""
    predicted: dict[str, Predicted] = {}
    for fold in range(config.folds):
        seen = [row for row in rows if fold_of[row.speaker] != fold]
        unseen = [row for row in rows if fold_of[row.speaker] == fold]
        members = [train_member(seen, config.training, seed) for seed in config.seeds]
        found = predict(members, unseen)
        predicted |= {row.id: scores for row, scores in zip(unseen, found, strict=True)}
        value = pcc(np.concatenate([row.phone for row in unseen]), np.concatenate([p.phone for p in found]))
        log.info("fold %d: phone PCC %.4f on %d utterances", fold, value, len(unseen))
    return [predicted[row.id] for row in rows]


def save_predictions(path: Path, rows: Sequence[ScoredFeatures], predicted: Sequence[Predicted]) -> None:
    """Keep the out-of-fold predictions: one array a score, utterances in corpus order."""
    np.savez_compressed(
        path,
        ids=np.array([row.id for row in rows]),
        phone=np.concatenate([p.phone for p in predicted]),
        word=np.concatenate([p.word for p in predicted]),
        utterance=np.stack([p.utterance for p in predicted]),
    )


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


def fit_detector(
    rows: Sequence[ScoredFeatures], predicted: Sequence[Predicted], fold_of: Mapping[str, int], omission_nats: float
) -> tuple[Detector, dict[str, Any]]:
    """Fit the probability that a phone is wrong, and choose its threshold; measured across folds.

    Returns: the detector fitted on all out-of-fold predictions, and its metrics when fitted without the fold.
    """
    inputs = np.concatenate([_inputs(row, p) for row, p in zip(rows, predicted, strict=True)])
    wrong = np.concatenate([row.phone < MISPRONOUNCED_BELOW for row in rows])
    fold = np.concatenate([np.full(len(row.phone), fold_of[row.speaker]) for row in rows])
    stated, flagged = np.empty(len(wrong)), np.zeros(len(wrong), dtype=bool)
    for k in np.unique(fold):
        here, seen = fold == k, fold != k
        bias, weights = fit_logistic(inputs[seen], wrong[seen])
        part = Detector(bias=bias, weights=weights, threshold=0.5, omission_nats=omission_nats)
        stated[here] = part.probability(inputs[here])
        flagged[here] = stated[here] >= precise_threshold(wrong[seen], part.probability(inputs[seen])).threshold
    speakers = np.concatenate([np.full(len(row.phone), row.speaker) for row in rows])
    auc = bootstrap_by_group(lambda index: roc_auc(wrong[index], stated[index]), speakers.tolist(), draws=200)
    best = max((f1_at(wrong, stated, t) for t in np.linspace(0.02, 0.9, 89)), key=lambda found: found.f1)
    shipped = f1_at(wrong, flagged.astype(float), 0.5)
    bias, weights = fit_logistic(inputs, wrong)
    final = Detector(bias=bias, weights=weights, threshold=0.5, omission_nats=omission_nats)
    point = precise_threshold(wrong, final.probability(inputs))
    detector = Detector(bias=bias, weights=weights, threshold=round(point.threshold, 4), omission_nats=omission_nats)
    metrics = {
        "positives": f"phones scored below {MISPRONOUNCED_BELOW}: {int(wrong.sum())} of {len(wrong)}",
        "roc_auc": round(roc_auc(wrong, stated), 4),
        "roc_auc_95": [round(value, 4) for value in auc],
        "expected_calibration_error": round(expected_calibration_error(wrong, stated), 4),
        "shipped_point": {name: round(getattr(shipped, name), 4) for name in ("precision", "recall", "f1")},
        "best_f1_point": {key: round(float(value), 4) for key, value in asdict(best).items()},
    }
    return detector, metrics


def _inputs(row: ScoredFeatures, predicted: Predicted) -> Float64:
    """Detector inputs of one utterance, from the stored features."""
    L = len(row.phone)
    log_heard = row.features.phone[np.arange(L), FIRST_HEARD + row.features.phone_ids].astype(np.float64)
    return detector_inputs(predicted.phone / 2, log_heard)


def precise_threshold(wrong: np.ndarray, stated: Float64) -> Detection:
    """The lowest of 200 thresholds whose precision reaches the goal."""
    points = [f1_at(wrong, stated, t) for t in np.linspace(0.05, 0.95, 181)]
    return next((point for point in points if point.precision >= PRECISION_GOAL), points[-1])


def fit_logistic(inputs: Float64, positive: np.ndarray, ridge: float = 1e-3) -> tuple[float, tuple[float, ...]]:
    """Logistic regression by Newton's method; returns bias and weights."""
    design = np.column_stack([np.ones(len(inputs)), inputs])
    weights = np.zeros(design.shape[1])
    penalty = ridge * len(inputs) * np.diag([0.0, *([1e-3] * inputs.shape[1])])
    for _ in range(50):
        stated = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (positive - stated) - penalty @ weights
        hessian = (design * (stated * (1 - stated))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), tuple(float(w) for w in weights[1:])


def omission_threshold(
    utterances: Sequence[ScoredUtterance], posteriors: Mapping[str, Float32], seed: int = 0
) -> tuple[float, dict[str, Any]]:
    """Choose from how many nats on a word counts as left out, by planting words that nobody said.

    Every fourth utterance gets a word of another utterance at a random place in its text. The threshold is the
    quantile of the words that were said; how many planted words it finds is reported.
    """
    rng = np.random.default_rng(seed)
    said: list[float] = []
    planted: list[float] = []
    for number, utterance in enumerate(utterances[::4]):
        frames = posteriors[utterance.id].astype(np.float64)
        words = [_labels(word.phones) for word in utterance.words]
        other = utterances[int(rng.integers(len(utterances)))]
        extra = _labels(other.words[int(rng.integers(len(other.words)))].phones)
        place = int(rng.integers(len(words) + 1))
        base = forward_log_prob(frames, sum(words, []))
        if len(words) > 1:
            drop = number % len(words)
            said.append(forward_log_prob(frames, sum(words[:drop] + words[drop + 1 :], [])) - base)
        longer = forward_log_prob(frames, sum([*words[:place], extra, *words[place:]], []))
        planted.append(base - longer if np.isfinite(longer) else 1e6)
    threshold = max(2.0, float(np.quantile(said, 1 - OMISSION_FALSE_ALARMS)))
    facts = {
        "threshold_nats": round(threshold, 2),
        "false_alarms_on_said_words": round(float((np.array(said) > threshold).mean()), 4),
        "planted_words_found": round(float((np.array(planted) > threshold).mean()), 4),
        "said_words": len(said),
        "planted_words": len(planted),
    }
    return round(threshold, 2), facts


def _labels(phones: Sequence[str]) -> list[int]:
    return [PHONES.index(phone) + 1 for phone in phones]


def export(ensemble: Ensemble, example: ScoredFeatures, out: Path) -> None:
    """Write the ensemble as one graph over one utterance, and check it against torch."""
    import onnxruntime

    features = example.features
    words = int(features.word_ids[-1]) + 1
    member = (features.word_ids[:, None] == np.arange(words)).astype(np.float32)
    inputs = {
        "phone": features.phone,
        "utterance": features.utterance,
        "phone_ids": features.phone_ids.astype(np.int64),
        "member": member,
    }
    L, W = torch.export.Dim("phones", min=1, max=4096), torch.export.Dim("words", min=1, max=1024)
    program = torch.onnx.export(
        ensemble,
        tuple(torch.from_numpy(value) for value in inputs.values()),
        dynamo=True,
        opset_version=20,
        input_names=list(inputs),
        output_names=["phone_score", "word_score", "utterance_score"],
        dynamic_shapes=({0: L}, None, {0: L}, {0: L, 1: W}),
    )
    assert program is not None
    program.save(out, external_data=False)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = ensemble(*(torch.from_numpy(value) for value in inputs.values()))
    for ours, theirs in zip(session.run(None, inputs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
