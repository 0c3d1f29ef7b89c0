"""How far apart phones are made: a symmetric measure of all phones that orders well-known pairs as phoneticians do."""

import doctest

import numpy as np
import pytest

from elocute.errors import PhoneError
from elocute.phones import PHONES, VOWELS, articulation
from elocute.phones.articulation import CONSONANTS, VOWEL_SOUNDS, distance, distances


def test_every_phone_is_described_once() -> None:
    assert set(VOWEL_SOUNDS) == set(VOWELS)
    assert sorted([*CONSONANTS, *VOWEL_SOUNDS]) == list(PHONES)


def test_the_distance_is_symmetric_and_zero_only_for_the_same_phone() -> None:
    table = distances()
    assert table.shape == (39, 39)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(np.diagonal(table), 0.0)
    others = table[~np.eye(39, dtype=bool)]
    assert others.min() > 0.1  # no two phones are described alike
    assert others.max() <= 3.0
    assert table[PHONES.index("S"), PHONES.index("TH")] == distance("S", "TH")


@pytest.mark.parametrize(
    ("phone", "near", "far"),
    [
        ("S", "Z", "M"),
        ("TH", "S", "G"),
        ("TH", "F", "K"),
        ("DH", "D", "NG"),
        ("P", "B", "S"),
        ("T", "D", "W"),
        ("N", "M", "S"),
        ("NG", "N", "F"),
        ("R", "L", "P"),
        ("V", "W", "K"),
        ("CH", "SH", "L"),
        ("JH", "CH", "M"),
        ("IY", "IH", "AA"),
        ("AE", "EH", "UW"),
        ("UW", "UH", "AE"),
        ("AO", "AA", "IY"),
        ("AY", "AA", "UW"),
        ("ER", "AH", "IY"),
        ("R", "ER", "IY"),
        ("W", "UW", "EH"),
        ("Y", "IY", "AO"),
        ("L", "OW", "IH"),
    ],
)
def test_what_learners_confuse_is_near(phone: str, near: str, far: str) -> None:
    assert distance(phone, near) < distance(phone, far)


@pytest.mark.parametrize(
    "voiced_and_voiceless", ["B P", "D T", "G K", "V F", "DH TH", "Z S", "ZH SH", "JH CH"], ids=lambda pair: str(pair)
)
def test_voicing_alone_is_the_same_step_everywhere(voiced_and_voiceless: str) -> None:
    voiced, voiceless = voiced_and_voiceless.split()
    assert distance(voiced, voiceless) == pytest.approx(distance("B", "P"))
    assert CONSONANTS[voiced].is_voiced
    assert not CONSONANTS[voiceless].is_voiced


def test_a_vowel_is_far_from_all_consonants_but_those_it_turns_into() -> None:
    kin = {(c, v) for c in CONSONANTS for v in VOWEL_SOUNDS if distance(c, v) < 1.0}
    assert {consonant for consonant, _ in kin} == {"W", "Y", "R", "L"}
    strangers = [distance(c, v) for c in CONSONANTS for v in VOWEL_SOUNDS if (c, v) not in kin]
    assert min(strangers) > max(distance(a, b) for a in VOWEL_SOUNDS for b in VOWEL_SOUNDS) * 0.9


@pytest.mark.parametrize("pair", [("S", "QQ"), ("AA", "QQ"), ("AA", "AA1")])
def test_an_unknown_phone_is_an_error(pair: tuple[str, str]) -> None:
    with pytest.raises(PhoneError, match="expected two of the 39 phones"):
        distance(*pair)


def test_the_examples_in_the_docstrings() -> None:
    result = doctest.testmod(articulation)
    assert result.attempted
    assert not result.failed
