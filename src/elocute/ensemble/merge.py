"""Several reports on one recording, combined into one.

The first report leads: words and their times, what was left out or added, pauses, rhythm and melody are its. Scores and
the probability that a phone is wrong are combined. Where the combination calls a phone wrong, what was said instead is
the word of the weightiest member that found an error there. Errors, scores of syllables, the list of mispronunciations
and the advice are then written anew, so that they agree with the scores beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from elocute.config import AssessorConfig
from elocute.diagnosis import Detector
from elocute.ensemble.combination import Combination
from elocute.ensemble.values import Values, nothing_said, scores_of, values_of_report
from elocute.feedback import LEVELS
from elocute.report import (
    Heard,
    ModelFacts,
    PhoneError,
    PhoneReport,
    Report,
    SyllableReport,
    UtteranceScores,
    WordError,
    WordReport,
)
from elocute.report_feedback import feedback_of, with_suggestions
from elocute.report_parts import mispronunciations_of, scaled
from elocute.types import Float64


def merge(
    combination: Combination,
    reports: Sequence[Report | None],
    config: AssessorConfig,
    *,
    model: ModelFacts,
    warnings: Sequence[str] = (),
) -> Report:
    """One report from those of the members.

    Args:
        combination: how to combine them.
        reports: of each member, in their order, on one scale; None of a member that refused. The first is there.
        config: sensitivity, first language and advice of the report.
        model: what stands in it as its maker.
        warnings: to be added to the leader's.
    """
    leader = reports[0]
    assert leader is not None, "the leader's refusal is the ensemble's"
    warnings = (*leader.warnings, *warnings)
    if leader.utterance.total is None:
        return replace(leader, model=model, warnings=warnings)
    phones = canonical_phones(leader)
    silent = nothing_said(sum(map(len, phones)), len(phones))
    found = combination.of([silent if one is None else values_of_report(one, phones) for one in reports])
    words = _Writer(combination, reports, leader, found, config).words()
    wrong = mispronunciations_of(words)
    advice = next((level for level in LEVELS if level == config.advice), None)
    told = zip(found.utterance.tolist(), scores_of(leader), strict=True)
    scores = [_score(score, leader.scale, own) for score, own in told]
    return replace(
        leader,
        model=model,
        utterance=UtteranceScores(
            accuracy=scores[0],
            fluency=scores[1],
            prosody=scores[2],
            completeness=leader.utterance.completeness,
            total=scores[3],
        ),
        words=words,
        mispronunciations=wrong if advice is None else with_suggestions(wrong, words, advice, config.l1),
        feedback=() if advice is None else feedback_of(wrong, words, advice, config.l1),
        warnings=warnings,
    )


def canonical_phones(report: Report) -> list[list[str]]:
    """Canonical phones of each word of the text, without stress."""
    return [[phone.expected for phone in word.phonemes if phone.expected is not None] for word in report.text_words]


def _score(score: float, scale: int, own: float | None) -> float | None:
    """A combined score on the report's scale; the leader's own where nothing was combined."""
    return own if np.isnan(score) else scaled(score, scale)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the words of a combined report.

    Attributes:
        combination: how the members are combined.
        reports: theirs.
        leader: the first of them.
        found: the combined values.
        config: of the report.
    """

    combination: Combination
    reports: Sequence[Report | None]
    leader: Report
    found: Values
    config: AssessorConfig

    def words(self) -> tuple[WordReport, ...]:
        """All words of the leader, with combined scores and errors."""
        written, first, number = [], 0, 0
        named = self._named()
        for word in self.leader.words:
            if word.text_index is None:
                written.append(word)
                continue
            count = sum(phone.expected is not None for phone in word.phonemes)
            here = slice(first, first + count)
            if word.error != "omission":  # of what was not said there is nothing to combine
                word = self._word(word, self.found.word[number], here, named[here])
            written.append(word)
            first, number = first + count, number + 1
        return tuple(written)

    def _named(self) -> list[list[PhoneReport]]:
        """At each canonical phone the members' phones that they call wrong, weightiest member first."""
        phones = canonical_phones(self.leader)
        named: list[list[PhoneReport]] = [[] for word in phones for _ in word]
        blend = self.combination.blends.get("error")
        if blend is None:
            return named
        for member in np.argsort([-weight for weight in blend.weights], kind="stable").tolist():
            report = self.reports[member]
            if report is None or blend.weights[member] == 0.0 or canonical_phones(report) != phones:
                continue
            own = [phone for word in report.text_words for phone in word.phonemes if phone.expected is not None]
            for place, phone in zip(named, own, strict=True):
                place += [phone] if phone.error is not None else []
        return named

    def _word(
        self, word: WordReport, scores: Float64, here: slice, named: Sequence[Sequence[PhoneReport]]
    ) -> WordReport:
        """A word that was said."""
        scale = self.leader.scale
        phones = tuple(self._phones(word.phonemes, here, named))
        was_misread = word.error == "mispronunciation" and not any(phone.error for phone in word.phonemes)
        is_wrong = was_misread or any(phone.error for phone in phones)
        error: WordError | None = "mispronunciation" if is_wrong else None
        accuracy, stress, total = scores.tolist()
        return replace(
            word,
            accuracy=_score(accuracy, scale, word.accuracy),
            stress=_score(stress, scale, word.stress),
            total=_score(total, scale, word.total),
            error=word.error if word.error == "truncation" else error,
            syllables=tuple(self._syllables(word, phones)),
            phonemes=phones,
        )

    def _phones(
        self, phones: Sequence[PhoneReport], here: slice, named: Sequence[Sequence[PhoneReport]]
    ) -> Iterator[PhoneReport]:
        """Phones of a word; those that were added stay as the leader has them."""
        combined = zip(self.found.phone[here].tolist(), self.found.error[here].tolist(), named, strict=True)
        for phone in phones:
            if phone.expected is None:
                yield phone
                continue
            score, stated, others = next(combined)
            phone = replace(phone, score=_score(score, self.leader.scale, phone.score))
            yield phone if self.combination.thresholds is None else self._judged(phone, stated, others)

    def _judged(self, phone: PhoneReport, stated: float, named: Sequence[PhoneReport]) -> PhoneReport:
        """A canonical phone with the combined verdict on it."""
        assert self.combination.thresholds is not None
        if np.isnan(stated):
            return phone
        detector = Detector(bias=0.0, weights=(), thresholds=self.combination.thresholds)
        is_wrong = stated >= detector.flagged_from(self.config.sensitivity)
        error: PhoneError | None = None
        actual = phone.expected
        if is_wrong and named:
            error, actual = named[0].error, named[0].actual
        elif is_wrong:  # nobody was sure alone, so the leader's next guess is as good as any
            likely = next((one for one in phone.nbest if one.phone != phone.expected), None)
            actual = phone.expected if likely is None else likely.phone
            error = "distortion" if likely is None else "deletion" if likely.phone is None else "substitution"
        return replace(
            phone,
            actual=actual,
            error=error,
            probability=round(stated, 4),
            is_unsure=not is_wrong and stated >= detector.unsure_from(self.config.sensitivity),
            nbest=_rescaled(phone, stated),
        )

    def _syllables(self, word: WordReport, phones: Sequence[PhoneReport]) -> Iterator[SyllableReport]:
        """Syllables, whose scores moved as far as those of their phones did on average."""
        was, now = ([phone.score for phone in some if phone.expected is not None] for some in (word.phonemes, phones))
        scale, first = self.leader.scale, 0
        for syllable in word.syllables:
            own = slice(first, first + len(syllable.phones))
            first = own.stop
            moved = [new - (old or 0.0) for old, new in zip(was[own], now[own], strict=True) if new is not None]
            if not moved:
                yield syllable
                continue
            score = min(max((syllable.score or 0.0) + float(np.mean(moved)), 0.0), scale)
            yield replace(syllable, score=scaled(score / scale, scale))


def _rescaled(phone: PhoneReport, stated: float) -> tuple[Heard, ...]:
    """Candidates for what was said, as likely among themselves as before, under another probability of an error."""
    others = sum(one.probability for one in phone.nbest if one.phone != phone.expected)
    if phone.probability <= 0.0 or others <= 0.0:
        return phone.nbest
    grown = stated / phone.probability
    found = [
        Heard(
            phone=one.phone,
            probability=round(1.0 - stated if one.phone == phone.expected else min(one.probability * grown, stated), 4),
        )
        for one in phone.nbest
    ]
    return tuple(sorted(found, key=lambda one: -one.probability))
