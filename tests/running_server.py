"""A real server on a free port, in a thread; recordings as browsers send them; a worker that waits to be told."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cli_reports import phone, report, word

from elocute.audio import load_audio
from elocute.errors import AudioError
from elocute.report import Report
from elocute.server.settings import ServerConfig
from elocute.types import Audio

EXAMPLES = Path(__file__).parent.parent / "examples"
TEXTS = {
    "car": "My father drives a red car.",
    "weather": "I think the weather is nice today.",
    "weather-tink": "I think the weather is nice today.",
}
REPORT = report([word("car", [phone("K"), phone("AA1"), phone("R")])])
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--mute-audio"]  # fmt: skip
"""Arguments with which Chromium, also as root, asks nobody anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that runs.

    Attributes:
        host: its address.
        port: its port.
        pool: its workers.
        client: to ask it with.
    """

    host: str
    port: int
    pool: Any
    client: Any

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"


class Gate:
    """A worker's desk that assesses nothing until it is opened; then every recording gets the same report."""

    def __init__(self, answer: Report | Exception = REPORT) -> None:
        self.answer = answer
        self.is_open = threading.Event()
        self.begun = 0

    def do(self, job: Any) -> Any:
        """Do a job here."""
        return job(self)

    is_alive = True
    pid = None

    def start(self) -> None:
        """It never dies."""

    def wait(self) -> None:
        """It is there."""

    def kill(self) -> None:
        """It has no process to end."""

    def close(self) -> None:
        """It has no process to end."""

    @property
    def backend(self) -> Gate:
        """It is its own backend, too."""
        return self

    def posteriors(self, audio: Audio) -> None:
        """Hear nothing."""
        raise AudioError("too short to tell")

    def assessor(self, wanted: object) -> Gate:
        """It is its own assessor."""
        return self

    def follower(self, wanted: object) -> Gate:
        """It follows by itself."""
        return self

    def assess(self, audio: Audio, text: str) -> Report:
        """Wait; then answer, or fail."""
        self.begun += 1
        assert self.is_open.wait(20)
        if isinstance(self.answer, Exception):
            raise self.answer
        return replace(self.answer, text=text)


@contextmanager
def served(config: ServerConfig, pool: Any = None) -> Iterator[Served]:
    """Run a server with some settings, and workers of one's own."""
    import httpx
    import uvicorn

    from elocute.server.app import create_app, make_pool

    workers = pool or make_pool(config)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(create_app(config, pool=workers), log_config=None, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        with httpx.Client(timeout=20, verify=False, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            yield Served(host="127.0.0.1", port=listening.getsockname()[1], pool=workers, client=client)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


def gated(gate: Gate, *, waiting: int = 1, queue_timeout_s: float = 10, run_timeout_s: float = 10) -> Any:
    """A pool of one worker, which waits at a gate."""
    from elocute.server.pool import Pool

    return Pool([gate], waiting=waiting, queue_timeout_s=queue_timeout_s, run_timeout_s=run_timeout_s)


def until(is_so: Any, seconds: float = 10) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never was so"
        time.sleep(0.01)


def threads_of_libraries(_desk: object) -> list[str | None]:
    """A job that tells how many threads numerical libraries of the worker may use."""
    return [os.environ.get(f"{library}_NUM_THREADS") for library in ("OMP", "OPENBLAS", "MKL")]


def die(code: int, desk: object) -> None:
    """A job that kills its worker; here, where the worker's process finds it."""
    os._exit(code)


def flac(name: str = "car") -> bytes:
    """An example as it is."""
    return (EXAMPLES / f"{name}.flac").read_bytes()


def encoded(name: str, container: str, codec: str, rate: int = 48_000) -> bytes:
    """An example as a browser's recorder would send it."""
    import av

    samples = load_audio(flac(name)).samples
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()
