"""Checkpoints of a training of Phi-4-multimodal: what learns, its moments and how far it came, and the model itself.

A checkpoint holds no frozen weights, so that with adapters it is as small as they are. The same file goes on with a
training on one device, on several that each hold all (DDP), or on several that share the weights (FSDP).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from elocute.mllm.adapters import NAME
from elocute.mllm.tuned import save_tuned
from elocute.training.ctc_state import read_state, write_state

if TYPE_CHECKING:
    from elocute.mllm.training import Phi4Run

MODEL_FOLDER = "model"
"""Where in a run folder the best model is."""
_FREE = ("batch", "attention", "precision", "gradient_checkpointing", "report_every", "save_every", "evaluation")
"""Settings that may change from one process of a training to the next."""


@dataclass(slots=True)
class Phi4Progress:
    """How far a training has come.

    Attributes:
        step: updates done.
        spent_s: seconds spent in them, over all processes, without measuring.
        sums: since the last report: loss of the answers, their tokens, auxiliary loss, its recordings.
        next_measure: number of the next evaluation.
        measured_at: update after which the last one was.
        best: highest merit so far; None before the first evaluation.
        best_step: when that was.
        is_done: whether the training came to its end.
    """

    step: int = 0
    spent_s: float = 0.0
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    next_measure: int = 1
    measured_at: int = -1
    best: float | None = None
    best_step: int = 0
    is_done: bool = False


def save_progress(
    folder: Path,
    model: nn.Module,
    head: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    progress: Phi4Progress,
    facts: Mapping[str, Any],
    *,
    is_main: bool,
) -> None:
    """Write what a later process needs; every process takes part, one writes.

    Args:
        folder: of the run.
        model: as it is trained, wrapped or not.
        head: of the auxiliary loss.
        optimizer: its moments.
        progress: how far the training has come.
        facts: what a training that goes on must agree with.
        is_main: whether this process writes.
    """
    state = {
        "model": _learned(model),
        "head": {} if head is None else head.state_dict(),
        "optimizer": _moments(model, head, optimizer),
        "pruned": json.dumps(getattr(_adapter(model), "rank_pattern", None)),
        "progress": asdict(progress),
    }
    if is_main:
        write_state(folder, state, facts)


def load_progress(
    folder: Path,
    model: nn.Module,
    head: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    facts: Mapping[str, Any],
) -> Phi4Progress:
    """Go on from a checkpoint, if there is one.

    Raises:
        ConfigError: it is damaged, or of a training with another recipe, other data or another model.
    """
    state = read_state(folder, facts, free=_FREE)
    if state is None:
        return Phi4Progress()
    options = StateDictOptions(full_state_dict=True, strict=False)
    set_model_state_dict(model, state["model"], options=options)
    pruned = json.loads(state["pruned"])
    if pruned:  # AdaLoRA's; other adapters have theirs already
        _adapter(model).rank_pattern = pruned
    if head is not None:
        head.load_state_dict(state["head"])
    if _is_plain(optimizer, head):
        optimizer.load_state_dict(state["optimizer"])
    else:
        set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)
    return Phi4Progress(**state["progress"])


def keep(wrapped: nn.Module, model: Any, run: Phi4Run, *, is_main: bool, is_sharded: bool) -> None:
    """Write the model as users load it, to the run folder; every process takes part, one writes."""
    state: Any = None
    if is_sharded:
        state = get_model_state_dict(wrapped, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if is_main:
        save_tuned(model, run.out / MODEL_FOLDER, state=state)


def _learned(model: nn.Module) -> dict[str, Any]:
    """Weights that learn and buffers, whole, on the host, by the same names in every layout of devices."""
    frozen, kept = set(), {}
    # With every name of a weight that has two: torch leaves out one of them only.
    for name, parameter in model.named_parameters(remove_duplicate=False):
        bare = name.removeprefix("module.")
        if not parameter.requires_grad:
            frozen.add(bare)
        if ".ranknum." in f"{bare}.":  # what AdaLoRA left of a rank, which no gradient changes
            kept[bare] = parameter.detach().cpu()
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    found = get_model_state_dict(model, options=options)
    return {name: value for name, value in found.items() if name not in frozen and torch.is_tensor(value)} | kept


def _adapter(model: nn.Module) -> Any:
    """The settings of a model's adapter, wrapped or not; None without one."""
    return getattr(getattr(model, "module", model), "peft_config", {}).get(NAME)


def _moments(model: nn.Module, head: nn.Module | None, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """State of the optimiser."""
    if _is_plain(optimizer, head):
        return optimizer.state_dict()
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    return dict(get_optimizer_state_dict(model, optimizer, options=options))


def _is_plain(optimizer: torch.optim.Optimizer, head: nn.Module | None) -> bool:
    """Whether every process holds all moments, so that the optimiser's own state will do."""
    from torch.distributed.tensor import DTensor

    return head is not None or not any(
        isinstance(parameter, DTensor) for group in optimizer.param_groups for parameter in group["params"]
    )
