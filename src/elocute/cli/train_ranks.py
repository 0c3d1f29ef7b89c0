"""`elocute train phi4-ranks`: a recipe of `elocute train phi4` with ranks by entropy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def phi4_ranks(
    config: Annotated[Path, typer.Argument(help="Recipe of elocute train phi4, in TOML.", dir_okay=False)],
    corpus: Annotated[
        list[str], typer.Option(help="KIND:DIR[,KIND:DIR...] as of elocute train phi4; repeat for more.")
    ],
    out: Annotated[Path, typer.Option(help="The new recipe; drawings go beside it.", dir_okay=False)],
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model; default: the recipe's.", file_okay=False)
    ] = None,
    examples: Annotated[int, typer.Option(help="How many are heard.", min=1)] = 64,
    contrast: Annotated[
        float, typer.Option(help="Ranks are proportional to entropy to this power; 0 is uniform, below 0 the reverse.")
    ] = 3.0,
    largest: Annotated[float, typer.Option(help="No rank beyond this times the recipe's.", min=1.0)] = 4.0,
    modules_at_once: Annotated[
        int, typer.Option(help="Modules measured in one pass; fewer need less memory and more time.", min=1)
    ] = 16,
    device: Annotated[str, typer.Option(help="cuda, cpu, or auto: the GPU if there is one.")] = "auto",
) -> None:
    """Share out a recipe's ranks by how much information goes into each module; needs the extra 'phi4'.

    The model hears some examples; modules whose inputs have more spectral entropy get more rank, those with less get
    less, for as many parameters as the recipe's rank costs everywhere. Whether that helps, elocute ablate tells.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from elocute.errors import ConfigError
    from elocute.mllm.ablation.rank_planning import check_recipe, plan_ranks, recipe_with, write_plan
    from elocute.mllm.recipe import read_phi4_recipe
    from elocute.training.ctc_data import parse_sources

    recipe = read_phi4_recipe(config)
    check_recipe(recipe)
    sources = parse_sources(corpus)
    folder = model or (Path(recipe.model.folder) if recipe.model.folder else None)
    if folder is None:
        raise ConfigError("no model; give --model DIR, or model.folder in the recipe")
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("modules", total=None)
        planned = plan_ranks(
            recipe,
            folder,
            sources,
            device=device,
            count=examples,
            contrast=contrast,
            largest=largest,
            modules_at_once=modules_at_once,
            progress=lambda step, done, total: bars.update(task, completed=done, total=total),
        )
    command = f"elocute train phi4-ranks --examples {examples} --contrast {contrast:g} --largest {largest:g}"
    write_plan(out, recipe_with(config.read_text(encoding="utf-8"), planned, command), planned)
    for one, rank in zip(planned.entropies, planned.plan.ranks, strict=True):
        typer.echo(f"{one.site.name}\t{one.mixed():.4f}\t{rank}")
