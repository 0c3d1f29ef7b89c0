"""`elocute evaluate durations`: what it writes, and what it says where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.evaluation import flite
from elocute.prosody.sound import embedded_model, write_model

has_flite = pytest.mark.skipif(not flite.installed_voices(), reason="flite is not installed, or has none of the voices")


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    """A transcribed folder; its recordings are not looked at."""
    folder = tmp_path / "corpus"
    (folder / "audio").mkdir(parents=True)
    lines = ["a\tThe weather is nice today", "b\tShe bought seven apples"]
    (folder / "transcripts.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines:
        (folder / "audio" / f"{line[0]}.wav").write_bytes(b"RIFF")
    return folder


@has_flite
def test_every_voice_is_measured_with_its_own_network(sentences: Path, tmp_path: Path) -> None:
    voices = flite.installed_voices()
    for voice in voices:
        write_model(tmp_path / f"{voice}.npz", embedded_model())
    out = tmp_path / "durations.json"
    command = ["evaluate", "durations", str(sentences), "--count", "2", "--draws", "5", "--json", str(out)]
    done = CliRunner().invoke(app, [*command, "--held-out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert result["data"]["voices_are_held_out"] is True
    assert [row["part"] for row in result["boundaries"]] == ["all", *voices, "half way", "at silence"]
    assert result["boundaries"][0]["n"] == sum(row["n"] for row in result["boundaries"][1:-2])
    assert "half way" in done.output
    assert "npvi_v" in done.output

    (tmp_path / f"{voices[0]}.npz").unlink()
    failed = CliRunner().invoke(app, [*command, "--held-out", str(tmp_path)])
    assert failed.exit_code == 1
    assert f"{voices[0]}.npz holds no weights" in failed.output


def test_without_flite_the_reader_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, sentences: Path) -> None:
    monkeypatch.setattr(flite, "installed_voices", lambda: ())
    done = CliRunner().invoke(app, ["evaluate", "durations", str(sentences)])
    assert done.exit_code == 1
    assert "install flite 2.2" in done.output
