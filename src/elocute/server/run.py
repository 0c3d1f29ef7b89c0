"""Runs the application with uvicorn, until it is told to stop."""

from __future__ import annotations

import signal
from types import FrameType

import uvicorn

from elocute.server.app import create_app
from elocute.server.logs import log_to_stderr
from elocute.server.settings import ServerConfig


def serve(config: ServerConfig, *, host: str, port: int) -> bool:
    """Serve until SIGTERM or SIGINT; what is under way is finished, within a time.

    Returns whether it ever served: an address may be taken, or not ours.

    Raises:
        ConfigError: from `create_app`.
    """
    app = create_app(config)
    log_to_stderr()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=config.max_bytes,
            timeout_graceful_shutdown=round(config.shutdown_timeout_s),
        )
    )
    # uvicorn raises the signals that stopped it once more when it has ended; being told to stop is no error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)
    try:
        server.run()
    except SystemExit:  # how uvicorn ends where it cannot listen; it has logged why
        return False
    return server.started


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing."""
