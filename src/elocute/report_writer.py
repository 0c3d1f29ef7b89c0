"""Step 10/10 - the report: what the steps found, put into words and numbers on the report's scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from elocute.assets import SCORERS
from elocute.diagnosis import Inserted
from elocute.feedback import Level
from elocute.finding import Finding
from elocute.gop import Extra
from elocute.gop.match import LEAST_HEARD
from elocute.phones import ipa_name, with_stress
from elocute.prosody.stress import SpokenStress
from elocute.report import (
    SCHEMA_VERSION,
    Heard,
    ModelFacts,
    PhoneReport,
    Report,
    SyllableReport,
    UtteranceScores,
    WordError,
    WordReport,
)
from elocute.report_feedback import feedback_of, with_suggestions
from elocute.report_parts import (
    audio_facts,
    mispronunciations_of,
    own_version,
    scaled,
    sound_warnings,
    text_warnings,
)
from elocute.report_prosody import fluency_facts, prosody_facts
from elocute.types import Float64, Phone, Word

ADDED_FRAMES = 2
"""An added phone is given so many frames: the lattice knows where it begins, not how long it is."""


def write_report(
    finding: Finding,
    *,
    scale: int,
    backend: str,
    scorer: str,
    advice: Level | None = "learner",
    l1: str | None = None,
) -> Report:
    """The report on a scale of 0 to `scale`.

    Args:
        finding: what to write.
        scale: highest score.
        backend: its name and version.
        scorer: the same.
        advice: for whom advice is written; None for none.
        l1: the speaker's first language, where known.
    """
    model = ModelFacts(backend=backend, scorer=scorer, version=own_version())
    occupied = finding.analysis.found.occupancies()[:, 1::2]
    return _Writer(finding, scale, model, occupied, finding.is_scorable, advice, l1).report()


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes a finding; where it is not scorable all scores and errors are left out.

    Attributes:
        found: what to write.
        scale: of the scores.
        model: what found it.
        occupied: shape (T', L), probability that a frame that was looked at says each phone that was said.
        is_scorable: of the finding, asked once because every phone needs it.
        advice: for whom it is written; None for no advice.
        l1: the speaker's first language, where known.
    """

    found: Finding
    scale: int
    model: ModelFacts
    occupied: Float64
    is_scorable: bool
    advice: Level | None
    l1: str | None

    def report(self) -> Report:
        """The report."""
        text = [self._word(index, word) for index, word in enumerate(self.found.canonical.words)]
        words = tuple(self._with_extras(text)) if self.is_scorable else tuple(text)
        share = len(self.found.spoken) / len(text)
        wrong = mispronunciations_of(words)
        scores = self.found.scores
        return Report(
            schema_version=SCHEMA_VERSION,
            text=self.found.canonical.text,
            language="en-US",
            scale=self.scale,
            model=self.model,
            audio=audio_facts(self.found.recording),
            utterance=UtteranceScores(
                accuracy=self._scaled(scores.accuracy),
                fluency=self._scaled(scores.fluency),
                prosody=self._scaled(scores.prosodic),
                completeness=self._scaled(share),
                total=self._scaled(scores.total * share * self.found.match.trust),
            ),
            words=words,
            mispronunciations=wrong if self.advice is None else with_suggestions(wrong, words, self.advice, self.l1),
            fluency=fluency_facts(self.found, words) if self.is_scorable else None,
            prosody=prosody_facts(self.found) if self.is_scorable else None,
            feedback=() if self.advice is None else feedback_of(wrong, words, self.advice, self.l1),
            warnings=tuple(self._warnings()),
        )

    def _scaled(self, score: float) -> float | None:
        """A score of 0 to 1 on the report's scale; None if nothing is scored."""
        return scaled(score, self.scale) if self.is_scorable else None

    def _heard_in(self, i: int) -> int:
        """Frame, of those that were looked at, in which a canonical phone was heard best."""
        times, last = self.found.analysis.times, len(self.found.frames)
        begin = min(int(times.start_s[i] / times.frame_shift_s + 1e-6), last - 1)
        end = min(int(np.ceil(times.end_s[i] / times.frame_shift_s - 1e-6)), last)
        return begin + int(self.occupied[begin : max(end, begin + 1), i].argmax())

    def _word(self, index: int, word: Word) -> WordReport:
        """A word of the text."""
        first = sum(len(other.phones) for other in self.found.canonical.words[:index])
        if index not in self.found.spoken:
            return self._omitted(index, word, first)
        number = self.found.spoken.index(index)
        places = np.flatnonzero(self.found.analysis.features.word_ids == number)
        phones = [self._phone(int(i), phone) for i, phone in zip(places, word.phones, strict=True)]
        # From the back, so that an added phone does not move the places before it.
        for added in reversed(self.found.diagnosis.inserted if self.is_scorable else ()):
            if self._owner(added.gap) == number:
                at = added.gap - int(places[0])
                phones.insert(at, _between(self._added(added), phones[:at], phones[at:]))
        is_wrong = any(phone.error for phone in phones) or self.found.diagnosis.misread[number]
        error: WordError | None = "mispronunciation" if is_wrong else None
        if index in self.found.reading.truncated:
            error = "truncation"
        return WordReport(
            word=word.text,
            text_index=index,
            start_s=min(phone.start_s for phone in phones if phone.start_s is not None),
            end_s=max(phone.end_s for phone in phones if phone.end_s is not None),
            accuracy=self._scaled(self.found.scores.word_accuracy[number]),
            stress=self._scaled(self._stress(number)),
            total=self._scaled(self.found.scores.word_total[number]),
            error=error if self.is_scorable else None,
            variant=word.variant,
            syllables=self._syllables(word, self.found.scores.phone[places], self.found.prosody.stress[number]),
            phonemes=tuple(phones),
        )

    def _owner(self, gap: int) -> int:
        """Word, of those that were said, that a phone added in a gap belongs to: the one it follows, or the first."""
        ids = self.found.analysis.features.word_ids
        return int(ids[max(gap - 1, 0)])

    def _phone(self, i: int, phone: Phone) -> PhoneReport:
        """A canonical phone that was said, or should have been in a word that was."""
        found, times = self.found.diagnosis.phones[i], self.found.analysis.times
        start, end = self.found.seconds((float(times.start_s[i]), float(times.end_s[i])), self._heard_in(i))
        return PhoneReport(
            phone=with_stress(phone),
            ipa=ipa_name(phone.symbol, phone.stress),
            start_s=start,
            end_s=end,
            score=self._scaled(self.found.scores.phone[i]),
            expected=phone.symbol,
            actual=found.actual if self.is_scorable else None,
            error=found.error if self.is_scorable else None,
            probability=round(found.probability, 4),
            is_unsure=found.is_unsure and self.is_scorable,
            nbest=tuple(Heard(phone=symbol, probability=round(p, 4)) for symbol, p in found.nbest),
        )

    def _added(self, added: Inserted) -> PhoneReport:
        """A phone that the text does not have."""
        begin, shift = added.frame * self.found.frame_shift_s, self.found.frame_shift_s
        start, end = self.found.seconds((begin, begin + ADDED_FRAMES * shift), added.frame)
        probability = round(added.probability, 4)
        return PhoneReport(
            phone=added.phone,
            ipa=ipa_name(added.phone),
            start_s=start,
            end_s=end,
            score=None,
            expected=None,
            actual=added.phone,
            error="insertion",
            probability=probability,
            is_unsure=False,
            nbest=(Heard(phone=added.phone, probability=probability),),
        )

    def _omitted(self, index: int, word: Word, first: int) -> WordReport:
        """A word of the text that was not said."""
        phones = tuple(
            PhoneReport(
                phone=with_stress(phone),
                ipa=ipa_name(phone.symbol, phone.stress),
                start_s=None,
                end_s=None,
                score=self._scaled(0.0),
                expected=phone.symbol,
                actual=None,
                error="deletion" if self.is_scorable else None,
                probability=round(float(self.found.doubts[first + k]), 4),
                is_unsure=False,
                nbest=(Heard(phone=None, probability=1.0),),
            )
            for k, phone in enumerate(word.phones)
        )
        return WordReport(
            word=word.text,
            text_index=index,
            start_s=None,
            end_s=None,
            accuracy=self._scaled(0.0),
            stress=None,
            total=self._scaled(0.0),
            error="omission" if self.is_scorable else None,
            variant=None,
            syllables=self._syllables(word, np.zeros(len(word.phones))),
            phonemes=phones,
        )

    def _stress(self, number: int) -> float:
        """Stress score of a word that was said, 0 to 1.

        It is people's, which is nearly always full, unless another syllable clearly stands out.
        """
        learned, found = float(self.found.scores.word_stress[number]), self.found.prosody.stress[number]
        if found is None or found.score is None or found.spoken in (None, found.expected):
            return learned
        return min(learned, found.score)

    def _syllables(self, word: Word, scores: Float64, stress: SpokenStress | None = None) -> tuple[SyllableReport, ...]:
        """Syllables of a word, from the scores of its phones and how it was stressed."""
        syllables = []
        for number in sorted({phone.syllable_index for phone in word.phones}):
            inside = [k for k, phone in enumerate(word.phones) if phone.syllable_index == number]
            stresses = [word.phones[k].stress for k in inside if word.phones[k].stress is not None]
            heard = stress.syllables[number] if stress and self.is_scorable else None
            expected = stresses[0] if stresses else None
            if stress is not None and stress.expected is not None and 1 in (expected, stress.expected == number):
                expected = int(stress.expected == number)  # another accepted pronunciation stresses that one
            syllables.append(
                SyllableReport(
                    phones=tuple(word.phones[k].symbol for k in inside),
                    score=self._scaled(float(scores[inside].mean())),
                    stress_expected=expected,
                    stress_spoken=None if heard is None or heard.is_stressed is None else int(heard.is_stressed),
                    stress_score=None if heard is None or heard.score is None else self._scaled(heard.score),
                )
            )
        return tuple(syllables)

    def _with_extras(self, text: Sequence[WordReport]) -> list[WordReport]:
        """The words in time order, with what was said beside them."""
        words = list(text)
        for extra in reversed(self.found.reading.extras):
            entry = self._extra(extra)
            assert entry.start_s is not None
            later = (k for k, word in enumerate(words) if word.start_s is not None and word.start_s >= entry.start_s)
            words.insert(next(later, len(words)), entry)
        return words

    def _extra(self, extra: Extra) -> WordReport:
        """Speech beside the text."""
        shift = self.found.frame_shift_s
        symbols = [self.found.symbols[phone] for phone in extra.phones]
        start, end = round(extra.start * shift, 3), round(extra.end * shift, 3)
        edges = np.linspace(extra.start * shift, extra.end * shift, len(symbols) + 1).round(3).tolist()
        name = f"/{''.join(map(ipa_name, symbols))}/"
        return WordReport(
            word=name if extra.word is None else self.found.canonical.words[extra.word].text,
            text_index=None,
            start_s=start,
            end_s=end,
            accuracy=None,
            stress=None,
            total=None,
            error=extra.kind,
            variant=None,
            syllables=(),
            phonemes=tuple(
                PhoneReport(
                    phone=symbol,
                    ipa=ipa_name(symbol),
                    start_s=begin,
                    end_s=stop,
                    score=None,
                    expected=None,
                    actual=symbol,
                    error=None,
                    probability=0.0,
                    is_unsure=False,
                    nbest=(),
                )
                for symbol, begin, stop in zip(symbols, edges, edges[1:], strict=False)
            ),
        )

    def _warnings(self) -> list[str]:
        """What about the recording makes the scores less certain, or leaves nothing to score."""
        found = self.found
        warnings = sound_warnings(found.recording.quality)
        if not found.match.is_speech and found.match.heard.mean() >= LEAST_HEARD:
            warnings.append("the recording sounds like noise, so nothing is scored; check that it holds speech")
        elif not found.match.is_speech:
            heard, sounds = found.match.heard.sum(), len(found.canonical.phones)
            warnings.append(
                f"hardly any of the text was heard ({heard} of {sounds} sounds), so nothing is scored; check that the "
                "recording holds speech, and this text"
            )
        elif not self.is_scorable:
            warnings.append("the recording does not fit the text, so nothing is scored; check that this text was read")
        else:
            warnings += self._miscues()
        if self.model.scorer.split()[0] == SCORERS[False][0]:
            warnings.append(
                "scores come from the scorer for any backend, which knows less than one trained on what "
                f"{self.model.backend.split()[0]} hears; `elocute train scorer --backend` makes one"
            )
        return [*warnings, *text_warnings(found.canonical)]

    def _miscues(self) -> list[str]:
        """What of the text was not read, and what was said beside it."""
        found, words = self.found, self.found.canonical.words
        warnings = []
        if found.match.trust < 1.0:
            warnings.append("the recording fits the text badly, so the total is lowered; check that this text was read")
        if len(found.spoken) < len(words):
            warnings.append(f"only {len(found.spoken)} of {len(words)} words of the text were heard")
        inserted = [extra for extra in found.reading.extras if extra.kind == "insertion"]
        if inserted:
            seconds = sum(extra.end - extra.start for extra in inserted) * found.frame_shift_s
            warnings.append(f"{seconds:.1f} s of speech that is not of the text were left out of the scores")
        return warnings


def _between(added: PhoneReport, before: Sequence[PhoneReport], after: Sequence[PhoneReport]) -> PhoneReport:
    """An added phone between its neighbours: the lattice knows its frame on average, which may fall beside them."""
    start, end = added.start_s or 0.0, added.end_s or 0.0
    least = max((phone.start_s or 0.0 for phone in before), default=start)
    most = min((phone.end_s or 0.0 for phone in after), default=end)
    start = min(max(start, least), max(most, least))
    return replace(added, start_s=start, end_s=max(min(end, most), start))
