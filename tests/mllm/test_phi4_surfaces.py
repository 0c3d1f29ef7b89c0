"""`phi4:DIR` from the library, the command line, a batch and the server: one report; and its evaluation by command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from typer.testing import CliRunner

import elocute.mllm.stored
from elocute.assessors import ReportMaker, load_assessor
from elocute.batch.manifest import ManifestRow
from elocute.cli.app import app
from elocute.cli.batch import AssessorFactory, configuration
from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.mllm.assessor import Asked, folders_of, identity, load_folder, read_asked
from elocute.mllm.model import load_model, save_tuned
from elocute.mllm.stored import read_answers
from elocute.report import Report
from elocute.server.wanted import Wanted
from elocute.server.work import Assess, Desk, Recording
from taught_phi4 import RECORDING, TEXT, run_folder
from tiny_corpus import write_corpus
from tiny_phi4 import SPEECH, released

runner = CliRunner()


def name() -> str:
    """The backend."""
    return f"phi4:{run_folder()}"


@pytest.fixture(scope="module")
def maker() -> ReportMaker:
    return load_assessor(AssessorConfig(backend=name(), threads=1))


@pytest.fixture
def printed(maker: ReportMaker, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command prints, by a model that is loaded already."""
    monkeypatch.setattr("elocute.assessors.load_assessor", lambda config: maker.with_config(config))
    done = runner.invoke(
        app, ["assess", str(RECORDING), TEXT, "--backend", name(), "--format", "json"], catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.stdout


def test_the_library_reports_what_the_model_wrote(maker: ReportMaker) -> None:
    report = maker.assess(RECORDING, TEXT)
    assert Report.from_json(report.to_json()) == report
    assert [(item.word, item.expected, item.actual) for item in report.mispronunciations] == [("red", "R", "L")]
    assert report.mispronunciations[0].probability > 0.9
    # Means under the model's probabilities, which learned 8, 7, 9 and 8 by heart.
    whole = (report.utterance.accuracy, report.utterance.fluency, report.utterance.prosody, report.utterance.total)
    assert whole == pytest.approx((80, 70, 90, 80), abs=2)


def test_command_line_batch_and_server_give_the_same_report(maker: ReportMaker, printed: str) -> None:
    report = maker.assess(RECORDING, TEXT)
    assert printed == report.to_json(indent=2) + "\n"
    assess = AssessorFactory(config=maker.config, lexicon=None)()
    row = ManifestRow(id="car", audio=RECORDING, text=TEXT, phones=None)
    assert assess(row) == report.to_dict()
    wanted = Wanted(
        audio=b"",
        text=TEXT,
        detail="full",
        l1=None,
        scale=100,
        shape="native",
        sensitivity="normal",
        advice="learner",
    )
    recording = Recording(data=RECORDING.read_bytes(), sample_rate=None, max_duration_s=60.0)
    assert Assess(wanted=wanted, recording=recording)(Desk(maker.config)).body.decode() == printed


def test_another_text_is_not_scored(maker: ReportMaker) -> None:
    report = maker.assess(RECORDING, "She sells sea shells by the shore")
    assert report.utterance.total is None
    assert any("do not fit the text" in warning for warning in report.warnings)


def test_a_batch_is_resumed_with_the_same_weights_only(tmp_path: Path) -> None:
    config = AssessorConfig(backend=name(), threads=1)
    assert configuration(config, None) == configuration(config, None)
    other = tmp_path / "run"
    shutil.copytree(run_folder(), other)
    assert identity(str(other)) == identity(str(run_folder()))
    weights = next((other / "model").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-7] ^= 1
    weights.write_bytes(content)
    assert identity(str(other)) != identity(str(run_folder()))


def test_the_run_tells_how_to_ask(tmp_path: Path) -> None:
    assert read_asked(run_folder()) == read_asked(run_folder() / "model") == Asked(style="short")
    assert read_asked(tmp_path) == Asked()
    (tmp_path / "run.json").write_text('{"recipe": {}}')
    with pytest.raises(ConfigError, match="how the model was asked"):
        read_asked(tmp_path)
    (tmp_path / "run.json").write_text('{"prompts": "0", "recipe": {}}')
    with pytest.raises(ConfigError, match="asked in version 0 of the prompts; this version of elocute asks in version"):
        read_asked(tmp_path)


def test_an_adapter_finds_its_base_or_is_told(tmp_path: Path) -> None:
    base = tmp_path / "base@home"  # a folder may have such a name
    shutil.copytree(released(), base)
    tuned = save_tuned(load_model(base, regime="lora", adapter=SPEECH, dtype="float32"), tmp_path / "tuned")
    here = load_folder(tuned)
    assert not any(parameter.requires_grad for parameter in here.model.parameters())
    moved = base.rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"not there any more; say where that model is, 'phi4:.*@BASE'"):
        load_folder(tuned)
    assert folders_of(f"{tuned}@{moved}") == (tuned, moved)
    maker = load_assessor(AssessorConfig(backend=f"phi4:{tuned}@{moved}"))
    assert maker.assess(RECORDING, TEXT).model.backend == f"phi4 {here.version}"
    assert identity(f"{tuned}@{moved}") == identity(str(tuned))


@pytest.mark.parametrize(
    ("place", "message"), [("nowhere", "nowhere does not exist"), (str(RECORDING), "is a file"), ("", "'phi4:PLACE'")]
)
def test_a_wrong_place_is_refused(place: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_assessor(AssessorConfig(backend=f"phi4:{place}"))


def evaluated(folder: Path, *options: str) -> dict[str, Any]:
    """The figures by command."""
    command = ["evaluate", "phi4", str(run_folder()), str(folder), "--draws", "20", "--json", "-", *options]
    done = runner.invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def timeless(line: bytes) -> dict[str, Any]:
    """A stored line without how long it took."""
    return {key: value for key, value in json.loads(line).items() if key != "seconds"}


def test_the_evaluation_counts_goes_on_and_refuses_other_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, answers = write_corpus(tmp_path / "corpus"), tmp_path / "answers.jsonl"
    found = evaluated(corpus, "--answers", str(answers), "--batch", "4")
    # It learned one recording by heart: of others it writes something like it, not always JSON. None is dropped.
    assert [(row["task"], row["n"]) for row in found["answers"]] == [("apa", 7), ("mdd", 7)]
    assert all(row["valid"] + row["repaired"] + row["failed"] == 7 > row["valid"] >= 1 for row in found["answers"])
    assert found["speed"]["answers"] == 14
    assert found["transcripts"][0]["per"]["value"] > 0.5 > found["transcripts"][1]["per"]["value"]
    whole = answers.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 15
    asked: list[int] = []
    generate = elocute.mllm.stored.answer_examples
    monkeypatch.setattr(
        elocute.mllm.stored,
        "answer_examples",
        lambda model, processor, batch, **rest: asked.append(len(batch)) or generate(model, processor, batch, **rest),
    )
    answers.write_bytes(b"".join(lines[:10]) + lines[10][:20])  # killed in the middle of a line
    again = evaluated(corpus, "--answers", str(answers), "--batch", "4")
    assert asked == [4, 2]  # two batches were whole
    assert [*map(timeless, lines)] == [*map(timeless, answers.read_bytes().splitlines())]
    assert {key: again[key] for key in ("answers", "scores", "transcripts", "detection")} == {
        key: found[key] for key in ("answers", "scores", "transcripts", "detection")
    }
    assert len(read_answers(answers).answers) == 14
    other = runner.invoke(
        app, ["evaluate", "phi4", str(run_folder()), str(corpus), "--answers", str(answers), "--batch", "5"]
    )
    assert other.exit_code == 1
    assert "another batch_size" in str(other.exception) + other.stderr
    assert answers.read_bytes() != b""


def test_tables_name_the_papers_figures_beside_ours(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", split="train")
    command = ["evaluate", "phi4", str(run_folder() / "model"), str(corpus), "--split", "train"]
    done = runner.invoke(app, [*command, "--answers", str(tmp_path / "a.jsonl")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "3 utterances of 2 speakers" in done.stdout  # the fold that was held out
    for words in ("this model", "paper: LoRA, epoch 3", ".656", "echo", "valid %", "F1 (95 %)"):
        assert words in done.stdout


def test_speakers_that_a_model_trained_on_are_not_measured(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", split="train")
    shutil.copytree(run_folder() / "model", tmp_path / "model")
    done = runner.invoke(app, ["evaluate", "phi4", str(tmp_path / "model"), str(corpus), "--split", "train"])
    assert done.exit_code == 1
    assert "did not train on" in str(done.exception) + done.stderr
