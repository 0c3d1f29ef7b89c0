"""Distortions: each measured by another way than it was made."""

from __future__ import annotations

import numpy as np
import pytest

from elocute.audio import audio_from_array
from elocute.errors import AudioError
from elocute.evaluation import distort
from elocute.evaluation.distort import SAMPLE_RATE_HZ, active_level_db, rms_db


def tone(frequency_hz: float, duration_s: float, amplitude: float = 0.1) -> np.ndarray:
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def speech(seed: int = 0, duration_s: float = 3.0) -> np.ndarray:
    """Something with syllables and pauses: pulses at 120 Hz through two resonances, four times a second."""
    rng = np.random.default_rng(seed)
    n = round(duration_s * SAMPLE_RATE_HZ)
    time_s = np.arange(n) / SAMPLE_RATE_HZ
    source = sum(np.sin(2 * np.pi * 120 * k * time_s) / (1 + abs(k - 5)) for k in range(1, 50))
    envelope = np.clip(np.sin(2 * np.pi * 4 * time_s), 0, 1) * (np.sin(2 * np.pi * 0.5 * time_s) > -0.3)
    return (0.05 * source * envelope + 1e-4 * rng.standard_normal(n)).astype(np.float32)


def spectrum_db(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Power between two frequencies, dB."""
    power = np.square(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))))
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    return 10 * np.log10(power[(frequency_hz >= low_hz) & (frequency_hz < high_hz)].sum() + 1e-30)


def test_the_active_level_is_that_of_the_speech_and_not_of_its_pauses() -> None:
    level = rms_db(tone(440, 1.0))
    assert active_level_db(tone(440, 4.0)) == pytest.approx(level, abs=0.1)
    pause = np.zeros(4 * SAMPLE_RATE_HZ, dtype=np.float32)
    burst = np.concatenate([pause, tone(440, 4.0), pause])
    # Onset, hangover: a little more than the tone counts as active.
    assert active_level_db(burst) == pytest.approx(level, abs=0.35)
    assert rms_db(burst) == pytest.approx(level - 10 * np.log10(3), abs=0.05)
    for gain_db in (-30, -7, 6):
        louder = (burst * 10 ** (gain_db / 20)).astype(np.float32)
        assert active_level_db(louder) == pytest.approx(active_level_db(burst) + gain_db, abs=0.1)
    with pytest.raises(AudioError, match="digital silence"):
        active_level_db(pause)


@pytest.mark.parametrize("snr_db", [20, 10, 5, 0, -5])
def test_noise_is_mixed_at_the_ratio_asked_for(snr_db: float) -> None:
    rng = np.random.default_rng(1)
    clean = speech()
    noise = distort.looped(rng.standard_normal(5000).astype(np.float32), len(clean), 0.3)
    mix = distort.with_noise(clean, noise, snr_db)
    assert np.abs(mix).max() < 1
    # Least squares tells the two apart again, whatever the mix was turned down by.
    (a, b), *_ = np.linalg.lstsq(np.column_stack([clean, noise]).astype(float), mix, rcond=None)
    found = active_level_db((a * clean).astype(np.float32)) - rms_db((b * noise).astype(np.float32))
    assert found == pytest.approx(snr_db, abs=0.1)
    assert np.abs(mix - a * clean - b * noise).max() < 1e-5


def test_noise_that_would_clip_is_turned_down_with_the_speech() -> None:
    clean = (speech() * 6).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    assert np.abs(distort.with_noise(clean, noise, -10)).max() == pytest.approx(0.99, abs=1e-6)


def test_a_clip_is_looped_without_the_silence_around_it() -> None:
    clip = np.concatenate([np.zeros(100), np.arange(1, 11) / 10, np.zeros(500)]).astype(np.float32)
    long = distort.looped(clip, 25, 0.5)
    assert long == pytest.approx(np.resize([*np.arange(6, 11), *np.arange(1, 6)], 25) / 10)
    with pytest.raises(AudioError, match="silent throughout"):
        distort.looped(np.zeros(100, dtype=np.float32), 10, 0.0)


@pytest.mark.parametrize("rt60_s", [0.3, 0.6, 1.0])
def test_the_room_decays_by_60_db_in_the_time_asked_for(rt60_s: float) -> None:
    response = distort.room_response(np.random.default_rng(2), rt60_s=rt60_s)
    tail = np.square(response[40:])
    assert np.square(response[0]) == pytest.approx(tail.sum(), rel=1e-6)  # 0 dB of direct sound
    # Schroeder's backward integration; the slope from -5 to -35 dB, as ISO 3382 has it (T30).
    left_db = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum())
    inside = (left_db < -5) & (left_db > -35)
    slope = np.polyfit(np.arange(len(tail))[inside] / SAMPLE_RATE_HZ, left_db[inside], 1)[0]
    assert -60 / slope == pytest.approx(rt60_s, rel=0.05)


def test_reverberation_keeps_energy_and_fills_pauses() -> None:
    clean = np.concatenate([tone(700, 1.0), np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)])
    wet = distort.reverberated(clean, distort.room_response(np.random.default_rng(0)))
    assert len(wet) == len(clean) + 9600 - 1
    assert np.square(wet).sum() == pytest.approx(np.square(clean).sum(), rel=1e-3)
    after = wet[SAMPLE_RATE_HZ + 1600 : SAMPLE_RATE_HZ + 3200]
    assert -25 < rms_db(after) - rms_db(clean[:SAMPLE_RATE_HZ]) < -5


def test_a_telephone_passes_its_band_only() -> None:
    noise = distort.coloured_noise(4 * SAMPLE_RATE_HZ, np.random.default_rng(0))
    heard = distort.telephoned(noise)
    assert len(heard) == len(noise)

    def gain_db(low_hz: float, high_hz: float) -> float:
        return spectrum_db(heard, low_hz, high_hz) - spectrum_db(noise, low_hz, high_hz)

    assert gain_db(500, 3000) == pytest.approx(0, abs=0.3)
    assert gain_db(20, 200) < -25  # what mu-law adds lies there, too
    assert gain_db(3700, 4000) < -25
    assert gain_db(4300, 8000) < -50
    # Mu-law keeps about 38 dB between speech and its error, whatever the level.
    passed = distort.telephoned(tone(1000, 1.0))
    error = passed - tone(1000, 1.0)
    assert -42 < rms_db(error[1600:-1600]) - rms_db(tone(1000, 1.0)) < -30


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_so_many_samples_clip(share: float) -> None:
    out = distort.clipped(speech(), share)
    assert np.mean(np.abs(out) >= 1) == pytest.approx(share, abs=0.001)
    assert np.abs(out).max() == 1
    assert audio_from_array(out, SAMPLE_RATE_HZ).quality.clipped == pytest.approx(share, abs=0.02)
    with pytest.raises(AudioError, match="digital silence"):
        distort.clipped(np.zeros(100, dtype=np.float32))


def test_opus_loses_something_and_keeps_time() -> None:
    clean = speech()
    losses = {}
    for bit_rate in (12_000, 64_000):
        heard = distort.opus_coded(clean, bit_rate)
        assert heard.shape == clean.shape
        assert heard.dtype == np.float32
        lags = range(-160, 161, 8)
        matches = [float(clean[2000:-2000] @ heard[2000 + lag : len(heard) - 2000 + lag]) for lag in lags]
        assert lags[int(np.argmax(matches))] == 0
        losses[bit_rate] = rms_db(heard - clean) - rms_db(clean)
    assert losses[12_000] > -25
    assert losses[64_000] < losses[12_000] - 3


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_speed_moves_duration_and_pitch(factor: float) -> None:
    out = distort.at_speed(tone(500, 2.0), factor)
    assert len(out) == pytest.approx(2.0 * SAMPLE_RATE_HZ / factor, abs=2)
    peak = np.argmax(np.abs(np.fft.rfft(out))) * SAMPLE_RATE_HZ / len(out)
    assert peak == pytest.approx(500 * factor, abs=2)


def test_noises_have_their_colours_and_levels() -> None:
    rng = np.random.default_rng(0)
    n = 8 * SAMPLE_RATE_HZ
    octaves = [(250 * 2**k, 500 * 2**k) for k in range(4)]
    for slope, per_octave in ((0.0, 3.0), (3.0, 0.0)):
        noise = distort.coloured_noise(n, rng, slope_db_per_octave=slope)
        levels = [spectrum_db(noise, *octave) for octave in octaves]
        assert np.diff(levels) == pytest.approx([per_octave] * 3, abs=0.3)
        assert rms_db(noise) == pytest.approx(-20, abs=0.01)
    hum = distort.mains_hum(n, rng)
    assert spectrum_db(hum, 40, 610) - spectrum_db(hum, 620, 8000) > 60
    music = distort.tone_chords(n + 7, rng)
    assert len(music) == n + 7
    assert rms_db(music) == pytest.approx(-20, abs=0.01)


def test_a_level_is_met_unless_it_would_clip() -> None:
    assert rms_db(distort.at_level(tone(440, 1.0), -33.0)) == pytest.approx(-33, abs=0.01)
    assert np.abs(distort.at_level(tone(440, 1.0), 3.0)).max() == pytest.approx(0.99)


def test_floor_noise_is_as_loud_as_the_pauses() -> None:
    rng = np.random.default_rng(0)
    quiet = 1e-3 * rng.standard_normal(SAMPLE_RATE_HZ)
    like = np.concatenate([quiet, tone(300, 2.0), np.zeros(8000)]).astype(np.float32)
    assert rms_db(distort.floor_noise(like, 16000, rng)) == pytest.approx(-60, abs=1)
    assert not distort.floor_noise(np.zeros(8000, dtype=np.float32), 100, rng).any()


def test_joints_do_not_click() -> None:
    ones = np.ones(1000, dtype=np.float32)
    out = distort.joined(ones, ones)
    assert len(out) == 2000
    assert np.abs(np.diff(out)).max() == pytest.approx(1 / 80, abs=1e-6)
    assert out[500] == 1
    assert ones.min() == 1  # what was passed in is left alone
    assert len(distort.joined(np.zeros(0, dtype=np.float32), ones)) == 1000
