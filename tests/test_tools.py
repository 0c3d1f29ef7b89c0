"""The load test and the fuzzes of the server, in small: a real server in a process of its own, real recordings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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
