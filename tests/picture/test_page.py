"""The page: well formed, complete, safe, and without a word to any server."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from cli_reports import weather

from drawn_report import contour, refused_report, rich_report, tone
from elocute.picture import draw_page
from elocute.prosody.pitch import Pitch
from elocute.report import Report

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page taken apart; elements that are not closed in order are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data + " "

    def having(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if name in attributes]


def page(report: Report, duration_s: float = 2.4, pitch: Pitch | None = None) -> Page:
    return Page(draw_page(report, tone(duration_s), pitch=pitch).decode("utf-8"))


def test_every_word_and_phone_with_a_place_can_be_clicked() -> None:
    made = page(rich_report(), pitch=contour(2.4))
    marks = {item["data-at"]: item for item in made.having("data-from")}
    assert set(marks) == {"0", *(f"0.{k}" for k in range(7)), "2", "2.0", "2.1", "3", "3.0", "3.1", "3.2"}
    assert (marks["0"]["data-from"], marks["0"]["data-to"]) == ("0.200", "0.700")
    assert marks["0.1"]["role"] == "button"
    assert "said as i" in str(marks["0.1"]["aria-label"])
    words = [item["data-word"] for item in made.having("data-word")]
    assert words == ["0", "2", "3", "0"]  # the one left out is no button; the first has its stress out of place, too
    assert {item["data-phone"] for item in made.having("data-phone")} <= set(marks)


def test_boxes_are_as_wide_as_sounds_are_long() -> None:
    made = draw_page(rich_report(), tone(2.4)).decode()
    scale = float(re.findall(r'data-scale="([\d.]+)"', made)[0])
    box = re.search(r'<g class="box word".*?<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', made)
    assert box is not None
    left, width = map(float, box.groups())
    assert left == pytest.approx(46 + 0.2 * scale, abs=1)
    assert width == pytest.approx(0.5 * scale, abs=1.1)


def test_nothing_is_asked_of_a_server() -> None:
    made = page(rich_report(), pitch=contour(2.4))
    for _, attributes in made.tags:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:")
    raw = draw_page(rich_report(), tone(2.4)).decode()
    outside = re.sub(r"data:[a-z]+/[a-z]+;base64,[A-Za-z0-9+/=]+", "", raw)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|WebSocket", outside)
    (policy,) = (item["content"] for item in made.having("http-equiv"))
    assert str(policy).startswith("default-src 'none'")


def test_the_recording_is_in_the_page() -> None:
    (player,) = (attributes for name, attributes in page(rich_report()).tags if name == "audio")
    coded = str(player["src"]).removeprefix("data:audio/flac;base64,")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(coded)), dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(samples, tone(2.4).samples, atol=2**-15)


def test_a_hostile_text_is_only_text() -> None:
    bad = '</script><script>alert(1)</script><img src=x onerror=alert(1)> "&'
    whole = rich_report()
    words = (replace(whole.words[0], word=bad), *whole.words[1:])
    made = page(replace(whole, text=bad, words=words, warnings=(bad,)))
    assert [name for name, _ in made.tags].count("script") == 1
    assert not made.having("onerror")
    assert made.text.count("alert(1)") >= 8


def test_scores_warnings_and_facts_are_told_in_words() -> None:
    told = page(rich_report()).text
    for part in (
        "81",
        "audio is noisy",
        "the pitch falls (-3.2 semitones); such sentences mostly rise",
        "after 'Record' (83% sure)",
    ):
        assert part in told
    assert "left out" in told
    assert "Record: stress heard on /ɹɪ/, belongs on /kɔɹd/" in told


def test_a_refused_recording_shows_why_and_scores_nothing() -> None:
    made = page(refused_report(), 1.0)
    assert "Not scored" in made.text
    assert "hardly any of the text was heard" in made.text
    assert "Rate" not in made.text


def test_without_pitch_and_prosody_there_is_no_melody() -> None:
    classes = {item["class"] for item in page(weather(), 2.5).having("class")}
    assert "melody" not in classes
    assert "melody" in {item["class"] for item in page(weather(), 2.5, contour(2.5)).having("class")}


def test_a_long_recording_has_several_lines_and_each_word_once() -> None:
    made = page(rich_report(), 30.0)
    assert [name for name, _ in made.tags].count("svg") == 6
    marks = [item["data-at"] for item in made.having("data-from")]
    assert len(marks) == len(set(marks))


def test_a_very_short_recording_can_be_drawn() -> None:
    assert "Not scored" in page(refused_report(), 0.06).text


def test_the_same_report_gives_the_same_bytes() -> None:
    first, second = (draw_page(rich_report(), tone(2.4), pitch=contour(2.4)) for _ in range(2))
    assert first == second
