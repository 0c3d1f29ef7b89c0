"""What a server accepts and how much of it at once; every default of `elocute serve`, and what each value may be."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elocute.config import AssessorConfig
from elocute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Settings of one server.

    Attributes:
        assessor: how recordings are assessed, where a request does not say; `threads` are those of one inference.
        host: address to listen on.
        port: to listen on.
        workers: recordings assessed at the same time, each by a process of its own; None: one for each core.
        queue: recordings that may wait for a worker; more are refused as "busy".
        uploads: requests whose body may be arriving at the same time; with `max_bytes` it bounds the memory they take.
        max_bytes: bytes of one recording.
        max_duration_s: seconds of one recording.
        max_text_chars: characters of one text.
        upload_timeout_s: a body that takes longer to arrive is refused.
        queue_timeout_s: a recording that waits longer for a worker is refused as "busy".
        assess_timeout_s: an answer is given up after this.
        shutdown_delay_s: so long after it was told to stop the server still listens, refusing new work, so that a load
            balancer sees it.
        shutdown_timeout_s: requests under way may take so long after the server was told to stop.
        api_keys: file of the keys that are let in; None lets everybody in.
        cors: origins whose pages may ask; "*" for all, empty for none but our own.
        log_text: whether the texts to be read are logged; recordings never are.
    """

    assessor: AssessorConfig = AssessorConfig(threads=1)
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int | None = None
    queue: int = 16
    uploads: int = 32
    max_bytes: int = 20 * 2**20
    max_duration_s: float = 60.0
    max_text_chars: int = 1000
    upload_timeout_s: float = 30.0
    queue_timeout_s: float = 15.0
    assess_timeout_s: float = 60.0
    shutdown_delay_s: float = 0.0
    shutdown_timeout_s: float = 20.0
    api_keys: Path | None = None
    cors: tuple[str, ...] = ()
    log_text: bool = False

    def __post_init__(self) -> None:
        """Refuse values under which nothing could pass.

        Raises:
            ConfigError: a number is out of its bounds, or an origin is none.
        """
        for name, bounds in BOUNDS.items():
            bounds.check(name, getattr(self if hasattr(self, name) else self.assessor, name))
        for origin in self.cors:
            if origin != "*" and (not origin.startswith(("http://", "https://")) or origin.count("/") != 2):
                raise ConfigError(
                    f"CORS origin is {origin!r}; expected '*' or scheme, host and port alone, such as "
                    "'https://learn.example.org'"
                )

    @property
    def worker_count(self) -> int:
        """Workers, chosen by the machine where the settings leave it."""
        return cores() if self.workers is None else self.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a number may be.

    Attributes:
        least: and not less.
        most: and not more.
        among: nothing but these.
    """

    least: float = -math.inf
    most: float = math.inf
    among: tuple[int, ...] = ()

    def __str__(self) -> str:
        """In words."""
        if self.among:
            return f"one of {', '.join(map(str, self.among))}"
        return f"{self.least:g} or more" if self.most == math.inf else f"from {self.least:g} to {self.most:g}"

    def check(self, name: str, value: float | None) -> None:
        """Raise ConfigError where a number is out of bounds; None is what the server chooses."""
        if value is None:
            return
        if not (self.least <= value <= self.most) or (self.among and value not in self.among):
            raise ConfigError(f"{name} is {value:g}; expected {self}")


_DAY_S = 86_400
BOUNDS: Mapping[str, Bounds] = {
    "port": Bounds(least=1, most=65_535),
    "workers": Bounds(least=1, most=1024),
    "queue": Bounds(least=0, most=100_000),
    "uploads": Bounds(least=1, most=100_000),
    "max_bytes": Bounds(least=1024, most=2**30),
    "max_duration_s": Bounds(least=0.1, most=3600),
    "max_text_chars": Bounds(least=1, most=100_000),
    "upload_timeout_s": Bounds(least=0.1, most=_DAY_S),
    "queue_timeout_s": Bounds(least=0.1, most=_DAY_S),
    "assess_timeout_s": Bounds(least=0.1, most=_DAY_S),
    "shutdown_delay_s": Bounds(least=0, most=_DAY_S),
    "shutdown_timeout_s": Bounds(least=0.1, most=_DAY_S),
    "scale": Bounds(among=(100, 10, 1)),
    "threads": Bounds(least=1, most=1024),
    "nbest": Bounds(least=1, most=39),
}
"""Of every setting that is a number, by its field; those of the assessor, too."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
