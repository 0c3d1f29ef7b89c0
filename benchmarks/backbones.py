"""Size, latency and memory of the backbones that `hf:` and `onnx:` can run, each at its true size.

    python benchmarks/backbones.py --device cpu                        # exports each, runs fp32 and int8 on 2 cores
    python benchmarks/backbones.py --device cuda --json gpu.json       # torch on a GPU; needs torch and transformers
    python benchmarks/backbones.py --merge gpu.json                    # into backbones.json, and the table again
    python benchmarks/backbones.py --families wavlm-large --device cpu --tiny   # a dry run at toy sizes, no table

Weights are random: neither size nor speed depends on them. Every family is measured in processes of its own, one at a
time; a row that cannot be measured keeps its reason. Figures go to `benchmarks/backbones.json`, the table in
`benchmarks/backbones.md` is written from it. Latency is the median of a few runs on noise, front end and log-softmax
included, on the CPU by onnxruntime, on the GPU by torch in float32 (TF32 off) and in bfloat16.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # the GPU machine may have nothing installed of ours
RESULTS, TABLE = ROOT / "benchmarks" / "backbones.json", ROOT / "benchmarks" / "backbones.md"
FORMAT = "elocute backbones 1"
LENGTHS_S = (4, 10)
CPU_THREADS = 2
RUNS = {"cpu": 5, "cuda": 20}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
BILLION = {"hidden_size": 1280, "num_hidden_layers": 48, "num_attention_heads": 16, "intermediate_size": 5120}
LAYERED = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One backbone.

    Attributes:
        label: as the table shows it.
        kind: beginning of the class in transformers; "Embedded" for ours.
        sizes: of its encoder.
        vocabulary: labels of its head.
        frame_ms: a row every so many milliseconds.
        note: what is not as published.
    """

    label: str
    kind: str
    sizes: dict[str, Any] = field(default_factory=dict)
    vocabulary: int = 44
    frame_ms: int = 20
    note: str = ""


FAMILIES = {
    "embedded": Family(label="elocute embedded", kind="Embedded", note="shipped int8 graph on the CPU"),
    "wavlm-base-plus": Family(
        label="WavLM base+",
        kind="WavLM",
        sizes={"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    ),
    "wavlm-large": Family(label="WavLM-large", kind="WavLM", sizes=LARGE | LAYERED | {"conv_bias": False}),
    "w2v-bert-2": Family(label="w2v-BERT 2.0", kind="Wav2Vec2Bert", sizes=LARGE),
    "parakeet-0.6b": Family(
        label="Parakeet-CTC 0.6B",
        kind="Parakeet",
        sizes={**LARGE, "num_attention_heads": 8, "num_mel_bins": 80},
        vocabulary=1025,
        frame_ms=80,
    ),
    "zipa-large": Family(
        label="ZIPA-large (stand-in)",
        kind="Wav2Vec2Bert",
        sizes=LARGE | {"num_hidden_layers": 12},
        vocabulary=127,
        note="a Conformer of as many parameters at the same frame rate: transformers has no Zipformer, which works at "
        "lower rates inside and is faster",
    ),
    "omniasr-1b": Family(label="omniASR-CTC 1B", kind="Wav2Vec2", sizes=BILLION | LAYERED, vocabulary=9812),
    "omniasr-300m": Family(label="omniASR-CTC 300M", kind="Wav2Vec2", sizes=LARGE | LAYERED, vocabulary=9812),
    "xlsr-53": Family(label="wav2vec2-xlsr-53-espeak", kind="Wav2Vec2", sizes=LARGE | LAYERED, vocabulary=392),
    "hubert-large": Family(label="HuBERT-large", kind="Hubert", sizes=LARGE | LAYERED),
    "data2vec-large": Family(label="data2vec-audio-large", kind="Data2VecAudio", sizes=LARGE),
    "xls-r-1b": Family(label="XLS-R-1B", kind="Wav2Vec2", sizes=BILLION | LAYERED),
}


def build(name: str, *, tiny: bool) -> Any:
    """The backbone from samples to log-probabilities, with random weights; a torch module."""
    import torch

    family = FAMILIES[name]
    torch.manual_seed(0)
    if family.kind == "Embedded":
        from elocute.training.acoustic_model import AcousticConfig, AcousticModel

        small = {"width": 32, "feed_forward": 48, "blocks": 2}
        return AcousticModel(AcousticConfig(**(small if tiny else {}))).eval()
    import transformers
    from transformers.audio_utils import mel_filter_bank

    from elocute.export.front_end import ParakeetMel, front_end_of

    sizes = {**family.sizes, **TINY} if tiny else dict(family.sizes)
    head = {"vocab_size": family.vocabulary, "pad_token_id": 0}
    config: Any
    if family.kind == "Parakeet":
        config = transformers.ParakeetCTCConfig(encoder_config=sizes, **head)  # type: ignore[arg-type]
        filters = mel_filter_bank(257, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
        front_end: Any = ParakeetMel(filters, pre_emphasis=0.97)
    else:
        is_bert = family.kind == "Wav2Vec2Bert"
        extra = {"output_hidden_size": sizes["hidden_size"]} if is_bert else {}
        config = getattr(transformers, f"{family.kind}Config")(**sizes, **head, **extra)
        extractor = "SeamlessM4TFeatureExtractor" if is_bert else "Wav2Vec2FeatureExtractor"
        front_end = front_end_of(getattr(transformers, extractor)())
    model = getattr(transformers, f"{family.kind}ForCTC")(config)

    class Backbone(torch.nn.Module):
        """Front end, model and log-softmax."""

        def __init__(self) -> None:
            super().__init__()
            self.front_end, self.model = front_end, model

        def forward(self, samples: Any) -> Any:
            return torch.log_softmax(self.model(self.front_end(samples)).logits, dim=-1)

    return Backbone().eval()


def on_gpu(name: str, *, tiny: bool, device: str, work: Path) -> dict[str, Any]:
    """Latency and peak memory by torch, float32 and bfloat16; the device may be the CPU for a dry run."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with torch.device(device):  # random weights of a billion parameters take long on a CPU
        module = build(name, tiny=tiny).to(device)
    row: dict[str, Any] = {"parameters": sum(parameter.numel() for parameter in module.parameters())}
    for kind, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        # Under autocast matrix products and convolutions are bfloat16; spectra before them must not be.
        for seconds in LENGTHS_S:
            samples = 0.1 * torch.randn(1, 16_000 * seconds, device=device)
            work_once = functools.partial(forward, module, samples, dtype, device)
            row[f"{kind}_{seconds}s_ms"] = timed(work_once, RUNS[device], device)
        if device == "cuda":
            row[f"{kind}_peak_mb"] = round(torch.cuda.max_memory_allocated() / 1e6)
    return row


def forward(module: Any, samples: Any, dtype: Any, device: str) -> None:
    """One recording through a torch module."""
    import torch

    is_low = dtype != torch.float32
    front_end = getattr(module, "front_end", None)
    with torch.inference_mode():
        if front_end is None:
            with torch.autocast(device, dtype=torch.bfloat16, enabled=is_low):
                module(samples)
            return
        features = front_end(samples)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=is_low):
            torch.log_softmax(module.model(features).logits.float(), dim=-1)


def timed(work: Callable[[], object], runs: int, device: str) -> float:
    """Median milliseconds of some runs, after two to warm up."""
    took = []
    for run in range(runs + 2):
        start = time.perf_counter()
        work()
        if device == "cuda":
            import torch

            torch.cuda.synchronize()
        if run >= 2:
            took.append(time.perf_counter() - start)
    return round(sorted(took)[len(took) // 2] * 1e3, 2)


def export_step(name: str, *, tiny: bool, device: str, work: Path) -> dict[str, Any]:
    """Write the float32 graph; a process of its own, so that the weights of torch go with it."""
    module = build(name, tiny=tiny)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    if FAMILIES[name].kind == "Embedded":
        shutil.copy(ROOT / "src" / "elocute" / "assets" / "acoustic.onnx", work / "model.int8.onnx")
        return {"parameters": parameters}
    from elocute.export.graph import to_onnx
    from elocute.export.model import exportable_skew

    start = time.perf_counter()
    with exportable_skew(module.model):
        to_onnx(module, work / "model.onnx", outputs=("log_probs",), shortest=1600)
    return {"parameters": parameters, "export_s": round(time.perf_counter() - start, 1)}


def quantise_step(name: str, *, tiny: bool, device: str, work: Path) -> dict[str, Any]:
    """Write the int8 graph."""
    if not (work / "model.onnx").is_file():
        return {}
    from elocute.export.graph import quantise

    start = time.perf_counter()
    quantise(work / "model.onnx", work / "model.int8.onnx")
    return {"quantise_s": round(time.perf_counter() - start, 1)}


def run_step(graph: str) -> Callable[..., dict[str, Any]]:
    """Run a graph: size, latency, and the process's peak memory."""

    def step(name: str, *, tiny: bool, device: str, work: Path) -> dict[str, Any]:
        import numpy as np

        from elocute.assets import load_onnxruntime

        onnxruntime = load_onnxruntime()
        path = work / f"{graph}.onnx"
        if not path.is_file():
            return {}
        kind = "int8" if "int8" in graph else "float32"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CPU_THREADS
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        files = [path, path.with_name(path.name + ".data")]
        row: dict[str, Any] = {f"{kind}_mb": round(sum(one.stat().st_size for one in files if one.is_file()) / 1e6, 1)}
        rng = np.random.default_rng(0)
        for seconds in LENGTHS_S:
            samples = rng.normal(0, 0.1, (1, 16_000 * seconds)).astype(np.float32)
            row[f"{kind}_{seconds}s_ms"] = timed(
                functools.partial(session.run, None, {"samples": samples}), RUNS["cpu"], "cpu"
            )
        row[f"{kind}_peak_mb"] = peak_mb()
        return row

    return step


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "gpu": on_gpu,
    "export": export_step,
    "quantise": quantise_step,
    "float32": run_step("model"),
    "int8": run_step("model.int8"),
}
STEPS_OF = {"cuda": ("gpu",), "cpu": ("export", "float32", "quantise", "int8")}


def peak_mb() -> int:
    """Peak of this process's resident memory."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) * 1024 / 1e6)


def measure(name: str, device: str, *, tiny: bool, as_device: str) -> dict[str, Any]:
    """All steps of a family, each in a process; a step that fails ends the row with its reason."""
    row: dict[str, Any] = {"family": name, "device": device, "load_before": round(os.getloadavg()[0], 2)}
    with tempfile.TemporaryDirectory(prefix="backbones-") as folder:
        for step in STEPS_OF[device]:
            command = [sys.executable, __file__, "--step", step, "--families", name, "--work", folder]
            command += ["--device", as_device, *(["--tiny"] if tiny else [])]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                lines = [line for line in done.stderr.splitlines() if "Error" in line and not line.startswith(" ")]
                row["failed"] = f"{step}: {lines[-1][:300] if lines else f'ended with {done.returncode}'}"
                break
            row |= json.loads(done.stdout.strip().splitlines()[-1])
            print(f"{name} {step}: {done.stdout.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
    return row


def machine(device: str) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    facts: dict[str, Any] = {
        "cpu": names[0] if names else platform.machine(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    for package in ("torch", "transformers", "onnxruntime"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = None
    if device == "cuda":
        import torch

        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def merge(into: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Rows and machines of two result files, the newer ones counting."""
    rows = {(row["family"], row["device"]): row for row in [*into.get("rows", ()), *new.get("rows", ())]}
    return {
        "format": FORMAT,
        "machines": {**into.get("machines", {}), **new.get("machines", {})},
        "rows": [rows[key] for key in sorted(rows, key=lambda key: (list(FAMILIES).index(key[0]), key[1]))],
    }


def read(path: Path) -> dict[str, Any]:
    """A result file; nothing where there is none."""
    if not path.is_file():
        return {}
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if stored.get("format") != FORMAT:
        raise SystemExit(f"{path} is of format {stored.get('format')!r}; expected {FORMAT!r}")
    return stored


def write(path: Path, text: str) -> None:
    """Replace a file in one step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


HEADINGS = (
    ("backbone", ""),
    ("parameters", ""),
    ("frame", ""),
    ("fp32 MB", "cpu float32_mb"),
    ("int8 MB", "cpu int8_mb"),
    *((f"CPU fp32 {s} s", f"cpu float32_{s}s_ms") for s in LENGTHS_S),
    *((f"CPU int8 {s} s", f"cpu int8_{s}s_ms") for s in LENGTHS_S),
    ("CPU peak fp32 MB", "cpu float32_peak_mb"),
    ("CPU peak int8 MB", "cpu int8_peak_mb"),
    *((f"GPU fp32 {s} s", f"cuda float32_{s}s_ms") for s in LENGTHS_S),
    *((f"GPU bf16 {s} s", f"cuda bfloat16_{s}s_ms") for s in LENGTHS_S),
    ("GPU peak fp32 MB", "cuda float32_peak_mb"),
)


def table(results: dict[str, Any]) -> str:
    """The Markdown page."""
    rows = {(row["family"], row["device"]): row for row in results["rows"]}
    lines = [
        "# Backbones side by side",
        "",
        "Written by `python benchmarks/backbones.py`; do not edit. Random weights at the true sizes, 40 phones or the "
        "published vocabulary; latency is the median in milliseconds for recordings of 4 s and 10 s, batch 1, front "
        f"end included: on the CPU onnxruntime with {CPU_THREADS} threads ({RUNS['cpu']} runs), on the GPU torch "
        f"({RUNS['cuda']} runs; float32 without TF32; bfloat16 by autocast, weights kept in float32). Peak memory is "
        "that of the process on the CPU, of torch's allocator on the GPU. A dash was not measured.",
        "",
        f"| {' | '.join(heading for heading, _ in HEADINGS)} |",
        f"|---|{'---:|' * (len(HEADINGS) - 1)}",
    ]
    marks = []
    for name, family in FAMILIES.items():
        measured = [rows[name, device] for device in ("cpu", "cuda") if (name, device) in rows]
        if not measured:
            continue
        reasons = [f"{row['device']}: {row['failed']}" for row in measured if "failed" in row]
        notes = [note for note in (family.note, *reasons) if note]
        marks += [f"{family.label}: {'; '.join(notes)}."] if notes else []
        parameters = max(row.get("parameters", 0) for row in measured)
        cells = [family.label, f"{parameters / 1e6:.0f} M" if parameters else "-", f"{family.frame_ms} ms"]
        for _, where in HEADINGS[3:]:
            device, key = where.split()
            value = rows.get((name, device), {}).get(key)
            cells.append("-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- {mark}" for mark in marks), ""]
    for device, facts in results["machines"].items():
        known = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
        loads = [row["load_before"] for row in results["rows"] if row["device"] == device]
        lines.append(f"{device}: {known}; load before the rows {min(loads)} to {max(loads)}.")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, merge, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--device", choices=list(STEPS_OF), help="measure there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="put the figures there alone, and write no table")
    parser.add_argument("--merge", type=Path, nargs="+", default=[], metavar="FILE", help="take in these figures")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, printed only")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        device = "cpu" if options.tiny else options.device
        print(json.dumps(STEPS[options.step](options.families[0], tiny=options.tiny, device=device, work=options.work)))
        return
    results = read(options.json) if options.json else {} if options.tiny else read(RESULTS)
    for path in options.merge:
        results = merge(results, read(path))
    for name in options.families if options.device else ():
        row = measure(name, options.device, tiny=options.tiny, as_device=options.device)
        facts = {} if options.tiny else {options.device: machine(options.device)}
        results = merge(results, {"rows": [row], "machines": facts})
        if options.json:
            write(options.json, json.dumps(results, indent=1) + "\n")  # after each family: a lease may end
        elif not options.tiny:
            write(RESULTS, json.dumps(results, indent=1) + "\n")
    if options.tiny:
        print(table(results))
    elif not options.json and results:
        write(RESULTS, json.dumps(results, indent=1) + "\n")
        write(TABLE, table(results))


if __name__ == "__main__":
    main()
