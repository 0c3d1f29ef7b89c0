"""Integer ranks of LoRA adapters under one budget of parameters, and the patterns by which PEFT applies them.

The idea, more rank where activations hold more information, leaves open what is maximised. Here it is the sum over
modules of c w ln r, with c the parameters that one rank costs there and w the module's weight. Without integers and
bounds its maximum has r proportional to w, so that a module with twice the weight gets twice the rank; equal weights
give equal ranks, which is uniform LoRA (Jensen). The same number of parameters is spent whatever the weights are, which
makes allocations comparable.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elocute.errors import ConfigError
from elocute.types import Float64, Int64

_LEAST_ENTROPY = 1e-3
"""Floor under entropies, so that their negative powers stay finite."""
_MOST_CELLS = 200_000_000
"""Table cells (modules times units of the budget) beyond which the exact search would fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A linear module that can carry an adapter.

    Attributes:
        name: of the module in the model.
        inputs: number of columns of its weight.
        outputs: number of rows.
    """

    name: str
    inputs: int
    outputs: int

    @property
    def cost(self) -> int:
        """Parameters of an adapter of rank 1: a row of A and a column of B."""
        return self.inputs + self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class RankPlan:
    """How many ranks every module gets.

    Attributes:
        sites: the modules.
        ranks: of each of them, in the same order.
        scaling: alpha / r, the same for all, so that a rank changes the capacity of an adapter and not its step size.
    """

    sites: tuple[Site, ...]
    ranks: tuple[int, ...]
    scaling: float = 2.0

    @property
    def parameters(self) -> int:
        """Parameters of all adapters together."""
        return sum(site.cost * rank for site, rank in zip(self.sites, self.ranks, strict=True))

    @property
    def rank_of(self) -> dict[str, int]:
        """Rank by name of the module."""
        return {site.name: rank for site, rank in zip(self.sites, self.ranks, strict=True)}

    @property
    def rank_pattern(self) -> dict[str, int]:
        """For PEFT's `rank_pattern`: every module by its whole name.

        PEFT takes a key as a regular expression on the end of a name, so dots are escaped: `layers.1` would match
        `layers11`, too.
        """
        return {re.escape(name): rank for name, rank in self.rank_of.items()}

    @property
    def alpha_pattern(self) -> dict[str, float]:
        """For PEFT's `alpha_pattern`: alpha of every module, so that alpha / r is `scaling` everywhere."""
        return {re.escape(name): self.scaling * rank for name, rank in self.rank_of.items()}


def uniform(sites: Sequence[Site], rank: int, *, scaling: float = 2.0) -> RankPlan:
    """The same rank everywhere."""
    return RankPlan(sites=tuple(sites), ranks=(rank,) * len(sites), scaling=scaling)


def entropy_weights(entropies: Sequence[float], contrast: float) -> Float64:
    """Weights of modules: their normalised spectral entropy to the power of `contrast`.

    0 makes all equal, 1 gives ranks proportional to entropy, a negative power turns the order round (the control that
    tells whether entropy, rather than any unevenness, is what helps).

    Args:
        entropies: shape (M,), from 0 to 1.
        contrast: the power. Entropies of trained models lie close together, so 1 changes little.

    Returns: shape (M,), above 0.

    Raises:
        ConfigError: an entropy is outside of [0, 1] or no number.
    """
    given = np.asarray(entropies, dtype=np.float64)
    if not np.all((given >= 0) & (given <= 1 + 1e-9)):
        bad = given[~((given >= 0) & (given <= 1 + 1e-9))][0]
        raise ConfigError(f"got an entropy of {bad}; expected normalised ones, from 0 to 1")
    weights: Float64 = np.maximum(given, _LEAST_ENTROPY) ** contrast
    return weights


def allocate(
    sites: Sequence[Site],
    weights: Sequence[float] | Float64,
    *,
    budget: int,
    lowest: int = 1,
    highest: int = 64,
    scaling: float = 2.0,
) -> RankPlan:
    """The integer ranks that maximise the sum of c w ln r within a budget; exact.

    A knapsack, solved by dynamic programming over the budget. Before that, ranks which cannot be part of the best
    choice are dropped: a greedy choice bounds the maximum from below, Lagrange's dual from above, and a rank whose loss
    against the dual exceeds the gap between them is out.

    Args:
        sites: modules.
        weights: shape (M,), above 0.
        budget: most parameters of all adapters together.
        lowest: least rank of a module, at least 1 (PEFT knows no adapter of rank 0).
        highest: largest rank of a module, cut to what its weight can have.
        scaling: alpha / r of the plan.

    Raises:
        ConfigError: no module, a weight that is not positive, bounds that exclude each other, or a budget that does not
            pay for the lowest ranks.

    Cost: a few milliseconds for hundreds of modules, unless weights are so alike that little can be dropped.
    """
    values = np.asarray(weights, dtype=np.float64)
    _check(sites, values, budget, lowest, highest)
    costs = np.array([site.cost for site in sites], dtype=np.int64)
    unit = int(np.gcd.reduce(costs))
    tops = [max(lowest, min(highest, site.inputs, site.outputs)) for site in sites]
    gains = [
        cost * weight * np.log(np.arange(lowest, top + 1))
        for cost, weight, top in zip(costs, values / values.max(), tops, strict=True)
    ]
    spare = budget // unit - lowest * int(costs.sum()) // unit
    extra = _best_extra(gains, costs // unit, spare)
    return RankPlan(sites=tuple(sites), ranks=tuple(lowest + int(one) for one in extra), scaling=scaling)


def _check(sites: Sequence[Site], weights: Float64, budget: int, lowest: int, highest: int) -> None:
    """ConfigError for what has no solution."""
    if len(sites) == 0:
        raise ConfigError("no module carries an adapter; expected at least one linear module")
    if weights.shape != (len(sites),):
        raise ConfigError(f"got {weights.size} weights for {len(sites)} modules; expected one for each")
    if not np.all(np.isfinite(weights) & (weights > 0)):
        worst = sites[int(np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))[0])].name
        raise ConfigError(f"the weight of {worst} is not a positive number; expected one above 0")
    if not 1 <= lowest <= highest:
        raise ConfigError(f"ranks from {lowest} to {highest}; expected 1 or more, the lower first")
    least = lowest * sum(site.cost for site in sites)
    if budget < least:
        raise ConfigError(
            f"a budget of {budget:,} parameters; rank {lowest} for {len(sites)} modules needs {least:,}: raise the "
            "budget or lower the least rank"
        )


def _best_extra(gains: Sequence[Float64], costs: Int64, spare: int) -> Int64:
    """How many ranks beyond the lowest each module gets, as the best choice within `spare` units.

    Args:
        gains: of each module, concave, shape (ranks,): what rank lowest + k is worth.
        costs: shape (M,), units that one more rank costs.
        spare: units to spend.
    """
    greedy, price = _greedy(gains, costs, spare)
    floor = math.fsum(float(gain[one]) for gain, one in zip(gains, greedy, strict=True))
    reduced = [gain - price * cost * np.arange(len(gain)) for gain, cost in zip(gains, costs, strict=True)]
    gap = price * spare + math.fsum(float(one.max()) for one in reduced) - floor
    slack = gap + 1e-9 * max(1.0, abs(floor))
    kept = [np.flatnonzero(one.max() - one <= slack) for one in reduced]  # concave: a range
    base = np.array([one[0] for one in kept])
    return base + _knapsack(
        [gain[one[0] : one[-1] + 1] for gain, one in zip(gains, kept, strict=True)],
        costs,
        spare - int(base @ costs),
    )


def _greedy(gains: Sequence[Float64], costs: Int64, spare: int) -> tuple[Int64, float]:
    """A good choice (most gain per unit first) and the gain per unit at which the budget first ran out."""
    extra = np.zeros(len(gains), dtype=np.int64)
    queue = [(-(gain[1] - gain[0]) / costs[m], m) for m, gain in enumerate(gains) if len(gain) > 1]
    heapq.heapify(queue)
    price = 0.0
    while queue:
        density, m = heapq.heappop(queue)
        if costs[m] > spare:
            price = max(price, -float(density))
            continue
        spare -= int(costs[m])
        extra[m] += 1
        if extra[m] + 1 < len(gains[m]):
            step = gains[m][extra[m] + 1] - gains[m][extra[m]]
            heapq.heappush(queue, (-step / costs[m], m))
    return extra, price


def _knapsack(gains: Sequence[Float64], costs: Int64, spare: int) -> Int64:
    """The best choice among a few ranks each, by dynamic programming over the units spent."""
    spare = min(spare, sum((len(gain) - 1) * int(cost) for gain, cost in zip(gains, costs, strict=True)))
    if len(gains) * (spare + 1) > _MOST_CELLS:
        raise ConfigError(
            f"{len(gains)} modules and {spare:,} units of budget are more than the exact search holds; lower the "
            "highest rank or raise the lowest"
        )
    best = np.zeros(spare + 1)
    chosen = np.zeros((len(gains), spare + 1), dtype=np.int16)
    for m, (gain, cost) in enumerate(zip(gains, costs, strict=True)):
        table = best + gain[0]
        for extra in range(1, len(gain)):
            units = extra * int(cost)
            if units > spare:
                break
            candidate = best[: spare + 1 - units] + gain[extra]
            better = candidate > table[units:]
            table[units:][better] = candidate[better]
            chosen[m, units:][better] = extra
        best = table
    extras = np.zeros(len(gains), dtype=np.int64)
    left = spare
    for m in reversed(range(len(gains))):
        extras[m] = chosen[m, left]
        left -= int(extras[m] * costs[m])
    return extras


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedAdapter:
    """What an adapter of a model is like.

    Attributes:
        rank: rows of its A.
        scaling: what its product is multiplied by.
        parameters: how many numbers it has.
    """

    rank: int
    scaling: float
    parameters: int


def applied(model: object, adapter: str = "default") -> dict[str, AppliedAdapter]:
    """What PEFT made of a plan, by name of the module in the model without adapters."""
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"got {type(model).__name__}; expected a torch module")
    found: dict[str, AppliedAdapter] = {}
    for name, module in model.named_modules():
        down, up = (getattr(module, part, {}) for part in ("lora_A", "lora_B"))
        if adapter not in down:
            continue
        first, second = (getattr(side[adapter], "weight", side[adapter]) for side in (down, up))
        found[name.removeprefix("base_model.model.")] = AppliedAdapter(
            rank=int(first.shape[0]),
            scaling=float(module.scaling[adapter]),
            parameters=first.numel() + second.numel(),
        )
    return found


def check_applied(model: object, plan: RankPlan, adapter: str = "default") -> None:
    """Make sure that a model with adapters has exactly the ranks and the scaling of a plan.

    Raises:
        ConfigError: a module of the plan has no adapter, another rank or another scaling, or a module that is not in
            the plan has one.
    """
    found = applied(model, adapter)
    planned: Mapping[str, int] = plan.rank_of
    for name in sorted(set(found) ^ set(planned)):
        state = "no adapter, but the plan has" if name in planned else "an adapter, but the plan has not"
        raise ConfigError(f"{name} has {state}; check the pattern of target modules")
    for name, rank in planned.items():
        if found[name].rank != rank:
            raise ConfigError(f"{name} has rank {found[name].rank}; the plan says {rank}: keys of patterns overlap")
        if not math.isclose(found[name].scaling, plan.scaling, rel_tol=1e-6):
            raise ConfigError(f"{name} is scaled by {found[name].scaling}; the plan says {plan.scaling} (no rsLoRA)")
