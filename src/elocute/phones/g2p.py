"""Step 2/10 - pronunciations of words that nobody lists, by a small ONNX model or by an optional engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from elocute.assets import open_model
from elocute.errors import ConfigError, MissingExtraError, PhoneError
from elocute.phones.inventory import parse_arpabet, parse_ipa
from elocute.phones.lexicon import SYMBOLS, Pronunciation
from elocute.types import Float32

LETTERS = "'abcdefghijklmnopqrstuvwxyz^$"
"""Letters of the model; id = place + 1, 0 is padding. ^ and $ stand around every word."""
BLANK_ID = 0
"""Column of the CTC blank; column i + 1 is lexicon.SYMBOLS[i]."""
_MAX_LETTERS = 62
_ENTRY_POINTS = "elocute.g2p"


class G2P(Protocol):
    """Turns spelling into phones. Third parties register theirs as entry point `elocute.g2p`, a function without
    arguments that returns one.
    """  # noqa: D205

    @property
    def name(self) -> str:
        """Short name of the engine."""
        ...

    def pronounce(self, word: str) -> Pronunciation:
        """ARPABET phones with stress digits of a lower-case word of letters and apostrophes; never empty.

        Raises:
            PhoneError: the engine finds no pronunciation.
        """
        ...


def encode_word(word: str) -> list[int]:
    """Letter ids of a lower-case word between its boundary marks."""
    return [LETTERS.index(letter) + 1 for letter in f"^{word}$"]


def decode_greedy(log_probs: Float32) -> Pronunciation:
    """Phones on the best path of one word, blanks and repeats collapsed; log_probs has shape (T, 70)."""
    best = log_probs.argmax(axis=1)
    kept = best[np.append(True, best[1:] != best[:-1]) & (best != BLANK_ID)]
    return tuple(SYMBOLS[label - 1] for label in kept)


class ModelG2P:
    """The network of the package: one pass through ONNX, greedy CTC decoding; about 2 ms a word."""

    name = "model"

    def __init__(self, path: Path | None = None) -> None:
        """Load a model file; without `path` the one that ships in the package."""
        self._session: Any = open_model(path or "g2p", threads=1)

    def log_probs(self, word: str) -> Float32:
        """CTC log-probabilities of a word, shape (2 * (letters + 2), 70), natural log."""
        if not word or len(word) > _MAX_LETTERS or any(letter not in LETTERS[:27] for letter in word):
            raise PhoneError(
                f"{word!r} cannot be pronounced by the G2P model, which takes 1 to {_MAX_LETTERS} of a-z and apostrophe"
            )
        out: Float32 = self._session.run(None, {"letters": np.array([encode_word(word)], dtype=np.int64)})[0][0]
        return out

    def pronounce(self, word: str) -> Pronunciation:
        """Pronunciation of a lower-case word."""
        phones = decode_greedy(self.log_probs(word))
        if not phones:
            raise PhoneError(f"the G2P model finds no phone in {word!r}; give its pronunciation in a user lexicon")
        return phones


class GruutG2P:
    """The conditional random field of gruut's English data; its own lexicon is not consulted."""

    name = "gruut"

    def __init__(self) -> None:
        try:
            data = import_module("gruut_lang_en")
            from gruut.g2p import GraphemesToPhonemes
        except ImportError as error:
            raise MissingExtraError(
                "the G2P engine 'gruut' is not installed; install it with: pip install 'elocute[gruut]'"
            ) from error
        self._tag: Any = GraphemesToPhonemes(Path(str(data.__file__)).parent / "g2p" / "model.crf")

    def pronounce(self, word: str) -> Pronunciation:
        """Pronunciation of a lower-case word."""
        return parse_ipa(" ".join(self._tag(word)))


class EspeakG2P:
    """The system program espeak-ng, voice en-us, one process a call; nothing of it is linked or imported."""

    name = "espeak"

    def __init__(self) -> None:
        program = shutil.which("espeak-ng")
        if program is None:
            raise MissingExtraError(
                "the G2P engine 'espeak' needs the program espeak-ng on the PATH; install it, for example with: "
                "apt install espeak-ng"
            )
        self._program = program

    def pronounce(self, word: str) -> Pronunciation:
        """Pronunciation of a lower-case word."""
        return self.pronounce_all([word])[0]

    def pronounce_all(self, words: Sequence[str]) -> list[Pronunciation]:
        """Pronunciations of many words by one process."""
        import subprocess

        done = subprocess.run(
            [self._program, "-q", "--ipa", "-v", "en-us"],
            input="\n".join(words) + "\n",
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        lines = done.stdout.splitlines()
        if done.returncode or len(lines) != len(words):
            raise PhoneError(f"espeak-ng gave {len(lines)} lines for {len(words)} words: {done.stderr.strip()!r}")
        return [parse_ipa(line) for line in lines]


_ENGINES: dict[str, Callable[[], G2P]] = {"model": ModelG2P, "gruut": GruutG2P, "espeak": EspeakG2P}


@cache
def load_g2p(name: str = "model") -> G2P:
    """An engine by name, loaded once per process.

    Args:
        name: "model" (ships in the package), "gruut" (extra), "espeak" (system program), or an entry point of the
            group `elocute.g2p`.

    Raises:
        ConfigError: no engine has that name.
        MissingExtraError: the engine is not installed.
    """
    if name in _ENGINES:
        return _ENGINES[name]()
    from importlib.metadata import entry_points

    found = entry_points(group=_ENTRY_POINTS)
    if name not in found.names:
        names = ", ".join(sorted({*_ENGINES, *found.names}))
        raise ConfigError(f"no G2P engine is called {name!r}; choose one of {names}")
    engine: G2P = found[name].load()()
    return engine


def check_g2p(engine: G2P) -> None:
    """Check an engine against what step 2 expects of it.

    Raises:
        ConfigError: it has no name, gives no phones or no ARPABET, or two answers to one question.
    """
    if not engine.name:
        raise ConfigError("a G2P engine has an empty name; give it one")
    for word in ("a", "cat", "strengths", "o'clocks", "internationalization"):
        phones = engine.pronounce(word)
        try:
            parse_arpabet(phones)
        except PhoneError as error:
            raise ConfigError(f"G2P engine {engine.name!r} gives no ARPABET for {word!r}: {error}") from error
        if tuple(engine.pronounce(word)) != tuple(phones):
            raise ConfigError(f"G2P engine {engine.name!r} pronounces {word!r} in two ways; it must be deterministic")
