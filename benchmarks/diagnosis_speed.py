"""Speed and memory of the diagnosis: what was said at every phone, and how the text was read.

Compares `elocute.gop.said_posterior` (errors everywhere at once) and `elocute.gop.read_words` (words left out, said
again, added) with `elocute.gop.alternatives` (one error at a time), which scoring needs in any case.

    python benchmarks/diagnosis_speed.py                            # the embedded model's posteriors of examples/
    python benchmarks/diagnosis_speed.py --manifest corpus.jsonl    # other recordings: rows {"id", "audio", "text"}

Every time is the least of --repeat runs; ratios and their medians are taken within this one run. One thread: set
OMP_NUM_THREADS=1, for the products of small matrices in here gain nothing from more.
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

import numpy as np

from elocute import gop
from elocute.gop.confusions import learned_prior
from elocute.phones import PHONES
from elocute.types import PhoneSet

EXAMPLES = Path(__file__).parent.parent / "examples" / "manifest.jsonl"
LONG_WORDS = 120


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Utterance:
    """Posteriors of one recording, and the phones of each word that should be in it."""

    name: str
    log_probs: np.ndarray
    words: list[list[int]]
    phone_set: PhoneSet

    def work(self) -> dict[str, Callable[[], object]]:
        """What is measured, by name; the yardstick first."""
        canonical, prior = [phone for word in self.words for phone in word], learned_prior()
        return {
            "alternatives": lambda: gop.alternatives(self.log_probs, canonical, self.phone_set),
            "said": lambda: gop.said_posterior(self.log_probs, canonical, self.phone_set, prior),
            "read": lambda: gop.read_words(self.log_probs, self.words, self.phone_set, prior),
        }


def from_manifest(path: Path) -> Iterator[Utterance]:
    """Posteriors that the embedded model finds in real recordings."""
    from elocute.acoustic import load_backend
    from elocute.audio import load_audio
    from elocute.phones import phonemize

    backend = load_backend("embedded")
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        posteriors = backend.posteriors(load_audio(path.parent / row["audio"]))
        words = phonemize(row["text"]).words
        yield Utterance(
            name=row["id"],
            log_probs=posteriors.log_probs.astype(np.float64),
            words=[[posteriors.phone_set.id_of(phone.symbol) for phone in word.phones] for word in words],
            phone_set=posteriors.phone_set,
        )


def long_reading(seed: int = 0) -> Utterance:
    """Planted posteriors of a whole page: every phone a spike of 1 to 3 frames, one in ten another phone."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(0, len(PHONES), rng.integers(1, 7)).tolist() for _ in range(LONG_WORDS)]
    frames: list[int] = []
    for phone in (phone for word in words for phone in word):
        said = phone if rng.random() > 0.1 else int(rng.integers(len(PHONES)))
        frames += [said + 1] * int(rng.integers(1, 4)) + [0] * int(rng.integers(2, 8))
    logits = rng.normal(scale=2.0, size=(len(frames), len(PHONES) + 1))
    logits[np.arange(len(frames)), frames] += 12.0
    return Utterance(
        name="long reading (planted)",
        log_probs=logits - np.logaddexp.reduce(logits, axis=1, keepdims=True),
        words=words,
        phone_set=PhoneSet.one_label_each(PHONES),
    )


def least_seconds(work: Callable[[], object], repeat: int) -> float:
    """The least of `repeat` times."""
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def peak_mb(work: Callable[[], object]) -> float:
    """Most memory that was taken at a time, megabytes."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def compare(utterance: Utterance, repeat: int) -> tuple[float, float]:
    """Print one row; return the two ratios."""
    alone, said, read = (least_seconds(work, repeat) for work in utterance.work().values())
    phones = sum(map(len, utterance.words))
    print(
        f"{utterance.name:24} {len(utterance.log_probs):5} {phones:4} {len(utterance.words):5} "
        f"{alone * 1e3:15.2f} {said * 1e3:8.2f} {read * 1e3:8.2f} {said / alone:10.2f} {read / alone:10.2f}",
        flush=True,
    )
    return said / alone, read / alone


def main() -> None:
    """Run the comparison on the chosen recordings, and once on a long one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, default=EXAMPLES, help="recordings for the embedded model")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each")
    parser.add_argument("--limit", type=int, help="take only the first utterances")
    options = parser.parse_args()

    print(f"Python {platform.python_version()}, numpy {np.__version__}")
    print(
        f"{'utterance':24} {'T':>5} {'L':>4} {'words':>5} {'alternatives/ms':>15} {'said/ms':>8} {'read/ms':>8} "
        f"{'said/alt':>10} {'read/alt':>10}"
    )
    utterances = list(from_manifest(options.manifest))[: options.limit]
    said, read = zip(*(compare(utterance, options.repeat) for utterance in utterances), strict=True)
    print(
        f"median of {len(utterances)}: what was said costs {statistics.median(said):.2f} times the alternatives, "
        f"how it was read {statistics.median(read):.2f} times"
    )
    page = long_reading()
    compare(page, 1)
    for name, work in page.work().items():
        print(f"peak of {name}: {peak_mb(work):.0f} MB")


if __name__ == "__main__":
    main()
