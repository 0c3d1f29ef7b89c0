"""Phone times, pauses and rates on energies and spans whose answers are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.prosody import Pause, Timing, fluency, frame_energy_db, timing
from elocute.prosody.timing import longest_run, quiet_frames
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality

SHIFT_S = 0.02
LOUD_DB, QUIET_DB = -20.0, -70.0


def energies(pattern: str) -> np.ndarray:
    """'#' a loud frame, '.' a quiet one."""
    return np.array([LOUD_DB if frame == "#" else QUIET_DB for frame in pattern])


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


def spans(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, dtype=np.int64)


def test_energy_of_a_tone_is_its_level():
    time = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = 0.5 * np.sin(2 * np.pi * 400 * time)  # eight periods a frame: mean square is exactly 1/8
    found = frame_energy_db(recording(tone), 50, SHIFT_S)
    np.testing.assert_allclose(found, 10 * math.log10(0.125), atol=1e-4)


def test_energy_lands_in_the_frame_of_its_samples():
    samples = np.zeros(3_200)
    samples[640:960] = 0.1
    found = frame_energy_db(recording(samples), 10, SHIFT_S)
    assert found.argmax() == 2
    np.testing.assert_allclose(found[2], -20, atol=1e-3)
    assert (np.delete(found, 2) == -100.0).all()


@pytest.mark.parametrize("frames", [1, 9, 10, 11, 14])
def test_energy_has_as_many_frames_as_asked_for(frames: int):
    """Shorter than the recording cuts it, longer fills up with silence."""
    found = frame_energy_db(recording(np.full(3_200, 0.1)), frames, SHIFT_S)
    assert found.shape == (frames,)
    np.testing.assert_allclose(found[:10], -20, atol=1e-3)
    assert (found[10:] == -100.0).all()


def test_longest_run():
    assert longest_run(np.array([], dtype=bool)) == (0, 0)
    assert longest_run(np.array([False, False])) == (0, 0)
    assert longest_run(np.array([True, False, True, True])) == (2, 4)
    assert longest_run(np.array([True, True, False, True, True])) == (0, 2)  # the first of equals
    assert longest_run(np.array([True, True])) == (0, 2)


def test_constant_level_is_nowhere_quiet():
    assert not quiet_frames(np.full(30, -100.0)).any()
    assert not quiet_frames(np.full(30, -20.0)).any()


def test_a_pause_is_found_where_it_is():
    energy = energies("#" * 20 + "." * 20 + "#" * 20)
    found = timing(spans((5, 15), (45, 50)), energy, SHIFT_S)
    assert [(pause.start_s, pause.end_s, pause.after_phone) for pause in found.pauses] == [
        (pytest.approx(0.4), pytest.approx(0.8), 0)
    ]
    assert found.end_s[0] == pytest.approx(0.4)
    assert found.start_s[1] == pytest.approx(0.8)
    assert found.start_s[0] == pytest.approx(0.0)  # at most 0.12 s before its spike
    assert found.end_s[1] == pytest.approx(1.12)
    assert found.quiet.tolist() == [False] * 20 + [True] * 20 + [False] * 20


def test_a_closure_is_no_pause():
    energy = energies("." * 10 + "#" * 20 + "." * 7 + "#" * 20)  # 0.14 s
    found = timing(spans((12, 30), (37, 50)), energy, SHIFT_S)
    assert found.pauses == ()
    assert found.end_s[0] == found.start_s[1] == pytest.approx(33.5 * SHIFT_S)  # half way
    longer = energies("." * 10 + "#" * 20 + "." * 8 + "#" * 20)  # 0.16 s
    assert len(timing(spans((12, 30), (38, 50)), longer, SHIFT_S).pauses) == 1


def test_the_longest_of_two_silences_is_the_pause():
    energy = energies("#" * 10 + "." * 9 + "#" * 3 + "." * 12 + "#" * 10)
    found = timing(spans((4, 8), (36, 40)), energy, SHIFT_S)
    assert [(pause.start_s, pause.end_s) for pause in found.pauses] == [
        (pytest.approx(22 * SHIFT_S), pytest.approx(34 * SHIFT_S))
    ]


def test_edges_stop_at_silence():
    energy = energies("." * 10 + "#" * 10 + "." * 10)
    found = timing(spans((13, 18)), energy, SHIFT_S)
    assert found.start_s[0] == pytest.approx(0.2)
    assert found.end_s[0] == pytest.approx(0.4)
    assert found.pauses == ()


@st.composite
def utterances(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    T = draw(st.integers(1, 120))
    edges = sorted(draw(st.lists(st.integers(0, T), min_size=2, max_size=20, unique=True)))
    pairs = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    energy = draw(st.lists(st.sampled_from([-100.0, -60.0, -20.0, 0.0]), min_size=T, max_size=T))
    return np.array(pairs, dtype=np.int64), np.array(energy), draw(st.sampled_from([0.01, 0.02, 0.04]))


@settings(max_examples=200, deadline=None)
@given(utterance=utterances(), correct=st.integers(0, 9))
def test_times_are_in_order_inside_the_recording_and_cover_the_spikes(
    utterance: tuple[np.ndarray, np.ndarray, float], correct: int
):
    pairs, energy, shift = utterance
    found = timing(pairs, energy, shift)
    assert (found.duration_s > 0).all()
    assert found.start_s[0] >= 0
    assert found.end_s[-1] <= len(energy) * shift + 1e-9
    assert (found.start_s[1:] >= found.end_s[:-1]).all()
    assert (found.start_s <= pairs[:, 0] * shift + 1e-9).all()
    assert (found.end_s >= pairs[:, 1] * shift - 1e-9).all()
    for pause in found.pauses:
        assert pause.duration_s >= 0.15 - 1e-9
        assert pause.start_s == found.end_s[pause.after_phone]
        assert pause.end_s == found.start_s[pause.after_phone + 1]
        assert found.quiet[round(pause.start_s / shift) : round(pause.end_s / shift)].all()
    gaps = found.start_s[1:] - found.end_s[:-1]
    assert np.count_nonzero(gaps) == len(found.pauses)

    facts = fluency(found, syllables=3, correct_words=correct)
    assert 0 < facts.speech_rate_syl_s <= facts.articulation_rate_syl_s
    assert facts.long_pause_count <= facts.pause_count <= len(found.pauses)
    assert 0 <= facts.pause_ratio < 1
    assert (facts.mean_pause_s is None) == (facts.pause_count == 0)


def times(start_s: list[float], end_s: list[float], pauses: list[tuple[float, float]]) -> Timing:
    return Timing(
        start_s=np.array(start_s),
        end_s=np.array(end_s),
        pauses=tuple(Pause(start_s=a, end_s=b, after_phone=i) for i, (a, b) in enumerate(pauses)),
        energy_db=np.zeros(1),
        quiet=np.zeros(1, dtype=bool),
        frame_shift_s=SHIFT_S,
    )


def test_rates_by_hand():
    facts = fluency(times([0.5, 1.5, 2.5], [1.0, 2.0, 4.5], [(1.0, 1.5), (2.0, 2.2)]), syllables=6, correct_words=2)
    assert facts.speech_rate_syl_s == pytest.approx(6 / 4.0)
    assert facts.articulation_rate_syl_s == pytest.approx(6 / 3.5)  # the pause of 0.2 s does not count
    assert facts.wcpm == pytest.approx(60 * 2 / 4.0)
    assert (facts.pause_count, facts.long_pause_count) == (1, 1)
    assert facts.mean_pause_s == pytest.approx(0.5)
    assert facts.pause_ratio == pytest.approx(0.125)
    assert facts.mean_length_of_run == pytest.approx(3.0)


def test_no_pause_no_mean():
    facts = fluency(times([0.0], [2.0], []), syllables=4, correct_words=0)
    assert facts.mean_pause_s is None
    assert facts.pause_ratio == facts.wcpm == 0.0
    assert facts.speech_rate_syl_s == facts.articulation_rate_syl_s == 2.0
    assert facts.mean_length_of_run == 4.0


@pytest.mark.parametrize(("frames", "counted", "long"), [(24, 0, 0), (25, 1, 0), (40, 1, 0), (41, 1, 1)])
def test_whether_a_pause_counts_does_not_depend_on_where_it_is(frames: int, counted: int, long: int):
    """Limits are 0.25 s and above 0.4 s; times are multiples of 0.01 s, which binary fractions miss by a bit."""
    for begin in range(0, 300, 7):
        pause = (begin * 0.01, (begin + frames) * 0.01)
        facts = fluency(times([0.0, pause[1]], [pause[0] + 0.001, 9.0], [pause]), syllables=1, correct_words=1)
        assert (facts.pause_count, facts.long_pause_count) == (counted, long), begin
