"""Turns a trained G2P network into the ONNX asset, weights rounded to int8, and writes its card.

    PYTHONPATH=src python -m elocute.training.g2p_export --run runs/g2p --out src/elocute/assets/g2p.onnx

Every weight matrix is stored as int8 with one scale a column and turned back into float32 inside the graph, so that the
file shrinks fourfold and the arithmetic stays float32. Needs torch, onnx and onnxruntime; a few seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from elocute.export.graph import strip
from elocute.phones.g2p import ModelG2P, decode_greedy
from elocute.training.g2p import guess
from elocute.training.g2p_data import score, split_lexicon
from elocute.training.g2p_model import G2PModelConfig, G2PNetwork, encode_words

_SMALLEST_ROUNDED = 512


def load_network(run: Path) -> G2PNetwork:
    """The network that a training run left in its folder."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    network = G2PNetwork(G2PModelConfig(**config["model"]))
    network.load_state_dict(torch.load(run / "weights.pt", weights_only=True, map_location="cpu"))
    return network.eval()


def export(network: G2PNetwork) -> onnx.ModelProto:
    """The network as an ONNX graph: letters (B, N) int64 to log_probs (B, 2 N, 70) float32, B and N free."""
    batch, length = torch.export.Dim("B", min=2), torch.export.Dim("N", min=3, max=64)
    program = torch.onnx.export(
        network,
        (encode_words(["cat", "elephant"]),),
        input_names=["letters"],
        output_names=["log_probs"],
        dynamic_shapes=({0: batch, 1: length},),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    return program.model_proto


def round_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store every large float32 tensor as int8 with a scale per last-axis column (or per row of a convolution)."""
    graph = model.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALLEST_ROUNDED or values.ndim < 2:
            kept.append(tensor)
            continue
        axis = 0 if values.ndim == 3 else 1
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.maximum(np.abs(values).max(axis=others), 1e-8) / 127
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        rounded = np.clip(np.round(values / scale.reshape(shape)), -127, 127).astype(np.int8)
        kept.append(numpy_helper.from_array(rounded, f"{tensor.name}_int8"))
        kept.append(numpy_helper.from_array(scale.astype(np.float32), f"{tensor.name}_scale"))
        kept.append(numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{tensor.name}_zero"))
        inputs = [f"{tensor.name}_{part}" for part in ("int8", "scale", "zero")]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [tensor.name], axis=axis))
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder that elocute.training.g2p wrote")
    parser.add_argument("--lexicon", type=Path, default=Path("src/elocute/assets/lexicon.bin"), help="packed lexicon")
    parser.add_argument("--out", type=Path, default=Path("src/elocute/assets/g2p.onnx"), help="where the model goes")
    args = parser.parse_args()
    network = load_network(args.run)
    onnx.save(round_weights(export(network)), args.out)
    strip(args.out)
    split = split_lexicon(args.lexicon)
    model = ModelG2P(args.out)
    words = list(split.test)
    rounded = {word: decode_greedy(model.log_probs(word)) for word in words}
    exact = guess(network, words, torch.device("cpu"))
    config = json.loads((args.run / "config.json").read_text(encoding="utf-8"))
    metrics = json.loads((args.run / "metrics.json").read_text(encoding="utf-8"))
    card = {
        "task": "pronunciation (ARPABET with stress) of English words that the lexicon lacks",
        "licence": "Apache-2.0; trained on CMUdict, whose notice ships as LICENSE.cmudict",
        "data": f"lexicon.bin of sha256 {metrics['lexicon_sha256']}: CMUdict's data file and elocute's own list",
        "split": "by sha256 of a rough stem, so that forms of a headword stay together: 5 % test, 2 % dev, rest train; "
        "compounds may share a part with a training word",
        "selection": "one network was trained to the end, its size settled on short runs by dev; "
        "test was not used for any choice of it",
        "train_words": metrics["train_words"],
        "command": config["command"],
        "model": config["model"],
        "train": config["train"],
        "steps": metrics["steps"],
        "device": metrics["device"],
        "torch": metrics["torch"],
        "parameters": sum(p.numel() for p in network.parameters()),
        "bytes": args.out.stat().st_size,
        "sha256": hashlib.sha256(args.out.read_bytes()).hexdigest(),
        "scoring": "greedy decoding; best match over the listed pronunciations; wer and per ignore stress",
        "dev": metrics["dev"],
        "test": asdict(score(rounded, split.test)),
        "test_float32": asdict(score(exact, split.test)),
        "same_as_float32": sum(rounded[word] == exact[word] for word in words) / len(words),
    }
    args.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
