"""Load and soak test of `elocute serve`: a real server, real HTTP, real recordings.

    python tools/load.py                          # 8 clients for 60 s
    python tools/load.py --requests 2000          # soak: and memory must stay flat
    python tools/load.py --clients 1 --kinds webm --seconds 20 --manifest corpus.jsonl --between 3.5 4.5
    python tools/load.py --replicas 2 --workers 1 # two servers behind nginx, beside one behind nginx, by turns

Prints throughput, quantiles of the time to an answer, counts by status, and memory before and after. The only answers
allowed are 200 and 429 ("busy"; the client then waits as it is told). Exit code 1: another answer, a worker that died,
a temporary file left, or (soak) memory that grows. Clients run on the cores that the server has, too.

With several replicas the load goes to one of them and to all of them by turns, each time through nginx, so that a
machine that others use as well gives a fair ratio. Where it has fewer cores than replicas and clients want, `--share
0.2` holds each worker to a fifth of a core, which is as if every replica had a machine, if a slow one, of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from served import (
    EXAMPLES,
    KINDS,
    Client,
    Running,
    answered_by,
    balanced,
    cpu_seconds,
    encoded,
    form,
    machine,
    recordings,
    serving,
    throttled,
)

FLAT_MB = 10.0
"""Memory of server and workers together may grow by so many megabytes in 1,000 requests."""
_FEWEST = 500
"""Requests from which on growth is judged, and not only told."""
_SETTLED = 0.25
"""Share of a soak that is left out of the slope: buffers find their size."""
_SAMPLES = 100
"""So often in a soak memory is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request that is ready to be sent."""

    name: str
    body: bytes
    content_type: str
    seconds: float


@dataclass(slots=True)
class Tally:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    audio_s: float = 0.0
    in_bytes: int = 0
    out_bytes: int = 0
    strange: list[str] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def requests_of(options: argparse.Namespace) -> list[Sent]:
    """All recordings in all kinds, in an order in which kinds alternate."""
    low, high = options.between
    spoken = [one for one in recordings(options.manifest) if low <= one.seconds <= high][: options.recordings]
    if not spoken:
        sys.exit(f"no recording of {options.manifest} lasts {low:g} to {high:g} s")
    sent = []
    for one, kind in itertools.product(spoken, options.kinds):
        body, content_type = form({"text": one.text}, encoded(one.samples, kind))
        sent.append(Sent(name=f"{one.name}.{kind}", body=body, content_type=content_type, seconds=one.seconds))
    return sent


def one_client(
    asked: Asked, sent: list[Sent], first: int, todo: itertools.count[int], end: Ending, tally: Tally
) -> None:
    """Ask, one request after the other, until it is enough."""
    client = Client(asked.entry.port)
    for turn in itertools.count(first):
        number = next(todo)
        if end.is_reached(number):
            return
        one = sent[turn % len(sent)]
        answer = client.ask("POST", "/v1/assess", one.body, one.content_type)
        with tally.lock:
            tally.statuses[answer.status] += 1
            if answer.status == 200:
                tally.seconds.append(answer.seconds)
                tally.audio_s += one.seconds
                tally.in_bytes += len(one.body)
                tally.out_bytes += len(answer.body)
            elif answer.status != 429:
                tally.strange.append(f"{one.name}: {answer.status} {answer.body[:300]!r}")
        if end.requests and number % max(end.requests // _SAMPLES, 1) == 0:
            tally.memory.append((number, sum(asked.resident_mb().values())))
        if answer.status == 429:
            time.sleep(float(answer.headers["retry-after"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is asked: servers, and where requests go in: one of them, or nginx before them."""

    entry: Running
    servers: list[Running]

    def resident_mb(self) -> dict[str, float]:
        """Memory of all processes of all servers."""
        if len(self.servers) == 1:
            return Client(self.servers[0].port).resident_mb()
        each = {n: Client(server.port).resident_mb() for n, server in enumerate(self.servers)}
        return {f"{n}/{name}": size for n, sizes in each.items() for name, size in sizes.items()}

    def cpu_seconds(self) -> dict[str, float]:
        """What the servers have taken of processors, and nginx, if it stands before them."""
        taken = {"servers": sum(cpu_seconds(server.pid) for server in self.servers)}
        return taken if self.entry is self.servers[0] else taken | {"nginx": cpu_seconds(self.entry.pid)}

    def lost(self) -> float:
        """Workers that died."""
        return sum(Client(server.port).figures()["elocute_workers_lost_total"] for server in self.servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When it is enough: after so many requests, or at a time."""

    requests: int
    at_s: float

    def is_reached(self, number: int) -> bool:
        """Whether a request of this number is one too many."""
        return number >= self.requests if self.requests else time.monotonic() >= self.at_s


def load(asked: Asked, sent: list[Sent], options: argparse.Namespace) -> tuple[Tally, float]:
    """All clients at once; what came back, and in how many seconds."""
    tally, todo = Tally(), itertools.count()
    before = asked.cpu_seconds()
    begin_s = time.monotonic()
    end = Ending(requests=options.requests, at_s=begin_s + options.seconds)
    step = max(len(sent) // options.clients, 1)
    threads = [
        threading.Thread(target=one_client, args=(asked, sent, client * step, todo, end, tally))
        for client in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - begin_s
    tally.cpu_s = {name: taken - before[name] for name, taken in asked.cpu_seconds().items()}
    return tally, took_s


def slope_mb(memory: list[tuple[int, float]]) -> float:
    """Growth of memory in MB per 1,000 requests, after it has settled: the median of all slopes (Theil)."""
    numbers, sizes = np.array(sorted(memory)[int(len(memory) * _SETTLED) :], dtype=float).T
    first, second = np.triu_indices(len(numbers), 1)
    apart = numbers[second] > numbers[first]
    return float(np.median(((sizes[second] - sizes[first])[apart]) / (numbers[second] - numbers[first])[apart])) * 1000


def report(tally: Tally, took_s: float, before: dict[str, float], after: dict[str, float]) -> None:
    """Print what came out."""
    done = len(tally.seconds)
    rate = f"{done / took_s:.2f} a second, {tally.audio_s / took_s:.1f} s of speech a second"
    print(f"answers      {done} reports in {took_s:.1f} s: {rate}")
    if done:
        p50, p95, p99, longest = np.quantile(tally.seconds, [0.5, 0.95, 0.99, 1]) * 1000
        print(f"time         p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, longest {longest:.0f} ms")
        taken = ", ".join(f"{name} {1000 * each / done:.1f} ms" for name, each in tally.cpu_s.items())
        print(f"cpu time     an answer: {taken}; a second of speech: {sum(tally.cpu_s.values()) / tally.audio_s:.4f} s")
    print("by status    " + ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items())))
    sizes = "; ".join(f"{name} {before.get(name, 0):.0f} -> {size:.0f}" for name, size in after.items())
    print(f"memory, MB   {sizes}; together {sum(before.values()):.0f} -> {sum(after.values()):.0f}")
    print(f"machine      {os.cpu_count()} cores, load average {' '.join(f'{one:.1f}' for one in os.getloadavg())}")


def faults(tally: Tally, asked: Asked) -> list[str]:
    """What must not be."""
    lost = asked.lost()
    found = [f"an answer that is not allowed: {one}" for one in tally.strange[:10]]
    found += [] if tally.seconds else ["no report at all"]
    found += [f"{lost:g} workers died"] if lost else []
    found += [f"left behind: {path}" for one in (asked.entry, *asked.servers) for path in one.scratch.rglob("*")]
    return found


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--requests", type=int, default=0, help="stop after so many requests instead, and look at memory"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of each server")
    parser.add_argument("--replicas", type=int, default=1, help="servers; more than one stand behind nginx")
    parser.add_argument(
        "--share", type=float, default=1.0, help="with replicas: of a core for each worker, as on machines of their own"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="with replicas: write the figures there")
    parser.add_argument("--turns", type=int, default=3, help="with replicas: so often one of them, and all of them")
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--manifest", type=Path, default=EXAMPLES, help="JSONL of recordings; default: examples/")
    parser.add_argument("--recordings", type=int, default=50, help="as many of them at most")
    parser.add_argument("--between", type=float, nargs=2, default=(0.0, 60.0), metavar="S", help="their lengths")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["wav", "webm"])
    options = parser.parse_args()
    sent = requests_of(options)
    mean_s = np.mean([one.seconds for one in sent])
    print(
        f"load         {options.clients} clients, {options.workers} workers of {options.threads} threads; "
        f"{len(sent)} uploads ({', '.join(options.kinds)}) of {mean_s:.2f} s on average"
    )
    if options.replicas > 1:
        return scaled(sent, options)
    with serving("--workers", str(options.workers), "--threads", str(options.threads)) as running:
        asked = Asked(entry=running, servers=[running])
        warm_up(asked, sent, options)
        before = asked.resident_mb()
        tally, took_s = load(asked, sent, options)
        report(tally, took_s, before, asked.resident_mb())
        found = faults(tally, asked)
    if options.requests:
        slope = slope_mb(tally.memory)
        print(f"growth       {slope:+.2f} MB per 1,000 requests (allowed: {FLAT_MB:g})")
        found += (
            [f"memory grows by {slope:.1f} MB per 1,000 requests"]
            if slope > FLAT_MB and options.requests >= _FEWEST
            else []
        )
    return told(found)


def told(found: list[str]) -> int:
    """Print faults; the exit code."""
    for one in found:
        print(f"FAULT        {one}")
    return 1 if found else 0


def warm_up(asked: Asked, sent: list[Sent], options: argparse.Namespace) -> None:
    """Let every worker hear something."""
    for server in asked.servers:
        client = Client(server.port)
        for one in sent[: 3 * options.workers]:
            client.ask("POST", "/v1/assess", one.body, one.content_type)


def figures(
    tallies: list[Tally], rates: dict[int, list[float]], asked: Asked, options: argparse.Namespace
) -> dict[str, object]:
    """What answers took, for a plan of capacity: of processors, which others on the machine change little."""
    answers = sum(len(tally.seconds) for tally in tallies)
    speech_s = sum(tally.audio_s for tally in tallies)
    memory = asked.resident_mb()
    return {
        "format": "elocute serving 1",
        "command": f"python tools/load.py --replicas {options.replicas} --workers {options.workers} "
        f"--kinds {' '.join(options.kinds)} --turns {options.turns} --seconds {options.seconds:g}",
        "answers": answers,
        "speech_s": round(speech_s / answers, 3),
        "cpu_s_per_speech_s": round(sum(tally.cpu_s["servers"] for tally in tallies) / speech_s, 5),
        "proxy_cpu_ms": round(1000 * sum(tally.cpu_s["nginx"] for tally in tallies) / answers, 3),
        "upload_bytes_per_s": round(sum(tally.in_bytes for tally in tallies) / speech_s),
        "answer_bytes_per_s": round(sum(tally.out_bytes for tally in tallies) / speech_s),
        "server_mb": round(memory["server"], 1),
        "worker_mb": round(memory["worker-0"], 1),
        "answers_a_second": {str(count): [round(rate, 2) for rate in each] for count, each in rates.items()},
        "machine": machine(),
    }


def scaled(sent: list[Sent], options: argparse.Namespace) -> int:
    """One replica and all of them by turns, through nginx; what the others bring."""
    found: list[str] = []
    all_of: list[Tally] = []
    rates: dict[int, list[float]] = {1: [], options.replicas: []}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving("--workers", str(options.workers), "--threads", str(options.threads)))
            for _ in range(options.replicas)
        ]
        groups = {
            count: Asked(entry=stack.enter_context(balanced(servers[:count])), servers=servers[:count])
            for count in rates
        }
        warm_up(groups[options.replicas], sent, options)
        for turn in range(options.turns):
            for count in sorted(rates, reverse=turn % 2 == 1):
                before = groups[count].resident_mb()
                with throttled(servers, options.share):
                    tally, took_s = load(groups[count], sent, options)
                print(f"replicas     {count}, turn {turn + 1}")
                report(tally, took_s, before, groups[count].resident_mb())
                rates[count].append(len(tally.seconds) / took_s)
                all_of.append(tally)
                found += faults(tally, groups[count])
        shares = answered_by(groups[options.replicas].entry.log)
        if options.json is not None:
            found_figures = figures(all_of, rates, groups[1], options)
            options.json.write_text(json.dumps(found_figures, indent=1) + "\n", encoding="utf-8")
    if len(shares) < options.replicas:
        found.append(f"only {', '.join(shares)} answered")
    medians = {count: median(values) for count, values in rates.items()}
    print("answered by  " + ", ".join(f"{who}: {count}" for who, count in sorted(shares.items())))
    ratios = " ".join(f"{many / one:.2f}" for one, many in zip(rates[1], rates[options.replicas], strict=True))
    print(
        f"scale-out    {options.replicas} replicas {medians[options.replicas]:.2f} a second, one {medians[1]:.2f}: "
        f"{medians[options.replicas] / medians[1]:.2f} times (by turns {ratios})"
    )
    return told(found)


if __name__ == "__main__":
    sys.exit(main())
