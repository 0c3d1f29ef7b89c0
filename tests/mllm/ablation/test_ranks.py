"""Ranks under a budget: against brute force over all choices, and against what PEFT makes of the patterns."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.errors import ConfigError
from elocute.mllm.ablation.ranks import RankPlan, Site, allocate, applied, check_applied, entropy_weights, uniform


def worth(sites: list[Site], weights: list[float], ranks: tuple[int, ...]) -> float:
    """The sum that is maximised, from its definition."""
    return sum(site.cost * w * math.log(r) for site, w, r in zip(sites, weights, ranks, strict=True))


def best_by_brute_force(sites: list[Site], weights: list[float], budget: int, lowest: int, highest: int) -> float:
    """Every choice of ranks is tried."""
    ranges = [range(lowest, max(lowest, min(highest, site.inputs, site.outputs)) + 1) for site in sites]
    return max(
        worth(sites, weights, ranks)
        for ranks in itertools.product(*ranges)
        if sum(site.cost * rank for site, rank in zip(sites, ranks, strict=True)) <= budget
    )


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 4))
    step = draw(st.sampled_from([1, 3, 8]))
    sites = [
        Site(name=f"m{k}", inputs=step * draw(st.integers(1, 9)), outputs=step * draw(st.integers(1, 9)))
        for k in range(count)
    ]
    lowest = draw(st.integers(1, 2))
    highest = lowest + draw(st.integers(0, 6))
    least = lowest * sum(site.cost for site in sites)
    return {
        "sites": sites,
        "weights": [draw(st.floats(0.01, 10)) for _ in sites],
        "budget": least + draw(st.integers(0, 8 * sum(site.cost for site in sites))),
        "lowest": lowest,
        "highest": highest,
    }


@settings(max_examples=150, deadline=None)
@given(problems())
def test_no_choice_of_ranks_is_better(problem: dict[str, Any]) -> None:
    sites, weights = problem["sites"], problem["weights"]
    bounds = {name: problem[name] for name in ("budget", "lowest", "highest")}
    plan = allocate(sites, weights, **bounds)
    assert plan.parameters <= bounds["budget"]
    for site, rank in zip(sites, plan.ranks, strict=True):
        assert bounds["lowest"] <= rank <= max(bounds["lowest"], min(bounds["highest"], site.inputs, site.outputs))
    expected = best_by_brute_force(sites, weights, **bounds)
    assert worth(sites, weights, plan.ranks) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 90), st.integers(20, 90)), min_size=1, max_size=8), st.integers(1, 15))
def test_equal_weights_are_uniform_lora(shapes: list[tuple[int, int]], rank: int) -> None:
    sites = [Site(name=f"m{k}", inputs=i, outputs=o) for k, (i, o) in enumerate(shapes)]
    whole = uniform(sites, rank)
    assert allocate(sites, [0.3] * len(sites), budget=whole.parameters, highest=64).ranks == whole.ranks


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.05, 1), min_size=2, max_size=6), st.integers(2, 9))
def test_more_weight_is_never_less_rank(weights: list[float], rank: int) -> None:
    sites = [Site(name=f"m{k}", inputs=30, outputs=50) for k in range(len(weights))]
    ranks = allocate(sites, weights, budget=uniform(sites, rank).parameters).ranks
    for a, b in itertools.permutations(range(len(weights)), 2):
        if weights[a] > weights[b] + 1e-9:
            assert ranks[a] >= ranks[b]


# Phi-4-multimodal's four linears of a layer.
PHI4 = [("self_attn.qkv_proj", 3072, 5120), ("self_attn.o_proj", 3072, 3072), ("mlp.gate_up_proj", 3072, 16384),
        ("mlp.down_proj", 8192, 3072)]  # fmt: skip


@pytest.mark.parametrize("rank", [16, 64, 320])
def test_the_released_model_spends_its_whole_budget_and_follows_the_entropies(rank: int) -> None:
    sites = [Site(name=f"model.layers.{n}.{name}", inputs=i, outputs=o) for n in range(32) for name, i, o in PHI4]
    entropies = np.random.default_rng(rank).uniform(0.4, 0.9, len(sites))
    budget = uniform(sites, rank).parameters
    # Its two adapters, of rank 320 and 256, have 830,472,192 parameters.
    assert budget * 576 == 830_472_192 * rank
    plan = allocate(sites, entropy_weights(list(entropies), 2.0), budget=budget, highest=4 * rank)
    assert budget - min(site.cost for site in sites) < plan.parameters <= budget
    ideal = entropies**2 * budget / sum(e**2 * s.cost for e, s in zip(entropies, sites, strict=True))
    assert np.abs(np.array(plan.ranks) - ideal).max() < 1.5


def test_contrast_turns_the_order_round() -> None:
    entropies = [0.2, 0.5, 0.9]
    assert entropy_weights(entropies, 0).tolist() == [1, 1, 1]
    assert entropy_weights(entropies, 1).tolist() == entropies
    assert list(np.argsort(entropy_weights(entropies, -2))) == [2, 1, 0]
    assert np.isfinite(entropy_weights([0.0, 1.0], -3)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 10}, r"a budget of 10 parameters; rank 1 for 2 modules needs 30"),
        ({"weights": [1.0]}, "got 1 weights for 2 modules"),
        ({"weights": [1.0, 0.0]}, "the weight of b is not a positive number"),
        ({"weights": [1.0, float("nan")]}, "the weight of b is not a positive number"),
        ({"lowest": 0}, "ranks from 0 to 64"),
        ({"lowest": 9, "highest": 8}, "ranks from 9 to 8"),
        ({"sites": [], "weights": []}, "no module carries an adapter"),
    ],
)
def test_what_cannot_be_planned_is_refused(change: dict[str, Any], message: str) -> None:
    problem = {
        "sites": [Site(name="a", inputs=5, outputs=5), Site(name="b", inputs=10, outputs=10)],
        "weights": [1.0, 1.0],
        "budget": 100,
    }
    with pytest.raises(ConfigError, match=message):
        allocate(**(problem | change))


def test_entropies_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="an entropy of 1.4"):
        entropy_weights([0.5, 1.4], 1)


def test_names_are_taken_literally() -> None:
    plan = RankPlan(sites=(Site(name="layers.1.o_proj", inputs=4, outputs=4),), ranks=(3,), scaling=0.5)
    assert plan.rank_pattern == {r"layers\.1\.o_proj": 3}
    assert plan.alpha_pattern == {r"layers\.1\.o_proj": 1.5}
    assert plan.parameters == 24


def tower(layers: int, width: int = 24) -> Any:
    """Numbered layers beyond ten, and a second tower whose names end alike."""
    from torch import nn

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.o_proj = nn.Linear(width, width, bias=False)
            self.up_proj = nn.Linear(width, 2 * width, bias=False)

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([Layer() for _ in range(layers)])

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Tower()
            self.audio = nn.ModuleDict({"model": Tower()})

    return Both()


def test_peft_gives_exactly_the_planned_ranks_and_keeps_the_scaling() -> None:
    peft = pytest.importorskip("peft")
    model = tower(12)
    sites = [
        Site(name=name, inputs=module.in_features, outputs=module.out_features)
        for name, module in model.named_modules()
        if name.startswith("model.") and hasattr(module, "in_features")
    ]
    assert len(sites) == 24
    ranks = tuple(1 + (7 * k) % 9 for k in range(len(sites)))
    plan = RankPlan(sites=tuple(sites), ranks=ranks, scaling=1.75)
    config = peft.LoraConfig(
        r=4,
        lora_alpha=7,
        target_modules=r"^(.*\.)?model\.layers\.\d+\.(o_proj|up_proj)$",
        exclude_modules=r"^(.*\.)?audio\..*",
        rank_pattern=plan.rank_pattern,
        alpha_pattern=plan.alpha_pattern,
    )
    adapted = peft.get_peft_model(model, config)
    found = applied(adapted)
    assert {name: one.rank for name, one in found.items()} == plan.rank_of
    assert {one.scaling for one in found.values()} == {1.75}
    assert sum(one.parameters for one in found.values()) == plan.parameters
    check_applied(adapted, plan)
    learns = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert learns == plan.parameters
    other = RankPlan(sites=plan.sites, ranks=(2,) * len(sites), scaling=1.75)
    with pytest.raises(ConfigError, match="has rank"):
        check_applied(adapted, other)
    with pytest.raises(ConfigError, match="is scaled by 1.75; the plan says 3"):
        check_applied(adapted, RankPlan(sites=plan.sites, ranks=ranks, scaling=3.0))
    with pytest.raises(ConfigError, match="an adapter, but the plan has not"):
        check_applied(adapted, RankPlan(sites=plan.sites[1:], ranks=ranks[1:], scaling=1.75))


def test_keys_that_are_not_escaped_hit_other_modules() -> None:
    """Why the patterns escape: PEFT reads the dot as any letter, and the first key that fits wins."""
    peft = pytest.importorskip("peft")
    from torch import nn

    model = nn.ModuleDict({"a_b": nn.Linear(8, 8), "a": nn.ModuleDict({"b": nn.Linear(8, 8)})})
    plain = peft.LoraConfig(r=4, target_modules=r"a.b", rank_pattern={"a.b": 2})
    found = applied(peft.get_peft_model(model, plain))
    assert {name: one.rank for name, one in found.items()} == {"a_b": 2, "a.b": 2}
    model = nn.ModuleDict({"a_b": nn.Linear(8, 8), "a": nn.ModuleDict({"b": nn.Linear(8, 8)})})
    plan = RankPlan(sites=(Site(name="a.b", inputs=8, outputs=8),), ranks=(2,), scaling=2.0)
    escaped = peft.LoraConfig(r=4, target_modules=r"a.b", rank_pattern=plan.rank_pattern)
    found = applied(peft.get_peft_model(model, escaped))
    assert {name: one.rank for name, one in found.items()} == {"a_b": 4, "a.b": 2}
