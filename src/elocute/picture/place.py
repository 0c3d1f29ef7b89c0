"""Where a picture goes: its kind by the file's ending, checked before any work; written in one step or not at all."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from elocute.errors import ConfigError, MissingExtraError

ENDINGS = (".html", ".png")


def check_place(out: Path) -> None:
    """Find out before the work whether a picture can be written there.

    Raises:
        ConfigError: an unknown ending, a folder, or no writable folder around it.
        MissingExtraError: a PNG, and matplotlib is not installed.
    """
    if out.suffix.lower() not in ENDINGS:
        raise ConfigError(
            f"picture {out} ends in {out.suffix!r}; expected .png (an image) or .html (a page to click and play)"
        )
    if out.is_dir():
        raise ConfigError(f"picture {out} is a folder; name a file in it")
    if not out.parent.is_dir():
        raise ConfigError(f"cannot write {out}: no such folder; name a file in an existing one")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write {out}: no permission; name a file in a writable folder")
    if out.suffix.lower() == ".png" and find_spec("matplotlib") is None:
        raise MissingExtraError(
            f"picture {out} needs matplotlib, which is not installed; pip install 'elocute[plot]', or name a page "
            "(.html), which needs nothing"
        )


def save(content: bytes, out: Path) -> None:
    """Write a picture; the file appears complete, or what was there stays.

    Raises:
        ConfigError: it cannot be written.
    """
    partial: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        partial = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files that only their owner may read; a picture has the rights of any new file.
        partial.chmod(0o666 & ~_umask())
        os.replace(partial, out)
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}; name a file in a writable folder") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _umask() -> int:
    """Rights that new files do not get; there is no way to ask but to set it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
