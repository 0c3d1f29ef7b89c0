"""Step 2/10 - pronunciations that are known: the packed lexicon of the package, and lexica that users bring."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from elocute.assets import read_asset
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.phones.inventory import PHONES, VOWELS, parse_arpabet, parse_ipa
from elocute.phones.normalize import to_ascii

Pronunciation = tuple[str, ...]
"""ARPABET phones of one word, vowels with stress digits where stress is known."""

SYMBOLS: tuple[str, ...] = tuple(
    symbol for phone in PHONES for symbol in ([f"{phone}{d}" for d in range(3)] if phone in VOWELS else [phone])
)
"""The 69 symbols of the lexicon, consonants bare and vowels with 0, 1 and 2; position + 128 is the packed byte."""

_MAGIC = b"elocute-lexicon-1\n"
_KEY = re.compile(r"[a-z'.-]*[a-z][a-z'.-]*")
_CODE = {symbol: 128 + i for i, symbol in enumerate(SYMBOLS)}


def pack_lexicon(entries: Mapping[str, Sequence[Pronunciation]]) -> bytes:
    r"""Pack words and pronunciations into the bytes of the asset.

    Layout: a magic line, then zlib data of lines `word TAB phones[SPACE phones]... NEWLINE`, sorted by word; every
    phone is one byte (see SYMBOLS), so a word of English takes about 7 bytes after compression.
    """
    lines = []
    for word in sorted(entries):
        if not word.isascii() or not word.isprintable() or " " in word:
            raise PhoneError(f"lexicon word {word!r} is not printable ASCII without spaces")
        packed = b" ".join(bytes(_CODE[phone] for phone in variant) for variant in entries[word])
        lines.append(word.encode() + b"\t" + packed + b"\n")
    return _MAGIC + zlib.compress(b"\n" + b"".join(lines), 9)


class Lexicon:
    """A packed lexicon, searched in place: loading costs one decompression, a look-up one binary search."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_MAGIC):
            raise ConfigError("the lexicon file does not start as elocute's lexica do; rebuild or reinstall it")
        self._lines = zlib.decompress(data[len(_MAGIC) :])

    def __contains__(self, word: str) -> bool:
        """Whether the word is known; lower case."""
        return self._find(word) is not None

    def get(self, word: str) -> tuple[Pronunciation, ...]:
        """Accepted pronunciations of a lower-case word, canonical first; empty if unknown."""
        start = self._find(word)
        if start is None:
            return ()
        packed = self._lines[start : self._lines.index(b"\n", start)]
        return tuple(tuple(SYMBOLS[byte - 128] for byte in variant) for variant in packed.split(b" "))

    def words(self) -> Iterable[str]:
        """All words in sorted order."""
        return (line.split(b"\t", 1)[0].decode() for line in self._lines.split(b"\n") if line)

    def _find(self, word: str) -> int | None:
        """Offset of the packed pronunciations of a word, by bisection over line starts."""
        lines = self._lines
        if not word.isascii():
            return None
        key = word.encode()
        low, high = 0, len(lines) - 1
        while low < high:
            start = lines.rfind(b"\n", low, (low + high) // 2 + 1)
            start = low if start < 0 else start
            tab = lines.find(b"\t", start + 1)
            here = lines[start + 1 : tab]
            if here == key:
                return tab + 1
            if here < key:
                low = lines.index(b"\n", tab)
            else:
                high = start
        return None


@cache
def default_lexicon() -> Lexicon:
    """The lexicon that ships in the package, read once per process."""
    return Lexicon(read_asset("lexicon.bin"))


class UserLexicon:
    """Pronunciations that a user adds or overrides; they win over everything but given pronunciations.

    Words are compared in lower case and without accents; what has digits in it is read as a number, so it cannot be
    listed. Several pronunciations of a word are all accepted, the first is canonical.
    """

    def __init__(self, entries: Mapping[str, Sequence[Pronunciation]]) -> None:
        self._entries = {_clean_word(word): tuple(variants) for word, variants in entries.items() if variants}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str | Sequence[str]]) -> UserLexicon:
        """From word -> pronunciation or pronunciations, each "ARPABET" or "/IPA/".

        >>> UserLexicon.from_mapping({"Nguyen": "W IH1 N", "tomato": ["/təˈmeɪtoʊ/", "/təˈmɑːtəʊ/"]}).get("nguyen")
        (('W', 'IH1', 'N'),)
        """
        return cls(
            {
                word: tuple(_parse_either(item) for item in ([value] if isinstance(value, str) else value))
                for word, value in mapping.items()
            }
        )

    @classmethod
    def from_file(cls, path: str | Path) -> UserLexicon:
        """From a UTF-8 text file, one `word pronunciation` a line; the pronunciation is ARPABET or /IPA/.

        A tab or spaces part the two. Empty lines and lines that begin with # are skipped, and so is what follows
        ` #`. A word may come several times.

        Raises:
            PhoneError: a line cannot be read; the message names the file and the line.
            ConfigError: the file is not UTF-8 text.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ConfigError(f"user lexicon {path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
        entries: dict[str, list[Pronunciation]] = {}
        for number, raw in enumerate(lines, 1):
            line = "" if raw.lstrip().startswith("#") else raw.split(" #")[0].split("\t#")[0].strip()
            if not line:
                continue
            word, _, rest = line.partition("\t") if "\t" in line else line.partition(" ")
            try:
                if not rest.strip():
                    raise PhoneError(f"{word!r} has no pronunciation; write 'word PHONES' or 'word /IPA/'")
                entries.setdefault(_clean_word(word), []).append(_parse_either(rest))
            except PhoneError as error:
                raise PhoneError(f"{path}, line {number}: {error}") from error
        return cls(entries)

    def __contains__(self, word: str) -> bool:
        """Whether the user gave this lower-case word."""
        return word in self._entries

    def __len__(self) -> int:
        """Number of words."""
        return len(self._entries)

    def get(self, word: str) -> tuple[Pronunciation, ...]:
        """The user's pronunciations of a lower-case word, canonical first; empty if unknown."""
        return self._entries.get(word, ())


def _clean_word(word: str) -> str:
    """Key of a user's word, folded as texts are: lower case, no accents, straight apostrophes."""
    try:
        key = to_ascii(unicodedata.normalize("NFC", word.strip()))[0].lower()
    except TextError as error:
        raise PhoneError(f"{word!r} cannot be a word of the lexicon: {error}") from error
    if not _KEY.fullmatch(key):
        raise PhoneError(
            f"{word!r} is not a word of letters, apostrophes, full stops and hyphens; list such words only"
        )
    return key


def _parse_either(text: str) -> Pronunciation:
    """A pronunciation in ARPABET, or in IPA between slashes or brackets."""
    text = text.strip()
    return parse_ipa(text) if text[:1] in ("/", "[") else parse_arpabet(text)
