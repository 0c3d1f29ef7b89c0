"""The batch engine of one machine: worker processes answer the rows of a manifest, one process writes them in order.

What becomes of a failure:

- an `ElocuteError` while a row is assessed (no speech in it, no such file, nothing pronounceable) is the row's answer;
- an `ElocuteError` while a worker builds its assessor concerns every row and ends the run as it is;
- any other exception is a bug: it ends the run as a `RuntimeError` that names the row;
- a worker that dies (out of memory, killed) ends the run as a `BatchError`.

In each of the last three cases the rows written so far stay, and the same call goes on after them.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from elocute.batch import worker
from elocute.batch.answers import Answer
from elocute.batch.answers import AssessRow as AssessRow
from elocute.batch.manifest import ManifestRow, read_manifest
from elocute.batch.many import task_rows
from elocute.batch.output import BatchOutput, RunIdentity
from elocute.errors import BatchError, ConfigError, ElocuteError

# Rows handed out ahead of the one that is written next, for each worker: enough to keep the others busy while one
# chews on a long recording, few enough to hold in memory.
_ROWS_AHEAD = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    """What a batch came to.

    Attributes:
        rows: in the output, one for each row of the manifest.
        errors: rows that hold an error instead of a report.
        resumed: rows that an earlier run had written.
        seconds: this run took.
        bugs: errors that are bugs of this program, their tracebacks logged (engine Ray; else a bug ends the run).
        deaths: workers that died and were replaced (engine Ray; else that ends the run).
    """

    rows: int
    errors: int
    resumed: int
    seconds: float
    bugs: int = 0
    deaths: int = 0


def run_batch(
    manifest: Path,
    out: Path,
    *,
    make_assessor: Callable[[], AssessRow],
    configuration: str,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fresh: bool = False,
    batch_size: int = 1,
) -> BatchSummary:
    """Assess every row of a manifest, on several processes, and write one JSON line for each, in the same order.

    A line is `{"id", "report"}` or `{"id", "error": {"type", "message"}}`. The bytes of the output depend neither on
    the number of workers nor on how often the run was killed and started again.

    Args:
        manifest: JSONL file, see `read_manifest`.
        out: file to make; it appears when it is complete. Until then `OUT.partial` holds the rows.
        make_assessor: called once in each worker; must be picklable (a function of a module, a `functools.partial` or
            a frozen dataclass with `__call__`). It should build a single-threaded model: the workers share the cores.
        configuration: a text that differs whenever the reports would (settings, model, version); a run is resumed
            only under the same.
        workers: processes; None takes one for each core that this process may use.
        progress: called with rows done and rows in all, at the start and after each row.
        fresh: forget an unfinished run of the same output and replace a finished one.
        batch_size: recordings that the assessor hears at once (`many.RowAssessor`). A row goes with the same others
            however the run is divided, so that the bytes depend on this number only.

    Raises:
        ConfigError: the manifest is malformed, or the output cannot be written, is finished already or belongs to a
            run of another manifest or configuration.
        ElocuteError: whatever `make_assessor` raises.
        BatchError: a worker process died.
        RuntimeError: a row met a bug; the message names it.
    """
    started_s = time.perf_counter()
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}, expected 1 or more; leave it out for one a core")
    if out.exists() and manifest.exists() and out.samefile(manifest):
        raise ConfigError(f"{out} is the manifest itself; name another file for the output")
    listed = read_manifest(manifest)
    identity = RunIdentity(manifest_sha256=listed.sha256, configuration=configuration)
    total = len(listed.rows)
    with BatchOutput(out, identity=identity, ids=[row.id for row in listed.rows], fresh=fresh) as output:
        resumed = output.rows
        if progress is not None:
            progress(resumed, total)
        if resumed < total:
            rows_a_task = task_rows(batch_size)
            begun = resumed % rows_a_task  # rows of the first task that are written already
            tasks = _tasks(listed.rows[resumed - begun :], rows_a_task)
            answers = _answers(tasks, make_assessor, workers or usable_cores())
            try:
                with closing(answers):
                    for answer in islice(answers, begun, None):
                        output.append(answer.line, is_error=answer.is_error)
                        if progress is not None:
                            progress(output.rows, total)
            except BrokenProcessPool as error:
                raise BatchError(
                    f"a worker process died (killed, or out of memory?) at row {listed.rows[output.rows].id!r} or soon "
                    f"after it; {output.rows} of {total} rows are saved: run the same command to go on, with fewer "
                    "workers if memory is short"
                ) from error
        output.finish()
    return BatchSummary(
        rows=output.rows, errors=output.errors, resumed=resumed, seconds=time.perf_counter() - started_s
    )


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tasks(rows: Sequence[ManifestRow], size: int) -> list[Sequence[ManifestRow]]:
    """Rows that are assessed together."""
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def _answers(
    tasks: Sequence[Sequence[ManifestRow]], make_assessor: Callable[[], AssessRow], workers: int
) -> Generator[Answer, None, None]:
    """The answers to the rows of all tasks, in their order, from a pool of processes."""
    workers = min(workers, len(tasks))
    pool = ProcessPoolExecutor(
        max_workers=workers,
        # A fork would copy the threads' locks of whatever the caller has loaded.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=worker.start,
        initargs=(worker.pickled(make_assessor),),
    )
    waiting: deque[tuple[Sequence[ManifestRow], Future[list[Answer]]]] = deque()
    ahead = workers * max(2, _ROWS_AHEAD // len(tasks[0]))
    try:
        for task in tasks:
            if len(waiting) >= ahead:
                yield from _result(*waiting.popleft())
            waiting.append((task, pool.submit(worker.answer, task)))
        while waiting:
            yield from _result(*waiting.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(task: Sequence[ManifestRow], future: Future[list[Answer]]) -> list[Answer]:
    """The answers to a task, once they are there; a bug that it met names its row, or its first and last."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, (ElocuteError, BrokenProcessPool)):
        raise error
    first, last = task[0], task[-1]
    where = f"row {first.id!r} ({first.audio})" if len(task) == 1 else f"one of the rows {first.id!r} to {last.id!r}"
    raise RuntimeError(f"{where} met a bug: {type(error).__name__}: {error}") from error
