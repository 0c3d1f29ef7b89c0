"""Fuzz of `elocute serve`: damaged and lying recordings, odd texts and fields, broken forms, by real HTTP.

    python tools/fuzz_server.py                          # 10,000 uploads
    python tools/fuzz_server.py --uploads 300 --seed 7
    python tools/fuzz_server.py --only 4711              # one of them again; --keep DIR writes its body

Assessment is real, in real workers. Exit code 1: an answer of 500 or above, or none within the limit; one that is not
JSON, or holds NaN; a worker that died; a file left; or memory that grew by more than is allowed.
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
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_cases import Case, Cases
from served import EXAMPLES, Answer, Client, Running, recordings, serving

ALLOWED = frozenset({200, 400, 413, 415, 422, 429})
GROWTH_MB = 100.0
"""By so much all processes together may be larger in the end than when a tenth of the uploads was done."""
_SLOWEST = 5


@dataclass(slots=True)
class Found:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    slow: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, case: Case, answer: Answer) -> bool:
        """Note an answer; whether it is as it should be."""
        fault = fault_of(answer)
        kind = ""
        if fault is None and answer.status >= 400:
            kind = str(json.loads(answer.body)["type"]).rpartition(":")[2]
        with self.lock:
            self.statuses[answer.status] += 1
            self.problems[kind] += bool(kind)
            self.slow = sorted([*self.slow, (answer.seconds, f"{case.number} {case.what}")])[-_SLOWEST:]
            if fault is not None:
                self.faults.append(f"{case.number} ({case.what}): {fault}")
        return fault is None


def fault_of(answer: Answer) -> str | None:
    """What is wrong with an answer, if anything."""
    if answer.status not in ALLOWED:
        return f"{answer.status} {answer.body[:300]!r}"
    kind = "application/json" if answer.status == 200 else "application/problem+json"
    if answer.headers.get("content-type") != kind:
        return f"{answer.status} as {answer.headers.get('content-type')}"
    try:
        json.loads(answer.body, parse_constant=_refuse)
    except ValueError as error:
        return f"{answer.status}, and its body is no JSON: {error}"
    return None


def _refuse(name: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(name)


def one_client(
    running: Running, cases: Cases, todo: itertools.count[int], options: argparse.Namespace, found: Found
) -> None:
    """Send one case after the other."""
    client = Client(running.port, timeout_s=options.limit)
    numbers = [options.only] if options.only is not None else itertools.takewhile(lambda n: n < options.uploads, todo)
    for number in numbers:
        case = cases[number]
        answer = client.ask("POST", "/v1/assess", case.body, case.content_type or None)
        is_right = found.note(case, answer)
        if options.keep is not None and (not is_right or options.only is not None):
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{options.seed}-{number}").write_bytes(case.body)
        if number == options.uploads // 10:
            found.memory = client.resident_mb()
        if answer.status == 429:
            time.sleep(float(answer.headers["retry-after"]))


def fuzz(running: Running, cases: Cases, options: argparse.Namespace) -> Found:
    """Send everything."""
    found, todo = Found(), itertools.count()
    clients = 1 if options.only is not None else options.clients
    threads = [threading.Thread(target=one_client, args=(running, cases, todo, options, found)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def judge(found: Found, running: Running, options: argparse.Namespace) -> None:
    """Look at what the server looks like afterwards."""
    client = Client(running.port)
    figures, after = client.figures(), client.resident_mb()
    if figures["elocute_workers_lost_total"]:
        found.faults.append(f"{figures['elocute_workers_lost_total']:g} workers died")
    if figures["elocute_running"] or figures["elocute_queue_waiting"] or figures["elocute_uploads"]:
        found.faults.append("something is still under way")
    found.faults += [f"left behind: {path}" for path in running.scratch.rglob("*")]
    before = found.memory or after
    grown = sum(after.values()) - sum(before.values())
    if grown > GROWTH_MB:
        found.faults.append(f"memory grew by {grown:.0f} MB")
    sizes = "; ".join(f"{name} {before.get(name, 0):.0f} -> {size:.0f}" for name, size in after.items())
    print(f"memory, MB   {sizes}; after a tenth of the uploads, and in the end")


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a case is said to hang")
    parser.add_argument("--manifest", type=Path, default=EXAMPLES, help="JSONL of recordings; default: examples/")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="send this case alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the bodies of cases that failed")
    options = parser.parse_args()
    cases = Cases(recordings(options.manifest)[:20], options.seed)
    begin_s = time.monotonic()
    with serving("--workers", str(options.workers), "--queue", str(options.clients)) as running:
        found = fuzz(running, cases, options)
        took_s = time.monotonic() - begin_s
        print(f"uploads      {found.statuses.total()} in {took_s:.0f} s, seed {options.seed}")
        print("by status    " + ", ".join(f"{status}: {count}" for status, count in sorted(found.statuses.items())))
        print("problems     " + ", ".join(f"{kind}: {count}" for kind, count in found.problems.most_common()))
        judge(found, running, options)
        tracebacks = running.log.read_text(encoding="utf-8").count('"traceback"')
        found.faults += [f"{tracebacks} tracebacks in the log"] if tracebacks else []
    for seconds, what in reversed(found.slow):
        print(f"slow         {seconds:.2f} s: {what[:150]}")
    for fault in found.faults[:50]:
        print(f"FAULT        {fault}")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
