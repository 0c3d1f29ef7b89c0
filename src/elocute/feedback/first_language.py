"""What a first language has to do with a slip: said only where the language lacks the sound, or the slip is usual."""

from __future__ import annotations

from elocute.feedback.slip import Level, Slip
from elocute.phones import VOWELS, ipa_name
from elocute.phones.l1 import L1Profile, l1_profile

_NASALS = frozenset({"M", "N", "NG"})
_SONORANTS = _NASALS | {"L", "R", "W", "Y"}


def reason(slip: Slip, l1: str, level: Level) -> str | None:
    """Why a slip is no wonder; None where the language does not explain it.

    Args:
        slip: what went wrong.
        l1: code or name of the first language.
        level: for whom.

    Raises:
        ConfigError: there is no profile of the language.
    """
    profile = l1_profile(l1)
    if slip.expected is None:
        return _of_added(slip, profile, level)
    word, index = (slip.phones, slip.index) if slip.phones else ((slip.expected,), 0)
    usual = profile.said_instead(word, index)
    if slip.expected in profile.lacks and slip.actual is not None:
        return _of_lacking(slip, profile, level)
    if slip.kind in ("substitution", "deletion") and slip.actual in usual:
        return _of_usual(slip, profile, level)
    return None


def _of_lacking(slip: Slip, profile: L1Profile, level: Level) -> str:
    """The language has no such sound."""
    if level == "child":
        return f"{profile.name} does not have this sound, so it is a new trick for your mouth."
    if level == "teacher":
        hard = profile.phones[slip.expected or ""]
        instead = [ipa_name(one.said) for one in hard.substitutes if one.said is not None]
        named = ", ".join(f"[{ipa}]" for ipa in dict.fromkeys(instead))
        return f"{profile.name} lacks /{ipa_name(slip.expected or '')}/; usual substitutes: {named}."
    return f"{profile.name} has no such sound, so your mouth has to learn it."


def _of_usual(slip: Slip, profile: L1Profile, level: Level) -> str | None:
    """The language has the sound, but not there, or not like that."""
    if level == "child":
        return None
    phone = slip.expected or ""
    own = profile.reason(phone)
    is_hard_final = slip.place == "final" and phone not in VOWELS and phone not in _SONORANTS
    if slip.actual is not None:
        return profile.finals.note if own is None and is_hard_final and profile.finals.devoiced else own
    if phone not in VOWELS and slip.is_in_cluster and profile.clusters.left_out:
        return profile.clusters.note
    if is_hard_final and profile.finals.left_out:
        return profile.finals.note
    return None if phone in _NASALS else own  # what makes nasals hard is that they are mixed up


def _of_added(slip: Slip, profile: L1Profile, level: Level) -> str | None:
    """A vowel was added where the language would have one."""
    if level == "child" or slip.actual not in VOWELS or not slip.phones:
        return None
    if not profile.vowel_added(slip.phones, slip.index):
        return None
    return profile.finals.note if slip.index == len(slip.phones) else profile.clusters.note
