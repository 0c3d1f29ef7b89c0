"""From a report and its recording to a picture in a file."""

from __future__ import annotations

from pathlib import Path

from elocute.picture.figure import figure_png
from elocute.picture.melody import melody
from elocute.picture.page import page_html
from elocute.picture.place import check_place, save
from elocute.picture.scene import scene
from elocute.prosody.pitch import Pitch
from elocute.report import Report
from elocute.types import Audio


def draw(report: Report, audio: Audio, out: Path, *, pitch: Pitch | None = None) -> None:
    """Draw a report beside its recording, as the ending of the file says: .png, or .html.

    The page holds the recording itself, to be played.

    Args:
        report: of this recording; a refused one shows the recording and why it was refused.
        audio: the recording.
        out: file to write; what was there is replaced once the picture is complete.
        pitch: of the recording; None draws no melody.

    Raises:
        ConfigError: an unknown ending, or a place that cannot be written.
        MissingExtraError: a PNG, and matplotlib is not installed.
    """
    check_place(out)
    make = draw_figure if out.suffix.lower() == ".png" else draw_page
    save(make(report, audio, pitch=pitch), out)


def draw_figure(report: Report, audio: Audio, *, pitch: Pitch | None = None) -> bytes:
    """The picture as PNG; the same versions of the same report and libraries give the same bytes."""
    return figure_png(report, scene(report, audio.duration_s), audio, melody(pitch))


def draw_page(report: Report, audio: Audio, *, pitch: Pitch | None = None) -> bytes:
    """The picture as an HTML page in UTF-8 that asks nothing of any server, with the recording in it."""
    return page_html(report, scene(report, audio.duration_s), audio, melody(pitch)).encode("utf-8")
