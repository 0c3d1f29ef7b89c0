"""What each group of prosodic features is worth to the scores of an utterance, out of fold.

Only the trees over utterances are trained again. What they see of the lattice and of the acoustic model's ratings
stays; of step 6 they see the groups of `elocute.scorer.manner`, each with those columns of the phones and of the
utterance that measure the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import UTTERANCE_SCORES
from elocute.evaluation import bootstrap_by_group, pcc
from elocute.scorer.context import SUMMARIES, UTTERANCE_CONTEXT, utterance_context
from elocute.scorer.manner import GROUPS
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import ScoredFeatures
from elocute.training.trees import TreesTraining, train_boosters
from elocute.types import Float64, Int64

_ELSEWHERE = {
    "rate": ("span_s", "phones_per_s", "articulation_per_s"),
    "pauses": (
        *("pause_count", "pause_per_phone", "pause_s", "longest_pause_s", "pause_ratio", "run_length"),
        *("lead_s", "tail_s", "gap_before_s", "gap_after_s"),
    ),
    "rhythm": (
        *("duration_mean_s", "duration_std_s", "vowel_npvi", "vowel_share", "duration_p90_s"),
        *("duration_s", "log_duration", "frames", "log_frames"),
    ),
    "melody": ("energy_range_db", "energy_std_db", "energy_db"),
    "stress": (),
}
"""Columns of `UTTERANCE_FEATURES` and `SCALARS` that belong to each group, too."""
SCORES = ("fluency", "prosodic", "total")
"""Scores of the table."""
_PLACES = {name: UTTERANCE_SCORES.index(name) for name in SCORES}
_DRAWS = 300


def ablate(
    rows: Sequence[ScoredFeatures],
    smooth: Sequence[Predicted],
    fold_of: Mapping[str, int],
    config: TreesTraining,
) -> dict[str, Any]:
    """Correlations with people's scores with all features, without each group, and without any.

    Args:
        rows: utterances that people scored.
        smooth: what transformers say of each that did not see its speaker.
        fold_of: fold of every speaker.
        config: of the trees.

    Returns: the PCC of `SCORES` by the transformers, by the trees with and without each group, and by the mean that
        ships; and two gains with their 95 % intervals over speakers: value, low, high.
    """
    inputs = np.stack([utterance_context(row.features) for row in rows]).astype(np.float64)
    truth = np.stack([row.utterance for row in rows])
    net = np.stack([one.utterance for one in smooth])
    folds = np.array([fold_of[row.speaker] for row in rows])
    groups = {name: _columns(name) for name in GROUPS}
    prosody = frozenset[str]().union(*groups.values())
    variants: dict[str, frozenset[str]] = {
        "all": frozenset(),
        **{f"without {name}": columns for name, columns in groups.items()},
        "without any": prosody,
        **{f"only {name}": prosody - columns for name, columns in groups.items()},
    }
    table: dict[str, Any] = {}
    found: dict[str, Float64] = {"transformers alone": net}
    for label, left_out in variants.items():
        kept = [column for column, name in enumerate(UTTERANCE_CONTEXT) if name not in left_out]
        found[label] = _out_of_fold(inputs[:, kept], truth, folds, config)
    found["trees and transformers"] = (1 - config.share) * net + config.share * found["all"]
    for label, guess in found.items():
        table[label] = {name: round(pcc(truth[:, k], guess[:, k]), 4) for name, k in _PLACES.items()}
    speakers = [row.speaker for row in rows]
    for label, better, worse in (
        ("gain of prosody in the trees", "all", "without any"),
        ("gain of the trees", "trees and transformers", "transformers alone"),
    ):
        table[label] = {
            name: _gain(truth[:, k], found[better][:, k], found[worse][:, k], speakers) for name, k in _PLACES.items()
        }
    return table


def _columns(group: str) -> frozenset[str]:
    """All columns of `UTTERANCE_CONTEXT` that a group measures."""
    elsewhere = (f"{summary}_{name}" for summary in SUMMARIES for name in _ELSEWHERE[group])
    return frozenset(UTTERANCE_CONTEXT) & {*GROUPS[group], *_ELSEWHERE[group], *elsewhere}


def _out_of_fold(inputs: Float64, truth: Float64, folds: Int64, config: TreesTraining) -> Float64:
    """Predictions of the scores in `SCORES` for every row by trees that did not see its fold, shape of `truth`."""
    found = np.zeros_like(truth)
    columns = np.array(list(_PLACES.values()))
    for fold in np.unique(folds):
        own = folds == fold
        boosters = train_boosters(inputs[~own], truth[~own][:, columns], config)
        found[np.flatnonzero(own)[:, None], columns] = np.column_stack(
            [one.predict(inputs[own], num_threads=1) for one in boosters]
        )
    return found.clip(0.0, 10.0)


def _gain(truth: Float64, better: Float64, worse: Float64, speakers: Sequence[str]) -> list[float]:
    """Difference of two correlations, with its interval: value, low, high."""

    def difference(index: NDArray[np.int_]) -> float:
        return pcc(truth[index], better[index]) - pcc(truth[index], worse[index])

    low, high = bootstrap_by_group(difference, speakers, draws=_DRAWS)
    return [round(value, 4) for value in (difference(np.arange(len(truth))), low, high)]
