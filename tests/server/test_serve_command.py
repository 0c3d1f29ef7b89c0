"""`elocute serve` as a process: it starts, says what is wrong in one line, and stops when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.report import Report
from elocute.server.settings import ServerConfig
from running_server import flac, until

FORM = (
    b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nMy father drives a red car.\r\n"
    b"--x\r\nContent-Disposition: form-data; name=audio\r\n\r\n" + flac() + b"\r\n--x--\r\n"
)


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


def begun(port: int) -> socket.socket:
    """A connection on which the first half of a request was sent."""
    head = (
        "POST /v1/assess HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(FORM)}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(head.encode() + FORM[:1000])
    return client


def rest_of(client: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    answer = b""
    while part := client.recv(65_536):
        answer += part
    return answer


def asked(port: int, path: str, body: bytes | None = None) -> tuple[int, Message, bytes]:
    """Status, headers and body of one answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body)
    request.add_header("Content-Type", "multipart/form-data; boundary=x")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def figure(port: int, name: str) -> float:
    """One of the server's figures."""
    lines = asked(port, "/metrics")[2].decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def lines_of(log: bytes) -> list[dict[str, Any]]:
    """The lines of a log, all of which are JSON."""
    return [json.loads(line) for line in log.decode().splitlines()]


def test_it_finishes_what_is_under_way_and_stops() -> None:
    port = free_port()
    with serving(port) as process, begun(port) as client:
        until(lambda: figure(port, "elocute_uploads") == 1)
        process.send_signal(signal.SIGTERM)
        until(lambda: asked(port, "/readyz")[0] == 503)
        assert json.loads(asked(port, "/readyz")[2])["type"] == "urn:problem-type:elocute:stopping"
        assert asked(port, "/healthz")[0] == 200
        status, headers, body = asked(port, "/v1/assess", FORM)
        assert (status, headers["Retry-After"], headers["Connection"]) == (503, "5", "close")
        assert json.loads(body)["type"] == "urn:problem-type:elocute:stopping"
        with connect(f"ws://127.0.0.1:{port}/v1/stream") as stream:
            assert json.loads(stream.recv(timeout=5))["problem"]["title"] == "The server is stopping"
            with pytest.raises(ConnectionClosed) as closed:
                stream.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        client.sendall(FORM[1000:])
        answer = rest_of(client)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert Report.from_json(answer.partition(b"\r\n\r\n")[2].decode()).utterance.total
        _, log = process.communicate(timeout=20)
        assert process.returncode == 0
    assert b"father" not in log
    requests = [line for line in lines_of(log) if line["message"] == "request"]
    assert [line["status"] for line in requests if line["path"] == "/v1/assess"] == [503, 200]


def test_who_takes_too_long_is_sent_away_in_time() -> None:
    port = free_port()
    with serving(port, "--shutdown-timeout", "2.5") as process, begun(port) as sending:
        with begun(port) as waiting, connect(f"ws://127.0.0.1:{port}/v1/stream") as stream:
            stream.send(json.dumps({"type": "start", "text": "My father drives a red car."}))
            assert json.loads(stream.recv(timeout=10))["type"] == "ready"
            stream.send(bytes(3200))
            worker = worker_of(process.pid)
            os.kill(worker, signal.SIGSTOP)  # it will never answer
            waiting.sendall(FORM[1000:])
            until(lambda: figure(port, "elocute_running") == 1)
            begin_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert rest_of(waiting).startswith(b"HTTP/1.1 503 ")
            assert rest_of(sending).startswith(b"HTTP/1.1 503 ")
            problem = json.loads(stream.recv(timeout=5))
            assert problem["problem"]["type"] == "urn:problem-type:elocute:stopping"
            with pytest.raises(ConnectionClosed) as closed:
                stream.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        _, log = process.communicate(timeout=20)
        assert time.monotonic() - begin_s < 7
        assert process.returncode == 0
    assert not is_there(worker)
    assert any(str(line["message"]).startswith("3 requests did not end in 1.") for line in lines_of(log))
    assert not any("traceback" in line for line in lines_of(log))


def worker_of(pid: int) -> int:
    """The process that a server of one worker assesses in."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    spawned = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    assert len(spawned) == 1
    return int(spawned[0])


def is_there(pid: int) -> bool:
    """Whether a process lives."""
    return Path(f"/proc/{pid}").exists()


def test_it_listens_for_as_long_as_it_is_asked_to_but_a_second_signal_does_not_wait() -> None:
    port = free_port()
    with serving(port, "--shutdown-delay", "30") as process:
        process.send_signal(signal.SIGINT)
        until(lambda: asked(port, "/readyz")[0] == 503)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 0


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
        ({"workers": 0}, "workers is 0; expected from 1 to 1024"),
        ({"queue": -1}, "queue is -1; expected from 0 to 100000"),
        ({"max_duration_s": 0.0}, "max_duration_s"),
        ({"cors": ("https://a.example/path",)}, "expected '\\*' or scheme, host and port"),
    ],
)
def test_settings_that_are_refused(setting: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ServerConfig(**setting)  # type: ignore[arg-type]
    assert ServerConfig(workers=3).worker_count == 3
    assert ServerConfig().worker_count >= 1
