"""Splicing: lengths, places, cross-fades and levels on signals whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.evaluation.splice import FADE_S, MAX_GAIN_DB, cut, gain_between, spliced
from elocute.types import SAMPLE_RATE_HZ

FADE = round(FADE_S * SAMPLE_RATE_HZ)


def sine(hz: float, seconds: float = 0.5, amplitude: float = 0.5, phase: float = 0.0) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * times + phase)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 2000), st.integers(0, 900))
def test_lengths_add_up_wherever_the_cut_is(one: int, other: int, first: int, length: int) -> None:
    samples = np.random.default_rng(0).normal(size=3000).astype(np.float32)
    begin, end = min(one, other), max(one, other)
    assert len(spliced(samples, begin, end)) == 3000 - (end - begin)
    piece = cut(samples, first, first + length)
    assert len(spliced(samples, begin, end, piece)) == 3000 - (end - begin) + length


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 1000))
def test_a_piece_put_back_where_it_was_changes_nothing(begin: int, length: int) -> None:
    samples = np.random.default_rng(1).normal(size=3000).astype(np.float32)
    again = spliced(samples, begin, begin + length, cut(samples, begin, begin + length))
    np.testing.assert_allclose(again, samples, atol=1e-6)


def test_the_piece_stands_exactly_where_it_should() -> None:
    low, high = np.zeros(4000, np.float32), np.ones(4000, np.float32)
    made = spliced(low, 1000, 2000, cut(high, 500, 1300))
    assert len(made) == 3800
    half = FADE // 2
    assert (made[: 1000 - half] == 0).all()
    assert (made[1000 + half : 1800 - half] == 1).all()
    assert (made[1800 + half :] == 0).all()
    # Half of the way up just at the joint.
    assert made[999] < 0.5 < made[1000]
    assert made[1799] > 0.5 > made[1800]


def test_what_lies_outside_the_joints_is_not_touched() -> None:
    samples, donor = sine(220), sine(1310, amplitude=0.2)
    made = spliced(samples, 3000, 4200, cut(donor, 100, 900))
    half = FADE // 2
    np.testing.assert_array_equal(made[: 3000 - half], samples[: 3000 - half])
    np.testing.assert_array_equal(made[3800 + half :], samples[4200 + half :])
    np.testing.assert_allclose(made[3000 + half : 3800 - half], donor[100 + half : 900 - half], atol=1e-7)


def test_joints_do_not_click() -> None:
    """No step between samples is much above the steepest of the two waves; without the fade there is a jump."""
    wave, other = sine(150), sine(150, phase=np.pi)
    begin = 2 + int(np.abs(wave[3000:3200]).argmax()) + 2998  # at a crest, where opposite waves are farthest apart
    steepest = 2 * np.pi * 150 / SAMPLE_RATE_HZ * 0.5
    hard = np.concatenate([wave[:begin], other[begin : begin + 1000], wave[begin + 1000 :]])
    assert np.abs(np.diff(hard)).max() > 0.9
    made = spliced(wave, begin, begin + 1000, cut(other, begin, begin + 1000))
    # Each fade has to cross from crest to crest, 1.0, with a slope of at most pi / 2 of the even one.
    assert np.abs(np.diff(made)).max() < steepest + np.pi / 2 / FADE
    removed = spliced(wave, begin, begin + round(SAMPLE_RATE_HZ / 150 / 2))
    assert np.abs(np.diff(removed)).max() < steepest + np.pi / 2 / FADE


def test_a_donor_that_is_too_long_loses_its_middle() -> None:
    samples = np.concatenate([np.full(500, 0.1), np.full(1000, 0.5), np.full(500, 0.9)]).astype(np.float32)
    piece = cut(samples, 0, 2000, longest=600)
    assert len(piece) == 600 + FADE
    half = FADE // 2
    np.testing.assert_allclose(piece[half : half + 200], 0.1, atol=1e-7)
    np.testing.assert_allclose(piece[-half - 200 : -half], 0.9, atol=1e-7)
    assert np.abs(np.diff(piece[half:-half])).max() < 0.8 * np.pi / 2 / FADE + 1e-6
    assert len(cut(samples, 0, 500, longest=600)) == 500 + FADE


def test_a_donor_becomes_as_loud_as_the_voice_around() -> None:
    loud = sine(200, seconds=1.0, amplitude=0.4)
    quiet = loud / 4
    quiet[7000:8000] *= 0.1  # the phone itself is faint; its voice is a quarter as loud
    assert gain_between(loud, 6000, 7000, quiet, 7000, 8000) == pytest.approx(4.0, rel=0.02)
    piece = cut(quiet, 7000, 8000, gain_between(loud, 6000, 7000, quiet, 7000, 8000))
    assert np.abs(piece[FADE:-FADE]).max() == pytest.approx(0.04, rel=0.05)


def test_the_gain_has_a_limit_and_silence_has_none() -> None:
    loud, faint = sine(200, seconds=1.0), sine(200, seconds=1.0, amplitude=1e-4)
    limit = 10 ** (MAX_GAIN_DB / 20)
    assert gain_between(loud, 6000, 7000, faint, 6000, 7000) == pytest.approx(limit)
    assert gain_between(faint, 6000, 7000, loud, 6000, 7000) == pytest.approx(1 / limit)
    assert gain_between(loud, 6000, 7000, np.zeros(16000, np.float32), 6000, 7000) == 1.0
