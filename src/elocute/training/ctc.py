"""Fine-tune a CTC model of transformers to phones, or train one from random weights.

`elocute train ctc` runs it; with `accelerate launch` on several devices. Everything drawn for an update comes from the
seed and its number, so that a training that was stopped and resumed gives the losses of one that was not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elocute.errors import ConfigError, MissingExtraError
from elocute.training.ctc_batches import BatchMaker, CtcBatch, Draw, Plan, epoch_batches
from elocute.training.ctc_data import Example
from elocute.training.ctc_files import save_model
from elocute.training.ctc_learning import ctc_loss, errors, frame_loss, learning_rate, make_optimizer, seed_update
from elocute.training.ctc_model import VOCABULARY, Masking, PhoneModel, freeze, trainable
from elocute.training.ctc_recipe import CtcRecipe, CtcTraining
from elocute.training.ctc_state import add_to_curve, cut_curve, load_state, save_state
from elocute.training.ctc_store import Store
from elocute.training.recipe_table import plain

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtcRun:
    """One process of a training.

    Attributes:
        recipe: what it depends on.
        out: run folder; it becomes the model's folder, too.
        examples: all that can be used.
        store: their samples.
        training: indices of those that are trained on.
        held: indices of those that are evaluated.
        noise: int16 samples, one recording after the other; empty for none.
        minutes: end this process then, leaving a checkpoint; None: when the training is done.
        workers: processes that make batches; 0 makes them in this one.
        on_point: called with every new point of the curve, and whenever an update is done with its number and share.
        should_stop: asked after each update.
    """

    recipe: CtcRecipe
    out: Path
    examples: Sequence[Example]
    store: Store
    training: Sequence[int]
    held: Sequence[int]
    noise: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int16))
    minutes: float | None = None
    workers: int = 0
    on_point: Callable[[dict[str, Any]], None] = lambda point: None
    on_step: Callable[[int, float], None] = lambda step, share: None
    should_stop: Callable[[], bool] = lambda: False


def train_ctc(run: CtcRun, phones: PhoneModel, accelerator: Any = None) -> dict[str, Any]:
    """Train or resume; the run folder then holds the best model, `curve.jsonl`, `run.json` and the checkpoint.

    Args:
        run: what to train on, and how.
        phones: the model.
        accelerator: of accelerate; made to fit the machine if None.

    Returns: what `run.json` holds.

    Raises:
        ConfigError: the loss is no number any more, or the run folder belongs to another training.
    """
    accelerator = accelerator or make_accelerator(run.recipe.training)
    trainer = Trainer(run, phones, accelerator)
    return trainer.run_to_end()


def make_accelerator(training: CtcTraining, *, cpu: bool = False) -> Any:
    """An accelerator of accelerate: devices, bf16 where it is computed, several processes."""
    from datetime import timedelta

    from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs

    can = not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    precision = "bf16" if training.precision == "bf16" or (training.precision == "auto" and can) else "no"
    # Layers that are dropped and embeddings of masks that were not drawn get no gradient; one process decodes for all.
    handlers = [
        DistributedDataParallelKwargs(find_unused_parameters=True),
        InitProcessGroupKwargs(timeout=timedelta(hours=3)),
    ]
    return Accelerator(mixed_precision=precision, cpu=cpu, kwargs_handlers=handlers)


class Trainer:
    """The state of one process of a training."""

    def __init__(self, run: CtcRun, phones: PhoneModel, accelerator: Any) -> None:
        self.run, self.phones, self.accelerator = run, phones, accelerator
        self.training = run.recipe.training
        self.device: torch.device = accelerator.device
        self.masking = Masking(phones.model)
        freeze(phones, self.training)
        if self.training.gradient_checkpointing:
            phones.model.gradient_checkpointing_enable({"use_reentrant": False})
        self.model = phones.model.to(self.device)
        self.optimizer = make_optimizer(phones, self.training)
        self.draw = Draw(
            lengths=run.store.lengths[np.asarray(run.training, dtype=np.int64)],
            batch_s=self.training.batch_s,
            seed=self.training.seed,
            parts=self.training.accumulate * accelerator.num_processes,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
            flat_steps=self.training.flat_start_steps,
        )
        self.steps = self._length_in_steps()
        self.facts = self._facts()
        self.progress = load_state(run.out, self.model, self.optimizer, self.facts)
        self.wrapped = accelerator.prepare_model(self.model)
        self.loss_sum = torch.tensor(self.progress.loss_sum, dtype=torch.float64, device=self.device)
        self.board: Any = None
        self.held: list[CtcBatch] = []

    def run_to_end(self) -> dict[str, Any]:
        """Updates until the training is done, its time is up or somebody stops it."""
        run, progress = self.run, self.progress
        if self.accelerator.is_main_process:
            run.out.mkdir(parents=True, exist_ok=True)
            cut_curve(run.out, progress.step)
            self.board = board(run.out, progress.step)
        if progress.step and run.held:
            self._report({"resumed": True, **self.evaluate()})
        if not progress.is_done:
            before_s, begun, is_over = progress.spent_s, time.monotonic(), False
            with contextlib.closing(self._batches()) as batches:
                while not is_over:
                    self._update(batches)
                    is_over = self._after_update(before_s, time.monotonic() - begun)
            if self.progress.is_done and progress.step % self.training.evaluate_every:
                self._evaluate_and_keep()
            self._save()
            if not self.progress.is_done and run.held:
                self._report({"stopped": True, **self.evaluate()})  # what a resumed process should find, too
        return self._finish()

    def _after_update(self, before_s: float, spent_s: float) -> bool:
        """Count the update, report and measure when it is time; whether this process should end."""
        progress, training = self.progress, self.training
        progress.step += 1
        progress.spent_s = before_s + spent_s
        self.run.on_step(progress.step, self._share())
        if progress.step % training.report_every == 0:
            self._report_loss()
        if progress.step % training.evaluate_every == 0:
            self._evaluate_and_keep()
        is_stopped = self._agree(spent_s)
        is_patient = not training.patience or progress.stale < training.patience
        progress.is_done = self._share() >= 1 or not is_patient
        if progress.step % training.save_every == 0 and not progress.is_done and not is_stopped:
            self._save()
        return is_stopped or progress.is_done

    def _update(self, batches: Iterator[CtcBatch]) -> None:
        """One update of the weights."""
        training, progress = self.training, self.progress
        for group, rate in zip(self.optimizer.param_groups, self._rates(), strict=True):
            group["lr"] = rate
        for number in range(training.accumulate):
            batch = next(batches).to(self.device)
            if batch.plan.update != progress.step:
                raise AssertionError(f"batch of update {batch.plan.update} came at {progress.step}")
            seed_update(training.seed, progress.step, batch.plan.part)
            is_last = number == training.accumulate - 1
            with contextlib.nullcontext() if is_last else self.accelerator.no_sync(self.wrapped):
                loss = self._loss(self.wrapped, batch, is_training=True)
                self.accelerator.backward(loss / training.accumulate)
            self.loss_sum += loss.detach().double() / training.accumulate
        progress.loss_count += 1
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), training.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _loss(self, model: Any, batch: CtcBatch, *, is_training: bool) -> Tensor:
        """Loss a label of a batch: CTC, or frame by frame during the flat start."""
        logits = self._logits(model, batch, wants_masks=is_training)
        return ctc_loss(logits, batch) if batch.frame_labels is None else frame_loss(logits, batch.frame_labels)

    def _logits(self, model: Any, batch: CtcBatch, *, wants_masks: bool) -> Tensor:
        """Logits in float32, shape (B, T, phones and blank), the frames of an upsampling head in their order."""
        frames = max(batch.frame_counts) // self.phones.upsampling
        self.masking.set(frames, wanted=wants_masks and batch.plan.update >= self.training.mask_from_step)
        with self.accelerator.autocast():
            logits: Tensor = model(**batch.inputs).logits
        return logits.float().reshape(len(logits), -1, len(VOCABULARY))

    def evaluate(self) -> dict[str, float]:
        """Greedy PER and loss a label on the held-out speakers, over all processes."""
        self.held = self.held or self._held_batches()
        found = np.zeros(4)
        self.model.eval()
        with torch.no_grad():  # what a model caches while it is measured, it trains with later
            for batch in self.held:
                moved = batch.to(self.device)
                logits = self._logits(self.model, moved, wants_masks=False)
                examples = [self.run.examples[self.run.held[index]] for index in batch.plan.indices]
                wrong, total = errors(logits, batch, examples)
                found += (wrong, total, ctc_loss(logits, moved).item() * len(examples), len(examples))
        self.model.train()
        # Sums of a few thousand phones are exact in float32, which is all that every device reduces.
        sums = torch.tensor(found, dtype=torch.float32, device=self.device)
        wrong, total, loss_sum, count = self.accelerator.reduce(sums).tolist()
        return {"per": wrong / total, "heldout_loss": loss_sum / count}

    def _held_batches(self) -> list[CtcBatch]:
        """This process's share of the held-out recordings, kept in memory."""
        lengths = self.run.store.lengths[np.asarray(self.run.held, dtype=np.int64)]
        batches = epoch_batches(lengths, self.training.batch_s, None)
        maker = self._maker(self.run.held)
        mine = batches[self.accelerator.process_index :: self.accelerator.num_processes]
        return [maker[Plan(update=0, part=0, indices=indices, is_augmented=False)] for indices in mine]

    def _batches(self) -> Generator[CtcBatch, None, None]:
        """Training batches from the present update on, made by the loader's processes."""
        self.model.train()
        maker: Any = self._maker(self.run.training)
        loader: Any = torch.utils.data.DataLoader(
            maker,
            sampler=replace(self.draw, first=self.progress.step),
            batch_size=None,
            num_workers=self.run.workers,
            prefetch_factor=4 if self.run.workers else None,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=_calm_worker if self.run.workers else None,
            # A generator of its own: the loader would draw from the global one.
            generator=torch.Generator().manual_seed(self.training.seed),
        )
        yield from loader

    def _maker(self, indices: Sequence[int]) -> BatchMaker:
        return BatchMaker(
            examples=[self.run.examples[index] for index in indices],
            store=self.run.store.only(indices),
            extractor=self.phones.extractor,
            frames=self.phones.frames,
            augmentation=self.run.recipe.augmentation,
            noise=self.run.noise,
            masks_spectra=not self.masking.asked,
            seed=self.training.seed,
        )

    def _rates(self) -> list[float]:
        """Learning rate of every group of parameters."""
        rate = learning_rate(self.training, self.progress.step, self._share(), self.steps)
        encoder = 0.0 if self.progress.step < self.training.head_only_steps else rate
        return [
            rate * self.training.head_factor if group["is_head"] else encoder for group in self.optimizer.param_groups
        ]

    def _share(self) -> float:
        """Share of the training that is done."""
        if self.training.unit == "minutes":
            return self.progress.spent_s / (60 * self.training.length)
        return self.progress.step / self.steps

    def _length_in_steps(self) -> int:
        """Updates of the whole training; by the clock, nobody knows."""
        if self.training.unit == "epochs":
            return max(1, round(self.training.length * self.draw.updates_an_epoch()))
        return max(1, round(self.training.length)) if self.training.unit == "steps" else 0

    def _agree(self, here_s: float) -> bool:
        """Whether this process should end; all processes agree on that and on the time spent."""
        wish = self.run.should_stop() or (self.run.minutes is not None and here_s >= 60 * self.run.minutes)
        if self.accelerator.num_processes == 1:
            return wish
        pair = torch.tensor([float(wish), self.progress.spent_s], dtype=torch.float32, device=self.device)
        wishes, self.progress.spent_s = self.accelerator.reduce(pair, reduction="mean").tolist()
        return bool(wishes > 0)

    def _report_loss(self) -> None:
        """One point of the curve; ConfigError if the loss is no number."""
        progress = self.progress
        mean = self.accelerator.reduce(self.loss_sum.clone(), reduction="mean").item() / progress.loss_count
        if not math.isfinite(mean):
            raise ConfigError(
                f"the loss is {mean} after update {progress.step}; lower training.learning_rate, or resume from the "
                "last checkpoint"
            )
        self._report({"loss": mean, "learning_rate": self.optimizer.param_groups[0]["lr"], "share": self._share()})
        self.loss_sum.zero_()
        progress.loss_count = 0

    def _evaluate_and_keep(self) -> None:
        """Measure; the best model so far goes to the run folder."""
        progress = self.progress
        if not self.run.held:
            self._keep()
            return
        found = self.evaluate()
        self._report(found)
        if progress.best_per is None or found["per"] < progress.best_per:
            progress.best_per, progress.best_step, progress.stale = found["per"], progress.step, 0
            self._keep()
        else:
            progress.stale += 1

    def _keep(self) -> None:
        if self.accelerator.is_main_process:
            self.masking.restore()
            save_model(self.phones, self.model, self.run.out)

    def _report(self, values: dict[str, Any]) -> None:
        point = {"step": self.progress.step, "spent_s": round(self.progress.spent_s, 2), **values}
        if self.accelerator.is_main_process:
            log.info("%s", json.dumps(point))
            if not values.keys() & {"resumed", "stopped"}:  # the curve is that of a training never interrupted
                add_to_curve(self.run.out, point)
                for name in ("loss", "learning_rate", "per", "heldout_loss"):
                    if name in values:
                        self.board.add_scalar(name, values[name], self.progress.step)
            self.run.on_point(point)

    def _save(self) -> None:
        self.progress.loss_sum = self.accelerator.reduce(self.loss_sum.clone(), reduction="mean").item()
        if self.accelerator.is_main_process:
            save_state(self.run.out, self.model, self.optimizer, self.progress, self.facts)
        self.accelerator.wait_for_everyone()

    def _facts(self) -> dict[str, Any]:
        """What a training that goes on must agree with."""
        listing = repr([(self.run.examples[i].id, self.run.examples[i].labels) for i in self.run.training])
        recipe = plain(self.run.recipe)
        recipe["model"].pop("name")
        return {
            "recipe": recipe,
            "data_sha256": hashlib.sha256(listing.encode()).hexdigest(),
            "model_type": self.phones.model.config.model_type,
            "parameters": sum(parameter.numel() for parameter in self.phones.model.parameters()),
            "processes": self.accelerator.num_processes,
        }

    def _finish(self) -> dict[str, Any]:
        """Write the record of the run."""
        counts = trainable(self.model)
        record = {
            **self.facts,
            "progress": asdict(self.progress),
            "trainable_parameters": sum(learns for learns, _ in counts.values()),
            "frame_shift_s": self.phones.frames.frame_s,
            "training_recordings": len(self.run.training),
            "training_hours": round(float(self.draw.lengths.sum()) / 16_000 / 3600, 3),
            "held_recordings": len(self.run.held),
            "held_speakers": len({self.run.examples[index].speaker for index in self.run.held}),
            "device": str(self.device),
            "precision": self.accelerator.mixed_precision,
            "torch": torch.__version__,
        }
        if self.accelerator.is_main_process:
            self.board.close()
            (self.run.out / "run.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return record


def _calm_worker(_: int) -> None:
    """Ctrl-C is for the main process, which lets its update finish."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def board(folder: Path, step: int) -> Any:
    """A writer for TensorBoard, which hides what came after the checkpoint."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard is not installed; install elocute[hf]") from error
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
