"""Phrases of a text, and pauses that keep or break them, on sentences whose phrases anyone can tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.phones import phonemize
from elocute.prosody import Pause, Timing, find_breaks, fluency, phrase_gaps, place_pauses
from elocute.prosody.breaks import LEAST_CONFIDENCE


def kinds(text: str) -> dict[str, str]:
    """Kind of each gap, by the words around it."""
    words = phonemize(text).words
    return {
        f"{words[gap.after_word].spoken} {words[gap.after_word + 1].spoken}": gap.kind
        for gap in phrase_gaps(text, words)
    }


@pytest.mark.parametrize(("text", "expected"), [
    ("The old man walked to the store and bought bread", {
        "the old": "function", "old man": "content", "walked to": "phrase", "to the": "function", "store and": "clause",
        "and bought": "function",
    }),
    ("Stop! Who goes there?", {"stop who": "sentence"}),
    ("Yes, I know; he told me.", {"yes i": "comma", "know he": "sentence", "told me": "function"}),
    ("He said it, then gave it to her.", {"said it": "function", "it then": "comma", "gave it": "function"}),
    ("Come in and sit down.", {"come in": "function", "in and": "function", "sit down": "function"}),
    ("Forty-two men \u2014 all of them \u2014 left", {"forty two": "function", "men all": "sentence"}),
    ("I have 42 cats - and 42 dogs", {"forty two": "function", "two cats": "content", "cats and": "sentence"}),
    ("Dr. Smith paid $5, no more", {"doctor smith": "content", "five dollars": "function", "dollars no": "comma"}),
    ("Very very good (he said) \u201cgood\u201d", {"very very": "content", "good he": "comma", "said good": "comma"}),
    ("WE CALL IT BEAR", {"we call": "function", "call it": "phrase"}),
])  # fmt: skip
def test_phrases_end_where_anyone_would_pause(text: str, expected: dict[str, str]):
    found = kinds(text)
    assert {gap: found[gap] for gap in expected} == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from("the cat 42 Dr. $5 and it's well-known , . ! ( ) - -- 3:30 e.g. BBC \u00e9clair".split()),
        min_size=1,
        max_size=15,
    )
)
def test_any_text_has_a_gap_between_each_two_words(parts: list[str]):
    text = "we " + " ".join(parts)
    words = phonemize(text).words
    gaps = phrase_gaps(text, words)
    assert [gap.after_word for gap in gaps] == list(range(len(words) - 1))
    assert all(0 < gap.prior < 1 for gap in gaps)


def test_a_long_phrase_makes_a_pause_likelier():
    text = "the children of the small town went to school by the road in the hills"
    words = phonemize(text).words
    priors = {words[gap.after_word].spoken: gap.prior for gap in phrase_gaps(text, words) if gap.kind == "phrase"}
    assert priors["children"] < priors["school"]


TEXT = "The old man walked to the store, and bought bread"


def spoken(pauses: dict[tuple[str, int], float], stretch: dict[str, float] | None = None, text: str = TEXT):
    """A reading of 80 ms a phone with pauses behind the phone n of a word, words of any other length stretched."""
    words = phonemize(text).words
    symbols, word_ids, starts, ends, found, now = [], [], [], [], [], 0.0
    for number, word in enumerate(words):
        for place, phone in enumerate(word.phones):
            starts.append(now)
            now += 0.08 * (stretch or {}).get(word.spoken, 1.0)
            ends.append(now)
            symbols.append(phone.symbol)
            word_ids.append(number)
            if (word.spoken, place) in pauses:
                length = pauses[word.spoken, place]
                found.append(Pause(start_s=now, end_s=now + length, after_phone=len(symbols) - 1))
                now += length
    times = Timing(
        start_s=np.array(starts),
        end_s=np.array(ends),
        pauses=tuple(found),
        energy_db=np.zeros(1),
        quiet=np.zeros(1, dtype=bool),
        frame_shift_s=0.02,
    )
    return times, symbols, word_ids, phrase_gaps(text, words)


def test_where_pauses_are():
    times, _, word_ids, gaps = spoken({("the", 1): 0.4, ("man", 1): 0.3, ("man", 2): 0.3, ("store", 3): 0.3})
    placed = place_pauses(times.pauses, word_ids, gaps)
    assert [(pause.after_word, pause.place) for pause in placed] == [
        (0, "phrase"), (2, "word"), (2, "phrase"), (5, "phrase"), (6, "boundary"),
    ]  # fmt: skip
    assert all(pause.hesitation > 0.9 for pause in placed[:2])
    assert placed[-1].hesitation < 0.2


def test_longer_is_less_fluent_and_between_sentences_it_takes_a_second():
    def hesitation(text: str, word: str, last: int, length: float) -> float:
        times, _, word_ids, gaps = spoken({(word, last): length}, text=text)
        (pause,) = place_pauses(times.pauses, word_ids, gaps)
        return pause.hesitation

    assert hesitation(TEXT, "walked", 3, 0.25) < hesitation(TEXT, "walked", 3, 0.6)
    assert hesitation("I know, he left", "know", 1, 1.0) > 0.5 > hesitation("I know. He left", "know", 1, 1.0)


def test_breaks_are_pauses_inside_phrases_and_words():
    times, symbols, word_ids, gaps = spoken({("old", 2): 0.5, ("store", 1): 0.5, ("store", 3): 0.5})
    found = find_breaks(times, symbols, word_ids, gaps)
    assert [(one.kind, one.after_word) for one in found] == [("unexpected", 1), ("unexpected", 6)]
    assert [(one.start_s, one.end_s) for one in found] == [(p.start_s, p.end_s) for p in times.pauses[:2]]
    assert all(LEAST_CONFIDENCE <= one.confidence <= 1 for one in found)


def test_a_comma_read_over_is_missed_unless_the_syllable_before_it_is_long():
    times, symbols, word_ids, gaps = spoken({}, {"store": 0.7})
    (missing,) = find_breaks(times, symbols, word_ids, gaps)
    assert (missing.kind, missing.after_word) == ("missing", 6)
    assert missing.start_s == missing.end_s == times.end_s[word_ids.index(7) - 1]
    assert find_breaks(*spoken({}, {"store": 2.5})) == ()
    assert find_breaks(*spoken({("store", 3): 0.2}, {"store": 0.7})) == ()


def test_a_word_left_out_takes_its_comma_with_it():
    """Of "the store, and" only "the" and "bought" were said: the pause there is at the phrase's end."""
    times, symbols, word_ids, gaps = spoken({("the", 1): 0.6}, text="to the bought bread")
    ids = [{0: 4, 1: 5, 2: 8, 3: 9}[word] for word in word_ids]
    gaps = phrase_gaps(TEXT, phonemize(TEXT).words)
    (pause,) = place_pauses(times.pauses, ids, gaps)
    assert (pause.after_word, pause.place) == (5, "boundary")
    assert find_breaks(times, symbols, ids, gaps) == ()


def test_speech_beside_the_text_is_time_without_syllables():
    times = spoken({("man", 2): 0.5})[0]
    plain, beside = (fluency(times, syllables=10, correct_words=8, beside_s=extra) for extra in (0.0, 1.3))
    span = float(times.end_s[-1] - times.start_s[0])
    assert plain.speech_rate_syl_s == pytest.approx(10 / span)
    assert beside.speech_rate_syl_s == pytest.approx(10 / (span + 1.3))
    assert beside.articulation_rate_syl_s == pytest.approx(10 / (span + 1.3 - 0.5))
    assert beside.phonation_ratio == pytest.approx(1 - 0.5 / (span + 1.3))
    assert beside.pause_count == plain.pause_count == 1
    assert beside.wcpm == pytest.approx(60 * 8 / (span + 1.3))
