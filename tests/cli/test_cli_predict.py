"""`elocute predict`: the table, the JSON, and what it refuses."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.phones.difficulty import difficulty_of, risks_of
from elocute.phones.l1 import l1_profile

runner = CliRunner()


def test_the_table_names_sound_substitute_and_reason() -> None:
    done = runner.invoke(app, ["predict", "I think so", "--l1", "zh"], env={"COLUMNS": "110"})
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[1].startswith("think")  # the hardest word comes first
    assert "/θ/ becomes /s/" in done.stdout
    assert "Mandarin has no such sound." in done.stdout
    assert "Rhythm: Syllables of nearly equal length" in done.stdout


def test_json_has_every_risk_and_the_sources() -> None:
    done = runner.invoke(app, ["predict", "My school is three streets away", "--l1", "Spanish", "--format", "json"])
    assert done.exit_code == 0
    plain = json.loads(done.stdout)
    assert plain["l1"]["code"] == "es"
    assert any("Learner English" in source for source in plain["l1"]["sources"])
    hard = [word["difficulty"] for word in plain["words"]]
    assert hard == sorted(hard, reverse=True)
    assert sorted(word["index"] for word in plain["words"]) == list(range(6))
    school = next(word for word in plain["words"] if word["word"] == "school")
    assert {key: value for key, value in school["risks"][0].items() if key not in ("instead", "reason")} == {
        "kind": "consonants in a row",
        "phone_index": 0,
        "phone": None,
        "likelihood": 0.25,
    }
    risks = risks_of(tuple(school["phones"]), 1, l1_profile("es"))
    assert school["difficulty"] == pytest.approx(difficulty_of(risks), abs=1e-4)


def test_text_may_be_piped() -> None:
    done = runner.invoke(app, ["predict", "--l1", "ja", "--format", "json"], input="really\n")
    assert json.loads(done.stdout)["words"][0]["word"] == "really"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["predict", "think", "--l1", "Mandrin"], 1, "did you mean 'mandarin'?"),
        (["predict", "think", "--l1", "xx"], 1, "expected one of zh, yue, ja"),
        (["predict", "", "--l1", "zh"], 1, "text"),
        (["predict", "think"], 2, "--l1"),
    ],
)
def test_what_it_refuses(arguments: list[str], code: int, message: str) -> None:
    done = runner.invoke(app, arguments)
    assert done.exit_code == code
    assert message in done.stderr
