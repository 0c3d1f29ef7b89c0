"""Step 10/10 - the report's facts on fluency and prosody: what was measured, in the recording's own time."""

from __future__ import annotations

from collections.abc import Sequence

from elocute.finding import Finding
from elocute.prosody import fluency
from elocute.prosody.sentence_melody import expected_final
from elocute.report import (
    BreakFacts,
    FluencyFacts,
    MonotoneFacts,
    PauseFacts,
    ProsodyFacts,
    ReferenceFacts,
    RhythmFacts,
    WordReport,
)


def fluency_facts(found: Finding, words: Sequence[WordReport]) -> FluencyFacts:
    """Rates and pauses of the words of the text that were said.

    Args:
        found: what was found.
        words: as the report has them.
    """
    said = [word for word in words if word.text_index is not None and word.start_s is not None]
    facts = fluency(
        found.prosody.times,
        found.prosody.syllables,
        sum(word.error is None for word in said),
        beside_s=_beside_s(found, said),
    )
    pauses = []
    for pause in found.prosody.pauses:
        start, end = _in_recording(found, pause.start_s, pause.end_s)
        pauses.append(PauseFacts(start_s=start, end_s=end, after_word=pause.after_word, place=pause.place))
    return FluencyFacts(
        speech_rate_syl_s=round(facts.speech_rate_syl_s, 2),
        articulation_rate_syl_s=round(facts.articulation_rate_syl_s, 2),
        wcpm=round(facts.wcpm, 1),
        pause_count=facts.pause_count,
        long_pause_count=facts.long_pause_count,
        mean_pause_s=_rounded(facts.mean_pause_s, 3),
        pause_ratio=round(facts.pause_ratio, 3),
        phonation_ratio=round(facts.phonation_ratio, 3),
        mean_length_of_run=round(facts.mean_length_of_run, 2),
        pauses=tuple(pauses),
    )


def prosody_facts(found: Finding) -> ProsodyFacts:
    """Melody, rhythm and breaks of the words of the text that were said."""
    prosody, melody, reference = found.prosody, found.prosody.intonation, found.reference
    breaks = []
    for item in prosody.breaks:
        start, end = _in_recording(found, item.start_s, item.end_s)
        confidence = round(item.confidence, 3)
        breaks.append(
            BreakFacts(kind=item.kind, after_word=item.after_word, start_s=start, end_s=end, confidence=confidence)
        )
    final = None if melody is None else melody.final
    flat = prosody.monotone
    return ProsodyFacts(
        f0_mean_hz=None if melody is None else round(melody.f0_mean_hz, 1),
        f0_range_st=None if melody is None else round(melody.f0_range_st, 2),
        f0_slope_st_s=None if melody is None else _rounded(melody.f0_slope_st_s, 2),
        final_contour=None if final is None else final.contour,
        final_movement_st=None if final is None else round(final.movement_st, 2),
        final_expected=expected_final(found.canonical.text),
        monotone=None
        if flat is None
        else MonotoneFacts(f0_sd_st=round(flat.f0_sd_st, 2), confidence=round(flat.confidence, 3)),
        rhythm=RhythmFacts(
            npvi_v=_rounded(prosody.rhythm.npvi_v, 1),
            percent_v=_rounded(prosody.rhythm.percent_v, 1),
            varco_v=_rounded(prosody.rhythm.varco_v, 1),
            varco_c=_rounded(prosody.rhythm.varco_c, 1),
            delta_v_s=_rounded(prosody.rhythm.delta_v_s, 4),
            delta_c_s=_rounded(prosody.rhythm.delta_c_s, 4),
        ),
        breaks=tuple(breaks),
        reference=None
        if reference is None
        else ReferenceFacts(
            distance_st=round(reference.distance_st, 2), correlation=_rounded(reference.correlation, 3)
        ),
    )


def _beside_s(found: Finding, said: Sequence[WordReport]) -> float:
    """Seconds of speech beside the text between the first word that was said and the last."""
    begin = min(word.start_s for word in said if word.start_s is not None)
    end = max(word.end_s for word in said if word.end_s is not None)
    shift = found.frame_shift_s
    extras = found.reading.extras
    return sum((extra.end - extra.start) * shift for extra in extras if begin <= extra.start * shift < end)


def _in_recording(found: Finding, start_s: float, end_s: float) -> tuple[float, float]:
    """A stretch of the frames that were looked at in the recording; the side counts on which its middle is."""
    middle = int((start_s + end_s) / 2 / found.frame_shift_s)
    return found.seconds((start_s, end_s), min(middle, len(found.frames) - 1))


def _rounded(value: float | None, digits: int) -> float | None:
    """A number rounded; None stays None."""
    return None if value is None else round(value, digits)
