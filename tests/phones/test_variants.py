import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.phones.inflect import inflected
from elocute.phones.lexicon import SYMBOLS, default_lexicon
from elocute.phones.variants import MAX_VARIANTS, accepted


def variants(word):
    return {" ".join(variant.phones) for variant in accepted(word, default_lexicon().get(word))}


@pytest.mark.parametrize(
    ("word", "also"),
    [
        ("water", "W AO1 D ER0"),  # flap
        ("party", "P AA1 R D IY0"),
        ("water", "W AO1 T AH0"),  # no R at the end
        ("four", "F AO1"),
        ("here", "HH IH1 AH0"),
        ("more", "M AO1"),
        ("park", "P AA1 K"),
        ("little", "L IH1 T L"),  # syllabic consonants
        ("seven", "S EH1 V N"),
        ("important", "IH2 M P AO1 R T N T"),
        ("last", "L AA1 S T"),  # bath
        ("dancing", "D AA1 N S IH0 NG"),
        ("after", "AA1 F T AH0"),
        ("hot", "HH AO1 T"),  # lot
        ("sorry", "S AO1 R IY0"),
        ("caught", "K AO1 T"),
        ("law", "L AA1"),
        ("new", "N Y UW1"),  # yod
        ("student", "S T Y UW1 D AH0 N T"),
        ("around", "AH0 R AW1 N D"),
        ("jacket", "JH AE1 K IH0 T"),
        ("wanted", "W AO1 N T AH0 D"),
        ("mary", "M EH1 R IH0"),
        ("beautiful", "B Y UW1 T IH0 F L"),
    ],
)
def test_native_accents_are_accepted(word, also):
    assert also in variants(word)


@pytest.mark.parametrize(
    ("word", "never"),
    [
        ("cat", "K AA1 T"),
        ("man", "M AA1 N"),
        ("two", "D UW1"),
        ("attack", "AH0 D AE1 K"),
        ("too", "T Y UW1"),
        ("moon", "M Y UW1 N"),
        ("think", "S IH1 NG K"),
        ("red", "EH1 D"),
        ("very", "V EH1 IY0"),
        ("car", "K AO1 R"),
        ("born", "B AA1 R N"),
        ("hot", "HH AH1 T"),
        ("ship", "SH IY1 P"),
        ("sing", "S IH1 N"),
        ("a", "IH0"),
    ],
)
def test_errors_of_learners_are_not_accepted(word, never):
    assert never not in variants(word)


def test_listed_pronunciations_come_first_in_their_order():
    listed = default_lexicon().get("read")
    assert len(listed) > 1
    assert tuple(variant.phones for variant in accepted("read", listed))[: len(listed)] == listed


@given(
    st.sampled_from(["water", "new", "bath", "lot", "even"]),
    st.lists(
        st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=8).map(tuple), min_size=1, max_size=4, unique=True
    ),
)
def test_any_pronunciation_is_kept_and_variants_differ(word, listed):
    found = [variant.phones for variant in accepted(word, listed)]
    assert found[: len(listed)] == listed
    assert len(set(found)) == len(found) <= max(MAX_VARIANTS, len(listed))
    assert all(variant and set(variant) <= set(SYMBOLS) for variant in found)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("viewings", "V Y UW1 IH0 NG Z"),
        ("hazarded", "HH AE1 Z ER0 D IH0 D"),
        ("selfied", "S EH1 L F IY2 D"),
        ("vlogged", "V L AO1 G D"),
        ("vlogging", "V L AO1 G IH0 NG"),
        ("memed", "M IY1 M D"),
        ("tacoless", "T AA1 K OW0 L AH0 S"),
        ("dora's", "D AO1 R AH0 Z"),
        ("smartwatch's", "S M AA1 R T W AA2 CH IH0 Z"),
        ("chatbot's", "CH AE1 T B AA2 T S"),
        ("reddit'll", "R EH1 D IH0 T AH0 L"),
    ],
)
def test_forms_of_listed_words_get_the_sound_of_their_ending(word, phones):
    assert word not in default_lexicon()
    assert " ".join(inflected(word, default_lexicon().get)[0]) == phones


@pytest.mark.parametrize("word", ["blorptangle", "s", "ed", "ing", "'s", "xq"])
def test_other_words_are_no_forms(word):
    assert inflected(word, default_lexicon().get) == ()
