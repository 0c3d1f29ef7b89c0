"""Out-of-fold predictions of the scorer: what the assessor would report of each training utterance.

The assessor itself writes the reports, with an acoustic model, a scorer and trees that did not train on the speaker
in place of the shipped ones; only the detector's bias, scale and thresholds are the shipped ones.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from elocute.assessor import Assessor
from elocute.audio import load_audio
from elocute.config import AssessorConfig
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.diagnosis import Detector
from elocute.evaluation.assessing import REPORT_SCALE, greedy_phones, prediction_from_report
from elocute.evaluation.predictions import Prediction
from elocute.evaluation.provenance import machine
from elocute.scorer import Features
from elocute.scorer.embedded import Scores
from elocute.training.scorer import Predicted, predict
from elocute.training.scorer_data import WORD_SCORES, ScoredFeatures
from elocute.training.scorer_model import Scorer
from elocute.training.trees import predict_error_trees, predict_trees, predict_utterance_trees
from elocute.types import Audio, Posteriors

if TYPE_CHECKING:
    from elocute.training.scorer_run import ScorerRun


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldScorer:
    """Members and trees that did not train on a fold, as the assessor's scorer.

    Attributes:
        members: transformers.
        trees: phone scores, a `lightgbm.Booster`.
        error_trees: log-odds of errors, a `lightgbm.Booster`.
        share: of the trees in the phone score.
        utterance_trees: scores of the utterance, a `lightgbm.Booster` each.
        utterance_share: of these trees in the utterance's scores.
    """

    members: Sequence[Scorer]
    trees: Any
    error_trees: Any
    share: float
    utterance_trees: Sequence[Any]
    utterance_share: float

    @property
    def name(self) -> str:
        """As reports show it."""
        return "out-of-fold"

    @property
    def version(self) -> str:
        """There is none."""
        return "0"

    def predict(self, rows: Sequence[ScoredFeatures]) -> list[Predicted]:
        """Scores of utterances in the corpus's units, by members and trees together."""
        return [
            replace(
                smooth,
                phone=(1 - self.share) * smooth.phone + self.share * predict_trees(self.trees, row),
                error=predict_error_trees(self.error_trees, row),
                utterance=(1 - self.utterance_share) * smooth.utterance
                + self.utterance_share * predict_utterance_trees(self.utterance_trees, row),
            )
            for row, smooth in zip(rows, predict(self.members, rows), strict=True)
        ]

    def score(self, features: Features) -> Scores:
        """Score one utterance."""
        (found,) = self.predict([_unscored(features)])
        assert found.error is not None
        word, whole = found.word / 10, (found.utterance / 10).tolist()
        return Scores(
            phone=found.phone / 2,
            error_log_odds=found.error,
            word_accuracy=word[:, 0],
            word_stress=word[:, 1],
            word_total=word[:, 2],
            accuracy=whole[0],
            fluency=whole[1],
            prosodic=whole[2],
            total=whole[3],
        )


def _unscored(features: Features) -> ScoredFeatures:
    """Features without people's scores."""
    words = int(features.word_ids[-1]) + 1
    return ScoredFeatures(
        id="",
        speaker="",
        is_child=False,
        features=features,
        phone=np.zeros(len(features.phone_ids)),
        word=np.zeros((words, len(WORD_SCORES))),
        utterance=np.zeros(4),
    )


class HeldoutBackend:
    """What was heard in one utterance, as the assessor's acoustic model."""

    name = "held-out"
    version = "0"

    def __init__(self, heard: Posteriors) -> None:
        self.heard = heard
        self.phone_set = heard.phone_set
        self.has_ratings = heard.ratings is not None

    def posteriors(self, audio: Audio) -> Posteriors:
        """The same for whatever audio."""
        return self.heard


def predict_utterance(
    utterance: ScoredUtterance, heard: Posteriors, scorer: FoldScorer, detector: Detector
) -> Prediction:
    """What a report would say of an utterance."""
    backend = HeldoutBackend(heard)
    assessor = Assessor(AssessorConfig(scale=REPORT_SCALE), backend=backend, scorer=scorer, detector=detector)
    report = assessor.assess(
        load_audio(utterance.audio), utterance.text, pronunciations=[word.phones for word in utterance.words]
    )
    return prediction_from_report(utterance.id, report, greedy_phones(backend.heard))


def predict_all(
    utterances: Sequence[ScoredUtterance],
    heard: Mapping[str, Posteriors],
    scorers: Mapping[int, FoldScorer],
    fold_of: Mapping[str, int],
    detector: Detector,
    progress: Callable[[int, int], None] | None = None,
) -> list[Prediction]:
    """Out-of-fold predictions of all utterances, in their order, with one process a core.

    Args:
        utterances: of the split.
        heard: what was heard in each by the acoustic model without its speaker.
        scorers: of each fold, trained without it.
        fold_of: fold of every speaker.
        detector: the shipped one.
        progress: called with utterances done and in all.
    """
    found: dict[str, Prediction] = {}
    with concurrent.futures.ProcessPoolExecutor(
        os.cpu_count(), mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        for fold, scorer in scorers.items():
            part = [one for one in utterances if fold_of[one.speaker] == fold]
            chunks = [part[start : start + 25] for start in range(0, len(part), 25)]
            jobs = [
                pool.submit(_predict_chunk, chunk, [heard[one.id] for one in chunk], scorer, detector)
                for chunk in chunks
            ]
            for job in jobs:
                found |= {prediction.id: prediction for prediction in job.result()}
                if progress:
                    progress(len(found), len(utterances))
    return [found[one.id] for one in utterances]


def _predict_chunk(
    utterances: Sequence[ScoredUtterance], heard: Sequence[Posteriors], scorer: FoldScorer, detector: Detector
) -> list[Prediction]:
    """Predictions of some utterances, in a process of its own."""
    torch.set_num_threads(1)
    return [predict_utterance(one, what, scorer, detector) for one, what in zip(utterances, heard, strict=True)]


def provenance(config: ScorerRun, detector: Detector, commit: str | None) -> dict[str, Any]:
    """Where out-of-fold predictions come from: protocol, seeds, code (`commit` when the run began) and machine."""
    return {
        "model": "elocute embedded: acoustic model and scorer, each trained again without the fold",
        "protocol": f"out of fold: {config.folds} speaker-disjoint folds of train; acoustic models, scorer and trees "
        "did not train on the speaker; last step and epoch, nothing is selected inside a fold. Settings were compared "
        "on these folds; bias, scale and thresholds of the detector are single numbers fitted on all of them",
        "split": "train",
        "folds": config.folds,
        "fold_seed": config.fold_seed,
        "members": [asdict(member) for member in config.members],
        "trees": asdict(config.trees),
        "error_trees": asdict(config.error_trees),
        "utterance_trees": asdict(config.utterance_trees),
        "training": asdict(config.training),
        "native": [folder.name for folder in config.native],
        "threshold": detector.flagged_from(),
        "command": "elocute train scorer --speechocean DIR --heldout RUNS --native DIR ... --out RUN",
        "commit": commit,
        "machine": machine(),
        "date": date.today().isoformat(),
    }
