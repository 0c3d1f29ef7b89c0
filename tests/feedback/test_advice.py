"""Advice: all confusions of English read well at all levels, say different things, and are easy to read."""

import itertools
import re
from collections import defaultdict
from functools import cache

import pytest

from elocute.errors import PhoneError
from elocute.feedback import LEVELS, Advice, Level, Slip, advise
from elocute.feedback.known import KNOWN
from elocute.feedback.sounds import SOUNDS
from elocute.feedback.teacher import changes, described
from elocute.phones import PHONES, VOWELS, ipa_name, phonemize, split_stress
from elocute.phones.lexicon import default_lexicon

NOTHING = None
CONFUSIONS = [
    *((expected, actual) for expected in PHONES for actual in (*PHONES, NOTHING)),
    *((NOTHING, actual) for actual in PHONES),
]
"""39 sounds, each said as any of the 39 (itself: unclear) or not at all; and 39 that were added."""
JARGON = re.compile(
    r"voiceless|voiced|alveolar|dental|velar|palat|bilabial|fricative|plosive|affricate|sibilant|approximant|nasal\b|"
    r"glottal|phoneme|articulat|devoic|epenthe|diphthong|aspirat|rounded|unrounded|tense vowel|\blax\b",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"[^.!?]+[.!?]+")
MOST_GRADE = 8.0


def all_slips() -> list[Slip]:
    return [Slip(expected=expected, actual=actual) for expected, actual in CONFUSIONS]


def in_word(word: str, index: int, actual: str | None, *, is_added: bool = False) -> Slip:
    """A slip in a real word."""
    phones = phonemize(word).words[0].phones
    return Slip(
        expected=None if is_added else phones[index].symbol,
        actual=actual,
        word=word,
        phones=tuple(phone.symbol for phone in phones),
        index=index,
        is_reduced=not is_added and phones[index].stress == 0,
    )


@cache
def syllables(word: str) -> int:
    """Syllables of a word, by the lexicon; what is no word, such as "shhh", has one."""
    found = default_lexicon().get(word)
    return sum(split_stress(phone)[0] in VOWELS for phone in found[0]) if found else 1


def grade(text: str) -> float:
    """Flesch-Kincaid grade level (Kincaid et al. 1975): .39 words a sentence + 11.8 syllables a word - 15.59."""
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower())
    sentences = len(SENTENCE.findall(text))
    return 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def test_the_grade_is_that_of_the_formula():
    # 6 words, 1 sentence, 6 syllables; 3 words, 1 sentence, 4 + 1 + 3 syllables
    assert grade("The cat sat on the mat.") == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    assert grade("Education is beautiful.") == pytest.approx(0.39 * 3 + 11.8 * 8 / 3 - 15.59)


@pytest.mark.parametrize("level", LEVELS)
def test_every_confusion_reads_as_whole_sentences(level: Level):
    assert len(CONFUSIONS) == 39 * 40 + 39
    for slip in all_slips():
        advice = advise(slip, level)
        for part in (advice.told, advice.did, advice.mend, advice.suggestion):
            assert re.fullmatch(r"[^\s].*[.!?]", part), (slip.sounds, part)
            assert "  " not in part, (slip.sounds, part)
            assert " ." not in part, (slip.sounds, part)
            assert "None" not in part, (slip.sounds, part)
            assert part.count("“") == part.count("”"), (slip.sounds, part)
            for sentence in SENTENCE.findall(part):
                first = sentence.strip().lstrip("“/[")[0]
                assert first.isupper() or sentence.strip()[0] in "/[“", (slip.sounds, sentence)


@pytest.mark.parametrize("level", LEVELS)
def test_articles_fit_the_next_word(level: Level):
    for slip in all_slips():
        text = advise(slip, level).suggestion
        for article, after in re.findall(r"\b([Aa]n?) “?([A-Za-z]+)", text):
            takes_an = after[0] in "aeiou" or (len(after) == 1 and after in "fhlmnrsx")
            assert (article.lower() == "an") == takes_an, (slip.sounds, article, after)


@pytest.mark.parametrize("level", ["child", "learner"])
def test_no_ipa_and_no_jargon_for_learners(level: Level):
    for slip in all_slips():
        text = advise(slip, level).suggestion
        assert not set(text) - set(map(chr, range(32, 127))) - set("“”"), (slip.sounds, text)
        assert JARGON.search(text) is None, (slip.sounds, text)


@pytest.mark.parametrize("level", LEVELS)
def test_no_two_confusions_share_a_text(level: Level):
    """Not even where the names of the sounds are taken away: what the mouth did and should do tells them apart."""
    by_text: dict[str, list[tuple[str, str]]] = defaultdict(list)
    by_movement: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for slip in all_slips():
        advice = advise(slip, level)
        by_text[f"{advice.message} {advice.mend}"].append(slip.sounds)
        by_movement[f"{advice.did} {advice.mend}"].append(slip.sounds)
    assert [shared for shared in by_text.values() if len(shared) > 1] == []
    assert [shared for shared in by_movement.values() if len(shared) > 1] == []


@pytest.mark.parametrize("level", ["child", "learner"])
def test_learners_can_read_it(level: Level):
    grades = {slip.sounds: grade(f"{advise(slip, level).message} {advise(slip, level).mend}") for slip in all_slips()}
    worst = max(grades, key=lambda sounds: grades[sounds])
    assert grades[worst] <= MOST_GRADE, (worst, grades[worst])
    assert sum(grades.values()) / len(grades) < 4.5


def test_teachers_get_ipa_and_features():
    for slip in all_slips():
        advice = advise(slip, "teacher")
        for phone in (slip.expected, slip.actual):
            assert phone is None or ipa_name(phone) in advice.told
        if slip.kind == "substitution":
            assert changes(slip.expected or "", slip.actual or "") in advice.did
    assert changes("TH", "S") == "place: dental to alveolar; sibilance: added"
    assert changes("IH", "IY") == "height: raised; backness: fronted; length: lengthened, tense"
    assert changes("R", "L") == "place: postalveolar to alveolar; manner: rhotic to lateral"
    assert described("V") == "voiced labiodental fricative"
    assert "final devoicing" in advise(in_word("bed", 2, "T"), "teacher").did


def test_every_sound_has_a_word_that_has_it():
    for phone, sound in SOUNDS.items():
        phones = [item.symbol for item in phonemize(sound.keyword).words[0].phones]
        assert phone in phones, sound.keyword
        assert sound.keyword.lower() == sound.keyword
    assert list(SOUNDS) == sorted(PHONES)


def test_hand_written_texts_are_for_real_confusions():
    for expected, actual in KNOWN:
        assert expected in PHONES
        assert actual in PHONES
        assert expected != actual


def message(slip: Slip, level: Level = "learner") -> str:
    return advise(slip, level).suggestion


def test_think_said_as_sink():
    text = message(in_word("think", 0, "S"))
    assert text.startswith("In “think”, the “th” sounded like the “s” in “say”.")
    assert "tongue between your teeth" in text
    assert advise(in_word("think", 0, "S")).minimal_pairs[:2] == ("sick/thick", "sink/think")


def test_the_place_in_the_word_matters():
    assert "at the end of the word" in message(in_word("bed", 2, "T"))
    assert "after a puff of air" in message(in_word("day", 0, "T"))
    assert "start of the word" in message(in_word("pen", 0, "B"))
    assert "stopped too soon" in message(in_word("cat", 2, None))
    assert "First say “s”, then “t”" in message(in_word("street", 1, None))
    assert "after the last sound" in message(in_word("good", 3, "AH", is_added=True))
    assert "before the first sound" in message(in_word("school", 0, "EH", is_added=True))
    assert "Get ready for “k” while you still say “s”" in message(in_word("school", 1, "AH", is_added=True))
    assert "until the hum has ended" in message(in_word("sing", 3, "G", is_added=True))


def test_which_of_several_sounds_is_said():
    assert "the second vowel" in message(in_word("banana", 3, "EH"))
    assert "the first “n” was left out" in message(in_word("banana", 2, None))
    assert "the vowel sounded like" in message(in_word("cat", 1, "EH"))


def test_a_word_with_one_vowel_loses_no_beat():
    assert "beat" not in message(in_word("though", 1, None))
    assert "beat" in message(in_word("banana", 3, None))


def test_weak_vowels_are_called_weak():
    assert "like the “a” in “about”" in message(in_word("banana", 1, "AA"))
    assert "This beat is weak." in message(in_word("banana", 1, "AA"))
    assert "/ə/" in message(in_word("banana", 1, "AA"), "teacher")


def test_words_in_context_read_well_too():
    """Every phone of varied words, replaced, lost and preceded by another: whole sentences, readable, no jargon."""
    words = "think strawberry vision asked school sing zoo".split()
    checked = 0
    for word, level in itertools.product(words, ("child", "learner")):
        phones = phonemize(word).words[0].phones
        for index in range(len(phones)):
            slips = [in_word(word, index, actual) for actual in (None, *PHONES)]
            slips += [in_word(word, index, actual, is_added=True) for actual in PHONES]
            for slip in slips:
                text = advise(slip, level).suggestion  # type: ignore[arg-type]
                assert re.fullmatch(r"In “[a-z]+”, .*[.!?]", text), text
                assert JARGON.search(text) is None, text
                assert grade(text.partition(" Compare")[0]) <= MOST_GRADE + 1.0, text
                checked += 1
    assert checked > 4000


def test_what_is_no_slip_is_refused():
    with pytest.raises(PhoneError, match="nothing was expected and nothing said"):
        Slip(expected=None, actual=None)
    with pytest.raises(PhoneError, match="'TH1' is no phone"):
        Slip(expected="TH1", actual="S")


def test_advice_is_the_same_object_for_the_same_slip():
    """Texts are made once: a report with many equal errors costs no more."""
    one = advise(Slip(expected="TH", actual="S"))
    assert isinstance(one, Advice)
    assert advise(Slip(expected="TH", actual="S")) is one


def test_a_vowel_beside_a_vowel_is_called_doubled():
    advice = advise(in_word("very", 3, "AH", is_added=True))
    assert "Say one vowel here, not two." in advice.mend
    assert advice.minimal_pairs == ()


def test_an_l_at_the_end_of_a_word_comes_late():
    assert "like the vowel in “home”" in message(in_word("ball", 2, "OW"))
    assert "many Americans only tap" in message(in_word("water", 2, "D"))
