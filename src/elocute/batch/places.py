"""Files of a batch wherever they are: a path of this machine, or an address of any file system of fsspec or pyarrow."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from elocute.batch.manifest import ManifestRow
from elocute.errors import AudioError, ConfigError, MissingExtraError

# A store that is busy or away for a moment is asked again after so many seconds.
_PAUSES_S = (1.0, 4.0, 16.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file or folder.

    Attributes:
        files: the file system, of fsspec.
        path: in it.
        name: as the user wrote it, for messages.
    """

    files: Any
    path: str
    name: str

    def __truediv__(self, child: str) -> Place:
        """A file in this folder."""
        return replace(self, path=f"{self.path.rstrip('/')}/{child}", name=f"{self.name.rstrip('/')}/{child}")

    @property
    def is_local(self) -> bool:
        """Whether it is on a disk of this machine (or mounted like one)."""
        protocol = self.files.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def folder(self) -> str:
        """Where relative paths of a manifest start."""
        return self.name.rpartition("/")[0] or "."


def place_of(name: str) -> Place:
    """The place that a path or an address names.

    Raises:
        MissingExtraError: fsspec, or the package for this kind of address, is not installed.
        ConfigError: nobody knows this kind of address.
    """
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{name} needs {error.name}, which is not installed; run: pip install 'elocute[ray]'"
        ) from error
    try:
        files, path = url_to_fs(name)
    except (ImportError, ValueError) as error:
        return _arrow_place(name, error)
    return Place(files=files, path=path, name=name)


def _arrow_place(name: str, reason: Exception) -> Place:
    """The place by a file system of pyarrow's, where fsspec has none: S3, GCS and HDFS are built into it."""
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow import ArrowInvalid, ArrowNotImplementedError
    from pyarrow.fs import FileSystem

    try:
        files, path = FileSystem.from_uri(name)
    except (ArrowInvalid, ArrowNotImplementedError, OSError) as error:
        kind = name.partition("://")[0]
        if isinstance(reason, ImportError):
            raise MissingExtraError(f"{name} cannot be reached: {reason}") from error
        raise ConfigError(
            f"{name}: '{kind}://' is no kind of address that fsspec or pyarrow knows; check it"
        ) from error
    return Place(files=ArrowFSWrapper(files), path=path, name=name)


def fetched(row: ManifestRow) -> ManifestRow:
    """The row with its recording at hand: fetched, if it is at an address.

    Raises:
        AudioError: there is no such recording, or its store does not answer.
    """
    if not isinstance(row.elsewhere, str):
        return row
    where = place_of(row.elsewhere)
    for pause_s in (*_PAUSES_S, None):
        try:
            return replace(row, elsewhere=where.files.cat_file(where.path))
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise AudioError(f"recording {row.elsewhere!r} cannot be read ({error}); check the address") from error
        except Exception as error:
            if pause_s is None:
                raise AudioError(
                    f"recording {row.elsewhere!r} cannot be fetched ({type(error).__name__}: {error}), tried "
                    f"{len(_PAUSES_S) + 1} times; check address and network"
                ) from error
            time.sleep(pause_s)
    raise AssertionError
