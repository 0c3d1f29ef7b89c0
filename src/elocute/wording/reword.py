"""A report whose advice a language model has put into other words; the rules' own where it fails, with a warning."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files

from elocute.errors import ConfigError
from elocute.report import Feedback, Report
from elocute.wording.check import Piece, checked
from elocute.wording.client import LanguageModel, WordingError
from elocute.wording.facts import Fact, facts_of, whole

PROMPT = "advice-1"
"""Name of the prompt, with its version: a changed prompt gets a new number."""


def reword(report: Report, model: LanguageModel, *, l1: str | None = None) -> Report:
    """The report with its feedback in the model's words.

    Nothing but the feedback changes. Where the model gives no answer in time, or none that may be shown, the advice by
    the rules stays, and a warning says why. A report without feedback asks nobody.

    Args:
        report: with advice by the rules.
        model: to ask; it is told the words that went wrong, what was heard, and the advice. Never the sound.
        l1: the speaker's first language, where known.

    Raises:
        ConfigError: there is no profile of the first language.
    """
    if not report.feedback:
        return report
    until_s = time.monotonic() + model.timeout_s
    facts = facts_of(report)
    told = json.dumps(whole(report, facts, l1), ensure_ascii=False)
    messages: list[Mapping[str, str]] = [
        {"role": "system", "content": prompt()},
        {"role": "user", "content": told},
    ]
    try:
        pieces = _ask(model, messages, facts, report.text, until_s)
    except WordingError as error:
        warning = f"advice is in the words of the rules: the language model at {model.place} {error}"
        return replace(report, warnings=(*report.warnings, warning))
    return replace(report, feedback=tuple(_worded(fact, pieces[fact.id], model) for fact in facts))


def prompt() -> str:
    """What the model is asked to do; ConfigError if the file is missing."""
    path = files("elocute.wording") / "prompts" / f"{PROMPT}.md"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"elocute's prompt {PROMPT}.md is missing; reinstall elocute") from error


def _ask(
    model: LanguageModel, messages: list[Mapping[str, str]], facts: tuple[Fact, ...], text: str, until_s: float
) -> Mapping[str, Piece]:
    """The checked answer; a model whose answer may not be shown is told why, and gets one more chance."""
    first = model.answer(messages, until_s)
    try:
        return checked(first, facts, text)
    except WordingError as error:
        complaint = f"Your answer {error}. Answer again with the JSON object alone, and keep to the rules."
        retold = [{"role": "assistant", "content": first}, {"role": "user", "content": complaint}]
        return checked(model.answer([*messages, *retold], until_s), facts, text)


def _worded(fact: Fact, piece: Piece, model: LanguageModel) -> Feedback:
    """The advice on one error in the model's words; words to compare stay those of the rules."""
    return replace(
        fact.piece,
        message=f"{piece.what_went_wrong} {piece.encouragement}",
        articulation=f"{piece.how_to_move} {piece.practice}",
        source=f"llm {model.name} {PROMPT}",
    )
