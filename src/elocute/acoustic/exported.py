"""`onnx:FOLDER`: a model that was exported to ONNX, with the card that says how to use it. Needs nothing but the core.

The folder holds

    card.json           facts, see below
    model.onnx          the graph in float32, and/or
    model.int8.onnx     the same with quantised weights; it is the one that runs where both are there. `onnx:FILE` runs
                        that file, with the card beside it.

The card is a JSON object; what it has besides is for people:

    name, version       strings; the version goes into every report
    frame_shift_s       seconds from one row of the output to the next
    front_end           what the graph takes: "samples", float32 (1, n) at 16 kHz, or "features", float32 (1, t, d) of
                        the front end that `features` describes (`front_end.FrontEnd`)
    features            only with front_end "features": the fields of `FrontEnd`
    normalise           whether samples are brought to mean 0 and variance 1 before they go in:
                        (x - mean) / sqrt(variance + 1e-7)
    min_samples         shortest recording that the graph takes
    phone_set           {symbols, tokens, size, blank_id}: how its columns spell the 39 phones (`types.PhoneSet`)
    has_ratings         whether the graph gives ratings, too
    sha256              {file name: hash, hexadecimal} of each graph

The graph has one input, named `samples` or `features`, and gives `log_probs`, float32 (1, T, size): natural logarithms,
already folded into the phone set's columns (`vocabulary.Folding`), each row summing to 1; with ratings also `ratings`,
float32 (1, T, 43), as `types.Posteriors` has them. Batch and time are dynamic.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.acoustic.front_end import FrontEnd, normalised
from elocute.acoustic.place import check_length, existing_folder
from elocute.assets import open_model, read_object
from elocute.errors import ConfigError
from elocute.types import Audio, PhoneSet, Posteriors

CARD = "card.json"
GRAPHS = ("model.int8.onnx", "model.onnx")
"""In order of preference."""

_FACTS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "version": str,
    "frame_shift_s": (int, float),
    "front_end": str,
    "normalise": bool,
    "min_samples": int,
    "phone_set": dict,
    "has_ratings": bool,
    "sha256": dict,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportCard:
    """What `card.json` says; see the module.

    Attributes:
        name: of the model.
        version: of its weights.
        frame_shift_s: seconds a row.
        features: front end before the graph; None where the graph takes samples.
        normalise: whether samples are brought to mean 0 and variance 1.
        min_samples: shortest recording.
        phone_set: of the output.
        has_ratings: whether the graph gives ratings.
        sha256: of each graph, by file name.
    """

    name: str
    version: str
    frame_shift_s: float
    features: FrontEnd | None
    normalise: bool
    min_samples: int
    phone_set: PhoneSet
    has_ratings: bool
    sha256: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> ExportCard:
        """The card of a folder; ConfigError where it is missing or does not say what it must."""
        path = folder / CARD
        facts = read_object(path)
        for name, kind in _FACTS.items():
            if not isinstance(facts.get(name), kind) or (kind is not bool and isinstance(facts[name], bool)):
                raise ConfigError(f"{path}: {name} is {facts.get(name)!r}; export the model again")
        front_end = facts["front_end"]
        if front_end not in ("samples", "features"):
            raise ConfigError(f"{path}: front_end is {front_end!r}; expected 'samples' or 'features'")
        if not facts["frame_shift_s"] > 0:
            raise ConfigError(f"{path}: frame_shift_s is {facts['frame_shift_s']}; expected seconds above 0")
        return cls(
            name=facts["name"],
            version=facts["version"],
            frame_shift_s=float(facts["frame_shift_s"]),
            features=None if front_end == "samples" else FrontEnd.of(facts.get("features"), path),
            normalise=facts["normalise"],
            min_samples=facts["min_samples"],
            phone_set=phone_set_of(facts["phone_set"], path),
            has_ratings=facts["has_ratings"],
            sha256=facts["sha256"],
        )


def phone_set_of(stored: dict[str, Any], path: Path) -> PhoneSet:
    """A phone set from a card; ConfigError where it is none."""
    try:
        return PhoneSet(
            symbols=tuple(map(str, stored["symbols"])),
            tokens=tuple(tuple(map(int, tokens)) for tokens in stored["tokens"]),
            size=int(stored["size"]),
            blank_id=int(stored["blank_id"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: phone_set lacks or spoils {error}; expected symbols, tokens, size and blank_id"
        ) from error


def to_card(phone_set: PhoneSet) -> dict[str, Any]:
    """A phone set as a card holds it."""
    return {
        "symbols": list(phone_set.symbols),
        "tokens": [list(tokens) for tokens in phone_set.tokens],
        "size": phone_set.size,
        "blank_id": phone_set.blank_id,
    }


def find_graph(place: str) -> Path:
    """The graph of `onnx:place`; ConfigError where there is none."""
    path = Path(place).expanduser()
    if path.is_file():
        return path
    folder = existing_folder(place, "onnx")
    found = next((folder / name for name in GRAPHS if (folder / name).is_file()), None)
    if found is None:
        raise ConfigError(f"{folder} has neither of {' and '.join(GRAPHS)}; expected a folder made by `elocute export`")
    return found


class ExportedBackend:
    """Runs an exported graph.

    Args:
        graph: the ONNX file, its card beside it.
        threads: threads of one inference; None leaves the choice to onnxruntime.
    """

    def __init__(self, graph: Path, *, threads: int | None = None) -> None:
        self.card = ExportCard.read(graph.parent)
        stated = self.card.sha256.get(graph.name)
        found = hashlib.sha256(graph.read_bytes()).hexdigest()
        if stated != found:
            raise ConfigError(
                f"{graph} has the hash {found[:12]}..., its card says {str(stated)[:12]}...; export the model again"
            )
        self._session = open_model(graph, threads=threads)
        inputs = [one.name for one in self._session.get_inputs()]
        outputs = [one.name for one in self._session.get_outputs()]
        wanted = ["log_probs", "ratings"] if self.card.has_ratings else ["log_probs"]
        self._input = "samples" if self.card.features is None else "features"
        if inputs != [self._input] or not set(wanted) <= set(outputs):
            raise ConfigError(
                f"{graph} takes {', '.join(inputs)} and gives {', '.join(outputs)}; expected {self._input}, and "
                f"{' and '.join(wanted)}"
            )
        self._outputs = wanted
        self.name = f"onnx:{self.card.name}"
        self.version = f"{self.card.version}-int8" if ".int8." in graph.name else self.card.version
        self.phone_set = self.card.phone_set
        self.has_ratings = self.card.has_ratings

    def posteriors(self, audio: Audio) -> Posteriors:
        """Log-probabilities of one recording, and ratings where the graph has them."""
        check_length(audio, self.name, self.card.min_samples)
        samples = normalised(audio.samples) if self.card.normalise else audio.samples
        value = samples if self.card.features is None else self.card.features(samples)
        found = self._session.run(self._outputs, {self._input: value[None].astype(np.float32)})
        return Posteriors(
            log_probs=found[0][0],
            frame_shift_s=self.card.frame_shift_s,
            phone_set=self.phone_set,
            ratings=found[1][0] if self.has_ratings else None,
        )


def identity(place: str) -> str:
    """What tells `onnx:place` from other models, without loading it."""
    graph = find_graph(place)
    card = ExportCard.read(graph.parent)
    return f"{card.version} {card.sha256.get(graph.name)}"


def load(place: str, *, threads: int | None = None) -> ExportedBackend:
    """Entry point `onnx`."""
    return ExportedBackend(find_graph(place), threads=threads)
