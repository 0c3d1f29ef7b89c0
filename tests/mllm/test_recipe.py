"""Recipes of `elocute train phi4`: what they hold, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from elocute.errors import ConfigError
from elocute.mllm.recipe import Phi4Recipe, read_phi4_recipe
from elocute.training.recipe_table import plain

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = [path for path in sorted(FOLDER.glob("phi4-*.toml")) if path.stem != "phi4-ablation"]  # `elocute ablate`'s


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    recipe = read_phi4_recipe(path)
    assert recipe != Phi4Recipe()
    assert plain(recipe)["training"]["learning_rate"] == recipe.training.learning_rate


def test_the_paper_s_setting() -> None:
    paper = read_phi4_recipe(FOLDER / "phi4-paper.toml")
    assert (paper.training.batch, paper.training.update, paper.training.learning_rate) == (8, 64, 2e-5)
    assert (paper.adapter.rank, paper.adapter.alpha, paper.adapter.start) == (320, 640.0, "speech")
    assert paper.model.regime == "lora"


def test_defaults_and_changes() -> None:
    recipe = read_phi4_recipe(None, ['data.tasks=["mdd"]', "data.train_folds=[1,2]", "model.regime=qlora"])
    assert recipe.data.tasks == ("mdd",)
    assert recipe.data.train_folds == (1, 2)
    assert recipe.model.regime == "qlora"
    pattern = read_phi4_recipe(None, ['adapter.rank_pattern={"layers.0.mlp.down_proj"=3}']).adapter.rank_pattern
    assert pattern == {"layers.0.mlp.down_proj": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.lerning_rate=1", r"lerning_rate: unknown key; did you mean 'learning_rate'\?"),
        ("training.update=0", r"training.update is 0; expected more than 0"),
        ("training.update=12", r"training.update is 12; expected a multiple of training.batch, 8"),
        ("training.warm_up_share=2", r"training.warm_up_share is 2.0; expected a share from 0 to 1"),
        ("training.ctc_weight=0.3", r"ctc_weight needs an audio encoder that learns, and with model.regime lora it"),
        ("adapter.rank=0", r"adapter.rank is 0; expected more than 0"),
        ("adapter.rank=1.5", r"rank is 1.5; expected a whole number"),
        ("model.regime=all", r"regime is 'all'; expected lora, unfreeze, qlora"),
        ("data.tasks=[]", r"data.tasks is \[\]; expected apa, mdd, combined"),
        ('data.tasks=["mdd","mdd"]', r"data.tasks is \['mdd', 'mdd'\]; expected"),
        ("data.tasks=mdd", r"tasks is 'mdd'; expected a list"),
        ("data.held_fold=5", r"data.held_fold is 5 of 5 folds; expected -1 to 4"),
        ("data.train_folds=[0,1]", r"data.train_folds has 0; expected folds below 5, not the held"),
        ("augmentation.tempo=[1.2,1.0]", r"augmentation.tempo is 1.2 to 1.0; expected 0.5 to 2, the lower first"),
        ("evaluation.batch=0", r"evaluation.batch is 0; expected more than 0"),
    ],
)
def test_what_cannot_be_is_refused(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_phi4_recipe(None, [change])


def test_settings_that_contradict_each_other_are_refused() -> None:
    for changes, message in (
        (["model.folder=x", "model.size=tiny"], "has both model.folder and model.size"),
        (["model.regime=scratch", "training.ctc_first=3"], "ctc_first needs training.ctc_weight above 0"),
        (
            ["model.regime=scratch", "training.ctc_weight=1", "training.ctc_flat=3"],
            "training.ctc_flat is 3; expected at most training.ctc_first",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            read_phi4_recipe(None, changes)
