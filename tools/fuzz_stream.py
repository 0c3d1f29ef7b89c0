"""Fuzz of `/v1/stream`: messages that are damaged, lie, come in the wrong order, too often, too large or not at all.

    python tools/fuzz_stream.py                          # 10,000 messages
    python tools/fuzz_stream.py --messages 300 --seed 7
    python tools/fuzz_stream.py --only 4711              # one of the connections again

Assessment is real, in real workers. Exit code 1: a connection that was neither answered nor closed as it should be, or
not within the limit; a worker that died; a connection or a file left; or memory that grew by more than is allowed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_RDWR

from fuzz_cases import DAMAGES, joined, odd_text
from fuzz_server import Found, judge
from served import EXAMPLES, KINDS, Client, Running, Spoken, encoded, recordings, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

CLOSINGS = frozenset({1000, 1003, 1007, 1008, 1009, 1013})
"""1007: text that is not UTF-8, which the protocol itself refuses; 1013: too many connections at once."""
STOP = json.dumps({"type": "stop"})
_VALUES = (None, True, 0, -1, 1e308, 10**30, "", "x" * 500, [], {}, [[]] * 50, "\ud800", "pcm16", "encoded", "start")
_FIELDS = ("type", "text", "format", "sample_rate", "end_of_speech_s", "key", "scale", "language", "detail_level", "x")
_DAMAGES = tuple(damage for damage in DAMAGES if damage is not joined)
_FLOOD = 60

Message = str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One connection.

    Attributes:
        number: of it.
        what: how it was made, in words.
        messages: to be sent; bytes that are marked as text stand in `broken`.
        broken: which of them are sent as text although they are bytes.
        leaves: the client goes away after them without a word.
        pause_s: between two of them.
    """

    number: int
    what: str
    messages: tuple[Message, ...]
    broken: frozenset[int] = frozenset()
    leaves: bool = False
    pause_s: float = 0.0


class Talks:
    """All connections of a seed.

    Args:
        spoken: recordings.
        seed: of everything.
    """

    def __init__(self, spoken: Sequence[Spoken], seed: int) -> None:
        self._seed = seed
        self._spoken = [(one, _short(one)) for one in spoken]
        self._files = {
            (one.name, kind): encoded(one.samples[:24_000], kind)
            for one in spoken[:4]
            for kind in KINDS
            if kind != "mp3"
        }

    def __getitem__(self, number: int) -> Talk:
        """The connection of a number."""
        rng = random.Random(f"{self._seed}-{number}")
        make: Callable[[random.Random], tuple[str, list[Message]]] = rng.choices(
            (self._whole, self._file, self._odd_start, self._disordered, self._flood, self._huge, self._silence),
            (30, 25, 20, 15, 5, 1, 4),
        )[0]
        what, messages = make(rng)
        broken: set[int] = set()
        if rng.random() < 0.15:  # one message more that does not belong there
            place = rng.randrange(len(messages) + 1)
            messages.insert(place, _garbage(rng))
            if isinstance(messages[place], bytes) and rng.random() < 0.3:
                broken.add(place)
            what += f", garbage at {place}"
        leaves = rng.random() < 0.2
        if leaves:
            messages = messages[: rng.randrange(len(messages) + 1)]
            what += f", leaves after {len(messages)}"
        return Talk(
            number=number,
            what=what,
            messages=tuple(messages),
            broken=frozenset(broken & {*range(len(messages))}),
            leaves=leaves,
            pause_s=rng.choice((0.0, 0.0, 0.0, 0.02, 0.1)),
        )

    def _whole(self, rng: random.Random) -> tuple[str, list[Message]]:
        """A recording as it should be, in samples; sometimes one that ends by itself."""
        one, samples = rng.choice(self._spoken)
        rate = rng.choice((16_000, 16_000, 48_000, 8_000))
        silence_s = rng.choice((None, None, 0.3, 1.0))
        chunk = rng.choice((1_001, 3_200, 16_000, 100_000))
        chunk = max(chunk, len(samples) // 12)
        fields = {"text": one.text, "sample_rate": rate, "end_of_speech_s": silence_s}
        return f"{one.name} at {rate} Hz, end {silence_s}", [_start(**fields), *_cut(samples, chunk), STOP]

    def _file(self, rng: random.Random) -> tuple[str, list[Message]]:
        """A file, mostly damaged."""
        (name, kind), data = rng.choice([*self._files.items()])
        text = next(one.text for one, _ in self._spoken if one.name == name)
        what = f"{name}.{kind}"
        if rng.random() < 0.7:
            damage = rng.choice(_DAMAGES)
            data, what = damage(rng, data), f"{what} {damage.__name__}"
        fields = {"text": text, "format": "encoded", "end_of_speech_s": rng.choice((None, 0.3))}
        return what, [_start(**fields), *_cut(data, max(rng.choice((700, 4_000)), len(data) // 12)), STOP]

    def _odd_start(self, rng: random.Random) -> tuple[str, list[Message]]:
        """A start message with wrong fields, an odd text, or damage to its very letters."""
        one, samples = rng.choice(self._spoken)
        fields: dict[str, object] = {"type": "start", "text": one.text}
        for name in rng.sample(_FIELDS, rng.choice((0, 1, 1, 2, 4))):
            fields[name] = rng.choice(_VALUES)
        if rng.random() < 0.3:
            fields["text"] = odd_text(rng, one.text)[0]
        first = json.dumps(fields)
        if rng.random() < 0.4:
            first = rng.choice(_DAMAGES)(rng, first.encode()).decode("utf-8", "replace")
        return f"start {first[:60]!r}", [first, samples[:6_400], STOP]

    def _disordered(self, rng: random.Random) -> tuple[str, list[Message]]:
        """Right messages in a wrong order, some left out or there twice."""
        one, samples = rng.choice(self._spoken)
        right = [_start(text=one.text), *_cut(samples, 8_000)[:4], STOP]
        return "disorder", [rng.choice(right) for _ in range(rng.randint(1, 8))]

    def _flood(self, rng: random.Random) -> tuple[str, list[Message]]:
        """Many tiny messages."""
        one, samples = rng.choice(self._spoken)
        size = rng.choice((0, 1, 2, 64))
        return f"flood of {size}", [_start(text=one.text), *[samples[:size]] * _FLOOD, STOP]

    def _huge(self, rng: random.Random) -> tuple[str, list[Message]]:
        """One message that is far too large."""
        one, _ = rng.choice(self._spoken)
        size = rng.choice((3_000_000, 21_000_000, 40_000_000))
        huge: Message = bytes(size) if rng.random() < 0.7 else "x" * size
        return f"{size} bytes", [*([_start(text=one.text)] if rng.random() < 0.7 else []), huge, STOP]

    def _silence(self, rng: random.Random) -> tuple[str, list[Message]]:
        """Nothing to be heard."""
        seconds, silence_s = rng.choice((0, 1, 12)), rng.choice((None, 0.5))
        start = _start(text="hello there", end_of_speech_s=silence_s)
        return f"{seconds} s of silence", [start, *_cut(bytes(32_000 * seconds), 64_000), STOP]


def _short(one: Spoken) -> bytes:
    """The first seconds of a recording as 16-bit samples."""
    return (one.samples[:32_000] * 32767).astype("<i2").tobytes()


def _start(**fields: object) -> str:
    """A start message."""
    return json.dumps({"type": "start", **fields})


def _cut(data: bytes, size: int) -> list[Message]:
    """Data in chunks."""
    return [data[first : first + size] for first in range(0, len(data), size)]


def _garbage(rng: random.Random) -> Message:
    """A message that means nothing."""
    choices: tuple[Message, ...] = (
        rng.randbytes(rng.choice((1, 3, 50, 5_000))),
        rng.choice(("", "null", "[]", "{}", "stop", '{"type": "start"}', '{"type": 3}', "[" * 5_000, "\x00", "NaN")),
        "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x800, 0xD800)))) for _ in range(rng.randrange(80))),
    )
    return rng.choice(choices)


@dataclass(slots=True)
class Heard:
    """What came back over all connections."""

    sent: int = 0
    talks: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    last: Counter[str] = field(default_factory=Counter)
    sizes_mb: list[float] = field(default_factory=list)
    found: Found = field(default_factory=Found)

    def note(self, talk: Talk, sent: int, last: str, code: int | None, fault: str | None) -> None:
        """Note how one connection went; `code` is None where the client left."""
        with self.found.lock:
            self.sent += sent
            self.talks += 1
            self.last[last] += 1
            if code is not None:
                self.codes[code] += 1
            if fault is not None:
                self.found.faults.append(f"{talk.number} ({talk.what}): {fault}")


def hold(talk: Talk, port: int, limit_s: float, heard: Heard) -> None:
    """Hold one connection."""
    begin_s = time.monotonic()
    address, times = f"ws://127.0.0.1:{port}/v1/stream", {"open_timeout": limit_s, "close_timeout": limit_s}
    sent, last, code = 0, "refused", None
    try:
        with connect(address, max_size=None, **times) as socket:
            with suppress(ConnectionClosed):  # an answer may come before all is said
                for number, message in enumerate(talk.messages):
                    socket.send(message, text=True if number in talk.broken else None)
                    sent += 1
                    time.sleep(talk.pause_s)
                if not talk.leaves and talk.messages[-1:] != (STOP,):
                    socket.send("that is all")  # which is no message, and so ends it
            if talk.leaves:
                last, fault = "left", None
                if talk.number % 2:
                    socket.socket.shutdown(SHUT_RDWR)  # without a word
            else:
                last, fault = _answers(socket, limit_s, is_broken=bool(talk.broken))
                code = socket.close_code
    except (InvalidStatus, OSError, TimeoutError) as error:
        fault = None if talk.leaves and sent else f"no connection: {error!r}"
    took_s = time.monotonic() - begin_s
    if fault is None and took_s > limit_s:
        fault = f"it took {took_s:.0f} s"
    with heard.found.lock:
        heard.found.slow = sorted([*heard.found.slow, (took_s, f"{talk.number} {talk.what}")])[-5:]
    heard.note(talk, sent, last, code, fault)


def _answers(socket: ClientConnection, limit_s: float, *, is_broken: bool) -> tuple[str, str | None]:
    """What the last answer was, and what is wrong with the answers, if anything."""
    kinds: list[str] = []
    try:
        with suppress(ConnectionClosed):
            while True:
                answer = json.loads(socket.recv(timeout=limit_s), parse_constant=_refuse)
                problem = answer.get("problem", {}).get("type", "")
                kinds.append(str(problem).rpartition(":")[2] or answer["type"])
    except TimeoutError:
        socket.close()
        return "nothing", f"no answer in {limit_s:g} s after {kinds}"
    except ValueError as error:
        socket.close()
        return "no JSON", f"an answer is no JSON: {error}"
    last, code = kinds[-1] if kinds else "nothing", socket.close_code
    # Beyond a limit of the protocol itself the connection is closed without a message; uvicorn does so at once where
    # text is not UTF-8, so that a client that is still sending may see nothing but the end.
    if is_broken and code in {1006, 1007}:
        return last, None
    if code not in CLOSINGS or (last in {"nothing", "ready", "partial", "end"} and code not in {1007, 1009}):
        return last, f"closed with {code} after {kinds}"
    if last == "mistake":
        return last, "a bug of the server"
    return last, None


def _refuse(name: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(name)


def one_client(
    running: Running, talks: Talks, todo: itertools.count[int], options: argparse.Namespace, heard: Heard
) -> None:
    """Hold one connection after the other."""
    if options.only is not None:
        hold(talks[options.only], running.port, options.limit, heard)
        return
    while heard.sent < options.messages:
        hold(talks[next(todo)], running.port, options.limit, heard)
        with heard.found.lock:
            if heard.sent >= (len(heard.sizes_mb) + 1) * options.messages / 10:
                sizes = Client(running.port).resident_mb()
                heard.found.memory = heard.found.memory or sizes
                heard.sizes_mb.append(sum(sizes.values()))


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a connection is said to hang")
    parser.add_argument("--manifest", type=Path, default=EXAMPLES, help="JSONL of recordings; default: examples/")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="hold this connection alone")
    options = parser.parse_args()
    talks = Talks(recordings(options.manifest)[:20], options.seed)
    heard, todo = Heard(), itertools.count()
    begin_s = time.monotonic()
    with serving("--workers", str(options.workers), "--queue", str(options.clients)) as running:
        before = _open_files(running)
        threads = [
            threading.Thread(target=one_client, args=(running, talks, todo, options, heard))
            for _ in range(1 if options.only is not None else options.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - begin_s
        print(f"messages     {heard.sent} over {heard.talks} connections in {took_s:.0f} s, seed {options.seed}")
        print("ended with   " + ", ".join(f"{what}: {count}" for what, count in heard.last.most_common()))
        print("closed with  " + ", ".join(f"{code}: {count}" for code, count in sorted(heard.codes.items())))
        print("memory, MB   " + " ".join(f"{size:.0f}" for size in heard.sizes_mb) + "; all together, after each tenth")
        _settle(running, before)
        judge(heard.found, running, options)
        if (left := _open_files(running) - before) > 2:
            heard.found.faults.append(f"{left} files or connections of the server are still open")
        heard.found.faults += [f"{count} times in the log: {what}" for what, count in _tracebacks(running).items()]
    for seconds, what in reversed(heard.found.slow):
        print(f"slow         {seconds:.2f} s: {what[:150]}")
    for fault in heard.found.faults[:50]:
        print(f"FAULT        {fault[:700]}")
    return 1 if heard.found.faults else 0


def _tracebacks(running: Running) -> Counter[str]:
    """The last lines of the tracebacks in the server's log, and how often each is there.

    Text that is not UTF-8, which uvicorn refuses as it should, it also logs with a traceback; that is no fault of ours.
    """
    lines = (json.loads(line) for line in running.log.read_text(encoding="utf-8").splitlines() if '"traceback"' in line)
    ours = (line["traceback"] for line in lines if "UnicodeDecodeError" not in line["traceback"])
    return Counter(traceback.rstrip()[-600:] for traceback in ours)


def _open_files(running: Running) -> int:
    """Files and connections that the server has open; 0 where the system does not tell."""
    folder = Path(f"/proc/{running.pid}/fd")
    return len([*folder.iterdir()]) if folder.is_dir() else 0


def _settle(running: Running, before: int) -> None:
    """Wait for the last jobs, of clients that are gone."""
    deadline_s = time.monotonic() + 20
    client = Client(running.port)
    while time.monotonic() < deadline_s:
        if not client.figures()["elocute_running"] and _open_files(running) <= before + 1:
            return
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
