"""What an ablation of adapters tries, read from TOML: where ranks go, how many, over how many bits, where, how fast.

Every point of the grid adapts the same base model to the same recordings with as many updates, and is measured on the
same speakers, who are neither in the base's training nor in the adaptation. No torch here, so that a mistake in the
settings shows before anything heavy is loaded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from elocute.errors import ConfigError
from elocute.mllm.recipe import DataTable, EvaluationTable
from elocute.training.recipe_table import read_checked

Allocation = Literal["none", "uniform", "entropy", "inverse", "eva", "adalora", "full"]
"""Where ranks go: nothing is adapted; the same rank everywhere; more rank where activations have more entropy; more
where they have less, the control; by explained variance of activations (EVA); pruned while training (AdaLoRA); no
adapter, but every weight learns."""
Placement = Literal["all", "attention", "mlp"]
PLACEMENTS: dict[Placement, str] = {
    "all": r"self_attn\.(qkv_proj|o_proj)|mlp\.(gate_up_proj|down_proj)",
    "attention": r"self_attn\.(qkv_proj|o_proj)",
    "mlp": r"mlp\.(gate_up_proj|down_proj)",
}
WITHOUT_ADAPTER = ("none", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to adapt.

    Attributes:
        allocation: where the ranks go.
        rank: mean rank; the budget of all allocations is what this rank costs everywhere.
        bits: of the frozen weights of the language model: 16, or 4 (NF4).
        placement: which linears of the language model carry an adapter.
        penalty: weight of the adapters' entropy in the loss; negative spreads, positive concentrates.
        rate: factor on the learning rate.
    """

    allocation: Allocation = "uniform"
    rank: int = 8
    bits: int = 16
    placement: Placement = "all"
    penalty: float = 0.0
    rate: float = 1.0

    @property
    def name(self) -> str:
        """For tables and folders: the allocation, then whatever matters to it."""
        parts: list[str] = [self.allocation]
        if self.allocation not in WITHOUT_ADAPTER:
            parts.append(f"r{self.rank}")
            parts += [self.placement] if self.placement != "all" else []
            parts += [f"penalty{self.penalty:+g}"] if self.penalty else []
        parts += [f"{self.bits}bit"] if self.bits != 16 else []
        parts += [f"rate{self.rate:g}"] if self.rate != 1 else []
        return "-".join(parts)

    @property
    def plain(self) -> Arm:
        """The same without the settings that mean nothing to its allocation."""
        if self.allocation == "none":
            return Arm(allocation="none", rank=0, bits=self.bits)
        if self.allocation == "full":
            return Arm(allocation="full", rank=0, rate=self.rate)
        if self.allocation in ("eva", "adalora"):
            return replace(self, penalty=0.0)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One training: an arm and the seed of its new weights, order and calibration examples."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """For its folder."""
        return f"{self.arm.name}.{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTable:
    """The model that is adapted.

    Attributes:
        folder: as `elocute train phi4` or a download leaves it; empty leaves it to `--base`.
    """

    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationTable:
    """How every arm is trained.

    Attributes:
        updates: of each training.
        batch: examples of one update.
        learning_rate: highest, of adapters.
        full_learning_rate: highest, where every weight learns; about a tenth of the other.
        warm_up_share: share of the updates over which the rate rises; then it falls to 0 as a cosine.
        weight_decay: of matrices where every weight learns; adapters have none.
        clip: largest norm of a gradient.
        scaling: alpha / r, the same in all arms and modules.
        dropout: of what enters an adapter.
        calibration: examples whose activations tell where ranks go.
        contrast: power of the entropy to which ranks are proportional; see `ranks.entropy_weights`.
        largest: no module gets more than this times the mean rank.
        report_every: updates from one point of the curve to the next.
    """

    updates: int = 300
    batch: int = 32
    learning_rate: float = 2e-3
    full_learning_rate: float = 2e-4
    warm_up_share: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0
    scaling: float = 2.0
    dropout: float = 0.0
    calibration: int = 64
    contrast: float = 3.0
    largest: float = 4.0
    report_every: int = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTable:
    """What is tried. The first value of every list is the reference.

    Attributes:
        design: "star" changes one thing at a time: all allocations at the reference of the rest, then every other value
            of the other lists for uniform ranks; "product" tries everything with everything.
        allocations: see `Allocation`.
        ranks: mean ranks.
        bits: 16 or 4.
        placements: see `Placement`.
        penalties: see `Arm.penalty`.
        rates: factors on the learning rate; with "star" those of "full" are tried, too.
        seeds: each arm is trained once with each.
    """

    design: Literal["star", "product"] = "star"
    allocations: tuple[Allocation, ...] = ("uniform", "entropy", "inverse", "eva", "adalora", "full", "none")
    ranks: tuple[int, ...] = (8,)
    bits: tuple[int, ...] = (16,)
    placements: tuple[Placement, ...] = ("all",)
    penalties: tuple[float, ...] = (0.0,)
    rates: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRecipe:
    """A whole ablation."""

    base: BaseTable = field(default_factory=BaseTable)
    data: DataTable = field(default_factory=DataTable)
    adaptation: AdaptationTable = field(default_factory=AdaptationTable)
    grid: GridTable = field(default_factory=GridTable)
    evaluation: EvaluationTable = field(default_factory=EvaluationTable)


def read_ablation(path: Path | None, changes: Sequence[str] = ()) -> AblationRecipe:
    """Settings from a TOML file (None: the defaults), with changes such as `adaptation.updates=50` applied.

    Raises:
        ConfigError: no such file, no TOML, an unknown key, a value of another type or out of range.
    """
    return read_checked(AblationRecipe(), path, changes, _check)


def arms_of(grid: GridTable) -> list[Arm]:
    """The arms of a grid in the order in which they matter, each once."""
    axes = {"rank": grid.ranks, "bits": grid.bits, "placement": grid.placements, "penalty": grid.penalties,
            "rate": grid.rates}  # fmt: skip
    found = list(_star(grid, axes) if grid.design == "star" else _product(grid, axes))
    return list(dict.fromkeys(arm.plain for arm in found))


def trials_of(grid: GridTable) -> list[Trial]:
    """Every training of a grid; what is not trained at all needs no second seed."""
    return [
        Trial(arm=arm, seed=seed)
        for arm in arms_of(grid)
        for seed in (grid.seeds[:1] if arm.allocation == "none" else grid.seeds)
    ]


def _star(grid: GridTable, axes: Mapping[str, Sequence[Any]]) -> Iterator[Arm]:
    """One thing at a time."""
    reference = {name: values[0] for name, values in axes.items()}
    for allocation in grid.allocations:
        yield Arm(allocation=allocation, **reference)
    for name, values in axes.items():
        for value in values[1:]:
            yield Arm(allocation="uniform", **(reference | {name: value}))
            if name == "rate" and "full" in grid.allocations:
                yield Arm(allocation="full", **(reference | {name: value}))


def _product(grid: GridTable, axes: Mapping[str, Sequence[Any]]) -> Iterator[Arm]:
    """Everything with everything."""
    for allocation, *values in itertools.product(grid.allocations, *axes.values()):
        yield Arm(allocation=allocation, **dict(zip(axes, values, strict=True)))


_POSITIVE = ("updates", "batch", "learning_rate", "full_learning_rate", "clip", "scaling", "calibration",
             "report_every")  # fmt: skip


def _check(recipe: AblationRecipe, source: str) -> None:
    """ConfigError for a value out of its range."""
    adaptation, grid = recipe.adaptation, recipe.grid
    for name in _POSITIVE:
        if not 0 < getattr(adaptation, name) < math.inf:
            raise ConfigError(f"{source}: adaptation.{name} is {getattr(adaptation, name)}; expected more than 0")
    for name in ("warm_up_share", "dropout"):
        if not 0 <= getattr(adaptation, name) < 1:
            raise ConfigError(f"{source}: adaptation.{name} is {getattr(adaptation, name)}; expected 0 up to below 1")
    if adaptation.largest < 1:
        raise ConfigError(f"{source}: adaptation.largest is {adaptation.largest}; expected 1 or more")
    if "adalora" in grid.allocations and adaptation.updates < 10:
        raise ConfigError(f"{source}: adaptation.updates is {adaptation.updates}; adalora needs 10 or more")
    if recipe.data.held_fold < 0:
        raise ConfigError(f"{source}: data.held_fold is {recipe.data.held_fold}; an ablation needs held-out speakers")
    _check_grid(grid, source)


def _check_grid(grid: GridTable, source: str) -> None:
    """ConfigError for a list of a grid that cannot be tried."""
    for item in fields(grid):
        values = getattr(grid, item.name)
        if item.name != "design" and (not values or len(set(values)) < len(values)):
            raise ConfigError(f"{source}: grid.{item.name} is {list(values)}; expected one value or more, each once")
    allowed: dict[str, tuple[str, Callable[[float], bool]]] = {
        "ranks": ("1 or more", lambda rank: rank >= 1),
        "bits": ("16 or 4", lambda bits: bits in (4, 16)),
        "rates": ("factors above 0", lambda rate: 0 < rate < math.inf),
        "penalties": ("finite weights", math.isfinite),
    }
    for name, (wanted, is_fine) in allowed.items():
        wrong = [value for value in getattr(grid, name) if not is_fine(value)]
        if wrong:
            raise ConfigError(f"{source}: grid.{name} has {wrong[0]}; expected {wanted}")
