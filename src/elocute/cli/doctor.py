"""`elocute doctor`: does everything that is needed work here, and what else could be installed?"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import typer

from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show
from elocute.config import AssessorConfig
from elocute.errors import ConfigError, ElocuteError

_REINSTALL = "pip install --force-reinstall elocute"
_READ_WITH_CARD = {"acoustic.onnx", "scorer.onnx"}
"""Assets that cannot be used without what their cards say."""
_LIBRARIES = ("numpy", "onnxruntime", "soundfile", "soxr", "av", "typer", "rich")
_EXTRAS = {
    "train": ("torch", "onnx", "onnxscript", "scipy"),
    "hf": ("torch", "transformers", "safetensors", "accelerate"),
    "gruut": ("gruut",),
}
_PROGRAMS = {
    "espeak-ng": "for `elocute phones --g2p espeak`",
    "flite": "to make the example recordings again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at.

    Attributes:
        name: what is looked at.
        run: looks, and returns what it found; raises where that is not good.
        fix: what the user can do then.
        is_needed: without it elocute cannot do its main job.
    """

    name: str
    run: Callable[[], str]
    fix: str
    is_needed: bool = True


EXAMPLES = (
    "elocute doctor",
    "elocute doctor --backend embedded",
)
"""Shown under the help of the command."""


def doctor(
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Check that everything works on this machine.

    Exit code 1 says that something is broken which elocute needs.
    """
    from rich.table import Table
    from rich.text import Text

    broken = 0
    for check in checks(backend):
        state, detail = examine(check)
        broken += state == "BROKEN"
        style = {"ok": "green", "missing": "yellow", "BROKEN": "bold red"}[state]
        line = f"{check.name}: {detail}" + ("" if state == "ok" else f"; fix: {check.fix}")
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(no_wrap=True, min_width=7)
        row.add_column(ratio=1, overflow="fold")
        row.add_row(Text(state, style=style), Text(line))
        show(row)
    if broken:
        show("", Text(f"{broken} thing{'s are' if broken > 1 else ' is'} broken.", style="bold red"))
        raise typer.Exit(1)
    show("", Text("Everything that is needed works; what is missing is optional.", style="bold"))


def examine(check: Check) -> tuple[str, str]:
    """Run one check; its state (ok, missing, BROKEN) and what was found."""
    try:
        return "ok", check.run()
    except ElocuteError as error:
        found = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is what the user came to see
        found = f"{type(error).__name__}: {error}"
    return ("BROKEN" if check.is_needed else "missing"), found


def checks(backend: str) -> Iterator[Check]:
    """All checks, in the order in which one failure explains the next."""
    yield Check(name="Python", run=_python, fix="install Python 3.11 or newer")
    yield Check(name="elocute", run=partial(version, "elocute"), fix="pip install elocute")
    yield Check(name="platform", run=_platform, fix="use Linux, macOS or Windows")
    for name in _LIBRARIES:
        yield Check(name=name, run=partial(_library, name), fix=f"pip install --force-reinstall {name}")
    for name in ("lexicon.bin", "g2p.onnx", "acoustic.onnx", "scorer.onnx"):
        yield Check(name=f"asset {name}", run=partial(_asset, name), fix=_REINSTALL)
    yield Check(name="phones of text", run=_phones, fix=_REINSTALL)
    yield Check(
        name=f"backend {backend}",
        run=partial(_backend, backend),
        fix=_fix_of(backend),
    )
    yield Check(name="noise", run=partial(_noise, backend), fix=_REINSTALL)
    yield Check(name="example", run=partial(_example, backend), fix=_REINSTALL)
    for extra, packages in _EXTRAS.items():
        yield Check(
            name=f"extra {extra}",
            run=partial(_extra, packages),
            fix=f"pip install 'elocute[{extra}]'",
            is_needed=False,
        )
    for program, use in _PROGRAMS.items():
        yield Check(
            name=f"program {program}",
            run=partial(_program, program),
            fix=f"install {program} with your system's package manager, only {use}",
            is_needed=False,
        )


def _fix_of(backend: str) -> str:
    """What to do about a backend that does not work."""
    if backend == DEFAULTS.backend:
        return _REINSTALL
    return "mend the model, or name another" if ":" in backend else f"reinstall or mend the package of {backend!r}"


def _python() -> str:
    """Older ones than we take cannot even install elocute."""
    return f"{platform.python_version()} ({sys.executable})"


def _platform() -> str:
    return f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"


def _library(name: str) -> str:
    """Version of a library that can really be imported."""
    import_module(name)
    return version(name)


def _asset(name: str) -> str:
    """Size and version of a file of the package and of the card beside it."""
    asset = files("elocute") / "assets" / name
    if not asset.is_file():
        raise ConfigError("not there")
    size = f"{len(asset.read_bytes()) / 1e6:.1f} MB"
    sheet = files("elocute") / "assets" / f"{Path(name).stem}.json"
    if not sheet.is_file():
        if name in _READ_WITH_CARD:
            raise ConfigError(f"its card {sheet.name} is not there")
        return f"{size}, no card"
    card = json.loads(sheet.read_text(encoding="utf-8"))
    return f"{size}, version {card['version']}" if "version" in card else size


def _phones() -> str:
    """The lexicon knows a listed word, and the G2P model pronounces another."""
    from elocute.phones import phonemize

    canonical = phonemize("think blorptastic")
    sources = [word.source for word in canonical]
    if sources != ["lexicon", "g2p"]:
        raise ConfigError(f"pronunciations came from {sources}; expected lexicon and g2p")
    return "lexicon and G2P model answer"


def _backend(name: str) -> str:
    """The backend keeps its contract."""
    from elocute.acoustic import check_backend, load_backend
    from elocute.assessors import check_report_maker, find_named, load_assessor

    started_s = time.perf_counter()
    if not find_named(name).is_acoustic:
        maker = load_assessor(AssessorConfig(backend=name))
        loaded_s = time.perf_counter() - started_s
        return f"loaded in {loaded_s:.2f} s, passes {len(check_report_maker(maker))} checks"
    loaded = load_backend(name)
    loaded_s = time.perf_counter() - started_s
    passed = check_backend(loaded)
    return f"version {loaded.version}, loaded in {loaded_s:.2f} s, passes {len(passed)} checks"


def _noise(backend: str) -> str:
    """Noise instead of speech is scored low or refused, never a crash."""
    import numpy as np

    from elocute.assessors import load_assessor

    assessor = load_assessor(AssessorConfig(backend=backend))
    noise = np.random.default_rng(0).normal(0, 0.05, 32_000).astype(np.float32)
    try:
        report = assessor.assess(noise, "we call it bear", sample_rate=16_000)
    except ElocuteError as error:
        return f"refused ({error})"
    if report.utterance.total is None:
        return "not scored, and the report says why"
    return f"scored {report.utterance.total} of {report.scale}"


def _example(backend: str) -> str:
    """An example recording goes all the way; in an installed package without the examples, nothing to do."""
    from elocute.assessors import load_assessor

    folder = Path(__file__).resolve().parents[3] / "examples"
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        return "no examples here, they come with the source code; the noise above went all the way"
    row = json.loads(manifest.read_text(encoding="utf-8").splitlines()[0])
    assessor = load_assessor(AssessorConfig(backend=backend))
    assessor.assess(folder / row["audio"], row["text"])
    started_s = time.perf_counter()
    report = assessor.assess(folder / row["audio"], row["text"])
    took_ms = 1000 * (time.perf_counter() - started_s)
    return f"{row['audio']} scored {report.utterance.total} of {report.scale} in {took_ms:.0f} ms"


def _extra(packages: tuple[str, ...]) -> str:
    """Versions of the packages of an extra; found, not imported, as some take seconds."""
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        raise ConfigError(f"{', '.join(absent)} not installed")
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(name)
    return ", ".join(found)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ConfigError("not on the PATH")
    return path
