"""The picture as a page: one file that asks nothing of any server, for screens large and small, and for paper."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from elocute.picture.captions import (
    Fact,
    break_facts,
    facts,
    phone_caption,
    phone_note,
    score_text,
    stress_note,
    utterance_scores,
    word_note,
)
from elocute.picture.colours import colour, ink_on
from elocute.picture.markup import Markup, data_url, tag
from elocute.picture.melody import Melody
from elocute.picture.scene import Scene, score_of, share_of, signs
from elocute.picture.sound import flac, spectrogram
from elocute.picture.staff import Staff
from elocute.report import Report
from elocute.types import Audio

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing is fetched, whatever a text holds."""
_DRAWING = files("elocute.server").joinpath("page/drawing.css")
"""The web page, whose files are served as they are, has the one copy of the rules that both draw by."""
_LONG_TITLE = 120
_SHARES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def page_html(report: Report, scene: Scene, audio: Audio, melody: Melody | None) -> str:
    """The whole page."""
    staff = Staff(scene=scene, audio=audio, loudness=spectrogram(audio.samples), melody=melody)
    title = " ".join(report.text.split())
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} - elocute"),
        tag("style", Markup(_DRAWING.read_text(encoding="utf-8") + _asset("page.css"))),
    )
    main = tag(
        "main",
        tag("h1", title, class_="long" if len(title) > _LONG_TITLE else None),
        *_notes(report),
        _scores(report),
        _sentence(report),
        _player(audio),
        tag("h2", "The recording"),
        tag("div", *(tag("div", staff.line(line), class_="line") for line in scene.lines), class_="lines"),
        _legend(scene, melody, report.scale),
        *_findings(report),
        *_facts((*facts(report), *break_facts(report))),
        _table(report),
        _origin(report),
    )
    # Outside of `main`, so that it stays in sight while the lines scroll.
    told = tag("output", "Tap a word or a sound to hear it.", id="told", aria_live="polite")
    body = tag("body", main, told, tag("script", Markup(_asset("page.js"))))
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _asset(name: str) -> str:
    return files("elocute.picture").joinpath(name).read_text(encoding="utf-8")


def _notes(report: Report) -> Iterator[Markup]:
    """The warnings of the report."""
    if report.warnings:
        yield tag("ul", *(tag("li", warning) for warning in report.warnings), class_="notes")


def _scores(report: Report) -> Markup:
    """The five scores of the utterance."""
    if report.utterance.total is None:
        return tag("p", tag("b", "Not scored"))
    tiles = []
    for item in utterance_scores(report):
        shown = score_text(item.score, report.scale)
        tiles.append(tag("div", tag("dt", item.name), tag("dd", shown, style=_filled(item.score, report.scale))))
    return tag("dl", *tiles, class_="scores", aria_label=f"Scores of {report.scale}")


def _sentence(report: Report) -> Markup:
    """The words as buttons, in reading order; those without a place in the recording cannot be played."""
    buttons = []
    for index, word in enumerate(report.words):
        is_told = word.text_index is None or word.error == "omission"
        score = score_text(score_of(word), report.scale)
        parts = (tag("b", word.word), tag("span", word_note(word) if is_told else score))
        style = _filled(score_of(word), report.scale)
        kind = "said" if word.text_index is not None else "said extra"
        if word.start_s is None:
            buttons.append(tag("span", *parts, class_="said gone", style=None if is_told else style))
        else:
            buttons.append(tag("button", *parts, class_=kind, style=style, type="button", data_word=str(index)))
    return tag("p", *buttons, class_="sentence")


def _player(audio: Audio) -> Markup:
    """The recording, to be played as a whole."""
    return tag(
        "p",
        tag("audio", id="sound", controls=True, preload="auto", src=data_url(flac(audio), "audio/flac")),
        tag("span", "The recording is part of this page: who has the page has the voice.", class_="hint"),
        class_="player",
    )


def _legend(scene: Scene, melody: Melody | None, scale: int) -> Markup:
    """How to read the lines."""
    steps = [tag("i", score_text(share * scale, scale), style=_filled(share * scale, scale)) for share in _SHARES]
    shown = [*signs(scene), *(["st: semitones over the middle pitch"] if melody is not None else [])]
    return tag(
        "p",
        tag("span", *steps, tag("i", "not scored", class_="none"), class_="scale"),
        *(tag("span", sign) for sign in shown),
        class_="legend",
    )


def _findings(report: Report) -> Iterator[Markup]:
    """The flagged sounds, most certain first, then words with their stress out of place."""
    items = []
    for found in report.mispronunciations:
        word = report.words[found.word_index]
        phone = word.phonemes[found.phone_index]
        address = f"{found.word_index}.{found.phone_index}"
        caption = phone_caption(phone, word, report.scale)
        items.append(tag("li", tag("button", caption, type="button", class_="link", data_phone=address)))
    for index, word in enumerate(report.words):
        if stress_note(word):
            caption = f"{word.word}: {stress_note(word)}"
            items.append(tag("li", tag("button", caption, type="button", class_="link", data_word=str(index))))
    if items:
        yield tag("h2", "To practise")
        yield tag("ol", *items)


def _facts(found: tuple[Fact, ...]) -> Iterator[Markup]:
    """Rate, pauses and melody."""
    if found:
        yield tag("h2", "Rate, pauses, melody")
        parts = (part for fact in found for part in (tag("dt", fact.name), tag("dd", fact.value)))
        yield tag("dl", *parts, class_="facts")


def _table(report: Report) -> Markup:
    """Everything in rows, for those who read with a screen reader or a spreadsheet."""
    rows = []
    for word in report.words:
        times = ("", "") if word.start_s is None or word.end_s is None else (f"{word.start_s:.2f}", f"{word.end_s:.2f}")
        shown = (word.word, "", *times, score_text(score_of(word), report.scale), word_note(word))
        rows.append(tag("tr", tag("th", shown[0], scope="row"), *(tag("td", cell) for cell in shown[1:])))
        for phone in word.phonemes:
            times = ("", "") if phone.start_s is None else (f"{phone.start_s:.2f}", f"{phone.end_s:.2f}")
            cells = (
                "",
                f"{phone.ipa} {phone.phone}",
                *times,
                score_text(phone.score, report.scale),
                phone_note(phone, report.scale),
            )
            rows.append(tag("tr", *(tag("td", cell) for cell in cells)))
    names = ("Word", "Sound", "From, s", "To, s", "Score", "Heard")
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    return tag(
        "details",
        tag("summary", "All words and sounds as a table"),
        tag("div", tag("table", head, tag("tbody", *rows)), class_="table"),
    )


def _filled(score: float | None, scale: int) -> str:
    """Style of something in the colour of a score."""
    fill = colour(share_of(score, scale))
    return f"background:{fill};color:{ink_on(fill)}"


def _origin(report: Report) -> Markup:
    model = report.model
    return tag(
        "p",
        f"elocute {model.version}; backend {model.backend}; scorer {model.scorer}; scores of {report.scale}; "
        f"recording of {report.audio.duration_s:.2f} s",
        class_="origin",
    )
