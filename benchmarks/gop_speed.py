"""Speed and exactness of the 40 alternatives (39 phones and nothing) at every phone of an utterance.

Compares `elocute.gop.alternatives` (which finds the insertions, the free string and the durations on top) with
(a) one plain CTC forward pass of our own per alternative, numpy in float64 like ours, and
(b) one batch of torch's `ctc_loss` over the same alternatives, float64, one thread.

    python benchmarks/gop_speed.py                            # the embedded model's posteriors of examples/
    python benchmarks/gop_speed.py --manifest corpus.jsonl    # of other recordings: rows {"id", "audio", "text"}
    python benchmarks/gop_speed.py --posteriors some.npz      # arrays "ID/log_probs" (T, V) and "ID/canonical" (L,)
    python benchmarks/gop_speed.py --synthetic 10             # peaky planted posteriors, no model needed

Every time is the least of --repeat runs; ratios and their medians are taken within this one run.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from elocute import ctc, gop
from elocute.types import PhoneSet

R = TypeVar("R")
EXAMPLES = Path(__file__).parent.parent / "examples" / "manifest.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Utterance:
    """Posteriors of one recording and the phones that should be in it."""

    name: str
    log_probs: np.ndarray
    canonical: np.ndarray
    phone_set: PhoneSet

    def sequences(self) -> list[list[int]]:
        """Labels of every alternative: at each phone all substitutions, then the deletion."""
        spelled = [list(self.phone_set.tokens[k]) for k in self.canonical]
        choices = [*map(list, self.phone_set.tokens), []]
        return [
            [label for tokens in (*spelled[:i], choice, *spelled[i + 1 :]) for label in tokens]
            for i in range(len(spelled))
            for choice in choices
        ]


def one_label_phones(V: int) -> PhoneSet:
    """Phone k is label k + 1, blank 0."""
    return PhoneSet(
        symbols=tuple(map(str, range(1, V))), tokens=tuple((label,) for label in range(1, V)), size=V, blank_id=0
    )


def from_manifest(path: Path) -> Iterator[Utterance]:
    """Posteriors that the embedded model finds in real recordings."""
    from elocute.acoustic import load_backend
    from elocute.audio import load_audio
    from elocute.phones import phonemize

    backend = load_backend("embedded")
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        posteriors = backend.posteriors(load_audio(path.parent / row["audio"]))
        canonical = [posteriors.phone_set.id_of(phone.symbol) for phone in phonemize(row["text"]).phones]
        yield Utterance(
            name=row["id"],
            log_probs=posteriors.log_probs,
            canonical=np.array(canonical),
            phone_set=posteriors.phone_set,
        )


def from_archive(path: Path) -> Iterator[Utterance]:
    """Saved posteriors; phone k is label k + 1, blank 0."""
    with np.load(path) as arrays:
        for name in sorted({key.rsplit("/", 1)[0] for key in arrays}):
            log_probs = arrays[f"{name}/log_probs"]
            yield Utterance(
                name=name,
                log_probs=log_probs,
                canonical=arrays[f"{name}/canonical"],
                phone_set=one_label_phones(log_probs.shape[1]),
            )


def synthetic(count: int, seed: int = 0) -> Iterator[Utterance]:
    """Posteriors of realistic length and peakiness: each phone a spike of 1 to 3 frames, one in ten another phone."""
    rng = np.random.default_rng(seed)
    for n in range(count):
        L = int(rng.integers(6, 36))
        canonical = rng.integers(0, 39, L)
        said = np.where(rng.random(L) < 0.1, rng.integers(0, 39, L), canonical)
        frames = np.concatenate([[label + 1] * rng.integers(1, 4) + [0] * rng.integers(2, 10) for label in said])
        logits = rng.normal(scale=2.0, size=(len(frames), 40))
        logits[np.arange(len(frames)), frames] += 12.0
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        yield Utterance(
            name=f"synthetic-{n}",
            log_probs=log_probs.astype(np.float32),
            canonical=canonical,
            phone_set=one_label_phones(40),
        )


def torch_forward(log_probs: np.ndarray, sequences: list[list[int]], blank_id: int) -> np.ndarray:
    """Log P of each sequence from one batched `ctc_loss`."""
    T, N = len(log_probs), len(sequences)
    frames = torch.from_numpy(log_probs.astype(np.float64))[:, None].expand(T, N, -1)
    lengths = torch.tensor([len(labels) for labels in sequences])
    targets = torch.tensor([label for labels in sequences for label in labels])
    with torch.no_grad():
        loss = torch.nn.functional.ctc_loss(
            frames, targets, torch.full((N,), T), lengths, blank=blank_id, reduction="none"
        )
    return -loss.numpy()


def timed(work: Callable[[], R], repeat: int) -> tuple[R, float]:
    """Result and the least of `repeat` times, seconds."""
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return result, best


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference in nats; inf where only one of the two is impossible."""
    both_impossible = np.isneginf(ours) & np.isneginf(theirs)
    with np.errstate(invalid="ignore"):
        return float(np.where(both_impossible, 0.0, np.abs(ours - theirs)).max())


def compare(utterance: Utterance, repeat: int) -> tuple[float, float, float]:
    """Print one row; return the two ratios and the larger difference in nats."""
    log_probs = np.asarray(utterance.log_probs, dtype=np.float64)
    sequences, blank_id = utterance.sequences(), utterance.phone_set.blank_id
    found, ours_s = timed(lambda: gop.alternatives(log_probs, utterance.canonical, utterance.phone_set), repeat * 3)
    plain, plain_s = timed(lambda: [ctc.forward_log_prob(log_probs, s, blank_id) for s in sequences], repeat)
    batch, batch_s = timed(lambda: torch_forward(log_probs, sequences, blank_id), repeat)
    ours = np.column_stack([found.substitution, found.deletion]).ravel()
    nats = max(difference(ours, np.array(plain)), difference(ours, batch))
    print(
        f"{utterance.name:24} {len(log_probs):5} {len(utterance.canonical):4} "
        f"{ours_s * 1e3:9.2f} {plain_s * 1e3:10.1f} {batch_s * 1e3:10.1f} "
        f"{plain_s / ours_s:9.1f} {batch_s / ours_s:9.1f} {nats:10.1e}",
        flush=True,
    )
    return plain_s / ours_s, batch_s / ours_s, nats


def print_long_recording() -> None:
    """Time and memory of 40 seconds of planted speech: 2,000 frames, 100 phones."""
    pieces = list(synthetic(20))
    log_probs = np.concatenate([piece.log_probs for piece in pieces])[:2000]
    canonical = np.concatenate([piece.canonical for piece in pieces])[:100]
    phone_set = one_label_phones(40)
    _, seconds = timed(lambda: gop.alternatives(log_probs, canonical, phone_set), 3)
    tracemalloc.start()
    gop.alternatives(log_probs, canonical, phone_set)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"2,000 frames x 100 phones (planted): {seconds * 1e3:.0f} ms, peak {peak / 1e6:.0f} MB")


def main() -> None:
    """Run the comparison on the chosen posteriors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--manifest", type=Path, default=EXAMPLES, help="recordings for the embedded model")
    source.add_argument("--posteriors", type=Path, help="saved posteriors, .npz")
    source.add_argument("--synthetic", type=int, metavar="N", help="N utterances of planted posteriors")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each contestant (ours: three times as many)")
    parser.add_argument("--limit", type=int, help="take only the first utterances")
    options = parser.parse_args()

    torch.set_num_threads(1)
    if options.synthetic:
        utterances = synthetic(options.synthetic)
    else:
        utterances = from_archive(options.posteriors) if options.posteriors else from_manifest(options.manifest)
    print(f"Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}, one thread each")
    print(
        f"{'utterance':24} {'T':>5} {'L':>4} {'ours/ms':>9} {'plain/ms':>10} {'torch/ms':>10} "
        f"{'plain/our':>9} {'torch/our':>9} {'max nats':>10}"
    )
    rows = [compare(u, options.repeat) for n, u in enumerate(utterances) if options.limit is None or n < options.limit]
    plain, batch, nats = zip(*rows, strict=True)
    print(
        f"median of {len(rows)}: {statistics.median(plain):.1f} x one plain forward pass each, "
        f"{statistics.median(batch):.1f} x torch's batch; largest difference {max(nats):.1e} nat"
    )
    print_long_recording()


if __name__ == "__main__":
    main()
