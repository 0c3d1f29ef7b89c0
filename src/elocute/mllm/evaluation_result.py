"""What an evaluation of the language model found, as plain values that become JSON, and every definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from elocute.evaluation.bootstrap import Estimate
from elocute.evaluation.result import dumps

FORMAT = "elocute phi4 1"

MODEL = "model"
ECHO = "echo of the canonical phones"
RIGHT = "the spoken phones themselves"

DEFINITIONS: Mapping[str, str] = {
    "answers": "valid: JSON to the letter; repaired: every field, but read with patience (other quotes, text around "
    "it, cut off in the last string); failed: a field is missing. Nothing is dropped: a score that could not be read "
    "counts as the mean of those that could, which is to know nothing; words or phones that could not be read count as "
    "nothing heard, so that every one of them is a deletion in WER and PER; in detection they count as not flagged",
    "pcc": "Pearson correlation of the scores that the answers give with the experts'; pcc_read: over the answers that "
    "could be read alone; pcc_expected: of the mean score under the probabilities that the model gave to 0 ... 10 "
    "where it wrote the score (a failed answer as above)",
    "mse": "mean squared error on the scale of 0 to 10; mse_constant: of saying the mean of these very labels always",
    "wer": "word error rate, (S + D + I) / N over all utterances, upper case without punctuation, reference: the text",
    "per": "phone error rate, (S + D + I) / N over all utterances, reference: the phones as they were spoken",
    "matched": "tokens of a least-edit alignment of spoken and transcribed phones that agree: precision over "
    "transcribed, recall over spoken phones. Right phones count as hits, so this is no detection of errors",
    "in place": "the same without alignment: phones that agree at the same place of both strings. One phone more or "
    "less costs all that follow. The F1 printed in Table 3 of arXiv 2509.02915 has no rule of alignment; this is the "
    "token match under which its F1 and its PER can both hold",
    "detection": "canonical phones, each aligned with what was transcribed (Needleman-Wunsch, articulatory costs). "
    "Positives: phones that the experts scored below 0.5 of 2 (without scores: phones not spoken as they should be). "
    "TR: positives transcribed as something else, FA: as they should be; FR, TA: the same of the others. precision "
    "TR / (TR + FR), recall TR / (TR + FA). cd: TR whose transcribed phone is what was spoken; undiagnosed: TR of "
    "which nobody could tell, or of which the corpus does not tell",
    "echo": "the canonical phones as the answer: what PER and matches are worth without listening; it finds no error",
    "spoken": "the annotated phones as the answer: what detection can reach at all, since a right transcript may be "
    "aligned in another way than people annotated",
    "correlations": "of an utterance's phone error rate with its accuracy score. human: canonical to spoken phones, "
    "experts' accuracy. predicted: canonical to transcribed phones, the answers' accuracy. error: spoken to "
    "transcribed phones, experts' accuracy (is worse speech transcribed worse?)",
    "interval": "95 %, percentiles of resamples of whole speakers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer without its probabilities, as it is kept on disk.

    Attributes:
        text: as it was written.
        expected: mean of each score under the model's probabilities; None for what is not there.
        is_complete: whether the model closed it.
        tokens: written.
        seconds: its share of what its batch took.
    """

    text: str
    expected: Mapping[str, float | None]
    is_complete: bool
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCounts:
    """How the answers to one task could be read; `cut_off` is how many were stopped for their length."""

    task: str
    n: int
    valid: int
    repaired: int
    failed: int
    cut_off: int
    valid_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One of the four scores against the experts'; names are defined in `DEFINITIONS`, None where there is none."""

    score: str
    n: int
    unread: int
    pcc: Estimate
    pcc_read: float | None
    pcc_expected: Estimate
    mse: float | None
    mse_constant: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Token match."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptRow:
    """Transcripts of one predictor (`MODEL` or `ECHO`) against the text and the spoken phones."""

    predictor: str
    n: int
    unread: int
    wer: Estimate
    per: Estimate
    matched: Matches
    in_place: Matches


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """Detection and diagnosis of mispronounced phones by one predictor (or `RIGHT`), in the terms of `DEFINITIONS`."""

    predictor: str
    ta: int
    fr: int
    fa: int
    tr: int
    cd: int
    undiagnosed: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """Correlation of an utterance's phone error rate with its accuracy; None where one side is constant."""

    n: int
    human: float | None
    predicted: float | None
    error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What generation took: answers, tokens, seconds of the model, and their ratios; None where nothing ran."""

    answers: int
    tokens: int
    seconds: float
    tokens_per_s: float | None
    answers_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phi4Evaluation:
    """Everything.

    Attributes:
        data: what was evaluated.
        answers: by task.
        scores: the four, where the task was asked; else empty.
        transcripts: model and echo, where the task was asked; else empty.
        detection: likewise, and what could be reached.
        correlations: where utterances have both; else None.
        speed: of generation; None for stored answers.
        failed: some answers that could not be read in full, as "utterance/task: what was written".
        provenance: who made it.
        definitions: of every name.
    """

    data: Mapping[str, Any]
    answers: tuple[AnswerCounts, ...]
    scores: tuple[ScoreRow, ...]
    transcripts: tuple[TranscriptRow, ...]
    detection: tuple[DetectionRow, ...]
    correlations: Correlations | None
    speed: Speed | None
    failed: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=lambda: dict(DEFINITIONS))

    @property
    def figures(self) -> dict[str, float]:
        """The figures by name, for a log or tensorboard; what does not exist is left out."""
        found: dict[str, float | None] = {}
        for row in self.scores:
            found |= {
                f"pcc/{row.score}": row.pcc.value,
                f"pcc_expected/{row.score}": row.pcc_expected.value,
                f"mse/{row.score}": row.mse,
            }
        for transcript in self.transcripts:
            end = "" if transcript.predictor == MODEL else "_echo"
            found |= {
                f"wer{end}": transcript.wer.value,
                f"per{end}": transcript.per.value,
                f"match_f1{end}": transcript.matched.f1,
                f"match_f1_in_place{end}": transcript.in_place.f1,
            }
        for detected in self.detection:
            if detected.predictor == MODEL:
                found |= {
                    "mdd_f1": detected.f1.value,
                    "mdd_precision": detected.precision.value,
                    "mdd_recall": detected.recall.value,
                }
        for count in self.answers:
            found |= {f"json_valid/{count.task}": count.valid_share, f"failed/{count.task}": float(count.failed)}
        if self.correlations is not None:
            found |= {
                "per_accuracy/predicted": self.correlations.predicted,
                "per_accuracy/human": self.correlations.human,
            }
        if self.speed is not None:
            found |= {"tokens_per_s": self.speed.tokens_per_s}
        return {name: value for name, value in found.items() if value is not None}


def to_json(evaluation: Phi4Evaluation) -> str:
    """The evaluation as JSON; the same evaluation gives the same bytes, but for the speed."""
    return dumps(evaluation, FORMAT)
