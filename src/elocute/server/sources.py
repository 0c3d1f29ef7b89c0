"""Where a server's settings come from: the command line, before the environment, before a file, before defaults.

A setting has the same name everywhere: the option `--max-mb` is `max_mb` in the file and `ELOCUTE_MAX_MB` in the
environment. What is unknown or of the wrong type is refused, together with where it stands.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.server.settings import BOUNDS, Bounds, ServerConfig, cores

PREFIX = "ELOCUTE_"
CONFIG_FILE = "ELOCUTE_CONFIG"
"""Names the file."""
_NOT_OURS = frozenset({CONFIG_FILE, "ELOCUTE_DEBUG", "ELOCUTE_SCREENSHOTS"})
# Kubernetes tells every container of a service "elocute" where that is, by variables of these names.
_KUBERNETES = re.compile(r"ELOCUTE_(SERVICE_(HOST|PORT\w*)|PORT_\d+_\w+)")
_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://.*")

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_MIB = 2**20
_NAMES: Mapping[str, str] = {
    "max_bytes": "max_mb",
    "max_duration_s": "max_seconds",
    "max_text_chars": "max_chars",
    "upload_timeout_s": "upload_timeout",
    "queue_timeout_s": "queue_timeout",
    "assess_timeout_s": "timeout",
    "shutdown_delay_s": "shutdown_delay",
    "shutdown_timeout_s": "shutdown_timeout",
}
"""Settings that have another name for people than as fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        name: for people.
        field: of `ServerConfig`, or of its assessor.
        kind: of its value: bool, int, float, str, Path, or tuple for a list of texts.
        choices: of a text, where there are few.
        is_assessor: whether the assessor has it.
    """

    name: str
    field: str
    kind: type
    choices: tuple[str, ...] = ()
    is_assessor: bool = False

    @property
    def variable(self) -> str:
        """Name in the environment."""
        return PREFIX + self.name.upper()

    @property
    def bounds(self) -> Bounds | None:
        """What a number may be."""
        bounds = BOUNDS.get(self.field)
        if bounds is not None and self.name == "max_mb":
            return Bounds(least=bounds.least / _MIB, most=bounds.most / _MIB)
        return bounds

    @property
    def expected(self) -> str:
        """What its value may be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind in (int, float):
            return ("a whole number" if self.kind is int else "a number") + (f", {self.bounds}" if self.bounds else "")
        return {bool: "true or false", str: "a text", Path: "the name of a file", tuple: "a list of texts"}[self.kind]

    def of_text(self, text: str) -> object:
        """A value from the environment.

        Raises:
            ValueError: it is none.
        """
        if self.kind is bool:
            if text.lower() not in (*_TRUE, *_FALSE):
                raise ValueError(text)
            return text.lower() in _TRUE
        if self.kind is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return self.checked(self.kind(text))

    def of_toml(self, value: object, folder: Path) -> object:
        """A value from a file; names of files count from that file's folder.

        Raises:
            ValueError: it is none.
        """
        if self.kind is float and type(value) is int:
            value = float(value)
        if self.kind is tuple and isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        if self.kind is Path and isinstance(value, str):
            return folder / value
        if type(value) is not self.kind:
            raise ValueError(value)
        return self.checked(value)

    def checked(self, value: Any) -> object:
        """A value, if it may be.

        Raises:
            ValueError: it may not.
        """
        if self.choices and value not in self.choices:
            raise ValueError(value)
        if self.bounds is not None:
            self.bounds.check(self.name, value)  # a ConfigError is a ValueError
        return value

    def stored(self, value: Any) -> Any:
        """A value as its field has it."""
        return round(value * _MIB) if self.name == "max_mb" else value

    def shown(self, config: ServerConfig) -> Any:
        """The value for people."""
        value = getattr(config.assessor if self.is_assessor else config, self.field)
        return value / _MIB if self.name == "max_mb" else value


def settings() -> dict[str, Setting]:
    """All settings by name: the fields of the two dataclasses, whatever these are."""
    found: dict[str, Setting] = {}
    for owner in (ServerConfig, AssessorConfig):
        hints = get_type_hints(owner)
        for one in fields(owner):
            hint = hints[one.name]
            if hint is AssessorConfig:
                continue
            if isinstance(hint, UnionType):  # what may be None is then not set at all
                hint = next(part for part in get_args(hint) if part is not type(None))
            name = _NAMES.get(one.name, one.name)
            kind, choices = (str, get_args(hint)) if get_origin(hint) is Literal else (get_origin(hint) or hint, ())
            kind = float if name == "max_mb" else kind
            found[name] = Setting(
                name=name, field=one.name, kind=kind, choices=choices, is_assessor=owner is AssessorConfig
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Settings, and where they came from.

    Attributes:
        config: all of them.
        origins: of those that are not defaults, by name.
    """

    config: ServerConfig
    origins: dict[str, str]

    def to_toml(self) -> str:
        """As a file that says the same; what is left to the server is a comment."""
        lines: list[tuple[str, str]] = []
        for name, setting in settings().items():
            value = setting.shown(self.config)
            chosen = f", that is {cores()}: one for each core" if name == "workers" else ""
            line = f"# {name} is not set{chosen}" if value is None else f"{name} = {_toml(value)}"
            lines.append((line, self.origins.get(name, "default")))
        width = max(len(line) for line, _ in lines)
        return "".join(f"{line:{width}}  # {origin}\n" for line, origin in lines)


def settled(given: Mapping[str, object], environment: Mapping[str, str], file: Path | None) -> Settled:
    """Put the settings together.

    Args:
        given: on the command line, by name.
        environment: variables.
        file: a TOML file; else the one that `ELOCUTE_CONFIG` names, if any.

    Raises:
        ConfigError: an unknown setting, or a value that may not be.
    """
    known = settings()
    named = environment.get(CONFIG_FILE)
    file = file or (Path(named) if named else None)
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    if file is not None:
        found = _from_file(file, known)
        values |= found
        origins |= dict.fromkeys(found, f"file {file}")
    found = _from_environment(environment, known)
    values |= found
    origins |= {name: f"environment {known[name].variable}" for name in found}
    for name, value in given.items():
        where = f"command line --{name.replace('_', '-')}"
        values[name] = _read(known[name], known[name].checked, value, where)
        origins[name] = where
    base = ServerConfig()
    own = {known[name].field: known[name].stored(value) for name, value in values.items()}
    assessor = {field: own.pop(field) for field in [*own] if hasattr(base.assessor, field)}
    return Settled(config=replace(base, assessor=replace(base.assessor, **assessor), **own), origins=origins)


def _from_file(file: Path, known: Mapping[str, Setting]) -> dict[str, object]:
    """What a file sets."""
    try:
        plain = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings in {file}: {error}; expected a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}; expected lines such as 'port = 8000'") from error
    values: dict[str, object] = {}
    for name, value in plain.items():
        if name not in known:
            raise ConfigError(f"{file}: there is no setting {name[:40]!r}; {_hint(name, known)}")
        values[name] = _read(known[name], partial(known[name].of_toml, folder=file.parent), value, str(file))
    return values


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Setting]) -> dict[str, object]:
    """What the environment sets; a variable that is empty sets nothing."""
    variables = {setting.variable: setting for setting in known.values()}
    values: dict[str, object] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in _NOT_OURS or not text or _KUBERNETES.fullmatch(name):
            continue
        if name == "ELOCUTE_PORT" and _KUBERNETES_PORT.fullmatch(text):
            continue
        if name not in variables:
            raise ConfigError(f"the environment has {name[:60]}, which is no setting; {_hint(name, variables)}")
        setting = variables[name]
        values[setting.name] = _read(setting, setting.of_text, text, f"${name}")
    return values


def _read(setting: Setting, read: Callable[[Any], object], value: object, where: str) -> object:
    """A value, or a sentence that says where it stands."""
    try:
        return read(value)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    except (ValueError, OverflowError) as error:
        shown = json.dumps(value, default=str)[:60]
        raise ConfigError(f"{where}: {setting.name} is {shown}; expected {setting.expected}") from error


def _hint(name: str, among: Iterable[str]) -> str:
    """The nearest name, or all of them."""
    near = difflib.get_close_matches(name, among, 1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(among)}"


def _toml(value: object) -> str:
    """A value in TOML, whose texts, numbers and lists of texts are those of JSON."""
    return json.dumps(str(value) if isinstance(value, Path) else value).replace("\x7f", "\\u007f")
