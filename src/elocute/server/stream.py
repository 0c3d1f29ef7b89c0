"""`/v1/stream`: a recording that arrives while it is being made; words get provisional scores meanwhile.

The client sends a start message, then binary chunks, then a stop message:

    {"type": "start", "text": "...", "format": "pcm16" | "encoded", "sample_rate": 16000, ...the fields of /v1/assess}
    {"type": "stop"}

`pcm16` are little-endian 16-bit samples of one channel; `encoded` chunks, joined, are a file (webm, ogg, wav ...). The
server answers "ready", then "partial" with the words finished so far, and in the end "final" with the very report that
/v1/assess gives for the same samples; or "error" with the same problem. Then it closes the connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from elocute.errors import AlignmentError, AudioError, ElocuteError
from elocute.server.begin import Begin, begin
from elocute.server.body import too_large
from elocute.server.keys import Keys
from elocute.server.metrics import Metrics
from elocute.server.pool import Abandoned, Busy, Pool, TooSlow
from elocute.server.problems import Problem, problem_of
from elocute.server.process import DeskProcess
from elocute.server.provisional import Follower
from elocute.server.settings import ServerConfig
from elocute.server.work import Answer, Assess, Follow, Followed, Recording

PARTIAL_EVERY_S = 0.15
"""New audio that is worth another look for finished words."""
_SHARE = 0.5
"""A recording being made takes at most so much of a worker's time, and none that others wait for."""
_CLOSE = {400: 1008, 401: 1008, 408: 1008, 413: 1009, 415: 1003, 422: 1000, 429: 1013, 500: 1011, 504: 1013}
"""How the connection is closed after a problem, by its HTTP status; RFC 6455, section 7.4.1."""

log = logging.getLogger(__name__)


class Stream:
    """One connection.

    Args:
        socket: accepted.
        config: limits.
        pool: of workers.
        metrics: where stages are counted.
        keys: who is let in; None for everybody.
    """

    def __init__(
        self, socket: WebSocket, config: ServerConfig, pool: Pool[DeskProcess], metrics: Metrics, keys: Keys | None
    ) -> None:
        self._socket = socket
        self._config = config
        self._pool = pool
        self._metrics = metrics
        self._keys = keys
        self._data = bytearray()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._deadline_s = time.monotonic() + 2 * config.max_duration_s + config.upload_timeout_s

    async def run(self) -> None:
        """Talk until the report is sent, the client goes, or something is wrong.

        Raises:
            WebSocketDisconnect: the client went.
            Problem: something is wrong.
        """
        asked = begin(await self._receive(), self._socket.headers, self._keys, self._config)
        try:
            follower = await asyncio.to_thread(Follower, asked.wanted.text)
        except ElocuteError as error:
            raise problem_of(error) from error
        await self._send({"type": "ready", "request_id": self._socket.state.request_id})
        following = asyncio.create_task(self._follow(asked, follower))
        try:
            await self._listen(asked)
        finally:
            self._stop.set()
            self._news.set()
            await following
        made = await self._assessed(asked)
        self._metrics.observe_stages(made.stages_s)
        self._metrics.audio.inc(made.duration_s)
        # The report's own bytes, so that it is the same as everywhere else.
        await self._socket.send_text('{"type": "final", "report": ' + made.body.decode().rstrip("\n") + "}")
        await self._socket.close(1000)

    async def _listen(self, asked: Begin) -> None:
        """Collect the recording until the client says stop."""
        longest = asked.max_bytes(self._config.max_duration_s)
        while True:
            message = await self._receive()
            if isinstance(message, str):
                asked.check_stop(message)
                return
            self._data += message
            if len(self._data) > self._config.max_bytes:
                raise too_large(self._config.max_bytes)
            if len(self._data) > longest:
                raise Problem(
                    "too-long",
                    f"the recording lasts more than {self._config.max_duration_s:g} s, the most that is accepted; stop "
                    "earlier",
                )
            self._news.set()

    async def _receive(self) -> str | bytes:
        """The next message.

        Raises:
            Problem: none came in time.
            WebSocketDisconnect: the client went.
        """
        wait_s = min(self._config.upload_timeout_s, self._deadline_s - time.monotonic())
        try:
            async with asyncio.timeout(wait_s):
                message = await self._socket.receive()
        except TimeoutError as error:
            raise Problem(
                "slow-upload",
                f"no message for {max(wait_s, 0):.3g} s, or no stop after twice the longest recording; send audio as "
                "it is recorded, and stop",
            ) from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        return text if text is not None else bytes(message["bytes"])

    async def _follow(self, asked: Begin, follower: Follower) -> None:
        """Tell of finished words, as they are finished, until the recording ends."""
        seen_bytes = 0
        while not self._stop.is_set() and not follower.is_done:
            await self._news.wait()
            self._news.clear()
            if self._stop.is_set() or len(self._data) - seen_bytes < asked.bytes_in(PARTIAL_EVERY_S):
                continue
            if not self._pool.is_idle:
                continue  # provisional scores are for when there is time
            seen_bytes = len(self._data)
            begin_s = time.monotonic()
            found = await self._finished(asked, follower)
            follower = found.follower
            if found.words and not self._stop.is_set():
                await self._send({"type": "partial", "words": [asdict(word) for word in found.words]})
            rest_s = (time.monotonic() - begin_s) * (1 / _SHARE - 1)
            with suppress(TimeoutError):  # the usual end of a rest
                await asyncio.wait_for(self._stop.wait(), rest_s)

    async def _finished(self, asked: Begin, follower: Follower) -> Followed:
        """Words that are finished now; none where no worker is free, or nothing can be told yet."""
        job = Follow(wanted=asked.wanted, recording=self._recording(asked), follower=follower)
        try:
            # To its end, also where the recording ends meanwhile: one given up would keep its place in the pool while
            # the report asks for one, and a server without a queue would call itself busy because of its own look.
            return await self._pool.run(lambda desk, ticket: desk.do(job), _never)
        except (Busy, TooSlow):
            pass  # others were faster
        except (AudioError, AlignmentError):
            pass  # silent, or too short, so far: the final report will say so if it stays like that
        return Followed(follower=follower, words=())

    def _recording(self, asked: Begin) -> Recording:
        """What was sent until now."""
        return Recording(
            data=bytes(self._data), sample_rate=asked.sample_rate, max_duration_s=self._config.max_duration_s
        )

    async def _assessed(self, asked: Begin) -> Answer:
        """The final report."""
        if not self._data:
            raise Problem("not-scorable", "the recording is empty: no binary message came before stop; record again")
        job = Assess(wanted=asked.wanted, recording=self._recording(asked))
        try:
            return await self._pool.run(lambda desk, ticket: desk.do(job), self._gone)
        except Busy as busy:
            raise Problem("busy", str(busy)) from busy
        except Abandoned as gone:
            raise WebSocketDisconnect from gone
        except TooSlow as slow:
            raise Problem("too-slow", f"no answer after {self._config.assess_timeout_s:g} s; try again later") from slow
        except ElocuteError as error:
            raise problem_of(error) from error

    async def _gone(self) -> None:
        """Return when the client has gone; what it says after stop is not listened to."""
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass

    async def _send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        await self._socket.send_text(json.dumps(message, ensure_ascii=False, allow_nan=False))


async def _never() -> None:
    """Wait until it is cancelled."""
    await asyncio.Event().wait()


async def close_with(socket: WebSocket, problem: Problem) -> None:
    """Send a problem, and close the connection."""
    document = problem.document(socket.state.request_id)
    # A client that does not wait for the answer is no error.
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(json.dumps({"type": "error", "problem": document}, ensure_ascii=False))
        await socket.close(_CLOSE.get(problem.status, 1011))


class Streams:
    """Answers the connections of one server.

    Args:
        config: limits; as many connections at once as uploads.
        pool: of workers.
        metrics: where problems are counted.
        keys: who is let in; None for everybody.
    """

    def __init__(self, config: ServerConfig, pool: Pool[DeskProcess], metrics: Metrics, keys: Keys | None) -> None:
        self._config = config
        self._pool = pool
        self._metrics = metrics
        self._keys = keys
        self._open = 0

    async def answer(self, socket: WebSocket) -> None:
        """Talk to one client until the connection is closed."""
        origin = socket.headers.get("origin")
        allowed = {f"{scheme}://{socket.headers.get('host', '')}" for scheme in ("http", "https")}
        if origin is not None and not {origin, "*"} & {*self._config.cors} and origin not in allowed:
            await socket.close(1008)  # a page of somebody else, which the browser would not keep from asking
            return
        await socket.accept()
        self._open += 1
        try:
            if self._open > self._config.uploads:
                raise Problem("busy", f"{self._open - 1} connections are open, the most that is accepted; try later")
            await Stream(socket, self._config, self._pool, self._metrics, self._keys).run()
        except WebSocketDisconnect:
            socket.state.facts["problem"] = "client-gone"
        except Problem as problem:
            socket.state.facts["problem"] = problem.code
            self._metrics.errors.labels(problem.code).inc()
            await close_with(socket, problem)
        except Exception:
            self._metrics.errors.labels("mistake").inc()
            detail = f"this is a bug of the server; report it with the request id {socket.state.request_id}"
            await close_with(socket, Problem("mistake", detail))
            raise
        finally:
            self._open -= 1
