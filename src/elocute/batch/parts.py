"""The output of a batch on many machines: a folder of Parquet files, one for each partition, each written in one step.

In the folder OUT:

- `_run.json` says which run it is, and how its manifest was cut;
- `part-000042.parquet` holds the answers to partition 42, in the order of its rows: id, report (JSON text), error_type,
  error_message;
- `_done.json` stands there when all is done.

Programs that read folders of Parquet pass over names that begin with `_` or `.`. What a run of the same manifest and
configuration finds there it does not do again. An OUT that ends in `.jsonl` becomes one file of JSON lines in the end,
the same as that of one machine; its folder is `OUT.parts`, and goes away.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from elocute.batch.answers import Answer
from elocute.batch.output import RunIdentity
from elocute.batch.partitions import Plan
from elocute.batch.places import Place, place_of
from elocute.errors import ConfigError

_RUN, _DONE = "_run.json", "_done.json"
_COLUMNS = ("id", "report", "error_type", "error_message")
# Answers that a worker holds before it writes them on.
_ROWS_HELD = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRows:
    """How many rows of a part there are, and how many of them hold an error."""

    rows: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An output that a run may go on with.

    Attributes:
        folder: of the parts.
        out: file of JSON lines to be made of them; None where the folder is what was asked for.
        done: parts that an earlier run has written, by number.
    """

    folder: Place
    out: Place | None
    done: dict[int, PartRows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What `_run.json` holds."""

    manifest_sha256: str
    configuration: str
    partition_rows: int


def earlier_partition_rows(out: str) -> int | None:
    """How an earlier run of this output cut its manifest; None where there was none."""
    run = _earlier(_folder_of(place_of(out)))
    return None if run is None else run.partition_rows


def begin_parts(out: str, plan: Plan, *, identity: RunIdentity, partition_rows: int, fresh: bool) -> Begun:
    """Make the folder of a run, or find out where an earlier run stopped.

    Args:
        out: path or address: a folder, or a file that ends in `.jsonl`.
        plan: of the manifest.
        identity: of this run.
        partition_rows: as the manifest was cut.
        fresh: forget an earlier run, finished or not.

    Raises:
        ConfigError: the place holds other things, is finished, belongs to another run, or cannot be written.
    """
    place = place_of(out)
    folder = _folder_of(place)
    is_file = folder is not place
    if is_file and place.files.exists(place.path) and not fresh:
        raise ConfigError(f"{out} exists already; name another file, or replace it with --fresh")
    earlier = _earlier(folder)
    names = _names(folder)
    if earlier is None and names:
        raise ConfigError(f"{folder.name} holds other things ({names[0]!r} and the like); name a new folder")
    if fresh:
        for name in names:
            if name in (_RUN, _DONE) or name.lstrip(".").startswith("part-"):
                folder.files.rm((folder / name).path)
        earlier, names = None, []
    if earlier is None:
        run = _Run(
            manifest_sha256=identity.manifest_sha256,
            configuration=identity.configuration,
            partition_rows=partition_rows,
        )
        _write(folder, _RUN, json.dumps(asdict(run), ensure_ascii=False).encode() + b"\n")
        return Begun(folder=folder, out=place if is_file else None, done={})
    changed = [
        name
        for name, is_same in (
            ("manifest", earlier.manifest_sha256 == identity.manifest_sha256),
            ("configuration", earlier.configuration == identity.configuration),
        )
        if not is_same
    ]
    if changed:
        raise ConfigError(
            f"{folder.name} was begun with another {' and '.join(changed)}; "
            "go on with the same as then, or begin again with --fresh"
        )
    if _DONE in names and not is_file:
        raise ConfigError(f"{folder.name} is finished already; name another folder, or replace it with --fresh")
    return Begun(folder=folder, out=place if is_file else None, done=_done_parts(folder, names, plan))


def part_name(number: int) -> str:
    """The file of a partition."""
    return f"part-{number:06d}.parquet"


def write_part(folder: Place, number: int, answers: Iterable[Answer]) -> PartRows:
    """Write the answers to a partition; the file appears when it is whole.

    Args:
        folder: of the parts.
        number: of the partition.
        answers: in the order of its rows; taken one by one.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    whole, growing = folder / part_name(number), folder / f".part-{number:06d}.{uuid.uuid4().hex[:12]}"
    rows, errors = 0, 0
    try:
        with folder.files.open(growing.path, "wb") as file, ParquetWriter(file, schema, compression="zstd") as writer:
            held: list[Answer] = []
            for answer in answers:
                held.append(answer)
                rows += 1
                errors += answer.is_error
                if len(held) == _ROWS_HELD:
                    writer.write_table(_table(held, schema))
                    held = []
            writer.write_table(_table(held, schema))
        folder.files.mv(growing.path, whole.path)
    except BaseException:
        with suppress(OSError):
            folder.files.rm(growing.path)
        raise
    return PartRows(rows=rows, errors=errors)


def read_parts(folder: Place, numbers: Iterable[int]) -> Iterator[Answer]:
    """The answers of some parts, in order."""
    from pyarrow.parquet import ParquetFile

    for number in numbers:
        with folder.files.open((folder / part_name(number)).path, "rb") as file:
            for batch in ParquetFile(file).iter_batches(batch_size=_ROWS_HELD):
                for values in batch.to_pylist():
                    yield Answer(**values)


def finish_parts(begun: Begun, plan: Plan, summary: dict[str, object]) -> None:
    """Say that all parts are there; where one file was asked for, make it of them and tidy up."""
    folder = begun.folder
    if begun.out is None:
        _write(folder, _DONE, json.dumps(summary).encode() + b"\n")
        for name in _names(folder):
            if name.startswith(".part-"):  # of workers that died
                folder.files.rm((folder / name).path)
        return
    growing = Place(files=begun.out.files, path=begun.out.path + ".partial", name=begun.out.name + ".partial")
    with growing.files.open(growing.path, "wb") as file:
        for answer in read_parts(folder, (partition.number for partition in plan.partitions)):
            file.write(answer.line.encode("utf-8") + b"\n")
    growing.files.mv(growing.path, begun.out.path)
    folder.files.rm(folder.path, recursive=True)


def _table(answers: list[Answer], schema: Any) -> Any:
    import pyarrow as pa

    return pa.table({name: [getattr(answer, name) for answer in answers] for name in _COLUMNS}, schema=schema)


def _folder_of(place: Place) -> Place:
    """Where the parts of an output are."""
    if not place.path.endswith(".jsonl"):
        return place
    return Place(files=place.files, path=place.path + ".parts", name=place.name + ".parts")


def _names(folder: Place) -> list[str]:
    """What is in a folder, which need not be there."""
    folder.files.invalidate_cache()
    if not folder.files.exists(folder.path):
        return []
    if folder.files.isfile(folder.path):
        raise ConfigError(f"{folder.name} is a file; name a folder, or a file that ends in .jsonl")
    listed = (path.rstrip("/").rpartition("/")[2] for path in folder.files.ls(folder.path, detail=False))
    return sorted(name for name in listed if name)


def _earlier(folder: Place) -> _Run | None:
    """The run that an output belongs to; None where there was none."""
    if not folder.files.exists((folder / _RUN).path):
        return None
    content = folder.files.cat_file((folder / _RUN).path)
    try:
        return _Run(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{folder.name}/{_RUN} is damaged ({error}); name another output") from error


def _write(folder: Place, name: str, content: bytes) -> None:
    """A small file in one step."""
    try:
        folder.files.makedirs(folder.path, exist_ok=True)
        growing = folder / f".{name}.{uuid.uuid4().hex[:12]}"
        folder.files.pipe_file(growing.path, content)
        folder.files.mv(growing.path, (folder / name).path)
    except OSError as error:
        raise ConfigError(f"cannot write {folder.name}: {error}; name a place that may be written") from error


def _done_parts(folder: Place, names: list[str], plan: Plan) -> dict[int, PartRows]:
    """The parts that are there, from the ends of their files, each checked against its partition."""
    there = set(names)
    numbers = [partition.number for partition in plan.partitions if part_name(partition.number) in there]
    with ThreadPoolExecutor(max_workers=16) as pool:
        done = dict(zip(numbers, pool.map(lambda number: _rows_of(folder, number), numbers), strict=True))
    for number, counted in done.items():
        expected = plan.partitions[number].rows
        if expected is not None and counted.rows != expected:
            raise ConfigError(
                f"{part_name(number)} in {folder.name} has {counted.rows} rows, expected {expected}; "
                "it was changed from outside: begin again with --fresh"
            )
    return done


def _rows_of(folder: Place, number: int) -> PartRows:
    """Rows and errors of a part."""
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    with folder.files.open((folder / part_name(number)).path, "rb") as file:
        try:
            errors = ParquetFile(file).read(columns=["error_type"]).column("error_type")
        except (ArrowInvalid, KeyError) as error:
            raise ConfigError(
                f"{part_name(number)} in {folder.name} is damaged ({error}); delete it and run again"
            ) from error
        return PartRows(rows=len(errors), errors=len(errors) - errors.null_count)
