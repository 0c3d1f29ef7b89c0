"""What was said instead: diagnosis against the annotation, confusions, and error rates of whole strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredUtterance, ScoredWord
from elocute.evaluation.agreement import Part
from elocute.evaluation.bootstrap import estimate_of_sums, ratio
from elocute.evaluation.metrics import edit_distance
from elocute.evaluation.result import Confusion, Diagnosis, RecognitionRow
from elocute.evaluation.table import Table

WELL_SAID_FROM = 1.8
"""In an utterance whose every phone scores this much, no more than one of five experts took a point off any phone; what
was said in it is taken to be its canonical phones."""
UNKNOWN = "<unk>"
"""Stands for a sound that nobody could tell; no hypothesis ever equals it."""

Kind = Literal["phone", "approximate", "deleted", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """What people heard at one phone.

    Attributes:
        kind: a phone; something close to a phone (`X*`); nothing (`<DEL>`); something that nobody could tell (`<unk>`).
        phone: the phone, None for the last two.
    """

    kind: Kind
    phone: str | None

    @property
    def symbol(self) -> str | None:
        """As a symbol of a string: `X*` as X, None for nothing."""
        return UNKNOWN if self.kind == "unknown" else self.phone


def realised_of(pronounced: str) -> Realised:
    """Read the corpus's notation; stress digits are dropped."""
    text = pronounced.strip().upper()
    if text == "<DEL>":
        return Realised(kind="deleted", phone=None)
    if text == "<UNK>" or not text.rstrip("*0123456789"):
        return Realised(kind="unknown", phone=None)
    kind: Kind = "approximate" if text.endswith("*") else "phone"
    return Realised(kind=kind, phone=text.rstrip("*0123456789"))


def realised_phones(word: ScoredWord) -> dict[int, Realised]:
    """What people heard at the annotated phones of a word; annotations of phones that are not there are left out."""
    return {
        item.index: realised_of(item.pronounced)
        for item in word.mispronunciations or ()
        if 0 <= item.index < len(word.phones) and word.phones[item.index] == item.canonical
    }


def is_annotated(utterances: Iterable[ScoredUtterance]) -> bool:
    """Whether the corpus says, everywhere, what was said instead."""
    return all(word.mispronunciations is not None for utterance in utterances for word in utterance.words)


def diagnosis_of(table: Table, part: Part) -> Diagnosis:
    """Diagnosis error rate over the true rejections: wrong phones that the model flagged; see `Diagnosis`."""
    assert table.flagged is not None
    kinds: Counter[str] = Counter()
    owners, outcomes = [], []
    position = 0
    for owner, (utterance, prediction) in enumerate(zip(table.utterances, table.predictions, strict=True)):
        heard = prediction.heard
        first = position
        for word in utterance.words:
            said = realised_phones(word)
            kinds["contradictory"] += len(word.mispronunciations or ()) - len(said)
            for index, canonical in enumerate(word.phones):
                at = position + index
                if heard is None or not (table.flagged[at] and table.wrong[at]):
                    continue
                truth = said.get(index)
                if truth is None or truth.kind == "unknown":
                    kinds["unannotated" if truth is None else "unknown"] += 1
                    continue
                right = heard[at - first] == truth.phone
                # Who hears L, but not quite, where an L should be, says the same as `L*`.
                strict = right and (truth.kind != "approximate" or truth.phone == canonical)
                kinds["approximate"] += truth.kind == "approximate"
                owners.append(owner)
                outcomes.append((not right, not strict, 1.0))
            position += len(word.phones)
    columns = np.array(outcomes, dtype=np.float64).reshape(-1, 3)
    speaker = part.speaker(np.array(owners, dtype=np.int64))
    wrong = int(columns[:, 0].sum())
    return Diagnosis(
        der=estimate_of_sums(ratio, speaker, columns[:, [0, 2]], part.draws),
        der_strict=estimate_of_sums(ratio, speaker, columns[:, [1, 2]], part.draws),
        right=len(columns) - wrong,
        wrong=wrong,
        approximate=kinds["approximate"],
        unknown=kinds["unknown"],
        unannotated=kinds["unannotated"],
        contradictory=kinds["contradictory"],
    )


def confusions(table: Table) -> list[Confusion]:
    """What the model heard at every canonical phone, most frequent first within a phone."""
    counts: Counter[tuple[str, str | None]] = Counter()
    wrong: Counter[tuple[str, str | None]] = Counter()
    position = 0
    for utterance, prediction in zip(table.utterances, table.predictions, strict=True):
        phones = utterance.phones
        if prediction.heard is not None and prediction.is_scored:
            flags = table.wrong[position : position + len(phones)]
            for canonical, heard, is_wrong in zip(phones, prediction.heard, flags, strict=True):
                counts[canonical, heard] += 1
                wrong[canonical, heard] += bool(is_wrong)
        position += len(phones)
    return _sorted(counts, wrong)


def annotated_confusions(utterances: Iterable[ScoredUtterance]) -> list[Confusion]:
    """What people heard at the phones that they call wrong, in the corpus's own notation (`X*`, `<unk>`)."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for utterance in utterances:
        for word in utterance.words:
            for index, said in realised_phones(word).items():
                symbol = f"{said.phone}*" if said.kind == "approximate" else said.symbol
                counts[word.phones[index], symbol] += 1
    return _sorted(counts, counts)


def _sorted(counts: Counter[tuple[str, str | None]], wrong: Counter[tuple[str, str | None]]) -> list[Confusion]:
    """Confusions by canonical phone, then by number."""
    order = sorted(counts, key=lambda pair: (pair[0], -counts[pair], pair[1] or ""))
    return [Confusion(canonical=pair[0], heard=pair[1], n=counts[pair], wrong=wrong[pair]) for pair in order]


Strings = Mapping[int, Sequence[str]]
"""A string of each utterance, by its number."""

_ECHO = "echo of the text"


def recognition_rows(table: Table, parts: Sequence[Part], *, annotated: bool) -> Iterator[RecognitionRow]:
    """Every error rate that labels and predictions allow, with the echo of the text beside each.

    A recording that the model made nothing of counts as an empty string; in the diagnosis it counts as its text, since
    nothing was flagged.
    """
    utterances, predictions = dict(enumerate(table.utterances)), dict(enumerate(table.predictions))
    text = {owner: utterance.phones for owner, utterance in utterances.items()}
    well = {owner: text[owner] for owner, item in utterances.items() if min(item.phone_accuracy) >= WELL_SAID_FROM}
    free: dict[int, Sequence[str]] = {}
    if any(item.perceived is not None for item in predictions.values()):
        free = {owner: item.perceived or () for owner, item in predictions.items()}
        hypotheses: dict[str, Strings] = {"free decoding": free, _ECHO: text}
        yield from _rows("phone", "canonical phones of utterances said well", well, hypotheses, parts)
    if annotated:
        hypotheses = {"free decoding": free} if free else {}
        if any(item.heard is not None for item in predictions.values()):
            hypotheses["diagnosis, which knows the text"] = {
                owner: text[owner] if item.heard is None else [phone for phone in item.heard if phone is not None]
                for owner, item in predictions.items()
            }
        said = {owner: _realised(utterance) for owner, utterance in utterances.items()}
        yield from _rows("phone", "phones that people heard", said, hypotheses | {_ECHO: text}, parts)
    if any(item.transcript is not None for item in predictions.values()):
        words = {owner: _words(utterance.text) for owner, utterance in utterances.items()}
        heard = {owner: _words(item.transcript or "") for owner, item in predictions.items()}
        yield from _rows("word", "words of the text", words, {"transcript": heard, _ECHO: words}, parts)


def _words(text: str) -> list[str]:
    """Words as they are compared: upper case, apart at white space."""
    return text.upper().split()


def _realised(utterance: ScoredUtterance) -> list[str]:
    """What people heard, as a string: `X*` as X; a phone that they call wrong and say no more of as `<unk>`."""
    symbols: list[str | None] = []
    for word in utterance.words:
        said = realised_phones(word)
        for index, (phone, score) in enumerate(zip(word.phones, word.phone_accuracy, strict=True)):
            if index in said:
                symbols.append(said[index].symbol)
            else:
                symbols.append(UNKNOWN if score < MISPRONOUNCED_BELOW else phone)
    return [symbol for symbol in symbols if symbol is not None]


def _rows(
    unit: Literal["phone", "word"],
    reference: str,
    references: Strings,
    hypotheses: Mapping[str, Strings],
    parts: Sequence[Part],
) -> Iterator[RecognitionRow]:
    """The error rate of each kind of string against the same references, part by part."""
    if not references:
        return
    owner = np.array(list(references))
    for name, strings in hypotheses.items():
        counts = [(edit_distance(said, strings[number]), len(said)) for number, said in references.items()]
        columns = np.array(counts, dtype=np.float64)
        for part in parts:
            kept = part.items(owner)
            if not kept.any():
                continue
            errors, length = columns[kept].sum(axis=0).astype(int).tolist()
            yield RecognitionRow(
                part=part.name,
                unit=unit,
                reference=reference,
                hypothesis=name,
                utterances=int(kept.sum()),
                reference_length=length,
                errors=errors,
                rate=estimate_of_sums(ratio, part.speaker(owner), columns[kept], part.draws),
            )
