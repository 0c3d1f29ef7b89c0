"""The installed program as a user meets it: real processes, the shipped models, pipes and a terminal."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import elocute
from elocute.cli.table import render
from elocute.report import Report

EXAMPLES = Path(__file__).parents[2] / "examples"
THINK = EXAMPLES / "weather-tink.flac"
TEXT = "I think the weather is nice today."


def run(*arguments: str | Path, stdin: bytes | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run `elocute` with these arguments."""
    plain = {key: value for key, value in os.environ.items() if key not in {"FORCE_COLOR", "COLUMNS"}}
    return subprocess.run(
        [sys.executable, "-m", "elocute.cli", *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=plain | variables,
        check=False,
    )


@pytest.fixture(scope="module")
def as_json() -> bytes:
    """What `assess --format json` says about an example."""
    done = run("assess", THINK, TEXT, "--format", "json")
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_stdout_is_the_report_and_nothing_else(as_json: bytes) -> None:
    report = Report.from_json(as_json.decode("utf-8"))
    assert report.text == TEXT
    assert [word.word for word in report.words] == ["I", "think", "the", "weather", "is", "nice", "today"]
    assert report.to_json(indent=2).encode("utf-8") + b"\n" == as_json


def test_the_command_says_what_the_library_says(as_json: bytes) -> None:
    assert elocute.assess(str(THINK), TEXT).to_json(indent=2).encode("utf-8") + b"\n" == as_json


def test_a_recording_comes_through_a_pipe(as_json: bytes) -> None:
    done = run("assess", "-", TEXT, "--format", "json", stdin=THINK.read_bytes())
    assert (done.returncode, done.stdout) == (0, as_json)


def test_json_is_utf8_whatever_the_terminal_speaks(as_json: bytes) -> None:
    done = run("assess", THINK, TEXT, "--format", "json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stdout == as_json
    table = run("assess", THINK, TEXT, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert table.returncode == 0
    assert table.stdout.isascii()
    assert b"think" in table.stdout


def test_the_table_says_what_the_report_says(as_json: bytes) -> None:
    done = run("assess", THINK, TEXT)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("utf-8")
    assert max(map(len, text.splitlines())) <= 80
    page = io.StringIO()
    Console(file=page, width=80).print(render(Report.from_json(as_json.decode("utf-8"))))
    assert text.splitlines() == [line.rstrip() for line in page.getvalue().splitlines()]


@pytest.mark.parametrize("content", [b"", b"this is no recording, whatever it may be" * 20])
def test_a_pipe_without_a_recording_is_an_error(content: bytes) -> None:
    done = run("assess", "-", TEXT, stdin=content)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"elocute: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("format", ["text", "json"])
def test_a_full_disk_behind_stdout_is_one_line(format: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "elocute.cli", "assess", THINK, TEXT, "--format", format],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "elocute: cannot write to stdout: No space left on device; make room, or name a file with -o\n"
    )


def test_a_missing_recording_is_an_error() -> None:
    done = run("assess", "no-such.wav", TEXT)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no-such.wav" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize(("variables", "is_colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_unless_it_is_refused(variables: dict[str, str], is_colored: bool) -> None:
    import pty

    outside, inside = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    program = subprocess.Popen(
        [sys.executable, "-m", "elocute.cli", "phones", "Blorptastic weather"],
        stdout=inside,
        stderr=subprocess.PIPE,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "80"} | variables,
    )
    os.close(inside)
    shown = b""
    while True:
        try:
            more = os.read(outside, 65_536)
        except OSError:  # Linux reports the end of a terminal as an error
            break
        if not more:
            break
        shown += more
    os.close(outside)
    assert program.communicate()[1] == b""
    assert program.returncode == 0
    assert (b"\x1b[" in shown) == is_colored
    assert "wˈɛðɚ".encode() in shown


def test_help_is_cheap() -> None:
    code = (
        "import sys; sys.argv = ['elocute', '--help']\n"
        "from elocute.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code in (0, None)\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split("LOADED")[1].split())
    assert "elocute" in loaded
    assert loaded & {"numpy", "onnxruntime", "av", "soundfile", "soxr", "torch"} == set()


def test_doctor_finds_nothing_broken_here() -> None:
    done = run("doctor")
    text = done.stdout.decode("utf-8")
    assert done.returncode == 0, text
    assert "weather.flac scored" in text
    assert "BROKEN" not in text


def test_a_batch_answers_every_row(tmp_path: Path, as_json: bytes) -> None:
    rows = [
        {"id": "good", "audio": str(THINK), "text": TEXT},
        {"id": "gone", "audio": "gone.wav", "text": TEXT},
        {"id": "sink", "audio": str(THINK), "text": "think", "phones": [["S", "IH1", "NG", "K"]]},
    ]
    manifest, out = tmp_path / "manifest.jsonl", tmp_path / "out.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run("batch", manifest, "-o", out, "--workers", "1")
    assert (done.returncode, done.stdout) == (0, b"")
    assert f"3 rows in {out}; 1 row has an error; " in done.stderr.decode()
    good, gone, sink = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    assert good == {"id": "good", "report": json.loads(as_json)}
    assert gone["error"]["type"] == "AudioError"
    (word,) = [word for word in sink["report"]["words"] if word["text_index"] is not None]
    assert [phone["expected"] for phone in word["phonemes"] if phone["expected"]] == ["S", "IH", "NG", "K"]
    again = run("batch", manifest, "-o", out)
    assert again.returncode == 1
    assert b"exists already" in again.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_stopped_batch_says_how_to_go_on(tmp_path: Path) -> None:
    manifest, out = tmp_path / "manifest.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": str(i), "audio": str(THINK), "text": TEXT} for i in range(2000)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    program = subprocess.Popen(
        [sys.executable, "-m", "elocute.cli", "batch", str(manifest), "-o", str(out), "--workers", "1"],
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell that runs the tests in the background has SIGINT ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    partial = tmp_path / "out.jsonl.partial"
    deadline_s = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size):
        assert program.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    os.killpg(program.pid, signal.SIGINT)
    _, stderr = program.communicate(timeout=60)
    assert program.returncode == 1
    assert b"run the same command to go on" in stderr
    assert b"Traceback" not in stderr
    assert 0 < partial.read_bytes().count(b"\n") < 2000
