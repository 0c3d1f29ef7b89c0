"""Grammars of spoken commands: the whole syntax on small grammars, and what is refused."""

from pathlib import Path

import pytest

from elocute.errors import ConfigError
from elocute.training.grammar import MAX_TEMPLATES, Slot, expand, fill, read_grammar

SLOTS = {"size": ("small", "large"), "drink": ("tea", "iced coffee")}
GRAMMAR = """
context:
  expressions:
    order:
      - "[bring, get] me (a, some) $drink:drink"
      - "@ask $size:size $drink:drink (please)"
    leave:
      - "bye"
  slots:
    size: ["small", "large"]
    drink:
      - tea
      - "iced  coffee"
  macros:
    ask:
      - "[may, can] I have a"
      - "I want a"
"""


@pytest.fixture
def grammar(tmp_path: Path):
    path = tmp_path / "grammar.yaml"
    path.write_text(GRAMMAR)
    return read_grammar(path)


def sentences(expression: str, **macros: list[str]) -> list[str]:
    values = {"size": "large", "drink": "tea"}
    return [fill(template, values) for template in expand(expression, SLOTS, macros)]


def test_choice_optional_and_slot_in_written_order():
    assert sentences("[bring, get me] (a, one) $drink:drink") == [
        "bring a tea",
        "bring one tea",
        "bring tea",
        "get me a tea",
        "get me one tea",
        "get me tea",
    ]


def test_choices_nest_and_equal_sentences_come_once():
    assert sentences("[a (b), a [b, c]]") == ["a b", "a", "a c"]


def test_macro_with_choices_and_other_macros():
    assert sentences("@ask tea", ask=["[may, can] I have", "@want"], want=["I want"]) == [
        "may I have tea",
        "can I have tea",
        "I want tea",
    ]


def test_one_type_under_two_variables():
    (template,) = expand("$drink:first and $drink:second", SLOTS)
    assert template == (Slot("drink", "first"), "and", Slot("drink", "second"))
    assert fill(template, {"first": "tea", "second": "milk"}) == "tea and milk"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("[a, b", "before its end"),
        ("a]", "unexpected ']'"),
        ("(a]", "unexpected ']'"),
        ("a, b", "unexpected ','"),
        ("[a, ] b", "empty"),
        ("$milk:milk", "type of size, drink"),
        ("$size", r"\$type:variable"),
        ("a $ b", r"\$type:variable"),
        ("a @ b", "macro @ is not one of ask"),
        ("@nobody", "not one of ask"),
        ("@ask", "refers to itself"),
        ("[a, b] " * 17, f"more than {MAX_TEMPLATES}"),
    ],
)
def test_broken_expressions_are_refused_by_name(expression: str, message: str):
    with pytest.raises(ConfigError, match=message):
        expand(expression, SLOTS, {"ask": ["I @ask"]})


def test_matching_needs_exactly_the_variables_of_the_label(grammar):
    only_drink = grammar.matching("order", {"drink": "tea"})
    assert [fill(t, {"drink": "tea"}) for t in only_drink] == [
        f"{verb} me {article}tea" for verb in ("bring", "get") for article in ("a ", "some ", "")
    ]
    both = {"drink": "iced coffee", "size": "small"}
    assert [fill(t, both) for t in grammar.matching("order", both)] == [
        f"{ask} a small iced coffee{please}"
        for ask in ("may I have", "can I have", "I want")
        for please in (" please", "")
    ]
    assert [fill(t, {}) for t in grammar.matching("leave", {})] == ["bye"]


@pytest.mark.parametrize(
    ("intent", "values", "message"),
    [
        ("pay", {}, "intent is 'pay'; the grammar has leave, order"),
        ("order", {"size": "small"}, "no sentence"),
        ("order", {"drink": "milk"}, "no sentence"),
    ],
)
def test_labels_that_the_grammar_does_not_know(grammar, intent, values, message):
    with pytest.raises(ConfigError, match=message):
        grammar.matching(intent, values)


@pytest.mark.parametrize("text", ["context: [", "context: 3", "slots: {}", "context: {expressions: {a: 3}}", ""])
def test_files_that_are_no_grammar(tmp_path: Path, text: str):
    path = tmp_path / "grammar.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no grammar"):
        read_grammar(path)
