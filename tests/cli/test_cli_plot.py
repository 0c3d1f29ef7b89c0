"""`elocute assess --plot`: the report as ever, and a picture beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import elocute.picture.place as place
from elocute.cli.app import app
from elocute.report import Report

WEATHER = Path(__file__).parent.parent.parent / "examples" / "weather.flac"
TEXT = "I think the weather is nice today."
runner = CliRunner()


def test_a_page_is_drawn_and_the_report_stays_the_same(tmp_path: Path) -> None:
    out = tmp_path / "weather.html"
    plain = runner.invoke(app, ["assess", str(WEATHER), TEXT, "--format", "json"])
    drawn = runner.invoke(app, ["assess", str(WEATHER), TEXT, "--format", "json", "--plot", str(out)])
    assert drawn.exit_code == 0
    assert drawn.stdout == plain.stdout
    assert drawn.stderr == ""
    made = out.read_text(encoding="utf-8")
    for word in Report.from_json(drawn.stdout).words:
        assert f'aria-label="{word.word}: ' in made
    assert 'class="melody"' in made
    assert [path.name for path in tmp_path.iterdir()] == ["weather.html"]


def test_an_image_is_drawn_from_stdin(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra 'plot')")
    out = tmp_path / "weather.png"
    done = runner.invoke(app, ["assess", "-", TEXT, "--plot", str(out)], input=WEATHER.read_bytes())
    assert done.exit_code == 0
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "told"), [("a.gif", "expected .png"), ("none/a.html", "no such folder"), ("a.png", "elocute[plot]")]
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.setattr(place, "find_spec", lambda package: None)
    done = runner.invoke(app, ["assess", "missing.wav", TEXT, "--plot", str(tmp_path / name)])
    assert done.exit_code == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_report_and_picture_are_not_written_to_one_file(tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    done = runner.invoke(app, ["assess", str(WEATHER), TEXT, "-o", str(out), "--plot", str(out)])
    assert done.exit_code == 1
    assert "name two files" in done.stderr


def test_a_recording_that_cannot_be_read_leaves_no_picture(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no recording")
    done = runner.invoke(app, ["assess", str(bad), TEXT, "--plot", str(tmp_path / "a.html")])
    assert done.exit_code == 1
    assert not (tmp_path / "a.html").exists()
