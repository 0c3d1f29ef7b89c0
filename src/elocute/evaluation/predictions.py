"""Stored predictions: what a model said about every utterance of a corpus, so that metrics need neither it nor audio.

A file is gzipped JSON lines. The first line is a header, `{"format": "elocute predictions 1", "provenance": {...}}`;
the provenance is a free object (model, protocol, split, folds, seeds, commit, machine, command, date) of which one key
has a meaning here: `threshold`, the probability from which the model flags a phone. Then comes one line an utterance.
The same predictions give the same bytes: sorted keys, four decimals, no time stamp.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError

FORMAT = "elocute predictions 1"
DECIMALS = 4
PHONE_MAX = 2.0
"""Highest phone score of speechocean762."""
SCORE_MAX = 10.0
"""Highest word and utterance score of speechocean762."""
WORD_SCORES = ("accuracy", "stress", "total")
UTTERANCE_SCORES = ("accuracy", "completeness", "fluency", "prosodic", "total")

WordScores = Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model said about one utterance, on the corpus's own scales.

    Attributes:
        id: of the utterance.
        phone: accuracy of each canonical phone, 0 to 2; None where the model scored nothing.
        word: (accuracy, stress, total) of each word, 0 to 10; None where the model scored nothing. A single score that
            it withheld is None.
        utterance: scores by the names of `UTTERANCE_SCORES`, 0 to 10; a score that the model does not give is absent
            or None, and all are None where it scored nothing.
        phone_error: probability that people would call each phone wrong; None where the model has no detector.
        heard: what was said in place of each canonical phone, itself where nothing was flagged or where it was merely
            distorted, None where nothing was said; None as a whole where the model does not tell.
        inserted: (canonical phones of the utterance before it, phone) of each sound that the text does not have, in
            order.
        omitted: indices of the words that the model says were left out; their phones count as flagged.
        perceived: phones that the model heard without knowing the text; None where it does not tell.
        transcript: words that the model heard without knowing the text; None where it does not tell.
        reason: why nothing was scored; None where it was.
    """

    id: str
    phone: Sequence[float] | None
    word: Sequence[WordScores] | None
    utterance: Mapping[str, float | None] | None
    phone_error: Sequence[float] | None = None
    heard: Sequence[str | None] | None = None
    inserted: Sequence[tuple[int, str]] = ()
    omitted: Sequence[int] = ()
    perceived: Sequence[str] | None = None
    transcript: str | None = None
    reason: str | None = None

    @property
    def is_scored(self) -> bool:
        """Whether the model scored the utterance."""
        return self.phone is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPredictions:
    """The predictions of a file, in its order, and where they came from."""

    provenance: Mapping[str, Any]
    utterances: tuple[Prediction, ...]

    @property
    def threshold(self) -> float | None:
        """Probability from which the model flags a phone; None where it has no operating point."""
        value = self.provenance.get("threshold")
        return None if value is None else float(value)


def write_predictions(path: Path, provenance: Mapping[str, Any], predictions: Iterable[Prediction]) -> None:
    """Store predictions; the file appears in one step.

    Args:
        path: file to make, `.jsonl.gz`.
        provenance: what made them, JSON values only; see the module.
        predictions: one for each utterance, every one finite and in range.

    Raises:
        ConfigError: a prediction contradicts itself, or the file cannot be written.
    """
    path = Path(path)
    stored = tuple(predictions)
    _check_provenance(provenance, "provenance")
    seen: set[str] = set()
    for prediction in stored:
        _check(prediction, f"prediction {prediction.id!r}", seen)
    lines = [_line({"format": FORMAT, "provenance": provenance}), *(_line(row_of(item)) for item in stored)]
    partial = path.with_name(path.name + ".partial")
    try:
        # An empty name and time keep both out of the gzip header.
        with partial.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.write("".join(lines).encode("utf-8"))
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; name a file in a writable folder") from error


def read_predictions(path: Path) -> StoredPredictions:
    """Read stored predictions, gzipped or plain, and check every one.

    Raises:
        ConfigError: the file is missing, damaged, of another format, or a prediction contradicts itself.
    """
    path = Path(path)
    lines = _content(path).split("\n")
    header = _object(lines[0], f"{path}:1")
    if header.get("format") != FORMAT:
        raise ConfigError(f"{path}:1: format is {header.get('format')!r}; expected a header with {FORMAT!r}")
    provenance = header.get("provenance")
    if not isinstance(provenance, dict):
        raise ConfigError(f"{path}:1: provenance is {provenance!r}; expected an object")
    _check_provenance(provenance, f"{path}:1: provenance")
    if lines[-1] != "":
        raise ConfigError(f"{path}:{len(lines)}: the last line is incomplete; make the file again")
    seen: set[str] = set()
    predictions = []
    for number, line in enumerate(lines[1:-1], start=2):
        place = f"{path}:{number}"
        prediction = prediction_of(_object(line, place), place)
        _check(prediction, place, seen)
        predictions.append(prediction)
    return StoredPredictions(provenance=provenance, utterances=tuple(predictions))


def _content(path: Path) -> str:
    """Text of the file."""
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return content.decode("utf-8")
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); expected gzipped JSON lines, make it again") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give a file of stored predictions") from error


def _object(line: str, place: str) -> dict[str, Any]:
    """A line as a JSON object."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{place}: not JSON ({error}); expected an object a line, the first with {FORMAT!r}"
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: got a JSON {type(value).__name__}; expected an object")
    return value


def _line(value: Mapping[str, Any]) -> str:
    """One line of the file."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")) + "\n"
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"predictions cannot be stored: {error}; expected finite numbers, strings and null"
        ) from error


def row_of(prediction: Prediction) -> dict[str, Any]:
    """A prediction as a JSON object; what it does not say is left out, except the scores."""
    row: dict[str, Any] = {
        "id": prediction.id,
        "phone": _rounded(prediction.phone),
        "word": None if prediction.word is None else [_rounded(word) for word in prediction.word],
        "utterance": None,
    }
    if prediction.utterance is not None:
        row["utterance"] = {name: _round(value) for name, value in prediction.utterance.items()}
    optional = {
        "phone_error": _rounded(prediction.phone_error),
        "heard": None if prediction.heard is None else list(prediction.heard),
        "inserted": [[int(gap), phone] for gap, phone in prediction.inserted] or None,
        "omitted": [int(index) for index in prediction.omitted] or None,
        "perceived": None if prediction.perceived is None else list(prediction.perceived),
        "transcript": prediction.transcript,
        "reason": prediction.reason,
    }
    return row | {key: value for key, value in optional.items() if value is not None}


def _round(value: float | None) -> float | None:
    """A number as it is stored; adding 0.0 makes -0.0 an ordinary zero."""
    return None if value is None else round(float(value), DECIMALS) + 0.0


def _rounded(values: Iterable[float | None] | None) -> list[float | None] | None:
    """Numbers as they are stored."""
    return None if values is None else [_round(value) for value in values]


_LISTS = ("phone", "word", "phone_error", "heard", "inserted", "omitted", "perceived")


def prediction_of(row: Mapping[str, Any], place: str) -> Prediction:
    """A JSON object as a prediction; `place` begins complaints. What its lists hold is checked when it is stored."""
    known = {"id", "utterance", "transcript", "reason", *_LISTS}
    unknown = sorted(set(row) - known)
    if unknown:
        raise ConfigError(f"{place}: unknown key {unknown[0]!r}; expected {', '.join(sorted(known))}")
    if not isinstance(row.get("id"), str):
        raise ConfigError(f"{place}: id is {row.get('id')!r}; expected a string")
    listed = {key: _of_type(row, key, list, place) for key in _LISTS}
    for word in listed["word"] or ():
        if not isinstance(word, list):
            raise ConfigError(f"{place}: a word is {word!r}; expected a list of {', '.join(WORD_SCORES)}")
    for item in listed["inserted"] or ():
        if not isinstance(item, list) or len(item) != 2:
            raise ConfigError(f"{place}: an inserted phone is {item!r}; expected the phones before it, and the phone")
    tuples = {key: None if value is None else tuple(value) for key, value in listed.items()}
    words = tuples["word"]
    return Prediction(
        id=row["id"],
        phone=tuples["phone"],
        word=None if words is None else tuple(map(tuple, words)),
        utterance=_of_type(row, "utterance", dict, place),
        phone_error=tuples["phone_error"],
        heard=tuples["heard"],
        inserted=tuple((gap, phone) for gap, phone in tuples["inserted"] or ()),
        omitted=tuples["omitted"] or (),
        perceived=tuples["perceived"],
        transcript=_of_type(row, "transcript", str, place),
        reason=_of_type(row, "reason", str, place),
    )


_JSON_NAMES: dict[type, str] = {list: "a list", dict: "an object", str: "a string"}


def _of_type(row: Mapping[str, Any], key: str, kind: type, place: str) -> Any:
    """The value of a key, if it is of this type or null."""
    value = row.get(key)
    if value is not None and not isinstance(value, kind):
        raise ConfigError(f"{place}: {key} is {value!r}; expected {_JSON_NAMES[kind]} or null")
    return value


def _check_provenance(provenance: Mapping[str, Any], place: str) -> None:
    """The one key with a meaning holds what it should."""
    threshold = provenance.get("threshold")
    if threshold is not None:
        _check_number(threshold, 1.0, f"{place}: threshold")


def _check(prediction: Prediction, place: str, seen: set[str]) -> None:
    """ConfigError unless a prediction is whole, in range and the first of its utterance."""
    if prediction.id in seen:
        raise ConfigError(f"{place}: utterance {prediction.id!r} occurs twice; expected one prediction for each")
    seen.add(prediction.id)
    absent = {prediction.phone is None, prediction.word is None, prediction.utterance is None}
    if len(absent) > 1:
        raise ConfigError(f"{place}: some of phone, word and utterance are null; expected all of them or none")
    if not prediction.is_scored and not prediction.reason:
        raise ConfigError(f"{place}: nothing is scored and no reason given; expected scores, or a reason")
    _check_scores(prediction, place)
    _check_symbols(prediction, place)


def _check_scores(prediction: Prediction, place: str) -> None:
    """Every score and probability is a number in its range, and every word has its scores."""
    for value in _entries(prediction.phone):
        _check_number(value, PHONE_MAX, f"{place}: phone")
    for index, scores in enumerate(_entries(prediction.word)):
        if len(scores) != len(WORD_SCORES):
            raise ConfigError(f"{place}: word {index} has {len(scores)} scores; expected {', '.join(WORD_SCORES)}")
        for name, score in zip(WORD_SCORES, scores, strict=True):
            if score is not None:
                _check_number(score, SCORE_MAX, f"{place}: word {index}, {name}")
    for name, score in (prediction.utterance or {}).items():
        if name not in UTTERANCE_SCORES:
            raise ConfigError(f"{place}: unknown utterance score {name!r}; expected {', '.join(UTTERANCE_SCORES)}")
        if score is not None:
            _check_number(score, SCORE_MAX, f"{place}: utterance, {name}")
    for value in _entries(prediction.phone_error):
        _check_number(value, 1.0, f"{place}: phone_error")


def _entries(values: Sequence[Any] | None) -> Sequence[Any]:
    """What a list holds, nothing where there is none; an array has no truth value, so `or` will not do."""
    return () if values is None else values


def _check_symbols(prediction: Prediction, place: str) -> None:
    """The lists of one entry a phone are as long as the phones; phones are strings, words exist."""
    L = None if prediction.phone is None else len(prediction.phone)
    for name, values in (("phone_error", prediction.phone_error), ("heard", prediction.heard)):
        if values is not None and L is not None and len(values) != L:
            raise ConfigError(f"{place}: {name} has {len(values)} entries for {L} phones; expected one for each")
    for symbol in (*_entries(prediction.heard), *_entries(prediction.perceived)):
        if symbol is not None and not isinstance(symbol, str):
            raise ConfigError(f"{place}: {symbol!r} is no phone; expected a string")
    if prediction.perceived is not None and None in prediction.perceived:
        raise ConfigError(f"{place}: perceived holds null; expected phones only")
    for gap, phone in prediction.inserted:
        is_count = isinstance(gap, int) and not isinstance(gap, bool)
        if not is_count or not 0 <= gap <= len(_entries(prediction.phone)) or not isinstance(phone, str):
            raise ConfigError(f"{place}: inserted phone {phone!r} after {gap!r} phones; expected a phone and its place")
    for index in prediction.omitted:
        is_index = isinstance(index, int) and not isinstance(index, bool)
        if not is_index or not 0 <= index < len(_entries(prediction.word)):
            raise ConfigError(f"{place}: omitted word {index!r} does not exist; expected indices of words")


def _check_number(value: Any, highest: float, what: str) -> None:
    """ConfigError unless a value is a number from 0 to `highest`."""
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= highest:
        raise ConfigError(f"{what} is {value!r}; expected a number from 0 to {highest:g}")
