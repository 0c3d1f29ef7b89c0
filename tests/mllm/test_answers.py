"""Answers: what is written is read back, and what comes back damaged is read without inventing anything."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.errors import ConfigError
from elocute.mllm.answers import (
    ALPHABET,
    KEYS,
    SCORE_KEYS,
    TEXT_KEYS,
    parse_answer,
    write_apa,
    write_combined,
    write_mdd,
)
from elocute.mllm.prompts import Task

scores = st.fixed_dictionaries({key: st.integers(0, 10) for key in SCORE_KEYS})
# What an English sentence is made of: letters, and apostrophes that look like closing quotes.
words = st.lists(st.from_regex(r"[a-z]{1,5}('[a-z]{0,2})?", fullmatch=True), min_size=1, max_size=5)


@st.composite
def spoken(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Words with what was said of each."""
    chosen = draw(words)
    phones = st.lists(st.sampled_from(sorted(ALPHABET)), max_size=4)
    return chosen, draw(st.lists(phones, min_size=len(chosen), max_size=len(chosen)))


@st.composite
def targets(draw: st.DrawFn) -> tuple[Task, str]:
    """A task with a target of its kind."""
    task: Task = draw(st.sampled_from(get_args(Task)))
    said, delimiter = draw(spoken()), draw(st.booleans())
    if task == "apa":
        return task, write_apa(draw(scores))
    if task == "mdd":
        return task, write_mdd(*said, word_delimiter=delimiter)
    return task, write_combined(draw(scores), *said, word_delimiter=delimiter)


def values(answer: object, task: Task) -> dict[str, object]:
    return {key: getattr(answer, key) for key in KEYS[task]}


@settings(max_examples=30, deadline=None)
@given(targets())
def test_what_is_written_is_read_back(target: tuple[Task, str]) -> None:
    task, text = target
    answer = parse_answer(task, text)
    assert answer.status == "valid"
    assert values(answer, task) == json.loads(text)
    assert answer.missing == answer.notes == ()


@settings(max_examples=30, deadline=None)
@given(spoken())
def test_phones_come_back_by_word(said: tuple[list[str], list[list[str]]]) -> None:
    chosen, phones = said
    answer = parse_answer("mdd", write_mdd(chosen, phones, word_delimiter=True))
    assert answer.phones_by_word == tuple(map(tuple, phones))
    assert answer.words == tuple(word.upper() for word in chosen)
    plain = parse_answer("mdd", write_mdd(chosen, phones))
    assert plain.phones == answer.phones == tuple(phone for group in phones for phone in group)


def in_single_quotes(text: str) -> str:
    """As the paper prints its templates: single quotes, apostrophes not escaped."""
    return (
        "{"
        + ", ".join(f"'{k}': " + (f"'{v}'" if isinstance(v, str) else str(v)) for k, v in json.loads(text).items())
        + "}"
    )


DAMAGES = {
    "single quotes": in_single_quotes,
    "python": lambda text: repr(json.loads(text)),
    "text after": lambda text: text + " Let me know if you need more, for example a {tip}.",
    "text before": lambda text: "Sure! Here is the rating:\n" + text,
    "a fence": lambda text: f"```json\n{text}\n```",
    "twice": lambda text: f"{text}\n{text}",
    "spaces in keys": lambda text: re.sub(r"(\w+)_(transcript\":)", r"\1 \2", text) + " .",
    "no brackets": lambda text: text[1:-1],
    "fractions": lambda text: re.sub(r": (\d+)", r": \1.0", text) + ".",
    "numbers in quotes": lambda text: re.sub(r": (\d+)", r': "\1"', text) + ".",
    "out of ten": lambda text: re.sub(r": (\d+)", r': "\1/10"', text) + ".",
    "nested": lambda text: f'{{"result": {text}}}',
    "other keys": lambda text: text[:-1] + ', "comment": "fine"}',
    "capital keys": lambda text: re.sub(r'"(\w+)":', lambda m: f'"{m[1].capitalize()}":', text),
    "a comma too many": lambda text: text[:-1] + ",}",
    "lines": lambda text: json.dumps(json.loads(text), indent=2) + "\nDone.",
    "cut before the bracket": lambda text: text[:-1] if text[-2] == '"' else text[:-1] + ",",
    "curly quotes": lambda text: text.replace('{"', "{“").replace('": ', "”: ").replace(', "', ", “"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@settings(max_examples=8, deadline=None)
@given(target=targets())
def test_damage_is_repaired(damage: str, target: tuple[Task, str]) -> None:
    task, text = target
    damaged = DAMAGES[damage](text)
    answer = parse_answer(task, damaged)
    assert values(answer, task) == json.loads(text)
    assert answer.status == "repaired"


@settings(max_examples=30, deadline=None)
@given(targets())
def test_special_tokens_around_an_answer_do_not_matter(target: tuple[Task, str]) -> None:
    task, text = target
    for generated in (f"{text}<|end|>", f"{text}<|end|><|endoftext|>", f"<|user|>x<|end|><|assistant|>{text}<|end|>"):
        assert parse_answer(task, generated) == parse_answer(task, text)


@settings(max_examples=30, deadline=None)
@given(targets(), st.data())
def test_an_answer_cut_off_anywhere_says_nothing_false(target: tuple[Task, str], data: st.DataObject) -> None:
    task, text = target
    for transform in (str, in_single_quotes):
        whole = transform(text)
        cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
        answer = parse_answer(task, cut)
        assert answer.status != "valid"
        truth = json.loads(text)
        for key, value in values(answer, task).items():
            if key in TEXT_KEYS:
                assert value is None or truth[key].startswith(value)
            else:
                assert value in (None, truth[key])
        assert answer.status == ("failed" if answer.missing else "repaired")


PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        "\\",
        "\\u",
        ":",
        ", ",
        " ",
        "\n",
        "```",
        "8",
        "10",
        "-1",
        "1e9",
        "NaN",
        "true",
        "null",
    ]
    + [f'"{key}"' for key in KEYS["combined"]]
    + list(KEYS["combined"])
    + ["K AE T", "|", "<unk>", "<|end|>", "<|assistant|>", "\ud800", "“", "”"]
)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(get_args(Task)), st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
def test_any_string_is_an_answer_of_some_kind(task: Task, text: str) -> None:
    answer = parse_answer(task, text)
    assert (answer.status == "failed") == bool(answer.missing)
    for key in set(KEYS[task]) & set(SCORE_KEYS):
        assert getattr(answer, key) is None or 0 <= getattr(answer, key) <= 10
    assert answer.phones is None or all(answer.phones)
    assert answer.words is None or all(answer.words)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"accuracy":' * 50_000, " " * 200_000, "{" + "9" * 100_000, "\\" * 99_999]
)
def test_monsters_are_refused_in_no_time(text: str) -> None:
    assert parse_answer("combined", text).status == "failed"


@pytest.mark.parametrize(
    ("text", "expected", "notes"),
    [
        ('{"accuracy": 8, "fluency": 7, "prosodic": 7}', (8, 7, 7, None), "no total"),
        ('{"accuracy": 8, "fluency": 7, "prosodic": 7, "total": 11}', (8, 7, 7, None), "total off the scale: 11"),
        ('{"accuracy": -1, "fluency": 7, "prosodic": 7, "total": 1}', (None, 7, 7, 1), "accuracy off the scale: -1"),
        ('{"accuracy": true, "fluency": 7, "prosodic": 7, "total": 1}', (None, 7, 7, 1), "no accuracy"),
        ('{"accuracy": null, "fluency": 7, "prosodic": 7, "total": 1}', (None, 7, 7, 1), "no accuracy"),
        ('{"accuracy": 7.5, "fluency": 7, "prosodic": 7, "total": 1}', (7.5, 7, 7, 1), "accuracy no whole number"),
        ('{"accuracy": 4, "accuracy": 7, "fluency": 7, "prosodic": 7, "total": 1}', (4, 7, 7, 1), None),
        ('{"accuracy": 8, "fluency": 7, "prosodic": 7, "total": 1', (8, 7, 7, None), "total may be cut off"),
        ("accuracy: 8\nfluency: 7\nprosodic: 7\ntotal: 9", (8, 7, 7, 9), "no JSON object"),
        ("I cannot rate this.", (None,) * 4, "no JSON object"),
        ("", (None,) * 4, "no JSON object"),
    ],
)
def test_scores_are_read_but_never_guessed(text: str, expected: tuple[float | None, ...], notes: str | None) -> None:
    answer = parse_answer("apa", text)
    assert tuple(answer.scores.values()) == expected
    assert answer.status == ("failed" if None in expected else "repaired")
    assert notes is None or notes in answer.notes


def test_phones_that_are_none_are_kept_and_named() -> None:
    answer = parse_answer("mdd", '{"word_transcript": "The City!", "phoneme_transcript": "dh AX0 S ih1 <UNK> TR"}')
    assert answer.status == "valid"
    assert answer.words == ("THE", "CITY")
    assert answer.phones == ("DH", "AX", "S", "IH", "<unk>", "TR")
    assert answer.notes == ("no phones: AX0",)


def test_half_points_are_rounded_up_and_wrong_targets_refused() -> None:
    assert json.loads(write_apa({"accuracy": 7.5, "fluency": 6.5, "prosodic": 0, "total": 10}))["accuracy"] == 8
    with pytest.raises(ConfigError, match="score total is None"):
        write_apa({"accuracy": 7, "fluency": 6, "prosodic": 0})
    with pytest.raises(ConfigError, match="score accuracy is 11"):
        write_apa({"accuracy": 11, "fluency": 6, "prosodic": 0, "total": 1})
    with pytest.raises(ConfigError, match="2 words but phones of 1"):
        write_mdd(["A", "B"], [["AH"]])
