"""Advice for sounds that were left out, and for sounds that were added: by what the mouth did not do, and by place."""

from __future__ import annotations

from elocute.feedback.slip import Level, Slip
from elocute.feedback.sounds import SOUNDS
from elocute.phones import VOWELS
from elocute.phones.articulation import CONSONANTS

_STOPS = frozenset("P B T D K G".split())


def lost_did(slip: Slip, level: Level) -> str:
    """What the mouth did not do, where a sound was left out; one sentence."""
    phone = slip.expected or ""
    is_child = level == "child"
    if phone in VOWELS and _is_only_vowel(slip):
        return "You rushed over the middle." if is_child else "Your mouth did not open long enough for it."
    if phone in VOWELS:
        return "You jumped over a beat of the word." if is_child else "One beat of the word was lost."
    organ = _organ(phone, is_child=is_child)
    if slip.place == "final":
        return f"You stopped too soon: {organ}." if is_child else f"Your mouth stopped too soon: {organ}."
    if slip.is_in_cluster:
        return (
            f"Two sounds sit side by side, and {organ}."
            if is_child
            else f"Two consonants stand side by side here, and {organ}."
        )
    return f"You hurried: {organ}." if is_child else f"You went on too fast: {organ}."


def _is_only_vowel(slip: Slip) -> bool:
    """Whether the word has no other vowel, so that no beat can be lost."""
    return sum(phone in VOWELS for phone in slip.phones) == 1


def _organ(phone: str, *, is_child: bool) -> str:
    """What did not move, as half a sentence."""
    mine = CONSONANTS[phone]
    if phone == "HH":
        return "no breath came out"
    if phone == "R":
        return "your tongue did not pull back"
    if phone == "W":
        return "your lips made no circle"
    if phone == "Y":
        return "your tongue did not start up at “ee”"
    if mine.place == 0.0:
        return "your lips did not close"
    if mine.place == 0.5:
        return "your teeth did not meet your lip"
    if mine.place == 1.0:
        return "your tongue did not come out between your teeth"
    if mine.place == 3.5:
        return "the back of your tongue did not go up"
    if mine.is_sibilant:
        return "there was no buzz" if mine.is_voiced else "there was no hiss"
    return "your tongue did not go up" if is_child else "the tip of your tongue did not go up"


def lost_mend(slip: Slip, level: Level) -> str:
    """How to put the sound back."""
    phone = slip.expected or ""
    is_child = level == "child"
    sound = SOUNDS[phone]
    whole = sound.child_do if is_child else sound.do
    if phone in VOWELS and _is_only_vowel(slip):
        return f"{'Sing it loud.' if is_child else 'Give it more time and voice.'} {whole}"
    if phone in VOWELS:
        beat = "Clap once for each beat, and do not skip one." if is_child else "Tap each beat with a finger."
        return f"{beat} {whole}"
    if slip.place == "final":
        if is_child:
            return f"Say the very last sound too. {whole}"
        if phone in _STOPS:
            return f"Finish the word. {whole} A small, quiet ending is enough, with no vowel after it."
        return f"Hold on to the end of the word. {whole}"
    if slip.is_in_cluster:
        return f"{_beside(slip)} {whole}"
    return f"{'Slow down a bit.' if is_child else 'Take your time for it.'} {whole}"


def _beside(slip: Slip) -> str:
    """Which of two neighbours comes first."""
    label = SOUNDS[slip.expected or ""].label
    if slip.before is not None and slip.before not in VOWELS:
        return f"First say “{SOUNDS[slip.before].label}”, then “{label}”, with nothing between."
    return f"First say “{label}”, then “{SOUNDS[slip.after or ''].label}”, with nothing between."


def added_did(slip: Slip, level: Level) -> str:
    """What the mouth did, where a sound was added; one sentence."""
    phone = slip.actual or ""
    sound = SOUNDS[phone]
    is_child = level == "child"
    if phone not in VOWELS:
        return sound.child_did if is_child else sound.did
    if slip.place == "final" and slip.before is not None and slip.before not in VOWELS:
        return (
            "You sang on after the word was over."
            if is_child
            else "Your mouth opened again after the last sound, so the word got a beat too many."
        )
    if slip.place == "initial" and slip.after is not None and slip.after not in VOWELS:
        return (
            "You sang before the word began."
            if is_child
            else "Your voice came on before the first sound, so the word got a beat too many."
        )
    if slip.is_in_cluster:
        return (
            "You put a little song between two sounds."
            if is_child
            else "Your mouth opened between two consonants, so the word got a beat too many."
        )
    return sound.child_did if is_child else sound.did


def added_mend(slip: Slip, level: Level) -> str:
    """How to leave the sound out."""
    phone = slip.actual or ""
    is_child = level == "child"
    left = None if slip.before is None else _neighbour(slip.before)
    right = None if slip.after is None else _neighbour(slip.after)
    if phone in VOWELS and slip.is_beside_vowel:
        return (
            "Sing one sound here, not two. Keep your mouth still."
            if is_child
            else "Say one vowel here, not two. Keep your mouth still until the next consonant."
        )
    if phone in VOWELS and left and right and slip.is_in_cluster:
        return (
            f"Jump from {left} right to {right}. Keep your mouth small."
            if is_child
            else f"Get ready for {right} while you still say {left}, so that your mouth has no time to open."
        )
    if phone in VOWELS and slip.place == "final" and left and slip.before not in VOWELS:
        return (
            f"Stop on {left}, then freeze like a statue."
            if is_child
            else f"Stop on {left} and keep your mouth as it is. Your voice ends there."
        )
    if phone in VOWELS and slip.place == "initial" and right and slip.after not in VOWELS:
        return (
            f"Start right away with {right}."
            if is_child
            else f"Get your mouth ready for {right} before you make any sound, and start with that."
        )
    if slip.before == "NG" and phone in ("G", "K"):
        return (
            "Hum like a bell and stop while you hum: nggg."
            if is_child
            else "Keep the back of your tongue up until the hum has ended. Then nothing can pop."
        )
    return _plain(phone, left, right, is_child=is_child)


def _neighbour(phone: str) -> str:
    """A sound beside the place: letters may not show a vowel."""
    return "the vowel" if phone in VOWELS else f"“{SOUNDS[phone].label}”"


def _plain(phone: str, left: str | None, right: str | None, *, is_child: bool) -> str:
    """How to leave a sound out where nothing special is known of the place."""
    if left and right:
        way = f"Go straight from {left} to {right}."
    elif left:
        way = f"End the word on {left}."
    elif right:
        way = f"Start the word with {right}."
    else:
        way = "Go straight on to the next sound."
    return f"{way} {_kept_still(phone, is_child=is_child)}"


def _kept_still(phone: str, *, is_child: bool) -> str:
    """What must not move, so that a sound cannot come about."""
    if phone in VOWELS:
        return "Keep your mouth small here." if is_child else "Do not open your mouth for a vowel here."
    mine = CONSONANTS[phone]
    if phone == "HH":
        return "Do not breathe out first." if is_child else "No breath may come before your voice."
    if phone == "R":
        return "No growl here." if is_child else "Keep your tongue flat: it must not pull back."
    if phone == "W":
        return "No kiss here." if is_child else "Your lips must not make a circle on the way."
    if phone == "Y":
        return "Do not slide." if is_child else "Your tongue must not start from “ee”."
    if mine.is_nasal:
        return "Do not hum in your nose." if is_child else "Let no air out of your nose."
    if mine.place < 1:
        return "Keep your lips open." if is_child else "Your lip must not touch anything on the way."
    if mine.is_sibilant:
        return "Do not hiss or buzz." if is_child else "Leave a wide gap, so that nothing hisses or buzzes."
    if mine.place == 3.5:
        return (
            "The back of your tongue stays down."
            if is_child
            else "Keep the back of your tongue down, so that it cannot pop."
        )
    return (
        "The tip of your tongue stays down." if is_child else "Keep the tip of your tongue down, so that it cannot tap."
    )
