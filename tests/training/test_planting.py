"""Planted errors: known, apart from each other, and only where people heard nothing wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.phones import PHONES
from elocute.training.planting import SAID_INSTEAD, insert_word, plant_errors

words = st.lists(
    st.lists(st.tuples(st.sampled_from(PHONES), st.sampled_from([0.0, 1.0, 1.8, 2.0])), min_size=1, max_size=6),
    min_size=1,
    max_size=6,
)


def utterance(spelled: list[list[tuple[str, float]]]) -> ScoredUtterance:
    scored = tuple(
        ScoredWord(
            text="W",
            phones=tuple(phone for phone, _ in word),
            phone_accuracy=tuple(score for _, score in word),
            accuracy=8.0,
            stress=10.0,
            total=8.0,
        )
        for word in spelled
    )
    scores = {"accuracy": 8.0, "completeness": 10.0, "fluency": 8.0, "prosodic": 8.0, "total": 8.0}
    return ScoredUtterance(id="1", speaker="1", gender="f", age=20, audio=Path("x"), text="W", words=scored, **scores)


@given(words, st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
def test_planted_errors_are_new_apart_and_spare_what_people_disliked(spelled, seed, share) -> None:
    before = utterance(spelled)
    after = plant_errors(before, np.random.default_rng(seed), share)
    planted = after.phone_accuracy.count(0.0) - before.phone_accuracy.count(0.0)
    good = sum(score >= 1.8 for score in before.phone_accuracy)
    assert planted >= (good > 0)
    assert after.phone_accuracy.count(1.0) == before.phone_accuracy.count(1.0)
    for old, new in zip(before.words, after.words, strict=True):
        if len(old.phones) == len(new.phones):
            for a, b, x, y in zip(old.phones, new.phones, old.phone_accuracy, new.phone_accuracy, strict=True):
                assert (a, x) == (b, y) or (a != b and x >= 1.8 and y == 0.0)
    if 0.0 not in before.phone_accuracy:
        zeros = [i for i, score in enumerate(after.phone_accuracy) if score == 0.0]
        assert all(b - a > 1 for a, b in zip(zeros, zeros[1:], strict=False))


def test_the_same_seed_plants_the_same_errors() -> None:
    text = utterance([[(phone, 2.0) for phone in PHONES[:20]]])
    first, second = (plant_errors(text, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert first != text


def test_a_lone_error_is_planted_as_often_as_several() -> None:
    text = utterance([[(phone, 2.0)] for phone in (*PHONES, *PHONES)])
    counts = [plant_errors(text, np.random.default_rng(seed)).phone_accuracy.count(0.0) for seed in range(200)]
    assert set(counts) == {1, round(0.12 * 2 * len(PHONES))}
    assert 70 < counts.count(1) < 130


def test_the_table_of_confusions_names_other_phones_only() -> None:
    assert set(SAID_INSTEAD) == set(PHONES)
    for phone, errors in SAID_INSTEAD.items():
        assert set(errors.split()) <= set(PHONES) - {phone}


@given(words, words, st.integers(0, 2**32 - 1))
def test_an_inserted_word_is_one_of_the_other_utterance_and_was_not_said(spelled, others, seed) -> None:
    before, other = utterance(spelled), utterance(others)
    after = insert_word(before, other, np.random.default_rng(seed))
    assert len(after.words) == len(before.words) + 1
    (place,) = (i for i in range(len(after.words)) if (*after.words[:i], *after.words[i + 1 :]) == before.words)
    inserted = after.words[place]
    assert inserted.phones in {word.phones for word in other.words}
    assert inserted.phone_accuracy == (0.0,) * len(inserted.phones)
    assert inserted.accuracy == inserted.total == 0.0
    assert replace(after, words=before.words) == before


def test_words_are_inserted_at_every_place_and_drawn_from_all() -> None:
    before = utterance([[(phone, 2.0)] for phone in ("AA", "AE", "AH")])
    other = utterance([[(phone, 2.0)] for phone in ("B", "D")])
    texts = {insert_word(before, other, np.random.default_rng(seed)).phones for seed in range(100)}
    kept = ("AA", "AE", "AH")
    assert texts == {(*kept[:place], phone, *kept[place:]) for place in range(4) for phone in ("B", "D")}
