"""Ranks planned for a recipe: written, read back, and given to the model that the recipe trains."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("peft")
pytest.importorskip("transformers")

from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.mllm.ablation.entropy import linear_sites
from elocute.mllm.ablation.rank_planning import check_recipe, recipe_with
from elocute.mllm.ablation.ranks import applied, uniform
from elocute.mllm.adapters import NAME
from elocute.mllm.model import load_model
from elocute.mllm.prepare import adapter_config
from elocute.mllm.recipe import read_phi4_recipe
from tiny_corpus import write_corpus
from tiny_phi4 import released

RECIPE = """# Kept as it is.
[model]
regime = "lora"

[adapter]
start = "merged"
rank = 6
alpha = 9
dropout = 0.0

[data]
style = "short"
folds = 2
"""


def test_a_recipe_with_planned_ranks_trains_with_them(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", "train")
    before, after = tmp_path / "before.toml", tmp_path / "made" / "after.toml"
    before.write_text(RECIPE)
    arguments = ["--model", str(released()), "--corpus", f"speechocean762:{corpus}", "--out", str(after)]
    result = CliRunner().invoke(
        app, ["train", "phi4-ranks", str(before), *arguments, "--examples", "4", "--device", "cpu"]
    )
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    said = {name: int(rank) for name, _, rank in lines}
    assert len(set(said.values())) > 1
    by_entropy = sorted(lines, key=lambda line: float(line[1]))
    assert int(by_entropy[-1][2]) > int(by_entropy[0][2])
    assert after.read_text().startswith(RECIPE.rstrip())
    recipe = read_phi4_recipe(after)
    model = load_model(released(), regime="lora", adapter=adapter_config(recipe, 10), dtype="float32")
    found = applied(model, NAME)
    assert {name: one.rank for name, one in found.items()} == said
    assert {one.scaling for one in found.values()} == {1.5}
    sites = linear_sites(load_model(released(), regime="full", dtype="float32"), lambda name: name in said)
    budget = uniform(sites, 6).parameters
    assert budget - min(site.cost for site in sites) < sum(one.parameters for one in found.values()) <= budget
    for drawing in ("after.ranks.svg", "after.entropies.svg"):
        assert (after.parent / drawing).read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.regime=full", "regime 'full' has no adapter"),
        ("model.size=small", "activations of random weights say nothing"),
        ("adapter.start=speech", "adapter.start is 'speech', whose rank is given"),
        ("adapter.method=eva", "adapter.method is 'eva' with rslora false"),
        ("adapter.rslora=true", "adapter.method is 'lora' with rslora true"),
        ('adapter.rank_pattern={"a" = 2}', "has ranks of single modules already"),
    ],
)
def test_recipes_without_ranks_to_plan_are_refused(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_recipe(read_phi4_recipe(None, [change]))


def test_an_adapter_on_one_line_is_refused() -> None:
    from elocute.mllm.ablation.rank_planning import Planned
    from elocute.mllm.ablation.ranks import RankPlan, Site

    plan = RankPlan(sites=(Site(name="a.b", inputs=2, outputs=2),), ranks=(1,))
    planned = Planned(plan=plan, entropies=(), examples=1)
    with pytest.raises(ConfigError, match=r"nothing can be added .*write it as a table \[adapter\]"):
        recipe_with('adapter = {start = "merged"}\n', planned, "")
