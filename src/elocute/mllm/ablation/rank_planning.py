"""A recipe of `elocute train phi4` with ranks by entropy.

The model hears some of its examples, and ranks are shared out. The recipe stays as it is, comments included; the tables
`[adapter.rank_pattern]` and `[adapter.alpha_pattern]` are added. The budget is what its own rank costs in every module.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.errors import ConfigError
from elocute.mllm.ablation.entropy import ModuleEntropy, calibrate, linear_sites
from elocute.mllm.ablation.ranks import RankPlan, allocate, entropy_weights, uniform
from elocute.mllm.examples import Example
from elocute.mllm.recipe import Phi4Recipe
from elocute.training.ctc_data import Source

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Ranks and what they come from.

    Attributes:
        plan: of every module.
        entropies: of every module's inputs, in the same order.
        examples: how many were heard.
    """

    plan: RankPlan
    entropies: tuple[ModuleEntropy, ...]
    examples: int


def check_recipe(recipe: Phi4Recipe) -> None:
    """ConfigError unless ranks of a recipe can be planned."""
    if recipe.model.regime in ("full", "scratch"):
        raise ConfigError(f"regime {recipe.model.regime!r} has no adapter whose ranks could be planned")
    if recipe.model.size:
        raise ConfigError(f"model.size is {recipe.model.size!r}; activations of random weights say nothing about ranks")
    if recipe.adapter.start == "speech":
        raise ConfigError("adapter.start is 'speech', whose rank is given; set it to 'merged'")
    if recipe.adapter.method != "lora" or recipe.adapter.rslora:
        raise ConfigError(
            f"adapter.method is {recipe.adapter.method!r} with rslora {str(recipe.adapter.rslora).lower()}; planned "
            "ranks need method = 'lora' and alpha / r as the scale"
        )
    if recipe.adapter.rank_pattern or recipe.adapter.alpha_pattern:
        raise ConfigError("the recipe has ranks of single modules already; take them away")


def plan_ranks(
    recipe: Phi4Recipe,
    model: Path,
    sources: Sequence[Source],
    *,
    device: str,
    count: int = 64,
    contrast: float = 3.0,
    largest: float = 4.0,
    modules_at_once: int = 16,
    progress: Progress = lambda step, done, total: None,
) -> Planned:
    """Let a model hear examples and share out ranks.

    Args:
        recipe: of the training that is to come.
        model: folder of the model.
        sources: corpora; examples are drawn from those to learn from.
        device: of torch.
        count: examples.
        contrast: ranks are proportional to entropy to this power.
        largest: no rank beyond this times the recipe's.
        modules_at_once: see `calibrate`.
        progress: called with a step, how much of it is done and how much there is.

    Raises:
        ConfigError: the recipe has no ranks to plan, or the model or a corpus cannot be used.
    """
    import re

    import torch

    from elocute.mllm.assembling import assemble
    from elocute.mllm.layout import LANGUAGE_LINEARS
    from elocute.mllm.model import FOUR_BIT
    from elocute.mllm.prepare import read_material
    from elocute.mllm.processing import load_processor, token_ids
    from elocute.mllm.weights import open_checkpoint

    check_recipe(recipe)
    learned = read_material(sources, recipe.data).examples
    chosen = np.random.default_rng([recipe.training.seed, 7]).permutation(len(learned))[:count]
    source, processor = open_checkpoint(model), load_processor(model)
    speech = source.speech() if recipe.adapter.start == "merged" else None
    loaded = assemble(
        source,
        dtype=torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32,
        device=device,
        four_bit=recipe.model.regime in FOUR_BIT,
        merged=(speech,) if speech else (),
    )
    pattern = re.compile(LANGUAGE_LINEARS)
    sites = linear_sites(loaded, lambda name: pattern.match(name) is not None)
    entropies = calibrate(
        loaded,
        lambda: _batches(processor, [learned[index] for index in chosen], recipe.training.batch, device),
        sites,
        audio_token_id=token_ids(processor).audio,
        modules_at_once=modules_at_once,
        progress=lambda done, total: progress("modules", done, total),
    )
    rank, scaling = recipe.adapter.rank, recipe.adapter.alpha / recipe.adapter.rank
    plan = allocate(
        sites,
        entropy_weights([one.mixed() for one in entropies], contrast),
        budget=uniform(sites, rank).parameters,
        highest=max(1, round(largest * rank)),
        scaling=scaling,
    )
    return Planned(plan=plan, entropies=tuple(entropies), examples=len(chosen))


def _batches(processor: Any, examples: Sequence[Example], size: int, device: str) -> Iterator[dict[str, Any]]:
    """Batches with labels on a device."""
    from elocute.mllm.collate import Collator

    collate = Collator(processor)
    for start in range(0, len(examples), size):
        batch = collate(examples[start : start + size])
        yield {name: tensor.to(device) for name, tensor in batch.items()}


def recipe_with(text: str, planned: Planned, command: str) -> str:
    """A recipe's text with planned ranks.

    Args:
        text: of the recipe, in TOML.
        planned: ranks.
        command: that made them, for a comment.

    Raises:
        ConfigError: the recipe keeps its adapter in a way to which nothing can be added.
    """
    plan = planned.plan
    patterns: dict[str, Mapping[str, float]] = {"rank_pattern": plan.rank_pattern, "alpha_pattern": plan.alpha_pattern}
    lines = [
        text.rstrip(),
        "",
        f"# Ranks by the entropy of what {planned.examples} examples put into each module: {plan.parameters:,}",
        f"# parameters, ranks {min(plan.ranks)} to {max(plan.ranks)}, alpha / r {plan.scaling:g}; made by",
        f"# {command}",
    ]
    for name, table in patterns.items():
        lines += ["", f"[adapter.{name}]"]
        # JSON's strings are TOML's basic strings as long as they are ASCII.
        lines += [f"{json.dumps(key)} = {value!r}" for key, value in table.items()]
    made = "\n".join(lines) + "\n"
    try:
        tomllib.loads(made)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"nothing can be added to the recipe's adapter: {error}; write it as a table [adapter]"
        ) from error
    return made


def write_plan(out: Path, text: str, planned: Planned) -> None:
    """The recipe, and beside it heat maps of ranks and entropies."""
    from importlib.resources import files

    from elocute.mllm.ablation.plots import entropy_maps, heat_maps
    from elocute.mllm.writing import write_text

    style = files("elocute.evaluation").joinpath("plots.css").read_text(encoding="utf-8")
    ranks = {name: float(rank) for name, rank in planned.plan.rank_of.items()}
    drawing = heat_maps("ranks", {"ranks": ranks}, "Ranks", "Rank of each module's adapter", digits=0)
    measured: dict[str, dict[str, Any]] = {
        one.site.name: {place: {"entropy": found.entropy} for place, found in one.places.items()}
        for one in planned.entropies
    }
    os.makedirs(out.parent, exist_ok=True)
    write_text(out.with_suffix(".ranks.svg"), drawing.file(style))
    write_text(out.with_suffix(".entropies.svg"), entropy_maps([measured]).file(style))
    write_text(out, text)
