"""The totals of every hard case as one drawing: where they lie, and how many were refused."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from elocute.evaluation.robustness_result import CaseResult, Robustness
from elocute.evaluation.svg import Drawing, Scale, ticks

WIDTH = 480.0
_STEP = 20.0
_TOP = 24.0


def totals_file(result: Robustness) -> str:
    """The drawing as an SVG file of its own."""
    style = files("elocute.evaluation").joinpath("plots.css").read_text(encoding="utf-8")
    return totals(result).file(style)


def totals(result: Robustness) -> Drawing:
    """A row a case: every total as a tick, the middle half as a bar, the median as a dot; refusals as a share."""
    bottom = _TOP + _STEP * len(result.cases)
    drawing = Drawing(
        "robustness",
        WIDTH,
        bottom + 56,
        title="Total scores of hard cases",
        description="For every case, the totals of its recordings: a tick each, a bar from the first to the third "
        "quartile, a dot at the median, all without refusals, whose share stands to the right.",
    )
    scale = Scale(low=0.0, high=100.0, start=130, end=WIDTH - 60)
    for value in ticks(0, 100):
        x = scale(value)
        drawing.line(x, _TOP, x, bottom, "grid")
        drawing.text(x, bottom + 14, f"{value:g}", "muted", anchor="middle")
    drawing.text((scale.start + scale.end) / 2, bottom + 29, "total score of 100", "muted", anchor="middle")
    drawing.text(WIDTH - 6, 13, "refused", "small", anchor="end")
    for index, case in enumerate(result.cases):
        _row(drawing, scale, _TOP + _STEP * (index + 0.5), case, result.totals[case.name])
    drawing.circle(14, bottom + 45, 4.5, "mean")
    drawing.text(24, bottom + 49, "median of what was scored; bar: middle half; ticks: single recordings")
    return drawing


def _row(drawing: Drawing, scale: Scale, y: float, case: CaseResult, found: tuple[float | None, ...]) -> None:
    """One case."""
    drawing.text(scale.start - 8, y + 4, case.name, anchor="end")
    scored = np.array([total for total in found if total is not None])
    share = 1 - len(scored) / len(found)
    drawing.text(WIDTH - 6, y + 4, f"{share:.0%}", "small", anchor="end")
    if not len(scored):
        return
    low, middle, high = (float(value) for value in np.percentile(scored, [25, 50, 75]))
    tip = f"{case.name}: {len(scored)} of {len(found)} scored, median {middle:.0f}, quartiles {low:.0f} and {high:.0f}"
    drawing.rect(scale(low), y - 6, max(scale(high) - scale(low), 1.0), 12, "heat", tip=tip, ink=0.35)
    # Equal marks are drawn once: a thousand recordings must not make a file of megabytes.
    for x in sorted({round(scale(float(total)), 1) for total in scored}):
        drawing.line(x, y - 4, x, y + 4, "model")
    drawing.circle(scale(middle), y, 4.5, "mean", tip=tip)
