"""Silences between phones, on signals whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.prosody import Pause, find_pauses, timing
from elocute.prosody.activity import speech_activity
from elocute.prosody.pauses import runs_of, silent_frames
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality

SHIFT_S = 0.02
"""Of the lattice's frames."""


def recording(samples: np.ndarray) -> Audio:
    quality = AudioQuality(
        duration_s=len(samples) / SAMPLE_RATE_HZ,
        peak=float(np.abs(samples).max(initial=0)),
        rms_db=0.0,
        speech_s=0.0,
        snr_db=None,
        clipped=0.0,
        source_rate_hz=SAMPLE_RATE_HZ,
        source_channels=1,
    )
    return Audio(samples=samples.astype(np.float32), quality=quality)


def sound(*parts: tuple[str, float], noise: float = 1e-3, seed: int = 0) -> Audio:
    """Pieces one after the other, seconds each: a hum with overtones (o), a faint hiss (s), nothing (.), over noise."""
    rng = np.random.default_rng(seed)
    pieces = []
    for kind, seconds in parts:
        length = round(seconds * SAMPLE_RATE_HZ)
        time = np.arange(length) / SAMPLE_RATE_HZ
        if kind == "o":
            piece = sum(0.3 / k * np.sin(2 * np.pi * 140 * k * time) for k in range(1, 40))
        elif kind == "s":
            piece = np.diff(0.01 * rng.standard_normal(length + 1))  # 30 dB below the hum, high
        else:
            piece = np.zeros(length)
        pieces.append(piece)
    whole = np.concatenate(pieces)
    return recording(whole + noise * rng.standard_normal(len(whole)))


def states(seconds: float, spikes: list[float]) -> np.ndarray:
    """Occupancies of a sure lattice: one frame for each phone at its time, blanks else."""
    frames = round(seconds / SHIFT_S)
    found = np.zeros((frames, 2 * len(spikes) + 1))
    at = [int(spike / SHIFT_S) for spike in spikes]
    for frame in range(frames):
        found[frame, 2 * at.index(frame) + 1 if frame in at else 2 * sum(spike < frame for spike in at)] = 1.0
    return found


@pytest.mark.parametrize("noise", [0.0, 1e-5, 1e-3, 1e-2])
def test_a_pause_is_found_to_ten_milliseconds_in_any_noise(noise: float):
    audio = sound(("o", 0.5), (".", 0.43), ("o", 0.5), ("s", 0.2), ("o", 0.3), noise=noise)
    (pause,) = find_pauses(audio, states(1.93, [0.3, 1.1, 1.5]), SHIFT_S, symbols=["AH", "AH", "S"], word_ids=[0, 1, 1])
    assert pause.after_phone == 0
    assert pause.start_s == pytest.approx(0.5, abs=0.011)
    assert pause.end_s == pytest.approx(0.93, abs=0.011)


def test_digital_silence_does_not_hide_a_noisy_pause():
    """Half of the recording is zeros, which say nothing about how noisy the room is."""
    noisy = sound(("o", 0.5), (".", 0.4), ("o", 0.5)).samples
    gated = recording(np.concatenate([noisy, np.zeros(2 * SAMPLE_RATE_HZ, dtype=np.float32)]))
    (pause,) = find_pauses(gated, states(3.4, [0.2, 1.2]), SHIFT_S, symbols=["AH", "AH"], word_ids=[0, 1])
    assert (pause.start_s, pause.end_s) == (pytest.approx(0.5, abs=0.011), pytest.approx(0.9, abs=0.011))


def test_a_faint_fricative_is_no_pause():
    audio = sound(("o", 0.5), ("s", 0.3), ("o", 0.5), (".", 0.3))
    found = find_pauses(audio, states(1.6, [0.3, 0.6, 1.0]), SHIFT_S, symbols=["AH", "F", "AH"], word_ids=[0, 1, 1])
    assert found == ()


def test_a_hum_in_the_background_is_no_speech():
    audio = sound(("o", 0.5), (".", 0.4), ("o", 0.5))
    hum = 0.1 * np.sin(2 * np.pi * 200 * np.arange(len(audio.samples)) / SAMPLE_RATE_HZ)
    (pause,) = find_pauses(
        recording(audio.samples + hum), states(1.4, [0.2, 1.2]), SHIFT_S, symbols=["AH", "AH"], word_ids=[0, 1]
    )
    assert (pause.start_s, pause.end_s) == (pytest.approx(0.5, abs=0.021), pytest.approx(0.9, abs=0.021))


@pytest.mark.parametrize(("symbols", "seconds", "counts"), [
    (["AH", "N"], 0.17, True), (["AH", "N"], 0.13, False),
    (["AH", "T"], 0.17, False), (["AH", "T"], 0.23, True),
    (["T", "T"], 0.25, False), (["T", "CH"], 0.29, True),
])  # fmt: skip
def test_the_closure_of_a_stop_is_no_pause(symbols: list[str], seconds: float, counts: bool):
    audio = sound(("o", 0.5), (".", seconds), ("o", 0.5))
    occupied = states(1.0 + seconds, [0.3, 0.55 + seconds])
    found = find_pauses(audio, occupied, SHIFT_S, symbols=symbols, word_ids=[0, 1])
    assert [pause.after_phone for pause in found] == ([0] if counts else [])


def test_silence_around_the_text_is_no_pause():
    audio = sound((".", 0.6), ("o", 0.5), (".", 0.6))
    assert find_pauses(audio, states(1.7, [0.7, 0.9]), SHIFT_S, symbols=["AH", "AH"], word_ids=[0, 0]) == ()


def test_a_click_does_not_end_a_pause():
    audio = sound(("o", 0.5), (".", 0.3), ("o", 0.02), (".", 0.3), ("o", 0.5))
    (pause,) = find_pauses(audio, states(1.62, [0.2, 1.4]), SHIFT_S, symbols=["AH", "AH"], word_ids=[0, 1])
    assert pause.duration_s == pytest.approx(0.62, abs=0.021)


def test_a_breath_is_of_the_pause_and_a_cough_ends_it():
    for kind, length in (("s", 0.9), ("o", 0.4)):
        audio = sound(("o", 0.5), (".", 0.3), (kind, 0.2), (".", 0.4), ("o", 0.5))
        (pause,) = find_pauses(audio, states(1.9, [0.2, 1.7]), SHIFT_S, symbols=["AH", "AH"], word_ids=[0, 1])
        assert pause.duration_s == pytest.approx(length, abs=0.031)
        assert pause.end_s == pytest.approx(1.4, abs=0.011)


def test_noise_that_comes_and_goes_is_silence_where_the_lattice_hears_no_phone():
    """The noise of a street is 30 dB above the room's floor, and 15 dB below the voice."""
    street = sound(("o", 0.5), (".", 0.6), ("o", 0.5), (".", 0.4)).samples
    rng = np.random.default_rng(3)
    street[9_000:17_000] += 0.03 * rng.standard_normal(8_000).astype(np.float32)
    words = {"symbols": ["AH", "AH"], "word_ids": [0, 1]}
    (pause,) = find_pauses(recording(street), states(2.0, [0.48, 1.12]), SHIFT_S, **words)
    assert (pause.start_s, pause.end_s) == (pytest.approx(0.5, abs=0.021), pytest.approx(1.1, abs=0.021))
    # A voice that goes on is none, however long the lattice hears nothing new in it.
    held = sound(("o", 0.5), ("o", 0.6), ("o", 0.5), (".", 0.2))
    assert find_pauses(held, states(1.8, [0.48, 1.12]), SHIFT_S, **words) == ()


@pytest.mark.parametrize(("later", "place"), [(0.05, 1), (0.999, 1), (1.0, 0)])
def test_a_doubtful_phone_is_kept_with_its_word(later: float, place: int):
    """The model heard the D of "said" behind the silence; pauses inside words are rarer than it is mistaken.

    Unless it is certain: "sai...d" is a pause in a word.
    """
    audio = sound(("o", 0.5), (".", 0.5), ("o", 0.5))
    unsure = (1 - later) * states(1.5, [0.3, 0.45, 1.1]) + later * states(1.5, [0.3, 1.05, 1.1])
    (pause,) = find_pauses(audio, unsure, SHIFT_S, symbols=["EH", "D", "HH"], word_ids=[0, 0, 1])
    assert pause.after_phone == place


def test_a_word_may_be_spelled_out_by_syllables():
    """Between syllables a pause is less of a surprise than elsewhere in a word."""
    audio = sound(("o", 0.5), (".", 0.5), ("o", 0.5))
    at = [0.1, 0.2, 0.3, 0.45, 1.1, 1.2]
    unsure = 0.99 * states(1.5, [*at[:3], 1.05, *at[4:]]) + 0.01 * states(1.5, at)
    words = ["AH", "B", "AW", "T", "IH", "T"]  # a-bout it
    assert [p.after_phone for p in find_pauses(audio, unsure, SHIFT_S, symbols=words, word_ids=[0] * 4 + [1] * 2)] == [
        3
    ]
    spelled = 0.99 * states(1.5, [0.3, 1.1, 1.2, 1.3, 1.4, 1.45]) + 0.01 * states(1.5, at)
    assert [p.after_phone for p in find_pauses(audio, spelled, SHIFT_S, symbols=words, word_ids=[0] * 4 + [1] * 2)] == [
        0
    ]


def test_a_short_first_word_is_not_lost_behind_the_silence():
    """The lattice would rather have the text begin behind it, but then the sound before it would be nothing."""
    at, late = [0.2, 0.3, 1.1, 1.3], [1.05, 1.07, 1.1, 1.3]
    unsure = 0.9 * states(1.5, late) + 0.1 * states(1.5, at)
    words = {"symbols": ["D", "UW", "N", "AA"], "word_ids": [0, 0, 1, 1]}
    audio = sound(("o", 0.5), (".", 0.5), ("o", 0.5))
    assert [pause.after_phone for pause in find_pauses(audio, unsure, SHIFT_S, **words)] == [1]
    cough = sound((".", 0.4), ("o", 0.1), (".", 0.5), ("o", 0.5))
    assert find_pauses(cough, unsure, SHIFT_S, **words) == ()


def test_what_dies_away_is_not_of_the_pause():
    """Room noise behind a sound, and then the gate closes: the pause begins where it is quiet as it stays."""
    audio = sound(("o", 0.5), (".", 0.08), noise=2e-3).samples
    gated = np.concatenate([audio, np.zeros(8_000), sound(("o", 0.5), noise=2e-3).samples])
    (pause,) = find_pauses(recording(gated), states(1.58, [0.2, 1.3]), SHIFT_S, symbols=["AH", "AH"], word_ids=[0, 1])
    assert (pause.start_s, pause.end_s) == (pytest.approx(0.58, abs=0.011), pytest.approx(1.08, abs=0.011))


def test_constant_sound_and_silence_have_no_activity_to_speak_of():
    for samples in (np.zeros(8_000), 1e-3 * np.random.default_rng(1).standard_normal(8_000)):
        assert silent_frames(speech_activity(recording(samples))).mean() > 0.9


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 1_000])
def test_frames_are_whole_and_one_at_least(samples: int):
    found = speech_activity(recording(np.full(samples, 0.1)))
    assert found.level_db.shape == found.excess_db.shape == (max(samples // 160, 1),)


def test_runs():
    assert runs_of(np.array([], dtype=bool)) == []
    assert runs_of(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs_of(np.array([False, True, False])) == [(1, 2)]


@settings(max_examples=100, deadline=None)
@given(
    edges=st.lists(st.integers(0, 99), min_size=2, max_size=12, unique=True).map(sorted),
    start=st.integers(0, 90),
    length=st.integers(1, 40),
)
def test_times_keep_order_whatever_the_pauses(edges: list[int], start: int, length: int):
    spans = np.array(list(zip(edges[::2], edges[1::2], strict=False)), dtype=np.int64)
    pauses = [
        Pause(start_s=(start + i) * SHIFT_S, end_s=(start + i + length) * SHIFT_S, after_phone=i)
        for i in range(len(spans) - 1)
    ]
    found = timing(spans, np.zeros(100), SHIFT_S, pauses)
    assert (found.duration_s > 0).all()
    assert (found.start_s[1:] >= found.end_s[:-1]).all()
    for pause in found.pauses:
        assert pause.duration_s >= 0.15 - 1e-9
        assert pause.start_s == found.end_s[pause.after_phone]
        assert pause.end_s == found.start_s[pause.after_phone + 1]
