"""The drawing of a training: what is in it, where, and that nothing is invented."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest

from elocute.mllm.curve_plot import draw_curve

CURVE: list[dict[str, Any]] = [
    {"step": 100, "spent_s": 5.0, "ctc": 3.0},
    {"step": 200, "spent_s": 9.0, "loss": 4.0, "ctc": 2.0},
    {"step": 200, "epoch": 4.0, "heldout_loss": 3.5, "per": 0.9, "wer": 1.1, "per_echo": 0.04, "json_valid/mdd": 0.5},
    {"step": 400, "spent_s": 19.0, "loss": 2.0, "ctc": 1.0},
    {"step": 400, "epoch": 8.0, "heldout_loss": 2.5, "per": 0.5, "wer": 0.8, "per_echo": 0.04, "json_valid/mdd": 1.0},
]


def lines(root: Element) -> list[list[tuple[float, float]]]:
    """Points of every line."""
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in one.attrib["points"].split())]
        for one in root.iter("polyline")
    ]


def texts(root: Element) -> list[str]:
    return [one.text or "" for one in root.iter("text")]


def test_lines_go_through_the_measured_points() -> None:
    root = draw_curve(CURVE, 50).root
    training, held, wer, per, valid = lines(root)
    assert [x for x, _ in training] == [x for x, _ in held]  # measured at the same epochs, 4 and 8 of 8
    middle, end = (x for x, _ in held)
    assert end - middle == pytest.approx(105)
    assert training[0][1] < held[0][1] < held[1][1] < training[1][1]  # larger losses are higher up
    assert (training[1][1] - training[0][1]) / (held[1][1] - held[0][1]) == pytest.approx(2, abs=0.01)
    assert wer[0][1] < per[0][1]
    assert valid[1][1] < valid[0][1]
    tips = [one.text for one in root.iter("title")]
    assert "PER, epoch 8: 0.500" in tips
    assert "transcripts, epoch 4: 50.000" in tips
    assert "PER of an echo" in tips


def test_what_was_not_measured_has_no_panel() -> None:
    assert "Correlation with people's scores" not in texts(draw_curve(CURVE, 50).root)
    both = [{**point, "pcc/total": 0.4} if "epoch" in point else point for point in CURVE]
    assert "Correlation with people's scores" in texts(draw_curve(both, 50).root)
    assert lines(draw_curve([], 50).root) == []


def test_labels_of_lines_that_end_together_stay_apart() -> None:
    names = ("accuracy", "fluency", "prosodic", "total")
    curve = [{"step": step, **{f"pcc/{name}": 0.7 + step / 1e4 for name in names}} for step in (10, 20)]
    root = draw_curve(curve, 10).root
    places = sorted(float(one.attrib["y"]) for one in root.iter("text") if one.text in names)
    assert len(places) == 4
    assert min(b - a for a, b in zip(places, places[1:], strict=False)) >= 11
