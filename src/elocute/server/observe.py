"""What surrounds every request: an id, a line in the log, figures, and headers that keep browsers safe."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from elocute.server.logs import FACTS
from elocute.server.metrics import Metrics

REQUEST_ID = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset("GET HEAD POST OPTIONS WEBSOCKET".split())
_OTHER = "other"

# What the page needs and no more: nothing from elsewhere, sound and pictures that it makes itself, WebAssembly.
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}

log = logging.getLogger("elocute.server.access")


class Observe:
    """ASGI middleware around everything else.

    Args:
        app: what it surrounds.
        metrics: where requests are counted.
        paths: paths that are counted by name; all others are "other", as clients may ask for anything.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, paths: Iterable[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        begin_s = time.monotonic()
        asked = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["facts"] = {}
        # An exception is answered further out. A connection that is kept has no status but that of its beginning.
        status = 500 if scope["type"] == "http" else 101

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _EVERYWHERE.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(scope, status, time.monotonic() - begin_s, request_id)

    def _note(self, scope: Scope, status: int, took_s: float, request_id: str) -> None:
        """Count a request, and log it."""
        path = scope["path"] if scope["path"] in self._paths else _OTHER
        method = scope.get("method", "WEBSOCKET")
        method = method if method in _METHODS else _OTHER
        self._metrics.requests.labels(path, method, str(status)).inc()
        self._metrics.seconds.labels(path).observe(took_s)
        facts = {
            "request_id": request_id,
            "method": method,
            "path": path,
            "status": status,
            "took_ms": round(took_s * 1000, 1),
            **scope["state"]["facts"],
        }
        # Probes and scrapes come every few seconds and say nothing.
        level = logging.DEBUG if path in {"/healthz", "/readyz", "/metrics"} and status < 400 else logging.INFO
        log.log(level, "request", extra={FACTS: facts})
