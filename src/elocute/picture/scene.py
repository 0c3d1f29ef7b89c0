"""What is in a picture: the parts of a report that have a place in time, and what is said about each.

A scene knows no coordinates and no colours; PNG and page draw the same one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from elocute.picture.captions import is_unclear, phone_caption, score_text, word_caption
from elocute.report import BreakFacts, PhoneReport, Report, SyllableReport, WordReport

LINE_S = 5.0
"""A picture is broken into lines of about this length, as music is, so that sounds stay wide enough to read."""
_LONGEST_S = 6.0
"""A recording up to here stays on one line."""
_SLACK_S = 1.25
"""How far from the even places a line may be broken, to break it in a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the recording.

    Attributes:
        start_s: begin.
        end_s: end.
    """

    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        """Its middle."""
        return (self.start_s + self.end_s) / 2

    def meets(self, other: Span) -> bool:
        """Whether both have some time in common."""
        return self.start_s < other.end_s and other.start_s < self.end_s


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneMark(Span):
    """One phone where it was said.

    Attributes:
        label: IPA.
        heard: IPA of what was said in its place; "" for nothing; None where it was said as it should be.
        share: score, 0 to 1; None where there is none.
        score: the score as it is written.
        is_added: whether the text does not have it.
        is_unclear: whether it may be wrong, but not surely enough.
        word: index of its word in the report.
        phone: index in its word.
        caption: all about it in one sentence.
    """

    label: str
    heard: str | None
    share: float | None
    score: str
    is_added: bool
    is_unclear: bool
    word: int
    phone: int
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyllableMark(Span):
    """One syllable of a word that has several.

    Attributes:
        expected: 0 none, 1 primary, 2 secondary; None where unknown.
        spoken: whether it stands out of its word; None where that cannot be told.
        is_stressed_right: whether both agree; None where either is unknown.
    """

    expected: int | None
    spoken: bool | None
    is_stressed_right: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordMark(Span):
    """One word where it was said.

    Attributes:
        label: as written in the text.
        share: score, 0 to 1; None where there is none.
        score: the score as it is written.
        is_extra: whether it is not of the text, or is said again.
        word: index in the report.
        caption: all about it in one sentence.
        phones: its phones.
        syllables: its syllables, where it has several.
    """

    label: str
    share: float | None
    score: str
    is_extra: bool
    word: int
    caption: str
    phones: tuple[PhoneMark, ...]
    syllables: tuple[SyllableMark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LostWord:
    """Words of the text that were left out one after the other, and the time between the words beside them."""

    at_s: float
    labels: tuple[str, ...]
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseMark(Span):
    """A pause; `is_odd` inside a phrase or a word, and wherever else the report says that none belongs."""

    is_odd: bool
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakMark:
    """A place where a pause belongs, or does not, and how surely (0 to 1)."""

    at_s: float
    kind: Literal["unexpected", "missing"]
    confidence: float
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything of a report that has a place in time.

    Attributes:
        duration_s: length of the recording.
        words: those that were said, in order.
        lost: those that were left out.
        pauses: in order.
        breaks: in order.
        lines: stretches that together are the whole recording.
    """

    duration_s: float
    words: tuple[WordMark, ...]
    lost: tuple[LostWord, ...]
    pauses: tuple[PauseMark, ...]
    breaks: tuple[BreakMark, ...]
    lines: tuple[Span, ...]

    @property
    def line_s(self) -> float:
        """Length of the longest line; all lines are drawn at its scale."""
        return max(line.end_s - line.start_s for line in self.lines)

    @property
    def edges(self) -> tuple[tuple[float, bool], ...]:
        """Every boundary once, in order: when, and whether it is one of words."""
        edges = {item: False for word in self.words for phone in word.phones for item in (phone.start_s, phone.end_s)}
        edges |= {item: True for word in self.words for item in (word.start_s, word.end_s)}
        return tuple(sorted(edges.items()))

    def is_on(self, line: Span, seconds: float) -> bool:
        """Whether a moment is on a line; the last line holds the very end."""
        return line.start_s <= seconds < line.end_s or seconds >= self.duration_s == line.end_s


def scene(report: Report, duration_s: float) -> Scene:
    """Find the place of everything in a report.

    Args:
        report: with or without prosody; a refused one has words without times, which have no place.
        duration_s: length of the recording.
    """
    words = tuple(_words(report))
    pauses = tuple(_pauses(report))
    return Scene(
        duration_s=duration_s,
        words=words,
        lost=tuple(_lost(report, duration_s)),
        pauses=pauses,
        breaks=tuple(map(_break_mark, report.prosody.breaks)) if report.prosody else (),
        lines=_lines(words, duration_s),
    )


def signs(drawn: Scene) -> tuple[str, ...]:
    """How to read the signs that occur in a scene."""
    phones = [phone for word in drawn.words for phone in word.phones]
    syllables = [syllable for word in drawn.words for syllable in word.syllables]
    found = {
        "→s said as s": any(phone.heard for phone in phones),
        "→∅ left out": any(phone.heard == "" for phone in phones),
        "+s added": any(phone.is_added for phone in phones),
        "? unclear": any(phone.is_unclear for phone in phones),
        "dashed: not of the text": any(word.is_extra for word in drawn.words),
        "○ stress expected": any(syllable.expected in (1, 2) for syllable in syllables),
        "• stress heard": any(syllable.spoken for syllable in syllables),
        "shaded: pause": bool(drawn.pauses),
        "rust: pause inside a phrase": any(pause.is_odd for pause in drawn.pauses),
        "▼ no pause belongs here": any(item.kind == "unexpected" for item in drawn.breaks),
        "▽ a pause belongs here": any(item.kind == "missing" for item in drawn.breaks),
    }
    return tuple(sign for sign, occurs in found.items() if occurs)


def phone_foot(phone: PhoneMark) -> str:
    """What stands under a phone: its score, or what became of it."""
    if phone.is_added:
        return "added"
    below = phone.score if phone.heard is None else f"→{phone.heard or '∅'}"
    return f"{below}?" if phone.is_unclear else below


def share_of(score: float | None, scale: int) -> float | None:
    """A score as a share of the full one."""
    return None if score is None else min(max(score / scale, 0.0), 1.0)


def score_of(word: WordReport) -> float | None:
    """The score that a word is shown with."""
    return word.accuracy if word.total is None else word.total


def _words(report: Report) -> Iterator[WordMark]:
    """The words that have a place."""
    for index, word in enumerate(report.words):
        if word.start_s is None or word.end_s is None:
            continue
        yield WordMark(
            start_s=word.start_s,
            end_s=word.end_s,
            label=word.word,
            share=share_of(score_of(word), report.scale),
            score=score_text(score_of(word), report.scale),
            is_extra=word.text_index is None,
            word=index,
            caption=word_caption(word, report.scale),
            phones=tuple(_phones(word, index, report.scale)),
            syllables=tuple(_syllables(word)),
        )


def _phones(word: WordReport, index: int, scale: int) -> Iterator[PhoneMark]:
    """The phones of a word that have a place."""
    for number, phone in enumerate(word.phonemes):
        if phone.start_s is None or phone.end_s is None:
            continue
        yield PhoneMark(
            start_s=phone.start_s,
            end_s=phone.end_s,
            label=phone.ipa,
            heard=_heard(phone),
            share=share_of(phone.score, scale),
            score=score_text(phone.score, scale),
            is_added=phone.error == "insertion",
            is_unclear=is_unclear(phone, scale),
            word=index,
            phone=number,
            caption=phone_caption(phone, word, scale),
        )


def _heard(phone: PhoneReport) -> str | None:
    """What was said in a phone's place, in IPA; None where it is the phone itself."""
    from elocute.phones import ipa_name

    if phone.error == "deletion":
        return ""
    if phone.error == "substitution" and phone.actual is not None:
        return ipa_name(phone.actual)
    return None


def _syllables(word: WordReport) -> Iterator[SyllableMark]:
    """The syllables of a word that has several, each from its first to its last phone."""
    own = [phone for phone in word.phonemes if phone.expected is not None]
    if len(word.syllables) < 2 or sum(len(item.phones) for item in word.syllables) != len(own):
        return  # an extra word has phones, but neither syllables nor anything that was expected
    first = 0
    for syllable in word.syllables:
        inside = own[first : first + len(syllable.phones)]
        first += len(syllable.phones)
        starts = [phone.start_s for phone in inside if phone.start_s is not None]
        ends = [phone.end_s for phone in inside if phone.end_s is not None]
        if starts and ends:
            yield _syllable(syllable, min(starts), max(ends))


def _syllable(syllable: SyllableReport, start_s: float, end_s: float) -> SyllableMark:
    expected, spoken = syllable.stress_expected, syllable.stress_spoken
    # A secondary stress is neither asked to stand out of its word nor not to.
    is_told = spoken is not None and expected in (0, 1)
    return SyllableMark(
        start_s=start_s,
        end_s=end_s,
        expected=expected,
        spoken=None if spoken is None else spoken == 1,
        is_stressed_right=(expected == 1) == (spoken == 1) if is_told else None,
    )


def _lost(report: Report, duration_s: float) -> Iterator[LostWord]:
    """Words that were left out, those side by side together."""
    together: list[str] = []
    before = 0.0
    for word in [*report.words, None]:
        if word is not None and word.error == "omission":
            together.append(word.word)
            continue
        after = duration_s if word is None else word.start_s
        if together and after is not None:
            at = before if after == duration_s and before else (before + max(after, before)) / 2
            named = ", ".join(f"'{label}'" for label in together)
            yield LostWord(at_s=at, labels=tuple(together), caption=f"{named} left out")
            together = []
        before = before if word is None or word.end_s is None else max(before, word.end_s)


def _pauses(report: Report) -> Iterator[PauseMark]:
    """The pauses, and whether the report thinks that they belong there."""
    places = {"boundary": "at the end of a phrase", "phrase": "inside a phrase", "word": "inside a word"}
    unexpected = [item for item in (report.prosody.breaks if report.prosody else ()) if item.kind == "unexpected"]
    for pause in report.fluency.pauses if report.fluency else ():
        wrong = any(item.start_s < pause.end_s and pause.start_s < item.end_s for item in unexpected)
        yield PauseMark(
            start_s=pause.start_s,
            end_s=pause.end_s,
            is_odd=wrong or pause.place != "boundary",
            caption=f"pause of {pause.end_s - pause.start_s:.2f} s {places[pause.place]}"
            + (", where none belongs" if wrong else ""),
        )


def _break_mark(item: BreakFacts) -> BreakMark:
    what = "no pause belongs here" if item.kind == "unexpected" else "a pause belongs here"
    return BreakMark(
        at_s=(item.start_s + item.end_s) / 2,
        kind=item.kind,
        confidence=item.confidence,
        caption=f"{what} ({item.confidence:.0%} sure)",
    )


def _lines(words: Sequence[WordMark], duration_s: float) -> tuple[Span, ...]:
    """Break the recording into lines of even length, each break where it hurts least."""
    count = 1 if duration_s <= _LONGEST_S else math.ceil(duration_s / LINE_S)
    cuts = [0.0]
    for number in range(1, count):
        ideal = duration_s * number / count
        cuts.append(max(_best_cut(words, ideal), cuts[-1] + LINE_S / 10))
    cuts.append(duration_s)
    return tuple(Span(start_s=a, end_s=b) for a, b in zip(cuts, cuts[1:], strict=False))


def _best_cut(words: Sequence[WordMark], ideal: float) -> float:
    """Time near the ideal one in the longest silence between words; the ideal one where no word is near."""
    ends = [0.0, *(word.end_s for word in words)]
    starts = [*(word.start_s for word in words), float("inf")]
    best, cost = ideal, float("inf")
    for end, start in zip(ends, starts, strict=True):
        low, high = end, max(start, end)
        inset = min(0.1, (high - low) / 2)
        place = min(max(ideal, low + inset), high - inset)
        # A long silence is worth a way of up to the slack; a short one is still better than a cut through a word.
        penalty = abs(place - ideal) - min(high - low, 0.5) * _SLACK_S
        if abs(place - ideal) <= _SLACK_S and penalty < cost:
            best, cost = place, penalty
    return best
