"""Assess a corpus with the shipped assessor, on several processes, into stored predictions; a killed run goes on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elocute.batch.local import AssessRow, run_batch
from elocute.batch.manifest import ManifestRow
from elocute.config import AssessorConfig
from elocute.corpora.layouts import Corpus, with_recordings
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.evaluation.predictions import (
    PHONE_MAX,
    SCORE_MAX,
    Prediction,
    prediction_of,
    row_of,
    write_predictions,
)

if TYPE_CHECKING:
    from elocute.acoustic import Backend
    from elocute.report import Report
    from elocute.types import Audio, PhoneSet, Posteriors

NOT_SCORED = "nothing is scored"
"""Stands in the warning that gives the reason of a report without scores."""
REPORT_SCALE = 10
"""Scale of the reports that become predictions: the corpus's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFactory:
    """Makes the assessor of one worker process; its answers are predictions.

    Attributes:
        backend: name of the acoustic backend.
    """

    backend: str

    def __call__(self) -> AssessRow:
        """Load the models once."""
        from elocute.acoustic import load_backend
        from elocute.assessor import Assessor
        from elocute.assessors import find_named, load_assessor

        config = AssessorConfig(backend=self.backend, scale=REPORT_SCALE, threads=1)
        if not find_named(self.backend).is_acoustic:
            maker = load_assessor(config)
            return lambda row: row_of(
                prediction_from_report(row.id, maker.assess(row.audio, row.text, pronunciations=row.phones))
            )
        listening = _Listening(load_backend(self.backend, threads=1))
        assessor = Assessor(config, backend=listening)

        def assess(row: ManifestRow) -> Mapping[str, object]:
            report = assessor.assess(row.audio, row.text, pronunciations=row.phones)
            return row_of(prediction_from_report(row.id, report, greedy_phones(listening.heard)))

        return assess


class _Listening:
    """A backend that remembers what it heard last, so that it is decoded without the text, too."""

    def __init__(self, backend: Backend) -> None:
        from elocute.acoustic import rates

        self._backend = backend
        self.name, self.version = backend.name, backend.version
        self.phone_set: PhoneSet = backend.phone_set
        self.has_ratings = rates(backend)
        self.heard: Posteriors

    def posteriors(self, audio: Audio) -> Posteriors:
        """What the backend heard."""
        self.heard = self._backend.posteriors(audio)
        return self.heard


def greedy_phones(posteriors: Posteriors) -> tuple[str, ...]:
    """Phones on the best path: the likeliest label of each frame, repetitions merged, blanks dropped.

    Phones that are chains of labels are read from left to right, the longest first; labels of no phone are left out.
    """
    from elocute.gop.chains import phones_in

    phone_set = posteriors.phone_set
    best = posteriors.log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    labels = [label for label in best[starts].tolist() if label != phone_set.blank_id]
    return tuple(symbol for symbol, _, _ in phones_in(labels, phone_set))


def prediction_from_report(utterance_id: str, report: Report, perceived: Sequence[str] | None = None) -> Prediction:
    """What a report says, on the corpus's scales and by its names.

    Scores come from the report as its readers get them, so also the zeros of words that were left out.
    """
    words = report.text_words
    phones = [phone for word in words for phone in word.phonemes if phone.expected is not None]
    if report.utterance.total is None:
        reason = next((warning for warning in report.warnings if NOT_SCORED in warning), NOT_SCORED)
        return Prediction(
            id=utterance_id,
            phone=None,
            word=None,
            utterance=None,
            perceived=perceived,
            reason=reason.partition(" (")[0],
        )

    def scaled(score: float | None, highest: float = SCORE_MAX) -> float | None:
        return None if score is None else score * highest / report.scale

    whole = report.utterance
    return Prediction(
        id=utterance_id,
        phone=[phone.score * PHONE_MAX / report.scale for phone in phones if phone.score is not None],
        word=[(scaled(word.accuracy), scaled(word.stress), scaled(word.total)) for word in words],
        utterance={
            "accuracy": scaled(whole.accuracy),
            "completeness": scaled(whole.completeness),
            "fluency": scaled(whole.fluency),
            "prosodic": scaled(whole.prosody),
            "total": scaled(whole.total),
        },
        phone_error=[phone.probability for phone in phones],
        heard=[phone.actual for phone in phones],
        inserted=_inserted(report),
        omitted=[index for index, word in enumerate(words) if word.error == "omission"],
        perceived=perceived,
    )


def _inserted(report: Report) -> list[tuple[int, str]]:
    """Phones that the text does not have, with the number of its phones before each: in its words, and beside them."""
    found, gap = [], 0
    for word in report.words:
        for phone in word.phonemes:
            if word.text_index is not None and phone.expected is not None:
                gap += 1
            elif phone.actual is not None:
                found.append((gap, phone.actual))
    return found


def assess_corpus(
    corpus: Corpus,
    utterances: Sequence[ScoredUtterance],
    out: Path,
    *,
    make_assessor: Callable[[], AssessRow],
    provenance: Mapping[str, Any],
    configuration: str,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fresh: bool = False,
) -> None:
    """Assess utterances of speechocean762 and store the predictions, as `assess_rows` does.

    Args:
        corpus: where the recordings are.
        utterances: of it, to assess; their canonical phones are the corpus's, not the lexicon's.
        out: file of predictions to make.
        make_assessor: see `assess_rows`, as all that follows.
        provenance: for the header.
        configuration: a text that differs whenever the predictions would.
        workers: processes; None takes one for each core.
        progress: called with utterances done and in all.
        fresh: forget an unfinished run.

    Raises:
        ConfigError: a recording is missing, `out` cannot be written, or an unfinished run was another one.
        BatchError: a worker process died.
    """
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        recorded = with_recordings(corpus, utterances, Path(folder))
        rows = [
            ManifestRow(
                id=item.id, audio=item.audio, text=item.text, phones=tuple(tuple(word.phones) for word in item.words)
            )
            for item in recorded
        ]
        assess_rows(
            rows,
            out,
            folder=Path(folder),
            make_assessor=make_assessor,
            provenance=provenance,
            configuration=configuration,
            workers=workers,
            progress=progress,
            fresh=fresh,
        )


def assess_rows(
    rows: Sequence[ManifestRow],
    out: Path,
    *,
    folder: Path,
    make_assessor: Callable[[], AssessRow],
    provenance: Mapping[str, Any],
    configuration: str,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fresh: bool = False,
) -> None:
    """Assess recordings and store the predictions.

    What is finished is kept in `OUT.rows.partial`; the same call goes on from there. A recording that cannot be
    assessed becomes a prediction without scores that says why.

    Args:
        rows: what to assess, with canonical phones.
        out: file of predictions to make.
        folder: an empty one, for as long as this takes; recordings may lie in it.
        make_assessor: as for `run_batch`; answers with rows of predictions (`CorpusFactory`).
        provenance: for the header.
        configuration: a text that differs whenever the predictions would.
        workers: processes; None takes one for each core.
        progress: called with utterances done and in all.
        fresh: forget an unfinished run.

    Raises:
        ConfigError: `out` cannot be written, or an unfinished run was another one.
        BatchError: a worker process died.
    """
    answers = out.with_name(f"{out.name}.rows")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(_manifest_line(row, folder) for row in rows), encoding="utf-8")
    # A finished file of rows is left only by a kill between the last row and the predictions: make it again.
    fresh = fresh or (answers.exists() and not answers.with_name(f"{answers.name}.partial.run").exists())
    run_batch(
        manifest,
        answers,
        make_assessor=make_assessor,
        configuration=configuration,
        workers=workers,
        progress=progress,
        fresh=fresh,
    )
    audio = {row.id: row.audio for row in rows}
    lines = answers.read_text(encoding="utf-8").split("\n")[:-1]
    write_predictions(out, provenance, [_from_row(json.loads(line), audio) for line in lines])
    answers.unlink()


def _manifest_line(row: ManifestRow, folder: Path) -> str:
    """A line of the manifest; a recording that lies beside it is named without the folder, which differs every time."""
    audio = row.audio.resolve()
    phones = None if row.phones is None else [list(word) for word in row.phones]
    name = audio.name if audio.parent == folder.resolve() else str(audio)
    return json.dumps({"id": row.id, "audio": name, "text": row.text, "phones": phones}, ensure_ascii=False) + "\n"


def _from_row(row: Mapping[str, Any], audio: Mapping[str, Path]) -> Prediction:
    """The prediction in a row of the batch, or one without scores for a row that holds an error."""
    if "report" in row:
        return prediction_of(row["report"], f"row {row['id']!r}")
    # Where the recording lay is nobody's business who reads the predictions.
    message = row["error"]["message"]
    for path in (audio[row["id"]].resolve(), audio[row["id"]]):
        message = message.replace(str(path), f"the recording of {row['id']}")
    reason = f"{row['error']['type']}: {message}"
    return Prediction(id=row["id"], phone=None, word=None, utterance=None, reason=reason)
