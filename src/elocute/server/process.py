"""A worker in a process of its own.

Threads will not do: an assessment holds Python's interpreter lock for most of its time, so that eight of them on 16
cores assess fewer recordings than one alone, while eight processes assess five times as many as one.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from elocute.config import AssessorConfig
from elocute.errors import ElocuteError
from elocute.maths_threads import keep_to_one_thread
from elocute.server.crew import WorkerLost
from elocute.server.problems import Problem
from elocute.server.work import Desk

T = TypeVar("T")

LOADING_S = 120.0
"""Loading the models takes a second or two; a worker that takes so long is not coming."""


class WorkerError(RuntimeError):
    """A bug in a worker's job; the worker is as good as before."""


class DeskProcess:
    """A desk behind a pipe.

    Args:
        config: of its assessors.
        limit_s: a job that takes longer is given up, and the process ended.
    """

    def __init__(self, config: AssessorConfig, *, limit_s: float) -> None:
        self._config = config
        self._limit_s = limit_s
        self.start()

    def start(self) -> None:
        """Begin to load the models, in a new process."""
        keep_to_one_thread()  # a spawned process has the environment of this one
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of threads
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._config), name="assess", daemon=True)
        self._process.start()
        theirs.close()

    def wait(self) -> None:
        """Return when its models are loaded.

        Raises:
            ElocuteError: they cannot be.
            WorkerLost: the process died, or takes forever.
        """
        try:
            if self._pipe.poll(LOADING_S):
                self._answer()
                return
        except (EOFError, OSError) as error:
            message = f"a worker died while it loaded its models ({self._end()})"
            raise WorkerLost(message, was_at_work=False) from error
        self._end()
        raise WorkerLost(f"a worker did not load its models in {LOADING_S:g} s", was_at_work=False, was_hung=True)

    def do(self, job: Callable[[Desk], T]) -> T:
        """Let the process do a job, which must be picklable, and so must its result be.

        Raises:
            Problem, ElocuteError: from the job.
            WorkerError: a bug in the job.
            WorkerLost: the process died or hung, and is no more.
        """
        if not self.is_alive:
            raise WorkerLost(f"a worker had died before its job came ({self._end()})", was_at_work=False)
        try:
            self._pipe.send(job)
            if self._pipe.poll(self._limit_s):
                answer: T = self._answer()
                return answer
        except (EOFError, OSError) as error:
            raise WorkerLost(f"a worker died at its job ({self._end()})", was_at_work=True) from error
        self._end()
        message = f"a worker was at one recording for {self._limit_s:g} s and was ended"
        raise WorkerLost(message, was_at_work=True, was_hung=True)

    def kill(self) -> None:
        """End the process at once, whatever it does; another thread may be in the middle of `do`."""
        self._process.kill()

    def close(self) -> None:
        """End the process, which does nothing at the moment."""
        self._pipe.close()
        self._process.join(5)
        self._end()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def _answer(self) -> Any:
        """What the process says next."""
        kind, value = self._pipe.recv()
        if kind == "bug":
            raise WorkerError(value)
        if kind == "refused":
            raise value
        return value

    def _end(self) -> str:
        """End the process in any case; how it ended."""
        self._process.join(0.1)  # one that has just died may still be on its way out
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _serve(pipe: Connection, config: AssessorConfig) -> None:
    """The process: load the models, then do jobs until the other end of the pipe is closed."""
    # Whoever stops the server also tells its processes; they go when it has no more jobs for them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        desk = Desk(config)
    except ElocuteError as error:
        pipe.send(("refused", error))
        return
    with suppress(EOFError, BrokenPipeError):  # the server has ended
        pipe.send(("ok", None))
        while True:
            pipe.send(_done(pipe.recv(), desk))


def _done(job: Callable[[Desk], object], desk: Desk) -> tuple[str, object]:
    """The outcome of a job: whatever goes wrong is for the server to answer and to log."""
    try:
        return "ok", job(desk)
    except (Problem, ElocuteError) as error:
        return "refused", error
    except Exception:  # noqa: BLE001 - raised again where it is answered
        return "bug", traceback.format_exc()
