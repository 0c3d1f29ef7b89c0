"""`elocute models`: what is installed, and the facts of every model from its card, without loading any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.options import DEFAULTS, FormatChoice, Verbose
from elocute.cli.output import Format, show, write
from elocute.installed import FAMILIES, Model, installed_document, installed_models

if TYPE_CHECKING:
    from rich.table import Table

    from elocute.acoustic import Backend

_LONG_LIST = 12
_SHORT_LIST = 4
_HEADLINE = "task kind data split selection folds seeds command metrics evaluation limits".split()
"""What a card shows first."""
_IN_OVERVIEW = {"name", "version", "bytes", "licence"}


EXAMPLES = (
    "elocute models",
    "elocute models --format json",
    "elocute models --backend hf:models/wavlm-phones",
)
"""Shown under the help of the command."""


def models(
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Load this acoustic model and show how its labels become phones; 'hf:FOLDER' and such."
        ),
    ] = None,
    format: FormatChoice = Format.TEXT,
    verbose: Verbose = False,
) -> None:
    """List the installed models and their cards.

    Version, size, licence, data, and quality as it was measured.
    """
    if backend is not None:
        _show_backend(backend, format)
    elif format is Format.JSON:
        write(json.dumps(installed_document(), ensure_ascii=False, indent=2) + "\n")
    else:
        _show(installed_models())


def _show(found: list[Model]) -> None:
    """Print an overview, then every card."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for title in ("Model", "Name", "Version", "Size", "Licence"):
        table.add_column(title)
    for model in found:
        default = " (default)" if model.role == "backend" and model.name == DEFAULTS.backend else ""
        size = "" if model.bytes is None else f"{model.bytes / 1e6:.1f} MB"
        licence = str(model.card.get("licence", model.card.get("license", "see its package")))
        table.add_row(*map(Text, (model.role, model.name + default, model.version, size, licence)))
    parts: list[Table | Text | str] = [table, "", Text("Models of yours, with --backend:")]
    parts += [Text(f"  {name}  {what}") for name, what in FAMILIES.items()]
    for model in found:
        if model.card:
            parts += ["", Text(f"{model.role} {model.name} {model.version}", style="bold"), _card(model.card)]
    show(*parts)


def _show_backend(name: str, format: Format) -> None:
    """Load a backend and print its facts, and what became of its labels."""
    from rich.text import Text

    from elocute.acoustic import load_backend

    backend = load_backend(name)
    facts = _facts(backend)
    if format is Format.JSON:
        write(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
        return
    labels = facts.pop("labels", {})
    show(*(Text(f"{key}: {value}") for key, value in facts.items()))
    folding = getattr(backend, "folding", None)
    if folding is not None:
        show("", Text(f"labels ({labels['notation']})", style="bold"), *map(Text, folding.report.lines()))


def _facts(backend: Backend) -> dict[str, Any]:
    """What a backend is, as plain JSON values; of one whose labels were folded, what became of them."""
    from elocute.acoustic import rates

    phone_set = backend.phone_set
    facts: dict[str, Any] = {
        "name": backend.name,
        "version": backend.version,
        "phones": len(phone_set.symbols),
        "columns": phone_set.size,
        "chains": {
            phone: list(tokens)
            for phone, tokens in zip(phone_set.symbols, phone_set.tokens, strict=True)
            if len(tokens) > 1
        },
        "ratings": rates(backend),
    }
    if hasattr(backend, "frame_shift_s"):
        facts["frame_shift_s"] = backend.frame_shift_s
    if hasattr(backend, "folding"):
        facts["labels"] = asdict(backend.folding.report)
    return facts


def _card(card: dict[str, Any]) -> Table:
    """A card as lines of name and value, what matters most first."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", overflow="fold", max_width=28)
    grid.add_column(ratio=1, overflow="fold")
    order = [key for key in _HEADLINE if key in card] + [key for key in card if key not in {*_HEADLINE, *_IN_OVERVIEW}]
    for key in order:
        for name, value in _lines(key, card[key]):
            grid.add_row(Text(name), Text(value))
    return grid


def _lines(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A value of a card as named lines; long lists are counted, `--format json` has them in full."""
    if not isinstance(value, dict):
        if value != "":
            yield name, _short(value)
        return
    plain = {key: item for key, item in value.items() if not _is_deep(item) and item != ""}
    if plain:
        yield name, ", ".join(f"{key} {_short(item)}" for key, item in plain.items())
    for key, item in value.items():
        if _is_deep(item):
            yield from _lines(f"{name.rpartition('.')[2]}.{key}", item)


def _is_deep(value: Any) -> bool:
    """Whether a value deserves lines of its own: an object, or a list of more than a few numbers."""
    return isinstance(value, dict) or (
        isinstance(value, list) and (len(value) > _SHORT_LIST or not all(isinstance(item, float) for item in value))
    )


def _short(value: Any) -> str:
    """A value in one line; floats with four digits."""
    if isinstance(value, list):
        if len(value) > _LONG_LIST or any(isinstance(item, dict | list) for item in value):
            return f"{len(value)} entries"
        between = "/" if all(isinstance(item, float) for item in value) else "; "
        return between.join(map(_short, value))
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
