"""Many clients, slow ones, ones that go away, and none that may ask: the server keeps its limits and its temper."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")
pytest.importorskip("httpx", reason="needs httpx")

from elocute.errors import ConfigError
from elocute.server.settings import ServerConfig
from running_server import Gate, Served, flac, gated, served, until

FORM = (
    b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nhi\r\n"
    b"--x\r\nContent-Disposition: form-data; name=audio\r\n\r\n"
)
END = b"\r\n--x--\r\n"


def post(server: Served, headers: dict[str, str] | None = None) -> Any:
    return server.client.post(f"{server.url}/v1/assess", files={"audio": flac()}, data={"text": "car"}, headers=headers)


def begun(server: Served, length: int, *, extra: str = "") -> socket.socket:
    """A connection on which a request has begun."""
    client = socket.create_connection((server.host, server.port), timeout=20)
    client.sendall(
        f"POST /v1/assess HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n{extra}"
        f"Content-Length: {length}\r\n\r\n".encode()
    )
    return client


def status_of(client: socket.socket) -> int:
    return int(client.recv(65_536).split()[1])


def test_who_finds_no_place_is_told_when_to_come_again() -> None:
    gate = Gate()
    with served(ServerConfig(), gated(gate, waiting=1)) as server, ThreadPoolExecutor(2) as threads:
        inside = [threads.submit(post, server) for _ in range(2)]
        until(lambda: (server.pool.running, server.pool.waiting) == (1, 1))
        refused = post(server)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["type"] == "urn:problem-type:elocute:busy"
        assert server.client.get(f"{server.url}/healthz").status_code == 200
        gate.is_open.set()
        assert [one.result().status_code for one in inside] == [200, 200]
        assert post(server).status_code == 200


def test_who_waits_too_long_is_told_so() -> None:
    gate = Gate()
    with served(ServerConfig(), gated(gate, queue_timeout_s=0.3)) as server, ThreadPoolExecutor(1) as threads:
        first = threads.submit(post, server)
        until(lambda: server.pool.running == 1)
        assert post(server).status_code == 429
        assert server.pool.waiting == 0
        gate.is_open.set()
        assert first.result().status_code == 200


def test_an_answer_that_does_not_come_is_given_up() -> None:
    gate = Gate()
    with served(ServerConfig(), gated(gate, queue_timeout_s=0.1, run_timeout_s=0.2)) as server:
        assert post(server).status_code == 504
        until(lambda: server.client.get(f"{server.url}/readyz").status_code == 503)
        gate.is_open.set()
        until(lambda: server.client.get(f"{server.url}/readyz").status_code == 200)
        assert post(server).status_code == 200


def test_a_client_that_goes_away_frees_its_place() -> None:
    gate = Gate()
    with served(ServerConfig(), gated(gate, waiting=1)) as server, ThreadPoolExecutor(2) as threads:
        first = threads.submit(post, server)
        until(lambda: server.pool.running == 1)
        body = FORM + flac() + END
        client = begun(server, len(body))
        client.sendall(body)
        until(lambda: server.pool.waiting == 1)
        assert post(server).status_code == 429
        client.close()
        until(lambda: server.pool.waiting == 0)
        second = threads.submit(post, server)
        until(lambda: server.pool.waiting == 1)
        gate.is_open.set()
        assert (first.result().status_code, second.result().status_code) == (200, 200)
        assert gate.begun == 2


def test_a_client_that_goes_away_while_it_is_served_harms_nobody() -> None:
    gate = Gate()
    with served(ServerConfig(), gated(gate)) as server:
        body = FORM + flac() + END
        client = begun(server, len(body))
        client.sendall(body)
        until(lambda: server.pool.running == 1)
        client.close()
        until(lambda: 'status="499"' in server.client.get(f"{server.url}/metrics").text)
        gate.is_open.set()
        assert post(server).status_code == 200


def test_a_client_that_goes_away_while_it_sends_is_forgotten() -> None:
    gate = Gate()
    gate.is_open.set()
    with served(ServerConfig(uploads=1), gated(gate)) as server:
        client = begun(server, 10_000)
        client.sendall(FORM)
        until(lambda: "elocute_uploads 1.0" in server.client.get(f"{server.url}/metrics").text)
        refused = post(server)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        client.close()
        until(lambda: "elocute_uploads 0.0" in server.client.get(f"{server.url}/metrics").text)
        assert post(server).status_code == 200


def test_a_client_that_sends_too_slowly_is_refused() -> None:
    gate = Gate()
    gate.is_open.set()
    with served(ServerConfig(upload_timeout_s=0.3), gated(gate)) as server:
        client = begun(server, 100_000)
        client.sendall(FORM)
        assert post(server).status_code == 200  # the slow one is in nobody's way
        with client:
            assert status_of(client) == 408
            until(lambda: client.recv(65_536) == b"")


def test_an_endless_body_is_cut_off() -> None:
    gate = Gate()
    with served(ServerConfig(max_bytes=100_000), gated(gate)) as server:
        client = socket.create_connection((server.host, server.port), timeout=20)
        client.sendall(
            b"POST /v1/assess HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        with client:
            try:
                for part in [FORM, *[bytes(65_536)] * 1000]:
                    client.sendall(b"%x\r\n%b\r\n" % (len(part), part))
                    sent += len(part)
            except OSError:
                pass  # cut off, as it should be
            else:
                pytest.fail("65 MB were taken")
        assert sent < 20_000_000
        assert 'status="413"' in server.client.get(f"{server.url}/metrics").text
        assert gate.begun == 0


def test_a_bug_is_a_500_that_tells_nothing_but_its_id(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(ZeroDivisionError("secret inner state"))
    gate.is_open.set()
    with served(ServerConfig(), gated(gate)) as server:
        answer = post(server)
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "secret" not in answer.text
        assert 'elocute_errors_total{code="mistake"} 1.0' in server.client.get(f"{server.url}/metrics").text
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


def test_an_error_that_is_no_fault_of_the_client_is_a_500() -> None:
    gate = Gate(ConfigError("the scorer is broken; reinstall"))
    gate.is_open.set()
    with served(ServerConfig(), gated(gate)) as server:
        assert post(server).status_code == 500


def test_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# who may\n\nana {'a' * 16}\nben {'b' * 20}\n")
    gate = Gate()
    gate.is_open.set()
    with served(ServerConfig(api_keys=path), gated(gate)) as server:
        none = post(server)
        assert (none.status_code, none.headers["www-authenticate"]) == (401, "Bearer")
        assert gate.begun == 0
        assert post(server, {"Authorization": "Bearer " + "a" * 16}).status_code == 200
        assert post(server, {"authorization": "bearer " + "b" * 20}).status_code == 200
        assert post(server, {"X-API-Key": "b" * 20}).status_code == 200
        for wrong in ({"X-API-Key": "b" * 19}, {"X-API-Key": "ana"}, {"Authorization": "Basic " + "a" * 16}):
            assert post(server, wrong).status_code == 401
        assert server.client.get(f"{server.url}/v1/models").status_code == 401
        assert server.client.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no API key"),
        ("# only words\n", "holds no API key"),
        ("ana short\n", "the key of ana has 5 characters"),
        ("ana\n", ":1: got 1 words"),
        (f"ana {'a' * 16}\nben {'a' * 16}\n", ":2: the name ben or its key is there twice"),
    ],
)
def test_files_of_keys_that_are_refused(tmp_path: Path, content: str, words: str) -> None:
    from elocute.server.keys import Keys

    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(ConfigError, match=words):
        Keys.from_file(path)
    assert "a" * 16 not in words
    with pytest.raises(ConfigError, match="cannot read API keys"):
        Keys.from_file(tmp_path / "absent")


def test_hundreds_of_clients_leave_nothing_behind() -> None:
    gate = Gate()
    gate.is_open.set()
    with served(ServerConfig(), gated(gate, waiting=3)) as server:
        post(server)
        threads_before = threading.active_count()
        with ThreadPoolExecutor(8) as threads:
            statuses = [answer.status_code for answer in threads.map(lambda _: post(server), range(200))]
        assert set(statuses) <= {200, 429}
        assert statuses.count(200) > 0
        assert gate.begun == 1 + statuses.count(200)
        assert (server.pool.running, server.pool.waiting) == (0, 0)
        assert threading.active_count() <= threads_before
