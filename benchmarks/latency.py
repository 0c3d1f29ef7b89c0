"""Latency, memory and size of the shipped assessor, against the length of the recording.

    python benchmarks/latency.py                                    # table on the terminal
    python benchmarks/latency.py --json benchmarks/latency.json     # ... and the file that the benchmark card shows
    python benchmarks/latency.py --corpus speechocean762            # real recordings in place of examples/

Every length is measured in a process of its own, so that its peak memory is its own. The time of a run is the whole of
`Assessor.assess` on the bytes of a FLAC file with its models loaded; the stages are timed inside that same run, by
wrapping what the pipeline calls. The examples are joined and cut to the exact length, the text holds the words that end
before the cut; recordings of a corpus are joined whole, to within a tenth of the length.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

import elocute.assessor as pipeline
from elocute.assessor import Assessor
from elocute.audio import load_audio
from elocute.config import AssessorConfig
from elocute.types import SAMPLE_RATE_HZ

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "manifest.jsonl"
FORMAT = "elocute latency 1"
LENGTHS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
WARM_UP_RUNS = 3
TOLERANCE = 0.1
"""How far, as a share of the length, joined recordings of a corpus may be off."""

STAGES = {
    "text": ("phonemize",),
    "decode": ("load_audio",),
    "variants": ("best_variants",),
    "reading": ("read_words",),
    "lattice and GOP": ("analyse",),
    "edit lattice": ("said_posterior",),
    "diagnosis": ("diagnose", "match", "left_out"),
}
"""Stage and the functions of `elocute.assessor` that it is made of; network, scorer and the rest are added below."""
NETWORK, SCORER, REST = "acoustic network", "scorer", "rest"
ORDER = ("decode", "text", NETWORK, "variants", "reading", "lattice and GOP", "edit lattice", SCORER, "diagnosis", REST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One recording to assess, as the bytes of a file."""

    audio: bytes
    text: str
    duration_s: float


def flac(samples: np.ndarray) -> bytes:
    """The samples as a FLAC file."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def example_clips(length_s: float) -> Iterator[Clip]:
    """The faultless recordings of examples/ in every rotation, joined and cut to the length."""
    assessor = Assessor()
    pieces = []
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["planted"] is None:
            recording = load_audio(EXAMPLES.parent / row["audio"])
            words = assessor.assess(recording, row["text"]).words
            pieces.append((recording.samples, [(word.word, word.end_s) for word in words]))
    for first in range(len(pieces)):
        samples, words, length = [], [], 0.0
        for k in range(10_000):
            piece, said = pieces[(first + k) % len(pieces)]
            samples.append(piece)
            words += [word for word, end_s in said if end_s is not None and length + end_s <= length_s]
            length += len(piece) / SAMPLE_RATE_HZ
            if length >= length_s:
                break
        cut = np.concatenate(samples)[: round(length_s * SAMPLE_RATE_HZ)]
        yield Clip(audio=flac(cut), text=" ".join(words), duration_s=len(cut) / SAMPLE_RATE_HZ)


def corpus_clips(folder: Path, length_s: float) -> Iterator[Clip]:
    """Recordings of speechocean762's train split, joined in the corpus's order until they have the length."""
    from elocute.corpora.speechocean762 import read_speechocean762

    samples: list[np.ndarray] = []
    texts: list[str] = []
    for utterance in read_speechocean762(folder):
        samples.append(load_audio(utterance.audio).samples)
        texts.append(utterance.text)
        joined_s = sum(map(len, samples)) / SAMPLE_RATE_HZ
        if joined_s >= (1 - TOLERANCE) * length_s:
            if joined_s <= (1 + TOLERANCE) * length_s:
                yield Clip(audio=flac(np.concatenate(samples)), text=" ".join(texts), duration_s=joined_s)
            samples, texts = [], []


class Stopwatch:
    """Seconds spent in each stage of the run at hand."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return work(*arguments, **options)
            finally:
                self.seconds[stage] += time.perf_counter() - start

        return timed

    def attach(self, assessor: Assessor) -> None:
        """Time every stage of the pipeline; AttributeError where it has no such stage any more."""
        for stage, names in STAGES.items():
            for name in names:
                setattr(pipeline, name, self.wrap(stage, getattr(pipeline, name)))
        assessor.backend.posteriors = self.wrap(NETWORK, assessor.backend.posteriors)  # type: ignore[method-assign]
        assessor.scorer.score = self.wrap(SCORER, assessor.scorer.score)  # type: ignore[method-assign]


def memory_mb(field: str) -> float:
    """Resident memory of this process, MB: `VmRSS` as it is, `VmHWM` at its peak."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux its peak may be that of the parent process.
        line = next(line for line in status.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def quantiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, milliseconds."""
    p50, p95 = np.percentile(np.array(seconds) * 1e3, [50, 95])
    return {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2)}


def measure(length_s: float, clips: Sequence[Clip], runs: int, threads: int | None) -> dict[str, Any]:
    """Times and memory of one length, in this process."""
    start = time.perf_counter()
    assessor = Assessor(AssessorConfig(threads=threads))
    load_s = time.perf_counter() - start
    loaded_mb = memory_mb("VmRSS")
    watch = Stopwatch()
    watch.attach(assessor)
    phones = []
    for clip in islice(cycle(clips), max(WARM_UP_RUNS, len(clips))):
        report = assessor.assess(clip.audio, clip.text)
        phones.append(sum(len(word.phonemes) for word in report.words))
    whole, stages, factors = [], defaultdict(list), []
    for run in range(runs):
        clip = clips[run % len(clips)]
        watch.seconds.clear()
        start = time.perf_counter()
        assessor.assess(clip.audio, clip.text)
        took = time.perf_counter() - start
        watch.seconds[REST] = took - sum(watch.seconds.values())
        whole.append(took)
        factors.append(took / clip.duration_s)
        for stage in ORDER:
            stages[stage].append(watch.seconds[stage])
    return {
        "length_s": length_s,
        "clips": len(clips),
        "runs": runs,
        "phones": round(float(np.mean(phones)), 1),
        "whole": quantiles_ms(whole),
        "stages": {stage: quantiles_ms(stages[stage]) for stage in ORDER},
        "real_time_factor": round(float(np.median(factors)), 4),
        "load_s": round(load_s, 3),
        "loaded_mb": round(loaded_mb, 1),
        "peak_mb": round(memory_mb("VmHWM"), 1),
    }


def cold_start(runs: int) -> dict[str, Any]:
    """From nothing to the report: a new process of the command line on an example, files in the system's cache."""
    row = json.loads(EXAMPLES.read_text(encoding="utf-8").splitlines()[0])
    audio = EXAMPLES.parent / row["audio"]
    command = [sys.executable, "-m", "elocute.cli", "assess", str(audio), row["text"], "--format", "json"]
    took = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    p50, p95 = np.percentile(took[1:], [50, 95])
    return {
        "recording": row["audio"],
        "runs": runs,
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
    }


def model_sizes() -> list[dict[str, Any]]:
    """Every file that the shipped assessor reads, with the version in its card."""
    folder = ROOT / "src" / "elocute" / "assets"
    sizes = []
    for path in sorted(folder.iterdir()):
        if path.suffix in {".onnx", ".bin"}:
            card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            sizes.append({"file": path.name, "bytes": path.stat().st_size, "version": card.get("version")})
    return sizes


def cpu_model() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str | None:
    """Commit of the checkout, with "+" where files that matter here differ from it; None outside a checkout."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], check=False, capture_output=True, text=True)
    if head.returncode != 0:
        return None
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "src", "benchmarks/latency.py"], check=False)
    return head.stdout.strip() + ("+" if changed.returncode else "")


def machine(threads: int | None) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "threads": threads or cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version(package) for package in ("elocute", "numpy", "onnxruntime")},
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_before": round(os.getloadavg()[0], 2),
    }


def show(result: dict[str, Any], console: Console) -> None:
    """The tables on the terminal."""
    facts = result["machine"]
    console.print(
        f"{facts['cpu']}, {facts['threads']} threads on {facts['cores']} cores, Python {facts['python']}, "
        f"numpy {facts['numpy']}, onnxruntime {facts['onnxruntime']}, elocute {facts['elocute']} ({facts['commit']}); "
        f"load before the run {facts['load_before']}; recordings: {result['recordings']}",
        highlight=False,
    )
    table = Table(title="Warm Assessor.assess, milliseconds (p50 of each stage)", title_justify="left")
    for heading in ("length", "phones", "p50", "p95", "RTF", *ORDER, "peak MB"):
        table.add_column(heading, justify="right")
    for row in result["lengths"]:
        table.add_row(
            f"{row['length_s']:g} s",
            f"{row['phones']:.0f}",
            f"{row['whole']['p50_ms']:.0f}",
            f"{row['whole']['p95_ms']:.0f}",
            f"{row['real_time_factor']:.3f}",
            *(f"{row['stages'][stage]['p50_ms']:.1f}" for stage in ORDER),
            f"{row['peak_mb']:.0f}",
        )
    console.print(table)
    cold = result["cold_start"]
    loaded = result["lengths"][0]
    console.print(
        f"cold start (elocute assess {cold['recording']}, new process to report): p50 {cold['p50_s']:.2f} s, "
        f"p95 {cold['p95_s']:.2f} s; models load in {loaded['load_s']:.2f} s into {loaded['loaded_mb']:.0f} MB",
        highlight=False,
    )
    sizes = Table(title="Model files", title_justify="left")
    sizes.add_column("file")
    sizes.add_column("MB", justify="right")
    for model in result["models"]:
        sizes.add_row(model["file"], f"{model['bytes'] / 1e6:.2f}")
    sizes.add_row("total", f"{sum(model['bytes'] for model in result['models']) / 1e6:.2f}")
    console.print(sizes)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="speechocean762 in its official layout")
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS_S, metavar="S", help="seconds")
    parser.add_argument("--runs", type=int, default=30, help="timed runs of each length")
    parser.add_argument("--clips", type=int, default=10, help="recordings of each length, at most")
    parser.add_argument("--cold-runs", type=int, default=5, help="timed cold starts")
    parser.add_argument("--threads", type=int, help="of the acoustic network; default: as many as there are cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args()

    facts = machine(options.threads)
    rows = []
    for length_s in options.lengths:
        found = corpus_clips(options.corpus, length_s) if options.corpus else example_clips(length_s)
        clips = list(islice(found, options.clips))
        if not clips:
            raise SystemExit(f"{options.corpus} has no recordings that join to {length_s:g} s; leave that length out")
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            rows.append(process.submit(measure, length_s, clips, options.runs, options.threads).result())
    result = {
        "format": FORMAT,
        "recordings": "speechocean762, train split" if options.corpus else "examples/ (synthetic speech), joined",
        "machine": facts,
        "lengths": rows,
        "cold_start": cold_start(options.cold_runs),
        "models": model_sizes(),
    }
    show(result, Console(width=None if sys.stdout.isatty() else 150))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
