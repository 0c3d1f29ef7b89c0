"""What the scorer looks at beside phones: pauses, rates, rhythm, melody and stress of an utterance, as one vector."""

from __future__ import annotations

import numpy as np

from elocute.prosody import LONG_PAUSE_S, Prosody, fluency
from elocute.types import Float32

GROUPS: dict[str, tuple[str, ...]] = {
    "rate": ("speech_rate", "articulation_rate", "syllables_per_run", "phonation_ratio"),
    "pauses": (
        "pauses_per_word",
        "long_pauses_per_word",
        "phrase_pauses_per_word",
        "word_pauses_per_word",
        "boundary_pause_s",
        "phrase_pause_s",
        "word_pause_s",
        "longest_phrase_pause_s",
        "hesitations_per_word",
        "surest_hesitation",
        "unexpected_breaks",
        "missing_breaks",
    ),
    "rhythm": ("npvi_v", "percent_v", "varco_v", "varco_c", "delta_v_s", "delta_c_s"),
    "melody": (
        "f0_mean_st",
        "f0_range_st",
        "f0_sd_st",
        "f0_slope_st_s",
        "voiced_share",
        "final_movement_st",
        "monotone",
        "periodicity",
        "intensity_sd_db",
    ),
    "stress": ("stress_mean", "stress_least", "stress_clarity", "words_stressed_elsewhere"),
}
"""Features of `prosody_features` by what they measure."""
PROSODY_FEATURES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
UNKNOWN = -99.0
"""Stands for what could not be measured, outside of everything that can: trees put it apart."""


def prosody_features(prosody: Prosody) -> Float32:
    """The vector of `PROSODY_FEATURES`."""
    words = len(prosody.stress)
    rates = fluency(prosody.times, prosody.syllables, words)
    values = [
        rates.speech_rate_syl_s,
        rates.articulation_rate_syl_s,
        rates.mean_length_of_run,
        rates.phonation_ratio,
        *_pauses(prosody, words),
        *(getattr(prosody.rhythm, name) for name in GROUPS["rhythm"]),
        *_melody(prosody),
        *_stress(prosody),
    ]
    return np.array([UNKNOWN if value is None else value for value in values], dtype=np.float32)


def _pauses(prosody: Prosody, words: int) -> list[float]:
    """Pauses by their place in the text."""
    length = {place: [0.0] for place in ("boundary", "phrase", "word")}
    for pause in prosody.pauses:
        length[pause.place].append(pause.end_s - pause.start_s)
    every = [pause.end_s - pause.start_s for pause in prosody.pauses]
    hesitations = [pause.hesitation for pause in prosody.pauses]
    return [
        len(every) / words,
        sum(one > LONG_PAUSE_S for one in every) / words,
        (len(length["phrase"]) - 1) / words,
        (len(length["word"]) - 1) / words,
        sum(length["boundary"]),
        sum(length["phrase"]),
        sum(length["word"]),
        max(length["phrase"]),
        sum(hesitations) / words,
        max(hesitations, default=0.0),
        sum(found.confidence for found in prosody.breaks if found.kind == "unexpected"),
        sum(found.confidence for found in prosody.breaks if found.kind == "missing"),
    ]


def _melody(prosody: Prosody) -> list[float | None]:
    """Pitch, voicing and level of what was said."""
    pitch, times, found = prosody.pitch, prosody.times, prosody.intonation
    said = pitch.between(float(times.start_s[0]), float(times.end_s[-1]))
    voiced = pitch.is_voiced[said]
    sounding = {
        "voiced_share": float(voiced.mean()) if len(voiced) else None,
        "periodicity": float(pitch.strength[said][voiced].mean()) if voiced.any() else None,
        "intensity_sd_db": float(pitch.intensity_db[said][voiced].std()) if voiced.any() else None,
    }
    if found is None:
        return [sounding.get(name) for name in GROUPS["melody"]]
    return [
        float(12 * np.log2(found.f0_mean_hz / 100.0)),
        found.f0_range_st,
        found.f0_sd_st,
        found.f0_slope_st_s,
        sounding["voiced_share"],
        None if found.final is None else found.final.movement_st,
        None if prosody.monotone is None else prosody.monotone.confidence,
        sounding["periodicity"],
        sounding["intensity_sd_db"],
    ]


def _stress(prosody: Prosody) -> list[float | None]:
    """Whether words are stressed as they should be, and how clearly."""
    measured = [word for word in prosody.stress if word is not None]
    scores = [word.score for word in measured if word.score is not None]
    if not measured or not scores:
        return [None] * len(GROUPS["stress"])
    elsewhere = [word.spoken != word.expected for word in measured if word.spoken is not None]
    return [
        float(np.mean(scores)),
        min(scores),
        float(np.mean([max(syllable.probability for syllable in word.syllables) for word in measured])),
        float(np.mean(elsewhere)) if elsewhere else None,
    ]
