"""The body of a request: read once, in memory, with a limit; what follows it is a client that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from elocute.server.problems import Problem

if TYPE_CHECKING:
    from starlette.types import Receive

_DRAIN_S = 5.0


class Body:
    """What a client sends.

    Args:
        receive: of the request.
        max_bytes: a longer body is refused.
        timeout_s: a body that arrives more slowly is refused.
    """

    def __init__(self, receive: Receive, *, max_bytes: int, timeout_s: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self.is_complete = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises:
            Problem: too large, too slow, or the client is gone.
        """
        size = 0
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        while not self.is_complete:
            try:
                async with asyncio.timeout_at(deadline_s):
                    chunk = await self._next()
            except TimeoutError as error:
                raise Problem(
                    "slow-upload",
                    f"{size} bytes of the body arrived in {self._timeout_s:g} s, which is not all; send it faster",
                ) from error
            size += len(chunk)
            if size > self._max_bytes:
                raise too_large(self._max_bytes)
            yield chunk

    async def drain(self) -> None:
        """Read what is left of a refused body, within limits.

        Many clients do not listen before they have sent everything; one that is cut off never sees why.
        """
        rest = self._max_bytes
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self.is_complete and rest >= 0:
                    rest -= len(await self._next())
        except TimeoutError:
            return  # is_complete stays False, and the connection will be closed

    async def gone(self) -> None:
        """Return when the client has closed the connection; the body must be complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> bytes:
        """The next chunk."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Problem("client-gone", "the client closed the connection before its request was complete; send again")
        self.is_complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))


def too_large(max_bytes: int) -> Problem:
    """The answer to more bytes than are accepted."""
    return Problem(
        "too-large",
        f"the request has more than {max_bytes / 2**20:.3g} MiB, the most that is accepted; send a shorter recording, "
        "or a compressed one (webm, ogg, mp3, m4a)",
    )
