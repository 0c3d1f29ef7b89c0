"""What a group of features is worth: a planted relation is lost with its own group and with no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Features
from elocute.scorer.context import UTTERANCE_CONTEXT
from elocute.scorer.manner import GROUPS, PROSODY_FEATURES
from elocute.training.ablation import SCORES, _columns, ablate
from elocute.training.scorer import Predicted
from elocute.training.scorer_data import ScoredFeatures
from elocute.training.trees import UTTERANCE_TREES

try:
    import lightgbm  # noqa: F401
except OSError as error:  # it loads a system library that not every machine has
    pytest.skip(f"LightGBM cannot be loaded: {error}", allow_module_level=True)


def test_every_column_of_step_six_is_in_one_group():
    columns = [column for group in GROUPS for column in _columns(group)]
    assert len(columns) == len(set(columns))
    assert set(PROSODY_FEATURES) <= set(columns) <= set(UTTERANCE_CONTEXT)
    assert {"pause_s", "vowel_npvi", "mean_duration_s", "phones_per_s", "energy_std_db"} <= set(columns)
    assert not {"gop_mean", "rating_fluency", "snr_db", "mean_rating", "words"} & set(columns)


def test_a_planted_relation_is_lost_with_its_group():
    """Fluency follows the rhythm, prosodic the melody, and the transformers know half of the total."""
    rng = np.random.default_rng(2)
    rhythm, melody = PROSODY_FEATURES.index("varco_c"), PROSODY_FEATURES.index("f0_range_st")
    rows, smooth = [], []
    for number in range(300):
        prosody = rng.normal(size=len(PROSODY_FEATURES)).astype(np.float32)
        total = rng.normal()
        features = Features(
            phone=rng.normal(size=(5, len(PHONE_FEATURES))).astype(np.float32),
            utterance=rng.normal(size=len(UTTERANCE_FEATURES)).astype(np.float32),
            phone_ids=rng.integers(0, len(PHONES), 5),
            word_ids=np.zeros(5, dtype=np.int64),
            prosody=prosody,
        )
        truth = np.array([5.0, 5 + 2 * prosody[rhythm], 5 + 2 * prosody[melody], 5 + total])
        rows.append(
            ScoredFeatures(
                id=str(number),
                speaker=str(number % 20),
                is_child=False,
                features=features,
                phone=np.ones(5),
                word=np.ones((1, 3)),
                utterance=truth + rng.normal(scale=0.3, size=4),
            )
        )
        guess = np.array([5.0, 5.0, 5.0, 5 + total]) + rng.normal(size=4)
        smooth.append(Predicted(phone=np.ones(5), word=np.ones((1, 3)), utterance=guess))
    config = replace(UTTERANCE_TREES, rounds=80, learning_rate=0.1, feature_fraction=0.5)
    table = ablate(rows, smooth, {str(speaker): speaker % 4 for speaker in range(20)}, config)
    fluency, prosodic = ({label: row[name] for label, row in table.items()} for name in SCORES[:2])
    for found, group in ((fluency, "rhythm"), (prosodic, "melody")):
        assert found["all"] > 0.85
        for other in GROUPS:
            assert (found[f"without {other}"] < 0.3) == (other == group)
            assert (found[f"only {other}"] > 0.85) == (other == group)
        assert found["without any"] < 0.3
    value, low, high = table["gain of prosody in the trees"]["fluency"]
    assert 0.5 < low < value < high
    assert table["transformers alone"]["total"] == pytest.approx(0.7, abs=0.12)
    assert table["gain of the trees"]["total"][1] < 0.05
