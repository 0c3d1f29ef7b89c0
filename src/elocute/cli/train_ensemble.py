"""`elocute train ensemble`: how several backends are combined into one report, learned from what each says alone."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.output import show
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

SHIPPED = "embedded"
"""The member whose out-of-fold predictions come with elocute."""


class MethodChoice(StrEnum):
    """How members are combined."""

    AVERAGE = "average"
    RIDGE = "ridge"


def ensemble(
    speechocean: Annotated[Path, typer.Option(help="speechocean762 in its official layout.", exists=True)],
    member: Annotated[
        list[str],
        typer.Option(
            help="BACKEND=FILE or BACKEND@SCORER=FILE, where FILE has its out-of-fold predictions of the split train "
            "(oof.jsonl.gz of `elocute train scorer`, or the answers that `elocute evaluate phi4` keeps); repeat for "
            "each. The first leads. 'embedded' alone takes the predictions that come with elocute."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to make; use it as --backend ensemble:FILE.", dir_okay=False)],
    method: Annotated[
        MethodChoice,
        typer.Option(help="Equal weights after calibration where that helps, or weights by ridge regression as well."),
    ] = MethodChoice.AVERAGE,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Also store what it says out of fold, for `elocute evaluate --predictions`.", dir_okay=False),
    ] = None,
    folds: Annotated[int, typer.Option(min=3, help="Folds of speakers; as in the members' own training.")] = 5,
    fold_seed: Annotated[int, typer.Option(help="Deals the speakers into them; the same.")] = 1,
    draws: Annotated[int, typer.Option(min=1, help="Resamples of the speakers for an interval.")] = 500,
    shared_only: Annotated[
        bool, typer.Option("--shared-only", help="Leave out what a member has no prediction of, instead of refusing.")
    ] = False,
) -> None:
    """Fit how several backends are combined, and measure out of fold what that is worth.

    Every score is combined by itself. Whether members are calibrated first, and for ridge how far weights leave equal
    ones, is chosen on speakers left out. The file holds the weights and a card; give it as --backend ensemble:FILE.
    """
    from elocute.cli.batch import progress_bar
    from elocute.corpora.speechocean762 import read_speechocean762
    from elocute.ensemble import write_combination
    from elocute.ensemble.train import EnsembleTraining, train_ensemble
    from elocute.evaluation.predictions import write_predictions

    if not out.name.endswith(".json"):
        raise ConfigError(f"--out is {out}; expected a name that ends in .json, by which the backend knows the file")
    given = [_member(text) for text in member]
    # Names of files, not their places on this machine.
    told = " ".join(shlex.quote(f"--member={one}={path.name}") for one, path in given)
    config = EnsembleTraining(
        members=tuple(one for one, _ in given),
        predictions=tuple(path for _, path in given),
        method=method.value,
        folds=folds,
        fold_seed=fold_seed,
        draws=draws,
        shared_only=shared_only,
        command=f"elocute train ensemble --speechocean DIR {told} --method {method.value} --folds {folds} "
        f"--fold-seed {fold_seed}{' --shared-only' if shared_only else ''} --out {out.name}",
    )
    with progress_bar("fitting", "scores") as progress:
        trained = train_ensemble(read_speechocean762(speechocean), config, progress)
    write_combination(out, trained.combination)
    if predictions is not None:
        write_predictions(predictions, trained.provenance, trained.predictions)
    card = trained.combination.card
    show(_table(card), "", f"{card['utterances']} utterances", f"{out}: --backend ensemble:{out}")


def _member(text: str) -> tuple[Any, Path]:
    """A member and the file of its predictions."""
    from elocute.assets import asset_path
    from elocute.cli.evaluate import OUT_OF_FOLD
    from elocute.ensemble import Member

    name, equals, file = text.partition("=")
    if not equals and name == SHIPPED:
        return Member.of(name), asset_path(OUT_OF_FOLD)
    if not file:
        raise ConfigError(
            f"--member is {text!r}; expected BACKEND=FILE, where the file has its out-of-fold predictions"
        )
    return Member.of(name), Path(file)


def _table(card: Any) -> Table:
    """What every score gains, beside the weights."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    table.add_column("Score")
    found = card["evaluation"]["scores"]
    members = list(next(iter(found.values()))["members"])
    for title in (*members, "ensemble", "gain over the best", "weights"):
        table.add_column(title, justify="right", overflow="fold")
    for target, row in found.items():
        gain, low, high = row["gain"]
        sure = f" ({low:+.4f} to {high:+.4f})" if low is not None else ""
        cells = [
            target + (" (AUC)" if row["metric"] == "roc_auc" else ""),
            *("-" if row["members"][name] is None else f"{row['members'][name][0]:.4f}" for name in members),
            f"{row['ensemble'][0]:.4f}",
            f"{gain:+.4f}{sure}",
            " ".join(f"{weight:.2f}" for weight in card["ways"][target]["weights"]),
        ]
        table.add_row(*map(Text, cells))
    return table
