"""schemathesis against a real server: requests made from its OpenAPI document, answers held to it.

    python tools/fuzz_openapi.py                    # 200 requests of each route in each mode
    python tools/fuzz_openapi.py --examples 5000

Half of the recordings are real ones, so that reports are held to their schema, too. Requests are made as the document
allows, and as it does not. Two checks are left out. That what the document allows is never refused: bytes that are no
recording and texts without a letter are allowed by any schema. That what it forbids is always refused: the fields of a
form have no types, so that null, 3 and true are texts like any other. Exit code 1: an answer that is not as documented.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

import hypothesis
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode
from served import EXAMPLES, encoded, recordings, serving

_LEFT_OUT = frozenset({"positive_data_acceptance", "negative_data_rejection"})


def recorded() -> st.SearchStrategy[bytes]:
    """What is sent as a recording: real ones, halves of them, anything."""
    spoken = recordings(EXAMPLES)[:2]
    real = [encoded(one.samples[:16_000], kind) for one in spoken for kind in ("wav", "webm")]
    cut_short = [one[: len(one) // 2] for one in real]
    return st.sampled_from(real) | st.sampled_from(cut_short) | st.binary(max_size=200)


def examine(operation: Any, mode: GenerationMode, options: argparse.Namespace, seen: Counter[str]) -> list[str]:
    """Ask one route again and again; what is not as documented."""
    checks = [check for check in CHECKS.get_all() if check.__name__ not in _LEFT_OUT]

    @hypothesis.settings(
        max_examples=options.examples,
        deadline=None,
        database=None,
        suppress_health_check=[*hypothesis.HealthCheck],
        print_blob=False,
        phases=[hypothesis.Phase.generate],  # no shrinking, which asks hundreds of times
        report_multiple_bugs=False,
    )
    @hypothesis.seed(options.seed)
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(timeout=60)
        seen[f"{answer.status_code}"] += 1
        case.validate_response(answer, checks=checks)

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:
        return []  # a route that takes nothing cannot be asked wrongly
    except schemathesis.errors.SchemathesisError as error:
        return [f"{operation.label} ({mode.value}): {error}"]
    except BaseExceptionGroup as group:
        return [f"{operation.label} ({mode.value}): {error}" for error in group.exceptions]
    return []


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    schemathesis.openapi.format("binary", recorded())
    begin_s = time.monotonic()
    seen: Counter[str] = Counter()
    faults: list[str] = []
    with serving("--workers", str(options.workers)) as running:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{running.port}/openapi.json")
        for found in schema.get_all_operations():
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                faults += examine(found.ok(), mode, options, seen)
    print(f"requests     {seen.total()} in {time.monotonic() - begin_s:.0f} s, seed {options.seed}")
    print("by status    " + ", ".join(f"{status}: {count}" for status, count in sorted(seen.items())))
    for fault in faults:
        print(f"FAULT        {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
