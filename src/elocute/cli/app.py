"""The typer application: one file per command group, heavy imports inside the commands."""

from __future__ import annotations

import sys

import typer

from elocute.cli import train
from elocute.errors import ElocuteError

app = typer.Typer(
    name="elocute",
    help="Hear a recording of English and its text; say how well every phone, word and sentence was spoken.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train.app, name="train")


def main() -> None:
    """Run the command line; an error meant for the user becomes one line on stderr and exit code 1."""
    try:
        app()
    except ElocuteError as error:
        sys.stderr.write(f"elocute: {error}\n")
        sys.exit(1)
