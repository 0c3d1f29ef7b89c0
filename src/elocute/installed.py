"""What is installed: every model with the facts of its card, without loading any."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, Literal

from elocute.assets import SCORERS, read_asset, read_card

Role = Literal["backend", "scorer", "g2p"]

_EMBEDDED_BACKEND = "elocute.acoustic.embedded:load"
FAMILIES = {
    "hf:FOLDER_OR_NAME": "any CTC model of transformers, with the extra hf",
    "onnx:FOLDER": "a model made by `elocute export`",
    "zipa:FOLDER": "a phone recogniser of ZIPA's, tokens.txt and an ONNX graph",
    "phi4:FOLDER": "a model tuned by `elocute train phi4`, with the extra phi4",
    "ensemble:A,B": "several at once; also FILE, see `elocute train ensemble`",
}
"""Backends that run a model of the user's: how they are named, and what they take."""


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


def installed_models() -> list[Model]:
    """Every model that this installation can use.

    Raises:
        ConfigError: an asset or its card is missing or damaged.
    """
    points = sorted(entry_points(group="elocute.backends"), key=lambda point: point.name)
    families = {name.partition(":")[0] for name in FAMILIES}
    backends = [point for point in points if point.name not in families]
    scorers = [_asset("scorer", name, stem) for name, stem in SCORERS.values()]
    return [*map(_backend, backends), *scorers, _asset("g2p", "model", "g2p")]


def installed_document() -> dict[str, Any]:
    """Version and models as plain JSON values, the same for the command line and the server."""
    return {"version": version("elocute"), "models": [asdict(model) for model in installed_models()]}


def model_versions(backend: str, scorer: str | None = None) -> dict[str, str]:
    """Versions and hashes of the models and of the lexicon that shape the reports of a backend; tells runs apart.

    Args:
        backend: by name.
        scorer: folder of the user's scorer; None for the shipped ones, of which the backend takes one.

    Raises:
        ConfigError: no such backend or scorer, or an asset is missing.
    """
    found = installed_models()
    versions = {
        "lexicon": hashlib.sha256(read_asset("lexicon.bin")).hexdigest(),
        "backend": _backend_version(backend, [model for model in found if model.role == "backend"]),
    }
    for role in ("scorer", "g2p"):
        versions[role] = "; ".join(_told(model) for model in found if model.role == role)
    if scorer is not None:
        from elocute.scorer.embedded import read_scorer

        card = read_scorer(Path(scorer)).card
        model = (Path(scorer) / "scorer.onnx").read_bytes()
        versions["scorer"] = f"{scorer} {card['version']} {hashlib.sha256(model).hexdigest()}"
    return versions


def _told(model: Model) -> str:
    """Name, version and hash."""
    return f"{model.name} {model.version} {model.sha256 or ''}".strip()


def _backend_version(name: str, known: list[Model]) -> str:
    """What tells a backend from others: of a model in a place of the user's, what is in its files."""
    if ":" not in name:
        told = next((_told(model) for model in known if model.name == name), None)
        if told is not None:
            return told
    from elocute.assessors import find_named

    named = find_named(name)
    point = named.point
    identity = getattr(import_module(point.module), "identity", None)
    package = "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    return f"{name} {identity(named.place) if identity else package}".strip()


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
