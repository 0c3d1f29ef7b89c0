import pytest

from elocute.phones import PHONES, phonemize
from elocute.phones.kinds import STRONG, WEAK
from elocute.phones.lexicon import SYMBOLS, default_lexicon
from elocute.phones.variants import accepted, unstressed
from elocute.phones.weak import function_words, is_weak_before, strong_and_weak

# Forms of one function word that are the dictionary form of another. All are homophones in fluent native speech.
HOMOPHONES = {
    ("are", "AH", "a"),
    ("have", "AH V", "of"),
    ("her", "AH", "a"),
    ("his", "IH Z", "is"),
    ("of", "AH", "a"),
    ("and", "AE N", "an"),
    ("our", "AA R", "are"),
    ("there", "DH AH", "the"),
    ("we'll", "W IH L", "will"),
    ("we're", "W ER", "were"),
    ("you're", "Y AO R", "your"),
    ("your", "Y UH R", "you're"),
    ("their", "DH EH R", "there"),
    ("their", "DH EH R", "they're"),
    ("there", "DH EH R", "their"),
    ("there", "DH EH R", "they're"),
    ("they're", "DH EH R", "their"),
    ("they're", "DH EH R", "there"),
}


def forms(text: str, index: int) -> dict[str, str | None]:
    """Kind of each accepted form of a word of a text, by its phones without stress."""
    found: dict[str, str | None] = {}
    for variant in phonemize(text).words[index].variants:
        found.setdefault(" ".join(unstressed(variant.phones)), variant.kind)
    return found


@pytest.mark.parametrize(
    ("text", "index", "form"),
    [
        ("black and white", 1, "AH N D"),
        ("black and white", 1, "AH N"),
        ("black and white", 1, "N"),
        ("to us", 0, "T AH"),
        ("go to us", 1, "T UH"),
        ("cup of tea", 1, "AH V"),
        ("cup of tea", 1, "AH"),
        ("saw them", 1, "DH AH M"),
        ("saw them", 1, "AH M"),
        ("saw him", 1, "IH M"),
        ("saw her", 1, "ER"),
        ("saw her", 1, "AH"),
        ("took his hat", 1, "IH Z"),
        ("for me", 0, "F ER"),
        ("for me", 0, "F AH"),
        ("from me", 0, "F R AH M"),
        ("at home", 0, "AH T"),
        ("as good", 0, "AH Z"),
        ("more than that", 1, "DH AH N"),
        ("can you", 0, "K AH N"),
        ("can you", 0, "K N"),
        ("must go", 0, "M AH S"),
        ("you have seen", 1, "V"),
        ("would go", 0, "W AH D"),
        ("there is", 0, "DH AH"),
        ("some tea", 0, "S AH M"),
        ("was here", 0, "W AH Z"),
        ("were here", 0, "W ER"),
        ("were here", 0, "W AH"),
        ("are here", 0, "AH"),
        ("you'll see", 0, "Y AH L"),
    ],
)
def test_weak_forms_of_both_accents_are_accepted(text, index, form):
    kind = forms(text, index)[form]
    assert kind is None or kind in ("dictionary variant", WEAK)


@pytest.mark.parametrize(
    ("text", "index", "kinds"),
    [
        ("the end", 0, {"DH AH": None, "DH IY": "weak form"}),
        ("a cat", 0, {"AH": None, "EY": "strong form"}),
        ("from us", 0, {"F R AH M": None, "F R AA M": "dictionary variant", "F R AO M": "British"}),
        ("been there", 0, {"B IH N": None, "B IY N": "dictionary variant"}),
        ("at home", 0, {"AE T": None, "AH T": "weak form"}),
    ],
)
def test_forms_have_the_names_of_their_kinds(text, index, kinds):
    found = forms(text, index)
    assert {form: found.get(form, "missing") for form in kinds} == kinds


@pytest.mark.parametrize(
    ("text", "index", "never"),
    [
        ("in the", 0, "N"),
        ("it is", 0, "AH T"),
        ("he is", 0, "HH IH"),
        ("she is", 0, "SH IH"),
        ("we are", 0, "W IH"),
        ("me too", 0, "M IH"),
        ("he is", 0, "IY"),  # nothing before it, so the HH is said
        ("him", 0, "IH M"),
        ("look over there", 2, "DH AH"),  # a place
        ("there he goes", 0, "DH AH"),
        ("what is it for", 3, "F AH"),
        ("yes I can", 2, "K AH N"),
        ("where to", 1, "T AH"),
        ("us too", 0, "Y UW EH S"),
        ("I am here", 1, "EY EH M"),
        ("this is", 0, "DH AH S"),
        ("then we", 0, "D EH N"),
        ("the cat", 0, "D AH"),
        ("them all", 0, "D EH M"),
        ("with us", 0, "W IH S"),
        ("will you", 0, "W IY L"),
        ("very well", 0, "W EH R IY"),
    ],
)
def test_errors_are_no_weak_forms(text, index, never):
    found = phonemize(text).words[index].variants
    usable = [variant for variant in found if index or variant.after is None]
    assert never not in {" ".join(unstressed(variant.phones)) for variant in usable}


def test_the_table_is_well_formed():
    words = function_words()
    assert len(words) >= 60
    for word in words:
        listed = default_lexicon().get(word)
        assert listed, word
        found = strong_and_weak(word)
        assert {form.kind for form in found} == {STRONG, WEAK}, word
        assert all(form.phones and set(form.phones) <= set(SYMBOLS) for form in found), word
        assert len({form.phones for form in found}) == len(found), word
        assert all(form.after is None or form.after <= set(PHONES) for form in found)
        assert unstressed(listed[0]) in {unstressed(form.phones) for form in found}, word


def test_forms_that_are_another_function_word_are_known():
    canonical = {word: unstressed(default_lexicon().get(word)[0]) for word in function_words()}
    found = set()
    for word in canonical:
        for variant in accepted(word, default_lexicon().get(word)):
            phones = unstressed(variant.phones)
            found |= {(word, " ".join(phones), other) for other in canonical if canonical[other] == phones}
    assert {item for item in found if item[0] != item[2]} == HOMOPHONES


@pytest.mark.parametrize(
    ("word", "following", "is_weak"),
    [
        ("to", "go", True),
        ("to", None, False),
        ("him", None, True),
        ("there", "is", True),
        ("there", "he", False),
        ("there", None, False),
    ],
)
def test_where_words_are_weak(word, following, is_weak):
    assert is_weak_before(word, following) is is_weak
