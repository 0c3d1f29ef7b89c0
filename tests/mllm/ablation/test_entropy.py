"""Spectral entropy against scipy and scikit-learn, and the calibration against inputs that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import nn

from elocute.errors import ConfigError
from elocute.mllm.ablation.entropy import (
    IGNORED_LABEL,
    PLACES,
    ModuleEntropy,
    SpectralEntropy,
    calibrate,
    linear_sites,
    place_masks,
    spectral_entropy,
)
from elocute.mllm.ablation.ranks import Site

AUDIO = 7


def by_scipy(vectors: np.ndarray) -> tuple[float, float]:
    """Normalised entropy and effective rank of vectors (N, D), by singular values of the data and not by covariance."""
    shares = np.linalg.svd(vectors - vectors.mean(0), compute_uv=False) ** 2
    most = np.log(max(2, min(vectors.shape[1], len(vectors) - 1)))
    nats = float(scipy.stats.entropy(shares[shares > 1e-12 * shares.max()]))
    return nats / most, float(np.exp(nats))


def eigenvalues(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(np.cov(vectors.T, bias=True))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 60), st.integers(2, 12), st.floats(0.1, 4.0), st.floats(-50, 50))
def test_entropy_is_that_of_scipy_and_of_scikit_learn(
    seed: int, count: int, width: int, fall: float, mean: float
) -> None:
    rng = np.random.default_rng(seed)
    scales = np.exp(-fall * np.arange(width) / width)
    vectors = mean + rng.normal(size=(count, width)) * scales @ np.linalg.qr(rng.normal(size=(width, width)))[0]
    found = spectral_entropy(eigenvalues(vectors), count)
    entropy, rank = by_scipy(vectors)
    assert found.entropy == pytest.approx(entropy, abs=1e-6)
    assert found.effective_rank == pytest.approx(rank, rel=1e-5)
    if count > width:
        ratios = PCA().fit(vectors).explained_variance_ratio_
        assert found.effective_rank == pytest.approx(float(np.exp(scipy.stats.entropy(ratios))), rel=1e-5)
    turned = vectors @ np.linalg.qr(rng.normal(size=(width, width)))[0] * 3.7 + 5
    assert found.entropy == pytest.approx(spectral_entropy(eigenvalues(turned), count).entropy, abs=1e-6)


def test_known_spectra() -> None:
    flat = spectral_entropy(np.ones(8), 1000)
    assert (flat.entropy, flat.effective_rank) == (pytest.approx(1.0), pytest.approx(8.0))
    line = spectral_entropy(np.array([0.0, 0.0, 3.0]), 1000)
    assert (line.entropy, line.effective_rank) == (0.0, 1.0)
    still = spectral_entropy(np.zeros(4), 5)
    assert still == SpectralEntropy(entropy=0.0, effective_rank=1.0, positions=5)
    assert spectral_entropy(np.ones(4), 1).entropy is None
    half = spectral_entropy(np.array([1.0, 1.0, 0.0, -1e-18]), 50)
    assert half.entropy == pytest.approx(0.5)


class Reader(nn.Module):
    """Looks vectors up by id, so that what goes into `first` is known without running it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.table = nn.Embedding(12, 6)
        self.first = nn.Linear(6, 5)
        self.second = nn.Linear(5, 4)
        self.other = nn.Linear(4, 4)

    def forward(self, input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        return self.other(self.second(torch.relu(self.first(self.table(input_ids)))))


def batches() -> list[dict[str, torch.Tensor]]:
    """Two batches of unlike length with padding, audio, prompt and answers."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for rows, length in ((3, 17), (2, 29)):
        ids = torch.randint(0, 12, (rows, length), generator=generator)
        ids[ids == AUDIO] = 0
        ids[:, 2:6] = AUDIO
        mask = torch.ones_like(ids)
        mask[1, -4:] = 0
        ids[1, -4:] = AUDIO  # padding that looks like audio is none
        labels = torch.full_like(ids, IGNORED_LABEL)
        labels[:, 12:] = ids[:, 12:]
        labels[mask == 0] = IGNORED_LABEL
        made.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return made


def vectors_at(model: Reader, place: str, *, module: str) -> np.ndarray:
    """What goes into a module at one kind of position, from the definition, row by row."""
    rows = []
    for batch in batches():
        for ids, mask, labels in zip(*(batch[name].tolist() for name in batch), strict=True):
            for token, is_real, label in zip(ids, mask, labels, strict=True):
                kind = "answer" if label != IGNORED_LABEL else "audio" if token == AUDIO else "prompt"
                if is_real and kind == place:
                    rows.append(token)
    table = model.table.weight.detach().double().numpy()[rows]
    if module == "first":
        return table
    weight, bias = (p.detach().double().numpy() for p in model.first.parameters())
    return np.maximum(table @ weight.T + bias, 0)


@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_calibration_gives_the_entropy_of_what_goes_in(at_once: int) -> None:
    model = Reader().train()
    sites = linear_sites(model, lambda name: name in {"first", "second"})
    assert [(site.name, site.inputs, site.outputs) for site in sites] == [("first", 6, 5), ("second", 5, 4)]
    seen: list[tuple[int, int]] = []
    found = calibrate(
        model,
        batches,
        sites,
        audio_token_id=AUDIO,
        modules_at_once=at_once,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert [one.site for one in found] == sites
    assert seen == [(1, 2), (2, 2)]
    assert model.training
    assert not model.first._forward_pre_hooks
    for one in found:
        for place in PLACES:
            vectors = vectors_at(model, place, module=one.site.name)
            measured = one.places[place]
            assert measured.positions == len(vectors) > 10
            assert measured.effective_rank == pytest.approx(by_scipy(vectors)[1], rel=1e-4)
            assert measured.entropy == pytest.approx(by_scipy(vectors)[0] if place != "audio" else 0.0, abs=1e-5)
    # All audio positions here are one and the same vector: no information.
    assert found[0].places["audio"].effective_rank == pytest.approx(1.0, abs=1e-4)


def test_hooks_are_gone_after_an_error() -> None:
    model = Reader()
    broken = [*batches(), {"input_ids": torch.tensor([[99]])}]
    with pytest.raises(IndexError):
        calibrate(model, broken, linear_sites(model, lambda name: name == "first"), audio_token_id=AUDIO)
    assert not model.first._forward_pre_hooks


def test_places_cover_every_real_position_once() -> None:
    for batch in batches():
        masks = place_masks(batch, AUDIO)
        assert (sum(mask.int() for mask in masks.values()) == batch["attention_mask"]).all()
    only_text = place_masks({"input_ids": torch.tensor([[1, 2, AUDIO]])}, AUDIO)
    assert {place: int(mask.sum()) for place, mask in only_text.items()} == {"audio": 1, "prompt": 2, "answer": 0}


def one_module(**entropies: float | None) -> ModuleEntropy:
    places = {
        place: SpectralEntropy(entropy=value, effective_rank=value, positions=9) for place, value in entropies.items()
    }
    return ModuleEntropy(site=Site(name="m", inputs=2, outputs=2), places=places)  # type: ignore[arg-type]


def test_kinds_of_positions_are_mixed_by_share() -> None:
    module = one_module(audio=0.8, prompt=0.1, answer=0.4)
    assert module.mixed() == pytest.approx(0.6)
    assert module.mixed({"audio": 3, "prompt": 1}) == pytest.approx(0.625)
    assert one_module(audio=None, answer=0.4, prompt=0.1).mixed() == pytest.approx(0.4)
    with pytest.raises(ConfigError, match="no position of audio, answer"):
        one_module(audio=None, answer=None, prompt=0.1).mixed()


def test_what_cannot_be_calibrated_is_refused() -> None:
    model = Reader()
    with pytest.raises(ConfigError, match="no linear module of the model matches"):
        linear_sites(model, lambda name: name == "table")
    with pytest.raises(ConfigError, match="no batch to calibrate with"):
        calibrate(model, [], linear_sites(model, lambda name: name == "first"), audio_token_id=AUDIO)
    with pytest.raises(ConfigError, match="the model has no module nonsense"):
        calibrate(model, batches(), [Site(name="nonsense", inputs=1, outputs=1)], audio_token_id=AUDIO)
