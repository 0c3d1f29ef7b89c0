"""`elocute export`: a CTC model of transformers as a folder that `onnx:FOLDER` runs without torch."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elocute.acoustic.exported import CARD, ExportedBackend, to_card
from elocute.acoustic.huggingface import MIN_SAMPLES, HuggingFaceBackend
from elocute.errors import ConfigError, MissingExtraError
from elocute.export.card import markdown
from elocute.export.parity import Parity, Sample, compare, hear
from elocute.types import Posteriors

if TYPE_CHECKING:
    from elocute.export.graph import GraphFacts

FULL, SMALL = "model.onnx", "model.int8.onnx"
MODEL_CARD = "README.md"
TORCH, FP32, INT8 = "torch float32", "ONNX float32", "ONNX int8"
TWIN_AGREEMENT = 0.999
"""Least share of frames in which torch and the float32 graph must agree on the winner."""
TWIN_PROBABILITY = 1e-4
"""Largest mean difference in probability allowed between torch and the float32 graph."""
DOUBTFUL_AGREEMENT = 0.98
"""Share of frames with the same winner below which int8 is called doubtful."""

Steps = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """What to export and how.

    Attributes:
        model: backend to export, "hf:" and a folder or a name.
        out: folder to make.
        int8: also write a graph with quantised weights.
        licence: of the model's weights, as the user states it.
        samples: recordings that the copies are compared on.
        compared_on: what they are, in words.
        command: that is run, for the card.
    """

    model: str
    out: Path
    int8: bool
    licence: str
    samples: Sequence[Sample]
    compared_on: str
    command: str


def export_model(job: ExportJob, progress: Steps | None = None) -> dict[str, Any]:
    """Write the folder; it appears in one step, when all of it is there and the copies have been compared.

    Returns: the card, as it stands in `card.json`.

    Raises:
        ConfigError: the folder is taken, the model cannot be loaded or exported, or the graph differs from its model.
        MissingExtraError: an extra is not installed.
    """
    if not job.model.startswith("hf:"):
        raise ConfigError(f"model is {job.model!r}; only models of transformers are exported: give hf: and a folder")
    check_free(job.out)
    partial = job.out.with_name(f".{job.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed export left
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"cannot write {partial}: {error.strerror}; name a folder in a writable one") from error
    try:
        card = _write(job, partial, progress or (lambda step, done, total: None))
        if job.out.is_dir():
            job.out.rmdir()  # empty, see `check_free`
        partial.rename(job.out)
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"cannot write {job.out}: {why}; make room, or name another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return card


def check_free(out: Path) -> None:
    """ConfigError if a folder to be made is there already and holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already; name a folder that does not")


def _write(job: ExportJob, folder: Path, progress: Steps) -> dict[str, Any]:
    """Everything, in a folder that nobody looks at yet."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

        from elocute.export.graph import facts_of, quantise, to_onnx
        from elocute.export.model import exportable_skew, exported
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; exporting needs two extras: pip install 'elocute[hf,train]'"
        ) from error
    from elocute.acoustic import load_backend

    steps = 4 + 2 * job.int8
    progress("loading the model", 0, steps)
    backend = load_backend(job.model)
    assert isinstance(backend, HuggingFaceBackend)
    card = _first_card(job, backend)
    progress("hearing with torch", 1, steps)
    heard: dict[str, list[Posteriors]] = {TORCH: hear(backend, job.samples)}
    progress("exporting", 2, steps)
    module = exported(backend)
    card["parameters"] = sum(parameter.numel() for parameter in module.model.parameters())
    with exportable_skew(module.model):
        to_onnx(module, folder / FULL, outputs=("log_probs",), shortest=MIN_SAMPLES)
    del module, backend  # gigabytes that the next steps need
    gc.collect()
    progress("hearing with the exported graph", 3, steps)
    graphs = {FULL: facts_of(folder / FULL)}
    _store(folder, card, graphs)
    heard[FP32] = hear(ExportedBackend(folder / FULL), job.samples)
    pairs = [_twins(job, heard)]
    if job.int8:
        progress("quantising", 4, steps)
        quantise(folder / FULL, folder / SMALL)
        graphs[SMALL] = facts_of(folder / SMALL)
        _store(folder, card, graphs)
        progress("hearing with int8", 5, steps)
        heard[INT8] = hear(ExportedBackend(folder / SMALL), job.samples)
        pairs += [compare((one, INT8), job.samples, heard[one], heard[INT8]) for one in (FP32, TORCH)]
    rows = [asdict(pair) | {"copies": list(pair.copies)} for pair in pairs]
    card["parity"] = {"on": job.compared_on, "recordings": len(job.samples), "pairs": rows}
    card["doubtful_int8"] = job.int8 and pairs[1].argmax_agreement < DOUBTFUL_AGREEMENT
    _store(folder, card, graphs)
    (folder / MODEL_CARD).write_text(markdown(card), encoding="utf-8")
    progress("done", steps, steps)
    return card


def _twins(job: ExportJob, heard: Mapping[str, list[Posteriors]]) -> Parity:
    """Torch beside the float32 graph; ConfigError if they are no twins."""
    twins = compare((TORCH, FP32), job.samples, heard[TORCH], heard[FP32])
    if twins.argmax_agreement < TWIN_AGREEMENT or twins.mean_probability > TWIN_PROBABILITY:
        raise ConfigError(
            f"the exported graph of {job.model} is not its twin: they agree on {twins.argmax_agreement:.4f} of frames, "
            f"mean difference in probability {twins.mean_probability:.2g}; expected at least {TWIN_AGREEMENT} and at "
            f"most {TWIN_PROBABILITY}"
        )
    return twins


def _first_card(job: ExportJob, backend: HuggingFaceBackend) -> dict[str, Any]:
    """What is known before anything is exported."""
    return {
        "name": job.out.name,
        "version": backend.version,
        "kind": type(backend.model).__name__,
        "source": job.model.removeprefix("hf:").rstrip("/").rpartition("/")[2],
        "licence": job.licence,
        "frame_shift_s": backend.frame_shift_s,
        "front_end": "samples",
        "normalise": False,
        "front_end_in_graph": type(backend.features).__name__,
        "min_samples": MIN_SAMPLES,
        "phone_set": to_card(backend.phone_set),
        "vocabulary": backend.folding.report.lines(),
        "has_ratings": False,
        "command": job.command,
        "made_with": {
            name: version(name) for name in ("elocute", "torch", "transformers", "onnx", "onnxscript", "onnxruntime")
        },
    }


def _store(folder: Path, card: dict[str, Any], graphs: Mapping[str, GraphFacts]) -> None:
    """Write the card as far as it goes; the backends that are compared read it."""
    card["graphs"] = {name: asdict(facts) | {"files": list(facts.files)} for name, facts in graphs.items()}
    files = [name for facts in graphs.values() for name in facts.files]
    card["sha256"] = {name: _hash(folder / name) for name in files}
    (folder / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _hash(path: Path) -> str:
    """SHA-256 of a file that may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
