"""The entropy of adapters against numpy's singular values of the whole product, and what it does to a training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from elocute.mllm.ablation.regulariser import adapter_entropies, adapter_pairs, entropy_penalty, spectra

Pairs = list[tuple[torch.Tensor, torch.Tensor]]


def pairs_of(seed: int, shapes: list[tuple[int, int, int]], scale: float = 1.0) -> Pairs:
    """A (r, inputs) and B (outputs, r) for shapes (r, inputs, outputs)."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(r, i, generator=generator) * 0.1, torch.randn(o, r, generator=generator) * scale)
        for r, i, o in shapes
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(1, 6), st.integers(6, 20), st.integers(6, 20)), min_size=1, max_size=4),
    st.sampled_from([1e-4, 1.0, 30.0]),
)
def test_entropy_is_that_of_the_product(seed: int, shapes: list[tuple[int, int, int]], scale: float) -> None:
    pairs = pairs_of(seed, shapes, scale)
    energies, entropies = spectra(pairs), adapter_entropies(pairs)
    for row, found, (down, up) in zip(energies, entropies, pairs, strict=True):
        rank = len(down)
        expected = np.linalg.svd((up.double() @ down.double()).numpy(), compute_uv=False)[:rank] ** 2
        np.testing.assert_allclose(np.sort(row.numpy())[-rank:], np.sort(expected), rtol=1e-6, atol=1e-9 * row.max())
        wanted = scipy.stats.entropy(expected) / math.log(max(2, rank))
        assert float(found) == pytest.approx(wanted, abs=1e-5)


def test_the_gradient_is_that_of_finite_differences() -> None:
    pairs = [(down.double().requires_grad_(), up.double().requires_grad_()) for down, up in pairs_of(2, [(3, 7, 5)])]
    assert torch.autograd.gradcheck(lambda a, b: adapter_entropies([(a, b)]).sum(), pairs[0], atol=1e-6)


def test_an_adapter_that_does_nothing_yet_is_left_alone() -> None:
    down, up = torch.randn(4, 9, requires_grad=True), torch.zeros(6, 4, requires_grad=True)
    entropy = adapter_entropies([(down, up)])
    assert entropy.tolist() == [0.0]
    entropy.sum().backward()
    assert torch.isfinite(down.grad).all()
    assert up.grad.abs().max() == 0


def test_equal_directions_have_a_finite_gradient() -> None:
    up = torch.eye(5, 4).requires_grad_()
    down = torch.eye(4, 6).requires_grad_()
    entropy = adapter_entropies([(down, up)])
    assert entropy.item() == pytest.approx(1.0)
    entropy.sum().backward()
    assert torch.isfinite(up.grad).all()
    assert torch.isfinite(down.grad).all()


def adapted() -> Any:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 8))
    return peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2"]))


@pytest.mark.parametrize("weight", [-0.3, 0.0, 0.3])
def test_its_sign_concentrates_or_spreads_an_adapter(weight: float) -> None:
    """The same training with a positive, no and a negative weight ends with less, as much and more entropy."""

    def trained(weight: float) -> float:
        model = adapted()
        generator = torch.Generator().manual_seed(4)
        inputs = torch.randn(64, 12, generator=generator)
        wanted = torch.randn(64, 8, generator=generator)
        optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
        for _ in range(60):
            loss = (model(inputs) - wanted).square().mean() + entropy_penalty(model, weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return adapter_entropies(adapter_pairs(model)).mean().item()

    with_it, without = trained(weight), trained(0.0)
    assert (with_it < without - 0.05) if weight > 0 else (with_it > without + 0.05) if weight < 0 else True
    if weight == 0.0:
        assert with_it == without


def test_pairs_are_those_of_the_adapters() -> None:
    model = adapted()
    assert [(tuple(a.shape), tuple(b.shape)) for a, b in adapter_pairs(model)] == [
        ((4, 12), (16, 4)),
        ((4, 16), (8, 4)),
    ]
    with pytest.raises(ValueError, match="no LoRA adapter 'other'"):
        entropy_penalty(model, 1.0, "other")
    assert entropy_penalty(model, 1.0).item() == 0.0
