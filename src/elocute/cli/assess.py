"""`elocute assess`: one recording and its text become one report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.options import (
    DEFAULT_ADVICE,
    DEFAULT_SCALE,
    DEFAULT_SENSITIVITY,
    DEFAULTS,
    AdviceChoice,
    AdviceLevel,
    BackendName,
    Confusions,
    FirstLanguage,
    LexiconFile,
    ReportFormatChoice,
    ScaleChoice,
    ScorerFolder,
    SensitivityChoice,
    Variants,
    Verbose,
    assessor_config,
)
from elocute.cli.output import ReportFormat, Scale, show, speaks_unicode, write
from elocute.errors import ConfigError, TextError

if TYPE_CHECKING:
    from elocute.report import Report
    from elocute.wording import LanguageModel

EXAMPLES = (
    'elocute assess me.wav "I think so"',
    'elocute assess me.wav "I think so" --format json -o report.json',
    'elocute assess me.wav "I think so" --format azure',
    "elocute assess me.m4a @sentence.txt --scale 10 --sensitivity high",
    'elocute assess me.wav "I think so" --plot me.html',
    'ffmpeg -i talk.mp4 -f wav - | elocute assess - "I think so"',
)
"""Shown under the help of the command."""


def assess(
    ctx: typer.Context,
    audio: Annotated[
        str, typer.Argument(metavar="AUDIO", help="Recording (wav, flac, mp3, ogg, webm, m4a ...); - reads stdin.")
    ],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What was read aloud, in quotes; @FILE reads it from a file.")
    ],
    format: ReportFormatChoice = ReportFormat.TEXT,
    backend: BackendName = DEFAULTS.backend,
    scorer: ScorerFolder = DEFAULTS.scorer,
    scale: ScaleChoice = DEFAULT_SCALE,
    lexicon: LexiconFile = None,
    variants: Variants = DEFAULTS.variants,
    sensitivity: SensitivityChoice = DEFAULT_SENSITIVITY,
    confusions: Confusions = DEFAULTS.confusions,
    l1: FirstLanguage = DEFAULTS.l1,
    advice: AdviceChoice = DEFAULT_ADVICE,
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads; default: all.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write there, not to stdout.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also draw sounds, scores, pitch and pauses: FILE.html is a page that holds the recording, to be "
            "played; FILE.png needs the extra 'plot'.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Somebody else's recording of the same text, to compare the melody with.", exists=True
        ),
    ] = None,
    pitch: Annotated[
        str, typer.Option(metavar="NAME", help="Pitch tracker; 'praat' needs the extra of that name.")
    ] = DEFAULTS.pitch,
    llm: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Let a language model word the advice: address of any server with OpenAI's API, such as "
            "http://localhost:11434/v1. It is told the words that went wrong and how, never the sound. A key is read "
            "from ELOCUTE_LLM_KEY.",
        ),
    ] = None,
    llm_model: Annotated[str | None, typer.Option(metavar="NAME", help="Model at that server.")] = None,
    llm_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="After that the advice is in the words of the rules.")
    ] = 20.0,
    verbose: Verbose = False,
) -> None:
    """Say how well a recording speaks its text."""
    from elocute.assessors import load_assessor
    from elocute.audio import load_audio
    from elocute.phones import UserLexicon
    from elocute.prosody.trackers import load_pitch_tracker

    if plot is not None:
        _check_plot(plot, out)
    if format is ReportFormat.AZURE and scale is not Scale.HUNDRED:
        raise ConfigError(f"scale is {scale}, and Azure's format has no such scale; leave --scale out for 0 to 100")
    model = _language_model(llm, llm_model, llm_timeout, advice)
    sentence = _text(text)
    recording = _piped() if audio == "-" else audio
    words = None if lexicon is None else UserLexicon.from_file(lexicon)
    config = assessor_config(ctx)
    assessor = load_assessor(config)
    tracker = load_pitch_tracker(pitch)
    heard = None if plot is None else load_audio(recording)
    report = assessor.assess(heard or recording, sentence, lexicon=words, reference=reference)
    if model is not None:
        from elocute.wording import reword

        report = reword(report, model, l1=config.l1)
    if format is ReportFormat.JSON:
        write(report.to_json(indent=2) + "\n", out)
    elif format is ReportFormat.AZURE:
        _write_azure(report, out)
    else:
        from elocute.cli.table import ASCII, UNICODE, render

        show(render(report, UNICODE if out is not None or speaks_unicode(sys.stdout) else ASCII), out=out)
    if plot is not None and heard is not None:  # last, so that a full disk costs no more than the picture
        from elocute.picture import draw

        draw(report, heard, plot, pitch=tracker.track(heard))


def _write_azure(report: Report, out: Path | None) -> None:
    """Write the report in Azure's shape; its warnings, which have no place there, go to stderr."""
    from elocute.azure import to_azure_json

    for warning in report.warnings:
        sys.stderr.write(f"elocute: {warning}\n")
    write(to_azure_json(report, indent=2) + "\n", out)


def _language_model(url: str | None, name: str | None, timeout_s: float, advice: AdviceLevel) -> LanguageModel | None:
    """The model that words the advice; None where none is wanted. Refuses before anything is assessed."""
    if url is None and name is None:
        return None
    if url is None or name is None:
        raise typer.BadParameter("--llm and --llm-model go together: the address of a server, and a model there")
    if advice is AdviceLevel.OFF:
        raise typer.BadParameter("there is no advice to word; leave --llm or --advice off out")
    from elocute.wording import LanguageModel

    return LanguageModel(url=url, name=name, timeout_s=timeout_s)


def _check_plot(plot: Path, out: Path | None) -> None:
    """Refuse a picture that cannot be drawn before anything is assessed."""
    from elocute.picture import check_place

    check_place(plot)
    if out is not None and out.resolve() == plot.resolve():
        raise ConfigError(f"report and picture would both be written to {out}; name two files")


def _piped() -> bytes:
    """The recording on stdin."""
    if sys.stdin.isatty():
        raise typer.BadParameter("'-' reads the recording from stdin, but nothing is piped in; name a file")
    return sys.stdin.buffer.read()


def _text(text: str) -> str:
    """The text itself, or the contents of the file that it names."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"text file {text[1:]} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise TextError(
            f"cannot read text file {text[1:]!r}: {error.strerror}; give the text itself, or @ and a file's name"
        ) from error
