"""`elocute train phi4` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from elocute.cli.app import app
from tiny_corpus import write_corpus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, transcribed speech one line of which cannot be pronounced, and a recipe."""
    folder = tmp_path_factory.mktemp("cli")
    corpus = write_corpus(folder / "so", split="train")
    (folder / "native" / "audio").mkdir(parents=True)
    first = next((corpus / "WAVE").rglob("*.flac"))
    for name in ("a", "b"):
        (folder / "native" / "audio" / f"{name}.flac").write_bytes(first.read_bytes())
    (folder / "native" / "transcripts.tsv").write_text("a\tThe weather is fine.\nb\tA zxqvrt barks.\n")
    (folder / "r.toml").write_text(
        "[model]\nsize = 'tiny'\nregime = 'scratch'\n[data]\nstyle = 'short'\nfolds = 2\n"
        "[training]\nlength = 2\nunit = 'updates'\nupdate = 4\nbatch = 4\nreport_every = 1\n"
        "[evaluation]\nlongest_answer = 4\n"
    )
    return folder


def run(place: Path, out: Path, *more: str, recipe: str = "r.toml") -> Result:
    corpora = ["--corpus", f"speechocean762:{place / 'so'}", "--corpus", f"native:{place / 'native'}"]
    arguments = ["train", "phi4", str(place / recipe), *corpora, "--device", "cpu", "--out", str(out), *more]
    return CliRunner().invoke(app, arguments)


def test_a_training_from_start_to_end(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run(place, out)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["is_done"]
    assert summary["step"] == 2
    for line in (
        "audio encoder ",
        "examples (0.00 h of speech) to learn",
        "of 2 other speakers to measure, 1 refused",
        "first native/b: words without phones: zxqvrt",
        "first batch: 4 examples of up to",
        "silence changes logits by up to",
        '"per": 1.0',
        '"json_valid/apa": 0.0',
    ):
        assert line in result.stderr, line
    assert (out / "refused.tsv").read_text() == "native/b\twords without phones: zxqvrt\n"
    names = {path.name for path in out.iterdir()}
    assert {"base", "model", "curve.jsonl", "run.json", "state.pt", "tensorboard", "evaluation-000002.json"} <= names
    again = run(place, out)
    assert again.exit_code == 0
    assert json.loads(again.stdout)["step"] == 2
    other = run(place, out, "--set", "training.seed=3")
    assert other.exit_code == 1
    assert "holds a training with another" in other.stderr


def test_dry_run_writes_nothing(place: Path, tmp_path: Path) -> None:
    result = run(place, tmp_path / "run", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "tensors with a gradient and 0 without" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--set", "training.lr=1"), "lr: unknown key"),
        (("--set", "model.size="), "no model; give --model DIR"),
        (("--corpus", "librispeech:."), "corpus kind is 'librispeech'; expected speechocean762 or native"),
        (("--corpus", "native:nowhere"), "corpus nowhere not found"),
        (("--set", "data.native_share=1"), "data.native_share is 1.0 with 1 transcribed and"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(place: Path, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    result = run(place, tmp_path / "run", *more)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_recipe_that_is_not_there(place: Path, tmp_path: Path) -> None:
    result = run(place, tmp_path / "run", recipe="none.toml")
    assert result.exit_code == 1
    assert "expected a recipe in TOML" in result.stderr
