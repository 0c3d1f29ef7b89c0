"""Models that users keep in a folder: found and told apart, with clear words for what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from elocute.errors import AudioError, ConfigError
from elocute.types import SAMPLE_RATE_HZ, Audio

SHORTEST_SAMPLES = 1_600
"""A tenth of a second, from which any model must hear; what is shorter is refused for models that do not say more."""

_BLOCK = 1 << 16
_BLOCKS = 64
"""Of a file of weights so many blocks of so many bytes, evenly spread, tell it from others."""


def existing_folder(place: str, family: str) -> Path:
    """The folder of `family:place`; ConfigError where there is none."""
    folder = Path(place).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise ConfigError(f"backend is '{family}:{place}', and {folder} {what}; expected the folder of a model")
    return folder


def check_length(audio: Audio, model: str, least: int = SHORTEST_SAMPLES) -> None:
    """AudioError where a recording has fewer samples than a model needs."""
    if len(audio.samples) < least:
        raise AudioError(
            f"audio is {audio.duration_s:.3f} s; the model {model} needs at least {least / SAMPLE_RATE_HZ:.3f} s; "
            "record again"
        )


def fingerprint(files: Iterable[Path]) -> str:
    """What tells a model's files from others: names, sizes, and blocks of what is in them; 12 hexadecimal digits.

    Weights of gigabytes are not read as a whole. Two files that were made on purpose to differ only between the blocks
    would not be told apart; two trainings always are.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            step = max(size // _BLOCKS, _BLOCK)
            for start in range(0, size, step):
                file.seek(start)
                digest.update(file.read(_BLOCK))
            file.seek(max(size - _BLOCK, 0))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:12]
