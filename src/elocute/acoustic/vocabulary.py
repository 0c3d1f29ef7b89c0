"""What the labels of a CTC model have to do with the 39 phones, and its posteriors folded into theirs.

A model's labels are folded into fewer columns, by explicit tables (`notation`):

    many to one     labels of one phone (AH: ʌ, ə, ɐ; T: t, tʰ, ɾ) share a column, whose probability is their sum. Two
                    of them side by side are then one phone, as a phone that wavers is.
    one to many     a phone without a label of its own is a chain of labels (CH: t, ʃ), for the lattices to follow.
    two in one      a label of two phones (ɑːɹ, əl) is heard as its first phone where it begins and as its second in the
                    frame after, out of what the model gave there to the label itself and to the blank.
    silent          pads, sentence and word marks, length and other marks of their own are no sounds: their probability
                    is the blank's, which parts labels as they do.
    unmapped        sounds that English has not, unknowns, and columns without a label share the last column, which no
                    phone spells: what is in it speaks against every phone alike.

All 39 phones must come out, each spelled in its own way; else the vocabulary is refused with those that do not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from elocute.acoustic.notation import (
    ARPABET,
    ARPABET_OTHERS,
    ARPABET_SILENT,
    BARE_MARKS,
    CHAINS,
    DROPPED,
    IPA,
    IPA_LETTERS,
    LENGTH,
    LOOSE,
    MARKS,
    PAIRS,
)
from elocute.errors import ConfigError
from elocute.types import Float32, Float64, Int64, PhoneSet

_SPECIAL = re.compile(r"<.*>|\[.*\]", re.DOTALL)
_WORD_MARKS = frozenset(("|", "▁", "_", " ", "", "-", "'"))
_UNKNOWN = ("unk", "mask", "oov", "spn", "nsn")
LEAST_LEFT = 1e-7
"""Share of the blank, and of a label of two phones, that stays where it is, however sure the frame before was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyReport:
    """What became of every label.

    Attributes:
        notation: of the labels, "ARPABET" or "IPA".
        spelled: for each phone the parts of its chain, one for most, and for each part the labels that are summed.
        pairs: labels of two phones.
        silent: labels whose probability goes to the blank.
        unmapped: labels that speak for no phone.
    """

    notation: str
    spelled: Mapping[str, tuple[tuple[str, ...], ...]]
    pairs: Mapping[str, tuple[str, str]]
    silent: tuple[str, ...]
    unmapped: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people: a line for each phone, then pairs, silent and unmapped labels."""
        mapped = [
            f"{phone}: {' then '.join(' + '.join(part) for part in parts)}" for phone, parts in self.spelled.items()
        ]
        two = [f"{label}: {first} then {second}" for label, (first, second) in self.pairs.items()]
        return [
            *mapped,
            f"labels of two phones ({len(two)}): {'; '.join(two) or 'none'}",
            f"silent ({len(self.silent)}): {' '.join(map(repr, self.silent)) or 'none'}",
            f"unmapped ({len(self.unmapped)}): {' '.join(self.unmapped) or 'none'}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folding:
    """A model's columns in terms of phones.

    Attributes:
        phone_set: of the folded posteriors: column 0 the blank, phones of one label in order, labels that are only
            parts of chains, and what is unmapped last, if there is any. A model of 39 phones comes out as
            `PhoneSet.one_label_each` has it.
        columns: shape (V,), folded column of each of the model's; of a label of two phones that of the first.
        pairs: shape (P, 2), columns of the model that hold two phones, and the folded column of the second.
        blank_id: the model's blank.
        report: what became of every label.
    """

    phone_set: PhoneSet
    columns: Int64
    pairs: Int64
    blank_id: int
    report: VocabularyReport

    def fold(self, log_probs: Float32 | Float64) -> Float32:
        """The model's log posteriors (T, V) as those of the phone set (T, size); rows that sum to 1 still do.

        Labels of two phones, mass q, move s = q[t-1] of blank and label at t on to their second phone; each row keeps
        its sum.
        """
        frames = np.array(log_probs, dtype=np.float64)
        later: Float64 = np.empty((len(frames), 0))
        if len(self.pairs) and len(frames):
            labels = self.pairs[:, 0]
            before = np.full((len(frames), len(labels)), -np.inf)
            before[1:] = frames[:-1, labels]
            later = before + np.logaddexp(frames[:, labels], frames[:, [self.blank_id]])
            frames[:, labels] += _rest(np.exp(before))
            frames[:, self.blank_id] += _rest(np.exp(before).sum(axis=1))
        order = np.argsort(self.columns, kind="stable")
        starts = np.searchsorted(self.columns[order], np.arange(self.phone_set.size))
        folded = np.logaddexp.reduceat(frames[:, order], starts, axis=1)
        for column, moved in zip(self.pairs[:, 1].tolist(), later.T, strict=False):
            np.logaddexp(folded[:, column], moved, out=folded[:, column])
        return folded.astype(np.float32)

    def matrix(self) -> Float32:
        """The sums as a matrix (V, size) of zeros and ones, for whoever folds probabilities inside a graph."""
        sums = np.zeros((len(self.columns), self.phone_set.size), dtype=np.float32)
        sums[np.arange(len(self.columns)), self.columns] = 1.0
        return sums


def _rest(moved: Float64) -> Float64:
    """Log of what is left of a share."""
    return np.log(np.maximum(1.0 - moved, LEAST_LEFT))


def phones_of(labels: Sequence[str | None], blank_id: int) -> Folding:
    """Fold a vocabulary into phones.

    Args:
        labels: of each column of the model, None for a column without one.
        blank_id: column of the CTC blank.

    Raises:
        ConfigError: phones that the labels cannot spell, a blank that names a sound, or a vocabulary of writing.
    """
    if not 0 <= blank_id < len(labels):
        raise ConfigError(f"the blank is column {blank_id} of {len(labels)}; expected 0 to {len(labels) - 1}")
    names = [label for label in labels if label is not None]
    reader = _arpabet(labels) if _is_arpabet(names) else _ipa(labels)
    name = labels[blank_id]
    if name is not None and not (_is_special(name) or name in _WORD_MARKS):
        raise ConfigError(
            f"the blank is column {blank_id}, whose label is {name!r}; expected a pad or blank such as '<pad>': "
            "mend pad_token_id in the model's config.json"
        )
    missing = [phone for phone in ARPABET if phone not in reader.spelled]
    foreign = sum(not _is_ipa(label) for label in names)
    if missing or (reader.notation == "IPA" and foreign > len(names) / 2):
        raise ConfigError(_refusal(missing, len(names), foreign, reader.notation))
    return reader.folding(blank_id)


def _refusal(missing: Sequence[str], labels: int, foreign: int, notation: str) -> str:
    """What to say of a vocabulary that does not do."""
    writing = (
        f" {foreign} of the {labels} labels are no letters of the IPA, so this model writes words: fine-tune it to "
        "phones with `elocute train ctc`"
        if notation == "IPA" and foreign > labels / 2
        else " use a model whose labels are phones, or fine-tune this one with `elocute train ctc`"
    )
    lost = f"{len(missing)} of the 39 phones do not resolve: {' '.join(missing)}"
    what = f"{lost};" if missing else "no phone is missing;"
    return f"the model's {labels} labels cannot spell English: {what}{writing}"


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Labels being sorted; `spelled` tells, for each phone, the parts of its chain, and for each part its columns."""

    labels: Sequence[str | None]
    notation: str
    spelled: dict[str, list[list[int]]] = field(default_factory=dict)
    pairs: dict[int, tuple[str, str]] = field(default_factory=dict)
    silent: list[int] = field(default_factory=list)

    def folding(self, blank_id: int) -> Folding:
        """All of it as numbers."""
        columns = np.full(len(self.labels), -1, dtype=np.int64)
        columns[[*self.silent, blank_id]] = 0
        single = [phone for phone in ARPABET if len(self.spelled[phone]) == 1]
        column_of: dict[int, int] = {}  # by the first label of a part
        parts = [self.spelled[phone][0] for phone in single]
        parts += [part for phone in ARPABET if phone not in single for part in self.spelled[phone]]
        for part in parts:
            if part[0] not in column_of:
                column_of[part[0]] = len(column_of) + 1
                columns[part] = column_of[part[0]]
        tokens = tuple(tuple(column_of[part[0]] for part in self.spelled[phone]) for phone in ARPABET)
        pairs = {
            label: both for label, both in self.pairs.items() if all(len(self.spelled[phone]) == 1 for phone in both)
        }
        for label, (first, _) in pairs.items():
            columns[label] = tokens[ARPABET.index(first)][0]
        unmapped = np.flatnonzero(columns < 0)
        size = len(column_of) + 1 + bool(len(unmapped))
        columns[unmapped] = size - 1
        seconds = [(label, tokens[ARPABET.index(second)][0]) for label, (_, second) in pairs.items()]
        return Folding(
            phone_set=PhoneSet(symbols=ARPABET, tokens=tokens, size=size, blank_id=0),
            columns=columns,
            pairs=np.array(seconds, dtype=np.int64).reshape(-1, 2),
            blank_id=blank_id,
            report=VocabularyReport(
                notation=self.notation,
                spelled={phone: tuple(tuple(self._named(part)) for part in self.spelled[phone]) for phone in ARPABET},
                pairs={name: both for label, both in pairs.items() for name in self._named([label])},
                silent=tuple(self._named(np.flatnonzero(columns == 0).tolist())),
                unmapped=tuple(self._named(unmapped.tolist())),
            ),
        )

    def _named(self, columns: Iterable[int]) -> list[str]:
        return [f"column {column}" if self.labels[column] is None else str(self.labels[column]) for column in columns]


def _arpabet(labels: Sequence[str | None]) -> _Reader:
    """Labels that are ARPABET, with or without stress digits, in any case."""
    reader = _Reader(labels=labels, notation="ARPABET")
    for column, label in enumerate(labels):
        if label is None:
            continue
        name = label.upper().rstrip("012") if len(label) > 1 else label.upper()
        if name in ARPABET:
            reader.spelled.setdefault(name, [[]])[0].append(column)
        elif len(ARPABET_OTHERS.get(name, ())) == 1:
            reader.spelled.setdefault(ARPABET_OTHERS[name][0], [[]])[0].append(column)
        elif name in ARPABET_OTHERS:
            first, second = ARPABET_OTHERS[name]
            reader.pairs[column] = first, second
        elif name in ARPABET_SILENT or _is_silent(label):
            reader.silent.append(column)
    return reader


def _ipa(labels: Sequence[str | None]) -> _Reader:
    """Labels that are IPA: whole phones as espeak has them, or single characters."""
    reader = _Reader(labels=labels, notation="IPA")
    own = {name: phone for phone, names in IPA.items() for name in names}
    by_name: dict[str, list[int]] = {}
    for column, label in enumerate(labels):
        if label is not None and _is_silent(label):
            reader.silent.append(column)
        elif label is not None and not _is_special(label):
            by_name.setdefault(_known_form(_plain(label), {*own, *LOOSE, *PAIRS}), []).append(column)
    for phone, names in IPA.items():
        found = [column for name in names for column in by_name.get(name, ())]
        if found:
            reader.spelled[phone] = [found]
    single = {phone: parts[0] for phone, parts in reader.spelled.items()}
    used = _add_chains(reader, by_name, own, single)
    _add_loose(reader, {name: columns for name, columns in by_name.items() if name not in used}, single)
    for name, columns in by_name.items():
        if name in PAIRS:
            reader.pairs |= dict.fromkeys(columns, PAIRS[name])
        elif name and name not in used and set(name) <= BARE_MARKS:
            reader.silent += columns
    return reader


def _add_loose(reader: _Reader, by_name: Mapping[str, list[int]], single: dict[str, list[int]]) -> None:
    """Add labels that count as a phone to its column, or make one where the phone has no spelling yet."""
    for name, phones in LOOSE.items():
        home = next((phone for phone in phones if phone in single), None)
        if name in by_name and home is None and phones[0] not in reader.spelled:
            home = phones[0]
            single[home] = []
            reader.spelled[home] = [single[home]]
        if name in by_name and home is not None:
            single[home] += by_name[name]


def _add_chains(
    reader: _Reader, by_name: Mapping[str, list[int]], own: Mapping[str, str], single: Mapping[str, list[int]]
) -> set[str]:
    """Spell phones without a label by chains of others; returns the names that are only parts of chains."""
    parts: dict[str, list[int]] = {}
    for phone, chains in CHAINS.items():
        chain = next((chain for chain in chains if all(name in by_name for name in chain)), None)
        if phone in reader.spelled or chain is None:
            continue
        spelling = []
        for name in chain:
            phone_of = own.get(name)
            if phone_of is not None and phone_of in single:
                spelling.append(single[phone_of])
            else:
                spelling.append(parts.setdefault(name, by_name[name]))
        reader.spelled[phone] = spelling
    return set(parts)


def _plain(label: str) -> str:
    """A label decomposed, with IPA's g and length mark, without stress marks and tie bars."""
    decomposed = unicodedata.normalize("NFD", label).replace("c\u0327", "ç").replace("g", "ɡ").replace(":", "ː")
    return "".join(char for char in decomposed if char not in DROPPED)


def _known_form(name: str, known: set[str]) -> str:
    """The label as the tables have it: as it is, without length, without other marks, without both."""
    bare = "".join(char for char in name if char not in MARKS)
    forms = name, _without_length(name), bare, _without_length(bare)
    return next((form for form in forms if form in known), name)


def _without_length(name: str) -> str:
    return "".join(char for char in name if char not in LENGTH)


def _is_special(label: str) -> bool:
    """Whether a label is one of the model's own marks, not of speech."""
    return bool(_SPECIAL.fullmatch(label))


def _is_silent(label: str) -> bool:
    """Whether a label stands for no sound at all."""
    if _is_special(label):
        return not any(part in label.lower() for part in _UNKNOWN)
    return label.strip() in _WORD_MARKS


def _is_arpabet(labels: Sequence[str]) -> bool:
    """Whether half of the phones with two letters are among the labels."""
    two = {phone for phone in ARPABET if len(phone) == 2}
    return 2 * len({label.upper().rstrip("012") for label in labels} & two) >= len(two)


def _is_ipa(label: str) -> bool:
    """Whether a label could be of sounds: letters of the IPA, with marks, digits (tones) or dots behind; or a mark."""
    if _is_silent(label) or _is_special(label):
        return True
    letters = [char for char in _plain(label) if char.isalpha() and char not in BARE_MARKS]
    return bool(_plain(label)) and all(char in IPA_LETTERS for char in letters) and not label.isupper()
