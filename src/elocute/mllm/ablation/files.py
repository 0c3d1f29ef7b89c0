"""The files that a training of an ablation leaves: its answers, and its record, which is written last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError
from elocute.mllm.writing import write_text

ANSWERS, RECORD = "answers.jsonl", "trial.json"


def write_trial(folder: Path, answers: Iterable[Mapping[str, Any]], record: Mapping[str, Any]) -> None:
    """Leave both files; a folder without record is unfinished."""
    write_text(folder / ANSWERS, "".join(json.dumps(row) + "\n" for row in answers))
    write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")


def is_done(folder: Path) -> bool:
    """Whether a training is finished."""
    return (folder / RECORD).is_file()


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a finished training."""
    table: dict[str, Any] = _parsed(folder / RECORD, (folder / RECORD).read_text(encoding="utf-8"))
    return table


def read_answers(folder: Path) -> list[dict[str, Any]]:
    """The answers of a finished training, in the order of the held-out questions."""
    path = folder / ANSWERS
    return [_parsed(path, line) for line in path.read_text(encoding="utf-8").splitlines()]


def _parsed(path: Path, text: str) -> dict[str, Any]:
    """One JSON object of a file."""
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is damaged: {error}; delete its folder and run the ablation again") from error
    return found
