"""Step 10/10 - the report: what the steps found, put into words and numbers on the report's scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version

import numpy as np

from elocute.diagnosis import Diagnosis, Inserted
from elocute.gop import Extra, Reading
from elocute.gop.match import LEAST_HEARD, Match
from elocute.phones import ipa_name
from elocute.prosody import fluency
from elocute.report import (
    SCHEMA_VERSION,
    AudioFacts,
    FluencyFacts,
    Heard,
    Mispronunciation,
    ModelFacts,
    PhoneReport,
    Report,
    SyllableReport,
    UtteranceScores,
    WordError,
    WordReport,
)
from elocute.scorer import Analysis
from elocute.scorer.embedded import Scores
from elocute.types import Audio, Canonical, Float64, Int64, Phone, Word

FAINT_DB = -45.0
NOISY_DB = 10.0
CLIPPED_SHARE = 0.005
ADDED_FRAMES = 2
"""An added phone is given so many frames: the lattice knows where it begins, not how long it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """What the steps found in a recording.

    Attributes:
        recording: all of it.
        canonical: the text, in the accepted pronunciations that fit best.
        reading: how it was read.
        frames: shape (T',), frames of the recording that were looked at: without extra speech.
        frame_shift_s: seconds a frame.
        spoken: words of the text that were said, in order; what follows is about their phones alone.
        analysis: of them, on the frames that were looked at.
        scores: theirs.
        diagnosis: theirs.
        doubts: probability that each phone of the whole text is wrong.
        match: how well the recording and the text go together.
        has_ratings: whether the acoustic model gave the ratings that the scorer learned from.
        symbols: of the phone set, in order.
    """

    recording: Audio
    canonical: Canonical
    reading: Reading
    frames: Int64
    frame_shift_s: float
    spoken: tuple[int, ...]
    analysis: Analysis
    scores: Scores
    diagnosis: Diagnosis
    doubts: Float64
    match: Match
    has_ratings: bool
    symbols: Sequence[str]

    @property
    def is_scorable(self) -> bool:
        """Whether scores would mean anything."""
        return bool(self.spoken) and self.match.is_scorable


def write_report(finding: Finding, *, scale: int, backend: str, scorer: str) -> Report:
    """The report on a scale of 0 to `scale`; `backend` and `scorer` with their versions."""
    model = ModelFacts(backend=backend, scorer=scorer, version=_version())
    return _Writer(finding, scale, model, finding.analysis.found.lattice.label_occupancies()).report()


@cache
def _version() -> str:
    """Version of elocute; asked once, because reading it takes a millisecond."""
    return version("elocute")


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes a finding; `is_scorable` False leaves all scores and errors out.

    Attributes:
        found: what to write.
        scale: of the scores.
        model: what found it.
        occupied: shape (T', L), probability that a frame that was looked at says each phone that was said.
    """

    found: Finding
    scale: int
    model: ModelFacts
    occupied: Float64

    def report(self) -> Report:
        """The report."""
        text = [self._word(index, word) for index, word in enumerate(self.found.canonical.words)]
        words = tuple(self._with_extras(text)) if self.found.is_scorable else tuple(text)
        share = len(self.found.spoken) / len(text)
        scores, recording = self.found.scores, self.found.recording
        return Report(
            schema_version=SCHEMA_VERSION,
            text=self.found.canonical.text,
            language="en-US",
            scale=self.scale,
            model=self.model,
            audio=AudioFacts(
                duration_s=round(recording.duration_s, 3),
                speech_s=round(recording.quality.speech_s, 2),
                snr_db=None if recording.quality.snr_db is None else round(recording.quality.snr_db, 1),
                clipped=round(recording.quality.clipped, 5),
            ),
            utterance=UtteranceScores(
                accuracy=self._scaled(scores.accuracy),
                fluency=self._scaled(scores.fluency),
                prosody=self._scaled(scores.prosodic),
                completeness=self._scaled(share),
                total=self._scaled(scores.total * share * self.found.match.trust),
            ),
            words=words,
            mispronunciations=_mispronunciations(words),
            fluency=self._fluency(words) if self.found.is_scorable else None,
            prosody=None,
            feedback=(),
            warnings=(*self._warnings(), "pitch and rhythm are not measured yet, so the report has no prosody facts"),
        )

    def _scaled(self, score: float) -> float | None:
        """A score of 0 to 1 on the report's scale, rounded to a tenth of a percent of it; None if nothing is scored."""
        if not self.found.is_scorable:
            return None
        return round(float(score) * self.scale, {1: 3, 10: 2, 100: 1}[self.scale])

    def _seconds(self, times_s: tuple[float, float], frame: int) -> tuple[float, float]:
        """Begin and end in the recording, from those in the frames that were looked at.

        Two phones meet half way, so that one that was said beside extra speech may reach over it. Of its time only the
        side counts on which it was heard.

        Args:
            times_s: begin and end in the frames that were looked at, seconds.
            frame: one of those frames, in which the phone was heard.
        """
        frames, shift = self.found.frames, self.found.frame_shift_s
        beyond = frames - np.arange(len(frames))
        side = np.flatnonzero(beyond == beyond[frame])
        first, last = float(side[0] * shift), float((side[-1] + 1) * shift)
        moved = float(beyond[frame] * shift)
        start, end = (round(min(max(time, first), last) + moved, 3) for time in times_s)
        return start, end

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
        for added in reversed(self.found.diagnosis.inserted if self.found.is_scorable else ()):
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
            stress=self._scaled(self.found.scores.word_stress[number]),
            total=self._scaled(self.found.scores.word_total[number]),
            error=error if self.found.is_scorable else None,
            variant=word.variant,
            syllables=self._syllables(word, self.found.scores.phone[places]),
            phonemes=tuple(phones),
        )

    def _owner(self, gap: int) -> int:
        """Word, of those that were said, that a phone added in a gap belongs to: the one it follows, or the first."""
        ids = self.found.analysis.features.word_ids
        return int(ids[max(gap - 1, 0)])

    def _phone(self, i: int, phone: Phone) -> PhoneReport:
        """A canonical phone that was said, or should have been in a word that was."""
        found, times = self.found.diagnosis.phones[i], self.found.analysis.times
        start, end = self._seconds((float(times.start_s[i]), float(times.end_s[i])), self._heard_in(i))
        return PhoneReport(
            phone=_with_stress(phone),
            ipa=ipa_name(phone.symbol, phone.stress),
            start_s=start,
            end_s=end,
            score=self._scaled(self.found.scores.phone[i]),
            expected=phone.symbol,
            actual=found.actual if self.found.is_scorable else None,
            error=found.error if self.found.is_scorable else None,
            probability=round(found.probability, 4),
            is_unsure=found.is_unsure and self.found.is_scorable,
            nbest=tuple(Heard(phone=symbol, probability=round(p, 4)) for symbol, p in found.nbest),
        )

    def _added(self, added: Inserted) -> PhoneReport:
        """A phone that the text does not have."""
        begin, shift = added.frame * self.found.frame_shift_s, self.found.frame_shift_s
        start, end = self._seconds((begin, begin + ADDED_FRAMES * shift), added.frame)
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
                phone=_with_stress(phone),
                ipa=ipa_name(phone.symbol, phone.stress),
                start_s=None,
                end_s=None,
                score=self._scaled(0.0),
                expected=phone.symbol,
                actual=None,
                error="deletion" if self.found.is_scorable else None,
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
            error="omission" if self.found.is_scorable else None,
            variant=None,
            syllables=self._syllables(word, np.zeros(len(word.phones))),
            phonemes=phones,
        )

    def _syllables(self, word: Word, scores: Float64) -> tuple[SyllableReport, ...]:
        """Syllables of a word, from the scores of its phones."""
        syllables = []
        for number in sorted({phone.syllable_index for phone in word.phones}):
            inside = [k for k, phone in enumerate(word.phones) if phone.syllable_index == number]
            stresses = [word.phones[k].stress for k in inside if word.phones[k].stress is not None]
            syllables.append(
                SyllableReport(
                    phones=tuple(word.phones[k].symbol for k in inside),
                    score=self._scaled(float(scores[inside].mean())),
                    stress_expected=stresses[0] if stresses else None,
                    stress_spoken=None,
                    stress_score=None,
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

    def _fluency(self, words: Sequence[WordReport]) -> FluencyFacts:
        """Rates and pauses of the words of the text."""
        said = [word for word in words if word.text_index is not None and word.error != "omission"]
        facts = fluency(
            self.found.analysis.times,
            sum(len(word.syllables) for word in said),
            sum(word.error is None for word in said),
        )
        return FluencyFacts(
            speech_rate_syl_s=round(facts.speech_rate_syl_s, 2),
            articulation_rate_syl_s=round(facts.articulation_rate_syl_s, 2),
            wcpm=round(facts.wcpm, 1),
            pause_count=facts.pause_count,
            long_pause_count=facts.long_pause_count,
            mean_pause_s=None if facts.mean_pause_s is None else round(facts.mean_pause_s, 3),
            pause_ratio=round(facts.pause_ratio, 3),
            phonation_ratio=round(1.0 - facts.pause_ratio, 3),
            mean_length_of_run=round(facts.mean_length_of_run, 2),
            pauses=(),
        )

    def _warnings(self) -> list[str]:
        """What about the recording makes the scores less certain, or leaves nothing to score."""
        found, quality = self.found, self.found.recording.quality
        warnings = []
        if quality.clipped > CLIPPED_SHARE:
            warnings.append(f"audio is clipped ({quality.clipped:.1%} of samples); lower the microphone's level")
        if quality.rms_db < FAINT_DB:
            warnings.append(f"audio is faint ({quality.rms_db:.0f} dB); move closer to the microphone")
        if quality.snr_db is not None and quality.snr_db < NOISY_DB:
            warnings.append(f"audio is noisy (about {quality.snr_db:.0f} dB over the noise); find a quieter place")
        if not found.match.is_speech and found.match.heard.mean() >= LEAST_HEARD:
            warnings.append("the recording sounds like noise, so nothing is scored; check that it holds speech")
        elif not found.match.is_speech:
            heard, sounds = found.match.heard.sum(), len(found.canonical.phones)
            warnings.append(
                f"hardly any of the text was heard ({heard} of {sounds} sounds), so nothing is scored; check that the "
                "recording holds speech, and this text"
            )
        elif not found.is_scorable:
            warnings.append("the recording does not fit the text, so nothing is scored; check that this text was read")
        else:
            warnings += self._miscues()
        if not found.has_ratings:
            warnings.append(
                f"backend {self.model.backend.split()[0]} gives no ratings, which the scorer learned to rely on, so "
                "scores mean little; train a scorer for it"
            )
        guessed = [word.text for word in found.canonical if word.source == "g2p"]
        if guessed:
            warnings.append(f"not in the lexicon, pronunciation guessed: {', '.join(guessed)}")
        return warnings

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


def _with_stress(phone: Phone) -> str:
    """ARPABET symbol with its stress digit."""
    return phone.symbol if phone.stress is None else f"{phone.symbol}{phone.stress}"


def _mispronunciations(words: Sequence[WordReport]) -> tuple[Mispronunciation, ...]:
    """All flagged phones of words that were said, most certain first."""
    flagged = [
        Mispronunciation(
            word=word.word,
            word_index=index,
            phone_index=position,
            expected=phone.expected,
            actual=phone.actual,
            type=phone.error,
            probability=phone.probability,
            suggestion=None,
        )
        for index, word in enumerate(words)
        if word.error != "omission"
        for position, phone in enumerate(word.phonemes)
        if phone.error is not None
    ]
    return tuple(sorted(flagged, key=lambda item: -item.probability))
