"""One known error for a sentence: which phone, what was said instead; and the same error seen from the text's side.

Errors are those that learners make, drawn from `SAID_INSTEAD` and `SAID_AFTER`; one in four is any phone. What an
accepted variant of the word has there is no error and never planted; neither is a phone beside its like, which nobody
hears twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elocute.phones import PHONES, VOWELS
from elocute.training.planting import SAID_INSTEAD

Kind = Literal["substitution", "deletion", "insertion"]
KINDS: tuple[Kind, ...] = ("substitution", "deletion", "insertion")
KIND_SHARES = (0.70, 0.15, 0.15)
PLAUSIBLE_SHARE = 0.75
SAID_AFTER = {True: "AH IH UH", False: "R N L"}
"""What learners insert most often behind a consonant (True) and behind a vowel (False)."""

Phones = tuple[str, ...]
"""Phones of one word, ARPABET without stress digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A phone of a sentence: word and position in it."""

    word: int
    phone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One error.

    Attributes:
        kind: what was done.
        place: the canonical phone that was said otherwise or not at all; for an insertion the canonical phone behind
            which another was said.
        canonical: phone that should be said at the place; None for an insertion.
        said: phone that was said; None for a deletion.
    """

    kind: Kind
    place: Place
    canonical: str | None
    said: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextError:
    """An error made by changing the text.

    Attributes:
        planted: the error, in places of the changed text.
        phones: canonical phones of the changed text.
    """

    planted: Planted
    phones: tuple[Phones, ...]

    def said_index(self) -> tuple[int | None, ...]:
        """For each canonical phone of the changed text its number among those that were said; None for an added one."""
        at = flat_index(self.phones, self.planted.place)
        numbers = range(sum(map(len, self.phones)))
        if self.planted.kind == "deletion":
            return tuple(None if i == at else i - (i > at) for i in numbers)
        return tuple(i + (i > at) if self.planted.kind == "insertion" else i for i in numbers)


def bare(phones: Sequence[str]) -> Phones:
    """Phones without stress digits."""
    return tuple(phone.rstrip("012") for phone in phones)


def applied(word: Phones, planted: Planted) -> Phones:
    """The phones of the word as said with the error."""
    at = planted.place.phone
    if planted.kind == "insertion":
        return (*word[: at + 1], str(planted.said), *word[at + 1 :])
    return (*word[:at], *([] if planted.said is None else [planted.said]), *word[at + 1 :])


def draw_kind(rng: np.random.Generator) -> Kind:
    """A kind of error."""
    return KINDS[int(rng.choice(len(KINDS), p=KIND_SHARES))]


def draw_said_error(
    phones: Sequence[Phones],
    variants: Sequence[Collection[Phones]],
    places: Sequence[Place],
    kind: Kind,
    rng: np.random.Generator,
) -> Planted | None:
    """An error in what is said.

    Args:
        phones: canonical phones of each word.
        variants: accepted pronunciations of each word.
        places: where an error may be.
        kind: of error.
        rng: draws.

    Returns: the error, or None if none of the places takes one.
    """
    for index in rng.permutation(len(places)).tolist():
        place = places[index]
        word = phones[place.word]
        before, after = neighbours(phones, place)
        own = word[place.phone]
        said: str | None
        if kind == "deletion":
            if own in (before, after):
                continue
            said = None
        elif kind == "insertion":
            said = _drawn(SAID_AFTER[own not in VOWELS].split(), {own, after}, rng)
        else:
            said = _drawn(SAID_INSTEAD[own].split(), {own, before, after}, rng)
        planted = Planted(kind=kind, place=place, canonical=None if kind == "insertion" else own, said=said)
        if applied(word, planted) not in variants[place.word]:
            return planted
    return None


def draw_text_error(
    phones: Sequence[Phones],
    variants: Sequence[Collection[Phones]],
    places: Sequence[Place],
    kind: Kind,
    rng: np.random.Generator,
) -> TextError | None:
    """An error made by changing what should be said, so that what was said is wrong.

    A substitution changes a canonical phone; a deletion adds one to the text, which nobody said; an insertion takes
    one out of it, which somebody said. Arguments as for `draw_said_error`; `phones` is what was said.
    """
    for index in rng.permutation(len(places)).tolist():
        found = _text_error(phones, places[index], kind, rng)
        if found is not None and found.phones[places[index].word] not in variants[places[index].word]:
            return found
    return None


def _text_error(phones: Sequence[Phones], place: Place, kind: Kind, rng: np.random.Generator) -> TextError | None:
    """The error of a kind at a place; None if it cannot be made there."""
    word = phones[place.word]
    before, after = neighbours(phones, place)
    own, at = word[place.phone], place.phone
    if kind == "insertion":
        # The word keeps two phones, so that it can tell which of them is at fault; its first has none before it.
        if at == 0 or len(word) < 3 or own in (before, after) or before == after:
            return None
        planted = Planted(kind=kind, place=Place(word=place.word, phone=at - 1), canonical=None, said=own)
        changed = (*word[:at], *word[at + 1 :])
    elif kind == "deletion":
        canonical = _drawn([], {own, after}, rng)
        planted = Planted(kind=kind, place=Place(word=place.word, phone=at + 1), canonical=canonical, said=None)
        changed = (*word[: at + 1], canonical, *word[at + 1 :])
    else:
        confusable = [phone for phone, errors in SAID_INSTEAD.items() if own in errors.split()]
        canonical = _drawn(confusable, {own, before, after}, rng)
        planted = Planted(kind=kind, place=place, canonical=canonical, said=own)
        changed = (*word[:at], canonical, *word[at + 1 :])
    return TextError(planted=planted, phones=(*phones[: place.word], changed, *phones[place.word + 1 :]))


def _drawn(plausible: Sequence[str], excluded: set[str | None], rng: np.random.Generator) -> str:
    """A plausible phone, or any; none of those excluded."""
    likely = [phone for phone in plausible if phone not in excluded]
    others = [phone for phone in PHONES if phone not in excluded]
    return str(rng.choice(likely if likely and rng.random() < PLAUSIBLE_SHARE else others))


def neighbours(phones: Sequence[Phones], place: Place) -> tuple[str | None, str | None]:
    """The phones before and behind a place in the sentence."""
    flat = [phone for word in phones for phone in word]
    at = flat_index(phones, place)
    return flat[at - 1] if at else None, flat[at + 1] if at + 1 < len(flat) else None


def flat_index(phones: Sequence[Phones], place: Place) -> int:
    """Number of a place in the sentence."""
    return sum(map(len, phones[: place.word])) + place.phone
