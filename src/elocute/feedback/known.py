"""Hand-written advice for the confusions that learners of English make most: what happened, and what mends it.

Chosen from the confusions that textbooks of English phonetics list for many first languages. Where a text is here, it
replaces what `movements` would put together. `place` narrows it to a place in the word.
"""

from __future__ import annotations

from dataclasses import dataclass

from elocute.feedback import known_consonants, known_vowels
from elocute.feedback.slip import Place
from elocute.feedback.sounds import SOUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a teacher would say; `did` is what the mouth did, `mend` the movement that mends it."""

    did: str
    mend: str
    child_did: str
    child_mend: str


def _known(did: str, mend: str, child_did: str, child_mend: str) -> Known:
    """One row of the table."""
    return Known(did=did, mend=mend, child_did=child_did, child_mend=child_mend)


KNOWN: dict[tuple[str, str], Known] = {
    confusion: _known(*texts) for confusion, texts in (known_consonants.TEXTS | known_vowels.TEXTS).items()
}
"""By what was expected and what was said."""

WEAK: dict[str, tuple[str, str]] = {
    "AH": (
        "This beat is weak. Leave your mouth loose, half shut, and say it as short as you can: uh.",
        "Whisper this part, tiny and lazy: uh.",
    ),
    "ER": (
        "This beat is weak. Say it short and softly, and only pull your tongue back for the “r”.",
        "Say this part softly, with a tiny growl: er.",
    ),
}
"""What mends a weak vowel, for a learner and for a child, whatever was said instead."""

FINAL_DEVOICED = _known(
    "Your voice stopped too soon, at the end of the word.",
    "Stretch the vowel before it, and keep your voice on to the very end. A soft end with voice is better than a "
    "strong one without.",
    "Your voice fell asleep before the end.",
    "Make the word longer, and keep your voice awake to the very end.",
)
"""For a voiced sound at the end of a word that lost its voice."""

INITIAL_NO_PUFF: dict[str, Known] = {
    "P": _known(
        "There was no puff of air at the start of the word, so it sounded soft.",
        "Close your lips, let the air press behind them, and open with a strong puff. Hold a strip of paper in front "
        "of your lips: it must jump. Only then does your voice start.",
        "You forgot the puff at the start.",
        "Hold your hand in front of your mouth. Pop your lips, and feel a big puff: p!",
    ),
    "T": _known(
        "There was no puff of air at the start of the word, so it sounded soft.",
        "Press the tip of your tongue up, let the air press behind it, and let go with a strong puff. You should feel "
        "the air on your hand before your voice starts.",
        "You forgot the puff at the start.",
        "Hold your hand in front of your mouth. Tap your tongue, and feel a big puff: t!",
    ),
    "K": _known(
        "There was no puff of air at the start of the word, so it sounded soft.",
        "Press the back of your tongue up, let the air press behind it, and let go with a strong puff. You should feel "
        "the air on your hand before your voice starts.",
        "You forgot the puff at the start.",
        "Hold your hand in front of your mouth. Let go with a big puff: k!",
    ),
}
"""For P, T and K at the beginning of a word that sounded like B, D and G."""

_LATE: tuple[Place, ...] = ("medial", "final")


def _late_l(vowel: str) -> Known:
    """An L after a vowel that became a vowel itself."""
    return _known(
        f"The tip of your tongue stayed down, so the word went on like the vowel in “{SOUNDS[vowel].keyword}”.",
        "Let your lips go loose. At the end of the sound lift the tip of your tongue behind your top teeth, and "
        "keep it there while your voice goes on.",
        "Your tongue slept, so you sang a vowel.",
        "Wake up your tongue: its tip goes up behind your top teeth, and stays there.",
    )


PLACED: dict[tuple[str, str, Place], Known] = {
    ("P", "B", "initial"): INITIAL_NO_PUFF["P"],
    ("T", "D", "initial"): INITIAL_NO_PUFF["T"],
    ("K", "G", "initial"): INITIAL_NO_PUFF["K"],
    ("T", "D", "medial"): _known(
        "Your voice was on all the time.",
        "In the middle of a word many Americans only tap a “t”, and that is fine. For a clear one switch your voice "
        "off for a moment, and let a little air out.",
        "Your voice was on all the time.",
        "Stop your voice for a moment, and whisper it: t!",
    ),
}
"""The same for one place in the word alone, which wins."""
PLACED |= {
    (voiced, voiceless, "final"): FINAL_DEVOICED
    for voiced, voiceless in (
        ("B", "P"), ("D", "T"), ("G", "K"), ("V", "F"), ("Z", "S"), ("DH", "TH"), ("ZH", "SH"), ("JH", "CH"),
    )
}  # fmt: skip
PLACED |= {("L", vowel, place): _late_l(vowel) for vowel in ("AH", "AO", "OW", "UH", "UW") for place in _LATE}
