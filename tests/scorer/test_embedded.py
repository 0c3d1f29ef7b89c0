"""The shipped scorer: its card fits the features, its scores fit the scale, and a planted error costs its own phone."""

import json
from importlib.resources import files

import numpy as np
import pytest

from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Features, analyse
from elocute.scorer import embedded as module
from elocute.scorer.context import CONTEXT_FEATURES
from elocute.scorer.embedded import EmbeddedScorer
from planted import heard, rated, recording

SAID = ["DH", "AH", "B", "L", "AE", "K", "HH", "AE", "T"]
WORDS = [0, 0, 1, 1, 1, 1, 2, 2, 2]


@pytest.fixture(scope="module")
def scorer() -> EmbeddedScorer:
    return EmbeddedScorer()


def features(said: list[str], canonical: list[str] = SAID, words: list[int] = WORDS) -> Features:
    return analyse(rated(heard(said)), canonical, words, recording(2.0)).features


def unrated(said: list[str]) -> Features:
    """As a backend without ratings hears it."""
    return analyse(heard(said), SAID, WORDS, recording(2.0)).features


def test_the_card_is_of_this_model(scorer: EmbeddedScorer):
    card = json.loads((files("elocute") / "assets" / "scorer.json").read_text(encoding="utf-8"))
    assert set(card["features"]) <= {*PHONE_FEATURES, *UTTERANCE_FEATURES}
    assert card["context_features"] == list(CONTEXT_FEATURES)
    assert not set(PHONE_FEATURES) & set(UTTERANCE_FEATURES)  # the card names both kinds in one list
    assert card["bytes"] == len((files("elocute") / "assets" / "scorer.onnx").read_bytes())
    assert scorer.version == card["version"]
    detector = card["detector"]
    assert len(detector["weights"]) == 3
    assert detector["thresholds"] == sorted(detector["thresholds"], reverse=True)
    assert all(0 < threshold < 1 for threshold in detector["thresholds"])
    assert card["evaluation"]["scores"]["phone"]["pcc"] > card["evaluation"]["baselines"]["phone prior"]["pcc"]


def test_a_feature_that_is_not_computed_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PHONE_FEATURES", (*PHONE_FEATURES[1:], "loudness"))
    with pytest.raises(ConfigError, match=rf"scorer\.onnx needs the feature '{PHONE_FEATURES[0]}'"):
        EmbeddedScorer()


@pytest.mark.parametrize("context", [CONTEXT_FEATURES[:-1], (*CONTEXT_FEATURES, "loudness"), CONTEXT_FEATURES[::-1]])
def test_another_context_than_that_of_the_trees_is_refused(monkeypatch: pytest.MonkeyPatch, context: tuple[str, ...]):
    monkeypatch.setattr(module, "CONTEXT_FEATURES", context)
    with pytest.raises(ConfigError, match=r"trees of assets/scorer\.onnx need another context"):
        EmbeddedScorer()


@pytest.mark.parametrize(("canonical", "words"), [(["AH"], [0]), (["S", "AH"], [0, 1]), (SAID, WORDS), (SAID, [0] * 9)])
def test_scores_of_any_size_lie_on_the_scale(scorer: EmbeddedScorer, canonical: list[str], words: list[int]):
    found = scorer.score(features(canonical, canonical, words))
    assert found.phone.shape == (len(canonical),)
    W = words[-1] + 1
    assert found.word_accuracy.shape == found.word_stress.shape == found.word_total.shape == (W,)
    whole = [found.accuracy, found.fluency, found.prosodic, found.total]
    every = np.concatenate([found.phone, found.word_accuracy, found.word_stress, found.word_total, whole])
    assert np.isfinite(every).all()
    assert every.min() >= 0
    assert every.max() <= 1
    assert found.error_log_odds.shape == (len(canonical),)
    assert np.isfinite(found.error_log_odds).all()


@pytest.mark.parametrize("place", range(len(SAID)))
def test_a_planted_error_costs_its_own_phone_most(scorer: EmbeddedScorer, place: int):
    good = scorer.score(features(SAID))
    bad = scorer.score(features([*SAID[:place], "SH", *SAID[place + 1 :]]))
    lost = good.phone - bad.phone
    assert lost.argmax() == place
    assert lost[place] > 3 * np.abs(np.delete(lost, place)).max()
    assert bad.phone.argmin() == place
    assert (bad.error_log_odds - good.error_log_odds).argmax() == place
    assert (good.word_accuracy - bad.word_accuracy).argmax() == WORDS[place]
    assert bad.total < good.total


@pytest.mark.parametrize("place", range(len(SAID)))
def test_without_ratings_a_planted_error_still_costs_its_own_phone_most(scorer: EmbeddedScorer, place: int):
    good = scorer.score(unrated(SAID))
    bad = scorer.score(unrated([*SAID[:place], "SH", *SAID[place + 1 :]]))
    assert (good.phone - bad.phone).argmax() == place
    assert bad.phone.argmin() == place
    assert (bad.error_log_odds - good.error_log_odds).argmax() == place
    assert bad.total < good.total


def test_noise_scores_lower_than_speech(scorer: EmbeddedScorer):
    rng = np.random.default_rng(0)
    said = [PHONES[k] for k in rng.integers(0, 39, len(SAID))]
    right, wrong = scorer.score(features(SAID)), scorer.score(features(said))
    assert wrong.phone.mean() < right.phone.mean() - 0.2
    assert wrong.total < right.total
