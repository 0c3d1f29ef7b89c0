"""What commands of `elocute evaluate` that assess recordings share: the models that run, what made a file, stopping."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from importlib import import_module
from typing import Any

import typer

from elocute.cli.batch import configuration
from elocute.config import AssessorConfig


def identity_of(backend: str, scale: int) -> str:
    """A text that differs whenever what the shipped models say on a scale would."""
    return configuration(AssessorConfig(backend=backend, scale=scale, threads=1), None)


def run_facts(identity: str) -> dict[str, Any]:
    """What makes a file: models, versions, command, machine and day."""
    from elocute.evaluation.provenance import commit_of_checkout, machine

    facts = json.loads(identity)
    return {
        "model": facts["models"],
        "elocute": facts["elocute"],
        "commit": commit_of_checkout(),
        "command": shlex.join(["elocute", *sys.argv[1:]]),
        "machine": machine(),
        "date": date.today().isoformat(),
    }


def prediction_facts(identity: str) -> dict[str, Any]:
    """What makes stored predictions of installed models: also the operating point, and the identity itself."""
    threshold = _threshold(json.loads(identity)["settings"]["backend"])
    return run_facts(identity) | {"threshold": threshold, "configuration": identity}


def _threshold(backend: str) -> float | None:
    """Probability from which a phone is flagged; None where the backend has ways of its own and does not tell."""
    from elocute.assessor import embedded_detector
    from elocute.assessors import find_named

    named = find_named(backend)
    if named.is_acoustic:
        return embedded_detector().flagged_from()
    told: Callable[[str | None], float | None] | None = getattr(import_module(named.point.module), "threshold", None)
    return None if told is None else told(named.place)


@contextmanager
def kept_when_stopped() -> Iterator[None]:
    """Ctrl-C ends the command with a word that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt as stop:
        sys.stderr.write("elocute: stopped; what is assessed is kept, run the same command to go on\n")
        raise typer.Exit(1) from stop
