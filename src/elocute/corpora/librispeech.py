"""LibriSpeech's layout: `SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt` beside `SPEAKER-CHAPTER-NNNN.flac`.

Source: V. Panayotov et al., "LibriSpeech: an ASR corpus based on public domain audio books", ICASSP 2015; CC BY 4.0.
A folder may hold one part (`train-clean-100`) or several of them.
"""

from __future__ import annotations

from pathlib import Path

from elocute.corpora.spoken import SpokenUtterance
from elocute.errors import ConfigError


def read_librispeech(folder: Path) -> list[SpokenUtterance]:
    """Read every transcript under a folder, in the order of their paths.

    A recording that is not there is for the reader's user to find: `audio` names where it should be.

    Raises:
        ConfigError: no transcripts, a line without a sentence's id, an id that occurs twice or belongs to another
            speaker than its folder.
    """
    folder = Path(folder)
    lists = sorted(folder.rglob("*.trans.txt")) if folder.is_dir() else []
    if not lists:
        raise ConfigError(
            f"{folder} holds no SPEAKER/CHAPTER/*.trans.txt; expected LibriSpeech's layout, such as its train-clean-100"
        )
    utterances: dict[str, SpokenUtterance] = {}
    for listing in lists:
        speaker = listing.parent.parent.name
        recordings = {path.stem: path for path in sorted(listing.parent.iterdir()) if not path.name.endswith(".txt")}
        try:
            lines = listing.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{listing} is no text: {error}; expected lines of an id and a sentence") from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            key, _, text = line.strip().partition(" ")
            if key.split("-")[0] != speaker:
                raise ConfigError(
                    f"{listing}:{number}: {key!r} is not of speaker {speaker}; expected SPEAKER-CHAPTER-N"
                )
            if key in utterances:
                raise ConfigError(f"{listing}:{number}: {key} is listed twice; keep one of the lines")
            audio = recordings.get(key, listing.parent / f"{key}.flac")
            utterances[key] = SpokenUtterance(id=key, speaker=speaker, audio=audio, text=text.strip(), phones=None)
    return list(utterances.values())
