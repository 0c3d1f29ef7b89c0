"""`POST /v1/practice`: from a request to its answer."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from elocute.server.body import Body
from elocute.server.door import Door
from elocute.server.keys import Keys
from elocute.server.pool import Abandoned, Busy, Pool, TooSlow
from elocute.server.practice import MOST_ATTEMPTS, Choose
from elocute.server.problems import Problem
from elocute.server.process import DeskProcess
from elocute.server.settings import ServerConfig


class Practising:
    """Answers requests for the next sentence.

    Args:
        config: limits; attempts may have as many bytes as a recording.
        pool: of workers, one of which does it.
        keys: who is let in; None for everybody.
        door: nobody is let in once it is closed.
    """

    def __init__(self, config: ServerConfig, pool: Pool[DeskProcess], keys: Keys | None, door: Door) -> None:
        self._config = config
        self._pool = pool
        self._keys = keys
        self._door = door

    async def answer(self, request: Request) -> Response:
        """The answer to one request.

        Raises:
            Problem: it is refused.
        """
        body = Body(request.receive, max_bytes=self._config.max_bytes, timeout_s=self._config.upload_timeout_s)
        try:
            self._door.check()
            if self._keys is not None:
                request.state.facts["key"] = self._keys.holder(request.headers)
            self._pool.check_free()
            job = Choose(body=await self._whole(body))
            request.state.facts["bytes"] = len(job.body)
            made = await self._pool.run(lambda desk, ticket: desk.do(job), body.gone)
        except Busy as busy:
            raise await _closing(
                body, Problem("busy", str(busy), headers={"Retry-After": str(busy.retry_after_s)})
            ) from busy
        except Abandoned as gone:
            raise Problem("client-gone", "the client closed the connection before its answer was there") from gone
        except TooSlow as slow:
            raise Problem("too-slow", f"no answer after {self._config.assess_timeout_s:g} s; try again later") from slow
        except Problem as problem:
            raise await _closing(body, problem) from problem
        return Response(made, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _whole(self, body: Body) -> bytes:
        """All of the body."""
        try:
            return b"".join([chunk async for chunk in body.chunks()])
        except Problem as problem:
            if problem.code != "too-large":
                raise
            raise Problem(
                "too-large",
                f"the attempts have more than {self._config.max_bytes / 2**20:.3g} MiB, the most that is accepted; "
                f"send the newest {MOST_ATTEMPTS}, and for those that were sent before the outcomes of the answer",
            ) from problem


async def _closing(body: Body, problem: Problem) -> Problem:
    """A refusal, after what was still on its way; else many clients would never see it."""
    if not body.is_complete and problem.code not in ("client-gone", "slow-upload"):
        await body.drain()
    if not body.is_complete:
        problem.headers |= {"Connection": "close"}
    return problem
