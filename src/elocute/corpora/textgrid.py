"""Praat's TextGrid files, long or short, in UTF-8 or UTF-16: tiers of labelled intervals.

Source: Praat manual, "TextGrid file formats": of a text file Praat reads only what stands free between white space,
namely numbers, texts in double quotes (a quote inside is doubled) and flags in <>, and drops everything else as well
as what follows an exclamation mark. The long format is the short one with such remarks, so that one reader serves both.

Written here because readers that are otherwise good let damage pass: they close a file that is cut off without a word,
put intervals in order that are not, or split labels that look like keywords.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elocute.errors import ConfigError

_TOKEN = re.compile(r'"(?:[^"]|"")*"(?!\S)|![^\n]*|\S+')
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FLAG = re.compile(r"<\w+>")
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A labelled stretch of time, seconds; the label is as it stands in the file."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalTier:
    """A tier of intervals in the file's order, with the times that the tier says it spans."""

    name: str
    start_s: float
    end_s: float
    intervals: tuple[Interval, ...]


def read_textgrid(path: Path) -> tuple[IntervalTier, ...]:
    """Interval tiers of a file in its order; tiers of points are read over.

    Whether times are in order is for the reader of a corpus to say, who knows which tiers matter.

    Raises:
        ConfigError: the file cannot be read, is no text TextGrid, or is damaged; the message names the line.
    """
    path = Path(path)
    reader = _Reader(path, _content(path))
    kind, what = reader.text("the file type"), reader.text("the object class")
    if kind not in ("ooTextFile", "ooTextFile short") or what.split(" ")[0] != "TextGrid":
        raise ConfigError(f"{path}: holds {kind!r} with {what!r}; expected an 'ooTextFile' with a 'TextGrid'")
    reader.number("the start of the grid")
    reader.number("the end of the grid")
    flag = reader.flag("whether there are tiers")
    tiers = []
    for number in range(1, (reader.count("the number of tiers") if flag == "<exists>" else 0) + 1):
        tier = _tier(reader, f"tier {number}")
        if tier is not None:
            tiers.append(tier)
    reader.end()
    return tuple(tiers)


def _tier(reader: _Reader, place: str) -> IntervalTier | None:
    """The next tier, None for one of points."""
    kind = reader.text(f"the class of {place}")
    if kind not in ("IntervalTier", "TextTier"):
        raise ConfigError(f"{reader.place}: {place} is a {kind!r}; expected an 'IntervalTier' or a 'TextTier'")
    name = reader.text(f"the name of {place}")
    start_s, end_s = reader.number(f"the start of {place}"), reader.number(f"the end of {place}")
    count = reader.count(f"the size of {place}")
    if kind == "TextTier":
        for index in range(1, count + 1):
            reader.number(f"the time of point {index} of {place}")
            reader.text(f"the mark of point {index} of {place}")
        return None
    intervals = tuple(
        Interval(
            start_s=reader.number(f"the start of interval {index} of {place}"),
            end_s=reader.number(f"the end of interval {index} of {place}"),
            text=reader.text(f"the text of interval {index} of {place}"),
        )
        for index in range(1, count + 1)
    )
    return IntervalTier(name=name, start_s=start_s, end_s=end_s, intervals=intervals)


def _content(path: Path) -> str:
    """The file as text."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; expected a TextGrid") from error
    if content.startswith(b"ooBinaryFile"):
        raise ConfigError(f"{path} is a binary TextGrid; expected text, save it with Praat as a text file")
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is neither UTF-8 nor UTF-16 ({error.reason}, byte {error.start})") from error


class _Reader:
    """Takes the values of a file one by one; every complaint names file and line."""

    def __init__(self, path: Path, content: str) -> None:
        self._path = path
        self._content = content
        self._at = 0
        self._tokens = self._scan()

    @property
    def place(self) -> str:
        """File and line of the value that was taken last."""
        return f"{self._path}:{self._content.count(chr(10), 0, self._at) + 1}"

    def text(self, what: str) -> str:
        """The next value, a text in quotes."""
        token = self._next(what)
        if not token.startswith('"'):
            raise ConfigError(f"{self.place}: {what} is {token}; expected a text in double quotes")
        return token[1:-1].replace('""', '"')

    def number(self, what: str) -> float:
        """The next value, a finite number."""
        token = self._next(what)
        if token[0] in '"<' or not math.isfinite(float(token)):
            raise ConfigError(f"{self.place}: {what} is {token}; expected a number")
        return float(token)

    def count(self, what: str) -> int:
        """The next value, a whole number."""
        value = self.number(what)
        if value < 0 or value != int(value):
            raise ConfigError(f"{self.place}: {what} is {value:g}; expected a whole number")
        return int(value)

    def flag(self, what: str) -> str:
        """The next value, <exists> or <absent>."""
        token = self._next(what)
        if token not in ("<exists>", "<absent>"):
            raise ConfigError(f"{self.place}: {what} is {token}; expected <exists> or <absent>")
        return token

    def end(self) -> None:
        """ConfigError if anything is left."""
        for token in self._tokens:
            raise ConfigError(f"{self.place}: {token} stands behind the last tier; expected as much as the sizes say")

    def _next(self, what: str) -> str:
        token = next(self._tokens, None)
        if token is None:
            raise ConfigError(f"{self._path} ends before {what}; is it cut off, or no TextGrid?")
        return token

    def _scan(self) -> Iterator[str]:
        """Values that stand free."""
        for match in _TOKEN.finditer(self._content):
            token = match.group()
            is_text = token[0] == '"' and len(token) > 1 and token[-1] == '"'
            if token[0] == '"' and not is_text:
                self._at = match.start()
                raise ConfigError(f"{self.place}: a text has no end; expected a closing double quote")
            if is_text or _NUMBER.fullmatch(token) or _FLAG.fullmatch(token):
                self._at = match.start()
                yield token
