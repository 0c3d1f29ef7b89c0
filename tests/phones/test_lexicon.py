import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.errors import ConfigError, PhoneError
from elocute.phones import UserLexicon
from elocute.phones.lexicon import SYMBOLS, Lexicon, default_lexicon, pack_lexicon
from elocute.training.lexicon import read_dict

GOLDENS = {  # made_by: CMUdict's data file and lexicon_own.txt, looked up by hand
    "elephant": ["EH1 L AH0 F AH0 N T"],
    "goose": ["G UW1 S"],
    "through": ["TH R UW1"],
    "rhythm": ["R IH1 DH AH0 M"],
    "colonel": ["K ER1 N AH0 L"],
    "zebra": ["Z IY1 B R AH0"],
    "can't": ["K AE1 N T"],
    "o'clock": ["AH0 K L AA1 K"],
    "u.s.": ["Y UW2 EH1 S"],
    "b.": ["B IY1"],
    "read": ["R IY1 D", "R EH1 D"],
    "live": ["L IH1 V", "L AY1 V"],
    "record": ["R EH1 K ER0 D", "R AH0 K AO1 R D", "R IH0 K AO1 R D"],
    "tear": ["T IH1 R", "T EH1 R"],
    "bass": ["B AE1 S", "B EY1 S"],
    "either": ["IY1 DH ER0", "AY1 DH ER0"],
}


@pytest.mark.parametrize("word", GOLDENS)
def test_cmudict_goldens_in_its_order(word):
    found = [" ".join(variant) for variant in default_lexicon().get(word)]
    assert found[: len(GOLDENS[word])] == GOLDENS[word]


@pytest.mark.parametrize(
    ("word", "strong", "weak"),
    [
        ("and", "AE1 N D", "AH0 N"),
        ("of", "AH1 V", "AH0 V"),
        ("to", "T UW1", "T AH0"),
        ("can", "K AE1 N", "K AH0 N"),
        ("for", "F AO1 R", "F ER0"),
        ("was", "W AH1 Z", "W AH0 Z"),
    ],
)
def test_function_words_have_the_strong_form_first_and_accept_the_weak_one(word, strong, weak):
    variants = [" ".join(variant) for variant in default_lexicon().get(word)]
    assert variants[0] == strong
    assert weak in variants[1:]


def test_the_lexicon_is_large_sorted_and_findable():
    lexicon = default_lexicon()
    words = list(lexicon.words())
    assert len(words) > 126_000
    assert words == sorted(set(words))
    for word in [*words[:50], *words[::1009], *words[-50:]]:
        assert word in lexicon
        assert all(set(variant) <= set(SYMBOLS) for variant in lexicon.get(word))


@pytest.mark.parametrize("word", ["", "'", "zzzzzz", "Cat", "café", "a\n", "\t", " ", "cat\t", "\ncat"])
def test_unknown_words_have_no_pronunciation(word):
    assert word not in default_lexicon()
    assert default_lexicon().get(word) == ()


words = st.text("abc'-.", min_size=1, max_size=6)
variants = st.lists(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=8).map(tuple), min_size=1, max_size=3)


@given(st.dictionaries(words, variants, max_size=20), words)
def test_packing_keeps_everything_and_adds_nothing(entries, probe):
    lexicon = Lexicon(pack_lexicon(entries))
    assert list(lexicon.words()) == sorted(entries)
    for word, listed in entries.items():
        assert lexicon.get(word) == tuple(listed)
    assert (probe in lexicon) == (probe in entries)


def test_packing_refuses_what_the_format_cannot_hold():
    with pytest.raises(PhoneError, match="'é' is not printable ASCII"):
        pack_lexicon({"é": [("EY1",)]})


def test_a_file_that_is_no_lexicon_is_refused():
    with pytest.raises(ConfigError, match="does not start as"):
        Lexicon(b"PK\x03\x04")


def test_cmudict_format_is_read(tmp_path):
    path = tmp_path / "d.dict"
    path.write_text("abc AE1 B # name, foreign\nabc(2) AA1 B\nABC(3) AE1 B\n\n# only a comment\nd D IY1\n")
    assert read_dict(path) == {"abc": [("AE1", "B"), ("AA1", "B")], "d": [("D", "IY1")]}


def test_user_lexicon_from_a_file(tmp_path):
    path = tmp_path / "user.txt"
    path.write_text(
        "\ufeff# mine\nNguyen W IH1 N  # name\nNguyen\tN UW1 Y EH2 N\n\nelocute /ˈɛləkjuːt/\ncan’t\t k ah n t\n",
        encoding="utf-8",
    )
    lexicon = UserLexicon.from_file(path)
    assert len(lexicon) == 3
    assert lexicon.get("nguyen") == (("W", "IH1", "N"), ("N", "UW1", "Y", "EH2", "N"))
    assert lexicon.get("elocute") == (("EH1", "L", "AH0", "K", "Y", "UW0", "T"),)
    assert lexicon.get("can't") == (("K", "AH", "N", "T"),)
    assert "other" not in lexicon


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("word", "line 2: 'word' has no pronunciation"),
        ("word K AX T", "line 2: 'AX' is not an ARPABET phone"),
        ("word /kæ7t/", "line 2: '7' .* at place 4"),
        ("... K AE1 T", "line 2: '...' is not a word"),
        ("42 K AE1 T", "line 2: '42' is not a word of letters"),
        ("да D AA1", "line 2: 'да' cannot be a word of the lexicon: 'д' .cyrillic"),
        ("two words\tK AE1 T", "line 2: 'two words' is not a word"),
    ],
)
def test_errors_of_a_user_lexicon_name_file_and_line(tmp_path, line, message):
    path = tmp_path / "user.txt"
    path.write_text(f"good G UH1 D\n{line}\n", encoding="utf-8")
    with pytest.raises(PhoneError, match=f"user.txt, {message}"):
        UserLexicon.from_file(path)


def test_a_user_lexicon_that_is_not_utf_8(tmp_path):
    path = tmp_path / "user.txt"
    path.write_bytes(b"caf\xe9 K AE F EY\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        UserLexicon.from_file(path)


def test_user_lexicon_from_a_mapping():
    lexicon = UserLexicon.from_mapping({"Tomato": ["/təˈmeɪtoʊ/", "T AH0 M AA1 T OW0"]})
    assert lexicon.get("tomato") == (("T", "AH0", "M", "EY1", "T", "OW0"), ("T", "AH0", "M", "AA1", "T", "OW0"))
    with pytest.raises(PhoneError, match="'QQ' is not"):
        UserLexicon.from_mapping({"x": "QQ"})
