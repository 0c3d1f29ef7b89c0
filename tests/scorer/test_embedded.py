"""The shipped scorer: its card fits the features, its scores fit the scale, and a planted error costs its own phone."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Features, analyse
from elocute.scorer import embedded as module
from elocute.scorer.context import CONTEXT_FEATURES
from elocute.scorer.embedded import EmbeddedScorer, read_scorer, shipped_scorer
from elocute.scorer.features import without_ratings
from planted import heard, rated, recording

SAID = ["DH", "AH", "B", "L", "AE", "K", "HH", "AE", "T"]
WORDS = [0, 0, 1, 1, 1, 1, 2, 2, 2]


@pytest.fixture(scope="module")
def scorer() -> EmbeddedScorer:
    return shipped_scorer()


@pytest.fixture(scope="module")
def unrated_scorer() -> EmbeddedScorer:
    return shipped_scorer(rated=False)


def features(said: list[str], canonical: list[str] = SAID, words: list[int] = WORDS) -> Features:
    return analyse(rated(heard(said)), canonical, words, recording(2.0)).features


def unrated(said: list[str]) -> Features:
    """As a backend without ratings hears it."""
    return analyse(heard(said), SAID, WORDS, recording(2.0)).features


@pytest.mark.parametrize(("rated", "stem"), [(True, "scorer"), (False, "scorer_unrated")])
def test_the_card_is_of_this_model(rated: bool, stem: str):
    scorer = shipped_scorer(rated=rated)
    card = json.loads((files("elocute") / "assets" / f"{stem}.json").read_text(encoding="utf-8"))
    assert scorer.needs_ratings == card["needs_ratings"] == rated
    assert set(card["features"]) <= {*PHONE_FEATURES, *UTTERANCE_FEATURES}
    assert card["context_features"] == list(CONTEXT_FEATURES)
    assert not set(PHONE_FEATURES) & set(UTTERANCE_FEATURES)  # the card names both kinds in one list
    assert card["bytes"] == len((files("elocute") / "assets" / f"{stem}.onnx").read_bytes())
    assert scorer.version == card["version"]
    detector = card["detector"]
    assert len(detector["weights"]) == 3
    assert detector["thresholds"] == sorted(detector["thresholds"], reverse=True)
    assert all(0 < threshold < 1 for threshold in detector["thresholds"])
    assert card["evaluation"]["scores"]["phone"]["pcc"] > card["evaluation"]["baselines"]["phone prior"]["pcc"]


def test_a_feature_that_is_not_computed_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PHONE_FEATURES", (*PHONE_FEATURES[1:], "loudness"))
    with pytest.raises(ConfigError, match=rf"scorer\.onnx needs the feature '{PHONE_FEATURES[0]}'"):
        shipped_scorer()


@pytest.mark.parametrize("context", [CONTEXT_FEATURES[:-1], (*CONTEXT_FEATURES, "loudness"), CONTEXT_FEATURES[::-1]])
def test_another_context_than_that_of_the_trees_is_refused(monkeypatch: pytest.MonkeyPatch, context: tuple[str, ...]):
    monkeypatch.setattr(module, "CONTEXT_FEATURES", context)
    with pytest.raises(ConfigError, match=r"trees of assets/scorer\.onnx need another context"):
        shipped_scorer()


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
def test_without_ratings_a_planted_error_still_costs_its_own_phone_most(unrated_scorer: EmbeddedScorer, place: int):
    good = unrated_scorer.score(unrated(SAID))
    bad = unrated_scorer.score(unrated([*SAID[:place], "SH", *SAID[place + 1 :]]))
    assert (good.phone - bad.phone).argmax() == place
    assert bad.phone.argmin() == place
    assert (bad.error_log_odds - good.error_log_odds).argmax() == place
    assert bad.total < good.total


def test_ratings_are_nothing_to_the_scorer_that_learned_without(unrated_scorer: EmbeddedScorer):
    """So it may be used with any backend."""
    with_ratings, without = features(SAID), unrated(SAID)
    assert not np.array_equal(with_ratings.phone, without.phone)
    np.testing.assert_allclose(without_ratings(with_ratings).phone, without.phone, atol=1e-6)
    np.testing.assert_allclose(without_ratings(with_ratings).utterance, without.utterance, atol=1e-5)
    first, second = unrated_scorer.score(with_ratings), unrated_scorer.score(without)
    np.testing.assert_allclose(first.phone, second.phone, atol=1e-3)
    assert first.total == pytest.approx(second.total, abs=1e-3)


def test_a_scorer_of_the_users_is_read_from_its_folder(tmp_path: Path, scorer: EmbeddedScorer):
    assets = files("elocute") / "assets"
    for name in ("scorer.onnx", "scorer.json"):
        (tmp_path / name).write_bytes((assets / name).read_bytes())
    own = read_scorer(tmp_path)
    assert (own.name, own.version) == (tmp_path.name, scorer.version)
    np.testing.assert_array_equal(own.score(features(SAID)).phone, scorer.score(features(SAID)).phone)
    (tmp_path / "scorer.onnx").unlink()
    with pytest.raises(ConfigError, match=r"scorer\.onnx not found"):
        read_scorer(tmp_path)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, r"has no scorer\.json; expected all files of the model"),
        ("{", "is not JSON"),
        ("[]", "holds list"),
        ('{"version": "1"}', "lacks features"),
    ],
)
def test_a_folder_without_a_scorer_is_refused(tmp_path: Path, card: str | None, reason: str):
    if card is not None:
        (tmp_path / "scorer.json").write_text(card)
    with pytest.raises(ConfigError, match=reason):
        read_scorer(tmp_path)


def test_noise_scores_lower_than_speech(scorer: EmbeddedScorer):
    rng = np.random.default_rng(0)
    said = [PHONES[k] for k in rng.integers(0, 39, len(SAID))]
    right, wrong = scorer.score(features(SAID)), scorer.score(features(said))
    assert wrong.phone.mean() < right.phone.mean() - 0.2
    assert wrong.total < right.total
