"""`elocute profile`: a learner over past reports: what improved, what did not, what next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.options import FormatChoice, Verbose
from elocute.cli.output import Format, show, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from elocute.learner.progress import Learner, Rate, SoundProgress

EXAMPLES = (
    "elocute profile reports.jsonl",
    "elocute profile january.jsonl february.jsonl --html me.html",
    "elocute profile monday.json tuesday.json --l1 zh --format json",
)
"""Shown under the help of the command."""

_MOST_SOUNDS = 12
"""So many sounds does the table show; JSON and the page have all."""
_MOST_HEARD = 2


def profile(
    reports: Annotated[
        list[Path],
        typer.Argument(metavar="REPORTS...", help="Outputs of `elocute batch`, or of `elocute assess --format json`."),
    ],
    html: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Also write a page with drawings, which asks nothing of a server."),
    ] = None,
    format: FormatChoice = Format.TEXT,
    l1: Annotated[
        str | None, typer.Option("--l1", metavar="LANGUAGE", help="First language: says why sounds are hard.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Show how one learner's sounds and scores changed over past reports, and what to practise next.

    The attempts are ordered by day, from a field "date" beside "report" or a day in the id ("2026-03-01 morning"); if
    one has none, by their order in the files. The earlier half is compared with the later half. Better or worse is said
    only where luck would seldom do the same.
    """
    from elocute.evaluation.result import dumps
    from elocute.learner.attempts import read_history
    from elocute.learner.progress import progress_of
    from elocute.phones.l1 import l1_profile

    language = None if l1 is None else l1_profile(l1)
    learner = progress_of(read_history(reports))
    if html is not None:
        from elocute.learner.page import learner_html

        write(learner_html(learner, language), html)
    if format is Format.JSON:
        write(dumps(learner, "elocute learner 1"))
    else:
        show(*_render(learner))
        if language is not None:
            show(*_reasons(learner, language.name, {p: r.reason for p, r in language.phones.items()}))


def _render(learner: Learner) -> Iterator[RenderableType]:
    """Everything as tables."""
    from elocute.cli.figures import new_table, number, with_note

    count = len(learner.attempts)
    left_out = "".join(f"; left out: {reason} ({n})" for reason, n in learner.skipped.items())
    yield f"{count} attempts{f', {learner.days[0]} to {learner.days[-1]}' if learner.days[0] else ''}{left_out}"
    yield ""
    table = new_table("Scores, 0 to 100", "", "before", "after", "by luck", "verdict")
    for score in learner.scores:
        table.add_row(score.name, number(score.before, 1), number(score.after, 1), number(score.p, 2), score.verdict)
    yield with_note(table)
    yield ""
    table = new_table("Sounds that go wrong, % wrong", "", "said", "before", "after", "by luck", "verdict", "heard")
    wrong = [sound for sound in learner.sounds if sound.before.wrong + sound.after.wrong]
    for sound in (learner.all_sounds, *wrong[:_MOST_SOUNDS]):
        said = f"{sound.before.n}+{sound.after.n}"
        rates = (_percent(sound.before), _percent(sound.after))
        table.add_row(sound.phone or "all", said, *rates, number(sound.p, 2), sound.verdict, _heard(sound))
    more = f"and {len(wrong) - _MOST_SOUNDS} more sounds in --format json. " if len(wrong) > _MOST_SOUNDS else ""
    yield with_note(table, f"{more}by luck: how often a division into halves does as much without any change.")
    yield ""
    yield f"Practise next: {learner.next_sentence}" + (
        f" ({', '.join(learner.next_phones)})" if learner.next_phones else ""
    )
    yield ""
    yield from (f"- {note}" for note in learner.notes)


def _percent(rate: Rate) -> str:
    """A share in percent."""
    return "-" if rate.value is None else f"{100 * rate.value:.0f}"


def _heard(sound: SoundProgress) -> str:
    """What was mostly heard instead."""
    named = [
        f"{'nothing' if actual is None else 'accent' if actual == sound.phone else actual} {before + after}"
        for actual, before, after in sound.heard[:_MOST_HEARD]
    ]
    return ", ".join(named)


def _reasons(learner: Learner, language: str, reasons: dict[str, str]) -> Iterator[str]:
    """Why the first language makes the wrong sounds hard."""
    wrong = [sound.phone for sound in learner.sounds if sound.phone in reasons and sound.after.wrong]
    if wrong:
        yield ""
        yield f"Why, for speakers of {language}:"
        yield from (f"- {phone}: {reasons[phone]}" for phone in wrong[:_MOST_SOUNDS] if phone is not None)
