"""A chat with any server that speaks OpenAI's protocol (vLLM, Ollama, llama.cpp, a cloud), within a bound of time."""

from __future__ import annotations

import http.client
import json
import os
import queue
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from elocute.errors import ConfigError

KEY_VARIABLE = "ELOCUTE_LLM_KEY"
"""Environment variable with the key of the server; sent to that server alone, never logged."""
_MOST_BYTES = 256 * 1024
_MOST_TOKENS = 1200
_FIRST_WAIT_S = 0.5
_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class WordingError(Exception):
    """A language model gave no answer that can be used; the message says why, in half a sentence.

    Never leaves this room: the advice by the rules takes its place, with a warning.
    """


class _PassingError(WordingError):
    """It may be different in a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A model at a server.

    Attributes:
        url: base address of the server's API, such as http://localhost:11434/v1.
        name: of the model, as the server knows it.
        timeout_s: for everything together: connecting, waiting, reading and trying again.
        tries: requests at most.
        key: sent as bearer token; None for none. By default that of the environment.
    """

    url: str
    name: str
    timeout_s: float = 20.0
    tries: int = 3
    key: str | None = field(default_factory=lambda: os.environ.get(KEY_VARIABLE) or None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what can never work.

        Raises:
            ConfigError: no address of a server, no name of a model, no time.
        """
        parts = _split(self.url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"language model is at {self.url!r}; expected the address of a server, such as 'http://localhost:11434/v1'"
            )
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ConfigError(
                f"the address of the language model at {parts.hostname} holds a user, a password or a query; put the "
                f"key into the environment variable {KEY_VARIABLE}"
            )
        if not self.name.strip():
            raise ConfigError("the language model has no name; expected one that the server knows, such as 'llama3.2'")
        if not 0 < self.timeout_s <= 600:
            raise ConfigError(f"time for the language model is {self.timeout_s:g} s; expected more than 0, at most 600")
        if self.key is not None and (not self.key.isascii() or not self.key.isprintable()):
            raise ConfigError(f"the key in {KEY_VARIABLE} has characters that no key has; set it again")

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return _split(self.url).netloc  # type: ignore[union-attr]

    def answer(self, messages: Sequence[Mapping[str, str]], until_s: float) -> str:
        """What the model says to these messages.

        Args:
            messages: role and content of each.
            until_s: moment of `time.monotonic` at which there must be an answer.

        Raises:
            WordingError: there is none.
        """
        wait_s = _FIRST_WAIT_S
        for number in range(1, self.tries + 1):
            try:
                return _content(self._post(messages, until_s))
            except _PassingError as error:
                left_s = until_s - time.monotonic()
                if number == self.tries or left_s <= wait_s:
                    raise WordingError(str(error)) from error
                time.sleep(wait_s)
                wait_s *= 2
        raise WordingError("was never asked")  # tries is 0

    def _post(self, messages: Sequence[Mapping[str, str]], until_s: float) -> bytes:
        """One request. A thread of its own makes it, so that no trickle of bytes can hold anybody up for longer."""
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise WordingError(f"gave no answer within {self.timeout_s:g} s")
        body = {
            "model": self.name,
            "messages": list(messages),
            "temperature": 0.2,
            "max_tokens": _MOST_TOKENS,
            "response_format": {"type": "json_object"},
            "stream": False,
        }
        results: queue.Queue[bytes | Exception] = queue.Queue()

        def run() -> None:
            try:
                results.put(self._exchange(json.dumps(body).encode(), left_s))
            except (OSError, http.client.HTTPException, WordingError) as error:
                results.put(error)

        threading.Thread(target=run, name="elocute-wording", daemon=True).start()
        try:
            result = results.get(timeout=left_s)
        except queue.Empty:
            raise WordingError(f"gave no answer within {self.timeout_s:g} s") from None
        if isinstance(result, WordingError):
            raise result
        if isinstance(result, TimeoutError):
            raise WordingError(f"gave no answer within {self.timeout_s:g} s") from result
        if isinstance(result, Exception):
            raise _PassingError(f"cannot be reached ({_reason(result)})") from result
        return result

    def _exchange(self, body: bytes, timeout_s: float) -> bytes:
        """Send a request and read the reply."""
        parts = urlsplit(self.url)
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "elocute"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
        try:
            connection.request("POST", f"{parts.path.rstrip('/')}/chat/completions", body, headers)
            with connection.getresponse() as reply:  # outlives the connection where the server closes it
                content = reply.read(_MOST_BYTES + 1)
                if reply.length and len(content) <= _MOST_BYTES:  # read(n) passes over an early end
                    raise http.client.IncompleteRead(content, reply.length)
        finally:
            connection.close()
        if reply.status in _TRY_AGAIN:
            raise _PassingError(f"answered with status {reply.status}")
        if reply.status != 200:
            raise WordingError(f"answered with status {reply.status}")
        if len(content) > _MOST_BYTES:
            raise WordingError(f"answered with more than {_MOST_BYTES >> 10} KiB")
        return content


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # refused when it is asked for
    except ValueError:
        return None
    return parts


def _reason(error: Exception) -> str:
    """Why a request failed, without addresses or keys."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _content(reply: bytes) -> str:
    """What the model said, from the server's reply.

    Raises:
        _PassingError: that is not in it; models err, and the next answer may be another.
    """
    try:
        told: Any = json.loads(reply)
        content = told["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise _PassingError("answered with something that is no chat completion") from error
    if not isinstance(content, str) or not content.strip():
        raise _PassingError("answered with nothing")
    return content
