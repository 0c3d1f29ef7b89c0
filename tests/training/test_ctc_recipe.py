"""Recipes: the shipped ones can be read, mistakes in others are named."""

from pathlib import Path

import pytest

from elocute.errors import ConfigError
from elocute.training.ctc_recipe import CtcRecipe, read_recipe
from elocute.training.recipe_table import plain

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if not path.stem.startswith("phi4-"))


def test_every_model_of_the_seeds_has_one() -> None:
    names = {path.stem for path in RECIPES}
    assert {"wavlm-large", "w2v-bert-2.0", "omniasr-ctc-300m", "parakeet-ctc-0.6b"} <= names


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe != CtcRecipe()
    assert plain(recipe)["training"]["learning_rate"] == recipe.training.learning_rate
    # The commands in its head name the recipe itself and no machine's folders.
    text = path.read_text()
    assert f"--config recipes/{path.name}" in text
    assert "/home" not in text


def test_defaults_and_changes() -> None:
    assert read_recipe(None) == CtcRecipe()
    recipe = read_recipe(None, ["training.learning_rate=1e-4", "training.unit=minutes", "model.overrides.layerdrop=0.1",
                                "augmentation.speed=[0.8, 1.2]", "training.length=3"])  # fmt: skip
    assert recipe.training.learning_rate == 1e-4
    assert recipe.training.unit == "minutes"
    assert recipe.training.length == 3.0
    assert recipe.model.overrides == {"layerdrop": 0.1}
    assert recipe.augmentation.speed == (0.8, 1.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[training]\nlearning_rat = 1e-4",
            r"r.toml: \[training\]: learning_rat: unknown key; did you mean 'learning_rate'",
        ),
        ("[trainig]\n", "r.toml: trainig: unknown key; did you mean 'training'"),
        ("[training]\nsteps = 4", r"\[training\]: steps: unknown key"),
        ("[training]\nlength = 'ten'", "length is 'ten'; expected a number"),
        ("[training]\naccumulate = 1.5", "accumulate is 1.5; expected a whole number"),
        ("[training]\naccumulate = true", "accumulate is True; expected a whole number"),
        ("[training]\nunit = 'hours'", "unit is 'hours'; expected steps, epochs, minutes"),
        ("[training]\nbatch_s = 0", "training.batch_s is 0.0; expected more than 0"),
        ("[training]\nheld_out = 1.5", "training.held_out is 1.5; expected a share"),
        ("[training]\npatience = -1", "training.patience is -1; expected 0 or more"),
        ("training = 3", "training is 3; expected a table"),
        ("[augmentation]\nspeed = [1.1, 0.9]", "augmentation.speed is 1.1 to 0.9; expected"),
        ("[augmentation]\nspeed = [1.1]", "expected a list of 2 numbers"),
        ("[model]\nname = 'hf:x'\n[model.config]\nmodel_type = 'wavlm'", "both model.name and model.config"),
        ("[model.config]\nhidden_size = 3", "model.config lacks model_type"),
        ("[model]\nframe_upsampling = 9", "frame_upsampling is 9; expected 0 to 8"),
        ("[model]\nname = 3", "name is 3; expected a string"),
        ("not toml", "r.toml is no TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)


def test_no_such_file_and_malformed_changes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read .*none.toml"):
        read_recipe(tmp_path / "none.toml")
    for change in ("learning_rate", "=3", "training..x=3"):
        with pytest.raises(ConfigError, match=r"expected TABLE\.KEY=VALUE"):
            read_recipe(None, [change])
    with pytest.raises(ConfigError, match="training.length is 4; expected|length is no table"):
        read_recipe(None, ["training.length=4", "training.length.x=4"])
