"""Workers that die: their job is done once more by another one, and they are started again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from elocute.server import crew
from elocute.server.crew import Crew, WorkerLost
from elocute.server.pool import Abandoned, Pool, Ticket, TooSlow
from elocute.server.problems import Problem
from running_server import until


class Mortal:
    """A worker in this process that can be killed."""

    pid = None

    def __init__(self) -> None:
        self.is_alive = True
        self.starts = 0
        self.lives_at_start = True
        self.is_closed = False

    def start(self) -> None:
        self.starts += 1

    def wait(self) -> None:
        if not self.lives_at_start:
            raise WorkerLost("it died while it loaded", was_at_work=False)
        self.is_alive = True

    def kill(self) -> None:
        self.is_alive = False

    def close(self) -> None:
        self.is_alive = False
        self.is_closed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(crew, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(crew, "_LONGEST_PAUSE_S", 0.05)


@contextmanager
def pooled(count: int, queue_timeout_s: float = 5.0) -> Iterator[tuple[Pool[Mortal], list[Mortal]]]:
    workers = [Mortal() for _ in range(count)]
    pool = Pool(workers, waiting=4, queue_timeout_s=queue_timeout_s, run_timeout_s=5.0)
    yield pool, workers
    pool.close()
    assert not any(worker.is_alive for worker in workers)


async def forever() -> None:
    await asyncio.Event().wait()


def run(pool: Pool[Mortal], work: Callable[[Mortal, Ticket], Any]) -> Any:
    return asyncio.run(pool.run(work, forever))


def deadly(deaths: int, seen: list[Mortal], *, was_at_work: bool = True) -> Callable[[Mortal, Ticket], str]:
    """A job that kills its first workers."""

    def work(worker: Mortal, ticket: Ticket) -> str:
        seen.append(worker)
        if len(seen) <= deaths:
            worker.is_alive = False
            raise WorkerLost("it died", was_at_work=was_at_work)
        return f"done after {ticket.lost}"

    return work


def test_a_job_whose_worker_died_is_done_by_another_one() -> None:
    with pooled(2) as (pool, workers):
        seen: list[Mortal] = []
        assert run(pool, deadly(1, seen)) == "done after 1"
        assert len({*map(id, seen)}) == 2
        until(lambda: pool.crew.alive == 2)
        assert (pool.crew.lost, [worker.starts for worker in workers].count(1)) == (1, 1)
        assert (pool.running, pool.waiting) == (0, 0)


def test_one_worker_alone_is_waited_for() -> None:
    with pooled(1) as (pool, workers):
        assert run(pool, deadly(1, [])) == "done after 1"
        assert workers[0].starts == 1


def test_a_job_that_kills_twice_is_not_tried_again() -> None:
    with pooled(3) as (pool, _):
        seen: list[Mortal] = []
        with pytest.raises(Problem, match="2 workers died, one after the other") as caught:
            run(pool, deadly(9, seen))
        assert (caught.value.code, caught.value.status, len(seen)) == ("crash", 500, 2)
        until(lambda: pool.crew.alive == 3)
        assert run(pool, deadly(0, [])) == "done after 0"


def test_workers_that_died_before_the_job_came_do_not_count() -> None:
    with pooled(3) as (pool, _):
        assert run(pool, deadly(3, [], was_at_work=False)) == "done after 0"


def test_workers_that_die_with_nothing_to_do_are_started_again() -> None:
    with pooled(2) as (pool, workers):
        for worker in workers:
            worker.kill()
        until(lambda: [worker.starts for worker in workers] == [1, 1])
        until(lambda: pool.crew.alive == 2)
        assert pool.crew.lost == 2


def test_a_worker_that_cannot_be_started_is_tried_again_and_again() -> None:
    with pooled(1, queue_timeout_s=0.2) as (pool, workers):
        workers[0].lives_at_start = False
        workers[0].kill()
        until(lambda: workers[0].starts >= 3)
        assert pool.crew.alive == 0
        assert not pool.is_idle
        with pytest.raises(Problem, match="none of 1 workers is there after 0.2 s") as caught:
            run(pool, deadly(0, []))
        assert (caught.value.code, caught.value.status) == ("not-ready", 503)
        assert caught.value.headers["Retry-After"] == "10"
        workers[0].lives_at_start = True
        until(lambda: pool.crew.alive == 1)
        assert run(pool, deadly(0, [])) == "done after 0"


def test_a_job_that_hung_is_not_tried_again() -> None:
    with pooled(2) as (pool, _):
        seen: list[Mortal] = []

        def work(worker: Mortal, ticket: Ticket) -> None:
            seen.append(worker)
            worker.kill()
            raise WorkerLost("it hung", was_at_work=True, was_hung=True)

        with pytest.raises(TooSlow):
            run(pool, work)
        assert len(seen) == 1


def test_nobody_does_again_what_nobody_waits_for() -> None:
    with pooled(2) as (pool, _):
        began, go = threading.Event(), threading.Event()
        seen: list[Mortal] = []

        def work(worker: Mortal, ticket: Ticket) -> None:
            seen.append(worker)
            began.set()
            assert go.wait(5)
            worker.kill()
            raise WorkerLost("it died", was_at_work=True)

        async def leave() -> None:
            await asyncio.to_thread(began.wait, 5)

        with pytest.raises(Abandoned):
            asyncio.run(pool.run(work, leave))
        go.set()
        until(lambda: pool.running == 0)
        assert len(seen) == 1


def test_closing_ends_what_runs_for_too_long() -> None:
    workers = [Mortal(), Mortal()]
    pool = Pool(workers, waiting=0, queue_timeout_s=5, run_timeout_s=5)

    def work(worker: Mortal, ticket: Ticket) -> None:
        until(lambda: not worker.is_alive)
        raise WorkerLost("it was killed", was_at_work=True)

    async def begin() -> None:
        running = asyncio.ensure_future(pool.run(work, forever))
        while not pool.running:
            await asyncio.sleep(0.01)
        begin_s = time.monotonic()
        await asyncio.to_thread(pool.close, 0.2)
        assert 0.2 <= time.monotonic() - begin_s < 2
        with pytest.raises(Problem, match="none of 2 workers"):
            await running

    asyncio.run(begin())
    assert [worker.is_closed for worker in workers].count(True) == 1
    assert not any(worker.is_alive for worker in workers)


def test_a_crew_that_is_closed_gives_nobody() -> None:
    one = Crew([Mortal()])
    one.close()
    assert one.take(0.1) is None
