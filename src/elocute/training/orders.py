"""From a folder of spoken commands with labels to a folder of transcribed speech (`elocute train transcribe-orders`).

Reads `grammar.yaml`, `label.json` (file name -> intent and slots) and `audio/`; writes what
`elocute.corpora.transcribed` reads, with the recordings whose sentence is clear, and `decisions.json` about all.

Rounds: the first looks for sentences in the posteriors as they are. Every further one trains adapters on the sentences
found so far, each on half of the recordings, and looks again in the other half.
"""

from __future__ import annotations

import json
import logging
import math
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from elocute.acoustic import Backend
from elocute.audio import load_audio
from elocute.errors import ConfigError
from elocute.training.adapter import Adaptation, adapted
from elocute.training.grammar import read_grammar
from elocute.training.transcribe import Found, Rule, Scoring, Transcriber
from elocute.types import Float32

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A recording and what is known of it: the intent, and the value of each of its slots by variable."""

    id: str
    audio: Path
    intent: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersRun:
    """Settings of a run.

    Attributes:
        speech: folder to read.
        out: folder to write.
        rounds: rounds with adapters, after the first without.
        check_labels: search all recordings once more with the label of another one, to count false acceptances.
        rule: when a sentence is clear.
        first: scoring in the first round.
        later: scoring in the rounds with adapters.
        adaptation: how adapters are trained.
        seed: of the exchange of labels.
    """

    speech: Path
    out: Path
    rounds: int = 2
    check_labels: bool = True
    rule: Rule = field(default_factory=Rule)
    first: Scoring = field(default_factory=lambda: Scoring(blank_nats=3.0, phone_nats=2.0))
    later: Scoring = field(default_factory=lambda: Scoring(blank_nats=0.0, phone_nats=2.5))
    adaptation: Adaptation = field(default_factory=Adaptation)
    seed: int = 1


def read_orders(folder: Path) -> list[Order]:
    """Read the recordings of a folder with their labels, by id; labels without a recording are left out.

    Raises:
        ConfigError: the labels or the recordings are missing or malformed, or a recording has no label.
    """
    listing = Path(folder) / "label.json"
    audio = Path(folder) / "audio"
    for path in (listing, audio):
        if not path.exists():
            raise ConfigError(f"{path} not found; expected grammar.yaml, label.json and audio/ in {folder}")
    try:
        labels = {
            Path(name).stem: (str(label["intent"]), {k: " ".join(v.split()) for k, v in label["slots"].items()})
            for name, label in json.loads(listing.read_text(encoding="utf-8")).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{listing} holds no labels ({type(error).__name__}: {error}); "
            'expected {"name.wav": {"intent": "...", "slots": {"variable": "value"}}}'
        ) from error
    orders = []
    for path in sorted(audio.iterdir()):
        if path.stem not in labels:
            raise ConfigError(f"{path} has no label in {listing}; add it, or take the recording away")
        intent, values = labels[path.stem]
        orders.append(Order(id=path.stem, audio=path, intent=intent, values=values))
    if not orders:
        raise ConfigError(f"{audio} has no recordings; expected one for each label of {listing}")
    log.info("%s: %d labels, %d of them with a recording", listing, len(labels), len(orders))
    return orders


def transcribe_orders(config: OrdersRun, backend: Backend, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Find the sentences of a folder, and write the clear ones and all decisions.

    Returns: the facts of `decisions.json`, without the recordings.

    Raises:
        ConfigError: the folder cannot be read, or `out` exists already.
    """
    if config.out.exists():
        raise ConfigError(f"{config.out} exists; give a folder that does not, so that no old recording stays in it")
    grammar, orders = read_grammar(config.speech / "grammar.yaml"), read_orders(config.speech)
    transcriber = Transcriber(grammar, backend.phone_set)
    for order in orders:  # a label that the grammar does not know shows before the work, not in the middle of it
        grammar.matching(order.intent, order.values)
    posteriors = {
        order.id: backend.posteriors(load_audio(order.audio)).log_probs
        for order in _counted(orders, "posteriors", progress)
    }
    scoring, frames = config.first, posteriors
    found = _search(transcriber, orders, frames, scoring, "round 0", progress)
    accuracy = [slot_accuracy(found)]
    for number in range(1, config.rounds + 1):
        frames = _adapt(transcriber, posteriors, found, config.adaptation, f"adapters {number}", progress)
        scoring = config.later
        found = _search(transcriber, orders, frames, scoring, f"round {number}", progress)
        accuracy.append(slot_accuracy(found))
    facts: dict[str, Any] = {
        "backend": f"{backend.name} {backend.version}",
        "rule": asdict(config.rule),
        "slot_accuracy_by_round": [round(share, 4) for share in accuracy],
        "recordings": len(orders),
        "outcomes": _outcomes(found, config.rule),
    }
    if config.check_labels:
        swapped = exchange_labels(orders, config.seed)
        wrong = _search(transcriber, swapped, frames, scoring, "wrong labels", progress)
        facts["outcomes_of_wrong_labels"] = _outcomes(wrong, config.rule)
    _write(config.out, orders, found, config.rule, facts)
    return facts


def slot_accuracy(found: Mapping[str, Found]) -> float:
    """Share of slots whose value in the label beats all others that the grammar has; what was never said loses."""
    margins = [margin for one in found.values() for margin in one.slot_margins.values()]
    return float(np.mean([margin > 0 for margin in margins])) if margins else math.nan


def exchange_labels(orders: Sequence[Order], seed: int) -> list[Order]:
    """Every recording with the label of another one; those whose new label is the same as the old one left out."""
    others = list(orders)
    random.Random(seed).shuffle(others)
    donor = {order.id: other for order, other in zip(others, [*others[1:], *others[:1]], strict=True)}
    return [
        Order(id=order.id, audio=order.audio, intent=donor[order.id].intent, values=donor[order.id].values)
        for order in orders
        if (order.intent, order.values) != (donor[order.id].intent, donor[order.id].values)
    ]


def _counted(orders: Sequence[Order], stage: str, progress: Progress) -> Iterator[Order]:
    for done, order in enumerate(orders):
        progress(stage, done, len(orders))
        yield order
    progress(stage, len(orders), len(orders))


def _search(
    transcriber: Transcriber,
    orders: Sequence[Order],
    frames: Mapping[str, Float32],
    scoring: Scoring,
    stage: str,
    progress: Progress,
) -> dict[str, Found]:
    return {
        order.id: transcriber.find(frames[order.id], order.intent, order.values, scoring)
        for order in _counted(orders, stage, progress)
    }


def _adapt(
    transcriber: Transcriber,
    posteriors: Mapping[str, Float32],
    found: Mapping[str, Found],
    config: Adaptation,
    stage: str,
    progress: Progress,
) -> dict[str, Float32]:
    """Adapted posteriors; learned from sentences of which at most one slot value trails another."""
    labels = {
        name: transcriber.labels(one.text)
        for name, one in found.items()
        if sum(margin <= 0 for margin in one.slot_margins.values()) <= 1
    }
    total = config.folds * config.epochs
    return adapted(
        posteriors,
        labels,
        config,
        transcriber.phone_set.blank_id,
        lambda done: progress(stage, done, total),
    )


def _outcomes(found: Mapping[str, Found], rule: Rule) -> dict[str, int]:
    """How many were accepted, and how many refused by which bound."""
    return dict(sorted(Counter(one.refusal(rule) or "accepted" for one in found.values()).items()))


def _write(
    out: Path, orders: Sequence[Order], found: Mapping[str, Found], rule: Rule, facts: Mapping[str, Any]
) -> None:
    (out / "audio").mkdir(parents=True)
    accepted = [order for order in orders if found[order.id].refusal(rule) is None]
    for order in accepted:
        shutil.copyfile(order.audio, out / "audio" / order.audio.name)
    lines = [f"{order.id}\t{found[order.id].text}\n" for order in accepted]
    (out / "transcripts.tsv").write_text("".join(lines), encoding="utf-8")
    decisions = {
        name: {"refused_by": one.refusal(rule), **{key: _rounded(value) for key, value in asdict(one).items()}}
        for name, one in found.items()
    }
    text = json.dumps({**facts, "decisions": decisions}, indent=1, sort_keys=True, allow_nan=False)
    (out / "decisions.json").write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Numbers to four decimals; null for a margin over nothing, which JSON cannot say."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
