"""What the text asks of the melody: which phrases should rise at their end, and which should fall.

The rules are those of teachers' grammars of English intonation (Wells 2006, "English Intonation: An Introduction",
chapter 2): statements, exclamations, orders and wh-questions fall, yes/no questions rise, the items of a list rise but
for the last. Speakers have good reasons to do otherwise; where both are as good (tags, echoes, unfinished sentences)
nothing is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from elocute.prosody.intonation import Contour

PhraseKind = Literal["statement", "wh-question", "yes/no question", "choice question", "tag", "list item", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedContour:
    """What is asked of the end of one phrase.

    Attributes:
        end: offset in the text, just after the phrase's last word.
        kind: of phrase.
        contour: where the melody should go; None where several ways are as good.
    """

    end: int
    kind: PhraseKind
    contour: Contour | None


_CONTOURS: dict[PhraseKind, Contour | None] = {
    "statement": "fall",
    "wh-question": "fall",
    "yes/no question": "rise",
    "choice question": "fall",
    "tag": None,
    "list item": "rise",
    "open": None,
}
_WORD = re.compile(r"[^\W_]+(?:['’\-.][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?:[.?!…]+[\"'”’)\]]*(?=\s|$))|$")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|prof|no|vs|jr|sr|etc|fig|vol|e\.g|i\.e)|\b[a-z])\.$", re.IGNORECASE
)
_WH = frozenset("what where when who whom whose why which how what's where's who's when's why's how's".split())
_BEFORE_WH = frozenset("to from in on at of for with by about under since until".split())
_OPENERS = frozenset("and but so or well now then oh ah okay ok please yes no yeah hey hello hi because".split())
_AUXILIARIES = frozenset(
    "do does did is are am was were can could will would shall should may might must have has had "
    "don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't shan't shouldn't mustn't "
    "haven't hasn't hadn't ain't".split()
)
_PRONOUNS = frozenset("i you he she it we they".split())
_SUBJECTS = _PRONOUNS | frozenset(
    "this that these those there the any my your his her its our their anyone anybody someone somebody everyone "
    "everybody anything something everything".split()
)
_IMPERATIVE_TOO = frozenset(("do", "have", "don't"))
"""Without a question mark these begin an order ("do it", "have the rest") unless a person follows."""
_CONDITIONAL_TOO = frozenset(("had", "should", "were", "may", "might", "must"))
"""Without a question mark these begin a condition or a wish ("had it rained ...")."""
_INTRODUCTORY = frozenset(
    "in on at by for from with after before during since until when while if as although though because unless however "
    "therefore once today yesterday tomorrow then first finally yes no well oh also to".split()
)


def expected_contours(text: str) -> tuple[ExpectedContour, ...]:
    """The phrases of a text that ask something of the melody, in order; the last is the end of the text.

    >>> [(phrase.kind, phrase.contour) for phrase in expected_contours("Is it tea, milk, or water? It is tea.")][-2:]
    [('choice question', 'fall'), ('statement', 'fall')]
    """
    found: list[ExpectedContour] = []
    for start, end in _sentences(text):
        sentence = text[start:end]
        found += [
            ExpectedContour(end=start + place, kind="list item", contour=_CONTOURS["list item"])
            for place in _list_items(sentence)
        ]
        words = list(_WORD.finditer(sentence))
        kind = _kind(sentence, is_last=not text[end:].strip())
        found.append(ExpectedContour(end=start + words[-1].end(), kind=kind, contour=_CONTOURS[kind]))
    return tuple(found)


def expected_final(text: str) -> Contour | None:
    """What is asked of the end of a text; None where several ways are as good, and where there are no words."""
    phrases = expected_contours(text)
    return phrases[-1].contour if phrases else None


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Offsets of the sentences that have words."""
    start = 0
    for mark in _SENTENCE_END.finditer(text):
        if mark[0] == "." and mark.end() < len(text) and _ABBREVIATION.search(text[start : mark.end()]):
            continue
        if _WORD.search(text[start : mark.end()]):
            yield start, mark.end()
        start = mark.end()


def _kind(sentence: str, *, is_last: bool) -> PhraseKind:
    """Kind of a sentence by its mark and its first words."""
    body = sentence.rstrip(" \t\n\"'”’)]")
    mark = body[-1]
    if mark == "?":
        return _question(body)
    if mark in ",;:-–—…" or body.endswith("..."):
        return "open" if is_last else "statement"
    if mark in ".!":
        return "statement"
    words = _opened(_words(sentence))
    if _is_inverted(words):
        return "choice question" if _offers_choice(words) else "yes/no question"
    return "wh-question" if _asks_wh(words) and len(words) > 1 and words[1] in _AUXILIARIES else "statement"


def _question(sentence: str) -> PhraseKind:
    """Kind of a sentence with a question mark."""
    clauses = [words for words in map(_words, re.split(r"[,;:–—]", sentence)) if words]
    last = clauses[-1]
    if len(clauses) > 1 and len(last) <= 3 and last[0] in _AUXILIARIES and last[-1] in _PRONOUNS | {"there", "not"}:
        return "tag"
    words = _words(sentence)
    opened = _opened(words)
    if any(_asks_wh(_opened(clause)) for clause in clauses):
        return "open" if len(opened) == 1 else "wh-question"
    if words[-1] in _WH:
        return "open"
    return "choice question" if _offers_choice(words) else "yes/no question"


def _words(text: str) -> list[str]:
    """Words in lower case."""
    return [match[0].lower().replace("’", "'") for match in _WORD.finditer(text)]


def _opened(words: list[str]) -> list[str]:
    """Words without those that only open a sentence."""
    while len(words) > 1 and words[0] in _OPENERS:
        words = words[1:]
    return words


def _asks_wh(words: list[str]) -> bool:
    """Whether words begin with a wh-word, a preposition before it allowed."""
    return bool(words) and (words[0] in _WH or (len(words) > 1 and words[0] in _BEFORE_WH and words[1] in _WH))


def _is_inverted(words: list[str]) -> bool:
    """Whether words begin as a yes/no question, told without a question mark."""
    if len(words) < 3 or words[0] not in _AUXILIARIES - _CONDITIONAL_TOO:
        return False
    if words[0] in ("does", "did"):
        return True
    return words[1] in (_PRONOUNS - {"it"} if words[0] in _IMPERATIVE_TOO else _SUBJECTS)


def _offers_choice(words: list[str]) -> bool:
    """Whether a yes/no question names alternatives."""
    places = [place for place, word in enumerate(words) if word == "or"]
    return bool(places) and words[places[-1] + 1 :][:1] not in (["not"], ["so"], ["something"], ["anything"], [])


def _list_items(sentence: str) -> list[int]:
    """Offsets just after each item of a list but the last, where the sentence has one.

    A list is three items or more with commas between, the inner ones of at most three words; or two and a last pair
    joined by "and" or "or".
    """
    parts = [match for match in re.finditer(r"[^,]+", sentence) if _WORD.search(match[0])]
    if len(parts) < 2 or "," not in sentence:
        return []
    words = [_words(part[0]) for part in parts]
    joint = [place for place, word in enumerate(words[-1]) if word in ("and", "or")]
    has_joint_first = bool(joint) and joint[0] == 0
    inner = words[1:-1]
    if len(parts) >= 3 and all(len(item) <= 3 for item in inner):
        is_bare = all(len(item) <= 2 for item in words)
        if not (has_joint_first or is_bare or (joint and joint[0] <= 2)):
            return []
    elif len(parts) != 2 or has_joint_first or not joint or joint[0] > 2 or len(words[-1]) > 5:
        return []
    if words[0][0] in _INTRODUCTORY:
        return []
    ends = [part.start() + [*_WORD.finditer(part[0])][-1].end() for part in parts[:-1]]
    if joint and not has_joint_first:
        ends.append(parts[-1].start() + [*_WORD.finditer(parts[-1][0])][joint[0] - 1].end())
    return ends
