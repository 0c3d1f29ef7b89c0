"""The one movement that mends a confusion, from how the two phones are made (`phones.articulation`), in plain words.

What differs most between the two is said first; two movements at most, because nobody can follow three at once. Where
more than that differs, the confused sound is no help, and the whole sound is described instead.
"""

from __future__ import annotations

from elocute.feedback.slip import Level
from elocute.feedback.sounds import SOUNDS
from elocute.phones import VOWELS
from elocute.phones.articulation import CONSONANTS, VOWEL_SOUNDS, Consonant, Vowel

_MOST_CHANGES = 2
"""So many features may differ for the confused sound to be of help."""
_GLIDES = frozenset("WYR")
_HEIGHT, _BACKNESS, _ROUNDNESS, _LENGTH, _GLIDE = 0.5, 0.7, 0.5, 0.4, 0.5
"""Differences of two vowels from which a movement is worth a sentence."""
_FAR = 1.2
"""Difference of height from which it is "much"."""


def movements(expected: str, actual: str, level: Level) -> str:
    """How to get from the sound that was said to the one that should have been; two or three short sentences."""
    is_child = level == "child"
    sound = SOUNDS[expected]
    whole = sound.child_do if is_child else sound.do
    if (expected in VOWELS) != (actual in VOWELS):
        return f"{_other_kind(expected, actual, is_child=is_child)} {whole}"
    if expected in VOWELS:
        changes = vowel_changes(VOWEL_SOUNDS[expected], VOWEL_SOUNDS[actual], is_child=is_child)
    else:
        changes = consonant_changes(expected, actual, is_child=is_child)
    if not changes or len(changes) > _MOST_CHANGES:
        return whole
    return f"{' '.join(changes)} {_anchor(expected, actual, is_child=is_child)}"


def _other_kind(expected: str, actual: str, *, is_child: bool) -> str:
    """How to get from a vowel to a consonant, or back."""
    if expected in VOWELS:
        if actual in _GLIDES:
            return (
                "Sing it long: it is not just a quick start."
                if is_child
                else "Hold the sound: it is a whole vowel, not a quick start."
            )
        return "Let your voice flow out." if is_child else "Keep the way free: nothing may touch or rub."
    if expected in _GLIDES:
        return "Make it quick." if is_child else "Make it quick: it is over before the next sound begins."
    if expected == "HH":
        return "Do not sing yet." if is_child else "Do not start your voice yet."
    return "Do not sing here." if is_child else "Do not leave your mouth so open here."


def _anchor(expected: str, actual: str, *, is_child: bool) -> str:
    """A way to find the sound and keep it."""
    mine, theirs = SOUNDS[expected], SOUNDS[actual]
    if expected in VOWELS:
        if is_child:
            return f"Say “{mine.keyword}” and keep that mouth."
        return f"Say “{mine.keyword}” and “{theirs.keyword}” in turn, then keep the mouth of “{mine.keyword}”."
    if is_child:
        return f"Then say “{mine.keyword}”, and “{theirs.keyword}”. Can you hear it?"
    return f"Go back and forth between “{theirs.keyword}” and “{mine.keyword}” to feel the change."


def vowel_changes(expected: Vowel, actual: Vowel, *, is_child: bool) -> list[str]:
    """What to change from one vowel to the other, the largest change first."""
    found: list[tuple[float, str]] = []
    up = actual.height - expected.height
    if abs(up) >= _HEIGHT:
        much = "much " if abs(up) >= _FAR else ""
        if up < 0:
            text = "Open your mouth wider." if is_child else f"Drop your jaw and open your mouth {much}more."
        else:
            text = "Close your mouth a bit." if is_child else f"Lift your jaw and close your mouth {much}more."
        found.append((0.8 * abs(up), text))
    forward = actual.backness - expected.backness
    if abs(forward) >= _BACKNESS:
        where = "forward, towards your teeth" if forward > 0 else "back, away from your teeth"
        text = f"Move your tongue {where.partition(',')[0] if is_child else where}."
        found.append((0.7 * abs(forward), text))
    rounder = expected.roundness - actual.roundness
    if abs(rounder) >= _ROUNDNESS:
        if rounder > 0:
            text = "Make your lips round." if is_child else "Round your lips and push them forward."
        else:
            text = "Do not make a round mouth." if is_child else "Pull your lips back: they must not be round."
        found.append((1.0 * abs(rounder), text))
    found += _glide(expected, actual, is_child=is_child)
    if expected.is_rhotic != actual.is_rhotic:
        found.append((1.6, _rhotic(expected.is_rhotic, is_child=is_child)))
    longer = expected.length - actual.length
    if abs(longer) >= _LENGTH:
        if longer > 0:
            text = "Hold it longer." if is_child else "Hold the sound longer."
        else:
            text = "Make it short." if is_child else "Keep the sound short and loose."
        found.append((0.6 * abs(longer), text))
    return [text for _, text in sorted(found, key=lambda item: -item[0])]


def _glide(expected: Vowel, actual: Vowel, *, is_child: bool) -> list[tuple[float, str]]:
    """Whether a vowel should slide, and where to."""
    if abs(expected.glide - actual.glide) < _GLIDE:
        return []
    if expected.glide == 0:
        return [(1.4, "Keep still: do not slide." if is_child else "Keep your mouth still, so that the sound stays.")]
    goal = "“oo”" if expected.glide > 0 else "“ee”"
    if is_child:
        return [(1.3, f"Slide to {goal} at the end.")]
    turn = f", not to {'“ee”' if expected.glide > 0 else '“oo”'}" if actual.glide * expected.glide < 0 else ""
    return [(1.3, f"Let the sound slide to {goal} at its end{turn}.")]


def _rhotic(is_wanted: bool, *, is_child: bool) -> str:
    """The R in a vowel."""
    if is_wanted:
        return "Pull your tongue back and growl." if is_child else "Pull your tongue back for the “r” in this sound."
    return "No growl here: keep your tongue flat." if is_child else "Keep your tongue flat: there is no “r” in it."


def consonant_changes(expected: str, actual: str, *, is_child: bool) -> list[str]:
    """What to change from one consonant to the other: the place first, then the way of the air, then the voice."""
    mine, theirs = CONSONANTS[expected], CONSONANTS[actual]
    changes = []
    if mine.place != theirs.place or "W" in (expected, actual):
        changes.append(_place(expected, theirs, is_child=is_child))
    if mine.is_nasal != theirs.is_nasal:
        changes.append(_nose(mine, is_child=is_child))
    if mine.manner != theirs.manner and expected not in ("W", "Y", "R", "HH"):
        changes.append(_manner(expected, theirs, is_child=is_child))
    if mine.is_sibilant != theirs.is_sibilant and mine.manner == theirs.manner == 1.0 and mine.place == theirs.place:
        changes.append(_hiss(mine, is_child=is_child))
    if mine.is_voiced != theirs.is_voiced:
        changes.append(_voice(mine, is_child=is_child))
    return [change for change in changes if change]


_PLACES: dict[str, tuple[str, str]] = {
    "W": ("Push your lips into a small circle; your teeth touch nothing.", "Make a kiss with your lips."),
    "R": ("Pull your tongue back until its tip touches nothing.", "Pull your tongue back; it touches nothing."),
    "HH": ("Let your tongue and lips rest; only breath comes out.", "Rest your tongue and lips."),
    "Y": ("Lift the middle of your tongue, as for “ee”, not its tip.", "Lift the middle of your tongue."),
    "lips": ("Close both lips; your tongue has nothing to do.", "Close both lips."),
    "lip": ("Rest your top teeth on the edge of your bottom lip.", "Put your top teeth on your bottom lip."),
    "teeth": (
        "Move your tongue forward until its tip shows between your teeth.",
        "Stick your tongue out a tiny bit between your teeth.",
    ),
    "teeth, from the lips": (
        "Leave your lips alone, and put the tip of your tongue between your teeth.",
        "Use your tongue: put it between your teeth.",
    ),
    "ridge": (
        "Lift the tip of your tongue to the ridge just behind your top teeth.",
        "Lift the tip of your tongue behind your top teeth.",
    ),
    "ridge, from the lips": (
        "Leave your lips alone, and lift the tip of your tongue to the ridge just behind your top teeth.",
        "Use your tongue, not your lips: lift its tip behind your top teeth.",
    ),
    "ridge, from the teeth": (
        "Pull the tip of your tongue in, to the ridge behind your top teeth.",
        "Pull your tongue in, behind your teeth.",
    ),
    "behind": (
        "Pull your tongue a little back from the ridge, and push your lips out.",
        "Pull your tongue back a bit and push your lips out.",
    ),
    "behind, from the back": (
        "Bring your tongue forward, just behind the ridge, and push your lips out.",
        "Bring your tongue forward and push your lips out.",
    ),
    "back": (
        "Keep the tip of your tongue down, and lift the back of your tongue to the top of your mouth.",
        "Keep the tip of your tongue down, and lift the back.",
    ),
}
"""Where to move lips or tongue, for a learner and for a child."""
_REGIONS = {0.0: "lips", 0.5: "lip", 1.0: "teeth", 1.5: "ridge", 2.0: "behind", 3.5: "back"}
_FROM = {
    ("teeth", "lips"): "teeth, from the lips",
    ("teeth", "lip"): "teeth, from the lips",
    ("ridge", "lips"): "ridge, from the lips",
    ("ridge", "lip"): "ridge, from the lips",
    ("ridge", "teeth"): "ridge, from the teeth",
    ("behind", "back"): "behind, from the back",
}


def _place(expected: str, theirs: Consonant, *, is_child: bool) -> str:
    """Where to move lips or tongue."""
    goal = expected if expected in _PLACES else _REGIONS[CONSONANTS[expected].place]
    start = _REGIONS.get(theirs.place, "back")
    return _PLACES[_FROM.get((goal, start), goal)][is_child]


def _nose(mine: Consonant, *, is_child: bool) -> str:
    """Whether the air goes through the nose."""
    if mine.is_nasal:
        return "Hum through your nose." if is_child else "Keep the air shut in at the front, and hum through your nose."
    return (
        "Send the air out of your mouth, not your nose."
        if is_child
        else "Send the air out of your mouth, not your nose; pinch your nose to check."
    )


def _manner(expected: str, theirs: Consonant, *, is_child: bool) -> str:
    """How the air gets out."""
    mine = CONSONANTS[expected]
    if mine.is_nasal or theirs.is_nasal:
        return ""  # through the nose or the mouth: that has been said
    if expected == "L":
        return (
            "Keep your tongue up and sing past it."
            if is_child
            else "Keep the tip of your tongue up there, and let your voice flow past its sides."
        )
    if mine.manner == 0.0:
        return (
            "Block the air, then let it pop."
            if is_child
            else "Block the air fully for a moment, then let it go at once."
        )
    if mine.manner == 0.5:
        if theirs.manner == 0.0:
            return (
                "Let the air burst out with a hiss."
                if is_child
                else "Do not let go at once: let the air rub on its way out."
            )
        return (
            "Block the air first, then let it burst."
            if is_child
            else "Block the air fully first, then let it burst out."
        )
    if theirs.manner == 0.0:
        return (
            "Do not block the air: let it flow."
            if is_child
            else "Do not block the air: leave a thin gap, and let it flow."
        )
    if theirs.manner == 0.5:
        return (
            "Let the air flow from the start."
            if is_child
            else "Let the air flow from the start, with no stop before it."
        )
    return "Make the gap thin, so it rubs." if is_child else "Make the gap so thin that you can hear the air rub."


def _hiss(mine: Consonant, *, is_child: bool) -> str:
    """Whether it hisses."""
    if mine.is_sibilant:
        return "Make it hiss." if is_child else "Make it sharper: a thin stream of air that hisses."
    return "Make it soft, with no hiss." if is_child else "Make it softer: a wide flat gap, with no hiss."


def _voice(mine: Consonant, *, is_child: bool) -> str:
    """Whether the voice is on."""
    if mine.is_voiced:
        return (
            "Switch your voice on, so your neck buzzes."
            if is_child
            else "Switch your voice on: with a hand on your throat you should feel it buzz."
        )
    return (
        "Switch your voice off: only air comes out."
        if is_child
        else "Switch your voice off: with a hand on your throat you should feel no buzz."
    )
