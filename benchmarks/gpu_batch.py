"""Hours of audio per hour on one GPU: a wav2vec 2.0 large acoustic model, CTC lattice and GOP of every phone included.

    python benchmarks/gpu_batch.py --out DIR                       # one GPU, about 3 minutes; gpu_batch.json and .md
    python benchmarks/gpu_batch.py --out DIR --device cpu --tiny --hours 0.02       # a dry run

Weights are random, which no speed depends on: the model is saved as users download one and loaded by the backend `hf:`.
Recordings are noise with the lengths and numbers of phones of speechocean762's train split. What a random model hears
is next to uniform, so that each text is planted into its posteriors, one phone in ten said as another: the lattices
then have the peaks of a trained model.

Measured is the wall time from samples in memory to GOP and every one-edit alternative in memory, after a warm-up.
Inside of the network are the device's seconds in the model's forward pass, the copy of its input among them; all else
is outside: folding into phones, lattices, GOP, the copy of scores back, waiting for input (made ahead by threads).
Before that, scores of a batch are compared with the same recordings one by one, in numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # the GPU machine may have nothing installed of ours

FORMAT = "elocute gpu batch 1"
RATE_HZ = 16_000
LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embedding_groups": 4,
}
LAYERED: dict[str, Any] = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
SECONDS = (1.59, 2.58, 2.87, 3.09, 3.29, 3.55, 3.84, 4.24, 4.84, 6.38, 20.41)
"""Deciles of the recordings' lengths in speechocean762's train split."""
PHONES = (12.2, 14.5, 15.5, 16.9, 18.2, 19.7, 21.3, 22.8, 22.9, 24.1)
"""Mean number of phones in each tenth."""
SPIKE = 12.0
"""Nats that a planted label is above what the random model says."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """Noise of a length, and phones to find in it."""

    samples: np.ndarray
    phones: np.ndarray


@dataclass(slots=True, kw_only=True)
class Clock:
    """Seconds of the device in parts of the work; on a CPU, seconds of the wall."""

    device: str
    spans: dict[str, list[tuple[Any, Any]]] = field(default_factory=dict)

    def mark(self) -> Any:
        """This moment in the device's queue."""
        if not self.device.startswith("cuda"):
            return time.perf_counter()
        import torch

        make: Any = torch.cuda.Event
        event = make(enable_timing=True)
        event.record()
        return event

    def add(self, part: str, begin: Any) -> None:
        """Count the time since `begin` to a part."""
        self.spans.setdefault(part, []).append((begin, self.mark()))

    def seconds(self, part: str) -> float:
        """Of a part, once the device is done."""
        spans = self.spans.get(part, [])
        if not self.device.startswith("cuda"):
            return float(sum(end - begin for begin, end in spans))
        return float(sum(begin.elapsed_time(end) for begin, end in spans)) / 1000


def build(folder: Path, *, tiny: bool) -> None:
    """Save a random model with a phone head in the layout that users download."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    from elocute.phones import PHONES as SYMBOLS

    labels = ("<pad>", "<s>", "</s>", "<unk>", "|", *SYMBOLS)
    torch.manual_seed(0)
    config = Wav2Vec2Config(**(TINY if tiny else LARGE), **LAYERED, vocab_size=len(labels), pad_token_id=0)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    extractor: Any = Wav2Vec2FeatureExtractor
    extractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    vocabulary = {label: column for column, label in enumerate(labels)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}), encoding="utf-8")


def recordings(hours: float, seed: int = 0) -> list[Recording]:
    """So many hours, the shortest first."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.1, 120 * RATE_HZ).astype(np.float32)
    found = []
    total_s = 0.0
    while total_s < hours * 3600:
        share = rng.random()
        seconds = float(np.interp(share, np.linspace(0.0, 1.0, len(SECONDS)), SECONDS))
        start = int(rng.integers(len(noise) - int(21 * RATE_HZ)))
        mean = PHONES[min(int(share * len(PHONES)), len(PHONES) - 1)]
        phones = rng.integers(0, 39, max(2, int(rng.poisson(mean))))
        found.append(Recording(samples=noise[start : start + int(seconds * RATE_HZ)], phones=phones))
        total_s += seconds
    return sorted(found, key=lambda one: len(one.samples))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """A batch for the network, as a thread prepared it."""

    indices: list[int]
    prepared: Any
    planted: Any


class Bench:
    """One backend and its recordings."""

    def __init__(self, options: argparse.Namespace, backend: Any, corpus: list[Recording]) -> None:
        from elocute.batch.device import DeviceGop

        self.options, self.backend, self.corpus = options, backend, corpus
        self.gop = DeviceGop.of(backend)
        self.columns = np.array([backend.folding.columns.tolist().index(1 + k) for k in range(39)])

    def prepare(self, indices: list[int]) -> Work:
        """What goes into the network, and the spikes that are added to what comes out."""
        import torch

        prepared = self.backend.prepare([self.corpus[index].samples for index in indices])
        planted = np.full((len(indices), max(prepared.frames)), self.backend.folding.blank_id, dtype=np.int64)
        for row, (index, count) in enumerate(zip(indices, prepared.frames, strict=True)):
            rng = np.random.default_rng(index)
            phones = self.corpus[index].phones
            said = np.where(rng.random(len(phones)) < 0.1, rng.integers(0, 39, len(phones)), phones)
            planted[row, np.linspace(1, count - 2, len(said)).astype(int)] = self.columns[said]
        spoken = torch.from_numpy(planted)
        if self.options.device.startswith("cuda"):
            prepared.inputs.update({name: value.pin_memory() for name, value in prepared.inputs.items()})
            spoken = spoken.pin_memory()
        return Work(indices=indices, prepared=prepared, planted=spoken)

    def batches(self) -> Iterator[Work]:
        """Batches in order, prepared ahead."""
        from elocute.acoustic.batched import buckets

        lengths = [len(one.samples) for one in self.corpus]
        waiting: deque[Future[Work]] = deque()
        with ThreadPoolExecutor(self.options.threads) as pool:
            for bucket in buckets(lengths, self.options.most, round(self.options.padded_s * RATE_HZ)):
                waiting.append(pool.submit(self.prepare, bucket))
                if len(waiting) > 2 * self.options.threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def hear(self, work: Work, clock: Clock) -> Any:
        """The network, and the spikes."""
        import torch

        from elocute.acoustic.huggingface import Heard

        begin = clock.mark()
        heard = self.backend.hear_prepared(work.prepared)
        clock.add("network", begin)
        begin = clock.mark()
        with torch.inference_mode():
            log_probs = heard.log_probs.float()
            spoken = work.planted[:, : log_probs.shape[1], None].to(log_probs.device, non_blocking=True)
            spikes = torch.full_like(spoken, SPIKE, dtype=log_probs.dtype)
            log_probs = torch.log_softmax(log_probs.scatter_add(2, spoken, spikes), dim=-1)
        clock.add("planting", begin)
        return Heard(log_probs=log_probs, frames=heard.frames)

    def score(self, heard: list[Any], indices: list[int], clock: Clock) -> Any:
        """Lattice, alternatives, GOP, durations; back in memory."""
        import torch

        from elocute.gop.edits_batched import pack

        begin = clock.mark()
        with torch.inference_mode():
            texts = pack([self.corpus[index].phones for index in indices], self.backend.phone_set)
            found = self.gop(heard, texts)
            wanted = (found.gop_sf(), found.substitution, found.deletion, found.insertion, found.durations)
            back = [value.to("cpu", non_blocking=False).numpy() for value in (*wanted, found.any_string)]
        clock.add("lattice and GOP", begin)
        return back, found

    def run(self) -> dict[str, float]:
        """All recordings once; seconds of each part and of all."""
        clock = Clock(device=self.options.device)
        heard: list[Any] = []
        indices: list[int] = []
        phones = 0
        self.wait()
        begin_s = time.perf_counter()
        for work in self.batches():
            heard.append(self.hear(work, clock))
            indices += work.indices
            if len(indices) >= self.options.together:
                phones += len(self.score(heard, indices, clock)[0][0])
                heard, indices = [], []
        if heard:
            phones += len(self.score(heard, indices, clock)[0][0])
        self.wait()
        wall_s = time.perf_counter() - begin_s
        assert phones == sum(len(one.phones) for one in self.corpus)
        parts = {part: clock.seconds(part) for part in clock.spans}
        return {"wall": wall_s, **parts, "outside": wall_s - parts["network"], "phones": phones}

    def wait(self) -> None:
        """Until the device is done."""
        if self.options.device.startswith("cuda"):
            import torch

            torch.cuda.synchronize()

    def check(self, count: int) -> dict[str, float]:
        """Scores of a batch against the same recordings one by one on the CPU, and posteriors against each alone."""
        from elocute.gop import alternatives, gop_sf

        clock = Clock(device=self.options.device)
        indices = np.linspace(0, len(self.corpus) - 1, count).astype(int).tolist()
        heard = self.hear(self.prepare(indices), clock)
        (scores, *_), found = self.score([heard], indices, clock)
        split = found.split()
        together = self.backend.hear([self.corpus[index].samples for index in indices]).log_probs.float()
        gop_nats = nats = 0.0
        for row, (index, one) in enumerate(zip(indices, split, strict=True)):
            recording = self.corpus[index]
            alone = self.backend.hear([recording.samples]).log_probs[0].float()
            nats = max(nats, float((together[row, : len(alone)] - alone).abs().max()))
            log_probs = self.backend.folding.fold(heard.log_probs[row, : heard.frames[row]].cpu().numpy())
            truth = alternatives(log_probs, recording.phones, self.backend.phone_set)
            own = scores[found.texts.starts[row] : found.texts.starts[row + 1]]
            gop_nats = max(gop_nats, float(np.abs(own - gop_sf(truth, "SD")).max()))
            gop_nats = max(gop_nats, float(np.abs(one.substitution - truth.substitution).max()))
        return {"posteriors_max_nats": nats, "gop_max_nats": gop_nats}


def precision_of(name: str, device: str) -> AbstractContextManager[Any]:
    """Float32 as it is, with TF32 products, or bfloat16."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16) if name == "bf16" else nullcontext()


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    lines = [
        f"{result['model']}, {result['device']}; {result['hours']:.1f} h in {result['recordings']} recordings",
        "",
        "| precision | hours of audio | hours of audio per hour | network / s | outside / s | share outside "
        "| lattice and GOP / s | against one by one, nats: posteriors; GOP |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in result["precisions"].items():
        if "error" in row:
            lines.append(f"| {name} | {row['error']} | | | | | | |")
            continue
        lines.append(
            f"| {name} | {row['hours']:.1f} | {row['hours_per_hour']:,.0f} "
            f"| {row['network']:.2f} | {row['outside']:.2f} "
            f"| {100 * row['share_outside']:.1f} % | {row['lattice and GOP']:.2f} "
            f"| {row['posteriors_max_nats']:.1e}; {row['gop_max_nats']:.1e} |"
        )
    return "\n".join(lines) + "\n"


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every precision, as long as the time lasts."""
    import torch

    from elocute.acoustic.huggingface import HuggingFaceBackend

    began_s = time.perf_counter()
    build(folder, tiny=options.tiny)
    print(f"built in {time.perf_counter() - began_s:.0f} s", flush=True)
    backend = HuggingFaceBackend(folder, name="hf:large", device=options.device)
    corpus = recordings(options.hours)
    bench = Bench(options, backend, corpus)
    on_gpu = options.device.startswith("cuda")
    hours = sum(len(one.samples) for one in corpus) / RATE_HZ / 3600
    parameters = sum(one.numel() for one in backend.model.parameters())
    result: dict[str, Any] = {
        "format": FORMAT,
        "model": f"wav2vec 2.0, {parameters / 1e6:.0f} million parameters, random weights",
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "hours": hours,
        "recordings": len(corpus),
        "padded_s": options.padded_s,
        "together": options.together,
        "threads": options.threads,
        "precisions": {},
    }
    for name in options.precisions.split(","):
        if time.perf_counter() - began_s > options.minutes * 60:
            result["precisions"][name] = {"error": "no time left"}
            continue
        with precision_of(name, options.device):
            found = bench.check(options.checked)
            print(f"{name}: {found}", flush=True)
            if on_gpu:
                torch.cuda.reset_peak_memory_stats()
            bench.run()  # warm-up: memory is handed out, kernels are chosen
            parts = bench.run()
        row = {"hours": hours, **parts, **found, "share_outside": parts["outside"] / parts["wall"]}
        row["hours_per_hour"] = hours * 3600 / parts["wall"]
        if on_gpu:
            row["peak_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        result["precisions"][name] = row
        print(f"{name}: {json.dumps(row)}", flush=True)
        write(result, options.out)
    return result


def write(result: dict[str, Any], out: Path) -> None:
    """The results so far, for programs and for people."""
    (out / "gpu_batch.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "gpu_batch.md").write_text(table(result), encoding="utf-8")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu_batch.json and gpu_batch.md")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--hours", type=float, default=12.0, help="of audio")
    parser.add_argument("--precisions", default="fp32,tf32,bf16", help="of fp32, tf32, bf16")
    parser.add_argument("--padded-s", type=float, default=480.0, help="seconds of a batch of the network, padding too")
    parser.add_argument("--most", type=int, default=256, help="recordings of a batch of the network")
    parser.add_argument("--together", type=int, default=768, help="recordings whose lattices go together")
    parser.add_argument("--threads", type=int, default=min(4, os.cpu_count() or 1), help="that prepare batches")
    parser.add_argument("--checked", type=int, default=24, help="recordings compared with one by one")
    parser.add_argument("--minutes", type=float, default=6.0, help="begin no precision after so long")
    parser.add_argument("--tiny", action="store_true", help="a toy model, to try the script")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    write(result, options.out)
    print(table(result))


if __name__ == "__main__":
    main()
