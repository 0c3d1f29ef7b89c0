"""Recipes in TOML as frozen dataclasses: a table for each, changes from the command line, no key that nobody knows."""

from __future__ import annotations

import difflib
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from elocute.errors import ConfigError

T = TypeVar("T")


def read_checked(default: T, path: Path | None, changes: Sequence[str], check: Callable[[T, str], None]) -> T:
    """A recipe from a TOML file, with changes such as `training.learning_rate=1e-4` applied.

    Args:
        default: what holds where neither the file nor a change says otherwise.
        path: the file; None for the default with the changes.
        changes: `TABLE.KEY=VALUE`, VALUE in TOML or a bare word.
        check: refuses a recipe whose values are out of range; gets it and what to call its source.

    Raises:
        ConfigError: no such file, no TOML, a change of another form, an unknown key, a value of another type, or
            whatever `check` refuses.
    """
    source = "recipe" if path is None else str(path)
    table = {} if path is None else _read(path)
    for change in changes:
        _apply(table, change)
    recipe = _filled(default, table, source)
    check(recipe, source)
    return recipe


def _read(path: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; expected a recipe in TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}; expected a recipe") from error


def _filled(default: T, table: Mapping[str, Any], place: str) -> T:
    """A copy of a dataclass with the values of a table, inner tables into inner dataclasses.

    Args:
        default: an instance, which says what is known and of which type.
        table: as TOML gives it.
        place: where it comes from, for the message.

    Raises:
        ConfigError: an unknown key, or a value of another type.
    """
    hints = typing.get_type_hints(type(default))
    known = {item.name for item in fields(default)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(known))}"
            raise ConfigError(f"{place}: {key}: unknown key; {hint}")
        inner = getattr(default, key)
        where = f"{place}: {key}"
        if hasattr(inner, "__dataclass_fields__"):
            if not isinstance(value, dict):
                raise ConfigError(f"{where} is {value!r}; expected a table")
            values[key] = _filled(inner, value, f"{place}: [{key}]")
        else:
            values[key] = _typed(value, hints[key], where)
    return replace(default, **values)  # type: ignore[type-var]


def plain(recipe: Any) -> dict[str, Any]:
    """A recipe of tables as plain values, tuples as lists, for JSON."""
    return {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in part.items()}
        for name, part in asdict(recipe).items()
    }


def _apply(table: dict[str, Any], change: str) -> None:
    """Put `a.b.c=VALUE` into nested tables; VALUE is TOML, or a bare word."""
    key, equals, text = change.partition("=")
    *path, last = key.strip().split(".")
    if not equals or not last or not all(path):
        raise ConfigError(f"got {change!r}; expected TABLE.KEY=VALUE, such as training.learning_rate=1e-4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for name in path:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"got {change!r}, but {name} is no table; expected TABLE.KEY=VALUE")
    table[last] = value


def _typed(value: Any, hint: Any, where: str) -> Any:
    """The value as the type that a field has; whole numbers pass as floats."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {value!r}; expected {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _tuple(value, arguments, where)
    if origin is types.UnionType:
        return _typed(value, arguments[0], where)
    plain_type = origin or hint
    if plain_type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain_type) or (plain_type is int and isinstance(value, bool)):
        wanted = {int: "a whole number", float: "a number", str: "a string", bool: "true or false", dict: "a table"}
        raise ConfigError(f"{where} is {value!r}; expected {wanted[plain_type]}")
    return value


def _tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """A list as a tuple: of so many numbers, or of any number of one kind."""
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        if not isinstance(value, list):
            raise ConfigError(f"{where} is {value!r}; expected a list")
        return tuple(_typed(item, arguments[0], where) for item in value)
    if not isinstance(value, list) or len(value) != len(arguments):
        raise ConfigError(f"{where} is {value!r}; expected a list of {len(arguments)} numbers")
    return tuple(_typed(item, kind, where) for item, kind in zip(value, arguments, strict=True))
