"""Many rows at once: their recordings go through the acoustic model in batches, all else is done row by row.

What comes after the model is not batched on the CPU, where lattices of several recordings in one loop take longer than
one after the other (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elocute.acoustic.batched import hear_all
from elocute.acoustic.protocol import batches
from elocute.assessor import Assessor
from elocute.assessors import ReportMaker
from elocute.audio import load_audio
from elocute.batch.answers import Answer, AssessRow, answer_of, answer_row
from elocute.batch.manifest import ManifestRow
from elocute.errors import ElocuteError
from elocute.phones import UserLexicon, phonemize
from elocute.types import Audio, Canonical, Posteriors

_BATCHES_A_TASK = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowAssessor:
    """Assesses rows of a manifest, one or many at a time.

    Attributes:
        maker: of the reports.
        lexicon: the user's pronunciations.
        batch_size: recordings that the acoustic model hears at once.
    """

    maker: ReportMaker
    lexicon: UserLexicon | None = None
    batch_size: int = 1

    def __call__(self, row: ManifestRow) -> Mapping[str, object]:
        """The report of one row."""
        found = self.maker.assess(row.recording, row.text, lexicon=self.lexicon, pronunciations=row.phones)
        return found.to_dict()

    def many(self, rows: Sequence[ManifestRow]) -> list[Mapping[str, object] | ElocuteError]:
        """The report of each row, or the reason why it has none."""
        maker = self.maker
        if self.batch_size == 1 or len(rows) == 1 or not (isinstance(maker, Assessor) and batches(maker.backend)):
            return [self._one(row) for row in rows]
        found: dict[int, Mapping[str, object] | ElocuteError] = {}
        read: dict[int, tuple[Audio, Canonical]] = {}
        for number, row in enumerate(rows):
            try:
                canonical = phonemize(row.text, lexicon=self.lexicon, pronunciations=row.phones)
                read[number] = load_audio(row.recording), canonical
            except ElocuteError as error:
                found[number] = error
        heard = self._hear(maker, {number: audio for number, (audio, _) in read.items()})
        for number, (audio, canonical) in read.items():
            posteriors = heard[number]
            try:
                if isinstance(posteriors, ElocuteError):
                    raise posteriors
                found[number] = maker.assess_heard(audio, posteriors, canonical).to_dict()
            except ElocuteError as error:
                found[number] = error
        return [found[number] for number in range(len(rows))]

    def _hear(self, assessor: Assessor, recordings: Mapping[int, Audio]) -> dict[int, Posteriors | ElocuteError]:
        """What the backend hears of each recording, or why it refuses it."""
        try:
            heard = hear_all(assessor.backend, list(recordings.values()), batch_size=self.batch_size)
        except ElocuteError:  # of one of them: which, only each by itself can tell
            return {number: _heard(assessor, audio) for number, audio in recordings.items()}
        return dict(zip(recordings, heard, strict=True))

    def _one(self, row: ManifestRow) -> Mapping[str, object] | ElocuteError:
        try:
            return self(row)
        except ElocuteError as error:
            return error


def rows_at_once(assess: AssessRow) -> int:
    """Rows that are best given to an assessor together."""
    return task_rows(assess.batch_size) if isinstance(assess, RowAssessor) else 1


def task_rows(batch_size: int) -> int:
    """Rows of a task: one, or so many batches that recordings of like length can share one."""
    return 1 if batch_size == 1 else _BATCHES_A_TASK * batch_size


def answer_rows(assess: AssessRow, rows: Sequence[ManifestRow]) -> list[Answer]:
    """Assess rows; an `ElocuteError` is the answer to its row, any other exception a bug, which is passed on."""
    if not isinstance(assess, RowAssessor):
        return [answer_row(assess, row) for row in rows]
    return [answer_of(row.id, found) for row, found in zip(rows, assess.many(rows), strict=True)]


def _heard(assessor: Assessor, audio: Audio) -> Posteriors | ElocuteError:
    try:
        return assessor.backend.posteriors(audio)
    except ElocuteError as error:
        return error
