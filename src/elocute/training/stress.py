"""The stress model: a small network over the measures of a syllable, compared within its word.

Trained on synthesised words whose stress was moved at will, on native speech and on learners whose stress people called
right. Every place of the stress weighs the same among words of a length, so that the network cannot learn that English
words begin with their stress; it has to hear it. Beside the shipped model go twins that were trained without one voice
or corpus each, for honest evaluation; none was trained on held-out words.

Command: elocute train stress --native ljspeech --native kathleen --speechocean DIR --out FOLDER
Hardware: one CPU core, about 15 minutes, nearly all of it for synthesis and measuring.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elocute.acoustic import load_backend
from elocute.corpora.speechocean762 import read_speechocean762
from elocute.corpora.spoken import read_spoken
from elocute.errors import ConfigError
from elocute.evaluation.stress import (
    judged,
    measure_parts,
    moved_sentences,
    pair_sentences,
    pair_voices,
    voices_by_group,
)
from elocute.evaluation.stress_data import Listener, StressRow, distorted, learner_rows, recorded_rows, synthetic_rows
from elocute.evaluation.stress_speech import installed
from elocute.evaluation.stress_words import is_held_out
from elocute.phones import VOWELS
from elocute.prosody.stress import FEATURES, StressModel, stress_features
from elocute.prosody.syllables import MEASURES
from elocute.types import Float32, Float64

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
_MOST_WEIGHT = 5.0
_DRAWS = 500
_NATURAL = ("log_nucleus", "log_syllable")
"""Measures of which a vowel's usual value is taken off."""
_FEW = 20
"""So many syllables of an average vowel are added to those of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressTraining:
    """Settings of a training.

    Attributes:
        native: folders of transcribed native speech.
        speechocean: root of speechocean762; None for no learners.
        sentences: of each group of voices, for training; a fifth as many, and all pairs, to check.
        learners: utterances of learners, drawn at random.
        again: share of the recordings of people that are also heard distorted.
        hidden: units of a network.
        networks: whose outputs are averaged.
        epochs: passes over the words.
        batch: words a step.
        learning_rate: highest.
        weight_decay: of AdamW.
        noise: standard deviation of what is added to the scaled features.
        drop: share of measures that a word loses in training, so that none is relied on alone.
        group_weight: of all words of a group together, by kind of speech.
        seed: of everything that is drawn.
    """

    native: tuple[Path, ...]
    speechocean: Path | None
    sentences: int = 200
    learners: int = 1000
    again: float = 0.4
    hidden: int = 24
    networks: int = 3
    epochs: int = 25
    batch: int = 256
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    noise: float = 0.15
    drop: float = 0.05
    group_weight: tuple[tuple[str, float], ...] = (("synthetic", 1.0), ("native", 3.0), ("learner", 3.0))
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training made.

    Attributes:
        weights: bytes of stress.npz.
        card: of the model.
    """

    weights: bytes
    card: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Words as arrays; W words of at most S syllables.

    Attributes:
        features: shape (W, S, F).
        is_there: shape (W, S), whether the word has such a syllable.
        stressed: shape (W,).
        weight: shape (W,).
    """

    features: Float32
    is_there: np.ndarray
    stressed: np.ndarray
    weight: np.ndarray


def train_stress(config: StressTraining, command: str, progress: Progress) -> Trained:
    """Gather, train, check.

    Raises:
        ConfigError: no synthesiser is installed, or a corpus cannot be read.
    """
    rows, checks = gather(config, progress)
    return finish(config, rows, checks, command, progress)


def finish(
    config: StressTraining, rows: Sequence[StressRow], checks: Sequence[StressRow], command: str, progress: Progress
) -> Trained:
    """Train the shipped model and its twins on gathered words, and check the twins."""
    groups = sorted({row.group for row in rows})
    names = ["", *groups]
    models: dict[str, StressModel] = {}
    for number, name in enumerate(names):
        known = [row for row in rows if row.group != name and row.measured is not None and not is_held_out(row.word)]
        models[name] = fit(known, config)
        progress("training", number + 1, len(names))
    parts = measure_parts(checks, judged(checks, models.__getitem__), draws=_DRAWS)
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        names=np.array(names),
        usual=_stacked(models, names, "usual"),
        mean=_stacked(models, names, "mean"),
        scale=_stacked(models, names, "scale"),
        hidden=_stacked(models, names, "hidden"),
        hidden_bias=_stacked(models, names, "hidden_bias"),
        output=_stacked(models, names, "output"),
    )
    card = {
        "name": "elocute lexical stress",
        "version": date.today().isoformat(),
        "kind": f"mean of {config.networks} networks of {config.hidden} tanh units over {len(FEATURES)} measures of a "
        "syllable, softmax over the syllables of a word; a twin for each group of voices that was trained without it",
        "bytes": packed.getbuffer().nbytes,
        "data": {group: sum(row.group == group for row in rows) for group in groups},
        "data_licences": "ljspeech public domain; kathleen CC0; speechocean762 CC BY 4.0; the others are synthesised "
        "here by flite, festival and espeak-ng",
        "licence": "Apache-2.0",
        "command": command,
        "training": {key: value for key, value in asdict(config).items() if key not in ("native", "speechocean")},
        "features": list(FEATURES),
        "evaluation": {
            "protocol": "each group judged by the model that was trained without it; words of 'unknown words' and all "
            "synthetic words were trained on by no model; clean recordings; intervals resample speakers, or words",
            "parts": [asdict(part) for part in parts],
        },
        "limits": "primary stress only; native labels are the lexicon's, which contrast and phrase stress override at "
        "times; synthetic voices move stress more regularly than people do",
    }
    return Trained(weights=packed.getvalue(), card=card)


def _stacked(models: dict[str, StressModel], names: Sequence[str], field: str) -> Float32:
    """One array of every model, in the order of the names."""
    return np.stack([getattr(models[name], field) for name in names]).astype(np.float32)


def gather(config: StressTraining, progress: Progress) -> tuple[list[StressRow], list[StressRow]]:
    """Words to train on, half of them distorted, and clean ones to check with."""
    groups = voices_by_group(installed())
    if not groups:
        raise ConfigError("no synthesiser is installed; expected flite, festival or espeak-ng, so install one")
    rng = np.random.default_rng(config.seed)
    backend = load_backend("embedded", threads=1)
    rough = Listener(backend=backend, distort=distorted, rng=np.random.default_rng([config.seed, 1]))
    clean = Listener(backend=backend)
    rows: list[StressRow] = []
    checks: list[StressRow] = []

    def collect(into: list[StressRow], found: Iterator[list[StressRow]], name: str, count: int) -> None:
        for number, words in enumerate(found):
            into.extend(words)
            progress(name, number + 1, count)

    for group, voices in groups.items():
        known = moved_sentences(config.sentences, rng, held_out=False)
        collect(rows, synthetic_rows(known, voices, rough), group, len(known))
        unknown = moved_sentences(config.sentences // 5, rng, held_out=True)
        collect(checks, synthetic_rows(unknown, voices, clean), f"{group}, held out", len(unknown))
        pairs = pair_sentences()
        spoken = synthetic_rows(pairs, pair_voices(voices), clean, kind="pair")
        collect(checks, spoken, f"{group}, pairs", len(pairs))
    for folder in config.native:
        corpus = read_spoken(folder)
        heard = corpus.utterances
        words: list[StressRow] = []
        collect(words, recorded_rows(heard, corpus.name, clean), corpus.name, len(heard))
        again = [heard[n] for n in rng.permutation(len(heard))[: round(config.again * len(heard))]]
        collect(rows, recorded_rows(again, corpus.name, rough), f"{corpus.name}, again", len(again))
        rows += words
        checks += words  # the twin that judges them has not heard any of this corpus
    if config.speechocean is not None:
        utterances = read_speechocean762(config.speechocean)
        drawn = [utterances[n] for n in rng.permutation(len(utterances))[: config.learners]]
        words = []
        collect(words, learner_rows(drawn, clean), "learners", len(drawn))
        more = drawn[: round(config.again * len(drawn))]
        collect(rows, learner_rows(more, rough), "learners, again", len(more))
        rows += words
        checks += words
    return rows, checks


def fit(rows: Sequence[StressRow], config: StressTraining) -> StressModel:
    """Train the networks of one model."""
    usual = _usual(rows)
    table = _table(rows, usual, dict(config.group_weight))
    flat = table.features[table.is_there]
    mean, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-3
    inputs = torch.from_numpy(np.clip((table.features - mean) / scale, -4, 4).astype(np.float32))
    networks = [_network(inputs, table, config, config.seed + number) for number in range(config.networks)]
    return StressModel(
        usual=usual,
        mean=mean.astype(np.float64),
        scale=scale.astype(np.float64),
        hidden=np.stack([hidden for hidden, _, _ in networks]),
        hidden_bias=np.stack([bias for _, bias, _ in networks]),
        output=np.stack([output for _, _, output in networks]),
    )


def _usual(rows: Sequence[StressRow]) -> Float64:
    """How long each vowel is by its nature: half way between its mean lengths with stress and without.

    Where a vowel is rare the value is drawn to that of all vowels. Measures other than length are left as they are:
    taking the usual level and pitch of a vowel off as well made native words worse (.88 to .86) and pairs no better.
    """
    sums = np.zeros((2, len(VOWELS), len(MEASURES)))
    counts = np.zeros((2, len(VOWELS), 1))
    for row in rows:
        if row.measured is None:
            continue
        for n, (vowel, measures) in enumerate(zip(row.measured.vowels[1:-1], row.measured.measures[1:-1], strict=True)):
            is_stressed = int(n == row.stressed)
            sums[is_stressed, vowel] += measures
            counts[is_stressed, vowel] += 1
    overall = sums.sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    means = (sums + _FEW * overall[:, None]) / (counts + _FEW)
    usual = np.asarray(means.mean(axis=0))
    usual[:, [number for number, name in enumerate(MEASURES) if name not in _NATURAL]] = 0.0
    return usual


def _table(rows: Sequence[StressRow], usual: Float64, group_weight: dict[str, float]) -> _Table:
    """Words as arrays, weighted: groups by their kind, and within a group every place of the stress alike."""
    measured = [(row, stress_features(row.measured, usual)) for row in rows if row.measured is not None]
    most = max(len(features) for _, features in measured)
    table = np.zeros((len(measured), most, len(FEATURES)), dtype=np.float32)
    is_there = np.zeros((len(measured), most), dtype=bool)
    for number, (_, features) in enumerate(measured):
        table[number, : len(features)] = features
        is_there[number, : len(features)] = True
    keys = [(row.group, len(features), row.stressed) for row, features in measured]
    alike, of_length = Counter(keys), Counter(key[:2] for key in keys)
    even = [min(of_length[key[:2]] / (key[1] * alike[key]), _MOST_WEIGHT) for key in keys]
    kinds = [row.kind if row.kind in group_weight else "synthetic" for row, _ in measured]
    size = Counter(row.group for row, _ in measured)
    weight = np.array(
        [group_weight[kind] * w / size[row.group] for kind, w, (row, _) in zip(kinds, even, measured, strict=True)]
    )
    return _Table(
        features=table,
        is_there=is_there,
        stressed=np.array([row.stressed for row, _ in measured]),
        weight=(weight / weight.mean()).astype(np.float32),
    )


def _network(
    inputs: torch.Tensor, table: _Table, config: StressTraining, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of one network: hidden (F, H), their bias (H,), output (H,)."""
    draw = torch.Generator().manual_seed(seed)
    count, features = len(inputs), inputs.shape[2]
    hidden = torch.nn.Parameter(torch.randn(features, config.hidden, generator=draw) / features**0.5)
    bias = torch.nn.Parameter(torch.zeros(config.hidden))
    output = torch.nn.Parameter(torch.randn(config.hidden, generator=draw) / config.hidden**0.5)
    is_there, weight = torch.from_numpy(table.is_there), torch.from_numpy(table.weight)
    stressed = torch.from_numpy(table.stressed)
    optimiser = torch.optim.AdamW([hidden, bias, output], lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * -(-count // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for _ in range(config.epochs):
        for chosen in torch.randperm(count, generator=draw).split(config.batch):
            noisy = inputs[chosen] + config.noise * torch.randn(inputs[chosen].shape, generator=draw)
            kept = torch.rand((len(chosen), 1, features), generator=draw) >= config.drop
            logits = torch.tanh((noisy * kept) @ hidden + bias) @ output
            logits = logits.masked_fill(~is_there[chosen], -1e9)
            losses = torch.nn.functional.cross_entropy(logits, stressed[chosen], reduction="none")
            optimiser.zero_grad()
            (losses * weight[chosen]).mean().backward()
            optimiser.step()
            schedule.step()
    return tuple(each.detach().numpy().astype(np.float64) for each in (hidden, bias, output))  # type: ignore[return-value]
