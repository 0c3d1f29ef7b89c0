"""Batch: what a manifest may hold, what comes out, and that a kill at any moment changes nothing of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batch_fakes import FakeFactory
from elocute.batch.local import BatchSummary, run_batch
from elocute.batch.manifest import read_manifest
from elocute.batch.output import BatchOutput, RunIdentity
from elocute.errors import BatchError, ConfigError

FAKES = Path(__file__).parent / "batch_fakes.py"
IDENTITY = RunIdentity(manifest_sha256="0", configuration="c")


def write_manifest(folder: Path, rows: int, **changed: object) -> Path:
    """A manifest of so many rows, each with its own little file as audio."""
    lines = []
    for i in range(rows):
        (folder / f"{i}.wav").write_bytes(b"x" * i)
        lines.append(json.dumps({"id": f"row-{i}", "audio": f"{i}.wav", "text": f"sentence {'a' * i}", **changed}))
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def run(manifest: Path, out: Path, **changed: object) -> BatchSummary:
    """A batch with the fake, two workers unless said."""
    arguments = {"make_assessor": FakeFactory(), "configuration": "fake", "workers": 2} | changed
    return run_batch(manifest, out, **arguments)


def read(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.read_bytes().split(b"\n")[:-1]]


# --- manifest ---------------------------------------------------------------------------------------------------------


def test_manifest_rows_keep_order_paths_and_phones(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(
        b'\xef\xbb\xbf{"id": "b", "audio": "deep/x.wav", "text": "Hi there", "phones": [["HH", "AY1"], ["DH", "EH1"]]}'
        b"\r\n\n   \n"
        b'{"id": "a", "audio": "/abs/y.wav", "text": "caf\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x98\x80", "voice": "slt"}'
    )
    first, second = read_manifest(manifest).rows
    assert (first.id, first.audio, first.text) == ("b", tmp_path / "deep/x.wav", "Hi there")
    assert first.phones == (("HH", "AY1"), ("DH", "EH1"))
    assert (second.id, second.audio, second.phones) == ("a", Path("/abs/y.wav"), None)
    assert second.text == "café \u2028 😀"


GOOD = '{"id": "a", "audio": "x.wav", "text": "Hi"}\n\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"m\.jsonl, line 3: not JSON"),
        ('["a"]', "line 3: got a JSON list, expected an object"),
        ('{"id": "b", "text": "Hi"}', "line 3: no 'audio'"),
        ('{"audio": "x.wav", "text": "Hi"}', "line 3: no 'id'"),
        ('{"id": "b", "audio": "x.wav"}', "line 3: no 'text'"),
        ('{"id": 7, "audio": "x.wav", "text": "Hi"}', "line 3: 'id' is 7, expected a string"),
        ('{"id": "", "audio": "x.wav", "text": "Hi"}', "line 3: 'id' is empty"),
        ('{"id": "b", "audio": "", "text": "Hi"}', "line 3: 'audio' is empty"),
        ('{"id": "b", "audio": "x\\u0000y", "text": "Hi"}', "line 3: 'audio' holds a null"),
        ('{"id": "b", "audio": "x.wav", "text": null}', "line 3: 'text' is None"),
        ('{"id": "b", "audio": "x.wav", "text": "\\ud83d"}', "line 3: 'text' holds half a surrogate pair"),
        ('{"id": "a", "audio": "x.wav", "text": "Hi"}', "line 3: id 'a' is already used in line 1"),
        ('{"id": "b", "audio": "x.wav", "text": "Hi", "phones": []}', "line 3: 'phones' is \\[\\]"),
        ('{"id": "b", "audio": "x.wav", "text": "Hi", "phones": "HH AY"}', "line 3: 'phones' is 'HH AY'"),
        ('{"id": "b", "audio": "x.wav", "text": "Hi", "phones": ["HH", "AY"]}', "line 3: 'phones' holds 'HH'"),
        ('{"id": "b", "audio": "x.wav", "text": "Hi", "phones": [["HH", 1]]}', "line 3: 'phones' holds"),
        ('{"id": "b", "audio": "x.wav", "text": "Hi", "phones": [[]]}', "line 3: 'phones' holds \\[\\]"),
    ],
)
def test_malformed_manifest_stops_before_any_work(line: str, message: str, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(GOOD + line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        run(manifest, tmp_path / "out.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.jsonl"]


def test_manifest_that_is_empty_absent_or_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n \n")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "caf\xe9"}')
    with pytest.raises(ConfigError, match="has no rows"):
        read_manifest(tmp_path / "empty.jsonl")
    with pytest.raises(ConfigError, match="line 1: not JSON"):
        read_manifest(tmp_path / "latin.jsonl")
    with pytest.raises(ConfigError, match="No such file"):
        read_manifest(tmp_path / "absent.jsonl")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_manifest(tmp_path)


# --- a whole run ------------------------------------------------------------------------------------------------------


def test_rows_come_out_in_order_with_reports_and_errors(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    (tmp_path / "x.wav").write_bytes(b"xyz")
    rows = [
        {"id": "gänse", "audio": "x.wav", "text": "café \u2028 \n 😀", "phones": [["K", "AE1"]]},
        {"id": "missing", "audio": "no.wav", "text": "Hi"},
        {"id": "empty", "audio": "x.wav", "text": " "},
        {"id": "last", "audio": "x.wav", "text": "Hi"},
    ]
    manifest.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    calls: list[tuple[int, int]] = []
    summary = run(manifest, tmp_path / "out.jsonl", progress=lambda done, total: calls.append((done, total)))
    out = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in out] == [row["id"] for row in rows]
    assert out[0]["report"] == {
        "text": "café \u2028 \n 😀",
        "bytes": 3,
        "phones": [["K", "AE1"]],
        "score": len(rows[0]["text"]) / 3,
        "threads": "1",
    }
    assert out[1] == {
        "id": "missing",
        "error": {"type": "AudioError", "message": "no such file: no.wav; check the path"},
    }
    assert out[2]["error"]["type"] == "TextError"
    assert out[3]["report"]["phones"] is None
    assert "gänse" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert calls == [(done, 4) for done in range(5)]
    assert (summary.rows, summary.errors, summary.resumed) == (4, 2, 0)
    assert summary.seconds > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.jsonl", "out.jsonl", "x.wav"]


def test_the_number_of_workers_does_not_show(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 70)
    slow = FakeFactory(delay_s=0.002)
    for workers in (1, 3):
        run(manifest, tmp_path / f"{workers}.jsonl", workers=workers, make_assessor=slow)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()
    assert [row["id"] for row in read(tmp_path / "3.jsonl")] == [f"row-{i}" for i in range(70)]


def test_a_finished_output_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 2)
    out = tmp_path / "out.jsonl"
    out.write_text("precious\n")
    with pytest.raises(ConfigError, match=r"out\.jsonl exists already; name another file, or replace it with --fresh"):
        run(manifest, out)
    assert out.read_text() == "precious\n"
    assert run(manifest, out, fresh=True).rows == 2
    assert [row["id"] for row in read(out)] == ["row-0", "row-1"]


@pytest.mark.parametrize(
    ("out", "changed", "message"),
    [
        ("no/out.jsonl", {}, "name a file in an existing one"),
        (".", {}, "a folder itself"),
        ("manifest.jsonl", {}, "is the manifest itself"),
        ("out.jsonl", {"workers": 0}, "workers is 0, expected 1 or more"),
        ("out.jsonl", {"make_assessor": lambda: print}, "cannot be sent to worker processes"),
        ("out.jsonl", {"make_assessor": FakeFactory(no_model=True)}, "^no model of that name; see `elocute models`$"),
    ],
)
def test_a_run_that_cannot_begin(out: str, changed: dict[str, object], message: str, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 2)
    with pytest.raises(ConfigError, match=message):
        run(manifest, tmp_path / out, **changed)
    assert not (tmp_path / "out.jsonl").exists()


# --- interruptions ----------------------------------------------------------------------------------------------------


def wait_until(is_true: object, within_s: float = 20.0) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is alive; one that is dead but not yet reaped is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see whether workers are gone")
def test_kill_9_in_the_middle_then_the_same_file(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 60)
    killed, whole = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    partial = tmp_path / "killed.jsonl.partial"
    run(manifest, whole)

    command = [sys.executable, str(FAKES), str(manifest), str(killed), "2", "0.03"]
    process = subprocess.Popen(command)
    wait_until(lambda: partial.exists() and partial.read_bytes().count(b"\n") >= 5)
    with pytest.raises(ConfigError, match=r"another process is writing .*killed\.jsonl"):
        run(manifest, killed)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    workers = [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]
    assert len(workers) == 2
    wait_until(lambda: not any(is_running(pid) for pid in workers))
    assert not killed.exists()

    calls: list[tuple[int, int]] = []
    summary = run(manifest, killed, workers=3, progress=lambda done, total: calls.append((done, total)))
    assert 5 <= summary.resumed < 60
    assert calls == [(done, 60) for done in range(summary.resumed, 61)]
    assert killed.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("killed.jsonl.*"))


def test_a_kill_at_any_byte_leaves_the_same_file(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": f"é{i}", ("error" if i == 1 else "report"): {"n": "ü" * i}}, ensure_ascii=False)
        for i in range(3)
    ]
    ids = [json.loads(line)["id"] for line in lines]
    whole = "".join(line + "\n" for line in lines).encode()
    for cut in range(len(whole) + 1):
        out = tmp_path / f"{cut}.jsonl"
        with BatchOutput(out, identity=IDENTITY, ids=ids, fresh=False):
            pass
        out.with_name(out.name + ".partial").write_bytes(whole[:cut])
        with BatchOutput(out, identity=IDENTITY, ids=ids, fresh=False) as output:
            assert output.rows == whole[:cut].count(b"\n")
            for line in lines[output.rows :]:
                output.append(line, is_error="error" in json.loads(line))
            assert output.errors == 1
            assert not out.exists()
            output.finish()
        assert out.read_bytes() == whole
    assert len(list(tmp_path.iterdir())) == len(whole) + 1


@pytest.mark.parametrize("torn", [b"", b'{"manifest_sh'])
def test_a_kill_before_the_identity_was_written(torn: bytes, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 2)
    (tmp_path / "out.jsonl.partial").touch()
    (tmp_path / "out.jsonl.partial.run").write_bytes(torn)
    assert run(manifest, tmp_path / "out.jsonl").resumed == 0
    assert len(read(tmp_path / "out.jsonl")) == 2


def test_a_kill_between_the_name_and_the_tidying_up(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 3)
    out, run_file = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial.run"
    with pytest.raises(RuntimeError):
        run(manifest, out, make_assessor=FakeFactory(bug_on="row-2"))
    identity = run_file.read_bytes()
    run(manifest, out)
    whole = out.read_bytes()
    run_file.write_bytes(identity)
    summary = run(manifest, out)
    assert (summary.rows, summary.resumed) == (3, 3)
    assert out.read_bytes() == whole
    assert not run_file.exists()


def test_a_killed_worker_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 30)
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    run(manifest, whole)
    message = r"a worker process died .* at row 'row-\d+' .* \d+ of 30 rows are saved: run the same command to go on"
    with pytest.raises(BatchError, match=message):
        run(manifest, out, make_assessor=FakeFactory(die_on="row-20", delay_s=0.005))
    assert not out.exists()
    saved = (tmp_path / "out.jsonl.partial").read_bytes()
    assert saved == b"".join(whole.read_bytes().splitlines(keepends=True)[: saved.count(b"\n")])
    assert run(manifest, out).resumed == saved.count(b"\n")
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (FakeFactory(bug_on="row-3"), r"row 'row-3' \(.*3\.wav\) met a bug: KeyError: 'AX'"),
        (FakeFactory(nan_on="row-3"), "row 'row-3' .* met a bug: ValueError: Out of range float values"),
    ],
)
def test_a_bug_stops_the_run_and_names_the_row(factory: FakeFactory, message: str, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 6)
    with pytest.raises(RuntimeError, match=message) as caught:
        run(manifest, tmp_path / "out.jsonl", make_assessor=factory)
    assert not isinstance(caught.value, BatchError)
    assert "in assess" in str(caught.value.__cause__.__cause__) or "in answer" in str(caught.value.__cause__.__cause__)
    assert run(manifest, tmp_path / "out.jsonl").resumed == 3


def test_a_changed_manifest_or_configuration_is_refused(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 6)
    out = tmp_path / "out.jsonl"
    with pytest.raises(RuntimeError):
        run(manifest, out, make_assessor=FakeFactory(bug_on="row-3"))
    partial = (tmp_path / "out.jsonl.partial").read_bytes()
    with pytest.raises(ConfigError, match="was begun with another configuration; go on with the same"):
        run(manifest, out, configuration="other")
    with manifest.open("a") as file:
        file.write('{"id": "new", "audio": "0.wav", "text": "Hi"}\n')
    with pytest.raises(ConfigError, match="another manifest;"):
        run(manifest, out)
    with pytest.raises(ConfigError, match="another manifest and configuration; .* begin again with --fresh"):
        run(manifest, out, configuration="other")
    assert (tmp_path / "out.jsonl.partial").read_bytes() == partial
    summary = run(manifest, out, configuration="other", fresh=True)
    assert (summary.rows, summary.resumed) == (7, 0)


@pytest.mark.parametrize(
    "content",
    [
        b'{"id": "row-1", "report": {}}\n',
        b'{"id": "row-0"}\n',
        b'{"id": "row-0", "report": {}}\nnonsense\n{"id": "row-2", "report": {}}\n',
        b'{"id": "row-0", "report": {}}\n\0\0\0\n',
        b'{"id": "row-0", "report": {}}\n{"id": "row-1", "report": {}}\n{"id": "row-2", "report": {}}\n',
    ],
)
def test_rows_that_were_tampered_with_are_refused(content: bytes, tmp_path: Path) -> None:
    ids = ["row-0", "row-1"]
    out = tmp_path / "out.jsonl"
    with BatchOutput(out, identity=IDENTITY, ids=ids, fresh=False):
        pass
    (tmp_path / "out.jsonl.partial").write_bytes(content)
    with pytest.raises(ConfigError, match="does not answer row .* begin again with --fresh"):
        BatchOutput(out, identity=IDENTITY, ids=ids, fresh=False)
    assert (tmp_path / "out.jsonl.partial").read_bytes() == content


def test_rows_without_an_identity_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl.partial").write_bytes(b'{"id": "row-0", "report": {}}\n')
    with pytest.raises(ConfigError, match="does not say to which run"):
        run(write_manifest(tmp_path, 2), tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl.partial").stat().st_size > 0


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a process group")
def test_ctrl_c_stops_quietly_and_the_run_goes_on(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, 60)
    out, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    command = [sys.executable, str(FAKES), str(manifest), str(out), "2", "0.03"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background has SIGINT ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until(lambda: partial.exists() and partial.read_bytes().count(b"\n") >= 3)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=20)
    assert process.returncode != 0
    assert complaints.count("Traceback") == 1
    assert run(manifest, out).resumed >= 3
    assert len(read(out)) == 60


def test_a_worker_is_set_up_before_numpy_is_there() -> None:
    """numpy reads once, when it is loaded, how many threads its products take; two a core double a batch's time."""
    code = "import sys, elocute.batch.worker; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
