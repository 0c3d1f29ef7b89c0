"""What a worker of a Ray cluster does: it takes a partition, answers its rows, writes them, and says how many."""

from __future__ import annotations

import logging
import os
import pickle
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from typing import Any

from elocute.batch.answers import Answer, AssessRow, answer_row, refusal
from elocute.batch.manifest import ManifestRow
from elocute.batch.many import answer_rows, rows_at_once
from elocute.batch.partitions import Partition, read_partition
from elocute.batch.parts import write_part
from elocute.batch.places import fetched, place_of
from elocute.batch.tracker import Attempt
from elocute.errors import BatchError, ConfigError, ElocuteError

log = logging.getLogger(__name__)

# A store that is away for a moment is asked again after so many seconds.
_PAUSES_S = (1.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all workers of a run must know.

    Attributes:
        factory: pickled maker of the assessor.
        folder: where the parts go.
        version: of elocute, which must be the same everywhere.
        cwd: folder at which relative paths start.
        needs_cwd: whether the manifest is such a path.
        tell_every_s: how often each tells how far it is.
    """

    factory: bytes
    folder: str
    version: str
    cwd: str
    needs_cwd: bool
    tell_every_s: float = 1.0


class Worker:
    """One process of the pool; Ray Data calls it with a partition at a time."""

    def __init__(self, job: Job, tracker: Any) -> None:
        self._job = job
        self._tracker = tracker
        self._assess: AssessRow | None = None
        self._bugs: list[str] = []
        # Ray keeps numerical libraries to one thread (OMP_NUM_THREADS), as it gives each worker one core.

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Answer a partition and write its part; one row that says what came of it."""
        partition: Partition = pickle.loads(batch["partition"][0])
        self._bugs = []
        fatal, message, rows, errors = "", "", 0, 0
        try:
            written = self._write(partition)
            rows, errors = written.rows, written.errors
        except ElocuteError as error:  # it concerns all rows: told, since Ray would wrap it in tracebacks
            fatal, message = type(error).__name__, str(error)
        return {
            "partition": [partition.number],
            "rows": [rows],
            "errors": [errors],
            "bugs": [self._bugs],
            "fatal": [fatal],
            "message": [message],
        }

    def _write(self, partition: Partition) -> Any:
        """The part of a partition."""
        self._set_up()
        folder = place_of(self._job.folder)
        for pause_s in (*_PAUSES_S, None):
            try:
                return write_part(folder, partition.number, self._answers(partition))
            except OSError as error:
                if pause_s is None:
                    raise BatchError(
                        f"partition {partition.number} cannot be read or written ({error}); what is done is saved: "
                        "mend it and run the same command to go on"
                    ) from error
                self._tracker.end.remote(partition.number)  # nobody died
                time.sleep(pause_s)
        raise AssertionError

    def _set_up(self) -> None:
        """Load the assessor once."""
        if self._assess is not None:
            return
        if version("elocute") != self._job.version:
            raise ConfigError(
                f"a worker has elocute {version('elocute')}, the run {self._job.version}; "
                "install the same on all machines"
            )
        if os.path.isdir(self._job.cwd):
            os.chdir(self._job.cwd)
        elif self._job.needs_cwd:
            raise ConfigError(
                f"a worker does not see the folder {self._job.cwd}, where relative paths start; "
                "give paths that all machines share, or addresses"
            )
        self._assess = pickle.loads(self._job.factory)()

    def _answers(self, partition: Partition) -> Iterator[Answer]:
        """The answers to a partition's rows, in order."""
        import ray

        attempt: Attempt = ray.get(self._tracker.begin.remote(partition.number))
        assert self._assess is not None
        at_once = 1 if attempt.is_watched else rows_at_once(self._assess)
        told_s = time.monotonic()
        rows = iter(enumerate(read_partition(partition)))
        while task := list(islice(rows, at_once)):
            if attempt.is_watched:
                ray.get(self._tracker.begin_row.remote(partition.number, task[0][0]))
            yield from self._answer_task(task, attempt.deadly)
            if time.monotonic() - told_s > self._job.tell_every_s:
                told_s = time.monotonic()
                self._tracker.tell.remote(partition.number, task[-1][0] + 1)

    def _answer_task(self, task: Sequence[tuple[int, ManifestRow | Answer]], deadly: frozenset[int]) -> list[Answer]:
        """The answers to some rows with their numbers; those that are to be assessed are assessed together."""
        found: dict[int, Answer] = {}
        rows: dict[int, ManifestRow] = {}
        for number, row in task:
            if isinstance(row, Answer):
                found[number] = row
            elif number in deadly:
                found[number] = refusal(row.id, BatchError(_DEADLY))
            else:
                rows[number] = row
        found.update(zip(rows, self._answer_rows(list(rows.values())), strict=True))
        return [found[number] for number, _ in task]

    def _answer_rows(self, rows: Sequence[ManifestRow]) -> list[Answer]:
        """The answers to rows, together where that pays; a row that spoils the others' is found one by one."""
        assert self._assess is not None
        if len(rows) > 1:
            try:
                return answer_rows(self._assess, [fetched(row) for row in rows])
            except Exception as error:  # noqa: BLE001 - told of the row that is to blame, below
                log.info("rows %s to %s are done one by one: %s", rows[0].id, rows[-1].id, error)
        return [self._answer(row) for row in rows]

    def _answer(self, row: ManifestRow) -> Answer:
        """The answer to one row, whatever happens."""
        assert self._assess is not None
        try:
            return answer_row(self._assess, fetched(row))
        except ElocuteError as error:
            return refusal(row.id, error)
        except Exception as error:  # noqa: BLE001 - costs its row; the traceback goes back to who began the run
            self._bugs.append(f"row {row.id!r} ({row.audio}) met a bug:\n{traceback.format_exc()}")
            return Answer(
                id=row.id, error_type="RuntimeError", error_message=f"it met a bug: {type(error).__name__}: {error}"
            )


_DEADLY = (
    "workers died at this recording again and again (a crash of its decoder, or memory?); keep it for a report, and "
    "leave it out"
)
