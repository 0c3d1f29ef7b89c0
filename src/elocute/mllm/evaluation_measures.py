"""Figures from answers and what people say: correlations, error rates, token matches, detection; no model in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.evaluation.bootstrap import Draws, Estimate, estimate_of_sums, estimate_pcc, ratio
from elocute.evaluation.mdd_counts import align, edits
from elocute.evaluation.metrics import mse, pcc
from elocute.mllm.alignment import heard_at
from elocute.mllm.answers import UNKNOWN
from elocute.mllm.evaluation_result import Correlations, DetectionRow, Matches, ScoreRow, TranscriptRow
from elocute.types import Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What a predictor wrote of an utterance, beside what was said.

    Attributes:
        text: words that should be said, upper case.
        canonical: phones that should be said.
        spoken: phones that were said, as annotated.
        phone_scores: the experts' score of each canonical phone, 0 to 2; None where there is none.
        words: as transcribed; None where that could not be read.
        phones: likewise.
    """

    text: tuple[str, ...]
    canonical: tuple[str, ...]
    spoken: tuple[str, ...]
    phone_scores: tuple[float, ...] | None
    words: tuple[str, ...] | None
    phones: tuple[str, ...] | None


def score_row(
    name: str,
    truth: Float64,
    written: Sequence[float | None],
    expected: Sequence[float | None],
    speaker: Int64,
    draws: Draws,
) -> ScoreRow:
    """One score against the experts'; what could not be read counts as the mean of what could.

    Args:
        name: of the score.
        truth: shape (N,), the experts', 0 to 10.
        written: as the answers give it; None where it could not be read.
        expected: its mean under the model's probabilities; None where that is not known.
        speaker: shape (N,), index of the speaker.
        draws: resamples of the speakers.
    """
    is_read = np.array([value is not None for value in written])
    none, constant = Estimate(value=None), mse(truth, np.full_like(truth, truth.mean()))
    predicted = filled_with_mean(written)
    if predicted is None:
        return ScoreRow(
            score=name,
            n=len(truth),
            unread=len(truth),
            pcc=none,
            pcc_read=None,
            pcc_expected=none,
            mse=None,
            mse_constant=constant,
        )
    is_known = all((mean is None) == (value is None) for mean, value in zip(expected, written, strict=True))
    mean = filled_with_mean(expected) if is_known else None
    among_read = pcc(truth[is_read], predicted[is_read])
    return ScoreRow(
        score=name,
        n=len(truth),
        unread=int((~is_read).sum()),
        pcc=estimate_pcc(truth, predicted, speaker, draws),
        pcc_read=among_read if np.isfinite(among_read) else None,
        pcc_expected=none if mean is None else estimate_pcc(truth, mean, speaker, draws),
        mse=mse(truth, predicted),
        mse_constant=constant,
    )


def filled_with_mean(values: Sequence[float | None]) -> Float64 | None:
    """The values, with the mean of those that are there in place of the others; None where none is there."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    mean = float(np.mean(there))
    return np.array([mean if value is None else value for value in values], dtype=np.float64)


def transcript_row(predictor: str, rows: Sequence[Transcript], speaker: Int64, draws: Draws) -> TranscriptRow:
    """Error rates and token matches; what could not be read is empty."""
    words = [edits(row.text, row.words or ()) for row in rows]
    aligned = [align(row.spoken, row.phones or ()) for row in rows]
    hits = [sum(spoken == said for spoken, said in pairs) for pairs in aligned]
    wrong = [len(pairs) - right for pairs, right in zip(aligned, hits, strict=True)]
    wer = [(e.substitutions + e.deletions + e.insertions, e.length) for e in words]
    per = [(count, len(row.spoken)) for count, row in zip(wrong, rows, strict=True)]
    in_place = [sum(a == b for a, b in zip(row.spoken, row.phones or (), strict=False)) for row in rows]
    return TranscriptRow(
        predictor=predictor,
        n=len(rows),
        unread=sum(row.phones is None or row.words is None for row in rows),
        wer=estimate_of_sums(ratio, speaker, np.array(wer, dtype=np.float64), draws),
        per=estimate_of_sums(ratio, speaker, np.array(per, dtype=np.float64), draws),
        matched=_matches(rows, sum(hits)),
        in_place=_matches(rows, sum(in_place)),
    )


def _matches(rows: Sequence[Transcript], hits: int) -> Matches:
    """Precision and recall of tokens over all utterances."""
    said, spoken = sum(len(row.phones or ()) for row in rows), sum(len(row.spoken) for row in rows)
    return Matches(
        precision=hits / said if said else 0.0,
        recall=hits / spoken if spoken else 0.0,
        f1=2 * hits / (said + spoken) if said + spoken else 0.0,
    )


def detection_row(predictor: str, rows: Sequence[Transcript], speaker: Int64, draws: Draws) -> DetectionRow:
    """Detection and diagnosis of mispronounced phones; what could not be read flags nothing."""
    # TA, FR, FA, TR, CD, undiagnosed
    counts = np.array([_outcomes(row) for row in rows], dtype=np.float64).reshape(len(rows), 6)
    ta, fr, fa, tr, cd, undiagnosed = (int(total) for total in counts.sum(axis=0))

    def rate(weights: Sequence[int], whole: Sequence[int]) -> Estimate:
        return estimate_of_sums(ratio, speaker, np.column_stack([counts @ weights, counts @ whole]), draws)

    return DetectionRow(
        predictor=predictor,
        ta=ta,
        fr=fr,
        fa=fa,
        tr=tr,
        cd=cd,
        undiagnosed=undiagnosed,
        precision=rate([0, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0]),
        recall=rate([0, 0, 0, 1, 0, 0], [0, 0, 1, 1, 0, 0]),
        f1=rate([0, 0, 0, 2, 0, 0], [0, 1, 1, 2, 0, 0]),
    )


def _outcomes(row: Transcript) -> tuple[int, int, int, int, int, int]:
    """TA, FR, FA, TR, CD and undiagnosed of one utterance."""
    spoken = heard_at(row.canonical, row.spoken)
    said = row.canonical if row.phones is None else heard_at(row.canonical, row.phones)
    ta = fr = fa = tr = cd = unknown = 0
    for index, phone in enumerate(row.canonical):
        scores = row.phone_scores
        is_wrong = spoken[index] != phone if scores is None else scores[index] < MISPRONOUNCED_BELOW
        is_flagged = said[index] != phone
        ta += not is_wrong and not is_flagged
        fr += not is_wrong and is_flagged
        fa += is_wrong and not is_flagged
        if is_wrong and is_flagged:
            tr += 1
            # Of a phone that is wrong and yet written as it should be, the corpus does not tell what was said.
            is_open = spoken[index] in (UNKNOWN, phone)
            unknown += is_open
            cd += not is_open and said[index] == spoken[index]
    return ta, fr, fa, tr, cd, unknown


def correlations(rows: Sequence[Transcript], accuracy: Float64, given: Sequence[float | None]) -> Correlations:
    """Phone error rates of utterances beside their accuracies.

    Args:
        rows: of utterances.
        accuracy: shape (N,), the experts'.
        given: as the answers give it; None where it could not be read.
    """
    predicted = filled_with_mean(given)
    said = _error_rates([(row.canonical, row.phones or ()) for row in rows])
    return Correlations(
        n=len(rows),
        human=_pcc(accuracy, _error_rates([(row.canonical, row.spoken) for row in rows])),
        predicted=None if predicted is None else _pcc(predicted, said),
        error=_pcc(accuracy, _error_rates([(row.spoken, row.phones or ()) for row in rows])),
    )


def _error_rates(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Float64:
    """Edits from the first to the second string for each phone of the first; of an empty one, for one phone."""
    found = [edits(reference, hypothesis) for reference, hypothesis in pairs]
    return np.array([(e.substitutions + e.deletions + e.insertions) / max(e.length, 1) for e in found])


def _pcc(x: Float64, y: Float64) -> float | None:
    """Correlation; None where there is none."""
    found = pcc(x, y)
    return found if np.isfinite(found) else None
