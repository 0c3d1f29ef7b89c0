"""`elocute batch`: a manifest of recordings becomes a file of reports."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.options import (
    DEFAULT_ADVICE,
    DEFAULT_SCALE,
    DEFAULT_SENSITIVITY,
    DEFAULTS,
    AdviceChoice,
    BackendName,
    Confusions,
    FirstLanguage,
    LexiconFile,
    ScaleChoice,
    ScorerFolder,
    SensitivityChoice,
    Variants,
    Verbose,
)
from elocute.config import AssessorConfig

if TYPE_CHECKING:
    from elocute.batch.local import AssessRow
    from elocute.batch.manifest import ManifestRow

_LINE_EVERY_S = 10.0
"""Without a terminal, progress is one line in so many seconds."""

Progress = Callable[[int, int], None]

EXAMPLES = (
    "elocute batch manifest.jsonl -o reports.jsonl",
    "elocute batch manifest.jsonl -o reports.jsonl --workers 2 --fresh",
)
"""Shown under the help of the command."""


def batch(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help='JSONL file, rows {"id", "audio", "text"}.')],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="JSONL file to make, a report a row.")],
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; default: one for each core.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again, and replace OUT if it exists.")] = False,
    backend: BackendName = DEFAULTS.backend,
    scorer: ScorerFolder = DEFAULTS.scorer,
    scale: ScaleChoice = DEFAULT_SCALE,
    lexicon: LexiconFile = None,
    variants: Variants = DEFAULTS.variants,
    sensitivity: SensitivityChoice = DEFAULT_SENSITIVITY,
    confusions: Confusions = DEFAULTS.confusions,
    l1: FirstLanguage = DEFAULTS.l1,
    advice: AdviceChoice = DEFAULT_ADVICE,
    verbose: Verbose = False,
) -> None:
    """Assess many recordings, on all cores.

    Killed and started again, it goes on where it was.

    MANIFEST has one JSON object a line: "id", "audio" (a path, from the manifest's folder), "text" and, if you want
    to fix what counts as right, "phones" (a list of ARPABET phones for each word). OUT gets one line for each, in
    the same order: {"id", "report"} or {"id", "error"}. Rows that cannot be assessed do not stop the batch.
    """
    from elocute.batch.local import run_batch
    from elocute.phones.l1 import l1_profile

    config = AssessorConfig(
        backend=backend,
        scorer=scorer,
        scale=int(scale),
        threads=1,
        variants=variants,
        sensitivity=sensitivity.value,
        confusions=confusions,
        l1=None if l1 is None else l1_profile(l1).code,
        advice=advice.value,
    )
    try:
        with progress_bar() as progress:
            summary = run_batch(
                manifest,
                out,
                make_assessor=AssessorFactory(config=config, lexicon=lexicon),
                configuration=configuration(config, lexicon),
                workers=workers,
                progress=progress,
                fresh=fresh,
            )
    except KeyboardInterrupt as stop:
        sys.stderr.write("elocute: stopped; the finished rows are kept, run the same command to go on\n")
        raise typer.Exit(1) from stop
    rows = "1 row" if summary.rows == 1 else f"{summary.rows} rows"
    resumed = f", {summary.resumed} of them by an earlier run" if summary.resumed else ""
    errors = {0: "no errors", 1: "1 row has an error"}.get(summary.errors, f"{summary.errors} rows have errors")
    new = summary.rows - summary.resumed
    sys.stderr.write(
        f"{rows} in {out}{resumed}; {errors}; {summary.seconds:.1f} s"
        + (f", {new / summary.seconds:.1f} rows a second\n" if new else "\n")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessorFactory:
    """Makes the assessor of one worker process.

    Attributes:
        config: settings; one thread, as the workers share the cores.
        lexicon: file of the user's pronunciations.
    """

    config: AssessorConfig
    lexicon: Path | None

    def __call__(self) -> AssessRow:
        """Load the models once."""
        from elocute.assessors import load_assessor
        from elocute.phones import UserLexicon

        assessor = load_assessor(self.config)
        words = None if self.lexicon is None else UserLexicon.from_file(self.lexicon)

        def assess(row: ManifestRow) -> Mapping[str, object]:
            return assessor.assess(row.audio, row.text, lexicon=words, pronunciations=row.phones).to_dict()

        return assess


def configuration(config: AssessorConfig, lexicon: Path | None) -> str:
    """A text that differs whenever the reports of a batch would: settings, lexicon, versions of code and models."""
    from importlib.metadata import version

    from elocute.installed import model_versions

    facts = {
        "settings": asdict(config),
        "lexicon_sha256": None if lexicon is None else hashlib.sha256(lexicon.read_bytes()).hexdigest(),
        "elocute": version("elocute"),
        "models": model_versions(config.backend, config.scorer),
    }
    return json.dumps(facts, sort_keys=True)


@contextmanager
def progress_bar(doing: str = "assessing", unit: str = "rows") -> Iterator[Progress]:
    """A bar on stderr where that is a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines(unit)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from elocute.cli.output import console_for

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console_for(sys.stderr)) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Progress as plain lines, not too many."""

    def __init__(self, unit: str = "rows") -> None:
        self._unit = unit
        self._started: tuple[float, int] | None = None
        self._last_s = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Say how far it is, if the last word on it is old enough."""
        now_s = time.monotonic()
        if self._started is None:
            self._started = (now_s, done)
            self._last_s = now_s
            return
        if now_s - self._last_s < _LINE_EVERY_S:
            return
        self._last_s = now_s
        rate = (done - self._started[1]) / (now_s - self._started[0])
        sys.stderr.write(
            f"{done} of {total} {self._unit}, {rate:.1f} a second, about {(total - done) / rate:.0f} s left\n"
        )
        sys.stderr.flush()
