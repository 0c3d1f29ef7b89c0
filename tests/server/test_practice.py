"""`POST /v1/practice`: the next sentence from the attempts of a visit, which nobody but the client keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_reports import phone, report, word

pytest.importorskip("fastapi", reason="needs the extra 'serve'")
pytest.importorskip("httpx", reason="needs httpx")

from elocute.feedback import Outcome, next_practice
from elocute.feedback.sentences import SENTENCES
from elocute.report import Report
from elocute.report_feedback import next_sentence, outcome_of
from elocute.server.practice import MOST_ATTEMPTS, Choose, practice_of
from elocute.server.problems import Problem
from elocute.server.settings import ServerConfig
from running_server import Gate, Served, flac, gated, served, until

SINK = report(
    [
        word("think", [phone("TH", 20.0, actual="S", error="substitution", probability=0.9), phone("IH1"), phone("K")]),
        word("so", [phone("S", is_unsure=True), phone("OW1")]),
    ],
    text="think so",
)
CAR = report([word("car", [phone("K"), phone("AA1"), phone("R")])], text="car")
NOTHING = replace(CAR, utterance=replace(CAR.utterance, total=None), warnings=("nothing is scored",))


def asked(*attempts: Report | dict[str, Any] | None) -> bytes:
    """The body of a request."""
    plain = [one.to_dict() if isinstance(one, Report) else one for one in attempts]
    return json.dumps({"attempts": plain}).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(ServerConfig(max_bytes=2**16), gated(Gate())) as found:
        yield found


def post(server: Served, body: bytes, **headers: str) -> Any:
    return server.client.post(f"{server.url}/v1/practice", content=body, headers=headers)


def test_the_sentence_is_the_one_that_the_library_chooses(server: Served) -> None:
    for reports in ([], [CAR], [SINK], [CAR, SINK, CAR], [SINK, CAR, NOTHING, CAR]):
        done = post(server, asked(*reports))
        assert done.status_code == 200
        assert done.headers["cache-control"] == "no-store"
        expected = next_sentence(reports)
        found = done.json()
        assert (found["sentence"], tuple(one["phone"] for one in found["phones"])) == (
            expected.sentence,
            expected.phones,
        )
    assert post(server, asked(SINK)).json()["phones"] == [{"phone": "TH", "ipa": "θ"}]
    assert post(server, asked(SINK)).json()["sentence"] in SENTENCES["TH"]


def test_an_outcome_stands_for_its_report(server: Served) -> None:
    reports = [SINK, CAR, NOTHING, SINK]
    first = post(server, asked(*reports)).json()
    assert first["attempts"][0] == {
        "text": "think so",
        "right": {"IH": 1, "K": 1, "OW": 1},
        "wrong": {"TH": 1},
        "unsure": {"S": 1},
    }
    assert first["attempts"][2] is None
    kept = [one for one in first["attempts"] if one is not None]
    again = post(server, asked(*kept)).json()
    assert (again["sentence"], again["phones"], again["attempts"]) == (first["sentence"], first["phones"], kept)
    mixed = post(server, asked(*kept[:1], CAR, SINK)).json()
    assert mixed == again
    assert len(json.dumps(kept[0])) < len(SINK.to_json()) / 10


def test_what_was_wrong_comes_again_and_what_was_read_lately_does_not() -> None:
    history = [outcome_of(SINK)]
    seen = []
    for _ in range(6):
        found = practice_of(json.dumps({"attempts": [_plain(one) for one in history]}).encode())
        seen.append(found["sentence"])
        history.append(Outcome(text=found["sentence"], wrong={"TH": 1}))
    assert len(set(seen)) >= 5
    assert next_practice(history).phones[0] == "TH"


def _plain(one: Outcome) -> dict[str, Any]:
    return {"text": one.text, "right": dict(one.right), "wrong": dict(one.wrong), "unsure": dict(one.unsure)}


OUTCOME = {"text": "so", "right": {"S": 1}, "wrong": {}, "unsure": {}}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body is something else"),
        (b'{"attempts": {}}', "the body is something else"),
        (b'{"attempts": [], "more": 1}', "the body is something else"),
        (asked(None), r"attempts\[0\] is no object"),
        (asked(CAR, {}), r"attempts\[1\] is neither a report nor an outcome"),
        (asked(OUTCOME | {"more": 1}), "neither a report nor an outcome"),
        (asked(OUTCOME | {"text": 5}), "neither a report nor an outcome"),
        (asked(OUTCOME | {"text": 100_001 * "a"}), "neither a report nor an outcome"),
        (asked(OUTCOME | {"right": [1]}), r"attempts\[0\].right is no object"),
        (asked(OUTCOME | {"right": {"QQ": 1}}), r'right has {"QQ": 1}, which is no count of one of the 39 phones'),
        (asked(OUTCOME | {"right": {"S": True}}), "which is no count"),
        (asked(OUTCOME | {"right": {"S": -1}}), "which is no count"),
        (asked(OUTCOME | {"right": {"S": 1.5}}), "which is no count"),
        (asked({"schema_version": "2"}), r"attempts\[0\]: report has schema_version '2'; expected '1'"),
        (asked(CAR.to_dict() | {"scale": "x"}), r"attempts\[0\]: report.scale"),
    ],
)
def test_a_body_that_says_something_else_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(Problem, match=complaint) as refused:
        Choose(body=body)()
    assert refused.value.code == "bad-request"


def test_limits_keys_and_room(server: Served, tmp_path: Path) -> None:
    many = post(server, asked(*([OUTCOME] * (MOST_ATTEMPTS + 1))))
    assert many.status_code == 413
    assert f"has {MOST_ATTEMPTS + 1} attempts; expected at most {MOST_ATTEMPTS}" in many.json()["detail"]
    large = post(server, b" " * 2**17)
    assert large.status_code == 413
    assert "the attempts have more than 0.0625 MiB" in large.json()["detail"]
    assert post(server, b"{").json()["type"] == "urn:problem-type:elocute:bad-request"
    assert server.client.get(f"{server.url}/v1/practice").headers["allow"] == "POST"
    (tmp_path / "keys.txt").write_text("ann 0123456789abcdef0123456789abcdef\n")
    gate = Gate()
    with (
        served(ServerConfig(api_keys=tmp_path / "keys.txt"), gated(gate, waiting=0)) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        assert post(other, asked(CAR)).status_code == 401
        key = {"X-API-Key": "0123456789abcdef0123456789abcdef"}
        assert post(other, asked(CAR), **key).status_code == 200
        inside = threads.submit(
            other.client.post, f"{other.url}/v1/assess", files={"audio": flac()}, data={"text": "car"}, headers=key
        )
        until(lambda: other.pool.running == 1)
        busy = post(other, asked(CAR), **key)
        assert busy.status_code == 429
        assert int(busy.headers["retry-after"]) >= 1
        gate.is_open.set()
        assert inside.result().status_code == 200
