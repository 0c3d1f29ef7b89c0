"""A training drawn: loss, correlation with people, errors and validity over its epochs, from `curve.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from elocute.evaluation.svg import Drawing, Scale, ticks
from elocute.mllm.writing import write_text
from elocute.training.ctc_state import CURVE

FILE = "curve.svg"
_WIDE, _HIGH, _LEFT, _TOP, _GAP = 210.0, 150.0, 44.0, 44.0, 58.0
_COLOURS = "".join(f".plot polyline.s{n} {{ fill: none; stroke: var(--s{n}); }}\n" for n in range(8))
_SPREAD = 11.0
"""Labels at the right end of lines lie at least so far apart."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line of a panel.

    Attributes:
        label: at its end.
        points: epoch and value.
        is_measured: whether it is shown by dots, too: measured now and then, not all the time.
    """

    label: str
    points: Points
    is_measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Lines with one scale.

    Attributes:
        title: above.
        series: those with points are drawn.
        level: a dashed line: its label and value.
    """

    title: str
    series: tuple[Series, ...]
    level: tuple[str, float] | None = None


def write_curve(out: Path, updates_an_epoch: int) -> None:
    """Draw the curve of a run folder as it is so far."""
    style = files("elocute.evaluation").joinpath("plots.css").read_text(encoding="utf-8")
    curve = [json.loads(line) for line in (out / CURVE).read_text(encoding="utf-8").splitlines()]
    drawing = draw_curve(curve, updates_an_epoch)
    write_text(out / FILE, drawing.file(style + _COLOURS))


def draw_curve(curve: Sequence[Mapping[str, Any]], updates_an_epoch: int) -> Drawing:
    """Panels beside each other, those alone for which something was measured.

    Args:
        curve: points of `curve.jsonl`.
        updates_an_epoch: places them.
    """
    panels = [panel for panel in _panels(curve, updates_an_epoch) if any(one.points for one in panel.series)]
    last = max((point["step"] for point in curve), default=1) / updates_an_epoch
    drawing = Drawing(
        "curve",
        _LEFT + (_WIDE + _GAP + _LEFT) * max(1, len(panels)),
        _TOP + _HIGH + 40,
        title="A training by epochs",
        description="; ".join(
            f"{panel.title}: {', '.join(f'{s.label} {s.points[-1][1]:.3f}' for s in panel.series if s.points)}"
            for panel in panels
        )
        + " at the end",
    )
    for number, panel in enumerate(panels):
        _draw(drawing, panel, _LEFT + (_WIDE + _GAP + _LEFT) * number, last)
    return drawing


def _panels(curve: Sequence[Mapping[str, Any]], updates_an_epoch: int) -> list[Panel]:
    """What is shown of a curve."""

    def series(name: str, label: str, *, factor: float = 1.0, is_measured: bool = True) -> Series:
        points = [(point["step"] / updates_an_epoch, factor * point[name]) for point in curve if name in point]
        return Series(label=label, points=points, is_measured=is_measured)

    echo = [point["per_echo"] for point in curve if "per_echo" in point]
    return [
        Panel(
            title="Loss of an answer's token, nats",
            series=(series("loss", "training", is_measured=False), series("heldout_loss", "held out")),
        ),
        Panel(
            title="Correlation with people's scores",
            series=tuple(series(f"pcc/{name}", name) for name in ("accuracy", "fluency", "prosodic", "total")),
        ),
        Panel(
            title="Errors of transcripts",
            series=(series("wer", "WER"), series("per", "PER")),
            level=("PER of an echo", echo[-1]) if echo else None,
        ),
        Panel(
            title="Answers that are JSON, %",
            series=(
                series("json_valid/apa", "scores", factor=100),
                series("json_valid/mdd", "transcripts", factor=100),
            ),
        ),
    ]


def _draw(drawing: Drawing, panel: Panel, left: float, last: float) -> None:
    """One panel."""
    values = [value for one in panel.series for _, value in one.points] + ([panel.level[1]] if panel.level else [])
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.5
    across = Scale(low=0.0, high=max(last, 1e-6), start=left, end=left + _WIDE)
    up = Scale(low=low - margin, high=high + margin, start=_TOP + _HIGH, end=_TOP)
    drawing.text(left, 24, panel.title, "strong")
    for value in ticks(up.low, up.high, 4):
        drawing.line(left, up(value), left + _WIDE, up(value), "grid")
        drawing.text(left - 6, up(value) + 4, f"{value:g}", "muted", anchor="end")
    for value in ticks(across.low, across.high, 4):
        drawing.text(across(value), _TOP + _HIGH + 16, f"{value:g}", "muted", anchor="middle")
    drawing.text(left + _WIDE, _TOP + _HIGH + 32, "epochs", "muted", anchor="end")
    if panel.level is not None:
        drawing.line(left, up(panel.level[1]), left + _WIDE, up(panel.level[1]), "ideal", tip=panel.level[0])
        drawing.text(left + 4, up(panel.level[1]) - 4, f"{panel.level[0]} {panel.level[1]:.3f}", "small")
    shown = [one for one in panel.series if one.points]
    for number, one in enumerate(shown):
        drawing.path([(across(x), up(y)) for x, y in one.points], f"s{2 * number}")
        for x, y in one.points if one.is_measured else ():
            drawing.circle(across(x), up(y), 2.5, f"s{2 * number}", tip=f"{one.label}, epoch {x:.0f}: {y:.3f}")
    ends = [(up(one.points[-1][1]), one.label) for one in shown]
    below = -1e9
    for place, label in sorted(ends):
        below = max(place, below + _SPREAD)
        drawing.text(left + _WIDE + 5, below + 3, label, "small")
