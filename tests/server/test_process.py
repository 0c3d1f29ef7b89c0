"""Workers in processes of their own: what they answer, and what happens when they die, hang or are wrong."""

from __future__ import annotations

import operator
import os
import pickle
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.errors import ConfigError, UnreadableAudioError
from elocute.server.crew import WorkerLost
from elocute.server.problems import Problem
from elocute.server.process import DeskProcess, WorkerError
from elocute.server.settings import ServerConfig
from elocute.server.wanted import Wanted
from elocute.server.work import Assess, Recording
from running_server import TEXTS, die, flac, served, threads_of_libraries, until

CONFIG = AssessorConfig(threads=1)


@pytest.fixture(scope="module")
def desk() -> Iterator[DeskProcess]:
    made = DeskProcess(CONFIG, limit_s=20)
    made.wait()
    yield made
    made.close()


def job(data: bytes, text: str = TEXTS["car"]) -> Assess:
    asked = Wanted(
        audio=b"", text=text, detail="full", l1=None, scale=100, shape="native", sensitivity="normal", advice="learner"
    )
    return Assess(wanted=asked, recording=Recording(data=data, sample_rate=None, max_duration_s=60))


def test_a_process_answers_as_the_library_does(desk: DeskProcess) -> None:
    made = desk.do(job(flac()))
    assert made.body.decode() == Assessor().assess(flac(), TEXTS["car"]).to_json(indent=2) + "\n"
    assert made.duration_s == 2.15
    assert set(made.stages_s) == {"decode", "assess", "write"}


def test_numerical_libraries_of_a_worker_keep_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers share the cores: with threads of their own a row takes half as much processor time again."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        monkeypatch.delenv(f"{library}_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    desk = DeskProcess(CONFIG, limit_s=20)
    desk.wait()
    assert desk.do(threads_of_libraries) == ["1", "1", "3"]
    desk.close()


def test_refusals_come_through_whole(desk: DeskProcess) -> None:
    with pytest.raises(UnreadableAudioError, match="not audio that can be read"):
        desk.do(job(b"nonsense that is no audio"))
    with pytest.raises(Problem, match="does not fit the text") as caught:
        desk.do(job(flac(), "A monkey sees something else entirely."))
    assert caught.value.code == "not-scorable"
    assert caught.value.report is not None
    assert caught.value.report["text"] == "A monkey sees something else entirely."
    again = pickle.loads(pickle.dumps(Problem("busy", "later", headers={"Retry-After": "3"})))
    assert (again.code, again.detail, again.headers, again.report) == ("busy", "later", {"Retry-After": "3"}, None)


def test_a_bug_leaves_the_process_as_it_was(desk: DeskProcess) -> None:
    pid = desk.pid
    with pytest.raises(WorkerError, match=r"Traceback(.|\n)*TypeError: object of type 'Desk' has no len"):
        desk.do(len)  # type: ignore[arg-type]
    assert desk.do(operator.attrgetter("_config")) == CONFIG
    assert desk.pid == pid


def test_a_process_that_dies_can_be_started_again(desk: DeskProcess) -> None:
    pid = desk.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not desk.is_alive)
    with pytest.raises(WorkerLost, match=r"died before its job came \(signal 9\)") as idle:
        desk.do(operator.attrgetter("_config"))
    assert not idle.value.was_at_work
    restarted(desk)
    with pytest.raises(WorkerLost, match=r"died at its job \(exit code 7\)") as busy:
        desk.do(partial(die, 7))
    assert busy.value.was_at_work
    assert not busy.value.was_hung
    restarted(desk)
    assert desk.do(operator.attrgetter("_config")) == CONFIG
    assert desk.pid != pid


def restarted(desk: DeskProcess) -> None:
    desk.start()
    desk.wait()


def test_a_process_that_hangs_is_ended() -> None:
    desk = DeskProcess(CONFIG, limit_s=0.3)
    desk.wait()
    pid = desk.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerLost, match=r"was at one recording for 0\.3 s and was ended") as caught:
        desk.do(operator.attrgetter("_config"))
    assert caught.value.was_hung
    assert not is_there(pid)
    restarted(desk)
    assert desk.do(operator.attrgetter("_config")) == CONFIG
    new = desk.pid
    desk.close()
    assert new is not None
    assert not is_there(new)


def is_there(pid: int) -> bool:
    """Whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_wrong_with_the_settings_comes_through() -> None:
    desk = DeskProcess(AssessorConfig(backend="nonsense"), limit_s=20)
    with pytest.raises(ConfigError, match="nonsense"):
        desk.wait()
    desk.close()


def test_a_server_outlives_its_workers_and_leaves_none_behind() -> None:
    with served(ServerConfig(workers=2)) as server, ThreadPoolExecutor(4) as threads:

        def post(_: int) -> int:
            files, data = {"audio": flac()}, {"text": TEXTS["car"]}
            return int(server.client.post(f"{server.url}/v1/assess", files=files, data=data).status_code)

        workers = server.pool.crew.workers
        pids = [desk.pid for desk in workers]
        assert list(threads.map(post, range(4))) == [200] * 4
        for pid in pids:
            os.kill(pid, signal.SIGTERM)  # as a whole process group is told to stop
        assert list(threads.map(post, range(4))) == [200] * 4
        # Killed in the middle of its work: nobody is told but the log and the figures.
        answers = threads.map(post, range(8))
        until(lambda: server.pool.running == 2)
        os.kill(pids[0], signal.SIGKILL)
        assert list(answers) == [200] * 8
        # Killed while it has nothing to do.
        until(lambda: server.pool.crew.alive == 2)
        os.kill(pids[1], signal.SIGKILL)
        until(lambda: server.pool.crew.lost == 2)
        until(lambda: server.pool.crew.alive == 2)
        figures = server.client.get(f"{server.url}/metrics").text
        assert "elocute_workers_lost_total 2.0" in figures
        assert "elocute_workers_alive 2.0" in figures
        sizes = re.findall(r'elocute_resident_bytes\{process="(.*)"\} (\S+)', figures)
        assert [name for name, _ in sizes] == ["server", "worker-0", "worker-1"]
        assert all(50e6 < float(size) < 2e9 for _, size in sizes)
        left = [desk.pid for desk in workers]
        assert not set(left) & set(pids)
    assert not any(is_there(pid) for pid in left)
