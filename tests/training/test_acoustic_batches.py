"""Spectra, and batches whose randomness is a function of the seed."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from elocute.training.acoustic_batches import PADDED_TO, Augmentation, TrainingSet, spectra
from elocute.training.acoustic_model import LogMel, normalise
from elocute.training.recordings import (
    Kind,
    Recording,
)

CPU = torch.device("cpu")
MELS = 16
STILL = Augmentation(tempo=(1.0, 1.0), warp=(1.0, 1.0), noise_share=0.0)


def training_set(
    lengths: list[int],
    seed: int = 1,
    augmentation: Augmentation | None = None,
    labels: int = 3,
    batch_s: float = 6.0,
    kinds: tuple[Kind, ...] = ("learner", "native"),
) -> TrainingSet:
    """Random frames; the kinds take turns."""
    generator = torch.Generator().manual_seed(0)
    recordings = [
        Recording(
            id=str(i),
            audio=Path(f"{i}.wav"),
            labels=tuple(1 + (i + k) % 39 for k in range(labels)),
            phones=tuple(1 + (i + k) % 39 for k in range(labels)),
            speaker=str(i),
            kind=kinds[i % len(kinds)],
        )
        for i in range(len(lengths))
    ]
    return TrainingSet(
        recordings=recordings,
        frames=torch.randn(sum(lengths), MELS, generator=generator).half(),
        lengths=torch.tensor(lengths),
        noise=torch.randn(500, MELS, generator=generator).half(),
        batch_s=batch_s,
        seed=seed,
        augmentation=augmentation or Augmentation(),
    )


# --- spectra ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [400, 1_600, 1_759, 1_760, 16_001])
def test_spectra_have_one_frame_each_10_ms(samples: int):
    wave = np.random.default_rng(0).normal(0, 3_000, samples).astype(np.int16)
    frames, lengths = spectra([wave, wave[:320]], MELS, CPU)
    assert lengths.tolist() == [samples // 160, 2]
    assert frames.shape == (samples // 160 + 2, MELS)
    assert frames.dtype == torch.float16
    alone = LogMel(MELS)(torch.from_numpy(wave)[None].float() / 32768)[0]
    torch.testing.assert_close(frames[: samples // 160].float(), alone, atol=0.02, rtol=0.002)


# --- batches ---------------------------------------------------------------------------------------------------


def same(a: TrainingSet, b: TrainingSet, strength: float, draws: int = 4) -> bool:
    pairs = [(a.draw({"native": 0.5}, strength), b.draw({"native": 0.5}, strength)) for _ in range(draws)]
    return all(
        x.mels.shape == y.mels.shape and torch.equal(x.mels, y.mels) and torch.equal(x.labels, y.labels)
        for x, y in pairs
    )


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_batches_are_a_function_of_the_seed(strength: float):
    """And of nothing else, whatever torch's global generator has done in between."""
    lengths = [100, 120, 90, 300, 250, 80]
    one = training_set(lengths)
    expected = [one.draw({"native": 0.5}, strength) for _ in range(4)]
    torch.rand(3)
    other = training_set(lengths)
    for batch in expected:
        found = other.draw({"native": 0.5}, strength)
        assert torch.equal(found.mels, batch.mels)
        assert torch.equal(found.labels, batch.labels)
        assert torch.equal(found.frame_labels, batch.frame_labels)
    assert not same(training_set(lengths, seed=1), training_set(lengths, seed=2), strength)


def test_shapes():
    data = training_set([100, 121, 90])
    batch = data.batch([1, 0, 2], strength=1.0)
    B, frames, mels = batch.mels.shape
    assert (B, mels) == (3, MELS)
    assert frames == PADDED_TO * math.ceil(2 * max(batch.frame_counts) / PADDED_TO)
    assert batch.lengths.tolist() == batch.frame_counts
    assert batch.frame_labels.shape == (3, frames // 2)
    assert batch.label_counts == [3, 3, 3]
    assert batch.labels.tolist() == [2, 3, 4, 1, 2, 3, 3, 4, 5]
    for row, (count, source) in enumerate(zip(batch.frame_counts, (121, 100, 90), strict=True)):
        assert 0.86 * source / 1.16 < 2 * count <= source / 0.86
        assert (batch.mels[row, 2 * count :] == 0).all()
        assert (batch.frame_labels[row, count:] == 0).all()
        assert (batch.mels[row, : 2 * count] != 0).any()


def test_without_augmentation_a_batch_is_the_normalised_source():
    data = training_set([100, 121], augmentation=STILL)
    batch = data.batch([0, 1], strength=0.0)
    assert batch.frame_counts == [50, 60]
    for row, (start, length) in enumerate(((0, 100), (100, 120))):
        expected = normalise(data.frames[start : start + length].float()[None])[0]
        torch.testing.assert_close(batch.mels[row, :length], expected, atol=1e-4, rtol=1e-4)
        expected_labels = data.frame_targets[start : start + length : 2]
        assert torch.equal(batch.frame_labels[row, : length // 2], expected_labels)


def test_a_faster_recording_is_shorter_and_keeps_its_order():
    data = training_set([200], augmentation=Augmentation(tempo=(2.0, 2.0), warp=(1.0, 1.0), noise_share=0.0), labels=5)
    batch = data.batch([0], strength=0.0)
    assert batch.frame_counts == [50]
    torch.testing.assert_close(batch.mels[0, :100], normalise(data.frames[::2].float()[None])[0], atol=1e-4, rtol=1e-4)
    assert torch.equal(batch.frame_labels[0, :50], data.frame_targets[::4])


def test_a_recording_with_no_room_for_its_labels_keeps_its_tempo():
    fast = Augmentation(tempo=(2.0, 2.0))
    assert training_set([60], labels=6, augmentation=fast).batch([0], 0.0).frame_counts == [15]
    assert training_set([58], labels=6, augmentation=fast).batch([0], 0.0).frame_counts == [29]


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_noise_is_mixed_at_its_ratio(snr_db: float):
    data = training_set([100, 100], augmentation=Augmentation(noise_share=1.0, noise_db=(snr_db, snr_db)))
    mels = data.frames.float().view(2, 100, MELS)
    valid = torch.arange(100)[None, :] < torch.tensor([[100], [60]])
    noisy = data._add_noise(mels, valid)
    speech = (mels.exp() * valid[..., None]).sum((1, 2))
    added = ((noisy.exp() - mels.exp()) * valid[..., None]).sum((1, 2))
    torch.testing.assert_close(10 * torch.log10(speech / added), torch.full((2,), snr_db), atol=0.05, rtol=0)


def test_warp_moves_a_band_by_its_factor():
    data = training_set([10], augmentation=Augmentation(warp=(0.8, 0.8)))
    mels = torch.zeros(1, 3, MELS)
    mels[:, :, 8] = 1.0
    assert data._warp(mels).argmax(-1).tolist() == [[10, 10, 10]]  # 8 / 0.8
    still = training_set([10], augmentation=STILL)
    assert torch.equal(still._warp(mels), mels)


def test_masks_hide_bands_and_stretches_within_their_limits():
    data = training_set([10], augmentation=Augmentation(frequency_bins=4))
    hidden_bands, hidden_times = [], []
    for _ in range(20):
        masked = data._mask(torch.ones(2, 200, MELS), torch.tensor([200, 100]), 1.0) == 0
        bands, times = masked.all(1), masked.all(2)
        assert torch.equal(masked, bands[:, None, :] | times[..., None])
        assert (bands.sum(1) <= 2 * 5).all()
        assert (times[0].sum() <= 3 * (0.06 * 200 + 1)) and (times[1].sum() <= 3 * (0.06 * 100 + 1))  # noqa: PT018
        assert not times[1, 100:].any()
        hidden_bands.append(bands.float().mean().item())
        hidden_times.append(times.float().mean().item())
    assert sum(hidden_bands) > 0
    assert sum(hidden_times) > 0


def test_time_masks_may_be_kept_shorter_than_phones():
    masks = Augmentation(frequency_masks=0, time_masks=1, time_share=0.5, longest_time_mask=4)
    data, widths = training_set([10], augmentation=masks), []
    for _ in range(30):
        masked = data._mask(torch.ones(2, 200, MELS), torch.tensor([200, 100]), 1.0) == 0
        widths += masked.all(2).sum(1).tolist()
    assert max(widths) == 4
    assert min(widths) < 4


def test_every_recording_comes_once_an_epoch_in_batches_of_limited_length():
    lengths = [int(x) for x in np.random.default_rng(0).integers(40, 400, 41)] + [900]
    data = training_set(lengths, batch_s=8.0)
    members = [i for i, recording in enumerate(data.recordings) if recording.kind == "learner"]
    batches, seen = data._batches(members), Counter()
    while sum(seen.values()) < len(members):
        batch = next(batches)
        seen.update(batch)
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= 800
    assert seen == Counter(members)


def test_native_speech_is_drawn_with_its_share():
    data = training_set([50] * 20, batch_s=0.5)
    drawn = [
        data.recordings[int(batch.labels[0]) - 1].kind == "native"
        for batch in (data.draw({"native": 0.3}, 0.0) for _ in range(400))
    ]
    assert 0.22 < np.mean(drawn) < 0.38
    natives = [data.recordings[int(data.draw({"native": 1.0}, 0.0).labels[0]) - 1].kind == "native" for _ in range(10)]
    assert all(natives)


def test_each_kind_is_drawn_with_its_share():
    kinds = ("learner", "native", "synthetic")
    data = training_set([50] * 30, batch_s=0.5, kinds=kinds)
    drawn = Counter(
        data.recordings[int(data.draw({"native": 0.3, "synthetic": 0.2}, 0.0).labels[0]) - 1].kind for _ in range(600)
    )
    for kind, share in zip(kinds, (0.5, 0.3, 0.2), strict=True):
        assert share - 0.07 < drawn[kind] / 600 < share + 0.07


def test_a_set_of_one_kind_is_drawn_whatever_the_share():
    data = training_set([50])
    assert data.draw({"native": 1.0}, 0.0).labels.tolist() == [1, 2, 3]


def test_flat_start_targets_lie_in_order_on_the_energetic_frames():
    data = training_set([100], labels=4)
    frames = torch.full((100, MELS), -8.0)
    frames[20:80] = 2.0
    data.frames = frames.half()
    targets = data._uniform_targets()
    assert (targets[:20] == 0).all()
    assert (targets[80:] == 0).all()
    runs = [(label, len(list(group))) for label, group in itertools.groupby(targets[20:80].tolist())]
    assert runs == [(1, 15), (2, 15), (3, 15), (4, 15)]
