"""What sentences ask of the melody, as a teacher would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.prosody.sentence_melody import expected_contours, expected_final

FINALS = {
    "fall": [
        "I live in Rome.", "Sit down!", "How are you?", "Well, what did he say?", "To whom did you give it?",
        "HOW ARE YOU", "Is it tea or coffee?", "Tea or coffee?", "Tell me what you saw.", "DO IT NOW", "HAVE THE REST",
        "Had it rained, we would have stayed.", "HOW LOVELY IT IS", "So why are you here?",
        "Mr. Smith paid 3.5 dollars",
        "Are you there? I am here.", "He said “Go.”", "WHERE DID THAT COME FROM",
    ],
    "rise": [
        "Are you here?", "You are coming?", "Really?", "And you?", "If it rains, will you come?",
        "DO YOU BELIEVE IN DREAMS",
        "DOES BETTY LIKE THE HAMBURGER", "BUT WAS THAT ALL", "Do you like it or not?", 'He asked, "Are you all right?"',
        "Isn't it cold?", "I am here. Are you?", "Did Mr. Smith pay?",
    ],
    None: [
        "It's cold, isn't it?", "What?", "You said what?", "produced the block books,", "Wait...",
        "You can, can't you?",
        "...", "",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("contour", "text"), [(contour, text) for contour, texts in FINALS.items() for text in texts])
def test_the_end_of_a_text(contour: str | None, text: str) -> None:
    assert expected_final(text) == contour


LISTS = {
    "I bought apples, pears, and plums.": ["apples", "pears"],
    "I bought apples, pears and plums.": ["apples", "pears"],
    "I like cats, dogs or big horses": ["cats", "dogs"],
    "One, two, three, four.": ["One", "two", "three"],
    "I went to the bank, the post office, and the school.": ["bank", "office"],
    "In summer, cats and dogs sleep.": [],
    "Yesterday, Tom, who was ill, came home late.": [],
    "He came, but I left.": [],
    "He opened the door, and the cat ran out.": [],
    "Salt and pepper.": [],
}


@pytest.mark.parametrize("text", LISTS)
def test_the_items_of_a_list_rise_but_for_the_last(text: str) -> None:
    phrases = expected_contours(text)
    items = [text[: phrase.end].split()[-1].strip(",") for phrase in phrases if phrase.kind == "list item"]
    assert items == LISTS[text]
    assert all(phrase.contour == "rise" for phrase in phrases if phrase.kind == "list item")
    assert phrases[-1].contour == "fall"


def test_each_sentence_has_its_own() -> None:
    text = "Is it late? It is. Why do you ask? Dr. Jones left, didn't he?"
    found = [(text[: phrase.end].split()[-1], phrase.kind) for phrase in expected_contours(text)]
    assert found == [("late", "yes/no question"), ("is", "statement"), ("ask", "wh-question"), ("he", "tag")]


@given(st.text(max_size=80))
def test_any_text_is_read_and_ends_lie_in_order_after_words(text: str) -> None:
    ends = [phrase.end for phrase in expected_contours(text)]
    assert ends == sorted(set(ends))
    assert all(text[end - 1].isalnum() for end in ends)


@given(
    st.lists(st.sampled_from("do you or and what , . ? ! it's I the isn't is not red blue ...".split()), max_size=15)
)
def test_any_order_of_such_words_is_read(words: list[str]) -> None:
    text = " ".join(words)
    assert bool(expected_contours(text)) == any(word[0].isalpha() for word in words)
