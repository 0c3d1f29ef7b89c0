"""A training of Phi-4-multimodal from its recipe: corpora read, spectra made, the model loaded, everything checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from elocute.errors import ConfigError
from elocute.mllm.assembling import audio_of
from elocute.mllm.bank import Bank
from elocute.mllm.batches import BatchMaker
from elocute.mllm.prepare import Material, adapter_config, make_banks, read_material, repeated
from elocute.mllm.recipe import Phi4Recipe
from elocute.mllm.training import Phi4Run, is_short
from elocute.training.ctc_data import Source

BASE_FOLDER = "base"
"""Where in a run folder random weights and their tokenizer are."""
_EVA_BATCHES, _EVA_EXAMPLES = 32, 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Launch:
    """What is ready to be trained.

    Attributes:
        run: the training; give it its callbacks with `dataclasses.replace`.
        model: on the device.
        material: what it is trained on, with what was refused.
    """

    run: Phi4Run
    model: Any
    material: Material


def launch(
    recipe: Phi4Recipe,
    sources: Sequence[Source],
    out: Path,
    accelerator: Any,
    *,
    model: Path | None = None,
    noise: Path | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Launch:
    """Make a training ready.

    Args:
        recipe: what it depends on.
        sources: corpora.
        out: run folder.
        accelerator: of `make_accelerator`.
        model: folder of the model; None takes the recipe's.
        noise: folder of recordings of noise.
        progress: called with the step, recordings done and their number.

    Raises:
        ConfigError: the recipe, a corpus or the model cannot be used.
        AudioError: a recording cannot be read.
        MissingExtraError: a package is not installed.
    """
    from elocute.mllm.model import load_model
    from elocute.mllm.processing import load_processor

    # Several processes on a CPU number it, which nobody else understands.
    device = torch.device("cpu") if accelerator.device.type == "cpu" else accelerator.device
    material = read_material(sources, recipe.data)
    with accelerator.main_process_first():
        base = _base(recipe, out, model)
    processor = load_processor(base)
    material, bank, sound = make_banks(
        material,
        processor.audio_processor,
        device,
        longest_s=recipe.data.longest_s,
        noise=noise,
        progress=progress,
    )
    examples = repeated(material.examples, recipe.data.native_share)
    updates = _updates(recipe, len(examples))
    is_whole = recipe.model.regime in ("full", "scratch")
    torch.manual_seed(recipe.training.seed)  # new adapters draw from torch's own generator, alike on every device
    loaded = load_model(
        _source(recipe, base),
        regime=recipe.model.regime,
        adapter=adapter_config(recipe, updates),
        dtype="bfloat16" if is_short(recipe, cpu=accelerator.device.type == "cpu") and not is_whole else "float32",
        device=device,
        attention=None if recipe.model.attention == "auto" else recipe.model.attention,
        gradient_checkpointing=recipe.model.gradient_checkpointing,
    )
    if recipe.model.size:
        normalise(loaded, bank)
    run = Phi4Run(
        recipe=recipe, out=out, processor=processor, examples=examples, held=material.held, bank=bank, noise=sound
    )
    if recipe.adapter.method == "eva" and not is_whole:
        _start_eva(run, loaded, device)
    return Launch(run=run, model=loaded, material=material)


def normalise(model: Any, bank: Bank) -> None:
    """Give an audio encoder with random weights the mean and deviation of the spectra that it will hear."""
    layer = audio_of(model).encoder.encoder_embedding
    mean, deviation = bank.statistics()
    with torch.no_grad():
        layer.global_mean.copy_(mean)
        layer.global_invstd.copy_(1 / deviation)


def _base(recipe: Phi4Recipe, out: Path, model: Path | None) -> Path:
    """The folder of the model; random weights get one in the run folder."""
    from elocute.mllm.processing import write_processor
    from elocute.mllm.sizes import build_random

    if not recipe.model.size:
        folder = model or (Path(recipe.model.folder) if recipe.model.folder else None)
        if folder is None:
            raise ConfigError(
                "no model; give --model DIR with Phi-4-multimodal-instruct, or set model.size for random weights"
            )
        return folder
    if model is not None:
        raise ConfigError(f"--model is {model} and model.size {recipe.model.size!r}; keep one of them")
    folder = out / BASE_FOLDER
    if not (folder / "tokenizer.json").is_file():
        if recipe.model.size == "full":
            write_processor(folder, released_ids=True)
        else:
            build_random(recipe.model.size, folder, recipe.training.seed)
    return folder


def _source(recipe: Phi4Recipe, base: Path) -> Any:
    """Where weights come from."""
    from elocute.mllm.sizes import random_source

    if recipe.model.size == "full":
        return random_source("full", seed=recipe.training.seed, processor=base)
    return base


def _updates(recipe: Phi4Recipe, examples: int) -> int:
    """Updates of the whole training; 0 if it goes by the clock.

    Raises:
        ConfigError: AdaLoRA by the clock.
    """
    table = recipe.training
    if table.unit == "minutes":
        if recipe.adapter.method == "adalora" and recipe.model.regime not in ("full", "scratch"):
            raise ConfigError("adalora must know the number of updates; set training.unit to epochs or updates")
        return 0
    if table.unit == "updates":
        return max(1, round(table.length))
    return max(1, round(table.length * (examples // min(table.update, examples))))


def _start_eva(run: Phi4Run, model: Any, device: torch.device) -> None:
    """The first matrices of an adapter from the inputs of its layers (EVA, Paischer et al. 2024).

    Not in mixed precision: the decomposition is not made for bf16.
    """
    from elocute.mllm.adapters import prepare_eva

    maker = BatchMaker.of(run)
    size = min(len(run.examples), max(_EVA_EXAMPLES, run.recipe.training.batch))
    count = min(_EVA_BATCHES, len(run.examples) // size)
    step = len(run.examples) // (count * size)
    batches = [maker.plain([(n * size + k) * step for k in range(size)], device) for n in range(count)]
    prepare_eva(model, [{**batch.inputs, "labels": batch.labels} for batch in batches])
