"""Planted pauses: the noise that fills them, the judging, and real recordings where they are at hand."""

from __future__ import annotations

import numpy as np
import pytest

from elocute.evaluation.pauses import Trial, room_noise, summarise
from elocute.types import SAMPLE_RATE_HZ


def test_room_noise_is_as_loud_and_as_coloured_as_the_quietest_place() -> None:
    rng = np.random.default_rng(0)
    white = rng.standard_normal(2 * SAMPLE_RATE_HZ)
    low = np.convolve(white, np.ones(16) / 16, "same")  # a room that hums: little above 1 kHz
    loud = 0.3 * rng.standard_normal(SAMPLE_RATE_HZ)
    samples = np.concatenate([loud, 0.01 * low, loud, np.zeros(SAMPLE_RATE_HZ)]).astype(np.float32)
    noise = room_noise(samples, SAMPLE_RATE_HZ, rng)
    level = 10 * np.log10(np.square(noise).mean() / np.square(0.01 * low).mean())
    assert -4 < level < 0.5  # the quietest 50 ms, so a little below
    power = np.square(np.abs(np.fft.rfft(noise)))
    assert power[:1_000].sum() > 0.7 * power.sum()


@pytest.mark.parametrize("length", [0, 100, SAMPLE_RATE_HZ])
def test_a_recording_without_a_room_has_silent_noise(length: int) -> None:
    assert (room_noise(np.zeros(length, dtype=np.float32), 500, np.random.default_rng(0)) == np.zeros(500)).all()


def trial(begin: float | None, end: float | None, speaker: str = "a", kind: str = "zeros", false: int = 0) -> Trial:
    return Trial(
        recording="r",
        speaker=speaker,
        kind=kind,
        after_phone=3,
        length_s=0.5,
        is_placed=begin is not None,
        begin_error_s=begin,
        end_error_s=end,
        gaps=10,
        false_gaps=false,
        inside=20,
        false_inside=0,
    )


def test_measures_by_hand() -> None:
    trials = [
        trial(0.05, -0.05),
        trial(0.02, 0.06),
        trial(None, None, "b", false=1),
        trial(-0.01, 0.0, "b"),
        trial(None, None, "c", kind="flite", false=2),
    ]
    zeros, flite = summarise(trials, 50)
    assert (zeros.kind, zeros.trials, zeros.placed.value, zeros.within.value) == ("zeros", 4, 0.75, 0.5)
    assert (zeros.begin_ms, zeros.end_ms) == (pytest.approx(20), pytest.approx(50))
    assert zeros.false_gaps.value == pytest.approx(1 / 40)
    assert (flite.kind, flite.placed.value, flite.begin_ms) == ("flite", None, None)
    assert flite.false_gaps.value == pytest.approx(0.2)
