"""`elocute train phi4`: Phi-4-multimodal with adapters, or a small model of its kind from random weights."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

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
    from elocute.mllm.dry_run import DryRun
    from elocute.mllm.launching import Launch


def phi4(
    config: Annotated[Path | None, typer.Argument(help="Recipe in TOML; see recipes/phi4-*.toml.", dir_okay=False)],
    corpus: Annotated[
        list[str],
        typer.Option(
            help="KIND:DIR[,KIND:DIR...] with KIND speechocean762 (scores and transcripts) or native (transcripts.tsv "
            "beside audio/, transcripts alone); repeat for more."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; the tuned model is OUT/model.", file_okay=False)],
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of Phi-4-multimodal-instruct; default: the recipe's.", file_okay=False),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change the recipe: TABLE.KEY=VALUE, such as training.learning_rate=1e-4; repeat for more."
        ),
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of noise to mix in.", exists=True, file_okay=False)] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after so many minutes, leaving a checkpoint; the same command goes on from it.", min=0),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Load everything and run one batch forward and backward, then say what would be trained.",
        ),
    ] = False,
) -> None:
    """Fine-tune Phi-4-multimodal to rate and transcribe speech; needs the extra 'phi4'.

    Every training begins with one batch that is checked: it stops if the loss is 0, if what should learn gets no
    gradient, or if the recordings change nothing. Ctrl-C leaves a checkpoint; the same command goes on from it.
    Several GPUs: accelerate launch -m elocute.cli train phi4 ...

    What cannot be used (words without phones, too long) is counted and listed in OUT/refused.tsv.
    """
    from elocute.mllm.recipe import read_phi4_recipe
    from elocute.training.ctc_data import parse_sources

    recipe = read_phi4_recipe(config, change or [])
    sources = parse_sources(corpus)
    check_installed(_packages(recipe.model.regime, recipe.training.optimizer), "phi4")
    from elocute.mllm.dry_run import dry_run as checked
    from elocute.mllm.launching import launch
    from elocute.mllm.training import Phi4Trainer, make_accelerator

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    accelerator = make_accelerator(recipe, cpu=device is Device.cpu)
    is_main = accelerator.is_main_process
    with contextlib.ExitStack() as stack:
        if dry_run:  # random weights need a folder, too
            out = Path(stack.enter_context(TemporaryDirectory(prefix="elocute-"))) / "run"
        bars = stack.enter_context(wide_bars(shown=is_main))
        ready = launch(recipe, sources, out, accelerator, model=model, noise=noise, progress=steps_of(bars))
    if is_main:
        _describe(ready)
        if not dry_run:
            _write_refusals(ready, out)
    with wide_bars(shown=is_main) as bars, interruptible() as is_interrupted:
        on_step, on_point = training_bar(bars)
        run = replace(
            ready.run,
            minutes=minutes,
            on_step=on_step,
            on_point=on_point,
            on_answer=_answers_bar(bars),
            should_stop=is_interrupted,
        )
        trainer = Phi4Trainer(run, ready.model, accelerator)
        if trainer.progress.step == 0:
            found = checked(trainer)
            if is_main:
                _say(found)
        if dry_run:
            return
        record = trainer.run_to_end()
    if is_main:
        show_outcome(record, out, best="best")
    if is_interrupted():
        raise typer.Exit(STOPPED)


def _packages(regime: str, optimizer: str) -> list[str]:
    """What a training of this kind needs."""
    needed = ["torch", "transformers", "accelerate", "safetensors"]
    if regime not in ("full", "scratch"):
        needed.append("peft")
    if regime in ("qlora", "hybrid") or optimizer != "adamw":
        needed.append("bitsandbytes")
    return needed


def _answers_bar(bars: Any) -> Any:
    """A bar that is there while held-out questions are answered."""
    task = bars.add_task("answers", total=None, visible=False)

    def on_answer(done: int, total: int) -> None:
        bars.update(task, completed=done, total=total, visible=done < total)

    return on_answer


def _describe(ready: Launch) -> None:
    """Say on stderr what learns and on what."""
    from elocute.mllm.model import trainable

    found = trainable(ready.model)
    for part, (learns, every) in found.parts.items():
        typer.echo(f"{part:40} {every:14,} parameters, {learns:14,} learn", err=True)
    run, material = ready.run, ready.material
    for sentence in material.said:
        typer.echo(sentence, err=True)
    hours = sum(run.bank.seconds(path) for path in {example.audio for example in run.examples}) / 3600
    typer.echo(
        f"{len(run.examples)} examples ({hours:.2f} h of speech) to learn, {len(run.held)} of "
        f"{len({example.speaker for example in run.held})} other speakers to measure, {len(material.refused)} refused",
        err=True,
    )
    if material.refused:
        name, reason = material.refused[0]
        typer.echo(f"  first {name}: {reason}", err=True)


def _say(found: DryRun) -> None:
    """What the first batch showed, on stderr."""
    memory = "" if found.peak_memory_bytes is None else f", {found.peak_memory_bytes / 1e9:.1f} GB"
    typer.echo(
        f"first batch: {found.examples} examples of up to {found.tokens} tokens, loss {found.loss:.3f} (chance "
        f"{found.chance:.3f}), {found.with_gradient} tensors with a gradient and {found.without_gradient} without, "
        f"silence changes logits by up to {found.audio_effect:.3g}; {found.seconds:.2f} s{memory}",
        err=True,
    )


def _write_refusals(ready: Launch, out: Path) -> None:
    """What cannot be used, a line each."""
    out.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join((name, " ".join(reason.split()))) for name, reason in ready.material.refused]
    (out / "refused.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
