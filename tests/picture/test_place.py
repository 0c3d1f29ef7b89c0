"""Where pictures go: refused early and clearly, written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import elocute.picture.place as place
from drawn_report import rich_report, tone
from elocute.errors import ConfigError, MissingExtraError
from elocute.picture import check_place, draw


@pytest.mark.parametrize("name", ["a.gif", "a", "a.htm", ".png"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected \.png .* or \.html"):
        check_place(tmp_path / name)


def test_a_folder_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.html").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        check_place(tmp_path / "a.html")
    with pytest.raises(ConfigError, match="no such folder"):
        check_place(tmp_path / "none" / "a.html")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="no permission"):
        check_place(tmp_path / "a.html")


def test_a_png_without_matplotlib_names_the_extra_and_a_page_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'elocute\[plot\]'"):
        check_place(tmp_path / "a.PNG")
    draw(rich_report(), tone(2.4), tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes().startswith(b"<!doctype html>")


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.html"
    out.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigError, match="cannot write .*No space left"):
        place.save(b"after", out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert out.read_text() == "before"


def test_a_picture_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    place.save(b"x", tmp_path / "a.html")
    (tmp_path / "b.html").write_bytes(b"x")
    assert stat.S_IMODE((tmp_path / "a.html").stat().st_mode) == stat.S_IMODE((tmp_path / "b.html").stat().st_mode)
