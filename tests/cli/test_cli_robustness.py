"""`elocute evaluate robustness`: with the shipped models on two examples, and on tones for all that they need not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import elocute.evaluation.robustness_observe
from elocute.cli.app import app
from elocute.evaluation.robustness_cases import CASES
from tiny_corpus import EXAMPLES, write_corpus
from tone_speech import make_perfect, write_folder

runner = CliRunner()
NO_NOISE = [case.name for case in CASES if not case.needs_noise]


def invoke(*arguments: object, code: int = 0):
    done = runner.invoke(app, ["evaluate", "robustness", *map(str, arguments), "--draws", "20", "--workers", "1"])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def tones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of tones, and an assessor that hears them in place of the shipped one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(elocute.evaluation.robustness_observe, "NamedFactory", lambda backend: make_perfect)
    return write_folder(tmp_path / "tones", 4)


def test_the_shipped_models_are_put_to_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    corpus, noise = write_corpus(tmp_path / "so"), tmp_path / "noise"
    noise.mkdir()
    shutil.copy(EXAMPLES / "zoo.flac", noise / "babble.flac")
    cases = "wrong-text,silence,swapped-word,truncated-50,noise-0,joined"
    done = invoke(corpus, "--limit", 2, "--noise", noise, "--cases", cases, "--json", "-")
    found = json.loads(done.stdout)
    assert found["format"] == "elocute robustness 1"
    assert found["data"] == {
        "corpus": "speechocean762", "split": "test", "has_speakers": True, "left_out": found["data"]["left_out"],
        "utterances": 2, "speakers": 2,
    }  # fmt: skip
    by_name = {case["name"]: case for case in found["cases"]}
    assert set(by_name) == {"clean", *cases.split(",")}
    assert all(case["recordings"] == 2 for case in by_name.values())
    assert by_name["silence"]["refused"] == 2
    assert by_name["silence"]["reasons"] == {"AudioError: recording is silent": 2}
    assert by_name["silence"]["separation"]["value"] == 1
    assert by_name["clean"]["total"]["median"] > by_name["wrong-text"]["total"]["median"]
    assert by_name["noise-0"]["change"]["pairs"] == 2
    assert not list(tmp_path.glob("robustness-*"))  # without --keep nothing is left behind
    assert "WARNING" not in done.stderr.upper()


def test_a_perfect_assessor_passes_and_the_tables_say_so(tones: Path, tmp_path: Path) -> None:
    done = invoke(
        tones, "--limit", 2, "--json", tmp_path / "a.json", "--plot", tmp_path / "a.svg", "--keep", tmp_path / "k.jsonl"
    )
    page = done.stdout
    assert max(map(len, page.splitlines())) <= 80
    for words in (
        "Robustness: tones", "2 utterances, speakers unknown", "Total score of 100", "Success", "Words flagged",
        "Change from the clean recording", "Reasons of refusals", "AudioError: recording is silent",
        "the corpus does not tell speakers: intervals resample recordings",
    ):  # fmt: skip
        assert words in page
    found = json.loads((tmp_path / "a.json").read_text())
    by_name = {case["name"]: case for case in found["cases"]}
    assert list(by_name) == NO_NOISE
    for name, case in by_name.items():
        if case["group"] in ("clean", "text", "cut", "extra"):
            assert case["success"]["value"] == 1, name
            assert case["failures"] == []
    assert by_name["cut-word"]["errors"]["omission"] == 1
    assert by_name["joined"]["errors"]["insertion"] > 3
    drawn = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    texts = {element.text for element in drawn.iter() if element.tag.endswith("text")}
    assert set(NO_NOISE) <= texts
    # The answers are kept: the same figures again, without assessing.
    again = invoke(tones, "--limit", 2, "--json", tmp_path / "b.json", "--keep", tmp_path / "k.jsonl")
    assert again.stdout == page
    other = json.loads((tmp_path / "b.json").read_text())
    assert other["cases"] == found["cases"]
    refused = invoke(tones, "--seed", 1, "--keep", tmp_path / "k.jsonl", code=1)
    assert "holds a run with other utterances, cases, noise, seed or models" in refused.stderr
    fresh = invoke(tones, "--seed", 1, "--keep", tmp_path / "k.jsonl", "--fresh", "--cases", "joined")
    assert "joined-before" not in fresh.stdout


def test_train_is_warned_of_but_not_refused(tones: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "train corpus", "train")
    done = invoke(corpus, "--split", "train", "--limit", 1, "--cases", "silence")
    assert "warning: the shipped models trained on the split train" in done.stderr
    assert "Note: the shipped models trained on these recordings" in done.stdout


def test_parquet_files_are_a_corpus_too(tones: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow comes with the extra 'evaluate'")
    from parquet_corpus import convert

    official = write_corpus(tmp_path / "so")
    other = convert(official, tmp_path / "hf", "test")
    names = ("--limit", 2, "--cases", "telephone,joined,swapped-word", "--json", "-")
    ours, theirs = (json.loads(invoke(folder, *names).stdout) for folder in (official, other))
    assert ours["cases"] == theirs["cases"]
    assert theirs["data"]["corpus"] == "speechocean762"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["."], "holds no corpus that can be read"),
        (["tones", "--split", "test"], "has no splits; leave out --split"),
        (["tones", "--cases", "silense"], "'silense' is no case; did you mean 'silence'"),
        (["tones", "--cases", "noise-5"], "needs clips of noise; name their folder with --noise"),
        (["tones", "--noise", "nowhere"], "nowhere is no folder; expected one with clips of noise"),
        (["tones", "--noise", "empty"], "empty has no clips of noise; expected audio files"),
        (["tones", "--noise", "twins"], "have the same name; keep one of them"),
        (["tones", "--keep", "no/such/folder.jsonl"], "cannot write no/such/folder.jsonl"),
    ],
)
def test_wrong_input_is_one_line(tones: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "twins").mkdir()
    for suffix in ("wav", "flac"):
        (tmp_path / "twins" / f"a.{suffix}").touch()
    done = invoke(*arguments, code=1)
    assert message in done.stderr
    errors = [line for line in done.stderr.splitlines() if not line.startswith("elocute: 4 utterances")]
    assert len(errors) == 1
