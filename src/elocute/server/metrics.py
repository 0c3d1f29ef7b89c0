"""What Prometheus reads at /metrics."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from elocute.server.pool import Pool

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

STAGES = ("upload", "queue", "decode", "assess", "write")


class Metrics:
    """The figures of one server, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "elocute_requests_total",
            "Requests by path, method and status.",
            ["path", "method", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "elocute_request_seconds",
            "From the first byte to the last of the answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.stages = Histogram(
            "elocute_stage_seconds",
            "Stages of an assessment: " + ", ".join(STAGES) + ".",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.audio = Counter("elocute_audio_seconds_total", "Seconds of audio assessed.", registry=self._registry)
        self.errors = Counter("elocute_errors_total", "Problems by kind.", ["code"], registry=self._registry)
        self.uploads = Gauge("elocute_uploads", "Requests whose body is arriving.", registry=self._registry)

    def watch(self, pool: Pool[Any]) -> None:
        """Tell of a pool from now on."""
        self._registry.register(_PoolFigures(pool))

    def observe_stages(self, stages_s: Mapping[str, float]) -> None:
        """Count how long the stages of an assessment took."""
        for stage, seconds in stages_s.items():
            self.stages.labels(stage).observe(seconds)

    def text(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self._registry)


class _PoolFigures(Collector):
    """What a pool says of itself when it is asked."""

    def __init__(self, pool: Pool[Any]) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """The figures of now."""
        pool = self._pool
        yield _gauge("elocute_queue_waiting", "Recordings that wait for a worker.", pool.waiting)
        yield _gauge("elocute_running", "Recordings being assessed.", pool.running)
        yield _gauge("elocute_workers", "Recordings that can be assessed at once.", pool.workers)
        yield _gauge("elocute_workers_alive", "Workers that are not being started again.", pool.crew.alive)
        lost = CounterMetricFamily("elocute_workers_lost", "Workers that died or hung and were replaced.")
        lost.add_metric([], pool.crew.lost)
        yield lost
        memory = GaugeMetricFamily(
            "elocute_resident_bytes", "Memory of the server and of each worker (Linux).", labels=["process"]
        )
        pids = {"server": os.getpid()} | {f"worker-{i}": worker.pid for i, worker in enumerate(pool.crew.workers)}
        for name, pid in pids.items():
            resident = None if pid is None else resident_bytes(pid)
            if resident is not None:
                memory.add_metric([name], resident)
        yield memory


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    """A figure without labels."""
    return GaugeMetricFamily(name, what, value=value)


def resident_bytes(pid: int) -> int | None:
    """Memory of a process; None where that cannot be told: it has ended, or the system is not Linux."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
