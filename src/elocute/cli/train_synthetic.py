"""`elocute train synthetic`: speech with planted errors, for `elocute train acoustic --synthetic`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def synthetic(
    native: Annotated[list[Path], typer.Option(help="Folder of transcribed speech whose texts are read; repeatable.")],
    out: Annotated[Path, typer.Option(help="Folder to write; recordings that are in it already stay.")],
    count: Annotated[int, typer.Option(help="Recordings; flite may refuse a few.", min=1)] = 3600,
    seed: Annotated[int, typer.Option(help="Of voices, words and errors.")] = 1,
) -> None:
    """Let flite, festival and espeak-ng, whichever is installed, say words with wrong phones, as training data."""
    from rich.console import Console
    from rich.progress import Progress

    from elocute.corpora.transcribed import read_transcribed
    from elocute.training.synthetic import plan, speak, voices

    speakers = voices()
    texts = [utterance.text for folder in native for utterance in read_transcribed(folder)]
    card = {
        "command": shlex.join(["elocute", *sys.argv[1:]]),
        "count": count,
        "seed": seed,
        "voices": [str(voice) for voice in speakers],
    }
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("speaking", total=count)
        spoken = speak(
            plan(texts, count, speakers, seed),
            out,
            card,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(f"{out}: {spoken} of {count} recordings, {len(speakers)} voices")
