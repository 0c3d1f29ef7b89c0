"""One batch before a training: does anything learn, does what should learn get a gradient, is the recording heard?

These three silent failures have cost others whole trainings: labels all masked (the loss is 0), an adapter that was
never attached, a prompt whose audio token does not reach the encoder.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from elocute.errors import ConfigError
from elocute.mllm.learning import answer_loss, trained

if TYPE_CHECKING:
    from elocute.mllm.bank import Batch
    from elocute.mllm.training import Phi4Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What one batch shows.

    Attributes:
        examples: in it.
        tokens: of its longest sequence.
        answer_tokens: that are learned, in all.
        loss: a token, before any update; natural log.
        chance: loss of a uniform guess over the vocabulary.
        with_gradient: tensors that got a gradient.
        without_gradient: tensors that should learn and got none, or zeros; the A of a fresh adapter has them, because
            its B is 0.
        audio_effect: largest change of a logit of the answer when the recording is replaced by silence.
        seconds: forward and backward pass.
        peak_memory_bytes: of the device; None on a CPU.
    """

    examples: int
    tokens: int
    answer_tokens: int
    loss: float
    chance: float
    with_gradient: int
    without_gradient: int
    audio_effect: float
    seconds: float
    peak_memory_bytes: int | None


def dry_run(trainer: Phi4Trainer) -> DryRun:
    """Forward and backward pass of one batch of the first update; the model is left as it was.

    Raises:
        ConfigError: the loss is 0 or no number, nothing that learns gets a gradient, or the recording changes nothing.
    """
    part = trainer.draw.parts(0)[-1]
    batch = trainer.maker.make(part, 0, 0, trainer.device)
    if batch.answer_tokens == 0:
        raise ConfigError("the loss is 0: no token of an answer is learned; the labels of every example are masked")
    began_s = time.monotonic()
    trainer.wrapped.train()
    loss = _loss(trainer, batch)
    check_loss(loss)
    trainer.accelerator.backward(loss)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)
    seconds = time.monotonic() - began_s
    names = {id(parameter): name for name, parameter in trainer.wrapped.named_parameters()}
    has = {names.get(id(p), "auxiliary head"): _has_gradient(p) for p in trained(trainer.wrapped, None)}
    check_gradients(has)
    trainer.optimizer.zero_grad(set_to_none=True)
    trainer.wrapped.eval()
    effect = audio_effect(trainer, batch)
    check_effect(effect)
    return DryRun(
        examples=len(batch.sizes),
        tokens=batch.labels.shape[1],
        answer_tokens=batch.answer_tokens,
        loss=float(loss.detach()),
        chance=math.log(trainer.model.config.vocab_size),
        with_gradient=sum(has.values()),
        without_gradient=len(has) - sum(has.values()),
        audio_effect=effect,
        seconds=seconds,
        peak_memory_bytes=torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else None,
    )


def check_loss(loss: Tensor) -> None:
    """ConfigError for a loss that teaches nothing."""
    value = float(loss.detach())
    if value == 0 or not math.isfinite(value):
        raise ConfigError(
            f"the loss of the first batch is {value}; expected a positive number: the answers are masked, or weights "
            "are no numbers"
        )


def check_gradients(has: dict[str, bool]) -> None:
    """ConfigError where nothing that learns, or a whole part of it, gets a gradient.

    Args:
        has: of each tensor that should learn, by name, whether its gradient is there and not all 0.
    """
    if not has:
        raise ConfigError("no parameter learns; the adapter was not attached, or model.regime leaves nothing to learn")
    parts = {
        "adapter": {name: value for name, value in has.items() if ".lora_" in name},
        "audio encoder": {name: value for name, value in has.items() if ".audio_embed." in name},
    }
    for part, found in parts.items():
        if found and not any(found.values()):
            raise ConfigError(
                f"none of the {len(found)} tensors of the {part} gets a gradient, first {next(iter(found))}; the loss "
                "does not depend on them, so they would never learn"
            )
    if not any(has.values()):
        raise ConfigError(f"none of the {len(has)} tensors that should learn gets a gradient; the loss is cut off")


def check_effect(effect: float) -> None:
    """ConfigError where the recording changes nothing."""
    if not effect > 0:
        raise ConfigError(
            "silence in place of the recordings changes no logit; the audio token of the prompt is not that of the "
            "model's configuration, or the encoder's output is lost"
        )


def audio_effect(trainer: Phi4Trainer, batch: Batch) -> float:
    """Largest change of a logit of the answers when every recording is replaced by silence."""
    found = []
    with torch.no_grad(), trainer.accelerator.autocast():
        for silent in (False, True):
            inputs = dict(batch.inputs)
            if silent:
                inputs["audio_input_features"] = torch.zeros_like(inputs["audio_input_features"])
            given: Any = trainer.wrapped(**inputs, logits_to_keep=batch.longest_answer + 1, use_cache=False)
            found.append(given.logits.float())
    return float((found[0] - found[1]).abs().max())


def _loss(trainer: Phi4Trainer, batch: Batch) -> Tensor:
    """Loss a token of a batch."""
    with trainer.accelerator.autocast():
        given = trainer.wrapped(**batch.inputs, logits_to_keep=batch.longest_answer + 1, use_cache=False)
    return answer_loss(given.logits, batch) / batch.answer_tokens


def _has_gradient(parameter: torch.nn.Parameter) -> bool:
    """Whether a gradient is there and not all 0."""
    return parameter.grad is not None and bool((parameter.grad != 0).any())
