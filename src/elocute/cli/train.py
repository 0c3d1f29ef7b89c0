"""`elocute train ...`: the recipes that made the shipped models (extra `train`)."""

from __future__ import annotations

import logging
import shlex
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.train_ctc import ctc
from elocute.cli.train_ensemble import ensemble
from elocute.cli.train_phi4 import phi4
from elocute.cli.train_ranks import phi4_ranks
from elocute.cli.train_synthetic import synthetic as synthetic_speech
from elocute.cli.train_timing import timing

if TYPE_CHECKING:
    from rich.progress import TaskID

    from elocute.training.gopt_run import GoptRun
    from elocute.training.scorer_run import ScorerRun

app = typer.Typer(help="Train the models that elocute ships (needs the extra 'train').", no_args_is_help=True)

Corpus = Annotated[Path, typer.Option(help="speechocean762 in its official layout.", exists=True, file_okay=False)]
Fold = Annotated[int | None, typer.Option(help="Leave the speakers of this fold out; default: train on all.")]


class Head(StrEnum):
    """Heads over the features of a recording."""

    ours = "ours"
    gopt = "gopt"


class FeatureSet(StrEnum):
    """Features that the heads are compared on."""

    gop = "gop"
    phone = "phone"
    all = "all"


@app.command()
def acoustic(
    speechocean: Corpus,
    out: Annotated[Path, typer.Option(help="Run folder; an unfinished run in it is resumed.")],
    native: Annotated[list[Path], typer.Option(help="Folder of transcribed native speech; repeat for more.")],
    noise: Annotated[Path, typer.Option(help="Folder of noise recordings.", exists=True, file_okay=False)],
    fold: Fold = None,
    folds: int = 5,
    fold_seed: int = 1,
    seed: int = 1,
    minutes: Annotated[float, typer.Option(help="Length of the whole training.")] = 18.0,
    steps: Annotated[
        int | None, typer.Option(help="Length in updates instead, with which a training can be repeated.", min=1)
    ] = None,
    batch_s: Annotated[float, typer.Option(help="Seconds of speech in an update, over all devices.", min=1.0)] = 120.0,
    stop_after_minutes: Annotated[float | None, typer.Option(help="Stop this process then, to be resumed.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded audio.")] = None,
    synthetic: Annotated[
        list[Path] | None, typer.Option(help="Folder of `elocute train synthetic`; repeat for more.")
    ] = None,
    synthetic_share: Annotated[float, typer.Option(help="Share of the batches from them.", min=0.0, max=0.5)] = 0.2,
    splice_share: Annotated[
        float, typer.Option(help="Share of recordings with spliced errors; needs --phone-times.", min=0.0, max=1.0)
    ] = 0.0,
    phone_times: Annotated[Path | None, typer.Option(help="File of `elocute train phone-times`.")] = None,
    near_share: Annotated[
        float, typer.Option(help="Share of the phones rated 0 for another's sound that are near it.", min=0.0, max=1.0)
    ] = 0.0,
    time_masks: Annotated[int | None, typer.Option(help="Stretches of time that are hidden.", min=0)] = None,
    longest_time_mask: Annotated[int | None, typer.Option(help="Their greatest length, in frames of 10 ms.")] = None,
    device: Annotated[str, typer.Option(help="torch device.")] = "cuda",
) -> None:
    """Train the acoustic model on all speakers, or on all but one fold (and score that fold).

    Several GPUs: accelerate launch -m elocute.cli train acoustic ...; each takes its part of every update.
    """
    import torch

    from elocute.training.acoustic import AcousticTraining, train
    from elocute.training.acoustic_batches import Augmentation

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if splice_share and phone_times is None:
        raise typer.BadParameter("splices need --phone-times", param_hint="--splice-share")
    augmentation = Augmentation(longest_time_mask=longest_time_mask)
    if time_masks is not None:
        augmentation = replace(augmentation, time_masks=time_masks)
    config = AcousticTraining(
        speechocean=speechocean,
        native=tuple(native),
        noise=noise,
        out=out,
        cache=cache,
        fold=fold,
        folds=folds,
        fold_seed=fold_seed,
        seed=seed,
        minutes=minutes,
        steps=steps,
        batch_s=batch_s,
        stop_after_minutes=stop_after_minutes,
        synthetic=tuple(synthetic or ()),
        synthetic_share=synthetic_share,
        splice_share=splice_share,
        phone_times=phone_times,
        near_share=near_share,
        augmentation=augmentation,
    )
    train(config, torch.device(device))


@app.command(name="phone-times")
def phone_times(
    out: Annotated[Path, typer.Option(help="File to write.")],
    speechocean: Annotated[
        Path | None, typer.Option(help="speechocean762 in its official layout.", exists=True, file_okay=False)
    ] = None,
    native: Annotated[
        list[Path] | None, typer.Option(help="Folder of transcribed native speech of one voice; repeat for more.")
    ] = None,
) -> None:
    """Find the phone times that `elocute train acoustic --splice-share` cuts at, with the embedded acoustic model."""
    from rich.console import Console
    from rich.progress import Progress

    from elocute.acoustic import load_backend
    from elocute.training.phone_times import find_phone_times, write_phone_times
    from elocute.training.recordings import native_recordings, speechocean_recordings

    recordings = [
        *(speechocean_recordings(speechocean) if speechocean else ()),
        *(recording for folder in native or () for recording in native_recordings(folder)),
    ]
    if not recordings:
        raise typer.BadParameter("there is no recording; name --speechocean or --native")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("aligning", total=len(recordings))
        times = find_phone_times(recordings, load_backend("embedded"), lambda: bar.advance(task))
    write_phone_times(out, times)
    typer.echo(f"{out}: phone times of {len(times)} of {len(recordings)} recordings")


@app.command()
def scorer(
    speechocean: Corpus,
    out: Annotated[Path, typer.Option(help="Folder for scorer.onnx, its card and the out-of-fold predictions.")],
    heldout: Annotated[
        Path | None,
        typer.Option(help="Folder of the acoustic folds' held-out posteriors, where the model trained on the corpus."),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Without --heldout: acoustic model that hears the corpus. It must not have trained on it.",
        ),
    ] = None,
    any_backend: Annotated[
        bool,
        typer.Option(
            "--any-backend",
            help="Drop ratings and draw the sharpness of what was heard, so that the scorer does for any backend.",
        ),
    ] = False,
    folds: int = 5,
    fold_seed: int = 1,
    native: Annotated[
        list[Path] | None, typer.Option(help="Folder of transcribed native speech; repeat for more.")
    ] = None,
    synthetic: Annotated[
        list[Path] | None, typer.Option(help="Folder of `elocute train synthetic`; repeat for more.")
    ] = None,
    head: Annotated[
        Head,
        typer.Option(
            help="'gopt': instead of training the scorer to ship, compare it with GOPT (Gong et al. 2022) on the same "
            "features, by the published protocol and by ours, in gopt.json; the options below are for this."
        ),
    ] = Head.ours,
    features: Annotated[
        list[FeatureSet] | None, typer.Option(help="Compare on these features only; repeat for more.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Heads of each kind and fold; default 5.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of GOPT; default 100, the published number.")] = None,
    device: Annotated[str, typer.Option(help="torch device for GOPT.")] = "cpu",
) -> None:
    """Train the scorer, measure it out of fold beside trivial baselines, and export it; or compare it with GOPT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    command = shlex.join(["elocute", *sys.argv[1:]])
    if head is Head.ours:
        for option, value in (("--features", features), ("--seeds", seeds), ("--epochs", epochs)):
            if value:
                raise typer.BadParameter("it is only for --head gopt", param_hint=option)
        if (heldout is None) == (backend is None):
            raise typer.BadParameter(
                "give --heldout, for models that trained on the corpus, or --backend, for one that did not"
            )
        from elocute.training.scorer_run import GENERAL_MEMBERS, MEMBERS, ScorerRun

        _train(
            ScorerRun(
                speechocean=speechocean,
                heldout=heldout,
                out=out,
                folds=folds,
                fold_seed=fold_seed,
                native=tuple(native or ()),
                synthetic=tuple(synthetic or ()),
                command=command,
                backend=backend or "embedded",
                is_general=any_backend,
                members=GENERAL_MEMBERS if any_backend else MEMBERS,
            )
        )
        return
    if heldout is None:
        raise typer.BadParameter("--head gopt needs it", param_hint="--heldout")
    from elocute.training.gopt import GoptTraining
    from elocute.training.gopt_run import GoptRun

    _compare(
        GoptRun(
            speechocean=speechocean,
            heldout=heldout,
            out=out,
            folds=folds,
            fold_seed=fold_seed,
            seeds=tuple(range(1, 1 + (seeds or 5))),
            features=tuple(map(str, features or FeatureSet)),
            device=device,
            command=command,
            gopt=GoptTraining() if epochs is None else GoptTraining(epochs=epochs),
        )
    )


def _train(config: ScorerRun) -> None:
    """Train the scorer with a progress bar, and print its card's figures."""
    from rich.console import Console
    from rich.progress import Progress

    from elocute.training.scorer_run import run

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("features", total=None)
        card = run(config, lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(f"{'score':24} {'PCC':>7} {'95 %':>18} {'MSE':>8}")
    for name, row in [*card["evaluation"]["scores"].items(), *card["evaluation"]["baselines"].items()]:
        interval = "{:.4f} - {:.4f}".format(*row["pcc_95"]) if "pcc_95" in row else ""
        value = "-" if row["pcc"] is None else f"{row['pcc']:.4f}"
        typer.echo(f"{name:24} {value:>7} {interval:>18} {row['mse']:8.4f}")
    typer.echo(f"detection: {card['evaluation']['detection']}")
    typer.echo(f"planted errors: {card['evaluation']['planted']}")


def _compare(config: GoptRun) -> None:
    """Compare the heads with a bar a step, and print one line a head, set of features and protocol."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from elocute.training.gopt_run import run

    kinds = ("phone", "word total", *(f"utterance {name}" for name in ("accuracy", "fluency", "prosodic", "total")))
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        result = run(config, progress)
    typer.echo(f"{'PCC':37} " + " ".join(f"{name.removeprefix('utterance '):>10}" for name in kinds))
    for row in result["results"]:
        values = [row["scores"][kind]["pcc"] for kind in kinds]
        texts = ("-" if value is None else f"{value:.4f}" for value in values)
        label = f"{row['features']:6}{row['head']:6}{row['protocol']}"
        typer.echo(f"{label:37} " + " ".join(f"{text:>10}" for text in texts))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder of `elocute train acoustic`.", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder for acoustic.onnx (int8) and its card.")],
    heldout: Annotated[Path, typer.Option(help="Folder of the folds' run.json files.")],
) -> None:
    """Export a trained acoustic model to int8 ONNX, with its card."""
    import json

    from elocute.training.export import export_acoustic, write_card

    facts = export_acoustic(run, out / "acoustic.onnx")
    records = {path: json.loads(path.read_text()) for path in sorted(heldout.rglob("run*.json"))}
    unseen = {
        f"fold {record['config']['fold']}, {record['spent_s'] / 60:.1f} minutes": {
            "per": round(record["per_heldout"], 4),
            "rating_pcc": record["rating_pcc_heldout"],
        }
        for record in records.values()
        if "per_heldout" in record
    }
    typer.echo(json.dumps(write_card(run, facts, unseen, out / "acoustic.json"), indent=1))


@app.command(name="transcribe-orders")
def transcribe_orders(
    speech: Annotated[Path, typer.Argument(help="Folder of grammar.yaml, label.json and audio/.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder to make: audio/, transcripts.tsv and decisions.json.")],
    rounds: Annotated[int, typer.Option(help="Searches with adapted posteriors, after the first.", min=0)] = 2,
    check_labels: Annotated[bool, typer.Option(help="Count how often a wrong label would be accepted.")] = True,
) -> None:
    """Find the words of labelled spoken commands, and keep the clear ones as training data."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from elocute.acoustic import load_backend
    from elocute.training import orders

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = orders.OrdersRun(speech=speech, out=out, rounds=rounds, check_labels=check_labels)
    with Progress(console=Console(stderr=True)) as bar:
        task, shown = bar.add_task("", total=None), ""

        def progress(stage: str, done: int, total: int) -> None:
            nonlocal task, shown
            if stage != shown:  # a bar for every stage; finished ones stay
                task, shown = (task if not shown else bar.add_task("")), stage
            bar.update(task, description=stage, completed=done, total=total)

        facts = orders.transcribe_orders(config, load_backend("embedded"), progress)
    typer.echo(json.dumps(facts, indent=1))


@app.command()
def confusions(
    speechocean: Corpus,
    heldout: Annotated[Path, typer.Option(help="Folder of the acoustic folds' held-out posteriors.")],
    out: Annotated[Path, typer.Option(help="File to write: confusions.json.")],
) -> None:
    """Count which errors learners make, as the prior of the diagnosis."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from elocute.corpora.speechocean762 import read_speechocean762
    from elocute.training.confusions import card, count_errors
    from elocute.training.scorer_data import read_heldout

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("counting", total=None)
        counts = count_errors(
            read_speechocean762(speechocean),
            read_heldout(heldout),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    written = card(counts, shlex.join(["elocute", *sys.argv[1:]]))
    out.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for phone, row in written["counts"].items():
        typer.echo(f"{phone:3} " + " ".join(f"{other}:{count:g}" for other, count in list(row.items())[:6]))


@app.command()
def match(
    speechocean: Corpus,
    heldout: Annotated[Path, typer.Option(help="Folder of the acoustic folds' held-out posteriors.")],
    noise: Annotated[Path, typer.Option(help="Folder of noise recordings.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="File to write: match.json.")],
    count: Annotated[int, typer.Option(help="Utterances that pairs are made of.", min=50)] = 400,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 1,
) -> None:
    """Fit what tells whether a recording holds speech, and whether it is of the text."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from elocute.cli.evaluate_robustness import noise_clips
    from elocute.corpora.speechocean762 import read_speechocean762
    from elocute.training.match import card, examine, fit_matcher, make_pairs
    from elocute.training.scorer_data import read_heldout

    clips = list(noise_clips(noise).values())
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("making pairs", total=None)
        pairs = list(make_pairs(read_speechocean762(speechocean), read_heldout(heldout), clips, count=count, seed=seed))
        bar.update(task, description="looking for the text")
        found = examine(pairs, progress=lambda done, total: bar.update(task, completed=done, total=total))
    matcher, metrics = fit_matcher(found)
    written = card(matcher, metrics, shlex.join(["elocute", *sys.argv[1:]]))
    out.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for kind, row in metrics.items():
        typer.echo(f"{kind:14} {row}")


@app.command()
def stress(
    native: Annotated[list[Path], typer.Option(help="Folder of transcribed native speech; repeat for more.")],
    out: Annotated[Path, typer.Option(help="Folder to write stress.npz and stress.json, its card, to.")],
    speechocean: Annotated[
        Path | None, typer.Option(help="speechocean762 in its official layout.", exists=True, file_okay=False)
    ] = None,
    sentences: Annotated[int, typer.Option(min=10, help="Synthesised for each group of voices.")] = 200,
    learners: Annotated[int, typer.Option(min=1, help="Utterances of learners.")] = 1000,
    seed: int = 0,
) -> None:
    """Train the model of lexical stress on synthesised, native and learners' words, and check it on unheard voices."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from elocute.training.stress import StressTraining, train_stress

    config = StressTraining(
        native=tuple(native), speechocean=speechocean, sentences=sentences, learners=learners, seed=seed
    )
    with Progress(console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        trained = train_stress(config, shlex.join(["elocute", *sys.argv[1:]]), progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / "stress.npz").write_bytes(trained.weights)
    (out / "stress.json").write_text(json.dumps(trained.card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for part in trained.card["evaluation"]["parts"]:
        typer.echo(f"{part['part']:36} {part['words']:5} words, {part['right']['value']:.3f} right")


app.command()(timing)
app.command(name="synthetic")(synthetic_speech)
app.command()(ctc)
app.command()(phi4)
app.command("phi4-ranks")(phi4_ranks)
app.command()(ensemble)
