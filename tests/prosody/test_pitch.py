"""Pitch on sounds whose pitch is known: tones, vowels, glides, noise, octaves; and the contract that trackers keep."""

import importlib
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.acoustic.protocol import bare_audio
from elocute.errors import ConfigError, MissingExtraError
from elocute.prosody.pitch import (
    AutocorrelationTracker,
    Pitch,
    PitchTracker,
    frame_count,
    intensity_db,
)
from elocute.prosody.trackers import check_pitch_tracker, load_pitch_tracker, pitch_tracker_names
from elocute.types import SAMPLE_RATE_HZ

TRACKER = AutocorrelationTracker()


def track(samples: np.ndarray) -> Pitch:
    return TRACKER.track(bare_audio(np.asarray(samples, dtype=np.float32)))


def pulses(f0_hz: np.ndarray, resonances_hz: tuple[float, ...] = (500.0, 1500.0, 2500.0)) -> np.ndarray:
    """A vowel: pulses at the instantaneous pitch f0_hz (N,) through resonators of 80 Hz, as the source-filter theory
    has it. Written from its definition; shares nothing with the tracker."""
    cycles = np.cumsum(f0_hz / SAMPLE_RATE_HZ)
    out = np.zeros(len(f0_hz) + 1)
    for n in np.flatnonzero(np.diff(np.floor(cycles)) > 0):
        # Between two samples, so that periods need not be whole: 48, 49, 48, 49 would be a true octave below.
        late = (cycles[n + 1] % 1) / (cycles[n + 1] - cycles[n])
        out[n : n + 2] += late, 1 - late
    out = out[: len(f0_hz)]
    radius = np.exp(-np.pi * 80 / SAMPLE_RATE_HZ)
    for frequency in resonances_hz:
        a1, a2 = 2 * radius * np.cos(2 * np.pi * frequency / SAMPLE_RATE_HZ), -(radius**2)
        y = np.zeros(len(out) + 2)
        for n, x in enumerate(out.tolist()):
            y[n + 2] = x + a1 * y[n + 1] + a2 * y[n]
        out = y[2:]
    return 0.3 * out / np.abs(out).max()


def cents(found: np.ndarray, truth: np.ndarray | float) -> np.ndarray:
    return np.abs(1200 * np.log2(found / truth))


@pytest.mark.parametrize("f0_hz", [80.0, 110.0, 175.0, 240.0, 330.0, 480.0])
def test_a_vowel_has_the_pitch_of_its_pulses(f0_hz: float) -> None:
    pitch = track(pulses(np.full(8000, f0_hz)))
    assert pitch.is_voiced[4:-4].all()
    assert cents(pitch.f0_hz[4:-4], f0_hz).max() < 30
    assert abs(np.median(pitch.f0_hz[4:-4]) / f0_hz - 1) < 0.002


def test_a_glide_over_two_octaves_is_followed_without_a_jump() -> None:
    f0_hz = 100.0 * 4.0 ** np.linspace(0, 1, 2 * SAMPLE_RATE_HZ)
    pitch = track(pulses(f0_hz))
    truth = f0_hz[np.round(pitch.times_s * SAMPLE_RATE_HZ).astype(int)]
    assert pitch.is_voiced[4:-4].all()
    assert cents(pitch.f0_hz, truth)[4:-4].max() < 60


def test_a_strong_first_formant_on_the_second_harmonic_is_no_octave() -> None:
    pitch = track(pulses(np.full(16000, 200.0), (400.0, 1600.0)))
    assert cents(pitch.f0_hz[4:-4], 200.0).max() < 30


def test_voicing_starts_and_ends_where_the_voice_does() -> None:
    rng = np.random.default_rng(1)
    samples = 0.002 * rng.standard_normal(2 * SAMPLE_RATE_HZ)
    samples[8000:24000] += pulses(np.full(16000, 140.0))
    pitch = track(samples)
    voiced = pitch.times_s[pitch.is_voiced]
    assert abs(voiced[0] - 0.5) <= 0.03
    assert abs(voiced[-1] - 1.5) <= 0.03
    assert pitch.is_voiced[pitch.between(0.53, 1.47)].all()


def test_noise_of_a_fricative_is_unvoiced_and_less_periodic() -> None:
    rng = np.random.default_rng(2)
    samples = np.concatenate([0.1 * rng.standard_normal(16000), pulses(np.full(16000, 140.0))])
    pitch = track(samples)
    assert pitch.is_voiced[:95].mean() < 0.03
    assert pitch.strength[:95].mean() < 0.4 < 0.9 < pitch.strength[105:195].min()


@pytest.mark.parametrize("snr_db", [20, 10])
def test_a_vowel_in_noise_keeps_its_pitch(snr_db: int) -> None:
    vowel = pulses(np.full(16000, 120.0))
    noise = np.random.default_rng(3).standard_normal(16000)
    noise *= np.sqrt(np.square(vowel).mean() / np.square(noise).mean()) * 10 ** (-snr_db / 20)
    pitch = track(vowel + noise)
    assert pitch.is_voiced[4:-4].mean() > 0.95
    assert np.nanpercentile(cents(pitch.f0_hz, 120.0), 99) < 50


def test_a_bang_does_not_make_the_speech_silent() -> None:
    quiet = 0.02 * pulses(np.full(SAMPLE_RATE_HZ, 120.0)) / 0.3
    banged = np.concatenate([quiet, np.zeros(1600)])
    banged[16800:16810] = 1.0
    assert track(banged).is_voiced[4:96].all()


@settings(max_examples=25, deadline=None)
@given(gain_db=st.floats(-50, 0), offset=st.floats(-0.3, 0.3))
def test_neither_gain_nor_offset_changes_the_pitch(gain_db: float, offset: float) -> None:
    f0_hz = 130.0 + 40.0 * np.sin(np.arange(8000) / 1500)
    samples = pulses(f0_hz)
    before, after = track(samples), track(samples * 10 ** (gain_db / 20) + offset)
    inner = slice(3, -3)  # at the ends the padding makes a step of the offset
    both = before.is_voiced & after.is_voiced
    assert np.mean(before.is_voiced[inner] == after.is_voiced[inner]) > 0.95
    assert np.median(cents(after.f0_hz[both], before.f0_hz[both])) < 1
    np.testing.assert_allclose(
        after.intensity_db[inner], before.intensity_db[inner] + gain_db, atol=0.2 if gain_db > -45 else 0.5
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2000))
def test_any_length_gives_a_frame_for_every_begun_10_ms(samples: int) -> None:
    pitch = track(np.random.default_rng(samples).normal(0, 0.1, samples))
    assert len(pitch) == frame_count(samples) == -(-samples // 160)
    assert np.isfinite(pitch.intensity_db).all()
    assert pitch.times_s[0] == pytest.approx(0.005)


def test_long_recordings_are_the_same_in_blocks() -> None:
    samples = np.tile(pulses(np.full(SAMPLE_RATE_HZ, 128.0)), 6)
    pitch = track(samples)
    assert len(pitch) == 600
    assert cents(pitch.f0_hz[4:-4], 128.0).max() < 30


def test_silence_is_unvoiced_and_at_the_lowest_level() -> None:
    pitch = track(np.zeros(SAMPLE_RATE_HZ))
    assert not pitch.is_voiced.any()
    assert (pitch.intensity_db == -100.0).all()


def test_intensity_is_that_of_a_sine() -> None:
    sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    expected = 10 * np.log10(0.5**2 / 2)
    audio = bare_audio(sine.astype(np.float32))
    assert intensity_db(audio)[5:-5] == pytest.approx(expected, abs=0.05)
    assert TRACKER.track(audio).intensity_db == pytest.approx(intensity_db(audio), abs=1e-3)


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [(0.0, 0.01, (0, 1)), (0.005, 0.015, (0, 1)), (0.006, 0.015, (1, 1)), (0.1, 5.0, (10, 20)), (-1.0, -0.5, (0, 0))],
)
def test_between_takes_the_centres_in_a_half_open_interval(
    start_s: float, end_s: float, expected: tuple[int, int]
) -> None:
    found = track(np.zeros(3200)).between(start_s, end_s)
    assert (found.start, found.stop) == expected


def test_both_trackers_are_found_by_name() -> None:
    assert {"autocorrelation", "praat"} <= set(pitch_tracker_names())
    assert load_pitch_tracker("autocorrelation").name == "autocorrelation"
    with pytest.raises(ConfigError, match="did you mean 'praat'"):
        load_pitch_tracker("prat")


def test_our_tracker_keeps_the_contract() -> None:
    assert isinstance(TRACKER, PitchTracker)
    assert check_pitch_tracker(TRACKER)[-1] == "deterministic"


class Spoiled:
    """Our tracker with one thing spoiled."""

    name = "spoiled"

    def __init__(self, fault: str) -> None:
        self.fault, self.calls = fault, 0

    def track(self, audio: object) -> Pitch:
        pitch = TRACKER.track(audio)
        self.calls += 1
        changes = {
            "octave": {"f0_hz": pitch.f0_hz / 2},
            "voiced": {"f0_hz": np.full(len(pitch), 100.0)},
            "unvoiced": {"f0_hz": np.full(len(pitch), np.nan)},
            "zero": {"f0_hz": np.nan_to_num(pitch.f0_hz)},
            "short": {"f0_hz": pitch.f0_hz[:-1]},
            "late": {"start_s": 0.02},
            "strength": {"strength": pitch.strength + 1},
            "random": {"f0_hz": pitch.f0_hz * (1 + 1e-6 * self.calls)},
        }
        return replace(pitch, **changes[self.fault])


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("octave", "1200 cents off"),
        ("voiced", "100% of frames are voiced"),
        ("unvoiced", "0% of the inner frames"),
        ("zero", "neither above 0"),
        ("short", "arrays have shapes"),
        ("late", "from 0.005 s"),
        ("strength", "strength from 0 to 1"),
        ("random", "not deterministic"),
    ],
)
def test_a_spoiled_tracker_breaks_the_contract(fault: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check_pitch_tracker(Spoiled(fault))


def test_what_is_no_tracker_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks a member"):
        check_pitch_tracker(object())  # type: ignore[arg-type]


def test_without_parselmouth_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'elocute\[praat\]'"):
        load_pitch_tracker("praat")


def test_praat_keeps_the_contract_and_agrees() -> None:
    pytest.importorskip("parselmouth", reason="needs the extra praat")
    praat = importlib.import_module("elocute.prosody.praat").load()
    assert check_pitch_tracker(praat)[-1] == "deterministic"
    rng = np.random.default_rng(4)
    f0_hz = 150.0 * 2 ** (0.5 * np.sin(np.arange(32000) / 4000))
    samples = pulses(f0_hz) * (np.sin(np.arange(32000) / 2500) > -0.3) + 0.003 * rng.standard_normal(32000)
    audio = bare_audio(samples.astype(np.float32))
    ours, theirs = TRACKER.track(audio), praat.track(audio)
    assert theirs.start_s == pytest.approx(ours.start_s)
    assert np.mean(ours.is_voiced == theirs.is_voiced) > 0.97
    both = ours.is_voiced & theirs.is_voiced
    assert np.median(cents(ours.f0_hz[both], theirs.f0_hz[both])) < 2
