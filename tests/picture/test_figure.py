"""The image: it has its parts, in its colours, in their places."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from drawn_report import contour, refused_report, rich_report, tone
from elocute.picture import draw_figure
from elocute.picture.colours import UNSCORED, colour
from elocute.prosody.pitch import Pitch
from elocute.report import Report

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra 'plot')")

MELODY = "#0b4f9c"


def image(report: Report, duration_s: float = 2.4, pitch: Pitch | None = None) -> np.ndarray:
    """Red, green and blue of every pixel, shape (rows, columns, 3)."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(draw_figure(report, tone(duration_s), pitch=pitch))).convert("RGB"))


def pixels(made: np.ndarray, code: str) -> np.ndarray:
    """Where a colour is, shape (n, 2): row and column."""
    return np.argwhere((made == [int(code[k : k + 2], 16) for k in (1, 3, 5)]).all(axis=-1))


def test_boxes_have_the_colour_of_their_score_at_their_time() -> None:
    made = image(rich_report())
    inside = pixels(made, colour(0.62))
    whole = made.shape[1] * (12 - 0.62 - 0.55) / 12
    left, right = (made.shape[1] * 0.62 / 12 + whole * t / 2.4 for t in (0.2, 0.7))
    assert inside[:, 1].min() == pytest.approx(left, abs=4)
    assert inside[:, 1].max() == pytest.approx(right, abs=4)
    assert len(pixels(made, colour(0.4))) > 100  # the substituted vowel
    assert len(pixels(made, UNSCORED)) > 1000


def test_the_melody_falls_and_is_missing_where_there_is_none() -> None:
    drawn = pixels(image(rich_report(), pitch=contour(2.4)), MELODY)
    early, late = (drawn[drawn[:, 1] < 400, 0].mean(), drawn[drawn[:, 1] > 1400, 0].mean())
    assert late > early + 20  # rows count from the top
    assert len(pixels(image(rich_report()), MELODY)) == 0


def test_a_line_more_makes_the_image_higher_and_no_wider() -> None:
    short, long = image(refused_report(), 5.0), image(refused_report(), 11.0)
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > 1.5 * short.shape[0]


@pytest.mark.parametrize("text", ["$5 and $6_x \\frac", "\u4f60\u597d \U0001f600", "word " * 300])
def test_any_text_is_drawn_as_text(text: str) -> None:
    whole = rich_report()
    words = (replace(whole.words[0], word=text[:40]), *whole.words[1:])
    assert image(replace(whole, text=text, words=words, warnings=(text,))).shape[1] > 1000


@pytest.mark.parametrize("duration_s", [0.06, 0.8])
def test_a_refused_or_very_short_recording_is_drawn(duration_s: float) -> None:
    assert len(pixels(image(refused_report(), duration_s), colour(1.0))) > 0  # the legend


def test_the_same_report_gives_the_same_bytes() -> None:
    assert draw_figure(rich_report(), tone(2.4)) == draw_figure(rich_report(), tone(2.4))
