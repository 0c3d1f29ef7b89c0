"""The server as its clients see it: reports, every refusal, and what surrounds them."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")
pytest.importorskip("httpx", reason="needs httpx")

from elocute.assessor import Assessor
from elocute.azure import AzureConfig, to_azure_json
from elocute.report import Report
from elocute.server.logs import JsonLines
from elocute.server.openapi import REPORT_EXAMPLE
from elocute.server.settings import ServerConfig
from running_server import TEXTS, Gate, Served, encoded, flac, gated, served

ORIGIN = "https://learn.example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(ServerConfig(workers=2, cors=(ORIGIN,), max_bytes=2**20, max_duration_s=5)) as running:
        yield running


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    """As the command line makes it."""
    return Assessor()


def post(server: Served, audio: bytes | None = None, headers: dict[str, str] | None = None, **fields: str) -> Any:
    audio = flac() if audio is None else audio
    data = {"text": TEXTS["car"]} | fields
    return server.client.post(f"{server.url}/v1/assess", files={"audio": audio}, data=data, headers=headers)


def test_the_report_is_that_of_the_command_line_byte_for_byte(server: Served, assessor: Assessor) -> None:
    answer = post(server)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == assessor.assess(flac(), TEXTS["car"]).to_json(indent=2) + "\n"


def test_requests_at_the_same_time_get_the_reports_they_would_get_alone(server: Served, assessor: Assessor) -> None:
    names = [*TEXTS] * 3
    alone = {name: assessor.assess(flac(name), TEXTS[name]).to_json(indent=2) + "\n" for name in TEXTS}
    with ThreadPoolExecutor(len(names)) as threads:
        answers = list(threads.map(lambda name: post(server, flac(name), text=TEXTS[name]).text, names))
    assert answers == [alone[name] for name in names]
    assert len(set(alone.values())) == 3


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("webm", "libopus", 48_000),
        ("mp4", "aac", 44_100),
        ("ogg", "libopus", 48_000),
        ("wav", "pcm_s16le", 44_100),
        ("adts", "aac", 48_000),
        ("mp3", "libmp3lame", 44_100),
    ],
)
def test_what_browsers_record_is_read(server: Served, container: str, codec: str, rate: int) -> None:
    answer = post(server, encoded("car", container, codec, rate))
    assert answer.status_code == 200, answer.text
    report = Report.from_json(answer.text)
    assert [word.word for word in report.words] == ["My", "father", "drives", "a", "red", "car"]
    assert report.utterance.accuracy is not None
    assert report.utterance.accuracy > 70


@pytest.mark.parametrize(("detail", "words", "phones"), [("full", 6, 3), ("word", 6, 0), ("sentence", 0, 0)])
def test_detail_level(server: Served, detail: str, words: int, phones: int) -> None:
    report = Report.from_json(post(server, detail_level=detail).text)
    assert len(report.words) == words
    assert sum(len(word.phonemes) for word in report.words) >= phones
    assert bool(words and report.words[0].phonemes) == bool(phones)
    assert report.utterance.total is not None


def test_scale_and_sensitivity_reach_the_assessor(server: Served) -> None:
    low = Report.from_json(post(server, flac("weather-tink"), text=TEXTS["weather"], sensitivity="low").text)
    high = Report.from_json(post(server, flac("weather-tink"), text=TEXTS["weather"], sensitivity="high").text)
    assert len(low.mispronunciations) <= len(high.mispronunciations)
    ten = Report.from_json(post(server, scale="10").text)
    assert ten.scale == 10
    assert ten.utterance.total is not None
    assert 0 < ten.utterance.total <= 10


def test_the_shape_of_azure(server: Served, assessor: Assessor) -> None:
    report = assessor.assess(flac(), TEXTS["car"])
    assert post(server, format="azure").text == to_azure_json(report, indent=2) + "\n"
    words = to_azure_json(report, AzureConfig(granularity="Word"), indent=2) + "\n"
    assert post(server, format="azure", detail_level="word").text == words
    other = post(server, text="A monkey sees something else entirely.", format="azure")
    assert (other.status_code, other.json()["RecognitionStatus"]) == (200, "NoMatch")


def silence() -> bytes:
    import io

    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000), 16_000, format="WAV")
    return file.getvalue()


def long_recording() -> bytes:
    import io

    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 8_000 * 6), 8_000, format="FLAC")
    return file.getvalue()


@pytest.mark.parametrize(
    ("audio", "fields", "status", "code", "words"),
    [
        (None, {"text": "$ ..."}, 400, "unpronounceable", "nothing that can be pronounced"),
        (None, {"text": ""}, 400, "unpronounceable", "empty"),
        (None, {"scale": "50"}, 400, "bad-request", "scale is '50'; expected one of 100, 10, 1"),
        (None, {"language": "fr-FR"}, 400, "bad-request", "expected one of en-US"),
        (None, {"l1": "klingon"}, 400, "bad-request", "ISO 639-1"),
        (None, {"format": "xml"}, 400, "bad-request", "native, azure"),
        (None, {"detail_level": "phone"}, 400, "bad-request", "full, word, sentence"),
        (None, {"sensitivity": "9"}, 400, "bad-request", "low, normal, high"),
        (None, {"detail": "full"}, 400, "bad-request", "did you mean 'detail_level'"),
        (None, {"text": "word " * 500}, 413, "too-large", "2500 characters; expected at most 1000"),
        (None, {"text": "9" * 400}, 413, "too-large", "1200 sounds when it is read aloud; expected at most 1000"),
        (None, {"text": "w" * 40_000}, 413, "too-large", "'text' has more than 32 KiB"),
        (b"\0" * (2**20 + 1), {}, 413, "too-large", "more than 1 MiB"),
        (b"\0" * (2**20 + 2**17), {}, 413, "too-large", "more than 1 MiB"),
        (long_recording(), {}, 413, "too-long", "6.0 s; expected at most 5 s"),
        (b"<html>no sound</html>", {}, 415, "not-audio", "not audio that can be read"),
        (b"\x1aE\xdf\xa3" + bytes(500), {}, 415, "not-audio", "starts like webm but cannot be read"),
        (b"", {}, 422, "not-scorable", "empty"),
        (silence(), {}, 422, "not-scorable", "silent"),
        (flac()[:20_000], {}, 422, "not-scorable", "truncated"),
        (None, {"text": "A monkey sees something else entirely."}, 422, "not-scorable", "does not fit the text"),
    ],
)
def test_refusals(
    server: Served, audio: bytes | None, fields: dict[str, str], status: int, code: str, words: str
) -> None:
    answer = post(server, audio, **fields)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["type"]) == (
        status,
        status,
        f"urn:problem-type:elocute:{code}",
    ), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in problem["detail"]
    assert problem["title"]
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_what_cannot_be_scored_comes_with_its_report(server: Served, assessor: Assessor) -> None:
    text = "A monkey sees something else entirely."
    problem = post(server, text=text).json()
    assert problem["report"] == assessor.assess(flac(), text).to_dict()
    assert problem["detail"] == "; ".join(problem["report"]["warnings"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/assess", 405),
        ("DELETE", "/v1/assess", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/metrics", 405),
        ("GET", "/v2/assess", 404),
        ("GET", "/../app.py", 404),
        ("GET", "/%2e%2e/app.py", 404),
        ("GET", "/__init__.py", 404),
    ],
)
def test_other_paths_and_methods(server: Served, method: str, path: str, status: int) -> None:
    answer = server.client.request(method, server.url + path)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("", b"", 415),
        ("multipart/form-data", b"--x\r\n", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nhi", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nhi\r\n--x--\r\n", 400),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\n\xff\xfe\r\n--x--\r\n",
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\nhi\r\n" * 2 + b"--x--\r\n",
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=audio\r\n\r\nhi\r\n--x--\r\n",
            400,
        ),
    ],
)
def test_bodies_that_are_no_form(server: Served, kind: str, body: bytes, status: int) -> None:
    answer = server.client.post(f"{server.url}/v1/assess", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_no_upload_touches_the_disk(server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a temporary file was asked for")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    assert post(server, flac() + bytes(900_000)).status_code == 200


def test_a_request_keeps_the_id_it_came_with(server: Served) -> None:
    assert post(server, headers={"X-Request-ID": "lesson-7.a"}).headers["x-request-id"] == "lesson-7.a"
    made = {post(server, headers={"X-Request-ID": bad}).headers["x-request-id"] for bad in ("", "a b", "x" * 65)}
    assert len(made) == 3
    assert all(len(one) == 32 for one in made)


def test_other_origins_are_let_in_by_name_only(server: Served) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    good = server.client.options(f"{server.url}/v1/assess", headers={"Origin": ORIGIN, **asked})
    assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, ORIGIN)
    bad = server.client.options(f"{server.url}/v1/assess", headers={"Origin": "https://evil.example", **asked})
    assert bad.status_code == 400
    assert "access-control-allow-origin" not in bad.headers
    assert "Retry-After" in post(server, headers={"Origin": ORIGIN}).headers["access-control-expose-headers"]


def test_logs_hold_neither_text_nor_audio_unless_asked(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    gate.is_open.set()
    for asked, is_there in ((False, False), (True, True)):
        caplog.clear()
        with caplog.at_level(logging.DEBUG), served(ServerConfig(log_text=asked), gated(gate)) as server:
            post(server, text="Zanzibar is far away.", l1="zh")
        lines = [JsonLines().format(record) for record in caplog.records if record.name.startswith("elocute")]
        assert any("Zanzibar" in line for line in lines) == is_there
        # A request to another test's server may be logged as late as now.
        (request,) = [json.loads(line) for line in lines if '"request"' in line and json.loads(line).get("l1") == "zh"]
        assert (request["status"], request["path"]) == (200, "/v1/assess")
        assert {"upload_ms", "queue_ms", "decode_ms", "assess_ms", "write_ms", "audio_s", "request_id"} <= set(request)


def test_metrics_count(server: Served) -> None:
    def figures() -> dict[str, float]:
        lines = server.client.get(f"{server.url}/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    before = figures()
    post(server)
    post(server, b"no sound")
    server.client.get(f"{server.url}/made/up/by/a/client")
    after = figures()
    for name, more in {
        'elocute_requests_total{method="POST",path="/v1/assess",status="200"}': 1.0,
        'elocute_requests_total{method="POST",path="/v1/assess",status="415"}': 1.0,
        'elocute_requests_total{method="GET",path="other",status="404"}': 1.0,
        'elocute_errors_total{code="not-audio"}': 1.0,
        'elocute_stage_seconds_count{stage="assess"}': 1.0,
        'elocute_stage_seconds_count{stage="queue"}': 1.0,
        "elocute_audio_seconds_total": pytest.approx(2.15),
        'elocute_request_seconds_count{path="/v1/assess"}': 2.0,
    }.items():
        assert after[name] - before.get(name, 0.0) == more, name
    assert (after["elocute_workers"], after["elocute_queue_waiting"], after["elocute_running"]) == (2, 0, 0)
    assert not any("made" in name for name in after)


def test_health_and_models(server: Served) -> None:
    assert server.client.get(f"{server.url}/healthz").json()["status"] == "alive"
    assert server.client.get(f"{server.url}/readyz").json() == {
        "status": "ready",
        "workers": 2,
        "alive": 2,
        "running": 0,
        "waiting": 0,
    }
    models = server.client.get(f"{server.url}/v1/models").json()
    assert {model["role"] for model in models["models"]} == {"backend", "scorer", "g2p"}
    assert models["limits"] == {"max_bytes": 2**20, "max_duration_s": 5, "max_text_chars": 1000}
    assert "zh" in models["l1"]


def test_answers_are_as_the_openapi_document_says(server: Served) -> None:
    from pydantic import TypeAdapter

    document = server.client.get(f"{server.url}/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/assess",
        "/v1/practice",
        "/v1/models",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    post_assess = document["paths"]["/v1/assess"]["post"]
    assert set(post_assess["responses"]) == set("200 400 401 408 413 415 422 429 500 504".split())
    post_practice = document["paths"]["/v1/practice"]["post"]
    assert set(post_practice["responses"]) == set("200 400 401 408 413 429 500 504".split())
    (asked,) = post_practice["requestBody"]["content"]["application/json"]["examples"].values()
    assert server.client.post(f"{server.url}/v1/practice", json=asked["value"]).json()["phones"][0]["phone"] == "TH"
    schema = document["components"]["schemas"]["Report"]
    assert set(schema["properties"]) == set(Report.__dataclass_fields__)
    made = post(server).text
    assert TypeAdapter(Report).validate_json(made) == Report.from_json(made)
    (example,) = post_assess["responses"]["200"]["content"]["application/json"]["examples"].values()
    assert Report.from_json(json.dumps(example["value"])).to_dict() == REPORT_EXAMPLE


def test_nothing_that_the_page_may_load_lies_elsewhere(server: Served) -> None:
    headers = server.client.get(f"{server.url}/healthz").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
