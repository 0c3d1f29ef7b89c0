"""The engines of `elocute batch` side by side: rows a second of each, and memory while many rows go through.

    python tools/soak_batch.py speed corpus.jsonl --rows 400 --turns 3     # local and ray by turns, on the same rows
    python tools/soak_batch.py memory corpus.jsonl --rows 200000   # ray; reports are made once, then repeated
    python tools/soak_batch.py memory corpus.jsonl --rows 2000 --real # ray; every row is assessed

`corpus.jsonl` is a manifest as `elocute batch` takes it; its recordings are repeated until there are so many rows.
Speed is counted while all workers are busy: from a tenth of the rows to nine tenths. Exit code 1: memory grows by more
than 20 MB in any process between the second quarter of the time and the last, or an output is not as it should be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# Spawned workers read this file before they set themselves up, and numpy would have threads of its own in each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from served import machine

from elocute.audio import load_audio
from elocute.batch.answers import AssessRow
from elocute.batch.local import run_batch
from elocute.batch.manifest import ManifestRow, read_manifest
from elocute.batch.ray import Cluster, run_ray_batch
from elocute.cli.batch import AssessorFactory
from elocute.config import AssessorConfig

FLAT_MB = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatingFactory:
    """Makes assessors that assess a recording once, and then repeat its report: what is left is the engine."""

    def __call__(self) -> AssessRow:
        """Load the models once."""
        assess = AssessorFactory(config=AssessorConfig(threads=1), lexicon=None)()
        known: dict[str, Mapping[str, object]] = {}

        def repeat(row: ManifestRow) -> Mapping[str, object]:
            key = str(row.audio)
            if key not in known:
                known[key] = assess(row)
            return known[key]

        return repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a run came to: rows a second while all were busy, seconds in all, and seconds of processors (local only)."""

    rate: float
    seconds: float
    cpu_s: float


class Clock:
    """Progress with times."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []
        self.total = 0

    def __call__(self, done: int, total: int) -> None:
        """Note how far it is."""
        self.total = total
        if not self.seen or done > self.seen[-1][1]:
            self.seen.append((time.monotonic(), done))

    def rate(self) -> float:
        """Rows a second between a tenth and nine tenths of the rows."""
        middle = [(at_s, done) for at_s, done in self.seen if 0.1 * self.total <= done <= 0.9 * self.total]
        (begin_s, first), (end_s, last) = middle[0], middle[-1]
        return (last - first) / (end_s - begin_s)


def repeated(manifest: Path, rows: int, recordings: int, into: Path) -> Path:
    """A manifest of so many rows, made of some recordings of another."""
    listed = read_manifest(manifest).rows
    listed = listed[:: max(len(listed) // recordings, 1)][:recordings]
    with into.open("w", encoding="utf-8") as file:
        for number, row in zip(range(rows), itertools.cycle(listed), strict=False):
            line = {"id": f"{row.id}-{number}", "audio": str(row.audio.resolve()), "text": row.text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return into


def run(engine: str, manifest: Path, out: Path, factory: Any, workers: int) -> Took:
    """One run of one engine."""
    clock = Clock()
    begin_s, begun_cpu_s = time.monotonic(), ended_cpu_s()
    if engine == "local":
        run_batch(manifest, out, make_assessor=factory, configuration="", workers=workers, progress=clock)
    else:
        cluster = Cluster(workers=workers)
        run_ray_batch(str(manifest), str(out), make_assessor=factory, configuration="", cluster=cluster, progress=clock)
    return Took(rate=clock.rate(), seconds=time.monotonic() - begin_s, cpu_s=ended_cpu_s() - begun_cpu_s)


def ended_cpu_s() -> float:
    """What child processes that have ended took of processors, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def speed(options: argparse.Namespace, folder: Path) -> int:
    """Both engines by turns."""
    manifest = repeated(options.manifest, options.rows, options.recordings, folder / "m.jsonl")
    factory = AssessorFactory(config=AssessorConfig(threads=1), lexicon=None)
    ratios, cpu = [], []
    speech_s = sum(load_audio(row.audio).duration_s for row in read_manifest(manifest).rows)
    for turn in range(options.turns):
        order = ("local", "ray") if turn % 2 == 0 else ("ray", "local")
        took = {}
        for engine in order:
            took[engine] = run(engine, manifest, folder / f"{engine}-{turn}.jsonl", factory, options.workers)
        ratios.append(took["ray"].rate / took["local"].rate)
        cpu.append(took["local"].cpu_s / speech_s)
        said = "; ".join(f"{name} {one.rate:.2f} rows a second, {one.seconds:.0f} s" for name, one in took.items())
        print(f"turn {turn + 1}       {said}; ray / local {ratios[-1]:.3f}; load {os.getloadavg()[0]:.1f}", flush=True)
        if (folder / f"local-{turn}.jsonl").read_bytes() != (folder / f"ray-{turn}.jsonl").read_bytes():
            print("FAULT        the outputs differ")
            return 1
    print(f"ray / local  median {median(ratios):.3f}; the outputs are the same")
    print(f"local        {median(cpu):.4f} s of processors a second of speech, {speech_s / options.rows:.2f} s a row")
    if options.json is not None:
        found = {
            "format": "elocute batch 1",
            "command": f"python tools/soak_batch.py speed MANIFEST --rows {options.rows} --turns {options.turns}",
            "recordings": f"{min(options.recordings, options.rows)} of {options.manifest.stem}",
            "rows": options.rows,
            "seconds_of_speech": round(speech_s, 1),
            "cpu_s_per_speech_s": round(median(cpu), 5),
            "ray_over_local": [round(ratio, 3) for ratio in ratios],
            "workers": options.workers,
            "machine": machine(),
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


class Memory(threading.Thread):
    """Memory of this process and of Ray's, now and then: unique (private) megabytes by name of the process."""

    def __init__(self, every_s: float) -> None:
        super().__init__(daemon=True)
        self.every_s = every_s
        self.seen: list[tuple[float, dict[str, float]]] = []
        self.ending = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.ending.wait(self.every_s):
            self.seen.append((time.monotonic(), descendants_mb(os.getpid())))


def descendants_mb(root: int) -> dict[str, float]:
    """Private memory of a process and all below it, MB (10^6 bytes), by name and id."""
    parents, found = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                name = (entry / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                parents[int(entry.name)] = (int(stat.rpartition(")")[2].split()[1]), Path(name).name or "?")
            except OSError:
                continue
    for pid, (_, name) in parents.items():
        above = pid
        while above not in (root, 0, 1) and above in parents:
            above = parents[above][0]
        if above == root:
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            private = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
            found[f"{'driver' if pid == root else name}-{pid}"] = private * 1024 / 1e6
    return found


def memory(options: argparse.Namespace, folder: Path) -> int:
    """Ray alone, and its memory."""
    manifest = repeated(options.manifest, options.rows, options.recordings, folder / "m.jsonl")
    from soak_batch import RepeatingFactory as Repeating  # by a name that workers can import, which `__main__` is not

    factory = AssessorFactory(config=AssessorConfig(threads=1), lexicon=None) if options.real else Repeating()
    watch = Memory(options.every)
    watch.start()
    took = run("ray", manifest, folder / "out", factory, options.workers)
    watch.ending.set()
    watch.join()
    size_mb = sum(path.stat().st_size for path in (folder / "out").glob("*.parquet")) / 1e6
    parts = len(list((folder / "out").glob("*.parquet")))
    print(
        f"rows         {options.rows} in {took.seconds:.0f} s, {took.rate:.1f} a second; "
        f"{parts} parts, {size_mb:.1f} MB"
    )
    begin_s, end_s = watch.seen[0][0], watch.seen[-1][0]
    quarters = [
        [one for at_s, one in watch.seen if q <= 4 * (at_s - begin_s) / (end_s - begin_s) < q + 1] for q in range(4)
    ]
    faults = 0
    for name in sorted(watch.seen[len(watch.seen) // 2][1]):
        sizes = [median([one[name] for one in quarter if name in one] or [float("nan")]) for quarter in quarters]
        grown = sizes[3] - sizes[1]
        faults += grown > FLAT_MB
        print(f"memory, MB   {name:42} by quarters " + " ".join(f"{size:7.1f}" for size in sizes) + f"; {grown:+.1f}")
    print(f"machine      {os.cpu_count()} cores, load average {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    return 1 if faults else 0


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "memory"))
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--recordings", type=int, default=50, help="as many of the manifest's are repeated")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="look at memory so often")
    parser.add_argument("--json", type=Path, metavar="FILE", help="speed: write the figures there")
    parser.add_argument("--real", action="store_true", help="memory: assess every row")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="elocute-soak-") as name:
        return (speed if options.what == "speed" else memory)(options, Path(name))


if __name__ == "__main__":
    sys.exit(main())
