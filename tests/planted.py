"""Recordings and posteriors that say what they are told to say; for tests of the steps after the acoustic model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elocute.acoustic.fake import PlantedBackend
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, Features
from elocute.scorer.embedded import Scores
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality, Posteriors


def recording(seconds: float, *, amplitude: float = 0.1, seed: int = 0, snr_db: float | None = 30.0) -> Audio:
    """Noise of the given amplitude; 0 is digital silence."""
    rng = np.random.default_rng(seed)
    samples = (amplitude * rng.normal(size=round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)
    quality = AudioQuality(
        duration_s=seconds,
        peak=float(np.abs(samples).max()),
        rms_db=-20.0,
        speech_s=seconds,
        snr_db=snr_db,
        clipped=0.0,
        source_rate_hz=SAMPLE_RATE_HZ,
        source_channels=1,
    )
    return Audio(samples=samples, quality=quality)


class RatedBackend(PlantedBackend):
    """Rates, too, as the shipped model does: what is spoken is good, any other phone would be bad in its frames."""

    has_ratings = True

    def posteriors(self, audio: Audio) -> Posteriors:
        """As planted, with ratings of 0 to 2."""
        return rated(super().posteriors(audio))


def rated(posteriors: Posteriors, good: float = 1.9, bad: float = 0.3) -> Posteriors:
    """Posteriors with ratings: good for the likeliest phone of a frame and for all where it is blank."""
    best = posteriors.log_probs.argmax(axis=1)
    ratings = np.full((len(best), len(PHONES) + 4), bad, dtype=np.float32)
    ratings[best == posteriors.phone_set.blank_id] = good
    spoken = np.flatnonzero(best != posteriors.phone_set.blank_id)
    ratings[spoken, best[spoken] - 1] = good
    ratings[:, -4:] = 1.7
    return replace(posteriors, ratings=ratings)


def heard(said: Sequence[str], seconds: float = 2.0, certainty: float = 0.9) -> Posteriors:
    """Posteriors in which exactly these phones are spoken, without ratings."""
    return PlantedBackend(PHONES, said, certainty=certainty).posteriors(recording(seconds))


class ListeningScorer:
    """A scorer that is not trained: a phone scores as probably as it was heard at its place."""

    name, version = "listening", "1"

    def score(self, features: Features) -> Scores:
        """Phone scores from one-edit posteriors, everything else their means; stress 1."""
        columns = [PHONE_FEATURES.index(f"heard_{PHONES[phone]}") for phone in features.phone_ids]
        phone = np.exp(features.phone[np.arange(len(columns)), columns].astype(np.float64)).clip(1e-4, 1 - 1e-4)
        word = np.bincount(features.word_ids, phone) / np.bincount(features.word_ids)
        whole = float(phone.mean())
        return Scores(
            phone=phone,
            error_log_odds=np.log((1 - phone) / phone),
            word_accuracy=word,
            word_stress=np.ones(len(word)),
            word_total=word,
            accuracy=whole,
            fluency=whole,
            prosodic=whole,
            total=whole,
        )
