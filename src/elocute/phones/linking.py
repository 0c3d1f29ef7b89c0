"""Step 2/10 - connected speech: what the neighbours of a word do to its edges without anybody being wrong.

Each rule gives a word further variants, and each variant names the sounds of the neighbour with which it goes, so that
the lattice never joins forms that nobody says together. Glottal and unreleased stops cannot be told by the 39 phones.

Sources: the chapters on connected speech (elision, assimilation, liaison) of Gimson's "Pronunciation of English"
(Cruttenden), Roach's "English Phonetics and Phonology", and Wells's "Accents of English" for the American flap.

Left out, although they are heard, is what would hide errors that learners make: an elided T or D of the past tense
("walked home", save before T or D), and DH after N as N ("in the").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from elocute.phones.inventory import PHONES, VOWELS, split_stress
from elocute.phones.kinds import (
    ASSIMILATION,
    COALESCENCE,
    ELISION,
    FLAP,
    INTRUSIVE_R,
    LINKING_R,
    LISTED,
    SHARED,
    WEAK,
)
from elocute.phones.lexicon import Pronunciation
from elocute.phones.variants import unstressed
from elocute.phones.weak import function_words, is_weak_before
from elocute.types import Variant, Word

MAX_LINKED = 8
"""So many variants at most do its neighbours give to a word."""

_CONSONANTS = frozenset(PHONES) - VOWELS
_FUNCTION_WORDS = frozenset(function_words())
# Consonants that become one long consonant where they meet, whether both are voiced or not. The first of two stops is
# not released, so it is not heard; affricates are said twice.
_ALIKE = ("T D", "P B", "K G", "S Z", "F V", "TH DH", "SH ZH", "M", "N", "L", "R")
_SHARED_WITH = {phone: frozenset(alike.split()) for alike in _ALIKE for phone in alike.split()}
_SHARED_WITH |= {phone: _SHARED_WITH[phone] | {"SH"} for phone in "SZ"}
_ASSIMILATED = {
    "N": (("M", frozenset("P B M".split())), ("NG", frozenset("K G".split()))),
    "S": (("SH", frozenset(("SH", "Y"))),),
    "Z": (("ZH", frozenset(("SH", "Y"))),),
}
# After these a T or a D can go between consonants: last, left, pushed, kept, act; old, and, raised, moved.
_ELIDED_AFTER = {"T": frozenset("S F SH P K".split()), "D": frozenset("L N Z V DH".split())}
_NO_ELISION_BEFORE = frozenset(("HH", "T", "D"))
_COALESCED = {"T": "CH", "D": "JH"}
# Where "to" follows, these end in a voiceless sound, or in nothing but its T.
_BEFORE_TO = {
    "have": ("HH AE1 F", "HH AH0 F"),
    "has": ("HH AE1 S",),
    "used": ("Y UW1 S T", "Y UW1 S"),
    "supposed": ("S AH0 P OW1 S T", "S AH0 P OW1 S"),
}
_FLAPPED_AT_START = frozenset(("to", "today", "tomorrow", "tonight", "together"))


def with_neighbours(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words of a text, each with the variants that its neighbours allow besides its own.

    Words whose pronunciation the user or the caller gave stay as they are.
    """
    around = [None, *words, None]
    return tuple(
        _linked(word, before, after) for before, word, after in zip(around, words, around[2:], strict=False) if word
    )


def _linked(word: Word, previous: Word | None, following: Word | None) -> Word:
    """A word with the variants that it has between its neighbours."""
    if word.source in ("given", "user"):
        return word
    if not is_weak_before(word.spoken, following.spoken if following else None):
        dictionary, *others = word.variants
        word = replace(word, variants=(dictionary, *(one for one in others if one.kind != WEAK)))
    found: list[Variant] = []
    if following is not None:
        # What is said of "is" in "it's" is no reason for anything.
        starts = frozenset(
            unstressed(one.phones[:1])[0] for one in following.variants if len(one.phones) > 1 or not one.after
        )
        for variant in word.variants:
            found += [one for one in _at_end(word, variant, following) if one.before is None or one.before & starts]
    if previous is not None:
        for variant in word.variants:
            found += _at_start(word, variant, previous)
    known = {unstressed(variant.phones) for variant in word.variants}
    new: dict[tuple[Pronunciation, frozenset[str] | None], Variant] = {}
    for variant in found:
        phones = unstressed(variant.phones)
        if phones not in known and any(split_stress(phone)[0] in VOWELS for phone in phones):
            new.setdefault((phones, variant.before), variant)
    return replace(word, variants=(*word.variants, *list(new.values())[:MAX_LINKED]))


def _at_end(word: Word, variant: Variant, following: Word) -> Iterator[Variant]:
    """What the word behind makes of the end of a form."""
    if variant.before is not None:
        return
    phones = variant.phones
    for rule in _END_RULES:
        for end, kind, before in rule(word.spoken, phones):
            yield _changed(variant, (*phones[:-1], *end), kind, before=before)
    if following.spoken == "to" and variant.kind is None:
        for said in _BEFORE_TO.get(word.spoken, ()):
            yield _changed(variant, tuple(said.split()), ASSIMILATION, before=frozenset("T"))
    # The sound that Y makes with T or D swallows it, so this form goes before one that has lost it, too.
    last = phones[-1]
    if last in _COALESCED and any(_starts_with_y(other) for other in following.variants):
        behind = frozenset(unstressed(other.phones)[1] for other in following.variants if _starts_with_y(other))
        yield _changed(variant, (*phones[:-1], _COALESCED[last]), COALESCENCE, before=behind | {"Y"})


def _at_start(word: Word, variant: Variant, previous: Word) -> Iterator[Variant]:
    """What the word before makes of the start of a form."""
    if variant.after is not None:
        return
    ends = {other.phones[-1] for other in previous.variants if previous.source not in ("given", "user")}
    if _starts_with_y(variant) and ends & set(_COALESCED) and not ends & set(_COALESCED.values()):
        joined = frozenset(_COALESCED[end] for end in ends & set(_COALESCED))
        yield _changed(variant, variant.phones[1:], COALESCENCE, after=joined)
    if word.spoken in _FLAPPED_AT_START and variant.phones[0] == "T":
        yield _changed(variant, ("D", *variant.phones[1:]), FLAP, after=VOWELS | {"R"})


def _starts_with_y(variant: Variant) -> bool:
    return variant.phones[0] == "Y" and len(variant.phones) > 1


def _changed(
    variant: Variant,
    phones: Pronunciation,
    kind: str,
    *,
    before: frozenset[str] | None = None,
    after: frozenset[str] | None = None,
) -> Variant:
    """A form with other phones, between certain neighbours, named after what it was and what was done to it."""
    return Variant(
        phones=phones,
        kind=kind if variant.kind in (None, LISTED, kind) else f"{variant.kind}, {kind}",
        before=before or variant.before,
        after=after or variant.after,
    )


End = tuple[Pronunciation, str, frozenset[str]]
"""What the last phone becomes, why, and before which phones."""


def _flap(_: str, phones: Pronunciation) -> Iterator[End]:
    """T between vowels as D, whatever the stress: "get up", "not at all"."""
    r_coloured = len(phones) > 2 and phones[-2] == "R" and split_stress(phones[-3])[0] in VOWELS
    if phones[-1] == "T" and len(phones) > 1 and (split_stress(phones[-2])[0] in VOWELS or r_coloured):
        yield ("D",), FLAP, VOWELS


def _elision(spelling: str, phones: Pronunciation) -> Iterator[End]:
    """T or D between consonants gone: "last night", "old man", "don't know"; the past tense keeps its ending."""
    last = phones[-1]
    if last not in _ELIDED_AFTER or len(phones) < 2 or spelling.endswith("ed"):
        return
    if phones[-2] in _ELIDED_AFTER[last] or (last == "T" and phones[-2] == "N" and spelling.endswith("n't")):
        yield (), ELISION, _CONSONANTS - _NO_ELISION_BEFORE


def _shared(_: str, phones: Pronunciation) -> Iterator[End]:
    """One consonant, heard once, for two that meet: "this seat", "bad day", "that door"."""
    if phones[-1] in _SHARED_WITH:
        yield (), SHARED, _SHARED_WITH[phones[-1]]


def _assimilated(_: str, phones: Pronunciation) -> Iterator[End]:
    """The place of the next consonant taken: "in bed" with M, "ten cups" with NG, "this shop" with SH."""
    for phone, before in _ASSIMILATED.get(phones[-1], ()):
        yield (phone,), ASSIMILATION, before


def _r(spelling: str, phones: Pronunciation) -> Iterator[End]:
    """The R of RP before a vowel: "far away" and, where nothing is written, "idea of"."""
    is_open = len(phones) > 1 and (phones[-1] == "AH0" or split_stress(phones[-1])[0] in ("AO", "AA"))
    if phones[-1] == "ER0":
        yield ("AH0", "R"), LINKING_R, VOWELS
    elif is_open and spelling not in _FUNCTION_WORDS and "r" not in spelling[-2:]:
        yield (phones[-1], "R"), INTRUSIVE_R, VOWELS


_END_RULES: tuple[Callable[[str, Pronunciation], Iterator[End]], ...] = (_elision, _shared, _assimilated, _flap, _r)
