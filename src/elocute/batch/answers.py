"""What a batch says of one row: a report, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from elocute.batch.manifest import ManifestRow
from elocute.errors import ElocuteError

AssessRow = Callable[[ManifestRow], Mapping[str, object]]
"""Assesses one row; the report as a JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a row.

    Attributes:
        id: of the row.
        report: JSON text; None where there is an error.
        error_type: name of the error's class; None where there is a report.
        error_message: what went wrong, in one sentence.
    """

    id: str
    report: str | None = None
    error_type: str | None = None
    error_message: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether there is no report."""
        return self.report is None

    @property
    def line(self) -> str:
        """The answer as a line of JSON."""
        if self.report is None:
            error = {"type": self.error_type, "message": self.error_message}
            return _dumps({"id": self.id, "error": error})
        return f'{{"id": {_dumps(self.id)}, "report": {self.report}}}'


def answer_row(assess: AssessRow, row: ManifestRow) -> Answer:
    """Assess a row; an `ElocuteError` is its answer, any other exception a bug, which is passed on."""
    try:
        return answer_of(row.id, assess(row))
    except ElocuteError as error:
        return refusal(row.id, error)


def answer_of(row_id: str, found: Mapping[str, object] | ElocuteError) -> Answer:
    """The answer to a row of which the report, or the reason why there is none, is known."""
    return refusal(row_id, found) if isinstance(found, ElocuteError) else Answer(id=row_id, report=_dumps(found))


def refusal(row_id: str, error: ElocuteError) -> Answer:
    """The answer to a row that cannot be assessed."""
    return Answer(id=row_id, error_type=type(error).__name__, error_message=str(error))


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
