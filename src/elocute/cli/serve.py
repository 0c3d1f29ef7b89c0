"""`elocute serve`: reports by HTTP, and a page to record and read on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

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
    ScaleChoice,
    SensitivityChoice,
    Variants,
    Verbose,
    plain_value,
)
from elocute.errors import ConfigError, MissingExtraError
from elocute.server.settings import ServerConfig

EXAMPLES = (
    "elocute serve",
    "elocute serve --host 0.0.0.0 --api-keys keys.txt --workers 8 --queue 32",
    "ELOCUTE_PORT=80 elocute serve --config elocute.toml --print-config",
    "curl -F audio=@me.webm -F 'text=I think so' http://127.0.0.1:8000/v1/assess",
)
"""Shown under the help of the command."""

_LIMITS = ServerConfig()
_NO_SETTINGS = frozenset({"config", "print_config", "verbose"})


def serve(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of settings: any option below, as 'max_mb = 5'.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print what holds and where it comes from, as such a file; then end.")
    ] = False,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="0.0.0.0 for all networks.")] = _LIMITS.host,
    port: Annotated[int, typer.Option(metavar="N")] = _LIMITS.port,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Recordings assessed at once; default: one for each core.")
    ] = None,
    threads: Annotated[int, typer.Option(metavar="N", help="CPU threads of each of them.")] = 1,
    queue: Annotated[
        int, typer.Option(metavar="N", help="Recordings that may wait; more are refused with 429.")
    ] = _LIMITS.queue,
    uploads: Annotated[
        int, typer.Option(metavar="N", help="Recordings that may be arriving at once.")
    ] = _LIMITS.uploads,
    api_keys: Annotated[Path | None, typer.Option(metavar="FILE", help="Ask for a key: lines of 'NAME KEY'.")] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Let pages of this origin ask; repeat for more, * for all."),
    ] = None,
    max_mb: Annotated[float, typer.Option(metavar="N", help="Largest recording, MiB.")] = _LIMITS.max_bytes / 2**20,
    max_seconds: Annotated[float, typer.Option(metavar="N", help="Longest recording.")] = _LIMITS.max_duration_s,
    max_chars: Annotated[int, typer.Option(metavar="N", help="Longest text.")] = _LIMITS.max_text_chars,
    upload_timeout: Annotated[
        float, typer.Option(metavar="S", help="Refuse a recording that takes longer to arrive.")
    ] = _LIMITS.upload_timeout_s,
    queue_timeout: Annotated[
        float, typer.Option(metavar="S", help="Refuse, with 429, a recording that waits longer for a worker.")
    ] = _LIMITS.queue_timeout_s,
    timeout: Annotated[
        float, typer.Option(metavar="S", help="Give an assessment up after so many seconds.")
    ] = _LIMITS.assess_timeout_s,
    shutdown_delay: Annotated[
        float, typer.Option(metavar="S", help="When told to stop, refuse new work with 503 for so long first.")
    ] = _LIMITS.shutdown_delay_s,
    shutdown_timeout: Annotated[
        float, typer.Option(metavar="S", help="When told to stop, let what is under way take so long.")
    ] = _LIMITS.shutdown_timeout_s,
    log_text: Annotated[
        bool, typer.Option("--log-text/--no-log-text", help="Log the texts, too. Recordings are never logged.")
    ] = False,
    backend: BackendName = DEFAULTS.backend,
    scorer: Annotated[
        str | None, typer.Option(metavar="DIR", help="Scorer made by `elocute train scorer`; default: the one shipped.")
    ] = None,
    scale: ScaleChoice = DEFAULT_SCALE,
    nbest: Annotated[int, typer.Option(metavar="N", help="Candidates for what was said at every phone.")] = 5,
    variants: Variants = DEFAULTS.variants,
    sensitivity: SensitivityChoice = DEFAULT_SENSITIVITY,
    confusions: Confusions = DEFAULTS.confusions,
    l1: FirstLanguage = DEFAULTS.l1,
    advice: AdviceChoice = DEFAULT_ADVICE,
    pitch: Annotated[str, typer.Option(metavar="NAME", help="Pitch tracker.")] = DEFAULTS.pitch,
    verbose: Verbose = False,
) -> None:
    """Serve reports by HTTP, and a page to record and read on.

    POST /v1/assess takes a recording and its text; /openapi.json describes everything. Logs go to stderr, a JSON
    object a line. Nothing is stored. Ctrl-C or SIGTERM stops, when what is under way is done.

    Every option is also a line in a file (--config, or $ELOCUTE_CONFIG) and a variable: --max-mb 5 is max_mb = 5 and
    ELOCUTE_MAX_MB=5. The command line wins over the environment, and that over the file.
    """
    from elocute.server.sources import settled

    settings = settled(_given(ctx), os.environ, config)
    if print_config:
        typer.echo(settings.to_toml(), nl=False)
        return
    try:
        from elocute.server.run import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "elocute":
            raise
        raise MissingExtraError(
            f"`elocute serve` needs {error.name}, which is not installed; run: pip install 'elocute[serve]'"
        ) from error
    where = f"{settings.config.host}:{settings.config.port}"
    if sys.stderr.isatty():
        sys.stderr.write(f"elocute: http://{where} in a moment; Ctrl-C stops\n")
    if not run(settings.config):
        raise ConfigError(f"cannot serve on {where}, see the log; choose another --port or --host")


def _given(ctx: typer.Context) -> dict[str, Any]:
    """Settings that stand on the command line."""
    given: dict[str, Any] = {}
    for name, value in ctx.params.items():
        source = ctx.get_parameter_source(name)  # by its name, as typer brings a click of its own
        if name not in _NO_SETTINGS and source is not None and source.name == "COMMANDLINE":
            given[name] = plain_value(value)
    given |= {"cors": tuple(given["cors"])} if "cors" in given else {}
    return given
