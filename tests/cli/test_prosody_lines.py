"""Melody, breaks and stress in plain English."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cli_reports import report, weather

from elocute.cli.prosody_lines import break_line, melody_line, stress_notes
from elocute.report import BreakFacts, MonotoneFacts, ProsodyFacts, ReferenceFacts, RhythmFacts, SyllableReport

FLAT = RhythmFacts(npvi_v=None, percent_v=None, varco_v=None, varco_c=None, delta_v_s=None, delta_c_s=None)
FACTS = ProsodyFacts(
    f0_mean_hz=118.2,
    f0_range_st=7.6,
    f0_slope_st_s=-1.0,
    final_contour="rise",
    final_movement_st=4.0,
    final_expected="fall",
    monotone=MonotoneFacts(f0_sd_st=0.5, confidence=0.9),
    rhythm=FLAT,
    breaks=(),
    reference=ReferenceFacts(distance_st=1.52, correlation=0.8),
)


def test_a_melody_in_one_sentence():
    assert melody_line(FACTS) == (
        "around 118 Hz, over 8 semitones; flatter than nearly all native speech; rises at the end, where such a "
        "sentence mostly falls; 1.5 semitones from the reference on average"
    )


@pytest.mark.parametrize(
    ("contour", "expected", "end"),
    [
        ("fall", "rise", "falls at the end, where such a sentence mostly rises"),
        ("fall", "fall", "falls at the end"),
        ("level", "fall", "stays level at the end"),
        ("rise", None, "rises at the end"),
    ],
)
def test_only_the_other_way_is_told(contour, expected, end):
    plain = replace(FACTS, final_contour=contour, final_expected=expected, monotone=None, reference=None)
    assert melody_line(plain) == f"around 118 Hz, over 8 semitones; {end}"


def test_without_voice_nothing_is_told_of_the_melody():
    silent = replace(FACTS, f0_mean_hz=None, f0_range_st=None, final_contour=None, monotone=None)
    assert melody_line(silent) == "too little voice to tell"


def test_the_surest_breaks_in_time_order():
    found = weather()
    timed = tuple(replace(word, start_s=0.5 * n, end_s=0.5 * n + 0.4) for n, word in enumerate(found.words))
    found = replace(found, words=timed)
    first, second = found.text_words[0], found.text_words[1]
    breaks = (
        BreakFacts(kind="unexpected", after_word=1, start_s=second.end_s, end_s=second.end_s + 0.52, confidence=0.9),
        BreakFacts(kind="missing", after_word=0, start_s=first.end_s, end_s=first.end_s, confidence=0.8),
        BreakFacts(kind="unexpected", after_word=2, start_s=2.0, end_s=2.3, confidence=0.6),  # not sure enough
    )
    told = replace(found, prosody=replace(FACTS, breaks=tuple(sorted(breaks, key=lambda one: one.start_s))))
    assert break_line(told) == "no pause after 'I'; 0.5 s of silence after 'think', where none belongs"
    inside = replace(breaks[0], start_s=second.end_s - 0.1, end_s=second.end_s)
    assert "inside 'think'" in str(break_line(replace(found, prosody=replace(FACTS, breaks=(inside,)))))
    many = replace(found, prosody=replace(FACTS, breaks=(breaks[0],) * 5))
    assert str(break_line(many)).endswith("; and 2 more")
    assert break_line(report([])) is None


def syllables(expected: list[int | None], spoken: list[int | None]) -> tuple[SyllableReport, ...]:
    return tuple(
        SyllableReport(phones=("AH",), score=90.0, stress_expected=e, stress_spoken=s, stress_score=50.0)
        for e, s in zip(expected, spoken, strict=True)
    )


@pytest.mark.parametrize(
    ("expected", "spoken", "notes"),
    [
        ([0, 1], [1, 0], ["stress on syllable 1, not 2"]),
        ([1, 0, 2], [1, 0, 0], []),
        ([1, 0], [None, None], []),  # not clear
        ([None, None], [0, 1], []),  # the lexicon does not say
    ],
)
def test_stress_out_of_place_is_told(expected, spoken, notes):
    word = replace(weather().text_words[0], syllables=syllables(expected, spoken))
    assert list(stress_notes(word)) == notes
