"""Tiny random ONNX graphs with the signatures of models that people have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elocute.acoustic.exported import to_card
from elocute.types import PhoneSet


def save_graph(
    path: Path,
    *,
    inputs: Sequence[tuple[str, int, Sequence[Any]]],
    nodes: Sequence[Any],
    weights: dict[str, np.ndarray],
    outputs: Sequence[str],
) -> Path:
    """Write a graph; inputs are name, type and shape."""
    from onnx import TensorProto, helper, numpy_helper, save

    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "t", None]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    save(model, path)
    return path


def save_zipa(
    folder: Path, labels: Sequence[str], *, stride: int = 2, name: str = "model.onnx", width: int = 80
) -> Path:
    """A model of ZIPA's signature that looks at every `stride`-th row of features alone."""
    from onnx import TensorProto, helper

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    save_graph(
        folder / name,
        inputs=[("x", TensorProto.FLOAT, ["b", "t", width]), ("x_lens", TensorProto.INT64, ["b"])],
        nodes=[
            helper.make_node("Slice", ["x", "from", "to", "axis", "step"], ["rows"]),
            helper.make_node("MatMul", ["rows", "weight"], ["logits"]),
            helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
        ],
        weights={
            "from": np.array([0]),
            "to": np.array([2**31]),
            "axis": np.array([1]),
            "step": np.array([stride]),
            "weight": (0.3 * rng.normal(size=(width, len(labels)))).astype(np.float32),
        },
        outputs=["log_probs"],
    )
    lines = [f"{label} {column}" for column, label in enumerate(labels)]
    (folder / "tokens.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def save_exported(
    folder: Path,
    phone_set: PhoneSet,
    *,
    names: Sequence[str] = ("model.onnx",),
    has_ratings: bool = False,
    **facts: Any,
) -> Path:
    """A model in the layout of `elocute export`: each row sees 320 samples through random weights."""
    from onnx import TensorProto, helper

    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        nodes = [
            helper.make_node("Unsqueeze", ["samples", "axis"], ["signal"]),
            helper.make_node("Conv", ["signal", "weight"], ["columns"], strides=[320]),
            helper.make_node("Transpose", ["columns"], ["logits"], perm=[0, 2, 1]),
            helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
        ]
        weights = {
            "axis": np.array([1]),
            "weight": (0.05 * rng.normal(size=(phone_set.size, 1, 320))).astype(np.float32),
        }
        if has_ratings:
            nodes.append(helper.make_node("MatMul", ["logits", "rate"], ["ratings"]))
            weights["rate"] = rng.normal(size=(phone_set.size, 43)).astype(np.float32)
        path = save_graph(
            folder / name,
            inputs=[("samples", TensorProto.FLOAT, ["b", "n"])],
            nodes=nodes,
            weights=weights,
            outputs=["log_probs", "ratings"] if has_ratings else ["log_probs"],
        )
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {
        "name": "tiny",
        "version": "1",
        "frame_shift_s": 0.02,
        "front_end": "samples",
        "normalise": False,
        "min_samples": 400,
        "phone_set": to_card(phone_set),
        "has_ratings": has_ratings,
        "sha256": hashes,
    }
    (folder / "card.json").write_text(json.dumps(card | facts), encoding="utf-8")
    return folder
