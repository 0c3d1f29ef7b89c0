"""A report in the JSON of Azure Pronunciation Assessment, for programs that were written for that service.

Names, nesting and units are the service's "detailed" recognition result, as its Speech SDKs get and parse it: times in
ticks of 100 ns, phones in IPA or SAPI, scores of 0 to 100 or 0 to 5.

Source: Microsoft Learn, "Use pronunciation assessment" (2025-11-21): fields, PronScore, thresholds. Where the page is
silent, answers of the service that people published: an omitted word has times and score 0 and stands at its place in
the text; a substituted word is an insertion followed by an omission; breaks and monotony stand in
`Feedback.Prosody.*.ErrorTypes`, never in `ErrorType`; BreakLength is in ticks, and the first word has no confidences.

Deviates, always to say no more than the report knows:
    - Confidence is the mean posterior of what was heard best at each phone: no words are recognised, only read.
    - Lexical, ITN and MaskedITN are the words as written, in lower case; numbers are not spelled out.
    - The `Word` of speech beside the text is the phones heard, in IPA between slashes, and it has no AccuracyScore.
    - ErrorType is Mispronunciation where elocute flags a phone, not where AccuracyScore is below 60. Repetitions and
      false starts are Insertion; a word broken off is Mispronunciation.
    - The Score of NBestPhonemes is a probability, so that the first of them is not always 100. An empty Phoneme is
      "nothing was said here".
    - UnexpectedBreak and MissingBreak have confidence 0 where elocute finds no such break, and are above 0.5 where it
      does. A pause inside a word is before no word, and so left out.
    - SyllablePitchDeltaConfidence is how surely the utterance is monotone; the service does not define its number.

Left out, because elocute does not know it: SNR where it cannot be measured, ProsodyScore, Feedback and Intonation
likewise, Grapheme of a syllable in a word of several. A recording of which nothing could be scored is a "NoMatch"
without NBest. Of the report these have no place in the shape: phones said in addition, stress, variants, rates,
melody, the flags of single phones and their probabilities, advice, and warnings.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from elocute.errors import ConfigError
from elocute.phones import ipa_name, split_stress
from elocute.report import BreakFacts, PhoneReport, Report, SyllableReport, WordReport

Grading = Literal["HundredMark", "FivePoint"]
Granularity = Literal["Phoneme", "Word", "FullText"]
Alphabet = Literal["IPA", "SAPI"]
Json = dict[str, Any]

TICKS_PER_S = 10_000_000
SURE = 0.75
"""Confidence above which a break or monotony is an error; the service suggests the same."""

_TOP: dict[str, tuple[int, int]] = {"HundredMark": (100, 1), "FivePoint": (5, 2)}
_ERRORS = {
    None: "None",
    "omission": "Omission",
    "insertion": "Insertion",
    "repetition": "Insertion",
    "restart": "Insertion",
    "mispronunciation": "Mispronunciation",
    "truncation": "Mispronunciation",
}
_BREAKS = {"unexpected": "UnexpectedBreak", "missing": "MissingBreak"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureConfig:
    """What a caller of the service would set in its PronunciationAssessmentConfig.

    Attributes:
        grading: highest score, 100 or 5.
        granularity: the finest level: phones (with syllables), words, or the full text.
        alphabet: names of phones and syllables.
    """

    grading: Grading = "HundredMark"
    granularity: Granularity = "Phoneme"
    alphabet: Alphabet = "IPA"

    def __post_init__(self) -> None:
        for name, allowed in (("grading", Grading), ("granularity", Granularity), ("alphabet", Alphabet)):
            if getattr(self, name) not in get_args(allowed):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(allowed))}")


def to_azure(report: Report, config: AzureConfig | None = None) -> Json:
    """The report as the service's result, plain JSON values; the same report always gives the same result.

    Raises:
        ConfigError: from `AzureConfig`.
    """
    return _Writer(report, config or AzureConfig()).result()


def to_azure_json(report: Report, config: AzureConfig | None = None, *, indent: int | None = None) -> str:
    """`to_azure` as JSON text."""
    return json.dumps(to_azure(report, config), ensure_ascii=False, allow_nan=False, indent=indent)


def pron_score(accuracy: float, fluency: float, completeness: float, prosody: float | None = None) -> float:
    """The service's overall score of a reading; all scores on one scale.

    Source: Microsoft Learn, "Pronunciation score calculation": the lowest score weighs most.

    >>> round(pron_score(94, 98, 100, 78.8), 1)
    89.9
    """
    scores = sorted((accuracy, fluency, completeness, *(() if prosody is None else (prosody,))))
    weights = (0.6, 0.2, 0.2) if prosody is None else (0.4, 0.2, 0.2, 0.2)
    return math.fsum(weight * score for weight, score in zip(weights, scores, strict=True))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one report."""

    report: Report
    config: AzureConfig

    def result(self) -> Json:
        """The recognition result."""
        report, words = self.report, _in_service_order(self.report.words)
        scores = self._scores()
        # Not of the JSON, which takes five times as long to make as the rest of the result.
        head: Json = {"Id": hashlib.sha256(repr(report).encode()).hexdigest()[:32]}
        if scores is None:
            return head | {"RecognitionStatus": "NoMatch"} | _times(0.0, report.audio.duration_s) | self._snr()
        said = [word for word in words if word.error != "omission"]
        complete = len(said) == len(words) and all(word.text_index is not None for word in words)
        display = " ".join(report.text.split() if complete else (word.word for word in said))
        lexical = " ".join(word.word.lower() for word in said)
        best: Json = {
            **_confidence(said),
            "Lexical": lexical,
            "ITN": lexical,
            "MaskedITN": lexical,
            "Display": display,
            "PronunciationAssessment": scores,
        }
        if self.config.granularity != "FullText":
            best["Words"] = list(self._words(words))
        return {
            **head,
            "RecognitionStatus": "Success",
            **_times(*_extent(said)),
            "DisplayText": display,
            **self._snr(),
            "NBest": [best],
        }

    def _graded(self, score: float) -> float:
        """A score of the report in the grading system."""
        top, digits = _TOP[self.config.grading]
        return round(score * top / self.report.scale, digits)

    def _accuracy(self, score: float | None) -> Json:
        """AccuracyScore, where there is one."""
        return {} if score is None else {"AccuracyScore": self._graded(score)}

    def _snr(self) -> Json:
        """Signal-to-noise ratio, where it could be measured."""
        snr = self.report.audio.snr_db
        return {} if snr is None else {"SNR": snr}

    def _scores(self) -> Json | None:
        """Scores of the full text; None where one is missing that the service always gives."""
        found = self.report.utterance
        if found.accuracy is None or found.fluency is None or found.completeness is None:
            return None
        accuracy, fluency, completeness = map(self._graded, (found.accuracy, found.fluency, found.completeness))
        prosody = None if found.prosody is None else self._graded(found.prosody)
        return {
            "AccuracyScore": accuracy,
            "FluencyScore": fluency,
            **({} if prosody is None else {"ProsodyScore": prosody}),
            "CompletenessScore": completeness,
            "PronScore": round(pron_score(accuracy, fluency, completeness, prosody), _TOP[self.config.grading][1]),
        }

    def _words(self, words: Sequence[WordReport]) -> Iterator[Json]:
        """All words, in the service's order."""
        before: WordReport | None = None
        for word in words:
            is_read = word.text_index is not None and word.error != "omission"
            yield {
                "Word": word.word.lower(),
                **_times(word.start_s, word.end_s),
                "PronunciationAssessment": {
                    **self._accuracy(word.accuracy),
                    "ErrorType": _ERRORS[word.error],
                    **(self._feedback(word, before) if is_read else {}),
                },
                **(self._parts(word) if self.config.granularity == "Phoneme" else {}),
            }
            before = word if is_read else before

    def _feedback(self, word: WordReport, before: WordReport | None) -> Json:
        """What prosody has to say of a word that was read: the break before it, the melody of the utterance."""
        prosody = self.report.prosody
        if prosody is None:
            return {}
        pause: Json = {"ErrorTypes": ["None"]}
        if before is not None:
            sure = {name: self._break(kind, before, word) for kind, name in _BREAKS.items()}
            pause["ErrorTypes"] = [name for name, confidence in sure.items() if confidence > SURE] or ["None"]
            pause |= {name: {"Confidence": confidence} for name, confidence in sure.items()}
        pause["BreakLength"] = 0 if before is None else self._break_length(before, word)
        melody: Json = {"ErrorTypes": []}
        if prosody.monotone is not None:
            melody["ErrorTypes"] = ["Monotone"] if prosody.monotone.confidence > SURE else []
            melody["Monotone"] = {"SyllablePitchDeltaConfidence": prosody.monotone.confidence}
        return {"Feedback": {"Prosody": {"Break": pause, "Intonation": melody}}}

    def _break(self, kind: str, before: WordReport, word: WordReport) -> float:
        """Confidence that there is a break of a kind between two words that were read one after the other."""
        assert self.report.prosody is not None
        confidences = [
            item.confidence
            for item in self.report.prosody.breaks
            if item.kind == kind and _is_between(item.after_word, before, word) and not _is_inside(item, before)
        ]
        return max(confidences, default=0.0)

    def _break_length(self, before: WordReport, word: WordReport) -> int:
        """Silence between two words that were read one after the other, in ticks."""
        pauses = () if self.report.fluency is None else self.report.fluency.pauses
        return sum(
            _ticks(pause.end_s - pause.start_s)
            for pause in pauses
            if pause.place != "word" and _is_between(pause.after_word, before, word)
        )

    def _parts(self, word: WordReport) -> Json:
        """Syllables and phones of a word; none of a word that has no scores of them."""
        phones = [phone for phone in word.phonemes if phone.expected is not None]
        is_scored = all(phone.score is not None and phone.start_s is not None for phone in phones)
        if word.text_index is None or word.error == "omission" or not is_scored:
            return {"Syllables": [], "Phonemes": []}
        return {
            "Syllables": list(self._syllables(word, phones)),
            "Phonemes": [self._phoneme(phone) for phone in phones],
        }

    def _syllables(self, word: WordReport, phones: Sequence[PhoneReport]) -> Iterator[Json]:
        """Syllables of a word, timed by their phones."""
        at = 0
        for syllable in word.syllables:
            inside = phones[at : at + len(syllable.phones)]
            at += len(syllable.phones)
            if inside and syllable.score is not None:
                yield self._syllable(word, syllable, inside)

    def _syllable(self, word: WordReport, syllable: SyllableReport, phones: Sequence[PhoneReport]) -> Json:
        """One syllable; how it is written is known only where it is the whole word."""
        return {
            "Syllable": "".join(map(self._name, phones)),
            **({"Grapheme": word.word.lower()} if len(word.syllables) == 1 else {}),
            "PronunciationAssessment": self._accuracy(syllable.score),
            **_times(phones[0].start_s, phones[-1].end_s),
        }

    def _phoneme(self, phone: PhoneReport) -> Json:
        """A phone of the text, and what may have been said there."""
        top, digits = _TOP[self.config.grading]
        nbest = [
            {"Phoneme": self._heard_name(heard.phone, phone), "Score": round(heard.probability * top, digits)}
            for heard in phone.nbest
        ]
        return {
            "Phoneme": self._name(phone),
            "PronunciationAssessment": self._accuracy(phone.score) | ({"NBestPhonemes": nbest} if nbest else {}),
            **_times(phone.start_s, phone.end_s),
        }

    def _name(self, phone: PhoneReport) -> str:
        """Name of a phone of the text; unstressed AH is a schwa."""
        return phone.ipa if self.config.alphabet == "IPA" else _sapi(phone.phone)

    def _heard_name(self, heard: str | None, phone: PhoneReport) -> str:
        """Name of what may have been said; the phone of the text itself is called as it is there."""
        if heard is None:
            return ""
        if heard == phone.expected:
            return self._name(phone)
        return ipa_name(heard) if self.config.alphabet == "IPA" else _sapi(heard)


def _in_service_order(words: Sequence[WordReport]) -> list[WordReport]:
    """Words as they went by, but where some were left out and others added at one place, the added ones first."""
    ordered: list[WordReport] = []
    skipped: list[WordReport] = []
    for word in words:
        if word.error == "omission":
            skipped.append(word)
            continue
        if word.text_index is not None:
            ordered += skipped
            skipped = []
        ordered.append(word)
    return ordered + skipped


def _confidence(words: Sequence[WordReport]) -> Json:
    """Mean posterior of what was heard best at each phone of the text that was said."""
    best = [
        max(heard.probability for heard in phone.nbest)
        for word in words
        if word.text_index is not None
        for phone in word.phonemes
        if phone.expected is not None and phone.nbest
    ]
    return {"Confidence": round(sum(best) / len(best), 4)} if best else {}


def _extent(words: Sequence[WordReport]) -> tuple[float, float]:
    """Begin of the first word that was said, and end of the last, in seconds."""
    starts = [word.start_s for word in words if word.start_s is not None]
    ends = [word.end_s for word in words if word.end_s is not None]
    return min(starts, default=0.0), max(ends, default=0.0)


def _times(start_s: float | None, end_s: float | None) -> Json:
    """Offset and Duration; both 0 for what was not said, as the service has it."""
    if start_s is None or end_s is None:
        return {"Offset": 0, "Duration": 0}
    return {"Offset": _ticks(start_s), "Duration": max(_ticks(end_s) - _ticks(start_s), 0)}


def _ticks(seconds: float) -> int:
    """Seconds in units of 100 ns."""
    return round(seconds * TICKS_PER_S)


def _is_between(after_word: int, before: WordReport, word: WordReport) -> bool:
    """Whether a place of the text lies between two words that were read one after the other."""
    assert before.text_index is not None
    assert word.text_index is not None
    return before.text_index <= after_word < word.text_index


def _is_inside(item: BreakFacts, word: WordReport) -> bool:
    """Whether a pause lies inside the word that is said to be before it."""
    return item.kind == "unexpected" and word.end_s is not None and item.start_s < word.end_s - 1e-6


def _sapi(symbol: str) -> str:
    """SAPI name (American English) of an ARPABET phone.

    >>> _sapi("AH0"), _sapi("HH"), _sapi("ER1")
    ('ax', 'h', 'er')
    """
    if symbol == "AH0":
        return "ax"
    base, _ = split_stress(symbol)
    return "h" if base == "HH" else base.lower()
