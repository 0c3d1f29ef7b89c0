import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.errors import TextError
from elocute.phones.lexicon import default_lexicon
from elocute.phones.normalize import MAX_CHARACTERS, MAX_WORD_LETTERS, normalize


def tokens(text):
    return normalize(text, is_known=default_lexicon().__contains__)


def said(text):
    return " ".join(word for token in tokens(text) for word in token.spoken)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("WE CALL IT BEAR", "we call it bear"),
        ("Dr. Smith lives at 42 Main St. in St. Paul.", "doctor smith lives at forty two main street in saint paul"),
        ("Mrs. Jones vs. Mr Black etc.", "missus jones versus mister black et cetera"),
        ("No. 5, said no.", "number five said no"),
        ("the cat sat. Sat. 9", "the cat sat saturday nine"),
        (
            "It costs $5.20, or €3.5 million;",
            "it costs five dollars and twenty cents or three point five million euros",
        ),
        ("$0.99, $1, £3.05", "ninety nine cents one dollar three pounds and five pence"),
        ("¥500, $1.5k 50% off!", "five hundred yen one point five thousand dollars fifty percent off"),
        ("Call 0351 at 3:30pm or 3:00.", "call zero three five one at three thirty p.m. or three o'clock"),
        ("3:05 a.m.", "three oh five a.m."),
        ("In 1984 and the 1990s", "in nineteen eighty four and the nineteen nineties"),
        ("21st century 2004", "twenty first century two thousand four"),
        ("5-10, 3–7; -5°C", "five to ten three to seven minus five degrees celsius"),
        ("5km, 5 kg", "five kilometers five kilograms"),
        ("I am 10 in a row", "i am ten in a row"),
        ("1 km, 2 km, 60mph", "one kilometer two kilometers sixty miles per hour"),
        ("1/2 3½ 24/7", "one half three and a half twenty four seven"),
        ("555-1234", "five five five one two three four"),
        ("(555) 123-4567", "five five five one two three four five six seven"),
        ("+1 555 123 4567", "plus one five five five one two three four five six seven"),
        ("2020-05-17", "may seventeenth twenty twenty"),
        ("3.14 .5 1.2.3", "three point one four point five one point two point three"),
        ("1,234,000.5", "one million two hundred thirty four thousand point five"),
        ("€½ 2½km", "one half two and a half kilometers"),
        ("U.S.A. and the US", "u.s.a. and the u.s."),
        ("give it to US NOW", "give it to u.s. now"),
        ("GIVE IT TO US NOW", "give it to us now"),
        ("the XKCD and BBC's NASA", "the x. k. c. d. and bbc's nasa"),
        ("e.g. this, i.e. that, Ph.D.", "for example this that is that p. h. d."),
        ("blue-green x-ray re-enter co-operate", "blue green x-ray reenter cooperate"),
        ("can’t don`t 'em dogs' goin' 'Twas", "can't don't 'em dogs goin' 'twas"),
        ("I said 'hello' to “you”…", "i said hello to you"),
        ("the café's naïve Zoë, Ångström, straße, Łódź", "the cafe's naive zoe angstrom strasse lodz"),
        ("ﬁne Ｗｉｄｅ １２", "fine wide twelve"),
        ("see www.example.com, bob@test.org", "see www dot example dot com bob at test dot org"),
        ("R&D a+b=c #1 #yes", "r and d a plus b equals c number one hashtag yes"),
        ("COVID-19 mp3 B2B H2O CO2 4K", "covid nineteen m. p. three b. two b h. two o c. o. two four k."),
        ("Hello—world 😀 ok 👩‍👩‍👧 #️⃣", "hello world ok"),
        ("snake_case *bold* ~tilde~", "snake case bold tilde"),
        ("٣ apples", "three apples"),
        ("naıve\u200bly e\u0301", "naively e"),
        ("and/or", "and or"),
        ("the 5-year-old's", "the five year old's"),
    ],
)
def test_text_is_said_as_a_reader_would(text, spoken):
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Dr. Who?", ["Dr.", "Who"]),
        ("(42) “cats”, can’t.", ["42", "cats", "can’t"]),
        ("Zoë's café.", ["Zoë's", "café"]),
        ("blue-green", ["blue", "green"]),
        ("$5.20!", ["$5.20"]),
        ("e\u0301t\u00e9", ["été"]),
    ],
)
def test_tokens_keep_what_was_written(text, written):
    assert [token.text for token in tokens(text)] == written


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_empty_text(text):
    with pytest.raises(TextError, match="the text is empty; give the words"):
        tokens(text)


@pytest.mark.parametrize("text", ["!!!", "😀", "...", "— “” ’", "$", "\u200b", "\x00"])
def test_nothing_pronounceable(text):
    with pytest.raises(TextError, match="has nothing that can be pronounced"):
        tokens(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Привет", r"'П' \(cyrillic capital letter pe\) at character 1"),
        ("hello 你好", r"'你' .* at character 7"),
        ("say ش", r"'ش' \(arabic letter sheen\) at character 5"),
        ("ok 한", r"'한' \(hangul syllable han\)"),
        ("α", "greek small letter alpha"),
    ],
)
def test_letters_of_other_scripts_are_named(text, message):
    with pytest.raises(TextError, match=message):
        tokens(text)


@pytest.mark.parametrize("text", [None, b"hello", 42, ["hello"]])
def test_only_a_str_is_a_text(text):
    with pytest.raises(TextError, match=f"the text is a {type(text).__name__}; expected a str"):
        tokens(text)


def test_over_long_text_and_words():
    with pytest.raises(TextError, match=f"has {MAX_CHARACTERS + 1} characters, at most {MAX_CHARACTERS}"):
        tokens("a" * (MAX_CHARACTERS + 1))
    with pytest.raises(TextError, match=f"has {MAX_WORD_LETTERS + 1} letters"):
        tokens("a" * (MAX_WORD_LETTERS + 1))
    assert len(tokens("a " * (MAX_CHARACTERS // 2))) == MAX_CHARACTERS // 2


tricky = st.text(st.sampled_from("aAbsS'’.-–—:/%$€#&+=@°,0123456789 kmpth½²é😀\u0301"), max_size=25)


@given(st.one_of(st.text(max_size=60), tricky))
def test_never_crashes_and_never_gives_nothing(text):
    try:
        found = tokens(text)
    except TextError:
        return
    assert found
    for token in found:
        assert token.text
        assert token.spoken
        for word in token.spoken:
            assert word.isascii()
            assert word == word.lower()
            assert any(letter.isalpha() for letter in word)


@given(tricky)
def test_words_keep_their_order_in_the_text(text):
    try:
        found = tokens(text)
    except TextError:
        return
    at = 0
    source = unicodedata.normalize("NFC", text)
    for token in found:
        at = source.index(token.text, at) + len(token.text)
