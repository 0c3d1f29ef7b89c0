"""A recording that is sent while it is made: words on the way, the report in the end, and every way to do it wrong."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="needs the extra 'serve'")
pytest.importorskip("websockets", reason="needs the extra 'serve'")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from elocute.assessor import Assessor
from elocute.audio import load_audio, stretch_of
from elocute.config import AssessorConfig
from elocute.errors import AudioError
from elocute.phones import phonemize
from elocute.report import Report, WordReport
from elocute.server.problems import Problem
from elocute.server.provisional import LOOK_BACK_S, Progress, follow, script_of
from elocute.server.settings import ServerConfig
from elocute.server.stream import GIVEN_UP_S, has_ended
from elocute.types import Audio
from running_server import TEXTS, Gate, Served, encoded, flac, gated, served, until

STOP = json.dumps({"type": "stop"})


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(ServerConfig(workers=1, max_duration_s=5, max_bytes=200_000)) as running:
        yield running


@pytest.fixture
def open_gate() -> Iterator[Served]:
    """A server that answers at once."""
    gate = Gate()
    gate.is_open.set()
    with served(ServerConfig(max_bytes=50_000, upload_timeout_s=0.5), gated(gate)) as running:
        yield running


def talking(server: Served, **named: Any) -> ClientConnection:
    return connect(f"ws://{server.host}:{server.port}/v1/stream", **named)


def start(**fields: object) -> str:
    return json.dumps({"type": "start", "text": TEXTS["car"], **fields})


def pcm(name: str = "car") -> bytes:
    return (load_audio(flac(name)).samples * 32767).astype("<i2").tobytes()


def wav(samples: bytes) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(samples, "<i2"), 16_000, format="WAV")
    return file.getvalue()


def over_http(server: Served, audio: bytes, **fields: str) -> str:
    data = {"text": TEXTS["car"]} | fields
    return str(server.client.post(f"{server.url}/v1/assess", files={"audio": audio}, data=data).text)


def said(socket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """All that the server still says, and how it closes."""
    messages = []
    with suppress(ConnectionClosed):  # of which the code tells how
        while True:
            messages.append(json.loads(socket.recv(timeout=20)))
    assert socket.close_code != 1006, "the connection broke off"
    assert socket.close_code is not None
    return messages, socket.close_code


@pytest.mark.parametrize("chunk", [3_201, 100_000])
def test_the_final_report_is_that_of_http(server: Served, chunk: int) -> None:
    samples = pcm()
    with talking(server) as socket:
        socket.send(start(sample_rate=16_000))
        assert json.loads(socket.recv())["type"] == "ready"
        for begin in range(0, len(samples), chunk):
            socket.send(samples[begin : begin + chunk])
        socket.send(STOP)
        messages, code = said(socket)
    assert code == 1000
    assert messages[-1]["type"] == "final"
    assert messages[-1]["report"] == json.loads(over_http(server, wav(samples)))


def test_an_encoded_recording_and_its_fields(server: Served) -> None:
    recording = encoded("car", "webm", "libopus")
    with talking(server) as socket:
        socket.send(start(format="encoded", scale="10", detail_level="word", l1="zh"))
        for begin in range(0, len(recording), 2_000):
            socket.send(recording[begin : begin + 2_000])
        socket.send(STOP)
        messages, _ = said(socket)
    assert messages[-1]["report"] == json.loads(over_http(server, recording, scale="10", detail_level="word"))


def test_words_are_told_while_the_recording_is_made(server: Served) -> None:
    samples = pcm("weather")
    told: list[dict[str, Any]] = []
    sent = 0
    with talking(server) as socket:
        socket.send(start(text=TEXTS["weather"]))
        assert json.loads(socket.recv())["type"] == "ready"
        for seconds in (0.8, 1.4, 2.0):  # "I think", "the weather", "is nice"
            end = round(seconds * 32_000)
            socket.send(samples[sent:end])
            sent = end
            message = json.loads(socket.recv(timeout=20))
            assert message["type"] == "partial"
            told += message["words"]
            assert all(word["end_s"] <= seconds for word in message["words"])
        socket.send(samples[sent:])
        socket.send(STOP)
        messages, _ = said(socket)
    final = messages[-1]["report"]["words"]
    assert [word["word"] for word in told[:4]] == ["I", "think", "the", "weather"]
    assert [word["text_index"] for word in told] == list(range(len(told)))
    apart = [abs(word["total"] - final[word["text_index"]]["total"]) for word in told]
    assert np.mean(apart) < 10


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    return Assessor(AssessorConfig(threads=1))


def followed(assessor: Assessor, text: str, audio: Audio, step_s: float) -> list[tuple[float, WordReport, Progress]]:
    """Words that are told of a recording that comes in steps, and when, and how far the reading was."""
    progress = Progress()
    found = []
    for end_s in np.arange(step_s, audio.duration_s + step_s, step_s):
        part = Audio(
            samples=audio.samples[round(progress.from_s * 16_000) : round(end_s * 16_000)], quality=audio.quality
        )
        told = follow(assessor, script_of(text), progress, part)
        progress = told.progress
        found += [(float(end_s), word, progress) for word in told.words]
    return found


def test_a_long_recording_costs_no_more_in_its_end(assessor: Assessor, monkeypatch: pytest.MonkeyPatch) -> None:
    once = load_audio(flac("weather"))
    audio = Audio(samples=np.tile(once.samples, 4), quality=once.quality)  # 9 s
    text = " ".join([TEXTS["weather"]] * 4)
    hear, heard_s = assessor.backend.posteriors, []
    monkeypatch.setattr(assessor.backend, "posteriors", lambda one: heard_s.append(one.duration_s) or hear(one))
    found = followed(assessor, text, audio, 0.5)
    words = [word.text for word in phonemize(text).words]
    assert [word.word for _, word, _ in found] == words[: len(found)]
    assert [word.text_index for _, word, _ in found] == list(range(len(found)))
    assert len(found) > 24
    assert max(heard_s) <= LOOK_BACK_S + 2.0
    late = [end_s - word.end_s for end_s, word, _ in found]
    assert np.median(late) < 0.6
    final = assessor.assess(audio, text).words
    assert np.mean([abs(word.total - final[n].total) for n, (_, word, _) in enumerate(found)]) < 5
    assert np.mean([abs(word.start_s - final[n].start_s) for n, (_, word, _) in enumerate(found)]) < 0.05


def test_nobody_who_reads_something_else_is_told_words(assessor: Assessor) -> None:
    noise = load_audio(flac("weather")).samples
    noise = np.random.default_rng(0).permutation(noise)
    audio = Audio(samples=noise, quality=load_audio(flac("weather")).quality)
    assert followed(assessor, "Completely different words about a monkey in the trees", audio, 0.5) == []


def test_steps_of_any_size_follow_the_same_way(assessor: Assessor) -> None:
    audio = load_audio(flac("weather"))
    small, large = (followed(assessor, TEXTS["weather"], audio, step_s) for step_s in (0.1, 0.7))
    assert [word.word for _, word, _ in small][:6] == ["I", "think", "the", "weather", "is", "nice"]
    assert [word.word for _, word, _ in large][:5] == ["I", "think", "the", "weather", "is"]
    both = [(mine.total, other.total) for (_, mine, _), (_, other, _) in zip(small, large, strict=False)]
    assert np.mean([abs(mine - other) for mine, other in both]) < 8


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("Dr. Lee is 42 years old.", [1, 2, 3, 5, 6, 7]),
        ("42 and 42 are 84.", [2, 3, 5, 6, 8]),
        ("a a a", [1, 2, 3]),
    ],
)
def test_words_are_told_as_they_are_written(text: str, stops: list[int]) -> None:
    script = script_of(text)
    assert list(script.stops) == stops
    words = script.canonical.words
    assert [text[begin:end] for begin, end in script.spans] == [word.text for word in words]
    for first, last in ((0, len(words)), (1, 2), (stops[0], stops[2])):
        part = script.part(first, last)
        assert [word.spoken for word in part.words] == [word.spoken for word in words[first:last]]
        assert [phone.word_index for phone in part.phones] == [
            index for index, word in enumerate(part.words) for _ in word.phones
        ]
        assert part.text.startswith(words[first].text)
        assert part.text.endswith(words[last - 1].text)


@pytest.mark.parametrize(
    ("messages", "problem", "code"),
    [
        ([b"audio first"], "bad-request", 1008),
        (["not json"], "bad-request", 1008),
        (["[" * 5_000], "bad-request", 1008),
        (["[]"], "bad-request", 1008),
        ([STOP], "bad-request", 1008),
        ([start(text=7)], "bad-request", 1008),
        ([json.dumps({"type": "start"})], "bad-request", 1008),
        ([start(text="...")], "unpronounceable", 1008),
        ([start(format="mp3")], "bad-request", 1008),
        ([start(sample_rate=1)], "bad-request", 1008),
        ([start(sample_rate=True)], "bad-request", 1008),
        ([start(end_of_speech_s=0)], "bad-request", 1008),
        ([start(end_of_speech_s="1")], "bad-request", 1008),
        ([start(end_of_speech_s=True)], "bad-request", 1008),
        ([start(scale="7")], "bad-request", 1008),
        ([start(txt="x")], "bad-request", 1008),
        ([start(text="w " * 600)], "too-large", 1009),
        ([start(text="9" * 400)], "too-large", 1009),
        ([start(), start()], "bad-request", 1008),
        ([start(), b"\0\0", "stop"], "bad-request", 1008),
        ([start(), STOP], "not-scorable", 1000),
        ([start(), b"", b"\1", STOP], "not-scorable", 1000),
        ([start(), bytes(40_000), STOP], "not-scorable", 1000),
        ([start(sample_rate=8_000), *[bytes(30_000)] * 3], "too-long", 1009),
        ([start(format="encoded"), *[bytes(50_000)] * 5], "too-large", 1009),
        ([start(format="encoded"), b"no sound at all", STOP], "not-audio", 1003),
    ],
)
def test_what_is_wrong_is_said_and_ends_it(
    server: Served, messages: Sequence[str | bytes], problem: str, code: int
) -> None:
    with talking(server) as socket:
        for message in messages:
            socket.send(message)
        answers, closed = said(socket)
    assert answers[-1]["type"] == "error"
    assert answers[-1]["problem"]["type"] == f"urn:problem-type:elocute:{problem}"
    assert answers[-1]["problem"]["request_id"]
    assert closed == code
    assert [answer["type"] for answer in answers[:-1]] == ["ready"] * (len(answers) - 1)


def test_silence_on_the_line_ends_it(open_gate: Served) -> None:
    for messages in ([], [start()], [start(), bytes(100)]):
        with talking(open_gate) as socket:
            for message in messages:
                socket.send(message)
            answers, closed = said(socket)
        assert answers[-1]["problem"]["status"] == 408
        assert closed == 1008


def test_a_flood_ends_at_the_limit(open_gate: Served) -> None:
    with talking(open_gate) as socket:
        socket.send(start())
        sent = 0
        with suppress(ConnectionClosed):
            while sent < 100_000_000:
                socket.send(bytes(1_000))
                sent += 1_000
        assert sent < 50_000_000
        assert socket.close_code == 1009
    assert open_gate.client.get(f"{open_gate.url}/readyz").status_code == 200


def test_a_client_that_goes_away_is_forgotten() -> None:
    gate = Gate()
    with served(ServerConfig(uploads=1), gated(gate, waiting=0)) as server:
        with talking(server) as socket:
            socket.send(start())
            socket.recv()
            with talking(server) as other:
                answers, code = said(other)
            assert (answers[-1]["problem"]["status"], code) == (429, 1013)
            socket.send(bytes(np.arange(8_000, dtype="<i2")))
            socket.send(STOP)
            until(lambda: server.pool.running == 1)
        gate.is_open.set()
        until(lambda: server.pool.running == 0)
        with talking(server) as socket:
            socket.send(start())
            assert json.loads(socket.recv())["type"] == "ready"


def test_looking_for_words_takes_no_place_from_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    gate.is_open.set()
    looks = threading.Event()

    def hear(self: Gate, audio: Audio) -> None:
        looks.set()
        time.sleep(0.3)
        raise AudioError("too short to tell")

    monkeypatch.setattr(Gate, "posteriors", hear)
    with served(ServerConfig(), gated(gate, waiting=0)) as server, talking(server) as socket:
        socket.send(start())
        socket.send(pcm())
        assert looks.wait(10)
        socket.send(STOP)
        answers, code = said(socket)
    assert (answers[-1]["type"], code) == ("final", 1000)


def test_a_busy_server_says_so_in_the_end() -> None:
    gate = Gate()
    with served(ServerConfig(), gated(gate, waiting=0)) as server:
        blocker = threading.Thread(target=over_http, args=(server, flac()))
        blocker.start()
        until(lambda: server.pool.running == 1)
        with talking(server) as socket:
            socket.send(start())
            socket.send(pcm())
            socket.send(STOP)
            answers, code = said(socket)
        gate.is_open.set()
        blocker.join()
    assert (answers[-1]["problem"]["status"], code) == (429, 1013)


def test_a_bug_closes_the_connection() -> None:
    gate = Gate(ZeroDivisionError("secret"))
    gate.is_open.set()
    with served(ServerConfig(), gated(gate)) as server:
        with talking(server) as socket:
            socket.send(start())
            socket.send(pcm())
            socket.send(STOP)
            answers, code = said(socket)
        assert code == 1011
        assert "secret" not in str(answers)
        assert server.client.get(f"{server.url}/readyz").status_code == 200


def test_pages_of_others_and_those_without_a_key_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"ana {'a' * 16}\n")
    gate = Gate()
    with served(ServerConfig(api_keys=path, cors=("https://learn.example.org",)), gated(gate)) as server:
        with pytest.raises(InvalidStatus, match="403"):
            talking(server, origin="https://evil.example")
        for origin in ("https://learn.example.org", server.url):
            with talking(server, origin=origin) as socket:
                socket.send(start())
                assert said(socket)[1] == 1008
            with talking(server, origin=origin) as socket:
                socket.send(start(key="a" * 16))
                assert json.loads(socket.recv())["type"] == "ready"
        with talking(server, additional_headers={"Authorization": "Bearer " + "a" * 16}) as socket:
            socket.send(start())
            assert json.loads(socket.recv())["type"] == "ready"


MESSAGES = st.one_of(
    st.binary(max_size=2_000),
    st.text(max_size=50),
    st.just(start()),
    st.just(STOP),
    st.dictionaries(
        st.sampled_from(["type", "text", "format", "sample_rate", "scale", "key", "x"]),
        st.none() | st.integers() | st.sampled_from(["start", "stop", "encoded", "pcm16", "hello", "10"]),
    ).map(json.dumps),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MESSAGES, max_size=8), st.booleans())
def test_any_messages_get_an_answer_or_a_clean_close(
    server: Served, messages: list[str | bytes], begins_well: bool
) -> None:
    with talking(server) as socket:
        with suppress(ConnectionClosed):  # an answer may come before all is said
            for message in [start()] * begins_well + messages + ["end of it"]:
                socket.send(message)
        answers, code = said(socket)
    assert answers[-1]["type"] in {"error", "final"}
    assert code in {1000, 1003, 1008, 1009}


HISS = (np.random.default_rng(0).normal(0, 10, 16_000 * 30)).astype("<i2").tobytes()


def recorded(server: Served, samples: bytes, *last: str, **fields: object) -> tuple[list[dict[str, Any]], int]:
    """Send a recording at once, and wait: all answers, and the closing code."""
    with talking(server) as socket:
        socket.send(start(**fields))
        for begin in range(0, len(samples), 6_400):
            socket.send(samples[begin : begin + 6_400])
        for message in last:
            socket.send(message)
        return said(socket)


def test_a_recording_ends_by_itself_when_all_is_read(server: Served) -> None:
    answers, code = recorded(server, pcm() + HISS[: 32_000 * 2], end_of_speech_s=0.7)
    assert code == 1000
    end, final = answers[-2:]
    assert (end["type"], final["type"]) == ("end", "final")
    samples = (pcm() + HISS)[: end["bytes"]]
    assert final["report"] == json.loads(over_http(server, wav(samples)))
    assert final["report"]["words"][-1]["end_s"] < end["bytes"] / 32_000 - 0.6


def test_a_recording_does_not_end_by_itself_unasked(server: Served) -> None:
    answers, _ = recorded(server, pcm() + HISS[: 32_000 * 2], STOP)
    assert answers[-1]["type"] == "final"
    assert "end" not in {answer["type"] for answer in answers}


def test_silence_from_the_beginning_is_told() -> None:
    with served(ServerConfig(workers=1)) as server:
        answers, code = recorded(server, bytes(32_000 * 11), end_of_speech_s=1.0)
    assert (answers[-1]["problem"]["status"], code) == (422, 1000)
    assert answers[-1]["problem"]["detail"].startswith("nothing was heard for 11 s")


def ends_at(assessor: Assessor, samples: bytes, silence_s: float, step_s: float = 0.25) -> float:
    """When a recording that is heard in steps ends by itself."""
    progress = Progress()
    for end_s in np.arange(step_s, len(samples) / 32_000, step_s):
        part = np.frombuffer(samples[2 * round(progress.from_s * 16_000) : 2 * round(end_s * 16_000)], "<i2")
        progress = follow(assessor, script_of(TEXTS["car"]), progress, stretch_of(part, 16_000)).progress
        if has_ended(progress, silence_s):
            return float(end_s)
    return np.inf


def test_the_end_of_speech_is_found_in_time(assessor: Assessor) -> None:
    spoken_s = assessor.assess(load_audio(flac()), TEXTS["car"]).words[-1].end_s
    assert spoken_s is not None
    for silence_s in (0.5, 1.5):
        assert 0 < ends_at(assessor, pcm() + HISS, silence_s) - spoken_s - silence_s < 0.5
    begun = pcm()[: 32_000 * 1]  # "My father"
    assert 0.6 + GIVEN_UP_S < ends_at(assessor, begun + HISS, 0.5) < 1.0 + GIVEN_UP_S + 0.8


@pytest.mark.parametrize("level", [0, 10])
def test_noise_is_nobody_who_reads(assessor: Assessor, level: int) -> None:
    noise = np.random.default_rng(level).normal(0, level, 16_000 * 12).astype("<i2").tobytes()
    with pytest.raises(Problem, match="nothing was heard for 10 s"):
        ends_at(assessor, noise, 1.0, step_s=0.8)


def test_reports_of_streams_can_be_read_back(server: Served) -> None:
    with talking(server) as socket:
        socket.send(start())
        socket.send(pcm())
        socket.send(STOP)
        messages, _ = said(socket)
    assert Report.from_json(json.dumps(messages[-1]["report"])).text == TEXTS["car"]
