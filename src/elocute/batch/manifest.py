"""The manifest of a batch: JSON lines that name recordings, their texts and, if wanted, their canonical phones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elocute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One recording to assess.

    Attributes:
        id: names the row in the output; unique in its manifest.
        audio: file of the recording; relative paths start at the manifest's folder. Where `elsewhere` is given, no more
            than a name.
        text: what should be said.
        phones: canonical pronunciation, ARPABET phones of each word; None leaves it to the lexicon.
        elsewhere: the recording where it is no file of this machine: its address (`s3://...`), or its bytes.
    """

    id: str
    audio: Path
    text: str
    phones: tuple[tuple[str, ...], ...] | None
    elsewhere: str | bytes | None = None

    @property
    def recording(self) -> Path | str | bytes:
        """Where the recording is: a file, an address, or its bytes."""
        return self.audio if self.elsewhere is None else self.elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The rows of a manifest in their order, and the SHA-256 of the file they came from."""

    rows: tuple[ManifestRow, ...]
    sha256: str


def read_manifest(path: Path) -> Manifest:
    """Read and check a whole manifest, before any recording is touched.

    Args:
        path: UTF-8 file, one JSON object a line: `id`, `audio`, `text`, optionally `phones`. Other keys are left
            to their owner, blank lines are skipped.

    Raises:
        ConfigError: the file cannot be read or a line is malformed; the message names file and line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read manifest {path}: {error.strerror}; give a JSONL file") from error
    rows: list[ManifestRow] = []
    line_of: dict[str, int] = {}
    # Not splitlines(): a text may hold U+2028 and its kin, which end no line of JSONL.
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        row = row_of_line(line, folder=path.parent, place=f"{path}, line {number}")
        if row.id in line_of:
            raise ConfigError(
                f"{path}, line {number}: id {row.id!r} is already used in line {line_of[row.id]}; ids must be unique"
            )
        line_of[row.id] = number
        rows.append(row)
    if not rows:
        raise ConfigError(f"manifest {path} has no rows; write one JSON object a line with id, audio and text")
    return Manifest(rows=tuple(rows), sha256=hashlib.sha256(content).hexdigest())


def is_address(audio: str) -> bool:
    """Whether a name is an address, `s3://bucket/a.wav`, and no path of this machine."""
    return "://" in audio


def row_of_line(line: bytes, *, folder: Path | str, place: str) -> ManifestRow:
    """One line as a row; `place` begins every complaint.

    Args:
        line: a JSON object.
        folder: where relative paths start: a path of this machine, or the address of a folder.
        place: file and line, for messages.

    Raises:
        ConfigError: the line is malformed.
    """
    try:
        value = json.loads(line)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{place}: not JSON ({error}); write one object a line with id, audio and text") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: got a JSON {type(value).__name__}, expected an object with id, audio and text")
    return row_of_values(value, folder=folder, place=place)


def row_of_values(value: Mapping[str, object], *, folder: Path | str, place: str) -> ManifestRow:
    """What a line or a record of a table says, checked.

    Args:
        value: id, audio, text and perhaps phones; audio may be bytes.
        folder: where relative paths start.
        place: file and line, for messages.

    Raises:
        ConfigError: a value is missing or malformed.
    """
    for key in ("id", "audio", "text"):
        if key not in value:
            raise ConfigError(f"{place}: no {key!r}; every row needs id, audio and text")
        if key != "audio" or not isinstance(value[key], bytes):
            _check_string(value[key], key, place)
    row_id, audio, text = value["id"], value["audio"], value["text"]
    assert isinstance(row_id, str)
    assert isinstance(text, str)
    assert isinstance(audio, str | bytes)
    for key in ("id", "audio"):
        if not value[key]:
            raise ConfigError(f"{place}: {key!r} is empty; every row needs one")
    if isinstance(audio, str) and "\0" in audio:
        raise ConfigError(f"{place}: 'audio' holds a null character; give the path of a recording")
    located = audio if isinstance(audio, bytes) else _located(audio, folder)
    return ManifestRow(
        id=row_id,
        audio=located if isinstance(located, Path) else Path(row_id),
        text=text,
        phones=_phones(value.get("phones"), place),
        elsewhere=None if isinstance(located, Path) else located,
    )


def _located(audio: str, folder: Path | str) -> Path | str:
    """Where a recording is that a manifest in some folder names."""
    if is_address(audio):
        return audio
    if isinstance(folder, Path):
        return folder / audio
    if is_address(folder):
        return f"{folder.rstrip('/')}/{audio}"
    return Path(folder) / audio


def _check_string(value: object, key: str, place: str) -> None:
    """Stop unless a value is a string that UTF-8 can write (JSON can spell half a surrogate pair)."""
    if not isinstance(value, str):
        raise ConfigError(f"{place}: {key!r} is {value!r}, expected a string in quotes")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ConfigError(f"{place}: {key!r} holds half a surrogate pair, which is no character; write it in full")


def _phones(value: object, place: str) -> tuple[tuple[str, ...], ...] | None:
    """The canonical phones of each word; whether they are ARPABET is for the assessor to say, row by row."""
    if value is None:
        return None
    expected = 'expected a list of phones for each word, such as [["HH", "AY1"], ["DH", "EH1", "R"]]'
    if not isinstance(value, list) or not value:
        raise ConfigError(f"{place}: 'phones' is {value!r}, {expected}")
    for word in value:
        if not isinstance(word, list) or not word or not all(isinstance(phone, str) and phone for phone in word):
            raise ConfigError(f"{place}: 'phones' holds {word!r}, {expected}")
        for phone in word:
            _check_string(phone, "phones", place)
    return tuple(tuple(word) for word in value)
