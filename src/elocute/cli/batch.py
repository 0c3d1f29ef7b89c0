"""`elocute batch`: a manifest of recordings becomes a file of reports."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
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
    assessor_config,
)
from elocute.config import AssessorConfig
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.batch.local import AssessRow, BatchSummary

_LINE_EVERY_S = 10.0
"""Without a terminal, progress is one line in so many seconds."""

Progress = Callable[[int, int], None]


class Engine(StrEnum):
    """Who does the work."""

    local = "local"
    ray = "ray"


EXAMPLES = (
    "elocute batch manifest.jsonl -o reports.jsonl",
    "elocute batch manifest.jsonl -o reports.jsonl --workers 2 --fresh",
    "elocute batch 's3://us/*.tar' -o s3://us/out --engine ray",
)
"""Shown under the help of the command."""


def batch(
    ctx: typer.Context,
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help='JSONL file, rows {"id", "audio", "text"}.')],
    out: Annotated[str, typer.Option("-o", "--out", metavar="OUT", help="JSONL file to make, a report a row.")],
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; default: one for each core.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again, and replace OUT if it exists.")] = False,
    engine: Annotated[
        Engine, typer.Option(help="local: the processes of this machine; ray: the workers of a Ray cluster.")
    ] = Engine.local,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Ray cluster, 'auto' for this machine's; default: one of its own."),
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0, metavar="N", help="With ray: GPUs of each worker, 0.5 where two share one.")
    ] = 0.0,
    partition_rows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With ray: rows written at a time; default: by size.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Recordings heard at once; default: 32 for hf: on a GPU, else 1, which is faster."
        ),
    ] = None,
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

    With --engine ray, MANIFEST may also be Parquet or WebDataset shards (.tar), a folder of them or a pattern with *,
    and everything may lie on any store that fsspec or pyarrow reaches, such as s3://. OUT is then a folder of Parquet
    files, unless it ends in .jsonl: that is the same file as without Ray. Workers that die are replaced.

    Models of transformers (hf:, on the device that ELOCUTE_DEVICE names) hear many recordings at once, where that
    gives the same as one by one up to the rounding of float32; other backends hear one at a time, whatever N is.
    """
    config = assessor_config(ctx, threads=1)  # of each worker
    try:
        with progress_bar() as progress:
            summary = run(
                Work(
                    manifest=manifest,
                    out=out,
                    config=config,
                    lexicon=lexicon,
                    workers=workers,
                    fresh=fresh,
                    partition_rows=partition_rows,
                    address=address,
                    gpus=gpus,
                    batch_size=batch_size,
                ),
                engine,
                progress,
            )
    except KeyboardInterrupt as stop:
        sys.stderr.write("elocute: stopped; the finished rows are kept, run the same command to go on\n")
        raise typer.Exit(1) from stop
    sys.stderr.write(_told(summary, out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be done, as it was asked for; the options of the command have the same names."""

    manifest: str
    out: str
    config: AssessorConfig
    lexicon: Path | None
    workers: int | None
    fresh: bool
    partition_rows: int | None
    address: str | None
    gpus: float
    batch_size: int | None


def run(work: Work, engine: Engine, progress: Progress) -> BatchSummary:
    """Have an engine do the work.

    Raises:
        ConfigError: an option or a place that the engine does not know.
    """
    if work.gpus:  # what a worker takes it should use, wherever it is
        os.environ.setdefault("ELOCUTE_DEVICE", "cuda")
    batch_size = work.batch_size or _usual_batch(work.config.backend)
    make_assessor = AssessorFactory(
        config=work.config,
        lexicon=work.lexicon,
        batch_size=batch_size,
        device=os.environ.get("ELOCUTE_DEVICE") if work.gpus else None,
    )
    described = configuration(work.config, work.lexicon, batch_size)
    if engine is Engine.ray:
        # Stopped by Ctrl-C, Ray's own threads would start a new cluster when the old one is gone.
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
        from elocute.batch.ray import Cluster, run_ray_batch

        return run_ray_batch(
            work.manifest,
            work.out,
            make_assessor=make_assessor,
            configuration=described,
            cluster=Cluster(address=work.address, workers=work.workers, gpus=work.gpus),
            partition_rows=work.partition_rows,
            progress=progress,
            fresh=work.fresh,
        )
    from elocute.batch.local import run_batch
    from elocute.batch.manifest import is_address

    if work.address is not None or work.gpus or work.partition_rows is not None:
        raise ConfigError("--address, --gpus and --partition-rows are for Ray; add --engine ray, or leave them out")
    for place in (work.manifest, work.out):
        if is_address(place) or place.endswith((".parquet", ".tar", ".tar.gz", ".tgz")):
            raise ConfigError(
                f"{place} is no JSONL file of this machine, which the local engine needs; add --engine ray"
            )
    return run_batch(
        Path(work.manifest),
        Path(work.out),
        make_assessor=make_assessor,
        configuration=described,
        workers=work.workers,
        progress=progress,
        fresh=work.fresh,
        batch_size=batch_size,
    )


def _usual_batch(backend: str) -> int:
    """Recordings that pay to be heard at once."""
    from elocute.acoustic.protocol import usual_batch
    from elocute.assessors import find_named

    return usual_batch(backend) if find_named(backend).is_acoustic else 1


def _told(summary: BatchSummary, out: str) -> str:
    """What a batch came to, in a line or two."""
    rows = "1 row" if summary.rows == 1 else f"{summary.rows} rows"
    resumed = f", {summary.resumed} of them by an earlier run" if summary.resumed else ""
    errors = {0: "no errors", 1: "1 row has an error"}.get(summary.errors, f"{summary.errors} rows have errors")
    bugs = f" ({summary.bugs} of them bugs of this program, please report what stands above)" if summary.bugs else ""
    deaths = {0: "", 1: "; 1 worker died and was replaced"}.get(
        summary.deaths, f"; {summary.deaths} workers died and were replaced"
    )
    new = summary.rows - summary.resumed
    rate = f", {new / summary.seconds:.1f} rows a second" if new else ""
    return f"{rows} in {out}{resumed}; {errors}{bugs}{deaths}; {summary.seconds:.1f} s{rate}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessorFactory:
    """Makes the assessor of one worker process.

    Attributes:
        config: settings; one thread, as the workers share the cores.
        lexicon: file of the user's pronunciations.
        batch_size: recordings that are heard at once.
        device: of models of torch, where it was asked for; else the worker's own environment says.
    """

    config: AssessorConfig
    lexicon: Path | None
    batch_size: int = 1
    device: str | None = None

    def __call__(self) -> AssessRow:
        """Load the models once."""
        from elocute.assessors import load_assessor
        from elocute.batch.many import RowAssessor
        from elocute.phones import UserLexicon

        if self.device is not None:
            os.environ["ELOCUTE_DEVICE"] = self.device
        words = None if self.lexicon is None else UserLexicon.from_file(self.lexicon)
        return RowAssessor(maker=load_assessor(self.config), lexicon=words, batch_size=self.batch_size)


def configuration(config: AssessorConfig, lexicon: Path | None, batch_size: int = 1) -> str:
    """A text that differs whenever the reports of a batch would: settings, lexicon, versions of code and models."""
    from importlib.metadata import version

    from elocute.installed import model_versions

    facts: dict[str, object] = {
        "settings": asdict(config),
        "lexicon_sha256": None if lexicon is None else hashlib.sha256(lexicon.read_bytes()).hexdigest(),
        "elocute": version("elocute"),
        "models": model_versions(config.backend, config.scorer),
    }
    if batch_size > 1:  # recordings that share a batch share its rounding
        facts["batch_size"] = batch_size
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
        if now_s - self._last_s < _LINE_EVERY_S or done == self._started[1]:
            return
        self._last_s = now_s
        rate = (done - self._started[1]) / (now_s - self._started[0])
        sys.stderr.write(
            f"{done} of {total} {self._unit}, {rate:.1f} a second, about {(total - done) / rate:.0f} s left\n"
        )
        sys.stderr.flush()
