"""speechocean762: tiny corpora in the official layout, every way in which their files can contradict, and the folds."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.corpora.speechocean762 import (
    ScoredUtterance,
    read_speechocean762,
    speaker_folds,
)
from elocute.errors import ConfigError
from elocute.phones import PHONES

CORPUS = Path(__file__).parents[3] / "shared" / "data" / "speechocean762"

FILES = {
    "wav.scp": "000010011\tWAVE/SPEAKER0001/000010011.opus\n000020001\tWAVE/SPEAKER0002/000020001.opus\n",
    "utt2spk": "000010011 0001\n000020001 0002\n",
    "spk2gender": "0001 m\n0002\tf\n\n",
    "spk2age": "0001\t6\n0002\t16\n",
}


def scores() -> dict[str, Any]:
    """One utterance spells its phones as a list, as the newer release does, the other as a string."""
    whole = {"accuracy": 8, "completeness": 10.0, "fluency": 9, "prosodic": 7, "total": 8}
    word = {"accuracy": 10, "stress": 5, "total": 9}
    return {
        "000020001": whole
        | {"text": "WE", "words": [word | {"text": "WE", "phones": "W IY0", "phones-accuracy": [2, 1.8]}]},
        "000010011": whole
        | {
            "text": "CALL IT",
            "words": [
                word | {"text": "CALL", "phones": ["K", "AO0", "L"], "phones-accuracy": [2.0, 1.8, 0.4]},
                word | {"text": "IT", "phones": ["IH0", "T"], "phones-accuracy": [2.0, 2.0]},
            ],
        },
        "999990001": whole | {"text": "OF THE OTHER SPLIT", "words": []},
    }


def write(folder: Path, table: dict[str, Any] | str | None = None, **files: str | None) -> Path:
    (folder / "train").mkdir(parents=True)
    (folder / "resource").mkdir()
    for name, text in (FILES | files).items():
        if text is not None:
            (folder / "train" / name).write_text(text, encoding="utf-8")
    text = table if isinstance(table, str) else json.dumps(scores() if table is None else table)
    (folder / "resource" / "scores.json").write_text(text, encoding="utf-8")
    return folder


def test_a_corpus_is_read_in_the_order_of_its_list(tmp_path: Path):
    first, second = read_speechocean762(write(tmp_path / "corpus"))
    assert (first.id, first.speaker, first.gender, first.age, first.is_child) == ("000010011", "0001", "m", 6, True)
    assert (second.id, second.speaker, second.gender, second.age, second.is_child) == (
        "000020001", "0002", "f", 16, False,
    )  # fmt: skip
    assert first.audio == tmp_path / "corpus" / "WAVE" / "SPEAKER0001" / "000010011.opus"
    assert first.phones == ("K", "AO", "L", "IH", "T")
    assert first.phone_accuracy == (2.0, 1.8, 0.4, 2.0, 2.0)
    assert second.phones == ("W", "IY")  # the older spelling
    assert (first.accuracy, first.completeness, first.fluency, first.prosodic, first.total) == (8, 10, 9, 7, 8)
    word = first.words[1]
    assert (word.text, word.accuracy, word.stress, word.total) == ("IT", 10.0, 5.0, 9.0)


def test_other_scores_can_be_named(tmp_path: Path):
    folder = write(tmp_path / "corpus")
    other = scores()
    other["000010011"]["total"] = 1
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert read_speechocean762(folder, scores=tmp_path / "other.json")[0].total == 1.0
    assert read_speechocean762(folder)[0].total == 8.0


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "spk2gender", "spk2age"])
def test_a_missing_list_is_named(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match=f"{name} not found; expected the official layout"):
        read_speechocean762(write(tmp_path / "corpus", **{name: None}))


def test_missing_scores_are_named(tmp_path: Path):
    folder = write(tmp_path / "corpus")
    (folder / "resource" / "scores.json").unlink()
    with pytest.raises(ConfigError, match="scores.json not found"):
        read_speechocean762(folder)
    with pytest.raises(ConfigError, match=r"test.wav.scp not found"):
        read_speechocean762(folder, "test")


LISTS = {
    r"wav.scp:2: got '000020001'; expected a key": {"wav.scp": "000010011\ta.opus\n000020001\n"},
    r"utt2spk lacks '000020001', which wav.scp has": {"utt2spk": "000010011 0001\n"},
    r"spk2gender lacks '0002', which utt2spk has": {"spk2gender": "0001 m\n"},
    r"spk2age lacks '0001', which utt2spk has": {"spk2age": "0002 7\n"},
    r"age of speaker 0001 is 'old'; expected whole years": {"spk2age": "0001 old\n0002 7\n"},
}


@pytest.mark.parametrize("reason", LISTS)
def test_lists_that_contradict_are_refused(tmp_path: Path, reason: str):
    with pytest.raises(ConfigError, match=reason):
        read_speechocean762(write(tmp_path / "corpus", **LISTS[reason]))


def without(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        inner: Any = table
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return change


TABLES: dict[str, Callable[[dict[str, Any]], None]] = {
    r"lacks 1 of 2 utterances of train, first 000020001": without("000020001"),
    r"CALL: 3 phones but 2 phone scores": without("000010011", "words", 0, "phones-accuracy", 0),
    r"utterance 000010011 lacks 'fluency'": without("000010011", "fluency"),
    r"utterance 000010011 lacks 'text'": without("000010011", "text"),
    r"utterance 000010011 lacks 'words'": without("000010011", "words"),
    r"utterance 000010011, word 1 IT lacks 'phones-accuracy'": without("000010011", "words", 1, "phones-accuracy"),
    r"utterance 000010011, word 1 IT lacks 'stress'": without("000010011", "words", 1, "stress"),
}


@pytest.mark.parametrize("reason", TABLES)
def test_scores_that_lack_something_are_refused(tmp_path: Path, reason: str):
    table = scores()
    TABLES[reason](table)
    with pytest.raises(ConfigError, match=reason):
        read_speechocean762(write(tmp_path / "corpus", table))


@pytest.mark.parametrize("text", ["", "{", "[1, 2]"])
def test_scores_that_are_no_json_object_are_refused(tmp_path: Path, text: str):
    with pytest.raises(ConfigError, match=r"scores\.json is no JSON object"):
        read_speechocean762(write(tmp_path / "corpus", text))


def test_files_that_are_no_text_are_refused(tmp_path: Path):
    folder = write(tmp_path / "corpus")
    (tmp_path / "binary").write_bytes(b"\x80\xff\x00")
    with pytest.raises(ConfigError, match="binary is no JSON object: 'utf-8' codec can't decode"):
        read_speechocean762(folder, scores=tmp_path / "binary")
    (folder / "train" / "spk2age").write_bytes(b"\x80\xff\x00")
    with pytest.raises(ConfigError, match="spk2age is no text"):
        read_speechocean762(folder)


def changed(value: Any, *path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        inner: Any = table
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


FIRST, WORD = ("000010011",), ("000010011", "words", 0)
NUMBER = "expected a number from 0 to"
VALUES: dict[str, Callable[[dict[str, Any]], None]] = {
    r"000010011 is None; expected an object": changed(None, *FIRST),
    r"000010011 is \[\]; expected an object": changed([], *FIRST),
    r"000010011 is 'x'; expected an object": changed("x", *FIRST),
    rf"000010011: total is None; {NUMBER} 10": changed(None, *FIRST, "total"),
    rf"000010011: total is 'abc'; {NUMBER} 10": changed("abc", *FIRST, "total"),
    rf"000010011: total is nan; {NUMBER} 10": changed(float("nan"), *FIRST, "total"),
    rf"000010011: total is True; {NUMBER} 10": changed(True, *FIRST, "total"),
    rf"000010011: total is 10\.5; {NUMBER} 10": changed(10.5, *FIRST, "total"),
    r"000010011: text is 3; expected a string": changed(3, *FIRST, "text"),
    r"000010011: words is 'CALL'; expected a list": changed("CALL", *FIRST, "words"),
    r"000010011 has no words; expected some": changed([], *FIRST, "words"),
    r"000010011, word 0 is None; expected an object": changed(None, *WORD),
    r"000010011, word 0 CALL: phones is 7; expected phones": changed(7, *WORD, "phones"),
    r"000010011, word 0 CALL: phones is \[\]; expected phones": changed([], *WORD, "phones"),
    r"000010011, word 0 CALL: phones is \[None\]; expected phones": changed([None], *WORD, "phones"),
    r"word 0 CALL: phones-accuracy is 2; expected a list": changed(2, *WORD, "phones-accuracy"),
    rf"word 0 CALL: phones-accuracy is '2'; {NUMBER} 2": changed("2", *WORD, "phones-accuracy", 1),
    rf"word 0 CALL: phones-accuracy is -1; {NUMBER} 2": changed(-1, *WORD, "phones-accuracy", 1),
    rf"word 0 CALL: stress is \[5\]; {NUMBER} 10": changed([5], *WORD, "stress"),
    r"CALL: mispronunciations is 'L'; expected a list or null": changed("L", *WORD, "mispronunciations"),
    r"CALL: mispronunciations is 'L'; expected an object": changed(["L"], *WORD, "mispronunciations"),
    r"CALL: mispronunciations: index is '2'; expected a whole number": changed(
        [{"index": "2", "canonical-phone": "L", "pronounced-phone": "R"}], *WORD, "mispronunciations"
    ),
}


@pytest.mark.parametrize("reason", VALUES)
def test_scores_that_hold_something_else_are_refused(tmp_path: Path, reason: str):
    table = scores()
    VALUES[reason](table)
    with pytest.raises(ConfigError, match=rf"scores\.json: utterance .*{reason}"):
        read_speechocean762(write(tmp_path / "corpus", table))


# --- folds -----------------------------------------------------------------------------------------------------


def spoken(speaker: str, age: int, total: float) -> ScoredUtterance:
    return ScoredUtterance(
        id=f"{speaker}{total}",
        speaker=speaker,
        gender="f",
        age=age,
        audio=Path("a.wav"),
        text="",
        words=(),
        accuracy=total,
        completeness=10.0,
        fluency=total,
        prosodic=total,
        total=total,
    )


@st.composite
def corpora(draw: st.DrawFn) -> list[ScoredUtterance]:
    speakers = draw(st.integers(2, 20))
    found = []
    for number in range(speakers):
        age = draw(st.sampled_from([8, 15, 19, 30]))
        totals = draw(st.lists(st.floats(0, 10), min_size=1, max_size=4))
        found += [spoken(f"{number:04}", age, total) for total in totals]
    return found


@settings(max_examples=80, deadline=None)
@given(utterances=corpora(), seed=st.integers(0, 5), data=st.data())
def test_folds_are_balanced_deterministic_and_independent_of_order(
    utterances: list[ScoredUtterance], seed: int, data: st.DataObject
):
    speakers = {utterance.speaker for utterance in utterances}
    folds = data.draw(st.integers(2, len(speakers)))
    found = speaker_folds(utterances, folds, seed)
    assert set(found) == speakers  # a speaker has one fold: folds are disjoint in speakers
    sizes = Counter(found.values())
    assert set(sizes) == set(range(folds))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for is_child in (True, False):
        group = Counter(found[u.speaker] for u in {u.speaker: u for u in utterances if u.is_child == is_child}.values())
        assert max(group.values(), default=0) - min((group[fold] for fold in range(folds)), default=0) <= 2
    shuffled = data.draw(st.permutations(utterances))
    assert speaker_folds(shuffled, folds, seed) == found


def test_totals_that_differ_only_by_the_order_of_summing_are_equal():
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 in binary."""
    rows = [spoken("a", 30, x) for x in (0.1, 0.2, 0.3)] + [spoken("b", 30, x) for x in (0.3, 0.2, 0.1)]
    for seed in range(8):
        assert speaker_folds(rows, 2, seed) == speaker_folds(rows[::-1], 2, seed)


def test_seeds_deal_differently():
    rows = [spoken(f"{number:04}", 30, float(number)) for number in range(20)]
    assert len({tuple(sorted(speaker_folds(rows, 5, seed).items())) for seed in range(10)}) == 10


@pytest.mark.parametrize("folds", [-1, 0, 1, 4])
def test_impossible_numbers_of_folds_are_refused(folds: int):
    rows = [spoken(name, 30, 5.0) for name in "abc"]
    with pytest.raises(ConfigError, match=f"folds is {folds}; expected 2 to 3"):
        speaker_folds(rows, folds, 1)


# --- the real corpus -------------------------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not beside the checkout")
def test_the_real_corpus():
    utterances = read_speechocean762(CORPUS)
    assert len(utterances) == 2_500
    speakers = {utterance.speaker: utterance for utterance in utterances}
    assert len(speakers) == 125
    assert {phone for utterance in utterances for phone in utterance.phones} == set(PHONES)
    assert all(utterance.audio.is_file() for utterance in utterances)
    assert all(len(u.phones) == len(u.phone_accuracy) > 0 for u in utterances)
    assert all(0 <= score <= 2 for u in utterances for score in u.phone_accuracy)
    assert [word.text for word in utterances[0].words] == utterances[0].text.split()
    folds = speaker_folds(utterances, 5, 1)
    assert Counter(folds.values()) == dict.fromkeys(range(5), 25)
    means = [np.mean([u.total for u in utterances if folds[u.speaker] == fold]) for fold in range(5)]
    assert max(means) - min(means) < 0.3
    children = Counter(folds[name] for name, u in speakers.items() if u.is_child)
    assert max(children.values()) - min(children.values()) <= 1
