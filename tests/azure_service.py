"""A stand-in for the speech service: it speaks the protocol of the Speech SDK and answers what it is told to.

Messages are a head of "Name:value" lines, an empty line, and JSON; audio comes in binary messages whose head has its
length in front, and a chunk without samples ends it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.sync.server import ServerConnection, serve

Answer = Callable[[dict[str, Any], bytes], dict[str, Any]]


@dataclass
class Service:
    """Where it listens, and what it was asked: the SDK's assessment settings of each turn."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def speech_service(answer: Answer) -> Iterator[Service]:
    """Run the service on a free port of this machine.

    Args:
        answer: makes the result from the assessment settings and the recording as it was sent.
    """
    service = Service()

    def listen(socket: ServerConnection) -> None:
        settings: dict[str, Any] = {}
        recording = b""
        for message in socket:
            if isinstance(message, str):
                head, _, body = message.partition("\r\n\r\n")
                if "Path:speech.context" in head:
                    settings = json.loads(body)["phraseDetection"]["enrichment"]["pronunciationAssessment"]
                    service.asked.append(settings)
                continue
            length = 2 + int.from_bytes(message[:2], "big")
            recording += message[length:]
            if len(message) == length:
                reply(socket, message[2:length].decode(), answer(settings, recording))
                recording = b""

    server = serve(listen, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    service.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()


def reply(socket: ServerConnection, head: str, result: dict[str, Any]) -> None:
    """One turn: begin, the result, end."""
    request = next(line for line in head.split("\r\n") if line.startswith("X-RequestId:"))
    for path, body in (
        ("turn.start", {"context": {"serviceTag": "stand-in"}}),
        ("speech.phrase", result),
        ("turn.end", {}),
    ):
        kind = "Content-Type:application/json; charset=utf-8"
        socket.send(f"{request}\r\nPath:{path}\r\n{kind}\r\n\r\n{json.dumps(body, ensure_ascii=False)}")
