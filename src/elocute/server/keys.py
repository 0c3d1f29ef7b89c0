"""API keys: who is let in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from elocute.errors import ConfigError
from elocute.server.problems import Problem

_MIN_KEY = 16


class Keys:
    """The keys that are let in, by the names of their holders; kept as hashes."""

    def __init__(self, holders: Mapping[str, str]) -> None:
        self._holders = {_digest(key): name for name, key in holders.items()}

    @classmethod
    def from_file(cls, path: Path) -> Keys:
        """Read a file of lines `NAME KEY`; empty lines and those that begin with # are skipped.

        Raises:
            ConfigError: it cannot be read, a line is malformed, a key too short, a name or a key there twice, or the
                file empty.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read API keys from {path}: {error}; expected lines of 'NAME KEY'") from error
        holders: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2:  # the line itself is not quoted: it may hold a key
                raise ConfigError(f"{path}:{number}: got {len(words)} words; expected 'NAME KEY'")
            name, key = words
            if len(key) < _MIN_KEY or not key.isascii():
                raise ConfigError(
                    f"{path}:{number}: the key of {name} has {len(key)} characters; expected {_MIN_KEY} or more of "
                    "ASCII, such as from `openssl rand -hex 24`"
                )
            if name in holders or key in holders.values():
                raise ConfigError(f"{path}:{number}: the name {name} or its key is there twice; give each its own")
            holders[name] = key
        if not holders:
            raise ConfigError(f"{path} holds no API key; expected lines of 'NAME KEY'")
        return cls(holders)

    def holder(self, headers: Mapping[str, str]) -> str:
        """Who asks: `Authorization: Bearer KEY`, or `X-API-Key: KEY`.

        Raises:
            Problem: no key, or none that is let in.
        """
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not key:
            raise _refused("no API key was sent")
        digest = _digest(key)
        found = [name for known, name in self._holders.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise _refused("the API key is not known")
        return found[0]


def _digest(key: str) -> bytes:
    """Hash of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _refused(what: str) -> Problem:
    """The answer to a wrong key."""
    return Problem(
        "no-key",
        f"{what}; send the header 'Authorization: Bearer KEY' or 'X-API-Key: KEY'",
        headers={"WWW-Authenticate": "Bearer"},
    )
