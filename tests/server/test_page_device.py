"""The page that assesses by itself, in Chromium: the server's scores, and no sound sent to anyone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from elocute import Assessor, Report
from elocute.report_feedback import next_sentence
from elocute.server import problems
from elocute.server.settings import ServerConfig
from running_server import QUIET, served

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = Path(problems.__file__).parent / "page"
TEXT = "We are going to the new museum."
LONG_MS = 240_000  # to load everything on a machine that is busy with other tests


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of our own on a free port."""
    with served(ServerConfig(workers=1)) as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Callable[..., tuple[Page, list[Any]]]]:
    """Opens the page; gives it, and all that it asks for."""
    contexts = []
    broken: list[str] = []

    def open_page(script: str = "") -> tuple[Page, list[Any]]:
        contexts.append(chromium.new_context(viewport={"width": 390, "height": 844}))
        page = contexts[-1].new_page()
        asked: list[Any] = []
        page.on("request", lambda request: asked.append(request))
        page.on("websocket", lambda socket: asked.append(socket))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.add_init_script(script)
        page.goto(address)
        return page, asked

    yield open_page
    for context in contexts:
        context.close()
    assert broken == []


def told(page: Page, where: str, text: str) -> None:
    playwright.expect(page.locator(where)).to_contain_text(text, timeout=LONG_MS)


def read_file(page: Page, path: Path, text: str = TEXT) -> None:
    page.fill("#sentence", text)
    page.set_input_files("#file", path)


def report_of(page: Page) -> dict[str, Any]:
    with page.expect_download() as saved:
        page.click("#export")
    report: dict[str, Any] = json.loads(Path(saved.value.path()).read_text())
    return report


def test_the_page_assesses_by_itself_sends_nothing_and_needs_no_server(
    visit: Callable[..., tuple[Page, list[Any]]], address: str, tmp_path: Path
) -> None:
    page, asked = visit()
    page.check("#on-device")
    told(page, "#on-device-note", "Ready.")
    told(page, "#claim", "Your voice stays on this device.")
    asked.clear()
    read_file(page, EXAMPLES / "museum-dropped.flac")
    told(page, "#status", "Done: ")
    found = report_of(page)
    expected = Assessor().assess(EXAMPLES / "museum-dropped.flac", TEXT).to_dict()
    told(page, "#next-sentence", next_sentence([Report.from_json(json.dumps(found))]).sentence)
    assert found["model"] == expected["model"]
    assert found["utterance"] == pytest.approx(expected["utterance"], abs=0.5)
    for mine, theirs in zip(found["words"], expected["words"], strict=True):
        assert (mine["word"], mine["error"]) == (theirs["word"], theirs["error"])
        for one, other in zip(mine["phonemes"], theirs["phonemes"], strict=True):
            assert (one["phone"], one["actual"], one["error"]) == (other["phone"], other["actual"], other["error"])
            assert one["score"] == pytest.approx(other["score"], abs=0.5)
    (tmp_path / "letter.txt").write_text("this is no sound at all")
    page.set_input_files("#file", tmp_path / "letter.txt")
    told(page, "#status", "This file is not a recording that can be read.")
    read_file(page, EXAMPLES / "car.flac", "你好")
    told(page, "#status", "This text cannot be used.")
    assert [item for item in asked if not item.url.startswith("blob:")] == []  # the page had asked for all of it before
    page.context.set_offline(True)
    page.reload()
    assert page.is_checked("#on-device")
    told(page, "#on-device-note", "Ready.")
    read_file(page, EXAMPLES / "museum-dropped.flac")
    told(page, "#status", "Done: ")
    assert report_of(page) == found
    told(page, "#next-sentence", next_sentence([Report.from_json(json.dumps(found))] * 2).sentence)


def test_loading_can_be_cancelled_and_switched_off(visit: Callable[..., tuple[Page, list[Any]]]) -> None:
    page, asked = visit()
    page.route("**/runtime/*.gz*", lambda route: None)  # never answered
    page.check("#on-device")
    read_file(page, EXAMPLES / "museum-dropped.flac")
    told(page, "#status", "Listening to your recording")
    page.click("#cancel")
    told(page, "#status", "Cancelled. Your recording is kept")
    told(page, "#on-device-note", "Not loaded, as that was cancelled.")
    page.uncheck("#on-device")
    told(page, "#on-device-note", "it loads about 30 MB, once")
    told(page, "#claim", "Your voice goes to this server only")
    page.click("#again")
    told(page, "#status", "Done: ")
    assert [item.url for item in asked if getattr(item, "method", "") == "POST"]


def test_what_cannot_be_loaded_is_told_and_nothing_is_sent(visit: Callable[..., tuple[Page, list[Any]]]) -> None:
    page, asked = visit()
    detail = "this server assesses with models of its own, which it gives to no browser"
    page.route(
        "**/runtime/manifest.json",
        lambda route: route.fulfill(
            status=404, body=json.dumps({"detail": detail}), content_type="application/problem+json"
        ),
    )
    page.check("#on-device")
    told(page, "#on-device-note", detail)
    read_file(page, EXAMPLES / "museum-dropped.flac")
    told(page, "#status", "This device could not assess the recording, which is kept.")
    assert page.is_visible("#again")
    assert [item.url for item in asked if getattr(item, "method", "GET") != "GET"] == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("WebAssembly.validate = () => false;", "This browser's WebAssembly lacks SIMD."),
        ("delete window.DecompressionStream;", "This browser cannot unpack what the page loads."),
        ("Object.defineProperty(navigator, 'deviceMemory', { value: 0.5 });", "less than 2 GB of memory"),
    ],
)
def test_a_browser_that_cannot_is_told_so(
    visit: Callable[..., tuple[Page, list[Any]]], script: str, words: str
) -> None:
    page, _ = visit(f"localStorage.setItem('elocute.on-device', 'yes'); {script}")
    told(page, "#on-device-note", words)
    assert page.is_disabled("#on-device")
    assert not page.is_checked("#on-device")


def test_a_wav_files_samples_pass_unchanged(visit: Callable[..., tuple[Page, list[Any]]], tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    page, _ = visit()
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (500, 2), dtype=np.int16)
    decoded = """async (bytes) => {
      const { decode } = await import("/device/decode.js");
      const { samples, ...rest } = await decode(new Blob([Uint8Array.from(bytes)]));
      return { ...rest, samples: [...samples] };
    }"""
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        soundfile.write(tmp_path / "x.wav", samples / 2**15, 16_000, subtype=subtype)
        found = page.evaluate(decoded, list((tmp_path / "x.wav").read_bytes()))
        assert (found["channels"], found["sampleRate"]) == (2, 16_000)
        np.testing.assert_array_equal(np.reshape(found["samples"], (2, 500)).T, samples / 2**15)
    cut = (tmp_path / "x.wav").read_bytes()[:-1000]
    with pytest.raises(playwright.Error, match=r"the recording ends after 0\.0\d of 0\.03 s"):
        page.evaluate(decoded, list(cut))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3"])
def test_a_recording_is_decoded_at_its_own_rate(
    visit: Callable[..., tuple[Page, list[Any]]], tmp_path: Path, kind: str, rate: int
) -> None:
    import numpy as np
    import soundfile

    path = tmp_path / f"x.{kind}"
    soundfile.write(path, 0.1 * np.sin(np.arange(rate)), rate)
    page, _ = visit()
    script = """async (bytes) => {
      const { decode } = await import("/device/decode.js");
      const { samples, sampleRate } = await decode(new Blob([Uint8Array.from(bytes)]));
      return [samples.length, sampleRate];
    }"""
    length, found = page.evaluate(script, list(path.read_bytes()))
    assert found == rate
    assert length == pytest.approx(rate, abs=0.1 * rate)


def test_the_service_worker_knows_all_files_of_the_page() -> None:
    (block,) = re.findall(r"FILES = \[(.*?)\]", (PAGE / "offline.js").read_text(), flags=re.S)
    listed = set(re.findall(r'"([\w./-]+)"', block))
    there = {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()}
    scripts = {f"runtime/{path.name}" for path in (PAGE.parent / "runtime").glob("*js")}
    assert listed == (there - {"offline.js", "index.html"}) | scripts | {"./", "runtime/manifest.json"}


def test_models_of_ones_own_stay_on_the_server() -> None:
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from elocute.config import AssessorConfig
    from elocute.server.device import device_files
    from elocute.server.settings import ServerConfig

    app = FastAPI()
    app.mount("/runtime", device_files(ServerConfig(assessor=AssessorConfig(backend="hf:mine"))))
    with TestClient(app) as client, pytest.raises(problems.Problem, match="models of its own"):
        client.get("/runtime/manifest.json")
