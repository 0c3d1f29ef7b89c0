"""speechocean762's `scores-detail.json`: what every single expert gave, before the mean or median was taken."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord, read_score_table
from elocute.errors import ConfigError

_MARKS = {"(": 0.0, "{": 1.0}
_TOKEN = re.compile(r"[()\[\]{}]|[^\s()\[\]{}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertWord:
    """The experts' scores of one word.

    Attributes:
        accuracy: 0 to 10, one per expert.
        stress: 5 or 10, one per expert.
        total: 0 to 10, one per expert.
        phones: 0, 1 or 2 for each canonical phone, one tuple per expert; None where some expert wrote the word with
            more or fewer phones than the canonical ones, so that his marks cannot be matched.
    """

    accuracy: tuple[float, ...]
    stress: tuple[float, ...]
    total: tuple[float, ...]
    phones: tuple[tuple[float, ...], ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertUtterance:
    """The experts' scores of one utterance, all 0 to 10, one per expert, and of its words."""

    id: str
    accuracy: tuple[float, ...]
    completeness: tuple[float, ...]
    fluency: tuple[float, ...]
    prosodic: tuple[float, ...]
    total: tuple[float, ...]
    words: tuple[ExpertWord, ...]


def read_experts(path: Path, utterances: Iterable[ScoredUtterance]) -> list[ExpertUtterance]:
    """Read the single experts' scores of these utterances.

    Utterances that the file lacks, or has with other words, are left out; whoever uses the rest states how much it is.

    Raises:
        ConfigError: the file cannot be read, or has other fields.
    """
    table = read_score_table(path, "the corpus's scores-detail.json")
    found = []
    for item in utterances:
        if item.id not in table:
            continue
        row = table[item.id]
        try:
            if len(row["words"]) == len(item.words):
                found.append(_utterance(item, row))
        except KeyError as error:
            raise ConfigError(
                f"{path}: utterance {item.id} has a record without {error}; expected the official fields"
            ) from error
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{path}: the record of utterance {item.id} is damaged ({error}); expected the official fields, with "
                "a list of numbers for every score"
            ) from error
    return found


def parse_marks(text: str) -> tuple[float, ...]:
    """The scores in an expert's marked phones: `AH` 2, `{AH}` 1, `(AH)` 0; `[AH]`, which was inserted, has none.

    >>> parse_marks("B (EH0 R) [ L ] {D}")
    (2.0, 0.0, 0.0, 1.0)
    """
    scores: list[float] = []
    mark, is_inserted = 2.0, False
    for token in _TOKEN.findall(text):
        if token in _MARKS:
            mark = _MARKS[token]
        elif token == "[":
            is_inserted = True
        elif token in ")}]":
            mark, is_inserted = 2.0, False
        elif not is_inserted:
            scores.append(mark)
    return tuple(scores)


def _utterance(utterance: ScoredUtterance, row: dict[str, Any]) -> ExpertUtterance:
    """One record."""
    return ExpertUtterance(
        id=utterance.id,
        accuracy=_numbers(row["accuracy"]),
        # Here a share, there ten times that.
        completeness=tuple(10.0 * value for value in _numbers(row["completeness"])),
        fluency=_numbers(row["fluency"]),
        prosodic=_numbers(row["prosodic"]),
        total=_numbers(row["total"]),
        words=tuple(_word(word, marked) for word, marked in zip(utterance.words, row["words"], strict=True)),
    )


def _word(word: ScoredWord, row: dict[str, Any]) -> ExpertWord:
    """One word of a record."""
    marks = tuple(parse_marks(text) for text in row["phones"])
    return ExpertWord(
        accuracy=_numbers(row["accuracy"]),
        stress=_numbers(row["stress"]),
        total=_numbers(row["total"]),
        phones=marks if all(len(each) == len(word.phones) for each in marks) else None,
    )


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    """Scores of the experts; ValueError if one is no finite number."""
    for value in values:
        if isinstance(value, (bool, str)) or not math.isfinite(value):
            raise ValueError(f"a score is {value!r}")
    return tuple(float(value) for value in values)
