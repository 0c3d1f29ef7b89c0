"""Whether an answer may be shown: the right form, and no claim that the report does not make."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from elocute.feedback.known import KNOWN
from elocute.feedback.sounds import SOUNDS
from elocute.wording.client import WordingError
from elocute.wording.facts import Fact, words_in

PARTS = ("what_went_wrong", "how_to_move", "practice", "encouragement")
MOST_CHARACTERS = 400
_SHORT = 3
"""Words of so many letters are too common for meaning a word of the text."""
_QUOTED = re.compile(r"“([^”]*)”|\"([^\"]*)\"|‘([^’]*)’|«([^»]*)»|(?<!\w)'([^']*)'(?!\w)")
_IPA = re.compile(r"/([^/\s]{1,6})/|\[([^\]\s]{1,6})\]")
_SOUND = re.compile(r"\b([a-z]{1,2})[- ]sounds?\b|\bsounds? of ([a-z]{1,2})\b", re.IGNORECASE)
_OTHER_MATTERS = re.compile(
    r"\b(?:rhythm|intonation|melody|pitch|fluency|fluent|grammar|pauses?|speed|volume|accent|scores?|percent|stress|"
    r"syllable stress|spelling|vocabulary)\b",
    re.IGNORECASE,
)
_KINDS = {
    "deletion": re.compile(r"\b(?:left out|leave out|leaving out|left off|skipped|omitted|missing)\b", re.IGNORECASE),
    "insertion": re.compile(r"\b(?:extra|added|inserted)\b", re.IGNORECASE),
}
"""Claims that are true of one kind of error alone."""
_FENCE = re.compile(r"\A\s*```(?:json)?\s*(.*?)\s*```\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The four parts of a model's advice on one error."""

    what_went_wrong: str
    how_to_move: str
    practice: str
    encouragement: str


def checked(answer: str, facts: Sequence[Fact], text: str) -> dict[str, Piece]:
    """The pieces of an answer by the id of their error.

    Args:
        answer: what the model said.
        facts: the errors that it was told of.
        text: that was read; its other words must not turn up.

    Raises:
        WordingError: it is not of the form that was asked for, or claims what the report does not.
    """
    by_id = {fact.id: fact for fact in facts}
    found: dict[str, Piece] = {}
    for entry in _entries(answer):
        name = entry["error"]
        if not isinstance(name, str) or name not in by_id:
            raise WordingError(f"speaks of an error that is not in the report ({str(name)[:20]!r})")
        if name in found:
            raise WordingError(f"speaks twice of error {name}")
        piece = Piece(**{part: _part(entry[part], part) for part in PARTS})
        _check_claims(piece, by_id[name], text)
        found[name] = piece
    if len(found) < len(by_id):
        raise WordingError(f"leaves out error {min(by_id.keys() - found.keys())}")
    return found


def _entries(answer: str) -> list[dict[str, Any]]:
    """The list in an answer, each entry with just the keys that were asked for."""
    fenced = _FENCE.match(answer)
    try:
        told = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError) as error:
        raise WordingError("does not answer in JSON") from error
    if not isinstance(told, dict) or set(told) != {"pieces"} or not isinstance(told["pieces"], list):
        raise WordingError("does not answer with 'pieces' alone")
    for entry in told["pieces"]:
        if not isinstance(entry, dict) or set(entry) != {"error", *PARTS}:
            raise WordingError(f"does not answer with the keys 'error', {', '.join(map(repr, PARTS))}")
    return list(told["pieces"])


def _part(value: object, name: str) -> str:
    """One part: a text of whole sentences, not too long."""
    if not isinstance(value, str) or not value.strip():
        raise WordingError(f"leaves {name} empty")
    text = " ".join(value.split())
    if len(text) > MOST_CHARACTERS:
        raise WordingError(f"writes {len(text)} characters as {name}; {MOST_CHARACTERS} are allowed")
    if text.rstrip("”\"'’)")[-1:] not in (".", "!", "?"):
        raise WordingError(f"does not end {name} with a sentence")
    if not text.isprintable():
        raise WordingError(f"has control characters in {name}")
    return text


def _check_claims(piece: Piece, fact: Fact, text: str) -> None:
    """Refuse what is not of the error: its word must be named, and no other word, sound, matter or number."""
    if not set(words_in(fact.word)) <= set(words_in(piece.what_went_wrong)):
        raise WordingError(f"does not name the word of error {fact.id}")
    for kind, pattern in _KINDS.items():
        claim = pattern.search(piece.what_went_wrong)
        if claim and fact.told["kind"] != kind:
            raise WordingError(f"says {claim[0]!r} of error {fact.id}, which is a {fact.told['kind']}")
    others = {word for word in words_in(text) if len(word) > _SHORT} - fact.words - _ordinary()
    for part in PARTS:
        said = getattr(piece, part)
        foreign = next(_foreign(said, fact, others), None)
        if foreign is not None:
            raise WordingError(f"names {foreign[:20]!r} in {part}, which error {fact.id} is not about")


def _foreign(said: str, fact: Fact, others: Collection[str]) -> Iterator[str]:
    """All in a part that the error is not about: numbers, other matters, quoted words, sounds, words of the text."""
    yield from re.findall(r"\d+", said)
    yield from (match[0] for match in _OTHER_MATTERS.finditer(said) if match[0].casefold() not in fact.words)
    for quoted in _QUOTED.findall(said):
        yield from (word for word in words_in(" ".join(quoted)) if not _may_be_quoted(word, fact))
    for one in ("".join(found) for found in _IPA.findall(said)):
        if one.strip("ˈˌː") not in fact.ipa and not set(words_in(one)) <= fact.words:
            yield one
    for one in ("".join(found).casefold() for found in _SOUND.findall(said)):
        if one not in fact.words | _PLAIN:
            yield one
    yield from sorted(set(others) & set(words_in(said)))


_PLAIN = frozenset("a an my of it is in to at on no so or".split())
"""Short words before "sound" that name none."""


def _may_be_quoted(word: str, fact: Fact) -> bool:
    """Whether a quoted word is of the error, or a letter of it as one holds it: "sss", "thhh"."""
    labels = (one for one in fact.words if len(one) <= _SHORT)
    return word in fact.words or any(re.fullmatch(f"{re.escape(one)}{re.escape(one[-1])}*", word) for one in labels)


@cache
def _ordinary() -> frozenset[str]:
    """Words that advice is made of, which may be in the text by chance."""
    texts = [text for sound in SOUNDS.values() for text in (sound.do, sound.did, sound.child_do, sound.child_did)]
    texts += [text for one in KNOWN.values() for text in (one.did, one.mend, one.child_did, one.child_mend)]
    return frozenset(word for text in texts for word in words_in(text)) | frozenset(
        """
        again about almost also another before better both change come could does doing every feel find first from good
        great hear here instead into just keep know learn like listen little long make more much need next only
        other over practice practise quite really right same slow slowly small softly sometimes soon sound sounds speak
        start still take that then there they this time touch turn turns very want well what when which while will
        with word words work would write your yourself
        """.split()
    )
