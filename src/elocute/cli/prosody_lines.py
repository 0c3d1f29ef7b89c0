"""Melody, breaks and stress of a report in plain English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elocute.report import BreakFacts, ProsodyFacts, Report, WordReport

SURE = 0.75
"""Confidence from which a pause out of place, or a flat melody, is told."""
_ENDS = {"rise": "rises at the end", "fall": "falls at the end", "level": "stays level at the end"}
_ASKED = {"rise": "falls", "fall": "rises"}
_MOST_BREAKS = 3


def melody_line(facts: ProsodyFacts) -> str:
    """Pitch, its range and its end in one sentence."""
    if facts.f0_mean_hz is None or facts.f0_range_st is None:
        return "too little voice to tell"
    parts = [f"around {facts.f0_mean_hz:.0f} Hz, over {facts.f0_range_st:.0f} semitones"]
    if facts.monotone is not None and facts.monotone.confidence >= SURE:
        parts.append("flatter than nearly all native speech")
    if facts.final_contour is not None:
        end = _ENDS[facts.final_contour]
        # A level end is nobody's error.
        if {facts.final_contour, facts.final_expected} == {"rise", "fall"}:
            end += f", where such a sentence mostly {_ASKED[facts.final_contour]}"
        parts.append(end)
    if facts.reference is not None:
        parts.append(f"{facts.reference.distance_st:.1f} semitones from the reference on average")
    return "; ".join(parts)


def break_line(report: Report) -> str | None:
    """The surest pauses out of place, in time order; None without any."""
    if report.prosody is None:
        return None
    sure = sorted((item for item in report.prosody.breaks if item.confidence >= SURE), key=lambda one: -one.confidence)
    told = sorted(sure[:_MOST_BREAKS], key=lambda one: one.start_s)
    more = [f"and {len(sure) - _MOST_BREAKS} more"] if len(sure) > _MOST_BREAKS else []
    words = report.text_words
    return "; ".join([*(_break(item, words) for item in told), *more]) or None


def _break(item: BreakFacts, words: Sequence[WordReport]) -> str:
    """One pause out of place."""
    word = words[item.after_word]
    if item.kind == "missing":
        return f"no pause after '{word.word}'"
    is_inside = word.end_s is not None and item.start_s < word.end_s - 1e-6
    place = "inside" if is_inside else "after"
    return f"{item.end_s - item.start_s:.1f} s of silence {place} '{word.word}', where none belongs"


def stress_notes(word: WordReport) -> Iterator[str]:
    """What is told of a word of which another syllable was stressed than should be."""
    expected = [n for n, syllable in enumerate(word.syllables) if syllable.stress_expected == 1]
    spoken = [n for n, syllable in enumerate(word.syllables) if syllable.stress_spoken == 1]
    if len(expected) == len(spoken) == 1 and expected != spoken:
        yield f"stress on syllable {spoken[0] + 1}, not {expected[0] + 1}"
