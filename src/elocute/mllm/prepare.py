"""What a training of Phi-4-multimodal learns from and is measured on: examples of corpora, folds, spectra, noise."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elocute.corpora.speechocean762 import speaker_folds
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.mllm.adapters import AdapterConfig
from elocute.mllm.answers import write_mdd
from elocute.mllm.bank import Bank, make_bank
from elocute.mllm.examples import FOLD_SEED, Example, realisation_of, speechocean_examples, utterances_of
from elocute.mllm.prompts import user_turn
from elocute.mllm.recipe import DataTable, Phi4Recipe
from elocute.phones import phonemize
from elocute.training.ctc_data import Source

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What is learned and what is measured.

    Attributes:
        examples: to learn.
        held: of speakers that are not learned from.
        refused: what cannot be used, and why.
        said: sentences for the log.
    """

    examples: tuple[Example, ...]
    held: tuple[Example, ...]
    refused: tuple[tuple[str, str], ...]
    said: tuple[str, ...]


def read_material(sources: Sequence[Source], table: DataTable) -> Material:
    """Examples of corpora.

    Args:
        sources: speechocean762 for the recipe's tasks, and transcribed speech for transcription alone.
        table: what to make of them.

    Raises:
        ConfigError: a corpus of another kind, or nothing is left to train on.
    """
    examples: list[Example] = []
    held: list[Example] = []
    refused: list[tuple[str, str]] = []
    said: list[str] = []
    for source in sources:
        if source.kind == "speechocean762":
            learned, others, sentence = _scored(source.path, table)
            held += others
            said.append(sentence)
        elif source.kind == "native":
            learned = _transcribed(source.path, table, refused)
        else:
            raise ConfigError(f"corpus kind is {source.kind!r}; expected speechocean762 or native")
        examples += learned
    if not examples:
        raise ConfigError("no example is left to train on; give --corpus speechocean762:DIR or native:DIR")
    return Material(examples=tuple(examples), held=tuple(held), refused=tuple(refused), said=tuple(said))


def _scored(folder: Path, table: DataTable) -> tuple[list[Example], list[Example], str]:
    """Examples of speechocean762 to learn and to measure, and what to say of its annotation."""
    found = speechocean_examples(
        folder,
        tasks=table.tasks,
        control_token=table.control_token,
        word_delimiter=table.word_delimiter,
        style=table.style,
        unannotated=table.unannotated,
    )
    said = str(realisation_of(utterances_of(found)))
    if table.held_fold < 0 and not table.train_folds:
        return found, [], said
    fold_of = speaker_folds(utterances_of(found), table.folds, FOLD_SEED)
    wanted = table.train_folds or tuple(fold for fold in range(table.folds) if fold != table.held_fold)
    learned = [example for example in found if fold_of[example.speaker] in wanted]
    return learned, [example for example in found if fold_of[example.speaker] == table.held_fold], said


def _transcribed(folder: Path, table: DataTable, refused: list[tuple[str, str]]) -> list[Example]:
    """Examples of transcribed speech: what stands there is taken for what was said."""
    user = user_turn("mdd", control_token=table.control_token, word_delimiter=table.word_delimiter, style=table.style)
    found = []
    for utterance in read_transcribed(folder):
        name = f"{folder.name}/{utterance.id}"
        try:
            words = phonemize(utterance.text).words
        except (TextError, PhoneError) as error:
            refused.append((name, str(error)))
            continue
        unknown = sorted({word.text for word in words if word.source == "g2p"})
        if unknown and table.unknown_words == "skip":
            refused.append((name, f"words without phones: {', '.join(unknown)}"))
            continue
        phones = tuple(tuple(phone.symbol for phone in word.phones) for word in words)
        spoken = [word.spoken for word in words]
        found.append(
            Example(
                id=name,
                speaker=folder.name,
                audio=utterance.audio,
                task="mdd",
                user=user,
                answer=write_mdd(spoken, phones, word_delimiter=table.word_delimiter),
                text=" ".join(spoken).upper(),
                canonical=phones,
                realised=phones,
            )
        )
    return found


def repeated(examples: Sequence[Example], native_share: float) -> tuple[Example, ...]:
    """Examples with scored or transcribed ones repeated in whole until these have about their share of an epoch.

    Args:
        examples: of all corpora.
        native_share: of the transcribed ones; 0 leaves everything as it is.

    Raises:
        ConfigError: a share is asked of a kind of corpus that is not there.
    """
    native = [example for example in examples if example.utterance is None]
    scored = [example for example in examples if example.utterance is not None]
    if not native_share:
        return tuple(examples)
    if not native or not scored or native_share >= 1:
        raise ConfigError(
            f"data.native_share is {native_share} with {len(native)} transcribed and {len(scored)} scored examples; "
            "expected some of each and a share below 1, or 0"
        )
    ratio = native_share / (1 - native_share) * len(scored) / len(native)
    times = (max(1, round(ratio)), 1) if ratio >= 1 else (1, max(1, round(1 / ratio)))
    return tuple(native * times[0] + scored * times[1])


def make_banks(
    material: Material,
    extractor: Any,
    device: torch.device,
    *,
    longest_s: float,
    noise: Path | None = None,
    workers: int | None = None,
    progress: Progress = lambda step, done, total: None,
) -> tuple[Material, Bank, Tensor | None]:
    """Spectra of all recordings and of noise; recordings that are too long are refused.

    Args:
        material: examples.
        extractor: feature extractor of the model.
        device: where spectra shall be.
        longest_s: see `[data]`.
        noise: folder of recordings of noise; None for none.
        workers: threads that decode; None takes as many as there are cores, at most 16.
        progress: called with the step, recordings done and their number.

    Raises:
        ConfigError: the folder of noise holds no recording.
        AudioError: a recording cannot be read.
    """
    workers = workers or min(16, os.cpu_count() or 1)
    paths = list(dict.fromkeys(example.audio for example in (*material.examples, *material.held)))
    bank = make_bank(paths, extractor, device, workers=workers, progress=lambda d, n: progress("spectra", d, n))
    sound: Tensor | None = None
    if noise is not None:
        found = sorted(path for path in noise.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
        if not found:
            raise ConfigError(f"{noise} holds no recording; expected a folder of noise")
        sound = make_bank(
            found, extractor, device, workers=workers, progress=lambda d, n: progress("noise", d, n)
        ).frames
    long = {path for path in paths if bank.seconds(path) > longest_s}
    refused = [*material.refused]
    refused += [(str(path.name), f"{bank.seconds(path):.1f} s, longer than {longest_s:g}") for path in sorted(long)]
    kept = Material(
        examples=tuple(example for example in material.examples if example.audio not in long),
        held=tuple(example for example in material.held if example.audio not in long),
        refused=tuple(refused),
        said=material.said,
    )
    return kept, bank, sound


def adapter_config(recipe: Phi4Recipe, updates: int) -> AdapterConfig | None:
    """The adapter that a recipe asks for; None for regimes without one.

    Args:
        recipe: the recipe.
        updates: of the whole training, which AdaLoRA must know.
    """
    if recipe.model.regime in ("full", "scratch"):
        return None
    table = recipe.adapter
    return AdapterConfig(
        rank=table.rank,
        alpha=table.alpha,
        dropout=table.dropout,
        rslora=table.rslora,
        start=table.start,
        method=table.method,
        rank_pattern=dict(table.rank_pattern),
        alpha_pattern=dict(table.alpha_pattern),
        updates=updates if table.method == "adalora" else None,
    )
