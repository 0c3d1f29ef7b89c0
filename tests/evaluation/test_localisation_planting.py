"""Errors that are planted: plausible, in place, never what is accepted; and the text's side of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from elocute.evaluation.localisation_corpus import accepted_variants, dictionary_phones
from elocute.evaluation.localisation_planting import (
    KINDS,
    SAID_AFTER,
    Place,
    Planted,
    applied,
    draw_kind,
    draw_said_error,
    draw_text_error,
    flat_index,
    neighbours,
)
from elocute.phones import PHONES, VOWELS, phonemize
from elocute.training.planting import SAID_INSTEAD

TEXT = "the water was better at the station and either new car can go to that good doctor"
SAID = dictionary_phones(phonemize(TEXT))
VARIANTS = accepted_variants(TEXT, SAID)
PLACES = [Place(word=w, phone=p) for w, word in enumerate(SAID) if len(word) > 1 for p in range(len(word))]


def flat(phones) -> list[str]:
    return [phone for word in phones for phone in word]


def test_kinds_come_in_their_shares() -> None:
    rng = np.random.default_rng(0)
    counts = Counter(draw_kind(rng) for _ in range(2000))
    assert [counts[kind] for kind in KINDS] == pytest.approx([1400, 300, 300], abs=70)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_is_no_accepted_variant_and_beside_no_like(kind) -> None:
    rng = np.random.default_rng(1)
    plausible = 0
    for _ in range(400):
        planted = draw_said_error(SAID, VARIANTS, PLACES, kind, rng)
        assert planted is not None
        word, at = SAID[planted.place.word], planted.place.phone
        said = applied(word, planted)
        assert said not in VARIANTS[planted.place.word]
        assert len(said) - len(word) == {"substitution": 0, "deletion": -1, "insertion": 1}[kind]
        before, after = neighbours(SAID, planted.place)
        if kind == "insertion":
            assert planted.canonical is None
            assert said[at + 1] == planted.said
            assert planted.said not in (word[at], after)
            plausible += planted.said in SAID_AFTER[word[at] not in VOWELS].split()
        else:
            assert planted.canonical == word[at]
            assert (planted.said is None) == (kind == "deletion")
            assert planted.said not in (word[at], before, after) or kind == "deletion"
            plausible += planted.said in SAID_INSTEAD[word[at]].split()
    if kind != "deletion":
        assert 0.7 < plausible / 400 < 0.9  # three quarters, and a few by chance


def test_accepted_forms_are_never_planted() -> None:
    """'water' with a flap is D for T: with that as the only choice, there is no error to plant there."""
    phones, place = (("W", "AO", "T", "ER"),), Place(word=0, phone=2)
    everything = [{("W", "AO", phone, "ER") for phone in PHONES}]
    assert draw_said_error(phones, everything, [place], "substitution", np.random.default_rng(0)) is None
    assert ("W", "AO", "D", "ER") in accepted_variants("water", phones)[0]


def test_a_phone_beside_its_like_is_not_deleted() -> None:
    phones = (("R", "EH", "D"), ("D", "AO", "G"))
    variants = [{word} for word in phones]
    places = [Place(word=0, phone=2), Place(word=1, phone=0)]
    assert draw_said_error(phones, variants, places, "deletion", np.random.default_rng(0)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_text_makes_what_was_said_an_error_of_the_kind(kind) -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        found = draw_text_error(SAID, VARIANTS, PLACES, kind, rng)
        assert found is not None
        w = found.planted.place.word
        assert found.phones[w] not in VARIANTS[w]
        assert len(found.phones[w]) > 1
        assert all(a == b for i, (a, b) in enumerate(zip(found.phones, SAID, strict=True)) if i != w)
        # Said is what the changed text becomes with the error.
        assert applied(found.phones[w], found.planted) == SAID[w]
        if kind == "substitution":
            assert found.planted.canonical == found.phones[w][found.planted.place.phone]


@pytest.mark.parametrize("kind", KINDS)
def test_phones_of_the_changed_text_know_themselves_among_those_said(kind) -> None:
    rng = np.random.default_rng(3)
    said = flat(SAID)
    for _ in range(100):
        found = draw_text_error(SAID, VARIANTS, PLACES, kind, rng)
        assert found is not None
        index = found.said_index()
        at = flat_index(found.phones, found.planted.place)
        changed = flat(found.phones)
        assert len(index) == len(changed)
        for i, number in enumerate(index):
            if number is None:
                assert (kind, i) == ("deletion", at)
            elif i != at or kind == "insertion":
                assert said[number] == changed[i]
        skipped = set(range(len(said))) - set(index)
        assert len(skipped) == (kind == "insertion")
        if kind == "insertion":
            assert said[skipped.pop()] == found.planted.said


def test_errors_are_applied_in_their_place() -> None:
    word, place = ("TH", "IH", "NG", "K"), Place(word=0, phone=1)
    assert applied(word, Planted(kind="substitution", place=place, canonical="IH", said="IY")) == (
        "TH",
        "IY",
        "NG",
        "K",
    )
    assert applied(word, Planted(kind="deletion", place=place, canonical="IH", said=None)) == ("TH", "NG", "K")
    assert applied(word, Planted(kind="insertion", place=place, canonical=None, said="R")) == (
        "TH",
        "IH",
        "R",
        "NG",
        "K",
    )
