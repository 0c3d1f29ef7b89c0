"""Hard cases as tables for a terminal, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from elocute.cli.figures import NONE, new_table, number, with_interval, with_note
from elocute.evaluation.robustness_result import Robustness

_SHORT = {"mispronunciation": "mispr", "omission": "omiss", "truncation": "trunc", "repetition": "repet"}
_SHORT |= {"restart": "restart", "insertion": "insert"}


def render(result: Robustness) -> Iterator[RenderableType]:
    """The tables, 80 columns wide."""
    data = result.data
    yield Text(f"Robustness: {data['corpus']} {data['split'] or ''}".strip(), style="bold")
    speakers = f"{data['speakers']} speakers" if data["has_speakers"] else "speakers unknown"
    left = "; ".join(f"{count} x {reason}" for reason, count in data["left_out"].items())
    yield Text(f"{data['utterances']} utterances, {speakers}" + (f"; not used: {left}" if left else ""))
    for name, reason in result.unreadable.items():
        yield Text(f"Cannot be used: {name} ({reason})", style="yellow")
    yield ""
    yield _totals(result)
    yield ""
    yield _successes(result)
    yield ""
    yield _errors(result)
    if any(case.group == "distorted" and case.change for case in result.cases):
        yield ""
        yield _changes(result)
    if any(case.reasons for case in result.cases):
        yield ""
        yield _reasons(result)
    missing = [(case.name, reason, n) for case in result.cases for reason, n in case.not_built.items()]
    if missing:
        yield ""
        yield from (Text(f"Not made: {name}, {n} x {reason}") for name, reason, n in missing)
    yield ""
    for note in result.notes:
        yield Text(f"Note: {note}")


def _totals(result: Robustness) -> RenderableType:
    """Where the totals lie."""
    table = new_table(
        "Total score of 100", "case", "n", "refused", "p5", "median", "p95", "max", "AUC to clean (95 %)", "compl."
    )
    for case in result.cases:
        total = case.total
        table.add_row(
            case.name,
            str(case.recordings),
            str(case.refused),
            *(f"{value:.0f}" for value in (total.p5, total.median, total.p95, total.highest)),
            NONE if case.separation is None else with_interval(case.separation),
            number(case.completeness.value, 2),
        )
    return with_note(
        table,
        "A refusal counts as 0, and as lowest in the AUC: the probability that a clean recording with its text gets a "
        "higher total. compl.: mean completeness of what was scored.",
    )


def _successes(result: Robustness) -> RenderableType:
    """Whether what was found is right."""
    table = new_table("Success", "case", "what it is", "right", "of", "share (95 %)", "on clean", left=2)
    for case in result.cases:
        table.add_row(
            case.name,
            case.about,
            str(case.succeeded),
            str(case.recordings),
            with_interval(case.success),
            with_interval(case.on_clean).split(" ")[0],
        )
    means = {case.group: case.success_means for case in result.cases}
    members = {group: ", ".join(case.name for case in result.cases if case.group == group) for group in means}
    lines = [f"{members[group]}: {text}." for group, text in means.items()]
    lines.append("on clean: share of clean recordings that pass the same measure at the same place, a false alarm.")
    return with_note(table, "\n".join(lines))


def _errors(result: Robustness) -> RenderableType:
    """What was flagged."""
    table = new_table("Words flagged, per recording", "case", *(_SHORT[name] for name in result.cases[0].errors))
    for case in result.cases:
        table.add_row(case.name, *(number(value, 2) for value in case.errors.values()))
    return with_note(table)


def _changes(result: Robustness) -> RenderableType:
    """What distortions change."""
    table = new_table(
        "Change from the clean recording", "case", "pairs", "total (95 %)", "phones", "|phone|", "PCC", "lost words"
    )
    for case in result.cases:
        if case.group == "distorted" and case.change is not None:
            change = case.change
            table.add_row(
                case.name,
                str(change.pairs),
                _points(change.total.value, change.total.low, change.total.high),
                _points(change.phone.value),
                number(change.phone_distance.value, 1),
                number(change.pcc.value),
                number(change.false_omissions.value),
            )
    return with_note(
        table,
        "Where both were scored, points of 100. |phone|: mean absolute change of a phone. PCC: of the totals with the "
        "clean ones. lost words: share of words falsely called omitted.",
    )


def _points(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A change in points, with its interval."""
    if value is None:
        return "-"
    return f"{value:+.1f}" + (f" ({low:+.1f} to {high:+.1f})" if low is not None and high is not None else "")


def _reasons(result: Robustness) -> RenderableType:
    """Why recordings were refused."""
    table = new_table("Reasons of refusals", "case", "reason", "n", left=2)
    for case in result.cases:
        for reason, count in case.reasons.items():
            table.add_row(case.name, reason, str(count))
    return with_note(table)
