"""A page of text, tables and drawings, written as Markdown and as one self-contained HTML file.

Both say the same; the bytes depend on the content alone. Text may mark `code` with backticks, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import assert_never

from elocute.evaluation.svg import Drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    content: str
    is_caution: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list; each entry may have a term before its text."""

    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One headline figure."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Headline figures side by side."""

    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBlock:
    """A table.

    Attributes:
        caption: what it holds.
        header: names of the columns.
        rows: cells; numbers are right-aligned.
        is_folded: shown on demand, because it is long.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """Drawings side by side.

    Attributes:
        drawings: in order.
        per_row: how many beside each other where there is room.
        is_detailed: too fine to shrink; a narrow screen scrolls it.
        is_titled: each drawing's title stands above it; else it says itself what it is.
    """

    drawings: Sequence[Drawing]
    per_row: int = 1
    is_detailed: bool = False
    is_titled: bool = True


Block = Text | Items | Tiles | TableBlock | Plots


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A chapter."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Its id."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The page; the first blocks stand before the list of contents."""

    title: str
    opening: Sequence[Block]
    sections: Sequence[Section]

    def drawings(self) -> list[Drawing]:
        """All drawings in order."""
        blocks = [*self.opening, *(block for section in self.sections for block in section.blocks)]
        return [drawing for block in blocks if isinstance(block, Plots) for drawing in block.drawings]


def to_markdown(document: Document, drawings: str) -> str:
    """The page as Markdown.

    Args:
        document: the page.
        drawings: folder of the SVG files, relative to the page.
    """
    lines = [f"# {document.title}", ""]
    for block in document.opening:
        lines += [*_block_markdown(block, drawings), ""]
    for section in document.sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_block_markdown(block, drawings), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def _block_markdown(block: Block, drawings: str) -> list[str]:
    """Lines of a block."""
    match block:
        case Text():
            return [f"> {block.content}" if block.is_caution else block.content]
        case Items():
            return [f"- **{term}**: {text}" if term else f"- {text}" for term, text in block.entries]
        case Tiles():
            rows = [(tile.label, tile.value, tile.detail) for tile in block.tiles]
            return _table_markdown(("headline", "value", "beside"), rows)
        case TableBlock():
            table = _table_markdown(block.header, block.rows)
            if block.is_folded:
                return [f"<details><summary>{escape(block.caption)}</summary>", "", *table, "", "</details>"]
            return [f"**{block.caption}**", "", *table]
        case Plots():
            return [line for drawing in block.drawings for line in _drawing_markdown(block, drawing, drawings)]
        case _:
            assert_never(block)


def _drawing_markdown(block: Plots, drawing: Drawing, folder: str) -> list[str]:
    """Lines of a drawing, under its title."""
    width = round(drawing.width) if block.is_detailed else {1: 560, 2: 420, 3: 280}[block.per_row]
    image = f'<img src="{folder}/{drawing.name}.svg" alt="{escape(drawing.title)}" width="{width}">'
    return [f"**{drawing.title}**", "", image, ""] if block.is_titled else [image]


def _table_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    numeric = _numeric_columns(rows, len(header))
    ruler = ["---:" if right else "---" for right in numeric]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    return ["| " + " | ".join(row) + " |" for row in (cells[0], ruler, *cells[1:])]


def _numeric_columns(rows: Sequence[Sequence[str]], columns: int) -> list[bool]:
    """Which columns hold numbers, and are aligned to the right."""
    return [
        bool(rows) and all(re.match(r"[-+]?\d|-?$|-$", row[k]) for row in rows) and any(row[k] != "-" for row in rows)
        for k in range(columns)
    ]


def to_html(document: Document, style: str) -> str:
    """The page as one HTML file without anything beside it.

    Args:
        document: the page.
        style: its CSS, that of the drawings included.
    """
    contents = "".join(
        f'<li><a href="#{section.anchor}">{escape(section.title)}</a></li>' for section in document.sections
    )
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(document.title)}</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        f"<header><h1>{escape(document.title)}</h1>",
        *(_block_html(block) for block in document.opening),
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav></header>',
        "<main>",
    ]
    for section in document.sections:
        lines.append(f'<section id="{section.anchor}" aria-labelledby="{section.anchor}-title">')
        lines.append(f'<h2 id="{section.anchor}-title">{escape(section.title)}</h2>')
        lines += [_block_html(block) for block in section.blocks]
        lines.append("</section>")
    return "\n".join([*lines, "</main>", "</body>", "</html>"]) + "\n"


def _block_html(block: Block) -> str:
    """A block's markup."""
    match block:
        case Text():
            kind = ' class="caution"' if block.is_caution else ""
            return f"<p{kind}>{_inline(block.content)}</p>"
        case Items():
            entries = (
                f"<li>{f'<strong>{_inline(term)}</strong>: ' if term else ''}{_inline(text)}</li>"
                for term, text in block.entries
            )
            return f"<ul>{''.join(entries)}</ul>"
        case Tiles():
            tiles = (
                f'<div class="tile"><span class="name">{_inline(tile.label)}</span>'
                f'<span class="value">{_inline(tile.value)}</span>'
                f'<span class="detail">{_inline(tile.detail)}</span></div>'
                for tile in block.tiles
            )
            return f'<div class="tiles">{"".join(tiles)}</div>'
        case TableBlock():
            if block.is_folded:
                return f"<details><summary>{_inline(block.caption)}</summary>{_table_html(block, None)}</details>"
            return _table_html(block, block.caption)
        case Plots():
            figures = (
                f"<figure>{f'<figcaption>{escape(drawing.title)}</figcaption>' if block.is_titled else ''}"
                f"{drawing.markup()}</figure>"
                for drawing in block.drawings
            )
            kind = f"plots rows-{block.per_row}{' detailed' if block.is_detailed else ''}"
            return f'<div class="{kind}">{"".join(figures)}</div>'
        case _:
            assert_never(block)


def _table_html(block: TableBlock, caption: str | None) -> str:
    """A table that scrolls sideways where it does not fit."""
    numeric = _numeric_columns(block.rows, len(block.header))
    kind = ['class="number"' if right else "" for right in numeric]
    head = "".join(f'<th scope="col" {cls}>{_inline(name)}</th>' for name, cls in zip(block.header, kind, strict=True))
    body = []
    for row in block.rows:
        first, *others = row
        cells = "".join(f"<td {cls}>{_inline(cell)}</td>" for cell, cls in zip(others, kind[1:], strict=True))
        body.append(f'<tr><th scope="row" {kind[0]}>{_inline(first)}</th>{cells}</tr>')
    title = "" if caption is None else f"<caption>{_inline(caption)}</caption>"
    table = f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    region = f'<div class="table" role="region" tabindex="0" aria-label="{escape(block.caption)}">'
    return f"{region}{table}</div>".replace(" >", ">")


def _inline(text: str) -> str:
    """Escaped text, with `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
