"""Gradient-boosted trees: LightGBM (Ke et al. 2017) on phones in context and on whole utterances, as ONNX nodes.

Their mean with the transformer is better than either: trees read single features sharply, the transformer joins them
smoothly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW
from elocute.scorer.context import phone_context, utterance_context
from elocute.training.native_rows import Natives
from elocute.training.scorer_data import ScoredFeatures
from elocute.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesTraining:
    """Settings of the trees; names as in LightGBM's documentation where they are its own.

    Attributes:
        objective: "regression" to people's scores, or "binary": whether people call the phone wrong.
        share: of the trees in the mean with the transformer.
        planted_share: planted utterances for each one that people scored.
        planted_weight: weight of a phone of a planted utterance.
        native_weight: weight of a phone of native speech with its own text.
        native_planted_weight: weight of a phone of native speech with planted errors.
    """

    objective: Literal["regression", "binary"] = "regression"
    share: float = 0.5
    planted_share: float = 0.3
    planted_weight: float = 0.1
    native_weight: float = 0.1
    native_planted_weight: float = 0.5
    rounds: int = 400
    learning_rate: float = 0.04
    num_leaves: int = 31
    min_data_in_leaf: int = 60
    feature_fraction: float = 0.2
    bagging_fraction: float = 0.7
    lambda_l2: float = 5.0
    max_bin: int = 127
    seed: int = 1


ERROR_TREES = TreesTraining(objective="binary", share=1.0, rounds=250, num_leaves=15, min_data_in_leaf=40)
"""Settings of the trees that tell wrong phones from right ones."""


UTTERANCE_TREES = TreesTraining(
    planted_share=0.0, rounds=250, learning_rate=0.06, num_leaves=4, min_data_in_leaf=20, feature_fraction=0.15
)
"""Settings of the trees for the scores of an utterance: 2,500 of them bear small trees only."""


def train_trees(
    rows: Sequence[ScoredFeatures],
    planted: Sequence[ScoredFeatures],
    natives: Natives,
    config: TreesTraining,
) -> Any:
    """Fit trees to people's phone scores or errors, and to what is known of planted errors and of native speech.

    Returns: a `lightgbm.Booster`.
    """
    import lightgbm

    drawn = np.random.default_rng(config.seed).permutation(len(planted))
    extra = [planted[i] for i in drawn[: round(config.planted_share * len(rows))]]
    groups = (
        (rows, 1.0),
        (extra, config.planted_weight),
        (natives.spoken, config.native_weight),
        (natives.planted, config.native_planted_weight),
    )
    every = [row for group, _ in groups for row in group]
    inputs = np.concatenate([phone_context(row.features) for row in every])
    scores = np.concatenate([row.phone for row in every])
    target = scores if config.objective == "regression" else (scores < MISPRONOUNCED_BELOW).astype(np.float64)
    weight = np.concatenate([np.full(len(row.phone), weight) for group, weight in groups for row in group])
    return lightgbm.train(_parameters(config), lightgbm.Dataset(inputs, target, weight=weight), config.rounds)


def train_utterance_trees(rows: Sequence[ScoredFeatures], config: TreesTraining) -> list[Any]:
    """Fit trees to people's scores of utterances, one `lightgbm.Booster` for each of `UTTERANCE_SCORES`."""
    inputs = np.stack([utterance_context(row.features) for row in rows])
    return train_boosters(inputs, np.stack([row.utterance for row in rows]), config)


def train_boosters(inputs: NDArray[np.floating], targets: Float64, config: TreesTraining) -> list[Any]:
    """Fit trees to each column of `targets` (N, K) by itself, from `inputs` (N, F)."""
    import lightgbm

    return [lightgbm.train(_parameters(config), lightgbm.Dataset(inputs, one), config.rounds) for one in targets.T]


def _parameters(config: TreesTraining) -> dict[str, Any]:
    """Settings in LightGBM's words."""
    return {
        "objective": config.objective,
        "learning_rate": config.learning_rate,
        "num_leaves": config.num_leaves,
        "min_data_in_leaf": config.min_data_in_leaf,
        "feature_fraction": config.feature_fraction,
        "bagging_fraction": config.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": config.lambda_l2,
        "max_bin": config.max_bin,
        "seed": config.seed,
        "deterministic": True,
        "force_row_wise": True,
        # More threads than free cores wait for each other most of the time.
        "num_threads": 1,
        "verbosity": -1,
    }


def predict_utterance_trees(boosters: Sequence[Any], row: ScoredFeatures) -> Float64:
    """Scores of an utterance, 0 to 10, in the order of `UTTERANCE_SCORES`."""
    inputs = utterance_context(row.features)[None]
    return np.concatenate([booster.predict(inputs, num_threads=1) for booster in boosters]).clip(0.0, 10.0)


def predict_trees(booster: Any, row: ScoredFeatures) -> Float64:
    """Phone scores of an utterance, shape (L,), 0 to 2."""
    found: Float64 = np.asarray(booster.predict(phone_context(row.features), num_threads=1), dtype=np.float64)
    return found.clip(0.0, 2.0)


def predict_error_trees(booster: Any, row: ScoredFeatures) -> Float64:
    """Log-odds that people would call each phone of an utterance wrong, shape (L,)."""
    found = booster.predict(phone_context(row.features), num_threads=1, raw_score=True)
    return np.asarray(found, dtype=np.float64)


def add_trees(model: Any, booster: Any, share: float) -> Any:
    """Let the phone score of an ONNX scorer be its mean with the trees.

    Args:
        model: `onnx.ModelProto` with an output `phone_score` of shape (L,), 0 to 2; changed in place.
        booster: the trees.
        share: of the trees in the mean.

    Returns: the model, with one more input, `context`, shape (L, features), float32.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    _rename_output(graph, "phone_score", "smooth_score")
    graph.input.append(helper.make_tensor_value_info("context", TensorProto.FLOAT, ["phones", booster.num_feature()]))
    scalars = {"least": 0.0, "most": 2.0, "share": share, "rest": 1.0 - share}
    graph.initializer.extend(
        helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in scalars.items()
    )
    graph.initializer.append(helper.make_tensor("last_axis", TensorProto.INT64, [1], [1]))
    graph.node.extend(
        [
            *_tree_nodes(booster, "sharp_row"),
            helper.make_node("Clip", ["sharp_row", "least", "most"], ["sharp_score"]),
            helper.make_node("Mul", ["sharp_score", "share"], ["sharp_part"]),
            helper.make_node("Mul", ["smooth_score", "rest"], ["smooth_part"]),
            helper.make_node("Add", ["sharp_part", "smooth_part"], ["phone_score"]),
        ]
    )
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return model


def add_error_trees(model: Any, booster: Any) -> Any:
    """Let trees alone say the log-odds that a phone is wrong, in place of the transformers' error head.

    Args:
        model: from `add_trees`, with an output `error_log_odds` of shape (L,); changed in place.
        booster: the trees, of the objective "binary".

    Returns: the model.
    """
    _rename_output(model.graph, "error_log_odds", "smooth_error")
    model.graph.node.extend(_tree_nodes(booster, "error_log_odds"))
    return model


def add_utterance_trees(model: Any, boosters: Sequence[Any], share: float) -> Any:
    """Let the scores of the utterance be their mean with the trees.

    Args:
        model: from `add_trees`, with an output `utterance_score` of shape (4,), 0 to 2; changed in place.
        boosters: trees for each of them, 0 to 10.
        share: of the trees in the mean.

    Returns: the model, with one more input, `utterance_context`, shape (1, features), float32.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    _rename_output(graph, "utterance_score", "smooth_utterance")
    size = boosters[0].num_feature()
    graph.input.append(helper.make_tensor_value_info("utterance_context", TensorProto.FLOAT, [1, size]))
    scalars = {"utterance_share": share / 5.0, "utterance_rest": 1.0 - share, "utterance_most": 10.0}
    graph.initializer.extend(
        helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in scalars.items()
    )
    graph.initializer.append(helper.make_tensor("first_axis", TensorProto.INT64, [1], [0]))
    attributes: dict[str, Any] = tree_attributes([booster.dump_model()["tree_info"] for booster in boosters])
    graph.node.extend(
        [
            helper.make_node(
                "TreeEnsembleRegressor",
                ["utterance_context"],
                ["sharp_utterance_row"],
                domain="ai.onnx.ml",
                **attributes,
                n_targets=len(boosters),
                post_transform="NONE",
            ),
            helper.make_node("Squeeze", ["sharp_utterance_row", "first_axis"], ["sharp_utterance_raw"]),
            helper.make_node("Clip", ["sharp_utterance_raw", "least", "utterance_most"], ["sharp_utterance"]),
            helper.make_node("Mul", ["sharp_utterance", "utterance_share"], ["sharp_utterance_part"]),
            helper.make_node("Mul", ["smooth_utterance", "utterance_rest"], ["smooth_utterance_part"]),
            helper.make_node("Add", ["sharp_utterance_part", "smooth_utterance_part"], ["utterance_score"]),
        ]
    )
    return model


def _rename_output(graph: Any, name: str, other: str) -> None:
    """Give the result of a node another name, so that a new node can take the old one."""
    for node in graph.node:
        for place, output in enumerate(node.output):
            if output == name:
                node.output[place] = other


def _tree_nodes(booster: Any, name: str) -> list[Any]:
    """Nodes that turn the input `context` into what the trees say, `name`, shape (L,)."""
    from onnx import helper

    attributes: dict[str, Any] = tree_attributes([booster.dump_model()["tree_info"]])
    attributes |= {"n_targets": 1, "post_transform": "NONE"}
    column = f"{name}_column"
    return [
        helper.make_node("TreeEnsembleRegressor", ["context"], [column], domain="ai.onnx.ml", **attributes),
        helper.make_node("Squeeze", [column, "last_axis"], [name]),
    ]


def tree_attributes(targets: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    """Attributes of ONNX's TreeEnsembleRegressor from LightGBM's own description of the trees of each target."""
    nodes: dict[str, list[Any]] = {
        name: []
        for name in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_values",
            "nodes_modes",
            "nodes_truenodeids",
            "nodes_falsenodeids",
        )
    }
    leaves: dict[str, list[Any]] = {
        name: [] for name in ("target_treeids", "target_nodeids", "target_ids", "target_weights")
    }

    def walk(target: int, tree: int, node: Mapping[str, Any], number: int) -> int:
        """Append a node and all below it; returns the first free number."""
        free = number + 1
        feature, value, mode, yes, no = 0, 0.0, "LEAF", 0, 0
        place = len(nodes["nodes_treeids"])
        for name in nodes:
            nodes[name].append(None)
        if "split_feature" in node:
            feature, value, mode = node["split_feature"], floor_to_float32(node["threshold"]), "BRANCH_LEQ"
            yes = free
            free = walk(target, tree, node["left_child"], yes)
            no = free
            free = walk(target, tree, node["right_child"], no)
        else:
            for name, entry in zip(leaves, (tree, number, target, node["leaf_value"]), strict=True):
                leaves[name].append(entry)
        for name, entry in zip(nodes, (tree, number, feature, value, mode, yes, no), strict=True):
            nodes[name][place] = entry
        return free

    trees = ((target, one) for target, every in enumerate(targets) for one in every)
    for tree, (target, description) in enumerate(trees):
        walk(target, tree, description["tree_structure"], 0)
    return nodes | leaves


def floor_to_float32(threshold: float) -> float:
    """The largest float32 not above a threshold: a float32 x is <= the one exactly where it is <= the other."""
    rounded = np.float32(threshold)
    return float(rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-np.inf)))
