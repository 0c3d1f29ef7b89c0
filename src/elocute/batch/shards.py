"""WebDataset shards as manifests: tar files whose neighbouring members `KEY.wav` and `KEY.txt` make a row.

The key, a path up to the first dot of its last part, is the row's id. The text is in `KEY.txt`, or in `KEY.json` under
"text", which may give "phones", too. The recording is the member with an ending of an audio file.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from elocute.batch.answers import Answer, refusal
from elocute.batch.manifest import ManifestRow, row_of_values
from elocute.batch.places import Place, place_of
from elocute.errors import AudioError, ConfigError, TextError

SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz")
_AUDIO_ENDINGS = frozenset("wav flac mp3 ogg oga opus webm m4a mp4 aac aif aiff au weba".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Samples of a shard.

    Attributes:
        file: path or address.
        start: byte at which the header of the first one stands.
        rows: so many; None for all that there are.
    """

    file: str
    start: int
    rows: int | None


def scan_shard(file: Place, unit_rows: int) -> Iterator[tuple[Shard, tuple[str, ...], bytes]]:
    """Where so many samples are, their keys, and what tells them from others.

    A shard on a disk of this machine is parted; one that is compressed or far away is one piece of unknown length,
    since looking for its samples would mean to fetch it.
    """
    if not file.is_local or not file.path.endswith(".tar"):
        yield Shard(file=file.name, start=0, rows=None), (), f"{file.name} {file.files.ukey(file.path)}\n".encode()
        return
    ids: list[str] = []
    content: list[str] = []
    start, rows = 0, 0
    with file.files.open(file.path, "rb") as opened:
        for member in _members(opened, file.name):
            key = _key(member.name)
            if not ids or key != ids[-1]:
                if len(ids) == unit_rows:
                    yield Shard(file=file.name, start=start, rows=len(ids)), tuple(ids), "".join(content).encode()
                    ids, content = [], []
                if not ids:
                    start = _header(member)
                ids.append(key)
                rows += 1
            content.append(f"{member.name} {member.size} {member.mtime}\n")
    if ids:
        yield Shard(file=file.name, start=start, rows=len(ids)), tuple(ids), "".join(content).encode()


def read_shard(source: Shard) -> Iterator[ManifestRow | Answer]:
    """The samples of a part of a shard; an answer in place of one that lacks its recording or text."""
    file = place_of(source.file)
    rows, key, found = 0, None, dict[str, bytes]()
    with file.files.open(file.path, "rb") as opened:
        opened.seek(source.start)
        for archive, member in _streamed(opened, source.file):
            if _key(member.name) != key:
                if key is not None:
                    yield _row(key, found, source.file)
                    rows += 1
                    if rows == source.rows:
                        return
                key, found = _key(member.name), {}
            content = archive.extractfile(member)
            assert content is not None
            found[_ending(member.name)] = content.read()
    if key is not None:
        yield _row(key, found, source.file)


def _row(key: str, found: dict[str, bytes], shard: str) -> ManifestRow | Answer:
    """A sample as a row."""
    place = f"sample {key!r} of {shard}"
    values: dict[str, object] = {}
    try:
        if "json" in found:
            said = json.loads(found["json"])
            values = {name: said[name] for name in ("text", "phones") if name in said} if isinstance(said, dict) else {}
        if "txt" in found:
            values["text"] = found["txt"].decode("utf-8").strip("\r\n")
    except ValueError as error:
        return refusal(key, TextError(f"{place}: its text is not UTF-8 or not JSON ({error}); write it again"))
    if "text" not in values:
        return refusal(key, TextError(f"{place} has no text; it needs a member {key}.txt or a text in {key}.json"))
    sounds = [content for ending, content in found.items() if ending.rpartition(".")[2] in _AUDIO_ENDINGS]
    if len(sounds) != 1:
        return refusal(key, AudioError(f"{place} has {len(sounds)} recordings, expected one, such as {key}.wav"))
    try:
        return row_of_values({"id": key, "audio": sounds[0] or b"\0"} | values, folder=".", place=place)
    except ConfigError as error:
        return refusal(key, error)


def _members(opened: object, name: str) -> Iterator[tarfile.TarInfo]:
    """The files of an archive that can be sought in."""
    try:
        with tarfile.open(fileobj=opened, mode="r:") as archive:  # type: ignore[call-overload]
            for member in archive:
                archive.members = []  # or it would keep them all
                if member.isfile():
                    yield member
    except tarfile.TarError as error:
        raise ConfigError(f"{name} is no tar file, or a damaged one ({error}); write it again") from error


def _streamed(opened: object, name: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The files of an archive from where it stands, read once from front to back."""
    try:
        with tarfile.open(fileobj=opened, mode="r|*") as archive:  # type: ignore[call-overload]
            for member in archive:
                archive.members = []
                if member.isfile():
                    yield archive, member
    except (tarfile.TarError, EOFError) as error:
        raise ConfigError(f"{name} is no tar file, or a damaged one ({error}); write it again") from error


def _header(member: tarfile.TarInfo) -> int:
    """Byte at which everything that belongs to a member begins, headers of long names included."""
    return int(member.offset)


def _key(name: str) -> str:
    """What the members of a sample have in common."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    return f"{folder}{slash}{base.partition('.')[0]}"


def _ending(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[2].lower()
