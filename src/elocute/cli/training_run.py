"""What the commands of long trainings share: bars that show how far they are, and an end that loses nothing."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from elocute.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STOPPED = 130
"""Exit status of a training that was told to stop."""


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"


def check_installed(packages: Iterable[str], extra: str) -> None:
    """MissingExtraError for the first package that is not there."""
    for name in packages:
        if find_spec(name) is None:
            raise MissingExtraError(f"{name} is not installed, which this training needs; install elocute[{extra}]")


def wide_bars(*, shown: bool) -> Progress:
    """Progress bars on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not shown)


def steps_of(bars: Progress) -> Callable[[str, int, int], None]:
    """A bar for every step of the preparation."""
    tasks: dict[str, TaskID] = {}

    def progress(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=total)
        bars.update(tasks[step], completed=done)

    return progress


def training_bar(bars: Progress) -> tuple[Callable[[int, float], None], Callable[[dict[str, Any]], None]]:
    """The bar of the training in thousandths, with update, loss and PER in its text; a line for every point.

    A terminal shows the points with a PER alone; a log gets them all.
    """
    task = bars.add_task("training", total=1000)
    shown: dict[str, float] = {}
    is_terminal = bars.console.is_terminal

    def on_step(step: int, share: float) -> None:
        text = " ".join(f"{name} {value:.4f}" for name, value in shown.items())
        bars.update(task, completed=min(1000, round(1000 * share)), description=f"update {step} {text}")

    def on_point(point: dict[str, Any]) -> None:
        shown.update({name: point[name] for name in ("loss", "per") if name in point})
        if not is_terminal or "per" in point:
            typer.echo(json.dumps(point), err=True)

    return on_step, on_point


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let the update in hand finish when Ctrl-C or a request to end comes; a second one ends at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        typer.echo("finishing this update and saving; once more to end at once", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show_outcome(record: dict[str, Any], out: Path, best: str) -> None:
    """The outcome as JSON on stdout; `best` is the record's name for the best measure of held-out speakers."""
    progress = record["progress"]
    summary = {
        "out": str(out),
        "is_done": progress["is_done"],
        "step": progress["step"],
        "minutes": round(progress["spent_s"] / 60, 2),
        best: progress[best],
        "best_step": progress["best_step"],
    }
    typer.echo(json.dumps(summary))
