"""A run of the scorer on few planted utterances: folds are kept apart, and the graph says what both models say."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from elocute.assessor import Assessor
from elocute.diagnosis import Detector
from elocute.phones import PHONES
from elocute.scorer import analyse
from elocute.scorer.context import phone_context, utterance_context
from elocute.training import scorer_run as module
from elocute.training.native_rows import Natives
from elocute.training.scorer import Predicted, ScorerTraining, predict
from elocute.training.scorer_data import ScoredFeatures, held_out
from elocute.training.scorer_predictions import FoldScorer
from elocute.training.scorer_run import (
    Member,
    ScorerRun,
    export,
    out_of_fold,
    train_all,
    train_fold,
    train_members,
)
from elocute.training.scorer_tables import planted_table
from elocute.training.trees import TreesTraining, predict_error_trees, predict_trees, predict_utterance_trees
from inline_pool import Inline
from planted import RatedBackend, heard, rated, recording

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
    error_trees=TreesTraining(objective="binary", rounds=6, num_leaves=4, min_data_in_leaf=5),
    utterance_trees=TreesTraining(share=0.3, rounds=5, num_leaves=3, min_data_in_leaf=2),
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


def test_a_fold_is_trained_without_its_own_scores(tables: tuple[list[ScoredFeatures], ...]):
    """In none of the three tables."""
    turned = tuple(
        [
            replace(row, phone=2.0 - row.phone, utterance=10.0 - row.utterance) if FOLD_OF[row.speaker] == 1 else row
            for row in part
        ]
        for part in tables
    )
    first, again = (train_fold(part, Natives(), FOLD_OF, 1, CONFIG) for part in (tables, turned))
    rows = [row for part in tables for row in part]
    for before, after in zip(first.predict(rows), again.predict(rows), strict=True):
        np.testing.assert_array_equal(before.phone, after.phone)
        np.testing.assert_array_equal(before.word, after.word)
        np.testing.assert_array_equal(before.utterance, after.utterance)
        np.testing.assert_array_equal(before.error, after.error)
    other = train_fold(turned, Natives(), FOLD_OF, 0, CONFIG)
    mine = train_fold(tables, Natives(), FOLD_OF, 0, CONFIG)
    assert not np.allclose(other.predict(rows[:1])[0].error, mine.predict(rows[:1])[0].error)


def test_every_row_is_predicted_by_the_scorer_that_did_not_see_its_speaker(
    tables: tuple[list[ScoredFeatures], ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module.concurrent.futures, "ProcessPoolExecutor", Inline)
    config = replace(CONFIG, members=CONFIG.members[:1])
    scorers, predicted, wrong = out_of_fold(tables, Natives(), FOLD_OF, config)
    assert sorted(scorers) == [0, 1, 2]
    for part, found in zip(tables[:2], (predicted, wrong), strict=True):
        assert len(found) == len(part)
        for row, one in zip(part, found, strict=True):
            (expected,) = scorers[FOLD_OF[row.speaker]].predict([row])
            np.testing.assert_allclose(one.phone, expected.phone, atol=1e-6)
            np.testing.assert_allclose(one.error, expected.error, atol=1e-6)
    alone = train_fold(tables, Natives(), FOLD_OF, 2, config)
    np.testing.assert_array_equal(alone.predict(tables[0])[0].error, scorers[2].predict(tables[0])[0].error)


@pytest.fixture(scope="module")
def trained(tables: tuple[list[ScoredFeatures], ...]) -> FoldScorer:
    """One member, for time, and both kinds of trees."""
    return train_all(*tables, Natives(), replace(CONFIG, members=CONFIG.members[1:]))


def test_scores_of_phones_and_utterances_are_means_of_members_and_trees(
    tables: tuple[list[ScoredFeatures], ...], trained: FoldScorer
):
    """Log-odds of errors are the error trees', words the members'."""
    rows = tables[0]
    assert trained.share == CONFIG.trees.share == 0.4
    for row, found, smooth in zip(rows, trained.predict(rows), predict(trained.members, rows), strict=True):
        sharp = predict_trees(trained.trees, row)
        np.testing.assert_allclose(found.phone, 0.6 * smooth.phone + 0.4 * sharp, atol=1e-9)
        np.testing.assert_array_equal(found.word, smooth.word)
        whole = predict_utterance_trees(trained.utterance_trees, row)
        np.testing.assert_allclose(found.utterance, 0.7 * smooth.utterance + 0.3 * whole, atol=1e-9)
        np.testing.assert_array_equal(found.error, predict_error_trees(trained.error_trees, row))
        assert not np.allclose(found.error, smooth.error)


def test_the_assessor_s_scores_are_the_predictions_on_its_scale(
    tables: tuple[list[ScoredFeatures], ...], trained: FoldScorer
):
    """Of features alone: what people scored is not looked at."""
    for row in tables[0][:5]:
        (found,) = trained.predict([replace(row, phone=2.0 - row.phone, utterance=np.ones(4))])
        scores = trained.score(row.features)
        np.testing.assert_allclose(scores.phone, found.phone / 2)
        np.testing.assert_array_equal(scores.error_log_odds, found.error)
        columns = [scores.word_accuracy, scores.word_stress, scores.word_total]
        np.testing.assert_allclose(np.column_stack(columns), found.word / 10)
        whole = [scores.accuracy, scores.fluency, scores.prosodic, scores.total]
        np.testing.assert_allclose(whole, found.utterance / 10)


def test_a_fold_s_scorer_serves_the_assessor_and_survives_a_process(trained: FoldScorer):
    said = ["DH", "AH", "K", "AE", "T"]
    backend = RatedBackend(PHONES, said)
    reports = [
        Assessor(backend=backend, scorer=scorer).assess(recording(2.0), "the cat")
        for scorer in (trained, pickle.loads(pickle.dumps(trained)))
    ]
    assert reports[0] == reports[1]
    assert reports[0].model.scorer == "out-of-fold 0"
    assert len(reports[0].words) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore:# The axis name"
)  # PyTorch on itself
def test_the_exported_graph_says_what_members_and_trees_say(
    tables: tuple[list[ScoredFeatures], ...], trained: FoldScorer, tmp_path: Path
):
    """Of every utterance, whatever its size; not only of the one that the export was traced with."""
    rows = tables[0]
    export(trained, rows[0], tmp_path / "scorer.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "scorer.onnx"), providers=["CPUExecutionProvider"])
    names = ["phone_score", "word_score", "utterance_score", "error_log_odds"]
    for row, expected in zip(rows, trained.predict(rows), strict=True):
        features = row.features
        phone, word, whole, error = session.run(
            names,
            {
                "phone": features.phone,
                "utterance": features.utterance,
                "phone_ids": features.phone_ids,
                "member": (features.word_ids[:, None] == np.arange(2)).astype(np.float32),
                "context": phone_context(features),
                "utterance_context": utterance_context(features)[None],
            },
        )
        np.testing.assert_allclose(phone, expected.phone, atol=1e-4)
        np.testing.assert_allclose(5 * word, expected.word, atol=1e-3)
        np.testing.assert_allclose(5 * whole, expected.utterance, atol=1e-3)
        np.testing.assert_allclose(error, expected.error, atol=1e-4)


def test_members_differ_by_seed_and_by_what_they_saw(tables: tuple[list[ScoredFeatures], ...]):
    rows, planted, _ = tables
    one, two = train_members(rows, planted, CONFIG)
    (alone,) = train_members(rows, [], replace(CONFIG, members=CONFIG.members[:1]))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), alone.parameters(), strict=True))
    (unplanted,) = train_members(rows, [], replace(CONFIG, members=CONFIG.members[1:]))
    assert not all(torch.equal(a, b) for a, b in zip(two.parameters(), unplanted.parameters(), strict=True))


def test_planted_errors_are_counted(tables: tuple[list[ScoredFeatures], ...]):
    """By the scorer's log-odds alone; at normal sensitivity."""
    rows = tables[1][:4]
    detector = Detector(bias=0.0, weights=(1.0, 0.0, 0.0), thresholds=(0.95, 0.5, 0.3, 0.1))
    nothing = held_out(heard(["S"]).log_probs)
    predicted = []
    for number, row in enumerate(rows):
        score, odds = np.where(row.phone == 0, 0.5, 1.5), np.where(row.phone == 0, 2.0, -2.0)
        if number == 0:  # one is missed, and another phone is disliked
            score, odds = 2.0 - score, -odds
        predicted.append(Predicted(phone=score, word=row.word, utterance=row.utterance, error=odds))
    listened = dict.fromkeys((row.id for row in rows), nothing)
    found = planted_table(rows, predicted, listened, detector)
    assert found["utterances"] == 4
    assert found["lowest_phone_is_planted"] == found["flagged"] == 0.75
    assert found["mean_score_of_planted"] == pytest.approx((3 * 0.5 + 1.5) / 4)
    strict = replace(detector, thresholds=(0.99, 0.95, 0.3, 0.1))
    assert planted_table(rows, predicted, listened, strict)["flagged"] == 0.0
