"""Answers of a language model on disk, one JSON line each: an evaluation that was killed goes on where it was.

The first line says what the answers are of; answers are only ever added to a file of the same model, questions and
settings, and a batch that was not finished is done again, because answers depend a little on their batch: so the file
ends as if nobody had killed anything. Figures come from it alone (`evaluate_answers`), without model, audio or GPU.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError
from elocute.mllm.answers import SCORE_KEYS, parse_answer
from elocute.mllm.evaluation import answer_examples, expected_scores
from elocute.mllm.evaluation_result import StoredAnswer
from elocute.mllm.examples import Example
from elocute.mllm.generation import BATCH_SIZE, Generated, Progress, asking_order
from elocute.mllm.writing import write_text

FORMAT = "elocute phi4 answers 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswers:
    """What a file holds.

    Attributes:
        facts: its first line.
        answers: by key of their example.
    """

    facts: Mapping[str, Any]
    answers: Mapping[str, StoredAnswer]


def answers_in(
    path: Path,
    model: Any,
    processor: Any,
    examples: Sequence[Example],
    *,
    facts: Mapping[str, Any],
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
    progress: Progress | None = None,
) -> tuple[StoredAnswer, ...]:
    """Answers to examples, in their order; those that the file lacks are generated and added to it, batch by batch.

    Args:
        path: JSONL file; made if it is not there.
        model: from which they come.
        processor: its processor.
        examples: questions.
        facts: what tells these answers from others; a file with other facts is refused.
        batch_size: examples that are answered at a time.
        max_new_tokens: as `answer_examples`.
        progress: called with examples answered and examples in all.

    Raises:
        ConfigError: the file is of something else, or damaged.
    """
    facts = dict(facts) | {
        "questions_sha256": _hash_of(examples),
        "batch_size": batch_size,
        "max_new_tokens": max_new_tokens,
    }
    order = [examples[n] for n in asking_order(examples)]
    answers: dict[str, StoredAnswer] = {}
    if path.exists():
        found = read_answers(path)
        _check_same(path, found.facts, facts)
        kept = len(order) if len(found.answers) == len(order) else len(found.answers) // batch_size * batch_size
        answers = dict(list(found.answers.items())[:kept])
    _rewrite(path, facts, answers)
    left = order[len(answers) :]
    if progress is not None:
        progress(len(examples) - len(left), len(examples))
    with path.open("a", encoding="utf-8") as file:
        for first in range(0, len(left), batch_size):
            batch = left[first : first + batch_size]
            made = answer_examples(model, processor, batch, batch_size=batch_size, max_new_tokens=max_new_tokens)
            for example, answer in zip(batch, made.answers, strict=True):
                stored = _stored_of(example, answer, made.seconds / len(batch))
                answers[example.key] = stored
                file.write(_line(example.key, stored))
            file.flush()
            if progress is not None:
                progress(len(examples) - len(left) + first + len(batch), len(examples))
    return tuple(answers[example.key] for example in examples)


def _stored_of(example: Example, answer: Generated, seconds: float) -> StoredAnswer:
    """An answer as it is kept."""
    return StoredAnswer(
        text=answer.text,
        expected=expected_scores(answer, parse_answer(example.task, answer.text)),
        is_complete=answer.is_complete,
        tokens=len(answer.log_probs) + answer.is_complete,
        seconds=seconds,
    )


def read_answers(path: Path) -> StoredAnswers:
    """What a file holds; a last line that was cut off by a kill is left out.

    Raises:
        ConfigError: it is no such file, or damaged before its last line.
    """
    try:
        content = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; expected stored answers") from error
    whole = content[: content.rfind("\n") + 1]
    rows = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ConfigError(f"{path}:{number} is no JSON ({error}); remove the file to begin again") from error
    if not rows or not isinstance(rows[0], dict) or rows[0].get("format") != FORMAT:
        raise ConfigError(f"{path} does not begin with {FORMAT!r}; expected a file that `elocute evaluate phi4` wrote")
    return StoredAnswers(
        facts={key: value for key, value in rows[0].items() if key != "format"},
        answers=dict(_stored(row, f"{path}:{number}") for number, row in enumerate(rows[1:], start=2)),
    )


def _stored(row: Any, place: str) -> tuple[str, StoredAnswer]:
    """Key and answer of one line."""
    try:
        return str(row["key"]), StoredAnswer(
            text=str(row["text"]),
            expected={name: row["expected"].get(name) for name in SCORE_KEYS},
            is_complete=bool(row["is_complete"]),
            tokens=int(row["tokens"]),
            seconds=float(row["seconds"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"{place} lacks {error}; remove the file to begin again") from error


def _line(key: str, stored: StoredAnswer) -> str:
    """An answer as a line."""
    return json.dumps({"key": key, **asdict(stored)}, ensure_ascii=False) + "\n"


def _rewrite(path: Path, facts: Mapping[str, Any], answers: Mapping[str, StoredAnswer]) -> None:
    """Write the file with these answers, in one step."""
    lines = [json.dumps({"format": FORMAT, **facts}) + "\n", *(_line(key, answer) for key, answer in answers.items())]
    write_text(path, "".join(lines))


def _check_same(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """ConfigError if a file's facts are others."""
    other = [name for name in here if there.get(name) != here[name]]
    if other:
        raise ConfigError(
            f"{path} holds answers of another {', '.join(other)} (there {there.get(other[0])!r}, here "
            f"{here[other[0]]!r}); name another file"
        )


def _hash_of(examples: Sequence[Example]) -> str:
    """Tells questions from others."""
    told = "\n".join(f"{example.key} {example.user}" for example in examples)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
