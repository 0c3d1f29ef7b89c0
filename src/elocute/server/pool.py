"""A crew of workers, and the queue in front of it, with a limit.

Each worker is waited for by a thread of its own. A place in the queue is free again as soon as its client has gone; a
worker is not interrupted, and is free when it is done. A job whose worker died is done once more by another one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from elocute.errors import ElocuteError
from elocute.server.crew import Crew, Worker, WorkerLost
from elocute.server.problems import Problem

W = TypeVar("W", bound=Worker)
T = TypeVar("T")

TRIES = 2
"""So many workers may die of a job."""
_MAX_RETRY_S = 60
_SMOOTHING = 0.1

log = logging.getLogger(__name__)


class Busy(Exception):  # noqa: N818 - a state
    """All places are taken; try again after `retry_after_s` seconds."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} recordings are waiting; try again in {retry_after_s} s")
        self.waiting = waiting
        self.retry_after_s = retry_after_s


class Abandoned(Exception):  # noqa: N818 - a state
    """Nobody waits for the answer any more."""


class TooSlow(Exception):  # noqa: N818 - a state
    """The answer did not come in time."""


@dataclass(slots=True)
class Ticket:
    """A place in the pool; times are of `time.monotonic`, 0 for not yet; `lost` workers died of the job."""

    since_s: float
    begun_s: float = 0.0
    is_abandoned: bool = False
    lost: int = 0

    @property
    def waited_s(self) -> float:
        """Seconds in the queue."""
        return self.begun_s - self.since_s


@dataclass(slots=True)
class _Counts:
    """How many places are taken and running; what one job takes in seconds, smoothed."""

    taken: int = 0
    running: int = 0
    seconds: float = 0.5
    begun: dict[int, float] = field(default_factory=dict)


class Pool(Generic[W]):
    """Workers with a queue.

    Args:
        workers: they belong to the pool from now on.
        waiting: how many jobs may wait.
        queue_timeout_s: a job that waits longer is refused.
        run_timeout_s: an answer that takes longer is given up.
    """

    def __init__(self, workers: Sequence[W], *, waiting: int, queue_timeout_s: float, run_timeout_s: float) -> None:
        self.workers = len(workers)
        self.crew = Crew(workers)
        self._places = self.workers + waiting
        self._queue_timeout_s = queue_timeout_s
        self._run_timeout_s = run_timeout_s
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._threads = ThreadPoolExecutor(max_workers=self.workers, thread_name_prefix="assess")

    @property
    def running(self) -> int:
        """Jobs that run."""
        return self._counts.running

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return max(self._counts.taken - self._counts.running, 0)

    @property
    def is_idle(self) -> bool:
        """Whether a worker has nothing to do."""
        return self._counts.taken < self.crew.alive

    @property
    def is_stuck(self) -> bool:
        """Whether every worker has been at one job for longer than any answer is waited for."""
        with self._lock:
            begun = list(self._counts.begun.values())
        return len(begun) == self.workers and time.monotonic() - max(begun) > self._run_timeout_s

    def check_free(self) -> None:
        """Raise Busy where no place is free; a place that is free may be taken by another a moment later."""
        if self._counts.taken >= self._places:
            raise self._busy()

    async def run(self, work: Callable[[W, Ticket], T], gone: Callable[[], Coroutine[None, None, None]]) -> T:
        """Let a worker do some work.

        Args:
            work: gets a worker and the job's ticket; called in a thread, and once more, with another worker, if the
                first one died.
            gone: returns when nobody waits for the answer any more.

        Raises:
            Busy: all places are taken, or it waited too long.
            Abandoned: `gone` returned first.
            TooSlow: it took too long.
            Problem: workers died of it, or there are none.
            Exception: whatever the work raises.
        """
        ticket, place = self._admit(work)
        answer = asyncio.wrap_future(place)
        answer.add_done_callback(partial(_observe, ticket))
        watcher = asyncio.ensure_future(gone())
        try:
            both: set[asyncio.Future[object]] = {answer, watcher}  # type: ignore[arg-type]
            done, _ = await asyncio.wait(both, timeout=self._queue_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                if place.cancel():
                    raise self._busy()
                done, _ = await asyncio.wait(both, timeout=self._run_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if answer in done:
                return answer.result()
            if watcher in done:
                watcher.result()
                raise Abandoned
            raise TooSlow
        finally:
            ticket.is_abandoned = True
            place.cancel()  # frees the place of a job that waits; nothing happens to one that runs or is done
            watcher.cancel()

    def close(self, within_s: float = 1.0) -> None:
        """End the workers; jobs that run and that nobody waits for any more get a moment, those that wait none."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        deadline_s = time.monotonic() + within_s
        while self.running and time.monotonic() < deadline_s:
            time.sleep(0.02)
        self.crew.close()
        self._threads.shutdown(wait=True)

    def _admit(self, work: Callable[[W, Ticket], T]) -> tuple[Ticket, Future[T]]:
        """Take a place."""
        with self._lock:
            if self._counts.taken >= self._places:
                raise self._busy()
            self._counts.taken += 1
        ticket = Ticket(time.monotonic())
        place = self._threads.submit(self._work, work, ticket)
        place.add_done_callback(self._leave)
        return ticket, place

    def _work(self, work: Callable[[W, Ticket], T], ticket: Ticket) -> T:
        """One job, in a worker's thread."""
        worker = self._taken()
        ticket.begun_s = time.monotonic()
        with self._lock:
            self._counts.running += 1
            self._counts.begun[id(ticket)] = ticket.begun_s
        try:
            while True:
                try:
                    if ticket.is_abandoned:
                        raise Abandoned
                    return work(worker, ticket)
                except WorkerLost as lost:
                    _check_lost(lost, ticket)
                finally:
                    self.crew.give(worker)
                worker = self._taken()
        finally:
            with self._lock:
                self._counts.running -= 1
                del self._counts.begun[id(ticket)]
                took_s = time.monotonic() - ticket.begun_s
                self._counts.seconds += _SMOOTHING * (took_s - self._counts.seconds)

    def _taken(self) -> W:
        """A worker that has nothing to do: there are as many as threads, but for those that died."""
        worker = self.crew.take(self._queue_timeout_s)
        if worker is None:
            raise Problem(
                "not-ready",
                f"none of {self.workers} workers is there after {self._queue_timeout_s:g} s; try again later",
                headers={"Retry-After": "10"},
            )
        return worker

    def _leave(self, place: Future[T]) -> None:
        """A place is free again: its job is done, or was dropped before it began."""
        with self._lock:
            self._counts.taken -= 1

    def _busy(self) -> Busy:
        """The refusal, with a guess at when it will be better."""
        wait_s = self._counts.taken * self._counts.seconds / self.workers
        return Busy(self.waiting, min(max(math.ceil(wait_s), 1), _MAX_RETRY_S))


def _check_lost(lost: WorkerLost, ticket: Ticket) -> None:
    """A worker died; return where the job may be tried once more.

    Raises:
        TooSlow: it did not die but take too long.
        Problem: workers have died of the job.
    """
    ticket.lost += lost.was_at_work
    log.error("%s (%d of %d for this job)", lost, ticket.lost, TRIES)
    if lost.was_hung:
        raise TooSlow from lost
    if ticket.lost >= TRIES:
        raise Problem(
            "crash",
            f"{TRIES} workers died, one after the other, while they assessed this recording; do not send it again as "
            "it is, and report it with the request id",
        ) from lost


def _observe(ticket: Ticket, answer: asyncio.Future[T]) -> None:
    """Look at an answer that nobody may be waiting for: a bug that shows then is logged."""
    error = None if answer.cancelled() else answer.exception()
    if ticket.is_abandoned and error is not None and not isinstance(error, (Abandoned, TooSlow, Problem, ElocuteError)):
        log.error("failed after it was given up", exc_info=error)
