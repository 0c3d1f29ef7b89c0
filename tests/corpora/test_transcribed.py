"""Plain folders of transcribed speech."""

from pathlib import Path

import pytest

from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError


def write(folder: Path, listing: str, recordings: tuple[str, ...] = ("b.flac", "a.1.opus")) -> Path:
    (folder / "audio").mkdir()
    for name in recordings:
        (folder / "audio" / name).touch()
    (folder / "transcripts.tsv").write_text(listing, encoding="utf-8")
    return folder


def test_a_folder_is_read_in_the_order_of_its_list(tmp_path: Path):
    first, second = read_transcribed(write(tmp_path, "b\t Naïve, isn't it?\na.1\tYes.\n"))
    assert (first.id, first.audio, first.text) == ("b", tmp_path / "audio" / "b.flac", "Naïve, isn't it?")
    assert (second.id, second.audio, second.text) == ("a.1", tmp_path / "audio" / "a.1.opus", "Yes.")


def test_recordings_that_are_not_listed_are_left_out(tmp_path: Path):
    assert [u.id for u in read_transcribed(write(tmp_path, "b\tYes.\n"))] == ["b"]


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        ("b Yes.\n", "transcripts.tsv:1: got 'b Yes.'; expected id, tab, sentence"),
        ("b\tYes.\n\n", "transcripts.tsv:2: got ''; expected"),
        ("b\tYes.\nc\tNo.\n", r"transcripts.tsv:2: no recording c\.\* in"),
        ("b\tYes.\na.1\tNo.\nb\tNo.\n", "transcripts.tsv:3: b is listed twice"),
    ],
)
def test_malformed_lists_are_refused(tmp_path: Path, listing: str, reason: str):
    with pytest.raises(ConfigError, match=reason):
        read_transcribed(write(tmp_path, listing))


def test_a_missing_list_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="transcripts.tsv not found; expected lines of id, tab, sentence"):
        read_transcribed(tmp_path)


def test_a_missing_folder_of_recordings_is_named(tmp_path: Path):
    (tmp_path / "transcripts.tsv").write_text("b\tYes.\n")
    with pytest.raises(ConfigError, match="audio not found; expected a folder of recordings"):
        read_transcribed(tmp_path)


def test_two_recordings_of_one_id_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"b\.flac and .*b\.wav have the same id"):
        read_transcribed(write(tmp_path, "b\tYes.\n", ("b.flac", "b.wav")))
