"""Bands and network of the phone boundaries: shapes, what they must not depend on, and the shipped weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from elocute.assets import read_asset, read_card
from elocute.errors import ConfigError
from elocute.prosody import listen
from elocute.prosody.sound import (
    BANDS,
    OFFSETS,
    SILENCE,
    embedded_model,
    read_model,
    spectrum,
    with_context,
    write_model,
)
from elocute.types import SAMPLE_RATE_HZ


def tones(seconds: float = 1.0) -> np.ndarray:
    """Half a second of 300 Hz, then of 3 kHz."""
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hz = np.where(time < seconds / 2, 300.0, 3000.0)
    return (0.2 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


@pytest.mark.parametrize(("samples", "frames"), [(0, 1), (1, 1), (160, 1), (161, 2), (16_000, 100), (16_159, 101)])
def test_a_frame_for_every_ten_milliseconds_begun(samples: int, frames: int) -> None:
    assert spectrum(np.ones(samples, dtype=np.float32)).shape == (frames, BANDS)


def test_bands_show_where_the_tone_is_and_when_it_changes() -> None:
    bands = spectrum(tones())
    assert bands[10].argmax() < bands[90].argmax()
    steps = np.square(np.diff(bands, axis=0)).sum(axis=1)
    assert abs(int(steps.argmax()) - 49) <= 1


def test_loudness_does_not_matter() -> None:
    samples = tones() + 1e-3 * np.random.default_rng(0).normal(size=16_000)
    np.testing.assert_allclose(spectrum(samples), spectrum(3 * samples), atol=0.02)


def test_a_warped_scale_moves_the_tone_down() -> None:
    samples = tones()
    assert spectrum(samples, warp=1.16)[90].argmax() < spectrum(samples, warp=0.88)[90].argmax()
    np.testing.assert_array_equal(spectrum(samples), spectrum(samples, warp=1.0))


def test_context_is_the_frames_around() -> None:
    bands = np.arange(20.0, dtype=np.float32)[:, None].repeat(BANDS, axis=1)
    rows = with_context(bands).reshape(20, len(OFFSETS), BANDS)[:, :, 0]
    assert rows[10].tolist() == [10 + offset for offset in OFFSETS]
    assert rows[0].min() == 0
    assert rows[19].max() == 19


def test_probabilities_are_probabilities_and_silence_is_silence() -> None:
    rng = np.random.default_rng(0)
    samples = np.concatenate([np.zeros(8000), tones(), np.zeros(8000)]) + 1e-4 * rng.normal(size=32_000)
    sound = listen(samples.astype(np.float32))
    np.testing.assert_allclose(np.exp(sound.log_probs).sum(axis=1), 1.0, atol=1e-4)
    assert sound.change.shape == (200,)
    silence = np.exp(sound.log_probs[:, SILENCE])
    assert silence[5:45].mean() > 0.8 > 0.3 > silence[60:140].mean()


def test_the_same_sound_is_heard_wherever_it_begins() -> None:
    rng = np.random.default_rng(1)
    samples = (0.1 * rng.normal(size=16_000) * (np.arange(16_000) // 1600 % 2)).astype(np.float32)
    later = listen(np.concatenate([np.zeros(1600, np.float32), samples]))
    first = listen(samples)
    assert np.abs(later.log_probs[20:100] - first.log_probs[10:90]).mean() < 0.5


def test_weights_are_kept(tmp_path: Path) -> None:
    model = embedded_model()
    write_model(tmp_path / "copy.npz", model)
    copy = read_model(tmp_path / "copy.npz")
    for ours, theirs in zip(model.weights + model.biases, copy.weights + copy.biases, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no weights")
    np.savez(tmp_path / "other.npz", weight0=np.ones((2, 2)), bias0=np.ones(2))
    for name in ("text.npz", "other.npz", "missing.npz"):
        with pytest.raises(ConfigError, match=rf"{name} holds no weights .*expected a file of `elocute train timing`"):
            read_model(tmp_path / name)


def test_the_card_is_that_of_the_weights() -> None:
    card, weights = read_card("timing"), read_asset("timing.npz")
    assert card["sha256"] == hashlib.sha256(weights).hexdigest()
    assert card["bytes"] == len(weights)
    assert "train timing" in card["command"]
    assert card["licence"].startswith("Apache-2.0")
