"""Runs the application with uvicorn, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import time
from types import FrameType

import uvicorn

from elocute.server.app import create_app
from elocute.server.door import Door
from elocute.server.logs import log_to_stderr
from elocute.server.settings import ServerConfig

_GOODBYE_S = 1.0
"""Those who have to go get this long to read why."""

log = logging.getLogger(__name__)


def serve(config: ServerConfig) -> bool:
    """Serve until SIGTERM or SIGINT; what is under way is finished, within a time.

    Returns whether it ever served: an address may be taken, or not ours.

    Raises:
        ConfigError: from `create_app`.
    """
    door = Door()
    app = create_app(config, door=door)
    log_to_stderr()
    server = _Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=config.max_bytes,
            timeout_graceful_shutdown=1,  # by then everybody has been asked to go
        ),
        door,
        config,
    )
    # uvicorn raises the signals that stopped it once more when it has ended; being told to stop is no error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    try:
        server.run()
    except SystemExit:  # how uvicorn ends where it cannot listen; it has logged why
        return False
    return server.started


class _Server(uvicorn.Server):
    """Stops in steps: the door is closed, what is inside ends, who is left is asked to go, the sockets are closed.

    A second signal skips the waiting.
    """

    def __init__(self, config: uvicorn.Config, door: Door, settings: ServerConfig) -> None:
        super().__init__(config)
        self._door = door
        self._settings = settings
        self._told_s = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        if self._door.is_closed:
            super().handle_exit(sig, frame)
            return
        self._told_s = time.monotonic()
        self._door.close()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: is it time to end?"""
        if self._door.is_closed and self._may_end(time.monotonic() - self._told_s):
            self.should_exit = True
        return await super().on_tick(counter)

    def _may_end(self, since_s: float) -> bool:
        """Whether the sockets may be closed, so long after the server was told to stop."""
        if not self._door.inside:
            return since_s >= self._settings.shutdown_delay_s
        last_s = max(self._settings.shutdown_timeout_s, self._settings.shutdown_delay_s)
        if since_s >= last_s - _GOODBYE_S and self._door.hurry():
            log.warning("%d requests did not end in %.1f s and are sent away", self._door.inside, since_s)
        return since_s >= last_s
