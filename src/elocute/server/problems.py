"""What goes wrong, as RFC 9457 problem details: one JSON object with type, title, status, detail and request id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from elocute.errors import (
    AlignmentError,
    AudioError,
    ElocuteError,
    LongAudioError,
    PhoneError,
    TextError,
    UnreadableAudioError,
)

if TYPE_CHECKING:
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

Code = Literal[
    "bad-request",
    "unpronounceable",
    "no-key",
    "not-found",
    "wrong-method",
    "slow-upload",
    "too-large",
    "too-long",
    "not-audio",
    "not-multipart",
    "not-scorable",
    "busy",
    "client-gone",
    "mistake",
    "crash",
    "not-ready",
    "stopping",
    "too-slow",
]

KINDS: Mapping[Code, tuple[int, str]] = {
    "bad-request": (400, "The request is malformed"),
    "unpronounceable": (400, "The text cannot be pronounced"),
    "no-key": (401, "An API key is needed"),
    "not-found": (404, "There is no such page"),
    "wrong-method": (405, "The method is not allowed here"),
    "slow-upload": (408, "The upload took too long"),
    "too-large": (413, "The upload is too large"),
    "too-long": (413, "The recording is too long"),
    "not-audio": (415, "The recording is no audio that can be read"),
    "not-multipart": (415, "The body is not a multipart form"),
    "not-scorable": (422, "The recording cannot be scored"),
    "busy": (429, "The server is busy"),
    "client-gone": (499, "The client went away"),
    "mistake": (500, "The server made a mistake"),
    "crash": (500, "The assessment crashed"),
    "not-ready": (503, "The server is not ready"),
    "stopping": (503, "The server is stopping"),
    "too-slow": (504, "The assessment took too long"),
}
"""Status and title of every kind of problem; the code of a kind never changes, its words may."""


class Problem(Exception):  # noqa: N818 - it is an answer, no error of ours
    """An answer that is a problem.

    Args:
        code: which kind.
        detail: one sentence: what, got, expected, fix.
        headers: to send with it.
        report: of a recording that cannot be scored, as plain JSON values: what can be said nevertheless.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        """How a worker's process sends it."""
        return partial(Problem, headers=self.headers, report=self.report), (self.code, self.detail)

    @property
    def status(self) -> int:
        """HTTP status."""
        return KINDS[self.code][0]

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem as plain JSON values."""
        status, title = KINDS[self.code]
        plain: dict[str, Any] = {
            "type": f"urn:problem-type:elocute:{self.code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "request_id": request_id,
        }
        return plain if self.report is None else plain | {"report": self.report}

    def response(self, request_id: str) -> Response:
        """The problem as an answer."""
        from starlette.responses import Response  # here, because a page that assesses by itself has no server

        return Response(
            json.dumps(self.document(request_id), ensure_ascii=False, allow_nan=False),
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def problem_of(error: ElocuteError) -> Problem:
    """The answer to an error that was raised on purpose.

    Raises:
        ElocuteError: the error itself, where no client can be at fault: then the server is.
    """
    by_kind: tuple[tuple[type[ElocuteError], Code], ...] = (
        (TextError, "unpronounceable"),
        (PhoneError, "unpronounceable"),
        (LongAudioError, "too-long"),
        (UnreadableAudioError, "not-audio"),
        (AudioError, "not-scorable"),
        (AlignmentError, "not-scorable"),
    )
    for kind, code in by_kind:
        if isinstance(error, kind):
            return Problem(code, str(error))
    raise error
