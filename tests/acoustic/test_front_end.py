"""Features in numpy against Kaldi's own code, and against what transformers computes for its models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from elocute.acoustic.front_end import FrontEnd, normalised
from elocute.errors import ConfigError


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, count).astype(np.float32)


@pytest.mark.parametrize("count", [1_600, 7_777, 16_000, 16_123])
@pytest.mark.parametrize(
    "front_end",
    [
        FrontEnd(snip_edges=False, high_hz=-400.0),
        FrontEnd(),
        FrontEnd(bins=40, low_hz=60.0, high_hz=7_000.0, scale=32_768.0),
    ],
    ids=["lhotse", "kaldi", "other"],
)
def test_features_are_kaldis(front_end: FrontEnd, count: int) -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank", reason="kaldi-native-fbank is not installed")
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = front_end.snip_edges
    options.mel_opts.num_bins = front_end.bins
    options.mel_opts.low_freq, options.mel_opts.high_freq = front_end.low_hz, front_end.high_hz
    extractor = kaldi.OnlineFbank(options)
    samples = noise(count)
    extractor.accept_waveform(16_000, samples * np.float32(front_end.scale))
    extractor.input_finished()
    theirs = np.stack([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])
    ours = front_end(samples)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=5e-4)


def test_features_are_those_of_w2v_bert() -> None:
    """SeamlessM4T's: Kaldi's from 16-bit samples, normalised, two frames side by side."""
    transformers = pytest.importorskip("transformers", reason="the extra hf is not installed")
    samples = noise(32_000)
    extractor = transformers.SeamlessM4TFeatureExtractor()
    theirs = extractor(samples, sampling_rate=16_000, return_tensors="np")["input_features"][0]
    ours = FrontEnd(scale=32_768.0, floor=1.192092955078125e-07, normalise=True, stride=2)(samples)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_samples_are_normalised_as_wav2vec_does() -> None:
    transformers = pytest.importorskip("transformers", reason="the extra hf is not installed")
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    for samples in (noise(16_000) + np.float32(0.3), np.zeros(1_600, dtype=np.float32)):
        theirs = extractor(samples, sampling_rate=16_000, return_tensors="np")["input_values"][0]
        np.testing.assert_allclose(normalised(samples), theirs, atol=1e-5)


def test_a_tone_is_in_its_filter_and_silence_at_the_floor() -> None:
    time_s = np.arange(16_000) / 16_000
    front_end = FrontEnd(snip_edges=False)
    low, high = (front_end(np.sin(2 * np.pi * hz * time_s).astype(np.float32)).mean(axis=0) for hz in (300, 3_000))
    assert low.argmax() < high.argmax()
    silence = front_end(np.zeros(16_000, dtype=np.float32))
    np.testing.assert_allclose(silence, np.log(front_end.floor), rtol=1e-6)
    assert silence.shape == (100, 80)


@pytest.mark.parametrize(
    ("count", "frames"), [(0, 0), (79, 0), (80, 1), (160, 1), (1_600, 10), (1_679, 10), (1_680, 11)]
)
def test_one_frame_for_each_ten_milliseconds_of_any_recording(count: int, frames: int) -> None:
    assert FrontEnd(snip_edges=False)(noise(count)).shape == (frames, 80)


@pytest.mark.parametrize("stored", [None, [1], {"mels": 80}, {"bins": "80"}, {"bins": True}, {"normalise": 1}])
def test_what_is_no_front_end_is_refused(stored: object) -> None:
    with pytest.raises(ConfigError, match=r"card.json: features "):
        FrontEnd.of(stored, Path("card.json"))


def test_a_front_end_comes_back_from_a_card() -> None:
    assert FrontEnd.of({"bins": 40, "scale": 32768.0, "normalise": True}, Path("card.json")) == FrontEnd(
        bins=40, scale=32_768.0, normalise=True
    )
