"""`elocute train ctc`: any CTC model of transformers to our phones."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.training_run import (
    STOPPED,
    Device,
    check_installed,
    interruptible,
    show_outcome,
    steps_of,
    training_bar,
    wide_bars,
)

if TYPE_CHECKING:
    from elocute.training.ctc_model import PhoneModel
    from elocute.training.ctc_prepare import Prepared


def ctc(
    corpus: Annotated[
        list[str],
        typer.Option(
            help="KIND:DIR[,KIND:DIR...] with KIND speechocean762, native "
            "(transcripts.tsv beside audio/), librispeech or commonvoice; repeat for more."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run, then of the model: --backend hf:OUT.", file_okay=False)],
    model: Annotated[
        str | None, typer.Option(help="hf:DIR_OR_NAME, or config:FILE.json for random weights; default: the recipe's.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Recipe in TOML; see recipes/.", dir_okay=False)] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change the recipe: TABLE.KEY=VALUE, such as training.learning_rate=1e-4; repeat for more."
        ),
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of noise to mix in.", exists=True, file_okay=False)] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded samples, 115 MB an hour; default: OUT/pcm.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after so many minutes, leaving a checkpoint; the same command goes on from it.", min=0),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that make batches; default: one a core, at most 8.", min=0)
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, decode and check everything, then say what would be trained.")
    ] = False,
) -> None:
    """Fine-tune a CTC model to phones, or train one from random weights; needs the extra 'hf'.

    Wav2Vec2, WavLM, HuBERT, Data2VecAudio, Wav2Vec2Bert, Wav2Vec2Conformer and Parakeet. Ctrl-C leaves a checkpoint;
    the same command goes on from it. Several GPUs: accelerate launch -m elocute.cli train ctc ...

    What cannot be used (no recording, no text, words without phones, too few frames) is counted and listed in
    OUT/refused.tsv.
    """
    from elocute.training.ctc_data import parse_sources, write_refusals
    from elocute.training.ctc_recipe import read_recipe

    recipe = read_recipe(config, change or [])
    sources = parse_sources(corpus)
    check_installed(("torch", "transformers", "accelerate", "safetensors"), "hf")
    from elocute.training.ctc import CtcRun, make_accelerator, train_ctc
    from elocute.training.ctc_model import freeze, load_model
    from elocute.training.ctc_prepare import prepare, read_noise

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    accelerator = make_accelerator(recipe.training, cpu=device is Device.cpu)
    phones = load_model(model, recipe.model, seed=recipe.training.seed)
    freeze(phones, recipe.training)
    is_main = accelerator.is_main_process
    with wide_bars(shown=is_main) as bars, accelerator.main_process_first():
        prepared = prepare(sources, recipe.training, phones.frames, cache or out / "pcm", steps_of(bars))
    if is_main:
        _describe(phones, prepared)
        if not dry_run:
            out.mkdir(parents=True, exist_ok=True)
            write_refusals(prepared.examples, out / "refused.tsv")
    if dry_run:
        return
    with wide_bars(shown=is_main) as bars, interruptible() as is_interrupted:
        on_step, on_point = training_bar(bars)
        run = CtcRun(
            recipe=recipe,
            out=out,
            examples=prepared.examples.kept,
            store=prepared.store,
            training=prepared.training,
            held=prepared.held,
            noise=read_noise(noise),
            minutes=minutes,
            workers=min(8, os.cpu_count() or 1) if workers is None else workers,
            on_point=on_point,
            on_step=on_step,
            should_stop=is_interrupted,
        )
        record = train_ctc(run, phones, accelerator)
    if is_main:
        show_outcome(record, out, best="best_per")
    if is_interrupted():
        raise typer.Exit(STOPPED)


def _describe(phones: PhoneModel, prepared: Prepared) -> None:
    """Say on stderr what learns and on what."""
    from elocute.training.ctc_model import trainable

    counts = trainable(phones.model)
    for part, (learns, every) in counts.items():
        typer.echo(f"{part:40} {every:12,} parameters, {learns:12,} learn", err=True)
    learns, every = (sum(pair[index] for pair in counts.values()) for index in (0, 1))
    head = "new phone head" if phones.is_new_head else "phone head of the model"
    typer.echo(
        f"{phones.model.config.model_type}: {every:,} parameters, {learns:,} learn; {head}, frames of "
        f"{1000 * phones.frames.frame_s:g} ms",
        err=True,
    )
    examples = prepared.examples
    hours = float(prepared.store.lengths[list(prepared.training)].sum()) / 16_000 / 3600
    speakers = len({examples.kept[index].speaker for index in prepared.held})
    typer.echo(
        f"{len(prepared.training)} recordings ({hours:.2f} h) to train on, {len(prepared.held)} of {speakers} other "
        f"speakers to evaluate, {len(examples.refused)} refused",
        err=True,
    )
    for reason, count in examples.counts().items():
        first = next(refusal for refusal in examples.refused if refusal.reason == reason)
        typer.echo(f"  refused {count}: {reason} (first {first.id}: {first.detail})", err=True)
