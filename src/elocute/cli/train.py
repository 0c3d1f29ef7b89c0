"""`elocute train ...`: the recipes that made the shipped models (extra `train`)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the models that elocute ships (needs the extra 'train').", no_args_is_help=True)

Corpus = Annotated[Path, typer.Option(help="speechocean762 in its official layout.", exists=True, file_okay=False)]
Fold = Annotated[int | None, typer.Option(help="Leave the speakers of this fold out; default: train on all.")]


@app.command()
def acoustic(
    speechocean: Corpus,
    out: Annotated[Path, typer.Option(help="Run folder; an unfinished run in it is resumed.")],
    native: Annotated[list[Path], typer.Option(help="Folder of transcribed native speech; repeat for more.")],
    noise: Annotated[Path, typer.Option(help="Folder of noise recordings.", exists=True, file_okay=False)],
    fold: Fold = None,
    folds: int = 5,
    fold_seed: int = 1,
    seed: int = 1,
    minutes: Annotated[float, typer.Option(help="Length of the whole training.")] = 18.0,
    stop_after_minutes: Annotated[float | None, typer.Option(help="Stop this process then, to be resumed.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded audio.")] = None,
    device: Annotated[str, typer.Option(help="torch device.")] = "cuda",
) -> None:
    """Train the acoustic model on all speakers, or on all but one fold (and score that fold)."""
    import torch

    from elocute.training.acoustic import AcousticTraining, train

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = AcousticTraining(
        speechocean=speechocean,
        native=tuple(native),
        noise=noise,
        out=out,
        cache=cache,
        fold=fold,
        folds=folds,
        fold_seed=fold_seed,
        seed=seed,
        minutes=minutes,
        stop_after_minutes=stop_after_minutes,
    )
    train(config, torch.device(device))
