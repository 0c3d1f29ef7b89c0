"""Torch modules to ONNX files: export, int8, and facts about what came out."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from elocute.errors import ConfigError
from elocute.types import SAMPLE_RATE_HZ

OPSET = 20
LONGEST_S = 600
"""Seconds of the longest recording that a graph is made for; onnxruntime does not hold it to that."""
LARGEST_FILE = 2 * 1024**3 - 64 * 1024**2
"""Bytes of weights from which they go to a file of their own: protocol buffers end at 2 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """What is in an ONNX file.

    Attributes:
        opset: of the default domain.
        operators: operators and how often each is used, "domain::" before those of other domains.
        bytes: of the file and of its weights, where those lie beside it.
        files: names, the graph first.
    """

    opset: int
    operators: dict[str, int]
    bytes: int
    files: tuple[str, ...]


def to_onnx(
    module: nn.Module, path: Path, *, outputs: tuple[str, ...], shortest: int, batch: bool = True, seconds: float = 2.1
) -> None:
    """Export a module from samples (batch, n) to `outputs`, with any batch and any number of samples.

    Args:
        module: in evaluation mode, float32, on the CPU.
        path: file to write; weights of two gigabytes and more go beside it, to `path` + ".data".
        outputs: names of what the module returns.
        shortest: least number of samples.
        batch: leave the batch open, too.
        seconds: of the noise that is exported with.

    Raises:
        ConfigError: the exporter refuses the module.
    """
    samples = torch.randn(2 if batch else 1, int(seconds * SAMPLE_RATE_HZ), generator=torch.Generator().manual_seed(0))
    dimensions = {1: torch.export.Dim("n", min=shortest, max=SAMPLE_RATE_HZ * LONGEST_S)}
    if batch:
        dimensions[0] = torch.export.Dim("batch", min=1, max=1024)
    math = torch.nn.attention.SDPBackend.MATH  # other kernels of attention do not export
    with torch.no_grad(), torch.nn.attention.sdpa_kernel(math), _quiet():
        try:
            program = torch.onnx.export(
                module,
                (0.1 * samples,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["samples"],
                output_names=list(outputs),
                dynamic_shapes={"samples": dimensions},
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = error.__cause__ or error  # the error itself is a page of advice
            reason = (str(cause).strip() or type(cause).__name__).splitlines()[0][:300]
            raise ConfigError(f"{type(module).__name__} cannot be exported: {reason}; see -v for where") from error
    if program is None:
        raise ConfigError("torch.onnx.export returned nothing; expected an ONNX program")
    weights = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    program.save(path, external_data=weights >= LARGEST_FILE)
    del program
    strip(path)


def quantise(full: Path, small: Path) -> None:
    """Dynamic int8 of matrix products with constant weights, one scale a channel; everything else stays float32.

    Quantised convolutions are slower and less exact (docs/experiments.md, section 2).
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    sizes = sum(file.stat().st_size for file in (full, weights_of(full)) if file.is_file())
    with _quiet():
        quantize_dynamic(
            full,
            small,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            # A quarter of the size, if all were matrices; what cannot surely fit goes beside the file.
            use_external_data_format=sizes >= 2 * LARGEST_FILE,
        )
    strip(small)


def strip(path: Path) -> None:
    """Delete what the exporter wrote for debuggers: stack traces with the paths of the machine, module names."""
    import onnx

    model = onnx.load(path, load_external_data=False)  # weights beside the file stay where they are
    model.doc_string = ""
    for graph in (model.graph, *model.functions):
        del graph.metadata_props[:]
        graph.doc_string = ""
        for part in (*graph.node, *graph.value_info):
            del part.metadata_props[:]
            part.doc_string = ""
    for part in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del model.metadata_props[:]
    onnx.save(model, path)


def weights_of(path: Path) -> Path:
    """Where the weights of a graph lie if they are too large for it."""
    return path.with_name(path.name + ".data")


def facts_of(path: Path) -> GraphFacts:
    """What is in an ONNX file."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    used = Counter(f"{node.domain}::{node.op_type}" if node.domain else node.op_type for node in model.graph.node)
    files = [path, *([weights_of(path)] if weights_of(path).is_file() else [])]
    return GraphFacts(
        opset=next(entry.version for entry in model.opset_import if not entry.domain),
        operators=dict(sorted(used.items())),
        bytes=sum(file.stat().st_size for file in files),
        files=tuple(file.name for file in files),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of exporters about packages that are not needed and about their own future."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "root")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
