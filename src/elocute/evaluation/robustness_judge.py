"""Hard cases, judged: what an assessor said of one, and whether that is what should be said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from elocute.errors import ElocuteError
from elocute.evaluation.robustness_build import Recording, Truth, WordTimes
from elocute.evaluation.robustness_cases import COMPLETENESS_WITHIN, LOW_TOTAL, TOTAL_WITHIN, Case
from elocute.evaluation.robustness_plan import Plan
from elocute.report import Report, WordReport
from elocute.types import SAMPLE_RATE_HZ, Float32

SCALE = 100
"""Of the reports that are judged."""
EXTRA_ERRORS = ("repetition", "restart", "insertion")
"""Errors of entries that are no words of the text."""


class CanAssess(Protocol):
    """What is asked of an assessor; `robustness_observe.NamedAssessor` can."""

    def assess(
        self,
        audio: Float32,
        text: str,
        *,
        sample_rate: int | None = None,
        pronunciations: Sequence[Sequence[str]] | None = None,
    ) -> Report:
        """Say how well a recording speaks a text."""
        ...

    def word_times(
        self, audio: Float32, report: Report, *, text: str, pronunciations: Sequence[Sequence[str]] | None
    ) -> WordTimes:
        """Where the phones of each word of the text are in a recording that was reported on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """A built recording and what the assessor said: a report, or the kind of the error by which it refused."""

    recording: Recording
    report: Report | None
    refusal: str | None

    @classmethod
    def of(cls, assessor: CanAssess, plan: Plan, recording: Recording) -> Assessed:
        """Assess it; the corpus's canonical phones hold for the utterance's own text only."""
        try:
            report = assessor.assess(
                recording.samples,
                plan.text if recording.text is None else recording.text,
                sample_rate=SAMPLE_RATE_HZ,
                pronunciations=plan.phones if recording.text is None else None,
            )
        except ElocuteError as error:
            return cls(recording=recording, report=None, refusal=f"{type(error).__name__}: {kind_of(str(error))}")
        return cls(recording=recording, report=report, refusal=None)

    @property
    def total(self) -> float | None:
        """Total score; None for a refusal of either kind."""
        return None if self.report is None else self.report.utterance.total

    @property
    def omitted(self) -> frozenset[int]:
        """Words of the text that are called omitted."""
        words = () if self.report is None else self.report.words
        return frozenset(word.text_index for word in words if word.text_index is not None and word.error == "omission")

    @property
    def phone_scores(self) -> dict[tuple[int, int, str], float]:
        """Score of every canonical phone, by word, place and symbol."""
        words = () if self.report is None else self.report.text_words
        return {
            (index, place, phone.phone): phone.score
            for index, word in enumerate(words)
            for place, phone in enumerate(phone for phone in word.phonemes if phone.expected is not None)
            if phone.score is not None
        }

    @property
    def extra(self) -> tuple[WordReport, ...]:
        """Speech that the text does not have."""
        return () if self.report is None else tuple(word for word in self.report.words if word.text_index is None)


def kind_of(message: str) -> str:
    """A warning or error without what is special to one recording: no figures, lists and remedies.

    >>> kind_of("audio is noisy (about 3 dB over the noise); find a quieter place")
    'audio is noisy'
    >>> kind_of("recording (array) is 0.03 s long; expected at least 0.05 s")
    'recording is N s long'
    """
    plain = re.sub(r"\d+(\.\d+)?", "N", message.replace("recording (array)", "recording"))
    return re.split(r"[(;:]|,? so ", plain, maxsplit=1)[0].strip()


def has_succeeded(case: Case, item: Assessed, clean: Assessed) -> bool:
    """Whether the assessor said what should be said of a case; `robustness_cases.SUCCESS` has it in words."""
    truth, total = item.recording.truth, item.total
    if case.group == "unasked":
        return total is None or total <= LOW_TOTAL
    if item.report is None or total is None:
        return False
    if case.group == "clean":
        return not item.omitted
    if case.group == "text":
        return _is_word_found(case, truth, item)
    if case.group == "cut":
        said = item.report.utterance.completeness
        expected = 1 - len(truth.absent) / len(item.report.text_words)
        return said is not None and abs(said / SCALE - expected) <= COMPLETENESS_WITHIN + 1e-9
    if case.group == "extra":
        return _has_extra(case, item, truth.span_s) and item.omitted <= clean.omitted
    return clean.total is not None and abs(total - clean.total) <= TOTAL_WITHIN


def has_on_clean(case: Case, truth: Truth, clean: Assessed) -> bool | None:
    """Whether the clean recording passes the same measure: what a success is worth. None where that means nothing."""
    if clean.total is None:
        return None
    if case.group == "text" and case.name != "added-word":
        return _is_word_found(case, truth, clean)
    if case.group == "extra" and truth.clean_span_s is not None:
        return _has_extra(case, clean, truth.clean_span_s)
    return None


def _is_word_found(case: Case, truth: Truth, item: Assessed) -> bool:
    """Whether the word that is wrong is flagged: as omitted where nothing was said for it, else with any error."""
    assert item.report is not None
    assert truth.word is not None
    error = item.report.text_words[truth.word].error
    return error == "omission" if case.name in ("added-word", "cut-word") else error is not None


def _has_extra(case: Case, item: Assessed, span_s: tuple[float, float] | None) -> bool:
    """Whether speech beside the text was found at a place, and called by a fitting name."""
    assert span_s is not None
    wanted: Sequence[str] = ("insertion",) if case.name.startswith("joined") else EXTRA_ERRORS
    return any(
        word.error in wanted
        and word.start_s is not None
        and word.end_s is not None
        and word.start_s < span_s[1]
        and word.end_s > span_s[0]
        for word in item.extra
    )
