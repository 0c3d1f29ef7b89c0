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
        ConfigError: the list is missing or malformed, or a recording of it is missing.
    """
    folder = Path(folder)
    listing = folder / "transcripts.tsv"
    if not listing.is_file():
        raise ConfigError(f"{listing} not found; expected lines of id, tab, sentence")
    recordings = {path.stem: path for path in sorted((folder / "audio").iterdir())}
    utterances = []
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), start=1):
        key, tab, text = line.partition("\t")
        if not tab:
            raise ConfigError(f"{listing}:{number}: got {line!r}; expected id, tab, sentence")
        if key not in recordings:
            raise ConfigError(f"{listing}:{number}: no recording {key}.* in {folder / 'audio'}")
        utterances.append(TranscribedUtterance(id=key, audio=recordings[key], text=text.strip()))
    return utterances
