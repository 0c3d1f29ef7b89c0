"""Difficulty of words for speakers of a first language."""

from __future__ import annotations

import pytest

from elocute.phones import phonemize
from elocute.phones.difficulty import WordDifficulty, difficulty_of, predict_difficulty, risks_of
from elocute.phones.l1 import GRADES, l1_codes, l1_profile


def predicted(text: str, l1: str) -> tuple[WordDifficulty, ...]:
    return predict_difficulty(phonemize(text), l1_profile(l1))


def test_difficulty_is_the_probability_of_at_least_one_error() -> None:
    (think,) = predicted("think", "zh")
    right = 1.0
    for risk in think.risks:
        right *= 1 - risk.likelihood
    assert think.difficulty == pytest.approx(1 - right, abs=1e-4)
    assert think.risks[0].likelihood == max(risk.likelihood for risk in think.risks)
    assert difficulty_of(think.risks[:1]) == pytest.approx(think.risks[0].likelihood)


def test_the_missing_sound_is_named_with_what_is_said_instead() -> None:
    (think,) = predicted("think", "zh")
    th = next(risk for risk in think.risks if risk.phone == "TH")
    assert (th.kind, th.phone_index, th.instead[0][0]) == ("missing sound", 0, "S")
    assert th.reason == "Mandarin has no such sound."


def test_words_come_in_the_order_of_the_text_and_hard_ones_are_harder() -> None:
    words = predicted("The weather is nice, Vivian", "zh")
    assert [word.word for word in words] == ["The", "weather", "is", "nice", "Vivian"]
    assert [word.index for word in words] == [0, 1, 2, 3, 4]
    by_word = {word.word: word.difficulty for word in words}
    assert by_word["weather"] > by_word["nice"]


def test_spanish_school_begins_with_a_vowel_and_german_hand_ends_without_voice() -> None:
    (school,) = predicted("school", "es")
    first = next(risk for risk in school.risks if risk.phone is None)
    assert (first.kind, first.phone_index, first.instead[0][0]) == ("consonants in a row", 0, "EH")
    (bed,) = predicted("bed", "de")
    last = next(risk for risk in bed.risks if risk.phone == "D")
    assert (last.kind, last.instead) == ("final consonant", (("T", GRADES["often"]),))


def test_stress_is_a_risk_of_longer_words_only() -> None:
    thai = l1_profile("th")
    assert not any(risk.kind == "word stress" for risk in risks_of(("T", "UW"), 1, thai))
    assert any(risk.kind == "word stress" for risk in risks_of(("T", "AH", "D", "EY"), 2, thai))


@pytest.mark.parametrize("code", l1_codes())
def test_every_language_has_something_to_say_of_a_hard_sentence_and_nothing_of_nonsense_kinds(code: str) -> None:
    words = predicted("The three strong girls asked for these old things", code)
    assert max(word.difficulty for word in words) > 0.2
    for word in words:
        assert 0.0 <= word.difficulty < 1.0
        for risk in word.risks:
            assert 0.0 < risk.likelihood < 1.0
            assert risk.reason.endswith(".")
            if risk.phone is not None and risk.phone_index is not None:
                assert word.phones[risk.phone_index] == risk.phone
