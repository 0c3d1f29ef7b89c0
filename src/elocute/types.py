"""The values that flow from room to room: audio, canonical phones, posteriors.

Everything here is frozen. Arrays inside are never written to after construction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SAMPLE_RATE_HZ = 16_000
"""The one rate at which audio flows; step 1 converts every recording to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioQuality:
    """Facts about a recording as it came in.

    Attributes:
        duration_s: length in seconds.
        peak: largest absolute sample, 1.0 is full scale.
        rms_db: level of the whole recording, dB relative to full scale.
        speech_s: seconds of frames that rise above the noise floor.
        snr_db: estimated speech-to-noise ratio in dB; None where no frame could serve as noise or as speech.
        clipped: share of samples at full scale, 0 to 1.
        source_rate_hz: sampling rate before conversion.
        source_channels: channels before the mix to mono.
    """

    duration_s: float
    peak: float
    rms_db: float
    speech_s: float
    snr_db: float | None
    clipped: float
    source_rate_hz: int
    source_channels: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audio:
    """A recording, mono, 16 kHz.

    Attributes:
        samples: shape (N,), float32, nominal range -1 to 1, all finite.
        quality: facts about the recording.
    """

    samples: Float32
    quality: AudioQuality

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


PronunciationSource = Literal["given", "user", "lexicon", "g2p"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One canonical phone in its place.

    Attributes:
        symbol: one of the 39 ARPABET phones, without stress digit.
        stress: 0, 1 or 2 for vowels (ARPABET: none, primary, secondary); None for consonants and where unknown.
        word_index: index of its word in the utterance.
        syllable_index: index of its syllable inside the word.
    """

    symbol: str
    stress: int | None
    word_index: int
    syllable_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One accepted pronunciation of a word.

    Attributes:
        phones: ARPABET with stress digits where stress is known; never empty.
        kind: what it is, as a teacher would call it ("weak form", "flap"; `phones.kinds.KINDS`), several joined by
            commas; None for the dictionary form.
        before: it is said only before a word that begins with one of these phones; None for any, and for the last.
        after: it is said only after a word that ends in one of these phones; None for any, and for the first.
    """

    phones: tuple[str, ...]
    kind: str | None = None
    before: frozenset[str] | None = None
    after: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of the text with its canonical pronunciation and the others that are accepted.

    Attributes:
        text: as the user wrote it, punctuation stripped ("Dr.", "42", "can't").
        spoken: the normalised word that is pronounced ("doctor", "forty", "can't"), lower case.
        phones: canonical pronunciation; never empty.
        variants: every accepted pronunciation, canonical first.
        source: where the pronunciation came from.
    """

    text: str
    spoken: str
    phones: tuple[Phone, ...]
    variants: tuple[Variant, ...]
    source: PronunciationSource

    @property
    def variant(self) -> str | None:
        """Kind of pronunciation that its canonical phones are; None for the dictionary form."""
        return self.variants[0].kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """What should be said: the text as words and phones."""

    text: str
    words: tuple[Word, ...]

    @property
    def phones(self) -> tuple[Phone, ...]:
        """All phones of the utterance in order."""
        return tuple(phone for word in self.words for phone in word.phones)

    def __iter__(self) -> Iterator[Word]:
        """Iterate over the words."""
        return iter(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSet:
    """How a CTC model spells phones in its output labels.

    Attributes:
        symbols: phones the model can tell apart, ARPABET without stress; position = phone id.
        tokens: for each phone the label ids that spell it (one for phone models, several for character models).
        size: V, number of columns of the model's output, blank and unused labels included.
        blank_id: column of the CTC blank.
    """

    symbols: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    size: int
    blank_id: int

    @classmethod
    def one_label_each(cls, symbols: Sequence[str]) -> PhoneSet:
        """The phone set of a model whose column 0 is the blank and whose column k + 1 is phone k."""
        tokens = tuple((label,) for label in range(1, len(symbols) + 1))
        return cls(symbols=tuple(symbols), tokens=tokens, size=len(symbols) + 1, blank_id=0)

    def id_of(self, symbol: str) -> int:
        """Phone id of an ARPABET symbol; ValueError if the model does not know it."""
        return self.symbols.index(symbol)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posteriors:
    """What an acoustic model heard.

    Attributes:
        log_probs: shape (T, V), natural log; each row sums to 1 after exp.
        frame_shift_s: seconds from one row to the next; row t covers [t, t+1) * frame_shift_s.
        phone_set: how phones map to columns.
        ratings: shape (T, phones + 4), or None where the model gives none: the score, 0 to 2, that people would give
            each phone were it meant in this row; then accuracy, fluency, prosodic and total of the utterance.
    """

    log_probs: Float32
    frame_shift_s: float
    phone_set: PhoneSet
    ratings: Float32 | None = None
