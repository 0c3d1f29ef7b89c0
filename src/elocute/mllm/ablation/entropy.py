"""How much information the inputs of each linear module hold: the spectral entropy of their covariance.

One pass over calibration examples. For every module, and apart for positions of audio, of the prompt and of the answer,
the covariance of its input vectors is summed up; with l its eigenvalues and p = l / sum l, the entropy is
H = -sum p ln p / ln D, from 0 (all inputs on a line) to 1 (all directions alike). exp(-sum p ln p) is the effective
rank of O. Roy and M. Vetterli, "The effective rank", EUSIPCO 2007, with energies in place of singular values.

Positions are kept apart because they differ in kind and number: an utterance has tens of audio positions, a prompt has
hundreds that are the same in every example, so that a mean over all of them would measure the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from elocute.errors import ConfigError
from elocute.mllm.ablation.ranks import Site
from elocute.types import Float64

if TYPE_CHECKING:
    import torch
    from torch import nn

Place = Literal["audio", "prompt", "answer"]
PLACES: tuple[Place, ...] = ("audio", "prompt", "answer")
"""Kinds of positions. Padding belongs to none."""
DEFAULT_SHARES: Mapping[Place, float] = {"audio": 0.5, "answer": 0.5}
"""How the kinds are mixed into one number: the prompt, alike in all examples, says nothing about them."""
IGNORED_LABEL = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralEntropy:
    """The spectrum of the inputs of one module at one kind of position.

    Attributes:
        entropy: normalised, 0 to 1; None where there were fewer than two positions.
        effective_rank: exp of the entropy in nats: how many directions carry the variance; None as above.
        positions: number of vectors.
    """

    entropy: float | None
    effective_rank: float | None
    positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEntropy:
    """The entropies of one module.

    Attributes:
        site: the module.
        places: by kind of position.
    """

    site: Site
    places: Mapping[Place, SpectralEntropy]

    def mixed(self, shares: Mapping[Place, float] = DEFAULT_SHARES) -> float:
        """The entropies of several kinds of positions as one, weighted by `shares`; kinds that never came are left out.

        Raises:
            ConfigError: no kind with a share came in the calibration examples.
        """
        known = [(share, self.places[place].entropy) for place, share in shares.items() if place in self.places]
        pairs = [(share, entropy) for share, entropy in known if share > 0 and entropy is not None]
        total = sum(share for share, _ in pairs)
        if total <= 0:
            raise ConfigError(
                f"{self.site.name}: the calibration examples have no position of {', '.join(shares)}; "
                "calibrate with recordings and answers"
            )
        return sum(share * entropy for share, entropy in pairs) / total


def spectral_entropy(eigenvalues: Float64, positions: int) -> SpectralEntropy:
    """Entropy of a covariance from its eigenvalues.

    Args:
        eigenvalues: shape (D,), of the centred covariance; those below 0 are rounding.
        positions: number of vectors behind it. Fewer than D + 1 span fewer directions, and the entropy is normalised by
            what they can reach.
    """
    if positions < 2:
        return SpectralEntropy(entropy=None, effective_rank=None, positions=positions)
    energies = np.maximum(np.asarray(eigenvalues, dtype=np.float64), 0.0)
    total = float(energies.sum())
    if total <= 0.0:
        return SpectralEntropy(entropy=0.0, effective_rank=1.0, positions=positions)
    shares = energies[energies > 0] / total
    nats = max(0.0, float(-(shares * np.log(shares)).sum()))
    most = math.log(max(2, min(len(energies), positions - 1)))
    return SpectralEntropy(entropy=min(1.0, nats / most), effective_rank=math.exp(nats), positions=positions)


def linear_sites(model: nn.Module, is_target: Callable[[str], bool]) -> list[Site]:
    """The linear modules whose names are wanted, in the order of the model; 4-bit ones, too.

    Raises:
        ConfigError: none of them is.
    """
    from torch import nn

    sites = [
        Site(name=name, inputs=int(module.in_features), outputs=int(module.out_features))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and is_target(name)
    ]
    if not sites:
        raise ConfigError("no linear module of the model matches the targets; check the pattern of target modules")
    return sites


def place_masks(batch: Mapping[str, Any], audio_token_id: int) -> dict[Place, torch.Tensor]:
    """Which positions (B, T) of a batch are audio, prompt and answer; without labels all text counts as prompt."""
    import torch

    ids = batch["input_ids"]
    is_real = batch["attention_mask"].bool() if "attention_mask" in batch else torch.ones_like(ids, dtype=torch.bool)
    is_audio = is_real & (ids == audio_token_id)
    labels = batch.get("labels")
    is_answer = torch.zeros_like(is_real) if labels is None else is_real & (labels != IGNORED_LABEL)
    return {"audio": is_audio, "prompt": is_real & ~is_audio & ~is_answer, "answer": is_answer}


class _Moments:
    """Count, sum and sum of outer products of the inputs of one module, by kind of position."""

    def __init__(self, inputs: int, device: torch.device) -> None:
        import torch

        self.count = dict.fromkeys(PLACES, 0)
        self.total = {place: torch.zeros(inputs, dtype=torch.float64, device=device) for place in PLACES}
        self.outer = {place: torch.zeros(inputs, inputs, dtype=torch.float64, device=device) for place in PLACES}

    def add(self, vectors: torch.Tensor, masks: Mapping[Place, torch.Tensor]) -> None:
        """Add the inputs (B, T, D) of one batch."""
        for place, mask in masks.items():
            chosen = vectors[mask].double()
            self.count[place] += len(chosen)
            self.total[place] += chosen.sum(0)
            self.outer[place] += chosen.T @ chosen

    def entropy(self, place: Place) -> SpectralEntropy:
        """Of the centred covariance."""
        import torch

        count = self.count[place]
        if count < 2:
            return SpectralEntropy(entropy=None, effective_rank=None, positions=count)
        mean = self.total[place] / count
        covariance = self.outer[place] / count - torch.outer(mean, mean)
        return spectral_entropy(torch.linalg.eigvalsh(covariance).cpu().numpy(), count)


def calibrate(
    model: nn.Module,
    batches: Sequence[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]],
    sites: Sequence[Site],
    *,
    audio_token_id: int,
    modules_at_once: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> list[ModuleEntropy]:
    """Spectral entropies of the inputs of modules over calibration batches, exact, in float64.

    Args:
        model: without adapters, or with adapters that change nothing yet; left in the mode it was in.
        batches: what the model is called with, on its device; a function is called once a pass.
        sites: modules of the model.
        audio_token_id: id that stands in `input_ids` where audio goes.
        modules_at_once: how many modules are summed up in one pass; three matrices of inputs x inputs of 8 bytes are
            held for each (1.6 GB for 8,192 inputs), so that a small device takes more passes.
        progress: called with the number of finished modules and of all.

    Raises:
        ConfigError: no batch, or a name that the model does not have.
    """
    modules = dict(model.named_modules())
    for site in sites:
        if site.name not in modules:
            raise ConfigError(f"the model has no module {site.name}; expected one of its linear modules")
    found: list[ModuleEntropy] = []
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(sites), modules_at_once):
            group = sites[start : start + modules_at_once]
            moments = _one_pass(model, batches() if callable(batches) else batches, group, modules, audio_token_id)
            for site in group:
                places = {place: moments[site.name].entropy(place) for place in PLACES}
                found.append(ModuleEntropy(site=site, places=places))
                if progress is not None:
                    progress(len(found), len(sites))
    finally:
        model.train(was_training)
    return found


def _one_pass(
    model: nn.Module,
    batches: Iterable[Mapping[str, Any]],
    sites: Sequence[Site],
    modules: Mapping[str, nn.Module],
    audio_token_id: int,
) -> dict[str, _Moments]:
    """Sums of one group of modules over all batches."""
    import torch

    device = next(model.parameters()).device
    moments = {site.name: _Moments(site.inputs, device) for site in sites}
    masks: dict[Place, torch.Tensor] = {}
    passes = 0
    with torch.no_grad(), _watched(moments, modules, masks):
        for batch in batches:
            masks.update(place_masks(batch, audio_token_id))
            model(**batch)
            passes += 1
    if passes == 0:
        raise ConfigError("no batch to calibrate with; expected at least one")
    return moments


@contextmanager
def _watched(
    moments: Mapping[str, _Moments], modules: Mapping[str, nn.Module], masks: Mapping[Place, torch.Tensor]
) -> Iterator[None]:
    """Hooks that sum up what goes into each module, for as long as the context lasts."""

    def hook_of(one: _Moments) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            one.add(inputs[0], masks)

        return hook

    handles = [modules[name].register_forward_pre_hook(hook_of(one)) for name, one in moments.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
