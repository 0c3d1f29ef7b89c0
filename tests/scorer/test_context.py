"""What the scorer's trees look at, against a loop over phones that reads the names of the columns."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Features, analyse
from elocute.scorer.context import CONTEXT_FEATURES, NO_NEIGHBOUR, REACH, phone_context
from planted import heard, recording


def random_features(words: list[int], seed: int) -> Features:
    """Features of an utterance with words of so many phones."""
    rng = np.random.default_rng(seed)
    L = sum(words)
    return Features(
        phone=rng.normal(0, 5, (L, len(PHONE_FEATURES))).astype(np.float32),
        utterance=rng.normal(0, 5, len(UTTERANCE_FEATURES)).astype(np.float32),
        phone_ids=rng.integers(0, len(PHONES), L),
        word_ids=np.repeat(np.arange(len(words)), words),
    )


SUMMARIES = {"mean": np.mean, "min": np.min, "std": np.std}


def own(features: Features, name: str, i: int) -> float:
    return float(features.phone_ids[i] if name == "phone" else features.phone[i, PHONE_FEATURES.index(name)])


def by_name(features: Features, name: str, i: int) -> float:
    """What the column of this name says of phone i."""
    L = len(features.phone)
    word = [j for j in range(L) if features.word_ids[j] == features.word_ids[i]]
    places = {
        "place_in_word": word.index(i),
        "place_from_end_of_word": len(word) - 1 - word.index(i),
        "phones_of_word": len(word),
        "place_in_utterance": i / L,
    }
    if name in places:
        return places[name]
    if name == "phone" or name in PHONE_FEATURES:
        return own(features, name, i)
    if name in UTTERANCE_FEATURES:
        return float(features.utterance[UTTERANCE_FEATURES.index(name)])
    if neighbour := re.fullmatch(r"(\w+)([+-]\d)", name):
        j = i + int(neighbour[2])
        return own(features, neighbour[1], j) if 0 <= j < L else NO_NEIGHBOUR
    summary = re.fullmatch(r"(word|utterance)_(mean|min|std)_(\w+)", name)
    assert summary, name
    over = word if summary[1] == "word" else range(L)
    return float(SUMMARIES[summary[2]]([own(features, summary[3], j) for j in over]))


def test_names_are_distinct():
    assert len(set(CONTEXT_FEATURES)) == len(CONTEXT_FEATURES)


def test_every_neighbour_in_reach_is_seen_with_its_phone():
    seen = {int(name.removeprefix("phone")) for name in CONTEXT_FEATURES if re.fullmatch(r"phone[+-]\d", name)}
    assert seen == {*range(-REACH, 0), *range(1, REACH + 1)}


@settings(max_examples=12, deadline=None)
@given(words=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_columns_are_what_their_names_say(words: list[int], seed: int):
    features = random_features(words, seed)
    found = phone_context(features)
    assert found.shape == (sum(words), len(CONTEXT_FEATURES))
    assert found.dtype == np.float32
    expected = [[by_name(features, name, i) for name in CONTEXT_FEATURES] for i in range(sum(words))]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_one_phone_has_no_neighbours_and_is_its_own_word():
    features = random_features([1], 0)
    found = dict(zip(CONTEXT_FEATURES, phone_context(features)[0].tolist(), strict=True))
    assert found["phone"] == features.phone_ids[0]
    assert {value for name, value in found.items() if re.search(r"[+-]\d$", name)} == {NO_NEIGHBOUR}
    assert {value for name, value in found.items() if name.startswith("utterance_std_")} == {0.0}
    assert found["word_mean_margin"] == found["word_min_margin"] == found["utterance_mean_margin"] == found["margin"]
    assert (found["place_in_word"], found["place_from_end_of_word"], found["phones_of_word"]) == (0, 0, 1)


@pytest.mark.parametrize("words", [[0], [0, 0, 0], [0, 1, 1], [0, 1, 2]])
def test_context_of_what_was_heard_is_finite(words: list[int]):
    symbols = ["K", "AE", "T"][: len(words)]
    found = phone_context(analyse(heard(symbols, 1.0), symbols, words, recording(1.0)).features)
    assert np.isfinite(found).all()


def test_a_planted_error_is_seen_by_its_neighbours_and_by_its_word():
    said = ["DH", "AH", "B", "L", "AE", "K", "HH", "AE", "T"]
    words = [0, 0, 1, 1, 1, 1, 2, 2, 2]
    context = [
        phone_context(analyse(heard(spoken), said, words, recording(2.0)).features)
        for spoken in (said, [*said[:4], "SH", *said[5:]])
    ]
    lost = dict(zip(CONTEXT_FEATURES, (context[0] - context[1]).T, strict=True))
    assert lost["margin"].argmax() == 4
    assert lost["margin+1"].argmax() == 3
    assert lost["margin-2"].argmax() == 6
    assert (lost["word_min_margin"] > 1).tolist() == [word == 1 for word in words]
    assert (lost["utterance_min_margin"] > 1).all()
