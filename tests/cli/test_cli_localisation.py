"""`elocute evaluate localisation`: end to end on a tiny corpus, and everything that it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.evaluation import flite
from tiny_corpus import EXAMPLES, write_corpus

runner = CliRunner()
REAL = Path(__file__).parents[3] / "shared" / "data" / "speechocean762"
has_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def invoke(*arguments: object, code: int = 0):
    done = runner.invoke(app, ["evaluate", "localisation", *map(str, arguments), "--workers", "1", "--draws", "20"])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "speechocean762")


@pytest.fixture
def transcribed(tmp_path: Path) -> Path:
    """The faultless examples of one voice as a folder of transcribed speech, with one text that no lexicon has."""
    folder = tmp_path / "slt"
    (folder / "audio").mkdir(parents=True)
    rows = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text().splitlines()]
    lines = []
    for row in rows:
        if row["voice"] == "slt" and row["planted"] is None:
            shutil.copy(EXAMPLES / row["audio"], folder / "audio" / row["audio"])
            lines.append(f"{Path(row['audio']).stem}\t{row['text']}\n")
    shutil.copy(folder / "audio" / "car.flac", folder / "audio" / "odd.flac")
    (folder / "transcripts.tsv").write_text("".join([*lines, "odd\tMy gromblewick drives\n"]))
    return folder


@pytest.fixture(scope="module")
def measured(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The page, and the JSON, of a run over everything but flite."""
    out = tmp_path_factory.mktemp("out") / "result.json"
    done = invoke(corpus, "--sources", "text,splice", "--json", out, "--seed", 3)
    assert "WARNING" not in done.stderr
    return done.stdout, out.read_text()


def test_errors_are_planted_assessed_and_measured(measured: tuple[str, str]) -> None:
    page, written = measured
    plain = json.loads(written)
    assert plain["format"] == "elocute localisation 1"
    assert plain["settings"] == {"seed": 3, "sources": ["splice", "text"], "voices": [], "draws": 20}
    assert plain["data"] == {
        "corpus": "speechocean762", "split": "test", "recordings": 7, "speakers": 4, "limit": None, "left_out": {},
    }  # fmt: skip
    sources = [one["source"] for one in plain["outcomes"]]
    assert sources.count("text") >= 6
    assert sources.count("splice") >= 2
    controls = [one["control_drop"] for one in plain["outcomes"] if one["control_drop"] is not None]
    assert len(controls) >= 2
    assert sum(controls) / len(controls) < 10  # splicing alone does little
    assert len(sources) + sum(plain["skipped"].values()) == 14  # a recording is an outcome or a reason
    for words in (
        "speechocean762 test", "the planted phone has the lowest score", "Drop against the clean recording",
        "What was said instead is named", "Flags", "Heard: what the acoustic model hears", "Confusions missed",
        "chance", "naive", "Note: splice:",
    ):  # fmt: skip
        assert words in page
    assert max(map(len, page.splitlines())) <= 80


def test_planted_text_errors_sink_their_phone(measured: tuple[str, str]) -> None:
    """What the shipped models are made for: a text that asks for another phone than clear speech has."""
    plain = json.loads(measured[1])
    drops = [one["own_drop"] for one in plain["outcomes"] if one["source"] == "text" and one["own_drop"] is not None]
    assert len(drops) >= 4
    assert sum(drops) / len(drops) > 10


def test_the_same_seed_plants_the_same_errors_whatever_else_is_measured(
    corpus: Path, measured: tuple[str, str]
) -> None:
    some = json.loads(invoke(corpus, "--sources", "text", "--limit", 3, "--json", "-", "--seed", 3).stdout)["outcomes"]
    everything = json.loads(measured[1])["outcomes"]
    assert len(some) > 1
    assert [one for one in everything if one["source"] == "text" and one["id"] in {x["id"] for x in some}] == some


@has_flite
def test_flite_speaks_the_sentences_of_the_corpus(corpus: Path) -> None:
    plain = json.loads(invoke(corpus, "--sources", "flite", "--limit", 2, "--json", "-").stdout)
    assert plain["data"]["recordings"] == 2
    assert {one["source"] for one in plain["outcomes"]} == {"flite"}
    assert all(one["speaker"].startswith("flite ") for one in plain["outcomes"])
    assert len(plain["outcomes"]) + sum(plain["skipped"].values()) == 2


def test_transcribed_speech_is_one_speaker(transcribed: Path) -> None:
    done = invoke(transcribed, "--sources", "splice,text", "--split", "train", "--json", transcribed / "a.json")
    assert "WARNING" not in done.stderr  # nobody's split
    plain = json.loads((transcribed / "a.json").read_text())
    assert plain["data"]["corpus"] == "slt"
    assert plain["data"]["split"] is None
    assert plain["data"]["left_out"]["a word is not in the lexicon"] == 1
    assert {one["speaker"] for one in plain["outcomes"]} == {"slt"}
    assert "Recordings left out: 1 x a word is not in the lexicon" in done.stdout


def test_both_layouts_and_any_number_of_processes_give_the_same(corpus: Path, tmp_path: Path, measured) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow comes with the extra 'evaluate'")
    from parquet_corpus import convert

    other = convert(corpus, tmp_path / "hf", "test")
    arguments = ["evaluate", "localisation", str(other), "--sources", "text", "--seed", "3", "--json", "-"]
    done = runner.invoke(app, [*arguments, "--workers", "2"])
    assert done.exit_code == 0, done.output
    first = json.loads(measured[1])["outcomes"]
    assert json.loads(done.stdout)["outcomes"] == [one for one in first if one["source"] == "text"]


def test_train_is_warned_of(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c", "train")
    done = invoke(corpus, "--split", "train", "--sources", "text", "--limit", 1, "--seed", 1)
    assert done.stderr.count("WARNING: the shipped models trained on the split train") == 1


def test_without_flite_the_others_go_on(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flite.shutil, "which", lambda name: None)
    done = invoke(corpus, "--limit", 1, "--sources", "text,flite", "--json", "-")
    assert "flite is not on PATH" in done.stderr
    assert json.loads(done.stdout)["settings"]["sources"] == ["text"]
    assert "install flite 2.2, or name other --sources" in invoke(corpus, "--sources", "flite", code=1).stderr


def test_folders_and_options_that_are_wrong(corpus: Path, tmp_path: Path) -> None:
    assert "is no folder" in invoke(tmp_path / "nowhere", code=1).stderr
    assert "is not speechocean762's split test" in invoke(tmp_path, code=1).stderr
    assert "wav.scp not found" in invoke(corpus, "--split", "train", code=1).stderr
    wrong = invoke(corpus, "--sources", "splice,piper", code=1).stderr
    assert "--sources has 'piper'; expected some of splice, flite, text" in wrong
    (tmp_path / "transcripts.tsv").write_text("a\tYes\n")
    assert "expected a folder of recordings beside the list" in invoke(tmp_path, code=1).stderr


def test_recordings_that_take_no_error_are_refused_with_the_reason(transcribed: Path) -> None:
    (transcribed / "transcripts.tsv").write_text("odd\tA\n")
    done = invoke(transcribed, "--sources", "text", code=1)
    assert "no error could be planted in 1 recordings (1 x text: no word of two phones" in done.stderr


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="speechocean762 is not there")
def test_on_real_recordings_planted_phones_are_lowest_far_above_chance() -> None:
    plain = json.loads(invoke(REAL, "--split", "train", "--limit", 6, "--sources", "splice,text", "--json", "-").stdout)
    everything = plain["parts"][0]
    assert everything["n"] >= 6
    assert everything["lowest_in_word"]["value"] > 1.5 * everything["lowest_in_word_naive"]
    assert everything["beside_share"]["value"] < 0.5
