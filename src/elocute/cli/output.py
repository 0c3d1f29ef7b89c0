"""Where results go: bytes to stdout or a file, tables for terminals, plain text for everything else."""

from __future__ import annotations

import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from elocute.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_WIDTH = 80
"""Columns of a table that goes to a file or a pipe, unless COLUMNS says otherwise."""


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


class ReportFormat(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    AZURE = "azure"


class Scale(StrEnum):
    """Highest score."""

    HUNDRED = "100"
    TEN = "10"
    ONE = "1"


def write(text: str, out: Path | None = None) -> None:
    """Write a result in UTF-8, to a file or to stdout; JSON is UTF-8 whatever the terminal speaks.

    Raises:
        ConfigError: the file, or stdout, cannot be written.
    """
    if out is None:
        try:
            typer.echo(text.encode("utf-8"), nl=False)
        except BrokenPipeError:
            raise  # a reader that has seen enough is no error; typer leaves quietly
        except OSError as error:
            raise ConfigError(f"cannot write to stdout: {error.strerror}; make room, or name a file with -o") from error
        return
    try:
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}; name a file in a writable folder") from error


def show(*parts: RenderableType, out: Path | None = None) -> None:
    """Write renderables to a terminal in colour, or as plain text to a file or a pipe.

    Colour goes to terminals only; NO_COLOR takes it away, FORCE_COLOR keeps it in a pipe.
    """
    console = console_for(sys.stdout) if out is None else None
    if console is not None and console.is_terminal and speaks_unicode(sys.stdout):
        for part in parts:
            console.print(part)
        return
    page = io.StringIO()
    paper = plain_console(page)
    for part in parts:
        paper.print(part)
    text = "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())
    if out is None and not speaks_unicode(sys.stdout):
        text = text.encode("ascii", "replace").decode("ascii")
    write(text, out)


def console_for(stream: IO[str]) -> Console:
    """A rich console on a stream, without any styling under NO_COLOR."""
    from rich.console import Console

    if os.environ.get("NO_COLOR"):
        return Console(file=stream, color_system=None, highlight=False)
    return Console(file=stream, highlight=False)


def plain_console(page: IO[str]) -> Console:
    """A rich console that only lays out text."""
    from rich.console import Console

    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) > 0 else PLAIN_WIDTH
    return Console(file=page, width=width, color_system=None, force_terminal=False, highlight=False, emoji=False)


def speaks_unicode(stream: IO[str]) -> bool:
    """Whether a stream can write IPA and bars."""
    return (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").startswith("utf")
