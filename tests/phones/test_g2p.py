import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.errors import ConfigError, MissingExtraError, PhoneError
from elocute.phones import check_g2p, load_g2p, parse_arpabet, phonemize
from elocute.phones import g2p as g2p_module
from elocute.phones.g2p import BLANK_ID, LETTERS, EspeakG2P, GruutG2P, ModelG2P, decode_greedy, encode_word
from elocute.phones.lexicon import SYMBOLS, default_lexicon


class Fake:
    def __init__(self, answers, name="fake"):
        self.name = name
        self._answers = iter(answers)

    def pronounce(self, word):
        return next(self._answers)


def planted(labels):
    """Log-probabilities whose best path is `labels`."""
    out = np.full((len(labels), 1 + len(SYMBOLS)), -9.0, dtype=np.float32)
    out[np.arange(len(labels)), labels] = -0.01
    return out


@given(st.lists(st.integers(0, len(SYMBOLS)), min_size=1, max_size=12))
def test_greedy_decoding_collapses_repeats_and_drops_blanks(labels):
    expected = []
    previous = BLANK_ID
    for label in labels:
        if label not in (previous, BLANK_ID):
            expected.append(SYMBOLS[label - 1])
        previous = label
    assert decode_greedy(planted(labels)) == tuple(expected)


def test_words_stand_between_their_marks():
    ids = encode_word("a'z")
    assert "".join(LETTERS[i - 1] for i in ids) == "^a'z$"
    assert 0 not in ids


def test_the_model_passes_the_check():
    check_g2p(load_g2p())


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("blit", "B L IH T"),
        ("flumper", "F L AH M P ER"),
        ("shrink", "SH R IH NG K"),
        ("splaking", "S P L EY K IH NG"),
        ("thrandish", "TH R AE N D IH SH"),
        ("quop", "K W AA P"),
        ("phot", "F AA T"),
    ],
)
def test_the_model_reads_regular_spellings(word, phones):
    assert " ".join(phone.rstrip("012") for phone in load_g2p().pronounce(word)) == phones


def test_the_model_knows_most_listed_words_again():
    words = [word for word in list(default_lexicon().words())[::400] if word.isalpha() and len(word) > 1]
    engine = load_g2p()
    bare = [tuple(phone.rstrip("012") for phone in engine.pronounce(word)) for word in words]
    right = [
        guess in {tuple(phone.rstrip("012") for phone in variant) for variant in default_lexicon().get(word)}
        for word, guess in zip(words, bare, strict=True)
    ]
    assert sum(right) / len(words) > 0.7


@given(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=60))
def test_the_model_gives_arpabet_or_says_that_it_cannot(word):
    engine = load_g2p()
    if decode_greedy(engine.log_probs(word)):
        phones = engine.pronounce(word)
        assert parse_arpabet(phones) == phones
    else:
        with pytest.raises(PhoneError, match="finds no phone"):
            engine.pronounce(word)


@pytest.mark.parametrize("word", ["", "é", "a b", "b.", "A", "x" * 63])
def test_the_model_refuses_what_it_cannot_read(word):
    with pytest.raises(PhoneError, match="cannot be pronounced by the G2P model"):
        load_g2p().pronounce(word)


def test_unlisted_words_are_pronounced_by_the_model():
    word = phonemize("a blorptangle").words[1]
    assert word.source == "g2p"
    assert [phone.symbol for phone in word.phones][:3] == ["B", "L", "AO"]
    assert word.variants[0].phones[0] == "B"


def test_a_text_of_unpronounceable_letters_still_has_an_answer():
    for text in ("zzzzzzzz", "eeo", "aaaaaaaaaa", "XQXQXQXQ", "hmmmm", "oooooh"):
        assert phonemize(text).phones


def test_the_check_finds_bad_engines():
    with pytest.raises(ConfigError, match="empty name"):
        check_g2p(Fake([], name=""))
    with pytest.raises(ConfigError, match="gives no ARPABET for 'a': 'QQ'"):
        check_g2p(Fake([("QQ",)]))
    with pytest.raises(ConfigError, match="gives no ARPABET for 'a': a pronunciation has no phones"):
        check_g2p(Fake([()]))
    with pytest.raises(ConfigError, match="pronounces 'a' in two ways"):
        check_g2p(Fake([("K",), ("T",)]))


def test_a_missing_espeak_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(g2p_module.shutil, "which", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs the program espeak-ng on the PATH; install it"):
        EspeakG2P()


def test_a_missing_gruut_says_how_to_get_it(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(g2p_module, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'elocute\[gruut\]'"):
        GruutG2P()


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="the program espeak-ng is not installed")
def test_espeak_gives_arpabet():
    engine = load_g2p("espeak")
    check_g2p(engine)
    assert [" ".join(p.rstrip("012") for p in engine.pronounce(w)) for w in ("cat", "church")] == ["K AE T", "CH ER CH"]


def test_gruut_gives_arpabet():
    pytest.importorskip("gruut_lang_en")
    engine = load_g2p("gruut")
    check_g2p(engine)
    assert " ".join(p.rstrip("012") for p in engine.pronounce("catnip")) == "K AE T N IH P"


def test_a_missing_model_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere.onnx not found; expected an ONNX file"):
        ModelG2P(tmp_path / "nowhere.onnx")
