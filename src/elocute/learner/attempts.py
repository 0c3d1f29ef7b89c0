"""Past reports from files: lines of `elocute batch`, or reports as `elocute assess --format json` writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError
from elocute.report import Report

_DATE = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempt:
    """One recording that was assessed.

    Attributes:
        id: of the row, or the name of the file.
        day: from a field "date" or from the id ("2026-03-01 monday"); None where neither tells.
        report: of the recording; scored.
    """

    id: str
    day: date | None
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """All attempts, the first one first.

    Attributes:
        attempts: with scores.
        is_dated: whether they are in the order of their days; else in that of the files.
        skipped: reasons for leaving rows out, and how many.
    """

    attempts: tuple[Attempt, ...]
    is_dated: bool
    skipped: Mapping[str, int]


def read_history(paths: Sequence[Path]) -> History:
    """Read past reports.

    Args:
        paths: files of JSON lines ({"id", "report"} or whole reports), of a list of reports (a visit to the page),
            or of a single report.

    Raises:
        ConfigError: a file cannot be read, holds something else, or no report has scores.
    """
    attempts: list[Attempt] = []
    skipped: dict[str, int] = {}
    for path in paths:
        for row, place, name in _rows(path):
            if "error" in row and "report" not in row:
                _count(skipped, "rows without a report, because assessing them failed")
                continue
            attempt = _attempt(row, place, name)
            if attempt.report.utterance.total is None:
                _count(skipped, "reports without scores")
            else:
                attempts.append(attempt)
    if not attempts:
        reasons = "".join(f"; {reason}: {count}" for reason, count in skipped.items())
        raise ConfigError(f"no report with scores in {', '.join(map(str, paths))}{reasons}; give reports to look at")
    is_dated = all(attempt.day is not None for attempt in attempts)
    if is_dated:
        attempts.sort(key=lambda attempt: attempt.day or date.min)  # stable: of one day in the order of the files
    return History(attempts=tuple(attempts), is_dated=is_dated, skipped=skipped)


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _rows(path: Path) -> list[tuple[dict[str, Any], str, str]]:
    """The JSON objects of a file, where each stands, and a name for it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give the output of `elocute batch`") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8; give the output of `elocute batch`") from error
    if not text.strip():
        raise ConfigError(f"{path} is empty; give the output of `elocute batch`")
    try:
        whole = json.loads(text)
    except ValueError:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        return [
            (_object(line, f"{path}:{number}"), f"{path}:{number}", f"{path.stem}:{number}") for number, line in lines
        ]
    if (
        isinstance(whole, list) and whole and all(isinstance(row, dict) for row in whole)
    ):  # as the web page saves a visit
        return [(row, f"{path}, entry {number}", f"{path.stem}:{number}") for number, row in enumerate(whole, start=1)]
    if not isinstance(whole, dict):
        raise ConfigError(f"{path} holds a JSON {type(whole).__name__}; expected reports, or one object a line")
    return [(whole, str(path), path.stem)]


def _object(line: str, place: str) -> dict[str, Any]:
    """A line as a JSON object."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{place} is not JSON: {error}; expected the output of `elocute batch`") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{place} holds a JSON {type(row).__name__}; expected an object with a report")
    return row


def _attempt(row: Mapping[str, Any], place: str, name: str) -> Attempt:
    """One attempt; ConfigError where it is none."""
    if "NBest" in row or "NBest" in (row.get("report") or {}):
        raise ConfigError(f"{place} has the shape of Azure, which lacks what is needed; write it with --format json")
    if "report" not in row and "schema_version" not in row:
        raise ConfigError(f"{place} has neither a report nor an error; expected the output of `elocute batch`")
    plain = row.get("report", row)
    try:
        report = Report.from_json(json.dumps(plain))
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}; assess the recording again with this elocute") from error
    found = str(row.get("id", name))
    return replace(Attempt(id=found, day=None, report=report), day=_day(row.get("date"), found, place))


def _day(stated: Any, name: str, place: str) -> date | None:
    """The day of an attempt, from its field or from its id."""
    if stated is not None:
        try:
            return date.fromisoformat(str(stated)[:10])
        except ValueError as error:
            raise ConfigError(f"{place}: date is {stated!r}; expected one like 2026-03-01") from error
    match = _DATE.search(name)
    if match is None:
        return None
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        return None  # digits that look like a day and are none
