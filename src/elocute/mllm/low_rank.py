"""Trained adapters as matrices: read from the files of peft and of the released repository, merged into weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elocute.assets import read_object
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

_WEIGHT = re.compile(r"^(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<side>[ABE])(?:\.\w+)?(?:\.weight)?$")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LowRank:
    """A trained LoRA adapter: what it adds to each linear is scale * B @ A.

    Attributes:
        rank: as configured.
        alpha: as configured.
        dropout: as configured.
        a: by module name, shape (r, d_in).
        b: by module name, shape (d_out, r).
        scale: by module name.
    """

    rank: int
    alpha: float
    dropout: float
    a: Mapping[str, Tensor]
    b: Mapping[str, Tensor]
    scale: Mapping[str, float]

    def added(self, module: str, weight: Tensor) -> Tensor:
        """A weight with this adapter merged into it, in float32; as it was where the adapter has nothing for it."""
        import torch

        if module not in self.a:  # by eva, ranks can fall to 0
            return weight
        device = weight.device
        a, b = (side[module].to(device, torch.float32) for side in (self.a, self.b))
        return torch.addmm(weight.float(), b, a, alpha=self.scale[module])


def low_rank(tensors: Mapping[str, Tensor], config: Mapping[str, Any], *, place: str) -> LowRank:
    """An adapter from its tensors, under any of the names that files use for them, and its configuration.

    Raises:
        ConfigError: a name is none of an adapter's, a matrix has no partner, or their shapes do not fit.
    """
    sides: dict[str, dict[str, Tensor]] = {"A": {}, "B": {}, "E": {}}
    for name, tensor in tensors.items():
        match = _WEIGHT.match(name)
        if match is None:
            raise ConfigError(f"{place} holds {name}, which no LoRA adapter has; expected ...lora_A.weight and lora_B")
        sides[match["side"]][match["module"]] = tensor
    is_pruned = config["peft_type"] == "ADALORA"
    a, b = sides["A"], sides["B"]
    if is_pruned:  # its A are directions, and E says how far each of them counts
        a = {module: tensor * sides["E"][module] for module, tensor in a.items() if module in sides["E"]}
    alone = sorted(a.keys() ^ b.keys())
    if alone or not a:
        raise ConfigError(
            f"{place} is no whole adapter: {alone[0] if alone else 'no module'} lacks A or B; fetch it again"
        )
    scale = {}
    for module in a:
        rank = a[module].shape[0]
        if b[module].shape[1] != rank:
            raise ConfigError(
                f"{place}: A and B of {module} have ranks {rank} and {b[module].shape[1]}; fetch it again"
            )
        scale[module] = _alpha_of(module, config) / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return LowRank(
        rank=int(config["init_r"] if is_pruned else config["r"]),
        alpha=float(config["lora_alpha"]),
        dropout=float(config.get("lora_dropout") or 0.0),
        a=a,
        b=b,
        scale=scale,
    )


def _alpha_of(module: str, config: Mapping[str, Any]) -> float:
    """Alpha of one module: the first pattern that fits the tail of its name, as peft does it."""
    for pattern, alpha in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return float(alpha)
    return float(config["lora_alpha"])


def read_adapter(folder: Path) -> LowRank:
    """An adapter from a folder of peft's: `adapter_config.json` and `adapter_model.safetensors`.

    Raises:
        ConfigError: a file is missing or broken, or this is no LoRA.
    """
    from elocute.mllm.weights import read_tensors

    config = read_object(folder / "adapter_config.json")
    if config.get("peft_type") not in ("LORA", "ADALORA"):
        raise ConfigError(f"{folder} holds a {config.get('peft_type')} adapter; expected LORA or ADALORA")
    tensors = read_tensors(folder / "adapter_model.safetensors")
    found = low_rank(tensors, config, place=str(folder))
    ranks = {tensor.shape[0] for tensor in found.a.values()}
    if ranks != {found.rank} and not config.get("rank_pattern"):
        raise ConfigError(f"{folder}: adapter_config.json says rank {found.rank}, the weights {sorted(ranks)}")
    return found
