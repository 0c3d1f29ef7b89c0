"""Options that several commands share."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from elocute.cli.output import Format, ReportFormat, Scale
from elocute.config import AssessorConfig

DEFAULTS = AssessorConfig()
DEFAULT_SCALE = Scale(str(DEFAULTS.scale))
VERBOSE = "elocute.verbose"
"""Key in the context's meta data that says whether errors come with a traceback."""


def _remember(ctx: typer.Context, verbose: bool) -> bool:
    """Tell the group, which handles the errors."""
    if verbose:
        ctx.meta[VERBOSE] = True
    return verbose


Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", callback=_remember, help="With an error, show where in the code it arose.")
]
BackendName = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="What hears, also 'hf:FOLDER', 'onnx:FOLDER', 'zipa:FOLDER', 'phi4:FOLDER', or 'ensemble:A,B' for "
        "several; see `elocute models`.",
    ),
]
ScorerFolder = Annotated[
    str | None,
    typer.Option(
        "--scorer",
        metavar="DIR",
        help="Scorer that `elocute train scorer --out DIR` made; default: the shipped one that suits the backend.",
    ),
]
ScaleChoice = Annotated[Scale, typer.Option(help="Highest score.")]
LexiconFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        metavar="FILE",
        help="Your pronunciations: lines of 'word ARPABET' or 'word /IPA/'.",
    ),
]
FormatChoice = Annotated[Format, typer.Option(help="A table for people, or JSON for programs.")]
ReportFormatChoice = Annotated[
    ReportFormat,
    typer.Option(
        "--format",
        help="A table for people, JSON for programs, or the JSON of Azure Pronunciation Assessment for programs that "
        "were written for it.",
    ),
]
Variants = Annotated[
    bool,
    typer.Option("--variants/--no-variants", help="Accept other good pronunciations than the dictionary's first."),
]


class SensitivityLevel(StrEnum):
    """How readily a phone is flagged."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


DEFAULT_SENSITIVITY = SensitivityLevel(DEFAULTS.sensitivity)
SensitivityChoice = Annotated[
    SensitivityLevel,
    typer.Option(
        "--sensitivity",
        help="How readily a sound is called wrong: 'low' is right about 8 flags in 10, 'normal' about 7, 'high' about "
        "6, and finds most.",
    ),
]


class AdviceLevel(StrEnum):
    """For whom advice is written."""

    OFF = "off"
    CHILD = "child"
    LEARNER = "learner"
    TEACHER = "teacher"


DEFAULT_ADVICE = AdviceLevel(DEFAULTS.advice)
AdviceChoice = Annotated[
    AdviceLevel,
    typer.Option("--advice", help="For whom the advice is written; 'teacher' has IPA and the terms of phonetics."),
]
FirstLanguage = Annotated[
    str | None,
    typer.Option(
        "--l1",
        metavar="LANGUAGE",
        help="The speaker's first language, 'zh' or 'Mandarin': which errors to expect. Scores do not depend on it.",
    ),
]
Confusions = Annotated[
    bool,
    typer.Option(
        "--confusions/--no-confusions", help="Expect likely errors (S for TH) more than unlikely ones (M for TH)."
    ),
]


def plain_value(value: Any) -> Any:
    """What an option stands for: a choice is a text, or a number where it is a scale."""
    if isinstance(value, Scale):
        return int(value)
    return value.value if isinstance(value, StrEnum) else value


def assessor_config(ctx: typer.Context, **fixed: Any) -> AssessorConfig:
    """How recordings are assessed, from those options of a command that have the name of a setting.

    Args:
        ctx: of the command.
        fixed: settings that are not for the user to choose there.

    Raises:
        ConfigError: there is no such first language.
    """
    from elocute.phones.l1 import l1_profile

    names = {item.name for item in fields(AssessorConfig)}
    chosen = {name: plain_value(value) for name, value in ctx.params.items() if name in names}
    if chosen["l1"] is not None:
        chosen["l1"] = l1_profile(chosen["l1"]).code
    return AssessorConfig(**chosen, **fixed)
