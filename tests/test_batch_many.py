"""Many rows at once: the same reports as one by one, errors that cost their row only, the same file after a kill."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from batch_fakes import FakeFactory
from elocute.acoustic.fake import PlantedBackend
from elocute.acoustic.protocol import usual_batch
from elocute.assessor import Assessor
from elocute.batch.answers import Answer
from elocute.batch.local import run_batch
from elocute.batch.manifest import ManifestRow, read_manifest
from elocute.batch.many import RowAssessor, answer_rows
from elocute.batch.tracker import Tracker
from elocute.errors import AudioError
from elocute.phones import PHONES
from elocute.types import Audio, Posteriors

EXAMPLES = Path(__file__).parent.parent / "examples" / "manifest.jsonl"


class Batching(PlantedBackend):
    """Hears batches and remembers their sizes; refuses what is shorter than a second."""

    batches = True

    def __init__(self) -> None:
        super().__init__(PHONES, ["HH", "AH", "L", "OW"])
        self.sizes: list[int] = []

    def posteriors(self, audio: Audio) -> Posteriors:
        if audio.duration_s < 1.0:
            raise AudioError(f"audio is {audio.duration_s:.2f} s; expected a second")
        return super().posteriors(audio)

    def posteriors_batch(self, recordings: Sequence[Audio]) -> list[Posteriors]:
        self.sizes.append(len(recordings))
        return [self.posteriors(one) for one in recordings]


def rows() -> list[ManifestRow]:
    """Four recordings, and between them one that is not there and a text that says nothing."""
    good = list(read_manifest(EXAMPLES).rows[:4])
    missing = replace(good[0], id="missing", audio=Path("missing.wav"))
    return [good[0], missing, good[1], replace(good[1], id="mute", text="..."), *good[2:]]


def lines(answers: Sequence[Answer]) -> list[str]:
    return [answer.line for answer in answers]


def test_rows_in_batches_have_the_reports_and_errors_of_each_alone() -> None:
    backend = Batching()
    one_by_one = RowAssessor(maker=Assessor(backend=backend))
    alone = lines([answer for row in rows() for answer in answer_rows(one_by_one, [row])])
    assert backend.sizes == []
    together = answer_rows(RowAssessor(maker=Assessor(backend=backend), batch_size=3), rows())
    assert lines(together) == alone
    assert backend.sizes == [3]  # the fourth is by itself
    assert [answer.is_error for answer in together] == [False, True, False, True, False, False]


def test_a_recording_that_the_backend_refuses_costs_its_row_only(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "short.wav", np.random.default_rng(0).normal(0, 0.1, 8_000), 16_000)
    short = replace(rows()[0], id="short", audio=tmp_path / "short.wav")
    answers = answer_rows(
        RowAssessor(maker=Assessor(backend=Batching()), batch_size=4), [*rows()[:1], short, rows()[2]]
    )
    assert [answer.is_error for answer in answers] == [False, True, False]
    assert answers[1].error_message == "audio is 0.50 s; expected a second"


def test_backends_that_do_not_batch_give_the_same_bytes_whatever_is_asked_for() -> None:
    assessor = Assessor()
    alone = answer_rows(RowAssessor(maker=assessor), rows()[:3])
    assert lines(answer_rows(RowAssessor(maker=assessor, batch_size=8), rows()[:3])) == lines(alone)


def test_batches_pay_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELOCUTE_DEVICE", raising=False)
    assert usual_batch("embedded") == usual_batch("hf:any/model") == 1
    monkeypatch.setenv("ELOCUTE_DEVICE", "cuda")
    assert usual_batch("embedded") == 1
    assert usual_batch("hf:any/model") == 32


def write_manifest(folder: Path, count: int) -> Path:
    made = [{"id": f"row-{n}", "audio": f"{n}.wav", "text": f"sentence {'a' * (n % 7)}"} for n in range(count)]
    for row in made:
        (folder / row["audio"]).write_bytes(row["id"].encode())
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return manifest


def test_a_run_in_tasks_of_many_rows_goes_on_in_the_middle_of_one(tmp_path: Path) -> None:
    manifest, out, other = write_manifest(tmp_path, 21), tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    settings = {"configuration": "fake", "workers": 1}
    with pytest.raises(RuntimeError, match="one of the rows 'row-16' to 'row-20' met a bug: KeyError"):
        run_batch(manifest, out, make_assessor=FakeFactory(bug_on="row-17"), batch_size=2, **settings)
    partial = out.with_name("out.jsonl.partial")
    saved = partial.read_bytes().splitlines(keepends=True)
    assert len(saved) == 16
    partial.write_bytes(b"".join(saved[:11]) + saved[11][:5])  # a kill in the second of three tasks
    summary = run_batch(manifest, out, make_assessor=FakeFactory(), batch_size=2, **settings)
    assert (summary.rows, summary.resumed) == (21, 11)
    run_batch(manifest, other, make_assessor=FakeFactory(), **settings)
    assert out.read_bytes() == other.read_bytes()


class Near:
    """A tracker of this process that is asked like Ray's of another."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=getattr(self.tracker, name))


def test_a_worker_of_ray_takes_many_rows_and_finds_the_one_that_spoils_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of one by one, a bug costs its row; where a worker died before, rows go one by one."""
    ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
    from elocute.batch.partitions import plan_partitions
    from elocute.batch.parts import read_parts
    from elocute.batch.places import place_of
    from elocute.batch.ray_worker import Job, Worker

    monkeypatch.setattr(ray, "get", lambda value: value)
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "manifest.jsonl"
    listed = [{"id": row.id, "audio": str(row.audio), "text": row.text} for row in rows()]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in listed), encoding="utf-8")
    plan = plan_partitions(str(manifest), workers=1, partition_rows=32)
    job = Job(
        factory=pickle.dumps(make_batching),
        folder=str(tmp_path),
        version=version("elocute"),
        cwd=str(tmp_path),
        needs_cwd=False,
    )
    tracker = Tracker()
    results = []
    for sizes in ([3], []):  # the second time as after a death
        BACKEND.sizes.clear()
        result = Worker(job, Near(tracker))({"partition": [pickle.dumps(plan.partitions[0])]})
        assert (result["rows"], result["errors"], result["fatal"]) == ([6], [2], [""])
        results.append(lines(list(read_parts(place_of(str(tmp_path)), [0]))))
        assert BACKEND.sizes == sizes
        tracker.begin(0)
    assert results[0] == results[1]
    monkeypatch.setattr(Batching, "posteriors_batch", broken)
    tracker = Tracker()
    result = Worker(job, Near(tracker))({"partition": [pickle.dumps(plan.partitions[0])]})
    assert result["bugs"] == [[]]  # no row by itself has it
    assert lines(list(read_parts(place_of(str(tmp_path)), [0]))) == results[0]


BACKEND = Batching()


def make_batching() -> RowAssessor:
    return RowAssessor(maker=Assessor(backend=BACKEND), batch_size=3)


def broken(self: Batching, recordings: Sequence[Audio]) -> list[Posteriors]:
    raise IndexError("out of memory")


def test_a_model_of_transformers_gives_the_same_reports_in_batches(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the extra hf is not installed")
    from acoustic.tiny_models import save_family
    from elocute.acoustic.huggingface import HuggingFaceBackend

    backend = HuggingFaceBackend(save_family("wav2vec2", tmp_path / "model"), name="hf:tiny", threads=1)
    answers = [answer_rows(RowAssessor(maker=Assessor(backend=backend), batch_size=size), rows()) for size in (1, 4)]
    alone, together = ([json.loads(line) for line in lines(one)] for one in answers)
    assert [row["id"] for row in together] == [row.id for row in rows()]
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        assert numbers(one) == pytest.approx(numbers(other), abs=1e-3)


def numbers(value: object) -> list[float]:
    """Every number of a report, in order."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []
