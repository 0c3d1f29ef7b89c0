"""What a fine-tuning of a CTC model depends on, read from TOML; a key that nobody knows is refused.

A recipe has three tables: `[model]` (which model, and what of its configuration changes), `[training]` and
`[augmentation]`. No torch here, so that a mistake in a recipe shows before anything heavy is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from elocute.errors import ConfigError
from elocute.training.recipe_table import read_checked

Freeze = Literal["nothing", "feature_encoder", "encoder"]
Schedule = Literal["linear", "cosine", "tri-stage", "constant"]
LengthUnit = Literal["steps", "epochs", "minutes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecipe:
    """Which model is trained.

    Attributes:
        name: `hf:DIR_OR_NAME`, or `config:FILE` for random weights; None leaves it to `--model`.
        config: configuration of a model with random weights, in place of a name; needs `model_type`.
        overrides: values of the model's configuration that change, such as dropouts and masking.
        frame_upsampling: frames that the phone head gives for each frame of the encoder; 0 chooses 1 for frames of up
            to 40 ms, and for longer ones as many as make 20 ms.
    """

    name: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    frame_upsampling: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CtcTraining:
    """How it is trained.

    Attributes:
        length: of the whole training, over all the processes that go on with it.
        unit: of `length`; with minutes the learning rate follows the clock, and a second run repeats the recipe, not
            the bits.
        batch_s: seconds of audio in one forward pass, padding included, on each device.
        accumulate: forward passes of one update.
        learning_rate: highest.
        head_factor: the new head's learning rate as a multiple of it.
        warm_up_steps: updates over which the learning rate rises; 0 takes `warm_up_share`.
        warm_up_share: the same as a share of the training.
        schedule: what comes after warm-up: linear or cosine to 0, constant, or tri-stage (held up to half of the
            training, then falling exponentially to a twentieth).
        weight_decay: of matrices; vectors have none.
        clip: largest norm of a gradient.
        precision: of the forward pass; auto is bf16 where the device computes it, else fp32.
        freeze: what keeps its weights: nothing, the feature encoder (convolutions or the projection of spectra), or
            the whole encoder, so that only the head learns.
        freeze_layers: how many of the lowest transformer layers keep theirs, too.
        head_only_steps: first updates in which only the head learns.
        flat_start_steps: first updates with frame labels spread evenly over the sound in place of CTC; random weights
            do not leave the plateau of blanks without.
        mask_from_step: SpecAugment from this update on.
        gradient_checkpointing: recompute in the backward pass, for less memory.
        held_out: share of the speakers that are not trained on, by a hash of their names.
        held_out_most: utterances of theirs that are evaluated.
        shortest_s: shorter recordings are refused.
        longest_s: longer recordings are refused.
        unknown_words: what becomes of a text with words that the lexicon does not list: skip it, or let the model of
            unknown words pronounce it.
        report_every: updates from one line of the log to the next.
        evaluate_every: updates from one PER of the held-out speakers to the next.
        save_every: updates from one checkpoint to the next.
        patience: evaluations without a better PER after which the training ends; 0 for never.
        seed: of new weights, order, augmentation, dropout.
    """

    length: float = 20_000
    unit: LengthUnit = "steps"
    batch_s: float = 120.0
    accumulate: int = 1
    learning_rate: float = 3e-5
    head_factor: float = 1.0
    warm_up_steps: int = 0
    warm_up_share: float = 0.1
    schedule: Schedule = "linear"
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    freeze: Freeze = "feature_encoder"
    freeze_layers: int = 0
    head_only_steps: int = 0
    flat_start_steps: int = 0
    mask_from_step: int = 0
    gradient_checkpointing: bool = False
    held_out: float = 0.1
    held_out_most: int = 500
    shortest_s: float = 0.2
    longest_s: float = 30.0
    unknown_words: Literal["skip", "g2p"] = "skip"
    report_every: int = 50
    evaluate_every: int = 500
    save_every: int = 500
    patience: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveAugmentation:
    """What is done to a recording before the model's own feature extractor sees it.

    Attributes:
        speed: range of factors of tempo and pitch together.
        noise_share: share of the recordings to which noise is added, if there is a folder of noise.
        noise_db: range of signal-to-noise ratios.
        frequency_masks: bands hidden in the spectra of models that have no masking of their own (Parakeet).
        frequency_bins: the widest of them.
        time_masks: stretches of time hidden there.
        time_share: the longest of them, as a share of the recording.
    """

    speed: tuple[float, float] = (0.9, 1.1)
    noise_share: float = 0.5
    noise_db: tuple[float, float] = (5.0, 30.0)
    frequency_masks: int = 2
    frequency_bins: int = 27
    time_masks: int = 5
    time_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CtcRecipe:
    """A whole recipe."""

    model: ModelRecipe = field(default_factory=ModelRecipe)
    training: CtcTraining = field(default_factory=CtcTraining)
    augmentation: WaveAugmentation = field(default_factory=WaveAugmentation)


def read_recipe(path: Path | None, changes: Sequence[str] = ()) -> CtcRecipe:
    """A recipe from a TOML file (None: the defaults), with changes such as `training.learning_rate=1e-4` applied.

    Raises:
        ConfigError: no such file, no TOML, an unknown key, a value of another type or out of range.
    """
    return read_checked(CtcRecipe(), path, changes, _check)


_POSITIVE = ("length", "batch_s", "accumulate", "learning_rate", "clip", "held_out_most", "longest_s", "report_every",
             "evaluate_every", "save_every", "head_factor")  # fmt: skip
_NOT_NEGATIVE = ("warm_up_steps", "weight_decay", "freeze_layers", "head_only_steps", "flat_start_steps",
                 "mask_from_step", "patience", "shortest_s", "seed")  # fmt: skip


def _check(recipe: CtcRecipe, source: str) -> None:
    """ConfigError for a value out of its range."""
    training, augmentation = recipe.training, recipe.augmentation
    for name in _POSITIVE:
        if not getattr(training, name) > 0:
            raise ConfigError(f"{source}: training.{name} is {getattr(training, name)}; expected more than 0")
    for name in _NOT_NEGATIVE:
        if not getattr(training, name) >= 0:
            raise ConfigError(f"{source}: training.{name} is {getattr(training, name)}; expected 0 or more")
    shares = {
        "training.held_out": training.held_out,
        "training.warm_up_share": training.warm_up_share,
        "augmentation.noise_share": augmentation.noise_share,
        "augmentation.time_share": augmentation.time_share,
    }
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ConfigError(f"{source}: {name} is {share}; expected a share from 0 to 1")
    _check_model(recipe.model, source)
    low, high = augmentation.speed
    if not 0.5 <= low <= high <= 2:
        raise ConfigError(f"{source}: augmentation.speed is {low} to {high}; expected 0.5 to 2, the lower first")


def _check_model(model: ModelRecipe, source: str) -> None:
    """ConfigError for a model that cannot be."""
    if not 0 <= model.frame_upsampling <= 8:
        raise ConfigError(f"{source}: model.frame_upsampling is {model.frame_upsampling}; expected 0 to 8")
    if model.config and "model_type" not in model.config:
        raise ConfigError(f"{source}: model.config lacks model_type; expected one such as 'wav2vec2'")
    if model.config and model.name:
        raise ConfigError(f"{source} has both model.name and model.config; keep one of them")
