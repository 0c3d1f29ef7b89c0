"""Drawings of an ablation: ranks and entropies as heat maps over layers and modules, figures with their intervals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from elocute.evaluation.svg import Drawing, Scale, ticks
from elocute.mllm.ablation.entropy import PLACES
from elocute.mllm.ablation.table import METRICS, Row, Table
from elocute.mllm.writing import write_text

KINDS = ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj")
_PLACE = re.compile(r"layers\.(\d+)\.(.+)$")
_CELL, _HIGH, _LEFT, _TOP = 22.0, 15.0, 96.0, 20.0
_SHOWN = ("wer", "per", "ppl", "pcc_total")
"""Metrics that are drawn; the others stand in the table."""
_RATIOS = ("ppl",)
"""Those whose axis is logarithmic: a model without any adaptation is twenty times as perplexed."""

Map = Mapping[str, float]


def write_plots(out: Path, table: Table, records: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """All drawings as SVG files beside the table.

    Args:
        out: folder.
        table: figures.
        records: of every training, by arm.
    """
    style = files("elocute.evaluation").joinpath("plots.css").read_text(encoding="utf-8")
    write_text(out / "figures.svg", figures(table).file(style))
    ranks = {name: mean_ranks(found) for name, found in records.items() if found[0]["ranks"]}
    if ranks:
        drawing = heat_maps("ranks", ranks, "Ranks", "Mean rank over seeds of each module's adapter", digits=0)
        write_text(out / "ranks.svg", drawing.file(style))
    measured = [record["entropies"] for found in records.values() for record in found if record["entropies"]]
    if measured:
        write_text(out / "entropies.svg", entropy_maps(measured).file(style))


def mean_ranks(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean rank of every module over trainings; one that lost its adapter has 0."""
    names = dict.fromkeys(name for record in records for name in record["ranks"])
    return {name: float(np.mean([record["ranks"].get(name, 0) for record in records])) for name in names}


def entropy_maps(measured: Sequence[Mapping[str, Mapping[str, Any]]]) -> Drawing:
    """Mean spectral entropies of what goes into each module, a map for every kind of position."""
    maps: dict[str, Map] = {}
    for place in PLACES:
        values = {name: [one[name][place]["entropy"] for one in measured] for name in measured[0]}
        maps[place] = {name: float(np.mean(found)) for name, found in values.items() if None not in found}
    return heat_maps(
        "entropies",
        {place: values for place, values in maps.items() if values},
        "Spectral entropy",
        "Normalised entropy of the covariance of what goes into each module; darker is higher",
        digits=2,
    )


def heat_maps(name: str, maps: Mapping[str, Map], title: str, description: str, *, digits: int) -> Drawing:
    """Maps below each other, a row for every kind of module, a column for every layer; shades share one scale.

    Args:
        name: of the drawing.
        maps: values by name of the module, by name of the map.
        title: what is shown.
        description: what there is to see.
        digits: of the values in the cells.
    """
    layers = 1 + max(layer for values in maps.values() for layer, _ in map(place_of, values))
    values = [value for one in maps.values() for value in one.values()]
    low, high = min(values), max(values)
    block = _TOP + _HIGH * len(KINDS) + 8
    drawing = Drawing(
        name,
        max(260.0, _LEFT + _CELL * layers + 10),
        24 + block * len(maps) + 20,
        title=title,
        description=f"{description}. Columns are layers, from the first.",
    )
    drawing.text(8, 14, title, "strong")
    for index, (label, one) in enumerate(maps.items()):
        top = 24 + block * index
        drawing.text(8, top + 13, label)
        for row, kind in enumerate(KINDS):
            drawing.text(_LEFT - 5, top + _TOP + _HIGH * row + 11, kind.split(".")[1], "small", anchor="end")
        for module, value in one.items():
            layer, kind = place_of(module)
            place = _LEFT + _CELL * layer, top + _TOP + _HIGH * KINDS.index(kind)
            ink = 0.08 + 0.72 * ((value - low) / (high - low) if high > low else 0.5)
            tip = f"{label}, {module}: {value:.{max(digits, 1)}f}"
            drawing.rect(*place, _CELL - 1, _HIGH - 1, "heat", tip=tip, ink=ink)
            text = f"{value:.{digits}f}".removeprefix("0") or "0"
            drawing.text(place[0] + _CELL / 2, place[1] + 11, text, "tiny", anchor="middle")
    bottom = 24 + block * len(maps) + 8
    for layer in range(0, layers, 1 if layers <= 16 else 4):
        drawing.text(_LEFT + _CELL * (layer + 0.5), bottom, str(layer), "muted", anchor="middle")
    return drawing


def place_of(module: str) -> tuple[int, str]:
    """Layer and kind of a module of the language model."""
    match = _PLACE.search(module)
    if match is None or match[2] not in KINDS:
        raise ValueError(f"{module} is no linear of a layer")
    return int(match[1]), match[2]


def figures(table: Table) -> Drawing:
    """A panel for each of a few metrics: every arm a dot with its interval, the reference as a dashed line."""
    shown = [name for name in _SHOWN if any(_ends(row, name) for row in table.rows)]
    step, wide, left, gap = 18.0, 190.0, 150.0, 40.0
    bottom = 40 + step * len(table.rows)
    drawing = Drawing(
        "figures",
        left + (wide + gap) * max(1, len(shown)),
        bottom + 24,
        title="Arms of the ablation",
        description="Means over seeds with 95 % intervals over speakers and seeds, an arm a row; the dashed line is "
        f"the reference, {table.reference}. Intervals of differences stand in the table.",
    )
    for index, row in enumerate(table.rows):
        drawing.text(left - 10, 44 + step * (index + 0.3), row.name, anchor="end")
    for number, name in enumerate(shown):
        _panel(drawing, table, name, left + (wide + gap) * number, wide, bottom, step)
    return drawing


def _panel(drawing: Drawing, table: Table, name: str, left: float, wide: float, bottom: float, step: float) -> None:
    """One metric."""
    ends = [value for row in table.rows for value in _ends(row, name)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    bent: Callable[[float], float] = math.log if name in _RATIOS and low > 0 else float
    margin = 0.05 * (bent(high) - bent(low)) or 1.0
    straight = Scale(low=bent(low) - margin, high=bent(high) + margin, start=left, end=left + wide)

    def scale(value: float) -> float:
        return straight(bent(value))

    way = "more" if METRICS[name].is_better_high else "less"
    drawing.text(left, 18, f"{METRICS[name].title} ({way} is better)", "strong")
    rounds = [n * 10**power for power in range(-1, 5) for n in (1, 2, 5)]
    inside = [value for value in rounds if low <= value <= high]
    for value in ticks(straight.low, straight.high, 4) if bent is float else inside:
        drawing.line(scale(value), 30, scale(value), bottom, "grid")
        drawing.text(scale(value), bottom + 14, f"{value:g}", "muted", anchor="middle")
    for index, row in enumerate(table.rows):
        estimate, y = row.values.get(name), 40 + step * (index + 0.3)
        if estimate is None or estimate.value is None:
            continue
        if row.name == table.reference:
            drawing.line(scale(estimate.value), 30, scale(estimate.value), bottom, "ideal")
        tip = f"{row.name}: {estimate.value:.{METRICS[name].digits}f}"
        if estimate.low is not None and estimate.high is not None:
            tip += f" ({estimate.low:.{METRICS[name].digits}f} to {estimate.high:.{METRICS[name].digits}f})"
            drawing.line(scale(estimate.low), y, scale(estimate.high), y, "model", tip=tip)
        drawing.circle(scale(estimate.value), y, 3.5, "model", tip=tip)


def _ends(row: Row, name: str) -> list[float]:
    """Value and ends of the interval, as far as they are known."""
    estimate = row.values.get(name)
    ends = [] if estimate is None else [estimate.value, estimate.low, estimate.high]
    return [value for value in ends if value is not None]
