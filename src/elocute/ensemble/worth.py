"""What a combination is worth: its agreement with people beside that of every member, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from elocute.ensemble.items import Opinions, truth_of
from elocute.ensemble.values import Values
from elocute.evaluation.bootstrap import Draws, Ranking, estimate, pearson, roc_auc_of_counts, sums_by_speaker
from elocute.types import Float64, Int64


def worth_of(
    corpus: Opinions, combined: Sequence[Values], members: Sequence[str], targets: Sequence[str], *, draws: int
) -> dict[str, Any]:
    """Correlation with people (for errors the area under the ROC curve) of members and combination.

    Intervals are of 95 %, over speakers. The difference to the best member is of the same draws, so that its interval
    says whether the combination is better, whatever the speakers; which member is best was seen on these very items.

    Args:
        corpus: what people and members say.
        combined: what the combination says of each utterance, out of fold.
        members: their names.
        targets: what is combined.
        draws: resamples of the speakers.
    """
    names = sorted({one.speaker for one in corpus.utterances})
    resampled = Draws.of(len(names), draws)
    index = {name: k for k, name in enumerate(names)}
    found: dict[str, Any] = {}
    for target in targets:
        said = [np.concatenate([one.of(target) for one in values]) for values in (*corpus.values, combined)]
        truth = np.concatenate([truth_of(one, target) for one in corpus.utterances])
        counts = [len(one.of(target)) for one in corpus.values[0]]
        speaker = np.repeat([index[one.speaker] for one in corpus.utterances], counts)
        rated = [k for k in range(len(members)) if not np.isnan(said[k]).all()]
        known = ~np.isnan(np.column_stack([*(said[k] for k in rated), said[-1]])).any(axis=1)
        parts = [_drawn(truth[known], one[known], speaker[known], resampled, target) for one in (*said,)]
        best = max(rated, key=lambda k: parts[k][0])
        found[target] = {
            "metric": "roc_auc" if target == "error" else "pcc",
            "items": int(known.sum()),
            "members": {name: _shown(parts[k]) if k in rated else None for k, name in enumerate(members)},
            "ensemble": _shown(parts[-1]),
            "best_member": members[best],
            "gain": _shown((parts[-1][0] - parts[best][0], parts[-1][1] - parts[best][1])),
        }
    return {
        "protocol": "out of fold: every fold of speakers by blends learned without it; intervals of 95 % over "
        f"speakers, {draws} draws; the gain is over the member that is best here",
        "speakers": len(names),
        "scores": found,
    }


def _drawn(truth: Float64, said: Float64, speaker: Int64, draws: Draws, target: str) -> tuple[float, Float64]:
    """The metric on all items and on every draw, shape (D,)."""
    if target == "error":
        ranking = Ranking.of(truth > 0.5, np.round(said, 4), speaker, draws.speakers)
        value = float(roc_auc_of_counts(ranking.wrong.sum(axis=0), ranking.right.sum(axis=0)))
        drawn = [roc_auc_of_counts(weights @ ranking.wrong, weights @ ranking.right) for weights in draws.weights]
        return value, np.array(drawn)
    x, y = truth - truth.mean(), said - said.mean()
    sums = sums_by_speaker(speaker, np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]), draws.speakers)
    return float(pearson(sums.sum(axis=0))), np.asarray(pearson(draws.weights @ sums))


def _shown(part: tuple[float, Float64]) -> list[float | None]:
    """Value, low and high, to four decimals."""
    found = estimate(*part)
    return [None if value is None else round(value, 4) for value in (found.value, found.low, found.high)]
