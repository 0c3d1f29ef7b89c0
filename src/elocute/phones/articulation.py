"""Step 2/10 - how the mouth makes each of the 39 phones, and how far apart two of them are.

Source: the chart of the International Phonetic Association (2020) for General American, in coarse numbers: only their
differences mean anything. A diphthong stands at its beginning, with where it glides to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elocute.errors import PhoneError
from elocute.phones.inventory import PHONES, VOWELS
from elocute.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Consonant:
    """A consonant.

    Attributes:
        place: 0 lips, 1 teeth, 1.5 alveolar ridge, 2 behind it, 2.5 palate, 3.5 velum, 5 glottis; lip to teeth is .5.
        manner: how free the air is: 0 stop, .5 affricate, 1 fricative, 2 lateral and rhotic, 2.5 glide.
        is_voiced: whether the vocal folds swing.
        is_nasal: whether the air goes through the nose.
        is_sibilant: whether it hisses.
    """

    place: float
    manner: float
    is_voiced: bool
    is_nasal: bool = False
    is_sibilant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vowel:
    """A vowel.

    Attributes:
        height: 0 close ("see") to 3 open ("father").
        backness: 0 front to 2 back.
        roundness: of the lips, 0 to 1.
        length: 0 short, 1 long or tense.
        glide: where a diphthong goes: -1 to the front ("day"), 1 to the back ("now"), 0 nowhere.
        is_rhotic: whether it is coloured by R.
    """

    height: float
    backness: float
    roundness: float = 0.0
    length: float = 0.0
    glide: float = 0.0
    is_rhotic: bool = False


CONSONANTS = {
    "B": Consonant(place=0.0, manner=0.0, is_voiced=True),
    "CH": Consonant(place=2.0, manner=0.5, is_voiced=False, is_sibilant=True),
    "D": Consonant(place=1.5, manner=0.0, is_voiced=True),
    "DH": Consonant(place=1.0, manner=1.0, is_voiced=True),
    "F": Consonant(place=0.5, manner=1.0, is_voiced=False),
    "G": Consonant(place=3.5, manner=0.0, is_voiced=True),
    "HH": Consonant(place=5.0, manner=1.0, is_voiced=False),
    "JH": Consonant(place=2.0, manner=0.5, is_voiced=True, is_sibilant=True),
    "K": Consonant(place=3.5, manner=0.0, is_voiced=False),
    "L": Consonant(place=1.5, manner=2.0, is_voiced=True),
    "M": Consonant(place=0.0, manner=0.0, is_voiced=True, is_nasal=True),
    "N": Consonant(place=1.5, manner=0.0, is_voiced=True, is_nasal=True),
    "NG": Consonant(place=3.5, manner=0.0, is_voiced=True, is_nasal=True),
    "P": Consonant(place=0.0, manner=0.0, is_voiced=False),
    "R": Consonant(place=2.0, manner=2.0, is_voiced=True),
    "S": Consonant(place=1.5, manner=1.0, is_voiced=False, is_sibilant=True),
    "SH": Consonant(place=2.0, manner=1.0, is_voiced=False, is_sibilant=True),
    "T": Consonant(place=1.5, manner=0.0, is_voiced=False),
    "TH": Consonant(place=1.0, manner=1.0, is_voiced=False),
    "V": Consonant(place=0.5, manner=1.0, is_voiced=True),
    "W": Consonant(place=0.0, manner=2.5, is_voiced=True),
    "Y": Consonant(place=2.5, manner=2.5, is_voiced=True),
    "Z": Consonant(place=1.5, manner=1.0, is_voiced=True, is_sibilant=True),
    "ZH": Consonant(place=2.0, manner=1.0, is_voiced=True, is_sibilant=True),
}
"""The 24 consonants."""

VOWEL_SOUNDS = {
    "AA": Vowel(height=3.0, backness=1.8, length=1.0),
    "AE": Vowel(height=2.6, backness=0.2, length=0.4),
    "AH": Vowel(height=2.0, backness=1.2),
    "AO": Vowel(height=2.2, backness=2.0, roundness=0.8, length=1.0),
    "AW": Vowel(height=2.9, backness=1.0, roundness=0.2, length=1.0, glide=1.0),
    "AY": Vowel(height=2.9, backness=1.0, length=1.0, glide=-1.0),
    "EH": Vowel(height=1.8, backness=0.2),
    "ER": Vowel(height=1.6, backness=1.0, roundness=0.2, length=0.7, is_rhotic=True),
    "EY": Vowel(height=1.2, backness=0.1, length=1.0, glide=-0.6),
    "IH": Vowel(height=0.6, backness=0.4),
    "IY": Vowel(height=0.0, backness=0.0, length=1.0),
    "OW": Vowel(height=1.3, backness=1.8, roundness=0.8, length=1.0, glide=0.6),
    "OY": Vowel(height=2.0, backness=1.9, roundness=0.7, length=1.0, glide=-1.0),
    "UH": Vowel(height=0.7, backness=1.6, roundness=0.7),
    "UW": Vowel(height=0.0, backness=1.8, roundness=1.0, length=1.0),
}
"""The 15 vowels."""

_KIN = {("W", "UW"): 0.7, ("W", "UH"): 0.8, ("Y", "IY"): 0.7, ("Y", "IH"): 0.8, ("R", "ER"): 0.5, ("L", "OW"): 0.9,
        ("L", "AO"): 0.9, ("L", "UH"): 0.9, ("W", "OW"): 0.9, ("R", "AH"): 0.9}  # fmt: skip
"""Consonants and the vowels that they turn into."""
_STRANGERS = 2.0
"""Distance of any other consonant from a vowel."""


def distance(one: str, other: str) -> float:
    """How far apart two phones are made: 0 for the same, about .3 for S and TH, 1 and more for strangers.

    >>> distance("S", "S"), distance("S", "Z") < distance("S", "TH") < distance("S", "M")
    (0.0, True)
    """
    if one not in PHONES or other not in PHONES:
        raise PhoneError(f"no distance between {one!r} and {other!r}; expected two of the 39 phones, without stress")
    if (one in VOWELS) != (other in VOWELS):
        consonant, vowel = (other, one) if one in VOWELS else (one, other)
        return _KIN.get((consonant, vowel), _STRANGERS)
    if one in VOWELS:
        a, b = VOWEL_SOUNDS[one], VOWEL_SOUNDS[other]
        return (
            0.3 * abs(a.height - b.height)
            + 0.3 * abs(a.backness - b.backness)
            + 0.2 * abs(a.roundness - b.roundness)
            + 0.2 * abs(a.length - b.length)
            + 0.4 * abs(a.glide - b.glide)
            + 0.4 * abs(a.is_rhotic - b.is_rhotic)
        )
    c, d = CONSONANTS[one], CONSONANTS[other]
    return (
        0.3 * min(abs(c.place - d.place), 2.0)
        + 0.35 * abs(c.manner - d.manner)
        + 0.2 * abs(c.is_voiced - d.is_voiced)
        + 0.5 * abs(c.is_nasal - d.is_nasal)
        + 0.15 * abs(c.is_sibilant - d.is_sibilant)
    )


def distances() -> Float64:
    """Distance of every pair, shape (39, 39), in the order of `PHONES`."""
    return np.array([[distance(one, other) for other in PHONES] for one in PHONES])
