"""Common Voice's layout."""

from pathlib import Path

import pytest

from elocute.corpora.commonvoice import read_commonvoice
from elocute.errors import ConfigError

HEAD = "client_id\tpath\tsentence_id\tsentence\tup_votes\n"


def test_speaker_text_and_recording(tmp_path: Path) -> None:
    # A sentence that begins with a quote, one with a line separator that ends no line, an old path without suffix.
    rows = 'c1\ta.mp3\tx\t"Well" he said\t2\r\nc2\tb.mp3\tx\tone\u2028two\t2\nc2\told\tx\tthree\t2\n\n'
    (tmp_path / "train.tsv").write_text("\ufeff" + HEAD + rows, encoding="utf-8", newline="")
    found = read_commonvoice(tmp_path)
    assert [item.speaker for item in found] == ["c1", "c2", "c2"]
    assert [item.text for item in found] == ['"Well" he said', "one\u2028two", "three"]
    assert [item.audio for item in found] == [tmp_path / "clips" / name for name in ("a.mp3", "b.mp3", "old.mp3")]


def test_which_list(tmp_path: Path) -> None:
    for name in ("train", "validated", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"{HEAD}{name}\t{name}.mp3\tx\ttext\t2\n")
    assert [item.speaker for item in read_commonvoice(tmp_path)] == ["train"]
    assert [item.speaker for item in read_commonvoice(tmp_path / "dev.tsv")] == ["dev"]
    (tmp_path / "train.tsv").unlink()
    assert [item.speaker for item in read_commonvoice(tmp_path)] == ["validated"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("client_id\tpath\ttext\n", "has no column 'sentence'; expected client_id, path, sentence"),
        (HEAD + "c\ta.mp3\n", r"train.tsv:2: 2 fields; expected the 5"),
        (HEAD + "c\ta.mp3\tx\tt\t2\nd\ta.mp3\tx\tt\t2\n", r"train.tsv:3: a.mp3 is listed twice"),
    ],
)
def test_malformed_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.tsv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_commonvoice(tmp_path)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds neither train.tsv nor validated.tsv"):
        read_commonvoice(tmp_path)


def test_binary_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is no text"):
        read_commonvoice(tmp_path)
