"""The page in a real browser, before a real server: a microphone that plays a recording, then a person's clicks."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from elocute.audio import load_audio
from elocute.phones import ipa_name
from elocute.server.settings import ServerConfig
from running_server import QUIET, served

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

EXAMPLES = Path(__file__).parents[2] / "examples"
LEARNER = EXAMPLES.parents[1] / "shared/data/speechocean762/WAVE/SPEAKER9643/096430012.opus"
TEXT = "My father drives a red car."
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of our own on a free port."""
    with served(ServerConfig(workers=1)) as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake microphone plays, once; Chromium takes nothing but wav."""
    import soundfile

    path = tmp_path_factory.mktemp("microphone") / "car-led.wav"
    soundfile.write(path, load_audio(EXAMPLES / "car-led.flac").samples, 16_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def chromium(microphone: Path) -> Iterator[Browser]:
    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *fake])
        yield browser
        browser.close()


class Visitor:
    """Opens the page, and keeps what it asked for and what went wrong in its scripts.

    A new window costs a second, so visits that ask for nothing special share one.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address
        self.asked: list[str] = []
        self.broken: list[str] = []
        self.shared: Page | None = None
        self.own: list[Page] = []

    def open(self, size: str = "desktop", *, may_record: bool = True, script: str = "", **options: Any) -> Page:
        if self.shared is not None and (size, may_record, script, options) == ("desktop", True, "", {}):
            page = self.shared
        else:
            context = self.browser.new_context(viewport=SIZES[size], **options)
            if may_record:
                context.grant_permissions(["microphone"])
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.on("request", lambda request: self.asked.append(request.url))
            page.on("pageerror", lambda error: self.broken.append(str(error)))
            page.on("console", lambda message: "Security" in message.text and self.broken.append(message.text))
            page.add_init_script(script)
            if self.shared is None and not script and may_record and not options and size == "desktop":
                self.shared = page
            else:
                self.own.append(page)
        page.goto(self.address)
        return page

    def leave(self) -> None:
        """Nothing went to another server, and no script failed; the next visit begins anew."""
        for page in self.own:
            page.context.close()
        if self.shared is not None and self.shared.url.startswith(self.address):
            self.shared.unroute_all()
            self.shared.evaluate("sessionStorage.clear()")
        asked, broken = self.asked[:], self.broken[:]
        for kept in (self.own, self.asked, self.broken):
            kept.clear()
        assert broken == []
        assert any(url.startswith(self.address) for url in asked)
        assert [url for url in asked if not url.startswith((self.address, "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def visitor(chromium: Browser, address: str) -> Visitor:
    return Visitor(chromium, address)


@pytest.fixture
def open_page(visitor: Visitor) -> Iterator[Callable[..., Page]]:
    yield visitor.open
    visitor.leave()


def read_file(page: Page, name: str = "car-led.flac", text: str = TEXT) -> None:
    page.fill("#sentence", text)
    page.set_input_files("#file", EXAMPLES / name)


def wait_for(page: Page, told: str) -> None:
    playwright.expect(page.locator("#status")).to_contain_text(told, timeout=30_000)


def until(page: Page, holds: str) -> None:
    """Wait until an expression holds; the page's policy does not let Playwright's own waiting evaluate one."""
    deadline = time.monotonic() + 30
    while not page.evaluate(holds):
        assert time.monotonic() < deadline, f"{holds} did not come true"
        page.wait_for_timeout(20)


def violations(page: Page) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [f"{item['id']}: {node['html']}" for item in found for node in item["nodes"]]


LISTENED = """
  window.told = [];
  window.lit = [];
  addEventListener("DOMContentLoaded", () => {
    new MutationObserver(() => told.push(document.getElementById("status").textContent))
      .observe(document.getElementById("status"), { childList: true, characterData: true, subtree: true });
    new MutationObserver(() => {
      for (const word of document.querySelectorAll("#reading .done")) {
        if (!lit.includes(word.textContent)) lit.push(word.textContent);
      }
    }).observe(document.getElementById("reading"), { childList: true, attributes: true, subtree: true });
  });
"""
"""Keeps what the page says to screen readers, and which words have lit up."""


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_record_then_words_then_a_sound_and_its_tip(
    open_page: Callable[..., Page], tmp_path: Path, size: str, scheme: str
) -> None:
    page = open_page(size, color_scheme=scheme, script=LISTENED)
    folder = Path(os.environ.get("ELOCUTE_SCREENSHOTS", tmp_path))
    assert violations(page) == []
    page.select_option("#choice", label=f"{TEXT} (r and a)")
    page.click("#record")
    wait_for(page, "Recording.")
    until(page, "document.getElementById('meter').value > 0.5")
    until(page, "document.querySelectorAll('#reading .done').length >= 3")
    page.screenshot(path=folder / f"page-{size}-{scheme}-recording.png")
    assert violations(page) == []
    wait_for(page, "Done: ")  # it stops by itself
    assert page.evaluate("lit")[:4] == TEXT.split()[:4]
    assert len(page.evaluate("told")) <= 4, "chatty"
    assert page.is_visible("#sentence")
    words = page.locator("#words .said")
    assert [words.nth(k).locator("b").inner_text() for k in range(words.count())] == TEXT.rstrip(".").split()
    assert words.first.evaluate("e => e.style.background").startswith("rgb(")
    page.click("#words .said:nth-child(5)")
    sounds = page.locator("#detail .phone")
    assert [sounds.nth(k).locator("b").inner_text() for k in range(sounds.count())] == ["ɹ", "ɛ", "d"]
    sounds.first.click()
    assert page.evaluate("document.activeElement.dataset.phone") == "0"
    told = page.inner_text("#detail")
    assert "as in “red”" in told
    (sound, *_) = exported(page)["words"][4]["phonemes"]
    likely = [item["phone"] for item in sound["nbest"] if item["probability"] >= 0.01][:4]
    names = ["nothing" if phone is None else ipa_name(phone) for phone in likely]
    assert page.locator("#detail .heard .name").all_inner_texts() == names
    assert "the “r” sounded like the “l”" in page.inner_text("#detail .tip")
    assert page.locator("#picture polyline.melody").count() > 0
    assert page.locator("#picture .box.word").count() >= 6
    assert page.locator("#facts dt").count() > 4
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert violations(page) == []
    page.screenshot(path=folder / f"page-{size}-{scheme}.png", full_page=True)
    assert (folder / f"page-{size}-{scheme}.png").stat().st_size > 50_000


def exported(page: Page) -> dict[str, Any]:
    """The report that is shown, as it is saved."""
    with page.expect_download() as saved:
        page.click("#export")
    return dict(json.loads(Path(saved.value.path()).read_text()))


def test_the_report_is_of_what_was_recorded(open_page: Callable[..., Page], address: str) -> None:
    import numpy as np

    from elocute import Assessor

    page = open_page(script=LISTENED)
    sent: list[str | bytes] = []
    got: list[str | bytes] = []

    def watch(socket: Any) -> None:
        assert socket.url == address.replace("http", "ws") + "/v1/stream"
        socket.on("framesent", lambda frame: sent.append(frame))
        socket.on("framereceived", lambda frame: got.append(frame))

    page.on("websocket", watch)
    page.fill("#sentence", TEXT)
    page.click("#record")
    wait_for(page, "Done: ")
    assert not any(url.endswith("/v1/assess") for url in page.evaluate("performance.getEntries().map((e) => e.name)"))
    answers = [json.loads(message) for message in got]
    assert [answer["type"] for answer in answers if answer["type"] != "partial"] == ["ready", "end", "final"]
    (end,) = (answer["bytes"] for answer in answers if answer["type"] == "end")
    samples = b"".join(part for part in sent if isinstance(part, bytes))[:end]
    report = exported(page)
    assert report == Assessor().assess(np.frombuffer(samples, "<i2"), TEXT, sample_rate=16_000).to_dict()
    page.click("text=Play all")
    assert page.inner_text("#picture-note") == ""


def test_a_recording_goes_on_until_stop_if_so_wanted(open_page: Callable[..., Page]) -> None:
    page = open_page(script=LISTENED)
    page.uncheck("#by-itself")
    page.fill("#sentence", TEXT)
    page.click("#record")
    wait_for(page, "then press Stop.")
    page.wait_for_timeout(5000)  # the reading takes 2.6 s
    assert page.inner_text("#record-name") == "Stop"
    page.keyboard.press("Enter")  # the button has the focus
    wait_for(page, "Done: ")
    assert exported(page)["audio"]["duration_s"] > 4.5
    page.reload()
    assert not page.is_checked("#by-itself")


BROKEN = {
    "no connection": "window.WebSocket = class extends EventTarget { constructor() { super(); "
    "setTimeout(() => this.dispatchEvent(new Event('close')), 300); } send() {} close() {} };",
    "no time": """
      window.WebSocket = class extends EventTarget {
        static OPEN = 1;
        readyState = 1;
        constructor() {
          super();
          const problem = { status: 429, detail: "32 connections are open" };
          const data = JSON.stringify({ type: "error", problem });
          setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })), 300);
        }
        send() {}
        close() {}
      };""",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_recording_that_nobody_listens_to_is_sent_as_a_whole(open_page: Callable[..., Page], how: str) -> None:
    page = open_page(script=BROKEN[how])
    page.fill("#sentence", TEXT)
    page.click("#record")
    wait_for(page, "The server does not listen along; read on, then press Stop.")
    page.wait_for_timeout(2800)
    page.click("#record")
    wait_for(page, "Done: ")
    assert page.evaluate("performance.getEntries().filter((e) => e.name.endsWith('/v1/assess')).length") == 1
    assert exported(page)["audio"]["duration_s"] > 2.5


def test_a_text_that_cannot_be_pronounced_ends_the_recording(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.fill("#sentence", "你好")
    page.click("#record")
    wait_for(page, "This text cannot be used.")
    assert page.inner_text("#record-name") == "Record"
    assert page.is_visible("#sentence")


def test_what_cannot_be_scored_is_shown_as_far_as_it_goes(open_page: Callable[..., Page]) -> None:
    page = open_page()
    read_file(page, "car-led.flac", "Completely different words about seven monkeys")
    wait_for(page, "This recording could not be scored; the reason is below.")
    assert "Not scored" in page.inner_text("#warnings")
    assert page.locator("#words .said").count() == 6
    assert page.is_hidden("#scores")
    assert page.locator("#picture polygon.wave").count() > 0
    assert page.locator("#attempts tr").count() == 1
    assert violations(page) == []


def test_the_page_shows_what_the_library_says(open_page: Callable[..., Page], tmp_path: Path) -> None:
    from elocute import Assessor
    from elocute.config import AssessorConfig

    page = open_page()
    page.select_option("#sensitivity", "high")
    page.select_option("#l1", label="Mandarin")
    page.select_option("#advice", "child")
    page.reload()
    assert (page.input_value("#l1"), page.input_value("#advice"), page.input_value("#sensitivity")) == (
        "zh",
        "child",
        "normal",
    )
    page.select_option("#sensitivity", "high")
    read_file(page, "museum-dropped.flac", "We are going to the new museum.")
    wait_for(page, "Done: ")
    with page.expect_download() as saved:
        page.click("#export")
    saved.value.save_as(tmp_path / "report.json")
    assessor = Assessor(AssessorConfig(sensitivity="high", l1="zh", advice="child"))
    report = assessor.assess(EXAMPLES / "museum-dropped.flac", "We are going to the new museum.")
    assert json.loads((tmp_path / "report.json").read_text()) == report.to_dict()
    assert "only 6 of 7 words" in page.inner_text("#warnings")
    gone = page.locator("#words .gone")
    assert gone.all_inner_texts() == ["new\nleft out"]
    gone.click()
    assert "left out" in page.inner_text("#detail")
    assert gone.get_attribute("aria-pressed") == "true"
    before, after = (page.locator(f"#picture .box.word[data-at='{index}'] rect") for index in (4, 6))
    left, place, right = (one.bounding_box() for one in (before, page.locator("#picture .lost path"), after))
    assert left["x"] + left["width"] / 2 < place["x"] < right["x"] + right["width"] / 2
    page.click("text=Play all")
    page.click("#picture .lost text")
    assert page.inner_text("#detail h3") == "“new”"
    assert page.locator("#detail button", has_text="Play my word").count() == 0


@pytest.mark.skipif(not LEARNER.is_file(), reason="speechocean762 is not beside the checkout")
def test_the_errors_of_a_learner_are_shown(open_page: Callable[..., Page]) -> None:
    page = open_page("phone")
    page.fill("#sentence", "It had very nearly come.")
    page.set_input_files("#file", LEARNER)
    wait_for(page, "Done: ")
    with page.expect_download() as saved:
        page.click("#export")
    report = json.loads(Path(saved.value.path()).read_text())
    found = report["mispronunciations"]
    assert found
    assert page.locator("#findings li").count() >= len(found)
    page.locator("#findings button").first.click()
    assert page.inner_text("#detail h3") == f"“{found[0]['word']}”"
    assert page.locator("#detail [aria-pressed=true]").get_attribute("data-phone") == str(found[0]["phone_index"])
    place = (found[0]["word_index"], found[0]["phone_index"])
    own = [item for item in report["feedback"] if (item["word_index"], item["phone_index"]) == place]
    advised = [own[0]["message"], own[0]["articulation"]] if own else [found[0]["suggestion"]]
    assert page.locator("#detail .tip").all_inner_texts()[: len(advised)] == advised
    wrong = [word for word in report["words"] if any(phone["error"] for phone in word["phonemes"])]
    assert page.locator("#words .marked").count() == len(wrong)
    assert page.locator("#picture .pause.odd").count() >= len(report["prosody"]["breaks"]) > 0
    assert violations(page) == []


def test_a_file_can_be_dropped_anywhere(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.fill("#sentence", TEXT)
    dropped = """(bytes) => {
      const carried = new DataTransfer();
      carried.items.add(new File([Uint8Array.from(bytes)], "car.flac", { type: "audio/flac" }));
      document.querySelector("h1").dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true }));
    }"""
    page.evaluate(dropped, list((EXAMPLES / "car.flac").read_bytes()))
    wait_for(page, "Done: ")
    assert page.locator("#words .said").count() == 6


def test_attempts_are_kept_for_this_visit_with_progress(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_page()
    for name in ("car-led.flac", "car.flac"):
        read_file(page, name)
        wait_for(page, "Done: ")
        page.locator("#status").evaluate("e => { e.textContent = ''; }")
    read_file(page, "zoo.flac", "Can you help me find the zoo?")
    wait_for(page, "Done: ")
    rows = page.locator("#attempts tr")
    assert [text.split("\t")[0] for text in rows.all_inner_texts()] == ["3", "2", "1"]
    rows.nth(1).locator("button").click()
    assert page.inner_text("#read") == TEXT
    assert page.input_value("#sentence") == TEXT
    assert str(page.get_attribute("#progress svg", "aria-label")).startswith("Total of your 2 attempts")
    with page.expect_download() as saved:
        page.click("#export-all")
    saved.value.save_as(tmp_path / "visit.json")
    assert len(json.loads((tmp_path / "visit.json").read_text())) == 3
    page.reload()
    assert page.locator("#attempts tr").count() == 3
    page.locator("#attempts tr button").first.click()
    playwright.expect(page.locator("#picture-note")).to_contain_text("the page was loaded again")
    assert violations(page) == []
    page.click("#forget")
    assert page.locator("#attempts tr").count() == 1


def test_sounds_that_were_wrong_in_this_visit_are_counted(open_page: Callable[..., Page]) -> None:
    page = open_page()
    for text in ("Can you kelp me find the zoo?", "Can you help me find the zoo?"):
        assert page.locator("#wrong-sounds").count() == 0  # one attempt has no halves
        read_file(page, "zoo.flac", text)
        wait_for(page, "Done: ")
        page.locator("#status").evaluate("e => { e.textContent = ''; }")
    (row,) = page.locator("#wrong-sounds tbody tr").all_inner_texts()
    assert row.startswith("/k/ as in ")
    assert row.split("\t")[1:] == ["1 of 2", "0 of 1"]
    assert violations(page) == []


def test_a_word_is_played_where_it_was_said(open_page: Callable[..., Page]) -> None:
    spy = """
      const start = AudioBufferSourceNode.prototype.start;
      window.played = [];
      AudioBufferSourceNode.prototype.start = function (...times) {
        played.push(times.slice(1));
        return start.apply(this, times);
      };
    """
    page = open_page(script=spy)
    read_file(page)
    wait_for(page, "Done: ")
    page.click("#words .said:nth-child(5)")
    until(page, "played.length === 1")
    with page.expect_download() as saved:
        page.click("#export")
    word = json.loads(Path(saved.value.path()).read_text())["words"][4]
    ((start, length),) = page.evaluate("played")
    assert start == pytest.approx(word["start_s"])
    assert start + length == pytest.approx(word["end_s"])
    page.click("#picture .box.phone >> nth=0")
    until(page, "played.length === 2")
    assert page.inner_text("#detail h3") == "“My”"


def test_the_page_can_be_used_without_a_mouse(open_page: Callable[..., Page]) -> None:
    page = open_page()
    read_file(page)
    wait_for(page, "Done: ")
    page.focus("#words .said:nth-child(4)")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.inner_text("#detail h3") == "“red”"
    assert page.get_attribute("#words .said:nth-child(5)", "aria-pressed") == "true"
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"phone", "play-all", "export"} <= reached


def test_a_refused_microphone_is_told_in_clear_words(open_page: Callable[..., Page]) -> None:
    page = open_page(may_record=False)
    page.click("#record")
    wait_for(page, "The microphone is not allowed for this page. Allow it")
    assert violations(page) == []


def test_no_microphone_is_told_in_clear_words(open_page: Callable[..., Page]) -> None:
    none = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('x', 'NotFoundError'));"
    page = open_page(script=none)
    page.click("#record")
    wait_for(page, "No microphone was found.")


def test_without_a_sentence_nothing_is_recorded(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.fill("#sentence", "  ")
    page.click("#record")
    wait_for(page, "Write or choose a sentence first.")
    assert page.inner_text("#record-name") == "Record"


def test_a_recording_can_be_thrown_away(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.click("#record")
    wait_for(page, "Recording.")
    page.keyboard.press("Escape")
    wait_for(page, "The recording was thrown away.")
    assert page.inner_text("#record-name") == "Record"
    assert page.is_hidden("#level")
    page.click("#record")
    wait_for(page, "Recording.")
    page.click("#record")
    wait_for(page, "That was too short.")
    assert page.is_hidden("#result")


def test_a_microphone_that_is_pulled_out_ends_the_recording(open_page: Callable[..., Page]) -> None:
    keep = """
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (asked) => (window.stream = await open(asked));
    """
    page = open_page(script=keep)
    page.click("#record")
    wait_for(page, "Recording.")
    page.wait_for_timeout(800)
    page.evaluate("stream.getTracks().forEach((track) => track.stop())")
    until(page, "document.getElementById('record-name').textContent === 'Record'")


def test_what_the_server_refuses_is_told(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_page()
    (tmp_path / "letter.txt").write_text("this is no sound at all")
    page.set_input_files("#file", tmp_path / "letter.txt")
    wait_for(page, "This file is not a recording that can be read.")
    read_file(page, text="你好")
    wait_for(page, "This text cannot be used.")
    assert page.is_hidden("#result")


def test_a_busy_server_is_asked_again(open_page: Callable[..., Page]) -> None:
    page = open_page()
    turns: list[int] = []

    def busy_once(route: Route) -> None:
        turns.append(1)
        if len(turns) > 1:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"Retry-After": "1"}, body="{}", content_type="application/problem+json")

    page.route("**/v1/assess", busy_once)
    read_file(page)
    wait_for(page, "The server is busy with other recordings. Trying again in 1 s")
    assert page.is_visible("#cancel")
    wait_for(page, "Done: ")
    assert len(turns) == 2


def test_a_busy_server_can_be_left_and_asked_later(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.route("**/v1/assess", lambda route: route.fulfill(status=429, headers={"Retry-After": "30"}))
    read_file(page)
    wait_for(page, "Trying again in 30 s")
    page.click("#cancel")
    wait_for(page, "Cancelled.")
    page.unroute("**/v1/assess")
    page.click("#again")
    wait_for(page, "Done: ")


def test_a_server_that_is_away_keeps_the_recording(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.route("**/v1/assess", lambda route: route.abort("connectionrefused"))
    read_file(page)
    wait_for(page, "The server does not answer.")
    page.unroute("**/v1/assess")
    page.click("#again")
    wait_for(page, "Done: ")


def test_a_key_is_asked_for_and_sent(open_page: Callable[..., Page]) -> None:
    page = open_page()
    sent: list[str | None] = []

    def guarded(route: Route) -> None:
        sent.append(route.request.headers.get("x-api-key"))
        if sent[-1] == "let me in":
            route.continue_()
        else:
            route.fulfill(status=401, body="{}", content_type="application/problem+json")

    page.route("**/v1/assess", guarded)
    read_file(page)
    wait_for(page, "This server asks for an API key.")
    assert violations(page) == []
    page.keyboard.type("let me in")
    page.keyboard.press("Enter")
    wait_for(page, "Done: ")
    assert sent == [None, "let me in"]


def test_a_hostile_report_is_only_text(open_page: Callable[..., Page]) -> None:
    from dataclasses import replace

    from drawn_report import rich_report

    bad = "<img src=x onerror=alert(1)><script>alert(2)</script>" + 30 * "long"
    whole = rich_report()
    report = replace(whole, text=bad, words=(replace(whole.words[0], word=bad), *whole.words[1:]), warnings=(bad,))
    page = open_page("phone", script="window.alert = (text) => { throw new Error(`a script ran: ${text}`); };")
    page.route("**/v1/assess", lambda route: route.fulfill(body=report.to_json(), content_type="application/json"))
    read_file(page)
    wait_for(page, "Done: ")
    assert bad in page.inner_text("#words")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"]["width"]
    assert page.locator("#result img, #result script").count() == 0
    page.click("#words .said >> nth=0")
    assert "stress heard on /ɹɪ/" in page.inner_text("#detail")
    assert page.locator("#words .gone, #words .extra").count() == 2
    assert page.locator("#picture .pause.odd").count() >= 1  # a line may end inside of it
    assert "Pause where none belongs" in page.inner_text("#facts")
    assert violations(page) == []


def test_the_reference_voice_is_one_of_this_device(open_page: Callable[..., Page]) -> None:
    voices = """
      window.said = [];
      const voice = (name, localService) => ({ name, lang: "en-US", localService });
      window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
      Object.defineProperty(window, "speechSynthesis", { value: {
        getVoices: () => [voice("far", false), voice("near", true)], cancel() {}, addEventListener() {},
        speak(speech) { said.push([speech.voice.name, speech.text]); },
      } });
    """
    page = open_page(script=voices)
    page.click("#hear")
    read_file(page)
    wait_for(page, "Done: ")
    page.click("#words .said:nth-child(2)")
    page.click("text=Hear it from the computer")
    assert page.evaluate("said") == [["near", "I think the weather is nice today."], ["near", "father"]]


def test_the_next_sentence_comes_from_the_attempts_which_the_browser_keeps(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    from elocute import Report
    from elocute.report_feedback import next_sentence

    page = open_page("phone", script="window.unused = 1;")  # a visit of its own
    folder = Path(os.environ.get("ELOCUTE_SCREENSHOTS", tmp_path))
    bodies: list[dict[str, Any]] = []
    page.on("request", lambda one: one.url.endswith("/v1/practice") and bodies.append(json.loads(one.post_data or "")))
    assert not page.is_visible("#next")
    for name, text in (("car.flac", TEXT), ("zoo.flac", "Can you kelp me find the zoo?")):
        read_file(page, name, text)
        wait_for(page, "Done: ")
        playwright.expect(page.locator("#next-why")).to_contain_text("/k/" if "kelp" in text else "No sound went wrong")
        page.locator("#status").evaluate("e => { e.textContent = ''; }")
    with page.expect_download() as saved:
        page.click("#export-all")
    reports = [Report.from_json(json.dumps(one)) for one in json.loads(Path(saved.value.path()).read_text())]
    expected = next_sentence(reports)
    assert expected.phones == ("K",)
    assert page.inner_text("#next-sentence") == expected.sentence
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"]["width"]
    page.locator("#next").scroll_into_view_if_needed()
    page.screenshot(path=folder / "page-next.png")
    page.click("#take-next")
    assert page.input_value("#sentence") == expected.sentence
    assert page.evaluate("document.activeElement.id") == "record"
    # What was answered once is sent as counts from then on, also by the page when it is opened again.
    assert ["schema_version" in one for one in bodies[-1]["attempts"]] == [False, True]
    page.reload()
    playwright.expect(page.locator("#next-sentence")).to_have_text(expected.sentence)
    assert [set(one) for one in bodies[-1]["attempts"]] == [{"text", "right", "wrong", "unsure"}] * 2
    page.route("**/v1/practice", lambda route: route.abort())
    page.click("#attempts tr:first-child button")
    page.click("#forget")
    playwright.expect(page.locator("#next-why")).to_contain_text("could not be chosen this time. The server does not")
    assert not page.is_visible("#take-next")
