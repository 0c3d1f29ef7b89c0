"""What a server accepts and how much of it at once; every default of `elocute serve`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from elocute.config import AssessorConfig
from elocute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Settings of one server.

    Attributes:
        assessor: how recordings are assessed, where a request does not say; `threads` are those of one inference.
        workers: recordings assessed at the same time, each by a process of its own; None: one for each core.
        queue: recordings that may wait for a worker; more are refused as "busy".
        uploads: requests whose body may be arriving at the same time; with `max_bytes` it bounds the memory they take.
        max_bytes: bytes of one recording.
        max_duration_s: seconds of one recording.
        max_text_chars: characters of one text.
        upload_timeout_s: a body that takes longer to arrive is refused.
        queue_timeout_s: a recording that waits longer for a worker is refused as "busy".
        assess_timeout_s: an answer is given up after this.
        shutdown_timeout_s: requests under way may take so long after the server was told to stop.
        api_keys: file of the keys that are let in; None lets everybody in.
        cors: origins whose pages may ask; "*" for all, empty for none but our own.
        log_text: whether the texts to be read are logged; recordings never are.
    """

    assessor: AssessorConfig = AssessorConfig(threads=1)
    workers: int | None = None
    queue: int = 16
    uploads: int = 32
    max_bytes: int = 20 * 2**20
    max_duration_s: float = 60.0
    max_text_chars: int = 1000
    upload_timeout_s: float = 30.0
    queue_timeout_s: float = 15.0
    assess_timeout_s: float = 60.0
    shutdown_timeout_s: float = 20.0
    api_keys: Path | None = None
    cors: tuple[str, ...] = ()
    log_text: bool = False

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could pass.

        Raises:
            ConfigError: a limit is zero or less, or an origin is none.
        """
        for name in (
            "workers uploads max_bytes max_duration_s max_text_chars upload_timeout_s queue_timeout_s assess_timeout_s "
            "shutdown_timeout_s"
        ).split():
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} of the server is {value}; expected more than 0")
        if self.queue < 0:
            raise ConfigError(f"queue of the server is {self.queue}; expected 0 or more waiting recordings")
        for origin in self.cors:
            if origin != "*" and (not origin.startswith(("http://", "https://")) or origin.count("/") != 2):
                raise ConfigError(
                    f"CORS origin is {origin!r}; expected '*' or scheme, host and port alone, such as "
                    "'https://learn.example.org'"
                )

    @property
    def worker_count(self) -> int:
        """Workers, chosen by the machine where the settings leave it."""
        if self.workers is not None:
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
