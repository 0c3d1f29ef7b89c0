"""The picture as an image, for papers, slides and hand-outs; drawn by matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from elocute.picture.captions import facts, score_text, utterance_scores
from elocute.picture.colours import colour, ink_on
from elocute.picture.melody import Melody
from elocute.picture.scene import (
    BreakMark,
    LostWord,
    PauseMark,
    PhoneMark,
    Scene,
    Span,
    SyllableMark,
    WordMark,
    phone_foot,
    signs,
)
from elocute.picture.sound import HIGHEST_HZ, STEP_S, outline, spectrogram
from elocute.report import Report
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 12.0
_DPI = 140
_LEFT_IN, _RIGHT_IN = 0.62, 0.55
_LEAST_LINE_S = 0.8
_CLOCK_IN, _WAVE_IN, _SPECTRUM_IN, _PITCH_IN, _STRIP_IN, _GAP_IN = 0.3, 0.6, 1.15, 0.95, 1.35, 0.06
_INK, _MUTED, _ODD, _WAVE, _MELODY = "#15202b", "#566270", "#a63c0c", "#3d5a80", "#0b4f9c"
_TITLE_COLUMNS, _TEXT_COLUMNS, _LEGEND_COLUMNS = 84, 150, 125
_SMALLEST = 5.0
"""Points under which text cannot be read."""
_MOST_NOTES = 8


def figure_png(report: Report, scene: Scene, audio: Audio, melody: Melody | None) -> bytes:
    """Draw everything, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heading = _heading(report)
    title = wrap(shorten(" ".join(report.text.split()), 2 * _TITLE_COLUMNS - 20, placeholder=" …"), _TITLE_COLUMNS)
    row = _CLOCK_IN + _WAVE_IN + _SPECTRUM_IN + _STRIP_IN + 2 * _GAP_IN
    row += 0.0 if melody is None else _PITCH_IN + _GAP_IN
    top = 0.45 + 0.3 * len(title) + 0.2 * len(heading)
    height = top + row * len(scene.lines) + 0.55
    figure = Figure(figsize=(WIDTH_IN, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    sheet = Sheet(
        figure=figure, height=height, scene=scene, audio=audio, loudness=spectrogram(audio.samples), melody=melody
    )
    for number, text in enumerate(title):
        sheet.write(_LEFT_IN, height - 0.42 - 0.3 * number, text, size=15, weight="bold")
    for number, text in enumerate(heading):
        sheet.write(_LEFT_IN, height - 0.42 - 0.3 * len(title) - 0.2 * number, text, size=9, color=_MUTED)
    for number, line in enumerate(scene.lines):
        sheet.line(line, height - top - row * number)
    sheet.legend()
    page = io.BytesIO()
    with warnings.catch_warnings():
        # A text may hold signs that the font lacks; an empty box says so better than a warning on stderr.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(page, format="png", metadata={"Software": None})
    return page.getvalue()


def _heading(report: Report) -> list[str]:
    """Scores, warnings and facts, in lines."""
    scores = utterance_scores(report)
    is_scored = report.utterance.total is not None
    told = "   ".join(f"{item.name} {score_text(item.score, report.scale)}" for item in scores)
    lines = [f"{told}   (of {report.scale})" if is_scored else "Not scored"]
    for warning in report.warnings:
        lines += wrap(f"Note: {warning}", _TEXT_COLUMNS)
    if len(lines) > 1 + _MOST_NOTES:
        lines = [*lines[:_MOST_NOTES], f"… and {len(lines) - _MOST_NOTES} lines more in the report"]
    return lines + _rows([f"{fact.name}: {fact.value}" for fact in facts(report)], _TEXT_COLUMNS)


def _rows(items: Sequence[str], columns: int) -> list[str]:
    """Items side by side, in as many rows as they need."""
    rows: list[str] = []
    for item in items:
        if rows and len(rows[-1]) + 4 + len(item) <= columns:
            rows[-1] += "    " + item
        else:
            rows.append(item)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """Draws the parts of one scene; places are inches from the lower left corner.

    Attributes:
        figure: to draw in.
        height: of the figure.
        scene: what there is.
        audio: the recording.
        loudness: its spectrogram, shape (F, C).
        melody: its pitch; None draws no row for it.
    """

    figure: Figure
    height: float
    scene: Scene
    audio: Audio
    loudness: Float64
    melody: Melody | None

    def write(self, x: float, y: float, text: str, **style: Any) -> None:
        """Text as it is: a dollar sign is no formula."""
        self.figure.text(x / WIDTH_IN, y / self.height, text, parse_math=False, **style)

    def line(self, line: Span, top: float) -> None:
        """One line of the recording, its upper edge at `top`."""
        y = top - _CLOCK_IN - _WAVE_IN
        wave = self._axes(line, y, _WAVE_IN)
        self._wave(wave, line)
        y -= _SPECTRUM_IN + _GAP_IN
        rows = [wave, self._axes(line, y, _SPECTRUM_IN)]
        self._spectrum(rows[1], line)
        if self.melody is not None:
            y -= _PITCH_IN + _GAP_IN
            rows.append(self._axes(line, y, _PITCH_IN))
            self._pitch(rows[2], self.melody, line)
        for axes in rows:
            self._edges(axes, line)
        for pause in self.scene.pauses:
            if pause.meets(line):
                _pause(rows, pause, line)
        self._strip(self._axes(line, y - _STRIP_IN, _STRIP_IN), line)

    def legend(self) -> None:
        """How to read the colours and signs, at the foot."""
        from matplotlib.patches import Rectangle

        x, y = _LEFT_IN, 0.16
        for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, None):
            box = Rectangle(
                (x / WIDTH_IN, y / self.height),
                0.42 / WIDTH_IN,
                0.19 / self.height,
                transform=self.figure.transFigure,
                facecolor=colour(share),
            )
            self.figure.add_artist(box)
            label = "none" if share is None else f"{share:.0%}"
            self.write(x + 0.21, y + 0.055, label, size=7.5, ha="center", color=ink_on(colour(share)))
            x += 0.42
        told = _rows(signs(self.scene), _LEGEND_COLUMNS)
        for number, text in enumerate(told[::-1]):
            self.write(x + 0.2, y + 0.05 + 0.16 * (number - (len(told) - 1) / 2), text, size=8, color=_MUTED)

    def _axes(self, line: Span, bottom: float, height: float) -> Axes:
        """An empty row as wide as the line is long."""
        whole = WIDTH_IN - _LEFT_IN - _RIGHT_IN
        length = line.end_s - line.start_s
        width = whole * length / max(self.scene.line_s, _LEAST_LINE_S)
        place = (_LEFT_IN / WIDTH_IN, bottom / self.height, width / WIDTH_IN, height / self.height)
        axes = self.figure.add_axes(place, xlim=(line.start_s, line.end_s))
        axes.tick_params(labelsize=7, colors=_MUTED, length=2)
        axes.set_xticks([])
        for side in axes.spines.values():
            side.set(color="#c6ced8", linewidth=0.6)
        return axes

    def _wave(self, axes: Axes, line: Span) -> None:
        """Waveform, with the clock above it."""
        samples = self.audio.samples[round(line.start_s * SAMPLE_RATE_HZ) : round(line.end_s * SAMPLE_RATE_HZ)]
        axes.set_yticks([])
        loudest = max(float(np.abs(self.audio.samples).max(initial=0.0)), 1e-4)
        axes.set_ylim(-1.05 * loudest, 1.05 * loudest)
        if len(samples):
            shape = outline(samples, min(len(samples), 1400))
            times = np.linspace(line.start_s, line.end_s, len(shape))
            axes.fill_between(times, shape[:, 0], shape[:, 1], color=_WAVE, linewidth=0.4)
        axes.xaxis.tick_top()
        length = max(self.scene.line_s, _LEAST_LINE_S)
        step = next(step for step in (0.1, 0.2, 0.5, 1.0) if length / step <= 14 or step == 1.0)
        first, last = int(np.ceil(line.start_s / step - 1e-9)), int(line.end_s / step + 1e-9)
        ticks = np.arange(first, last + 1) * step
        axes.set_xticks(ticks, [f"{tick:.1f} s" for tick in ticks.tolist()])

    def _spectrum(self, axes: Axes, line: Span) -> None:
        """Spectrogram, dark where it is loud."""
        first, last = round(line.start_s / STEP_S), max(round(line.end_s / STEP_S), 1)
        axes.imshow(
            self.loudness[:, first:last],
            origin="lower",
            aspect="auto",
            cmap="Greys",
            vmin=0.0,
            vmax=1.0,
            extent=(line.start_s, line.end_s, 0, HIGHEST_HZ / 1000),
            interpolation="bilinear",
        )
        axes.set_yticks(range(0, HIGHEST_HZ // 1000 + 1, 2))
        axes.set_ylabel("kHz", fontsize=7, color=_MUTED, labelpad=2)

    def _pitch(self, axes: Axes, melody: Melody, line: Span) -> None:
        """Melody: hertz at the left, semitones about the speaker's median at the right."""
        axes.set_ylim(0, 1)
        for run in melody.runs:
            axes.plot(
                run.times_s,
                melody.height(run.f0_hz),
                color=_MELODY,
                linewidth=2.0,
                solid_capstyle="round",
                marker="o" if len(run.f0_hz) == 1 else None,
                markersize=2.0,
            )
        hertz = np.array(melody.ticks_hz, dtype=np.float64)
        axes.set_yticks(melody.height(hertz), [f"{tick}" for tick in melody.ticks_hz])
        axes.set_ylabel("Hz", fontsize=7, color=_MUTED, labelpad=2)
        axes.grid(axis="y", color="#dfe4ea", linewidth=0.5)
        semitones = np.array(melody.ticks_st, dtype=np.float64)
        other = axes.secondary_yaxis("right")
        names = [f"{tick:+d} st" if tick else "0 st" for tick in melody.ticks_st]
        other.set_yticks(melody.height(melody.median_hz * 2 ** (semitones / 12)), names)
        other.tick_params(labelsize=7, colors=_MUTED, length=2)

    def _edges(self, axes: Axes, line: Span) -> None:
        """Boundaries of words and phones."""
        place = axes.get_xaxis_transform()
        shown = [edge for edge in self.scene.edges if line.start_s < edge[0] < line.end_s]
        words, phones = ([seconds for seconds, is_word in shown if is_word == kind] for kind in (True, False))
        axes.vlines(words, 0, 1, transform=place, colors=_INK, linewidth=0.7)
        axes.vlines(phones, 0, 1, transform=place, colors=_MUTED, linewidth=0.5, linestyles=(0, (2, 3)))

    def _strip(self, axes: Axes, line: Span) -> None:
        """Words, stress and phones; from 0 (bottom) to 1, of which the words take the upper third."""
        axes.set_ylim(0, 1)
        axes.axis("off")
        whole = WIDTH_IN - _LEFT_IN - _RIGHT_IN
        pen = Pen(axes=axes, line=line, scale=72 * whole / max(self.scene.line_s, _LEAST_LINE_S))
        for word in self.scene.words:
            if word.meets(line):
                pen.word(word)
        for lost in self.scene.lost:
            if self.scene.is_on(line, lost.at_s):
                pen.lost(lost)
        for item in self.scene.breaks:
            if self.scene.is_on(line, item.at_s):
                pen.gap(item)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pen:
    """Draws words and phones in the strip of one line; `scale` is points a second."""

    axes: Axes
    line: Span
    scale: float

    def word(self, word: WordMark) -> None:
        """A word, its syllables and its phones."""
        self._box(word, 0.55, 0.29, colour(word.share), is_odd=word.is_extra)
        self._text(
            word, 0.725, word.label, 11, word.share, weight="bold", style="italic" if word.is_extra else "normal"
        )
        self._text(word, 0.605, word.score, 8, word.share)
        for syllable in word.syllables:
            if syllable.meets(self.line):
                self._syllable(syllable)
        for phone in word.phones:
            if phone.meets(self.line):
                self._phone(phone)

    def lost(self, lost: LostWord) -> None:
        """Words that were left out, between their neighbours."""
        shown = ", ".join(lost.labels[:3]) + ("…" if len(lost.labels) > 3 else "")
        self.axes.plot([lost.at_s] * 2, [0.55, 0.88], color=_ODD, linewidth=1.2, linestyle=(0, (2, 2)))
        share = (lost.at_s - self.line.start_s) / (self.line.end_s - self.line.start_s)
        align = "left" if share < 0.1 else "right" if share > 0.9 else "center"
        self.axes.text(
            lost.at_s,
            0.925,
            f"left out: {shown}",
            ha=align,
            va="center",
            fontsize=7.5,
            color=_ODD,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": _ODD, "linewidth": 0.6},
        )

    def gap(self, item: BreakMark) -> None:
        """A triangle over the words: full where a pause does not belong, hollow where one is missing."""
        fill = _ODD if item.kind == "unexpected" else "white"
        self.axes.plot(
            [item.at_s], [0.9], marker="v", markersize=7, markerfacecolor=fill, markeredgecolor=_ODD, clip_on=False
        )

    def _phone(self, phone: PhoneMark) -> None:
        """A phone with its score, or with what was heard."""
        is_wrong = phone.heard is not None or phone.is_added
        below, size = phone_foot(phone), 8 if phone.heard is None else 10
        if self._fitting(phone, below, is_wide=is_wrong) < _SMALLEST:
            # The colour still tells the score; what was heard instead must be seen.
            below = below.removeprefix("→") if phone.heard is not None else ""
        self._box(phone, 0.06, 0.36, colour(phone.share), is_odd=is_wrong)
        weight = "bold" if is_wrong else "normal"
        self._text(phone, 0.315, f"+{phone.label}" if phone.is_added else phone.label, 11, phone.share, weight=weight)
        self._text(phone, 0.15, below, size, phone.share, weight=weight)

    def _syllable(self, syllable: SyllableMark) -> None:
        """A ring where stress is expected, a disc where it was heard, a dash where neither."""
        ink = _ODD if syllable.is_stressed_right is False else _INK
        at = [syllable.middle_s], [0.485]
        if syllable.expected in (1, 2):
            size = 8 if syllable.expected == 1 else 5.5
            self.axes.plot(*at, marker="o", markersize=size, markerfacecolor="none", markeredgecolor=ink)
        if syllable.spoken:
            self.axes.plot(*at, marker="o", markersize=3.5, color=ink)
        if not syllable.spoken and syllable.expected not in (1, 2):
            self.axes.plot(*at, marker="_", markersize=5, color=ink)

    def _fitting(self, mark: Span, text: str, *, is_wide: bool) -> float:
        """Font size at which a text fills a box, in points; bold letters are wider."""
        start, end = max(mark.start_s, self.line.start_s), min(mark.end_s, self.line.end_s)
        return (end - start) * self.scale / ((0.72 if is_wide else 0.64) * max(len(text), 1))

    def _box(self, mark: Span, bottom: float, height: float, fill: str, *, is_odd: bool) -> None:
        from matplotlib.patches import Rectangle

        start, end = max(mark.start_s, self.line.start_s), min(mark.end_s, self.line.end_s)
        box = Rectangle((start, bottom), end - start, height, facecolor=fill, edgecolor="white", linewidth=0.8)
        if is_odd:
            box.set(edgecolor=_ODD, linewidth=1.2, linestyle="--" if isinstance(mark, WordMark) else "-")
        self.axes.add_patch(box)

    def _text(self, mark: Span, y: float, text: str, size: float, share: float | None, **style: Any) -> None:
        """Text in a box, made small enough for it."""
        start, end = max(mark.start_s, self.line.start_s), min(mark.end_s, self.line.end_s)
        fitting = self._fitting(mark, text, is_wide=style.get("weight") == "bold")
        self.axes.text(
            (start + end) / 2,
            y,
            text,
            ha="center",
            va="center",
            fontsize=max(min(size, fitting), _SMALLEST),
            color=ink_on(colour(share)),
            parse_math=False,
            **style,
        )


def _pause(rows: list[Axes], pause: PauseMark, line: Span) -> None:
    """A pause through all rows, with its length in the first."""
    start, end = max(pause.start_s, line.start_s), min(pause.end_s, line.end_s)
    for axes in rows:
        axes.axvspan(start, end, color=_ODD if pause.is_odd else _MUTED, alpha=0.2, linewidth=0)
    rows[0].text(
        (start + end) / 2,
        0.88,
        f"{pause.end_s - pause.start_s:.2f} s",
        transform=rows[0].get_xaxis_transform(),
        ha="center",
        va="center",
        fontsize=7.5,
        color=_ODD if pause.is_odd else _INK,
        weight="bold",
    )
