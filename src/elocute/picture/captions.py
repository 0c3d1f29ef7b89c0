"""What a picture says in words: about a phone, a word, the melody, the pauses; plain enough to be read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from elocute.phones import ipa_name
from elocute.report import PhoneReport, ProsodyFacts, Report, WordReport

NONE = "–"
"""Stands for a score that there is none of."""
_WORD_ERRORS = {
    "omission": "left out",
    "insertion": "not in the text",
    "mispronunciation": "mispronounced",
    "repetition": "said again later",
    "restart": "begun, then said again",
    "truncation": "broken off",
}
_DOES = {"rise": "the pitch rises", "fall": "the pitch falls", "level": "the pitch stays level"}
_DO = {"rise": "rise", "fall": "fall", "level": "stay level"}
_MOST_HEARD = 3
_FAIR = 0.6
"""Share of the full score below which a phone is called unclear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of a list: a name and what is so."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score of the utterance on the report's scale; None where there is none."""

    name: str
    score: float | None


def score_text(score: float | None, scale: int) -> str:
    """A score as it is written: whole out of 100, one decimal out of 10, two out of 1."""
    if score is None:
        return NONE
    return f"{score:.{ {100: 0, 10: 1, 1: 2}[scale] }f}"


def word_note(word: WordReport) -> str:
    """What is wrong with a word in a few words; "" for nothing."""
    return "" if word.error is None else _WORD_ERRORS[word.error]


def word_caption(word: WordReport, scale: int) -> str:
    """A word, its scores, what is wrong with it, and when it was said."""
    parts = [f"{word.word}:"]
    if word.total is not None:
        parts.append(f"{score_text(word.total, scale)} of {scale};")
    elif word.accuracy is not None:
        parts.append(f"accuracy {score_text(word.accuracy, scale)} of {scale};")
    if word.error is not None:
        parts.append(f"{word_note(word)};")
    if stress_note(word):
        parts.append(f"{stress_note(word)};")
    if word.variant is not None:
        parts.append(f"said as {word.variant};")
    if word.start_s is not None and word.end_s is not None:
        parts.append(f"{word.start_s:.2f} to {word.end_s:.2f} s")
    return " ".join(parts).rstrip(";:")


def stress_note(word: WordReport) -> str:
    """Where the stress of a word was heard, if it belongs elsewhere; "" if it is right or cannot be told."""
    asked = [item for item in word.syllables if item.stress_expected == 1]
    heard = [item for item in word.syllables if item.stress_spoken == 1]
    # A syllable with secondary stress may stand out as well.
    if not asked or not heard or any(item.stress_expected in (1, 2) for item in heard):
        return ""
    first, second = ("".join(map(ipa_name, item.phones)) for item in (heard[0], asked[0]))
    return f"stress heard on /{first}/, belongs on /{second}/"


def phone_caption(phone: PhoneReport, word: WordReport, scale: int) -> str:
    """A phone, what was heard, its score and how surely it is wrong, and when it was said."""
    parts = [f"{phone.ipa} ({phone.phone}) in {word.word}: {phone_note(phone, scale)}"]
    if phone.score is not None:
        parts.append(f"{score_text(phone.score, scale)} of {scale}")
        parts.append(f"error probability {phone.probability:.0%}")
    elif phone.error == "insertion":
        parts.append(f"sure by {phone.probability:.0%}")
    others = [item for item in phone.nbest[:_MOST_HEARD] if item.probability >= 0.05]
    if phone.expected is not None and phone.score is not None and others:
        names = ("nothing" if item.phone is None else ipa_name(item.phone) for item in others)
        heard = ", ".join(f"{name} {item.probability:.0%}" for name, item in zip(names, others, strict=True))
        parts.append(f"heard: {heard}")
    if phone.start_s is not None and phone.end_s is not None:
        parts.append(f"{phone.start_s:.2f} to {phone.end_s:.2f} s")
    return "; ".join(parts)


def is_unclear(phone: PhoneReport, scale: int) -> bool:
    """Whether a phone that is not called wrong may be: the detector is unsure, or the score is poor."""
    is_poor = phone.score is not None and phone.score < _FAIR * scale
    return phone.error is None and (phone.is_unsure or is_poor)


def phone_note(phone: PhoneReport, scale: int) -> str:
    """What became of a phone, in a few words."""
    if phone.error == "substitution" and phone.actual is not None:
        return f"said as {ipa_name(phone.actual)}"
    if phone.error == "deletion":
        return "left out"
    if phone.error == "insertion":
        return "added"
    if phone.error is not None:
        return "heavy accent"
    if is_unclear(phone, scale):
        return "unclear"
    return "not scored" if phone.score is None else "clear"


def melody_facts(prosody: ProsodyFacts) -> Iterator[Fact]:
    """What the report says of the melody, in words."""
    if prosody.f0_mean_hz is not None:
        wide = "" if prosody.f0_range_st is None else f", moving over {prosody.f0_range_st:.1f} semitones"
        yield Fact(name="Pitch", value=f"{prosody.f0_mean_hz:.0f} Hz on average{wide}")
    if prosody.final_contour is not None:
        by = "" if prosody.final_movement_st is None else f" ({prosody.final_movement_st:+.1f} semitones)"
        yield Fact(name="At the end", value=f"{_DOES[prosody.final_contour]}{by}{_wish(prosody)}")
    if prosody.monotone is not None and prosody.monotone.confidence >= 0.5:
        yield Fact(name="Monotone", value=f"sounds flat ({prosody.monotone.confidence:.0%} sure)")
    if prosody.rhythm.npvi_v is not None:
        yield Fact(name="Rhythm", value=f"nPVI of vowels {prosody.rhythm.npvi_v:.0f}")
    if prosody.reference is not None:
        likeness = prosody.reference.correlation
        told = "" if likeness is None else f", correlation {likeness:.2f}"
        yield Fact(name="Beside the reference", value=f"{prosody.reference.distance_st:.1f} semitones apart{told}")


def facts(report: Report) -> tuple[Fact, ...]:
    """What is known of rate, pauses and melody; empty for a refused recording."""
    found = []
    if report.fluency is not None:
        rates = report.fluency
        found.append(
            Fact(
                name="Rate",
                value=f"{rates.speech_rate_syl_s:.1f} syllables a second ({rates.articulation_rate_syl_s:.1f} without "
                f"pauses), {rates.wcpm:.0f} right words a minute",
            )
        )
        long = f", {rates.long_pause_count} of them long" if rates.long_pause_count else ""
        mean = "" if rates.mean_pause_s is None else f", {rates.mean_pause_s:.2f} s on average"
        found.append(Fact(name="Pauses", value=f"{rates.pause_count}{long}{mean}" if rates.pause_count else "none"))
    if report.prosody is not None:
        found += melody_facts(report.prosody)
    return tuple(found)


def break_facts(report: Report) -> tuple[Fact, ...]:
    """The pauses out of place."""
    names = {"unexpected": "Pause where none belongs", "missing": "No pause where one belongs"}
    return tuple(
        Fact(name=names[item.kind], value=f"after '{word.word}' ({item.confidence:.0%} sure)")
        for item in (report.prosody.breaks if report.prosody else ())
        for word in [report.text_words[item.after_word]]
    )


def utterance_scores(report: Report) -> tuple[Score, ...]:
    """The five scores of the utterance, total first."""
    scores = report.utterance
    return (
        Score(name="Total", score=scores.total),
        Score(name="Accuracy", score=scores.accuracy),
        Score(name="Fluency", score=scores.fluency),
        Score(name="Prosody", score=scores.prosody),
        Score(name="Completeness", score=scores.completeness),
    )


def _wish(prosody: ProsodyFacts) -> str:
    """Whether the melody ends as the sentence asks for."""
    if prosody.final_expected is None:
        return ""
    if prosody.final_expected == prosody.final_contour:
        return "; as it should"
    # A level end is nobody's error.
    is_other_way = {prosody.final_expected, prosody.final_contour} == {"rise", "fall"}
    return f"; such sentences mostly {_DO[prosody.final_expected]}" if is_other_way else ""
