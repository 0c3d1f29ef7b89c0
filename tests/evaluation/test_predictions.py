"""Stored predictions: round trips, the same bytes every time, and every way in which a file can contradict itself."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.errors import ConfigError
from elocute.evaluation.predictions import (
    FORMAT,
    UTTERANCE_SCORES,
    Prediction,
    read_predictions,
    write_predictions,
)

WHOLE = Prediction(
    id="000010011",
    phone=(2.0, 1.25, 0.0),
    word=((10.0, 10.0, 9.5), (4.0, None, 3.0)),
    utterance={"accuracy": 8.0, "completeness": 10.0, "fluency": 7.5, "prosodic": 7.0, "total": 7.25},
    phone_error=(0.01, 0.3, 0.99),
    heard=("W", "IY", None),
    omitted=(1,),
    perceived=("W", "IY"),
    transcript="WE",
)
REFUSED = Prediction(id="000010035", phone=None, word=None, utterance=None, reason="hardly any of the text was heard")


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def plain(path: Path, *rows: dict[str, Any] | str, header: dict[str, Any] | None = None) -> Path:
    first = {"format": FORMAT, "provenance": {}} if header is None else header
    text = [row if isinstance(row, str) else json.dumps(row) for row in (first, *rows)]
    path.write_text("\n".join(text) + "\n")
    return path


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    write_predictions(path, {"model": "m", "threshold": 0.4}, [WHOLE, REFUSED])
    stored = read_predictions(path)
    assert stored.utterances == (WHOLE, REFUSED)
    assert stored.provenance == {"model": "m", "threshold": 0.4}
    assert stored.threshold == 0.4
    assert (WHOLE.is_scored, REFUSED.is_scored) == (True, False)
    assert [item.name for item in tmp_path.iterdir()] == ["p.jsonl.gz"]


def test_the_file_is_as_documented(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.gz", {"split": "train"}, [WHOLE, REFUSED])
    header, whole, refused = lines_of(tmp_path / "p.gz")
    assert header == {"format": "elocute predictions 1", "provenance": {"split": "train"}}
    assert whole["word"] == [[10.0, 10.0, 9.5], [4.0, None, 3.0]]
    assert whole["heard"] == ["W", "IY", None]
    assert set(whole["utterance"]) == set(UTTERANCE_SCORES)
    assert refused == {
        "id": "000010035", "phone": None, "word": None, "utterance": None,
        "reason": "hardly any of the text was heard",
    }  # fmt: skip


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "other-name.gz"):
        write_predictions(tmp_path / name, {"b": 1, "a": [2]}, [WHOLE])
    reordered = replace(WHOLE, utterance=dict(reversed(list(WHOLE.utterance.items()))))
    write_predictions(tmp_path / "c.gz", {"a": [2], "b": 1}, [reordered])
    first, *rest = [(tmp_path / name).read_bytes() for name in ("a.gz", "other-name.gz", "c.gz")]
    assert rest == [first, first]
    assert first[4:8] == b"\0\0\0\0"  # no time stamp


@given(st.lists(st.floats(0, 2), min_size=1, max_size=5), st.data())
def test_numbers_are_rounded_to_four_decimals_and_numpy_is_welcome(tmp_path_factory, phones, data) -> None:
    path = tmp_path_factory.mktemp("p") / "p.gz"
    errors = data.draw(st.lists(st.floats(0, 1), min_size=len(phones), max_size=len(phones)))
    made = Prediction(
        id="u", phone=np.array(phones), word=np.full((1, 3), -0.0), utterance={"total": np.float32(1 / 3)},
        phone_error=np.array(errors),
    )  # fmt: skip
    write_predictions(path, {}, [made])
    (back,) = read_predictions(path).utterances
    assert back.phone == tuple(round(value, 4) for value in phones)
    assert back.phone_error == tuple(round(value, 4) for value in errors)
    assert back.utterance == {"total": 0.3333}
    assert "-0.0" not in gzip.decompress(path.read_bytes()).decode()


BAD: dict[str, Callable[[], Prediction]] = {
    r"phone is nan; expected a number from 0 to 2": lambda: replace(WHOLE, phone=(2.0, float("nan"), 1.0)),
    r"phone is 2\.1; expected": lambda: replace(WHOLE, phone=(2.1, 1.0, 1.0)),
    r"phone_error has 2 entries for 3 phones": lambda: replace(WHOLE, phone_error=(0.1, 0.2)),
    r"phone_error is 1\.5; expected a number from 0 to 1": lambda: replace(WHOLE, phone_error=(1.5, 0.0, 0.0)),
    r"heard has 1 entries for 3 phones": lambda: replace(WHOLE, heard=("W",)),
    r"7 is no phone": lambda: replace(WHOLE, heard=("W", 7, "IY")),
    r"perceived holds null": lambda: replace(WHOLE, perceived=("W", None)),
    r"word 1 has 2 scores; expected accuracy, stress, total": lambda: replace(WHOLE, word=((1, 2, 3), (1, 2))),
    r"word 0, stress is 11; expected": lambda: replace(WHOLE, word=((1, 11, 3), (1, 2, 3))),
    r"unknown utterance score 'prosody'": lambda: replace(WHOLE, utterance={"prosody": 3.0}),
    r"utterance, total is -1; expected": lambda: replace(WHOLE, utterance={"total": -1}),
    r"omitted word 2 does not exist": lambda: replace(WHOLE, omitted=(2,)),
    r"some of phone, word and utterance are null": lambda: replace(WHOLE, word=None),
    r"nothing is scored and no reason given": lambda: replace(REFUSED, reason=None),
}


@pytest.mark.parametrize("reason", BAD)
def test_predictions_that_contradict_themselves_are_not_stored(tmp_path: Path, reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"prediction '\d+': {reason}"):
        write_predictions(tmp_path / "p.gz", {}, [BAD[reason]()])
    assert list(tmp_path.iterdir()) == []


def test_an_utterance_is_predicted_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'000010011' occurs twice"):
        write_predictions(tmp_path / "p.gz", {}, [WHOLE, WHOLE])


def test_provenance_is_json_and_its_threshold_a_probability(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be stored"):
        write_predictions(tmp_path / "p.gz", {"when": object()}, [WHOLE])
    with pytest.raises(ConfigError, match=r"threshold is 2; expected a number from 0 to 1"):
        write_predictions(tmp_path / "p.gz", {"threshold": 2}, [WHOLE])
    write_predictions(tmp_path / "p.gz", {}, [])
    assert read_predictions(tmp_path / "p.gz").threshold is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write .*nowhere"):
        write_predictions(tmp_path / "nowhere" / "p.gz", {}, [WHOLE])


ROW = {"id": "u", "phone": [1.0], "word": [[1, 2, 3]], "utterance": {}}
DAMAGED: dict[str, tuple[Any, ...]] = {
    r"p:2: not JSON": ("{",),
    r"p:2: got a JSON list": ([1],),
    r"p:3: utterance 'u' occurs twice": (ROW, ROW),
    r"p:2: unknown key 'fone'": (ROW | {"fone": 1},),
    r"p:2: id is 7; expected a string": (ROW | {"id": 7},),
    r"p:2: phone is 3; expected a list or null": (ROW | {"phone": 3},),
    r"p:2: phone is 'x'; expected a number": (ROW | {"phone": ["x"]},),
    r"p:2: phone is True; expected a number": (ROW | {"phone": [True]},),
    r"p:2: phone is None; expected a number": (ROW | {"phone": [None]},),
    r"p:2: a word is 3; expected a list": (ROW | {"word": [3]},),
    r"p:2: utterance is \[\]; expected an object": (ROW | {"utterance": []},),
    r"p:2: reason is 5; expected a string": (ROW | {"reason": 5},),
    r"p:2: omitted word 'x' does not exist; expected indices": (ROW | {"omitted": ["x"]},),
    r"p:2: omitted word None does not exist": (ROW | {"omitted": [None]},),
    r"p:2: omitted word \[0\] does not exist": (ROW | {"omitted": [[0]]},),
    r"p:2: omitted word nan does not exist": (ROW | {"omitted": [float("nan")]},),
    r"p:2: omitted word False does not exist": (ROW | {"omitted": [False]},),
    r"p:2: omitted is 'x'; expected a list or null": (ROW | {"omitted": "x"},),
}


@pytest.mark.parametrize("reason", DAMAGED)
def test_files_that_contradict_themselves_are_refused_by_line(tmp_path: Path, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_predictions(plain(tmp_path / "p", *DAMAGED[reason]))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read .*absent"):
        read_predictions(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"format is 'elocute predictions 2'; expected a header"):
        read_predictions(plain(tmp_path / "a", header={"format": "elocute predictions 2"}))
    with pytest.raises(ConfigError, match="provenance is None; expected an object"):
        read_predictions(plain(tmp_path / "b", header={"format": FORMAT}))
    write_predictions(tmp_path / "c", {}, [WHOLE])
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:-9])
    with pytest.raises(ConfigError, match="c is damaged"):
        read_predictions(tmp_path / "c")
    plain(tmp_path / "d", ROW)
    (tmp_path / "d").write_text((tmp_path / "d").read_text()[:-1])
    with pytest.raises(ConfigError, match="d:2: the last line is incomplete"):
        read_predictions(tmp_path / "d")
    (tmp_path / "e").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="e is damaged"):
        read_predictions(tmp_path / "e")
