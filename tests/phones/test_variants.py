import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.phones.inflect import inflected
from elocute.phones.lexicon import SYMBOLS, default_lexicon
from elocute.phones.variants import MAX_VARIANTS, accepted, unstressed
from elocute.phones.weak import function_words


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


# What each rule may turn into what; None is nothing. Nothing here is a contrast that learners of English miss, save
# where an accent has no such contrast.
ALLOWED = {
    "flap": {("T", "D")},
    "cot-caught merger": {("AO", "AA")},
    "schwa and r": {("ER", "AH"), (None, "R"), ("ER", "R"), (None, "AH")},
    "schwa dropped": {("AH", None), ("IH", None), ("AH", "IH"), ("IH", "AH")},
    "reduced vowel": {("AH", "IH"), ("IH", "AH")},
}
ALLOWED["British"] = set().union(*(ALLOWED[kind] for kind in ("schwa and r", "schwa dropped"))) | {
    ("R", None), ("R", "AH"), ("IY", "IH"), ("AE", "AA"), ("AA", "AO"), (None, "Y"), ("ER", None), ("AH", "R"),
}  # fmt: skip
WORDS = tuple(word for word in default_lexicon().words() if word not in function_words())


def explains(allowed, before, after):
    """Whether allowed substitutions, deletions and insertions turn one string of phones into the other."""
    reached = {(0, 0)}
    for i in range(len(before) + 1):
        for k in range(len(after) + 1):
            phone = before[i] if i < len(before) else None
            other = after[k] if k < len(after) else None
            if (i, k) in reached:
                reached |= (
                    {(i + 1, k + 1)} if phone and other and (phone == other or (phone, other) in allowed) else set()
                )
                reached |= {(i + 1, k)} if phone and (phone, None) in allowed else set()
                reached |= {(i, k + 1)} if other and (None, other) in allowed else set()
    return (len(before), len(after)) in reached


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WORDS))
def test_rules_change_what_their_names_say(word):
    listed = default_lexicon().get(word)
    found = accepted(word, listed)
    assert found[0].kind is None
    for variant in found[len(listed) :]:
        said, allowed = unstressed(variant.phones), ALLOWED[variant.kind]
        assert any(explains(allowed, unstressed(phones), said) for phones in listed), (word, variant)


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("water", {"W AO D ER": "flap", "W AA T ER": "cot-caught merger", "W AO T AH": "British"}),
        ("little", {"L IH D AH L": "flap", "L IH T L": "schwa dropped"}),
        ("tomato", {"T AH M AA T OW": "dictionary variant", "T AH M EY D OW": "flap"}),
        ("last", {"L AA S T": "British"}),
        ("can't", {"K AA N T": "British"}),
        ("around", {"AH R AW N D": "schwa and r"}),
        ("jacket", {"JH AE K IH T": "reduced vowel"}),
        ("either", {"AY DH ER": "dictionary variant"}),
        ("different", {"D IH F ER AH N T": "dictionary variant"}),
        ("new", {"N Y UW": "British"}),
    ],
)
def test_variants_are_named(word, kinds):
    found = {
        " ".join(unstressed(variant.phones)): variant.kind for variant in accepted(word, default_lexicon().get(word))
    }
    assert {form: found.get(form, "missing") for form in kinds} == kinds
