"""The change of rate in the page, beside soxr's, which the server has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from elocute.audio import load_audio
from elocute.browser.resample import resample

EXAMPLES = Path(__file__).parents[2] / "examples"
RATES = (8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


def error_db(found: np.ndarray, expected: np.ndarray) -> float:
    """Power of the difference against the expected."""
    assert abs(len(found) - len(expected)) <= 1
    length = min(len(found), len(expected))
    return float(10 * np.log10(np.square(found[:length] - expected[:length]).sum() / np.square(expected).sum()))


@pytest.mark.parametrize("rate", RATES)
def test_noise_comes_out_as_from_soxr(rate: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, rate + 17).astype(np.float32)
    assert error_db(resample(noise, rate, 16_000), soxr.resample(noise, rate, 16_000, quality="HQ")) < -55


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_speech_comes_out_as_from_soxr(rate: int) -> None:
    speech = soxr.resample(load_audio(EXAMPLES / "zoo.flac").samples, 16_000, rate, quality="VHQ")
    assert error_db(resample(speech, rate, 16_000), soxr.resample(speech, rate, 16_000, quality="HQ")) < -65


def test_a_tone_keeps_its_frequency_and_its_place() -> None:
    at_s = np.arange(48_000) / 48_000
    found = resample(np.sin(2 * np.pi * 1000 * at_s).astype(np.float32), 48_000, 16_000)
    expected = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    assert np.abs(found - expected)[500:-500].max() < 1e-6


def test_what_lies_above_the_new_rate_is_gone() -> None:
    at_s = np.arange(48_000) / 48_000
    found = resample(np.sin(2 * np.pi * 8_100 * at_s).astype(np.float32), 48_000, 16_000)
    assert np.abs(found)[500:-500].max() < 1e-5


def test_another_quality_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'HQ'"):
        resample(np.zeros(100, np.float32), 48_000, 16_000, quality="QQ")
