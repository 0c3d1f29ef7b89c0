"""Melodies that are drawn: their mean, range, slope, end and flatness are known; and recordings against themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.prosody.intonation import (
    NATIVE_SD_ST,
    Intonation,
    final_movement,
    intonation,
    last_turn,
    monotone,
    robust_slope,
    semitones,
)
from elocute.prosody.pitch import Pitch

SHIFT_S = 0.01


def drawn(melody_st: np.ndarray, level_db: np.ndarray | float = -20.0) -> Pitch:
    """A pitch whose melody is given in semitones above 100 Hz, NaN where unvoiced."""
    melody_st = np.asarray(melody_st, dtype=np.float64)
    return Pitch(
        f0_hz=100 * 2 ** (melody_st / 12),
        strength=np.where(np.isfinite(melody_st), 0.9, 0.1),
        intensity_db=np.broadcast_to(np.asarray(level_db, dtype=np.float64), melody_st.shape).copy(),
        frame_shift_s=SHIFT_S,
        start_s=SHIFT_S / 2,
    )


def all_of(pitch: Pitch) -> np.ndarray:
    return np.array([[0.0, len(pitch) * SHIFT_S]])


def measured(*parts: np.ndarray, level_db: np.ndarray | float = -20.0) -> Intonation:
    pitch = drawn(np.concatenate(parts), level_db)
    found = intonation(pitch, all_of(pitch))
    assert found is not None
    return found


def line(start_st: float, end_st: float, frames: int) -> np.ndarray:
    return np.linspace(start_st, end_st, frames)


UNVOICED = np.full(8, np.nan)


def test_a_straight_line_has_its_slope_range_and_mean() -> None:
    found = measured(line(10, 4, 201))
    assert found.f0_slope_st_s == pytest.approx(-3.0)
    assert found.f0_range_st == pytest.approx(0.9 * 6)
    assert found.f0_sd_st == pytest.approx(6 / np.sqrt(12), rel=0.02)
    assert found.f0_mean_hz == pytest.approx(100 * 2 ** (7 / 12))
    assert found.voiced_s == pytest.approx(2.01)


def test_declination_is_not_moved_by_a_rise_at_the_end() -> None:
    falling = line(8, 4, 200)
    assert measured(falling, line(4, 12, 20)).f0_slope_st_s == pytest.approx(-2.0, abs=0.25)


def test_only_words_that_were_said_count() -> None:
    pitch = drawn(np.concatenate([line(20, 20, 100), line(5, 4, 100)]))
    found = intonation(pitch, np.array([[1.0, 1.5], [1.6, 2.0]]))
    assert found is not None
    assert found.f0_range_st < 1.0
    assert found.voiced_s == pytest.approx(0.9)


def test_an_octave_too_low_or_high_is_left_out_and_a_leap_that_is_led_to_stays() -> None:
    creak = np.concatenate([line(8, 6, 100), UNVOICED, line(-6, -6, 12), UNVOICED, line(24, 24, 12)])
    pitch = drawn(creak)
    kept = semitones(pitch, all_of(pitch))
    assert np.nanmin(kept) == pytest.approx(6)
    assert np.nanmax(kept) == pytest.approx(8)
    led = drawn(np.concatenate([line(6, 6, 100), line(6, 15, 20)]))
    assert np.nanmax(semitones(led, all_of(led))) == pytest.approx(15)


def test_specks_of_voice_are_left_out() -> None:
    pitch = drawn(np.concatenate([line(8, 8, 50), UNVOICED, line(9, 9, 2), UNVOICED]))
    assert np.nanmax(semitones(pitch, all_of(pitch))) == pytest.approx(8)


@pytest.mark.parametrize("voiced", [0, 10, 29])
def test_too_little_voice_has_no_melody(voiced: int) -> None:
    pitch = drawn(np.concatenate([line(8, 8, voiced), np.full(100, np.nan)]))
    assert intonation(pitch, all_of(pitch)) is None


def test_short_speech_has_no_declination() -> None:
    assert measured(line(8, 6, 60)).f0_slope_st_s is None


FLAT = line(6, 6, 100)
ENDS = {
    "fall": ([FLAT, line(6, 0, 30)], "fall", -6),
    "rise": ([FLAT, line(6, 12, 30)], "rise", 6),
    "level": ([FLAT, line(6, 5, 30)], "level", None),
    "fall-rise": ([FLAT, line(6, 2, 15), line(2, 9, 20)], "rise", 7),
    "rise-fall": ([FLAT, line(6, 10, 15), line(10, 3, 20)], "fall", -7),
    "a late accent that falls": ([FLAT, line(6, 12, 20), line(12, 9, 12)], "fall", -3),
    "a fall that curls up": ([FLAT, line(6, -2, 25), line(-2, 1, 8)], "fall", -5),
    "a fall over a voiceless gap": ([FLAT, UNVOICED, line(5, 1, 20)], "fall", -5),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_last_movement(name: str) -> None:
    parts, contour, movement_st = ENDS[name]
    final = measured(*parts).final
    assert final is not None
    assert final.contour == contour
    if movement_st is not None:
        assert final.movement_st == pytest.approx(movement_st, abs=0.8)
    assert final.end_s == pytest.approx(sum(map(len, parts)) * SHIFT_S, abs=0.02)


def test_what_fades_away_does_not_make_the_end() -> None:
    parts = [FLAT, line(6, 0, 25), line(0, 8, 10)]
    level_db = np.concatenate([np.full(125, -20.0), np.full(10, -45.0)])
    final = measured(*parts, level_db=level_db).final
    assert final is not None
    assert final.contour == "fall"


def test_the_nucleus_keeps_what_comes_before_it_out() -> None:
    pitch = drawn(np.concatenate([FLAT, line(12, 6, 15), line(6, 6, 30)]))
    melody = semitones(pitch, all_of(pitch))
    without, within = (final_movement(pitch, melody, 1.45, nucleus_s) for nucleus_s in (None, 1.27))
    assert without is not None
    assert without.contour == "fall"
    assert within is not None
    assert within.contour == "level"


def test_an_unvoiced_end_has_no_movement() -> None:
    assert measured(FLAT, np.full(60, np.nan)).final is None


def test_turns_smaller_than_a_semitone_are_none() -> None:
    assert last_turn(np.array([0.0, 0.5, -0.4, 0.3, -0.3])) == 0
    assert last_turn(np.array([0.0, 2.0, 4.0, 2.0, 0.0])) == 2


@settings(max_examples=50)
@given(st.floats(-20, 20), st.floats(-5, 5), st.integers(0, 1000))
def test_the_slope_survives_a_quarter_of_wild_values(slope: float, offset: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.arange(120) * SHIFT_S
    y = offset + slope * x
    y[rng.choice(120, 24, replace=False)] += rng.choice([-12, 12], 24)
    assert robust_slope(x, y) == pytest.approx(slope, abs=1.0)


@settings(max_examples=30)
@given(shift_st=st.floats(-8, 8))
def test_a_higher_voice_has_the_same_melody(shift_st: float) -> None:
    melody = 6 + 3 * np.sin(np.arange(200) / 20)
    low, high = measured(melody), measured(melody + shift_st)
    assert high.f0_sd_st == pytest.approx(low.f0_sd_st)
    assert high.f0_range_st == pytest.approx(low.f0_range_st)
    assert high.f0_mean_hz == pytest.approx(low.f0_mean_hz * 2 ** (shift_st / 12))
    assert low.final is not None
    assert high.final is not None
    assert high.final.movement_st == pytest.approx(low.final.movement_st, abs=1e-6)


def test_flatness_is_told_by_the_norm_of_its_length() -> None:
    for voiced_s, one, five in NATIVE_SD_ST:
        frames = round(voiced_s / SHIFT_S)
        for sd_st, confidence in ((one, 0.5), (five, 0.1)):
            wave = np.sqrt(2) * sd_st * np.sin(2 * np.pi * np.arange(frames) / frames)
            found = monotone(measured(wave))
            assert found is not None
            assert found.f0_sd_st == pytest.approx(sd_st, rel=1e-6)
            assert found.confidence == pytest.approx(confidence, abs=0.01)


def test_flatter_is_surer_and_little_voice_tells_nothing() -> None:
    wave = np.sin(np.arange(300) / 20)
    confidences = [found.confidence for size in (0.1, 1.0, 2.0, 4.0) if (found := monotone(measured(size * wave)))]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.9
    assert confidences[-1] < 0.01
    assert monotone(measured(line(6, 6, 45))) is None
