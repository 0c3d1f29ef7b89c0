"""`elocute train ctc` on the command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ctc_corpora import write_librispeech

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from elocute.cli.app import app

CONFIG = {
    "model_type": "wav2vec2",
    "conv_dim": [16] * 7,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_librispeech(folder / "libri", sentences=("she sees the sea", "zxqvrt", "they found a small boat"))
    (folder / "tiny.json").write_text(json.dumps(CONFIG))
    (folder / "r.toml").write_text(
        "[training]\nlength = 4\nbatch_s = 4\nfreeze = 'nothing'\n"
        "held_out = 0.3\nevaluate_every = 2\nreport_every = 1\n"
    )
    return folder


def run(place: Path, out: Path, *more: str) -> Result:
    arguments = ["--corpus", f"librispeech:{place / 'libri'}", "--config", str(place / "r.toml"), "--workers", "0"]
    model = ["--model", f"config:{place / 'tiny.json'}", "--cache", str(place / "pcm"), "--device", "cpu"]
    return CliRunner().invoke(app, ["train", "ctc", *arguments, *model, "--out", str(out), *more])


def test_a_training_from_start_to_end(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run(place, out)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["is_done"]
    assert summary["step"] == 4
    assert summary["best_per"] > 0
    for line in (
        "lm_head                                         1,320 parameters,        1,320 learn",
        "new phone head, frames of 20 ms",
        "other speakers to evaluate, 3 refused",
        "refused 3: a word that the lexicon does not list (first librispeech-libri/100-7-0001: zxqvrt)",
        '"per": ',
    ):
        assert line.lower() in result.stderr.lower()
    assert len((out / "refused.tsv").read_text().splitlines()) == 4
    names = {path.name for path in out.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "vocab.json",
        "curve.jsonl",
        "run.json",
        "state.pt",
        "tensorboard",
    } <= names
    assert not {name for name in names if name.endswith((".new", ".writing"))}


def test_dry_run_writes_nothing(place: Path, tmp_path: Path) -> None:
    result = run(place, tmp_path / "run", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "3 refused" in result.stderr
    assert not (tmp_path / "run").exists()


def test_interrupted_and_resumed(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elocute.training.ctc import Trainer

    report = Trainer._report_loss

    def interrupting(self: Any) -> None:
        report(self)
        if self.progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_report_loss", interrupting)
    before = signal.getsignal(signal.SIGINT)
    result = run(place, tmp_path)
    assert result.exit_code == 130
    assert "finishing this update and saving" in result.stderr
    assert json.loads(result.stdout)["step"] == 2
    assert signal.getsignal(signal.SIGINT) is before
    stopped = next(json.loads(line) for line in result.stderr.splitlines() if '"stopped"' in line)
    monkeypatch.undo()
    result = run(place, tmp_path)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["is_done"]
    found = [json.loads(line) for line in result.stderr.splitlines() if '"resumed"' in line]
    assert found[0]["step"] == 2
    # The checkpoint is what was measured when the first process stopped.
    assert found[0]["per"] == stopped["per"]
    assert found[0]["heldout_loss"] == stopped["heldout_loss"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "training.learning_rat=1"], "unknown key; did you mean 'learning_rate'"),
        (["--corpus", "wsj:here"], "corpus is 'wsj:here'; expected KIND:DIR"),
        (["--model", "tiny"], "model is 'tiny'; expected hf:DIR_OR_NAME or config:FILE.json"),
        (["--set", "training.freeze=encoder"], "random weights, which must not be frozen"),
        (["--set", "training.longest_s=0.3"], "none of 9 recordings can be used (a recording that cannot be read: 6"),
    ],
)
def test_mistakes_are_one_line(place: Path, tmp_path: Path, more: list[str], message: str) -> None:
    result = run(place, tmp_path / "run", *more)
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("elocute: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "run").exists()
