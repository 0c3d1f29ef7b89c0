"""Boosted trees: the ONNX node says what LightGBM says, and training finds what was planted."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from elocute.evaluation import pcc, roc_auc
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Features
from elocute.scorer.context import phone_context
from elocute.scorer.manner import PROSODY_FEATURES
from elocute.training.native_rows import Natives
from elocute.training.scorer_data import ScoredFeatures
from elocute.training.trees import (
    ERROR_TREES,
    TreesTraining,
    add_error_trees,
    add_trees,
    add_utterance_trees,
    floor_to_float32,
    predict_error_trees,
    predict_trees,
    predict_utterance_trees,
    train_trees,
    train_utterance_trees,
    tree_attributes,
)

# --- the ONNX node ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lightgbm() -> Any:
    """LightGBM; importing it loads a system library that not every machine has."""
    try:
        import lightgbm
    except OSError as error:
        pytest.skip(f"LightGBM cannot be loaded: {error}")
    return lightgbm


@pytest.fixture(scope="module")
def booster(lightgbm: Any) -> Any:
    """Trees with many leaves far apart, half of them outside of the scale."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1500, 6)).astype(np.float32)
    inputs[:, 4] = rng.integers(-3, 4, len(inputs))  # few values, zero among them
    inputs[:, 5] = np.float32(1e30) * inputs[:, 0]
    truth = 1.0 + inputs[:, 0] * inputs[:, 1] + (inputs[:, 4] > 0) + rng.normal(size=len(inputs))
    settings = {"num_leaves": 31, "learning_rate": 0.3, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1}
    return lightgbm.train(settings, lightgbm.Dataset(inputs, truth), 25)


def smooth_scorer() -> onnx.ModelProto:
    """The least model with a phone score and log-odds of an error, both as they are given."""
    given = ("smooth", "odds")
    said = ("phone_score", "error_log_odds")
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["phones"]) for name in names]
        for names in (given, said)
    )
    nodes = [helper.make_node("Identity", [one], [other]) for one, other in zip(given, said, strict=True)]
    graph = helper.make_graph(nodes, "scorer", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def blended(booster: Any, share: float, context: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    model = add_trees(smooth_scorer(), booster, share)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    odds = np.linspace(-3, 3, len(smooth), dtype=np.float32)
    given = {"smooth": smooth.astype(np.float32), "odds": odds, "context": context}
    found, unchanged = session.run(["phone_score", "error_log_odds"], given)
    np.testing.assert_array_equal(unchanged, odds)
    return found


def splits(node: dict[str, Any]) -> list[tuple[int, float]]:
    """Feature and threshold of every split at and below a node of LightGBM's own description."""
    if "split_feature" not in node:
        return []
    below = splits(node["left_child"]) + splits(node["right_child"])
    return [(node["split_feature"], node["threshold"]), *below]


def at_thresholds(booster: Any) -> np.ndarray:
    """A row a split, whose feature is the float32 nearest to the threshold, or the next above or below."""
    every = [split for tree in booster.dump_model()["tree_info"] for split in splits(tree["tree_structure"])]
    nearest = np.array([threshold for _, threshold in every]).astype(np.float32)
    rows = np.random.default_rng(1).normal(size=(3, len(every), booster.num_feature())).astype(np.float32)
    for row, values in zip(
        rows, (nearest, *(np.nextafter(nearest, np.float32(end)) for end in (-np.inf, np.inf))), strict=True
    ):
        row[np.arange(len(every)), [feature for feature, _ in every]] = values
    rows[np.abs(rows) <= np.float32(1e-35)] = 0.0  # so LightGBM reads them, and sets thresholds of 1e-35 around them
    return rows.reshape(-1, booster.num_feature())


def test_the_node_says_what_lightgbm_says(booster: Any):
    fresh = np.random.default_rng(2).normal(size=(500, 6)).astype(np.float32)
    fresh[:100, 4] = 0.0
    fresh[100:200] *= np.float32(1e-36)  # within the bounds that LightGBM puts around zero
    fresh[200:300, 5] *= np.float32(1e30)
    expected = booster.predict(fresh)
    assert (expected < 0).any()
    assert (expected > 2).any()
    found = blended(booster, 1.0, fresh, np.zeros(len(fresh)))
    np.testing.assert_allclose(found, expected.clip(0, 2), atol=1e-5)


def test_the_node_says_what_lightgbm_says_at_every_threshold(booster: Any):
    """Thresholds are float64 and inputs float32: a threshold rounded up would move an input to its other side."""
    rows = at_thresholds(booster)
    assert len(rows) > 1500
    found = blended(booster, 1.0, rows, np.zeros(len(rows)))
    np.testing.assert_allclose(found, booster.predict(rows).clip(0, 2), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_score_is_the_mean_with_the_trees(booster: Any, share: float):
    rng = np.random.default_rng(3)
    context, smooth = rng.normal(size=(50, 6)).astype(np.float32), rng.uniform(0, 2, 50)
    found = blended(booster, share, context, smooth)
    np.testing.assert_allclose(found, (1 - share) * smooth + share * booster.predict(context).clip(0, 2), atol=1e-5)


def test_log_odds_of_errors_are_those_of_the_other_trees_alone(booster: Any, lightgbm: Any):
    """Unclipped, whatever the model itself thought of the errors; the phone scores stay the first trees'."""
    rng = np.random.default_rng(6)
    inputs = rng.normal(size=(800, 6)).astype(np.float32)
    settings = {"objective": "binary", "num_leaves": 15, "num_threads": 1, "verbosity": -1}
    wrong = (inputs[:, 1] > 1.0).astype(float)
    errors = lightgbm.train(settings, lightgbm.Dataset(inputs, wrong), 60)
    model = add_error_trees(add_trees(smooth_scorer(), booster, 0.3), errors)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    fresh = rng.normal(size=(300, 6)).astype(np.float32)
    smooth = rng.uniform(0, 2, 300).astype(np.float32)
    for rows in (slice(None), slice(1)):
        given = {"smooth": smooth[rows], "odds": np.full(300, 99.0, np.float32)[rows], "context": fresh[rows]}
        phone, odds = session.run(["phone_score", "error_log_odds"], given)
        np.testing.assert_allclose(odds, errors.predict(fresh[rows], raw_score=True), atol=1e-4)
        expected = 0.7 * smooth[rows] + 0.3 * booster.predict(fresh[rows]).clip(0, 2)
        np.testing.assert_allclose(phone, expected, atol=1e-5)
    assert odds.shape == (1,)
    stated = errors.predict(fresh, raw_score=True)
    assert stated.min() < 0 < 2 < stated.max()


def test_one_phone_is_scored_too(booster: Any):
    context = np.zeros((1, 6), np.float32)
    assert blended(booster, 0.5, context, np.ones(1)) == pytest.approx(0.5 + booster.predict(context).clip(0, 2) / 2)


def test_trees_without_a_split_are_constants(lightgbm: Any):
    inputs = np.random.default_rng(4).normal(size=(100, 2)).astype(np.float32)
    settings = {"min_data_in_leaf": 80, "num_threads": 1, "verbosity": -1}
    constant = lightgbm.train(settings, lightgbm.Dataset(inputs, np.linspace(0, 2.5, 100)), 3)
    assert [splits(tree["tree_structure"]) for tree in constant.dump_model()["tree_info"]] == [[]] * len(
        constant.dump_model()["tree_info"]
    )
    np.testing.assert_allclose(blended(constant, 1.0, inputs, np.zeros(100)), 1.25, rtol=1e-5)


def test_attributes_of_a_tree_are_its_nodes_in_order():
    small = {
        "split_feature": 3,
        "threshold": 0.1,
        "left_child": {"leaf_value": -1.0},
        "right_child": {
            "split_feature": 0,
            "threshold": 2.5,
            "left_child": {"leaf_value": 5.0},
            "right_child": {"leaf_value": 7.0},
        },
    }
    found = tree_attributes([[{"tree_structure": small}, {"tree_structure": {"leaf_value": 0.5}}]])
    nodes = list(
        zip(
            *(
                found[f"nodes_{name}"]
                for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
            ),
            strict=True,
        )
    )
    below = float(np.nextafter(np.float32(0.1), np.float32(0)))  # the float32 nearest to 0.1 is above it
    assert nodes == [
        (0, 0, 3, below, "BRANCH_LEQ", 1, 2),
        (0, 1, 0, 0.0, "LEAF", 0, 0),
        (0, 2, 0, 2.5, "BRANCH_LEQ", 3, 4),
        (0, 3, 0, 0.0, "LEAF", 0, 0),
        (0, 4, 0, 0.0, "LEAF", 0, 0),
        (1, 0, 0, 0.0, "LEAF", 0, 0),
    ]
    leaves = zip(*(found[f"target_{name}"] for name in ("treeids", "nodeids", "ids", "weights")), strict=True)
    assert list(leaves) == [(0, 1, 0, -1.0), (0, 3, 0, 5.0), (0, 4, 0, 7.0), (1, 0, 0, 0.5)]


LARGEST = float(np.finfo(np.float32).max)


@given(st.floats(-LARGEST, LARGEST / 2))
@example(0.1)
@example(0.0)
@example(1e-45)  # between zero and the least float32
@example(-1e-46)
def test_the_floor_is_the_largest_float32_below(threshold: float):
    found = floor_to_float32(threshold)
    assert float(np.float32(found)) == found <= threshold
    assert float(np.nextafter(np.float32(found), np.float32(np.inf))) > threshold


@given(st.floats(-LARGEST, LARGEST), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_floor_parts_float32_as_the_threshold_does(threshold: float, value: float):
    nearest = float(np.float32(threshold))
    for x in (value, nearest):
        assert (x <= floor_to_float32(threshold)) == (x <= threshold)


def test_scores_of_the_utterance_are_means_with_their_own_trees(lightgbm: Any):
    """Each with its own, clipped to the scale; an input that lies on a threshold included."""
    rng = np.random.default_rng(8)
    inputs = rng.integers(-4, 5, size=(300, 5)).astype(np.float32)
    settings = {"num_leaves": 4, "min_data_in_leaf": 5, "learning_rate": 0.3, "num_threads": 1, "verbosity": -1}
    boosters = [
        lightgbm.train(settings, lightgbm.Dataset(inputs, 5 + 2 * inputs[:, k] * inputs[:, 4]), 20) for k in range(4)
    ]
    given = [helper.make_tensor_value_info("smooth", TensorProto.FLOAT, [4])]
    said = [helper.make_tensor_value_info("utterance_score", TensorProto.FLOAT, [4])]
    nodes = [helper.make_node("Identity", ["smooth"], ["utterance_score"])]
    graph = helper.make_graph(nodes, "scorer", given, said)
    least = helper.make_tensor("least", TensorProto.FLOAT, [], [0.0])
    graph.initializer.append(least)  # which `add_trees` puts there
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = add_utterance_trees(helper.make_model(graph, opset_imports=opsets, ir_version=10), boosters, 0.3)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    clipped = 0
    for row in inputs[:60]:
        smooth = rng.uniform(0, 2, 4).astype(np.float32)
        (found,) = session.run(["utterance_score"], {"smooth": smooth, "utterance_context": row[None]})
        raw = np.array([booster.predict(row[None])[0] for booster in boosters])
        clipped += int(((raw < 0) | (raw > 10)).sum())
        np.testing.assert_allclose(found, 0.7 * smooth + 0.3 * raw.clip(0, 10) / 5, atol=1e-5)
    assert clipped > 10


# --- training --------------------------------------------------------------------------------------------------


def rows_of(count: int, seed: int, name: str = "gop_sd", offset: int = 0) -> list[ScoredFeatures]:
    """Random utterances of twelve phones whose score falls from 2 to 1 where a feature, of a neighbour, is low."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        phone = rng.normal(size=(12, len(PHONE_FEATURES))).astype(np.float32)
        shown = np.roll(phone[:, PHONE_FEATURES.index(name)], -offset)
        rows.append(
            ScoredFeatures(
                id=str(number),
                speaker=str(number % 5),
                is_child=False,
                features=Features(
                    phone=phone,
                    utterance=rng.normal(size=len(UTTERANCE_FEATURES)).astype(np.float32),
                    phone_ids=rng.integers(0, len(PHONES), 12),
                    word_ids=np.repeat([0, 1, 2], 4),
                ),
                phone=np.where(shown < -0.3, 1.0, 2.0),
                word=np.zeros((3, 3)),
                utterance=np.zeros(4),
            )
        )
    return rows


QUICK = TreesTraining(rounds=60, learning_rate=0.1, num_leaves=7, min_data_in_leaf=20, feature_fraction=0.5)


def scores(booster: Any, rows: list[ScoredFeatures]) -> np.ndarray:
    return np.concatenate([predict_trees(booster, row) for row in rows])


@pytest.mark.parametrize("offset", [0, 1, -2])
def test_a_planted_relation_is_learnt_even_if_it_is_with_a_neighbour(lightgbm: Any, offset: int):
    unseen = rows_of(20, seed=1, offset=offset)
    found = scores(train_trees(rows_of(60, seed=0, offset=offset), [], Natives(), QUICK), unseen)
    inside = np.tile(np.arange(12), 20)
    has_neighbour = (inside + offset >= 0) & (inside + offset < 12)
    truth = np.concatenate([row.phone for row in unseen])
    assert pcc(found[has_neighbour], truth[has_neighbour]) > 0.9


def test_predictions_lie_on_the_scale(lightgbm: Any):
    shifted = [replace(row, phone=2 * row.phone - 1) for row in rows_of(40, seed=2)]  # 1 or 3
    high = train_trees(shifted, [], Natives(), QUICK)
    found = scores(high, rows_of(5, seed=3))
    assert found.max() == 2.0
    assert found.min() >= 0.0
    assert found.dtype == np.float64


def test_utterance_trees_learn_a_relation_to_the_prosody(lightgbm: Any):
    """Of four scores one follows a feature that was measured of the prosody, and stays unknown where it was not."""
    rng = np.random.default_rng(4)
    column = PROSODY_FEATURES.index("npvi_v")

    def spoken(count: int, seed: int) -> list[ScoredFeatures]:
        made = []
        for row in rows_of(count, seed):
            prosody = rng.normal(size=len(PROSODY_FEATURES)).astype(np.float32)
            truth = rng.uniform(4, 6, 4)
            truth[2] = 8.0 if prosody[column] > 0 else 3.0
            made.append(replace(row, features=replace(row.features, prosody=prosody), utterance=truth))
        return made

    boosters = train_utterance_trees(spoken(300, 0), replace(QUICK, num_leaves=3))
    unseen = spoken(60, 1)
    found = np.stack([predict_utterance_trees(boosters, row) for row in unseen])
    truth = np.stack([row.utterance for row in unseen])
    assert found.shape == (60, 4)
    assert pcc(found[:, 2], truth[:, 2]) > 0.95
    assert abs(pcc(found[:, 0], truth[:, 0])) < 0.4
    unknown = replace(unseen[0], features=replace(unseen[0].features, prosody=None))
    assert (
        0.0
        <= predict_utterance_trees(boosters, unknown).min()
        <= predict_utterance_trees(boosters, unknown).max()
        <= 10
    )


BINARY = replace(QUICK, objective="binary", share=1.0)


def test_error_trees_learn_whether_people_called_a_phone_wrong(lightgbm: Any):
    """Not how well it was said: scores of 0.5 and of 2 are the same to them, and those below 0.5."""

    def scored(rows: list[ScoredFeatures], low: float, high: float) -> list[ScoredFeatures]:
        return [replace(row, phone=np.where(row.phone < 1.5, low, high)) for row in rows]

    rows, unseen = rows_of(60, seed=0), rows_of(20, seed=1)
    wrong = np.concatenate([row.phone for row in unseen]) < 1.5
    booster = train_trees(scored(rows, 0.4, 0.5), [], Natives(), BINARY)
    odds = np.concatenate([predict_error_trees(booster, row) for row in unseen])
    assert odds.dtype == np.float64
    assert roc_auc(wrong, odds) > 0.98
    assert odds[wrong].mean() > 1.0
    assert odds[~wrong].mean() < -1.0
    other = train_trees(scored(rows, 0.0, 2.0), [], Natives(), BINARY)
    for row in unseen:
        np.testing.assert_array_equal(predict_error_trees(other, row), predict_error_trees(booster, row))
    (one,) = unseen[:1]
    stated = booster.predict(phone_context(one.features))
    np.testing.assert_allclose(1 / (1 + np.exp(-predict_error_trees(booster, one))), stated)


def test_error_trees_of_the_shipped_settings_tell_errors(lightgbm: Any):
    assert ERROR_TREES.objective == "binary"
    unseen = rows_of(10, seed=3)
    rows = [replace(row, phone=row.phone - 1.0) for row in rows_of(60, seed=2)]
    booster = train_trees(rows, [], Natives(), replace(ERROR_TREES, rounds=60))
    odds = np.concatenate([predict_error_trees(booster, row) for row in unseen])
    assert roc_auc(np.concatenate([row.phone for row in unseen]) < 1.5, odds) > 0.9


def planted_rows(count: int, seed: int) -> list[ScoredFeatures]:
    """Rows whose phones with a high rating nobody said; among people's scores the rating means nothing."""
    rating = PHONE_FEATURES.index("rating")
    return [
        replace(row, phone=np.where(row.features.phone[:, rating] > 0.5, 0.0, row.phone), is_planted=True)
        for row in rows_of(count, seed)
    ]


def test_planted_rows_count_by_their_weight_and_share(lightgbm: Any):
    rows, planted, unseen = rows_of(50, seed=5), planted_rows(50, seed=6), rows_of(20, seed=7)
    rated = np.concatenate([row.features.phone[:, PHONE_FEATURES.index("rating")] for row in unseen]) > 0.5

    def gap(share: float, weight: float) -> float:
        settings = replace(QUICK, planted_share=share, planted_weight=weight)
        found = scores(train_trees(rows, planted, Natives(), settings), unseen)
        return float(found[~rated].mean() - found[rated].mean())

    none, light, heavy, few = gap(0.0, 1.0), gap(1.0, 0.2), gap(1.0, 1.0), gap(0.1, 1.0)
    assert abs(none) < 0.1
    assert none + 0.05 < light < heavy - 0.2
    assert none + 0.02 < few < heavy - 0.2
    assert gap(5.0, 1.0) == heavy  # there are no more than all


def test_native_speech_counts_by_its_weights(lightgbm: Any):
    """Planted errors in native speech teach the same as those in learners' speech, as much as their weight says."""
    rows, planted, unseen = rows_of(50, seed=5), planted_rows(50, seed=6), rows_of(20, seed=7)
    rated = np.concatenate([row.features.phone[:, PHONE_FEATURES.index("rating")] for row in unseen]) > 0.5

    def gap(natives: Natives, own: float, wrong: float) -> float:
        settings = replace(QUICK, native_weight=own, native_planted_weight=wrong)
        found = scores(train_trees(rows, [], natives, settings), unseen)
        return float(found[~rated].mean() - found[rated].mean())

    wrong, own = Natives(planted=tuple(planted)), Natives(spoken=tuple(planted))
    assert abs(gap(Natives(), 1.0, 1.0)) < 0.1
    assert gap(Natives(), 1.0, 1.0) + 0.05 < gap(wrong, 1.0, 0.2) < gap(wrong, 1.0, 1.0) - 0.2
    assert gap(own, 0.2, 1.0) == gap(wrong, 1.0, 0.2)


def test_the_same_seed_grows_the_same_trees(lightgbm: Any):
    rows, planted = rows_of(30, seed=8), planted_rows(30, seed=9)
    first, same, other = (
        train_trees(rows, planted, Natives(), replace(QUICK, seed=seed)).model_to_string().split("parameters:")[0]
        for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other
