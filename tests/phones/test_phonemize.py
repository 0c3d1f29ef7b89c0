import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.errors import ConfigError, PhoneError, TextError
from elocute.phones import PHONES, VOWELS, UserLexicon, phonemize
from elocute.types import Variant


class Spelling:
    """A G2P engine that says K for everything and remembers what it was asked."""

    name = "spelling"

    def __init__(self):
        self.asked = []

    def pronounce(self, word):
        self.asked.append(word)
        return ("K", "AH0")


def symbols(canonical):
    return " ".join(phone.symbol for phone in canonical.phones)


def test_words_phones_stress_and_syllables():
    canonical = phonemize("We call it, bear!")
    assert canonical.text == "We call it, bear!"
    assert [word.text for word in canonical] == ["We", "call", "it", "bear"]
    assert [word.spoken for word in canonical] == ["we", "call", "it", "bear"]
    assert symbols(canonical) == "W IY K AO L IH T B EH R"
    assert [phone.word_index for phone in canonical.phones] == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]
    assert [phone.stress for phone in canonical.words[3].phones] == [None, 1, None]
    elephant = phonemize("elephant").words[0]
    assert [(p.symbol, p.stress, p.syllable_index) for p in elephant.phones] == [
        ("EH", 1, 0), ("L", None, 1), ("AH", 0, 1), ("F", None, 2), ("AH", 0, 2), ("N", None, 2), ("T", None, 2),
    ]  # fmt: skip
    assert elephant.source == "lexicon"
    assert elephant.variants[0].phones == ("EH1", "L", "AH0", "F", "AH0", "N", "T")


def test_one_written_token_of_several_words():
    words = phonemize("Dr. 42 BBC").words
    assert [(word.text, word.spoken) for word in words] == [
        ("Dr.", "doctor"),
        ("42", "forty"),
        ("42", "two"),
        ("BBC", "bbc"),
    ]


def test_sources_take_precedence():
    user = UserLexicon.from_mapping({"bear": "/biːɹ/", "wug": "W AH1 G"})
    words = phonemize("bear wug cat wugs", lexicon=user).words
    assert [word.source for word in words] == ["user", "user", "lexicon", "g2p"]
    assert words[0].variants == (Variant(phones=("B", "IY1", "R")),)
    assert words[3].variants[0].phones == ("W", "AH1", "G", "Z")


def test_a_user_entry_beats_spelling_out():
    user = UserLexicon.from_mapping({"xkcd": "K AE1 T", "Zoë-May": "Z OW1"})
    assert symbols(phonemize("the XKCD zoe-may", lexicon=user)) == "DH AH K AE T Z OW"


def test_engine_is_asked_only_for_words_that_nobody_lists():
    engine = Spelling()
    words = phonemize("The blorptangle blogs", g2p=engine).words
    assert engine.asked == ["blorptangle"]
    assert words[1].source == "g2p"
    assert [phone.symbol for phone in words[1].phones] == ["K", "AH"]


def test_unknown_engine_is_named():
    with pytest.raises(ConfigError, match="no G2P engine is called 'nope'; choose one of espeak, gruut, model"):
        phonemize("blorptangle", g2p="nope")


def test_given_pronunciations_fix_every_word():
    canonical = phonemize("tai goose", pronunciations=[["T", "ay1"], ["G", "UW", "S"]])
    assert symbols(canonical) == "T AY G UW S"
    assert [word.source for word in canonical] == ["given", "given"]
    assert canonical.words[0].variants == (Variant(phones=("T", "AY1")),)
    assert [phone.stress for phone in canonical.phones] == [None, 1, None, 1, None]  # of goose the lexicon's


@pytest.mark.parametrize(
    ("word", "phones", "stresses"),
    [
        ("record", "R EH K ER D", [1, 0]),  # the noun
        ("record", "R IH K AO R D", [0, 1]),  # the verb
        ("record", "R AH K AA R D", [1, 0]),  # as listed by nobody: with as many vowels, the first
        ("record", "R EH0 K AO1 R D", [0, 1]),  # as given
        ("record", "R EH0 K AO R D", [0, None]),  # half given, left alone
        ("record", "R EH K", [None]),  # one vowel too few
        ("blorptangle", "B L AO R P T AE NG L", [None, None]),  # listed nowhere
    ],
)
def test_stress_that_was_not_given_is_the_lexicon_s(word, phones, stresses):
    canonical = phonemize(word, pronunciations=[phones.split()])
    assert [phone.symbol for phone in canonical.phones] == [phone.rstrip("012") for phone in phones.split()]
    assert [phone.stress for phone in canonical.phones if phone.symbol in VOWELS] == stresses


def test_given_pronunciations_may_be_one_for_each_written_word():
    phones = [["F", "AO1", "R", "T", "IY0", "T", "UW1"], ["K", "AE1", "T", "S"]]
    words = phonemize("42 cats", pronunciations=phones).words
    assert [(word.text, word.spoken) for word in words] == [("42", "forty two"), ("cats", "cats")]
    split = [["F", "AO1", "R", "T", "IY0"], ["T", "UW1"], ["K", "AE1", "T", "S"]]
    assert [word.spoken for word in phonemize("42 cats", pronunciations=split)] == ["forty", "two", "cats"]


@pytest.mark.parametrize("given_phones", [[], [["K"]], [["K"], ["T"], ["S"]]])
def test_wrong_number_of_given_pronunciations(given_phones):
    message = rf"{len(given_phones)} pronunciations were given for 2 words \(we call\)"
    with pytest.raises(PhoneError, match=message):
        phonemize("we call", pronunciations=given_phones)


@pytest.mark.parametrize(("bad", "message"), [(["QQ"], "'QQ' is not"), ([], "no phones"), (["K2"], "stress digit")])
def test_bad_given_pronunciation_names_the_word(bad, message):
    with pytest.raises(PhoneError, match=f"pronunciation 2, of 'call': .*{message}"):
        phonemize("we call", pronunciations=[["W", "IY1"], bad])


def test_text_errors_come_through():
    with pytest.raises(TextError, match="empty"):
        phonemize("")
    with pytest.raises(TextError, match="cyrillic"):
        phonemize("да")


@given(st.text(max_size=40))
def test_any_text_gives_well_formed_words_or_a_text_error(text):
    try:
        canonical = phonemize(text, g2p=Spelling())
    except TextError:
        return
    assert canonical.words
    for index, word in enumerate(canonical.words):
        assert word.phones
        assert word.variants
        assert word.source in ("lexicon", "g2p")
        for phone in word.phones:
            assert phone.word_index == index
            assert phone.symbol in PHONES
            assert (phone.stress is not None) == (phone.symbol in VOWELS)


def test_listed_words_load_neither_run_time_nor_torch():
    code = (
        "import sys; from elocute.phones import phonemize; phonemize('we call it bear');"
        "print(sorted({'onnxruntime', 'torch', 'gruut'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
