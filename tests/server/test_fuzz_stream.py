"""A small run of the fuzz of the WebSocket, against a real server in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")
pytest.importorskip("websockets", reason="needs the extra 'serve'")

FUZZ = Path(__file__).parents[2] / "tools" / "fuzz_stream.py"


def test_a_fuzzed_stream_is_answered_or_closed() -> None:
    options = ["--messages", "120", "--seed", "3", "--workers", "1", "--clients", "2"]
    done = subprocess.run(
        [sys.executable, str(FUZZ), *options], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAULT" not in done.stdout
    assert "final: " in done.stdout
    assert "bad-request: " in done.stdout
