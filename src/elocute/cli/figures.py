"""Figures in terminal tables: numbers without their leading zero, intervals, and a note under each table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from elocute.evaluation.bootstrap import Estimate

NONE = "-"
"""Stands for a figure that does not exist."""


def new_table(title: str, *columns: str, left: int = 1) -> Table:
    """An empty table; the first columns are text, the others numbers."""
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for index, name in enumerate(columns):
        is_text = index < left
        # Names that must wrap wrap at spaces; no figure ever does.
        table.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text, min_width=8 * is_text)
    return table


def with_note(table: Table, note: str = "") -> Group:
    """A table under its title, and how to read it; rich would break both at the table's width."""
    title, table.title = Text(str(table.title), style="bold"), None
    return Group(title, table, *([Text(note, style="dim")] if note else []))


def number(value: float | None, decimals: int = 3) -> str:
    """A figure without its leading zero."""
    if value is None:
        return NONE
    text = f"{round(value, decimals) + 0.0:.{decimals}f}"  # no -.000
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def interval(estimate: Estimate) -> str:
    """The interval."""
    if estimate.low is None or estimate.high is None:
        return NONE
    return f"{number(estimate.low)}{' to ' if estimate.low < 0 else '-'}{number(estimate.high)}"


def with_interval(estimate: Estimate) -> str:
    """Value and interval."""
    return number(estimate.value) if estimate.low is None else f"{number(estimate.value)} ({interval(estimate)})"
