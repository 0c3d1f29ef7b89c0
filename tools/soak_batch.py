"""The engines of `elocute batch` side by side: rows a second, processor time of every process, memory.

    python tools/soak_batch.py speed corpus.jsonl --rows 400 --turns 3     # local and ray by turns, on the same rows
    python tools/soak_batch.py idle --row-s 0.5                    # ray alone, with rows that only wait
    python tools/soak_batch.py memory corpus.jsonl --rows 200000   # ray; reports are made once, then repeated
    python tools/soak_batch.py memory corpus.jsonl --rows 2000 --real # ray; every row is assessed

`corpus.jsonl` is a manifest as `elocute batch` takes it; its recordings are repeated until there are so many rows.
Speed is counted while all workers are busy, from a tenth of the rows to nine tenths, and beside it what is lost before
and after: all rows at that speed, start and end together are the time of the run. Processor time is that of this
process and all below it; on cores that others use, too, it is what can be compared: when all cores are full, rows a
second are cores divided by processor time for a row. Exit code 1: memory grows by more than 20 MB in any process
between the second quarter of the time and the last, or an output is not as it should be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# Spawned workers read this file before they set themselves up, and numpy would have threads of its own in each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
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
class WaitingFactory:
    """Makes assessors that need no processor: what processes take beside them is the engine's."""

    row_s: float

    def __call__(self) -> AssessRow:
        """There is nothing to load."""

        def wait(row: ManifestRow) -> Mapping[str, object]:
            time.sleep(self.row_s)
            return {"text": row.text}

        return wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a run came to.

    Attributes:
        rate: rows a second while all were busy.
        quarters: the same, for each quarter of that time.
        seconds: in all.
        start_s: lost before.
        end_s: lost after.
        cpu_ms: of processors for a row, by kind of process, while all were busy.
        cores: that these kept busy.
        whole_cpu_s: of processors in all.
    """

    rate: float
    quarters: tuple[float, ...]
    seconds: float
    start_s: float
    end_s: float
    cpu_ms: dict[str, float]
    cores: float
    whole_cpu_s: float


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

    def busy(self) -> list[tuple[float, int]]:
        """Times and rows between a tenth and nine tenths of the rows."""
        return [(at_s, done) for at_s, done in self.seen if 0.1 * self.total <= done <= 0.9 * self.total]


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
    clock, watch = Clock(), Watch(0.5, processor_s)
    watch.start()
    begin_s = time.monotonic()
    if engine == "local":
        run_batch(manifest, out, make_assessor=factory, configuration="", workers=workers, progress=clock)
    else:
        cluster = Cluster(workers=workers)
        run_ray_batch(str(manifest), str(out), make_assessor=factory, configuration="", cluster=cluster, progress=clock)
    end_s = time.monotonic()
    watch.stop()
    return took(clock, watch, begin_s, end_s)


def took(clock: Clock, watch: Watch, begin_s: float, end_s: float) -> Took:
    """What clock and processors tell of a run."""
    busy = clock.busy()
    times, rows = [at_s for at_s, _ in busy], [done for _, done in busy]
    rate = (rows[-1] - rows[0]) / (times[-1] - times[0])
    edges = np.linspace(times[0], times[-1], 5)
    quarters = np.diff(np.interp(edges, times, rows)) / np.diff(edges)
    samples = [(at_s, cpu) for at_s, cpu in watch.seen if times[0] <= at_s <= times[-1]]
    (first_s, first), (last_s, last) = samples[0], samples[-1]
    counted = float(np.diff(np.interp([first_s, last_s], times, rows))[0])
    used: dict[str, float] = defaultdict(float)
    for (name, pid), now_s in last.items():
        earlier_s = next((one_s for (_, other), one_s in first.items() if other == pid), 0.0)
        used[kind_of(name)] += now_s - earlier_s
    whole: dict[int, float] = {}
    for _, cpu in watch.seen:
        whole |= {pid: used_s for (_, pid), used_s in cpu.items()}
    already_s = sum(watch.seen[0][1].values())
    return Took(
        rate=rate,
        quarters=tuple(float(one) for one in quarters),
        seconds=end_s - begin_s,
        start_s=times[0] - rows[0] / rate - begin_s,
        end_s=end_s - times[-1] - (clock.total - rows[-1]) / rate,
        cpu_ms={kind: 1000 * cpu_s / counted for kind, cpu_s in sorted(used.items(), key=lambda one: -one[1])},
        cores=sum(used.values()) / (last_s - first_s),
        whole_cpu_s=sum(whole.values()) - already_s,
    )


def kind_of(name: str) -> str:
    """What a process is for, by its command line."""
    kinds = {
        "driver": ("driver",),
        "workers": ("ray::MapWorker", "multiprocessing.spawn", "multiprocessing-fork"),
        "tracker": ("ray::Tracker",),
        "actors of Ray Data": ("ray::_", "ray::ActorLocationTracker", "ray::AutoscalingCoordinator"),
        "gcs_server and raylet": ("gcs_server", "raylet/raylet"),
    }
    return next((kind for kind, signs in kinds.items() if any(sign in name for sign in signs)), "monitors and agents")


def speed(options: argparse.Namespace, folder: Path) -> int:
    """Both engines by turns."""
    manifest = repeated(options.manifest, options.rows, options.recordings, folder / "m.jsonl")
    factory = AssessorFactory(config=AssessorConfig(threads=1), lexicon=None)
    speech_s = sum(load_audio(row.audio).duration_s for row in read_manifest(manifest).rows)
    turns: list[dict[str, Took]] = []
    for turn in range(options.turns):
        order = ("local", "ray") if turn % 2 == 0 else ("ray", "local")
        found = {}
        for engine in order:
            found[engine] = one = run(engine, manifest, folder / f"{engine}-{turn}.jsonl", factory, options.workers)
            print(f"{turn + 1} {engine:10} {told(one)}; load {os.getloadavg()[0]:.1f}", flush=True)
        turns.append(found)
        if (folder / f"local-{turn}.jsonl").read_bytes() != (folder / f"ray-{turn}.jsonl").read_bytes():
            print("FAULT        the outputs differ")
            return 1
    figures = summary(turns, options, speech_s)
    print(f"ray / local  rows a second {figures['ray_over_local']}, by processor time {figures['by_processor_time']}")
    for engine, kinds in figures["cpu_ms_per_row"].items():
        said = ", ".join(f"{kind} {cpu_ms}" for kind, cpu_ms in kinds.items())
        print(f"{engine:12} ms of processors a row: {sum(kinds.values()):.1f} ({said})")
    print(f"local        {figures['cpu_s_per_speech_s']} s of processors a second of speech; the outputs are the same")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def told(one: Took) -> str:
    """A run in a line."""
    quarters = " ".join(f"{rate:.1f}" for rate in one.quarters)
    return (
        f"{one.rate:6.2f} rows a second (by quarters {quarters}), {sum(one.cpu_ms.values()):.1f} ms of processors a "
        f"row, {one.cores:.2f} cores; lost at the start {one.start_s:.1f} s, at the end {one.end_s:.1f} s of "
        f"{one.seconds:.1f} s; {one.whole_cpu_s:.0f} s of processors in all"
    )


def summary(turns: Sequence[Mapping[str, Took]], options: argparse.Namespace, speech_s: float) -> dict[str, Any]:
    """The figures of all turns, medians where there is one number."""

    def cpu_ms(engine: str, kind: str) -> float:
        return round(median(turn[engine].cpu_ms.get(kind, 0.0) for turn in turns), 2)

    def kinds(engine: str) -> list[str]:
        return list(dict.fromkeys(kind for turn in turns for kind in turn[engine].cpu_ms))

    def all_ms(one: Took) -> float:
        return sum(one.cpu_ms.values())

    engines = ("local", "ray")
    return {
        "format": "elocute batch 2",
        "command": f"python tools/soak_batch.py speed MANIFEST --rows {options.rows} --recordings {options.recordings} "
        f"--turns {options.turns}",
        "recordings": f"{min(options.recordings, options.rows)} of {options.manifest.stem}",
        "rows": options.rows,
        "seconds_of_speech": round(speech_s, 1),
        "cpu_s_per_speech_s": round(median(turn["local"].whole_cpu_s for turn in turns) / speech_s, 5),
        "rows_per_s": {engine: [round(turn[engine].rate, 2) for turn in turns] for engine in engines},
        "ray_over_local": [round(turn["ray"].rate / turn["local"].rate, 3) for turn in turns],
        "by_processor_time": [round(all_ms(turn["local"]) / all_ms(turn["ray"]), 3) for turn in turns],
        "cpu_ms_per_row": {engine: {kind: cpu_ms(engine, kind) for kind in kinds(engine)} for engine in engines},
        "start_s": {engine: [round(turn[engine].start_s, 1) for turn in turns] for engine in engines},
        "end_s": {engine: [round(turn[engine].end_s, 1) for turn in turns] for engine in engines},
        "workers": options.workers,
        "machine": machine(),
    }


def idle(options: argparse.Namespace, folder: Path) -> int:
    """Ray while its workers wait: what its own processes take of the cores, however long a row is."""
    manifest = folder / "m.jsonl"
    lines = (json.dumps({"id": str(number), "audio": f"{number}.wav", "text": "a"}) for number in range(options.rows))
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    from soak_batch import WaitingFactory as Waiting  # by a name that workers can import, which `__main__` is not

    found = run("ray", manifest, folder / "out.jsonl", Waiting(row_s=options.row_s), options.workers)
    print(f"ray          {told(found)}")
    for kind, cpu_ms in found.cpu_ms.items():
        print(f"cores        {kind:24} {cpu_ms * found.rate / 1000:.3f}")
    print(f"cores        {'together':24} {found.cores:.3f}, with {options.workers} workers")
    return 0


class Watch(threading.Thread):
    """A figure of this process and of all below it, now and then."""

    def __init__(self, every_s: float, figure: Callable[[int], float]) -> None:
        super().__init__(daemon=True)
        self.every_s = every_s
        self.figure = figure
        self.seen: list[tuple[float, dict[tuple[str, int], float]]] = []
        self.ending = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while True:
            self.seen.append((time.monotonic(), descendants(os.getpid(), self.figure)))
            if self.ending.wait(self.every_s):
                return

    def stop(self) -> None:
        """Have it end."""
        self.ending.set()
        self.join()


def descendants(root: int, figure: Callable[[int], float]) -> dict[tuple[str, int], float]:
    """A figure of a process and all below it, by command line and id."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
    found: dict[tuple[str, int], float] = {}
    for pid in parents:
        above = pid
        while above not in (root, 0, 1) and above in parents:
            above = parents[above]
        if above == root:
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found["driver" if pid == root else line, pid] = figure(pid)
            except OSError:
                continue
    return found


def processor_s(pid: int) -> float:
    """Processor time of a process, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def private_mb(pid: int) -> float:
    """Memory of a process that is its alone, MB (10^6 bytes)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024 / 1e6


def memory(options: argparse.Namespace, folder: Path) -> int:
    """Ray alone, and its memory."""
    manifest = repeated(options.manifest, options.rows, options.recordings, folder / "m.jsonl")
    from soak_batch import RepeatingFactory as Repeating  # by a name that workers can import, which `__main__` is not

    factory = AssessorFactory(config=AssessorConfig(threads=1), lexicon=None) if options.real else Repeating()
    watch = Watch(options.every, private_mb)
    watch.start()
    found = run("ray", manifest, folder / "out", factory, options.workers)
    watch.stop()
    size_mb = sum(path.stat().st_size for path in (folder / "out").glob("*.parquet")) / 1e6
    parts = len(list((folder / "out").glob("*.parquet")))
    print(
        f"rows         {options.rows} in {found.seconds:.0f} s, {found.rate:.1f} a second; "
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
        print(
            f"memory, MB   {Path(name[0].split()[0]).name[:30]:31}{name[1]:8} by quarters "
            + " ".join(f"{size:7.1f}" for size in sizes)
            + f"; {grown:+.1f}"
        )
    print(f"machine      {os.cpu_count()} cores, load average {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    return 1 if faults else 0


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "idle", "memory"))
    parser.add_argument("manifest", type=Path, nargs="?", help="not with idle")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--recordings", type=int, default=50, help="as many of the manifest's are repeated")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--row-s", type=float, default=0.5, metavar="S", help="idle: so long a row waits")
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="look at memory so often")
    parser.add_argument("--json", type=Path, metavar="FILE", help="speed: write the figures there")
    parser.add_argument("--real", action="store_true", help="memory: assess every row")
    options = parser.parse_args()
    if (options.manifest is None) != (options.what == "idle"):
        parser.error("speed and memory need a manifest, idle takes none")
    what = {"speed": speed, "idle": idle, "memory": memory}[options.what]
    with tempfile.TemporaryDirectory(prefix="elocute-soak-") as name:
        return what(options, Path(name))


if __name__ == "__main__":
    sys.exit(main())
