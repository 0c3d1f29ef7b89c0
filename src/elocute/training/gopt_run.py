"""GOPT and our scorer on the same features and folds, by the published protocol and by ours.

So that what comes from the features and what from the head can be told apart: three sets of features times two heads,
each model read in two ways. All readings are of speakers that neither the acoustic model nor the head trained on.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elocute.corpora.speechocean762 import read_speechocean762, speaker_folds
from elocute.errors import ConfigError
from elocute.scorer import PHONE_FEATURES
from elocute.training.gopt import (
    UTTERANCE_TOKENS,
    Gopt,
    GoptConfig,
    GoptJob,
    GoptReadings,
    GoptRow,
    GoptScores,
    GoptTraining,
    tabulate,
    train_stack,
    word_means,
)
from elocute.training.gopt_score import Column, columns_of, score, truth_of
from elocute.training.scorer import Predicted, ScorerTraining, new_member, predict, train_member
from elocute.training.scorer_data import ScoredFeatures, build_table, read_heldout
from elocute.training.scorer_model import Scorer
from elocute.types import Float32, Float64

FEATURE_SETS = {
    "gop": "log posteriors of all phones, and their log ratios to the canonical phone's (Kaldi's LPP and LPR, which "
    "the publication uses, from our lattice)",
    "phone": "everything our scorer knows of a phone",
    "all": "the same, and what it knows of the utterance (GOPT, which has no place for it, sees it at every phone)",
}
PROTOCOLS = {
    "published": "best epoch by the phone error on the evaluated fold itself, as the released GOPT was chosen on the "
    "test split: it peeks; folds averaged",
    "published, last epoch": "last epoch, as the publication's mean of five runs; folds averaged",
    "honest": "last epoch; all folds pooled",
}
PUBLISHED = {
    "source": "Gong et al. 2022, table 2 and repository: official test split, trained on all 2,500 train utterances, "
    "Kaldi features of a LibriSpeech model, mean of five runs",
    "phone": {"pcc": 0.612, "pcc_sd": 0.003, "mse": 0.085},
    "word accuracy": {"pcc": 0.533, "pcc_sd": 0.004},
    "word stress": {"pcc": 0.291, "pcc_sd": 0.030},
    "word total": {"pcc": 0.549, "pcc_sd": 0.002},
    "utterance accuracy": {"pcc": 0.714, "pcc_sd": 0.004},
    "utterance completeness": {"pcc": 0.155, "pcc_sd": 0.039},
    "utterance fluency": {"pcc": 0.753, "pcc_sd": 0.008},
    "utterance prosodic": {"pcc": 0.760, "pcc_sd": 0.006},
    "utterance total": {"pcc": 0.742, "pcc_sd": 0.005},
}
"""What the publication reports; another split and other features, so an orientation and no opponent."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoptRun:
    """What a run of `elocute train scorer --head gopt` depends on.

    Attributes:
        speechocean: corpus folder.
        heldout: folder of the acoustic folds' held-out posteriors.
        out: folder for gopt.json.
        folds: number of folds; the acoustic models' own.
        fold_seed: seed that dealt the speakers.
        seeds: of the heads.
        features: sets to compare, names of FEATURE_SETS.
        device: torch device of the GOPT heads; on "cpu", one process a core.
        command: written into the result.
        gopt: training of the GOPT heads.
        ours: training of our heads; without planted errors, for GOPT has none.
    """

    speechocean: Path
    heldout: Path
    out: Path
    folds: int = 5
    fold_seed: int = 1
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    features: tuple[str, ...] = tuple(FEATURE_SETS)
    device: str = "cpu"
    command: str = ""
    gopt: GoptTraining = GoptTraining()
    ours: ScorerTraining = ScorerTraining()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """Scores of the unseen utterances of one trained head, at its best epoch on them and at its last."""

    best: list[Predicted]
    last: list[Predicted]


def run(config: GoptRun, progress: Progress | None = None) -> dict[str, Any]:
    """Build the table, train every head, write `gopt.json` into `out`.

    Args:
        config: settings.
        progress: told the step, and how much of it is done of how much.

    Returns: what was written.
    """
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"the device is {config.device!r} and torch finds no CUDA here; choose 'cpu'")
    utterances = read_speechocean762(config.speechocean)
    rows = build_table(
        utterances,
        read_heldout(config.heldout),
        (lambda done, total: progress("features", done, total)) if progress else None,
    )
    result = compare(
        rows,
        np.array([utterance.completeness for utterance in utterances]),
        speaker_folds(utterances, config.folds, config.fold_seed),
        config,
        progress,
    )
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "gopt.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def compare(
    rows: Sequence[ScoredFeatures],
    completeness: Float64,
    fold_of: Mapping[str, int],
    config: GoptRun,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train both heads on every set of features and read them by every protocol.

    Args:
        rows: the scorer's table.
        completeness: shape (len(rows),), expert score of each utterance, 0 to 10.
        fold_of: fold of each speaker.
        config: settings.
        progress: see `run`.
    """
    unknown = [name for name in config.features if name not in FEATURE_SETS]
    if unknown:
        raise ConfigError(f"no set of features is called {unknown[0]!r}; choose from {', '.join(FEATURE_SETS)}")
    fold = np.array([fold_of[row.speaker] for row in rows])
    jobs = [
        GoptJob(seen=np.flatnonzero(fold != k), unseen=np.flatnonzero(fold == k), seed=seed)
        for seed in config.seeds
        for k in np.unique(fold)
    ]
    truth = truth_of(rows, completeness)
    results, parameters = [], {}
    for name in config.features:
        table = [gopt_row(row, complete, name) for row, complete in zip(rows, completeness, strict=True)]
        masked = [scorer_row(row, name) for row in rows]
        parameters[f"gopt, {name}"] = _count(Gopt(GoptConfig(features=table[0].features.shape[1])))
        parameters[f"ours, {name}"] = _count(new_member(masked))
        heads = {
            "gopt": _train_gopt(table, jobs, config, scale_columns=name != "gop", progress=_step(progress, name)),
            "ours": _train_ours(masked, jobs, config, _step(progress, name)),
        }
        for head, readings in heads.items():
            for protocol in PROTOCOLS:
                predicted = _merged(jobs, readings, protocol, len(config.seeds))
                scores = score(truth, predicted, fold, is_pooled=protocol == "honest")
                results.append({"features": name, "head": head, "protocol": protocol, "scores": scores})
    return {
        "what": "GOPT (Gong et al. 2022) and our scorer's head on the same features, one model a fold and seed",
        "data": f"speechocean762, official train split, {len(rows)} utterances; {config.folds} speaker-disjoint "
        f"folds, fold seed {config.fold_seed}",
        "command": config.command,
        "seeds": config.seeds,
        "training": {"gopt": asdict(config.gopt), "ours": asdict(config.ours)},
        "features": {name: FEATURE_SETS[name] for name in config.features},
        "protocols": PROTOCOLS,
        "columns": "pcc: mean over seeds of one model's; pcc_sd: their standard deviation; pcc_95: interval of that "
        "mean, bootstrap over speakers; mse: mean over seeds, in units of 0 to 2; pcc_of_mean: of the seeds' mean",
        "parameters": parameters,
        "published": PUBLISHED,
        "results": results,
    }


def gop_features(row: ScoredFeatures) -> Float32:
    """Log posteriors of all labels and their ratios to the canonical phone's, shape (L, 80)."""
    values = row.features.phone
    posteriors = values[:, [i for i, column in enumerate(PHONE_FEATURES) if column.startswith("lpp_")]]
    own = values[:, [PHONE_FEATURES.index("canonical_lpp")]]
    return np.column_stack([posteriors, posteriors - own])


def gopt_row(row: ScoredFeatures, completeness: float, name: str) -> GoptRow:
    """An utterance for GOPT, with the features of this set."""
    features = gop_features(row) if name == "gop" else row.features.phone
    if name == "all":
        features = np.column_stack([features, np.tile(row.features.utterance, (len(features), 1))])
    return GoptRow(
        features=features.astype(np.float32),
        phone_ids=row.features.phone_ids,
        word_ids=row.features.word_ids,
        phone=row.phone,
        word=row.word,
        utterance=np.insert(row.utterance, UTTERANCE_TOKENS.index("completeness"), completeness),
    )


def scorer_row(row: ScoredFeatures, name: str) -> ScoredFeatures:
    """An utterance for our scorer, with the features of this set; no utterance features are one that is always 0."""
    phone = gop_features(row) if name == "gop" else row.features.phone
    whole = row.features.utterance if name == "all" else np.zeros(1, np.float32)
    return replace(row, features=replace(row.features, phone=phone.astype(np.float32), utterance=whole))


def _count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _step(progress: Progress | None, features: str) -> Callable[[str, int, int], None]:
    """Progress of one set of features."""
    return lambda head, done, total: progress(f"{head} on {features}", done, total) if progress else None


def _train_gopt(
    table: Sequence[GoptRow], jobs: Sequence[GoptJob], config: GoptRun, *, scale_columns: bool, progress: Progress
) -> list[Reading]:
    """A GOPT for every job: stacked on an accelerator, one a process on a CPU."""
    if config.device == "cpu":
        return _in_processes(read_gopt, [(table, job, config.gopt, scale_columns) for job in jobs], "gopt", progress)
    padded = tabulate(table)
    sizes = {len(job.seen): [i for i, other in enumerate(jobs) if len(other.seen) == len(job.seen)] for job in jobs}
    readings: dict[int, Reading] = {}
    for number, members in enumerate(sizes.values()):
        found = train_stack(
            padded,
            [jobs[i] for i in members],
            config.gopt,
            scale_columns=scale_columns,
            device=config.device,
            progress=functools.partial(_stacks_progress, progress, number, len(sizes)),
        )
        for i, reading in zip(members, found, strict=True):
            readings[i] = _reading(table, jobs[i], reading)
    return [readings[i] for i in range(len(jobs))]


def _stacks_progress(progress: Progress, number: int, stacks: int, done: int, total: int) -> None:
    """Progress of all stacks from that of one."""
    progress("gopt", number * total + done, stacks * total)


def read_gopt(table: Sequence[GoptRow], job: GoptJob, config: GoptTraining, scale_columns: bool) -> Reading:
    """Train one GOPT on one core."""
    torch.set_num_threads(1)
    (reading,) = train_stack(tabulate(table), [job], config, scale_columns=scale_columns)
    return _reading(table, job, reading)


def _reading(table: Sequence[GoptRow], job: GoptJob, reading: GoptReadings) -> Reading:
    """Cut the padding off and bring the scores to the corpus's units, words by their mean over phones."""

    def cut(scores: GoptScores) -> list[Predicted]:
        phone, word, whole = (part.double().numpy() for part in scores)
        unseen = [table[i] for i in job.unseen]
        return [
            Predicted(
                phone=phone[n, : len(row.phone)],
                word=5 * word_means(word[n, : len(row.phone)], row.word_ids),
                utterance=5 * whole[n],
            )
            for n, row in enumerate(unseen)
        ]

    return Reading(best=cut(reading.best), last=cut(reading.last))


def _train_ours(
    rows: Sequence[ScoredFeatures], jobs: Sequence[GoptJob], config: GoptRun, progress: Progress
) -> list[Reading]:
    """Our head for every job."""
    return _in_processes(read_ours, [(rows, job, config.ours) for job in jobs], "ours", progress)


def read_ours(rows: Sequence[ScoredFeatures], job: GoptJob, config: ScorerTraining) -> Reading:
    """Train one of our heads on one core; it has no score for completeness."""
    torch.set_num_threads(1)
    seen, unseen = [rows[i] for i in job.seen], [rows[i] for i in job.unseen]
    truth = np.concatenate([row.phone for row in unseen])
    epochs: list[tuple[float, list[Predicted]]] = []

    def read(member: Scorer) -> None:
        found = predict([member], unseen)
        error = float(np.square(np.concatenate([scores.phone for scores in found]) - truth).mean())
        place = UTTERANCE_TOKENS.index("completeness")
        epochs.append((error, [replace(s, utterance=np.insert(s.utterance, place, np.nan)) for s in found]))

    train_member(seen, config, job.seed, after_epoch=read)
    return Reading(best=min(epochs, key=lambda epoch: epoch[0])[1], last=epochs[-1][1])


def _in_processes(
    function: Callable[..., Reading], arguments: Sequence[tuple[Any, ...]], head: str, progress: Progress
) -> list[Reading]:
    """Call the function on every tuple of arguments, one process a core."""
    with concurrent.futures.ProcessPoolExecutor(
        os.cpu_count(), mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        progress(head, 0, len(arguments))
        futures = [pool.submit(function, *each) for each in arguments]
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            future.result()
            progress(head, done, len(arguments))
        return [future.result() for future in futures]


def _merged(jobs: Sequence[GoptJob], readings: Sequence[Reading], protocol: str, seeds: int) -> list[dict[str, Column]]:
    """Scores of all utterances by kind, one dictionary a seed."""
    per_seed = len(jobs) // seeds
    merged = []
    for start in range(0, len(jobs), per_seed):
        found: dict[int, Predicted] = {}
        for job, reading in zip(jobs[start : start + per_seed], readings[start : start + per_seed], strict=True):
            chosen = reading.best if protocol == "published" else reading.last
            found |= zip(job.unseen.tolist(), chosen, strict=True)
        merged.append(columns_of([found[i] for i in range(len(found))]))
    return merged
