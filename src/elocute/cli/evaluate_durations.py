"""`elocute evaluate durations`: phone times, durations and rhythm against synthetic speech, whose times are known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_robustness import SplitName
from elocute.cli.evaluate_run import identity_of, run_facts
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from elocute.corpora.spoken import SpokenCorpus
    from elocute.evaluation.durations import Agreement, Durations, ErrorRow

_SCALE = 100


def durations(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Corpus whose sentences are spoken: speechocean762, or transcripts.")
    ],
    split: Annotated[SplitName, typer.Option(help="Part of speechocean762.")] = SplitName.TEST,
    held_out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of `elocute train timing`: for each voice a network that never heard it."),
    ] = None,
    count: Annotated[int, typer.Option(min=2, metavar="N", help="Recordings of each voice.")] = 60,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of the choice of sentences and rates.")] = 0,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the recordings for an interval.")] = 500,
    json_out: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, no tables.")
    ] = None,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Let the synthesiser flite speak, and compare the phone times that are found with those that it tells.

    Of boundaries between two phones: how far off they are, with 95 % intervals over recordings, beside half way between
    the spikes of the acoustic model; of begins and ends at silence the same; and how durations and rhythm correlate.
    """
    from elocute.acoustic import load_backend
    from elocute.evaluation.durations import summarise, time_all
    from elocute.evaluation.flite import VOICES, installed_voices
    from elocute.evaluation.result import dumps
    from elocute.evaluation.synthetic import speak_texts
    from elocute.prosody.sound import embedded_model, read_model

    voices = installed_voices()
    if not voices:
        raise ConfigError(f"flite is not on PATH, or has none of the voices {', '.join(VOICES)}; install flite 2.2")
    if held_out is None:
        sys.stderr.write("elocute: warning: the shipped network trained on these voices; --held-out has unseen ones\n")
    models = {
        voice: embedded_model() if held_out is None else read_model(held_out / f"{voice}.npz") for voice in voices
    }
    texts = sorted({utterance.text for utterance in _corpus(folder, split).utterances})
    try:
        spoken = speak_texts(texts, voices, count, seed=seed)
        with progress_bar("timing", "recordings") as progress:
            timed = time_all(spoken, load_backend(backend, threads=1), models, progress)
    except KeyboardInterrupt as stop:
        sys.stderr.write("elocute: stopped; nothing is kept\n")
        raise typer.Exit(1) from stop
    data = {
        "sentences_of": folder.name,
        "voices": list(voices),
        "recordings": len(timed),
        "seed": seed,
        "voices_are_held_out": held_out is not None,
    }
    result = summarise(timed, data=data, provenance=run_facts(identity_of(backend, _SCALE)), draws=draws)
    if json_out is not None:
        write(dumps(result, "elocute-durations-1"), None if str(json_out) == "-" else json_out)
    if str(json_out) != "-":
        show(*_render(result))


def _corpus(folder: Path, split: SplitName) -> SpokenCorpus:
    """The sentences; a folder of transcripts has no parts."""
    from elocute.corpora.spoken import read_spoken

    return read_spoken(folder, None if (folder / "transcripts.tsv").is_file() else split.value)


def _render(result: Durations) -> Iterator[RenderableType]:
    """Everything as tables, 80 columns wide."""
    from elocute.cli.figures import new_table, number, with_interval, with_note

    data = result.data
    yield f"{data['recordings']} recordings of {len(data['voices'])} voices ({', '.join(data['voices'])})"
    yield ""
    table = new_table("Boundaries, ms", "", "n", "median", "95th percentile", "<= 20 ms", "<= 60 ms", "mean")
    for row in result.boundaries:
        table.add_row(*_error_cells(row))
    yield with_note(
        table,
        "between two phones, absolute errors and their signed mean; half way: between the spikes, without the sound; "
        "at silence: begins after it and ends before it.",
    )
    yield ""
    table = new_table("Durations and rhythm", "", "n", "correlation", "true mean", "found mean")
    rows: tuple[Agreement, ...] = (*result.durations, *result.rhythm)
    for item in rows:
        table.add_row(item.what, str(item.n), with_interval(item.pcc), number(item.mean_true), number(item.mean_found))
    yield with_note(
        table, "of phones over phones, of rhythm over recordings; seconds, npvi, percent and varco in percent."
    )


def _error_cells(row: ErrorRow) -> tuple[str, ...]:
    """One line of the table of boundaries."""
    from elocute.cli.figures import NONE, number

    def ms(value: float | None) -> str:
        return NONE if value is None else number(1000 * value, 1)

    def spread(of: object) -> str:
        value, low, high = (ms(getattr(of, side)) for side in ("value", "low", "high"))
        return value if low == NONE else f"{value} ({low}-{high})"

    shares = (number(row.within_20_ms.value), number(row.within_60_ms.value))
    return (row.part, str(row.n), spread(row.median_s), spread(row.p95_s), *shares, ms(row.mean_s.value))
