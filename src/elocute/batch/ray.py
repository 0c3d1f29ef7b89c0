"""The batch engine of many machines: Ray Data hands the partitions of a manifest to a pool of assessors.

Ray starts a worker that dies again and gives its partition to the next one. Beyond that, what becomes of a failure:

- an `ElocuteError` while a row is assessed is the row's answer, as on one machine;
- any other exception costs its row, too: a night's work does not stop for one bug. Its traceback is logged, and the
  summary counts it;
- a row at which workers die again and again (a crash of a decoder, memory) gets an error of its own;
- an `ElocuteError` while an assessor is built, or a manifest that changed, ends the run as it is;
- a place that cannot be read or written ends the run as a `BatchError`. What is written stays, and the same call goes
  on after it.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import elocute.errors
from elocute.batch.answers import AssessRow
from elocute.batch.local import BatchSummary, usable_cores
from elocute.batch.manifest import is_address
from elocute.batch.output import RunIdentity
from elocute.batch.partitions import Partition, Plan, plan_partitions
from elocute.batch.parts import Begun, begin_parts, earlier_partition_rows, finish_parts
from elocute.batch.ray_worker import Job, Worker
from elocute.batch.tracker import Tracker
from elocute.batch.worker import pickled
from elocute.errors import BatchError, ConfigError, ElocuteError, MissingExtraError

_LOG = logging.getLogger(__name__)

# Only cuts and counts go through Ray's object store; 75 MB is the least that it takes.
_OBJECT_STORE_BYTES = 100 * 2**20
_LOOK_EVERY_S = 1.0
# What all workers together tell of their progress; a call takes the one who hears it more than a millisecond.
_TOLD_A_SECOND = 50
# What a cluster of a run's own does without: its reports of use, and statistics for a dashboard that it does not have.
# All of Ray's processes keep them, for a few per cent of two cores; they are read when Ray is loaded.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_event_stats": "0",
    # Else the connection waits for workers that nobody has asked for yet.
    "RAY_prestart_worker_first_driver": "0",
}
# With so many partitions for each worker, one waits for it while it is busy: to be given the next one takes Ray a
# tenth of a second and more. With fewer, one that waits would be kept from workers that have nothing to do.
_PARTITIONS_TO_QUEUE = 4
# Of a partition: what a GPU hears in a few batches of like lengths, and what takes a processor a second.
_LEAST_ROWS_GPU, _LEAST_ROWS = 128, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the work is done.

    Attributes:
        address: of a Ray cluster, "auto" for the one of this machine; None takes that of the variable RAY_ADDRESS, and
            without it starts one on this machine, which ends with the run.
        workers: processes; None takes one for each core of the cluster, or with GPUs as many as these bear.
        gpus: GPUs of each worker, a fraction where several share one.
    """

    address: str | None = None
    workers: int | None = None
    gpus: float = 0.0


def run_ray_batch(
    manifest: str,
    out: str,
    *,
    make_assessor: Callable[[], AssessRow],
    configuration: str,
    cluster: Cluster | None = None,
    partition_rows: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fresh: bool = False,
) -> BatchSummary:
    """Assess every row of a manifest with the workers of a Ray cluster.

    Args:
        manifest: see `plan_partitions`.
        out: path or address; a folder of Parquet parts, or a file that ends in `.jsonl` with the very bytes that
            `run_batch` writes. See `elocute.batch.parts`.
        make_assessor: as for `run_batch`.
        configuration: as for `run_batch`.
        cluster: where; None starts one on this machine.
        partition_rows: rows that a worker answers before it writes them, about; None chooses by size and workers.
        progress: called with rows done and rows in all, once a second; where the manifest does not tell how many
            there are, the second is an estimate.
        fresh: forget an earlier run of the same output, finished or not.

    Raises:
        ConfigError: the manifest is malformed, there is no such cluster, or the output cannot be written, is finished
            already or belongs to a run of another manifest or configuration.
        MissingExtraError: Ray is not installed.
        ElocuteError: whatever `make_assessor` raises.
        BatchError: manifest or output could not be read or written any more, or Ray gave up.
    """
    started_s = time.perf_counter()
    cluster = cluster or Cluster()
    if cluster.workers is not None and cluster.workers < 1:
        raise ConfigError(f"workers is {cluster.workers}, expected 1 or more; leave it out for one a core")
    if partition_rows is not None and partition_rows < 1:
        raise ConfigError(f"rows of a partition are {partition_rows}, expected 1 or more; leave it out")
    if manifest == out:
        raise ConfigError(f"{out} is the manifest itself; name another place for the output")
    factory = pickled(make_assessor)
    with _connected(cluster) as ray:
        workers = cluster.workers or _room(ray, cluster)
        # Cut as an earlier run has cut it, or its parts would not fit.
        partition_rows = (None if fresh else earlier_partition_rows(out)) or partition_rows
        plan = plan_partitions(
            manifest,
            workers=workers,
            partition_rows=partition_rows,
            least_rows=_LEAST_ROWS_GPU if cluster.gpus else _LEAST_ROWS,
        )
        begun = begin_parts(
            out,
            plan,
            identity=RunIdentity(manifest_sha256=plan.sha256, configuration=configuration),
            partition_rows=plan.partition_rows,
            fresh=fresh,
        )
        job = Job(
            factory=factory,
            folder=begun.folder.path if begun.folder.is_local else begun.folder.name,
            version=version("elocute"),
            cwd=os.getcwd(),
            needs_cwd=not is_address(manifest) and not os.path.isabs(manifest),
            tell_every_s=max(_LOOK_EVERY_S, workers / _TOLD_A_SECOND),
        )
        run = _Run(ray, plan, begun, progress)
        run.assess(job, workers=workers, gpus=cluster.gpus)
    summary = BatchSummary(
        rows=run.rows,
        errors=run.errors,
        resumed=sum(part.rows for part in begun.done.values()),
        seconds=time.perf_counter() - started_s,
        bugs=run.bugs,
        deaths=run.deaths,
    )
    finish_parts(begun, plan, {"rows": summary.rows, "errors": summary.errors, "bugs": summary.bugs})
    return summary


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected to a cluster; who is connected already stays so."""
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    for name, value in (_QUIET if address is None else {"RAY_USAGE_STATS_ENABLED": "0"}).items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the engine 'ray' needs {error.name}, which is not installed; run: pip install 'elocute[ray]'"
        ) from error
    if ray.is_initialized():
        yield ray
        return
    try:
        if address is None:
            ray.init(
                address="local",
                num_cpus=cluster.workers or usable_cores(),
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        else:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = "on this machine" if address is None else f"at {address}"
        raise ConfigError(
            f"no Ray cluster {where} ({' '.join(str(error).split())[:300]}); start one with `ray start --head`, or "
            "leave --address out"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _room(ray: Any, cluster: Cluster) -> int:
    """How many workers a cluster bears."""
    resources = ray.cluster_resources()
    if cluster.gpus:
        gpus = resources.get("GPU", 0.0)
        if gpus < cluster.gpus:
            raise ConfigError(f"the cluster has {gpus:g} GPUs and each worker should take {cluster.gpus:g}; take less")
        return int(gpus / cluster.gpus + 1e-9)
    return max(int(resources.get("CPU", 1.0)), 1)


def _fulfil(future: Future[None], work: Callable[[], None]) -> None:
    """Do some work; what comes of it goes to the future."""
    try:
        work()
        future.set_result(None)
    except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
        future.set_exception(error)


class _Run:
    """One run: what is done, and what is told of it."""

    def __init__(self, ray: Any, plan: Plan, begun: Begun, progress: Callable[[int, int], None] | None) -> None:
        self._ray = ray
        self._plan = plan
        self._begun = begun
        self._progress = progress
        self._stopping = threading.Event()
        self._told = 0
        self.rows = sum(part.rows for part in begun.done.values())
        self.errors = sum(part.errors for part in begun.done.values())
        self.finished = len(begun.done)
        self.bugs = 0
        self.deaths = 0

    def assess(self, job: Job, *, workers: int, gpus: float) -> None:
        """Do what is not done yet, and tell how far it is."""
        todo = [partition for partition in self._plan.partitions if partition.number not in self._begun.done]
        self._tell(0)
        if not todo:
            return
        tracker = self._tracker()
        taken: Future[None] = Future()
        # A daemon: once Ray is gone, nothing would ever end it.
        threading.Thread(
            target=_fulfil,
            args=(taken, lambda: self._take(todo, job, tracker, min(workers, len(todo)), gpus)),
            daemon=True,
        ).start()
        try:
            while not wait([taken], timeout=_LOOK_EVERY_S).done:
                self._tell(self._ray.get(tracker.rows_under_way.remote()))
        finally:
            self._stopping.set()
        self._result(taken)
        self.deaths = self._ray.get(tracker.deaths.remote())
        self._tell(0)

    def _tracker(self) -> Any:
        """The tracker, on the machine of this process, so that it lives as long."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = self._ray.get_runtime_context().get_node_id()
        here = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        return self._ray.remote(Tracker).options(num_cpus=0, scheduling_strategy=here).remote()

    def _take(self, todo: Sequence[Partition], job: Job, tracker: Any, workers: int, gpus: float) -> None:
        """Let Ray Data work the partitions off; runs in a thread of its own."""
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # A partition may take as long as it takes.
        context.execution_no_progress_timeout_s = -1
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        items = [{"partition": pickle.dumps(partition)} for partition in todo]
        data = self._ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            Worker,
            batch_size=1,
            compute=ActorPoolStrategy(
                size=workers, max_tasks_in_flight_per_actor=2 if len(todo) >= workers * _PARTITIONS_TO_QUEUE else 1
            ),
            fn_constructor_args=(job, tracker),
            num_cpus=1,
            num_gpus=gpus or None,
        )
        for result in data.iter_rows():
            if self._stopping.is_set():
                return
            self._count(result, tracker)

    def _count(self, result: Mapping[str, Any], tracker: Any) -> None:
        """Take note of a partition that is written."""
        if result["fatal"]:
            kind = getattr(elocute.errors, result["fatal"], BatchError)
            raise kind(result["message"])
        tracker.end.remote(int(result["partition"]))
        self.rows += int(result["rows"])
        self.errors += int(result["errors"])
        self.finished += 1
        for bug in result["bugs"]:
            self.bugs += 1
            _LOG.error("%s", bug)

    def _tell(self, under_way: int) -> None:
        """Progress, which never goes back: rows of a worker that died are done again in silence."""
        if self._progress is None:
            return
        total = self._plan.rows
        if total is None:
            total = max(round(self.rows / max(self.finished, 1) * len(self._plan.partitions)), self.rows + under_way)
            total = self.rows if self.finished == len(self._plan.partitions) else total
        self._told = max(self._told, min(self.rows + under_way, total))
        self._progress(self._told, total)

    def _result(self, future: Future[None]) -> None:
        """Nothing, or the error that ended the run, in the house's words."""
        error = future.exception()
        if error is None or isinstance(error, ElocuteError):
            return future.result()
        from ray.exceptions import RayError

        if isinstance(error, RayError):
            # Ray's text is a traceback with advice around it; the line that names the exception says most.
            lines = [line for line in str(error).splitlines() if re.match(r"[\w.]+(Error|Exception): ", line)]
            said = lines[-1] if lines else " ".join(str(error).split())[-300:]
            raise BatchError(
                f"Ray gave up ({said}); {self.rows} rows are saved: run the same command to go on"
            ) from error
        raise error
