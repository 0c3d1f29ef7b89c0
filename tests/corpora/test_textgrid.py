"""Praat's TextGrid files: both formats, every encoding, and all that can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arctic_corpus import textgrid
from elocute.corpora.textgrid import read_textgrid
from elocute.errors import ConfigError

ROWS = [(0.0, 0.5, "sil"), (0.5, 1.25, 'he said "hi"'), (1.25, 2.0, "")]
POINTS = '    item [2]:\n class = "TextTier" \n name = "marks" \n xmin = 0 \n xmax = 2 \n points: size = 1 \n'


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "a.TextGrid"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_both_formats_in_every_encoding(tmp_path: Path, encoding: str, short: bool, line_end: str) -> None:
    text = textgrid([("words", ROWS), ("IPA ʃ", [(0.0, 2.0, "ʃ")])], 2.0, short=short).replace("\n", line_end)
    if encoding == "utf-16-be":
        text = "\ufeff" + text
    words, ipa = read_textgrid(write(tmp_path, text, encoding))
    assert (words.name, words.start_s, words.end_s) == ("words", 0.0, 2.0)
    assert [(item.start_s, item.end_s, item.text) for item in words.intervals] == ROWS
    assert (ipa.name, ipa.intervals[0].text) == ("IPA ʃ", "ʃ")


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.text(st.characters(exclude_categories=["Cs"])))),
    st.booleans(),
)
def test_whatever_a_label_holds_comes_back(tmp_path_factory: pytest.TempPathFactory, rows, short: bool) -> None:
    folder = tmp_path_factory.mktemp("grid")
    (tier,) = read_textgrid(write(folder, textgrid([("t", rows)], 9.0, short=short)))
    assert [(item.start_s, item.end_s, item.text) for item in tier.intervals] == rows


def test_remarks_and_points_are_read_over(tmp_path: Path) -> None:
    text = textgrid([("words", ROWS)], 2.0).replace("size = 1 ", 'size = 2 ! two "tiers" 77\n', 1)
    text += POINTS + ' points [1]:\n number = 1.5 \n mark = "x" \n'
    (tier,) = read_textgrid(write(tmp_path, text))
    assert len(tier.intervals) == 3
    old = textgrid([("words", ROWS)], 2.0, short=True).replace('"ooTextFile"', '"ooTextFile short"')
    assert len(read_textgrid(write(tmp_path, old))[0].intervals) == 3
    empty = 'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<absent>\n'
    assert read_textgrid(write(tmp_path, empty)) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("IntervalTier", "Tier"), "a.TextGrid:10: tier 1 is a 'Tier'; expected an 'IntervalTier'"),
        (('"TextGrid"', '"Pitch"'), "holds 'ooTextFile' with 'Pitch'"),
        (
            ("intervals: size = 3", "intervals: size = 4"),
            "ends before the start of interval 4 of tier 1; is it cut off",
        ),
        (("intervals: size = 3", "intervals: size = 2"), "1.25 stands behind the last tier; expected as much as"),
        (("intervals: size = 3", "intervals: size = 2.5"), "the size of tier 1 is 2.5; expected a whole number"),
        (("xmax = 1.25", "xmax = soon"), 'a.TextGrid:22: the end of interval 2 of tier 1 is "he .*; expected a number'),
        (('text = "sil"', "text = sil"), "the text of interval 1 of tier 1 is 0.5; expected a text in double quotes"),
        (('text = ""', 'text = "'), "a.TextGrid:26: a text has no end"),
        (("<exists>", '"yes"'), 'whether there are tiers is "yes"; expected <exists>'),
        (("xmax = 2.0", "xmax = 1e999"), "the end of the grid is 1e999; expected a number"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = textgrid([("words", ROWS)], 2.0)
    assert change[0] in text
    with pytest.raises(ConfigError, match=message):
        read_textgrid(write(tmp_path, text.replace(*change, 1)))


def test_a_file_that_is_cut_off_is_never_read_as_a_shorter_one(tmp_path: Path) -> None:
    text = textgrid([("words", ROWS), ("phones", ROWS)], 2.0, short=True).rstrip("\n")
    for length in range(len(text)):
        with pytest.raises(ConfigError):
            read_textgrid(write(tmp_path, text[:length]))
    assert len(read_textgrid(write(tmp_path, text))) == 2


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    with pytest.raises(ConfigError, match="cannot read .*a.TextGrid: No such file"):
        read_textgrid(path)
    path.write_bytes(b"ooBinaryFile\x08TextGrid")
    with pytest.raises(ConfigError, match="is a binary TextGrid; expected text"):
        read_textgrid(path)
    path.write_bytes(b'File type = "\xe9"')
    with pytest.raises(ConfigError, match="is neither UTF-8 nor UTF-16"):
        read_textgrid(path)
