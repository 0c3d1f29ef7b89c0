"""Step 10/10 - the report: parts that do not depend on how scores were found; the recording, the text, the flags."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

from elocute.report import AudioFacts, Mispronunciation, WordReport
from elocute.types import Audio, AudioQuality, Canonical

FAINT_DB = -45.0
NOISY_DB = 10.0
CLIPPED_SHARE = 0.005


@cache
def own_version() -> str:
    """Version of elocute; asked once, because reading it takes a millisecond."""
    return version("elocute")


def scaled(score: float, scale: int) -> float:
    """A score of 0 to 1 on a scale of 1, 10 or 100, rounded to a tenth of a percent of it."""
    return round(float(score) * scale, {1: 3, 10: 2, 100: 1}[scale])


def audio_facts(recording: Audio) -> AudioFacts:
    """What the report says of the recording."""
    quality = recording.quality
    return AudioFacts(
        duration_s=round(recording.duration_s, 3),
        speech_s=round(quality.speech_s, 2),
        snr_db=None if quality.snr_db is None else round(quality.snr_db, 1),
        clipped=round(quality.clipped, 5),
    )


def sound_warnings(quality: AudioQuality) -> list[str]:
    """What about the sound makes scores less certain."""
    warnings = []
    if quality.clipped > CLIPPED_SHARE:
        warnings.append(f"audio is clipped ({quality.clipped:.1%} of samples); lower the microphone's level")
    if quality.rms_db < FAINT_DB:
        warnings.append(f"audio is faint ({quality.rms_db:.0f} dB); move closer to the microphone")
    if quality.snr_db is not None and quality.snr_db < NOISY_DB:
        warnings.append(f"audio is noisy (about {quality.snr_db:.0f} dB over the noise); find a quieter place")
    return warnings


def text_warnings(canonical: Canonical) -> list[str]:
    """What about the text makes scores less certain."""
    guessed = [word.text for word in canonical if word.source == "g2p"]
    return [f"not in the lexicon, pronunciation guessed: {', '.join(guessed)}"] if guessed else []


def mispronunciations_of(words: Sequence[WordReport]) -> tuple[Mispronunciation, ...]:
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
