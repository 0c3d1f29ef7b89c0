"""Common Voice's layout: a TSV of `client_id`, `path`, `sentence` and more columns, beside a folder `clips/`.

Source: R. Ardila et al., "Common Voice: A Massively-Multilingual Speech Corpus", LREC 2020; CC0 1.0.
"""

from __future__ import annotations

from pathlib import Path

from elocute.corpora.spoken import SpokenUtterance
from elocute.errors import ConfigError

_COLUMNS = ("client_id", "path", "sentence")


def read_commonvoice(source: Path) -> list[SpokenUtterance]:
    """Read one list: a TSV file, or of a folder its `train.tsv`, else its `validated.tsv`.

    A recording that is not there is for the reader's user to find: `audio` names where it should be.

    Raises:
        ConfigError: no list, a column is missing, a line has too few fields, or a recording is listed twice.
    """
    source = Path(source)
    names = ("train.tsv", "validated.tsv")
    found = [source] if source.is_file() else [source / name for name in names if (source / name).is_file()]
    if not found:
        raise ConfigError(
            f"{source} holds neither {' nor '.join(names)}; expected Common Voice's folder of one language, or a TSV "
            "file of it"
        )
    listing = found[0]
    try:
        # Quotes are part of sentences, and U+2028 in one of them ends no line: no csv reader, no splitlines.
        lines = listing.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{listing} is no text: {error}; expected a TSV file") from error
    header = lines[0].rstrip("\r").split("\t")
    lacking = [name for name in _COLUMNS if name not in header]
    if lacking:
        raise ConfigError(f"{listing} has no column {lacking[0]!r}; expected {', '.join(_COLUMNS)}")
    places = [header.index(name) for name in _COLUMNS]
    utterances: dict[str, SpokenUtterance] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) <= max(places):
            raise ConfigError(f"{listing}:{number}: {len(cells)} fields; expected the {len(header)} of the first line")
        client, path, sentence = (cells[place].strip() for place in places)
        key = Path(path).stem
        if key in utterances:
            raise ConfigError(f"{listing}:{number}: {path} is listed twice; keep one of the lines")
        # Older releases leave the suffix out.
        audio = listing.parent / "clips" / (path if Path(path).suffix else f"{path}.mp3")
        utterances[key] = SpokenUtterance(id=key, speaker=client, audio=audio, text=sentence, phones=None)
    return list(utterances.values())
