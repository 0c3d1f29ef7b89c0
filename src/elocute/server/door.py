"""The server's door: who comes in, who is inside, and how it is closed when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from elocute.server.problems import Problem

_RETRY_AFTER_S = 5
_STOPPING = 1012
"""Close code of a WebSocket, "service restart"."""


class Door:
    """Counts what is under way; once it is closed, nothing new begins."""

    def __init__(self) -> None:
        self.inside = 0
        self.is_closed = False
        self._is_late = asyncio.Event()

    def close(self) -> None:
        """Let nobody in any more; those inside may finish."""
        self.is_closed = True

    def check(self) -> None:
        """Raise Problem where the door is closed."""
        if self.is_closed:
            raise stopping()

    def hurry(self) -> bool:
        """Ask those who are still inside to go, as what they wait for will not come; whether this is news to them."""
        is_new = not self._is_late.is_set()
        self._is_late.set()
        return is_new

    async def late(self) -> None:
        """Return when those inside have to go."""
        await self._is_late.wait()


def stopping() -> Problem:
    """The answer to what is not, or no longer, done because the server stops."""
    return Problem(
        "stopping",
        f"the server is being stopped or restarted; try again in {_RETRY_AFTER_S} s",
        headers={"Retry-After": str(_RETRY_AFTER_S)},
    )


class Doorkeeper:
    """ASGI middleware at the door; a request that comes when it is closed is refused by its route.

    Args:
        app: what is inside.
        door: opened.
        paths: those that are work; all others, such as probes, always come in.
    """

    def __init__(self, app: ASGIApp, *, door: Door, paths: Iterable[str]) -> None:
        self._app = app
        self._door = door
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or not."""
        if scope["type"] not in ("http", "websocket") or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        if self._door.is_closed and scope["type"] == "websocket":
            await _refuse(WebSocket(scope, receive, send))
            return
        self._door.inside += 1
        try:
            await self._app(scope, _hurried(receive, self._door), send)
        finally:
            self._door.inside -= 1


def _hurried(receive: Receive, door: Door) -> Receive:
    """What a client says, until it is too late to listen; then a Problem is raised instead."""

    async def hurried() -> Message:
        message = asyncio.ensure_future(receive())
        late = asyncio.ensure_future(door.late())
        try:
            await asyncio.wait({message, late}, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                return message.result()
            raise stopping()
        finally:
            message.cancel()
            late.cancel()

    return hurried


async def _refuse(socket: WebSocket) -> None:
    """Say that the server stops; a page hears why a WebSocket is closed only after it was accepted."""
    problem = stopping()
    socket.state.facts["problem"] = problem.code
    await socket.accept()
    await socket.send_json({"type": "error", "problem": problem.document(socket.state.request_id)})
    await socket.close(_STOPPING)
