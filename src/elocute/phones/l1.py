"""Step 2/10 - what a first language makes hard: sounds that it lacks, what is said instead, and where.

The facts are in `assets/l1.toml`, each language with its sources. They are expectations about many learners, never a
verdict on one: the recording decides.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from elocute.assets import read_asset
from elocute.errors import ConfigError
from elocute.phones.inventory import PHONES, VOWELS

Place = Literal["anywhere", "initial", "medial", "final", "cluster", "before_i", "before_u"]
"""Where in a word: no vowel before the phone, none after it, neither, beside another consonant, before a vowel."""
Timing = Literal["stress", "syllable", "mora"]
"""What comes at equal distances in the rhythm of a language."""

GRADES = {"often": 0.25, "sometimes": 0.1, "rarely": 0.03}
"""How likely something is with a learner who gets by. The literature has words for it and few counts, so three grades
are all that is claimed."""
MOST = 0.75
"""Errors of one phone are together no likelier than this."""

_BEFORE: dict[Place, frozenset[str]] = {"before_i": frozenset({"IY", "IH"}), "before_u": frozenset({"UW", "UH"})}
_VOICELESS = {"B": "P", "D": "T", "G": "K", "V": "F", "DH": "TH", "Z": "S", "ZH": "SH", "JH": "CH"}
_SONORANTS = frozenset({"M", "N", "NG", "L", "R", "W", "Y"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitute:
    """What is said in place of a phone.

    Attributes:
        said: a phone, or None for nothing.
        likelihood: one of `GRADES`.
        place: where in a word.
    """

    said: str | None
    likelihood: float
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class HardPhone:
    """A phone of English that the language lacks or uses otherwise.

    Attributes:
        phone: which one.
        is_lacking: whether the language has no such sound.
        reason: why it is hard, one sentence for the learner.
        substitutes: what is said instead, as the asset lists it.
    """

    phone: str
    is_lacking: bool
    reason: str
    substitutes: tuple[Substitute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """What becomes of consonants at the end of a word; likelihoods of `GRADES`, 0 for never.

    Attributes:
        devoiced: voiced stops, affricates and fricatives lose their voice.
        left_out: stops, affricates and fricatives are dropped.
        vowel_added: a vowel follows.
        vowel: which one; None where none does.
        note: in a sentence.
    """

    devoiced: float = 0.0
    left_out: float = 0.0
    vowel_added: float = 0.0
    vowel: str | None = None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """What becomes of consonants in a row; likelihoods of `GRADES`, 0 for never.

    Attributes:
        vowel_inside: a vowel slips in between.
        vowel_before_s: one is put before S and a consonant at the beginning of a word.
        left_out: one of them is dropped.
        vowel: which vowel; None where there is none.
        note: in a sentence.
    """

    vowel_inside: float = 0.0
    vowel_before_s: float = 0.0
    left_out: float = 0.0
    vowel: str | None = None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class L1Profile:
    """What a first language makes hard in English.

    Attributes:
        code: ISO 639-1 where there is one ("zh"), else ISO 639-3 ("yue").
        name: in English.
        aliases: other codes and names, lower case.
        phones: hard phones by symbol.
        finals: consonants at the end of a word.
        clusters: consonants in a row.
        timing: rhythm of the language.
        stress_misplaced: likelihood that a word of several syllables is stressed wrongly.
        stress_note: word stress, in a sentence.
        rhythm_note: rhythm, in a sentence.
        sources: the works that the facts are from.
    """

    code: str
    name: str
    aliases: tuple[str, ...]
    phones: Mapping[str, HardPhone]
    finals: Finals
    clusters: Clusters
    timing: Timing
    stress_misplaced: float
    stress_note: str
    rhythm_note: str
    sources: tuple[str, ...]

    @property
    def lacks(self) -> tuple[str, ...]:
        """Phones of English that the language has not, alphabetical."""
        return tuple(phone for phone, hard in self.phones.items() if hard.is_lacking)

    def reason(self, phone: str) -> str | None:
        """Why a phone is hard, a sentence; None if it is not."""
        hard = self.phones.get(phone)
        return None if hard is None else hard.reason

    def said_instead(self, word: Sequence[str], index: int) -> dict[str | None, float]:
        """What may be said for a phone of a word, likeliest first; None is nothing, and the sum is at most `MOST`.

        Args:
            word: ARPABET phones of the word, without stress digits.
            index: of the phone.

        >>> l1_profile("zh").said_instead(["TH", "IH", "NG", "K"], 0)
        {'S': 0.25, 'F': 0.03, 'T': 0.03}
        """
        phone, places = word[index], places_of(word, index)
        found: dict[str | None, float] = {}

        def expect(said: str | None, likelihood: float) -> None:
            # Two reasons for the same error do not add up: the stronger one counts.
            if likelihood > found.get(said, 0.0):
                found[said] = likelihood

        for one in self.phones[phone].substitutes if phone in self.phones else ():
            if one.place in places:
                expect(one.said, one.likelihood)
        is_obstruent = phone not in VOWELS and phone not in _SONORANTS
        if "final" in places and is_obstruent:
            expect(_VOICELESS.get(phone), self.finals.devoiced if phone in _VOICELESS else 0.0)
            expect(None, self.finals.left_out)
        if "cluster" in places and phone not in VOWELS:
            expect(None, self.clusters.left_out)
        most = MOST / max(sum(found.values()), MOST)
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0] or "~"))
        return {said: likelihood * most for said, likelihood in ranked}

    def vowel_added(self, word: Sequence[str], gap: int) -> float:
        """Likelihood that a vowel is put before phone `gap` of a word; `gap` = its length is the end."""
        before = word[gap - 1] if gap else None
        after = word[gap] if gap < len(word) else None
        if after is None:
            hard = before is not None and before not in VOWELS and before not in _SONORANTS
            return self.finals.vowel_added if hard else 0.0
        if before is None:
            is_s_cluster = len(word) > 1 and after == "S" and word[1] not in VOWELS
            return self.clusters.vowel_before_s if is_s_cluster else 0.0
        is_inside = before not in VOWELS and after not in VOWELS and before not in _SONORANTS - {"L", "R"}
        return self.clusters.vowel_inside if is_inside else 0.0


def places_of(word: Sequence[str], index: int) -> frozenset[Place]:
    """All that describes where in a word a phone stands."""
    before, after = word[:index], word[index + 1 :]
    found: set[Place] = {"anywhere"}
    if not any(phone in VOWELS for phone in before):
        found.add("initial")
    if not any(phone in VOWELS for phone in after):
        found.add("final")
    if not found & {"initial", "final"}:
        found.add("medial")
    if any(phone not in VOWELS for phone in (*before[-1:], *after[:1])):
        found.add("cluster")
    found |= {place for place, vowels in _BEFORE.items() if after and after[0] in vowels}
    return frozenset(found)


def l1_profile(language: str) -> L1Profile:
    """The profile of a first language.

    Args:
        language: ISO 639 code or English name, in any case: "zh", "cmn", "Mandarin".

    Raises:
        ConfigError: there is none.
    """
    wanted = language.strip().casefold().replace("_", "-")
    known = _names()
    code = known.get(wanted) or known.get(wanted.partition("-")[0])
    if code is None:
        near = difflib.get_close_matches(wanted, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(l1_codes())}, or a name"
        raise ConfigError(f"no profile of the first language {language[:40]!r}; {hint}")
    return _profiles()[code]


def l1_codes() -> tuple[str, ...]:
    """Codes of all first languages that have a profile, as the asset orders them."""
    return tuple(_profiles())


@cache
def _names() -> dict[str, str]:
    """Code by every code, name and alias, lower case."""
    return {
        name: profile.code
        for profile in _profiles().values()
        for name in (*profile.aliases, profile.name.casefold(), profile.code)
    }


@cache
def _profiles() -> dict[str, L1Profile]:
    """All profiles by code."""
    try:
        facts = tomllib.loads(read_asset("l1.toml").decode("utf-8"))
        return {code: _profile(code, entry, facts["sources"]) for code, entry in facts["languages"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"elocute's asset l1.toml is damaged ({error!r}); reinstall elocute") from error


def _profile(code: str, entry: Mapping[str, Any], sources: Mapping[str, str]) -> L1Profile:
    """One language of the asset."""
    lacks, stress = entry["lacks"].split(), entry["stress"]
    if entry["timing"] not in get_args(Timing) or not set(lacks) <= entry["phones"].keys():
        raise ValueError(f"{code}: unknown timing, or a phone that it lacks and says nothing of")
    return L1Profile(
        code=code,
        name=entry["name"],
        aliases=tuple(entry["aliases"]),
        phones={
            phone: _hard_phone(phone, facts, phone in lacks, entry["name"])
            for phone, facts in sorted(entry["phones"].items())
        },
        finals=Finals(**_graded(entry["finals"])),
        clusters=Clusters(**_graded(entry["clusters"])),
        timing=entry["timing"],
        stress_misplaced=GRADES[stress["misplaced"]],
        stress_note=stress["note"],
        rhythm_note=entry["rhythm"],
        sources=tuple(sources[key] for key in entry["sources"]),
    )


def _hard_phone(phone: str, facts: Mapping[str, str], is_lacking: bool, language: str) -> HardPhone:
    """One line of the asset."""
    if phone not in PHONES:
        raise ValueError(f"{phone} is none of the 39 phones")
    reason = facts.get("why") or (f"{language} has no such sound." if is_lacking else None)
    if reason is None:
        raise ValueError(f"{language} has {phone}, and why it is hard is not said")
    substitutes = tuple(_substitute(part) for part in facts["said"].split(", "))
    return HardPhone(phone=phone, is_lacking=is_lacking, reason=reason, substitutes=substitutes)


def _substitute(text: str) -> Substitute:
    """One substitute, written as `S often` or `- sometimes final`."""
    said, grade, *rest = text.split()
    place: Place = "anywhere"
    for known in get_args(Place):
        if rest == [known]:
            place = known
    if (said != "-" and said not in PHONES) or (rest and [place] != rest):
        raise ValueError(f"{text!r} is no substitute; expected a phone or '-', a grade and at most one place")
    return Substitute(said=None if said == "-" else said, likelihood=GRADES[grade], place=place)


def _graded(facts: Mapping[str, str]) -> dict[str, Any]:
    """Grades as likelihoods, all else as it is."""
    return {name: value if name in ("vowel", "note") else GRADES[value] for name, value in facts.items()}
