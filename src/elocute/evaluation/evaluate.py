"""From labels and stored predictions to everything that can be said about them, without audio or models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.corpora.experts import ExpertUtterance
from elocute.corpora.speechocean762 import ScoredUtterance, speaker_folds
from elocute.evaluation.agreement import Part, histograms, score_rows, shuffle_rows
from elocute.evaluation.baselines import Guess, deal_folds, guesses
from elocute.evaluation.bootstrap import DRAWS, SEED
from elocute.evaluation.detection import calibration, detection_rows, phone_rows
from elocute.evaluation.humans import human_rows
from elocute.evaluation.methods import METHODS
from elocute.evaluation.predictions import StoredPredictions
from elocute.evaluation.recognition import (
    annotated_confusions,
    confusions,
    diagnosis_of,
    is_annotated,
    recognition_rows,
)
from elocute.evaluation.result import (
    MODEL,
    DetectionRow,
    Evaluation,
    FoldSummary,
    HumanDetection,
    HumanRow,
    ScoreRow,
)
from elocute.evaluation.table import Table, build_table, shuffled
from elocute.types import Int64

BASELINE_FOLDS = 5
FOLD_SEED = 1
"""The seed by which `elocute train` deals the speakers, so that folds here are the folds there."""
SHUFFLES = 200
"""How often the labels are dealt anew, beside the one time of which everything is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How an evaluation is made.

    Attributes:
        folds: speaker-disjoint folds to report one by one; None reports none.
        fold_seed: deals the speakers into folds.
        draws: resamples of the speakers behind each interval.
        seed: of the resampling.
        shuffle_seed: deal the labels anew by this seed, to see that nothing is found where there is nothing to find.
    """

    folds: int | None = None
    fold_seed: int = FOLD_SEED
    draws: int = DRAWS
    seed: int = SEED
    shuffle_seed: int | None = None


def evaluate(
    utterances: Sequence[ScoredUtterance],
    stored: StoredPredictions,
    *,
    experts: Sequence[ExpertUtterance] | None = None,
    protocol: Protocol | None = None,
    data: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure stored predictions against people's scores.

    Args:
        utterances: what is evaluated, with the experts' scores.
        stored: predictions, at least one for each of them.
        experts: the single experts' scores, for the human ceiling; None leaves it out.
        protocol: folds, resamples and seeds; defaults if None.
        data: facts about the data to add to those counted here.
        progress: called with parts done and parts in all.

    Raises:
        ConfigError: predictions are missing or do not fit the corpus, or there are more folds than speakers.
    """
    protocol = protocol or Protocol()
    table = build_table(utterances, stored)
    annotated = is_annotated(utterances)
    is_shuffled = protocol.shuffle_seed is not None
    if protocol.shuffle_seed is not None:
        table = shuffled(table, protocol.shuffle_seed)
    fold = deal_folds(table, protocol.folds or BASELINE_FOLDS, protocol.fold_seed)
    found = guesses(table, fold)
    parts = make_parts(table, protocol)
    scores, detection = _by_part(table, found, parts, progress)
    whole, groups = parts[0], [part for part in parts if part.name in ("all", "children", "adults")]
    humans = [] if experts is None or is_shuffled else list(human_rows(table, experts, groups))
    can_diagnose = annotated and not is_shuffled and table.flagged is not None and _tells(table)
    return Evaluation(
        data=_facts(table, dict(data or {})),
        provenance=dict(stored.provenance),
        settings=_settings(protocol, table, fold),
        unscored=table.unscored,
        scores=tuple(scores),
        detection=tuple(detection),
        diagnosis=diagnosis_of(table, whole) if can_diagnose else None,
        calibration=tuple(calibration(table, found, whole)),
        phones=tuple(phone_rows(table, found, whole)),
        confusions=() if is_shuffled else tuple(confusions(table)),
        annotated_confusions=tuple(annotated_confusions(utterances)) if annotated and not is_shuffled else (),
        recognition=() if is_shuffled else tuple(recognition_rows(table, groups, annotated=annotated)),
        humans=tuple(row for row in humans if isinstance(row, HumanRow)),
        human_detection=tuple(row for row in humans if isinstance(row, HumanDetection)),
        folds=tuple(_summaries(scores, detection)),
        histograms=tuple(row for level in table.levels for row in histograms(level)),
        shuffles=() if protocol.shuffle_seed is None else tuple(shuffle_rows(table, SHUFFLES, protocol.shuffle_seed)),
        methods=METHODS,
        notes=(
            *(_shuffle_notes(scores) if is_shuffled else ()),
            *_notes(table, annotated=annotated, experts=experts, fold=fold),
        ),
    )


def _by_part(
    table: Table,
    found: Mapping[str, Guess],
    parts: Sequence[Part],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[ScoreRow], list[DetectionRow]]:
    """Every predictor's agreement and detection, part by part; nearly all of the time goes here."""
    scores: list[ScoreRow] = []
    detection: list[DetectionRow] = []
    for number, part in enumerate(parts, start=1):
        scores.extend(score_rows(table, found, part))
        detection.extend(detection_rows(table, found, part))
        if progress is not None:
            progress(number, len(parts))
    return scores, detection


def make_parts(table: Table, protocol: Protocol) -> list[Part]:
    """All, the age groups, the genders, and the folds if wanted; parts without an utterance are left out."""
    is_child = np.array([utterance.is_child for utterance in table.utterances])
    gender = np.array([utterance.gender for utterance in table.utterances])
    masks = {
        "all": np.ones(len(gender), dtype=bool),
        "children": is_child,
        "adults": ~is_child,
        "female": gender == "f",
        "male": gender == "m",
    }
    if protocol.folds is not None:
        fold_of = speaker_folds(table.utterances, protocol.folds, protocol.fold_seed)
        number = np.array([fold_of[utterance.speaker] for utterance in table.utterances])
        masks |= {f"fold {k + 1}": number == k for k in range(protocol.folds)}
    return [Part(name, table, keeps, protocol.draws, protocol.seed) for name, keeps in masks.items() if keeps.any()]


def _tells(table: Table) -> bool:
    """Whether the model says what it heard."""
    return any(prediction.heard is not None for prediction in table.predictions)


def _facts(table: Table, data: dict[str, Any]) -> dict[str, Any]:
    """Counts of what was evaluated."""
    children = {utterance.speaker for utterance in table.utterances if utterance.is_child}
    return data | {
        "utterances": len(table.utterances),
        "speakers": len(table.speakers),
        "children": len(children),
        "adults": len(table.speakers) - len(children),
        "words": len(table.word.truth),
        "phones": len(table.phone.truth),
        "wrong_phones": int(table.wrong.sum()),
    }


def _settings(protocol: Protocol, table: Table, fold: Int64 | None) -> dict[str, Any]:
    """What the figures depend on besides labels and predictions."""
    return {
        "draws": protocol.draws,
        "seed": protocol.seed,
        "interval": "95 %, percentiles, whole speakers resampled",
        "folds": protocol.folds,
        "fold_seed": protocol.fold_seed,
        "baseline_folds": None if fold is None else int(fold.max()) + 1,
        "shuffle_seed": protocol.shuffle_seed,
        "detector": "stated probability" if table.stated is not None else "1 - phone score / 2",
        "threshold": table.threshold,
    }


def _summaries(scores: Iterable[ScoreRow], detection: Iterable[DetectionRow]) -> list[FoldSummary]:
    """Mean and standard deviation of the model's figures over the folds."""
    values: dict[tuple[str, str, str], list[float | None]] = {}
    for row in scores:
        if row.predictor == MODEL and row.part.startswith("fold "):
            for metric in ("pcc", "scc", "mse"):
                values.setdefault((row.level, row.score, metric), []).append(getattr(row, metric).value)
    for found in detection:
        if found.predictor == MODEL and found.part.startswith("fold "):
            for metric in ("roc_auc", "pr_auc"):
                values.setdefault(("phone", "wrong", metric), []).append(getattr(found, metric).value)
            if found.shipped is not None:
                values.setdefault(("phone", "wrong", "f1, shipped"), []).append(found.shipped.f1.value)
    summaries = []
    for (level, score, metric), each in values.items():
        known = [value for value in each if value is not None]
        if len(known) > 1:
            summaries.append(
                FoldSummary(
                    level=level,
                    score=score,
                    metric=metric,
                    folds=len(known),
                    mean=float(np.mean(known)),
                    sd=float(np.std(known, ddof=1)),
                )
            )
    return summaries


def _shuffle_notes(scores: Iterable[ScoreRow]) -> list[str]:
    """What shuffled labels must show, and whether they do."""
    intervals = [row.pcc for row in scores if row.part == "all" and row.predictor == MODEL]
    known = [(item.low, item.high) for item in intervals if item.low is not None and item.high is not None]
    held = sum(low <= 0.0 <= high for low, high in known)
    return [
        "labels were dealt anew, so no correlation but the oracle's can be more than luck; whatever needs true labels "
        "(human ceiling, diagnosis, PER, confusions) is left out",
        f"the model's intervals hold 0 in {held} of {len(known)} scores; luck alone leaves it out in 1 of 20",
    ]


def _notes(
    table: Table,
    *,
    annotated: bool,
    experts: Sequence[ExpertUtterance] | None,
    fold: Int64 | None,
) -> list[str]:
    """What could not be measured, and why."""
    predictions = table.predictions
    absent = [
        f"{level.name} {score}"
        for level in table.levels
        for j, score in enumerate(level.scores)
        if np.isnan(level.predicted[:, j]).any()
    ]
    notes = {
        f"not predicted and so not evaluated: {', '.join(absent)}": bool(absent),
        "no probability of an error in the predictions: detection ranks by low phone scores, and there is neither a "
        "shipped operating point nor calibration": table.stated is None,
        "no threshold in the predictions' header: there is no shipped operating point": table.stated is not None
        and table.flagged is None,
        "no DER and no PER against what people heard: these scores lack `mispronunciations`": not annotated,
        "no DER: the predictions do not say what was heard, or have no operating point": annotated
        and (table.flagged is None or not _tells(table)),
        "no PER of free decoding: the predictions hold no phones decoded without the text": all(
            prediction.perceived is None for prediction in predictions
        ),
        "no WER: the text is given and aligned, no words are recognised, and the predictions hold no transcript": all(
            prediction.transcript is None for prediction in predictions
        ),
        "no human ceiling: scores-detail.json is not there": experts is None,
        "no constant and no phone prior: they are fitted on other speakers, and there is one only": fold is None,
        "completeness is 10 for nearly every utterance of the corpus, so that its correlation hangs on a handful; do "
        "not headline it": "utterance completeness" not in absent,
    }
    return [note for note, applies in notes.items() if applies]
