"""Reports as the report writer makes them, drawn by hypothesis: any words, scores, times and prosody that fit."""

from __future__ import annotations

from dataclasses import replace

from cli_reports import report
from hypothesis import strategies as st

from elocute.phones import PHONES, VOWELS, ipa_name
from elocute.report import (
    AudioFacts,
    BreakFacts,
    Heard,
    MonotoneFacts,
    PauseFacts,
    PhoneReport,
    ProsodyFacts,
    Report,
    RhythmFacts,
    SyllableReport,
    UtteranceScores,
    WordReport,
)

SPOKEN = (None, "mispronunciation", "truncation")
EXTRA = ("insertion", "repetition", "restart")


@st.composite
def phones(draw: st.DrawFn, start_s: float, scale: int, is_said: bool) -> PhoneReport:
    """A phone of the text, 50 ms long."""
    base = draw(st.sampled_from(PHONES))
    digit = draw(st.sampled_from(["", "0", "1", "2"])) if base in VOWELS else ""
    nbest = draw(st.lists(st.builds(Heard, phone=st.none() | st.sampled_from(PHONES), probability=st.floats(0, 1))))
    error = draw(st.sampled_from([None, "substitution", "deletion", "distortion"]))
    return PhoneReport(
        phone=base + digit,
        ipa=ipa_name(base, int(digit) if digit else None),
        start_s=start_s if is_said else None,
        end_s=start_s + 0.05 if is_said else None,
        score=draw(st.floats(0, scale)),
        expected=base,
        actual=base,
        error=error,
        probability=0.1,
        is_unsure=False,
        nbest=tuple(nbest),
    )


@st.composite
def words(draw: st.DrawFn, index: int | None, start_s: float, scale: int) -> WordReport:
    """A word of the text, or one beside it."""
    error = draw(st.sampled_from(EXTRA if index is None else (*SPOKEN, "omission")))
    is_said = error != "omission"
    inside = [draw(phones(start_s + 0.05 * k, scale, is_said)) for k in range(draw(st.integers(1, 4)))]
    if is_said and index is not None and draw(st.booleans()):
        # One that the text does not have.
        added = PhoneReport(
            phone="T", ipa="t", start_s=start_s, end_s=start_s, score=None, expected=None, actual="T",
            error="insertion", probability=0.9, is_unsure=False, nbest=(Heard(phone="T", probability=0.9),),
        )  # fmt: skip
        inside.insert(draw(st.integers(0, len(inside))), added)
    canonical = [phone for phone in inside if phone.expected is not None]
    cut = draw(st.integers(1, len(canonical)))
    syllables = [part for part in (canonical[:cut], canonical[cut:]) if part] if index is not None else []
    return WordReport(
        word=draw(st.text(min_size=1, max_size=8)),
        text_index=index,
        start_s=start_s if is_said else None,
        end_s=start_s + 0.3 if is_said else None,
        accuracy=None if index is None else draw(st.floats(0, scale)) if is_said else 0.0,
        stress=None,
        total=None,
        error=error,
        variant=None,
        syllables=tuple(
            SyllableReport(
                phones=tuple(phone.expected or "" for phone in part),
                score=draw(st.floats(0, scale)),
                stress_expected=None,
                stress_spoken=None,
                stress_score=None,
            )
            for part in syllables
        ),
        phonemes=tuple(inside),
    )


@st.composite
def prosodies(draw: st.DrawFn, length: int) -> ProsodyFacts:
    """Breaks at any words, and any melody."""
    breaks = st.builds(
        BreakFacts,
        kind=st.sampled_from(["unexpected", "missing"]),
        after_word=st.integers(0, max(length - 1, 0)),
        start_s=st.floats(0, 9),
        end_s=st.floats(9, 10),
        confidence=st.floats(0.5, 1),
    )
    flat = draw(st.none() | st.builds(MonotoneFacts, f0_sd_st=st.floats(0, 9), confidence=st.floats(0, 1)))
    rhythm = RhythmFacts(npvi_v=None, percent_v=None, varco_v=None, varco_c=None, delta_v_s=None, delta_c_s=None)
    return ProsodyFacts(
        f0_mean_hz=None, f0_range_st=None, f0_slope_st_s=None, final_contour=None, final_movement_st=None,
        final_expected=None, monotone=flat, rhythm=rhythm, breaks=tuple(draw(st.lists(breaks, max_size=4))),
        reference=None,
    )  # fmt: skip


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """A report; every now and then one of a recording that could not be scored, or whose prosody could not."""
    scale = draw(st.sampled_from([1, 10, 100]))
    kinds = draw(st.lists(st.booleans(), max_size=6))
    said, index = [], 0
    for at, is_text in enumerate(kinds):
        said.append(draw(words(index if is_text else None, 0.4 * at, scale)))
        index += is_text
    score = st.floats(0, scale)
    scores = draw(
        st.builds(
            UtteranceScores,
            accuracy=score,
            fluency=score,
            prosody=st.none() | score,
            completeness=score,
            total=score,
        )
        | st.just(UtteranceScores(accuracy=None, fluency=None, prosody=None, completeness=None, total=None))
    )
    pauses = st.builds(
        PauseFacts,
        start_s=st.floats(0, 5),
        end_s=st.floats(5, 9),
        after_word=st.integers(0, max(index - 1, 0)),
        place=st.sampled_from(["boundary", "phrase", "word"]),
    )
    drawn = report(
        said,
        scale=scale,
        utterance=scores,
        audio=AudioFacts(duration_s=draw(st.floats(0, 60)), speech_s=1.0, snr_db=draw(st.none() | st.floats(-20, 90)),
                         clipped=0.0),
        prosody=draw(st.none() | prosodies(index)),
    )  # fmt: skip
    if drawn.fluency is None or draw(st.booleans()):
        return drawn
    facts = replace(drawn.fluency, pauses=tuple(draw(st.lists(pauses, max_size=4))))
    return replace(drawn, fluency=facts)
