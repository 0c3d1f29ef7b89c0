"""`elocute evaluate localisation`: one known error in a good recording; is it found, it alone, and named rightly?"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.batch import configuration, progress_bar
from elocute.cli.evaluate import SplitChoice
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.config import AssessorConfig
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.evaluation.localisation_corpus import Recordings, Spoken
    from elocute.evaluation.localisation_measures import Source


def localisation(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="speechocean762 in either layout, or a folder with transcripts.tsv."),
    ],
    split: Annotated[SplitChoice, typer.Option(help="Part of speechocean762; the shipped models trained on train.")] = (
        SplitChoice.TEST
    ),
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N recordings, drawn at random, for a quick try.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of all draws; the same gives the same errors.")] = 0,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything, every error too, as JSON; - is stdout."),
    ] = None,
    sources: Annotated[
        str, typer.Option(metavar="LIST", help="How errors are planted: splice, flite, text, joined by commas.")
    ] = "splice,flite,text",
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that assess; default: one for each core.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Plant one error in each of many good recordings, and measure whether it, and nothing else, is found.

    Errors come from three sources: a phone of another recording of the same speaker is spliced in, or one cut out
    (splice); the synthesiser flite speaks the sentence with a phone changed, where it is installed (flite); the text
    asks for another phone than the one that was said (text). Of ten errors about seven are substitutions, the others
    deletions and insertions.

    What counts as right is fixed: the corpus's own phones, or the accepted variant that the clean recording fits best.
    """
    from elocute.evaluation.localisation import summarise, to_json
    from elocute.evaluation.localisation_corpus import read_recordings
    from elocute.evaluation.localisation_run import run_trials
    from elocute.evaluation.localisation_trials import TrialFactory

    wanted = _sources(sources)
    voices = _voices(wanted)
    if not voices:
        wanted = tuple(source for source in wanted if source != "flite")
    with tempfile.TemporaryDirectory(prefix="elocute-") as unpacked:
        recordings = read_recordings(folder, split.value, Path(unpacked))
        if split is SplitChoice.TRAIN and recordings.name == "speechocean762":
            _warn_of_seen_speakers()
        chosen = _chosen(recordings, limit, seed)
        factory = TrialFactory(recordings=recordings.spoken, sources=wanted, voices=voices, seed=seed, backend=backend)
        try:
            with progress_bar("planting and assessing", "recordings") as progress:
                trials = run_trials(chosen, factory, workers=workers, progress=progress)
        except KeyboardInterrupt as stop:
            sys.stderr.write("elocute: stopped; nothing is kept\n")
            raise typer.Exit(1) from stop
    if not trials.outcomes:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in trials.skipped.items())
        raise ConfigError(f"no error could be planted in {len(chosen)} recordings ({reasons}); give other recordings")
    result = summarise(
        trials,
        data=_data(recordings, split, chosen, limit),
        provenance=_provenance(backend),
        settings={"seed": seed, "sources": list(wanted), "voices": list(voices)},
        draws=draws,
        notes=_notes(wanted, recordings),
    )
    if json_out is not None:
        write(to_json(result), None if str(json_out) == "-" else json_out)
        if str(json_out) == "-":
            return
    from elocute.cli.evaluate_localisation_table import render

    show(*render(result))


def _sources(listed: str) -> tuple[Source, ...]:
    """The sources that the user named.

    Raises:
        ConfigError: one is unknown, or there is none.
    """
    from elocute.evaluation.localisation_measures import SOURCES

    names = [name.strip() for name in listed.split(",")]
    unknown = [name for name in names if name not in SOURCES]
    if unknown:
        raise ConfigError(f"--sources has {unknown[0]!r}; expected some of {', '.join(SOURCES)}, joined by commas")
    return tuple(source for source in SOURCES if source in names)


def _voices(wanted: tuple[Source, ...]) -> tuple[str, ...]:
    """Voices of flite, if it is wanted; says so where it is missing.

    Raises:
        ConfigError: nothing but flite is wanted, and it is missing.
    """
    from elocute.evaluation.flite import VOICES, installed_voices

    if "flite" not in wanted:
        return ()
    voices = installed_voices()
    if not voices:
        missing = f"flite is not on PATH, or has none of the voices {', '.join(VOICES)}"
        if wanted == ("flite",):
            raise ConfigError(f"{missing}; install flite 2.2, or name other --sources")
        sys.stderr.write(f"elocute: {missing}; the source flite is left out\n")
    return voices


def _chosen(recordings: Recordings, limit: int | None, seed: int) -> tuple[Spoken, ...]:
    """All recordings, or some of them drawn at random, in the corpus's order."""
    import numpy as np

    count = len(recordings.spoken)
    drawn = np.random.default_rng(seed).permutation(count)[:limit].tolist()
    return tuple(recordings.spoken[index] for index in sorted(drawn))


def _data(recordings: Recordings, split: SplitChoice, chosen: tuple[Spoken, ...], limit: int | None) -> dict[str, Any]:
    """What was measured on."""
    return {
        "corpus": recordings.name,
        "split": split.value if recordings.name == "speechocean762" else None,
        "recordings": len(chosen),
        "speakers": len({one.speaker for one in chosen}),
        "limit": limit,
        "left_out": recordings.left_out,
    }


def _provenance(backend: str) -> dict[str, Any]:
    """Which models were measured, and by which command."""
    from elocute.evaluation.localisation_trials import SCALE
    from elocute.evaluation.provenance import commit_of_checkout, machine

    facts = json.loads(configuration(AssessorConfig(backend=backend, scale=SCALE, threads=1), None))
    return {
        "model": facts["models"],
        "elocute": facts["elocute"],
        "commit": commit_of_checkout(),
        "command": shlex.join(["elocute", *sys.argv[1:]]),
        "machine": machine(),
        "date": date.today().isoformat(),
    }


def _notes(wanted: tuple[Source, ...], recordings: Recordings) -> list[str]:
    """What the reader should know."""
    notes = []
    if "splice" in wanted:
        notes.append(
            "splice: the neighbours keep some coarticulation with the old phone, and boundaries are off by 10 ms in "
            "the median, so a part of what is not found is hardly there to be heard: compare with flite"
        )
    if "text" in wanted:
        notes.append("text: the shipped scorer was trained with errors planted in this way, of these very kinds")
    if recordings.name != "speechocean762":
        notes.append("the folder counts as one speaker, so that its splices and texts have no interval of their own")
    return notes


def _warn_of_seen_speakers() -> None:
    """Say loudly that figures may flatter."""
    sys.stderr.write(
        "elocute: WARNING: the shipped models trained on the split train; what they find there says nothing about "
        "speakers that they do not know. Evaluate --split test\n"
    )
