"""Parquet tables as manifests: columns id, audio, text and, if wanted, phones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from elocute.batch.manifest import ManifestRow, row_of_values
from elocute.batch.places import Place, place_of
from elocute.errors import ConfigError, MissingExtraError

TABLE_ENDINGS = (".parquet", ".pq")
_COLUMNS = ("id", "audio", "text", "phones")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """Rows of a table.

    Attributes:
        file: path or address.
        row_group: of the file.
        first: row in the group.
        rows: so many.
    """

    file: str
    row_group: int
    first: int
    rows: int


def scan_table(file: Place, unit_rows: int) -> Iterator[tuple[TableRows, tuple[str, ...], bytes]]:
    """Every row checked, without its sound: where so many rows are, their ids, and what they say."""
    with file.files.open(file.path, "rb") as opened:
        table = _table(opened, file.name)
        columns = [name for name in table.schema_arrow.names if name in _COLUMNS]
        holds_audio = _holds_audio(table, file.name)
        wanted = [name for name in columns if name != "audio" or not holds_audio]
        total = 0
        for group in range(table.metadata.num_row_groups):
            first = 0
            # Sounds lie in the table itself: a group is read as a whole, so it is not parted.
            rows = max(table.metadata.row_group(group).num_rows, 1) if holds_audio else unit_rows
            for batch in table.iter_batches(batch_size=rows, row_groups=[group], columns=wanted):
                ids, said = [], []
                for values in batch.to_pylist():
                    total += 1
                    place = f"{file.name}, row {total}"
                    known = {"audio": b"sound"} if holds_audio else {}
                    ids.append(row_of_values(values | known, folder=file.folder, place=place).id)
                    said.append(repr(sorted(values.items())))
                where = TableRows(file=file.name, row_group=group, first=first, rows=len(ids))
                yield where, tuple(ids), "\n".join([*said, ""]).encode()
                first += len(ids)


def read_table(source: TableRows) -> Iterator[ManifestRow]:
    """The rows of a part of a table."""
    file = place_of(source.file)
    with file.files.open(file.path, "rb") as opened:
        table = _table(opened, source.file)
        columns = [name for name in table.schema_arrow.names if name in _COLUMNS]
        row, end = 0, source.first + source.rows
        for batch in table.iter_batches(batch_size=32, row_groups=[source.row_group], columns=columns):
            if row + len(batch) > source.first:
                for number, values in enumerate(batch.to_pylist(), start=row):
                    if source.first <= number < end:
                        place = f"{source.file}, row group {source.row_group}, row {number}"
                        yield row_of_values(_with_sound(values), folder=file.folder, place=place)
            row += len(batch)
            if row >= end:
                return


def _table(opened: Any, name: str) -> Any:
    """An open file as a table of Parquet."""
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{name} needs pyarrow, which is not installed; run: pip install 'elocute[ray]'"
        ) from error
    try:
        return ParquetFile(opened)
    except ArrowInvalid as error:
        raise ConfigError(f"{name} is no Parquet file ({error}); write it again") from error


def _holds_audio(table: Any, name: str) -> bool:
    """Whether the recordings themselves are in the table, as bytes or as data sets of Hugging Face keep them."""
    from pyarrow import types

    schema = table.schema_arrow
    for column in ("id", "audio", "text"):
        if column not in schema.names:
            raise ConfigError(f"{name} has no column {column!r}; it needs id, audio and text")
    kind = schema.field("audio").type
    if types.is_struct(kind):
        if kind.get_field_index("bytes") < 0:
            raise ConfigError(f"{name}: column 'audio' is {kind}, expected paths, bytes or a struct with 'bytes'")
        return True
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _with_sound(values: dict[str, Any]) -> dict[str, Any]:
    """A row whose recording, if it is in the table, is bytes."""
    audio = values["audio"]
    # A row without its sound is for the decoder to refuse: it costs itself alone.
    return (
        values | {"audio": audio["bytes"] or b"\0"} if isinstance(audio, dict) else values | {"audio": audio or b"\0"}
    )
