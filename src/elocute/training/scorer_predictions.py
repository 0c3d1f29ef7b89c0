"""Out-of-fold predictions of the scorer as stored predictions: what a report would say of each training utterance."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from elocute.assessor import HEARD_SHARE, heard_phones
from elocute.ctc import lattice
from elocute.diagnosis import Detector, left_out, said_instead
from elocute.evaluation.assessing import NOTHING_HEARD, greedy_phones
from elocute.evaluation.predictions import Prediction
from elocute.evaluation.provenance import machine
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES
from elocute.training.acoustic_model import FRAME_SHIFT_S
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import PHONE_SET, Heldout, ScoredFeatures
from elocute.types import Float64, Posteriors

if TYPE_CHECKING:
    from elocute.training.scorer_run import ScorerRun

HEARD_COLUMNS = [PHONE_FEATURES.index(f"heard_{name}") for name in (*PHONES, "deleted")]


def prediction_of(
    row: ScoredFeatures, predicted: Predicted, stated: Float64, heard: Heldout, detector: Detector
) -> Prediction:
    """What a report would say: words left out score 0, and nothing is scored where hardly anything was heard.

    Args:
        row: the utterance.
        predicted: its out-of-fold scores.
        stated: its out-of-fold probabilities that a phone is wrong, shape (L,).
        heard: what the acoustic model without its speaker heard.
        detector: the shipped one, for its thresholds.
    """
    features = row.features
    found = lattice(heard.log_probs, features.phone_ids + 1)
    perceived = greedy_phones(Posteriors(log_probs=heard.log_probs, frame_shift_s=FRAME_SHIFT_S, phone_set=PHONE_SET))
    if heard_phones(found).mean() < HEARD_SHARE:
        return Prediction(id=row.id, phone=None, word=None, utterance=None, perceived=perceived, reason=NOTHING_HEARD)
    posterior = np.exp(features.phone[:, HEARD_COLUMNS].astype(np.float64))
    nats = detector.omission_nats_per_phone
    omitted = left_out(found, posterior, features.phone_ids, features.word_ids, predicted.phone / 2, nats)
    gone = omitted[features.word_ids]
    said = said_instead(posterior, features.phone_ids, stated >= detector.threshold)
    names: list[str | None] = [*PHONES, None]
    accuracy, fluency, prosodic, total = predicted.utterance.tolist()
    share = float(1 - omitted.mean())
    words = predicted.word * np.where(omitted, 0.0, 1.0)[:, None]
    return Prediction(
        id=row.id,
        phone=np.where(gone, 0.0, predicted.phone).tolist(),
        word=[
            (acc, None if left else stress, whole)
            for (acc, stress, whole), left in zip(words.tolist(), omitted.tolist(), strict=True)
        ],
        utterance={
            "accuracy": accuracy,
            "completeness": 10 * share,
            "fluency": fluency,
            "prosodic": prosodic,
            "total": total * share,
        },
        phone_error=stated.tolist(),
        heard=[None if left else names[k] for k, left in zip(said.tolist(), gone.tolist(), strict=True)],
        omitted=np.flatnonzero(omitted).tolist(),
        perceived=perceived,
    )


def provenance(config: ScorerRun, detector: Detector, commit: str | None) -> dict[str, Any]:
    """Where out-of-fold predictions come from: protocol, seeds, code (`commit` when the run began) and machine."""
    return {
        "model": "elocute embedded: acoustic model and scorer, each trained again without the fold",
        "protocol": f"out of fold: {config.folds} speaker-disjoint folds of train; acoustic models, scorer, trees and "
        "detector did not train on the speaker; last step and epoch, nothing is selected inside a fold. Settings were "
        "compared on these folds; the two thresholds (detector, omission) are single numbers chosen on all of them",
        "split": "train",
        "folds": config.folds,
        "fold_seed": config.fold_seed,
        "members": [asdict(member) for member in config.members],
        "trees": asdict(config.trees),
        "training": asdict(config.training),
        "native": [folder.name for folder in config.native],
        "planted_folds": config.planted_folds,
        "threshold": detector.threshold,
        "command": "elocute train scorer --speechocean DIR --heldout RUNS --native DIR ... --out RUN",
        "commit": commit,
        "machine": machine(),
        "date": date.today().isoformat(),
    }
