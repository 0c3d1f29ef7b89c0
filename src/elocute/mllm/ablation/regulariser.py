"""The entropy of an adapter's singular values, as a term of the loss.

For one module, with s the singular values of B A and p = s^2 / sum s^2, H = -sum p ln p / ln r lies in [0, 1]: 0 when
one direction does all the work, 1 when all r directions do alike. The term is weight times the mean over modules: a
positive weight concentrates the adapters, a negative one spreads them. Which of the two helps, if any, is a question
for measurements.

Deviates: energies s^2 in place of s (as for the covariances of `entropy.py`), because -s ln s has an infinite slope at
0, where every adapter begins. Scaling does not matter, since p is relative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

_SILENT = 1e-10
"""An adapter whose product has less energy than this share of that of its factors' sizes has no spectrum yet."""


def adapter_pairs(model: nn.Module, adapter: str = "default") -> list[tuple[Tensor, Tensor]]:
    """A (r, inputs) and B (outputs, r) of every LoRA module, in the order of the model."""
    pairs = []
    for module in model.modules():
        down, up = getattr(module, "lora_A", {}), getattr(module, "lora_B", {})
        if adapter in down and adapter in up and hasattr(down[adapter], "weight"):
            pairs.append((down[adapter].weight, up[adapter].weight))
    return pairs


def spectra(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Squared singular values of B A of every module, shape (modules, largest r), ascending, padded with 0 in front.

    The non-zero eigenvalues of A'B'BA are those of L' (B'B) L with L the Cholesky factor of AA': matrices of r x r in
    place of outputs x inputs, all modules at once, differentiable also where values coincide.
    """
    import torch

    largest = max(down.shape[0] for down, _ in pairs)
    grams = []
    for down, up in pairs:
        a, b = down.double(), up.double()
        inner = a @ a.T
        ridge = 1e-12 * inner.diagonal().mean() + 1e-30
        factor = torch.linalg.cholesky(inner + ridge * torch.eye(len(inner), dtype=inner.dtype, device=inner.device))
        small = factor.T @ (b.T @ b) @ factor
        pad = largest - len(small)
        grams.append(torch.nn.functional.pad(small, (0, pad, 0, pad)))
    energies: Tensor = torch.linalg.eigvalsh(torch.stack(grams))
    return energies.clamp_min(0.0)


def adapter_entropies(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Normalised entropy of the spectrum of every module, shape (modules,); 0 for those without one yet.

    Modules of rank 1 have nothing to spread and give 0.
    """
    import torch

    energies = spectra(pairs)
    total = energies.sum(-1, keepdim=True)
    sizes = torch.stack([down.detach().double().square().mean() for down, _ in pairs])
    is_silent = total <= _SILENT * sizes.unsqueeze(-1)
    shares = energies / torch.where(is_silent, torch.ones_like(total), total)
    terms = torch.where(shares > 0, -shares * shares.clamp_min(1e-300).log(), torch.zeros_like(shares))
    most = torch.tensor([math.log(max(2, down.shape[0])) for down, _ in pairs], dtype=terms.dtype, device=terms.device)
    entropies = terms.sum(-1) / most
    return torch.where(is_silent.squeeze(-1), torch.zeros_like(entropies), entropies)


def entropy_penalty(model: nn.Module, weight: float, adapter: str = "default") -> Tensor:
    """`weight` times the mean entropy of the adapters of a model, to be added to its loss.

    Raises:
        ValueError: the model has no LoRA adapter of this name.
    """
    pairs = adapter_pairs(model, adapter)
    if not pairs:
        raise ValueError(f"the model has no LoRA adapter {adapter!r} to take the entropy of")
    return weight * adapter_entropies(pairs).mean()
