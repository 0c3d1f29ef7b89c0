"""Drawing: the few SVG shapes and scales that the plots need.

Written here rather than by a plotting library because the benchmark card must come out byte for byte alike on every
machine: libraries differ by version, font and back-end. Colours are classes of `plots.css`, so that one drawing serves
light and dark pages. Every coordinate is rounded to a hundredth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

NAMESPACE = "http://www.w3.org/2000/svg"

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Places values of [low, high] between two coordinates, evenly or by their logarithm.

    Attributes:
        low: value at `start`.
        high: value at `end`.
        start: coordinate, user units.
        end: coordinate, user units.
        is_log: by logarithm; then both values are above 0.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Coordinate of a value; values outside are placed at the nearer end."""
        value = min(max(value, self.low), self.high)
        low, high = (math.log(self.low), math.log(self.high)) if self.is_log else (self.low, self.high)
        share = ((math.log(value) if self.is_log else value) - low) / (high - low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values in [low, high], about as many as asked for, a step of 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def number(value: float) -> str:
    """A coordinate as it is written."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


class Drawing:
    """A plot under construction.

    Args:
        name: part of the ids that tie title and description to the drawing; unique on a page.
        width: of the view box.
        height: of the view box.
        title: what is shown, for readers who cannot see it and for tooltips.
        description: what there is to see.
    """

    def __init__(self, name: str, width: float, height: float, *, title: str, description: str) -> None:
        self.name = name
        self.width = width
        self.height = height
        self.title = title
        self.description = description
        self.root = Element(
            "svg",
            {
                "class": "plot",
                "viewBox": f"0 0 {number(width)} {number(height)}",
                "role": "img",
                "aria-labelledby": f"{name}-title {name}-desc",
            },
        )
        self._child("title", {"id": f"{name}-title"}, title)
        self._child("desc", {"id": f"{name}-desc"}, description)

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str, *, tip: str | None = None) -> None:
        """A straight line."""
        ends = {"x1": number(x1), "y1": number(y1), "x2": number(x2), "y2": number(y2)}
        self._tipped(self._child("line", {"class": style} | ends), tip)

    def rect(
        self, x: float, y: float, width: float, height: float, style: str, *, tip: str | None = None, ink: float = 1.0
    ) -> None:
        """A rectangle; `ink` below 1 lets the background through."""
        box = {"x": number(x), "y": number(y), "width": number(width), "height": number(height)}
        shade = {} if ink >= 1.0 else {"fill-opacity": number(ink)}
        self._tipped(self._child("rect", {"class": style} | box | shade), tip)

    def circle(self, x: float, y: float, radius: float, style: str, *, tip: str | None = None) -> None:
        """A circle."""
        place = {"cx": number(x), "cy": number(y), "r": number(radius)}
        self._tipped(self._child("circle", {"class": style} | place), tip)

    def shape(self, points: Sequence[tuple[float, float]], style: str, *, tip: str | None = None) -> None:
        """A closed polygon."""
        corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._tipped(self._child("polygon", {"class": style, "points": corners}), tip)

    def path(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """An open line through points."""
        corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._child("polyline", {"class": style, "points": corners})

    def text(
        self, x: float, y: float, content: str, style: str = "label", *, anchor: Anchor = "start", turn: float = 0.0
    ) -> None:
        """Text whose baseline begins, is centred or ends at a point, turned by degrees."""
        place = {"class": style, "x": number(x), "y": number(y)}
        if anchor != "start":
            place["text-anchor"] = anchor
        if turn:
            place["transform"] = f"rotate({number(turn)} {number(x)} {number(y)})"
        self._child("text", place, content)

    def markup(self) -> str:
        """The drawing for inside an HTML page that carries `plots.css`."""
        return ElementTree.tostring(self.root, encoding="unicode")

    def file(self, style: str) -> str:
        """The drawing as an SVG file of its own, on an opaque ground.

        Args:
            style: contents of `plots.css`.
        """
        size = {"xmlns": NAMESPACE, "width": number(self.width), "height": number(self.height)}
        alone = Element("svg", size | self.root.attrib)
        sheet, ground = Element("style"), Element("rect", {"class": "ground", "width": "100%", "height": "100%"})
        sheet.text = style
        drawn = deepcopy(list(self.root))
        alone.extend([*drawn[:2], sheet, ground, *drawn[2:]])
        ElementTree.indent(alone, space="")
        return ElementTree.tostring(alone, encoding="unicode") + "\n"

    def _child(self, tag: str, attributes: dict[str, str], content: str | None = None) -> Element:
        child = ElementTree.SubElement(self.root, tag, attributes)
        child.text = content
        return child

    def _tipped(self, shape: Element, tip: str | None) -> None:
        """Give a shape a tooltip."""
        if tip is not None:
            ElementTree.SubElement(shape, "title").text = tip
