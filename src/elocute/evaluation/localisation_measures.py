"""What a report says of an error whose place is known: is it found, do its neighbours suffer, is it named rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from elocute.evaluation.localisation_planting import SAID_AFTER, Kind, Phones, Planted
from elocute.phones import VOWELS
from elocute.report import PhoneReport, Report, WordReport
from elocute.training.planting import SAID_INSTEAD

Source = Literal["splice", "flite", "text"]
SOURCES: tuple[Source, ...] = ("splice", "flite", "text")

_CLASSES = {
    "stops": "P B T D K G",
    "affricates": "CH JH",
    "fricatives": "F V TH DH S Z SH ZH HH",
    "nasals": "M N NG",
    "approximants": "L R W Y",
}
CLASSES = ("vowels", *_CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One planted error and everything that is needed to judge a report of it.

    Attributes:
        id: of the recording.
        speaker: who spoke, over all sources.
        source: how the error was planted.
        planted: the error, in places of `phones`.
        phones: canonical phones of each word, as the planted recording was assessed.
        clean_index: for each of these phones its index among those of the clean recording; None where it has none.
        is_good: for each of them whether it is known to be well said.
        said_was_heard: whether the acoustic model, left to itself, hears the donor as the phone it is in its own
            recording; None where there is no donor.
        heard_at_place: what it hears at the place of the error, left to itself; None where that place is not known.
    """

    id: str
    speaker: str
    source: Source
    planted: Planted
    phones: tuple[Phones, ...]
    clean_index: tuple[int | None, ...]
    is_good: tuple[bool, ...]
    said_was_heard: bool | None = None
    heard_at_place: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one planted error; scores in points of the report's scale, drops against the clean recording.

    Attributes:
        id: of the recording.
        speaker: who spoke.
        source: how the error was planted.
        kind: of error.
        word: canonical phones of its word.
        word_index: which word of the text.
        phone_index: which phone of the word; of an insertion the one before it.
        canonical: phone that should be said; None for an insertion.
        said: phone that was said; None for a deletion.
        phone_class: class of the canonical phone, of the inserted one for an insertion.
        phones_in_word: canonical phones of the word.
        phones_in_utterance: canonical phones of the sentence.
        is_scored: whether the report has scores; if not, the error counts as neither found nor named.
        score: of the planted phone; None for an insertion.
        own_drop: of the planted phone. Where the clean text lacks it, against the phones beside it.
        beside_drop: mean drop of the phones beside it, in the sentence; for an insertion of the two around it.
        others_drop: mean drop of the other phones of its word.
        lowest_in_word: 1 if it has the lowest score of its word, 1/k where k phones share that; None for an insertion.
        lowest_in_utterance: the same for the sentence.
        place_reported: for an insertion whether an inserted phone is reported there.
        neighbour_lowest: for an insertion whether one of its neighbours is lowest of the word (1, 1/k shared).
        actual_named: `actual` is what was said, in a flagged phone.
        top1: what was said comes first among the candidates other than the canonical phone.
        top3: it is one of the first three of them.
        naive_top1: the commonest confusion of the canonical phone is what was said.
        naive_top3: one of the three commonest is.
        flagged: the planted error is flagged.
        flagged_or_unsure: it is flagged, or the report is unsure about it.
        probability: that it is wrong, as the report says; None for an insertion that is not reported.
        untouched: other phones of the sentence that are known to be well said.
        alarms_before: how many of them are flagged in the clean recording.
        alarms_after: how many are with the error.
        unsure_after: about how many the report is unsure with the error.
        beside: how many of them are beside the error.
        alarms_beside: how many of those are flagged.
        inserted_before: inserted phones reported in well-said words of the clean recording.
        inserted_after: the same with the error, which itself is not counted.
        extra_before: words reported beside those of the text in the clean recording.
        extra_after: the same with the error, which itself is not counted.
        flagged_before: whether a phone of its word was flagged before the error was planted.
        omitted: whether its word is reported as left out.
        said_was_heard: see `Trial`.
        heard_at_place: see `Trial`.
        control_drop: how far the canonical phone falls where it is spliced, but with itself: another of the speaker's
            recordings gives the same phone. None where that was not tried.
        control_flagged: whether it is flagged then.
    """

    id: str
    speaker: str
    source: Source
    kind: Kind
    word: Phones
    word_index: int
    phone_index: int
    canonical: str | None
    said: str | None
    phone_class: str
    phones_in_word: int
    phones_in_utterance: int
    is_scored: bool
    score: float | None
    own_drop: float | None
    beside_drop: float | None
    others_drop: float | None
    lowest_in_word: float | None
    lowest_in_utterance: float | None
    place_reported: bool | None
    neighbour_lowest: float | None
    actual_named: bool
    top1: bool
    top3: bool
    naive_top1: bool
    naive_top3: bool
    flagged: bool
    flagged_or_unsure: bool
    probability: float | None
    untouched: int
    alarms_before: int
    alarms_after: int
    unsure_after: int
    beside: int
    alarms_beside: int
    inserted_before: int
    inserted_after: int
    extra_before: int
    extra_after: int
    flagged_before: bool
    omitted: bool
    said_was_heard: bool | None
    heard_at_place: tuple[str, ...] | None
    control_drop: float | None = None
    control_flagged: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A report as phones in a row.

    Attributes:
        phones: canonical phones of all words of the text.
        word: which word each belongs to.
        inserted: phones reported as inserted, with the word they are in and how many of its canonical phones are
            before them.
        omitted: words reported as left out.
        extra: words reported beside those of the text, with the word of the text before them, -1 for none.
    """

    phones: tuple[PhoneReport, ...]
    word: tuple[int, ...]
    inserted: tuple[tuple[int, int, PhoneReport], ...]
    omitted: frozenset[int]
    extra: tuple[tuple[int, WordReport], ...]

    @classmethod
    def of(cls, report: Report) -> View:
        """The report's words of the text."""
        phones, word, inserted = [], [], []
        for index, entry in enumerate(report.text_words):
            before = 0
            for phone in entry.phonemes:
                if phone.expected is None:
                    inserted.append((index, before, phone))
                else:
                    phones.append(phone)
                    word.append(index)
                    before += 1
        last, extra = -1, []
        for entry in report.words:
            if entry.text_index is None:
                extra.append((last, entry))
            else:
                last = entry.text_index
        omitted = (index for index, entry in enumerate(report.text_words) if entry.error == "omission")
        return cls(
            phones=tuple(phones),
            word=tuple(word),
            inserted=tuple(inserted),
            omitted=frozenset(omitted),
            extra=tuple(extra),
        )

    def scores(self) -> list[float] | None:
        """Scores of the canonical phones; None unless all have one."""
        scores = [phone.score for phone in self.phones if phone.score is not None]
        return scores if scores and len(scores) == len(self.phones) else None


def phone_class(phone: str) -> str:
    """Name of a phone's class.

    >>> phone_class("TH"), phone_class("ER")
    ('fricatives', 'vowels')
    """
    return "vowels" if phone in VOWELS else next(name for name, members in _CLASSES.items() if phone in members.split())


def measure(trial: Trial, clean: Report, planted: Report) -> Outcome:
    """Judge the report of a planted error.

    Args:
        trial: the error.
        clean: report of the same recording without it.
        planted: report of the recording, or of the text, with it.

    Raises:
        ValueError: the report has other canonical phones than the trial.
    """
    after = View.of(planted)
    if [phone.expected for phone in after.phones] != [phone for word in trial.phones for phone in word]:
        raise ValueError(f"{trial.id}: the report has other canonical phones than the trial")
    return _Judge(trial, View.of(clean), after).outcome()


def with_control(outcome: Outcome, place: int, clean: Report, control: Report) -> Outcome:
    """The outcome with what comes of a splice that changes nothing.

    Args:
        outcome: of the error.
        place: number of the spliced phone in the sentence.
        clean: report of the recording.
        control: report of the recording where the same phone from elsewhere stands in its place.
    """
    before, after = (View.of(report).phones[place] for report in (clean, control))
    drop = None if before.score is None or after.score is None else before.score - after.score
    return replace(outcome, control_drop=drop, control_flagged=after.error is not None)


class _Judge:
    """One trial and its two reports; `at` is the number of the planted phone, or of the one before an insertion."""

    def __init__(self, trial: Trial, before: View, after: View) -> None:
        self.trial, self.before, self.after = trial, before, after
        self.error, self.place = trial.planted, trial.planted.place
        self.symbols = [phone for word in trial.phones for phone in word]
        self.is_insertion = self.error.kind == "insertion"
        self.at = after.word.index(self.place.word) + self.place.phone
        beside = (self.at, self.at + 1) if self.is_insertion else (self.at - 1, self.at + 1)
        self.beside = [i for i in beside if 0 <= i < len(self.symbols)]
        self.in_word = [i for i, word in enumerate(after.word) if word == self.place.word]
        self.own = () if self.is_insertion else (self.at,)
        self.untouched = [i for i in range(len(self.symbols)) if i not in self.own and trial.is_good[i]]
        is_between = self.is_insertion and self.place.phone + 1 == len(self.in_word)
        self.own_words = [
            entry for w, entry in after.extra if is_between and w == self.place.word and entry.error == "insertion"
        ]
        self.entries = self._at_place() if self.is_insertion else ()
        self.entry = (self.entries[0] if self.entries else None) if self.is_insertion else after.phones[self.at]
        self.scores = after.scores()
        self.drops = _Drops(trial.clean_index, before.scores(), self.scores)

    def outcome(self) -> Outcome:
        """Everything in one row."""
        trial, error, at, entry = self.trial, self.error, self.at, self.entry
        named, naive = self._named(), self._naive()
        everything = range(len(self.symbols))
        return Outcome(
            id=trial.id,
            speaker=trial.speaker,
            source=trial.source,
            kind=error.kind,
            word=trial.phones[self.place.word],
            word_index=self.place.word,
            phone_index=self.place.phone,
            canonical=error.canonical,
            said=error.said,
            phone_class=phone_class(str(error.said if error.canonical is None else error.canonical)),
            phones_in_word=len(self.in_word),
            phones_in_utterance=len(self.symbols),
            is_scored=self.scores is not None,
            score=None if self.is_insertion else self.after.phones[at].score,
            own_drop=None if self.is_insertion else self.drops.of_planted(at, self.beside),
            beside_drop=self.drops.mean(self.beside),
            others_drop=self.drops.mean([i for i in self.in_word if i not in self.own]),
            lowest_in_word=None if self.is_insertion else lowest(self.scores, at, self.in_word),
            lowest_in_utterance=None if self.is_insertion else lowest(self.scores, at, everything),
            place_reported=bool(self.entries or self.own_words) if self.is_insertion else None,
            neighbour_lowest=self._neighbour_lowest() if self.is_insertion else None,
            actual_named=self.scores is not None
            and entry is not None
            and entry.error is not None
            and entry.actual == error.said,
            top1=error.said in named[:1],
            top3=error.said in named[:3],
            naive_top1=error.said in naive[:1],
            naive_top3=error.said in naive[:3],
            flagged=self._is_found(),
            flagged_or_unsure=self._is_found() or (entry is not None and entry.is_unsure),
            probability=None if entry is None else entry.probability,
            untouched=len(self.untouched),
            alarms_before=sum(self._was_flagged(i) for i in self.untouched),
            alarms_after=sum(self._is_flagged(i) for i in self.untouched),
            unsure_after=sum(self.after.phones[i].is_unsure for i in self.untouched),
            beside=sum(i in self.untouched for i in self.beside),
            alarms_beside=sum(self._is_flagged(i) for i in self.beside if i in self.untouched),
            inserted_before=self._inserted(self.before),
            inserted_after=self._inserted(self.after, besides=self.entries),
            extra_before=len(self.before.extra),
            extra_after=len(self.after.extra) - len(self.own_words),
            flagged_before=any(self._was_flagged(i) for i in self.in_word),
            omitted=self.place.word in self.after.omitted,
            said_was_heard=trial.said_was_heard,
            heard_at_place=trial.heard_at_place,
        )

    def _is_found(self) -> bool:
        """Whether the planted error is flagged."""
        return bool(self.own_words) or (self.entry is not None and self.entry.error is not None)

    def _is_flagged(self, index: int) -> bool:
        """Whether a phone is flagged with the error."""
        return self.after.phones[index].error is not None

    def _was_flagged(self, index: int) -> bool:
        """Whether it was flagged without it; one that was not there was not."""
        clean = self.trial.clean_index[index]
        return clean is not None and self.before.phones[clean].error is not None

    def _inserted(self, view: View, besides: Sequence[PhoneReport] = ()) -> int:
        """Inserted phones reported in words that are well said throughout, but for some."""
        bad = {word for word, is_good in zip(self.after.word, self.trial.is_good, strict=True) if not is_good}
        counted = [entry for word, _, entry in view.inserted if word not in bad]
        return sum(not any(entry is other for other in besides) for entry in counted)

    def _at_place(self) -> tuple[PhoneReport, ...]:
        """Inserted phones where one was said; between words it may belong to either, or be a word of its own."""
        word, behind = self.place.word, self.place.phone + 1
        is_between = behind == len(self.in_word)
        places = {(word, behind)} | ({(word + 1, 0)} if is_between else set())
        inside = [entry for w, before, entry in self.after.inserted if (w, before) in places]
        return (*inside, *(phone for entry in self.own_words for phone in entry.phonemes[:1]))

    def _neighbour_lowest(self) -> float:
        """Share of the word's lowest score that the phones around an insertion have."""
        return sum(lowest(self.scores, i, self.in_word) for i in self.beside if i in self.in_word)

    def _named(self) -> list[str | None]:
        """Candidates other than the canonical phone, most probable first."""
        if self.entry is None or self.scores is None:
            return []
        return [item.phone for item in self.entry.nbest if item.phone != self.error.canonical]

    def _naive(self) -> list[str]:
        """What one would name without hearing anything: the commonest errors at this phone."""
        own = self.symbols[self.at]
        return (SAID_AFTER[own not in VOWELS] if self.is_insertion else SAID_INSTEAD[own]).split()


def lowest(scores: Sequence[float] | None, at: int, among: Sequence[int] | range) -> float:
    """1 if the score at a place is the lowest among some, 1/k where k of them share it, else 0."""
    if scores is None:
        return 0.0
    least = min(scores[i] for i in among)
    return 1.0 / sum(scores[i] == least for i in among) if scores[at] == least else 0.0


@dataclass(frozen=True, slots=True)
class _Drops:
    """How far scores fell; None where either report has none."""

    clean_index: tuple[int | None, ...]
    before: Sequence[float] | None
    after: Sequence[float] | None

    def mean(self, places: Sequence[int]) -> float | None:
        """Mean drop of some phones of the planted report; those that the clean one lacks are left out."""
        if self.before is None or self.after is None:
            return None
        drops = [self.before[c] - self.after[i] for i in places if (c := self.clean_index[i]) is not None]
        return float(np.mean(drops)) if drops else None

    def of_planted(self, at: int, beside: Sequence[int]) -> float | None:
        """Drop of the planted phone; one that the clean text lacks is compared with the phones beside it there."""
        if self.clean_index[at] is not None:
            return self.mean([at])
        if self.before is None or self.after is None:
            return None
        around = [self.before[c] for i in beside if (c := self.clean_index[i]) is not None]
        return float(np.mean(around)) - self.after[at] if around else None
