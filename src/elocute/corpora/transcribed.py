"""A plain folder of transcribed speech: `transcripts.tsv` (`id<TAB>sentence`) beside `audio/id.*`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elocute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribedUtterance:
    """A recording and the sentence spoken in it."""

    id: str
    audio: Path
    text: str


def read_transcribed(folder: Path) -> list[TranscribedUtterance]:
    """Read a folder of transcribed speech in the order of its list.

    Raises:
        ConfigError: the list is missing or malformed, or a recording of it is missing or there twice.
    """
    folder = Path(folder)
    listing = folder / "transcripts.tsv"
    if not listing.is_file():
        raise ConfigError(f"{listing} not found; expected lines of id, tab, sentence")
    if not (folder / "audio").is_dir():
        raise ConfigError(f"{folder / 'audio'} not found; expected a folder of recordings beside the list")
    recordings: dict[str, Path] = {}
    for path in sorted((folder / "audio").iterdir()):
        if path.stem in recordings:
            raise ConfigError(f"{recordings[path.stem]} and {path} have the same id; keep one of them")
        recordings[path.stem] = path
    utterances: dict[str, TranscribedUtterance] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), start=1):
        key, tab, text = line.partition("\t")
        if not tab:
            raise ConfigError(f"{listing}:{number}: got {line!r}; expected id, tab, sentence")
        if key not in recordings:
            raise ConfigError(f"{listing}:{number}: no recording {key}.* in {folder / 'audio'}")
        if key in utterances:
            raise ConfigError(f"{listing}:{number}: {key} is listed twice; keep one of the lines")
        utterances[key] = TranscribedUtterance(id=key, audio=recordings[key], text=text.strip())
    return list(utterances.values())
