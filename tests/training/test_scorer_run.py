"""A run of the scorer on few planted utterances: folds are kept apart, and the graph says what both models say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from elocute.diagnosis import Detector
from elocute.phones import PHONES
from elocute.scorer import analyse
from elocute.scorer.context import phone_context
from elocute.training.detector import detector_inputs_of
from elocute.training.native_rows import Natives
from elocute.training.scorer import Predicted, ScorerTraining, predict
from elocute.training.scorer_data import ScoredFeatures
from elocute.training.scorer_model import Ensemble
from elocute.training.scorer_run import (
    Member,
    ScorerRun,
    export,
    planted_table,
    predict_fold,
    train_members,
)
from elocute.training.trees import TreesTraining, predict_trees, train_trees
from planted import heard, rated, recording

try:
    import lightgbm  # noqa: F401
except OSError as error:  # it loads a system library that not every machine has
    pytest.skip(f"LightGBM cannot be loaded: {error}", allow_module_level=True)

CONFIG = ScorerRun(
    speechocean=Path("none"),
    heldout=Path("none"),
    out=Path("none"),
    folds=3,
    members=(Member(seed=1, planted_share=0.0), Member(seed=2, planted_share=0.5)),
    training=ScorerTraining(epochs=2, batch=8),
    trees=TreesTraining(share=0.4, rounds=8, num_leaves=4, min_data_in_leaf=5),
)
FOLD_OF = {str(speaker): speaker % 3 for speaker in range(6)}


def table(count: int, seed: int, *, is_planted: bool = False) -> list[ScoredFeatures]:
    """Random words of which one phone was replaced."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        symbols = rng.choice(PHONES, size=int(rng.integers(3, 8))).tolist()
        wrong = int(rng.integers(len(symbols)))
        said = [*symbols[:wrong], str(rng.choice([p for p in PHONES if p != symbols[wrong]])), *symbols[wrong + 1 :]]
        words = [0, *[1] * (len(symbols) - 1)]
        rows.append(
            ScoredFeatures(
                id=f"{number}",
                speaker=str(number % 6),
                is_child=False,
                features=analyse(rated(heard(said, 1.0)), symbols, words, recording(1.0, seed=number)).features,
                phone=np.where(np.arange(len(symbols)) == wrong, 0.0, 2.0),
                word=np.full((2, 3), 8.0),
                utterance=rng.uniform(3, 10, 4),
                is_planted=is_planted,
            )
        )
    return rows


@pytest.fixture(scope="module")
def tables() -> tuple[list[ScoredFeatures], ...]:
    return table(18, 0), table(18, 1, is_planted=True), table(18, 2, is_planted=True)


def test_a_fold_is_predicted_whole_and_without_its_own_scores(tables: tuple[list[ScoredFeatures], ...]):
    found = predict_fold(tables, Natives(), FOLD_OF, 1, CONFIG)
    own = [[row.id for row in part if FOLD_OF[row.speaker] == 1] for part in tables]
    assert [list(part) for part in found] == own
    turned = tuple(
        [replace(row, phone=2.0 - row.phone) if FOLD_OF[row.speaker] == 1 else row for row in part] for part in tables
    )
    again = predict_fold(turned, Natives(), FOLD_OF, 1, CONFIG)
    for before, after in zip(found, again, strict=True):
        for key, value in before.items():
            np.testing.assert_array_equal(value.phone, after[key].phone)
            np.testing.assert_array_equal(value.error, after[key].error)


def test_phone_scores_are_the_mean_of_members_and_trees(tables: tuple[list[ScoredFeatures], ...]):
    """With no share the trees are silent, with all of it the members are; words and utterances are the members'."""

    def scores(share: float, members: tuple[Member, ...] = CONFIG.members, rounds: int = 8) -> dict[str, Predicted]:
        trees = replace(CONFIG.trees, share=share, rounds=rounds)
        return predict_fold(tables, Natives(), FOLD_OF, 0, replace(CONFIG, members=members, trees=trees))[0]

    smooth, sharp, both = scores(0.0), scores(1.0), scores(0.4)
    for key, value in both.items():
        np.testing.assert_allclose(value.phone, 0.6 * smooth[key].phone + 0.4 * sharp[key].phone, atol=1e-6)
        np.testing.assert_array_equal(value.word, smooth[key].word)
        np.testing.assert_array_equal(value.utterance, sharp[key].utterance)
        np.testing.assert_array_equal(value.error, smooth[key].error)
    other_trees, other_members = scores(0.0, rounds=1), scores(1.0, members=CONFIG.members[:1])
    for key in both:
        np.testing.assert_array_equal(other_trees[key].phone, smooth[key].phone)
        np.testing.assert_array_equal(other_members[key].phone, sharp[key].phone)
    assert any(not np.allclose(smooth[key].phone, sharp[key].phone, atol=0.1) for key in both)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore:# The axis name"
)  # PyTorch on itself
def test_the_exported_graph_says_what_members_and_trees_say(tables: tuple[list[ScoredFeatures], ...], tmp_path: Path):
    """Of every utterance, whatever its size; not only of the one that the export was traced with."""
    rows, planted, _ = tables
    members = train_members(rows, planted, replace(CONFIG, members=CONFIG.members[1:]))  # one, for time
    booster = train_trees(rows, planted, Natives(), CONFIG.trees)
    export(Ensemble(members).eval(), booster, rows[0], tmp_path / "scorer.onnx", 0.4)
    session = onnxruntime.InferenceSession(str(tmp_path / "scorer.onnx"), providers=["CPUExecutionProvider"])
    names = ["phone_score", "word_score", "utterance_score", "error_log_odds"]
    for row, expected in zip(rows, predict(members, rows), strict=True):
        features = row.features
        phone, word, whole, error = session.run(
            names,
            {
                "phone": features.phone,
                "utterance": features.utterance,
                "phone_ids": features.phone_ids,
                "member": (features.word_ids[:, None] == np.arange(2)).astype(np.float32),
                "context": phone_context(features),
            },
        )
        np.testing.assert_allclose(phone, 0.6 * expected.phone + 0.4 * predict_trees(booster, row), atol=1e-4)
        np.testing.assert_allclose(5 * word, expected.word, atol=1e-3)
        np.testing.assert_allclose(5 * whole, expected.utterance, atol=1e-3)
        np.testing.assert_allclose(error, expected.error, atol=1e-3)


def test_members_differ_by_seed_and_by_what_they_saw(tables: tuple[list[ScoredFeatures], ...]):
    rows, planted, _ = tables
    one, two = train_members(rows, planted, CONFIG)
    (alone,) = train_members(rows, [], replace(CONFIG, members=CONFIG.members[:1]))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), alone.parameters(), strict=True))
    (unplanted,) = train_members(rows, [], replace(CONFIG, members=CONFIG.members[1:]))
    assert not all(torch.equal(a, b) for a, b in zip(two.parameters(), unplanted.parameters(), strict=True))


def test_planted_errors_are_counted(tables: tuple[list[ScoredFeatures], ...]):
    rows = tables[1][:4]
    detector = Detector(bias=0.0, weights=(0.0, 0.0, 0.0, 0.0, 1.0), threshold=0.5, omission_nats_per_phone=1.0)
    predicted = []
    for number, row in enumerate(rows):
        score, odds = np.where(row.phone == 0, 0.5, 1.5), np.where(row.phone == 0, 2.0, -2.0)
        if number == 0:  # one is missed, and another phone is disliked
            score, odds = 2.0 - score, -odds
        predicted.append(Predicted(phone=score, word=row.word, utterance=row.utterance, error=odds))
        assert detector_inputs_of(row, predicted[-1]).shape == (len(row.phone), 5)
    found = planted_table(rows, predicted, detector)
    assert found["utterances"] == 4
    assert found["lowest_phone_is_planted"] == found["flagged"] == 0.75
    assert found["mean_score_of_planted"] == pytest.approx((3 * 0.5 + 1.5) / 4)
