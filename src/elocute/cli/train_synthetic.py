"""`elocute train synthetic`: speech with planted errors, for `elocute train acoustic --synthetic`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def synthetic(
    out: Annotated[Path, typer.Option(help="Folder to write; recordings that are in it already stay.")],
    native: Annotated[
        list[Path] | None, typer.Option(help="Folder of transcribed speech whose texts are read; repeatable.")
    ] = None,
    speechocean: Annotated[list[Path] | None, typer.Option(help="speechocean762, whose train texts are read.")] = None,
    text: Annotated[list[Path] | None, typer.Option(help="File with a sentence a line; repeatable.")] = None,
    count: Annotated[int, typer.Option(help="Recordings; flite may refuse a few.", min=1)] = 3600,
    pieces: Annotated[
        float, typer.Option(help="Share that are pieces of the texts; the rest are common words.", min=0.0, max=1.0)
    ] = 0.5,
    near: Annotated[
        float,
        typer.Option(help="Share of the wrong phones that are likely; the rest are any.", min=0.0, max=1.0),
    ] = 0.55,
    seed: Annotated[int, typer.Option(help="Of voices, words and errors.")] = 1,
) -> None:
    """Let flite, festival and espeak-ng, whichever is installed, say words with wrong phones, as training data."""
    from rich.console import Console
    from rich.progress import Progress

    from elocute.training.synthetic import plan, sentences_of, speak, voices

    texts = sentences_of(native or (), speechocean or (), text or ())
    speakers = voices()
    card = {
        "command": shlex.join(["elocute", *sys.argv[1:]]),
        "count": count,
        "seed": seed,
        "voices": [str(voice) for voice in speakers],
    }
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("speaking", total=count)
        spoken = speak(
            plan(texts, count, speakers, seed, pieces=pieces, near=near),
            out,
            card,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(f"{out}: {spoken} of {count} recordings, {len(speakers)} voices")
