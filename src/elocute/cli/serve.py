"""`elocute serve`: reports by HTTP, and a page to record and read on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from elocute.cli.options import (
    DEFAULT_SCALE,
    DEFAULT_SENSITIVITY,
    DEFAULTS,
    BackendName,
    Confusions,
    ScaleChoice,
    SensitivityChoice,
    Variants,
    Verbose,
)
from elocute.config import AssessorConfig
from elocute.errors import ConfigError, MissingExtraError
from elocute.server.settings import ServerConfig

EXAMPLES = (
    "elocute serve",
    "elocute serve --host 0.0.0.0 --api-keys keys.txt --workers 8 --queue 32",
    "curl -F audio=@me.webm -F 'text=I think so' http://127.0.0.1:8000/v1/assess",
)
"""Shown under the help of the command."""

_LIMITS = ServerConfig()


def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="0.0.0.0 for all networks.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Recordings assessed at once; default: one for each core.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="CPU threads of each of them.")] = 1,
    queue: Annotated[
        int, typer.Option(min=0, metavar="N", help="Recordings that may wait; more are refused with 429.")
    ] = _LIMITS.queue,
    uploads: Annotated[
        int, typer.Option(min=1, metavar="N", help="Recordings that may be arriving at once.")
    ] = _LIMITS.uploads,
    api_keys: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Ask for a key: lines of 'NAME KEY'."),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Let pages of this origin ask; repeat for more, * for all."),
    ] = None,
    max_mb: Annotated[float, typer.Option(min=0.001, metavar="N", help="Largest recording, MiB.")] = _LIMITS.max_bytes
    / 2**20,
    max_seconds: Annotated[
        float, typer.Option(min=0.1, metavar="N", help="Longest recording.")
    ] = _LIMITS.max_duration_s,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="Give an assessment up after so many seconds.")
    ] = _LIMITS.assess_timeout_s,
    log_text: Annotated[
        bool, typer.Option("--log-text", help="Log the texts, too. Recordings are never logged.")
    ] = False,
    backend: BackendName = DEFAULTS.backend,
    scale: ScaleChoice = DEFAULT_SCALE,
    variants: Variants = DEFAULTS.variants,
    sensitivity: SensitivityChoice = DEFAULT_SENSITIVITY,
    confusions: Confusions = DEFAULTS.confusions,
    verbose: Verbose = False,
) -> None:
    """Serve reports by HTTP, and a page to record and read on.

    POST /v1/assess takes a recording and its text; /openapi.json describes everything. Logs go to stderr, a JSON
    object a line. Nothing is stored. Ctrl-C or SIGTERM stops, when what is under way is done.
    """
    try:
        from elocute.server.run import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "elocute":
            raise
        raise MissingExtraError(
            f"`elocute serve` needs {error.name}, which is not installed; run: pip install 'elocute[serve]'"
        ) from error
    config = ServerConfig(
        assessor=AssessorConfig(
            backend=backend,
            scale=int(scale),
            threads=threads,
            variants=variants,
            sensitivity=sensitivity.value,
            confusions=confusions,
        ),
        workers=workers,
        queue=queue,
        uploads=uploads,
        max_bytes=round(max_mb * 2**20),
        max_duration_s=max_seconds,
        assess_timeout_s=timeout,
        api_keys=api_keys,
        cors=tuple(cors or ()),
        log_text=log_text,
    )
    if sys.stderr.isatty():
        sys.stderr.write(f"elocute: http://{host}:{port} in a moment; Ctrl-C stops\n")
    if not run(config, host=host, port=port):
        raise ConfigError(f"cannot serve on {host}:{port}, see the log; choose another --port or --host")
