"""Fluency and prosody in the report of a real recording: what is planted in it is told, at its place."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from elocute import Assessor
from elocute.audio import load_audio
from elocute.config import AssessorConfig
from elocute.errors import MissingExtraError
from elocute.report import Report
from elocute.types import SAMPLE_RATE_HZ, Audio

EXAMPLES = Path(__file__).parent.parent / "examples"
TEXT = "My father drives a red car."


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    return Assessor()


@pytest.fixture(scope="module")
def spoken() -> Audio:
    texts = {
        row["audio"]: row["text"] for row in map(json.loads, (EXAMPLES / "manifest.jsonl").read_text().splitlines())
    }
    assert texts["car.flac"] == TEXT
    return load_audio(EXAMPLES / "car.flac")


@pytest.fixture(scope="module")
def clean(assessor: Assessor, spoken: Audio) -> Report:
    return assessor.assess(spoken, TEXT)


def test_a_fluent_sentence(clean: Report):
    assert clean.fluency is not None
    assert clean.prosody is not None
    assert clean.fluency.pauses == ()
    assert clean.fluency.phonation_ratio == 1.0
    assert clean.prosody.breaks == ()
    assert 80 < clean.prosody.f0_mean_hz < 300
    assert clean.prosody.final_expected == "fall"
    assert 20 < clean.prosody.rhythm.percent_v < 70
    father = clean.text_words[1]
    assert [syllable.stress_expected for syllable in father.syllables] == [1, 0]
    assert [syllable.stress_spoken for syllable in father.syllables] == [1, 0]
    assert min(syllable.stress_score for syllable in father.syllables) > 50
    car = clean.text_words[5]
    assert [(syllable.stress_spoken, syllable.stress_score) for syllable in car.syllables] == [(None, None)]


def test_a_planted_pause_is_told_at_its_place(assessor: Assessor, spoken: Audio, clean: Report):
    """Seven tenths of a second of the room between 'My' and 'father'."""
    gap_s = (clean.text_words[0].end_s + clean.text_words[1].start_s) / 2
    at = round(gap_s * SAMPLE_RATE_HZ)
    rng = np.random.default_rng(0)
    room = (rng.normal(size=round(0.7 * SAMPLE_RATE_HZ)) * 1e-4).astype(np.float32)
    held = replace(spoken, samples=np.concatenate([spoken.samples[:at], room, spoken.samples[at:]]))
    report = assessor.assess(held, TEXT)
    (pause,) = report.fluency.pauses
    assert (pause.after_word, pause.place) == (0, "phrase")
    assert pause.start_s == pytest.approx(gap_s, abs=0.06)
    assert pause.end_s == pytest.approx(gap_s + 0.7, abs=0.06)
    assert report.fluency.pause_count == report.fluency.long_pause_count == 1
    assert report.fluency.speech_rate_syl_s < clean.fluency.speech_rate_syl_s - 0.5
    assert report.fluency.articulation_rate_syl_s == pytest.approx(clean.fluency.articulation_rate_syl_s, abs=0.5)
    (found,) = report.prosody.breaks
    assert (found.kind, found.after_word) == ("unexpected", 0)
    assert found.confidence > 0.75
    assert report.utterance.fluency < clean.utterance.fluency
    assert Report.from_json(report.to_json()) == report


def test_what_is_said_twice_takes_time_and_has_no_syllables(assessor: Assessor, spoken: Audio, clean: Report):
    words = clean.text_words
    begin = round((words[1].end_s + words[2].start_s) / 2 * SAMPLE_RATE_HZ)
    end = round((words[2].end_s + words[3].start_s) / 2 * SAMPLE_RATE_HZ)
    samples = spoken.samples
    silence = np.zeros(round(0.3 * SAMPLE_RATE_HZ), dtype=np.float32)
    twice = np.concatenate([samples[:end], silence, samples[begin:end], samples[end:]])
    report = assessor.assess(replace(spoken, samples=twice), TEXT)
    assert [word.error for word in report.words].count("repetition") == 1
    seconds = sum(len(word.syllables) for word in clean.text_words) / clean.fluency.speech_rate_syl_s
    longer = seconds + 0.3 + (end - begin) / SAMPLE_RATE_HZ
    assert report.fluency.speech_rate_syl_s == pytest.approx(7 / longer, rel=0.12)


def test_a_recording_that_is_refused_has_neither(assessor: Assessor):
    noise = np.random.default_rng(1).normal(size=32000).astype(np.float32) * 0.05
    report = assessor.assess(noise, TEXT, sample_rate=SAMPLE_RATE_HZ)
    assert report.utterance.total is None
    assert (report.fluency, report.prosody) == (None, None)
    assert {syllable.stress_spoken for word in report.words for syllable in word.syllables} == {None}


def test_a_reference_is_compared_by_melody(assessor: Assessor, spoken: Audio, clean: Report):
    """With itself there is no distance; with itself a fifth lower, played slower, hardly any."""
    assert clean.prosody.reference is None
    same = assessor.assess(spoken, TEXT, reference=spoken).prosody.reference
    assert same.distance_st == 0.0
    assert same.correlation == pytest.approx(1.0)
    places = np.arange(0, len(spoken.samples) - 1, 0.87)
    slow = replace(spoken, samples=np.interp(places, np.arange(len(spoken.samples)), spoken.samples).astype(np.float32))
    other = assessor.assess(spoken, TEXT, reference=slow).prosody.reference
    assert other.distance_st < 0.8
    assert other.correlation > 0.6


def test_another_pitch_tracker_by_name(assessor: Assessor, spoken: Audio, clean: Report):
    if find_spec("parselmouth") is None:
        with pytest.raises(MissingExtraError, match="praat"):
            Assessor(AssessorConfig(pitch="praat"))
        return
    report = Assessor(AssessorConfig(pitch="praat")).assess(spoken, TEXT)
    assert report.prosody.f0_mean_hz == pytest.approx(clean.prosody.f0_mean_hz, rel=0.02)
    assert report.prosody.f0_mean_hz != clean.prosody.f0_mean_hz
