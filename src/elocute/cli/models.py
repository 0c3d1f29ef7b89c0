"""`elocute models`: what is installed, and the facts of every model from its card, without loading any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint, entry_points, version
from typing import TYPE_CHECKING, Any, Literal

from elocute.assets import read_asset, read_card
from elocute.cli.options import DEFAULTS, FormatChoice, Verbose
from elocute.cli.output import Format, show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

Role = Literal["backend", "scorer", "g2p"]

_EMBEDDED_BACKEND = "elocute.acoustic.embedded:load"
_LONG_LIST = 12
_SHORT_LIST = 4
_HEADLINE = "task kind data split selection folds seeds command metrics evaluation limits".split()
"""What a card shows first."""
_IN_OVERVIEW = {"name", "version", "bytes", "licence"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One installed model.

    Attributes:
        role: backend (hears phones), scorer (turns what was heard into scores) or g2p (pronounces unlisted words).
        name: as users type it.
        version: of its weights (their hash where the card names none), or of the package that brings it.
        file: name of its asset; None where another package keeps it.
        bytes: size of that file.
        sha256: hash of that file, hexadecimal.
        card: everything its makers say about it; empty where another package keeps it.
    """

    role: Role
    name: str
    version: str
    file: str | None
    bytes: int | None
    sha256: str | None
    card: dict[str, Any]


EXAMPLES = (
    "elocute models",
    "elocute models --format json",
)
"""Shown under the help of the command."""


def models(
    format: FormatChoice = Format.TEXT,
    verbose: Verbose = False,
) -> None:
    """List the installed models and their cards.

    Version, size, licence, data, and quality as it was measured.
    """
    found = installed_models()
    if format is Format.JSON:
        plain = {"version": version("elocute"), "models": [asdict(model) for model in found]}
        write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
    else:
        _show(found)


def installed_models() -> list[Model]:
    """Every model that this installation can use.

    Raises:
        ConfigError: an asset or its card is missing or damaged.
    """
    backends = sorted(entry_points(group="elocute.backends"), key=lambda point: point.name)
    return [*map(_backend, backends), _asset("scorer", "embedded", "scorer"), _asset("g2p", "model", "g2p")]


def model_versions(backend: str) -> dict[str, str]:
    """Versions and hashes of the models and of the lexicon that shape the reports of a backend; tells runs apart.

    Raises:
        ConfigError: no such backend, or an asset is missing.
    """
    found = installed_models()
    named = [model for model in found if model.role == "backend" and model.name == backend]
    if not named:
        names = ", ".join(model.name for model in found if model.role == "backend")
        raise ConfigError(f"backend is {backend!r}; expected one of {names or 'none installed'}; see `elocute models`")
    lexicon = read_asset("lexicon.bin")
    used = [*named, *(model for model in found if model.role != "backend")]
    return {"lexicon": hashlib.sha256(lexicon).hexdigest()} | {
        model.role: f"{model.name} {model.version} {model.sha256 or ''}".strip() for model in used
    }


def _backend(point: EntryPoint) -> Model:
    """The facts of a backend; those of other packages are known by their package only."""
    if point.value == _EMBEDDED_BACKEND:
        return _asset("backend", point.name, "acoustic")
    package = "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    return Model(
        role="backend", name=point.name, version=package or point.value, file=None, bytes=None, sha256=None, card={}
    )


def _asset(role: Role, name: str, stem: str) -> Model:
    """The facts of a model that ships in this package."""
    data, card = read_asset(f"{stem}.onnx"), read_card(stem)
    digest = hashlib.sha256(data).hexdigest()
    return Model(
        role=role,
        name=name,
        version=str(card.get("version", digest[:12])),
        file=f"{stem}.onnx",
        bytes=len(data),
        sha256=digest,
        card=card,
    )


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
    parts: list[Table | Text | str] = [table]
    for model in found:
        if model.card:
            parts += ["", Text(f"{model.role} {model.name} {model.version}", style="bold"), _card(model.card)]
    show(*parts)


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
