"""The teacher's wording: IPA, the features that changed, the name of the pattern, and the cue for the learner."""

from __future__ import annotations

from elocute.feedback.slip import Slip
from elocute.phones import VOWELS, ipa_name
from elocute.phones.articulation import CONSONANTS, VOWEL_SOUNDS, Vowel

_PLACES = {
    0.0: "bilabial", 0.5: "labiodental", 1.0: "dental", 1.5: "alveolar", 2.0: "postalveolar", 2.5: "palatal",
    3.5: "velar", 5.0: "glottal",
}  # fmt: skip
_SPECIAL = {
    "W": "voiced labial-velar approximant", "Y": "voiced palatal approximant", "R": "voiced postalveolar approximant",
    "L": "voiced alveolar lateral approximant",
}  # fmt: skip
_STOPS = frozenset("PTK")
_AUDIBLE = 0.3
"""Difference of a feature of two vowels from which it is named."""
_TH_SAID_AS = {
    "T": "th-stopping", "D": "th-stopping", "F": "th-fronting", "V": "th-fronting", "S": "th-alveolarisation",
    "Z": "th-alveolarisation",
}  # fmt: skip
_MERGERS = {("IH", "IY"): "tense-lax merger", ("UH", "UW"): "tense-lax merger", ("L", "R"): "liquid merger"}
_VOICELESS = {"B": "P", "D": "T", "G": "K", "V": "F", "Z": "S", "DH": "TH", "ZH": "SH", "JH": "CH"}


def described(phone: str) -> str:
    """What phoneticians call a phone.

    >>> described("TH"), described("IY")
    ('voiceless dental fricative', 'close front unrounded tense vowel')
    """
    if phone in VOWELS:
        return _vowel(phone)
    if phone in _SPECIAL:
        return _SPECIAL[phone]
    mine = CONSONANTS[phone]
    if mine.is_nasal:
        manner = "nasal"
    else:
        manner = {0.0: "plosive", 0.5: "affricate", 1.0: "fricative"}[mine.manner]
        manner = f"sibilant {manner}" if mine.is_sibilant and mine.manner == 1.0 else manner
    return f"{'voiced' if mine.is_voiced else 'voiceless'} {_PLACES[mine.place]} {manner}"


def _vowel(phone: str) -> str:
    """What phoneticians call a vowel."""
    mine = VOWEL_SOUNDS[phone]
    if mine.is_rhotic:
        return "mid central r-coloured vowel"
    if mine.glide:
        goal = "front" if mine.glide < 0 else "back"
        depth = "wide" if abs(mine.glide) == 1.0 else "narrow"
        begin = "rounded" if mine.roundness > 0.5 else "unrounded"
        return f"{depth} diphthong with {begin} onset, closing towards close {goal}"
    heights = ((0.3, "close"), (1.0, "near-close"), (1.7, "mid"), (2.3, "open-mid"), (2.8, "near-open"), (9, "open"))
    height = next(name for bound, name in heights if mine.height < bound)
    back = "front" if mine.backness < 0.7 else "central" if mine.backness < 1.4 else "back"
    rounded = "rounded" if mine.roundness >= 0.5 else "unrounded"
    return f"{height} {back} {rounded} {'tense' if mine.length >= 1.0 else 'lax'} vowel"


def changes(expected: str, actual: str) -> str:
    """Which features changed, from what should have been to what was.

    >>> changes("TH", "S")
    'place: dental to alveolar; sibilance: added'
    """
    if (expected in VOWELS) != (actual in VOWELS):
        return "class: vowel to consonant" if expected in VOWELS else "class: consonant to vowel"
    if expected in VOWELS:
        found = _vowel_changes(VOWEL_SOUNDS[expected], VOWEL_SOUNDS[actual])
    else:
        found = _consonant_changes(expected, actual)
    return "; ".join(found)


def _vowel_changes(mine: Vowel, theirs: Vowel) -> list[str]:
    """Which features of a vowel changed."""
    found = []
    for name, one, other, words in (
        ("height", mine.height, theirs.height, ("raised", "lowered")),
        ("backness", mine.backness, theirs.backness, ("fronted", "backed")),
        ("lips", mine.roundness, theirs.roundness, ("unrounded", "rounded")),
        ("length", mine.length, theirs.length, ("shortened, lax", "lengthened, tense")),
    ):
        if abs(one - other) >= _AUDIBLE:
            found.append(f"{name}: {words[other > one]}")
    if mine.glide != theirs.glide:
        kind = "changed" if mine.glide and theirs.glide else "lost" if mine.glide else "added"
        found.append(f"glide: {kind}")
    if mine.is_rhotic != theirs.is_rhotic:
        found.append(f"r-colour: {'lost' if mine.is_rhotic else 'added'}")
    return found


def _consonant_changes(expected: str, actual: str) -> list[str]:
    """Which features of a consonant changed."""
    one, other = CONSONANTS[expected], CONSONANTS[actual]
    found = []
    if one.place != other.place:
        found.append(f"place: {_PLACES[one.place]} to {_PLACES[other.place]}")
    if _manner(expected) != _manner(actual):
        found.append(f"manner: {_manner(expected)} to {_manner(actual)}")
    if one.is_sibilant != other.is_sibilant:
        found.append(f"sibilance: {'lost' if one.is_sibilant else 'added'}")
    if one.is_voiced != other.is_voiced:
        found.append(f"voicing: {'lost' if one.is_voiced else 'added'}")
    return found


def _manner(phone: str) -> str:
    """Manner of a consonant in one word."""
    if phone in ("L", "R", "W", "Y"):
        return {"L": "lateral", "R": "rhotic", "W": "glide", "Y": "glide"}[phone]
    if CONSONANTS[phone].is_nasal:
        return "nasal"
    return {0.0: "plosive", 0.5: "affricate", 1.0: "fricative"}[CONSONANTS[phone].manner]


def pattern(slip: Slip) -> str | None:
    """The name of a well-known pattern that a slip belongs to."""
    if slip.kind == "insertion":
        return _added(slip)
    if slip.kind == "deletion":
        if slip.expected in VOWELS:
            return "syncope"
        if slip.is_in_cluster:
            return "cluster reduction"
        return "final-consonant deletion" if slip.place == "final" else None
    return _changed(slip)


def _added(slip: Slip) -> str:
    """The pattern of an added sound."""
    if slip.actual in VOWELS:
        if slip.place == "medial" and slip.is_in_cluster:
            return "anaptyxis (vowel in a cluster)"
        if slip.place == "initial" and slip.after is not None and slip.after not in VOWELS:
            return "prothesis (vowel before the first consonant)"
        if slip.place == "final" and slip.before is not None and slip.before not in VOWELS:
            return "paragoge (vowel after the last consonant)"
    return "epenthesis"


def _changed(slip: Slip) -> str | None:
    """The pattern of a sound that became another one."""
    expected, actual = slip.sounds
    if _VOICELESS.get(expected) == actual:
        return "final devoicing" if slip.place == "final" else "devoicing"
    if _VOICELESS.get(actual) == expected:
        return "missing aspiration" if expected in _STOPS and slip.place == "initial" else "voicing"
    if expected in ("TH", "DH"):
        return _TH_SAID_AS.get(actual)
    return _MERGERS.get((min(expected, actual), max(expected, actual)))


def teacher_told(slip: Slip) -> str:
    """What happened, in IPA; one sentence."""
    where = "" if slip.word is None else f" in “{slip.word}”"
    place = "" if slip.place is None else f", word-{slip.place}"
    if slip.expected is None:
        return f"An extra [{_ipa(slip.actual)}] was inserted{where}{place}."
    target = ipa_name(slip.expected, 0 if slip.is_reduced else None)
    if slip.actual is None:
        return f"/{target}/{where}{place} was deleted."
    if slip.kind == "distortion":
        return f"/{target}/{where}{place} was recognisable but heavily accented."
    return f"/{target}/{where}{place} was realised as [{_ipa(slip.actual)}]."


def teacher_did(slip: Slip) -> str:
    """What changed, in the terms of phonetics; one or two sentences."""
    if slip.expected is None:
        facts = f"Inserted: {described(slip.actual or '')}"
    elif slip.actual is None:
        facts = f"Missing: {described(slip.expected)}"
    elif slip.kind == "distortion":
        facts = f"Target: {described(slip.expected)}"
    else:
        facts = (
            f"Target: {described(slip.expected)}; heard: {described(slip.actual)}; "
            f"{changes(slip.expected, slip.actual)}"
        )
    name = pattern(slip)
    return f"{facts}." if name is None else f"{facts}. Pattern: {name}."


def _ipa(phone: str | None) -> str:
    """IPA of a phone."""
    return ipa_name(phone or "")
