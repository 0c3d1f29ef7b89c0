"""From held-out posteriors to the shipped scorer: folds, metrics beside trivial baselines, detector, export, card."""

from __future__ import annotations

import concurrent.futures
import json
import logging
import math
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elocute.acoustic import load_backend
from elocute.assets import load_onnxruntime
from elocute.corpora.speechocean762 import ScoredUtterance, read_speechocean762, speaker_folds
from elocute.evaluation import pcc, write_predictions
from elocute.evaluation.provenance import commit_of_checkout
from elocute.export.graph import strip
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES
from elocute.scorer.context import CONTEXT_FEATURES, UTTERANCE_CONTEXT, phone_context, utterance_context
from elocute.training.ablation import ablate
from elocute.training.detector import fit_detector, judge
from elocute.training.listening import bent, hear_all
from elocute.training.native_rows import Natives, native_rows
from elocute.training.planting import insert_word, plant_errors
from elocute.training.scorer import Predicted, ScorerTraining, predict, train_member
from elocute.training.scorer_data import (
    ScoredFeatures,
    build_table,
    read_heldout,
    score_planted_words,
)
from elocute.training.scorer_model import Ensemble, Scorer
from elocute.training.scorer_predictions import FoldScorer, predict_all, provenance
from elocute.training.scorer_tables import baseline_table, planted_table, score_table
from elocute.training.trees import (
    ERROR_TREES,
    UTTERANCE_TREES,
    TreesTraining,
    add_error_trees,
    add_trees,
    add_utterance_trees,
    predict_error_trees,
    predict_trees,
    predict_utterance_trees,
    train_trees,
    train_utterance_trees,
)
from elocute.types import Posteriors

log = logging.getLogger(__name__)

INSERTED_EVERY = 4
"""One in so many utterances with an inserted word joins those with planted errors in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of the ensemble.

    Attributes:
        seed: of its weights and batches.
        planted_share: planted utterances it sees for each one that people scored. Without any, it learns people's
            scores best; with many, it follows the lattice where a single phone is wrong.
    """

    seed: int
    planted_share: float


MEMBERS = (
    Member(seed=1, planted_share=0.0),
    Member(seed=2, planted_share=0.2),
    Member(seed=3, planted_share=0.4),
    Member(seed=4, planted_share=0.6),
)
"""Of the scorer for the embedded acoustic model."""
GENERAL_MEMBERS = (Member(seed=1, planted_share=0.2),)
"""Of the scorer for any backend, which is small because most installations never run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerRun:
    """What a run of `elocute train scorer` depends on.

    Attributes:
        speechocean: corpus folder.
        out: where the results go.
        heldout: folder of the acoustic folds' held-out posteriors; None to ask the backend.
        backend: acoustic model of the native speech, and of all where there is no `heldout`: then it may not have
            trained on the corpus.
        is_general: whether ratings are dropped and the sharpness of posteriors is drawn, so that the scorer does for
            any backend.
        folds: number of folds; the acoustic models' own.
        fold_seed: seed that dealt the speakers.
        members: of the ensemble.
        native: folders of transcribed native speech.
        synthetic: folders of `elocute train synthetic`.
        native_limit: recordings of each of them.
        command: written into the card.
        training: of each member.
        trees: of the trees beside them.
        error_trees: of those that tell wrong phones.
        utterance_trees: of those for the scores of the utterance.
    """

    speechocean: Path
    out: Path
    heldout: Path | None = None
    backend: str = "embedded"
    is_general: bool = False
    folds: int = 5
    fold_seed: int = 1
    members: tuple[Member, ...] = MEMBERS
    native: tuple[Path, ...] = ()
    synthetic: tuple[Path, ...] = ()
    native_limit: int = 200
    command: str = ""
    training: ScorerTraining = ScorerTraining()
    trees: TreesTraining = TreesTraining()
    error_trees: TreesTraining = ERROR_TREES
    utterance_trees: TreesTraining = UTTERANCE_TREES


def run(config: ScorerRun, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Train, evaluate out of fold and export; writes `scorer.onnx`, its card and `oof.jsonl.gz` into `out`.

    Returns: the card.
    """
    torch.set_num_threads(1)
    commit = commit_of_checkout()
    config.out.mkdir(parents=True, exist_ok=True)
    utterances = read_speechocean762(config.speechocean)
    heard, hear_natives = listen(utterances, config, progress)
    rows = build_table(utterances, heard, progress)
    rng = np.random.default_rng(config.fold_seed)
    changed = [plant_errors(utterance, rng) for utterance in utterances]
    planted = score_planted_words(rows, build_table(changed, heard, progress, are_planted=True))
    others = rng.permutation(len(utterances))
    longer = [insert_word(one, utterances[other], rng) for one, other in zip(utterances, others, strict=True)]
    inserted = score_planted_words(rows, build_table(longer, heard, progress, are_planted=True))
    fold_of = speaker_folds(utterances, config.folds, config.fold_seed)
    natives = native_rows(config.native, config.native_limit, rng, hear_natives, progress, config.synthetic)
    scorers, predicted, wrong = out_of_fold((rows, planted, inserted), natives, fold_of, config)
    detector, detection = fit_detector(judge(rows, predicted, heard, fold_of))
    write_predictions(
        config.out / "oof.jsonl.gz",
        provenance(config, detector, commit),
        predict_all(utterances, heard, scorers, fold_of, detector, progress),
    )
    trained = train_all(rows, planted, inserted, natives, config)
    export(trained, rows[0], config.out / "scorer.onnx")
    card = {
        "name": "elocute scorer",
        "version": date.today().isoformat(),
        "kind": f"mean of {len(trained.members)} transformers over phones; their scores of phones and utterances "
        "averaged with boosted trees; log-odds of errors: other boosted trees",
        "parameters": sum(parameter.numel() for member in trained.members for parameter in member.parameters()),
        "bytes": (config.out / "scorer.onnx").stat().st_size,
        "data": [
            "speechocean762, official train split (CC BY 4.0)",
            *(f"native speech with planted errors: {folder.name}" for folder in config.native),
            *(f"synthetic speech with errors: {folder.name}" for folder in config.synthetic),
        ],
        "licence": "Apache-2.0",
        "command": config.command,
        "training": asdict(config.training),
        "members": [asdict(member) for member in config.members],
        "trees": asdict(config.trees),
        "error_trees": asdict(config.error_trees),
        "utterance_trees": asdict(config.utterance_trees),
        "evaluation": {
            "protocol": f"out of fold, {config.folds} speaker-disjoint folds of train, fold seed {config.fold_seed}; "
            f"features from {heard_by(config)}; last epoch, nothing selected inside a fold, "
            "but settings were compared on these folds; of the bare scores, before a report's rules (a word left out "
            "scores 0, some recordings are refused), which docs/benchmark.md follows",
            "scores": score_table(rows, predicted),
            "baselines": baseline_table(rows, fold_of),
            "detection": detection,
            "planted": planted_table(planted, wrong, heard, detector),
            "prosody": ablate(rows, smooth_of_folds(scorers, rows, fold_of), fold_of, config.utterance_trees),
        },
        "detector": asdict(detector),
        "needs_ratings": any(one.ratings is not None for one in heard.values()),
        "features": [*PHONE_FEATURES, *UTTERANCE_FEATURES],
        "context_features": list(CONTEXT_FEATURES),
        "utterance_context_features": list(UTTERANCE_CONTEXT),
        "limits": [
            "trained on Mandarin-L1 learners, read speech, quiet rooms; other accents, children under 6 and noise are "
            "not measured",
            "the corpus's stress scores are 98 % 'right', so the stress score says little",
        ],
    }
    (config.out / "scorer.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def listen(
    utterances: Sequence[ScoredUtterance], config: ScorerRun, progress: Callable[[int, int], None] | None
) -> tuple[Mapping[str, Posteriors], Callable[[Sequence[ScoredUtterance]], Mapping[str, Posteriors]]]:
    """What was heard in the corpus, and what finds out what is heard in native speech."""
    backend = load_backend(config.backend)
    rng = np.random.default_rng([config.fold_seed, 1])

    def hear(some: Sequence[ScoredUtterance], place: str) -> Mapping[str, Posteriors]:
        found = hear_all(backend, some, config.out / "heard" / place, progress)
        return bent(found, rng) if config.is_general else found

    if config.heldout is None:
        heard = hear(utterances, "corpus")
    else:
        heard = read_heldout(config.heldout)
        heard = bent(heard, rng) if config.is_general else heard
    return heard, partial(hear, place="native")


def heard_by(config: ScorerRun) -> str:
    """Which models heard the corpus, in words."""
    models = (
        f"{config.backend}, which must not have trained on the corpus"
        if config.heldout is None
        else "acoustic models that did not hear the speakers"
    )
    return f"{models}; ratings dropped, sharpness drawn for each recording" if config.is_general else models


def train_members(rows: Sequence[ScoredFeatures], planted: Sequence[ScoredFeatures], config: ScorerRun) -> list[Scorer]:
    """Train the members on these rows and each one's share of these planted rows."""
    members = []
    for member in config.members:
        drawn = np.random.default_rng(member.seed).permutation(len(planted))
        extra = [planted[i] for i in drawn[: round(member.planted_share * len(rows))]]
        # More rows, fewer passes: the number of updates grows with the square root.
        epochs = round(config.training.epochs / math.sqrt(1 + member.planted_share))
        members.append(train_member([*rows, *extra], replace(config.training, epochs=epochs), member.seed))
    return members


def train_all(
    rows: Sequence[ScoredFeatures],
    planted: Sequence[ScoredFeatures],
    inserted: Sequence[ScoredFeatures],
    natives: Natives,
    config: ScorerRun,
) -> FoldScorer:
    """Members and trees from scored utterances, planted errors, inserted words and native speech."""
    unsaid = [*planted, *inserted[::INSERTED_EVERY]]
    return FoldScorer(
        members=train_members(rows, [*unsaid, *natives.spoken, *natives.planted], config),
        trees=train_trees(rows, unsaid, natives, config.trees),
        error_trees=train_trees(rows, unsaid, natives, config.error_trees),
        share=config.trees.share,
        utterance_trees=train_utterance_trees(rows, config.utterance_trees),
        utterance_share=config.utterance_trees.share,
    )


Tables = tuple[Sequence[ScoredFeatures], Sequence[ScoredFeatures], Sequence[ScoredFeatures]]
"""Utterances as people scored them, with planted errors, and with a word more."""


def out_of_fold(
    tables: Tables, natives: Natives, fold_of: Mapping[str, int], config: ScorerRun
) -> tuple[dict[int, FoldScorer], list[Predicted], list[Predicted]]:
    """Train without each fold, and predict its utterances.

    Returns: what was trained without each fold, and predictions of the first two tables, in their order.
    """
    with concurrent.futures.ProcessPoolExecutor(
        min(config.folds, os.cpu_count() or 1), mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        jobs = [pool.submit(train_fold, tables, natives, fold_of, fold, config) for fold in range(config.folds)]
        scorers = dict(enumerate(job.result() for job in jobs))
    predicted = [
        _unseen(table, fold_of, {fold: scorer.predict for fold, scorer in scorers.items()}) for table in tables[:2]
    ]
    return scorers, predicted[0], predicted[1]


def smooth_of_folds(
    scorers: Mapping[int, FoldScorer], rows: Sequence[ScoredFeatures], fold_of: Mapping[str, int]
) -> list[Predicted]:
    """What the transformers alone say of utterances whose speakers they did not see, in their order."""
    return _unseen(rows, fold_of, {fold: partial(predict, scorer.members) for fold, scorer in scorers.items()})


def _unseen(
    rows: Sequence[ScoredFeatures],
    fold_of: Mapping[str, int],
    predictors: Mapping[int, Callable[[Sequence[ScoredFeatures]], list[Predicted]]],
) -> list[Predicted]:
    """Predictions of every utterance by what did not see the fold of its speaker, in their order."""
    found: dict[str, Predicted] = {}
    for fold, predictor in predictors.items():
        own = [row for row in rows if fold_of[row.speaker] == fold]
        found |= {row.id: one for row, one in zip(own, predictor(own), strict=True)}
    return [found[row.id] for row in rows]


def train_fold(
    tables: Tables, natives: Natives, fold_of: Mapping[str, int], fold: int, config: ScorerRun
) -> FoldScorer:
    """Train without one fold; logs what it reaches there."""
    torch.set_num_threads(1)
    seen, seen_planted, seen_inserted = ([row for row in table if fold_of[row.speaker] != fold] for table in tables)
    trained = train_all(seen, seen_planted, seen_inserted, natives, config)
    own = [row for row in tables[0] if fold_of[row.speaker] == fold]
    guess = np.concatenate([one.phone for one in trained.predict(own)])
    value = pcc(np.concatenate([row.phone for row in own]), guess)
    log.info("fold %d: phone PCC %.4f on %d utterances", fold, value, len(own))
    return trained


def export(trained: FoldScorer, example: ScoredFeatures, out: Path) -> None:
    """Write members and trees as one graph over one utterance, and check it against both."""
    import onnx

    onnxruntime = load_onnxruntime()
    ensemble = Ensemble(list(trained.members)).eval()
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
        output_names=["phone_score", "word_score", "utterance_score", "error_log_odds"],
        dynamic_shapes=({0: L}, None, {0: L}, {0: L, 1: W}),
    )
    assert program is not None
    program.save(out, external_data=False)
    whole = add_error_trees(add_trees(onnx.load(out), trained.trees, trained.share), trained.error_trees)
    onnx.save(add_utterance_trees(whole, trained.utterance_trees, trained.utterance_share), out)
    strip(out)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        smooth = ensemble(*(torch.from_numpy(value) for value in inputs.values()))
    sharp = torch.from_numpy(predict_trees(trained.trees, example).astype(np.float32))
    whole_sharp = torch.from_numpy(predict_utterance_trees(trained.utterance_trees, example).astype(np.float32)) / 5
    expected = smooth._replace(
        phone=(1 - trained.share) * smooth.phone + trained.share * sharp,
        utterance=(1 - trained.utterance_share) * smooth.utterance + trained.utterance_share * whole_sharp,
        error=torch.from_numpy(predict_error_trees(trained.error_trees, example).astype(np.float32)),
    )
    found = session.run(
        ["phone_score", "word_score", "utterance_score", "error_log_odds"],
        inputs | {"context": phone_context(features), "utterance_context": utterance_context(features)[None]},
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
