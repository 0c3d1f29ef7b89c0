"""Spectrogram, outline, sound file, melody's axis and colours, each against something that is known."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from drawn_report import contour, tone
from elocute.picture.colours import UNSCORED, colour, contrast, ink_on, luminance
from elocute.picture.markup import grey_png, tag
from elocute.picture.melody import melody
from elocute.picture.sound import HIGHEST_HZ, STEP_S, flac, outline, spectrogram
from elocute.prosody.pitch import Pitch


@pytest.mark.parametrize("f0_hz", [500.0, 1000.0, 3100.0, 7000.0])
def test_a_tone_is_dark_at_its_frequency_and_while_it_lasts(f0_hz: float) -> None:
    loud = spectrogram(tone(1.0, f0_hz, begin_s=0.3, end_s=0.6).samples)
    assert loud.shape[1] == round(1.0 / STEP_S)
    row = loud[:, round(0.45 / STEP_S)].argmax()
    assert row * HIGHEST_HZ / (len(loud) - 1) == pytest.approx(f0_hz, abs=100)
    inside = np.flatnonzero(loud[row] > 0.6) * STEP_S
    assert inside.min() == pytest.approx(0.3, abs=0.011)
    assert inside.max() == pytest.approx(0.6, abs=0.011)
    assert loud.min() >= 0.0
    assert loud.max() == 1.0


def test_a_spectrogram_of_silence_and_of_next_to_nothing() -> None:
    assert np.isfinite(spectrogram(np.zeros(1600, dtype=np.float32))).all()
    assert spectrogram(np.ones(1, dtype=np.float32)).shape[1] == 1


@given(st.integers(1, 400), st.integers(1, 100))
def test_an_outline_holds_every_sample(samples: int, columns: int) -> None:
    wave = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    shape = outline(wave, columns)
    assert shape.shape == (columns, 2)
    assert shape[:, 0].min() == wave.min()
    assert shape[:, 1].max() == wave.max()


def test_the_sound_is_the_recording_to_the_last_sample() -> None:
    audio = tone(0.3)
    samples, rate = soundfile.read(io.BytesIO(flac(audio)), dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(samples, audio.samples, atol=2**-15)


def test_a_grey_image_can_be_read_back() -> None:
    shades = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    data = grey_png(shades)
    chunks, rest = {}, data[8:]
    while rest:
        size = struct.unpack(">I", rest[:4])[0]
        kind, body = rest[4:8], rest[8 : 8 + size]
        assert struct.unpack(">I", rest[8 + size : 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind], rest = body, rest[12 + size :]
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (4, 3)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(lines[:, 1:], shades)


def test_text_is_never_markup() -> None:
    made = tag("p", "<script>", tag("b", 'a & "b"'), title='"><i>', hidden=True, x=2 / 3, class_=None)
    assert made == '<p title="&quot;&gt;&lt;i&gt;" hidden x="0.67">&lt;script&gt;<b>a &amp; &quot;b&quot;</b></p>'


def test_a_melody_keeps_its_runs_and_an_octave_of_room() -> None:
    found = melody(contour(2.0))
    assert found is not None
    assert [len(run.f0_hz) for run in found.runs] == [80, 80]
    assert found.runs[0].times_s[0] == pytest.approx(0.005)
    assert found.high_hz / found.low_hz == pytest.approx(2.0, rel=0.02)
    assert found.height(np.array([found.low_hz, found.median_hz, found.high_hz]))[[0, 2]].tolist() == [0.0, 1.0]
    assert 0 in found.ticks_st
    assert all(found.low_hz <= tick <= found.high_hz for tick in found.ticks_hz)


def test_a_flat_melody_stays_flat_and_none_is_none() -> None:
    flat = Pitch(
        f0_hz=np.full(50, 200.0), strength=np.ones(50), intensity_db=np.zeros(50), frame_shift_s=0.01, start_s=0
    )
    found = melody(flat)
    assert found is not None
    assert found.high_hz / found.low_hz >= 2.0
    silent = Pitch(
        f0_hz=np.full(5, np.nan), strength=np.zeros(5), intensity_db=np.zeros(5), frame_shift_s=0.01, start_s=0
    )
    assert melody(silent) is None
    assert melody(None) is None


# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}


def seen(code: str, kind: str) -> np.ndarray:
    """CIE L*a*b* of a colour as an eye of some kind sees it."""
    coded = np.array([int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(BLINDNESS[kind]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ linear / [0.9505, 1.0, 1.089], 0.0089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", sorted(BLINDNESS))
def test_poor_fair_and_good_differ_for_every_eye(kind: str) -> None:
    steps = [colour(share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for first, second in zip(steps, steps[1:], strict=False):
        assert np.linalg.norm(seen(first, kind) - seen(second, kind)) > 14
    assert np.linalg.norm(seen(colour(0.3), kind) - seen(colour(0.95), kind)) > 40


def test_poor_is_darker_than_good_on_grey_paper_too() -> None:
    assert contrast(luminance(colour(0.0)), luminance(colour(1.0))) > 3
    assert contrast(luminance(colour(0.25)), luminance(colour(0.9))) > 1.9


@pytest.mark.parametrize("share", [None, *np.linspace(0, 1, 101).tolist()])
def test_text_can_be_read_on_every_fill(share: float | None) -> None:
    fill = colour(share)
    assert contrast(luminance(fill), luminance(ink_on(fill))) >= 4.5


def test_scores_beyond_the_scale_have_the_colour_of_its_end() -> None:
    assert colour(1.2) == colour(1.0)
    assert colour(-0.1) == colour(0.0)
    assert colour(None) == UNSCORED
