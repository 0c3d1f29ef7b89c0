"""The typer application: one file per command group, heavy imports inside the commands."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from elocute.cli import (
    ablate,
    assess,
    batch,
    convert,
    doctor,
    evaluate,
    evaluate_l1,
    evaluate_localisation,
    export,
    models,
    phones,
    plan,
    predict,
    profile,
    retrieval,
    serve,
    train,
)
from elocute.cli.options import VERBOSE, Verbose
from elocute.errors import ElocuteError

_DEBUG_VARIABLE = "ELOCUTE_DEBUG"


class _Commands(TyperGroup):
    """The commands; an error meant for the user becomes one line on stderr and exit code 1."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except ElocuteError as error:
            if ctx.meta.get(VERBOSE) or os.environ.get(_DEBUG_VARIABLE):
                sys.stderr.write(traceback.format_exc())
            # A message may quote file names and lines of files: line breaks in it must not make two lines.
            sys.stderr.write(f"elocute: {' '.join(str(error).splitlines())}\n")
            raise typer.Exit(1) from error


def _examples(lines: Iterable[str]) -> str:
    """Lines under a command's help; the backspace keeps them from being joined."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


app = typer.Typer(
    name="elocute",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("assess", epilog=_examples(assess.EXAMPLES))(assess.assess)
app.command("phones", epilog=_examples(phones.EXAMPLES))(phones.phones)
app.command("predict", epilog=_examples(predict.EXAMPLES))(predict.predict)
app.command("profile", epilog=_examples(profile.EXAMPLES))(profile.profile)
app.command("batch", epilog=_examples(batch.EXAMPLES))(batch.batch)
app.command("plan", epilog=_examples(plan.EXAMPLES))(plan.plan)
app.command("models", epilog=_examples(models.EXAMPLES))(models.models)
app.command("export", epilog=_examples(export.EXAMPLES))(export.export)
app.command("serve", epilog=_examples(serve.EXAMPLES))(serve.serve)
app.command("doctor", epilog=_examples(doctor.EXAMPLES))(doctor.doctor)
evaluate.app.command("localisation")(evaluate_localisation.localisation)
evaluate.app.command("l1")(evaluate_l1.l1)
app.add_typer(evaluate.app, name="evaluate", epilog=_examples(evaluate.EXAMPLES))
app.add_typer(retrieval.app, name="retrieval", epilog=_examples(retrieval.EXAMPLES))
app.add_typer(train.app, name="train")
app.command("ablate", epilog=_examples(ablate.EXAMPLES))(ablate.ablate)
app.add_typer(convert.app, name="convert", epilog=_examples(convert.EXAMPLES))


def _print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"elocute {version('elocute')}")
        raise typer.Exit


_FIRST_STEPS = (
    'elocute assess me.wav "I think so"                  a table',
    'elocute assess me.wav "I think so" --format json    the whole report',
    'elocute phones "The weather is nice"                what should be said',
    'elocute predict "The weather is nice" --l1 zh       what will be hard',
    "elocute profile reports.jsonl --html me.html        what got better",
    "elocute batch manifest.jsonl -o reports.jsonl       many recordings",
    "elocute serve                                       a page, and reports by HTTP",
    "elocute doctor                                      does everything work?",
)


@app.callback(epilog=_examples(_FIRST_STEPS))
def elocute(
    verbose: Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Hear a recording of English and its text; say how well every phone, word and sentence was spoken.

    Results go to stdout, everything else to stderr; exit code 0 means done, 1 an error, 2 wrong usage. Nothing leaves
    this machine, and no recording is stored.
    """


def main() -> None:
    """Run the command line."""
    app(prog_name="elocute")
