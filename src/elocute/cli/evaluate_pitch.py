"""`elocute evaluate pitch`: one pitch tracker against another, on real recordings."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.figures import new_table, number, with_interval, with_note
from elocute.cli.options import Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from elocute.evaluation.bootstrap import Estimate
    from elocute.evaluation.pitch import Counts, FolderRow, PitchResult, Recording
    from elocute.prosody.pitch import PitchTracker


def pitch(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of recordings, any depth.")],
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Recordings of each folder, drawn at random; default: all.")
    ] = None,
    tracker: Annotated[str, typer.Option(metavar="NAME", help="The tracker to be measured.")] = "autocorrelation",
    against: Annotated[str, typer.Option(metavar="NAME", help="The tracker that is taken for the truth.")] = "praat",
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of the draw.")] = 0,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, without tables."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Compare our pitch tracker with Praat's (extra praat), frame by frame.

    Gross errors, more than 20 % off among frames that both call voiced; the fine error of the others; frames on whose
    voicing both agree; and the speed of both. Each folder's subfolders count as speakers; where it has none, each
    recording does.
    """
    from elocute.evaluation.pitch import FORMAT, PitchResult, find_recordings, summarise
    from elocute.evaluation.result import dumps
    from elocute.prosody.trackers import load_pitch_tracker

    own, truth = load_pitch_tracker(tracker), load_pitch_tracker(against)
    names = [folder.resolve().name for folder in folders]
    chosen = [find_recordings(folder, limit, seed) for folder in folders]
    rows: list[FolderRow] = []
    every: list[Counts] = []
    speakers: list[str] = []
    refused: dict[str, str] = {}
    for name, recordings in zip(names, chosen, strict=True):
        counts, who = _heard(name, recordings, own, truth, refused)
        rows.append(summarise(name, counts, who, draws))
        every, speakers = every + counts, speakers + who
    if len(rows) > 1:
        rows.append(summarise("all", every, speakers, draws))
    result = PitchResult(
        tracker=own.name,
        reference=truth.name,
        folders=tuple(rows),
        refused=refused,
        settings={"limit": limit, "seed": seed, "draws": draws},
        provenance=_provenance(),
    )
    if json_out is not None:
        write(dumps(result, FORMAT), None if str(json_out) == "-" else json_out)
    if str(json_out) != "-":
        show(*_render(result))


def _heard(
    name: str, recordings: Sequence[Recording], own: PitchTracker, truth: PitchTracker, refused: dict[str, str]
) -> tuple[list[Counts], list[str]]:
    """Counts and speakers of the recordings of a folder; why others could not be read goes to `refused`.

    Raises:
        ConfigError: none of them can be read.
    """
    from elocute.evaluation.pitch import Counts, measure_recordings

    counts, speakers = [], []
    try:
        with progress_bar(f"tracking {name}", "recordings") as progress:
            answers = measure_recordings(recordings, own, truth)
            for done, (recording, answer) in enumerate(zip(recordings, answers, strict=True), start=1):
                if isinstance(answer, Counts):
                    counts.append(answer)
                    speakers.append(recording.speaker)
                else:
                    refused[str(recording.path)] = str(answer)
                progress(done, len(recordings))
    except KeyboardInterrupt as stop:
        sys.stderr.write("elocute: stopped; nothing is kept\n")
        raise typer.Exit(1) from stop
    if not counts:
        raise ConfigError(f"no recording of {name} can be read: {refused[str(recordings[0].path)]}")
    return counts, speakers


def _provenance() -> dict[str, Any]:
    """What made the figures."""
    import elocute
    from elocute.evaluation.provenance import commit_of_checkout, machine

    return {
        "elocute": elocute.__version__,
        "commit": commit_of_checkout(),
        "command": shlex.join(["elocute", *sys.argv[1:]]),
        "machine": machine(),
        "date": date.today().isoformat(),
    }


def _render(result: PitchResult) -> Iterator[RenderableType]:
    """Two tables and what was refused."""
    table = new_table(
        f"Pitch: {result.tracker} against {result.reference}",
        "folder", "n", "speakers", "gross (95 %)", "high", "low", "fine, cents (95 %)",
    )  # fmt: skip
    for row in result.folders:
        table.add_row(
            row.folder,
            str(row.recordings),
            str(row.speakers),
            _with_bounds(row.gross, _percent),
            _percent(row.too_high.value),
            _percent(row.too_low.value),
            _with_bounds(row.fine_cents, lambda value: number(value, 2)),
        )
    yield with_note(
        table,
        "gross: % of the frames voiced in both that differ by more than 20 %, too high or too low; fine: mean absolute "
        "difference of the others.",
    )
    yield ""
    voicing = new_table("Voicing and speed", "folder", "agree (95 %)", "missed", "added", "x real time", "x reference")
    for row in result.folders:
        voicing.add_row(
            row.folder,
            with_interval(row.voicing),
            number(row.missed.value),
            number(row.added.value),
            f"{row.times_real:.0f}",
            number(row.times_reference, 2),
        )
    yield with_note(
        voicing,
        "agree: of all frames; missed, added: of the reference's voiced and unvoiced frames.",
    )
    for name, reason in result.refused.items():
        yield f"refused: {name}: {reason}"


def _percent(share: float | None) -> str:
    """A share in percent."""
    return "-" if share is None else f"{100 * share:.2f}"


def _with_bounds(estimate: Estimate, shown: Callable[[float | None], str]) -> str:
    """A value and its interval, both as `shown` writes them."""
    if estimate.low is None:
        return shown(estimate.value)
    return f"{shown(estimate.value)} ({shown(estimate.low)}-{shown(estimate.high)})"
