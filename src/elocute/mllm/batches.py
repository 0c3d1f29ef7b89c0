"""Which examples an update has, and batches of them: drawn from (seed, update) alone, on any number of devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from elocute.errors import ConfigError
from elocute.mllm.bank import Bank, Batch, Spectra, Tokens, collate, frame_tokens, spectra_of, tokens_of
from elocute.mllm.collate import Collator, LengthBuckets
from elocute.mllm.examples import Example
from elocute.mllm.processing import token_ids
from elocute.mllm.recipe import AugmentationTable

if TYPE_CHECKING:
    from elocute.mllm.training import Phi4Run

_UNCHANGED = AugmentationTable()


class Draw:
    """The endless row of updates, each with its examples.

    Examples of an update resemble each other in length, so that little is padded; batches of it are runs of them in
    the order of length, dealt in turn to the devices.
    """

    def __init__(self, lengths: Sequence[float], *, update: int, batch: int, world: int, seed: int) -> None:
        """Set up.

        Args:
            lengths: of every example, in any unit.
            update: examples of an update.
            batch: examples of a forward pass on a device.
            world: number of devices.
            seed: of the order.

        Raises:
            ConfigError: the examples of an update cannot be shared out evenly.
        """
        update = min(update, len(lengths) // world * world)
        if update < 1 or update % world:
            raise ConfigError(
                f"an update of {update} examples cannot be shared by {world} devices; set training.update to a "
                "multiple of their number, of as many examples as there are"
            )
        self.batch = min(batch, update // world)
        if update // world % self.batch:
            raise ConfigError(
                f"training.update is {update} and training.batch {self.batch} on {world} devices; expected whole "
                "batches on each of them"
            )
        self._buckets = LengthBuckets(lengths, update, seed=seed, drop_last=True)
        self.updates_an_epoch = len(self._buckets)
        self._epoch, self._order = -1, list[list[int]]()
        self._lengths = lengths

    @classmethod
    def of(cls, run: Phi4Run, maker: BatchMaker, world: int) -> Draw:
        """The updates of a run."""
        table = run.recipe.training
        lengths = [
            run.bank.lengths[run.bank.place[example.audio]] / 8 + len(tokens.before) + len(tokens.after)
            for example, tokens in zip(run.examples, maker.tokens, strict=True)
        ]
        return cls(lengths, update=table.update, batch=table.batch, world=world, seed=table.seed)

    def parts(self, step: int) -> list[list[int]]:
        """Indices of the examples of every batch of an update."""
        epoch, number = divmod(step, self.updates_an_epoch)
        if epoch != self._epoch:
            self._buckets.set_epoch(epoch)
            self._epoch, self._order = epoch, list(self._buckets)
        examples = sorted(self._order[number], key=lambda index: (self._lengths[index], index))
        return [examples[first : first + self.batch] for first in range(0, len(examples), self.batch)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchMaker:
    """Makes batches of examples.

    Attributes:
        examples: all of them.
        tokens: of each.
        bank: spectra.
        table: what is done to spectra in training.
        noise: log powers, shape (frames, 80); None for none.
        fill: what masked places hold, shape (80,).
        audio_id: token that stands for a vector of the audio encoder.
        pad_id: token for padding.
        answer_noise: see `[training]`.
        frame: tokens that this leaves alone; None where there is none of it.
        multiples: likewise, `pad`.
        seed: of everything drawn.
    """

    examples: Sequence[Example]
    tokens: Sequence[Tokens]
    bank: Bank
    table: AugmentationTable
    noise: Tensor | None
    fill: Tensor
    audio_id: int
    pad_id: int
    answer_noise: float
    frame: np.ndarray | None
    multiples: tuple[int, int]
    seed: int

    @classmethod
    def of(cls, run: Phi4Run, examples: Sequence[Example] | None = None) -> BatchMaker:
        """For the examples of a run, or for others of its recordings."""
        examples = run.examples if examples is None else examples
        collator, ids = Collator(run.processor), token_ids(run.processor)
        return cls(
            examples=examples,
            tokens=[tokens_of(collator, example, ids.audio) for example in examples],
            bank=run.bank,
            table=run.recipe.augmentation,
            noise=run.noise,
            fill=run.bank.statistics()[0],
            audio_id=ids.audio,
            pad_id=ids.pad,
            answer_noise=run.recipe.training.answer_noise,
            frame=frame_tokens(run.processor.tokenizer) if run.recipe.training.answer_noise else None,
            multiples=run.recipe.training.pad,
            seed=run.recipe.training.seed,
        )

    def make(self, indices: Sequence[int], step: int, part: int, device: torch.device) -> Batch:
        """A training batch; the same one whenever and wherever it is made."""
        chosen = [self.examples[index] for index in indices]
        rng = np.random.default_rng([self.seed, step, part])
        if self.table == _UNCHANGED:
            return self._collated(spectra_of(self.bank, [e.audio for e in chosen]), indices, device, rng)
        masks = (self.table.frequency_masks or self.table.time_masks) and step >= self.table.masks_from
        spectra = spectra_of(
            self.bank,
            [example.audio for example in chosen],
            self.table,
            tempos=[self.table.tempo if e.task == "mdd" else self.table.tempo_apa for e in chosen],
            noise=self.noise,
            fill=self.fill if masks else None,
            rng=rng,
        )
        return self._collated(spectra, indices, device, rng)

    def plain(self, indices: Sequence[int], device: torch.device) -> Batch:
        """A batch of recordings and answers as they are."""
        return self._collated(spectra_of(self.bank, [self.examples[i].audio for i in indices]), indices, device)

    def _collated(
        self, spectra: Spectra, indices: Sequence[int], device: torch.device, rng: np.random.Generator | None = None
    ) -> Batch:
        """Spectra with their tokens, on a device."""
        return collate(
            Spectra(values=spectra.values.to(device, non_blocking=True), lengths=spectra.lengths),
            [self.tokens[index] for index in indices],
            audio_id=self.audio_id,
            pad_id=self.pad_id,
            answer_noise=self.answer_noise,
            frame=self.frame,
            multiples=self.multiples,
            rng=rng,
        )
