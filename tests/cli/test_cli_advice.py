"""`elocute assess --advice` and `--llm`: who the advice is for, and who words it; the command never waits longer."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from cli_reports import weather
from typer.testing import CliRunner

import elocute.assessors
from chat_server import chat_server, closed_port, lie, well
from elocute.cli.app import app
from elocute.config import AssessorConfig
from elocute.report import Report
from elocute.report_feedback import feedback_of, with_suggestions
from elocute.wording.client import KEY_VARIABLE

runner = CliRunner()


class AdvisingAssessor:
    """Answers with the same report, advised as the settings ask."""

    def __init__(self, config: AssessorConfig) -> None:
        self.config = config

    def assess(self, audio: str, text: str, **options: object) -> Report:
        source, level = weather(), self.config.advice
        if level == "off":
            return source
        found = source.mispronunciations
        return replace(
            source,
            mispronunciations=with_suggestions(found, source.words, level, self.config.l1),
            feedback=feedback_of(found, source.words, level, self.config.l1),
        )


@pytest.fixture(autouse=True)
def _advising(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elocute.assessors, "Assessor", AdvisingAssessor)


def told(*options: str) -> Any:
    done = runner.invoke(app, ["assess", "a.wav", "I think", "--format", "json", *options])
    assert done.exit_code == 0, done.stderr
    assert Report.from_json(done.stdout).to_json(indent=2) + "\n" == done.stdout
    return json.loads(done.stdout)


def test_advice_is_for_learners_unless_said_otherwise() -> None:
    assert {piece["level"] for piece in told()["feedback"]} == {"learner"}
    assert {piece["level"] for piece in told("--advice", "child")["feedback"]} == {"child"}
    assert any("/θ/" in item["suggestion"] for item in told("--advice", "teacher")["mispronunciations"])
    off = told("--advice", "off")
    assert off["feedback"] == []
    assert {item["suggestion"] for item in off["mispronunciations"]} == {None}


def test_the_table_shows_the_advice() -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think", "--l1", "zh"], env={"COLUMNS": "80"})
    text = " ".join(done.stdout.replace('"', " ").split())
    assert text.count("Advice") == 3
    assert "Put the tip of your tongue between your teeth" in text
    assert "Mandarin has no such sound" in text
    assert "Compare sick/thick, sink/think" in text


def test_a_language_model_words_the_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-test")
    with chat_server(well) as chat:
        report = told("--llm", chat.url, "--llm-model", "tiny")
    assert {piece["source"] for piece in report["feedback"]} == {"llm tiny advice-1"}
    assert chat.headers[0]["Authorization"] == "Bearer sk-test"


@pytest.mark.parametrize("kind", ["down", "slow", "lying"])
def test_down_slow_or_lying_the_command_answers_in_time(kind: str) -> None:
    """The report is that of the rules, with a warning that says why."""
    rules = told()
    started_s = time.monotonic()
    if kind == "down":
        report = told("--llm", f"http://127.0.0.1:{closed_port()}", "--llm-model", "tiny", "--llm-timeout", "1.5")
    else:
        answer = (lambda body, number, handler: time.sleep(2)) if kind == "slow" else lie
        with chat_server(answer) as chat:
            report = told("--llm", chat.url, "--llm-model", "tiny", "--llm-timeout", "1")
    assert time.monotonic() - started_s < 3.0
    (warning,) = set(report["warnings"]) - set(rules["warnings"])
    why = {"down": "cannot be reached", "slow": "no answer within 1 s", "lying": "an error that is not in the report"}
    assert why[kind] in warning
    assert {**report, "warnings": rules["warnings"]} == rules


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--llm", "http://localhost:1"], 2, "--llm and --llm-model go together"),
        (["--llm-model", "tiny"], 2, "--llm and --llm-model go together"),
        (["--llm", "http://localhost:1", "--llm-model", "tiny", "--advice", "off"], 2, "no advice to word"),
        (["--llm", "localhost:1", "--llm-model", "tiny"], 1, "expected the address of a server"),
        (["--llm", "http://localhost:1", "--llm-model", "tiny", "--llm-timeout", "0"], 1, "more than 0"),
        (["--advice", "parent"], 2, "'parent' is not one of"),
    ],
)
def test_wrong_options_are_refused(options: list[str], code: int, message: str) -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think", *options])
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())
