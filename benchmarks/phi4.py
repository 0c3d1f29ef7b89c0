"""Training and generation of the full-size Phi-4-multimodal with random weights: memory and speed of every regime.

    python benchmarks/phi4.py --corpus DIR                       # one GPU, every row, about five minutes
    python benchmarks/phi4.py --corpus DIR --gpus 0,1            # rows dealt to two GPUs
    python benchmarks/phi4.py --corpus DIR --size tiny --device cpu --json /dev/null   # a dry run at toy size

Neither memory nor speed depends on what the weights are, and they are drawn on the GPU: nothing is downloaded. The
recordings are real, the prompts those of the training with their rubrics, the tokenizer our own (a word or less a
token, as the released one for English). Every row is a process of its own; a row that cannot be measured keeps its
reason, and rows of an earlier run on the same machine are kept. Figures go to `benchmarks/phi4.json` after every row,
and the table in `benchmarks/phi4.md` is written from it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # the GPU machine may have nothing installed of ours
RESULTS, TABLE = ROOT / "benchmarks" / "phi4.json", ROOT / "benchmarks" / "phi4.md"
FORMAT = "elocute phi4 speed 1"
EPOCH = 5000
"""Examples of an epoch: both tasks of 2,500 utterances."""
RECORDINGS = 384
NEW_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A way to train.

    Attributes:
        label: as the table shows it.
        recipe: its file in recipes/.
        changes: of the recipe.
    """

    label: str
    recipe: str
    changes: tuple[str, ...] = ()


ROWS = {
    "lora-16": Row(
        label="LoRA r16", recipe="phi4-80gb", changes=("adapter.rank=16", "adapter.alpha=32", "training.update=64")
    ),
    "lora-64": Row(label="LoRA r64", recipe="phi4-80gb", changes=("training.update=64",)),
    "lora-64-unpadded": Row(
        label="LoRA r64, batches padded as little as can be",
        recipe="phi4-80gb",
        changes=("training.update=64", "training.pad=[1,1]"),
    ),
    "lora-320": Row(label="LoRA r320 (the paper's)", recipe="phi4-paper"),
    "unfreeze": Row(
        label="Unfreeze (r320, encoder, projector)", recipe="phi4-paper", changes=("model.regime=unfreeze",)
    ),
    "qlora": Row(label="QLoRA NF4 r64", recipe="phi4-80gb", changes=("model.regime=qlora", "training.update=64")),
    "hybrid": Row(
        label="hybrid: NF4 r64, encoder, projector",
        recipe="phi4-80gb",
        changes=("model.regime=hybrid", "training.update=64"),
    ),
    "lora-320-checkpointing": Row(
        label="LoRA r320, layers recomputed", recipe="phi4-paper", changes=("model.gradient_checkpointing=true",)
    ),
    "24gb": Row(label="24 GB: NF4 r32, batch 4, layers recomputed", recipe="phi4-24gb"),
    "24gb-hybrid": Row(label="24 GB: the same, encoder learns", recipe="phi4-24gb", changes=("model.regime=hybrid",)),
}


def measure(row: Row, args: argparse.Namespace) -> dict[str, Any]:
    """Figures of one row, in this process."""
    import torch

    from elocute.mllm.launching import launch
    from elocute.mllm.model import trainable
    from elocute.mllm.recipe import read_phi4_recipe
    from elocute.mllm.training import Phi4Trainer, make_accelerator
    from elocute.training.ctc_data import Source

    is_gpu = args.device == "cuda"
    torch.set_num_threads(min(8, os.cpu_count() or 1) if is_gpu else 1)
    changes = [*row.changes, f"model.size={args.size}", "data.held_fold=-1"]
    if args.size == "tiny":
        changes += ["adapter.rank=4", "adapter.alpha=8", "training.update=8", "training.batch=4"]
        changes += ["adapter.start=fresh"]  # a tiny model has no speech adapter
    recipe = read_phi4_recipe(ROOT / "recipes" / f"{row.recipe}.toml", changes)
    accelerator = make_accelerator(recipe, cpu=not is_gpu)
    begun_s = time.monotonic()
    corpus = _subset(Path(args.corpus), Path(args.work) / "corpus", args.recordings)
    ready = launch(recipe, [Source(kind="speechocean762", path=corpus)], Path(args.work) / args.row, accelerator)
    loaded_s = time.monotonic() - begun_s
    loaded = torch.cuda.memory_allocated() if is_gpu else None
    trainer = Phi4Trainer(ready.run, ready.model, accelerator)
    trainer.wrapped.train()
    found: dict[str, Any] = {"load_s": loaded_s, "loaded_bytes": loaded}
    found["trainable"] = trainable(ready.model).table()
    found["batch"], found["update"] = trainer.draw.batch, sum(map(len, trainer.draw.parts(0)))
    found["gradient_checkpointing"], found["optimizer"] = recipe.model.gradient_checkpointing, recipe.training.optimizer
    found |= _training(trainer, args.updates, is_gpu)
    found |= _generation(trainer, is_gpu, args.tokens)
    return found


def _training(trainer: Any, updates: int, is_gpu: bool) -> dict[str, Any]:
    """Seconds of whole updates, after one that is not counted."""
    import torch

    def one() -> None:
        trainer._update()
        trainer.progress.step += 1

    one()
    _wait(is_gpu)
    if is_gpu:
        torch.cuda.reset_peak_memory_stats()
    sums = trainer.sums.tolist()
    times = []
    for _ in range(updates):
        begun_s = time.monotonic()
        one()
        _wait(is_gpu)
        times.append(time.monotonic() - begun_s)
    examples = sum(sum(map(len, trainer.draw.parts(step))) for step in range(1, 1 + updates))
    rate = examples / sum(times)
    after = trainer.sums.tolist()
    return {
        "update_s": times,
        "samples_per_s": rate,
        "epoch_s": EPOCH / rate,
        "loss": (after[0] - sums[0]) / (after[1] - sums[1]),
        "peak_training_bytes": torch.cuda.max_memory_allocated() if is_gpu else None,
    }


def _generation(trainer: Any, is_gpu: bool, tokens: int) -> dict[str, Any]:
    """Tokens a second: of sixteen transcripts at a time, and of one alone."""
    import torch

    from elocute.mllm.assembling import audio_of

    trainer.optimizer.zero_grad(set_to_none=True)
    trainer.optimizer.state.clear()
    model = trainer.model.eval()
    # As `load_tuned` loads it: everything in the weights' type, no mixed precision.
    model.forward = type(model).forward.__get__(model)
    short = model.get_input_embeddings().weight.dtype
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(short)
    audio_of(model).to(short)  # its mean and deviation of spectra are no parameters
    if is_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    found = {f"generation_{size}_tokens_per_s": _speed(trainer, size, tokens, is_gpu) for size in (16, 1)}
    found["peak_generation_bytes"] = torch.cuda.max_memory_allocated() if is_gpu else None
    if trainer.run.recipe.model.regime not in ("qlora", "hybrid"):
        model.merge_adapter()
        found["merged_16_tokens_per_s"] = _speed(trainer, 16, tokens, is_gpu)
        found["merged_1_tokens_per_s"] = _speed(trainer, 1, tokens, is_gpu)
    return found


def _speed(trainer: Any, size: int, tokens: int, is_gpu: bool) -> float:
    """Tokens a second, of so many answers at a time; the second of two runs."""
    import torch

    from elocute.mllm.collate import Collator

    asked = [example for example in trainer.run.examples if example.task == "mdd"][:size]
    batch = Collator(trainer.run.processor, with_answers=False)(asked)
    batch = {name: value.to(trainer.device) for name, value in batch.items()}
    for count in (4, tokens):
        _wait(is_gpu)
        begun_s = time.monotonic()
        with torch.inference_mode():
            trainer.model.generate(**batch, do_sample=False, min_new_tokens=count, max_new_tokens=count)
        _wait(is_gpu)
        spent_s = time.monotonic() - begun_s
    return size * tokens / spent_s


def _subset(corpus: Path, folder: Path, most: int) -> Path:
    """A corpus of some of the recordings, evenly from all, in the same layout."""
    if (folder / "done").is_file():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}")
    (part / "train").mkdir(parents=True)
    (part / "resource").mkdir()
    scp = (corpus / "train" / "wav.scp").read_text(encoding="utf-8").splitlines()
    chosen = scp[:: max(1, len(scp) // most)][:most]
    names = {line.split()[0] for line in chosen}
    for name in ("wav.scp", "utt2spk"):
        lines = (corpus / "train" / name).read_text(encoding="utf-8").splitlines()
        (part / "train" / name).write_text(
            "\n".join(x for x in lines if x.split()[0] in names) + "\n", encoding="utf-8"
        )
    speakers = {x.split()[1] for x in (part / "train" / "utt2spk").read_text(encoding="utf-8").splitlines()}
    for name in ("spk2gender", "spk2age"):
        lines = (corpus / "train" / name).read_text(encoding="utf-8").splitlines()
        kept = [x for x in lines if x.split()[0] in speakers]
        (part / "train" / name).write_text("\n".join(kept) + "\n", encoding="utf-8")
    scores = json.loads((corpus / "resource" / "scores.json").read_text(encoding="utf-8"))
    (part / "resource" / "scores.json").write_text(json.dumps({k: scores[k] for k in names}), encoding="utf-8")
    (part / "WAVE").symlink_to((corpus / "WAVE").resolve())
    (part / "done").touch()
    try:
        os.replace(part, folder)
    except OSError:  # another row was faster
        return folder if (folder / "done").is_file() else part
    return folder


def _wait(is_gpu: bool) -> None:
    """Until the GPU is done."""
    if is_gpu:
        import torch

        torch.cuda.synchronize()


def run_rows(args: argparse.Namespace) -> None:
    """Every row in a process of its own, dealt to the GPUs; results are written after each."""
    json_path = Path(args.json)
    found: dict[str, Any] = {"format": FORMAT, "size": args.size, "machine": _machine(args), "rows": {}}
    found["rows"] = _kept(json_path, found)
    deadline = time.monotonic() + 60 * args.minutes
    gpus = args.gpus.split(",") if args.gpus else [None]
    free = list(gpus)

    def one(name: str) -> None:
        gpu = free.pop()
        try:
            row = _child(name, args, gpu, deadline)
        finally:
            free.append(gpu)
        if "error" not in row or name not in found["rows"]:
            found["rows"][name] = row
        print(f"{name}: {_said(row)}", flush=True)
        if json_path.name != "null":
            ordered = {key: found["rows"][key] for key in ROWS if key in found["rows"]}
            json_path.write_text(json.dumps({**found, "rows": ordered}, indent=1) + "\n", encoding="utf-8")
            json_path.with_suffix(".md").write_text(table({**found, "rows": ordered}), encoding="utf-8")

    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(len(gpus)) as pool:
        args.work = work
        _subset(Path(args.corpus), Path(work) / "corpus", args.recordings)
        list(pool.map(one, args.rows.split(",") if args.rows else list(ROWS)))


def _kept(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Rows that were measured before, on the same machine."""
    if path.name == "null" or not path.is_file():
        return {}
    before = json.loads(path.read_text(encoding="utf-8"))
    if any(before.get(key) != found[key] for key in ("format", "size", "machine")):
        return {}
    return {name: row for name, row in before["rows"].items() if "error" not in row}


def _child(name: str, args: argparse.Namespace, gpu: str | None, deadline: float) -> dict[str, Any]:
    """The figures of a row from a process of its own, or the reason why there are none."""
    left_s = deadline - time.monotonic()
    if left_s < 20:
        return {"error": f"not measured: {args.minutes:g} minutes were over"}
    command = [sys.executable, __file__, "--row", name]
    for key in ("corpus", "size", "device", "updates", "recordings", "tokens", "work"):
        command += [f"--{key}", str(getattr(args, key))]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    begun_s = time.monotonic()
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=left_s, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"not measured: more than {left_s:.0f} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1][:300], "trace": done.stderr[-1500:]}
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**row, "process_s": round(time.monotonic() - begun_s, 1)}


def _said(row: dict[str, Any]) -> str:
    """A row in a line, for the log."""
    if "error" in row:
        return str(row["error"])
    peak = row["peak_training_bytes"]
    return (
        f"{row['samples_per_s']:.2f} samples/s, {'' if peak is None else f'{peak / 1e9:.1f} GB, '}"
        f"{row['generation_16_tokens_per_s']:.0f} tokens/s, {row['process_s']:.0f} s"
    )


def _machine(args: argparse.Namespace) -> dict[str, Any]:
    """What it was measured on."""
    packages = {}
    for name in ("torch", "transformers", "peft", "accelerate", "bitsandbytes"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "none"
    name = "cpu"
    if args.device == "cuda":
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        name = (done.stdout.splitlines() or ["unknown GPU"])[0]
    return {"device": name, "packages": packages, "recordings": args.recordings}


def table(found: dict[str, Any]) -> str:
    """The table in Markdown."""
    machine = found["machine"]
    lines = [
        f"# Phi-4-multimodal, {found['size']} size, random weights, on one {machine['device']}",
        "",
        f"{', '.join(f'{name} {number}' for name, number in machine['packages'].items())}; {machine['recordings']} "
        "real recordings of speechocean762, both tasks, prompts with rubrics. An epoch has 5,000 examples (two tasks "
        "of 2,500 utterances). Command: `python benchmarks/phi4.py --corpus DIR`. Tokens a second as users load the "
        "model, in bf16; in brackets: measured before, with float32 adapters in mixed precision, as in evaluations of "
        "a training.",
        "",
        "| regime | trainable, M | batch (update) | GB loaded | GB peak in training | samples/s | epoch, minutes | "
        "tokens/s, 16 at a time | tokens/s, one | GB peak then | merged: tokens/s, 16 | one |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found["rows"].items():
        label = ROWS[name].label
        if "error" in row:
            lines.append(f"| {label} | {row['error']} | | | | | | | | | | |")
            continue
        speeds = ("generation_16_tokens_per_s", "generation_1_tokens_per_s")
        merged = ("merged_16_tokens_per_s", "merged_1_tokens_per_s")
        cells = [
            label,
            f"{row['trainable']['learns'] / 1e6:.1f}",
            f"{row['batch']} ({row['update']})",
            *(_gigabytes(row[key]) for key in ("loaded_bytes", "peak_training_bytes")),
            f"{row['samples_per_s']:.1f}",
            f"{row['epoch_s'] / 60:.1f}",
            *(_speed_cell(row, key) for key in speeds),
            _gigabytes(row.get("peak_generation_bytes")),
            *(f"{row[key]:.0f}" if key in row else "" for key in merged),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _speed_cell(row: dict[str, Any], key: str) -> str:
    """Tokens a second; in brackets those in mixed precision where there are no others."""
    if key in row:
        return f"{row[key]:.0f}"
    mixed = row.get(f"mixed_precision_{key}")
    return "" if mixed is None else f"({mixed:.0f})"


def _gigabytes(count: int | None) -> str:
    """Bytes as GB."""
    return "" if count is None else f"{count / 1e9:.1f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="speechocean762 in its official layout")
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--gpus", default="", help="numbers of the GPUs that share the rows, such as 0,1")
    parser.add_argument("--size", default="full", choices=("full", "small", "tiny"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--minutes", type=float, default=30.0, help="rows that have not begun by then are left out")
    parser.add_argument("--updates", type=int, default=2, help="that are measured, after one that is not")
    parser.add_argument("--recordings", type=int, default=RECORDINGS)
    parser.add_argument("--tokens", type=int, default=NEW_TOKENS)
    parser.add_argument("--json", default=str(RESULTS))
    parser.add_argument("--row", default="", help=argparse.SUPPRESS)
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(ROWS[args.row], args)))
    else:
        run_rows(args)


if __name__ == "__main__":
    main()
