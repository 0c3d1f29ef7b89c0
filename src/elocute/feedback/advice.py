"""Advice for one slip: what happened, what the mouth did, the movement that mends it, and what to practise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from elocute.feedback.first_language import reason
from elocute.feedback.known import KNOWN, PLACED, WEAK, Known
from elocute.feedback.lost_and_added import added_did, added_mend, lost_did, lost_mend
from elocute.feedback.movements import movements
from elocute.feedback.practice import minimal_pairs
from elocute.feedback.slip import Level, Slip
from elocute.feedback.sounds import REDUCED, SOUNDS
from elocute.feedback.teacher import teacher_did, teacher_told
from elocute.phones import VOWELS

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_MOST_PAIRS = 3
_REMEMBERED = 4096
"""So many texts are kept: learners make the same errors again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a teacher would say about one slip; every field is whole sentences.

    Attributes:
        told: what happened: which sound, in which word, sounded like which.
        did: what the mouth did.
        because: what the first language has to do with it; None where that is not known, or it explains nothing.
        mend: the movement that mends it.
        minimal_pairs: words to compare, "sick/thick": as it sounded, as it should; empty where English has none.
    """

    told: str
    did: str
    because: str | None
    mend: str
    minimal_pairs: tuple[str, ...]

    @property
    def message(self) -> str:
        """What went wrong."""
        return " ".join(filter(None, (self.told, self.did, self.because)))

    @property
    def suggestion(self) -> str:
        """All of it in one line."""
        pairs = f" Compare {_listed(self.minimal_pairs)}." if self.minimal_pairs else ""
        return f"{self.message} {self.mend}{pairs}"


@lru_cache(_REMEMBERED)
def advise(slip: Slip, level: Level = "learner", l1: str | None = None) -> Advice:
    """Advice for a slip, in the words of a child, a learner or a teacher; `l1` is the first language, where known.

    Raises:
        ConfigError: there is no profile of the first language.
    """
    because = None if l1 is None else reason(slip, l1, level)
    expected, actual = slip.sounds
    is_doubled = slip.expected is None and actual in VOWELS and slip.is_beside_vowel
    pairs = () if is_doubled else minimal_pairs(expected, actual, place=slip.place, level=level, most=_MOST_PAIRS)
    did, mend = _mouth(slip, "learner" if level == "teacher" else level)
    if level == "teacher":
        first, second, mend = teacher_told(slip), teacher_did(slip), f"Cue: {mend}"
    else:
        first, second = told(slip), did
    return Advice(told=first, did=second, because=because, mend=mend, minimal_pairs=pairs)


def _mouth(slip: Slip, level: Level) -> tuple[str, str]:
    """What the mouth did, and the movement that mends it."""
    if slip.actual is None:
        return lost_did(slip, level), lost_mend(slip, level)
    if slip.expected is None:
        return added_did(slip, level), added_mend(slip, level)
    is_child = level == "child"
    if slip.is_reduced and slip.expected in WEAK and slip.kind == "substitution":
        heard = SOUNDS[slip.actual]
        return heard.child_did if is_child else heard.did, WEAK[slip.expected][is_child]
    known = _known(slip)
    if known is not None:
        return (known.child_did, known.child_mend) if is_child else (known.did, known.mend)
    mine, theirs = SOUNDS[slip.expected], SOUNDS[slip.actual]
    if slip.kind == "distortion":
        almost = (
            "You are nearly there." if is_child else "Your mouth was close to the right place, but not quite there."
        )
        return almost, mine.child_do if is_child else mine.do
    return theirs.child_did if is_child else theirs.did, movements(slip.expected, slip.actual, level)


def _known(slip: Slip) -> Known | None:
    """What is hand-written for a confusion: at its place, else anywhere."""
    expected, actual = slip.sounds
    placed = None if slip.place is None else PLACED.get((expected, actual, slip.place))
    return placed or KNOWN.get((expected, actual))


def told(slip: Slip) -> str:
    """What happened, in plain words."""
    start = "" if slip.word is None else f"In “{slip.word}”, "
    if slip.expected is None:
        text = f"{start}there was an extra {_named(slip.actual)}."
    elif slip.actual is None:
        text = f"{start}{_which(slip)} was left out."
    elif slip.kind == "distortion":
        text = f"{start}{_which(slip)} was not clear."
    else:
        text = f"{start}{_which(slip)} sounded like {_example(slip.actual)}."
        if slip.word is not None and not _shows(slip.word, slip.expected):
            text += f" It should be like {_target(slip)}."
    return text[0].upper() + text[1:]


def _shows(word: str, phone: str) -> bool:
    """Whether a word is itself the example of a phone, or spells a consonant as everybody knows it."""
    sound = SOUNDS[phone]
    if word.lower() == sound.keyword:
        return True
    return phone not in VOWELS and phone not in ("TH", "DH", "ZH") and sound.label in word.lower()


def _which(slip: Slip) -> str:
    """The sound that should have been said, by its place in the word."""
    phone = slip.expected or ""
    number = "" if slip.nth is None else f"{_ORDINALS[min(slip.nth, len(_ORDINALS)) - 1]} "
    if slip.word is None:
        return _target(slip)
    return f"the {number}vowel" if phone in VOWELS else f"the {number}“{SOUNDS[phone].label}”"


def _target(slip: Slip) -> str:
    """The sound that should have been said, by a word that has it."""
    phone = slip.expected or ""
    if slip.is_reduced and phone in REDUCED:
        label, keyword = REDUCED[phone]
        return f"the “{label}” in “{keyword}”"
    return _example(phone)


def _example(phone: str) -> str:
    """A sound by a word that has it."""
    sound = SOUNDS[phone]
    if phone == "ZH":
        return f"the “s” in “{sound.keyword}”"
    return f"the “{sound.label}” in “{sound.keyword}”"


def _named(phone: str | None) -> str:
    """A sound that was added."""
    sound = SOUNDS[phone or ""]
    if phone in VOWELS or phone in ("TH", "DH", "ZH"):
        return f"sound, {_example(phone or '')}"
    return f"“{sound.label}”"


def _listed(pairs: tuple[str, ...]) -> str:
    """“a” and “b”, “c” and “d”."""
    return ", ".join(pairs)
