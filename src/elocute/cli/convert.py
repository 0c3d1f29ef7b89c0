"""`elocute convert ...`: models of other toolkits as folders that `--backend hf:` and `elocute train ctc` load."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Convert models of other toolkits (needs the extra 'hf').", no_args_is_help=True)

EXAMPLES = ("elocute convert omniasr omniASR-CTC-300M.pt omniasr-ctc-300m --tokenizer omniASR_tokenizer.model",)


@app.callback()
def convert() -> None:
    """Convert models of other toolkits (needs the extra 'hf')."""


@app.command()
def omniasr(
    checkpoint: Annotated[Path, typer.Argument(help="fairseq2's .pt file of a CTC model.", dir_okay=False)],
    out: Annotated[Path, typer.Argument(help="Folder to make.", file_okay=False)],
    tokenizer: Annotated[
        Path | None, typer.Option(help="Its SentencePiece .model, or lines of label and number.", dir_okay=False)
    ] = None,
    heads: Annotated[int, typer.Option(help="Attention heads; every published size has 16.", min=1)] = 16,
) -> None:
    """Make a Wav2Vec2ForCTC of transformers from a CTC checkpoint of omniASR (300M to 7B).

    Every weight is accounted for by name and shape, or nothing is written. Its labels are letters: fine-tune it to
    phones with `elocute train ctc --model hf:OUT` before it assesses anything.
    """
    from importlib.util import find_spec

    from rich.console import Console
    from rich.progress import Progress

    from elocute.errors import MissingExtraError

    for name in ("torch", "transformers", "safetensors"):
        if find_spec(name) is None:
            raise MissingExtraError(f"{name} is not installed, which conversion needs; install elocute[hf]")
    from elocute.training.omniasr import convert_omniasr

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("writing weights", total=None)
        found = convert_omniasr(
            checkpoint,
            out,
            tokenizer=tokenizer,
            heads=heads,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(json.dumps({"out": str(out), **asdict(found)}))
