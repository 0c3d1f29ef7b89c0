"""Step 10/10 - the advice in the report: a suggestion at every flagged phone, and the few pieces that help most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from elocute.feedback import Advice, Level, Outcome, Practice, Slip, advise, next_practice
from elocute.report import Feedback, Mispronunciation, PhoneReport, Report, WordReport

MOST_PIECES = 3
"""Pieces of feedback in one report: nobody mends more at once."""
MOST_IN_A_WORD = 2
SOURCE = "rules"


def with_suggestions(
    found: Sequence[Mispronunciation], words: Sequence[WordReport], level: Level, l1: str | None = None
) -> tuple[Mispronunciation, ...]:
    """The errors, each with what would mend it; `l1` is the speaker's first language, where known."""
    slips = slips_of(found, words)
    return tuple(
        replace(item, suggestion=advise(slips[number], level, l1).suggestion) if number in slips else item
        for number, item in enumerate(found)
    )


def feedback_of(
    found: Sequence[Mispronunciation], words: Sequence[WordReport], level: Level, l1: str | None = None
) -> tuple[Feedback, ...]:
    """At most three pieces, one for each confusion: the one that people would hear most surely and most often first."""
    groups: dict[tuple[str, str], list[int]] = {}
    slips = slips_of(found, words)
    for number, slip in slips.items():
        groups.setdefault(slip.sounds, []).append(number)
    ranked = sorted(groups.values(), key=lambda numbers: -sum(found[number].probability for number in numbers))
    pieces: list[Feedback] = []
    for numbers in ranked:
        item = found[numbers[0]]  # of its confusion the surest
        if sum(piece.word_index == item.word_index for piece in pieces) >= MOST_IN_A_WORD:
            continue
        others = dict.fromkeys(found[number].word for number in numbers[1:])
        others.pop(item.word, None)
        pieces.append(_piece(item, advise(slips[numbers[0]], level, l1), tuple(others), level))
        if len(pieces) == MOST_PIECES:
            break
    return tuple(pieces)


def _piece(item: Mispronunciation, advice: Advice, others: Sequence[str], level: Level) -> Feedback:
    """One piece, which also names the other words with the same confusion."""
    also = f" The same happened in {', '.join(f'“{word}”' for word in others)}." if others else ""
    return Feedback(
        word_index=item.word_index,
        phone_index=item.phone_index,
        level=level,
        message=advice.message + also,
        articulation=advice.mend,
        minimal_pairs=advice.minimal_pairs,
        source=SOURCE,
    )


def slips_of(found: Sequence[Mispronunciation], words: Sequence[WordReport]) -> Mapping[int, Slip]:
    """What is to be advised, by its place in `found`; nothing for words that were broken off, which were not finished.

    A phone that is called wrong while it is itself what was most likely heard is a distortion.
    """
    slips = {}
    for number, item in enumerate(found):
        word = words[item.word_index]
        if word.error != "truncation":
            slips[number] = _slip(item, word.word, word.phonemes)
    return slips


def _slip(item: Mispronunciation, word: str, phonemes: Sequence[PhoneReport]) -> Slip:
    """One error in its word."""
    canonical = tuple(phone.expected for phone in phonemes if phone.expected is not None)
    index = sum(phone.expected is not None for phone in phonemes[: item.phone_index])
    actual = item.expected if item.type == "distortion" else item.actual
    return Slip(
        expected=item.expected,
        actual=actual,
        word=word,
        phones=canonical,
        index=index,
        is_reduced=phonemes[item.phone_index].phone.endswith("0"),
    )


def next_sentence(reports: Iterable[Report]) -> Practice:
    """The next sentence to practise, from a learner's reports so far, oldest first: spaced repetition over phones."""
    return next_practice([outcome_of(report) for report in reports if report.utterance.total is not None])


def outcome_of(report: Report) -> Outcome:
    """What became of the phones of a report, in the words that were said to their end."""
    right, wrong, unsure = Counter[str](), Counter[str](), Counter[str]()
    for word in report.text_words:
        if word.error in ("omission", "truncation"):
            continue
        for phone in word.phonemes:
            if phone.expected is not None:
                kind = wrong if phone.error is not None else unsure if phone.is_unsure else right
                kind[phone.expected] += 1
    return Outcome(text=report.text, right=right, wrong=wrong, unsure=unsure)
