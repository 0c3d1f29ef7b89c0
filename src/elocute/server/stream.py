"""`/v1/stream`: a recording that arrives while it is being made; words get provisional scores meanwhile.

The client sends a start message, then binary chunks, then a stop message:

    {"type": "start", "text": "...", "format": "pcm16" | "encoded", "sample_rate": 16000, "end_of_speech_s": null,
     ...the fields of /v1/assess}
    {"type": "stop"}

`pcm16` are little-endian 16-bit samples of one channel; `encoded` chunks, joined, are a file (webm, ogg, wav ...). The
server answers "ready" with begin and end of each word in the text (code points of its composed form, NFC), then
"partial" with the words finished so far, and in the end "final" with the very report that /v1/assess gives for the same
samples; or "error" with the same problem. Then it closes the connection.

With `end_of_speech_s` the server ends the recording itself, when the last word of the text was read and so much silence
followed, or a much longer silence followed on anything: it sends "end" with the number of bytes that it takes for the
recording, and "final" without being told to stop. Where nothing at all is heard, that is an error. All this is for when
there is time: a server that is busy with the reports of others neither tells of words nor hears the end.
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

from elocute.errors import AudioError, ElocuteError
from elocute.server.begin import Begin, begin
from elocute.server.body import too_large
from elocute.server.keys import Keys
from elocute.server.metrics import Metrics
from elocute.server.pool import Abandoned, Busy, Pool, TooSlow
from elocute.server.problems import Problem, problem_of
from elocute.server.process import DeskProcess
from elocute.server.provisional import Followed, Progress, script_of
from elocute.server.settings import ServerConfig
from elocute.server.work import Answer, Assess, Follow, Recording, check_length

PARTIAL_EVERY_S = 0.15
"""New audio that is worth another look for finished words."""
GIVEN_UP_S = 3.0
"""A silence so much longer than the one after the last word ends a reading that did not come to the last word."""
NOTHING_S = 10.0
"""A recording in which nothing was heard for so long is ended."""
_SHARE = 0.5
"""A recording being made takes at most so much of a worker's time, and none that others wait for."""
_CLOSE = {400: 1008, 401: 1008, 408: 1008, 413: 1009, 415: 1003, 422: 1000, 429: 1013, 500: 1011, 503: 1012, 504: 1013}
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
            script = await asyncio.to_thread(script_of, asked.wanted.text)
        except ElocuteError as error:
            raise problem_of(error) from error
        check_length(script.canonical)  # before anybody has read a minute of it
        ready = {"type": "ready", "request_id": self._socket.state.request_id, "words": script.spans}
        await self._send(ready)
        await self._recorded(asked, len(script.canonical.words))
        made = await self._assessed(asked)
        self._metrics.observe_stages(made.stages_s)
        self._metrics.audio.inc(made.duration_s)
        # The report's own bytes, so that it is the same as everywhere else.
        await self._socket.send_text('{"type": "final", "report": ' + made.body.decode().rstrip("\n") + "}")
        await self._socket.close(1000)

    async def _recorded(self, asked: Begin, words: int) -> None:
        """Return when the recording has ended, because the client says so or the reader has."""
        listening = asyncio.create_task(self._listen(asked))
        following = asyncio.create_task(self._follow(asked, words))
        try:
            await asyncio.wait({listening, following}, return_when=asyncio.FIRST_COMPLETED)
            if following.done() and following.result():
                await self._send({"type": "end", "bytes": len(self._data)})
            else:
                await listening
        finally:
            self._stop.set()
            self._news.set()
            listening.cancel()
            await asyncio.wait({listening, following})
        following.result()

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

    async def _follow(self, asked: Begin, words: int) -> bool:
        """Tell of finished words, as they are finished, until the recording ends; whether the reader has ended it."""
        progress, seen_bytes = Progress(), 0
        while not self._stop.is_set() and (progress.told < words or asked.end_of_speech_s is not None):
            await self._news.wait()
            self._news.clear()
            if self._stop.is_set() or len(self._data) - seen_bytes < asked.bytes_in(PARTIAL_EVERY_S):
                continue
            if not self._pool.is_idle:
                continue  # provisional scores are for when there is time
            seen_bytes = len(self._data)
            begin_s = time.monotonic()
            found = await self._finished(asked, progress)
            progress = found.progress
            if self._stop.is_set():
                break
            if found.words:
                await self._send({"type": "partial", "words": [asdict(word) for word in found.words]})
            if asked.end_of_speech_s is not None and has_ended(progress, asked.end_of_speech_s):
                return True
            rest_s = (time.monotonic() - begin_s) * (1 / _SHARE - 1)
            with suppress(TimeoutError):  # the usual end of a rest
                await asyncio.wait_for(self._stop.wait(), rest_s)
        return False

    async def _finished(self, asked: Begin, progress: Progress) -> Followed:
        """Words that are finished now; none where no worker is free, or nothing can be told yet."""
        recording = self._recording(asked, asked.bytes_before(progress.from_s))
        job = Follow(wanted=asked.wanted, recording=recording, progress=progress)
        try:
            # To its end, also where the recording ends meanwhile: one given up would keep its place in the pool while
            # the report asks for one, and a server without a queue would call itself busy because of its own look.
            return await self._pool.run(lambda desk, ticket: desk.do(job), _never)
        except (Busy, TooSlow):
            pass  # others were faster
        except AudioError:
            pass  # too short, or no audio, so far: the final report will say so if it stays like that
        return Followed(progress=progress)

    def _recording(self, asked: Begin, first: int = 0) -> Recording:
        """What was sent until now, from a byte on."""
        return Recording(
            data=bytes(self._data[first:]), sample_rate=asked.sample_rate, max_duration_s=self._config.max_duration_s
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


def has_ended(progress: Progress, silence_s: float) -> bool:
    """Whether a reader has come to an end.

    Raises:
        Problem: nothing was heard at all.
    """
    if progress.voiced_s is None:
        if progress.heard_s >= NOTHING_S:
            raise Problem(
                "not-scorable",
                f"nothing was heard for {progress.heard_s:.0f} s; check that the microphone is on and near, and record "
                "again",
            )
        return False
    return progress.quiet_s >= silence_s + (0.0 if progress.is_read else GIVEN_UP_S)


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
