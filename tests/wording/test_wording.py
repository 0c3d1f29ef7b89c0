"""Advice in the words of a language model, against a real server: good answers are shown, all others never."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from cli_reports import weather

from chat_server import Answer, chat_server, closed_port, drop, facts_in, good, hang_up, send, send_raw, trickle, well
from elocute.errors import ConfigError
from elocute.report import Report
from elocute.report_feedback import feedback_of, with_suggestions
from elocute.wording import LanguageModel, reword
from elocute.wording.client import KEY_VARIABLE
from elocute.wording.facts import facts_of
from elocute.wording.reword import PROMPT, prompt

KEY = "sk-secret-0123456789"


def advised(level: str = "learner") -> Report:
    """'think' said with S, N dropped in 'nice', an accent on ER in 'weather'; with advice by the rules."""
    source = weather()
    return replace(
        source,
        mispronunciations=with_suggestions(source.mispronunciations, source.words, level),  # type: ignore[arg-type]
        feedback=feedback_of(source.mispronunciations, source.words, level),  # type: ignore[arg-type]
    )


def model(url: str, timeout_s: float = 5.0, tries: int = 3) -> LanguageModel:
    return LanguageModel(url=url, name="tiny", timeout_s=timeout_s, tries=tries)


def assert_by_the_rules(done: Report, source: Report, why: str) -> None:
    """Nothing changed but for one warning."""
    assert replace(done, warnings=source.warnings) == source
    (warning,) = done.warnings[len(source.warnings) :]
    assert warning.startswith("advice is in the words of the rules: the language model at 127.0.0.1:")
    assert why in warning, warning
    assert KEY not in warning


def test_a_good_answer_is_shown_and_changes_nothing_else() -> None:
    source = advised()
    with chat_server(well) as chat:
        done = reword(source, model(chat.url))
    assert len(source.feedback) == 3
    for before, after in zip(source.feedback, done.feedback, strict=True):
        word = source.words[before.word_index].word
        assert after.message == f"In “{word}” one sound came out a little differently. You are on a good way!"
        assert (after.articulation or "").startswith("Let your tongue do the work")
        assert after.source == f"llm tiny {PROMPT}"
        assert after == replace(before, message=after.message, articulation=after.articulation, source=after.source)
    assert replace(done, feedback=source.feedback) == source
    assert Report.from_json(done.to_json()) == done
    assert chat.paths == ["/v1/chat/completions"]


def test_the_model_is_told_facts_and_no_more() -> None:
    source = advised()
    with chat_server(well) as chat:
        reword(source, model(chat.url), l1="zh")
    (body,) = chat.requests
    assert body["model"] == "tiny"
    assert body["messages"][0]["content"] == prompt()
    told = facts_in(body)
    assert set(told) == {"level", "first_language", "errors"}
    assert told["first_language"] == "Mandarin"
    assert {error["word"] for error in told["errors"]} == {"think", "nice", "weather"}
    by_word = {error["word"]: error for error in told["errors"]}
    assert by_word["think"]["expected"] == {"letters": "th", "as_in": "think", "ipa": "θ"}
    assert by_word["think"]["heard"] == {"letters": "s", "as_in": "say", "ipa": "s"}
    assert by_word["nice"]["heard"] is None
    sent = json.dumps(body, ensure_ascii=False)
    assert source.text not in sent  # not even the sentence
    assert "82.3" not in sent  # nor a score
    assert "audio" not in sent


def test_the_key_goes_to_the_server_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with chat_server(lambda body, number, handler: send_raw(handler, "no", 401)) as chat:
        asked = model(chat.url)
        done = reword(advised(), asked)
    assert chat.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(asked)
    assert_by_the_rules(done, advised(), "answered with status 401")
    assert len(chat.requests) == 1  # a wrong key does not get right by asking again
    monkeypatch.delenv(KEY_VARIABLE)
    with chat_server(well) as chat:
        reword(advised(), model(chat.url))
    assert "Authorization" not in chat.headers[0]


def spoilt(change: Any) -> Answer:
    """A server whose good answers are changed."""

    def answer(body: dict[str, Any], number: int, handler: Any) -> None:
        told = copy.deepcopy(good(body))
        changed = change(told)
        send(handler, changed if isinstance(changed, str) else json.dumps(told))

    return answer


def first(part: str, text: str) -> Any:
    """One part of the first piece, which is on 'nice', replaced."""

    def change(told: dict[str, Any]) -> None:
        told["pieces"][0][part] = text

    return change


def added_piece(told: dict[str, Any]) -> None:
    told["pieces"].append({**told["pieces"][0], "error": "e4"})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (added_piece, "speaks of an error that is not in the report ('e4')"),
        (lambda told: told["pieces"].append(told["pieces"][0]), "speaks twice of error e1"),
        (lambda told: told["pieces"].pop(), "leaves out error e3"),
        (lambda told: told["pieces"].clear(), "leaves out error e1"),
        (lambda told: told.update(score=50), "does not answer with 'pieces' alone"),
        (lambda told: told["pieces"][0].update(score="5"), "does not answer with the keys"),
        (lambda told: told["pieces"][0].pop("practice") and None, "does not answer with the keys"),
        (lambda told: "Sure! Here is my advice.", "does not answer in JSON"),
        (lambda told: json.dumps(told)[:-20], "does not answer in JSON"),
        (lambda told: "[" * 100_000, "does not answer in JSON"),
        (lambda told: "[]", "does not answer with 'pieces' alone"),
        (lambda told: '{"pieces": ["e1"]}', "does not answer with the keys"),
        (first("practice", ""), "leaves practice empty"),
        (first("practice", "Say it " * 100 + "."), "are allowed"),
        (first("how_to_move", "Lift your tongue and"), "does not end how_to_move with a sentence"),
        (first("what_went_wrong", "One sound was missing."), "does not name the word of error e1"),
        (first("what_went_wrong", "In “nice” and “today” a sound was left out."), "names 'today'"),
        (first("what_went_wrong", "In nice, and in today, a sound was left out."), "names 'today'"),
        (first("what_went_wrong", "In “nice” the “r” was left out."), "names 'r'"),
        (first("what_went_wrong", "In “nice” you said /ʒ/."), "names 'ʒ'"),
        (first("what_went_wrong", "In “nice” your r sound was weak."), "names 'r'"),
        (first("what_went_wrong", "In “nice” there was an extra sound."), "says 'extra' of error e1"),
        (first("encouragement", "Your rhythm needs work, too."), "names 'rhythm'"),
        (first("encouragement", "You reached 90 of 100!"), "names '90'"),
        (first("practice", "Compare “zebra” and “nice”."), "names 'zebra'"),
        (first("how_to_move", "Bell\u0007."), "has control characters"),
    ],
)
def test_an_answer_that_may_not_be_shown_is_not(change: Any, why: str) -> None:
    """The model is told why, once; then the rules speak."""
    source = advised()
    assert source.words[source.feedback[0].word_index].word == "nice"
    with chat_server(spoilt(change)) as chat:
        assert_by_the_rules(reword(source, model(chat.url)), source, why)
    assert len(chat.requests) == 2
    assert why.partition("(")[0].strip() in chat.requests[1]["messages"][-1]["content"]


def test_an_answer_that_is_mended_is_shown() -> None:
    def answer(body: dict[str, Any], number: int, handler: Any) -> None:
        told = good(body)
        if number == 0:
            added_piece(told)
        send(handler, f"```json\n{json.dumps(told)}\n```")

    with chat_server(answer) as chat:
        done = reword(advised(), model(chat.url))
    assert {piece.source for piece in done.feedback} == {f"llm tiny {PROMPT}"}
    assert len(chat.requests) == 2


def test_held_sounds_and_ipa_of_the_error_may_be_named() -> None:
    def change(told: dict[str, Any]) -> None:
        (piece,) = [one for one in told["pieces"] if "think" in one["what_went_wrong"]]
        piece["what_went_wrong"] = "In “think” you said /s/ instead of /θ/: “sss”, not “thhh”. It was like “say”."

    with chat_server(spoilt(change)) as chat:
        done = reword(advised("teacher"), model(chat.url))
    assert any("“thhh”" in piece.message for piece in done.feedback)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_passes_is_tried_again(status: int) -> None:
    def answer(body: dict[str, Any], number: int, handler: Any) -> None:
        send(handler, json.dumps(good(body)), 200 if number == 2 else status)

    with chat_server(answer) as chat:
        done = reword(advised(), model(chat.url))
    assert len(chat.requests) == 3
    assert done.warnings == advised().warnings


def test_what_does_not_pass_is_given_up() -> None:
    source = advised()
    with chat_server(lambda body, number, handler: send_raw(handler, "down", 503)) as chat:
        assert_by_the_rules(reword(source, model(chat.url, tries=2)), source, "answered with status 503")
        assert len(chat.requests) == 2


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("<html>It works!</html>", "is no chat completion"),
        ('{"choices": []}', "is no chat completion"),
        ('{"choices": [{"message": {"content": null}}]}', "answered with nothing"),
        ("null", "is no chat completion"),
        ("x" * 300_000, "more than 256 KiB"),
    ],
)
def test_nonsense(raw: str, why: str) -> None:
    source = advised()
    with chat_server(lambda body, number, handler: send_raw(handler, raw)) as chat:
        assert_by_the_rules(reword(source, model(chat.url, tries=1)), source, why)


@pytest.mark.parametrize("answer", [hang_up, drop])
def test_a_dropped_connection(answer: Answer) -> None:
    source = advised()
    with chat_server(answer) as chat:
        assert_by_the_rules(reword(source, model(chat.url, tries=2)), source, "cannot be reached")
        assert len(chat.requests) == 2


@pytest.mark.parametrize("answer", [trickle, lambda body, number, handler: time.sleep(3)], ids=["trickle", "silence"])
def test_slow_answers_cost_no_more_than_the_time_that_is_given(answer: Answer) -> None:
    source = advised()
    with chat_server(answer) as chat:
        started_s = time.monotonic()
        done = reword(source, model(chat.url, timeout_s=0.6))
        took_s = time.monotonic() - started_s
    assert_by_the_rules(done, source, "gave no answer within 0.6 s")
    assert 0.5 < took_s < 1.5


def test_nobody_there() -> None:
    source = advised()
    started_s = time.monotonic()
    done = reword(source, model(f"http://127.0.0.1:{closed_port()}/v1", timeout_s=3.0, tries=2))
    assert_by_the_rules(done, source, "cannot be reached (Connection refused)")
    assert time.monotonic() - started_s < 2.0


def test_a_redirect_is_not_followed() -> None:
    def answer(body: dict[str, Any], number: int, handler: Any) -> None:
        handler.send_response(307)
        handler.send_header("Location", "http://127.0.0.1:1/v1/chat/completions")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    source = advised()
    with chat_server(answer) as chat:
        assert_by_the_rules(reword(source, model(chat.url)), source, "answered with status 307")


def test_a_report_without_feedback_asks_nobody() -> None:
    with chat_server(well) as chat:
        assert reword(weather(), model(chat.url)) == weather()
    assert chat.requests == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "localhost:8000"}, "expected the address of a server"),
        ({"url": "ftp://localhost/v1"}, "expected the address of a server"),
        ({"url": "http://[::1"}, "expected the address of a server"),
        ({"url": "http://localhost:99999999/v1"}, "expected the address of a server"),
        ({"url": "https://me:pw@localhost/v1"}, KEY_VARIABLE),
        ({"url": "https://localhost/v1?key=1"}, KEY_VARIABLE),
        ({"name": " "}, "has no name"),
        ({"timeout_s": 0.0}, "more than 0"),
        ({"timeout_s": float("nan")}, "more than 0"),
        ({"key": "a\nb"}, "characters that no key has"),
    ],
)
def test_what_can_never_work_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        LanguageModel(**({"url": "http://localhost:1/v1", "name": "tiny"} | change))
    assert "pw" not in str(caught.value)


def test_facts_may_be_quoted_as_the_rules_write_them() -> None:
    """Whatever the rules quote of an error, the model may, too."""
    for level in ("child", "learner", "teacher"):
        for fact in facts_of(advised(level)):
            assert fact.word in fact.words
            assert fact.told["movement"] == fact.piece.articulation
