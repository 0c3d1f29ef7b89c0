import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.errors import PhoneError
from elocute.phones import PHONES, VOWELS, ipa_name, parse_arpabet, parse_ipa, split_stress, to_ipa
from elocute.phones.lexicon import SYMBOLS

CONSONANTS = sorted(set(PHONES) - VOWELS)
vowels = st.builds(lambda v, d: f"{v}{d}", st.sampled_from(sorted(VOWELS)), st.integers(0, 2))
pronunciations = st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=12)


def test_inventory_is_the_39_phones_in_alphabetical_order():
    assert len(PHONES) == 39
    assert list(PHONES) == sorted(PHONES)
    assert len(VOWELS) == 15
    assert len(SYMBOLS) == 24 + 3 * 15


def test_every_phone_has_its_own_ipa_name():
    assert len({ipa_name(phone) for phone in PHONES}) == 39


@pytest.mark.parametrize(
    ("symbol", "stress", "name"),
    [
        ("AH", None, "ʌ"),
        ("AH", 1, "ʌ"),
        ("AH", 0, "ə"),
        ("AH0", None, "ə"),
        ("AH0", 1, "ə"),
        ("ER", 2, "ɝ"),
        ("ER0", None, "ɚ"),
        ("NG", None, "ŋ"),
        ("IY", 0, "i"),
    ],
)
def test_ipa_names_know_the_reduced_vowels(symbol, stress, name):
    assert ipa_name(symbol, stress) == name


@pytest.mark.parametrize("symbol", ["", "X", "AX", "aa", "5", "B1X"])
def test_ipa_name_refuses_what_is_no_phone(symbol):
    with pytest.raises(PhoneError, match="is not an ARPABET phone"):
        ipa_name(symbol)


@given(pronunciations)
def test_arpabet_survives_parsing(phones):
    assert parse_arpabet(phones) == tuple(phones)
    assert parse_arpabet(" ".join(phones).lower()) == tuple(phones)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no phones"),
        ("K AX T", "'AX' is not an ARPABET phone"),
        ("K1 AE T", "'K1' has a stress digit on a consonant"),
        ("AE3", "'AE3' is not"),
    ],
)
def test_bad_arpabet_is_named(text, message):
    with pytest.raises(PhoneError, match=message):
        parse_arpabet(text)


def test_an_empty_part_is_refused():
    with pytest.raises(PhoneError, match="'' is not an ARPABET phone"):
        parse_arpabet(["K", ""])


# Two phones in a row whose IPA names run together into the name of another: no reader could tell them apart.
def is_ambiguous(left: str, right: str) -> bool:
    a, b = split_stress(left)[0], split_stress(right)[0]
    return (
        (a, b) in {("T", "SH"), ("D", "ZH")}
        or (a == "HH" and b == "W")
        # "ɔj" is also a way to write OY, "aw" one to write AW.
        or b in {"R", "Y", "W"}
        and a in VOWELS
        or a in VOWELS
        and b in VOWELS
    )


@given(pronunciations)
def test_ipa_round_trip(phones):
    kept = [phones[0]]
    for phone in phones[1:]:
        if not is_ambiguous(kept[-1], phone):
            kept.append(phone)
    # A full vowel that is written without mark has its symbol only: stressed ER and AH lose nothing, AH0 is schwa.
    marked = any(split_stress(phone)[1] in (1, 2) for phone in kept)
    back = parse_ipa(to_ipa(kept))
    if marked:
        assert back == tuple(kept)
    else:
        assert [split_stress(p)[0] for p in back] == [split_stress(p)[0] for p in kept]


@pytest.mark.parametrize(
    ("ipa", "arpabet"),
    [
        ("/ˈwɔːtə/", "W AO1 T AH0"),
        ("wɔɾɚ", "W AO T ER0"),
        ("[t͡ʃɜːt͡ʃ]", "CH ER1 CH"),
        ("ʧaɪld", "CH AY1 L D"),
        ("/həˈləʊ/", "HH AH0 L OW1"),
        ("/ˌɪn.tɚˈnæʃ.n̩.əl/", "IH2 N T ER0 N AE1 SH AH0 N AH0 L"),
        ("/ˈbɒtl̩/", "B AA1 T AH0 L"),
        ("/nɪə/", "N IH AH0"),
        ("/ˈɹeɪdiˌoʊ/", "R EY1 D IY0 OW2"),
        ("/fɑːðəɹ/", "F AA DH ER0"),
        ("/əˈɹaʊnd/", "AH0 R AW1 N D"),
        ("/ɡɹeɪt/", "G R EY1 T"),
        ("/greɪt/", "G R EY1 T"),
        ("/'teibl/", "T EY1 B L"),
        ("/ə/", "AH0"),
        ("/ʃː/", "SH"),
        ("lɒx", "L AA1 K"),
        ("/ˈsɪŋɪŋ/", "S IH1 NG IH0 NG"),
        ("ãɪ", "AY1"),
    ],
)
def test_ipa_of_dictionaries(ipa, arpabet):
    assert " ".join(parse_ipa(ipa)) == arpabet


@pytest.mark.parametrize(
    ("ipa", "symbol", "place"), [("/kæ7t/", "'7'", 4), ("β", "'β'", 1), ("kǃ", "'ǃ'", 2), ("/pʼa/", "'ʼ'", 3)]
)
def test_unknown_ipa_is_named_with_its_place(ipa, symbol, place):
    with pytest.raises(PhoneError, match=f"{symbol}.* at place {place} "):
        parse_ipa(ipa)


@pytest.mark.parametrize("ipa", ["", "//", "ˈ", " . "])
def test_ipa_without_phones_is_refused(ipa):
    with pytest.raises(PhoneError, match="has no phone in it"):
        parse_ipa(ipa)


@given(st.text(max_size=20))
def test_ipa_parser_gives_phones_or_a_phone_error(text):
    try:
        phones = parse_ipa(text)
    except PhoneError:
        return
    assert parse_arpabet(phones) == phones
