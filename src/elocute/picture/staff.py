"""One line of a picture as SVG: time, waveform, spectrogram, pitch, words, stress and phones, one under the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elocute.picture.colours import colour, ink_on
from elocute.picture.markup import Markup, data_url, grey_png, number, tag
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
)
from elocute.picture.sound import HIGHEST_HZ, STEP_S, outline
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64

WIDTH = 1000.0
_LEFT, _RIGHT = 46.0, 40.0
_LEAST_LINE_S = 0.8
"""A shorter recording does not fill the width: its sounds would look stretched."""
_WAVE = (18.0, 70.0)
_SPECTRUM = (76.0, 176.0)
_PITCH = (188.0, 264.0)
_NO_PITCH = 88.0
"""So much higher does everything below stand where there is no pitch."""
_WORDS, _STRESS, _PHONES, _BOTTOM = 286.0, 330.0, 338.0, 382.0
_SMALLEST = 7.0
"""Font size under which text cannot be read."""
_GREYS = 31
"""Shades of a spectrogram; more do not show and make the page larger."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staff:
    """Draws the lines of one scene.

    Attributes:
        scene: what there is.
        audio: the recording.
        loudness: its spectrogram, shape (F, C).
        melody: its pitch; None draws no row for it.
    """

    scene: Scene
    audio: Audio
    loudness: Float64
    melody: Melody | None

    def line(self, line: Span) -> Markup:
        """One line as an SVG element; elements that have `data-from` can be clicked and played."""
        height = _BOTTOM - self._lift
        parts: list[Markup] = [*self._clock(line), *self._sound(line), *self._grid(line)]
        parts += [self._pause(item, line) for item in self.scene.pauses if item.meets(line)]
        parts += self._pitch(line)
        words = [word for word in self.scene.words if word.meets(line)]
        parts += [part for word in words for part in self._word(word, line)]
        parts += [self._lost(item, line) for item in self.scene.lost if self.scene.is_on(line, item.at_s)]
        parts += [self._break(item, line) for item in self.scene.breaks if self.scene.is_on(line, item.at_s)]
        parts.append(tag("line", class_="cursor", x1=0, x2=0, y1=_WAVE[0], y2=height, visibility="hidden"))
        return tag(
            "svg",
            *parts,
            viewBox=f"0 0 {number(WIDTH)} {number(height)}",
            role="group",
            aria_label=f"{line.start_s:.1f} to {line.end_s:.1f} seconds",
            data_start=f"{line.start_s:.4f}",
            data_end=f"{line.end_s:.4f}",
            data_left=_LEFT,
            data_scale=self._scale,
        )

    @property
    def _lift(self) -> float:
        return _NO_PITCH if self.melody is None else 0.0

    @property
    def _scale(self) -> float:
        """Units a second."""
        return (WIDTH - _LEFT - _RIGHT) / max(self.scene.line_s, _LEAST_LINE_S)

    def _x(self, seconds: float, line: Span) -> float:
        """Place of a time, within the line."""
        return _LEFT + (min(max(seconds, line.start_s), line.end_s) - line.start_s) * self._scale

    def _clock(self, line: Span) -> Iterator[Markup]:
        """Seconds above the line."""
        step = next(step for step in (0.1, 0.2, 0.5, 1.0) if step * self._scale >= 50 or step == 1.0)
        for count in range(int(np.ceil(line.start_s / step - 1e-9)), int(line.end_s / step + 1e-9) + 1):
            x = self._x(count * step, line)
            yield tag("line", class_="tick", x1=x, x2=x, y1=13, y2=_WAVE[0])
            yield _text(x, 10, f"{count * step:.1f} s" if count % 5 == 0 else f"{count * step:.1f}", "axis middle")

    def _sound(self, line: Span) -> Iterator[Markup]:
        """Waveform and spectrogram."""
        left, right = self._x(line.start_s, line), self._x(line.end_s, line)
        samples = self.audio.samples[round(line.start_s * SAMPLE_RATE_HZ) : round(line.end_s * SAMPLE_RATE_HZ)]
        yield tag("rect", class_="panel", x=left, y=_WAVE[0], width=right - left, height=_WAVE[1] - _WAVE[0])
        if len(samples):
            shape = outline(samples, max(1, round(right - left)))
            loudest = max(float(np.abs(self.audio.samples).max()), 1e-4)
            middle, half = sum(_WAVE) / 2, (_WAVE[1] - _WAVE[0]) / 2 - 1
            xs = np.linspace(left, right, len(shape), endpoint=False)
            low, high = (middle - half * np.clip(shape[:, side] / loudest, -1, 1) for side in (0, 1))
            points = [*zip(xs, high, strict=True), *zip(xs[::-1], low[::-1], strict=True)]
            yield tag("polygon", class_="wave", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
        first, last = round(line.start_s / STEP_S), max(round(line.end_s / STEP_S), 1)
        shown = self.loudness[::-1, first:last]
        shades = np.round((1 - shown) * _GREYS).astype(np.uint8) * (255 // _GREYS)
        yield tag(
            "image",
            class_="spectrum",
            x=left,
            y=_SPECTRUM[0],
            width=right - left,
            height=_SPECTRUM[1] - _SPECTRUM[0],
            preserveAspectRatio="none",
            href=data_url(grey_png(shades), "image/png"),
        )
        for kilohertz in range(0, HIGHEST_HZ // 1000 + 1, 2):
            y = _SPECTRUM[1] + (_SPECTRUM[0] - _SPECTRUM[1]) * kilohertz * 1000 / HIGHEST_HZ
            name = f"{kilohertz} kHz" if kilohertz == HIGHEST_HZ // 1000 else str(kilohertz)
            yield _text(_LEFT - 5, y + 3, name, "axis end")

    def _grid(self, line: Span) -> Iterator[Markup]:
        """Boundaries of words and phones through all rows above them."""
        bottom = _SPECTRUM[1] if self.melody is None else _PITCH[1]
        for seconds, is_word in self.scene.edges:
            if line.start_s <= seconds <= line.end_s:
                x = self._x(seconds, line)
                yield tag("line", class_="edge word" if is_word else "edge", x1=x, x2=x, y1=_WAVE[0], y2=bottom)

    def _pause(self, pause: PauseMark, line: Span) -> Markup:
        """A pause through all rows above the words, with its length."""
        left, right = self._x(pause.start_s, line), self._x(pause.end_s, line)
        bottom = _SPECTRUM[1] if self.melody is None else _PITCH[1]
        kind = "pause odd" if pause.is_odd else "pause"
        seconds = f"{pause.end_s - pause.start_s:.2f}"
        return tag(
            "g",
            tag("title", pause.caption),
            tag("rect", x=left, y=_WAVE[0], width=right - left, height=bottom - _WAVE[0]),
            _text((left + right) / 2, _WAVE[0] + 11, f"{seconds} s" if right - left > 34 else seconds, "middle"),
            class_=kind,
            role="img",
            aria_label=pause.caption,
        )

    def _pitch(self, line: Span) -> Iterator[Markup]:
        """The melody on its axis: hertz at the left, semitones about the speaker's median at the right."""
        melody = self.melody
        if melody is None:
            return
        left, right = self._x(line.start_s, line), self._x(line.end_s, line)
        top, bottom = _PITCH
        yield tag("rect", class_="frame", x=left, y=top, width=right - left, height=bottom - top)
        for tick in melody.ticks_hz:
            y = bottom - (bottom - top) * float(melody.height(np.array(tick)))
            yield tag("line", class_="rule", x1=left, x2=right, y1=y, y2=y)
            yield _text(_LEFT - 5, y + 3, f"{tick} Hz" if tick == melody.ticks_hz[-1] else str(tick), "axis end")
        for tick in melody.ticks_st:
            height = float(melody.height(np.array(melody.median_hz * 2 ** (tick / 12))))
            y = bottom - (bottom - top) * height
            yield _text(right + 5, y + 3, f"{tick:+d} st" if tick else "0 st", "axis")
        for run in melody.runs:
            inside = (run.times_s >= line.start_s) & (run.times_s < line.end_s)
            if not inside.any():
                continue
            xs = [self._x(float(seconds), line) for seconds in run.times_s[inside]]
            ys = bottom - (bottom - top) * melody.height(run.f0_hz[inside])
            points = [f"{number(x)},{number(float(y))}" for x, y in zip(xs, ys, strict=True)]
            # A lone frame is a line of no length, which round caps turn into a dot.
            yield tag("polyline", class_="melody", points=" ".join(points if len(points) > 1 else points * 2))

    def _word(self, word: WordMark, line: Span) -> Iterator[Markup]:
        """A word, its syllables and its phones."""
        top, left, right = _WORDS - self._lift, self._x(word.start_s, line), self._x(word.end_s, line)
        fill = colour(word.share)
        yield _button(
            word,
            "box word extra" if word.is_extra else "box word",
            _box(left, top, right - left, 36, fill),
            _fitted((left + right) / 2, top + 16, word.label, right - left, 15, ink_on(fill)),
            _fitted((left + right) / 2, top + 30, word.score, right - left, 11, ink_on(fill)),
            caption=word.caption,
            address=f"{word.word}",
        )
        for syllable in word.syllables:
            if syllable.meets(line):
                yield self._syllable(syllable, line)
        for phone in word.phones:
            if phone.meets(line):
                yield self._phone(phone, line)

    def _phone(self, phone: PhoneMark, line: Span) -> Markup:
        """A phone with its score, or with what was heard."""
        top, left, right = _PHONES - self._lift, self._x(phone.start_s, line), self._x(phone.end_s, line)
        fill, middle = colour(phone.share), (left + right) / 2
        wide = right - left
        below = phone_foot(phone)
        if _fitting(below, wide) < _SMALLEST:
            # Colour and caption still tell the score; what was heard instead must be seen.
            below = below.removeprefix("→") if phone.heard is not None else ""
        return _button(
            phone,
            "box phone wrong" if phone.heard is not None or phone.is_added else "box phone",
            _box(left, top, wide, 42, fill),
            _fitted(middle, top + 17, f"+{phone.label}" if phone.is_added else phone.label, wide, 15, ink_on(fill)),
            _fitted(middle, top + 34, below, wide, 11 if phone.heard is None else 13, ink_on(fill)),
            caption=phone.caption,
            address=f"{phone.word}.{phone.phone}",
        )

    def _syllable(self, syllable: SyllableMark, line: Span) -> Markup:
        """Stress of a syllable: a ring where it is expected, a disc where it was heard."""
        x, y = self._x(syllable.middle_s, line), _STRESS - self._lift
        parts = []
        if syllable.expected in (1, 2):
            parts.append(tag("circle", class_="asked", cx=x, cy=y, r=5 if syllable.expected == 1 else 3.2))
        if syllable.spoken:
            parts.append(tag("circle", class_="spoken", cx=x, cy=y, r=2.6))
        if not parts:
            parts.append(tag("line", class_="weak", x1=x - 3, x2=x + 3, y1=y, y2=y))
        named = {None: "unknown", 0: "none", 1: "main", 2: "second"}[syllable.expected]
        heard = {None: "", True: "; stands out", False: "; does not stand out"}[syllable.spoken]
        return tag(
            "g",
            tag("title", f"stress expected: {named}{heard}"),
            *parts,
            class_="stress wrong" if syllable.is_stressed_right is False else "stress",
        )

    def _lost(self, lost: LostWord, line: Span) -> Markup:
        """Words that were left out, between their neighbours."""
        x, top = self._x(lost.at_s, line), _WORDS - self._lift
        shown = ", ".join(lost.labels[:3]) + ("…" if len(lost.labels) > 3 else "")
        half = min(len(shown) * 3.6 + 8, 150.0)
        at = min(max(x, _LEFT + half), WIDTH - half)
        return tag(
            "g",
            tag("title", lost.caption),
            tag("path", d=f"M{number(x)} {number(top - 4)}v40"),
            tag("rect", x=at - half, y=top - 18, width=2 * half, height=15, rx=7),
            _text(at, top - 7, shown, "middle"),
            class_="lost",
            role="img",
            aria_label=lost.caption,
        )

    def _break(self, item: BreakMark, line: Span) -> Markup:
        """A triangle over the words: full where a pause does not belong, hollow where one is missing."""
        x, y = self._x(item.at_s, line), _WORDS - self._lift - 1
        return tag(
            "g",
            tag("title", item.caption),
            tag("path", d=f"M{number(x - 6)} {number(y - 9)}h12l-6 9z"),
            class_=f"break {item.kind}",
            role="img",
            aria_label=item.caption,
        )


def _text(x: float, y: float, content: str, style: str) -> Markup:
    return tag("text", content, class_=style, x=x, y=y)


def _box(left: float, top: float, width: float, height: float, fill: str) -> Markup:
    return tag("rect", x=left + 0.5, y=top, width=max(width - 1, 0.5), height=height, rx=3, fill=fill)


def _fitted(x: float, y: float, content: str, width: float, size: float, ink: str) -> Markup:
    """Text made small enough for a box; what would have to be too small reaches over the edges a little."""
    fitting = max(min(size, _fitting(content, width)), _SMALLEST)
    return tag("text", content, class_="middle", x=x, y=y, fill=ink, font_size=fitting)


def _fitting(content: str, width: float) -> float:
    """Font size at which a text fills a width."""
    return (width - 1) / (0.58 * max(len(content), 1))


def _button(mark: Span, style: str, *parts: Markup, caption: str, address: str) -> Markup:
    """Something that can be clicked, and reached by keyboard."""
    return tag(
        "g",
        tag("title", caption),
        *parts,
        class_=style,
        role="button",
        tabindex="-1",
        aria_label=caption,
        data_from=f"{mark.start_s:.3f}",
        data_to=f"{mark.end_s:.3f}",
        data_at=address,
    )
