"""Trains the G2P model that pronounces words missing from the lexicon.

    PYTHONPATH=src python -m elocute.training.g2p --lexicon src/elocute/assets/lexicon.bin --out runs/g2p

Needs torch and numpy only. Stops by the clock: the learning rate follows the share of the minutes that is spent. Leaves
weights.pt (exponential moving average), metrics.json, config.json and log.txt in --out; `elocute.training.g2p_export`
turns them into the asset, whose card has the result. The defaults suit one core of a CPU (about 12 epochs); a GPU does
more epochs in the same time and then wants dropout and a larger --dim.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss

from elocute.phones.g2p import BLANK_ID
from elocute.phones.lexicon import SYMBOLS, Pronunciation
from elocute.training.g2p_data import G2PScore, Split, score, split_lexicon
from elocute.training.g2p_model import SLOTS_PER_LETTER, G2PModelConfig, G2PNetwork, encode_words, greedy

_log = logging.getLogger(__name__)
_POOL = 50
_LABEL = {symbol: i for i, symbol in enumerate(SYMBOLS, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class G2PTrainConfig:
    """How the G2P model is trained.

    Attributes:
        minutes: wall-clock time of training.
        seed: of weights, batches and dropout.
        batch: words a step.
        lr: peak learning rate of AdamW.
        weight_decay: of AdamW.
        warmup: share of the time in which the learning rate rises.
        first_share: probability of training a word on its first pronunciation rather than on any of its others.
        intermediate: weight of the CTC losses inside the network against the final one.
        ema: decay of the moving average of the weights a step.
    """

    minutes: float = 22.0
    seed: int = 1
    batch: int = 128
    lr: float = 2.5e-3
    weight_decay: float = 0.05
    warmup: float = 0.04
    first_share: float = 0.8
    intermediate: float = 0.5
    ema: float = 0.998


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Data:
    """Training words on the device.

    Attributes:
        letters: shape (N, L), letter ids of every word, padded with 0.
        labels: shape (P, M), label ids of every pronunciation, padded with 0.
        lengths: shape (P,), labels of every pronunciation.
        first: shape (N,), row of a word's first pronunciation.
        count: shape (N,), how many a word has.
    """

    letters: Tensor
    labels: Tensor
    lengths: Tensor
    first: Tensor
    count: Tensor


def _load(entries: Mapping[str, Sequence[Pronunciation]], device: torch.device) -> _Data:
    """Tensors of the words whose pronunciations fit into their slots."""
    words: list[str] = []
    rows: list[list[int]] = []
    first: list[int] = []
    count: list[int] = []
    for word, variants in entries.items():
        slots = SLOTS_PER_LETTER * (len(word) + 2)
        fitting = [v for v in variants if len(v) + sum(a == b for a, b in zip(v, v[1:], strict=False)) <= slots]
        if fitting:
            words.append(word)
            first.append(len(rows))
            count.append(len(fitting))
            rows += [[_LABEL[phone] for phone in variant] for variant in fitting]
    labels = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for i, row in enumerate(rows):
        labels[i, : len(row)] = torch.tensor(row)
    return _Data(
        letters=encode_words(words).to(device),
        labels=labels.to(device),
        lengths=torch.tensor([len(row) for row in rows], device=device),
        first=torch.tensor(first, device=device),
        count=torch.tensor(count, device=device),
    )


def _batches(data: _Data, batch: int, first_share: float) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless batches of letters, labels and label lengths, a fresh order every epoch."""
    size, device = len(data.letters), data.letters.device
    widths = (data.letters > 0).sum(1)
    while True:
        order = torch.randperm(size, device=device)[: size - size % batch]
        # Neighbours in length share a batch, so that little of it is padding; which ones, chance decides anew.
        for pool in torch.split(order, _POOL * batch):
            pool = pool[widths[pool].argsort()]
            for chosen in pool.view(-1, batch)[torch.randperm(len(pool) // batch)]:
                other = (torch.rand(batch, device=device) * data.count[chosen]).long()
                is_first = torch.rand(batch, device=device) < first_share
                rows = data.first[chosen] + torch.where(is_first, 0, other)
                yield data.letters[chosen], data.labels[rows], data.lengths[rows]


def _loss(model: G2PNetwork, batch: tuple[Tensor, Tensor, Tensor], intermediate: float) -> Tensor:
    """CTC loss of the final and the intermediate outputs, nats a word."""
    letters, labels, lengths = batch
    width = int((letters > 0).sum(1).max())
    letters = letters[:, :width]
    slots = SLOTS_PER_LETTER * (letters > 0).sum(1)
    outputs = model.all_log_probs(letters)
    losses = [
        ctc_loss(out.transpose(0, 1), labels, slots, lengths, blank=BLANK_ID, reduction="mean", zero_infinity=True)
        for out in outputs
    ]
    if len(losses) == 1:
        return losses[0]
    return (1 - intermediate) * losses[-1] + intermediate * torch.stack(losses[:-1]).mean()


@torch.no_grad()
def guess(model: G2PNetwork, words: Sequence[str], device: torch.device, batch: int = 2048) -> dict[str, Pronunciation]:
    """Greedy pronunciations of words."""
    model.eval()
    out: dict[str, Pronunciation] = {}
    for start in range(0, len(words), batch):
        part = words[start : start + batch]
        log_probs = model(encode_words(part).to(device))
        out |= zip(part, greedy(log_probs, [SLOTS_PER_LETTER * (len(w) + 2) for w in part]), strict=True)
    return out


def train(split: Split, model_config: G2PModelConfig, config: G2PTrainConfig) -> tuple[G2PNetwork, dict[str, object]]:
    """Train until the clock says stop; returns the averaged model and metrics of the dev and the test part."""
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = G2PNetwork(model_config).to(device)
    average = G2PNetwork(model_config).to(device)
    average.load_state_dict(model.state_dict())
    _log.info("%s, %d parameters", device, sum(p.numel() for p in model.parameters()))
    data = _load(split.train, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98))
    dev = dict(list(split.dev.items())[:1000])
    parameters: list[Tensor] = list(model.parameters())
    averaged: list[Tensor] = list(average.parameters())
    begin = time.monotonic()
    told, step = begin, 0
    for batch in _batches(data, config.batch, config.first_share):
        spent = (time.monotonic() - begin) / (60 * config.minutes)
        if spent >= 1:
            break
        rate = min(spent / config.warmup, 0.5 + 0.5 * math.cos(math.pi * spent))
        for group in optimizer.param_groups:
            group["lr"] = config.lr * max(rate, 1e-3)
        model.train()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = _loss(model, batch, config.intermediate)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(averaged, parameters, 1 - min(config.ema, step / (step + 10)))
        if time.monotonic() - told > 60:
            told = time.monotonic()
            found = score(guess(average, list(dev), device), dev)
            _log.info(
                "%4.0f s step %d loss %.3f dev wer %.3f per %.3f", told - begin, step, loss.item(), found.wer, found.per
            )
    metrics: dict[str, object] = {"steps": step, "device": str(device), "train_words": len(data.letters)}
    for name, part in (("dev", split.dev), ("test", split.test)):
        found = score(guess(average, list(part), device), part)
        metrics[name] = asdict(found)
        _log.info("%s %s", name, _shown(found))
    return average, metrics


def _shown(found: G2PScore) -> str:
    """A score as one line."""
    return f"{found.words} words, " + ", ".join(
        f"{field.name} {100 * getattr(found, field.name):.2f} %" for field in fields(found) if field.name != "words"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lexicon", type=Path, required=True, help="packed lexicon, see elocute.training.lexicon")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, metrics and log")
    for field in (*fields(G2PTrainConfig), *fields(G2PModelConfig)):
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=type(field.default), default=field.default, help=f"default {field.default}")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[logging.StreamHandler(sys.stderr), logging.FileHandler(args.out / "log.txt", mode="w")],
    )
    config = G2PTrainConfig(**{field.name: getattr(args, field.name) for field in fields(G2PTrainConfig)})
    model_config = G2PModelConfig(**{field.name: getattr(args, field.name) for field in fields(G2PModelConfig)})
    split = split_lexicon(args.lexicon)
    _log.info("words: %d train, %d dev, %d test", len(split.train), len(split.dev), len(split.test))
    model, metrics = train(split, model_config, config)
    metrics["lexicon_sha256"] = hashlib.sha256(args.lexicon.read_bytes()).hexdigest()
    metrics["torch"] = torch.__version__
    torch.save({name: value.cpu() for name, value in model.state_dict().items()}, args.out / "weights.pt")
    both = {
        "command": " ".join(["python -m elocute.training.g2p", *sys.argv[1:]]),
        "model": asdict(model_config),
        "train": asdict(config),
    }
    (args.out / "config.json").write_text(json.dumps(both, indent=2) + "\n", encoding="utf-8")
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
