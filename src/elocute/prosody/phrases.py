"""Where the phrases of a text end, and how likely a fluent reader pauses there.

Phrases come from punctuation, and between punctuation marks from a rule of speech synthesis: a phrase is some function
words and then some content words, so that a new one begins where a function word follows a content word. How likely a
pause is at each kind of place was counted: `PAUSE_RATES`.

Source: Liberman and Church, "Text analysis and word pronunciation in text-to-speech synthesis", 1992 (chinks and
    chunks).
Deviates: pronouns that are objects, and prepositions with nothing behind them, belong to what is before them; words
    that begin clauses are told from those that begin other phrases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from elocute.types import Word

GapKind = Literal["sentence", "comma", "clause", "phrase", "content", "function"]

PAUSE_RATES: dict[GapKind, tuple[float, float]] = {
    "sentence": (0.8, 0.8),
    "comma": (0.5, 0.5),
    "clause": (0.05, 0.2),
    "phrase": (0.02, 0.07),
    "content": (0.015, 0.015),
    "function": (0.003, 0.003),
}
"""How often fluent readers pause at a place, less and more than `LONG_PHRASE` words behind the last mark.

Counted in 350 sentences of LJSpeech and Kathleen and in 181 of learners with fluency 9 and 10, 4,588 gaps."""
LONG_PHRASE = 6
MARKS: frozenset[GapKind] = frozenset(("sentence", "comma"))
"""Places with punctuation."""
_SENTENCE = re.compile(r"[.?!;:\u2026\u2014\u2013]|--|\s-|-\s")
_COMMA = re.compile(r"[,()\[\]\u201c\u201d\"/\n]")

_CLAUSE = frozenset(
    "and but or nor yet so because although though while whereas if unless when whenever where wherever after before "
    "since until till that which who whom whose why how what whether than as".split()
)
_PREPOSITIONS = frozenset(
    "about above across against along among around at behind below beneath beside besides between beyond by despite "
    "down during except for from in inside into like near of off on onto out outside over past through throughout to "
    "toward towards under underneath unto up upon via with within without".split()
)
_DETERMINERS = frozenset(
    "a an the my your his her its our their this these those some any no every each either neither another such both "
    "all half many much few several".split()
)
_AUXILIARIES = frozenset(
    "am is are was were be been being has have had having do does did will would shall should can could may might "
    "must ought isn't aren't wasn't weren't hasn't haven't hadn't don't doesn't didn't won't wouldn't shan't "
    "shouldn't can't cannot couldn't mightn't mustn't not".split()
)
_SUBJECTS = frozenset(
    "i you he she it we they there i'm you're he's she's it's we're they're i've you've we've they've i'll you'll "
    "he'll she'll it'll we'll they'll i'd you'd he'd she'd we'd they'd there's that's what's who's where's here's "
    "let's".split()
)
_OBJECTS = frozenset("me him us them".split())
_MAYBE_OBJECTS = frozenset("it you her there here".split())
_FUNCTION = _CLAUSE | _PREPOSITIONS | _DETERMINERS | _AUXILIARIES | _SUBJECTS | _OBJECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The place between two words of the text.

    Attributes:
        after_word: word before it, counted from 0.
        kind: what stands there: the end of a sentence, another mark, the begin of a clause, of another phrase, two
            content words, or a function word with what it belongs to.
        prior: how often fluent readers pause there, 0 to 1.
    """

    after_word: int
    kind: GapKind
    prior: float

    @property
    def is_boundary(self) -> bool:
        """Whether a phrase ends there."""
        return self.kind in ("sentence", "comma", "clause", "phrase")


def phrase_gaps(text: str, words: Sequence[Word]) -> tuple[Gap, ...]:
    """The places between the words of a text, one fewer than there are words.

    Args:
        text: as it was written.
        words: its words (`Canonical.words`).
    """
    gaps, since = [], 0
    for after_word, kind in enumerate(_gap_kinds(text, words)):
        since += 1
        prior = PAUSE_RATES[kind][since >= LONG_PHRASE]
        gaps.append(Gap(after_word=after_word, kind=kind, prior=prior))
        since = 0 if kind in MARKS else since
    return tuple(gaps)


def _gap_kinds(text: str, words: Sequence[Word]) -> tuple[GapKind, ...]:
    """What stands between each two words of a text."""
    marks = _between(text, words)
    return tuple(_kind(marks, words, gap) for gap in range(len(words) - 1))


def _kind(marks: Sequence[str | None], words: Sequence[Word], gap: int) -> GapKind:
    """What stands in one gap."""
    mark = marks[gap]
    before, after = words[gap].spoken, words[gap + 1].spoken
    if mark is None or mark in ("-", "\u2010", "\u2011", "'"):  # written as one word: "42", "twenty-two"
        return "function"
    if _SENTENCE.search(mark):
        return "sentence"
    if _COMMA.search(mark):
        return "comma"
    if before in _FUNCTION or _leans_back(marks, words, gap + 1):
        return "function"
    if after in _CLAUSE:
        return "clause"
    return "phrase" if after in _FUNCTION else "content"


def _leans_back(marks: Sequence[str | None], words: Sequence[Word], number: int) -> bool:
    """Whether a function word belongs to the word before it: an object ("tell him"), a particle ("come in")."""
    word = words[number].spoken
    if word in _OBJECTS:
        return True
    if word not in _MAYBE_OBJECTS | _PREPOSITIONS:
        return False
    if number == len(words) - 1:
        return True
    mark = marks[number] or ""
    is_last = bool(_SENTENCE.search(mark) or _COMMA.search(mark))
    follows = words[number + 1].spoken
    return is_last or follows in _CLAUSE or (word in _MAYBE_OBJECTS and follows in _PREPOSITIONS | _DETERMINERS)


def _between(text: str, words: Sequence[Word]) -> tuple[str | None, ...]:
    """What is written between each two words of a text; None between words that are written as one."""
    source = unicodedata.normalize("NFC", text)
    found: list[str | None] = []
    end = 0
    for number, word in enumerate(words):
        begin = source.find(word.text, end)
        if begin < 0 or (number and re.search(r"\w", source[end:begin])):
            # Not there, or only beyond other words: one more word of what is written as the word before.
            found.append(None)
            continue
        found.append(source[end:begin])
        end = begin + len(word.text)
    return tuple(found[1:])
