"""Step 2/10 - which words will be hard for speakers of a first language, and why, before a word is spoken.

Each word has risks: phones that the language lacks or uses otherwise, consonants at its end and in a row, its stress.
A risk has a likelihood from the profile of the language. The difficulty of a word is the probability that at least one
of its risks comes true, were they independent: 1 - product of (1 - likelihood). It says nothing of one person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from elocute.phones.inventory import VOWELS
from elocute.phones.l1 import L1Profile, places_of
from elocute.types import Canonical, Word

RiskKind = Literal["missing sound", "other sound", "final consonant", "consonants in a row", "word stress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One thing that may go wrong in a word.

    Attributes:
        kind: a phone that the language lacks, one that it uses otherwise, what becomes of consonants at the end or in
            a row, or the stress.
        phone_index: of the phone in its word; of an added vowel the phone that it precedes, the number of phones at the
            end; None for stress.
        phone: the phone; None for an added vowel and for stress.
        likelihood: that it goes wrong, 0 to 1.
        instead: what may be said, likeliest first, with its likelihood; None is nothing.
        reason: why, in a sentence.
    """

    kind: RiskKind
    phone_index: int | None
    phone: str | None
    likelihood: float
    instead: tuple[tuple[str | None, float], ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordDifficulty:
    """How hard one word is.

    Attributes:
        word: as it is written.
        index: of the word in the text.
        phones: ARPABET, without stress digits.
        difficulty: probability that at least one risk comes true, 0 to 1.
        risks: likeliest first.
    """

    word: str
    index: int
    phones: tuple[str, ...]
    difficulty: float
    risks: tuple[Risk, ...]


def predict_difficulty(canonical: Canonical, profile: L1Profile) -> tuple[WordDifficulty, ...]:
    """Difficulty of every word of a text, in the order of the text."""
    return tuple(_of_word(index, word, profile) for index, word in enumerate(canonical))


def difficulty_of(risks: tuple[Risk, ...]) -> float:
    """Probability that at least one of some independent risks comes true.

    >>> difficulty_of(())
    0.0
    """
    right = 1.0
    for risk in risks:
        right *= 1.0 - risk.likelihood
    return 1.0 - right


def risks_of(phones: tuple[str, ...], syllables: int, profile: L1Profile) -> tuple[Risk, ...]:
    """What may go wrong in a word, likeliest first.

    Args:
        phones: ARPABET, without stress digits.
        syllables: of the word.
        profile: of the first language.
    """
    found = [risk for index in range(len(phones)) if (risk := _phone_risk(phones, index, profile))]
    found += [risk for gap in range(len(phones) + 1) if (risk := _vowel_risk(phones, gap, profile))]
    if syllables > 1:
        found.append(
            Risk(
                kind="word stress",
                phone_index=None,
                phone=None,
                likelihood=profile.stress_misplaced,
                instead=(),
                reason=profile.stress_note,
            )
        )
    return tuple(sorted(found, key=lambda risk: -risk.likelihood))


def _of_word(index: int, word: Word, profile: L1Profile) -> WordDifficulty:
    """How hard one word is."""
    phones = tuple(phone.symbol for phone in word.phones)
    risks = risks_of(phones, 1 + max(phone.syllable_index for phone in word.phones), profile)
    return WordDifficulty(
        word=word.text, index=index, phones=phones, difficulty=round(difficulty_of(risks), 4), risks=risks
    )


def _phone_risk(phones: tuple[str, ...], index: int, profile: L1Profile) -> Risk | None:
    """What may become of a phone; None if nothing is expected."""
    instead = profile.said_instead(phones, index)
    if not instead:
        return None
    phone = phones[index]
    reason, kind = _why(phones, index, profile, next(iter(instead)))
    return Risk(
        kind=kind,
        phone_index=index,
        phone=phone,
        likelihood=round(sum(instead.values()), 4),
        instead=tuple(instead.items()),
        reason=reason,
    )


def _why(phones: tuple[str, ...], index: int, profile: L1Profile, likeliest: str | None) -> tuple[str, RiskKind]:
    """Why a phone is hard where it stands; its likeliest error decides."""
    phone, places = phones[index], places_of(phones, index)
    own = profile.phones.get(phone)
    says_so = own is not None and any(one.said == likeliest and one.place in places for one in own.substitutes)
    if own is not None and (says_so or own.is_lacking):
        return own.reason, "missing sound" if own.is_lacking else "other sound"
    is_final = "final" in places and phone not in VOWELS
    if is_final and (likeliest is not None or profile.finals.left_out >= profile.clusters.left_out):
        return profile.finals.note, "final consonant"
    return profile.clusters.note, "consonants in a row"


def _vowel_risk(phones: tuple[str, ...], gap: int, profile: L1Profile) -> Risk | None:
    """A vowel that may slip in before a phone, or behind the last; None if none is expected."""
    likelihood = profile.vowel_added(phones, gap)
    if not likelihood:
        return None
    is_end = gap == len(phones)
    habit = profile.finals if is_end else profile.clusters
    return Risk(
        kind="final consonant" if is_end else "consonants in a row",
        phone_index=gap,
        phone=None,
        likelihood=likelihood,
        instead=((habit.vowel, likelihood),),
        reason=habit.note,
    )
