"""Everything that is measured of how the words of an utterance were said, and not of which phones they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.phones import VOWELS, split_stress
from elocute.prosody.breaks import Break, PlacedPause, find_breaks, place_pauses
from elocute.prosody.intonation import Intonation, Monotone, intonation, monotone
from elocute.prosody.phrases import phrase_gaps
from elocute.prosody.pitch import Pitch
from elocute.prosody.rhythm import Rhythm, rhythm
from elocute.prosody.stress import SpokenStress, spoken_stress
from elocute.prosody.timing import Timing
from elocute.types import Audio, Canonical, Float64, Int64, Phone, Word


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prosody:
    """Melody, rhythm, pauses and stress of the words that were said.

    Attributes:
        times: of their phones.
        pitch: of the recording that they are in.
        syllables: how many they have.
        pauses: between their phones, with their place in the text.
        breaks: pauses out of place.
        rhythm: of their vowels and consonants.
        intonation: None where too little is voiced.
        monotone: how flat the melody is; None where there is too little of it.
        stress: of each word; None where it has one syllable, or cannot be measured.
    """

    times: Timing
    pitch: Pitch
    syllables: int
    pauses: tuple[PlacedPause, ...]
    breaks: tuple[Break, ...]
    rhythm: Rhythm
    intonation: Intonation | None
    monotone: Monotone | None
    stress: tuple[SpokenStress | None, ...]


def measure_prosody(audio: Audio, pitch: Pitch, times: Timing, canonical: Canonical, spoken: Sequence[int]) -> Prosody:
    """Measure how some words of a text were said.

    Args:
        audio: that holds these words and nothing else.
        pitch: of the same.
        times: of their phones.
        canonical: the whole text.
        spoken: which of its words were said, in order.
    """
    words = [canonical.words[index].phones for index in spoken]
    symbols = [phone.symbol for word in words for phone in word]
    word_ids = np.repeat(np.asarray(spoken, dtype=np.int64), [len(word) for word in words])
    gaps = phrase_gaps(canonical.text, canonical.words)
    melody = intonation(pitch, word_times(times, word_ids), _last_stressed_s(times, words))
    return Prosody(
        times=times,
        pitch=pitch,
        syllables=sum(word[-1].syllable_index + 1 for word in words),
        pauses=place_pauses(times.pauses, word_ids, gaps),
        breaks=find_breaks(times, symbols, word_ids, gaps),
        rhythm=rhythm(times.start_s, times.end_s, symbols),
        intonation=melody,
        monotone=None if melody is None else monotone(melody),
        stress=spoken_stress(
            audio, pitch, times, words, [accepted_stresses(canonical.words[index]) for index in spoken]
        ),
    )


def accepted_stresses(word: Word) -> frozenset[int]:
    """Syllables with the primary stress in the accepted pronunciations of a word that have as many as was said."""
    vowels = sum(phone.symbol in VOWELS for phone in word.phones)
    patterns = (
        [stress for phone in variant.phones if (stress := split_stress(phone)[1]) is not None]
        for variant in word.variants
    )
    return frozenset(one.index(1) for one in patterns if len(one) == vowels and one.count(1) == 1)


def word_times(times: Timing, word_ids: Int64) -> Float64:
    """Begin and end of each word, shape (W, 2)."""
    first = np.flatnonzero(np.diff(word_ids, prepend=-1))
    last = np.append(first[1:], len(word_ids)) - 1
    return np.column_stack([times.start_s[first], times.end_s[last]])


def _last_stressed_s(times: Timing, words: Sequence[Sequence[Phone]]) -> float | None:
    """Begin of the last vowel with primary stress; None without any."""
    stressed = [phone.stress == 1 for word in words for phone in word]
    places = np.flatnonzero(stressed)
    return float(times.start_s[places[-1]]) if len(places) else None
