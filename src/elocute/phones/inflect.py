"""Step 2/10 - unlisted forms of listed words: endings with the sound that English gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from elocute.phones.inventory import split_stress
from elocute.phones.lexicon import Pronunciation

_SIBILANTS = frozenset("S Z SH ZH CH JH".split())
_VOICELESS = frozenset("P T K F TH S SH CH HH".split())
_CONTRACTED = {
    "'ll": (("AH0", "L"), ("L",)), "'ve": (("AH0", "V"), ("V",)), "'d": (("D",), ("AH0", "D")),
    "'re": (("ER0",), ("R",)), "'m": (("M",),),
}  # fmt: skip
_SUFFIXES = {
    "ly": ("L", "IY0"), "ness": ("N", "AH0", "S"), "less": ("L", "AH0", "S"), "ful": ("F", "AH0", "L"),
    "ment": ("M", "AH0", "N", "T"), "ship": ("SH", "IH2", "P"), "like": ("L", "AY2", "K"),
}  # fmt: skip
_DOUBLED = frozenset("bdgklmnprstvz")

LookUp = Callable[[str], tuple[Pronunciation, ...]]
"""Listed pronunciations of a lower-case word, empty if it is not listed."""


def inflected(word: str, look_up: LookUp) -> tuple[Pronunciation, ...]:
    """Pronunciations of an unlisted word that is a form of a listed one; empty if it is none.

    Knows -s, -'s, -ed, -ing, -ly, -ness, -less, -ful, -ment, -ship, -like and the contractions 'll 've 'd
    're 'm. Compounds and -er are left to the G2P engine, which does better on held-out words.

    >>> inflected("wugs", lambda word: (("W", "AH1", "G"),) if word == "wug" else ())
    (('W', 'AH1', 'G', 'Z'),)
    """
    for base, ending in _analyses(word):
        variants = look_up(base)
        if variants:
            return tuple(dict.fromkeys(form for variant in variants for form in _with_ending(variant, ending)))
    return ()


def _analyses(word: str) -> Iterator[tuple[str, str]]:
    """Possible bases of a word with the name of the ending, the likeliest first."""
    for ending in _CONTRACTED:
        if word.endswith(ending):
            yield word.removesuffix(ending), ending
    yield from ((base, "s") for base in _plural_bases(word))
    for letters in ("ed", "ing"):
        if word.endswith(letters) and len(word) > len(letters) + 2:
            yield from ((base, letters) for base in _verb_bases(word.removesuffix(letters), letters))
    for ending in _SUFFIXES:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            base = word.removesuffix(ending)
            yield base, ending
            if base.endswith("i"):
                yield f"{base[:-1]}y", ending


def _plural_bases(word: str) -> Iterator[str]:
    """Spellings that a word may have before -s or -'s."""
    if word.endswith("'s"):
        yield word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
        if word.endswith("ies"):
            yield f"{word[:-3]}y"
        elif word.endswith("es"):
            yield word[:-2]


def _verb_bases(base: str, letters: str) -> Iterator[str]:
    """Spellings that a verb may have before an ending that begins with a vowel."""
    if len(base) > 3 and base[-1] == base[-2] and base[-1] in _DOUBLED:
        yield base
        yield base[:-1]
        return
    yield f"{base}e"
    yield base
    if base.endswith("i") and letters != "ing":
        yield f"{base[:-1]}y"


def _with_ending(phones: Pronunciation, ending: str) -> list[Pronunciation]:
    """A base with an ending in every sound that it may have, the usual one first."""
    last = split_stress(phones[-1])[0]
    if ending == "s":
        if last in _SIBILANTS:
            return [(*phones, "IH0", "Z"), (*phones, "AH0", "Z")]
        return [(*phones, "S" if last in _VOICELESS else "Z")]
    if ending == "ed":
        if last in ("T", "D"):
            return [(*phones, "IH0", "D"), (*phones, "AH0", "D")]
        return [(*phones, "T" if last in _VOICELESS else "D")]
    if ending == "ing":
        return [(*phones, "IH0", "NG")]
    if ending in _CONTRACTED:
        return [(*phones, *sound) for sound in _CONTRACTED[ending]]
    sound = _SUFFIXES[ending]
    forms = [(*phones[:-1], *sound) if last == sound[0] and ending == "ly" else (*phones, *sound)]
    if ending in ("ness", "less"):
        forms.append((*phones, sound[0], "IH0", "S"))
    return forms
