"""Workers, and the one who starts them again when they die.

A worker may be killed at any time: by the machine when memory runs out, by whoever stops a process group, or by a
recording that a decoder cannot bear. The others go on meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from elocute.errors import ElocuteError

_LOOK_EVERY_S = 0.5
"""How often workers that have nothing to do are looked at."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

log = logging.getLogger(__name__)


class WorkerLost(RuntimeError):  # noqa: N818 - a state
    """A worker is gone, and its job was not answered.

    Attributes:
        was_at_work: whether it had begun the job; else the job is as good as new.
        was_hung: whether it was ended because it took too long.
    """

    def __init__(self, message: str, *, was_at_work: bool, was_hung: bool = False) -> None:
        super().__init__(message)
        self.was_at_work = was_at_work
        self.was_hung = was_hung


class Worker(Protocol):
    """What does the work; one job at a time."""

    @property
    def is_alive(self) -> bool:
        """Whether it can be given a job."""

    @property
    def pid(self) -> int | None:
        """Of its process; None where it has none."""

    def start(self) -> None:
        """Begin to start again what is dead."""

    def wait(self) -> None:
        """Return when it can be given jobs.

        Raises:
            WorkerLost, ElocuteError: it never will.
        """

    def kill(self) -> None:
        """End at once, whatever it does."""

    def close(self) -> None:
        """End; it has nothing to do any more."""


W = TypeVar("W", bound=Worker)


class Crew(Generic[W]):
    """Some workers.

    Args:
        workers: they belong to the crew from now on, and are ready.
    """

    def __init__(self, workers: Sequence[W]) -> None:
        self.workers = tuple(workers)
        self.lost = 0
        self._free: deque[W] = deque(workers)
        self._broken: list[W] = []
        self._change = threading.Condition()
        self._is_closing = False
        self._mender = threading.Thread(target=self._mend, name="mend", daemon=True)
        self._mender.start()

    @property
    def alive(self) -> int:
        """Workers that are not being started again."""
        return len(self.workers) - len(self._broken)

    def take(self, timeout_s: float) -> W | None:
        """A worker that has nothing to do; None if there is none in time, or the crew is closing."""
        with self._change:
            self._change.wait_for(lambda: self._free or self._is_closing, timeout_s)
            return self._free.popleft() if self._free and not self._is_closing else None

    def give(self, worker: W) -> None:
        """A worker has nothing to do any more, or is dead."""
        with self._change:
            if worker.is_alive:
                self._free.append(worker)
            else:
                self._lose(worker)
            self._change.notify_all()

    def close(self) -> None:
        """End all workers; those that are still at work in the middle of it."""
        with self._change:
            self._is_closing = True
            idle = [*self._free]
            self._change.notify_all()
        self._mender.join()
        for worker in self.workers:
            if worker in idle:
                worker.close()
            else:
                worker.kill()

    def _lose(self, worker: W) -> None:
        """A worker is dead."""
        self.lost += 1
        self._broken.append(worker)

    def _mend(self) -> None:
        """Start dead workers again, for as long as the crew is there."""
        pause_s = _FIRST_PAUSE_S
        while broken := self._next_broken():
            if self._mended(broken):
                pause_s = _FIRST_PAUSE_S
                continue
            self._rest(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _next_broken(self) -> list[W]:
        """Workers that are dead, once there are any; none if the crew is closing."""
        with self._change:
            while not self._is_closing:
                for worker in [one for one in self._free if not one.is_alive]:
                    log.error("a worker died while it had nothing to do")
                    self._free.remove(worker)
                    self._lose(worker)
                if self._broken:
                    return [*self._broken]
                self._change.wait(_LOOK_EVERY_S)
            return []

    def _mended(self, broken: Sequence[W]) -> bool:
        """Start some workers again, all at once; whether all of them are there."""
        begin_s = time.monotonic()
        for worker in broken:
            worker.start()
        is_whole = True
        for worker in broken:
            try:
                worker.wait()
            except (WorkerLost, ElocuteError) as error:
                log.error("a worker cannot be started again: %s", error)
                is_whole = False
                continue
            with self._change:
                self._broken.remove(worker)
                self._free.append(worker)
                self._change.notify_all()
            log.warning("a worker was started again after %.1f s", time.monotonic() - begin_s)
        return is_whole

    def _rest(self, seconds: float) -> None:
        """Wait, but not for longer than the crew is there."""
        with self._change:
            self._change.wait_for(lambda: self._is_closing, seconds)
