"""`elocute evaluate pauses`: end to end on the examples, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.evaluation import flite
from tiny_corpus import EXAMPLES

runner = CliRunner()


def invoke(*arguments: object, code: int = 0):
    done = runner.invoke(app, ["evaluate", "pauses", *map(str, arguments), "--draws", "20"])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faultless examples as a folder of transcribed speech."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "audio").mkdir()
    lines = []
    for row in map(json.loads, (EXAMPLES / "manifest.jsonl").read_text().splitlines()):
        if row["planted"] is None:
            shutil.copy(EXAMPLES / row["audio"], folder / "audio" / row["audio"])
            lines.append(f"{Path(row['audio']).stem}\t{row['text']}\n")
    (folder / "transcripts.tsv").write_text("".join(lines))
    return folder


def test_planted_pauses_are_found_to_fifty_milliseconds(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(flite, "installed_voices", lambda: ())
    done = invoke(folder, "--json", tmp_path / "out.json", "--seed", 4, "--limit", 3)
    plain = json.loads((tmp_path / "out.json").read_text())
    assert plain["format"] == "elocute pauses 1"
    count = plain["data"]["recordings"]
    assert count == 3
    assert [row["kind"] for row in plain["rows"]] == ["zeros", "noise", "noise in a word"]
    between = [trial for trial in plain["trials"] if trial["kind"] != "noise in a word"]
    assert len(between) == 2 * count
    for trial in between:
        assert 0.3 <= trial["length_s"] <= 1.5
        assert trial["is_placed"], trial
        assert max(abs(trial["begin_error_s"]), abs(trial["end_error_s"])) <= 0.05, trial
    assert sum(trial["false_gaps"] + trial["false_inside"] for trial in between) == 0
    assert "Planted pauses" in done.stdout
    assert "flite is not installed" in done.stderr
    again = invoke(folder, "--json", "-", "--seed", 4, "--limit", 3)
    assert json.loads(again.stdout)["trials"] == plain["trials"]


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_pauses_nowhere_inside_these_sentences(folder: Path) -> None:
    plain = json.loads(invoke(folder, "--json", "-", "--limit", 2).stdout)
    (spoken,) = (row for row in plain["rows"] if row["kind"] == "flite")
    assert spoken["placed"]["value"] is None
    assert spoken["false_gaps"]["value"] == spoken["false_inside"]["value"] == 0.0


def test_what_cannot_be_measured_is_refused(folder: Path, tmp_path: Path) -> None:
    assert "--split is 'dev'; expected train or test" in invoke(folder, "--split", "dev", code=1).stderr
    assert "is no folder" in invoke(tmp_path / "nowhere", code=1).stderr
    (tmp_path / "audio").mkdir()
    shutil.copy(EXAMPLES / "car.flac", tmp_path / "audio" / "car.flac")
    (tmp_path / "transcripts.tsv").write_text("car\tcar\n")
    assert "no recording has two words" in invoke(tmp_path, code=1).stderr
