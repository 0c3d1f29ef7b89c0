"""Batches of similar length, drawn and made from (seed, update) alone, so that any process can go on with any update.

The samples are changed on the CPU (speed, noise), the model's own feature extractor makes its input of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elocute.acoustic.frame_count import FrameCount
from elocute.training.ctc_data import Example
from elocute.training.ctc_recipe import WaveAugmentation
from elocute.training.ctc_store import Store
from elocute.types import SAMPLE_RATE_HZ

IGNORED = -100
"""Frame label of padding, which `torch.nn.functional.cross_entropy` leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is in a batch.

    Attributes:
        update: number of the update it is for.
        part: of that update: with accumulation and several processes an update has several batches.
        indices: of the examples.
        is_augmented: whether recordings are changed.
        is_flat: whether frame labels are wanted.
    """

    update: int
    part: int
    indices: tuple[int, ...]
    is_augmented: bool = True
    is_flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtcBatch:
    """A batch.

    Attributes:
        plan: what it was made from.
        inputs: what the model is called with.
        frame_counts: frames of the head for each recording.
        labels: all CTC labels, one after the other.
        label_counts: labels of each recording.
        frame_labels: shape (B, T), phones spread evenly over the sound, 0 elsewhere, `IGNORED` in padding; or None.
    """

    plan: Plan
    inputs: dict[str, Tensor]
    frame_counts: list[int]
    labels: Tensor
    label_counts: list[int]
    frame_labels: Tensor | None

    def to(self, device: torch.device) -> CtcBatch:
        """The same on a device."""
        return CtcBatch(
            plan=self.plan,
            inputs={name: value.to(device, non_blocking=True) for name, value in self.inputs.items()},
            frame_counts=self.frame_counts,
            labels=self.labels.to(device, non_blocking=True),
            label_counts=self.label_counts,
            frame_labels=None if self.frame_labels is None else self.frame_labels.to(device, non_blocking=True),
        )

    def pin_memory(self) -> CtcBatch:
        """The same in memory from which a device reads faster; PyTorch's loader calls this."""
        return CtcBatch(
            plan=self.plan,
            inputs={name: value.pin_memory() for name, value in self.inputs.items()},
            frame_counts=self.frame_counts,
            labels=self.labels.pin_memory(),
            label_counts=self.label_counts,
            frame_labels=None if self.frame_labels is None else self.frame_labels.pin_memory(),
        )


def epoch_batches(lengths: np.ndarray, batch_s: float, generator: np.random.Generator | None) -> list[tuple[int, ...]]:
    """Every recording once, in batches of similar length of at most `batch_s` seconds with their padding.

    Args:
        lengths: samples of each recording.
        batch_s: a recording that is longer is a batch of its own.
        generator: draws neighbours anew in each epoch, and the order of the batches; None: by length alone.
    """
    jitter = np.ones(len(lengths)) if generator is None else generator.uniform(0.9, 1.1, len(lengths))
    batches: list[list[int]] = [[]]
    longest = 0
    for index in np.argsort(lengths * jitter, kind="stable").tolist():
        longest = max(longest, int(lengths[index]))
        if batches[-1] and longest * (len(batches[-1]) + 1) > batch_s * SAMPLE_RATE_HZ:
            batches.append([])
            longest = int(lengths[index])
        batches[-1].append(index)
    order = range(len(batches)) if generator is None else generator.permutation(len(batches)).tolist()
    return [tuple(batches[number]) for number in order]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draw:
    """The endless row of training batches, from any update on.

    Attributes:
        lengths: samples of each recording.
        batch_s: see `epoch_batches`.
        seed: of the order.
        parts: batches of one update, over all processes.
        rank: which of the processes this is.
        world: number of processes.
        first: update to begin with.
        flat_steps: updates with frame labels.
    """

    lengths: np.ndarray
    batch_s: float
    seed: int
    parts: int
    rank: int = 0
    world: int = 1
    first: int = 0
    flat_steps: int = 0

    def __iter__(self) -> Iterator[Plan]:
        """Plans of this process, in the order of the updates."""
        begin = self.first * self.parts
        for number, indices in enumerate(itertools.islice(self._batches(), begin, None), start=begin):
            update, part = divmod(number, self.parts)
            if part % self.world == self.rank:
                yield Plan(update=update, part=part, indices=indices, is_flat=update < self.flat_steps)

    def _batches(self) -> Iterator[tuple[int, ...]]:
        for epoch in itertools.count():
            yield from epoch_batches(self.lengths, self.batch_s, np.random.default_rng([self.seed, epoch]))

    def updates_an_epoch(self) -> int:
        """Updates that see every recording about once."""
        return max(1, len(epoch_batches(self.lengths, self.batch_s, np.random.default_rng(self.seed))) // self.parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchMaker:
    """Makes batches of plans; goes to the loader's processes.

    Attributes:
        examples: all of them.
        store: their samples.
        extractor: of the model.
        frames: of the model.
        augmentation: what is done to recordings.
        noise: samples, one after the other; empty for none.
        masks_spectra: whether spectra are masked here, for a model that does not do it.
        seed: of everything drawn.
    """

    examples: Sequence[Example]
    store: Store
    extractor: Any
    frames: FrameCount
    augmentation: WaveAugmentation
    noise: np.ndarray
    masks_spectra: bool
    seed: int

    def __len__(self) -> int:
        """PyTorch's loader asks for it."""
        return len(self.examples)

    def __getitem__(self, plan: Plan) -> CtcBatch:
        """The batch of a plan; the same one whenever and wherever it is made."""
        rng = np.random.default_rng([self.seed, plan.update, plan.part, 0x5A])
        pcm = self.store.open()
        waves, chosen = [], [self.examples[index] for index in plan.indices]
        for index, example in zip(plan.indices, chosen, strict=True):
            start = int(self.store.starts[index])
            wave = pcm[start : start + int(self.store.lengths[index])].astype(np.float32) / 32768
            waves.append(self._augmented(wave, example, rng) if plan.is_augmented else wave)
        counts = self.frames(np.array([len(wave) for wave in waves]))
        found = self.extractor(waves, sampling_rate=SAMPLE_RATE_HZ, padding=True, return_tensors="pt")
        inputs = {name: value for name, value in found.items() if isinstance(value, Tensor)}
        if self.masks_spectra and plan.is_augmented:
            self._mask(inputs["input_features"], inputs["attention_mask"].sum(dim=1).tolist(), rng)
        return CtcBatch(
            plan=plan,
            inputs=inputs,
            frame_counts=counts.tolist(),
            labels=torch.tensor([label for example in chosen for label in example.labels]),
            label_counts=[len(example.labels) for example in chosen],
            frame_labels=frame_labels(waves, counts, chosen) if plan.is_flat else None,
        )

    def _augmented(self, wave: np.ndarray, example: Example, rng: np.random.Generator) -> np.ndarray:
        """Another speed and pitch, and noise; what leaves too few frames for the labels keeps its speed."""
        slow, fast = map(math.log, self.augmentation.speed)
        factor = math.exp(rng.uniform(slow, fast))
        count = int(len(wave) / factor)
        if self.frames(np.array([count]))[0] >= example.frames_needed:
            # Linear interpolation: at factors near one what it folds back is far below the noise of recordings.
            wave = np.interp(np.arange(count) * factor, np.arange(len(wave)), wave).astype(np.float32)
        if len(self.noise) and rng.random() < self.augmentation.noise_share:
            noise = self.noise[(int(rng.integers(len(self.noise))) + np.arange(len(wave))) % len(self.noise)]
            noise = noise.astype(np.float32) / 32768
            level = math.sqrt(float(np.mean(wave**2)) / max(float(np.mean(noise**2)), 1e-10))
            wave = wave + noise * np.float32(level * 10 ** (-rng.uniform(*self.augmentation.noise_db) / 20))
        return wave

    def _mask(self, spectra: Tensor, counts: Sequence[int], rng: np.random.Generator) -> None:
        """SpecAugment (Park et al. 2019) on spectra (B, frames, mels), in place; 0 is their mean."""
        aug = self.augmentation
        for row, count in enumerate(counts):
            for _ in range(aug.frequency_masks):
                width = int(rng.integers(aug.frequency_bins + 1))
                first = int(rng.integers(max(1, spectra.shape[2] - width)))
                spectra[row, :, first : first + width] = 0.0
            for _ in range(aug.time_masks):
                width = int(rng.integers(int(aug.time_share * count) + 1))
                first = int(rng.integers(max(1, count - width)))
                spectra[row, first : first + width] = 0.0


def frame_labels(waves: Sequence[np.ndarray], counts: np.ndarray, examples: Sequence[Example]) -> Tensor:
    """Phones spread evenly over the frames with sound, blank elsewhere; shape (B, T).

    A frame has sound if its level lies above 35 % of the way from the 10th to the 95th percentile, in decibels.
    """
    targets = np.full((len(waves), int(counts.max())), IGNORED, dtype=np.int64)
    for row, (wave, count, example) in enumerate(zip(waves, counts.tolist(), examples, strict=True)):
        edges = np.linspace(0, len(wave), count + 1).astype(int)
        power = np.add.reduceat(wave.astype(np.float64) ** 2, edges[:-1]) / np.diff(edges)
        level = np.log(power + 1e-8)
        low, high = np.quantile(level, [0.1, 0.95])
        active = np.flatnonzero(level >= low + 0.35 * (high - low))
        targets[row, :count] = 0
        targets[row, active] = np.array(example.phones)[np.arange(len(active)) * len(example.phones) // len(active)]
    return torch.from_numpy(targets)
