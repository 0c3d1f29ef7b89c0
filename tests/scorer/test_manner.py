"""Prosody as the scorer's vector: every value in its column, and what is not known told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elocute.prosody import Prosody, Timing
from elocute.prosody.breaks import Break, PlacedPause
from elocute.prosody.intonation import Intonation, Monotone, Movement
from elocute.prosody.pauses import Pause
from elocute.prosody.pitch import Pitch
from elocute.prosody.rhythm import Rhythm
from elocute.prosody.stress import SpokenStress, SyllableStress
from elocute.scorer.manner import GROUPS, PROSODY_FEATURES, UNKNOWN, prosody_features


def spoken(spoken: int | None, score: float, *likely: float) -> SpokenStress:
    syllables = tuple(SyllableStress(probability=p, is_stressed=None, score=None) for p in likely)
    return SpokenStress(spoken=spoken, expected=0, score=score, syllables=syllables)


VOICED = np.where(np.arange(300) < 150, 200.0, np.nan)
PROSODY = Prosody(
    times=Timing(
        start_s=np.array([0.0, 1.0, 2.5]),
        end_s=np.array([1.0, 2.0, 3.0]),
        pauses=(Pause(start_s=2.0, end_s=2.5, after_phone=1),),
        energy_db=np.zeros(150),
        quiet=np.zeros(150, dtype=bool),
        frame_shift_s=0.02,
    ),
    pitch=Pitch(
        f0_hz=VOICED,
        strength=np.where(np.isfinite(VOICED), 0.8, 0.1),
        intensity_db=np.where(np.arange(300) % 2, -20.0, -24.0),
        frame_shift_s=0.01,
        start_s=0.005,
    ),
    syllables=6,
    pauses=(
        PlacedPause(start_s=2.0, end_s=2.5, after_word=1, place="phrase", hesitation=0.9),
        PlacedPause(start_s=0.4, end_s=0.6, after_word=0, place="word", hesitation=0.7),
    ),
    breaks=(
        Break(kind="unexpected", after_word=1, start_s=2.0, end_s=2.5, confidence=0.9),
        Break(kind="missing", after_word=0, start_s=1.0, end_s=1.0, confidence=0.6),
    ),
    rhythm=Rhythm(npvi_v=50.0, percent_v=None, varco_v=40.0, varco_c=30.0, delta_v_s=0.05, delta_c_s=0.04),
    intonation=Intonation(
        f0_mean_hz=200.0,
        f0_range_st=6.0,
        f0_sd_st=2.0,
        f0_slope_st_s=None,
        voiced_s=1.5,
        final=Movement(contour="fall", movement_st=-4.0, start_s=2.6, end_s=2.9),
    ),
    monotone=Monotone(f0_sd_st=2.0, confidence=0.2),
    stress=(spoken(0, 0.9, 0.8, 0.2), None, spoken(1, 0.1, 0.3, 0.7), spoken(None, 0.5, 0.5, 0.5)),
)


def test_every_value_stands_in_its_column():
    found = dict(zip(PROSODY_FEATURES, prosody_features(PROSODY).tolist(), strict=True))
    expected = {
        "speech_rate": 2.0,
        "articulation_rate": 2.4,
        "syllables_per_run": 3.0,
        "phonation_ratio": 2.5 / 3,
        "pauses_per_word": 2 / 4,
        "long_pauses_per_word": 1 / 4,
        "phrase_pauses_per_word": 1 / 4,
        "word_pauses_per_word": 1 / 4,
        "boundary_pause_s": 0.0,
        "phrase_pause_s": 0.5,
        "word_pause_s": 0.2,
        "longest_phrase_pause_s": 0.5,
        "hesitations_per_word": 1.6 / 4,
        "surest_hesitation": 0.9,
        "unexpected_breaks": 0.9,
        "missing_breaks": 0.6,
        "npvi_v": 50.0,
        "percent_v": UNKNOWN,
        "varco_v": 40.0,
        "varco_c": 30.0,
        "delta_v_s": 0.05,
        "delta_c_s": 0.04,
        "f0_mean_st": 12.0,
        "f0_range_st": 6.0,
        "f0_sd_st": 2.0,
        "f0_slope_st_s": UNKNOWN,
        "voiced_share": 0.5,
        "final_movement_st": -4.0,
        "monotone": 0.2,
        "periodicity": 0.8,
        "intensity_sd_db": 2.0,
        "stress_mean": 0.5,
        "stress_least": 0.1,
        "stress_clarity": 2.0 / 3,
        "words_stressed_elsewhere": 0.5,
    }
    assert found == pytest.approx(expected, abs=1e-6)
    assert prosody_features(PROSODY).dtype == np.float32


def test_what_was_not_measured_is_unknown_and_nothing_else_changes():
    bare = replace(PROSODY, intonation=None, monotone=None, stress=(None,) * 4)
    known, less = prosody_features(PROSODY), prosody_features(bare)
    lost = {name for name, a, b in zip(PROSODY_FEATURES, known, less, strict=True) if a != b}
    still = {"voiced_share", "periodicity", "intensity_sd_db", "f0_slope_st_s"}
    assert lost == {*GROUPS["melody"], *GROUPS["stress"]} - still
    assert all(less[PROSODY_FEATURES.index(name)] == UNKNOWN for name in lost)


def test_a_whisper_has_no_voice():
    silent = replace(PROSODY.pitch, f0_hz=np.full(300, np.nan))
    found = dict(zip(PROSODY_FEATURES, prosody_features(replace(PROSODY, pitch=silent)), strict=True))
    assert found["voiced_share"] == 0.0
    assert found["periodicity"] == found["intensity_sd_db"] == UNKNOWN
