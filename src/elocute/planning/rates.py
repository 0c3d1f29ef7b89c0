"""Measured rates: how much speech a core or a GPU takes in an hour, each with the file it was read from.

`rates.json` beside this file is made of the repository's benchmark files by `tools/rates.py`. A file of one's own, of
the same form, takes its place with `elocute plan --rates`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from elocute.errors import ConfigError

FORMAT = "elocute rates 1"
_MAY_BE_0 = ("core_s_per_speech_s", "proxy_cpu_ms")
Task = Literal["scoring", "training"]
Unit = Literal["core", "GPU"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one core or GPU does.

    Attributes:
        name: short, unique.
        what: in words.
        task: "scoring" or "training".
        unit: whose rate it is, "core" or "GPU".
        hours_per_hour: hours of speech that it takes in an hour; of a training, for one pass over the data.
        core_s_per_speech_s: seconds of a core that a second of speech takes beside the GPU; 0 where it was left out of
            the measurement for want of any.
        passes: over the data that the training makes; 1 for scoring.
        device: it was measured on.
        source: file of the measurement, in the repository.
        sha256: of that file, when the rate was read from it.
        date: of the measurement, or of the file; "" where neither says.
        note: what the figure leaves out.
    """

    name: str
    what: str
    task: Task
    unit: Unit
    hours_per_hour: float
    core_s_per_speech_s: float
    passes: int
    device: str
    source: str
    sha256: str
    date: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRate:
    """What an answer of the server takes.

    Attributes:
        cpu_s_per_speech_s: seconds of a core that server and workers take for a second of speech.
        proxy_cpu_ms: of nginx, for an answer.
        upload_bytes_per_s: of a recording as browsers send it (webm), for a second of speech.
        answer_bytes_per_s: of the report, for a second of speech.
        server_mb: memory of a server without its workers.
        worker_mb: memory of a worker.
        device, source, sha256, date: as of a `Rate`.
    """

    cpu_s_per_speech_s: float
    proxy_cpu_ms: float
    upload_bytes_per_s: float
    answer_bytes_per_s: float
    server_mb: float
    worker_mb: float
    device: str
    source: str
    sha256: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """All that is known.

    Attributes:
        rates: of scoring and training.
        serving: None where it was not measured.
    """

    rates: tuple[Rate, ...]
    serving: ServingRate | None


_Entry = TypeVar("_Entry", Rate, ServingRate)


def read_rates(path: Path | None = None) -> Rates:
    """The rates of a file; of the one that ships, if None.

    Raises:
        ConfigError: the file cannot be read, or a rate in it is malformed.
    """
    try:
        content = files(__package__).joinpath("rates.json").read_bytes() if path is None else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read rates {path}: {error.strerror}; give a file of tools/rates.py") from error
    name = "rates.json" if path is None else str(path)
    try:
        document = json.loads(content)
    except ValueError as error:
        raise ConfigError(f"{name} is not JSON ({error}); make it with tools/rates.py") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigError(f"{name} is no file of rates: it should say format {FORMAT!r}; make it with tools/rates.py")
    rates = tuple(_checked(Rate, one, name) for one in document.get("rates", []))
    if not rates:
        raise ConfigError(f"{name} holds no rates; make it with tools/rates.py")
    serving = document.get("serving")
    return Rates(rates=rates, serving=None if serving is None else _checked(ServingRate, serving, name))


def _checked(kind: type[_Entry], values: Any, name: str) -> _Entry:
    """An entry of the file."""
    expected = {field.name: str(field.type) for field in fields(kind)}
    if not isinstance(values, dict) or set(values) != set(expected):
        known = sorted(expected)
        got = sorted(values) if isinstance(values, dict) else values
        raise ConfigError(f"{name}: a rate has {got}, expected {known}")
    for key, value in values.items():
        if expected[key] not in ("float", "int"):
            if not isinstance(value, str):
                raise ConfigError(f"{name}: {key!r} is {value!r}, expected a text")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{name}: {key!r} is {value!r}, expected a number")
        elif not (0 <= value < float("inf") and (value > 0 or key in _MAY_BE_0)):
            raise ConfigError(f"{name}: {key!r} is {value!r}, expected more than 0")
    for key, choices in (("task", get_args(Task)), ("unit", get_args(Unit))):
        if key in values and values[key] not in choices:
            raise ConfigError(f"{name}: {key!r} is {values[key]!r}, expected one of {', '.join(choices)}")
    return kind(**values)
