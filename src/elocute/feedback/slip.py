"""One thing that went wrong at one phone, and where in its word: what advice is given for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from elocute.errors import PhoneError
from elocute.phones import PHONES, VOWELS

Level = Literal["child", "learner", "teacher"]
LEVELS: tuple[Level, ...] = ("child", "learner", "teacher")
Place = Literal["initial", "medial", "final"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What should have been said, what was said, and beside what.

    Attributes:
        expected: ARPABET without stress; None for a sound that was added.
        actual: what was said; None for nothing, `expected` itself for a sound that was right but unclear.
        word: as written; None where advice is given for no word in particular.
        phones: canonical phones of the word, without stress; empty where there is no word.
        index: place of `expected` among them, or of the phone before which a sound was added.
        is_reduced: whether `expected` is a weak vowel: the first of "about", the last of "teacher".
    """

    expected: str | None
    actual: str | None
    word: str | None = None
    phones: tuple[str, ...] = ()
    index: int = 0
    is_reduced: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no slip.

        Raises:
            PhoneError: a phone that is not one of the 39, or none at all.
        """
        if self.expected is None and self.actual is None:
            raise PhoneError("nothing was expected and nothing said; give at least one ARPABET phone")
        for phone in (self.expected, self.actual, *self.phones):
            if phone is not None and phone not in PHONES:
                raise PhoneError(f"{phone!r} is no phone; expected one of {' '.join(PHONES)}, without stress")

    @property
    def kind(self) -> Literal["substitution", "deletion", "insertion", "distortion"]:
        """What sort of slip it is."""
        if self.expected is None:
            return "insertion"
        if self.actual is None:
            return "deletion"
        return "distortion" if self.actual == self.expected else "substitution"

    @property
    def sounds(self) -> tuple[str, str]:
        """The same for slips that are one confusion: what was expected and what was said, "-" for nothing."""
        return self.expected or "-", self.actual or "-"

    @property
    def before(self) -> str | None:
        """Canonical phone just before the place; None at the beginning of the word, or without one."""
        return self.phones[self.index - 1] if 0 < self.index <= len(self.phones) else None

    @property
    def after(self) -> str | None:
        """Canonical phone just after the place; None at the end of the word, or without one."""
        index = self.index if self.expected is None else self.index + 1
        return self.phones[index] if self.phones and index < len(self.phones) else None

    @property
    def place(self) -> Place | None:
        """Where in the word it is; None without a word."""
        if not self.phones:
            return None
        if self.before is None:
            return "initial"
        return "final" if self.after is None else "medial"

    @property
    def nth(self) -> int | None:
        """Which of several like it in the word `expected` is, from 1: of the vowels, or of equal consonants."""
        if self.expected is None or not self.phones:
            return None
        like = VOWELS if self.expected in VOWELS else {self.expected}
        places = [index for index, phone in enumerate(self.phones) if phone in like]
        return places.index(self.index) + 1 if len(places) > 1 else None

    @property
    def is_beside_vowel(self) -> bool:
        """Whether a vowel stands right before or after."""
        return self.before in VOWELS or self.after in VOWELS

    @property
    def is_in_cluster(self) -> bool:
        """Whether consonants stand side by side there."""
        beside = [phone for phone in (self.before, self.after) if phone is not None and phone not in VOWELS]
        if self.expected is None:
            return len(beside) == 2
        return self.expected not in VOWELS and bool(beside)
