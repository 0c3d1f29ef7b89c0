"""A whole ablation: every training of a grid, several at once on one device, then speeds, table and drawings.

Every training has a folder of its own, written when it is finished; a killed ablation goes on with the others. Speeds
are measured at the end, one arm at a time, because trainings that share a device slow each other down.
"""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elocute.errors import BatchError, ConfigError
from elocute.mllm.ablation.files import is_done, read_record
from elocute.mllm.ablation.recipe import AblationRecipe, Arm, Trial, arms_of, trials_of
from elocute.mllm.ablation.table import Table, make_table, markdown
from elocute.mllm.weights import open_checkpoint
from elocute.mllm.writing import write_text
from elocute.training.ctc_data import Source
from elocute.training.recipe_table import plain

SETTINGS, SPEEDS, TABLE = "ablation.json", "speeds.json", "table"
TRIALS = "trials"
_SPEEDS_S = 90.0
"""No further arm's speed is measured after so many seconds, if the time of the whole is limited."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRun:
    """What to run, and where.

    Attributes:
        recipe: what is tried.
        base: folder of the model that is adapted.
        sources: corpora: speechocean762, and transcribed speech if more is to be learned from.
        out: folder for everything.
        device: of torch; "cuda" is every GPU by turns where there are several workers.
        workers: trainings at once; 1 trains in this process.
        minutes: begin no training after so many; None for no limit.
        with_speed: whether speeds are measured.
        progress: called with a step, how much of it is done and how much there is.
        on_trial: called with the name of a training that has finished, and its seconds.
    """

    recipe: AblationRecipe
    base: Path
    sources: Sequence[Source]
    out: Path
    device: str = "cpu"
    workers: int = 1
    minutes: float | None = None
    with_speed: bool = True
    progress: Progress = lambda step, done, total: None
    on_trial: Callable[[str, float], None] = lambda name, seconds: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        table: of all finished trainings; None if there is none.
        finished: how many are, of earlier processes, too.
        pending: names of those that are not.
        failed: error of each training that broke off, by name.
    """

    table: Table | None
    finished: int
    pending: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def run_ablation(run: AblationRun) -> Outcome:
    """Run or resume an ablation; the folder then holds `table.md`, `table.json` and drawings.

    Raises:
        ConfigError: the folder holds another ablation, or the base or the corpus cannot be used.
        BatchError: a process died, for want of memory, say.
    """
    from elocute.mllm.ablation.bench import describe, prepare_bank, read_parts

    began_s = time.monotonic()
    recipe, out = run.recipe, run.out
    out.mkdir(parents=True, exist_ok=True)
    parts = read_parts(run.sources, recipe.data, recipe.evaluation.most)
    _keep_settings(run, dict(describe(parts)))
    prepare_bank(
        run.base,
        parts,
        out / "spectra.pt",
        workers=min(8, os.cpu_count() or 1),
        progress=lambda done, total: run.progress("recordings", done, total),
    )
    trials = trials_of(recipe.grid)
    waiting = [trial for trial in trials if not is_done(_folder(out, trial))]
    deadline_s = None if run.minutes is None else began_s + 60 * run.minutes
    _close()
    failed = _all_trials(run, waiting, len(trials), deadline_s)
    finished = [trial for trial in trials if is_done(_folder(out, trial))]
    if run.with_speed and finished:
        _speeds(run, finished)
    table = write_table(recipe, run.sources, out) if finished else None
    pending = [trial.name for trial in trials if trial not in finished and trial.name not in failed]
    return Outcome(table=table, finished=len(finished), pending=tuple(pending), failed=failed)


def write_table(recipe: AblationRecipe, sources: Sequence[Source], out: Path) -> Table:
    """Table and drawings of all finished trainings of a folder; no model is needed.

    Raises:
        ConfigError: no training is finished.
    """
    from elocute.mllm.ablation.bench import read_parts
    from elocute.mllm.ablation.plots import write_plots

    held = read_parts(sources, recipe.data, recipe.evaluation.most).held
    folders: dict[str, dict[int, Path]] = {}
    for trial in trials_of(recipe.grid):
        if is_done(_folder(out, trial)):
            folders.setdefault(trial.arm.name, {})[trial.seed] = _folder(out, trial)
    if not folders:
        raise ConfigError(f"{out} has no finished training; run the ablation first")
    reference = arms_of(recipe.grid)[0].name
    table = make_table(folders, held, reference, _read(out / SPEEDS))
    settings = _read(out / SETTINGS)
    write_text(out / f"{TABLE}.json", table.json())
    write_text(out / f"{TABLE}.md", markdown(table, "Ablation of adapters", _notes(recipe, settings)))
    records = {name: [read_record(folder) for folder in by_seed.values()] for name, by_seed in folders.items()}
    write_plots(out, table, records)
    return table


def _notes(recipe: AblationRecipe, settings: Mapping[str, Any]) -> list[str]:
    """What the table is of, in a few lines."""
    table, sides = recipe.adaptation, settings["examples"]
    return [
        f"Base: {settings['base']['name']}. Every arm: {table.updates} updates of {table.batch} of "
        f"{sides['training']['examples']:,} examples ({sides['training']['speakers']} speakers), learning rate "
        f"{table.learning_rate:g} (every weight: {table.full_learning_rate:g}), alpha / r {table.scaling:g}. Measured "
        f"on {sides['held']['examples']:,} examples of {sides['held']['speakers']} other speakers. Contrast of the "
        f"entropies {table.contrast:g}."
    ]


def _folder(out: Path, trial: Trial) -> Path:
    """Where a training leaves its files."""
    return out / TRIALS / trial.name


def _keep_settings(run: AblationRun, examples: Mapping[str, Any]) -> None:
    """Write what is run, so that nothing else is run in the same folder.

    A longer grid may be: its trainings are other ones.
    """
    base = open_checkpoint(run.base)
    settings = {
        "recipe": plain(run.recipe),
        "base": {"name": run.base.name, "fingerprint": base.fingerprint()},
        "examples": examples,
    }
    path = run.out / SETTINGS
    if path.is_file():
        before = _read(path)
        for name in ("data", "adaptation", "evaluation"):
            if before["recipe"][name] != settings["recipe"][name]:
                raise ConfigError(f"{run.out} holds an ablation with another [{name}]; choose another folder")
        if before["base"]["fingerprint"] != settings["base"]["fingerprint"] or before["examples"] != examples:
            raise ConfigError(f"{run.out} holds an ablation of another base or corpus; choose another folder")
    write_text(path, json.dumps(settings, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is no such file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


_bench: Any = None
"""Of a worker process: what its trainings share."""


def _close() -> None:
    """Forget what trainings of another ablation shared."""
    global _bench
    _bench = None


def _open(
    recipe: AblationRecipe,
    base: Path,
    sources: Sequence[Source],
    bank: Path,
    device: str,
    threads: int,
    turns: Any = None,
) -> None:
    """Begin a worker process; with `turns`, a counter of all of them, GPUs are taken by turns."""
    import torch

    from elocute.mllm.ablation.bench import Bench, read_parts

    global _bench
    if threads:
        torch.set_num_threads(threads)
    if device == "cuda" and turns is not None:
        with turns.get_lock():
            number, turns.value = turns.value, turns.value + 1
        device = f"cuda:{number % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    _bench = Bench(recipe, base, read_parts(sources, recipe.data, recipe.evaluation.most), bank, device)


def _train(trial: Trial, folder: Path) -> tuple[float, str | None]:
    """One training in a worker; its seconds, and its traceback if it broke off.

    An arm that does not fit or does not converge is a result of an ablation: the others go on.
    """
    from elocute.mllm.ablation.trial import run_trial

    began_s = time.perf_counter()
    try:
        run_trial(_bench, trial, folder)
    except Exception:  # noqa: BLE001 - whatever it is, it is reported with its traceback, and fails the command
        return time.perf_counter() - began_s, traceback.format_exc()
    return time.perf_counter() - began_s, None


def _arguments(run: AblationRun, threads: int) -> tuple[Any, ...]:
    """Of `_open`."""
    return (run.recipe, run.base, run.sources, run.out / "spectra.pt", run.device, threads)


def _all_trials(run: AblationRun, waiting: Sequence[Trial], total: int, deadline_s: float | None) -> dict[str, str]:
    """Every training that waits, until the time is over; the traceback of each that broke off."""
    failed: dict[str, str] = {}
    done = total - len(waiting)
    run.progress("trainings", done, total)

    def took(trial: Trial, result: tuple[float, str | None]) -> None:
        nonlocal done
        done += 1
        seconds, error = result
        if error is not None:
            failed[trial.name] = error
            write_text(run.out / f"failed-{trial.name}.txt", error)
        run.on_trial(trial.name, seconds)
        run.progress("trainings", done, total)

    if run.workers == 1:
        if waiting:
            _open(*_arguments(run, 0))
        for trial in waiting:
            if deadline_s is not None and time.monotonic() > deadline_s:
                break
            took(trial, _train(trial, _folder(run.out, trial)))
    elif waiting:
        _in_processes(run, waiting, deadline_s, took)
    return failed


def _in_processes(
    run: AblationRun,
    waiting: Sequence[Trial],
    deadline_s: float | None,
    took: Callable[[Trial, tuple[float, str | None]], None],
) -> None:
    """Trainings in several processes; a new one begins when one ends."""
    count = min(run.workers, len(waiting))
    threads = max(1, (os.cpu_count() or 1) // count)
    queue = list(waiting)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_open, initargs=(*_arguments(run, threads), context.Value("i", 0))
    ) as pool:
        running: dict[Future[tuple[float, str | None]], Trial] = {}
        while queue or running:
            is_late = deadline_s is not None and time.monotonic() > deadline_s
            while queue and len(running) < count and not is_late:
                trial = queue.pop(0)
                running[pool.submit(_train, trial, _folder(run.out, trial))] = trial
            if not running:
                break
            ended, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                trial = running.pop(future)
                try:
                    took(trial, future.result())
                except BrokenProcessPool as error:
                    raise BatchError(
                        f"a process died during {trial.name}; run the same command with fewer --workers, finished "
                        "trainings are kept"
                    ) from error


def _speeds(run: AblationRun, finished: Sequence[Trial]) -> None:
    """Speeds of every arm that has none yet; arms that differ in their learning rate alone are equally fast."""
    from elocute.mllm.ablation.speed import measure_speed

    speeds = _read(run.out / SPEEDS)
    first = {trial.arm: trial for trial in reversed(finished) if trial.arm.rate == 1 and trial.arm.name not in speeds}
    arms: list[Arm] = [arm for arm in arms_of(run.recipe.grid) if arm in first]
    if not arms:
        return
    if _bench is None:
        _open(*_arguments(run, 0))
    measure_speed(_bench, first[arms[0]])  # pays for what a process loads and plans once
    began_s = time.monotonic()
    for number, arm in enumerate(arms):
        if run.minutes is not None and time.monotonic() > began_s + _SPEEDS_S:
            break
        run.progress("speeds", number, len(arms))
        speeds[arm.name] = measure_speed(_bench, first[arm])
        write_text(run.out / SPEEDS, json.dumps(speeds, indent=1) + "\n")
    run.progress("speeds", len(arms), len(arms))


__all__ = ["AblationRun", "Outcome", "run_ablation", "write_table"]
