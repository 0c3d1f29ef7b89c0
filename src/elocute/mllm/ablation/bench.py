"""What all trainings of an ablation share: base model, spectra, examples, and who is held out."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elocute.errors import ConfigError
from elocute.mllm.ablation.recipe import AblationRecipe
from elocute.mllm.bank import Bank, Batch, Tokens, collate, make_bank, spectra_of, tokens_of
from elocute.mllm.collate import Collator, LengthBuckets, Recordings, read_recordings
from elocute.mllm.examples import Example
from elocute.mllm.prepare import read_material
from elocute.mllm.processing import load_processor, token_ids
from elocute.mllm.recipe import DataTable
from elocute.training.ctc_data import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Examples to learn from and examples of other speakers to measure on."""

    training: tuple[Example, ...]
    held: tuple[Example, ...]


def read_parts(sources: Sequence[Source], data: DataTable, most: int = 0) -> Parts:
    """Examples of corpora, those of speechocean762 by the fold of their speakers, as `elocute train phi4` has them.

    Args:
        sources: corpora.
        data: tasks, prompts and folds.
        most: held-out utterances, drawn evenly; 0 for all.

    Raises:
        ConfigError: one side would be empty.
    """
    material = read_material(sources, data)
    held = material.held
    if not held:
        raise ConfigError("nobody is held out; an ablation needs speechocean762:DIR among its corpora")
    ids = sorted({example.id for example in held})
    if most and most < len(ids):
        kept = {ids[index] for index in np.linspace(0, len(ids) - 1, most).round().astype(int)}
        held = tuple(example for example in held if example.id in kept)
    return Parts(training=material.examples, held=held)


def save_bank(bank: Bank, path: Path) -> None:
    """Write spectra for other processes to read."""
    part = path.with_name(f"{path.name}.part")
    table = {
        "frames": bank.frames.cpu(),
        "starts": list(bank.starts),
        "lengths": list(bank.lengths),
        "paths": [str(place) for place in bank.place],
    }
    torch.save(table, part)
    os.replace(part, path)


def load_bank(path: Path, device: torch.device) -> Bank:
    """Spectra that `save_bank` wrote, on a device."""
    table = torch.load(path, map_location=device, weights_only=True)
    return Bank(
        frames=table["frames"],
        starts=tuple(table["starts"]),
        lengths=tuple(table["lengths"]),
        place={Path(name): index for index, name in enumerate(table["paths"])},
    )


def prepare_bank(
    base: Path, parts: Parts, path: Path, *, workers: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Decode all recordings of an ablation and write their spectra, unless that was done before."""
    paths = sorted({example.audio for example in (*parts.training, *parts.held)})
    if path.is_file() and set(paths) <= set(load_bank(path, torch.device("cpu")).place):
        return
    extractor = load_processor(base).audio_processor
    save_bank(make_bank(paths, extractor, torch.device("cpu"), workers=workers, progress=progress), path)


class Bench:
    """Everything that a training needs besides its arm; one in every process."""

    def __init__(self, recipe: AblationRecipe, base: Path, parts: Parts, bank: Path, device: str) -> None:
        self.recipe = recipe
        self.base = base
        self.parts = parts
        self.device = torch.device(device)
        self.processor = load_processor(base)
        self.ids = token_ids(self.processor)
        self.stride = int(self.processor.audio_processor.audio_compression_rate)
        self.bank = load_bank(bank, self.device)
        self._collator = Collator(self.processor)
        self._tokens: dict[str, Tokens] = {}
        self._recordings: Recordings | None = None

    @property
    def is_gpu(self) -> bool:
        """Whether trainings run on a GPU, and so in bfloat16."""
        return self.device.type == "cuda"

    @property
    def bank_bytes(self) -> int:
        """Memory of the spectra, which no training of one's own would hold there."""
        return self.bank.frames.numel() * self.bank.frames.element_size()

    def tidy(self) -> None:
        """Give back what the training before has left, and begin to count memory anew."""
        gc.collect()
        if self.is_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def autocast(self) -> torch.autocast:
        """Arithmetic in bfloat16 on a GPU."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.is_gpu)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Tensors of some examples on the device."""
        spectra = spectra_of(self.bank, [example.audio for example in examples])
        tokens = [self.tokens(example) for example in examples]
        return collate(spectra, tokens, audio_id=self.ids.audio, pad_id=self.ids.pad, stride=self.stride)

    def tokens(self, example: Example) -> Tokens:
        """An example as tokens, made once."""
        if example.key not in self._tokens:
            self._tokens[example.key] = tokens_of(self._collator, example, self.ids.audio)
        return self._tokens[example.key]

    @property
    def recordings(self) -> Recordings:
        """The held-out recordings, decoded once."""
        if self._recordings is None:
            self._recordings = read_recordings(self.parts.held)
        return self._recordings

    def order(self, seed: int) -> Iterator[list[Example]]:
        """Batches of training examples without end, of similar length, from the seed alone."""
        training = self.parts.training
        lengths = [self.bank.seconds(example.audio) for example in training]
        batch = min(self.recipe.adaptation.batch, len(training))
        buckets = LengthBuckets(lengths, batch, seed=seed, drop_last=True)
        epoch = 0
        while True:
            buckets.set_epoch(epoch)
            yield from ([training[index] for index in indices] for indices in buckets)
            epoch += 1

    def calibration(self, seed: int) -> list[dict[str, Tensor]]:
        """Batches with labels whose activations tell where ranks go."""
        count = min(self.recipe.adaptation.calibration, len(self.parts.training))
        chosen = np.random.default_rng([seed, 7]).choice(len(self.parts.training), count, replace=False)
        examples = sorted(
            (self.parts.training[index] for index in chosen), key=lambda example: self.bank.seconds(example.audio)
        )
        size = min(16, count)
        made = [self.batch(examples[start : start + size]) for start in range(0, count, size)]
        return [{**one.inputs, "labels": one.labels} for one in made]

    def held_batches(self) -> Iterator[list[Example]]:
        """Held-out examples of similar length."""
        ordered = sorted(self.parts.held, key=lambda example: self.bank.seconds(example.audio))
        size = self.recipe.evaluation.batch
        yield from (ordered[start : start + size] for start in range(0, len(ordered), size))


def describe(parts: Parts) -> Mapping[str, Any]:
    """Numbers of examples, recordings and speakers on both sides."""
    return {
        side: {
            "examples": len(examples),
            "utterances": len({example.id for example in examples}),
            "speakers": len({example.speaker for example in examples}),
        }
        for side, examples in (("training", parts.training), ("held", parts.held))
    }
