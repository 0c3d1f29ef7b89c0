"""`elocute evaluate robustness`: hard cases made of a corpus, and what the assessor makes of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_run import identity_of, kept_when_stopped, run_facts
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.corpora.spoken import SpokenCorpus
    from elocute.evaluation.robustness_plan import Selection
    from elocute.evaluation.robustness_result import Robustness

DEFAULT_LIMIT = 200


class SplitName(StrEnum):
    """Part of speechocean762."""

    TRAIN = "train"
    TEST = "test"


def robustness(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="speechocean762 in any layout, or a folder with transcripts.tsv and audio/."
        ),
    ],
    split: Annotated[
        SplitName | None, typer.Option(help="Of speechocean762, default test; the shipped models trained on train.")
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Clips of noise; without them the cases that need any are left.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Utterances, drawn evenly over speakers.")
    ] = DEFAULT_LIMIT,
    cases: Annotated[
        list[str] | None,
        typer.Option("--cases", metavar="NAME", help="Only these cases; may be given several times, or with commas."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of everything that is drawn.")] = 0,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, without tables."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the totals of every case (.svg).")] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep what was assessed (JSON lines), and read it if it is there already."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that assess; default: one for each core.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an unfinished run, and replace --keep.")] = False,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Make hard cases of a corpus, and measure what the assessor says of them.

    Texts that were not said, words exchanged, added, cut out or said twice, broken-off and joined recordings, silence
    and noise, and good recordings through noise, rooms, telephones and codecs. For every case: the totals, how well
    they are told from those of the clean recordings, the errors found, and how often what was found is right, with
    95 % intervals over speakers.

    Killed and started again, it goes on where it was.
    """
    from elocute.corpora.spoken import read_spoken
    from elocute.evaluation.result import dumps
    from elocute.evaluation.robustness_cases import chosen_cases
    from elocute.evaluation.robustness_plan import make_plans
    from elocute.evaluation.robustness_result import FORMAT

    clips = {} if noise is None else noise_clips(noise)
    names = chosen_cases([name for each in cases or () for name in each.split(",")], has_noise=bool(clips))
    corpus = read_spoken(folder, None if split is None else split.value)
    if corpus.split == "train":
        sys.stderr.write(
            "elocute: warning: the shipped models trained on the split train; clean recordings score better here "
            "than those of speakers they do not know, and what is found in them may, too\n"
        )
    selection = make_plans(corpus, list(clips), limit=limit, seed=seed)
    result = _measured(
        corpus,
        selection,
        names,
        clips,
        keep=keep,
        seed=seed,
        draws=draws,
        workers=workers,
        fresh=fresh,
        backend=backend,
    )
    if plot is not None:
        from elocute.evaluation.robustness_plot import totals_file

        write(totals_file(result), plot)
    if json_out is not None:
        write(dumps(result, FORMAT), None if str(json_out) == "-" else json_out)
    if str(json_out) != "-":
        from elocute.cli.evaluate_robustness_table import render

        show(*render(result))


def noise_clips(folder: Path) -> dict[str, Path]:
    """Clips of noise in a folder, by name without suffix.

    Raises:
        ConfigError: no such folder, nothing in it, or two of the same name.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; expected one with clips of noise")
    clips: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file() or path.suffix.lower() in (".md", ".txt", ".csv", ".json"):
            continue
        if path.stem in clips:
            raise ConfigError(f"{clips[path.stem]} and {path} have the same name; keep one of them")
        clips[path.stem] = path
    if not clips:
        raise ConfigError(f"{folder} has no clips of noise; expected audio files")
    return clips


def _measured(
    corpus: SpokenCorpus,
    selection: Selection,
    names: tuple[str, ...],
    clips: Mapping[str, Path],
    *,
    keep: Path | None,
    seed: int,
    draws: int,
    workers: int | None,
    fresh: bool,
    backend: str,
) -> Robustness:
    """Assess and measure; without --keep, what an unfinished run leaves behind has a name of its own."""
    from elocute.evaluation.robustness import assess_cases
    from elocute.evaluation.robustness_judge import SCALE
    from elocute.evaluation.robustness_observe import NamedFactory
    from elocute.evaluation.robustness_result import measure

    identity = identity_of(backend, SCALE)
    path = keep or Path(f"robustness-{corpus.name}{'' if corpus.split is None else f'-{corpus.split}'}.jsonl")
    sys.stderr.write(
        f"elocute: {len(selection.plans)} utterances of {len(set(selection.speakers))} speakers, {len(names)} cases\n"
        if corpus.has_speakers
        else f"elocute: {len(selection.plans)} utterances, speakers unknown, {len(names)} cases\n"
    )
    with kept_when_stopped(), progress_bar("assessing", "utterances") as progress:
        answers = assess_cases(
            corpus,
            selection,
            path,
            cases=names,
            clips=clips,
            make_assessor=NamedFactory(backend=backend),
            identity=identity,
            seed=seed,
            workers=workers,
            progress=progress,
            fresh=fresh,
        )
    result = measure(
        answers,
        dict(zip((plan.id for plan in selection.plans), selection.speakers, strict=True)),
        draws=draws,
        data={
            "corpus": corpus.name,
            "split": corpus.split,
            "has_speakers": corpus.has_speakers,
            "left_out": selection.left_out,
        },
        provenance=run_facts(identity),
        settings={"seed": seed, "cases": list(names), "noise_clips": len(clips)},
        notes=_notes(corpus, backend),
    )
    if keep is None:
        path.unlink()
    return result


def _notes(corpus: SpokenCorpus, backend: str) -> tuple[str, ...]:
    """How to read the figures."""
    from elocute.assessors import find_named

    finder = "the assessor itself" if find_named(backend).is_acoustic else "an acoustic model"
    notes = [
        f"words are cut and copied at the times that {finder} finds in the clean recording; where these "
        "are wrong, so is the case",
    ]
    if corpus.split == "train":
        notes.append("the shipped models trained on these recordings")
    if not corpus.has_speakers:
        notes.append("the corpus does not tell speakers: intervals resample recordings, and words are lent by any")
    return tuple(notes)
