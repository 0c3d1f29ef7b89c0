"""`elocute evaluate pauses`: silence planted into real recordings; is it found, and nothing else?"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_run import identity_of, run_facts
from elocute.cli.figures import new_table, number, with_interval, with_note
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from elocute.evaluation.localisation_corpus import Recordings, Spoken
    from elocute.evaluation.pauses import Answer, PausesResult

_SCALE = 100


def pauses(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="speechocean762 in either layout, or a folder with transcripts.tsv."),
    ],
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Part of speechocean762: train or test; our models trained on train.")
    ] = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N recordings, drawn at random, for a quick try.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of all draws; the same gives the same pauses.")] = 0,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, without tables."),
    ] = None,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Plant one silence of 0.3 to 1.5 s into each of many recordings, and look for it.

    Between two words it is once digital zeros and once noise like the recording's own; inside a word, between two
    syllables, it is such noise. It has to be found between the right phones, begin and end within 50 ms. A pause
    anywhere else is false, unless the clean recording has it, too. Where flite is installed, it speaks the same words,
    and every pause that it did not make is false.
    """
    from elocute.acoustic import load_backend
    from elocute.evaluation.flite import installed_voices
    from elocute.evaluation.localisation_corpus import read_recordings
    from elocute.evaluation.pauses import FORMAT, PausesResult, PauseTrials, summarise
    from elocute.evaluation.result import dumps

    if split not in ("train", "test"):
        raise ConfigError(f"--split is {split!r}; expected train or test")
    voices = installed_voices()
    if not voices:
        sys.stderr.write("elocute: flite is not installed; its sentences are left out\n")
    with tempfile.TemporaryDirectory(prefix="elocute-") as unpacked:
        recordings = read_recordings(folder, "train" if split == "train" else "test", Path(unpacked))
        if split == "train" and recordings.name == "speechocean762":
            sys.stderr.write("elocute: WARNING: the shipped models trained on the split train; places may flatter\n")
        chosen = _drawn(recordings, limit, seed)
        make = PauseTrials(load_backend(backend, threads=1), voices, seed)
        answers: list[Answer] = []
        try:
            with progress_bar("planting pauses", "recordings") as progress:
                answers.extend(make.answers(chosen, progress))
        except KeyboardInterrupt as stop:
            sys.stderr.write("elocute: stopped; nothing is kept\n")
            raise typer.Exit(1) from stop
    trials = tuple(trial for answer in answers for trial in answer.trials)
    skipped = Counter(reason for answer in answers for reason in answer.skipped)
    if not any(trial.kind != "flite" for trial in trials):
        reasons = "; ".join(f"{count} x {reason}" for reason, count in skipped.items())
        raise ConfigError(f"no pause could be planted in {len(chosen)} recordings ({reasons}); give longer ones")
    result = PausesResult(
        rows=summarise(trials, draws),
        clean_pauses=sum(answer.pauses for answer in answers),
        clean_gaps=sum(answer.gaps for answer in answers),
        clean_inside=sum(answer.inside for answer in answers),
        skipped=dict(skipped.most_common()),
        trials=trials,
        data={
            "corpus": recordings.name,
            "split": split if recordings.name == "speechocean762" else None,
            "recordings": len(chosen),
            "speakers": len({spoken.speaker for spoken in chosen}),
            "left_out": recordings.left_out,
        },
        settings={"limit": limit, "seed": seed, "draws": draws, "voices": list(voices)},
        provenance=run_facts(identity_of(backend, _SCALE)),
    )
    if json_out is not None:
        write(dumps(result, FORMAT), None if str(json_out) == "-" else json_out)
    if str(json_out) != "-":
        show(*_render(result))


def _drawn(recordings: Recordings, limit: int | None, seed: int) -> tuple[Spoken, ...]:
    """All recordings of two words and more, or some of them drawn at random, in the corpus's order."""
    import numpy as np

    usable = [spoken for spoken in recordings.spoken if len(spoken.phones) > 1]
    if not usable:
        raise ConfigError("no recording has two words; expected sentences")
    drawn = np.random.default_rng(seed).permutation(len(usable))[:limit]
    return tuple(usable[index] for index in sorted(drawn.tolist()))


def _render(result: PausesResult) -> Iterator[RenderableType]:
    """A table, and what the clean recordings hold."""
    table = new_table("Planted pauses", "silence", "n", "place (95 %)", "within 50 ms (95 %)", "begin", "end")
    false = new_table("False pauses", "silence", "gaps between words (95 %)", "places inside words (95 %)")
    for row in result.rows:
        false.add_row(row.kind, with_interval(row.false_gaps), with_interval(row.false_inside))
        if row.placed.value is not None:
            table.add_row(
                row.kind,
                str(row.trials),
                with_interval(row.placed),
                with_interval(row.within),
                number(row.begin_ms, 0),
                number(row.end_ms, 0),
            )
    yield with_note(table, "place: found between the right phones; begin, end: median distance, ms.")
    yield ""
    yield with_note(
        false,
        "Shares of the other places with a pause that neither was planted nor is in the clean recording. flite: "
        "sentences without planted pauses, false is what the synthesiser did not make.",
    )
    yield ""
    yield (
        f"The clean recordings have pauses in {result.clean_pauses} of {result.clean_gaps} gaps between words, and "
        f"{result.clean_inside} inside words; nothing was planted there."
    )
    for reason, count in result.skipped.items():
        yield f"not planted: {count} x {reason}"
