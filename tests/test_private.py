"""Nothing leaves the machine, and nothing is left on it: not by the libraries that are used, either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CAR = Path(__file__).parent.parent / "examples" / "car.flac"


def test_assessing_leaves_no_file_anywhere(tmp_path: Path) -> None:
    """From 1.29 on onnxruntime keeps a session in TMPDIR and a device's identifier in the cache, to send them away."""
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "elocute.cli", "assess", str(CAR), "My father drives a red car."]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == []
