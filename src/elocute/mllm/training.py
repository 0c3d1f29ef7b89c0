"""Train Phi-4-multimodal: adapters, more than adapters, or a small model of its kind from random weights.

`elocute train phi4` runs it; with `accelerate launch` on several devices (DDP, FSDP). Everything drawn for an update
comes from the seed and its number, and an update has the same examples on any number of devices: a training that was
stopped and resumed gives the losses of one that was not, and two devices the losses of one, up to rounding.

Source: S. Ahn and H. Nam, "English Pronunciation Evaluation without Complex Joint Training: LoRA Fine-tuned Speech
Multimodal LLM", 2025 (arXiv 2509.02915), for the setting of the defaults.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elocute.errors import ConfigError
from elocute.mllm.adapters import after_update
from elocute.mllm.assembling import audio_of
from elocute.mllm.bank import Bank, Batch
from elocute.mllm.batches import BatchMaker, Draw
from elocute.mllm.curve_plot import write_curve
from elocute.mllm.examples import Example
from elocute.mllm.learning import CtcHead, answer_loss, learning_rate, make_optimizer, orthogonality, trained
from elocute.mllm.measuring import Measured, measure
from elocute.mllm.prompts import PROMPTS_VERSION
from elocute.mllm.recipe import Phi4Recipe
from elocute.mllm.state import Phi4Progress, keep, load_progress, save_progress
from elocute.training.ctc import board
from elocute.training.ctc_learning import seed_update
from elocute.training.ctc_state import add_to_curve, cut_curve
from elocute.training.recipe_table import plain

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phi4Run:
    """One process of a training.

    Attributes:
        recipe: what it depends on.
        out: run folder; it becomes the folder of the tuned model, too.
        processor: of the model.
        examples: questions with answers to learn.
        held: those that are only measured.
        bank: spectra of all their recordings.
        noise: log powers of noise, shape (frames, 80); None for none.
        minutes: end this process then, leaving a checkpoint; None: when the training is done.
        penalty: a term that is added to the loss of every forward pass, of the model; None for none.
        on_point: called with every new point of the curve.
        on_step: called after every update with its number and the share of the training that is done.
        on_answer: called while held-out questions are answered, with answers and questions.
        should_stop: asked after each update.
    """

    recipe: Phi4Recipe
    out: Path
    processor: Any
    examples: Sequence[Example]
    held: Sequence[Example]
    bank: Bank
    noise: Tensor | None = None
    minutes: float | None = None
    penalty: Callable[[Any], Tensor] | None = None
    on_point: Callable[[dict[str, Any]], None] = lambda point: None
    on_step: Callable[[int, float], None] = lambda step, share: None
    on_answer: Callable[[int, int], None] = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False
    facts: Mapping[str, Any] = field(default_factory=dict)


def train_phi4(run: Phi4Run, model: Any, accelerator: Any = None) -> dict[str, Any]:
    """Train or resume; the run folder then has the best model, `curve.jsonl`, its drawing, `run.json`, the checkpoint.

    Args:
        run: what to train on, and how.
        model: of `load_model`, on the accelerator's device.
        accelerator: of accelerate; made to fit the machine if None.

    Returns: what `run.json` holds.

    Raises:
        ConfigError: the loss is no number any more, or the run folder belongs to another training.
    """
    return Phi4Trainer(run, model, accelerator or make_accelerator(run.recipe)).run_to_end()


def make_accelerator(recipe: Phi4Recipe, *, cpu: bool = False) -> Any:
    """An accelerator of accelerate: devices, bf16 where it is computed, several processes, FSDP where it is asked."""
    from datetime import timedelta

    from accelerate import Accelerator, InitProcessGroupKwargs

    handlers = [InitProcessGroupKwargs(timeout=timedelta(hours=3))]
    return Accelerator(mixed_precision="bf16" if is_short(recipe, cpu=cpu) else "no", cpu=cpu, kwargs_handlers=handlers)


def is_short(recipe: Phi4Recipe, *, cpu: bool = False) -> bool:
    """Whether it is computed in bf16."""
    can = not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return recipe.model.precision == "bf16" or (recipe.model.precision == "auto" and can)


class Phi4Trainer:
    """The state of one process of a training."""

    def __init__(self, run: Phi4Run, model: Any, accelerator: Any) -> None:
        self.run, self.accelerator = run, accelerator
        self.table = run.recipe.training
        self.device: torch.device = accelerator.device
        self.maker = BatchMaker.of(run)
        self.draw = Draw.of(run, self.maker, accelerator.num_processes)
        torch.manual_seed(self.table.seed)
        self.head = CtcHead(model) if self.table.ctc_weight else None
        if self.head is not None:
            self.head.to(self.device)
        self.model = model
        self.steps = self._length_in_steps()
        self.facts = self._facts()
        is_sharded = "FSDP" in str(accelerator.distributed_type)
        self.wrapped: Any
        self.optimizer: torch.optim.Optimizer = make_optimizer(model, self.head, self.table)
        if is_sharded:
            self.wrapped, prepared = accelerator.prepare(model, self.optimizer)
            self.optimizer = prepared.optimizer
        else:
            self.wrapped = accelerator.prepare_model(model)
        self.is_sharded = is_sharded
        self.progress: Phi4Progress = load_progress(run.out, self.wrapped, self.head, self.optimizer, self.facts)
        self.sums = torch.tensor(self.progress.sums, dtype=torch.float64, device=self.device)
        self.board: Any = None
        self.recordings: Any = None
        self.measuring_s = 0.0

    def run_to_end(self) -> dict[str, Any]:
        """Updates until the training is done, its time is up or somebody stops it."""
        run, progress = self.run, self.progress
        if self.accelerator.is_main_process:
            run.out.mkdir(parents=True, exist_ok=True)
            cut_curve(run.out, progress.step)
            self.board = board(run.out, progress.step)
            # Whoever stops this for good has a model all the same, and must know how it was asked.
            self._write_record()
        if not progress.is_done:
            self.wrapped.train()
            before_s, begun, is_over = progress.spent_s, time.monotonic(), False
            while not is_over:
                self._update()
                is_over = self._after_update(before_s, begun)
            self._save()
        if self.accelerator.is_main_process:
            self.board.close()
        return self._write_record()

    def _update(self) -> None:
        """One update of the weights."""
        table, step = self.table, self.progress.step
        rate = learning_rate(table, step, self._share(), self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = self.draw.parts(step)
        indices = [index for part in parts for index in part]
        tokens = sum(self.maker.tokens[index].learned for index in indices)
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        mine = range(rank, len(parts), world)
        for number in mine:
            batch = self.maker.make(parts[number], step, number, self.device)
            seed_update(table.seed, step, number)
            is_last = number + world >= len(parts)
            waits = not is_last and not self.is_sharded
            with self.accelerator.no_sync(self.wrapped) if waits else contextlib.nullcontext():
                loss = self._loss(batch, tokens, len(indices), len(parts))
                self.accelerator.backward(loss * world)
        learned = trained(self.wrapped, self.head)
        if self.head is not None and world > 1:
            self._share_gradients(self.head)
            self._leave_alone_what_does_not_learn_yet(self.head)
        self.accelerator.clip_grad_norm_(learned, table.clip)
        self.optimizer.step()
        self._prune()
        self.optimizer.zero_grad(set_to_none=True)

    def _loss(self, batch: Batch, tokens: int, recordings: int, parts: int) -> Tensor:
        """The part of an update's loss that a batch has: a mean over all tokens (recordings) of the update."""
        table = self.table
        total: Tensor = torch.zeros((), device=self.device)
        with self.head.listening(self.model) if self.head is not None else contextlib.nullcontext():
            is_first = self.progress.step < table.ctc_first
            if is_first and self.head is not None and self.accelerator.num_processes == 1:
                with self.accelerator.autocast():
                    self.head.hear(self.model, batch)
            else:
                with self.accelerator.autocast():
                    given = self.wrapped(**batch.inputs, logits_to_keep=batch.longest_answer + 1, use_cache=False)
                summed = answer_loss(given.logits, batch)
                self.sums[0] += summed.detach().double()
                self.sums[1] += batch.answer_tokens
                # Several processes exchange every gradient, so nothing may be left out of theirs.
                total = total + (0.0 if is_first else 1.0) * summed / tokens
        if self.head is not None:
            heard = self.head.loss(batch, flat=self.progress.step < table.ctc_flat)
            self.sums[2] += heard.detach().double()
            self.sums[3] += len(batch.sizes)
            total = total + table.ctc_weight * heard / recordings
        for term in (None if self.run.penalty is None else self.run.penalty(self.model), orthogonality(self.model)):
            if term is not None:
                total = total + term / parts
        return total

    def _share_gradients(self, head: CtcHead) -> None:
        """Mean over the processes of the gradients of the auxiliary head, which no wrapper shares."""
        for parameter in head.parameters():
            if parameter.grad is not None:
                parameter.grad = self.accelerator.reduce(parameter.grad, reduction="mean")

    def _leave_alone_what_does_not_learn_yet(self, head: CtcHead) -> None:
        """While the encoder learns alone, the rest has gradients of 0 on several processes; none at all on one."""
        if self.progress.step < self.table.ctc_first:
            heard = {id(one) for part in (audio_of(self.model).encoder, head) for one in part.parameters()}
            for parameter in trained(self.model, None):
                if id(parameter) not in heard:
                    parameter.grad = None

    def _prune(self) -> None:
        """What an adapter does after an update."""
        after_update(self.model, self.progress.step + 1)

    def _after_update(self, before_s: float, begun: float) -> bool:
        """Count the update, report and measure when it is time; whether this process should end."""
        progress, table = self.progress, self.table
        progress.step += 1
        progress.spent_s = before_s + time.monotonic() - begun - self.measuring_s
        self.run.on_step(progress.step, self._share())
        is_stopped = self._agree(time.monotonic() - begun)
        progress.is_done = self._share() >= 1
        if progress.step % table.report_every == 0:
            self._report_loss()
        is_due = self._passed(table.evaluate_every) and progress.step > table.ctc_first
        if is_due or progress.is_done:
            self._measure_and_keep()
        if progress.step % table.save_every == 0 and not progress.is_done and not is_stopped:
            self._save()
        return is_stopped or progress.is_done

    def _passed(self, every: float) -> bool:
        """Whether another stretch of the training is over, in epochs, or in minutes where these are its unit."""
        progress = self.progress
        now = progress.spent_s / 60 if self.table.unit == "minutes" else progress.step / self.draw.updates_an_epoch
        if now < progress.next_measure * every - 1e-9:
            return False
        progress.next_measure = math.floor(now / every + 1e-9) + 1
        return True

    def _share(self) -> float:
        """Share of the training that is done."""
        if self.table.unit == "minutes":
            return self.progress.spent_s / (60 * self.table.length)
        return self.progress.step / self.steps

    def _length_in_steps(self) -> int:
        """Updates of the whole training; by the clock, nobody knows."""
        if self.table.unit == "epochs":
            return max(1, round(self.table.length * self.draw.updates_an_epoch))
        return max(1, round(self.table.length)) if self.table.unit == "updates" else 0

    def _agree(self, here_s: float) -> bool:
        """Whether this process should end; all processes agree on that and on the time spent."""
        wish = self.run.should_stop() or (self.run.minutes is not None and here_s >= 60 * self.run.minutes)
        if self.accelerator.num_processes == 1:
            return wish
        pair = torch.tensor([float(wish), self.progress.spent_s], dtype=torch.float32, device=self.device)
        wishes, self.progress.spent_s = self.accelerator.reduce(pair, reduction="mean").tolist()
        return bool(wishes > 0)

    def _over_all_processes(self) -> list[float]:
        """The sums since the last report."""
        if self.accelerator.num_processes == 1:
            found: list[float] = self.sums.tolist()
        else:  # not every device reduces 64 bits
            found = self.accelerator.reduce(self.sums.float(), reduction="sum").tolist()
        return found

    def _report_loss(self) -> None:
        """One point of the curve; ConfigError if the loss is no number."""
        answers, tokens, heard, recordings = self._over_all_processes()
        point = {"learning_rate": self.optimizer.param_groups[0]["lr"], "share": self._share()}
        if tokens:
            point["loss"] = answers / tokens
        if recordings:
            point["ctc"] = heard / recordings
        for name in ("loss", "ctc"):
            if not math.isfinite(point.get(name, 0.0)):
                raise ConfigError(
                    f"the {name} is {point[name]} after update {self.progress.step}; lower training.learning_rate, or "
                    "resume from the last checkpoint"
                )
        self._report(point)
        self.sums.zero_()

    def _measure_and_keep(self) -> None:
        """Measure the held-out speakers; the best model so far goes to the run folder."""
        progress, begun = self.progress, time.monotonic()
        progress.measured_at = progress.step
        epoch = progress.step / self.draw.updates_an_epoch
        if not self.run.held:
            self._keep()
        else:
            found = measure(self)
            self._report({"epoch": round(epoch, 3), **found.values})
            if self.accelerator.is_main_process:
                write_curve(self.run.out, self.draw.updates_an_epoch)
            self._write_evaluation(found)
            if progress.best is None or found.merit > progress.best:
                progress.best, progress.best_step = found.merit, progress.step
                self._keep()
        self.wrapped.train()
        self.measuring_s += time.monotonic() - begun

    def _write_evaluation(self, found: Measured) -> None:
        """The whole evaluation beside the curve."""
        if self.accelerator.is_main_process and found.document is not None:
            path = self.run.out / f"evaluation-{self.progress.step:06d}.json"
            path.write_text(found.document, encoding="utf-8")

    def _keep(self) -> None:
        """Write the model as users load it."""
        keep(self.wrapped, self.model, self.run, is_main=self.accelerator.is_main_process, is_sharded=self.is_sharded)

    def _report(self, values: dict[str, Any]) -> None:
        point = {"step": self.progress.step, "spent_s": round(self.progress.spent_s, 2), **values}
        if self.accelerator.is_main_process:
            log.info("%s", json.dumps(point))
            add_to_curve(self.run.out, point)
            for name, value in values.items():
                if isinstance(value, float):
                    self.board.add_scalar(name, value, self.progress.step)
            self.run.on_point(point)

    def _save(self) -> None:
        """A checkpoint: what learns, its moments, how far it came."""
        self.progress.sums = [value / self.accelerator.num_processes for value in self._over_all_processes()]
        save_progress(
            self.run.out,
            self.wrapped,
            self.head,
            self.optimizer,
            self.progress,
            self.facts,
            is_main=self.accelerator.is_main_process,
        )
        self.accelerator.wait_for_everyone()

    def _facts(self) -> dict[str, Any]:
        """What a training that goes on must agree with."""
        listing = repr([(example.key, example.user, example.answer) for example in self.run.examples])
        recipe = plain(self.run.recipe)
        recipe["model"].pop("folder")
        return {
            "recipe": recipe,
            "data_sha256": hashlib.sha256(listing.encode()).hexdigest(),
            "trainable_parameters": sum(p.numel() for p in trained(self.model, self.head)),
            **self.run.facts,
        }

    def _write_record(self) -> dict[str, Any]:
        """What the run is and how far it came, written to `run.json`."""
        record = {
            **self.facts,
            "prompts": PROMPTS_VERSION,
            "progress": asdict(self.progress),
            "processes": self.accelerator.num_processes,
            "distributed": str(self.accelerator.distributed_type),
            "updates_an_epoch": self.draw.updates_an_epoch,
            "training_examples": len(self.run.examples),
            "training_hours": round(sum(self.run.bank.seconds(e.audio) for e in self.run.examples) / 3600, 3),
            "held_examples": len(self.run.held),
            "held_speakers": len({example.speaker for example in self.run.held}),
            "device": str(self.device),
            "precision": self.accelerator.mixed_precision,
            "peak_memory_bytes": torch.cuda.max_memory_allocated() if self.device.type == "cuda" else None,
            "torch": torch.__version__,
        }
        if self.accelerator.is_main_process:
            (self.run.out / "run.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return record
