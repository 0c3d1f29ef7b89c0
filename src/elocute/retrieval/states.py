"""Hidden states of a backbone beside its posteriors, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from elocute.acoustic import Backend, load_backend
from elocute.acoustic.exported import ExportedBackend, find_graph
from elocute.acoustic.huggingface import HuggingFaceBackend
from elocute.assets import asset_path, load_onnxruntime
from elocute.ctc import NEG_INF, lattice
from elocute.errors import ConfigError, MissingExtraError
from elocute.gop.edits import as_frames, no_path, spell
from elocute.phones import PHONES
from elocute.types import SAMPLE_RATE_HZ, Audio, Float32, Float64, PhoneSet, Posteriors

Pooling = Literal["occupancy", "peak"]
LAST = -1
_STATES = "elocute_states"
_PRODUCTS = {"MatMul": 0, "MatMulInteger": 0, "Gemm": 0}
"""Matrix products and which of their inputs is data."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """What a backbone makes of a recording.

    Attributes:
        posteriors: over phone labels.
        states: shape (T, D), hidden states, a row for each of the posteriors'.
    """

    posteriors: Posteriors
    states: Float32


class Encoder(Protocol):
    """A backbone whose states can be seen."""

    @property
    def name(self) -> str:
        """As users type it."""

    @property
    def version(self) -> str:
        """Of the weights."""

    @property
    def layer(self) -> int:
        """Which states: 0 for what goes into the first layer, -1 for what comes out of the last."""

    def encode(self, audio: Audio) -> Encoded:
        """Posteriors and states of one recording."""


class TransformersEncoder:
    """States of any layer of a backend `hf:`, as transformers counts them.

    What comes out of the last layer of a model with `do_stable_layer_norm` is not normalised yet.

    Raises:
        ConfigError: the model has no such layer, or its states have other frames than its posteriors.
    """

    def __init__(self, backend: HuggingFaceBackend, layer: int = LAST) -> None:
        self._backend = backend
        self.layer = layer
        self.name, self.version = backend.name, backend.version

    def encode(self, audio: Audio) -> Encoded:
        """Two passes, which keeps the backend as it is."""
        import torch

        backend = self._backend
        posteriors = backend.posteriors(audio)
        inputs = backend.features(audio.samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        with torch.inference_mode():
            answer = backend.model(**inputs.to(backend.model.device), output_hidden_states=True)
        layers: Sequence[Any] | None = answer.hidden_states
        if not layers or not -len(layers) <= self.layer < len(layers):
            raise ConfigError(f"layer is {self.layer}; {self.name} has {len(layers or ())}, counted from 0")
        states: Float32 = layers[self.layer][0].float().cpu().numpy()
        if len(states) != len(posteriors.log_probs):
            raise ConfigError(
                f"layer {self.layer} of {self.name} has {len(states)} frames, its posteriors have "
                f"{len(posteriors.log_probs)}; expected as many: take another layer, or a model without an adapter"
            )
        return Encoded(posteriors=posteriors, states=states)


class RunEncoder:
    """States of any block of an acoustic model that `elocute train acoustic` left in a run folder.

    Raises:
        ConfigError: the model has no such block.
    """

    def __init__(self, folder: Path, layer: int = LAST) -> None:
        from elocute.acoustic.place import fingerprint
        from elocute.training.export import load_acoustic

        if not (folder / "weights.pt").is_file() or not (folder / "run.json").is_file():
            raise ConfigError(f"{folder} is no run folder; expected run.json and weights.pt of elocute train acoustic")
        self._model = load_acoustic(folder)
        blocks = len(self._model.encoder.blocks)
        if not -blocks - 1 <= layer <= blocks:
            raise ConfigError(f"layer is {layer}; {folder.name} has {blocks + 1}, counted from 0")
        self.layer = layer
        self._block = (layer if layer >= 0 else blocks + 1 + layer) - 1  # -1 for what goes into the first block
        self.name, self.version = f"run:{folder.name}", fingerprint([folder / "weights.pt"])

    def encode(self, audio: Audio) -> Encoded:
        """One pass; the states are caught as they leave their block."""
        import torch

        from elocute.training.acoustic_model import FRAME_SHIFT_S

        encoder = self._model.encoder
        caught: list[Any] = []
        place: Any = encoder.project if self._block < 0 else encoder.blocks[self._block]
        hook = place.register_forward_hook(lambda module, inputs, output: caught.append(output))
        try:
            with torch.inference_mode():
                log_probs, _ = self._model(torch.from_numpy(audio.samples)[None])
        finally:
            hook.remove()
        posteriors = Posteriors(
            log_probs=log_probs[0].numpy(), frame_shift_s=FRAME_SHIFT_S, phone_set=PhoneSet.one_label_each(PHONES)
        )
        return Encoded(posteriors=posteriors, states=caught[0][0].numpy())


class GraphEncoder:
    """States before the last matrix product of an ONNX graph: the output of its last layer.

    Args:
        backend: that runs the graph, and is asked for nothing but its name, version and phone set.
        graph: the file.
        frame_shift_s: seconds a row.
        threads: of one inference.

    Raises:
        ConfigError: the graph ends in something else than a matrix product.
        MissingExtraError: without onnx, which reads the graph.
    """

    layer = LAST

    def __init__(self, backend: Backend, graph: Path, frame_shift_s: float, *, threads: int | None = None) -> None:
        onnxruntime = load_onnxruntime()
        self.name, self.version = backend.name, backend.version
        self._phone_set, self._frame_shift_s = backend.phone_set, frame_shift_s
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        model = graph_with_states(graph)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def encode(self, audio: Audio) -> Encoded:
        """One pass gives both."""
        log_probs, states = self._session.run(["log_probs", _STATES], {"samples": audio.samples[None]})
        posteriors = Posteriors(log_probs=log_probs[0], frame_shift_s=self._frame_shift_s, phone_set=self._phone_set)
        return Encoded(posteriors=posteriors, states=states.reshape(len(log_probs[0]), -1))


def graph_with_states(path: Path) -> bytes:
    """An ONNX graph that also gives out what goes into the product that its log-probabilities come from."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "onnx is not installed; retrieval looks into a graph with it: pip install 'elocute[retrieval]'"
        ) from error
    model = onnx.load(path)
    makers = {name: node for node in model.graph.node for name in node.output}
    name = "log_probs"
    while name in makers and makers[name].op_type not in _PRODUCTS:
        # Of a sum or a fold the first input that is computed is the data; the rest are constants.
        computed = [one for one in makers[name].input if one in makers]
        if not computed or makers[name].op_type == "Conv":
            name = ""
            break
        name = computed[0]
    if name not in makers:
        raise ConfigError(f"{path.name} does not end in a matrix product, so its states cannot be seen; use hf:")
    source = makers[name].input[_PRODUCTS[makers[name].op_type]]
    while makers[source].op_type in {"DynamicQuantizeLinear", "Cast"}:
        source = makers[source].input[0]
    model.graph.node.append(onnx.helper.make_node("Identity", [source], [_STATES]))
    model.graph.output.append(onnx.helper.make_tensor_value_info(_STATES, onnx.TensorProto.FLOAT, None))
    return bytes(model.SerializeToString())


def load_encoder(name: str, *, layer: int = LAST, threads: int | None = None) -> Encoder:
    """A backbone by the name of its backend: "embedded", "onnx:DIR" (both their last layer), "hf:DIR" (any).

    Also "run:DIR" (any layer), a run folder of our own acoustic model.

    Raises:
        ConfigError: no such backend, one whose states cannot be seen, or a layer that it has not.
    """
    if name.startswith("run:"):
        return RunEncoder(Path(name.removeprefix("run:")), layer)
    backend = load_backend(name, threads=threads)
    if isinstance(backend, HuggingFaceBackend):
        return TransformersEncoder(backend, layer)
    if name != "embedded" and not isinstance(backend, ExportedBackend):
        raise ConfigError(f"backbone is {name!r}, whose states cannot be seen; expected embedded, hf:, onnx: or run:")
    if layer != LAST:
        raise ConfigError(f"layer is {layer}; of {name} only the last (-1) can be seen: its graph gives no other")
    if isinstance(backend, ExportedBackend):
        if backend.card.features is not None or backend.card.normalise:
            raise ConfigError(f"{name} takes prepared features; expected a graph that takes samples: export it again")
        graph = find_graph(name.removeprefix("onnx:"))
        return GraphEncoder(backend, graph, backend.card.frame_shift_s, threads=threads)
    shift_s = float(backend.card["frame_shift_s"])  # type: ignore[attr-defined]
    return GraphEncoder(backend, asset_path("acoustic.onnx"), shift_s, threads=threads)


def pooled(encoded: Encoded, symbols: Sequence[str], pooling: Pooling = "occupancy") -> Float32:
    """One state for each phone that is said, each of length 1, shape (L, D).

    Args:
        encoded: posteriors and states.
        symbols: phones that the recording is taken to hold, in order.
        pooling: mean by the occupancies of the CTC lattice, or the one frame where the phone's is highest.

    Raises:
        AlignmentError: there are too few frames.
    """
    posteriors = encoded.posteriors
    phone_set = posteriors.phone_set
    frames = as_frames(posteriors.log_probs, phone_set)
    spelling = spell([phone_set.id_of(symbol) for symbol in symbols], phone_set)
    full = lattice(frames, spelling.labels, phone_set.blank_id)
    if full.log_prob == NEG_INF:
        raise no_path(len(frames), spelling)
    owned: Float64 = np.add.reduceat(full.label_occupancies(), spelling.bounds[:-1], axis=1)
    if pooling == "peak":
        owned = (np.arange(len(frames))[:, None] == owned.argmax(axis=0)).astype(np.float64)
    return normalised(owned.T @ encoded.states.astype(np.float64))


def normalised(vectors: Float64) -> Float32:
    """Rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
