"""Step 10/10 - the report: one object for library, command line and server, and its JSON.

Scores are on the report's scale; times are seconds from the start of the recording; what cannot be scored is None,
with the reason in `warnings`. Numbers are rounded when the report is made, so that the object and its JSON say the
same, byte for byte.
"""

from __future__ import annotations

import json
import sys
import types
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from elocute.errors import ConfigError

SCHEMA_VERSION = "1"

PhoneError = Literal["substitution", "deletion", "insertion", "distortion"]
WordError = Literal["omission", "insertion", "mispronunciation", "repetition", "restart", "truncation"]
PausePlace = Literal["boundary", "phrase", "word"]
Contour = Literal["rise", "fall", "level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What produced the report: names and versions of the backend and the scorer, and of elocute."""

    backend: str
    scorer: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """The recording: length, seconds of speech, signal-to-noise ratio (dB), share of clipped samples."""

    duration_s: float
    speech_s: float
    snr_db: float | None
    clipped: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceScores:
    """Scores of the whole utterance on the report's scale."""

    accuracy: float | None
    fluency: float | None
    prosody: float | None
    completeness: float | None
    total: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One candidate for what was said at a phone; `phone` is None for nothing."""

    phone: str | None
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneReport:
    """One phone: a canonical one, or one that was said although the text has none there.

    Attributes:
        phone: ARPABET, with the lexicon's stress digit on vowels.
        ipa: its IPA name.
        start_s: begin; None in a word that was left out.
        end_s: end.
        score: accuracy on the report's scale.
        expected: ARPABET without stress; None for an inserted phone.
        actual: what was heard, None for nothing.
        error: kind of error, None for none.
        probability: calibrated probability that people would call this phone wrong.
        is_unsure: whether the probability is neither low enough to call the phone right nor high enough to flag it.
        nbest: what may have been said, most probable first.
    """

    phone: str
    ipa: str
    start_s: float | None
    end_s: float | None
    score: float | None
    expected: str | None
    actual: str | None
    error: PhoneError | None
    probability: float
    is_unsure: bool
    nbest: tuple[Heard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyllableReport:
    """One syllable.

    Attributes:
        phones: ARPABET without stress.
        score: mean accuracy of its phones, on the report's scale.
        stress_expected: 0 none, 1 primary, 2 secondary; None where unknown.
        stress_spoken: 1 on the syllable that stands out of its word, 0 on the others; None in words of one syllable,
            and where it cannot be told.
        stress_score: how surely the syllable is stressed as it should be, on the report's scale.
    """

    phones: tuple[str, ...]
    score: float | None
    stress_expected: int | None
    stress_spoken: int | None
    stress_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordReport:
    """One word as it went by: of the text, or said beside it.

    Attributes:
        word: as written in the text; for speech that is not of the text the phones heard, in IPA between slashes.
        text_index: which word of the text this is, counted from 0. None for an extra one, which has no scores: speech
            that the text does not have (insertion), a word that is said again later (repetition), or begun and broken
            off before it is said (restart).
        start_s: begin; None in a word that was left out.
        end_s: end.
        accuracy: on the report's scale.
        stress: on the report's scale.
        total: on the report's scale.
        error: None for none. Words of the text can be omitted, mispronounced, or broken off for good (truncation).
        variant: which accepted pronunciation was heard ("weak form", "flap" ...); None for the dictionary's first.
        syllables: of the pronunciation that was heard best.
        phonemes: canonical phones, and those inserted, in order.
    """

    word: str
    text_index: int | None
    start_s: float | None
    end_s: float | None
    accuracy: float | None
    stress: float | None
    total: float | None
    error: WordError | None
    variant: str | None
    syllables: tuple[SyllableReport, ...]
    phonemes: tuple[PhoneReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mispronunciation:
    """One error, most certain first in the report's list; the indices point into `words` and its `phonemes`.

    `suggestion` says what happened and how to mend it; None where no advice was asked for, and in words broken off.
    """

    word: str
    word_index: int
    phone_index: int
    expected: str | None
    actual: str | None
    type: PhoneError
    probability: float
    suggestion: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseFacts:
    """A silence between two words of the text, or inside one.

    Attributes:
        start_s: begin.
        end_s: end.
        after_word: word of the text before it, counted from 0.
        place: "boundary" of a phrase, "phrase" inside one (between words), or "word" inside a word.
    """

    start_s: float
    end_s: float
    after_word: int
    place: PausePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class FluencyFacts:
    """Rates and pauses; definitions in elocute.prosody.fluency."""

    speech_rate_syl_s: float
    articulation_rate_syl_s: float
    wcpm: float
    pause_count: int
    long_pause_count: int
    mean_pause_s: float | None
    pause_ratio: float
    phonation_ratio: float
    mean_length_of_run: float
    pauses: tuple[PauseFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RhythmFacts:
    """Rhythm measures; definitions in elocute.prosody.rhythm. None where there are too few intervals."""

    npvi_v: float | None
    percent_v: float | None
    varco_v: float | None
    varco_c: float | None
    delta_v_s: float | None
    delta_c_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakFacts:
    """A pause where none belongs, or none where one does.

    Attributes:
        kind: which of the two.
        after_word: word of the text before the place, counted from 0.
        start_s: begin of the pause, or the time of the place.
        end_s: end of the pause, or the time of the place.
        confidence: 0 to 1.
    """

    kind: Literal["unexpected", "missing"]
    after_word: int
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotoneFacts:
    """How flat the melody is: spread of the pitch (semitones), and confidence (0 to 1) that people would hear it."""

    f0_sd_st: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFacts:
    """Melody compared with a reference recording, after alignment: mean distance (semitones), and correlation."""

    distance_st: float
    correlation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProsodyFacts:
    """Melody and rhythm; definitions in elocute.prosody. None where too little is voiced to tell.

    Attributes:
        f0_mean_hz: mean pitch.
        f0_range_st: range of the pitch (5th to 95th percentile), semitones.
        f0_slope_st_s: declination, semitones a second.
        final_contour: movement of the pitch at the end.
        final_movement_st: by how much, semitones.
        final_expected: what the sentence asks for; None where several are as good.
        monotone: how flat the melody is.
        rhythm: of vowels and consonants.
        breaks: pauses out of place.
        reference: None without a reference recording.
    """

    f0_mean_hz: float | None
    f0_range_st: float | None
    f0_slope_st_s: float | None
    final_contour: Contour | None
    final_movement_st: float | None
    final_expected: Contour | None
    monotone: MonotoneFacts | None
    rhythm: RhythmFacts
    breaks: tuple[BreakFacts, ...]
    reference: ReferenceFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One piece of advice; a report has at most three, the most helpful first.

    Attributes:
        word_index: into `words`.
        phone_index: into its `phonemes`; None for the whole word.
        level: for whom it is written: "child", "learner" or "teacher".
        message: what went wrong.
        articulation: how to move the mouth.
        minimal_pairs: "sick/thick": as it sounded, as it should; empty where English has no such words.
        source: who wrote it: "rules", or "llm" and the name of a model.
    """

    word_index: int
    phone_index: int | None
    level: str
    message: str
    articulation: str | None
    minimal_pairs: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that elocute says about one recording of one text."""

    schema_version: str
    text: str
    language: str
    scale: int
    model: ModelFacts
    audio: AudioFacts
    utterance: UtteranceScores
    words: tuple[WordReport, ...]
    mispronunciations: tuple[Mispronunciation, ...]
    fluency: FluencyFacts | None
    prosody: ProsodyFacts | None
    feedback: tuple[Feedback, ...]
    warnings: tuple[str, ...]

    @property
    def text_words(self) -> tuple[WordReport, ...]:
        """The words of the text, in its order, without extra ones."""
        return tuple(word for word in self.words if word.text_index is not None)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        plain: dict[str, Any] = _listed(asdict(self))
        return plain

    def to_json(self, indent: int | None = None) -> str:
        """The report as JSON; the same report always gives the same text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report back.

        Raises:
            ConfigError: not JSON, another schema version, or a field missing, unknown, of another kind or not finite.
        """
        try:
            plain = json.loads(text)
        except ValueError as error:  # JSONDecodeError, or an integer of too many digits
            raise ConfigError(f"report is not JSON: {error}") from error
        version = plain.get("schema_version") if isinstance(plain, dict) else None
        if version != SCHEMA_VERSION:
            raise ConfigError(f"report has schema_version {version!r}; expected {SCHEMA_VERSION!r}")
        report: Report = _decode(cls, plain, "report")
        return report


def _listed(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value


def _decode(kind: Any, value: Any, place: str) -> Any:
    """Build a value of the annotated kind from plain JSON; ConfigError names the place."""
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _decode_object(kind, value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{place}: got {_short(value)}; expected a list")
        return tuple(_decode(args[0], item, f"{place}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{place}: got {_short(value)}; expected an object")
        return {key: _decode(args[1], item, f"{place}.{key}") for key, item in value.items()}
    if origin is Literal:
        if value not in args:
            raise ConfigError(f"{place}: got {_short(value)}; expected one of {args}")
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        inner = [option for option in args if option is not type(None)]
        return _decode(str if str in inner and isinstance(value, str) else inner[0], value, place)
    return _decode_plain(kind, value, place)


def _decode_plain(kind: type, value: Any, place: str) -> Any:
    """Check a truth value, a string, a whole number or a finite number."""
    # Python counts True as a whole number; JSON does not.
    if not isinstance(value, int | float if kind is float else kind) or isinstance(value, bool) != (kind is bool):
        raise ConfigError(f"{place}: got {_short(value)}; expected {kind.__name__}")
    # NaN compares false with everything; an integer may be too large for a float.
    if isinstance(value, int | float) and not -sys.float_info.max <= value <= sys.float_info.max:
        raise ConfigError(f"{place}: got {_short(value)}; expected a finite number")
    return kind(value)


def _decode_object(kind: Any, value: Any, place: str) -> Any:
    """Build a dataclass from a JSON object that has its fields and no others."""
    names = [field.name for field in fields(kind)]
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: got {_short(value)}; expected an object with {names}")
    lacking = [name for name in names if name not in value]
    if lacking:
        raise ConfigError(f"{place}: lacks {', '.join(map(repr, lacking))}; expected an object with {names}")
    unknown = [name for name in value if name not in names]
    if unknown:
        raise ConfigError(f"{place}: has unknown {', '.join(map(repr, unknown))}; expected an object with {names}")
    hints = get_type_hints(kind)
    return kind(**{name: _decode(hints[name], value[name], f"{place}.{name}") for name in names})


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "..."
