import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from elocute.phones import numbers
from elocute.phones.lexicon import default_lexicon


def oracle(value, to="cardinal"):
    return num2words(value, to=to).replace("-", " ").replace(",", "").replace(" and ", " ").split()


@given(st.integers(0, 10**15 - 1))
def test_cardinals_equal_num2words(value):
    assert numbers.cardinal(value) == oracle(value)


@pytest.mark.parametrize("value", [*range(130), 999, 1000, 1001, 1100, 10_000, 100_000, 10**6, 10**9 + 1, 10**12])
def test_cardinals_and_ordinals_at_the_edges(value):
    assert numbers.cardinal(value) == oracle(value)
    assert numbers.ordinal(value) == oracle(value, "ordinal")


@given(st.integers(0, 10**15 - 1))
def test_ordinals_equal_num2words(value):
    assert numbers.ordinal(value) == oracle(value, "ordinal")


def test_years_equal_num2words():
    wrong = {value: numbers.year(value) for value in range(1100, 2100) if numbers.year(value) != oracle(value, "year")}
    assert wrong == {}


def test_every_number_word_is_in_the_lexicon():
    said = {word for n in [*range(121), 10**3, 10**6, 10**9, 10**12] for word in numbers.cardinal(n)}
    said |= {word for n in range(121) for word in numbers.ordinal(n)} | {"oh", "point", "minus", "o'clock", "hundred"}
    said |= {numbers.plural(word) for word in said if not word.endswith("s")} & {"halves", "nineties", "thirds"}
    said |= {word for names in numbers.CURRENCIES.values() for word in names if word}
    assert {word for word in said if word not in default_lexicon()} == set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0351", "zero three five one"),
        ("007", "zero zero seven"),
        ("5551234", "five five five one two three four"),
        ("5000000", "five million"),
        ("1,234", "one thousand two hundred thirty four"),
        ("1234", "twelve thirty four"),
        ("2005", "two thousand five"),
        ("2024", "twenty twenty four"),
        ("3000", "three thousand"),
        ("12345", "twelve thousand three hundred forty five"),
    ],
)
def test_shape_decides_how_a_whole_number_is_read(text, words):
    assert " ".join(numbers.whole(text)) == words


@given(st.text("0123456789", min_size=1, max_size=40))
def test_any_digit_string_is_said(text):
    assert numbers.whole(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1990", "nineteen nineties"),
        ("80", "eighties"),
        ("1900", "nineteen hundreds"),
        ("2000", "two thousands"),
        ("10", "tens"),
    ],
)
def test_decades(text, words):
    assert " ".join(numbers.decade(text)) == words


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ((1, 2), "one half"),
        ((3, 4), "three quarters"),
        ((2, 3), "two thirds"),
        ((5, 21), "five twenty firsts"),
        ((24, 7), ""),
        ((0, 4), ""),
    ],
)
def test_fractions(pair, words):
    assert " ".join(numbers.fraction(*pair)) == words
