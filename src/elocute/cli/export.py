"""`elocute export`: a CTC model of transformers as an ONNX folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.options import Verbose

if TYPE_CHECKING:
    from elocute.export.write import Steps

EXAMPLES = (
    "elocute export --model hf:wav2vec2-xlsr-53-espeak --out xlsr --int8 --recordings manifest.jsonl",
    'elocute assess me.wav "I think so" --backend onnx:xlsr',
)
"""Shown under the help of the command."""


def export(
    model: Annotated[str, typer.Option("--model", metavar="hf:DIR", help="CTC model of transformers.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to make.")],
    int8: Annotated[bool, typer.Option("--int8/--no-int8", help="Also write a graph with int8 weights.")] = False,
    recordings: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            readable=True,
            metavar="PATH",
            help="Recordings that the copies are compared on: a manifest of `elocute batch`, a folder with "
            "transcripts.tsv, or any folder of recordings; without them, synthetic sounds.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Recordings to compare on, at most.")] = 20,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Licence of the weights, for the card.")] = "unknown",
    verbose: Verbose = False,
) -> None:
    """Write a model as ONNX that needs no torch, and say how far the copies differ from it.

    Front end and the sums from labels to phones are inside the graph, which takes samples. The folder gets model.onnx,
    with --int8 also model.int8.onnx, card.json and a model card; it appears when all of it is there. Use it by
    --backend onnx:DIR. Needs the extras `hf` and `train`.
    """
    from elocute.export.parity import read_samples, synthetic_samples
    from elocute.export.write import ExportJob, check_free, export_model

    out = out.resolve()
    check_free(out)
    samples = synthetic_samples() if recordings is None else read_samples(recordings, limit)
    job = ExportJob(
        model=model,
        out=out,
        int8=int8,
        licence=licence,
        samples=samples,
        compared_on="synthetic sounds" if recordings is None else recordings.name,
        command=_command(model, out, recordings, int8=int8, limit=limit),
    )
    with _steps() as progress:
        card = export_model(job, progress)
    _report(out, card)


def _command(model: str, out: Path, recordings: Path | None, *, int8: bool, limit: int) -> str:
    """The command, without the places of this machine."""
    options = ["--model", f"hf:{model.removeprefix('hf:').rstrip('/').rpartition('/')[2]}", "--out", out.name]
    options += ["--int8"] if int8 else []
    options += [] if recordings is None else ["--recordings", recordings.name, "--limit", str(limit)]
    return shlex.join(["elocute", "export", *options])


def _line(step: str, done: int, total: int) -> None:
    """A step as a plain line."""
    sys.stderr.write(f"elocute: {step} ({done} of {total})\n")


@contextmanager
def _steps() -> Iterator[Steps]:
    """A bar on stderr where that is a terminal, else a line a step."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from elocute.cli.output import console_for

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console_for(sys.stderr)) as bar:
        task = bar.add_task("exporting", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


def _report(out: Path, card: dict[str, Any]) -> None:
    """The parity report on stdout."""
    from rich.table import Table

    from elocute.cli.output import show
    from elocute.export.card import PARITY_HEADINGS, parity_rows

    table = Table(title=f"{out.name}: {card['kind']}, {card['parameters']:,} parameters", title_justify="left")
    rows = parity_rows(card)
    table.add_column(PARITY_HEADINGS[0])
    for row in rows:
        table.add_column(row[0].replace(" / ", "\n"), justify="right")
    for heading, *cells in list(zip(PARITY_HEADINGS, *rows, strict=True))[1:]:
        table.add_row(heading, *cells)
    sizes = Table(show_header=False, box=None)
    for name, graph in card["graphs"].items():
        sizes.add_row(name, f"{graph['bytes'] / 1e6:.1f} MB", f"opset {graph['opset']}")
    show(table, sizes)
    if card["doubtful_int8"]:
        sys.stderr.write(
            "elocute: WARNING: int8 often disagrees with the model; use onnx:"
            f"{out / 'model.onnx'}, or measure before you trust it\n"
        )
