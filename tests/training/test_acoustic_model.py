"""The acoustic model: what its front end promises about time, and that padding means nothing."""

import numpy as np
import pytest
import torch

from elocute.training.acoustic_model import (
    AcousticConfig,
    AcousticModel,
    LogMel,
    mel_filterbank,
    normalise,
    rotary,
    rotate,
)

TINY = AcousticConfig(mels=16, channels=4, width=16, feed_forward=24, heads=2, blocks=2, kernel=5, intermediate_block=1)


@pytest.mark.parametrize("samples", [160, 400, 1_599, 1_600, 1_601, 16_000])
def test_frames_are_counted_in_whole_hops(samples: int):
    assert LogMel(20)(torch.randn(2, samples)).shape == (2, samples // 160, 20)


@pytest.mark.parametrize("at", [0, 79, 80, 159, 161, 5_000, 12_345, 15_999])
def test_a_click_lands_in_the_frame_of_its_time(at: int):
    samples = torch.zeros(1, 16_000)
    samples[0, at] = 1.0
    energy = torch.logsumexp(LogMel(20)(samples)[0], dim=-1)
    assert energy.argmax().item() == at // 160
    far = torch.tensor([abs((i + 0.5) * 160 - at) > 200 for i in range(100)])  # beyond half a window
    assert (energy[far] == energy[far][0]).all()


def test_a_tone_lands_in_the_filter_of_its_frequency():
    bank = mel_filterbank(40)
    assert bank.shape == (257, 40)
    assert (bank >= 0).all()
    assert (bank.max(axis=0) > 0).all()  # no filter falls between two bins
    time = torch.arange(16_000) / 16_000
    for hz in (500.0, 1_000.0, 3_000.0):
        mel = LogMel(40)(torch.sin(2 * np.pi * hz * time)[None])[0, 50].argmax().item()
        assert abs(bank[:, mel].argmax() * 16_000 / 512 - hz) < 120


def test_level_does_not_matter_and_silence_stays_finite():
    samples = torch.randn(1, 8_000)
    front_end = LogMel(20)
    torch.testing.assert_close(front_end(samples), front_end(samples * 0.05), atol=1e-2, rtol=0)
    silent = normalise(front_end(torch.zeros(1, 8_000)))
    assert torch.equal(silent, torch.zeros_like(silent))


def test_normalise_equals_its_masked_form():
    log = torch.randn(3, 50, 8) * 3 - 2
    everything = torch.ones(3, 50, dtype=torch.bool)
    torch.testing.assert_close(normalise(log), normalise(log, everything))
    valid = torch.arange(50)[None, :] < torch.tensor([[50], [31], [1]])
    masked = normalise(log, valid)
    for row, length in enumerate((50, 31, 1)):
        torch.testing.assert_close(masked[row, :length], normalise(log[row : row + 1, :length])[0])
        assert (masked[row, length:] == 0).all()
    plain = normalise(log)
    torch.testing.assert_close(plain.mean(1), torch.zeros(3, 8), atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.std(1, correction=0), torch.ones(3, 8), atol=0.01, rtol=0)


def test_rotary_products_depend_on_the_distance_alone():
    cos, sin = rotary(20, 8, torch.device("cpu"))
    q, k = torch.randn(8), torch.randn(8)
    products = rotate(q.expand(20, 8), cos, sin) @ rotate(k.expand(20, 8), cos, sin).T
    for distance in range(-5, 6):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[0].expand_as(diagonal), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("samples", [1_600, 4_799, 16_000])
def test_the_model_gives_a_distribution_each_20_ms(samples: int):
    torch.manual_seed(0)
    model = AcousticModel(TINY).eval()
    with torch.inference_mode():
        log_probs, ratings = model(torch.randn(1, samples))
    assert ratings.shape == (1, samples // 320, 43)
    assert log_probs.shape == (1, samples // 320, 40)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(1, samples // 320))


def test_training_and_export_see_the_same_network():
    """A full-length mask changes nothing, and neither does a neighbour in the batch."""
    torch.manual_seed(0)
    encoder = AcousticModel(TINY).eval().encoder
    mels = normalise(torch.randn(2, 60, 16))
    with torch.inference_mode():
        alone = encoder(mels[:1])[0]
        torch.testing.assert_close(encoder(mels[:1], torch.tensor([30]))[0], alone, atol=1e-5, rtol=1e-5)
        both = encoder(mels, torch.tensor([30, 30]))[0]
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing():
    torch.manual_seed(0)
    encoder = AcousticModel(TINY).eval().encoder
    mels = normalise(torch.randn(1, 60, 16))
    with torch.inference_mode():
        alone = encoder(mels)[0]
        padded = encoder(torch.nn.functional.pad(mels, (0, 0, 0, 40)), torch.tensor([30]))[0]
    torch.testing.assert_close(padded[:, :30], alone, atol=1e-5, rtol=1e-5)
