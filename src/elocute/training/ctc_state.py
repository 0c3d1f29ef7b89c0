"""Checkpoints of a CTC training: whole or not at all, and refused by a training that differs."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from elocute.errors import ConfigError

STATE = "state.pt"
CURVE = "curve.jsonl"
_FREE = ("report_every", "save_every", "held_out_most", "precision", "gradient_checkpointing")
"""Settings of `[training]` that may change from one process of a training to the next."""


@dataclass(slots=True)
class CtcProgress:
    """How far a training has come.

    Attributes:
        step: updates done.
        spent_s: seconds spent in them, over all processes.
        loss_sum: of the losses since the last report.
        loss_count: how many those are.
        best_per: lowest PER of the held-out speakers so far; None before the first.
        best_step: when that was.
        stale: evaluations since then.
        is_done: whether the training came to its end.
    """

    step: int = 0
    spent_s: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    best_per: float | None = None
    best_step: int = 0
    stale: int = 0
    is_done: bool = False


def save_state(
    folder: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: CtcProgress,
    facts: Mapping[str, Any],
) -> None:
    """Write what a later process needs; a kill while writing leaves the former state.

    No generators are kept: everything that is drawn for an update is drawn from the seed and its number.

    Args:
        folder: of the run.
        model: its weights, frozen ones included.
        optimizer: its moments.
        progress: how far the training has come.
        facts: what a training that goes on must agree with, plain values.
    """
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(progress)}
    write_state(folder, state, facts)


def write_state(folder: Path, state: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint with the facts that it belongs to; a kill while writing leaves the former one."""
    new = folder / f"{STATE}.new"
    with open(new, "wb") as file:
        torch.save({**state, "facts": json.dumps(facts)}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, folder / STATE)


def load_state(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, facts: Mapping[str, Any]
) -> CtcProgress:
    """Go on from a checkpoint, if there is one.

    Raises:
        ConfigError: it is damaged, or of a training with another recipe, other data or another model.
    """
    state = read_state(folder, facts, free=_FREE)
    if state is None:
        return CtcProgress()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return CtcProgress(**state["progress"])


def read_state(folder: Path, facts: Mapping[str, Any], *, free: Collection[str]) -> dict[str, Any] | None:
    """The checkpoint of a folder, if there is one.

    Args:
        folder: of the run.
        facts: of the training that would go on with it.
        free: facts, at any depth, that may differ.

    Raises:
        ConfigError: it is damaged, or of a training with another recipe, other data or another model.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        was = json.loads(state["facts"])
        _ = state["progress"].items(), state["model"], state["optimizer"]
    except (
        OSError,
        RuntimeError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        first = str(error).partition("\n")[0]
        raise ConfigError(f"{path} is damaged: {first}; delete it to begin anew, or give another --out") from error
    different = _differences(was, json.loads(json.dumps(facts)), free)
    if different:
        raise ConfigError(
            f"{folder} holds a training with another {'; '.join(different[:5])}; repeat its command to go on with it, "
            "or give another --out"
        )
    return state


def cut_curve(folder: Path, step: int) -> None:
    """Drop points of the curve after an update: they were made after the checkpoint that a process goes on from."""
    path = folder / CURVE
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def add_to_curve(folder: Path, point: Mapping[str, Any]) -> None:
    """Append one point."""
    with open(folder / CURVE, "a", encoding="utf-8") as file:
        file.write(json.dumps(point) + "\n")


def _differences(was: Any, now: Any, free: Collection[str], place: str = "") -> list[str]:
    """Where two nested tables differ, as `name (was -> now)`."""
    if isinstance(was, dict) and isinstance(now, dict):
        return [
            item
            for key in sorted({*was, *now} - set(free))
            for item in _differences(was.get(key), now.get(key), free, f"{place}.{key}" if place else key)
        ]
    return [] if was == now else [f"{place} (was {was!r}, is {now!r})"]
