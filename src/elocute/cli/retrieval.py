"""`elocute retrieval`: mispronunciations by nearest neighbours among known phones."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.options import FormatChoice, Verbose
from elocute.cli.output import Format
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.evaluation.bootstrap import Estimate
    from elocute.retrieval.evaluate import RetrievalEvaluation
    from elocute.retrieval.spoken import CorpusKind, Fold

app = typer.Typer(
    no_args_is_help=True,
    help="Find mispronunciations by nearest neighbours: each phone of a recording is called what most of the known "
    "phones call themselves that a backbone hears alike. Needs the extra `retrieval`.",
)
EXAMPLES = (
    "elocute retrieval build --native kathleen -o index",
    'elocute retrieval detect me.wav "I think so" --index index',
    "elocute retrieval build --speechocean speechocean762 --fold 0 -o index0",
    "elocute retrieval evaluate --index index0 --speechocean speechocean762 --fold 0",
)
"""Shown under the help of the group."""


class PoolingChoice(StrEnum):
    """How frames become one vector a phone."""

    OCCUPANCY = "occupancy"
    PEAK = "peak"


Backbone = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="What hears: embedded, onnx:DIR, hf:DIR, or run:DIR, a run of `elocute train acoustic`.",
    ),
]
Layer = Annotated[
    int, typer.Option(help="Whose states: 0 is what goes into the first layer, -1 what comes out of the last.")
]
Native = Annotated[
    Path | None,
    typer.Option("--native", metavar="DIR", file_okay=False, exists=True, help="Transcribed native speech."),
]
Speechocean = Annotated[
    Path | None,
    typer.Option("--speechocean", metavar="DIR", file_okay=False, exists=True, help="speechocean762, its train split."),
]
Arctic = Annotated[
    Path | None,
    typer.Option("--l2arctic", metavar="DIR", file_okay=False, exists=True, help="L2-ARCTIC, annotated recordings."),
]
FoldNumber = Annotated[
    int | None,
    typer.Option(min=0, max=4, help="One fifth of speechocean762's speakers: left out of an index, or measured on."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Recordings at most, evenly drawn.")]
Index = Annotated[Path, typer.Option("--index", metavar="DIR", exists=True, file_okay=False, help="Built before.")]
TopK = Annotated[int, typer.Option("--top-k", min=1, help="Neighbours that may vote.")]
Threshold = Annotated[float, typer.Option(min=-1.0, max=1.0, help="Least cosine similarity of one that does.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of one inference.")]


@app.command()
def build(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to make.")],
    native: Native = None,
    speechocean: Speechocean = None,
    l2arctic: Arctic = None,
    fold: FoldNumber = None,
    limit: Limit = None,
    backbone: Backbone = "embedded",
    layer: Layer = -1,
    pooling: Annotated[
        PoolingChoice, typer.Option(help="Mean by the lattice's occupancies, or the frame where they peak.")
    ] = PoolingChoice.OCCUPANCY,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Put the phones of native speech, or of learners as annotators heard them, into an index."""
    from elocute.cli.batch import progress_bar
    from elocute.retrieval.build import build_index
    from elocute.retrieval.index import faiss_or_error
    from elocute.retrieval.spoken import read_spoken
    from elocute.retrieval.states import load_encoder

    faiss_or_error()
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already; name a folder that does not")
    kind, folder = _corpus(native, speechocean, l2arctic)
    spoken = read_spoken(kind, folder, fold=_fold(fold), leave_out=True, limit=limit)
    encoder = load_encoder(backbone, layer=layer, threads=threads)
    corpus = f"{kind} {folder.name}" + ("" if fold is None else f", all but fold {fold} of 5")
    with progress_bar("embedding", "recordings") as progress:
        index = build_index(encoder, spoken, pooling=pooling.value, corpus=corpus, progress=progress)
    index.save(out)
    typer.echo(
        f"{out.name}: {len(index)} phones of {index.card['recordings']} recordings, {index.dimension} dimensions"
    )


@app.command()
def detect(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="Recording.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What should have been said.")],
    index: Index,
    backbone: Backbone = "embedded",
    layer: Layer = -1,
    top_k: TopK = 10,
    threshold: Threshold = 0.7,
    output: Annotated[Format, typer.Option("--format", help="A table for people, or JSON.")] = Format.TEXT,
    verbose: Verbose = False,
) -> None:
    """Say of every phone of a text what its neighbours call it."""
    from elocute.audio import load_audio
    from elocute.phones import phonemize
    from elocute.retrieval.build import Search, check_fits
    from elocute.retrieval.build import detect as ask
    from elocute.retrieval.index import PhoneIndex
    from elocute.retrieval.states import load_encoder

    stored, encoder = PhoneIndex.load(index), load_encoder(backbone, layer=layer)
    check_fits(stored, encoder)
    canonical = phonemize(text)
    symbols = [phone.symbol for phone in canonical.phones]
    found = ask(stored, encoder.encode(load_audio(audio)), symbols, Search(top_k=top_k, threshold=threshold))
    rows: list[dict[str, object]] = [
        {
            "word": canonical.words[phone.word_index].text,
            "canonical": phone.symbol,
            "heard": found.heard[number],
            "doubt": round(float(found.doubt[number]), 3),
            "nearest": round(float(found.nearest[number]), 3),
        }
        for number, phone in enumerate(canonical.phones)
    ]
    _show(rows, output)


@app.command()
def evaluate(
    index: Index,
    speechocean: Speechocean = None,
    l2arctic: Arctic = None,
    fold: FoldNumber = None,
    limit: Limit = None,
    backbone: Backbone = "embedded",
    layer: Layer = -1,
    top_k: TopK = 10,
    threshold: Threshold = 0.7,
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--lenient", help="Count a phone said with an accent as wrong; by default for speechocean762 only."
        ),
    ] = None,
    threads: Threads = None,
    output: FormatChoice = Format.TEXT,
    verbose: Verbose = False,
) -> None:
    """Measure an index against annotators: FRR, FAR, DER, precision, recall, F1 and the area under the ROC curve."""
    from elocute.cli.batch import progress_bar
    from elocute.retrieval.build import Search, check_fits
    from elocute.retrieval.evaluate import answer
    from elocute.retrieval.evaluate import evaluate as measure
    from elocute.retrieval.index import PhoneIndex
    from elocute.retrieval.spoken import read_spoken
    from elocute.retrieval.states import load_encoder

    kind, folder = _corpus(None, speechocean, l2arctic)
    stored, encoder = PhoneIndex.load(index), load_encoder(backbone, layer=layer, threads=threads)
    check_fits(stored, encoder)
    spoken = read_spoken(kind, folder, fold=_fold(fold), limit=limit)
    known = {item.speaker for item in spoken} & stored.speakers
    if known:
        sys.stderr.write(
            f"elocute: WARNING: the index holds {len(known)} of these speakers; what it says of them flatters. "
            "Build it with --fold, or from another corpus\n"
        )
    with progress_bar("searching", "recordings") as progress:
        answers, too_short = answer(stored, encoder, spoken, Search(top_k=top_k, threshold=threshold), progress)
    if not answers:
        raise ConfigError(f"all {too_short} recordings are too short for their phones; expected others")
    is_strict = kind == "speechocean762" if strict is None else strict
    _report(measure(answers, strict=is_strict, too_short=too_short), output)


def _corpus(native: Path | None, speechocean: Path | None, l2arctic: Path | None) -> tuple[CorpusKind, Path]:
    """The one corpus that is named."""
    places: dict[CorpusKind, Path | None] = {"native": native, "speechocean762": speechocean, "l2arctic": l2arctic}
    named = [(kind, folder) for kind, folder in places.items() if folder is not None]
    if len(named) != 1:
        raise ConfigError(f"{len(named)} corpora are named; expected one")
    return named[0]


def _fold(number: int | None) -> Fold | None:
    """The fold of this number."""
    from elocute.retrieval.spoken import Fold

    return None if number is None else Fold(number=number)


def _show(rows: list[dict[str, object]], output: Format) -> None:
    """Votes at every phone."""
    from rich.table import Table

    from elocute.cli.output import show, write

    if output is Format.JSON:
        write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        return
    table = Table()
    for heading in rows[0]:
        table.add_column(heading, justify="left" if heading in ("word", "canonical", "heard") else "right")
    for row in rows:
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    show(table)


def _report(found: RetrievalEvaluation, output: Format) -> None:
    """Figures of an index."""
    from rich.table import Table

    from elocute.cli.output import show, write

    if output is Format.JSON:
        write(json.dumps(found.as_json(), indent=1) + "\n")
        return
    title = f"{found.recordings} recordings, {found.phones} phones, {found.wrong} mispronounced"
    table = Table(title=title, title_justify="left")
    for heading in ("figure", "value", "95 %"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    table.add_row("ROC AUC of the doubt", *_cells(found.roc_auc))
    table.add_row("best F1 of the doubt", f"{found.best_f1[0]:.4f}", f"from {found.best_f1[1]:.3f}")
    for counted, rates in (("phone by phone", found.by_phone), ("decoded, aligned", found.by_alignment)):
        for name, value in rates.items():
            table.add_row(f"{name}, {counted}", *_cells(value))
    show(table)


def _cells(estimate: Estimate) -> tuple[str, str]:
    """A figure and its interval."""
    value = "-" if estimate.value is None else f"{estimate.value:.4f}"
    return value, "-" if estimate.low is None else f"{estimate.low:.4f} to {estimate.high:.4f}"
