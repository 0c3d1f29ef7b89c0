"""The annotation tiers of one L2-ARCTIC recording: what should have been said, and what annotators heard.

The tier `words` holds the words, the tier `phones` one interval for each phone, tagged so (the corpus's README, v5.0):
a phone alone was said well; `CPL,PPL,s` is a substitution of the correct phone (CPL) by the perceived one (PPL);
`sil,PPL,a` an addition; `CPL,sil,d` a deletion. PPL is `err` where nobody could tell, and ends in `*` where it deviates
from the American phone ("AO with a foreign accent"). Tiers of comments or IPA are not read.

Deviates, as everybody who uses the corpus does: white space, letter case and stress digits do not matter; AX is AH;
what a finger slipped on behind a phone (one of ) ` _) is dropped; where tag and phones contradict each other, the
phones are believed, and `slips` says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elocute.corpora.textgrid import Interval, IntervalTier, read_textgrid
from elocute.errors import ConfigError
from elocute.phones import PHONES, VOWELS

SaidKind = Literal["same", "substituted", "deleted", "unknown"]

SILENCES = frozenset({"", "sil", "sp", "spn", "<eps>"})
"""Labels of intervals in which nothing is said that has phones; `spn` is a word that the aligner did not know."""
UNKNOWN_WORD = "<unk>"
ERR = "ERR"
_ALIASES = {"AX": "AH", "H": "HH", "NX": "NG"}
_LABEL = re.compile(r"([A-Za-z]+)([0-9]?)([*)`_]*)")
_TAGS = {"s": "substitution", "d": "deletion", "a": "addition"}
SLACK_S = 0.3
"""A phone that lies outside every word belongs to the nearest, if that is no farther: annotators moved boundaries."""
_ORDER_SLACK_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What annotators heard at one canonical phone.

    Attributes:
        kind: the canonical phone; another one; nothing; something that nobody could tell (`err`).
        phone: ARPABET without stress; None for the last two.
        is_approximate: the corpus's `*`: close to `phone`, but with a foreign accent. Then `phone` may be the canonical
            one, and `kind` is "substituted" all the same.
    """

    kind: SaidKind
    phone: str | None
    is_approximate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedPhone:
    """One canonical phone, ARPABET without stress, what was said there, and when (seconds)."""

    canonical: str
    stress: int | None
    said: Said
    start_s: float
    end_s: float

    @property
    def is_distorted(self) -> bool:
        """Whether it was said, but with an accent: `X,X*,s`."""
        return self.said.kind == "substituted" and self.said.phone == self.canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """One sound that the text does not have.

    Attributes:
        gap: how many canonical phones of the utterance come before it.
        phone: ARPABET without stress, None where nobody could tell.
        is_approximate: as in `Said`.
        start_s: begin.
        end_s: end.
    """

    gap: int
    phone: str | None
    is_approximate: bool
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedWord:
    """One word with its canonical phones; times are those of the words' tier, seconds."""

    text: str
    phones: tuple[AnnotatedPhone, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Everything that the tiers of one recording say.

    Attributes:
        words: in order, each with at least one phone.
        insertions: in order.
        unknown_words: words without canonical phones, which the aligner's dictionary lacked; they are not in `words`.
        slips: what the annotators wrote against their own rules, and how it was read.
    """

    words: tuple[AnnotatedWord, ...]
    insertions: tuple[Insertion, ...]
    unknown_words: tuple[str, ...]
    slips: tuple[str, ...]

    @property
    def phones(self) -> tuple[AnnotatedPhone, ...]:
        """Canonical phones of the recording, in order."""
        return tuple(phone for word in self.words for phone in word.phones)


def read_annotation(path: Path) -> Annotation:
    """Read the annotation of one recording.

    Raises:
        ConfigError: the file is damaged, lacks a tier, or its tiers contradict themselves or each other; the message
            names the interval.
    """
    tiers = _named(path, read_textgrid(path))
    words = [item for item in tiers["words"].intervals if item.text.strip().lower() not in SILENCES]
    if not words:
        raise ConfigError(f"{path}: the tier 'words' has no word in it; expected the words of the sentence")
    sorter = _Sorter(path, words)
    for number, interval in enumerate(tiers["phones"].intervals, start=1):
        sorter.take(number, interval)
    return sorter.annotation()


class _Sorter:
    """Sorts the intervals of the tier `phones` into words and insertions, one after the other."""

    def __init__(self, path: Path, words: Sequence[Interval]) -> None:
        self._path = path
        self._words = words
        self._members: list[list[AnnotatedPhone]] = [[] for _ in words]
        self._noisy: set[int] = set()
        self._insertions: list[Insertion] = []
        self._slips: list[str] = []

    def take(self, number: int, interval: Interval) -> None:
        """The next interval, counted from 1."""
        place = f"{self._path}: interval {number} of the tier 'phones' ({interval.start_s:.3f} s, {interval.text!r})"
        label = parse_label(interval.text, place)
        self._slips.extend(label.slips)
        word = _word_at(interval, self._words)
        if label.is_silent:
            if word is not None and interval.text.strip().lower() == "spn":
                self._noisy.add(word)
        elif label.canonical is None:
            self._insertions.append(
                Insertion(
                    gap=sum(map(len, self._members)),
                    phone=label.said.phone,
                    is_approximate=label.said.is_approximate,
                    start_s=interval.start_s,
                    end_s=interval.end_s,
                )
            )
        elif word is None:
            raise ConfigError(f"{place} lies in no word; expected every canonical phone in or beside its word")
        else:
            self._members[word].append(
                AnnotatedPhone(
                    canonical=label.canonical,
                    stress=label.stress,
                    said=label.said,
                    start_s=interval.start_s,
                    end_s=interval.end_s,
                )
            )

    def annotation(self) -> Annotation:
        """What was taken, once every word is seen to have phones, or to be one that the aligner did not know."""
        unknown = [index for index, phones in enumerate(self._members) if not phones]
        for word in (self._words[index] for index in unknown if index not in self._noisy):
            if word.text.strip() != UNKNOWN_WORD:
                raise ConfigError(
                    f"{self._path}: the word {word.text.strip()!r} ({word.start_s:.3f} s) has no phones in the tier "
                    "'phones'; expected its canonical phones, or spn"
                )
        if len(unknown) == len(self._words):
            raise ConfigError(f"{self._path}: no word has canonical phones; expected an annotated sentence")
        return Annotation(
            words=tuple(
                AnnotatedWord(text=word.text.strip(), phones=tuple(phones), start_s=word.start_s, end_s=word.end_s)
                for word, phones in zip(self._words, self._members, strict=True)
                if phones
            ),
            insertions=tuple(self._insertions),
            unknown_words=tuple(self._words[index].text.strip() for index in unknown),
            slips=tuple(self._slips),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the label of one interval of the tier `phones` says.

    Attributes:
        canonical: ARPABET without stress; None for an addition and for silence.
        stress: of the canonical vowel, where it has a digit.
        said: what was heard; deleted where nothing was.
        is_silent: whether neither anything should have been said nor anything was.
        slips: how the label breaks the corpus's own rules.
    """

    canonical: str | None
    stress: int | None
    said: Said
    is_silent: bool = False
    slips: tuple[str, ...] = ()


def parse_label(text: str, place: str) -> Label:
    """Read the label of an interval; `place` begins complaints.

    Raises:
        ConfigError: it follows none of the corpus's templates.
    """
    nothing = Said(kind="deleted", phone=None)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1:
        if parts[0].lower() in SILENCES:
            return Label(canonical=None, stress=None, said=nothing, is_silent=True)
        phone, stress, is_starred = _phone(parts[0], place, is_perceived=False)
        if is_starred:
            accented = Said(kind="substituted", phone=phone, is_approximate=True)
            return Label(canonical=phone, stress=stress, said=accented, slips=(f"{place} read as said with an accent",))
        return Label(canonical=phone, stress=stress, said=Said(kind="same", phone=phone))
    tag = parts[2].lower() if len(parts) == 3 else ""
    if len(parts) > 3 or (tag not in _TAGS and len(parts) == 3):
        raise ConfigError(f"{place} is tagged unlike CPL,PPL,s or sil,PPL,a or CPL,sil,d; expected one of these")
    canonical = None if parts[0].lower() in SILENCES else parts[0]
    perceived = None if parts[1].lower() in SILENCES else parts[1]
    if canonical is None and perceived is None:
        raise ConfigError(f"{place} has neither a correct nor a perceived phone; expected at least one")
    correct, stress, _ = (None, None, False) if canonical is None else _phone(canonical, place, is_perceived=False)
    heard, _, is_approximate = (None, None, False) if perceived is None else _phone(perceived, place, is_perceived=True)
    read_as = "a" if correct is None else "d" if perceived is None else "s"
    slips = [f"{place} read as {_TAGS[read_as]}"] if tag != read_as else []
    if perceived is None:
        said = nothing
    elif heard is None:
        said = Said(kind="unknown", phone=None)
    elif heard == correct and not is_approximate:
        said = Said(kind="same", phone=heard)
        slips.append(f"{place} read as said well: both phones are the same")
    else:
        said = Said(kind="substituted", phone=heard, is_approximate=is_approximate)
    return Label(canonical=correct, stress=stress, said=said, slips=tuple(slips))


def _phone(text: str, place: str, *, is_perceived: bool) -> tuple[str | None, int | None, bool]:
    """A phone of a label: ARPABET without stress (None for `err`), its stress, whether it has a `*`."""
    found = _LABEL.fullmatch(text)
    symbol = found.group(1).upper() if found else text
    symbol = _ALIASES.get(symbol, symbol)
    if found is None or (symbol not in PHONES and not (symbol == ERR and is_perceived)):
        expected = "an ARPABET phone, sil or err" if is_perceived else "an ARPABET phone or sil"
        raise ConfigError(f"{place}: {text!r} is unknown; expected {expected}")
    digit, marks = found.group(2), found.group(3)
    stress = int(digit) if digit in ("0", "1", "2") and digit and symbol in VOWELS else None
    return (None if symbol == ERR else symbol), stress, "*" in marks


def _named(path: Path, tiers: Sequence[IntervalTier]) -> dict[str, IntervalTier]:
    """The tiers of words and of phones, checked."""
    found: dict[str, IntervalTier] = {}
    for tier in tiers:
        name = tier.name.strip().lower()
        if name in ("words", "phones"):
            if name in found:
                raise ConfigError(f"{path} has two tiers {name!r}; expected one")
            found[name] = tier
            _check_order(path, name, tier)
    missing = [name for name in ("words", "phones") if name not in found]
    if missing:
        raise ConfigError(
            f"{path} has no tier {missing[0]!r}, only {', '.join(repr(tier.name) for tier in tiers) or 'none'}; "
            "expected an annotation of L2-ARCTIC with the tiers 'words' and 'phones'"
        )
    words, phones = found["words"], found["phones"]
    if abs(words.end_s - phones.end_s) > SLACK_S:
        raise ConfigError(
            f"{path}: the tier 'words' ends at {words.end_s:.3f} s, 'phones' at {phones.end_s:.3f} s; expected tiers "
            "of one recording"
        )
    return found


def _check_order(path: Path, name: str, tier: IntervalTier) -> None:
    """ConfigError unless every interval has a length, begins after the one before it, and lies in its tier."""
    before_s = tier.start_s
    for number, item in enumerate(tier.intervals, start=1):
        place = f"{path}: interval {number} of the tier {name!r} ({item.text!r})"
        if item.end_s <= item.start_s:
            raise ConfigError(f"{place} ends at {item.end_s:.3f} s, not after its begin at {item.start_s:.3f} s")
        if item.start_s < before_s - _ORDER_SLACK_S:
            raise ConfigError(f"{place} begins at {item.start_s:.3f} s; expected no earlier than {before_s:.3f} s")
        before_s = item.end_s
    if before_s > tier.end_s + _ORDER_SLACK_S:
        raise ConfigError(f"{path}: the tier {name!r} ends at {tier.end_s:.3f} s, its last interval {before_s:.3f} s")


def _word_at(interval: Interval, words: Sequence[Interval]) -> int | None:
    """The word that an interval's middle lies in or is nearest to; None if none is within `SLACK_S`."""
    middle_s = (interval.start_s + interval.end_s) / 2
    away_s = [max(word.start_s - middle_s, middle_s - word.end_s, 0.0) for word in words]
    nearest = min(range(len(words)), key=away_s.__getitem__)
    return nearest if away_s[nearest] <= SLACK_S else None
