"""speechocean762: 5,000 English utterances of 250 Mandarin speakers, scored by five experts.

Source: J. Zhang et al., "speechocean762: An Open-Source Non-native English Speech Corpus For Pronunciation
Assessment", Interspeech 2021; CC BY 4.0. Official layout: `train/` and `test/` are Kaldi folders whose lists are the
split, `resource/scores.json` holds the scores. Audio may be WAV or any format that `elocute.audio` reads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from elocute.errors import ConfigError

Split = Literal["train", "test"]
MISPRONOUNCED_BELOW = 0.5
"""A phone whose mean expert score (0 to 2) is below this counts as mispronounced, as in the corpus's own files."""
UTTERANCE_SCORES = ("accuracy", "fluency", "prosodic", "total")
"""The sentence scores that are learned; completeness is computed, not learned."""
ADULT_FROM_YEARS = 16
"""The corpus has nobody of 16 to 18 years: children are up to 15, adults from 19."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What the experts heard in place of a canonical phone, as the corpus writes it.

    Attributes:
        index: of the phone in its word.
        canonical: the canonical phone.
        pronounced: a phone; a phone with `*` (close to it, but not quite it; it may be the canonical one); `<unk>`
            (nobody could tell); `<DEL>` (nothing).
    """

    index: int
    canonical: str
    pronounced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredWord:
    """A word with the experts' scores.

    Attributes:
        text: upper case, as in the corpus.
        phones: canonical ARPABET phones chosen by the experts, without stress digits (theirs are unreliable).
        phone_accuracy: mean of the experts, 0 to 2, one per phone.
        accuracy: 0 to 10.
        stress: 5 or 10.
        total: 0 to 10.
        mispronunciations: what was said in place of phones scored below 0.5; None where the file does not tell.
    """

    text: str
    phones: tuple[str, ...]
    phone_accuracy: tuple[float, ...]
    accuracy: float
    stress: float
    total: float
    mispronunciations: tuple[Annotated, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredUtterance:
    """An utterance with the experts' scores, all 0 to 10.

    Attributes:
        id: nine digits.
        speaker: four digits.
        gender: "m" or "f".
        age: years.
        audio: path of the recording.
        text: the sentence, upper case.
        words: words in order.
        accuracy: sentence accuracy.
        completeness: share of words said, times ten.
        fluency: sentence fluency.
        prosodic: sentence prosody.
        total: sentence total.
    """

    id: str
    speaker: str
    gender: str
    age: int
    audio: Path
    text: str
    words: tuple[ScoredWord, ...]
    accuracy: float
    completeness: float
    fluency: float
    prosodic: float
    total: float

    @property
    def phones(self) -> tuple[str, ...]:
        """Canonical phones of the utterance."""
        return tuple(phone for word in self.words for phone in word.phones)

    @property
    def phone_accuracy(self) -> tuple[float, ...]:
        """Expert score of every phone, 0 to 2."""
        return tuple(score for word in self.words for score in word.phone_accuracy)

    @property
    def is_child(self) -> bool:
        """Whether the speaker is younger than 16."""
        return self.age < ADULT_FROM_YEARS


def read_speechocean762(folder: Path, split: Split = "train", scores: Path | None = None) -> list[ScoredUtterance]:
    """Read one split in the order of its `wav.scp`.

    Args:
        folder: root of the corpus in its official layout.
        split: which Kaldi folder to read; the recordings in it, and no others, are the split.
        scores: another `scores.json`; default `resource/scores.json`.

    Raises:
        ConfigError: a file is missing or contradicts another.
    """
    folder = Path(folder)
    scores = scores or folder / "resource" / "scores.json"
    lists = [folder / split / name for name in ("wav.scp", "utt2spk", "spk2gender", "spk2age")]
    for needed in (*lists, scores):
        if not needed.is_file():
            raise ConfigError(f"{needed} not found; expected the official layout of speechocean762 under {folder}")
    wav, speaker_of, gender, age = map(_kaldi_table, lists)
    _check_covers(lists[1], speaker_of, lists[0], wav)
    for listing, table in zip(lists[2:], (gender, age), strict=True):
        _check_covers(listing, table, lists[1], [speaker_of[utterance] for utterance in wav])
    scored = read_score_table(scores)
    missing = [utterance for utterance in wav if utterance not in scored]
    if missing:
        raise ConfigError(f"{scores} lacks {len(missing)} of {len(wav)} utterances of {split}, first {missing[0]}")
    utterances = []
    for utterance, path in wav.items():
        speaker = speaker_of[utterance]
        if not age[speaker].isdecimal():
            raise ConfigError(f"{lists[3]}: age of speaker {speaker} is {age[speaker]!r}; expected whole years")
        utterances.append(
            scored_utterance(
                utterance,
                scored[utterance],
                source=scores,
                speaker=speaker,
                gender=gender[speaker],
                age=int(age[speaker]),
                audio=folder / path,
            )
        )
    return utterances


def speaker_folds(utterances: Sequence[ScoredUtterance], folds: int, seed: int) -> dict[str, int]:
    """Deal the speakers into folds that resemble each other in age group and mean total score.

    Speakers are sorted by (child, mean total) and dealt in shuffled rounds of `folds`, so that every fold gets one
    of each round.

    Returns: fold number, 0 to folds - 1, of every speaker.
    """
    totals: dict[str, list[float]] = {}
    is_child: dict[str, bool] = {}
    for utterance in utterances:
        totals.setdefault(utterance.speaker, []).append(utterance.total)
        is_child[utterance.speaker] = utterance.is_child
    if not 2 <= folds <= len(totals):
        raise ConfigError(f"folds is {folds}; expected 2 to {len(totals)}, the number of speakers")
    ranked = sorted(totals, key=lambda speaker: (is_child[speaker], _mean(totals[speaker]), speaker))
    rng = np.random.default_rng(seed)
    dealt = np.concatenate([rng.permutation(folds) for _ in range(0, len(ranked), folds)])
    return {speaker: int(fold) for speaker, fold in zip(ranked, dealt[: len(ranked)], strict=True)}


def _mean(values: Sequence[float]) -> float:
    """Mean that does not depend on the order of its values, as a sum of rounded terms would."""
    return math.fsum(values) / len(values)


def _check_covers(path: Path, table: Mapping[str, str], source: Path, keys: Iterable[str]) -> None:
    """ConfigError if a key of the other list is missing in this one."""
    for key in keys:
        if key not in table:
            raise ConfigError(f"{path} lacks {key!r}, which {source.name} has; expected a line for each")


def read_score_table(path: Path, wanted: str = "a file like the corpus's scores.json") -> dict[str, Any]:
    """The scores of all utterances by id; `wanted` is what a complaint asks for.

    Raises:
        ConfigError: the file cannot be read, or is no JSON object.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give {wanted}") from error
    except ValueError as error:  # not UTF-8, not JSON
        raise ConfigError(f"{path} is no JSON object: {error}; expected utterances by id") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{path} is no JSON object but a {type(table).__name__}; expected utterances by id")
    return table


def _kaldi_table(path: Path) -> dict[str, str]:
    """Read a Kaldi list of `key<whitespace>value` lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text: {error}; expected lines of a key, white space and a value") from error
    table: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = line.split(maxsplit=1)
        if len(parts) != 2:
            raise ConfigError(f"{path}:{number}: got {line!r}; expected a key, white space and a value")
        table[parts[0]] = parts[1].strip()
    return table


def scored_utterance(
    utterance_id: str, row: Any, *, source: Path, speaker: str, gender: str, age: int, audio: Path
) -> ScoredUtterance:
    """One record of `scores.json` with its speaker.

    `phones` is a list in the newer release and a string in the older. Scores lose what single precision added to them
    (1.7999999523 is 1.8).

    Args:
        utterance_id: of the record.
        row: the record, a JSON value.
        source: where it is from; complaints begin with it.
        speaker: of the utterance.
        gender: of the speaker.
        age: of the speaker, years.
        audio: the recording.

    Raises:
        ConfigError: the record lacks a field, a field holds something else, a score is no number of its scale, or a
            word has more or fewer scores than phones.
    """
    place = f"{source}: utterance {utterance_id}"
    text = _field(row, "text", str, place)
    words = _field(row, "words", list, place)
    if not words:
        raise ConfigError(f"{place} has no words; expected some")
    names = ("accuracy", "completeness", "fluency", "prosodic", "total")
    return ScoredUtterance(
        id=utterance_id,
        speaker=speaker,
        gender=gender,
        age=age,
        audio=audio,
        text=text,
        words=tuple(_word(word, f"{place}, word {index}") for index, word in enumerate(words)),
        **{name: _score(_field(row, name, object, place), 10, f"{place}: {name}") for name in names},
    )


def _word(row: Any, place: str) -> ScoredWord:
    """One word of a record."""
    text = _field(row, "text", str, place)
    place = f"{place} {text}"
    spelt = _field(row, "phones", object, place)
    phones = spelt.split() if isinstance(spelt, str) else spelt
    if not isinstance(phones, list) or not phones or not all(isinstance(phone, str) for phone in phones):
        raise ConfigError(f"{place}: phones is {spelt!r}; expected phones as a list or a string")
    accuracy = _field(row, "phones-accuracy", list, place)
    if len(phones) != len(accuracy):
        raise ConfigError(f"{place}: {len(phones)} phones but {len(accuracy)} phone scores; expected one for each")
    names = ("accuracy", "stress", "total")
    return ScoredWord(
        text=text,
        phones=tuple(phone.rstrip("0123456789") for phone in phones),
        phone_accuracy=tuple(_score(score, 2, f"{place}: phones-accuracy") for score in accuracy),
        mispronunciations=_annotated(row.get("mispronunciations"), place),
        **{name: _score(_field(row, name, object, place), 10, f"{place}: {name}") for name in names},
    )


_JSON_NAMES: dict[type, str] = {list: "a list", str: "a string", int: "a whole number"}


def _field(row: Any, name: str, kind: type, place: str) -> Any:
    """A field of a JSON object; ConfigError if it is not there, or of another type."""
    if not isinstance(row, dict):
        raise ConfigError(f"{place} is {row!r}; expected an object with the official fields")
    if name not in row:
        raise ConfigError(f"{place} lacks {name!r}; expected the official fields")
    if not isinstance(row[name], kind):
        raise ConfigError(f"{place}: {name} is {row[name]!r}; expected {_JSON_NAMES[kind]}")
    return row[name]


def _score(value: Any, highest: float, what: str) -> float:
    """A score, rounded to what the corpus writes; ConfigError unless it is a number from 0 to `highest`."""
    number = round(value, 4) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= highest:
        raise ConfigError(f"{what} is {value!r}; expected a number from 0 to {highest:g}")
    return float(number)


def _annotated(items: Any, place: str) -> tuple[Annotated, ...] | None:
    """The annotation of one word, where there is any; whether it fits the word is for its user to see."""
    if items is None:
        return None
    place = f"{place}: mispronunciations"
    if not isinstance(items, list):
        raise ConfigError(f"{place} is {items!r}; expected a list or null")
    return tuple(
        Annotated(
            index=_field(item, "index", int, place),
            canonical=_field(item, "canonical-phone", str, place).rstrip("0123456789"),
            pronounced=_field(item, "pronounced-phone", str, place),
        )
        for item in items
    )
