"""`elocute evaluate ... --card DIR`: the benchmark card, written or compared with the one that is there."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.corpora.speechocean762 import ScoredUtterance
    from elocute.evaluation.result import Evaluation


def card(
    folder: Path,
    result: Evaluation,
    *,
    predictions: Path,
    utterances: Sequence[ScoredUtterance],
    details: Path | None,
    latency: Path | None,
    check: bool,
) -> None:
    """Write the card into a folder, or compare.

    Args:
        folder: where `benchmark.md`, `benchmark.html` and `benchmark/` go.
        result: what the predictions came to.
        predictions: their file.
        utterances: what was evaluated, with the experts' scores.
        details: the single experts' scores; None where there are none.
        latency: file of `benchmarks/latency.py`; None leaves speed and size out.
        check: compare with the card that is there, and write nothing.

    Raises:
        ConfigError: the card differs, or a file cannot be read or written.
    """
    from elocute.evaluation.card import check_card, make_card, write_card
    from elocute.evaluation.latency import read_latency

    sources = {
        "command": _command(result, predictions, latency),
        "predictions": f"{predictions.name}, sha256 {_digest(predictions.read_bytes())}",
        "labels": f"sha256 {_digest(_labels(utterances))}",
    }
    if details is not None:
        sources["experts"] = f"{details.name}, sha256 {_digest(details.read_bytes())}"
    measured = None if latency is None else read_latency(latency)
    if latency is not None:
        sources["latencies"] = f"{latency.name}, sha256 {_digest(latency.read_bytes())}"
    made = make_card(result, measured, sources)
    if check:
        check_card(folder, made)
        sys.stderr.write(f"elocute: the card in {folder} is the one that these predictions make\n")
        return
    write_card(folder, made)
    sys.stderr.write(f"elocute: the card is in {folder / 'benchmark.md'} and {folder / 'benchmark.html'}\n")


def _command(result: Evaluation, predictions: Path, latency: Path | None) -> str:
    """The command that makes this card anywhere; bare names, because folders differ from machine to machine."""
    data, settings = result.data, result.settings
    options = {
        "split": data.get("split"),
        "folds": settings.get("folds"),
        "draws": settings.get("draws"),
        "limit": data.get("limit"),
        "shuffle-labels": settings.get("shuffle_seed"),
        "predictions": predictions.name,
        "latency": None if latency is None else latency.name,
        "card": "DIR",
    }
    given = " ".join(f"--{name} {value}" for name, value in options.items() if value is not None)
    return f"elocute evaluate {data.get('corpus')} CORPUS {given}"


def _digest(content: bytes) -> str:
    """Enough of the SHA-256 to tell files apart."""
    return hashlib.sha256(content).hexdigest()[:16]


def _labels(utterances: Sequence[ScoredUtterance]) -> bytes:
    """Text and scores of what was evaluated, whatever the layout of the corpus."""
    rows = [{key: value for key, value in asdict(item).items() if key != "audio"} for item in utterances]
    return json.dumps(rows, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def check_options(folder: Path | None, latency: Path | None, *, check: bool) -> None:
    """ConfigError, before anything takes time, where options need `--card` or the latencies cannot be read."""
    if folder is None and (check or latency is not None):
        raise ConfigError(f"{'--check' if check else '--latency'} was given without --card; name the card's folder")
    if latency is not None:
        from elocute.evaluation.latency import read_latency

        read_latency(latency)
