"""The page that assesses by itself against the server: do they say the same, and how fast is the page?

    python benchmarks/browser.py                                              # the recordings in examples/
    python benchmarks/browser.py --corpus speechocean762 --count 20           # learners, one recording each
    python benchmarks/browser.py --corpus speechocean762 --count 20 --kind webm

Starts a server and Chromium (playwright), sends every recording to `POST /v1/assess`, gives the same bytes to the
engine of the page, and compares the reports: the largest difference of any score of utterance, words and phones on
0..100, and whether errors and heard phones agree. Times are the page's own: from the file to the report, models loaded;
CPU seconds are those of its process, whatever else the machine does.

Two machines' kernels round differently, and what rounds differently is quantised to 8 bits again and again. So the
library is also compared with itself, given the same recording with noise of -140 dB added: no two run-times can be
expected to agree better than that.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from elocute.assessor import Assessor
from elocute.audio import load_audio
from elocute.types import SAMPLE_RATE_HZ

ROOT = Path(__file__).resolve().parent.parent
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip
NOISE = 1e-7
TOLERANCE = 0.5
WARM_UP = 6
"""Assessments before times count: WebAssembly is compiled twice, the second time well."""

_START = """async () => {
  const { Engine } = await import("/device/engine.js");
  const begun = performance.now();
  window.engine = new Engine(() => {});
  await engine.start();
  return performance.now() - begun;
}"""
_ASSESS = """async ([content, fields]) => {
  const blob = new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))]);
  const begun = performance.now();
  const answer = await engine.assess(blob, fields, new AbortController().signal);
  return { ...answer, seconds: (performance.now() - begun) / 1000 };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A recording in the form that is sent, and its text."""

    name: str
    content: bytes
    text: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How two reports differ.

    Attributes:
        score: greatest difference of a score, 0..100.
        where: of it.
        forms: words of which another accepted form was heard.
        errors: places whose error differs.
        heard: phones heard differently.
        phones: how many there are.
    """

    score: float
    where: str
    forms: int
    errors: int
    heard: int
    phones: int


def difference(one: dict[str, Any], other: dict[str, Any]) -> Difference:
    """Compare two reports of the same text; words of which another accepted form was heard are compared as words."""
    gaps = {f"utterance {name}": _gap(one["utterance"][name], other["utterance"][name]) for name in one["utterance"]}
    forms = errors = heard = phones = 0
    if len(one["words"]) != len(other["words"]):
        return Difference(score=math.inf, where="the number of words", forms=0, errors=0, heard=0, phones=0)
    for n, (a, b) in enumerate(zip(one["words"], other["words"], strict=True)):
        place = f"word {n} {a['word']}"
        gaps |= {f"{place} {name}": _gap(a[name], b[name]) for name in ("accuracy", "stress", "total")}
        errors += a["error"] != b["error"]
        if [phone["phone"] for phone in a["phonemes"]] != [phone["phone"] for phone in b["phonemes"]]:
            forms += 1
            continue
        for k, (mine, theirs) in enumerate(zip(a["phonemes"], b["phonemes"], strict=True)):
            gaps[f"{place} phone {k} {mine['phone']}"] = _gap(mine["score"], theirs["score"])
            errors += mine["error"] != theirs["error"]
            heard += mine["actual"] != theirs["actual"]
            phones += 1
    where = max(gaps, key=lambda place: gaps[place])
    return Difference(score=gaps[where], where=where, forms=forms, errors=errors, heard=heard, phones=phones)


def _gap(one: float | None, other: float | None) -> float:
    """How far two scores are apart; infinitely, where only one of them is one."""
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other)


@contextmanager
def served() -> Iterator[str]:
    """The address of a server of our own."""
    import uvicorn

    from elocute.server.app import create_app
    from elocute.server.settings import ServerConfig

    config = uvicorn.Config(create_app(ServerConfig(workers=1)), host="127.0.0.1", port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def examples() -> Iterator[Case]:
    """The recordings in examples/, as they are."""
    for line in (ROOT / "examples" / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        content = (ROOT / "examples" / row["audio"]).read_bytes()
        yield Case(name=row["id"], content=content, text=row["text"], duration_s=load_audio(content).duration_s)


def learners(corpus: Path, count: int, kind: str) -> Iterator[Case]:
    """One recording each of so many speakers of speechocean762, split train."""
    texts = dict(line.split(maxsplit=1) for line in (corpus / "train" / "text").read_text().splitlines())
    first: dict[str, str] = {}
    for name in sorted(texts):
        first.setdefault(name[:5], name)
    chosen = list(first.values())
    for name in chosen[:: max(len(chosen) // count, 1)][:count]:
        (path,) = corpus.glob(f"WAVE/*/{name}.*")
        samples = load_audio(path).samples
        content = as_webm(samples) if kind == "webm" else as_wav(samples)
        duration_s = len(samples) / SAMPLE_RATE_HZ
        yield Case(name=name, content=content, text=texts[name].strip().capitalize() + ".", duration_s=duration_s)


def as_wav(samples: np.ndarray) -> bytes:
    """16-bit wav."""
    import soundfile

    target = io.BytesIO()
    soundfile.write(target, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return target.getvalue()


def as_webm(samples: np.ndarray) -> bytes:
    """Opus at 48 kHz in webm, as browsers record."""
    import av

    target = io.BytesIO()
    with av.open(target, mode="w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono", bit_rate=96_000)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000, frame_size=960)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return target.getvalue()


def by_server(address: str, case: Case) -> dict[str, Any]:
    """The server's report."""
    import httpx

    answer = httpx.post(
        f"{address}/v1/assess", data={"text": case.text}, files={"audio": case.content}, timeout=60
    ).raise_for_status()
    report: dict[str, Any] = answer.json()
    return report


def by_page(page: Any, case: Case) -> tuple[dict[str, Any], float]:
    """The page's report, and how long it took."""
    fields = {"text": case.text, "scale": "100"}
    answer = page.evaluate(_ASSESS, [base64.b64encode(case.content).decode(), fields])
    assert answer["status"] == 200, answer["body"]
    return json.loads(answer["body"]), answer["seconds"]


def beside_noise(assessor: Assessor, case: Case) -> Difference:
    """How the library differs from itself when nothing that can be heard has changed."""
    audio = load_audio(case.content)
    noise = NOISE * np.random.default_rng(0).standard_normal(len(audio.samples))
    other = replace(audio, samples=(audio.samples * (1 + noise)).astype(np.float32))
    one, two = (json.loads(assessor.assess(heard, case.text).to_json()) for heard in (audio, other))
    return difference(one, two)


def cpu_s() -> float:
    """CPU seconds that the pages' processes of our browser have used."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=renderer" in (folder / "cmdline").read_bytes():
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return total


def told(found: Sequence[Difference]) -> str:
    """Differences, summed up."""
    worst = max(found, key=lambda one: one.score)
    return (
        f"max |difference| {worst.score:.1f} of 100 ({worst.where}), above {TOLERANCE:g} in "
        f"{sum(one.score > TOLERANCE for one in found)} of {len(found)} recordings; of "
        f"{sum(one.phones for one in found)} phones {sum(one.heard for one in found)} heard as another; "
        f"{sum(one.errors for one in found)} other errors, {sum(one.forms for one in found)} words in another form"
    )


def measure(address: str, browser: Any, cases: Sequence[Case], out: Console) -> None:
    """Assess everything twice, and print what there is to say."""
    page = browser.new_page()
    page.goto(address)
    cold_s = page.evaluate(_START) / 1000
    page.reload()
    warm_s = page.evaluate(_START) / 1000
    cores, isolated = page.evaluate("[navigator.hardwareConcurrency, crossOriginIsolated]")
    for n in range(WARM_UP):
        by_page(page, cases[n % len(cases)])
    found, times, used_s = [], [], []
    for case in cases:
        begin_s = cpu_s()
        report, seconds = by_page(page, case)
        used_s.append(cpu_s() - begin_s)
        times.append(seconds)
        gap = difference(report, by_server(address, case))
        found.append(gap)
        line = f"{case.name:16s} {case.duration_s:5.2f} s: {seconds:.2f} s, differs by {gap.score:.1f} at {gap.where}"
        out.print(line + (f", {gap.forms} other forms" if gap.forms else ""))
    memory = page.evaluate("performance.measureUserAgentSpecificMemory().then((found) => found.bytes)") / 2**20
    assessor = Assessor()
    out.print(f"page and server: {told(found)}")
    out.print(f"library and library, noise added: {told([beside_noise(assessor, case) for case in cases])}")
    mean_s = np.mean([case.duration_s for case in cases])
    out.print(
        f"a sentence of {mean_s:.1f} s on average: p50 {np.quantile(times, 0.5):.2f} "
        f"s, p95 {np.quantile(times, 0.95):.2f} s; CPU p50 {np.quantile(used_s, 0.5):.2f} s, p95 "
        f"{np.quantile(used_s, 0.95):.2f} s"
    )
    out.print(
        f"loading {cold_s:.1f} s, the second time {warm_s:.1f} s; memory {memory:.0f} MiB; {cores} cores, "
        f"{'several threads' if isolated else 'one thread'}; load of the machine {os.getloadavg()[0]:.1f}"
    )


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="folder of speechocean762; without it the recordings in examples/")
    parser.add_argument("--count", type=int, default=20, help="recordings of the corpus")
    parser.add_argument("--kind", choices=("wav", "webm"), default="wav", help="what they are sent as")
    asked = parser.parse_args()
    out = Console(highlight=False, soft_wrap=True)
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if chromium is None or sync_playwright is None:
        out.print("not measured: this needs chromium, and playwright (pip install 'elocute[dev]')")
        return 0
    cases = list(examples()) if asked.corpus is None else list(learners(asked.corpus, asked.count, asked.kind))
    with served() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=QUIET)
        measure(address, browser, cases, out)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
