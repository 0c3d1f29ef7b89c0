"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

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
        self.waiting = Gauge("elocute_queue_waiting", "Recordings that wait for a worker.", registry=self._registry)
        self.running = Gauge("elocute_running", "Recordings being assessed.", registry=self._registry)
        self.uploads = Gauge("elocute_uploads", "Requests whose body is arriving.", registry=self._registry)
        self.workers = Gauge("elocute_workers", "Recordings that can be assessed at once.", registry=self._registry)

    def observe_stages(self, stages_s: Mapping[str, float]) -> None:
        """Count how long the stages of an assessment took."""
        for stage, seconds in stages_s.items():
            self.stages.labels(stage).observe(seconds)

    def text(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self._registry)
