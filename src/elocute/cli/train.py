"""`elocute train ...`: the recipes that made the shipped models (extra `train`)."""

from __future__ import annotations

import logging
import shlex
import sys
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


@app.command()
def scorer(
    speechocean: Corpus,
    heldout: Annotated[Path, typer.Option(help="Folder of the acoustic folds' held-out posteriors.")],
    out: Annotated[Path, typer.Option(help="Folder for scorer.onnx, its card and the out-of-fold predictions.")],
    folds: int = 5,
    fold_seed: int = 1,
    planted_fold: Annotated[
        list[int] | None, typer.Option(help="Plant errors in this fold only; repeat for more.")
    ] = None,
) -> None:
    """Train the scorer, measure it out of fold beside trivial baselines, and export it."""
    from rich.console import Console
    from rich.progress import Progress

    from elocute.training.scorer_run import ScorerRun, run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = ScorerRun(
        speechocean=speechocean,
        heldout=heldout,
        out=out,
        folds=folds,
        fold_seed=fold_seed,
        planted_folds=tuple(planted_fold) if planted_fold else None,
        command=shlex.join(["elocute", *sys.argv[1:]]),
    )
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("features", total=None)
        card = run(config, lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(f"{'score':24} {'PCC':>7} {'95 %':>18} {'MSE':>8}")
    for name, row in [*card["evaluation"]["scores"].items(), *card["evaluation"]["baselines"].items()]:
        interval = "{:.4f} - {:.4f}".format(*row["pcc_95"]) if "pcc_95" in row else ""
        value = "-" if row["pcc"] is None else f"{row['pcc']:.4f}"
        typer.echo(f"{name:24} {value:>7} {interval:>18} {row['mse']:8.4f}")
    typer.echo(f"detection: {card['evaluation']['detection']}")
    typer.echo(f"planted errors: {card['evaluation']['planted']}")
    typer.echo(f"omission: {card['evaluation']['omission']}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder of `elocute train acoustic`.", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder for acoustic.onnx (int8) and its card.")],
    heldout: Annotated[Path, typer.Option(help="Folder of the folds' run.json files.")],
) -> None:
    """Export a trained acoustic model to int8 ONNX, with its card."""
    import json

    from elocute.training.export import export_acoustic, write_card

    facts = export_acoustic(run, out / "acoustic.onnx")
    records = {path: json.loads(path.read_text()) for path in sorted(heldout.rglob("run*.json"))}
    per = {
        f"fold {record['config']['fold']}, {record['spent_s'] / 60:.1f} minutes": round(record["per_heldout"], 4)
        for record in records.values()
        if "per_heldout" in record
    }
    typer.echo(json.dumps(write_card(run, facts, per, out / "acoustic.json"), indent=1))
