"""Training on two processes gives the losses of one, and one goes on where two stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
pytest.importorskip("accelerate", reason="the extra 'hf' is not installed")

from tiny_corpus import write_corpus

RECIPE = """
[model]
size = "tiny"
regime = "scratch"
[data]
style = "short"
folds = 2
[training]
length = 6
unit = "updates"
update = 4
batch = 2
learning_rate = 3e-3
report_every = 1
evaluate_every = 100
ctc_weight = 0.5
ctc_first = 2
ctc_flat = 1
answer_noise = 0.2
[augmentation]
tempo = [0.9, 1.1]
time_masks = 1
[evaluation]
longest_answer = 4
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("ELOCUTE_SLOW" not in os.environ, reason="takes a minute; set ELOCUTE_SLOW=1 to run it"),
]


def train(place: Path, out: Path, processes: int, *more: str) -> list[dict[str, Any]]:
    alone = [sys.executable, "-m", "elocute.cli"]
    shared = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command = alone if processes == 1 else [*shared, "-m", "elocute.cli"]
    arguments = ["train", "phi4", str(place / "r.toml"), "--corpus", f"speechocean762:{place / 'so'}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*command, *arguments, "--out", str(out), "--device", "cpu", *more],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    write_corpus(tmp_path / "so", split="train")
    (tmp_path / "r.toml").write_text(RECIPE)
    one = train(tmp_path, tmp_path / "one", 1)
    two = train(tmp_path, tmp_path / "two", 2)
    for name in ("loss", "ctc", "heldout_loss"):
        # While the encoder learns alone, one process does not look at the answers.
        alone, shared = ({p["step"]: p[name] for p in points if name in p} for points in (one, two))
        assert alone == pytest.approx({step: shared[step] for step in alone}, rel=2e-5), name
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2
    # Every held-out question was answered by one of the two.
    assert [point["failed/apa"] for point in one if "failed/apa" in point] == [
        point["failed/apa"] for point in two if "failed/apa" in point
    ]
    parts = tmp_path / "parts"
    train(tmp_path, parts, 2, "--minutes", "0")
    resumed = train(tmp_path, parts, 1)
    again, alone = ({p["step"]: p["loss"] for p in points if "loss" in p} for points in (resumed, one))
    assert alone == pytest.approx({step: again[step] for step in alone}, rel=2e-5)
