"""Words whose stress is known because it was ordered: pairs of noun and verb, and any word with its stress moved."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from elocute.evaluation.stress_speech import is_vowel
from elocute.phones import phonemize, split_stress
from elocute.phones.lexicon import default_lexicon

HELD_OUT_EVERY = 5
"""One word in so many is never trained on, nor is any of `PAIRS`."""
PAIRS = tuple(
    "abstract accent addict address affix ally annex combat combine compact complex compound compress concert conduct "
    "confines conflict conscript console content contest contract contrast converse convert convict decrease defect "
    "desert detail dictate digest discharge discount escort essay excerpt exploit extract ferment impact implant "
    "import impress imprint incense incline increase insert insult object perfect permit pervert present produce "
    "progress project protest rebel recall record refill refund reject research rewrite segment subject survey "
    "suspect torment transfer transport upset attribute".split()
)
"""Words whose stress tells noun or adjective from verb, or varies; both are in the lexicon."""
CARRIERS = (
    "{}",
    "say {} again",
    "they said {}",
    "{} is the word",
    "the {} was there",
    "we saw the {} of the {}",
    "i think {} and {} will do",
    "a {} {} came by",
)
_STAY_FULL = ("IY", "OW", "ER", "UW")
"""Vowels that English keeps in an unstressed last syllable (happy, follow, better, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressedWord:
    """A word with its stress on one syllable.

    Attributes:
        name: how it is spelt.
        phones: ARPABET with stress digits.
        stressed: syllable with the primary stress, counted from 0.
        kind: "natural" as in the lexicon, "kept" moved with its vowels as they were, "reduced" moved and every vowel
            without stress made a schwa.
    """

    name: str
    phones: tuple[str, ...]
    stressed: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StressedSentence:
    """A carrier sentence with such words in it.

    Attributes:
        words: ARPABET phones of all its words.
        targets: which of them are the words, counted from 0.
        stressed: the words.
    """

    words: tuple[tuple[str, ...], ...]
    targets: tuple[int, ...]
    stressed: tuple[StressedWord, ...]


def is_held_out(word: str) -> bool:
    """Whether no stress model has trained on a word."""
    return word in PAIRS or zlib.crc32(word.encode()) % HELD_OUT_EVERY == 0


def stress_of(phones: Sequence[str]) -> int | None:
    """Syllable with the primary stress; None where there is none, or more than one."""
    digits = [split_stress(phone)[1] for phone in phones if is_vowel(phone)]
    return digits.index(1) if digits.count(1) == 1 else None


def pairs() -> tuple[StressedWord, ...]:
    """Both forms of every word of `PAIRS` as the lexicon has them, first syllable stressed and second."""
    found = []
    for name in PAIRS:
        forms = {stress_of(phones): phones for phones in reversed(default_lexicon().get(name))}
        found += [
            StressedWord(name=name, phones=forms[stress], stressed=stress, kind="natural")
            for stress in (0, 1)
            if stress in forms
        ]
    return tuple(found)


def moved(name: str, phones: Sequence[str], syllable: int, *, reduced: bool) -> StressedWord:
    """A word with its stress on a syllable of our choice and no secondary stress.

    Args:
        name: how it is spelt.
        phones: ARPABET; digits are not looked at.
        syllable: which is to be stressed, counted from 0.
        reduced: make the other vowels schwas, but those that English does not reduce in a last syllable.
    """
    placed, number = [], -1
    for position, phone in enumerate(phones):
        bare, _ = split_stress(phone)
        if not is_vowel(phone):
            placed.append(phone)
            continue
        number += 1
        is_full = position == len(phones) - 1 and bare in _STAY_FULL
        if number == syllable:
            placed.append(f"{bare}1")
        else:
            placed.append("AH0" if reduced and not is_full and bare != "ER" else f"{bare}0")
    return StressedWord(name=name, phones=tuple(placed), stressed=syllable, kind="reduced" if reduced else "kept")


@cache
def known_words(syllables: tuple[int, ...], *, held_out: bool) -> tuple[str, ...]:
    """Words of the lexicon with so many syllables and one primary stress, in alphabetical order."""
    lexicon = default_lexicon()
    found = []
    for word in lexicon.words():
        if word.isalpha() and is_held_out(word) == held_out:
            digits = [phone[-1] for phone in lexicon.get(word)[0] if phone[-1].isdigit()]
            if len(digits) in syllables and digits.count("1") == 1:
                found.append(word)
    return tuple(sorted(found))


def drawn_words(names: Sequence[str], rng: np.random.Generator) -> Iterator[StressedWord]:
    """Words drawn without end, one in four as in the lexicon, the others with the stress on any syllable."""
    lexicon = default_lexicon()
    while True:
        name = names[int(rng.integers(len(names)))]
        phones = lexicon.get(name)[0]
        natural = stress_of(phones)
        if natural is not None and rng.random() < 0.25:
            yield StressedWord(name=name, phones=phones, stressed=natural, kind="natural")
        else:
            syllable = int(rng.integers(sum(map(is_vowel, phones))))
            yield moved(name, phones, syllable, reduced=bool(rng.random() < 0.5))


def in_carrier(words: Iterator[StressedWord], carrier: str) -> StressedSentence:
    """The next words in a carrier sentence.

    Args:
        words: as many are taken as the carrier has places.
        carrier: one of `CARRIERS`.
    """
    spoken: list[tuple[str, ...]] = []
    targets: list[int] = []
    stressed: list[StressedWord] = []
    for token in carrier.split():
        if token == "{}":
            word = next(words)
            targets.append(len(spoken))
            stressed.append(word)
            spoken.append(word.phones)
        else:
            spoken.append(phonemize(token).words[0].variants[0].phones)
    return StressedSentence(words=tuple(spoken), targets=tuple(targets), stressed=tuple(stressed))
