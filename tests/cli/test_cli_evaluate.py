"""`elocute evaluate speechocean762`: end to end on a tiny corpus, and every input that cannot be evaluated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import elocute.evaluation.assessing
from elocute.cli import evaluate_run
from elocute.cli.app import app
from elocute.corpora.layouts import read_corpus
from elocute.corpora.speechocean762 import read_speechocean762
from elocute.evaluation.predictions import read_predictions, write_predictions
from scored_corpus import noisy, perfect
from tiny_corpus import FakeFactory, write_corpus

REAL = Path(__file__).parents[3] / "shared" / "data" / "speechocean762"
runner = CliRunner()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "speechocean762")


@pytest.fixture(scope="module")
def assessed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of the shipped models, made by the command itself."""
    out = tmp_path_factory.mktemp("assessed") / "p.jsonl.gz"
    done = runner.invoke(app, ["evaluate", "speechocean762", str(corpus), "--predictions", str(out), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "assessing 7 recordings into" in done.stderr
    assert "WARNING" not in done.stderr
    return out


def invoke(*arguments: object, code: int = 0):
    done = runner.invoke(app, ["evaluate", "speechocean762", *map(str, arguments), "--draws", "20"])
    assert done.exit_code == code, done.output
    return done


def test_the_shipped_models_are_assessed_and_measured(corpus: Path, assessed: Path) -> None:
    stored = read_predictions(assessed)
    assert [item.id for item in stored.utterances] == [u.id for u in read_corpus(corpus, "test").utterances]
    assert 0 < stored.threshold < 1
    assert stored.provenance["split"] == "test"
    assert stored.provenance["seen_in_training"] is False
    assert all(item.perceived for item in stored.utterances)
    page = invoke(corpus, "--predictions", assessed).stdout
    for words in (
        "7 utterances, 4 speakers (2 children, 2 adults)", "Scores against people's", "phone accuracy", "By group",
        "Finding the", "Error rates of strings", "phone: phones that", "Diagnosis error rate", "By phone",
        "echo of the text",
    ):  # fmt: skip
        assert words in page
    assert max(map(len, page.splitlines())) <= 80


def test_stored_predictions_need_no_audio_and_give_the_same_bytes(corpus: Path, assessed: Path, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    shutil.copytree(corpus, deaf, ignore=shutil.ignore_patterns("WAVE"))
    invoke(corpus, "--predictions", assessed, "--json", tmp_path / "a.json")
    done = invoke(deaf, "--predictions", assessed, "--json", tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert "from the predictions stored in" in done.stderr
    to_stdout = invoke(deaf, "--predictions", assessed, "--json", "-").stdout
    assert to_stdout == (tmp_path / "a.json").read_text()
    assert json.loads(to_stdout)["data"]["utterances"] == 7


def test_both_layouts_give_the_same_figures(corpus: Path, assessed: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow comes with the extra 'evaluate'")
    from parquet_corpus import convert

    other = convert(corpus, tmp_path / "hf", "test")
    done = invoke(other, "--predictions", tmp_path / "p.gz", "--workers", "1", "--json", tmp_path / "b.json")
    assert "assessing 7 recordings" in done.stderr
    assert read_predictions(tmp_path / "p.gz").utterances == read_predictions(assessed).utterances
    invoke(corpus, "--predictions", assessed, "--json", tmp_path / "a.json")
    ours, theirs = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json"))
    assert ours.pop("provenance")["threshold"] == theirs.pop("provenance")["threshold"]
    assert ours == theirs


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stand-in for the assessor, in a folder of its own; returns the folder of its log."""
    log = tmp_path / "log"
    log.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(elocute.evaluation.assessing, "CorpusFactory", lambda backend: FakeFactory(log=log))
    return log


def test_predictions_are_kept_under_a_name_of_their_own(corpus: Path, fake: Path, tmp_path: Path, monkeypatch) -> None:
    invoke(corpus, "--limit", 3, "--workers", 1)
    kept = tmp_path / "speechocean762-test-first3.predictions.jsonl.gz"
    assert len(read_predictions(kept).utterances) == 3
    assert "from the predictions stored" in invoke(corpus, "--limit", 3).stderr
    assert len(list(fake.iterdir())) == 3
    other = json.dumps({"models": {}, "elocute": "9", "settings": {"backend": "embedded"}})
    monkeypatch.setattr(evaluate_run, "configuration", lambda config, lexicon: other)
    done = invoke(corpus, "--limit", 3, code=1)
    assert "was made by other models or another version; make it again with --fresh" in done.stderr
    invoke(corpus, "--limit", 3, "--fresh", "--workers", 1)
    assert {file.read_text() for file in fake.iterdir()} == {"xx"}


def test_train_is_warned_of(fake: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "train corpus", "train")
    for _ in range(2):  # assessed, then stored
        done = invoke(corpus, "--split", "train", "--in-sample", "--workers", 1)
        assert done.stderr.count("WARNING: the shipped models trained on the split train") == 1
        assert "or train without --in-sample" in done.stderr
        assert "which trained on these speakers" in done.stdout


def predictions_for(corpus: Path, out: Path, change=lambda predictions: predictions, **provenance: object) -> Path:
    utterances = read_corpus(corpus, "test").utterances
    write_predictions(out, {"threshold": 0.5} | provenance, change([perfect(u) for u in utterances]))
    return out


def test_perfect_predictions_look_perfect_and_folds_are_shown(corpus: Path, tmp_path: Path) -> None:
    path = predictions_for(corpus, tmp_path / "p.gz", protocol="planted")
    page = invoke(corpus, "--predictions", path, "--folds", 2).stdout
    assert "Predictions: planted" in page
    line = next(line for line in page.splitlines() if line.startswith("phone accuracy"))
    assert line.split()[2] == "1.000"
    assert "fold 2" in page
    assert "Over the folds (speaker-disjoint)" in page


def test_shuffled_labels_are_announced(corpus: Path, tmp_path: Path) -> None:
    path = predictions_for(corpus, tmp_path / "p.gz")
    page = invoke(corpus, "--predictions", path, "--shuffle-labels", 3).stdout
    assert "LABELS SHUFFLED" in page
    assert "PCC over 200 shuffles of the labels" in page
    assert "Diagnosis error rate" not in page


def test_what_was_not_scored_is_announced(corpus: Path, tmp_path: Path) -> None:
    def refuse(predictions):
        refused = {"phone": None, "word": None, "utterance": None, "phone_error": None, "heard": None}
        return [replace(predictions[0], **refused, reason="TextError: empty"), *predictions[1:]]

    path = predictions_for(corpus, tmp_path / "p.gz", refuse)
    page = " ".join(invoke(corpus, "--predictions", path).stdout.split())
    assert "counted as the model's own mean: 1 utterances (1 x TextError: empty)" in page


def wrong(corpus: Path, tmp_path: Path) -> dict[str, list[object]]:
    """Arguments that must be refused, by what is said of them."""
    short = predictions_for(corpus, tmp_path / "short.gz", lambda predictions: predictions[:5])
    strange = predictions_for(
        corpus, tmp_path / "strange.gz", lambda predictions: [*predictions, replace(predictions[0], id="999999999")]
    )
    other = predictions_for(
        corpus,
        tmp_path / "other.gz",
        lambda predictions: [replace(predictions[0], phone=[1.0], phone_error=None, heard=None), *predictions[1:]],
    )
    (tmp_path / "text.gz").write_text("hello\n")
    (tmp_path / "empty").mkdir()
    return {
        "lack 2 of 7 utterances, first": [corpus, "--predictions", short],
        "1 of 8 predictions, first 999999999, for utterances that the split test lacks": [
            corpus, "--predictions", strange,
        ],
        "phones, its prediction 1; expected predictions for the corpus's own canonical phones": [
            corpus, "--predictions", other,
        ],
        "text.gz:1: not JSON": [corpus, "--predictions", tmp_path / "text.gz"],
        "is not speechocean762's split test": [tmp_path / "empty"],
        "nowhere is not speechocean762's split test": [tmp_path / "nowhere"],
        "train/wav.scp not found": [corpus, "--split", "train"],
        "none.json not found": [corpus, "--scores", tmp_path / "none.json"],
        "none-detail.json not found": [corpus, "--details", tmp_path / "none-detail.json"],
        "folds is 9; expected 2 to 4, the number of speakers": [
            corpus, "--folds", 9, "--predictions", predictions_for(corpus, tmp_path / "good.gz"),
        ],
        "cannot write": [
            corpus, "--predictions", tmp_path / "good.gz", "--json", tmp_path / "nowhere" / "out.json",
        ],
    }  # fmt: skip


def test_wrong_inputs_are_one_line_that_says_what_to_do(corpus: Path, tmp_path: Path) -> None:
    for reason, arguments in wrong(corpus, tmp_path).items():
        done = invoke(*arguments, code=1)
        assert reason in done.stderr, done.stderr
        assert done.stderr.splitlines()[-1].startswith("elocute: ")
        assert "Traceback" not in done.output


def test_missing_recordings_are_named_before_anything_is_assessed(corpus: Path, fake: Path, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    shutil.copytree(corpus, deaf, ignore=shutil.ignore_patterns("WAVE"))
    assert "not found, and 6 more of 7 recordings" in invoke(deaf, code=1).stderr
    assert list(fake.iterdir()) == []


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the speechocean762 corpus beside the checkout")
def test_the_real_corpus_with_the_shipped_models(tmp_path: Path) -> None:
    out, result = tmp_path / "p.gz", tmp_path / "r.json"
    arguments = [REAL, "--split", "train", "--limit", 8, "--workers", 1, "--predictions", out, "--json", result]
    assert "WARNING" in invoke(*arguments).stderr
    found = json.loads(result.read_text())
    assert found["data"] | {"utterances": 8, "speakers": 1} == found["data"]
    assert found["unscored"]["utterances"] == 0
    assert len(found["humans"]) > 0
    assert any(row["hypothesis"] == "free decoding" for row in found["recognition"])


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the speechocean762 corpus beside the checkout")
def test_on_the_real_corpus_shuffled_labels_leave_nothing_to_find(tmp_path: Path) -> None:
    utterances = read_speechocean762(REAL)[:300]
    rng = np.random.default_rng(0)
    write_predictions(tmp_path / "p.gz", {"threshold": 0.5}, [noisy(u, rng) for u in utterances])
    arguments = [REAL, "--split", "train", "--limit", 300, "--predictions", tmp_path / "p.gz", "--json", "-"]
    honest = json.loads(invoke(*arguments).stdout)
    shuffled = json.loads(invoke(*arguments, "--shuffle-labels", 1).stdout)
    for row, dealt in zip(honest["scores"], shuffled["scores"], strict=True):
        if row["part"] == "all" and row["predictor"] == "model":
            assert row["pcc"]["value"] > 0.2
            assert abs(dealt["pcc"]["value"]) < 0.15
    assert any(
        note.startswith(("the model's intervals hold 0 in 9 of 9", "the model's intervals hold 0 in 8 of 9"))
        for note in shuffled["notes"]
    )
