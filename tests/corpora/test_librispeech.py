"""LibriSpeech's layout."""

from pathlib import Path

import pytest

from elocute.corpora.librispeech import read_librispeech
from elocute.errors import ConfigError


def layout(folder: Path, lines: str, speaker: str = "103") -> Path:
    chapter = folder / "train-clean-100" / speaker / "1240"
    chapter.mkdir(parents=True)
    (chapter / f"{speaker}-1240.trans.txt").write_text(lines)
    (chapter / f"{speaker}-1240-0000.flac").touch()
    (chapter / f"{speaker}-1240-0001.wav").touch()
    return folder


def test_speaker_text_and_recording(tmp_path: Path) -> None:
    folder = layout(tmp_path, "103-1240-0000 CHAPTER ONE\n\n103-1240-0001 SHE CAME\n103-1240-0002 GONE\n")
    found = read_librispeech(folder)
    assert [item.id for item in found] == ["103-1240-0000", "103-1240-0001", "103-1240-0002"]
    assert {item.speaker for item in found} == {"103"}
    assert [item.text for item in found] == ["CHAPTER ONE", "SHE CAME", "GONE"]
    # Any format; one that is not there is named as it would be there.
    assert [item.audio.name for item in found] == ["103-1240-0000.flac", "103-1240-0001.wav", "103-1240-0002.flac"]
    assert [item.audio.is_file() for item in found] == [True, True, False]
    # The same from the part or the speaker alone.
    assert read_librispeech(folder / "train-clean-100") == found == read_librispeech(folder / "train-clean-100" / "103")


def test_empty_text_is_kept_for_its_user_to_count(tmp_path: Path) -> None:
    assert read_librispeech(layout(tmp_path, "103-1240-0000\n"))[0].text == ""


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("104-1240-0000 A\n", r"trans.txt:1: '104-1240-0000' is not of speaker 103"),
        ("103-1240-0000 A\n103-1240-0000 B\n", r"trans.txt:2: 103-1240-0000 is listed twice"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_librispeech(layout(tmp_path, lines))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ConfigError, match=r"holds no SPEAKER/CHAPTER/\*\.trans\.txt; expected LibriSpeech"):
            read_librispeech(folder)
