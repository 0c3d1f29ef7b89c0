"""`elocute evaluate l2arctic`: end to end on a tiny corpus, and every input that cannot be evaluated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import elocute.evaluation.assessing
from arctic_corpus import write_examples, write_sentence
from elocute.cli.app import app
from elocute.corpora.l2arctic import read_l2arctic
from elocute.errors import BatchError
from elocute.evaluation.mdd_assessing import assess_arctic
from elocute.evaluation.predictions import read_predictions, write_predictions
from tiny_corpus import FakeFactory

runner = CliRunner()
SPEAKERS = ("--speakers", "NJS,tlv,TNI")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_examples(tmp_path_factory.mktemp("corpus") / "l2arctic")


def invoke(*arguments: object, code: int = 0):
    done = runner.invoke(app, ["evaluate", "l2arctic", *map(str, arguments), "--draws", "20"])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def assessed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of the shipped models, made by the command itself."""
    out = tmp_path_factory.mktemp("assessed") / "p.jsonl.gz"
    done = invoke(corpus, *SPEAKERS, "--predictions", out, "--workers", 1)
    assert "assessing 7 recordings into" in done.stderr
    assert "7 annotated sentences; 1 recordings without annotation are passed over" in done.stderr
    return out


def test_the_shipped_models_are_assessed_and_measured(corpus: Path, assessed: Path) -> None:
    stored = read_predictions(assessed)
    utterances = read_l2arctic(corpus, ["NJS", "TLV", "TNI"]).utterances
    assert [item.id for item in stored.utterances] == [item.id for item in utterances]
    assert 0 < stored.threshold < 1
    assert stored.provenance["corpus"] == "L2-ARCTIC"
    for prediction, utterance in zip(stored.utterances, utterances, strict=True):
        assert len(prediction.phone) == len(utterance.phones)
        assert prediction.perceived
    page = invoke(corpus, *SPEAKERS, "--predictions", assessed).stdout
    for words in (
        "7 annotated utterances of 3 speakers", "3 substituted, 2", "Detection: canonical phones", "nothing flagged",
        "everything flagged", "accents count as wrong", "Detection: aligned strings", "free decoding",
        "echo of the canonical phones", "P = TR/(TR+FR)", "ROC AUC", "Added sounds", "PER = (S+D+I)/N",
        "By speaker and first language", "TLV (Vietnamese)", "take them as rough",
    ):  # fmt: skip
        assert words in page
    assert max(map(len, page.splitlines())) <= 80


def test_stored_predictions_need_no_audio_and_give_the_same_bytes(corpus: Path, assessed: Path, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    shutil.copytree(corpus, deaf)
    for path in deaf.rglob("*.flac"):
        path.write_bytes(b"")
    invoke(corpus, *SPEAKERS, "--predictions", assessed, "--json", tmp_path / "a.json")
    done = invoke(deaf, *SPEAKERS, "--predictions", assessed, "--json", tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert "from the predictions stored in" in done.stderr
    to_stdout = invoke(deaf, *SPEAKERS, "--predictions", assessed, "--json", "-").stdout
    assert to_stdout == (tmp_path / "a.json").read_text()
    plain = json.loads(to_stdout)
    wrong = {(row["fa"] + row["tr"]) for row in plain["detection"] if row["part"] == "all"}
    assert wrong == {5}  # three substitutions and two deletions were planted, whoever looks for them


def test_a_few_sentences_of_each_speaker(corpus: Path, assessed: Path) -> None:
    plain = json.loads(invoke(corpus, *SPEAKERS, "--predictions", assessed, "--limit", 2, "--json", "-").stdout)
    assert (plain["data"]["limit"], plain["data"]["utterances"]) == (2, 5)


def test_predictions_are_kept_under_a_name_of_their_own(
    corpus: Path, assessed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = read_predictions(assessed)
    write_predictions(
        Path("l2arctic-NJS-TLV-TNI.predictions.jsonl.gz"),
        {**stored.provenance, "configuration": "other"},
        stored.utterances,
    )
    done = invoke(corpus, *SPEAKERS, code=1)
    assert "was made by other models or another version; make it again with --fresh" in done.stderr
    shutil.copy(assessed, "l2arctic-NJS-TLV-TNI.predictions.jsonl.gz")
    assert "from the predictions stored in l2arctic-NJS" in invoke(corpus, *SPEAKERS).stderr
    shutil.copy(assessed, "l2arctic-NJS-first1.predictions.jsonl.gz")
    assert "1 annotated sentences" in invoke(corpus, "--speakers", "NJS", "--limit", 1).stderr


def test_a_killed_run_goes_on_and_a_refused_recording_keeps_its_reason(corpus: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    (log / "kill").touch()
    utterances = read_l2arctic(corpus, ["NJS", "TLV", "TNI"]).utterances
    make = FakeFactory(log=log, die_on=utterances[4].id, refuse=utterances[1].id)
    options = {"provenance": {}, "configuration": "fake", "workers": 1}
    with pytest.raises(BatchError, match="a worker process died"):
        assess_arctic(utterances, tmp_path / "p.gz", make_assessor=make, **options)
    assess_arctic(utterances, tmp_path / "p.gz", make_assessor=make, **options)
    assert (log / utterances[0].id).read_text() == "x"  # assessed once
    found = read_predictions(tmp_path / "p.gz").utterances
    assert len(found) == 7
    assert found[1].reason == f"AudioError: the recording of {utterances[1].id} is 0.0 s long; record again"


def test_control_c_keeps_what_is_assessed(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(elocute.evaluation.assessing, "run_batch", stop)
    done = invoke(corpus, *SPEAKERS, "--predictions", tmp_path / "p.gz", code=1)
    assert "stopped; what is assessed is kept" in done.stderr


def test_what_cannot_be_evaluated_is_said_in_one_line(corpus: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((corpus, "--speakers", "XYZ"), "speaker 'XYZ' is not of L2-ARCTIC"),
        ((corpus,), "TXHC"),  # of the test speakers, only three are there
        ((tmp_path, "--speakers", "all"), "expected L2-ARCTIC's root"),
    ):
        done = invoke(*arguments, code=1)
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_annotations_that_contradict_themselves_are_named(corpus: Path, assessed: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "c")
    write_sentence(tmp_path / "c", "TNI", "arctic_b0001", [("at", ["AE1", "T,D,x"])])
    done = invoke(tmp_path / "c", *SPEAKERS, "--predictions", assessed)
    assert "TNI-arctic_b0001 is left out: " in done.stderr
    assert "interval 3 of the tier 'phones'" in done.stderr
    assert "annotations left out: 1" in done.stdout
    assert "1 annotations contradict themselves and were left out" in " ".join(done.stdout.split())
