"""What a speech language model answers: JSON written as a target, and read however damaged it comes back.

A target is strict: `json.dumps`, whole numbers, double quotes. An answer is read strictly first ("valid"); then with
patience ("repaired": other quotes, text around it, a fence, keys with spaces, a number in quotes or with a fraction,
cut off in the last string); what lacks a field even so is "failed" and keeps the fields that are there. Nothing is
guessed: a score off the scale is no score.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from elocute.corpora.speechocean762 import UTTERANCE_SCORES
from elocute.errors import ConfigError
from elocute.mllm.prompts import ASSISTANT, DELIMITER, END, Task
from elocute.phones import PHONES

Status = Literal["valid", "repaired", "failed"]
UNKNOWN = "<unk>"
"""A sound that nobody could tell."""
L2_UNITS = ("AR", "IR", "DR", "DZ", "TR", "TS")
"""Units of the corpus's annotation that are no phones of English."""
ALPHABET = frozenset((*PHONES, *L2_UNITS, UNKNOWN))
"""What a phoneme transcript may be made of."""
SCORE_MAX = 10
SCORE_KEYS = UTTERANCE_SCORES
TEXT_KEYS = ("word_transcript", "phoneme_transcript")
KEYS: dict[Task, tuple[str, ...]] = {"apa": SCORE_KEYS, "mdd": TEXT_KEYS, "combined": (*SCORE_KEYS, *TEXT_KEYS)}
"""What each task's answer holds, in this order."""

_STOPS = (END, "<|endoftext|>", "<|user|>")
# A key with either quote, straight or curly, or none; a space for the underscore as in the paper's figure.
_KEY = {key: re.compile(rf"[\"'“‘]?\b{key.replace('_', '[_ ]')}\b[\"'”’]?\s?[:=]\s?", re.I) for key in KEYS["combined"]}
_NEXT = r"[\"'“‘]?\b(?:" + "|".join(key.replace("_", "[_ ]") for key in KEYS["combined"]) + r")\b[\"'”’]?\s?[:=]"
_ANY = r"[\"'“‘]?[a-z_][a-z_ ]*[\"'”’]? ?:"
_CUT = r"(?:, ?[\"'“‘]?[a-z_ ]*[\"'”’]?)? ?:? ?$"
_NUMBER = re.compile(r"[\"']?(-?\d{1,9}(?:\.\d{1,9})?)(?![\d.]*\d)")
_CLOSES = {'"': '"', "'": "'", "“": "”", "‘": "’"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was read of an answer; a field that is not there, or not to be read, is None.

    Attributes:
        task: what was asked.
        status: "valid": JSON to the letter. "repaired": every field, but only with patience. "failed": some field is
            missing; those that are there are kept.
        accuracy: 0 to 10.
        fluency: 0 to 10.
        prosodic: 0 to 10.
        total: 0 to 10.
        word_transcript: as it was written.
        phoneme_transcript: as it was written.
        notes: what was wrong, in the order in which it was found; also what does not make an answer invalid.
    """

    task: Task
    status: Status
    accuracy: float | None = None
    fluency: float | None = None
    prosodic: float | None = None
    total: float | None = None
    word_transcript: str | None = None
    phoneme_transcript: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def scores(self) -> dict[str, float | None]:
        """The four scores by name."""
        return {name: getattr(self, name) for name in SCORE_KEYS}

    @property
    def missing(self) -> tuple[str, ...]:
        """Fields that the task asks for and the answer lacks."""
        return tuple(key for key in KEYS[self.task] if getattr(self, key) is None)

    @property
    def words(self) -> tuple[str, ...] | None:
        """The words in upper case, without punctuation but the apostrophe."""
        if self.word_transcript is None:
            return None
        return tuple(re.sub(r"[^A-Z0-9'\s]", "", self.word_transcript.replace("’", "'").upper()).split())

    @property
    def phones(self) -> tuple[str, ...] | None:
        """The phones in upper case without stress digits and delimiters; `UNKNOWN` as it is."""
        groups = self.phones_by_word
        return None if groups is None else tuple(phone for group in groups for phone in group)

    @property
    def phones_by_word(self) -> tuple[tuple[str, ...], ...] | None:
        """The phones between delimiters; one group where there are none. A word of which nothing was said is empty."""
        if self.phoneme_transcript is None:
            return None
        return tuple(tuple(map(_phone, group.split())) for group in self.phoneme_transcript.split(DELIMITER))


def write_apa(scores: Mapping[str, float]) -> str:
    """The target of "apa".

    Args:
        scores: the four sentence scores by name, 0 to 10; half points, which only rebuilt files have, are rounded up.

    >>> write_apa({"accuracy": 8, "fluency": 7.0, "prosodic": 7, "total": 8})
    '{"accuracy": 8, "fluency": 7, "prosodic": 7, "total": 8}'
    """
    return json.dumps(_score_fields(scores))


def write_mdd(words: Sequence[str], phones: Iterable[Sequence[str]], *, word_delimiter: bool = False) -> str:
    """The target of "mdd".

    Args:
        words: the words of the sentence.
        phones: what was said of each word; nothing where the whole word was left out.
        word_delimiter: whether phones of different words are kept apart.

    >>> write_mdd(["CAT", "SAT"], [["K", "AE"], ["S", "<unk>", "T"]])
    '{"word_transcript": "cat sat", "phoneme_transcript": "K AE S <unk> T"}'
    """
    return json.dumps(_text_fields(words, phones, word_delimiter), ensure_ascii=False)


def write_combined(
    scores: Mapping[str, float],
    words: Sequence[str],
    phones: Iterable[Sequence[str]],
    *,
    word_delimiter: bool = False,
) -> str:
    """The target of "combined": the fields of both tasks in one object."""
    fields = {**_score_fields(scores), **_text_fields(words, phones, word_delimiter)}
    return json.dumps(fields, ensure_ascii=False)


def parse_answer(task: Task, text: str) -> Answer:
    """Read what a model generated; takes any string, and never raises.

    Args:
        task: what was asked.
        text: what was generated, with or without special tokens.

    >>> parse_answer("apa", "{'accuracy': 8, 'fluency': 7.5, 'prosodic': 7, 'total': 12}").missing
    ('total',)
    """
    body = _body(text)
    strict = _strict(task, body)
    if strict is not None:
        return Answer(task=task, status="valid", **strict, notes=_remarks(strict))
    found = _Found()
    _patient(task, body, found)
    answer = Answer(task=task, status="repaired", **found.values, notes=(*found.notes, *_remarks(found.values)))
    if answer.missing:
        notes = (*answer.notes, *(f"no {key}" for key in answer.missing))
        return Answer(task=task, status="failed", **found.values, notes=notes)
    return answer


@dataclass(slots=True, kw_only=True)
class _Found:
    """Fields and remarks gathered while reading."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _score_fields(scores: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers by name."""
    fields = {}
    for key in SCORE_KEYS:
        if key not in scores or not 0 <= scores[key] <= SCORE_MAX:
            raise ConfigError(f"score {key} is {scores.get(key)!r}; expected a number from 0 to {SCORE_MAX}")
        fields[key] = math.floor(scores[key] + 0.5)
    return fields


def _text_fields(words: Sequence[str], phones: Iterable[Sequence[str]], word_delimiter: bool) -> dict[str, str]:
    """Transcripts by name."""
    groups = [list(group) for group in phones]
    if len(groups) != len(words):
        raise ConfigError(f"{len(words)} words but phones of {len(groups)}; expected phones for each word")
    spoken = [symbol for group in groups for symbol in ([DELIMITER, *group] if word_delimiter else group)]
    return {
        "word_transcript": " ".join(words).lower(),
        "phoneme_transcript": " ".join(spoken[1:] if word_delimiter else spoken),
    }


def _phone(symbol: str) -> str:
    """A phone without case and stress."""
    return UNKNOWN if symbol.lower() == UNKNOWN else symbol.upper().rstrip("012") or symbol


def _body(text: str) -> str:
    """The turn of the assistant without special tokens."""
    body = text.rpartition(ASSISTANT)[2]
    for stop in _STOPS:
        body = body.partition(stop)[0]
    return body.strip()


def _strict(task: Task, body: str) -> dict[str, Any] | None:
    """The fields, if the text is one JSON object with exactly the keys and values that were asked for."""
    try:
        pairs = json.loads(body, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError):  # no JSON, or nested without end
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    values = dict(pairs)
    if len(pairs) != len(values) or set(values) != set(KEYS[task]):
        return None
    for key, value in values.items():
        if key in TEXT_KEYS:
            if not isinstance(value, str):
                return None
        elif type(value) is not int or not 0 <= value <= SCORE_MAX:  # `true` is an int, too
            return None
    return values


def _patient(task: Task, body: str, found: _Found) -> None:
    """Look for every key by itself, wherever it stands."""
    flat = re.sub(r"\s+", " ", body)
    start = flat.find("{")
    if start < 0:
        found.notes.append("no JSON object")
    elif start > 0:
        found.notes.append("text before the object")
    flat = flat[max(start, 0) :]
    for key in KEYS[task]:
        match = _KEY[key].search(flat)
        if match is None:
            continue
        rest = flat[match.end() :]
        value = _text_value(key, rest, found) if key in TEXT_KEYS else _score_value(key, rest, found)
        if value is not None:
            found.values[key] = value
    if "}" not in flat:
        found.notes.append("cut off before its end")
    elif flat.rpartition("}")[2].strip("` "):
        found.notes.append("text after the object")
    if "'" in flat and '"' not in flat:
        found.notes.append("single quotes")


def _score_value(key: str, rest: str, found: _Found) -> float | None:
    """The number that a value begins with."""
    match = _NUMBER.match(rest)
    if match is None:
        return None
    value = float(match[1])
    if not 0 <= value <= SCORE_MAX:
        found.notes.append(f"{key} off the scale: {match[1]}")
        return None
    if match.end() == len(rest) and match[1] == "1":
        found.notes.append(f"{key} may be cut off")  # 1 or 10: nobody can tell
        return None
    if not match[1].isdecimal():
        found.notes.append(f"{key} no whole number")
    return value


def _text_value(key: str, rest: str, found: _Found) -> str | None:
    """The string that a value begins with; up to the next key or the end where it is not closed."""
    if rest[:1] not in _CLOSES:
        return None
    close = re.escape(_CLOSES[rest[0]])
    # An apostrophe is no end: after the end come a bracket, the next key or what is left of it, or nothing.
    end = re.compile(rf"{close}(?= ?(?:,? ?\}}|, ?{_ANY}|{_CUT}))|{close}?,? ?(?={_NEXT})", re.I).search(rest, 1)
    inside = rest[1 : end.start() if end else None]
    if end is None:
        found.notes.append(f"{key} cut off")
        inside = inside.rstrip("`} ")
    if rest[0] == '"':
        try:
            return str(json.loads(f'"{inside}"'))
        except ValueError:  # quotes within, or half an escape
            found.notes.append(f"{key} not escaped")
    return inside.replace("\\" + rest[0], rest[0])


def _remarks(values: Mapping[str, Any]) -> tuple[str, ...]:
    """What is worth a remark in a readable answer."""
    spoken = values.get("phoneme_transcript")
    if spoken is None:
        return ()
    odd = sorted({symbol for symbol in spoken.replace(DELIMITER, " ").split() if _phone(symbol) not in ALPHABET})
    return (f"no phones: {' '.join(odd)}",) if odd else ()
