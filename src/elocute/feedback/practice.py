"""Words to practise with: minimal pairs and practice words, from the choice that `elocute.training.practice` packed.

A child gets the most common words only, a learner common ones, a teacher all of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from elocute.assets import read_asset
from elocute.errors import ConfigError
from elocute.feedback.slip import Level, Place

_HARDEST: dict[Level, int] = {"child": 2, "learner": 3, "teacher": 3}
_LETTERS: dict[str, Place] = {"i": "initial", "m": "medial", "f": "final"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two words of which one sound differs.

    Attributes:
        said: the word with the sound that was said, or without the one that was left out.
        wanted: the word with the sound that should have been said.
        place: of that sound.
        level: 1 the most common words, to 3.
    """

    said: str
    wanted: str
    place: Place
    level: int

    def __str__(self) -> str:
        """As reports write it."""
        return f"{self.said}/{self.wanted}"


@cache
def _asset() -> dict[str, Any]:
    """The packed choice."""
    try:
        packed: dict[str, Any] = json.loads(read_asset("practice.json"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"elocute's asset practice.json is not JSON ({error}); reinstall elocute") from error
    return packed


@cache
def pairs_of(expected: str, actual: str) -> tuple[Pair, ...]:
    """All minimal pairs of a confusion, the best first; "-" is nothing. Empty where English has none."""
    one, other = sorted((expected, actual)) if "-" not in (expected, actual) else sorted((expected, actual))[::-1]
    found = []
    for line in _asset()["pairs"].get(f"{one} {other}", ()):
        first, second, place, level = line.split()
        wanted, said = (first, second) if expected == one else (second, first)
        found.append(Pair(said=said, wanted=wanted, place=_LETTERS[place], level=int(level)))
    return tuple(found)


@cache
def minimal_pairs(
    expected: str, actual: str, *, place: Place | None = None, level: Level = "learner", most: int = 3
) -> tuple[str, ...]:
    """The pairs to offer, "sick/thick" for S instead of TH; those with the sound at the same place first.

    Where a sound was left out or added, only those: others would be no practice for it.

    Args:
        expected: ARPABET without stress; "-" for a sound that was added.
        actual: what was said; "-" for nothing.
        place: of the sound in the learner's word.
        level: how rare the words may be.
        most: so many at most.
    """
    fitting = [pair for pair in pairs_of(expected, actual) if pair.level <= _HARDEST[level]]
    if "-" in (expected, actual) and place is not None:
        fitting = [pair for pair in fitting if pair.place == place]
    fitting.sort(key=lambda pair: pair.place != place)  # stable: the best stay first
    return tuple(str(pair) for pair in fitting[:most])


def practice_words(
    phone: str, *, place: Place | None = None, level: Level = "learner", most: int = 6
) -> tuple[str, ...]:
    """Common words with a phone, those that have it at the place first."""
    found = [
        (_LETTERS[letter], word.split()[0])
        for letter, words in sorted(_asset()["words"][phone].items(), key=lambda item: "imf".index(item[0]))
        for word in words
        if int(word.split()[1]) <= _HARDEST[level]
    ]
    found.sort(key=lambda item: item[0] != place)
    return tuple(word for _, word in found[:most])
