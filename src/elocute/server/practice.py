"""The next sentence to practise, from the attempts of a visit: asked with them, answered, and forgotten.

Whoever asks keeps the attempts: the page in its browser. An attempt is a report, or the outcome that an earlier answer
gave for it, which is a hundred times as short. The choice is that of `elocute profile`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elocute.errors import ConfigError
from elocute.feedback import Outcome, next_practice
from elocute.phones import PHONES, ipa_name
from elocute.report import Report
from elocute.report_feedback import outcome_of
from elocute.server.problems import Problem

MOST_ATTEMPTS = 500
MOST_SOUNDS = 100_000
"""Of one kind in one attempt."""
MOST_CHARS = 100_000
"""Of the text of one attempt."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choose:
    """A job: the attempts of a visit become the next sentence.

    Attributes:
        body: JSON, `{"attempts": [...]}`, oldest first.
    """

    body: bytes

    def __call__(self, desk: object = None) -> bytes:
        """Choose it; JSON, see `practice_of`.

        Raises:
            Problem: the body is none.
        """
        return (json.dumps(practice_of(self.body), ensure_ascii=False, allow_nan=False) + "\n").encode()


def practice_of(body: bytes) -> dict[str, Any]:
    """The next sentence, as plain JSON values.

    Returns: the sentence; the phones that it is for, most urgent first, with their names in IPA; and the outcome of
        each attempt, None for one without scores, which counts for nothing.

    Raises:
        Problem: the body is not as it should be.
    """
    outcomes = [_attempt(plain, place) for place, plain in enumerate(_attempts(body))]
    chosen = next_practice([one for one in outcomes if one is not None])
    return {
        "sentence": chosen.sentence,
        "phones": [{"phone": phone, "ipa": ipa_name(phone)} for phone in chosen.phones],
        "attempts": [None if one is None else _plain(one) for one in outcomes],
    }


def _plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain JSON values."""
    kinds = {"right": outcome.right, "wrong": outcome.wrong, "unsure": outcome.unsure}
    return {"text": outcome.text} | {kind: dict(sorted(counts.items())) for kind, counts in kinds.items()}


def _attempts(body: bytes) -> list[Any]:
    """What a body lists."""
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise _bad(f"the body is not JSON ({error})") from error
    attempts = plain.get("attempts") if isinstance(plain, dict) else None
    if not isinstance(attempts, list) or set(plain) != {"attempts"}:
        raise _bad("the body is something else")
    if len(attempts) > MOST_ATTEMPTS:
        raise Problem(
            "too-large", f"the body has {len(attempts)} attempts; expected at most {MOST_ATTEMPTS}, send the newest"
        )
    return attempts


def _attempt(plain: Any, place: int) -> Outcome | None:
    """An attempt, from a report or from the outcome of one."""
    name = f"attempts[{place}]"
    if not isinstance(plain, dict):
        raise _bad(f"{name} is no object")
    if "schema_version" in plain:
        try:
            report = Report.from_json(json.dumps(plain))
        except ConfigError as error:
            raise _bad(f"{name}: {error}") from error
        return None if report.utterance.total is None else outcome_of(report)
    text = plain.get("text")
    if set(plain) != {"text", "right", "wrong", "unsure"} or not isinstance(text, str) or len(text) > MOST_CHARS:
        raise _bad(f"{name} is neither a report nor an outcome")
    right, wrong, unsure = (_counts(plain[key], f"{name}.{key}") for key in ("right", "wrong", "unsure"))
    return Outcome(text=text, right=right, wrong=wrong, unsure=unsure)


def _counts(plain: Any, name: str) -> Mapping[str, int]:
    """How often each phone was said."""
    if not isinstance(plain, dict):
        raise _bad(f"{name} is no object")
    for phone, count in plain.items():
        is_count = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MOST_SOUNDS
        if phone not in PHONES or not is_count:
            shown = json.dumps({phone[:20]: count})[:60]
            raise _bad(f"{name} has {shown}, which is no count of one of the 39 phones")
    return plain


def _bad(what: str) -> Problem:
    """The answer to a body that does not say what was read."""
    return Problem(
        "bad-request",
        f'{what}; expected {{"attempts": [...]}}, each a report, or an outcome from an earlier answer, oldest first',
    )
