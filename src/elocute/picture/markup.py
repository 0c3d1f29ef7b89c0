"""HTML and SVG as text: every value is escaped, every coordinate rounded, so that a page is safe and repeatable."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import numpy as np
from numpy.typing import NDArray

_VOID = frozenset({"img", "meta", "br"})


class Markup(str):
    """Text that is markup already; everything else is escaped before it goes into a page."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str | float | bool | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        content: markup, or plain text, which is escaped.
        attributes: underscores become hyphens, a final one (`class_`) is dropped; numbers are rounded to a hundredth;
            None and False leave an attribute out, True gives it no value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    inside = "".join(part if isinstance(part, Markup) else escape(part) for part in content)
    return Markup(f"<{name}{written}>{inside}</{name}>")


def number(value: float) -> str:
    """A coordinate as it is written."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def data_url(content: bytes, kind: str) -> str:
    """A file inside a page."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def grey_png(shades: NDArray[np.uint8]) -> bytes:
    """A grey image as PNG; `shades` has shape (rows, columns), 0 is black.

    Source: PNG (ISO/IEC 15948), colour type 0, 8 bits, no filter. Written here so that a page needs no image library.
    """
    rows, columns = shades.shape
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)
    lines[:, 1:] = shades
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes())),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _attribute(key: str, value: str | float | bool | None) -> str:
    """One attribute with the space before it."""
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-") if key != "viewBox" else key
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else number(value)
    return f' {name}="{escape(text)}"'
