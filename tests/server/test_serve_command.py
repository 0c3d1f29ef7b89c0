"""`elocute serve` as a process: it starts, says what is wrong in one line, and stops when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.report import Report
from elocute.server.settings import ServerConfig
from running_server import flac, until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def serving(port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once it answers."""
    command = [sys.executable, "-m", "elocute.cli", "serve", "--port", str(port), "--workers", "1", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})

    def answers() -> bool:
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        until(answers, 30)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_finishes_what_is_under_way_and_stops() -> None:
    port = free_port()
    form = (
        b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nMy father drives a red car.\r\n"
        b"--x\r\nContent-Disposition: form-data; name=audio\r\n\r\n" + flac() + b"\r\n--x--\r\n"
    )
    head = (
        "POST /v1/assess HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    with serving(port) as process:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(head.encode() + form[:1000])
            until(lambda: uploads(port) == 1)
            process.send_signal(signal.SIGTERM)
            until(lambda: refused(port))
            client.sendall(form[1000:])
            answer = b""
            while part := client.recv(65_536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert Report.from_json(answer.partition(b"\r\n\r\n")[2].decode()).utterance.total
        _, log = process.communicate(timeout=20)
        assert process.returncode == 0
    lines = [json.loads(line) for line in log.decode().splitlines()]  # every line is JSON
    assert [line["status"] for line in lines if line["message"] == "request"] == [200]
    assert b"father" not in log


def uploads(port: int) -> float:
    """Requests whose body is arriving."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("elocute_uploads "))


def refused(port: int) -> bool:
    """Whether no new connection is accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "elocute.cli", "serve", "--port", str(port), "--workers", "1"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == (
        f"elocute: cannot serve on 127.0.0.1:{port}, see the log; choose another --port or --host"
    )


def test_what_is_wrong_with_the_settings_is_said_before_anything_is_served(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("ana short\n")
    for options, words in (
        (["--api-keys", str(keys)], "the key of ana has 5 characters"),
        (["--backend", "nonsense"], "nonsense"),
        (["--cors", "example.org"], "CORS origin is 'example.org'"),
    ):
        done = CliRunner().invoke(app, ["serve", "--workers", "1", *options])
        assert done.exit_code == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.startswith("elocute.server.") and not name.endswith(".settings"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = CliRunner().invoke(app, ["serve"])
    assert done.exit_code == 1
    assert "needs uvicorn, which is not installed; run: pip install 'elocute[serve]'" in done.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"workers": 0}, "workers of the server is 0; expected more than 0"),
        ({"queue": -1}, "queue of the server is -1"),
        ({"max_duration_s": 0.0}, "max_duration_s"),
        ({"cors": ("https://a.example/path",)}, "expected '\\*' or scheme, host and port"),
    ],
)
def test_settings_that_are_refused(setting: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ServerConfig(**setting)  # type: ignore[arg-type]
    assert ServerConfig(workers=3).worker_count == 3
    assert ServerConfig().worker_count >= 1
