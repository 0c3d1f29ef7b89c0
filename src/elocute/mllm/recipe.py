"""What a fine-tuning of Phi-4-multimodal depends on, read from TOML; a key that nobody knows is refused.

Tables: `[model]` (which model, and which of its weights learn), `[adapter]`, `[data]`, `[training]`, `[augmentation]`
and `[evaluation]`. No torch here, so that a mistake in a recipe shows before anything heavy is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from elocute.errors import ConfigError
from elocute.training.recipe_table import read_checked

RegimeName = Literal["lora", "unfreeze", "qlora", "hybrid", "full", "scratch"]
Optimizer = Literal["adamw", "adamw-8bit", "paged-adamw-8bit"]
Schedule = Literal["cosine", "linear", "constant"]
LengthUnit = Literal["epochs", "updates", "minutes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTable:
    """Which model, and what of it learns.

    Attributes:
        folder: of the model in the layout of transformers; empty leaves it to `--model`.
        size: random weights of this size in place of a folder: tiny, small or full.
        regime: `lora` (adapters of the language model), `unfreeze` (with the audio encoder and its projector),
            `qlora` (adapters over 4-bit weights), `hybrid` (both), `full` or `scratch` (everything; random weights
            need no adapter).
        attention: `auto` takes flash attention where it is installed and the device has it, else PyTorch's own.
        precision: of the frozen weights and of the arithmetic; auto is bf16 where the device computes it, else fp32.
            What learns is kept in fp32: steps of 2e-5 are lost in the eight bits of bf16.
        gradient_checkpointing: recompute in the backward pass, for less memory.
    """

    folder: str = ""
    size: Literal["", "tiny", "small", "full"] = ""
    regime: RegimeName = "lora"
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    gradient_checkpointing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterTable:
    """The adapter of the language model's four linear maps a layer.

    Attributes:
        rank: of the matrices; with `start = "speech"` it is the released adapter's (320).
        alpha: the update is scaled by alpha / rank.
        dropout: of the adapter's input.
        rslora: scale by alpha / sqrt(rank) instead (Kalajdzievski 2023).
        start: `speech` goes on with the released speech adapter, `merged` adds it to the weights and starts a new
            one, `fresh` leaves it out.
        method: of starting and sizing: lora, eva (directions of the largest activations) or adalora.
        rank_pattern: ranks of single modules, by a regular expression of the end of their names.
        alpha_pattern: likewise.
    """

    rank: int = 64
    alpha: float = 128.0
    dropout: float = 0.05
    rslora: bool = False
    start: Literal["speech", "merged", "fresh"] = "merged"
    method: Literal["lora", "eva", "adalora"] = "lora"
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """What is learned from which recordings.

    Attributes:
        tasks: of the utterances of speechocean762; transcribed corpora have `mdd` alone.
        style: of the prompts: with rubrics, or short, which is all that random weights need.
        control_token: whether prompts carry `<|APA|>` or `<|MDD|>`.
        word_delimiter: whether `|` stands between the phones of two words.
        unannotated: what stands for a phone that people called wrong where the corpus does not say what was spoken.
        folds: into which speakers are dealt, by `examples.FOLD_SEED`; other trainings' folds hold other speakers.
        held_fold: the one that is not trained on; -1 trains on all and evaluates nothing.
        train_folds: those that are trained on; empty for all but the held one.
        native_share: share of an epoch that comes from transcribed corpora; 0 takes them as they are.
        longest_s: longer recordings are refused.
        unknown_words: what becomes of a transcript with words that the lexicon lacks: skip, or g2p.
    """

    tasks: tuple[Literal["apa", "mdd", "combined"], ...] = ("apa", "mdd")
    style: Literal["rubric", "short"] = "rubric"
    control_token: bool = True
    word_delimiter: bool = False
    unannotated: Literal["unknown", "canonical"] = "unknown"
    folds: int = 5
    held_fold: int = 0
    train_folds: tuple[int, ...] = ()
    native_share: float = 0.0
    longest_s: float = 30.0
    unknown_words: Literal["skip", "g2p"] = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTable:
    """How it is trained; the defaults are those of Ahn and Nam (2025), where they say, else what is usual.

    Attributes:
        length: of the whole training, over all the processes that go on with it.
        unit: of `length`; with minutes the learning rate follows the clock, and a second run repeats the recipe, not
            the bits.
        update: examples of one update, over all devices; a training on more devices takes the same updates.
        batch: examples in one forward pass on each device.
        learning_rate: highest.
        warm_up_share: share of the training over which it rises.
        schedule: what comes after: cosine or linear to `final_share` of it, or constant.
        final_share: see `schedule`.
        weight_decay: of matrices; vectors have none.
        betas: of AdamW.
        clip: largest norm of a gradient.
        optimizer: AdamW with 32-bit moments, with 8-bit ones (bitsandbytes), or with 8-bit ones that move to the
            host's memory when the device is full.
        pad: frames (of 10 ms) and tokens of a batch are padded to multiples of these. GPU libraries plan anew for every
            shape, which costs more than a little padding where updates are short; (1, 1) pads as little as can be.
        ctc_weight: weight of an auxiliary CTC loss of phones on the audio encoder's output, which shows random weights
            where sounds are; needs a regime that trains the encoder, and is no part of the model.
        ctc_first: first updates with that loss alone.
        ctc_flat: first updates of these with phones spread evenly over the sound in place of CTC; random weights do
            not leave the plateau of blanks without.
        answer_noise: share of the answer's tokens that the model sees replaced by others while it learns the right
            ones: phones follow from the words before them, and a model that relies on its own wrong words does not
            listen. Tokens with marks of JSON stay as they are. For random weights; 0 for none.
        report_every: updates from one line of the log to the next.
        evaluate_every: epochs (minutes if `unit` is minutes) from one evaluation to the next; there is one at the end,
            and none while the encoder learns alone.
        save_every: updates from one checkpoint to the next.
        seed: of new weights, order, augmentation, dropout.
    """

    length: float = 3
    unit: LengthUnit = "epochs"
    update: int = 64
    batch: int = 8
    learning_rate: float = 2e-5
    warm_up_share: float = 0.03
    schedule: Schedule = "cosine"
    final_share: float = 0.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    optimizer: Optimizer = "adamw"
    pad: tuple[int, int] = (1, 1)
    ctc_weight: float = 0.0
    ctc_first: int = 0
    ctc_flat: int = 0
    answer_noise: float = 0.0
    report_every: int = 10
    evaluate_every: float = 1.0
    save_every: int = 100
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationTable:
    """What is done to the log-mel spectra of a recording in training; nothing by default, as in the paper.

    Attributes:
        tempo: range of factors of the tempo for transcription; the scores of the other task depend on it.
        tempo_apa: the same for scoring.
        noise_share: share of the recordings to which noise is added, if there is a folder of noise.
        noise_db: range of signal-to-noise ratios.
        frequency_masks: bands that are hidden.
        frequency_bins: the widest of them, of 80.
        time_masks: stretches of time that are hidden.
        time_frames: the longest of them, in frames of 10 ms.
        masks_from: first update with hidden bands and stretches.
        gain_db: range of changes of the level.
    """

    tempo: tuple[float, float] = (1.0, 1.0)
    tempo_apa: tuple[float, float] = (1.0, 1.0)
    noise_share: float = 0.0
    noise_db: tuple[float, float] = (5.0, 30.0)
    frequency_masks: int = 0
    frequency_bins: int = 20
    time_masks: int = 0
    time_frames: int = 20
    masks_from: int = 0
    gain_db: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationTable:
    """What is measured on the held-out speakers.

    Attributes:
        most: utterances, drawn evenly; 0 for all.
        batch: examples that are answered at a time.
        longest_answer: tokens after which an answer is cut off, and counts as such.
    """

    most: int = 0
    batch: int = 16
    longest_answer: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Phi4Recipe:
    """A whole recipe."""

    model: ModelTable = field(default_factory=ModelTable)
    adapter: AdapterTable = field(default_factory=AdapterTable)
    data: DataTable = field(default_factory=DataTable)
    training: TrainingTable = field(default_factory=TrainingTable)
    augmentation: AugmentationTable = field(default_factory=AugmentationTable)
    evaluation: EvaluationTable = field(default_factory=EvaluationTable)


def read_phi4_recipe(path: Path | None, changes: Sequence[str] = ()) -> Phi4Recipe:
    """A recipe from a TOML file (None: the defaults), with changes such as `training.learning_rate=1e-4` applied.

    Raises:
        ConfigError: no such file, no TOML, an unknown key, a value of another type or out of range.
    """
    return read_checked(Phi4Recipe(), path, changes, _check)


_POSITIVE = {
    "training": ("length", "update", "batch", "learning_rate", "clip", "report_every", "evaluate_every", "save_every"),
    "adapter": ("rank", "alpha"),
    "data": ("longest_s",),
    "evaluation": ("batch", "longest_answer"),
}
_NOT_NEGATIVE = {
    "training": ("weight_decay", "ctc_weight", "ctc_first", "ctc_flat", "seed"),
    "augmentation": ("frequency_masks", "frequency_bins", "time_masks", "time_frames", "masks_from"),
    "evaluation": ("most",),
}
_SHARES = {
    "training": ("warm_up_share", "final_share", "answer_noise"),
    "adapter": ("dropout",),
    "data": ("native_share",),
    "augmentation": ("noise_share",),
}


def _check(recipe: Phi4Recipe, source: str) -> None:
    """ConfigError for a value out of its range, or two that contradict each other."""
    _check_numbers(recipe, source)
    model, training, data, augmentation = recipe.model, recipe.training, recipe.data, recipe.augmentation
    if model.folder and model.size:
        raise ConfigError(f"{source} has both model.folder and model.size; keep one of them")
    if training.update % training.batch and training.update > training.batch:
        raise ConfigError(
            f"{source}: training.update is {training.update}; expected a multiple of training.batch, {training.batch}"
        )
    if min(training.pad) < 1:
        raise ConfigError(f"{source}: training.pad is {list(training.pad)}; expected two numbers from 1 on")
    if training.ctc_weight and model.regime in ("lora", "qlora"):
        raise ConfigError(
            f"{source}: training.ctc_weight needs an audio encoder that learns, and with model.regime {model.regime} "
            "it does not; expected scratch, full, unfreeze or hybrid"
        )
    if training.ctc_first and not training.ctc_weight:
        raise ConfigError(f"{source}: training.ctc_first needs training.ctc_weight above 0")
    if training.ctc_flat > training.ctc_first:
        raise ConfigError(f"{source}: training.ctc_flat is {training.ctc_flat}; expected at most training.ctc_first")
    _check_data(data, augmentation, source)


def _check_data(data: DataTable, augmentation: AugmentationTable, source: str) -> None:
    """ConfigError for tasks, folds or tempos that cannot be."""
    if not data.tasks or len(set(data.tasks)) < len(data.tasks):
        raise ConfigError(f"{source}: data.tasks is {list(data.tasks)}; expected apa, mdd, combined")
    if data.folds < 2 or not -1 <= data.held_fold < data.folds:
        raise ConfigError(
            f"{source}: data.held_fold is {data.held_fold} of {data.folds} folds; expected -1 to {data.folds - 1}"
        )
    wrong = [fold for fold in data.train_folds if not 0 <= fold < data.folds or fold == data.held_fold]
    if wrong:
        raise ConfigError(f"{source}: data.train_folds has {wrong[0]}; expected folds below {data.folds}, not the held")
    for name in ("tempo", "tempo_apa"):
        low, high = getattr(augmentation, name)
        if not 0.5 <= low <= high <= 2:
            raise ConfigError(f"{source}: augmentation.{name} is {low} to {high}; expected 0.5 to 2, the lower first")


def _check_numbers(recipe: Phi4Recipe, source: str) -> None:
    """ConfigError for a number that is too small, or no share."""
    for names, least, is_open, most, wanted in (
        (_POSITIVE, 0, True, math.inf, "more than 0"),
        (_NOT_NEGATIVE, 0, False, math.inf, "0 or more"),
        (_SHARES, 0, False, 1, "a share from 0 to 1"),
    ):
        for table, keys in names.items():
            for key in keys:
                value: Any = getattr(getattr(recipe, table), key)
                if not least <= value <= most or (is_open and value == least):
                    raise ConfigError(f"{source}: {table}.{key} is {value}; expected {wanted}")
