"""What a language model is told: the errors of a report's feedback and the advice of the rules; no sound, no scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elocute.feedback.sounds import REDUCED, SOUNDS
from elocute.phones import ipa_name
from elocute.phones.l1 import l1_profile
from elocute.report import Feedback, PhoneReport, Report

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One error, as the model is told of it.

    Attributes:
        id: by which its answer must name it.
        word: as written.
        piece: the advice by the rules.
        told: JSON values.
        words: all that may be quoted of it, lower case: the word, words to compare, examples and letters of the sounds.
        ipa: names of the sounds, which may stand between slashes.
    """

    id: str
    word: str
    piece: Feedback
    told: Mapping[str, Any]
    words: frozenset[str]
    ipa: frozenset[str]


def facts_of(report: Report) -> tuple[Fact, ...]:
    """The errors that the feedback is about."""
    return tuple(_fact(report, number, piece) for number, piece in enumerate(report.feedback, start=1))


def whole(report: Report, facts: tuple[Fact, ...], l1: str | None) -> dict[str, Any]:
    """All that the model is told, as JSON values."""
    return {
        "level": facts[0].piece.level,
        "first_language": None if l1 is None else l1_profile(l1).name,
        "errors": [dict(fact.told) for fact in facts],
    }


def words_in(text: str) -> list[str]:
    """The words of a text, lower case, apostrophes straight."""
    return [word.casefold().replace("’", "'") for word in _WORD.findall(text)]


def _fact(report: Report, number: int, piece: Feedback) -> Fact:
    """One error."""
    word = report.words[piece.word_index]
    assert piece.phone_index is not None  # the rules speak of sounds
    phone = word.phonemes[piece.phone_index]
    heard = None if phone.error == "distortion" else phone.actual
    pairs = [pair.split("/") for pair in piece.minimal_pairs]
    sounds = [symbol for symbol in (phone.expected, heard) if symbol is not None]
    quotable = {word.word, *(one for pair in pairs for one in pair)}
    for symbol in sounds:
        quotable |= {SOUNDS[symbol].label, SOUNDS[symbol].keyword, *REDUCED.get(symbol, ())}
    quotable |= set(re.findall(r"“([^”]+)”", f"{piece.message} {piece.articulation}"))
    told = {
        "id": f"e{number}",
        "word": word.word,
        "kind": phone.error,
        "expected": _sound(phone.expected, phone),
        "heard": _sound(heard, phone),
        "what_happened": piece.message,
        "movement": piece.articulation,
        "words_to_compare": [{"as_it_sounded": said, "as_it_should": wanted} for said, wanted in pairs],
    }
    return Fact(
        id=f"e{number}",
        word=word.word,
        piece=piece,
        told=told,
        words=frozenset(part for one in quotable for part in words_in(one)),
        ipa=frozenset({phone.ipa, *map(ipa_name, sounds)}),
    )


def _sound(symbol: str | None, phone: PhoneReport) -> dict[str, str] | None:
    """A sound by letters, an example and its IPA; None for nothing."""
    if symbol is None:
        return None
    ipa = phone.ipa if symbol == phone.expected else ipa_name(symbol)
    return {"letters": SOUNDS[symbol].label, "as_in": SOUNDS[symbol].keyword, "ipa": ipa}
