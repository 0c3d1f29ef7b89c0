"""The output of a batch while it grows: rows are only ever appended, and the finished file appears in one step.

Three names, OUT being what the user asked for:

- `OUT.partial` holds the rows so far, in the order of the manifest; a kill can tear its last line at most;
- `OUT.partial.run` holds the identity of the run (manifest, configuration) and the lock of the process at work;
- `OUT` is the complete file.

A run begins by emptying `OUT.partial`, then writes `OUT.partial.run`; it ends by renaming `OUT.partial` to `OUT`, then
deletes `OUT.partial.run`. So an identity without rows beside it always means a finished run, wherever a kill struck.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from elocute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """What must be the same for a run to go on where another stopped.

    Attributes:
        manifest_sha256: of the manifest's bytes.
        configuration: everything else that the reports depend on, in the caller's words.
    """

    manifest_sha256: str
    configuration: str


class BatchOutput:
    """The growing output; a context manager that holds the lock."""

    def __init__(self, out: Path, *, identity: RunIdentity, ids: Sequence[str], fresh: bool) -> None:
        """Open the output of a run and find out where it stands.

        Args:
            out: the file to be made.
            identity: of this run.
            ids: of the manifest's rows, in order.
            fresh: forget an unfinished run and replace a finished file.

        Raises:
            ConfigError: the place cannot be written, is in use, is taken, or belongs to another run.
        """
        self.out = out
        self.partial = out.with_name(out.name + ".partial")
        self.run = out.with_name(out.name + ".partial.run")
        self.rows = 0
        self.errors = 0
        if out.is_dir() or not out.parent.is_dir():
            raise ConfigError(f"cannot write {out}: no such folder, or a folder itself; name a file in an existing one")
        had_run = self.run.exists()
        if out.exists() and not had_run and not fresh:
            raise ConfigError(f"{out} exists already; name another file, or replace it with --fresh")
        try:
            self._run_file: IO[bytes] = self.run.open("a+b")
        except OSError as error:
            raise ConfigError(f"cannot write {self.run}: {error.strerror}; name a file in a writable folder") from error
        try:
            _lock(self._run_file, self.out)
            self._rows_file: IO[bytes] | None = self._begin(identity, ids, fresh=fresh)
        except BaseException:
            self._run_file.close()
            raise

    def __enter__(self) -> Self:
        """The output itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files; what is unfinished stays for the next run."""
        if self._rows_file is not None:
            self._rows_file.close()
        self._run_file.close()

    def append(self, line: str, *, is_error: bool) -> None:
        """Add one row; from here on it survives the death of this process."""
        assert self._rows_file is not None
        self._rows_file.write(line.encode("utf-8") + b"\n")
        self._rows_file.flush()
        self.rows += 1
        self.errors += is_error

    def finish(self) -> None:
        """Give the complete file its name, in one step, and tidy up."""
        if self._rows_file is not None:
            os.fsync(self._rows_file.fileno())
            self._rows_file.close()
            self._rows_file = None
            os.replace(self.partial, self.out)
        self._run_file.close()
        self.run.unlink(missing_ok=True)

    def _begin(self, identity: RunIdentity, ids: Sequence[str], *, fresh: bool) -> IO[bytes] | None:
        """Start or take up the run; None where a run was killed after its last step but one."""
        earlier = None if fresh else self._earlier_run()
        if earlier is None:
            rows_file = self.partial.open("w+b")
            self._run_file.truncate(0)
            self._run_file.write(json.dumps(asdict(identity), ensure_ascii=False).encode("utf-8") + b"\n")
            self._run_file.flush()
            os.fsync(self._run_file.fileno())
            return rows_file
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
                f"{self.partial} was begun with another {' and '.join(changed)}; "
                "go on with the same as then, or begin again with --fresh"
            )
        is_finished = not self.partial.exists()
        with (self.out if is_finished else self.partial).open("rb") as written:
            end = self._count_rows(written, ids)
        if is_finished:
            if self.rows < len(ids):
                raise ConfigError(f"{self.out} lost rows after it was finished; make it again with --fresh")
            return None
        rows_file = self.partial.open("r+b")
        rows_file.truncate(end)
        rows_file.seek(end)
        return rows_file

    def _earlier_run(self) -> RunIdentity | None:
        """Identity of the run that stopped here; None where nothing of one is left."""
        if not self.partial.exists() and not self.out.exists():
            return None
        self._run_file.seek(0)
        content = self._run_file.read()
        has_rows = self.partial.exists() and self.partial.stat().st_size > 0
        try:
            return RunIdentity(**json.loads(content))
        except (UnicodeDecodeError, json.JSONDecodeError, TypeError) as error:
            # The kill struck before the first row: nothing is lost by beginning again.
            if not has_rows and not self.out.exists():
                return None
            raise ConfigError(
                f"{self.run} does not say to which run {self.partial} belongs; begin again with --fresh"
            ) from error

    def _count_rows(self, rows_file: IO[bytes], ids: Sequence[str]) -> int:
        """Count the whole rows and check that they are those of the manifest; the byte at which they end."""
        end = 0
        for line in rows_file:
            if not line.endswith(b"\n"):
                break
            row = _row_id(line)
            if self.rows >= len(ids) or row is None or row.id != ids[self.rows]:
                raise ConfigError(
                    f"line {self.rows + 1} of {rows_file.name} does not answer row {self.rows + 1} of the manifest; "
                    "it was changed from outside: begin again with --fresh"
                )
            self.rows += 1
            self.errors += row.is_error
            end += len(line)
        return end


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowId:
    """What is needed to know of a row that was written earlier."""

    id: str
    is_error: bool


def _row_id(line: bytes) -> _RowId | None:
    """Which row a line of output answers; None where it is none."""
    try:
        value = json.loads(line)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not {"report", "error"} & set(value):
        return None
    return _RowId(id=value["id"], is_error="error" in value)


def _lock(file: IO[bytes], out: Path) -> None:
    """Keep a second process off the same output; the lock goes with its process, however that ends."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another process is writing {out}; wait for it, or name another file") from error
