import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.phones import PHONES, VOWELS, UserLexicon, phonemize
from elocute.phones.kinds import KINDS
from elocute.phones.lexicon import default_lexicon
from elocute.phones.linking import MAX_LINKED
from elocute.phones.variants import MAX_VARIANTS, unstressed

COMMON = tuple(
    "the and to of you did get up last night this seat in bed ten cups far away idea law it at all not that day just "
    "want have used good time would could water red apple eat an orange she he his her them there is was year yes miss "
    "old man walk walked each what do don't know first one road black cat with think these shop bus stop our".split()
)


def spoken(text: str, lexicon: UserLexicon | None = None) -> set[str]:
    """Everything that the accepted forms of a text make side by side, phones without stress."""
    found = {((), None)}  # phones so far, and the last form
    for word in phonemize(text, lexicon=lexicon).words:
        joined = set()
        for phones, left in found:
            for right in word.variants:
                first, last = unstressed(right.phones)[0], phones[-1] if phones else None
                may_follow = right.after is None or last in right.after
                may_precede = left is None or left.before is None or first in left.before
                if may_follow and may_precede:
                    joined.add((phones + unstressed(right.phones), right))
        found = joined
    return {" ".join(phones) for phones, right in found if right is None or right.before is None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("last night", "L AE S N AY T"),
        ("last night", "L AA S N AY T"),
        ("and then", "AE N DH EH N"),
        ("old man", "OW L M AE N"),
        ("don't know", "D OW N N OW"),
        ("get up", "G EH D AH P"),
        ("not at all", "N AA D AE D AO L"),
        ("go to bed", "G OW D AH B EH D"),
        ("did you", "D IH JH UW"),
        ("did you", "D IH JH AH"),
        ("did you", "D IH JH Y UW"),
        ("would you", "W UH JH UW"),
        ("got you", "G AA CH UW"),
        ("don't you", "D OW N CH UW"),
        ("last year", "L AE S CH IH R"),
        ("meet your cat", "M IY CH ER K AE T"),
        ("in bed", "IH M B EH D"),
        ("ten cups", "T EH NG K AH P S"),
        ("this shop", "DH IH SH SH AA P"),
        ("this shop", "DH IH SH AA P"),
        ("miss you", "M IH SH Y UW"),
        ("this seat", "DH IH S IY T"),
        ("bad day", "B AE D EY"),
        ("that door", "DH AE D AO R"),
        ("bus stop", "B AH S T AA P"),
        ("with the", "W IH DH AH"),
        ("black cat", "B L AE K AE T"),
        ("far away", "F AA AH W EY"),
        ("water is", "W AO T AH R IH Z"),
        ("law and order", "L AO R AE N D AO R D ER"),
        ("idea of", "AY D IY AH R AH V"),
        ("have to go", "HH AE F T AH G OW"),
        ("has to go", "HH AE S T AH G OW"),
        ("used to", "Y UW S T UW"),
        ("used to go", "Y UW S T AH G OW"),
        ("gave him", "G EY V IH M"),
        ("to go to", "T AH G OW D UW"),
    ],
)
def test_connected_speech_is_accepted(text, said):
    assert said in spoken(text)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("best apple", "B EH S AE P AH L"),  # a vowel follows
        ("last", "L AE"),
        ("walked home", "W AO K HH OW M"),  # the ending of the past
        ("walked near", "W AO K N IH R"),
        ("this bed", "DH IH B EH D"),
        ("did you", "D IH D UW"),  # no Y, and nothing that holds it
        ("did you", "D IH JH D UW"),
        ("each year", "IY CH IH R"),
        ("orange year", "AO R AH N JH IH R"),
        ("ten apples", "T EH M AE P AH L Z"),
        ("ten apples", "T EH NG AE P AH L Z"),
        ("bad boy", "B AE B OY"),
        ("get one", "G EH D W AH N"),
        ("not me", "N AA D M IY"),
        ("have two", "HH AE F T UW"),
        ("the two", "DH AH D UW"),
        ("hat", "HH AE D"),
        ("red apple", "R EH AE P AH L"),
        ("which chair", "W IH CH EH R"),
        ("law man", "L AO R M AE N"),
        ("I am", "AY R AE M"),
        ("in the", "IH N AH"),
    ],
)
def test_errors_are_no_connected_speech(text, never):
    assert never not in spoken(text)


# Not among them, for native speakers make no difference there: "hold" and "hole" before consonants.
PAIRS = [
    ("ship", "sheep"), ("live", "leave"), ("sit", "seat"), ("fill", "feel"), ("it", "eat"), ("pull", "pool"),
    ("full", "fool"), ("look", "luke"), ("bed", "bad"), ("men", "man"), ("pen", "pan"), ("said", "sad"),
    ("cut", "cat"), ("fun", "fan"), ("cup", "cap"), ("luck", "lock"), ("hut", "hot"), ("coat", "caught"),
    ("low", "law"), ("bird", "bud"), ("work", "walk"), ("think", "sink"), ("thick", "sick"), ("mouth", "mouse"),
    ("three", "tree"), ("thin", "tin"), ("then", "den"), ("they", "day"), ("breathe", "breeze"), ("vest", "west"),
    ("very", "wary"), ("vine", "wine"), ("vote", "boat"), ("very", "berry"), ("fan", "pan"), ("coffee", "copy"),
    ("light", "right"), ("long", "wrong"), ("glass", "grass"), ("night", "light"), ("no", "low"), ("thin", "thing"),
    ("sun", "sung"), ("ran", "rang"), ("sheep", "cheap"), ("wash", "watch"), ("sea", "she"), ("so", "show"),
    ("yellow", "jello"), ("year", "ear"), ("yeast", "east"), ("price", "prize"), ("ice", "eyes"), ("bus", "buzz"),
    ("back", "bag"), ("cap", "cab"), ("leaf", "leave"), ("hair", "air"), ("heat", "eat"), ("who", "food"),
    ("play", "pray"), ("collect", "correct"), ("state", "estate"), ("train", "rain"), ("world", "word"),
    ("when", "then"), ("why", "white"), ("is", "ease"), ("his", "he's"), ("was", "walls"), ("our", "hour's"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda pair: str(pair))
def test_neither_word_of_a_minimal_pair_is_accepted_for_the_other(one, other):
    for word, wrong in ((one, other), (other, one)):
        error = unstressed(default_lexicon().get(wrong)[0])
        for text in ("{}", "the {} is", "my {} was", "two {} near me"):
            found = phonemize(text.format(word)).words[text.split().index("{}")]
            assert error not in {unstressed(variant.phones) for variant in found.variants}, text


def test_given_and_user_pronunciations_stay_exact():
    given_words = phonemize("did you", pronunciations=[["D", "IH1", "D"], ["Y", "UW1"]]).words
    assert [len(word.variants) for word in given_words] == [1, 1]
    one = UserLexicon.from_mapping({"did": "D IH1 D"})
    did, you = phonemize("did you", lexicon=one).words
    assert [variant.phones for variant in did.variants] == [("D", "IH1", "D")]
    assert "UW" not in {" ".join(unstressed(variant.phones)) for variant in you.variants}
    several = UserLexicon.from_mapping({"water": ["W AO1 T ER0", "W UH1 D ER0", "/ˈwɑːtə/"]})
    (water,) = phonemize("water", lexicon=several).words
    assert [variant.kind for variant in water.variants] == [None, "user's", "user's"]
    assert [" ".join(variant.phones) for variant in water.variants][:2] == ["W AO1 T ER0", "W UH1 D ER0"]


@given(st.lists(st.sampled_from(COMMON), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_variants_of_any_text_are_bounded_named_and_can_be_said(words):
    found = phonemize(" ".join(words)).words
    assert [word.spoken for word in found] == words
    for index, word in enumerate(found):
        first, *others = word.variants
        assert (first.kind, first.before, first.after) == (None, None, None)
        assert word.variant is None
        assert first.phones == default_lexicon().get(word.spoken)[0]
        assert len(word.variants) <= MAX_VARIANTS + MAX_LINKED
        for variant in others:
            assert variant.kind is not None
            assert set(variant.kind.split(", ")) <= set(KINDS)
            phones = unstressed(variant.phones)
            assert set(phones) <= set(PHONES)
            assert set(phones) & VOWELS or len(phones) == 1 or phones in {("K", "N"), ("S", "M"), ("SH", "L")}
            if variant.before is not None and index + 1 < len(found):
                assert variant.before <= set(PHONES)
        # Listed and derived forms never depend on what is next; those of neighbours name a neighbour that is there.
        if len(found) == 1:
            assert all(variant.before is None or variant.before == VOWELS for variant in word.variants)
