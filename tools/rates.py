"""The rates that `elocute plan` rests on, read from the files of measurements in this repository.

    python tools/rates.py            # writes src/elocute/planning/rates.json
    python tools/rates.py --check    # exit code 1 where a file has changed since

A measurement that is not there is left out, and said so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RATES = ROOT / "src" / "elocute" / "planning" / "rates.json"
FORMAT = "elocute rates 1"
CORPUS_H = 2.9
"""Of speech in the train split of speechocean762: 2,500 utterances, which are 5,000 examples of Phi-4's training."""
PASSES_PHI4 = 3
"""Of the paper, arXiv 2509.02915."""


def batch(found: dict[str, Any], _: Path) -> Iterator[dict[str, Any]]:
    """The engine of one machine."""
    yield {
        "name": "embedded-cpu",
        "what": "the embedded model on processors (elocute batch)",
        "task": "scoring",
        "unit": "core",
        "hours_per_hour": round(1 / found["cpu_s_per_speech_s"], 1),
        "core_s_per_speech_s": 0.0,
        "passes": 1,
        "device": found["machine"]["cpu"],
        "date": found["machine"]["date"],
        "note": f"everything from file to report, {found['rows']} recordings of learners, in time of processors",
    }


def gpu_batch(found: dict[str, Any], root: Path) -> Iterator[dict[str, Any]]:
    """A large model on a GPU; what the cores beside it do is known from the latency of the embedded one."""
    for precision, row in found["precisions"].items():
        if "error" not in row:
            yield {
                "name": f"large-gpu-{precision}",
                "what": f"a backend of wav2vec2-large's size on a GPU, {precision}",
                "task": "scoring",
                "unit": "GPU",
                "hours_per_hour": round(row["hours_per_hour"], 1),
                "core_s_per_speech_s": beside(root),
                "passes": 1,
                "device": found["device"],
                "date": found.get("date", ""),
                "note": "network, lattice and GOP on the GPU, random weights; the rest on cores, from benchmarks/"
                "latency.json",
            }


def beside(root: Path) -> float:
    """Seconds of a core that all but network, lattice and GOP take for a second of speech, recordings of 4 s."""
    lengths = json.loads((root / "benchmarks" / "latency.json").read_text(encoding="utf-8"))["lengths"]
    row = next(row for row in lengths if row["length_s"] == 4.0)
    stages = row["stages"]
    left_ms = row["whole"]["p50_ms"] - stages["acoustic network"]["p50_ms"] - stages["lattice and GOP"]["p50_ms"]
    return round(left_ms / 1000 / row["length_s"], 4)


def phi4(found: dict[str, Any], _: Path) -> Iterator[dict[str, Any]]:
    """Phi-4-multimodal, every way that was measured."""
    if found["size"] != "full":
        return
    for name, row in found["rows"].items():
        if "error" not in row:
            yield {
                "name": f"phi4-{name}",
                "what": f"Phi-4-multimodal, {name}, scores and phones of each recording",
                "task": "training",
                "unit": "GPU",
                "hours_per_hour": round(CORPUS_H * 3600 / row["epoch_s"], 2),
                "core_s_per_speech_s": 0.0,
                "passes": PASSES_PHI4,
                "device": found["machine"]["device"],
                "date": found.get("date", ""),
                "note": f"updates alone, random weights, {found['machine']['recordings']} recordings",
            }


def acoustic(found: dict[str, Any], _: Path) -> Iterator[dict[str, Any]]:
    """The embedded acoustic model, by its card."""
    heard_h = found["steps"] * found["training"]["batch_s"] / 3600
    data_h = 4.9
    yield {
        "name": "acoustic-gpu",
        "what": "the embedded acoustic model (elocute train acoustic)",
        "task": "training",
        "unit": "GPU",
        "hours_per_hour": round(heard_h / (found["minutes"] / 60), 1),
        "core_s_per_speech_s": 0.0,
        "passes": round(heard_h / data_h),
        "device": found.get("device", "NVIDIA H200"),
        "date": found.get("date", ""),
        "note": f"{found['steps']} updates of up to {found['training']['batch_s']:.0f} s in "
        f"{found['minutes']:.1f} minutes",
    }


def serving(found: dict[str, Any], _: Path) -> Iterator[dict[str, Any]]:
    """The server."""
    names = (
        "cpu_s_per_speech_s",
        "proxy_cpu_ms",
        "upload_bytes_per_s",
        "answer_bytes_per_s",
        "server_mb",
        "worker_mb",
    )
    yield {name: found[name] for name in names} | {
        "device": found["machine"]["cpu"],
        "date": found["machine"]["date"],
    }


READERS: dict[str, Callable[[dict[str, Any], Path], Iterator[dict[str, Any]]]] = {
    "benchmarks/batch.json": batch,
    "benchmarks/gpu_batch.json": gpu_batch,
    "src/elocute/assets/acoustic.json": acoustic,
    "benchmarks/phi4.json": phi4,
    "benchmarks/serving.json": serving,
}


def collected(root: Path) -> dict[str, Any]:
    """All rates of the files in a folder."""
    rates, served = [], None
    for source, reader in READERS.items():
        path = root / source
        if not path.exists():
            sys.stderr.write(f"{source} is not there and left out\n")
            continue
        content = path.read_bytes()
        origin = {"source": source, "sha256": hashlib.sha256(content).hexdigest()}
        for entry in reader(json.loads(content), root):
            if not entry["date"]:
                entry["date"] = committed(path)
            if reader is serving:
                served = entry | origin
            else:
                rates.append(entry | origin)
    return {"format": FORMAT, "made_by": "python tools/rates.py", "rates": rates, "serving": served}


def committed(path: Path) -> str:
    """The day on which a file was last committed; "" if it was not."""
    command = ["git", "-C", str(path.parent), "log", "-1", "--format=%cs", "--", path.name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    if options.check:
        stored = json.loads(RATES.read_text(encoding="utf-8"))
        entries = [*stored["rates"], *([stored["serving"]] if stored["serving"] else [])]
        old = {one["source"] for one in entries if _changed(one)}
        for source in sorted(old):
            print(f"{source} has changed; run: python tools/rates.py")
        return 1 if old else 0
    RATES.write_text(json.dumps(collected(ROOT), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _changed(entry: dict[str, Any]) -> bool:
    path = ROOT / entry["source"]
    return not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]


if __name__ == "__main__":
    sys.exit(main())
