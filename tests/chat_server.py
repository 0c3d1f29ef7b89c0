"""A small chat server on the loopback interface that answers well, badly, slowly, with nonsense, or not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any], int, BaseHTTPRequestHandler], None]


@dataclass
class Chat:
    """A running server: its address, and what it was asked."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def chat_server(answer: Answer) -> Iterator[Chat]:
    """Runs while the block runs; `answer` gets the request, its number from 0, and the handler to write to."""
    chat = Chat(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = len(chat.requests)
            chat.requests.append(body)
            chat.headers.append(dict(self.headers))
            chat.paths.append(self.path)
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has given up, as it should
                answer(body, number, self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    chat.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, content: str, status: int = 200) -> None:
    """A chat completion with this content."""
    send_raw(handler, json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}), status)


def send_raw(handler: BaseHTTPRequestHandler, text: str, status: int = 200) -> None:
    """Any body."""
    body = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def facts_in(body: dict[str, Any]) -> dict[str, Any]:
    """What the model was told of."""
    told: dict[str, Any] = json.loads(body["messages"][1]["content"])
    return told


def good(body: dict[str, Any]) -> dict[str, Any]:
    """What a good model answers."""
    pieces = []
    for error in facts_in(body)["errors"]:
        pairs = [f"“{pair['as_it_sounded']}” and “{pair['as_it_should']}”" for pair in error["words_to_compare"]]
        pieces.append(
            {
                "error": error["id"],
                "what_went_wrong": f"In “{error['word']}” one sound came out a little differently.",
                "how_to_move": "Let your tongue do the work, and take your time.",
                "practice": f"Say {', '.join(pairs)} in turn." if pairs else f"Say “{error['word']}” slowly.",
                "encouragement": "You are on a good way!",
            }
        )
    return {"pieces": pieces}


def well(body: dict[str, Any], number: int, handler: BaseHTTPRequestHandler) -> None:
    send(handler, json.dumps(good(body)))


def hang_up(body: dict[str, Any], number: int, handler: BaseHTTPRequestHandler) -> None:
    """End the connection without a word."""
    handler.close_connection = True


def drop(body: dict[str, Any], number: int, handler: BaseHTTPRequestHandler) -> None:
    """End the connection in the middle of the answer."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"choices": [')
    handler.close_connection = True


def trickle(body: dict[str, Any], number: int, handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, so that no single read ever waits long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lie(body: dict[str, Any], number: int, handler: BaseHTTPRequestHandler) -> None:
    """A good answer with one error more than there are."""
    told = good(body)
    told["pieces"].append({**told["pieces"][0], "error": "e9"})
    send(handler, json.dumps(told))
