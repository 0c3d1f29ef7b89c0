"""The load test and the fuzzes of the server, in small: a real server in a process of its own, real recordings."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

TOOLS = Path(__file__).parent.parent / "tools"


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """One of the scripts, as people run it."""
    command = [sys.executable, str(TOOLS / script), "--workers", "1", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)


def test_load_and_soak() -> None:
    done = run("load.py", "--clients", "2", "--requests", "24", "--recordings", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^by status    200: 24$", done.stdout, re.MULTILINE)
    assert re.search(r"^time         p50 \d+ ms, p95 \d+ ms, p99 \d+ ms", done.stdout, re.MULTILINE)
    assert re.search(r"^memory, MB   server \d+ -> \d+; worker-0 \d+ -> \d+", done.stdout, re.MULTILINE)
    assert re.search(r"^growth       [+-]\d", done.stdout, re.MULTILINE)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_replicas_behind_nginx() -> None:
    options = ["--replicas", "2", "--turns", "1", "--clients", "2", "--requests", "12", "--recordings", "2"]
    done = run("load.py", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("by status    200: 12\n") == 2
    shares = re.findall(r"^answered by  \S+: (\d+), \S+: (\d+)$", done.stdout, re.MULTILINE)
    assert sum(map(int, shares[0])) == 13  # and one to see that nginx runs
    assert re.search(r"^scale-out    2 replicas \d", done.stdout, re.MULTILINE)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_can_be_held_to_a_share_of_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOOLS)
    from served import Running, cpu_by_process, throttled

    # A "server" that waits, and its worker, which never would.
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    server = subprocess.Popen([sys.executable, "-c", code])
    running = Running(port=0, pid=server.pid, log=TOOLS, scratch=TOOLS)
    workers: list[int] = []
    try:
        while not workers or cpu_by_process(server.pid)[workers[0]] < 0.05:
            workers = [one for one in cpu_by_process(server.pid) if one != server.pid]
            time.sleep(0.01)
        before, begin_s = cpu_by_process(server.pid)[workers[0]], time.monotonic()
        with throttled([running], 0.1):
            time.sleep(1.5)
            share = (cpu_by_process(server.pid)[workers[0]] - before) / (time.monotonic() - begin_s)
        assert 0.01 < share < 0.3
        assert Path(f"/proc/{workers[0]}/stat").read_text().rpartition(")")[2].split()[0] != "T"  # it may go on
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        server.wait(20)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_a_replica_that_goes_away_or_is_busy_costs_nobody_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy alone, before replicas that are played."""
    monkeypatch.syspath_prepend(TOOLS)
    from served import Client, Running, balanced

    GONE = 0
    status = {}

    class Replica(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(200)

        def do_POST(self) -> None:
            assert self.rfile.read(int(self.headers["Content-Length"])) == b"sound" * 1000
            if (code := status[self.server.server_address[1]]) == GONE:
                self.close_connection = True
            else:
                self.answer(code)

        def answer(self, code: int) -> None:
            body = f"{self.server.server_address[1]} {self.headers['Host']}".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    replicas = [ThreadingHTTPServer(("127.0.0.1", 0), Replica) for _ in range(2)]
    for replica in replicas:
        threading.Thread(target=replica.serve_forever, daemon=True).start()
    ports = [replica.server_address[1] for replica in replicas]
    running = [Running(port=port, pid=0, log=TOOLS, scratch=TOOLS) for port in ports]
    try:
        with balanced(running) as entry:
            client = Client(entry.port)

            def ask() -> tuple[int, str]:
                answer = client.ask("POST", "/v1/assess", b"sound" * 1000, "application/octet-stream")
                return answer.status, answer.body.decode()

            other = {(200, f"{ports[1]} 127.0.0.1:{entry.port}")}
            status.update({ports[0]: 503, ports[1]: 200})
            assert {ask() for _ in range(6)} == other
            time.sleep(2.1)  # who failed is asked again
            status.update({ports[0]: 429, ports[1]: 429})
            assert [ask()[0] for _ in range(6)] == [429] * 6
            assert client.ask("GET", "/metrics").status == 403
            status.update({ports[0]: 200, ports[1]: 200})
            assert [ask()[0] for _ in range(6)] == [200] * 6
            status[ports[0]] = GONE  # it dies with requests under way, and then is not there
            assert {ask() for _ in range(6)} == other
            replicas[0].shutdown()
            replicas[0].server_close()
            assert {ask() for _ in range(6)} == other
            client.close()
    finally:
        for replica in replicas:
            replica.shutdown()
            replica.server_close()


def test_damaged_uploads() -> None:
    done = run("fuzz_server.py", "--uploads", "40", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAULT" not in done.stdout
    statuses = dict(re.findall(r"(\d+): (\d+)", done.stdout.partition("by status")[2].partition("\n")[0]))
    assert sum(map(int, statuses.values())) == 40
    assert {"200", "400", "415", "422"} <= {*statuses} <= {"200", "400", "413", "415", "422", "429"}


def test_requests_made_from_the_openapi_document() -> None:
    pytest.importorskip("schemathesis")
    done = run("fuzz_openapi.py", "--examples", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 200: " in done.stdout


def test_memory_that_grows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOOLS)
    import load

    flat = [(number, 400.0 + number % 3) for number in range(0, 2000, 20)]
    assert abs(load.slope_mb(flat)) < 0.1
    leaking = [(number, size + 0.02 * number) for number, size in flat]
    assert load.slope_mb(leaking) == pytest.approx(20, abs=0.2)
    settling = [(number, size if number > 300 else 300.0) for number, size in flat]
    assert load.slope_mb(settling) < load.FLAT_MB


def test_answers_that_must_not_be_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TOOLS)
    import fuzz_server
    from served import Answer

    def fault(status: int, kind: str, body: bytes) -> str | None:
        answer = Answer(status=status, headers={"content-type": kind}, body=body, seconds=0)
        return fuzz_server.fault_of(answer)

    assert fault(200, "application/json", b"{}") is None
    assert fault(415, "application/problem+json", b'{"type": "x"}') is None
    assert fault(200, "application/json", b'{"score": NaN}') == "200, and its body is no JSON: NaN"
    assert fault(200, "text/html", b"{}") == "200 as text/html"
    assert str(fault(500, "application/problem+json", b"{}")).startswith("500")
    assert str(fault(0, "", b"TimeoutError()")).startswith("0 b'TimeoutError")
