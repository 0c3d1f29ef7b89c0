"""The engine of many machines gives the rows of the engine of one, whatever dies on the way.

One small cluster serves all tests of this file that need one; what needs none is tested without.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray", reason="needs the extra 'ray'")

from batch_fakes import FakeFactory
from elocute.batch.answers import Answer, AssessRow
from elocute.batch.local import BatchSummary, run_batch
from elocute.batch.manifest import ManifestRow
from elocute.batch.output import RunIdentity
from elocute.batch.partitions import Plan, plan_partitions
from elocute.batch.parts import begin_parts, finish_parts, part_name, read_parts, write_part
from elocute.batch.places import place_of
from elocute.batch.ray import _QUIET, Cluster, _connected, _Run, run_ray_batch
from elocute.batch.ray_worker import Job, Worker
from elocute.batch.tracker import Tracker
from elocute.errors import ConfigError

# Ray's own, when it is loaded and used.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
IDENTITY = RunIdentity(manifest_sha256="0", configuration="c")


def write_manifest(folder: Path, rows: int) -> Path:
    """A manifest of so many rows; every ninth recording is missing, every tenth text is empty."""
    lines = []
    for i in range(rows):
        if i % 9:
            (folder / f"{i}.wav").write_bytes(b"x" * i)
        lines.append(json.dumps({"id": f"row-{i}", "audio": f"{i}.wav", "text": "é" * i if i % 10 else " "}))
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


# --- parts ------------------------------------------------------------------------------------------------------------


def planned(folder: Path, rows: int = 70, partition_rows: int = 32) -> Plan:
    folder.mkdir(exist_ok=True)
    return plan_partitions(str(write_manifest(folder, rows)), workers=1, partition_rows=partition_rows)


def answers(rows: range) -> list[Answer]:
    refused = {"error_type": "AudioError", "error_message": "né"}
    return [Answer(id=f"row-{i}", **(refused if i % 5 == 0 else {"report": f'{{"ü": {i}}}'})) for i in rows]


def test_parts_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = place_of(str(tmp_path))
    counted = write_part(folder, 3, iter(answers(range(600))))
    assert (counted.rows, counted.errors) == (600, 120)
    assert list(read_parts(folder, [3])) == answers(range(600))
    assert [path.name for path in tmp_path.iterdir()] == ["part-000003.parquet"]
    assert answers(range(2))[0].line == '{"id": "row-0", "error": {"type": "AudioError", "message": "né"}}'
    assert json.loads(answers(range(2))[1].line) == {"id": "row-1", "report": {"ü": 1}}


def test_a_part_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def dies() -> Iterator[Answer]:
        yield from answers(range(300))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_part(place_of(str(tmp_path)), 0, dies())
    assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_with_the_parts_that_are_there(tmp_path: Path) -> None:
    plan, out = planned(tmp_path / "in"), str(tmp_path / "out")
    begun = begin_parts(out, plan, identity=IDENTITY, partition_rows=32, fresh=False)
    assert (begun.done, begun.out) == ({}, None)
    write_part(begun.folder, 1, answers(range(32, 64)))
    (tmp_path / "out" / ".part-000000.abc").touch()  # of a worker that was killed
    begun = begin_parts(out, plan, identity=IDENTITY, partition_rows=32, fresh=False)
    assert {number: (part.rows, part.errors) for number, part in begun.done.items()} == {1: (32, 6)}
    for number, rows in ((0, range(32)), (2, range(64, 70))):
        write_part(begun.folder, number, answers(rows))
    finish_parts(begun, plan, {"rows": 70})
    names = ["_done.json", "_run.json", *map(part_name, range(3))]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    with pytest.raises(ConfigError, match="is finished already; name another folder, or replace it with --fresh"):
        begin_parts(out, plan, identity=IDENTITY, partition_rows=32, fresh=False)
    begin_parts(out, plan, identity=IDENTITY, partition_rows=32, fresh=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_run.json"]


def test_outputs_that_cannot_be_gone_on_with(tmp_path: Path) -> None:
    plan, out = planned(tmp_path / "in"), tmp_path / "out"

    def begin(**changed: Any) -> None:
        begin_parts(str(out), plan, **{"identity": IDENTITY, "partition_rows": 32, "fresh": False} | changed)

    out.mkdir()
    (out / "precious").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(ConfigError, match="holds other things .'precious' and the like.; name a new folder"):
            begin(fresh=fresh)
    assert (out / "precious").read_text() == "mine"
    (out / "precious").unlink()
    begin()
    other = RunIdentity(manifest_sha256="1", configuration="d")
    with pytest.raises(ConfigError, match="was begun with another manifest and configuration"):
        begin(identity=other)
    write_part(place_of(str(out)), 2, answers(range(5)))
    with pytest.raises(ConfigError, match=r"part-000002\.parquet in .* has 5 rows, expected 6; .* --fresh"):
        begin()
    (out / part_name(2)).write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="is damaged"):
        begin()
    (out / "_run.json").write_text("{")
    with pytest.raises(ConfigError, match=r"_run\.json is damaged"):
        begin()
    (tmp_path / "file").touch()
    out = tmp_path / "file"
    with pytest.raises(ConfigError, match="is a file; name a folder"):
        begin()
    out = tmp_path / "done.jsonl"
    out.write_text("precious\n")
    with pytest.raises(ConfigError, match="exists already"):
        begin()


# --- who dies where ---------------------------------------------------------------------------------------------------


def test_a_row_that_kills_twice_under_watch_is_left_alone() -> None:
    tracker = Tracker()
    assert not tracker.begin(7).is_watched
    tracker.tell(7, 12)
    assert tracker.rows_under_way() == 12
    for expected in (frozenset(), frozenset(), frozenset({20})):
        attempt = tracker.begin(7)
        assert (attempt.is_watched, attempt.deadly) == (True, expected)
        for row in (19, 20):
            tracker.begin_row(7, row)
    assert tracker.deaths() == 3
    tracker.end(7)
    assert tracker.rows_under_way() == 0


def test_rows_at_which_workers_were_killed_once_are_done_again() -> None:
    tracker = Tracker()
    for row in (3, 9, 4, 11):
        assert tracker.begin(0).deadly == frozenset()
        tracker.begin_row(0, row)


class Near:
    """A tracker that is asked like one of another process."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=getattr(self.tracker, name))


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """Makes assessors that end their process at one row."""

    row: str

    def __call__(self) -> AssessRow:
        return self.assess

    def assess(self, row: ManifestRow) -> dict[str, object]:
        if row.id == self.row:
            raise SystemExit(9)
        return {"text": row.text}


def test_a_recording_that_kills_costs_its_row_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "get", lambda value: value)
    plan, tracker = planned(tmp_path / "in"), Tracker()
    job = Job(
        factory=pickle.dumps(Deadly(row="row-40")),
        folder=str(tmp_path),
        version=version("elocute"),
        cwd=str(tmp_path),
        needs_cwd=False,
    )
    partition = {"partition": [pickle.dumps(plan.partitions[1])]}
    monkeypatch.chdir(tmp_path)
    for _ in range(3):  # the first dies unwatched
        with pytest.raises(SystemExit):
            Worker(job, Near(tracker))(partition)
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
    result = Worker(job, Near(tracker))(partition)
    assert {name: value[0] for name, value in result.items() if name != "bugs"} == {
        "partition": 1,
        "rows": 32,
        "errors": 1,
        "fatal": "",
        "message": "",
    }
    rows = list(read_parts(place_of(str(tmp_path)), [1]))
    assert [row.id for row in rows if row.is_error] == ["row-40"]
    assert "died at this recording again and again" in str(rows[8].error_message)


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"version": "0.0.1"}, "ConfigError", "the run 0.0.1; install the same on all machines"),
        ({"cwd": "/no/such/folder", "needs_cwd": True}, "ConfigError", "does not see the folder /no/such/folder"),
        ({"folder": "/proc/nowhere"}, "BatchError", "partition 0 cannot be read or written"),
    ],
)
def test_what_concerns_all_rows_is_told(
    changed: dict[str, Any], kind: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray, "get", lambda value: value)
    monkeypatch.setattr("elocute.batch.ray_worker._PAUSES_S", (0.0,))
    plan = planned(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    job = Job(
        factory=pickle.dumps(Deadly(row="none")),
        folder=str(tmp_path),
        version=version("elocute"),
        cwd=str(tmp_path),
        needs_cwd=False,
    )
    result = Worker(replace(job, **changed), Near(Tracker()))({"partition": [pickle.dumps(plan.partitions[0])]})
    assert (result["fatal"], result["rows"]) == ([kind], [0])
    assert message in result["message"][0]


def test_what_a_worker_tells_of_all_rows_ends_the_run(tmp_path: Path) -> None:
    plan = planned(tmp_path / "in")
    begun = begin_parts(str(tmp_path / "out"), plan, identity=IDENTITY, partition_rows=32, fresh=False)
    told = {"fatal": "ConfigError", "message": "no model of that name; see `elocute models`"}
    with pytest.raises(ConfigError, match="^no model of that name; see `elocute models`$"):
        _Run(None, plan, begun, None)._count(told, None)


def test_workers_tell_how_far_they_are_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "get", lambda value: value)
    plan = planned(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    told: list[tuple[int, int]] = []

    class Told(Tracker):
        def tell(self, partition: int, rows_done: int) -> None:
            told.append((partition, rows_done))

    for tell_every_s, expected in ((3600.0, []), (-1.0, [(0, row) for row in range(1, 33)])):
        job = Job(
            factory=pickle.dumps(Deadly(row="none")),
            folder=str(tmp_path),
            version=version("elocute"),
            cwd=str(tmp_path),
            needs_cwd=False,
            tell_every_s=tell_every_s,
        )
        Worker(job, Near(Told()))({"partition": [pickle.dumps(plan.partitions[0])]})
        assert told == expected


def test_only_a_cluster_of_ones_own_goes_without_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    names = ("RAY_ADDRESS", "RAY_event_stats", "RAY_USAGE_STATS_ENABLED")
    for name in {*names, *_QUIET}:
        monkeypatch.setenv(name, "x")  # put back in the end, whatever is set below
        monkeypatch.delenv(name)
    with _connected(Cluster(address="192.0.2.7:6379")):
        assert [os.environ.get(name) for name in names] == [None, None, "0"]
    with _connected(Cluster()):
        assert [os.environ.get(name) for name in names] == [None, "0", "0"]
    monkeypatch.setenv("RAY_event_stats", "1")
    with _connected(Cluster()):
        assert os.environ[names[1]] == "1"  # who asks for them gets them


# --- a cluster --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, once; runs see that it is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the fake assessor
        import ray

        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=80 * 2**20,
            logging_level="error",
            log_to_driver=False,
        )
        yield
        ray.shutdown()


def run(manifest: Path, out: Path, factory: FakeFactory, **options: Any) -> BatchSummary:
    arguments = {"configuration": "fake", "cluster": Cluster(workers=2), "partition_rows": 10} | options
    return run_ray_batch(str(manifest), str(out), make_assessor=factory, **arguments)


def test_rows_are_those_of_one_machine_though_a_worker_is_killed_and_a_row_meets_a_bug(
    cluster: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = write_manifest(tmp_path, 40)
    run_batch(manifest, tmp_path / "local.jsonl", make_assessor=FakeFactory(), configuration="", workers=1)
    calls: list[tuple[int, int]] = []
    summary = run(
        manifest,
        tmp_path / "ray.jsonl",
        FakeFactory(die_on="row-22", died=tmp_path / "died", bug_on="row-7"),
        partition_rows=4,  # so many that another one waits at the worker that dies
        progress=lambda done, total: calls.append((done, total)),
    )
    local, many = ((tmp_path / name).read_text().splitlines() for name in ("local.jsonl", "ray.jsonl"))
    assert [number for number in range(40) if local[number] != many[number]] == [7]
    assert len(many) == 40
    bug = json.loads(many[7])["error"]
    assert bug == {"type": "RuntimeError", "message": "it met a bug: KeyError: 'AX'"}
    assert "KeyError: 'AX'" in caplog.text
    assert "in assess" in caplog.text  # the traceback
    assert (summary.rows, summary.resumed, summary.bugs, summary.deaths) == (40, 0, 1, 1)
    assert summary.errors == sum("error" in json.loads(line) for line in many) == 9
    assert calls[0] == (0, 40)
    assert calls[-1] == (40, 40)
    assert calls == sorted(calls)
    assert not (tmp_path / "ray.jsonl.parts").exists()


def test_what_is_done_is_not_done_again(cluster: None, tmp_path: Path) -> None:
    manifest, out = write_manifest(tmp_path, 40), tmp_path / "out"
    plan = plan_partitions(str(manifest), workers=2, partition_rows=10)
    identity = RunIdentity(manifest_sha256=plan.sha256, configuration="fake")
    folder = begin_parts(str(out), plan, identity=identity, partition_rows=10, fresh=False).folder
    for number in (0, 1, 3):
        write_part(folder, number, answers(range(number * 10, number * 10 + 10)))
    pids = tmp_path / "pids"
    pids.mkdir()
    # Cut as the first run cut it, whatever is said now.
    summary = run(manifest, out, FakeFactory(pids=pids), partition_rows=17)
    assert (summary.rows, summary.resumed) == (40, 30)
    assert len(list(pids.iterdir())) == 1  # one partition was left, and so one worker
    rows = list(read_parts(folder, range(len(plan.partitions))))
    assert [row.id for row in rows] == [f"row-{i}" for i in range(40)]
    assert rows[:20] == answers(range(20))
    assert [row.is_error for row in rows[20:30]] == [i % 9 == 0 or i % 10 == 0 for i in range(20, 30)]
    with pytest.raises(ConfigError, match="is finished already"):
        run(manifest, out, FakeFactory())


def test_options_that_cannot_be(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 2)
    for options, message in (
        ({"cluster": Cluster(workers=0)}, "workers is 0, expected 1 or more"),
        ({"partition_rows": 0}, "rows of a partition are 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            run(manifest, tmp_path / "out", FakeFactory(), **options)
    with pytest.raises(ConfigError, match="is the manifest itself"):
        run(manifest, manifest, FakeFactory())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.wav", "manifest.jsonl"]
