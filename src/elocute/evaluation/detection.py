"""Finding the phones that people call wrong: areas, operating points, calibration, phone by phone.

Terms as in the literature on mispronunciation detection (Li, Qian, Meng, IEEE/ACM TASLP 2017, and its forerunners): a
phone that people call wrong is truly rejected (TR) when flagged and falsely accepted (FA) when not; one that they do
not is falsely rejected (FR) when flagged and truly accepted (TA) when not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from elocute.evaluation.agreement import Part
from elocute.evaluation.baselines import Guess
from elocute.evaluation.bootstrap import (
    Draws,
    Estimate,
    Ranking,
    best_f1_threshold,
    estimate_of_sums,
    estimate_pcc,
    pr_auc_of_counts,
    ratio,
    roc_auc_of_counts,
)
from elocute.evaluation.metrics import pcc, roc_auc
from elocute.evaluation.result import (
    ECHO,
    MODEL,
    SPEAKER_MEAN,
    Calibration,
    CalibrationBin,
    DetectionRow,
    OperatingPoint,
    PhoneRow,
)
from elocute.evaluation.table import Bool, Table
from elocute.types import Float64, Int64

CALIBRATION_BINS = 15


def detection_rows(table: Table, guesses: Mapping[str, Guess], part: Part) -> Iterator[DetectionRow]:
    """Every predictor's detection in one part."""
    kept, speaker = part.items(table.phone.owner), part.speaker(table.phone.owner)
    wrong = table.wrong[kept]
    for name, guess in guesses.items():
        suspicion = guess.suspicion[kept]
        ranking = Ranking.of(wrong, suspicion, speaker, part.draws.speakers)
        best, shipped = None, None
        if name == ECHO:  # it flags nothing, whatever would suit the labels
            nothing = np.zeros(len(wrong), dtype=bool)
            shipped = operating_point(wrong, nothing, 1.0, speaker, part.draws, is_best=False)
        elif wrong.any():
            threshold = best_f1_threshold(ranking)
            best = operating_point(wrong, suspicion >= threshold, threshold, speaker, part.draws, is_best=True)
        if name == MODEL and table.flagged is not None and table.threshold is not None:
            shipped = operating_point(wrong, table.flagged[kept], table.threshold, speaker, part.draws, is_best=False)
        yield DetectionRow(
            part=part.name,
            predictor=name,
            n=len(wrong),
            wrong=int(wrong.sum()),
            roc_auc=ranking.estimate(roc_auc_of_counts, part.draws),
            pr_auc=ranking.estimate(pr_auc_of_counts, part.draws),
            shipped=shipped,
            best=best,
        )


def operating_point(
    wrong: Bool, flagged: Bool, threshold: float, speaker: Int64, draws: Draws, *, is_best: bool
) -> OperatingPoint:
    """Counts and rates of a set of flags; precision is 0 where nothing is flagged and something is wrong."""
    counts = np.column_stack([wrong & flagged, ~wrong & flagged, wrong & ~flagged, ~wrong & ~flagged]).astype(
        np.float64
    )
    rejected, alarms, missed, passed = (int(column.sum()) for column in counts.T)

    def rate(top: list[float], bottom: list[float]) -> Estimate:
        return estimate_of_sums(ratio, speaker, np.column_stack([counts @ top, counts @ bottom]), draws)

    nothing = Estimate(value=0.0)
    return OperatingPoint(
        threshold=threshold,
        is_best=is_best,
        true_rejections=rejected,
        false_rejections=alarms,
        false_acceptances=missed,
        true_acceptances=passed,
        precision=rate([1, 0, 0, 0], [1, 1, 0, 0]) if rejected + alarms or not missed else nothing,
        recall=rate([1, 0, 0, 0], [1, 0, 1, 0]),
        f1=rate([2, 0, 0, 0], [2, 1, 1, 0]),
        far=rate([0, 0, 1, 0], [1, 0, 1, 0]),
        frr=rate([0, 1, 0, 0], [0, 1, 0, 1]),
    )


def calibration(table: Table, guesses: Mapping[str, Guess], part: Part) -> Iterator[Calibration]:
    """Reliability of every predictor that states probabilities, over bins of equal width.

    The error is the mean gap between stated and observed, weighted by the bins' sizes (Naeini et al., AAAI 2015).
    """
    kept, speaker = part.items(table.phone.owner), part.speaker(table.phone.owner)
    wrong = table.wrong[kept].astype(np.float64)
    if guesses[MODEL].stated is None:
        return
    for name, guess in guesses.items():
        if guess.stated is None:
            continue
        stated = guess.stated[kept]
        index = np.minimum((stated * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        inside = (index[:, None] == np.arange(CALIBRATION_BINS)).astype(np.float64)
        gaps = inside * (wrong - stated)[:, None]
        ece = estimate_of_sums(_calibration_error, speaker, np.column_stack([np.ones(len(wrong)), gaps]), part.draws)
        counts, means, shares = inside.sum(axis=0), stated @ inside, wrong @ inside
        bins = tuple(
            CalibrationBin(
                low=k / CALIBRATION_BINS,
                high=(k + 1) / CALIBRATION_BINS,
                n=int(counts[k]),
                stated=float(means[k] / counts[k]),
                observed=float(shares[k] / counts[k]),
            )
            for k in np.flatnonzero(counts).tolist()
        )
        yield Calibration(predictor=name, ece=ece, bins=bins)


def _calibration_error(sums: Float64) -> Float64:
    """Expected calibration error from the number of items and the gaps of the bins."""
    return np.asarray(np.abs(sums[..., 1:]).sum(axis=-1) / sums[..., 0])


def phone_rows(table: Table, guesses: Mapping[str, Guess], part: Part) -> Iterator[PhoneRow]:
    """Every phone by itself, in alphabetical order."""
    kept, all_speakers = part.items(table.phone.owner), part.speaker(table.phone.owner)
    ids, wrong, truth = table.phone_ids[kept], table.wrong[kept], table.phone.truth[kept, 0]
    model, oracle = guesses[MODEL], guesses[SPEAKER_MEAN]
    for k, symbol in enumerate(table.symbols):
        here = ids == k
        if not here.any():
            continue
        speaker, labels, is_wrong = all_speakers[here], truth[here], wrong[here]
        predicted = model.scores["phone"][kept, 0][here]
        ranking = Ranking.of(is_wrong, model.suspicion[kept][here], speaker, part.draws.speakers)
        yield PhoneRow(
            phone=symbol,
            n=int(here.sum()),
            wrong=int(is_wrong.sum()),
            human_mean=float(labels.mean()),
            predicted_mean=float(predicted.mean()),
            roc_auc=ranking.estimate(roc_auc_of_counts, part.draws),
            pcc=estimate_pcc(labels, predicted, speaker, part.draws),
            speaker_mean_roc_auc=_or_none(roc_auc(is_wrong, oracle.suspicion[kept][here])),
            speaker_mean_pcc=_or_none(pcc(labels, oracle.scores["phone"][kept, 0][here])),
        )


def _or_none(value: float) -> float | None:
    """None for what does not exist."""
    return value if np.isfinite(value) else None
