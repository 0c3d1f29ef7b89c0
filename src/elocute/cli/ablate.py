"""`elocute ablate`: what is worth how much when a speech language model is adapted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.training_run import steps_of

if TYPE_CHECKING:
    from elocute.mllm.ablation.recipe import AblationRecipe
    from elocute.mllm.ablation.run import Outcome
    from elocute.training.ctc_data import Source

EXAMPLES = (
    "elocute ablate recipes/phi4-ablation.toml --base runs/base/model --corpus speechocean762:DIR --out runs/a",
    "elocute ablate recipes/phi4-ablation.toml --corpus speechocean762:DIR --out runs/a --table-only",
)


def ablate(
    config: Annotated[Path, typer.Argument(help="Recipe in TOML; see recipes/phi4-ablation.toml.", dir_okay=False)],
    corpus: Annotated[
        list[str],
        typer.Option(
            help="KIND:DIR[,KIND:DIR...] with KIND speechocean762, whose held-out speakers are measured, or native "
            "(transcripts.tsv beside audio/), to learn more from; repeat for more."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the ablation; the same command goes on in it.", file_okay=False)],
    base: Annotated[
        Path | None, typer.Option(help="Folder of the model that is adapted; default: the recipe's.", file_okay=False)
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change the recipe: TABLE.KEY=VALUE, such as adaptation.updates=50; repeat for more."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cuda, cpu, or auto: the GPU if there is one.")] = "auto",
    workers: Annotated[
        int, typer.Option(help="Trainings at once, on all GPUs by turns; small models leave most of one idle.", min=1)
    ] = 1,
    minutes: Annotated[
        float | None, typer.Option(help="Begin no training after so many minutes; the same command goes on.", min=0)
    ] = None,
    speed: Annotated[bool, typer.Option(help="Measure throughput, latency, memory and energy at the end.")] = True,
    table_only: Annotated[
        bool, typer.Option("--table-only", help="Make table and drawings of what is finished, without a model.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained.")] = False,
) -> None:
    """Adapt a Phi-4-multimodal in many ways with the same means, and compare them; needs the extra 'phi4'.

    Where the ranks of the adapters go (uniform, by entropy, EVA, AdaLoRA, or every weight), how many, over how many
    bits, in which modules, with which learning rate, each with several seeds; measured on speakers that nothing was
    trained on. Leaves table.md, table.json and drawings in OUT and prints the table.
    """
    from elocute.errors import BatchError, ConfigError
    from elocute.mllm.ablation.recipe import read_ablation, trials_of
    from elocute.training.ctc_data import parse_sources

    recipe = read_ablation(config, change or [])
    sources = list(parse_sources(corpus))
    if dry_run:
        for trial in trials_of(recipe.grid):
            typer.echo(trial.name)
        return
    if table_only:
        from elocute.mllm.ablation.run import write_table

        write_table(recipe, sources, out)
        typer.echo((out / "table.md").read_text(encoding="utf-8"))
        return
    folder = base or (Path(recipe.base.folder) if recipe.base.folder else None)
    if folder is None:
        raise ConfigError("no model to adapt; give --base DIR, or base.folder in the recipe")
    outcome = _run(recipe, folder, sources, out, _device(device), workers, minutes, speed)
    if outcome.table is not None:
        typer.echo((out / "table.md").read_text(encoding="utf-8"))
    for name in outcome.pending:
        typer.echo(f"not trained yet: {name}", err=True)
    if outcome.failed:
        name, error = next(iter(outcome.failed.items()))
        raise BatchError(
            f"{len(outcome.failed)} of {len(outcome.failed) + outcome.finished} trainings broke off, first {name}: "
            f"{error.strip().splitlines()[-1]}; see {out / f'failed-{name}.txt'}"
        )


def _device(wanted: str) -> str:
    """The device of torch."""
    import torch

    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def _run(
    recipe: AblationRecipe,
    base: Path,
    sources: list[Source],
    out: Path,
    device: str,
    workers: int,
    minutes: float | None,
    speed: bool,
) -> Outcome:
    """Everything, with progress bars on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from elocute.mllm.ablation.run import AblationRun, run_ablation

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        return run_ablation(
            AblationRun(
                recipe=recipe,
                base=base,
                sources=sources,
                out=out,
                device=device,
                workers=workers,
                minutes=minutes,
                with_speed=speed,
                progress=steps_of(bars),
                on_trial=lambda name, seconds: typer.echo(f"{name}: {seconds:.0f} s", err=True),
            )
        )
