"""Colours of scores, told apart by all eyes: from dark rust (0) over yellow to blue (1).

The two ends differ in hue along the axis that red-green blindness leaves, and in lightness, so that they differ on grey
paper too; nothing is said by colour alone.
"""

from __future__ import annotations

_ANCHORS = (
    (0.0, (0x9C, 0x2F, 0x0B)),
    (0.3, (0xE0, 0x70, 0x1F)),
    (0.55, (0xF7, 0xB4, 0x58)),
    (0.75, (0xFB, 0xE9, 0xB0)),
    (0.88, (0xCF, 0xE4, 0xF2)),
    (1.0, (0x86, 0xBC, 0xE4)),
)
"""Shares of the full score, and red, green, blue of each."""
UNSCORED = "#d5d9de"
"""Fill of what has no score."""
DARK_INK = "#000000"
LIGHT_INK = "#ffffff"
"""Only black and white leave a contrast of 4.5 on every fill."""


def colour(share: float | None) -> str:
    """Fill of a score, given as a share of the full one; grey where there is none."""
    if share is None:
        return UNSCORED
    share = min(max(share, 0.0), 1.0)
    for (low, first), (high, second) in zip(_ANCHORS, _ANCHORS[1:], strict=False):
        if share <= high:
            part = (share - low) / (high - low)
            mixed = (round(a + part * (b - a)) for a, b in zip(first, second, strict=True))
            return "#" + "".join(f"{value:02x}" for value in mixed)
    raise AssertionError(f"share {share} is beyond the last colour")


def ink_on(fill: str) -> str:
    """Dark or light, whichever reads better on a fill (contrast of WCAG 2.2)."""
    ground = luminance(fill)
    return max((DARK_INK, LIGHT_INK), key=lambda ink: contrast(luminance(ink), ground))


def luminance(colour_code: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2), 0 to 1."""
    channels = (int(colour_code[k : k + 2], 16) / 255 for k in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: float, second: float) -> float:
    """Contrast of two luminances (WCAG 2.2), 1 to 21."""
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)
