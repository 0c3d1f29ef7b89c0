"""The recordings that are shipped: they decode, their manifest is true, and flite makes them again."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

EXAMPLES = Path(__file__).parent.parent / "examples"
ROWS = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
PLANTED = [row for row in ROWS if row["planted"] is not None]

ARPABET = set(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples_make", EXAMPLES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def test_the_manifest_names_every_recording_once() -> None:
    assert sorted(row["audio"] for row in ROWS) == sorted(path.name for path in EXAMPLES.glob("*.flac"))
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_good_and_planted_recordings_are_there() -> None:
    assert len(ROWS) - len(PLANTED) >= 3
    assert sum(row["planted"]["phone_index"] is not None for row in PLANTED) >= 3
    assert any(row["planted"]["phone_index"] is None for row in PLANTED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_recording_is_small_mono_16_khz_speech(row: dict[str, str]) -> None:
    path = EXAMPLES / row["audio"]
    samples, rate = soundfile.read(path, dtype="float32")
    assert path.stat().st_size <= 60_000
    assert rate == 16_000
    assert samples.ndim == 1
    assert 0.2 < np.abs(samples).max() < 1.0
    words_per_s = len(row["text"].split()) / (len(samples) / rate)
    assert 1.5 < words_per_s < 4.5


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_text_has_four_to_eight_words(row: dict[str, str]) -> None:
    assert set(row) == {"id", "audio", "text", "voice", "planted"}
    assert 4 <= len(row["text"].split()) <= 8


@pytest.mark.parametrize("row", PLANTED, ids=lambda row: row["id"])
def test_planted_error_points_into_the_text(row: dict[str, dict[str, object]], make: ModuleType) -> None:
    planted = row["planted"]
    assert set(planted) == {"word_index", "phone_index", "canonical", "said"}
    assert 0 <= planted["word_index"] < len(row["text"].split())
    assert set(str(planted["canonical"]).split()) <= ARPABET
    if planted["phone_index"] is None:
        assert planted["said"] is None
        return
    assert planted["said"] is None or planted["said"] in ARPABET
    assert planted["said"] != planted["canonical"]
    source = next(example for example in make.EXAMPLES if example.id == row["id"])
    assert make.bare(source.planted.canonical)[planted["phone_index"]] == planted["canonical"]


@pytest.mark.parametrize("row", PLANTED, ids=lambda row: row["id"])
def test_every_planted_error_has_a_way_to_compare(row: dict[str, object]) -> None:
    """A phone error has its faultless twin: same voice, same text."""
    if row["planted"]["phone_index"] is not None:
        assert any(
            twin["planted"] is None and (twin["voice"], twin["text"]) == (row["voice"], row["text"]) for twin in ROWS
        )


def test_a_phone_that_flite_skips_is_noticed(make: ModuleType) -> None:
    example = make.Example(
        id="x",
        voice="slt",
        text="I think so.",
        planted=make.Planted(word_index=1, canonical="TH IH1 NG K", phone_index=0, said="QX"),
    )
    faultless = "AY TH IH NG K S OW".split()
    with pytest.raises(SystemExit, match="x: flite spoke AY IH NG K S OW"):
        make.check_planted(example, faultless, "AY IH NG K S OW".split())
    with pytest.raises(SystemExit, match="mend the example"):
        make.check_planted(example, faultless, faultless)


def test_the_sentence_given_to_flite_carries_the_error_and_keeps_punctuation(make: ModuleType) -> None:
    think = make.Planted(word_index=3, canonical="TH IH1 NG K", phone_index=0, said="S")
    example = make.Example(id="x", voice="slt", text="Jack & I think.", planted=think)
    assert make.ssml(example) == '<speak>Jack &amp; I <phoneme ph="s ih1 ng k">think</phoneme>.</speak>'
    dropped = make.Example(
        id="y", voice="slt", text="a very tall man", planted=make.Planted(word_index=1, canonical="V", phone_index=None)
    )
    assert make.ssml(dropped) == "<speak>a tall man</speak>"


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not on PATH")
@pytest.mark.parametrize("example_id", ["weather", "weather-tink"])
def test_flite_makes_the_same_recording_again(example_id: str, make: ModuleType, tmp_path: Path) -> None:
    example = next(example for example in make.EXAMPLES if example.id == example_id)
    row = make.make(example, tmp_path)
    assert row == next(row for row in ROWS if row["id"] == example_id)
    again, _ = soundfile.read(tmp_path / str(row["audio"]), dtype="int16")
    shipped, _ = soundfile.read(EXAMPLES / str(row["audio"]), dtype="int16")
    assert np.array_equal(again, shipped)
