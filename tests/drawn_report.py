"""A report with everything in it that a picture can show, and a recording that fits it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cli_reports import phone, report, word

from elocute.audio import load_audio
from elocute.prosody.pitch import Pitch
from elocute.report import (
    BreakFacts,
    MonotoneFacts,
    PauseFacts,
    ProsodyFacts,
    ReferenceFacts,
    Report,
    RhythmFacts,
    SyllableReport,
    UtteranceScores,
)
from elocute.types import Audio

RATE = 16_000


def tone(duration_s: float, f0_hz: float = 1000.0, *, begin_s: float = 0.0, end_s: float = 1e9) -> Audio:
    """A tone between two times, over faint noise."""
    time = np.arange(round(duration_s * RATE)) / RATE
    samples = 0.3 * np.sin(2 * np.pi * f0_hz * time) * ((time >= begin_s) & (time < end_s))
    noise = 1e-4 * np.random.default_rng(0).standard_normal(len(time))
    return load_audio((samples + noise).astype(np.float32), sample_rate=RATE)


def contour(duration_s: float) -> Pitch:
    """A pitch that falls from 250 to 150 Hz, unvoiced in its middle fifth."""
    frames = round(duration_s * 100)
    f0_hz = np.linspace(250.0, 150.0, frames)
    f0_hz[2 * frames // 5 : 3 * frames // 5] = np.nan
    blank = np.zeros(frames)
    return Pitch(f0_hz=f0_hz, strength=blank, intensity_db=blank, frame_shift_s=0.01, start_s=0.005)


def rich_report() -> Report:
    """'Record very nice' with an accent, an added phone, a word left out, one said twice, two breaks; 2.4 s long."""
    syllables = tuple(
        SyllableReport(phones=phones, score=80.0, stress_expected=asked, stress_spoken=spoken, stress_score=40.0)
        for phones, asked, spoken in ((("R", "IH"), 0, 1), (("K", "AO", "R", "D"), 1, 0))
    )
    record = [
        phone("R", start_s=0.20, end_s=0.28),
        phone("IH0", 40.0, start_s=0.28, end_s=0.36, actual="IY", error="substitution", probability=0.9),
        phone("K", start_s=0.36, end_s=0.42),
        phone("AO1", start_s=0.42, end_s=0.55, is_unsure=True),
        phone("R", start_s=0.55, end_s=0.60, actual=None, error="deletion", probability=0.8),
        phone("D", start_s=0.60, end_s=0.66),
        phone("AH", None, start_s=0.66, end_s=0.70, expected=None, actual="AH", error="insertion", probability=0.7),
    ]
    gone = {"start_s": None, "end_s": None, "actual": None, "error": "deletion", "probability": 0.9}
    nice = [phone(name, start_s=1.7 + 0.1 * k, end_s=1.8 + 0.1 * k) for k, name in enumerate(("N", "AY1", "S"))]
    again = [phone("N", None, start_s=1.2, end_s=1.3, error=None), phone("AY1", None, start_s=1.3, end_s=1.5)]
    words = [
        word("Record", record, 62.0, start_s=0.20, end_s=0.70, syllables=syllables),
        word("very", [phone(name, 0.0, **gone) for name in ("V", "EH1", "R", "IY0")], 0.0, error="omission",
             text_index=1, start_s=None, end_s=None, stress=None),
        word("nice", again, None, error="repetition", text_index=None, start_s=1.2, end_s=1.5, syllables=()),
        word("nice", nice, 95.0, text_index=2, start_s=1.7, end_s=2.0),
    ]  # fmt: skip
    bare = report(words)
    assert bare.fluency is not None
    pauses = (
        PauseFacts(start_s=0.75, end_s=1.15, after_word=0, place="phrase"),
        PauseFacts(start_s=1.52, end_s=1.68, after_word=1, place="boundary"),
    )
    prosody = ProsodyFacts(
        f0_mean_hz=201.4,
        f0_range_st=8.5,
        f0_slope_st_s=-1.0,
        final_contour="fall",
        final_movement_st=-3.2,
        final_expected="rise",
        monotone=MonotoneFacts(f0_sd_st=1.0, confidence=0.8),
        rhythm=RhythmFacts(npvi_v=51.0, percent_v=None, varco_v=None, varco_c=None, delta_v_s=None, delta_c_s=None),
        breaks=(
            BreakFacts(kind="unexpected", after_word=0, start_s=0.75, end_s=1.15, confidence=0.83),
            BreakFacts(kind="missing", after_word=2, start_s=2.0, end_s=2.0, confidence=0.6),
        ),
        reference=ReferenceFacts(distance_st=2.0, correlation=0.7),
    )
    audio = replace(bare.audio, duration_s=2.4)
    return replace(bare, audio=audio, fluency=replace(bare.fluency, pauses=pauses), prosody=prosody)


def refused_report() -> Report:
    """A recording that does not fit its text: nothing scored, one word placed all the same."""
    placeless = {"start_s": None, "end_s": None, "actual": None}
    words = [
        word("Nobody", [phone("N", None, **placeless)], None, start_s=None, end_s=None),
        word("knew", [phone("N", None, start_s=0.5, end_s=0.6)], None, start_s=0.5, end_s=0.6),
    ]
    none = UtteranceScores(accuracy=None, fluency=None, prosody=None, completeness=None, total=None)
    told = ("hardly any of the text was heard, so nothing is scored",)
    return replace(report(words), utterance=none, fluency=None, warnings=told)
