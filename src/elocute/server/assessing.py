"""`POST /v1/assess`: from a request to its answer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from fastapi import Request
from starlette.responses import Response

from elocute.errors import ElocuteError
from elocute.server.body import Body, too_large
from elocute.server.door import Door
from elocute.server.form import FORM_OVERHEAD_BYTES, Form, read_form
from elocute.server.keys import Keys
from elocute.server.metrics import Metrics
from elocute.server.pool import Abandoned, Busy, Pool, Ticket, TooSlow
from elocute.server.problems import Problem, problem_of
from elocute.server.process import DeskProcess
from elocute.server.settings import ServerConfig
from elocute.server.wanted import Wanted, wanted
from elocute.server.work import Answer, Assess, Recording


class Assessing:
    """Answers requests for assessment.

    Args:
        config: limits.
        pool: of workers.
        metrics: where stages are counted.
        keys: who is let in; None for everybody.
        door: nobody is let in once it is closed.
    """

    def __init__(
        self, config: ServerConfig, pool: Pool[DeskProcess], metrics: Metrics, keys: Keys | None, door: Door
    ) -> None:
        self._config = config
        self._door = door
        self._pool = pool
        self._metrics = metrics
        self._keys = keys
        self._uploads = 0

    async def answer(self, request: Request) -> Response:
        """The answer to one request; what is cheap to refuse is refused before the body arrives.

        Raises:
            Problem: it is refused, or cannot be assessed.
        """
        body = Body(
            request.receive,
            max_bytes=self._config.max_bytes + FORM_OVERHEAD_BYTES,
            timeout_s=self._config.upload_timeout_s,
        )
        try:
            self._door.check()
            self._check_key(request)
            self._check_room(request)
            begin_s = time.monotonic()
            asked = wanted(
                await self._form(request, body),
                self._config.assessor,
                max_text_chars=self._config.max_text_chars,
            )
            upload_s = time.monotonic() - begin_s
            facts = request.state.facts
            facts |= {"bytes": len(asked.audio), "detail_level": asked.detail, "format": asked.shape}
            facts |= {"l1": asked.l1} if asked.l1 else {}
            facts |= {"text": asked.text} if self._config.log_text else {}
            made = await self._assessed(asked, body, facts)
        except Problem as problem:
            if not body.is_complete and problem.code != "client-gone":
                if problem.code != "slow-upload":
                    await body.drain()
                problem.headers |= {} if body.is_complete else {"Connection": "close"}
            raise
        stages_s = {"upload": upload_s, **made.stages_s}
        self._metrics.observe_stages(stages_s)
        self._metrics.audio.inc(made.duration_s)
        facts |= {"audio_s": round(made.duration_s, 3)}
        facts |= {f"{stage}_ms": round(seconds * 1000, 1) for stage, seconds in stages_s.items()}
        timing = ", ".join(f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in stages_s.items())
        return Response(
            made.body,
            media_type="application/json",
            headers={"Server-Timing": timing, "Cache-Control": "no-store"},
        )

    def _check_key(self, request: Request) -> None:
        """Refuse who has no key, and note who has one."""
        if self._keys is not None:
            request.state.facts["key"] = self._keys.holder(request.headers)

    def _check_room(self, request: Request) -> None:
        """Refuse what is too large by its own account, and what no place is free for."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._config.max_bytes + FORM_OVERHEAD_BYTES:
            raise too_large(self._config.max_bytes)
        try:
            self._pool.check_free()
        except Busy as busy:
            raise _busy(busy) from busy
        if self._uploads >= self._config.uploads:
            raise Problem(
                "busy",
                f"{self._uploads} uploads are arriving, as many as are accepted; try again in a moment",
                headers={"Retry-After": "1"},
            )

    async def _form(self, request: Request, body: Body) -> Form:
        """The form, once it has arrived."""
        self._uploads += 1
        self._metrics.uploads.inc()
        try:
            return await read_form(
                request.headers.get("content-type"),
                body,
                file_fields=frozenset({"audio"}),
                max_file_bytes=self._config.max_bytes,
            )
        finally:
            self._uploads -= 1
            self._metrics.uploads.dec()

    async def _assessed(self, asked: Wanted, body: Body, facts: dict[str, Any]) -> Answer:
        """What a worker makes of it."""
        recording = Recording(data=asked.audio, sample_rate=None, max_duration_s=self._config.max_duration_s)
        job = Assess(wanted=replace(asked, audio=b""), recording=recording)

        def work(desk: DeskProcess, ticket: Ticket) -> Answer:
            made = desk.do(job)
            facts.update({"lost_workers": ticket.lost} if ticket.lost else {})
            return replace(made, stages_s={"queue": ticket.waited_s, **made.stages_s})

        try:
            return await self._pool.run(work, body.gone)
        except Busy as busy:
            raise _busy(busy) from busy
        except Abandoned as gone:
            raise Problem("client-gone", "the client closed the connection before its answer was there") from gone
        except TooSlow as slow:
            raise Problem(
                "too-slow",
                f"no answer after {self._config.assess_timeout_s:g} s; send a shorter recording, or try again later",
            ) from slow
        except ElocuteError as error:
            raise problem_of(error) from error


def _busy(busy: Busy) -> Problem:
    """The answer where all places are taken."""
    return Problem("busy", str(busy), headers={"Retry-After": str(busy.retry_after_s)})
