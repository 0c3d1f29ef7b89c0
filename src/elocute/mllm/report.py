"""The report of a language model's two answers, in the house's schema: what it did not say is null, with the reason.

It says four scores of the utterance and what phones it heard. Aligned with the canonical ones, these tell which phone
was replaced, left out or added, and which word was not said. It says nothing of times, of single words' and phones'
scores, of stress, of pauses and melody; nothing of that is made up here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elocute.config import AssessorConfig
from elocute.mllm.alignment import Pair, align_phones
from elocute.mllm.forms import best_forms
from elocute.mllm.transcript import HeardPhones, fit_of
from elocute.phones import PHONES, ipa_name, with_stress
from elocute.report import (
    SCHEMA_VERSION,
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
from elocute.report_parts import (
    audio_facts,
    mispronunciations_of,
    scaled,
    sound_warnings,
    text_warnings,
)
from elocute.types import Audio, Canonical, Phone, Word

SURE = {"low": 0.8, "normal": 0.5, "high": 0.0}
"""Probability that the model must have given to another phone for it to be flagged, by sensitivity."""
UNSURE = 0.5
"""A phone that was heard as it should be with less than this probability is neither right nor wrong."""
SCORE_MAX = 10

NOT_SAID = (
    "a language model gives no times, no scores of words, syllables and phones, no stress and no measures of fluency "
    "and melody, so these are null; an acoustic backend measures them"
)
NOT_CHECKED = "the model gives no transcript, so nobody checked that this text was read, and no sound was looked at"
NOT_CALIBRATED = (
    "probabilities are those that the language model gave to the phones it wrote, not calibrated against people"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model said of a recording.

    Attributes:
        scores: accuracy, fluency, prosodic, total, 0 to 10; None for what could not be read.
        phones: None where they could not be read.
        is_transcribed: whether a transcript was asked for; without one nobody can tell whether the text was read.
        remarks: what is to be said about the answers themselves, as sentences for users.
    """

    scores: Mapping[str, float | None]
    phones: HeardPhones | None
    is_transcribed: bool = True
    remarks: tuple[str, ...] = ()


def write_spoken_report(
    canonical: Canonical, recording: Audio, said: Said, *, model: ModelFacts, config: AssessorConfig
) -> Report:
    """The report of what the model said.

    Args:
        canonical: the text, with its accepted pronunciations.
        recording: what was assessed.
        said: of it, by the model.
        model: which.
        config: scale, variants, sensitivity, advice and first language.
    """
    if said.phones is not None and config.variants:
        canonical = best_forms(canonical, said.phones.symbols)
    writer = None if said.phones is None else _Writer(canonical, said.phones, config)
    judged = writer if writer is not None and writer.fit.is_this_text else None
    words = tuple(_bare_word(n, word) for n, word in enumerate(canonical.words)) if judged is None else judged.words()
    wrong = mispronunciations_of(words)
    advice = None if config.advice == "off" else config.advice
    return Report(
        schema_version=SCHEMA_VERSION,
        text=canonical.text,
        language="en-US",
        scale=config.scale,
        model=model,
        audio=audio_facts(recording),
        utterance=_utterance(said, judged, config.scale),
        words=words,
        mispronunciations=wrong if advice is None else with_suggestions(wrong, words, advice, config.l1),
        fluency=None,
        prosody=None,
        feedback=() if advice is None else feedback_of(wrong, words, advice, config.l1),
        warnings=(
            *sound_warnings(recording.quality),
            *said.remarks,
            *([] if writer is None else writer.remarks()),
            *([] if judged is None else [NOT_CALIBRATED]),
            *([] if said.is_transcribed else [NOT_CHECKED]),
            NOT_SAID,
            *text_warnings(canonical),
        ),
    )


def _utterance(said: Said, judged: _Writer | None, scale: int) -> UtteranceScores:
    """Scores of the utterance; none where the text may be another. Words not said lower the total, as with any backend.

    A model that gives no transcript is believed without being checked, and its report says so.
    """
    if judged is None and said.is_transcribed:
        return UtteranceScores(accuracy=None, fluency=None, prosody=None, completeness=None, total=None)
    share = None if judged is None else len(judged.fit.spoken) / len(judged.canonical.words)

    def score(name: str, of: float = 1.0) -> float | None:
        value = said.scores[name]
        return None if value is None else scaled(value / SCORE_MAX * of, scale)

    return UtteranceScores(
        accuracy=score("accuracy"),
        fluency=score("fluency"),
        prosody=score("prosodic"),
        completeness=None if share is None else scaled(share, scale),
        total=score("total", 1.0 if share is None else share),
    )


class _Writer:
    """Writes words from what was heard, laid beside the text."""

    def __init__(self, canonical: Canonical, heard: HeardPhones, config: AssessorConfig) -> None:
        self.canonical, self.heard, self.config = canonical, heard, config
        self.phones = canonical.phones
        self.pairs = align_phones([phone.symbol for phone in self.phones], heard.symbols)
        self.fit = fit_of(self.pairs, [phone.word_index for phone in self.phones])

    def words(self) -> tuple[WordReport, ...]:
        """The words of the text; what was added stands in the word that it follows, or in the first."""
        found: list[list[PhoneReport]] = [[] for _ in self.canonical.words]
        place, owner = 0, 0
        for pair in self.pairs:
            if pair.canonical is not None:
                owner = self.phones[pair.canonical].word_index
                found[owner].append(self._phone(self.phones[pair.canonical], pair, place))
            elif self.heard.symbols[place] in PHONES:
                found[owner].append(self._inserted(place))
            place += pair.heard is not None
        return tuple(self._word(n, word, found[n]) for n, word in enumerate(self.canonical.words))

    def _word(self, index: int, word: Word, phones: Sequence[PhoneReport]) -> WordReport:
        """One word."""
        error: WordError | None = "mispronunciation" if any(phone.error for phone in phones) else None
        return _bare_word(index, word, error if index in self.fit.spoken else "omission", tuple(phones))

    def _phone(self, phone: Phone, pair: Pair, place: int) -> PhoneReport:
        """A canonical phone; `place` is that of what was heard for it, or of what was heard next."""
        probability = self.heard.beside(place)
        heard = None if pair.heard is None else self.heard.symbols[pair.heard]
        is_named = heard is None or heard in PHONES
        # A sound that has no name is the phone that was meant, badly said: nobody can say what else it was.
        actual = heard if is_named else phone.symbol
        error: PhoneError | None = None
        if pair.kind != "match":
            error = "deletion" if heard is None else "substitution" if is_named else "distortion"
        wrong = 1.0 - probability if error is None else probability
        is_flagged = error is not None and probability >= SURE[self.config.sensitivity]
        return PhoneReport(
            phone=with_stress(phone),
            ipa=ipa_name(phone.symbol, phone.stress),
            start_s=None,
            end_s=None,
            score=None,
            expected=phone.symbol,
            actual=actual,
            error=error if is_flagged else None,
            probability=round(wrong, 4),
            is_unsure=not is_flagged and (error is not None or wrong > UNSURE),
            nbest=(Heard(phone=actual, probability=round(probability, 4)),) if is_named else (),
        )

    def _inserted(self, place: int) -> PhoneReport:
        """A phone that the text does not have."""
        symbol, probability = self.heard.symbols[place], round(self.heard.probabilities[place], 4)
        is_flagged = probability >= SURE[self.config.sensitivity]
        return PhoneReport(
            phone=symbol,
            ipa=ipa_name(symbol),
            start_s=None,
            end_s=None,
            score=None,
            expected=None,
            actual=symbol,
            error="insertion" if is_flagged else None,
            probability=probability,
            is_unsure=not is_flagged,
            nbest=(Heard(phone=symbol, probability=probability),),
        )

    def remarks(self) -> list[str]:
        """What is to be said about the reading."""
        if not self.fit.is_this_text:
            return [
                f"the sounds that were heard do not fit the text ({self.fit.heard:.0%} of its sounds), so nothing is "
                "scored; check that the recording holds speech, and this text"
            ]
        found = []
        if len(self.fit.spoken) < len(self.canonical.words):
            found.append(f"only {len(self.fit.spoken)} of {len(self.canonical.words)} words of the text were heard")
        nameless = sum(symbol not in PHONES for symbol in self.heard.symbols)
        if nameless:
            found.append(f"sounds that were heard and have no name in English: {nameless}")
        return found


def _bare_word(
    index: int, word: Word, error: WordError | None = None, phones: tuple[PhoneReport, ...] = ()
) -> WordReport:
    """A word without times and scores; where nothing was heard also without phones, of which something is said else."""
    return WordReport(
        word=word.text,
        text_index=index,
        start_s=None,
        end_s=None,
        accuracy=None,
        stress=None,
        total=None,
        error=error,
        variant=word.variant,
        syllables=_syllables(word) if phones else (),
        phonemes=phones,
    )


def _syllables(word: Word) -> tuple[SyllableReport, ...]:
    """Syllables with the stress that they should have."""
    found = []
    for number in sorted({phone.syllable_index for phone in word.phones}):
        inside = [phone for phone in word.phones if phone.syllable_index == number]
        found.append(
            SyllableReport(
                phones=tuple(phone.symbol for phone in inside),
                score=None,
                stress_expected=next((phone.stress for phone in inside if phone.stress is not None), None),
                stress_spoken=None,
                stress_score=None,
            )
        )
    return tuple(found)
