"""The start message of a stream, checked: what is wanted, and in which form the recording comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elocute.server.form import Form
from elocute.server.keys import Keys
from elocute.server.problems import Problem
from elocute.server.settings import ServerConfig
from elocute.server.wanted import Wanted, wanted

_OWN = ("type", "format", "sample_rate", "end_of_speech_s", "key")
_RATES = range(8_000, 96_001)
_SILENCES_S = (0.3, 10.0)
_ENCODED_BYTES_S = 4_000
"""A second of compressed speech has at least so many bytes, so that looking for words is not done for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """What a client starts with.

    Attributes:
        wanted: what is to be assessed, without its recording.
        sample_rate: Hz of 16-bit samples; None for an encoded recording, which carries its own.
        end_of_speech_s: silence after the last word of the text that ends the recording; None where the client does.
    """

    wanted: Wanted
    sample_rate: int | None
    end_of_speech_s: float | None

    def bytes_in(self, seconds: float) -> int:
        """Bytes that arrive in so many seconds."""
        return round(seconds * (_ENCODED_BYTES_S if self.sample_rate is None else 2 * self.sample_rate))

    def bytes_before(self, seconds: float) -> int:
        """Bytes of a recording that come before a time; 0 for an encoded one, which can only be read from its start."""
        return 0 if self.sample_rate is None else 2 * round(seconds * self.sample_rate)

    def max_bytes(self, max_duration_s: float) -> float:
        """Bytes of the longest recording, as far as they tell."""
        return float("inf") if self.sample_rate is None else 2 * self.sample_rate * max_duration_s

    def check_stop(self, message: str) -> None:
        """Refuse a text message that is not the stop message."""
        if _object(message).get("type") != "stop":
            raise _wrong('expected binary audio, or {"type": "stop"}')


def begin(message: str | bytes, headers: Mapping[str, str], keys: Keys | None, config: ServerConfig) -> Begin:
    """Read the first message of a stream.

    Raises:
        Problem: it is no start message, a field is wrong, or the key.
    """
    if isinstance(message, bytes):
        raise _wrong('the first message is binary; expected {"type": "start", "text": "..."} before any audio')
    plain = _object(message)
    if plain.get("type") != "start":
        raise _wrong(f'the first message has type {str(plain.get("type"))[:20]!r}; expected "start"')
    if keys is not None:
        own = plain.get("key")
        keys.holder({"x-api-key": own} if isinstance(own, str) else headers)
    kind, rate = plain.get("format", "pcm16"), plain.get("sample_rate", 16_000)
    if kind not in ("pcm16", "encoded"):
        raise _wrong(f"format is {str(kind)[:20]!r}; expected 'pcm16', or 'encoded' for webm, ogg, wav and the like")
    if isinstance(rate, bool) or not isinstance(rate, int) or rate not in _RATES:
        raise _wrong(f"sample_rate is {str(rate)[:20]}; expected a whole number of Hz from {_RATES[0]} to {_RATES[-1]}")
    silence_s = _silence_s(plain.get("end_of_speech_s"))
    fields = {name: value for name, value in plain.items() if name not in _OWN}
    if not all(isinstance(value, str) for value in fields.values()):
        raise _wrong("a field is no string; expected strings, also for 'scale'")
    asked = wanted(Form(fields=fields, files={"audio": b""}), config.assessor, max_text_chars=config.max_text_chars)
    return Begin(wanted=asked, sample_rate=rate if kind == "pcm16" else None, end_of_speech_s=silence_s)


def _silence_s(value: object) -> float | None:
    """The silence that ends a recording."""
    least, most = _SILENCES_S
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _wrong(
            f"end_of_speech_s is {str(value)[:20]}; expected seconds from {least:g} to {most:g}, or null where the "
            "client says stop"
        )
    return float(value)


def _object(message: str) -> dict[str, Any]:
    """A message as a JSON object."""
    try:
        plain = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise _wrong("the message is not JSON") from error
    if not isinstance(plain, dict):
        raise _wrong("the message is no JSON object")
    return plain


def _wrong(detail: str) -> Problem:
    """The answer to a message that does not belong there."""
    return Problem("bad-request", detail)
