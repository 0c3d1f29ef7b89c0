"""The models that ship in the package: an ONNX graph and a JSON card each. Read here, and only when asked for."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError

SCORERS = {True: ("embedded", "scorer"), False: ("unrated", "scorer_unrated")}
"""Name and asset of the scorer for backends whose posteriors carry ratings, and of that for all others."""


def asset_path(name: str) -> Path:
    """Where an asset lies; ConfigError if it is missing."""
    asset = Path(str(files("elocute") / "assets" / name))
    if not asset.is_file():
        raise ConfigError(f"elocute's asset {name} is missing; reinstall elocute")
    return asset


def read_asset(name: str) -> bytes:
    """Bytes of an asset; ConfigError if it is missing."""
    return asset_path(name).read_bytes()


def read_card(stem: str) -> dict[str, Any]:
    """The card of a model: data, licence, command, metrics, limits; ConfigError if it is missing or damaged."""
    try:
        card: dict[str, Any] = json.loads(read_asset(f"{stem}.json"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"elocute's asset {stem}.json is not JSON ({error}); reinstall elocute") from error
    return card


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model in a folder of the user's.

    Raises:
        ConfigError: it is missing or something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path.parent} has no {path.name}; expected all files of the model") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; expected a file of a model") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is not JSON ({error}); fetch or make the model again") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds {type(value).__name__}; expected a JSON object")
    return value


def load_onnxruntime() -> Any:
    """The package onnxruntime, which tells nobody that it is used.

    From 1.29 on its official builds send data on models and machine to Microsoft, and keep an identifier of the machine
    in the user's cache, unless they are told not to before they are loaded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def open_model(source: str | Path, *, threads: int | None = None) -> Any:
    """An onnxruntime session on the CPU of a shipped model, named by its stem, or of a file.

    Threads None leaves the choice to onnxruntime. ConfigError if the model is missing.
    """
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    if isinstance(source, Path) and not source.is_file():
        raise ConfigError(f"model {source} not found; expected an ONNX file")
    # By its path: weights of gigabytes lie in a file beside the graph.
    model = str(source) if isinstance(source, Path) else read_asset(f"{source}.onnx")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
