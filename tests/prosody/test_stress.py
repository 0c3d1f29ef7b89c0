"""Drawn words whose stress is known, because one syllable was made louder, longer and higher than the others."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.prosody.pitch import AutocorrelationTracker, Pitch
from elocute.prosody.stress import (
    FEATURES,
    LEAST_PROBABILITY,
    StressModel,
    embedded_stress,
    expected_stress,
    spoken_stress,
    stress_features,
    stress_groups,
)
from elocute.prosody.syllables import CONTEXT, MEASURES, measure_stress
from elocute.prosody.timing import Timing
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality, Phone

QUALITY = AudioQuality(
    duration_s=1.0,
    peak=0.5,
    rms_db=-20.0,
    speech_s=1.0,
    snr_db=40.0,
    clipped=0.0,
    source_rate_hz=16000,
    source_channels=1,
)
LONG_S, SHORT_S, CONSONANT_S = 0.16, 0.07, 0.06


def vowel(seconds: float, f0_hz: float, gain: float, brightness: float) -> np.ndarray:
    """A buzz with falling harmonics: bright ones fall slowly."""
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    order = np.arange(1, int(3500 // f0_hz) + 1)
    waves = np.sin(2 * np.pi * f0_hz * order * time_s[:, None]) * order ** -(2.0 - brightness)
    return gain * waves.sum(axis=1) * np.minimum(1, np.minimum(time_s, time_s[::-1]) / 0.01)


def spoken(stresses: list[list[int]], words: list[list[Phone]]) -> tuple[Audio, Pitch, Timing]:
    """Words of syllables of one consonant and one vowel each; those marked 1 stand out."""
    rng = np.random.default_rng(0)
    pieces, edges = [1e-4 * rng.standard_normal(3200)], [0.2]
    for marks in stresses:
        for mark in marks:
            seconds = LONG_S if mark else SHORT_S
            pieces.append(0.004 * rng.standard_normal(round(CONSONANT_S * SAMPLE_RATE_HZ)))
            pieces.append(vowel(seconds, 140.0 if mark else 115.0, 0.2 if mark else 0.06, 0.9 if mark else 0.4))
            edges += [edges[-1] + CONSONANT_S, edges[-1] + CONSONANT_S + seconds]
    pieces.append(1e-4 * rng.standard_normal(3200))
    audio = Audio(samples=np.concatenate(pieces).astype(np.float32), quality=QUALITY)
    ends = np.array(edges[1:])
    times = Timing(
        start_s=np.array(edges[:-1]),
        end_s=ends,
        pauses=(),
        energy_db=np.zeros(1),
        quiet=np.zeros(1, dtype=bool),
        frame_shift_s=0.02,
    )
    assert len(ends) == sum(map(len, words))
    return audio, AutocorrelationTracker().track(audio), times


def word(number: int, expected: list[int]) -> list[Phone]:
    """As many syllables as marks, each N EH."""
    return [
        Phone(symbol=symbol, stress=mark if symbol == "EH" else None, word_index=number, syllable_index=syllable)
        for syllable, mark in enumerate(expected)
        for symbol in ("N", "EH")
    ]


@pytest.mark.parametrize("marks", [[1, 0], [0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
def test_the_syllable_that_stands_out_is_found(marks: list[int]) -> None:
    words = [word(0, [0, 1]), word(1, [1, 0])]
    neighbours = [0, 1]
    words.insert(1, [replace(phone, word_index=1) for phone in word(1, marks)])
    stresses = [neighbours, marks, [1, 0]]
    found = spoken_stress(*spoken(stresses, words), words)[1]
    assert found is not None
    assert found.spoken == marks.index(1) == found.expected
    assert found.score is not None
    assert found.score > 0.9
    assert [syllable.is_stressed for syllable in found.syllables] == [bool(mark) for mark in marks]
    assert sum(syllable.probability for syllable in found.syllables) == pytest.approx(1.0)


def test_stress_on_the_wrong_syllable_costs_the_score() -> None:
    words = [word(0, [1, 0]), word(1, [1, 0])]
    right, wrong = spoken_stress(*spoken([[1, 0], [0, 1]], words), words)
    assert right is not None
    assert wrong is not None
    assert right.score is not None
    assert wrong.score is not None
    assert wrong.spoken == 1
    assert wrong.expected == 0
    assert right.score > 0.9 > 0.6 > wrong.score
    assert wrong.syllables[1].score is not None
    assert wrong.syllables[1].score < 0.6


def test_stress_that_another_pronunciation_has_is_no_error():
    words = [word(0, [1, 0]), word(1, [1, 0])]
    heard = spoken([[1, 0], [0, 1]], words)
    (_, wrong), (_, other) = (spoken_stress(*heard, words, accepted) for accepted in (None, [frozenset({0, 1})] * 2))
    assert wrong.expected == 0
    assert other.expected == other.spoken == 1
    assert other.score > 0.9 > wrong.score
    assert [one.probability for one in other.syllables] == [one.probability for one in wrong.syllables]


def test_level_and_register_of_the_recording_do_not_matter() -> None:
    words = [word(0, [1, 0]), word(1, [0, 1, 0])]
    audio, pitch, times = spoken([[1, 0], [0, 1, 0]], words)
    quiet = replace(audio, samples=(0.25 * audio.samples).astype(np.float32))
    # 12 dB lower and an octave higher, measured so.
    other = replace(pitch, f0_hz=2 * pitch.f0_hz, intensity_db=pitch.intensity_db - 12.04)
    for one, two in zip(
        spoken_stress(audio, pitch, times, words), spoken_stress(quiet, other, times, words), strict=True
    ):
        assert one is not None
        assert two is not None
        for a, b in zip(one.syllables, two.syllables, strict=True):
            assert a.probability == pytest.approx(b.probability, abs=0.02)


def test_words_of_one_syllable_and_unvoiced_ones_are_left_alone() -> None:
    words = [word(0, [1]), word(1, [1, 0])]
    audio, pitch, times = spoken([[1], [1, 0]], words)
    assert spoken_stress(audio, pitch, times, words)[0] is None
    whispered = replace(pitch, f0_hz=np.full_like(pitch.f0_hz, np.nan))
    assert spoken_stress(audio, whispered, times, words) == (None, None)
    swallowed = replace(times, end_s=times.end_s.copy(), start_s=times.start_s.copy())
    swallowed.end_s[3] = swallowed.start_s[3] + 0.01
    assert spoken_stress(audio, pitch, swallowed, words)[1] is None
    assert spoken_stress(audio, pitch, times, [word(0, [1])] * 3) == (None, None, None)


def test_without_an_expected_stress_there_is_no_score() -> None:
    words = [word(0, [1, 0]), word(1, [1, 1])]
    unknown = [replace(phone, stress=None) for phone in words[0]]
    assert expected_stress(words[0]) == 0
    assert expected_stress(unknown) is None
    assert expected_stress(words[1]) is None  # two primary stresses say nothing
    found = spoken_stress(*spoken([[1, 0], [1, 0]], words), [unknown, words[1]])
    for one in found:
        assert one is not None
        assert one.spoken == 0
        assert one.score is None
        assert all(syllable.score is None for syllable in one.syllables)


def test_what_is_not_clear_is_not_said() -> None:
    words = [word(0, [1, 0])]
    audio, pitch, times = spoken([[1, 0]], words)
    flat = StressModel(
        usual=np.zeros((15, len(MEASURES))),
        mean=np.zeros(len(FEATURES)),
        scale=np.ones(len(FEATURES)),
        hidden=np.zeros((1, len(FEATURES), 2)),
        hidden_bias=np.zeros((1, 2)),
        output=np.ones((1, 2)),
    )
    (found,) = spoken_stress(audio, pitch, times, words, model=flat)
    assert found is not None
    assert found.spoken is None
    assert [syllable.is_stressed for syllable in found.syllables] == [None, None]
    assert [syllable.probability for syllable in found.syllables] == [0.5, 0.5]
    assert found.score == pytest.approx(0.9)  # nothing heard: as likely as learners are right
    assert LEAST_PROBABILITY > 0.5


def test_features_are_the_measures_and_their_differences() -> None:
    words = [word(0, [1, 0]), word(1, [0, 1, 0])]
    measured = measure_stress(*spoken([[1, 0], [0, 1, 0]], words), words)
    assert [one.word for one in measured] == [0, 1]
    second = measured[1]
    assert second.measures.shape == (5, len(MEASURES))
    assert second.context.shape == (3, len(CONTEXT))
    usual = np.zeros((15, len(MEASURES)))
    table = stress_features(second, usual)
    assert table.shape == (3, len(FEATURES))
    names = {name: column for column, name in enumerate(FEATURES)}
    length = second.measures[:, 0]
    assert table[1, names["log_nucleus_in_word"]] == pytest.approx(length[2] - (length[1] + length[3]) / 2)
    assert table[0, names["log_nucleus_before"]] == pytest.approx(length[1] - length[0])
    assert table[2, names["log_nucleus_after"]] == pytest.approx(length[3] - length[4])
    assert length[2] - length[1] == pytest.approx(np.log(LONG_S / SHORT_S))
    assert table[:, names["syllables_3"]].tolist() == [1, 1, 1]
    assert table[:, names["is_last"]].tolist() == [0, 0, 1]
    # What is usual of the one vowel there is cancels in every difference.
    usual[:] = 0.7
    shifted = stress_features(second, usual)
    width = len(MEASURES)
    assert shifted[:, :width] == pytest.approx(table[:, :width] - 0.7)
    assert shifted[:, width:] == pytest.approx(table[:, width:])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_probabilities_are_probabilities_whatever_was_measured(seed: int, syllables: int) -> None:
    rng = np.random.default_rng(seed)
    words = [word(0, [1, 0])]
    (measured,) = measure_stress(*spoken([[1, 0]], words), words)
    wild = replace(
        measured,
        measures=rng.normal(0, 50, (syllables + 2, len(MEASURES))),
        vowels=rng.integers(0, 15, syllables + 2),
        context=rng.integers(0, 2, (syllables, len(CONTEXT))).astype(np.float64),
    )
    found = embedded_stress().prominence(wild)
    assert found.shape == (syllables,)
    assert np.all(found >= 0)
    assert found.sum() == pytest.approx(1.0)


def test_twins_were_trained_apart() -> None:
    groups = stress_groups()
    assert len(groups) >= 2
    assert "" not in groups
    whole = embedded_stress()
    for group in groups:
        assert not np.array_equal(embedded_stress(group).hidden, whole.hidden)
    with pytest.raises(ValueError, match="nobody"):
        embedded_stress("nobody")
