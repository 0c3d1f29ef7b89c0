"""User turns: order of the paper, one place for the recording, no white space beside special tokens, a version."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from typing import get_args

import pytest

from elocute.corpora.speechocean762 import UTTERANCE_SCORES
from elocute.errors import ConfigError
from elocute.mllm.answers import KEYS, parse_answer
from elocute.mllm.prompts import AUDIO, CONTROL_TOKENS, PROMPTS_VERSION, TASKS, Style, Task, user_turn

ALL = [
    {"task": task, "style": style, "word_delimiter": delimiter, "control_token": control}
    for task, style, delimiter, control in itertools.product(
        get_args(Task), get_args(Style), (False, True), (False, True)
    )
]


@pytest.mark.parametrize("asked", ALL, ids=str)
def test_a_turn_has_the_order_of_the_paper(asked: dict[str, object]) -> None:
    turn = user_turn(**asked)  # type: ignore[arg-type]
    control = CONTROL_TOKENS[asked["task"]] if asked["control_token"] else ""  # type: ignore[index]
    assert turn.startswith(f"<|user|>{control}{AUDIO}")
    assert turn.endswith("<|end|><|assistant|>")
    assert turn.count(AUDIO) == 1
    # The released tokenizer swallows white space after the tokens of a chat.
    assert not re.search(r"\|>\s|\s<\|", turn)
    text = turn.split(AUDIO)[1].removesuffix("<|end|><|assistant|>")
    assert text == text.strip()
    assert "<|" not in text


def test_the_rubric_covers_every_score_from_0_to_10_without_a_gap() -> None:
    turn = user_turn("apa")
    sections = re.split(r"\*\*(\w+)\*\*", turn)[1:]
    assert [name.lower() for name in sections[::2]] == list(UTTERANCE_SCORES)
    for body in sections[1::2]:
        bands = [(int(low), int(high)) for low, high in re.findall(r"^- (\d+) to (\d+): ", body, re.M)]
        assert sorted(value for low, high in bands for value in range(low, high + 1)) == list(range(11))


@pytest.mark.parametrize("task", get_args(Task))
def test_the_template_names_the_keys_that_the_parser_wants(task: Task) -> None:
    template = user_turn(task).removesuffix("<|end|><|assistant|>").splitlines()[-1]
    filled = re.sub(r"<0-10>", "5", template).replace("<words>", "cat").replace("<phones>", "K AE T")
    assert list(json.loads(filled)) == list(KEYS[task])
    assert parse_answer(task, filled).status == "valid"


def test_the_delimiter_is_asked_for_only_where_it_means_something() -> None:
    assert user_turn("apa", word_delimiter=True) == user_turn("apa")
    for task, style in itertools.product(("mdd", "combined"), get_args(Style)):
        assert '" | "' in user_turn(task, style=style, word_delimiter=True)
        assert '" | "' not in user_turn(task, style=style)
    assert "K AE T | S AE T" in user_turn("mdd", word_delimiter=True)
    assert "K AE T S AE T" in user_turn("mdd")


def test_every_question_is_its_own() -> None:
    turns = [
        user_turn(task, style=style, word_delimiter=d) for task in TASKS for style in get_args(Style) for d in (0, 1)
    ]
    assert len(set(turns)) == len(turns) - 2  # "apa" has no delimiter


@pytest.mark.parametrize(
    ("wrong", "match"), [({"task": "asr"}, "task is 'asr'"), ({"style": "long"}, "style is 'long'")]
)
def test_an_unknown_question_is_refused(wrong: dict[str, str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        user_turn(**{"task": "apa", **wrong})  # type: ignore[arg-type]


def test_a_changed_prompt_needs_a_new_version() -> None:
    """A model must be asked as it was trained: change a prompt, and you change version and digest here."""
    turns = "".join(user_turn(**asked) for asked in ALL)  # type: ignore[arg-type]
    assert (PROMPTS_VERSION, hashlib.sha256(turns.encode()).hexdigest()[:16]) == ("1", "383c42c2bfd26bca")
