"""A manifest of any size, cut into partitions: pieces that one worker reads, answers and writes by itself.

Nothing but the cuts is kept in memory: a partition says where its rows are, and whoever works on it reads them there.
Manifests are JSON lines, Parquet tables or WebDataset shards (tar), a file, a folder of files or a pattern, on any
file system that fsspec or pyarrow knows.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from elocute.batch.answers import Answer
from elocute.batch.manifest import ManifestRow, row_of_line
from elocute.batch.places import Place, place_of
from elocute.batch.shards import SHARD_ENDINGS, Shard, read_shard, scan_shard
from elocute.batch.tables import TABLE_ENDINGS, TableRows, read_table, scan_table
from elocute.errors import ConfigError

_LINE_ENDINGS = (".jsonl", ".ndjson", ".json")
# Rows that are never parted; partitions are made of such units.
_UNIT_ROWS = 8
# Up to so many rows of a partition that are asked for, it has just as many; else they are rounded up to units.
_MOST_ROWS_EXACT = 32
# Of more units than this, neighbours become one, so that a manifest of any length fits in memory.
_MOST_UNITS = 2**16
_MOST_ROWS = 2048
# So many partitions for each worker: enough that the last ones end at about the same time.
_PARTITIONS_A_WORKER = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLines:
    """Lines of a file.

    Attributes:
        file: path or address.
        start: first byte.
        size: bytes.
        line: number of the first line.
        rows: in them; blank lines are none.
    """

    file: str
    start: int
    size: int
    line: int
    rows: int


Source = JsonLines | TableRows | Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Rows that one worker answers at a time.

    Attributes:
        number: from 0, in the order of the manifest.
        rows: in it; None where only who reads them can tell.
        source: where they are.
    """

    number: int
    rows: int | None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole manifest.

    Attributes:
        partitions: in order.
        rows: of all; None where that cannot be told beforehand.
        sha256: of what the manifest says.
        partition_rows: that were aimed at.
    """

    partitions: tuple[Partition, ...]
    rows: int | None
    sha256: str
    partition_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Rows that were looked at together.

    Attributes:
        source: where they are.
        ids: of the rows; empty where only who reads them can tell.
        content: what the manifest says of them, for its hash.
    """

    source: Source
    ids: tuple[str, ...]
    content: bytes


def plan_partitions(
    manifest: str, *, workers: int, partition_rows: int | None = None, least_rows: int = _UNIT_ROWS
) -> Plan:
    """Look through a manifest, check every row of it, and cut it up.

    Args:
        manifest: path or address of a file, a folder, or a pattern with `*`.
        workers: who will work on it; there are some partitions for each.
        partition_rows: rows of a partition, about; None chooses.
        least_rows: of a partition that is chosen, such as a worker can use at once.

    Raises:
        ConfigError: no such file, nothing in it, a row is malformed, or two rows have one id.
        MissingExtraError: a package is missing that its file system or format needs.
    """
    files = _files(manifest)
    digest = hashlib.sha256()
    sources: list[Source] = []
    seen = array("Q")
    unit_rows = partition_rows if partition_rows and partition_rows <= _MOST_ROWS_EXACT else _UNIT_ROWS
    size, most_units = unit_rows, _MOST_UNITS
    for file in files:
        for unit in _scan(file, unit_rows):
            digest.update(unit.content)
            sources.append(unit.source)
            seen.extend(map(_hash, unit.ids))
            if len(sources) > most_units:
                sources = list(_merged(sources, size))
                if 2 * len(sources) > most_units and 2 * size <= (partition_rows or _MOST_ROWS):
                    size *= 2
                    sources = list(_merged(sources, size))
                most_units = max(_MOST_UNITS, 2 * len(sources))
    _check_unique(seen, files, unit_rows)
    counts = [source.rows for source in sources]
    known = [count for count in counts if count is not None]
    if not counts or known == [0] * len(counts):
        raise ConfigError(f"manifest {manifest} has no rows; every row needs id, audio and text")
    if partition_rows is None:
        each = sum(known) // (workers * _PARTITIONS_A_WORKER)
        # Whole units, or who goes on with this number would cut otherwise.
        partition_rows = math.ceil(min(max(each, least_rows), _MOST_ROWS) / size) * size
    merged = [Partition(number=n, rows=x.rows, source=x) for n, x in enumerate(_merged(sources, partition_rows))]
    total = sum(known) if len(known) == len(counts) else None
    return Plan(partitions=tuple(merged), rows=total, sha256=digest.hexdigest(), partition_rows=partition_rows)


def read_partition(partition: Partition) -> Iterator[ManifestRow | Answer]:
    """The rows of a partition, in order; an answer in place of a row that cannot be assessed as it stands.

    Raises:
        ConfigError: the manifest is not the one that was planned.
    """
    source = partition.source
    if isinstance(source, TableRows):
        yield from read_table(source)
    elif isinstance(source, Shard):
        yield from read_shard(source)
    else:
        yield from _read_lines(source)


def _files(manifest: str) -> list[Place]:
    """The files of a manifest, sorted by name and all of one kind."""
    place = place_of(manifest)
    if any(sign in place.path for sign in "*?["):
        paths = sorted(place.files.glob(place.path))
    elif place.files.isdir(place.path):
        endings = _LINE_ENDINGS + TABLE_ENDINGS + SHARD_ENDINGS
        listed = sorted(place.files.ls(place.path, detail=False))
        paths = [path for path in listed if path.endswith(endings) and path.rpartition("/")[2][0] not in "._"]
    elif place.files.exists(place.path):
        return [place]
    else:
        raise ConfigError(f"cannot read manifest {manifest}: no such file; give JSON lines, Parquet or tar files")
    kinds = {_kind(path) for path in paths}
    if len(kinds) != 1:
        found = "no JSON lines, Parquet or tar files" if not kinds else f"files of kinds {', '.join(sorted(kinds))}"
        raise ConfigError(f"manifest {manifest} names {found}; give files of one kind")
    return [Place(files=place.files, path=path, name=_name(place, path)) for path in paths]


def _name(place: Place, path: str) -> str:
    """A file's path as an address of its file system."""
    scheme, found, _ = place.name.partition("://")
    return f"{scheme}://{path}" if found and not path.startswith(f"{scheme}://") else path


def _kind(path: str) -> str:
    if path.endswith(TABLE_ENDINGS):
        return "Parquet"
    return "tar" if path.endswith(SHARD_ENDINGS) else "JSON lines"


def _scan(file: Place, unit_rows: int) -> Iterator[Unit]:
    """A file in units."""
    kind = _kind(file.path)
    try:
        if kind == "Parquet":
            for table, ids, content in scan_table(file, unit_rows):
                yield Unit(source=table, ids=ids, content=content)
        elif kind == "tar":
            for shard, ids, content in scan_shard(file, unit_rows):
                yield Unit(source=shard, ids=ids, content=content)
        else:
            yield from _scan_lines(file, unit_rows)
    except OSError as error:
        raise ConfigError(f"cannot read manifest {file.name}: {error}; check it and its permissions") from error


def _scan_lines(file: Place, unit_rows: int) -> Iterator[Unit]:
    """JSON lines in units, each line checked."""
    if file.path.endswith((".gz", ".bz2", ".xz", ".zst")):
        raise ConfigError(
            f"{file.name} is compressed, and cannot be read from its middle; unpack it, or make it Parquet"
        )
    with file.files.open(file.path, "rb") as opened:
        start, line, ids, content, number = 0, 1, [], [], 0
        for number, text in enumerate(opened, start=1):
            content.append(text)
            stripped = text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text
            if stripped.strip():
                ids.append(row_of_line(stripped, folder=file.folder, place=f"{file.name}, line {number}").id)
            if len(ids) == unit_rows:
                unit = _lines_unit(file, start, line, ids, content)
                yield unit
                start, line, ids, content = start + len(unit.content), number + 1, [], []
        if ids:
            yield _lines_unit(file, start, line, ids, content)


def _lines_unit(file: Place, start: int, line: int, ids: Sequence[str], content: Sequence[bytes]) -> Unit:
    joined = b"".join(content)
    source = JsonLines(file=file.name, start=start, size=len(joined), line=line, rows=len(ids))
    return Unit(source=source, ids=tuple(ids), content=joined)


def _read_lines(source: JsonLines) -> Iterator[ManifestRow]:
    """The rows of lines that were checked before."""
    file = place_of(source.file)
    with file.files.open(file.path, "rb") as opened:
        opened.seek(source.start)
        content = opened.read(source.size)
    rows = 0
    for number, text in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=source.line):
        if text.strip():
            rows += 1
            yield row_of_line(text, folder=file.folder, place=f"{source.file}, line {number}")
    if rows != source.rows:
        raise ConfigError(
            f"{source.file} had {source.rows} rows from line {source.line} on and has {rows} now; "
            "a manifest must not change while it is worked on: begin again with --fresh"
        )


def _merged(sources: Sequence[Source], rows: int) -> Iterator[Source]:
    """Neighbouring units as pieces of so many rows, or a few more."""
    current: Source | None = None
    for source in sources:
        joined = None if current is None or (current.rows or rows) >= rows else _joined(current, source)
        if current is not None and joined is None:
            yield current
        current = joined or source
    if current is not None:
        yield current


def _joined(first: Source, second: Source) -> Source | None:
    """Two neighbours as one; None where they lie in different files, or cannot be read in one go."""
    if first.rows is None or second.rows is None or first.file != second.file:
        return None
    rows = first.rows + second.rows
    if isinstance(first, JsonLines) and isinstance(second, JsonLines):
        return replace(first, size=first.size + second.size, rows=rows)
    if isinstance(first, TableRows) and isinstance(second, TableRows) and first.row_group == second.row_group:
        return replace(first, rows=rows)
    if isinstance(first, Shard) and isinstance(second, Shard):
        return replace(first, rows=rows)
    return None


def _hash(row_id: str) -> int:
    """64 bits of an id: of ten million ids, two differ and look alike once in 370,000 manifests."""
    return int.from_bytes(hashlib.blake2b(row_id.encode("utf-8"), digest_size=8).digest(), "little")


def _check_unique(seen: array[int], files: Sequence[Place], unit_rows: int) -> None:
    """Stop where two rows have one id."""
    import numpy as np

    hashes = np.sort(np.frombuffer(seen, dtype=np.uint64))
    twice = hashes[1:][hashes[1:] == hashes[:-1]]
    if not len(twice):
        return
    wanted, known = {int(one) for one in twice[:1]}, dict[str, str]()
    for file in files:
        rows = 0
        for unit in _scan(file, unit_rows):
            for row_id in unit.ids:
                rows += 1
                where = f"row {rows} of {file.name}"
                if _hash(row_id) in wanted and row_id in known:
                    raise ConfigError(f"id {row_id!r} is in {known[row_id]} and in {where}; ids must be unique")
                if _hash(row_id) in wanted:
                    known[row_id] = where
    raise ConfigError(f"ids {' and '.join(map(repr, known))} look alike to this program; change one of them")
