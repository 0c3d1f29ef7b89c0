"""Utterances with people's scores, and predictions of a chosen quality, drawn at random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from elocute.corpora.speechocean762 import Annotated, ScoredUtterance, ScoredWord
from elocute.evaluation.predictions import Prediction, StoredPredictions

PHONES = ("AA", "IY", "K", "L", "S", "T", "TH")


def utterances(seed: int = 0, speakers: int = 12, each: int = 6, *, annotated: bool = False) -> list[ScoredUtterance]:
    """Speakers of differing ability; half are children; about one phone in six is wrong."""
    rng = np.random.default_rng(seed)
    made = []
    for s in range(speakers):
        ability = rng.normal(scale=0.4)
        for u in range(each):
            words = []
            for _ in range(int(rng.integers(1, 4))):
                phones = tuple(rng.choice(PHONES, size=int(rng.integers(1, 5))).tolist())
                scores = np.clip(np.round(5 * (1.3 + ability + rng.normal(scale=0.8, size=len(phones)))) / 5, 0, 2)
                mean = float(scores.mean())
                wrong = tuple(
                    Annotated(index=i, canonical=phone, pronounced="S")
                    for i, (phone, score) in enumerate(zip(phones, scores, strict=True))
                    if score < 0.5
                )
                words.append(
                    ScoredWord(
                        text="WORD",
                        phones=phones,
                        phone_accuracy=tuple(scores.round(1).tolist()),
                        accuracy=float(round(5 * mean)),
                        stress=float(rng.choice([5, 10])),
                        total=float(round(4.5 * mean)),
                        mispronunciations=wrong if annotated else None,
                    )
                )
            whole = np.clip(np.round(7 + 3 * ability + rng.normal(size=5)), 0, 10).tolist()
            names = ("accuracy", "completeness", "fluency", "prosodic", "total")
            made.append(
                ScoredUtterance(
                    id=f"{s:04d}{u:05d}",
                    speaker=f"{s:04d}",
                    gender="fm"[s % 3 > 0],
                    age=8 + 15 * (s % 2),
                    audio=Path("none.wav"),
                    text=" ".join("WORD" for _ in words),
                    words=tuple(words),
                    **dict(zip(names, whole, strict=True)),
                )
            )
    return made


def perfect(utterance: ScoredUtterance) -> Prediction:
    """What people say, a probability of 1 for what they call wrong, and what they heard where they tell."""
    heard: list[str | None] = []
    for word in utterance.words:
        said = {item.index: item.pronounced for item in word.mispronunciations or ()}
        heard.extend(said.get(i, phone) for i, phone in enumerate(word.phones))
    return Prediction(
        id=utterance.id,
        phone=utterance.phone_accuracy,
        word=[(word.accuracy, word.stress, word.total) for word in utterance.words],
        utterance={
            name: getattr(utterance, name) for name in ("accuracy", "completeness", "fluency", "prosodic", "total")
        },
        phone_error=[float(score < 0.5) for score in utterance.phone_accuracy],
        heard=heard,
        perceived=[phone for phone in heard if phone is not None],
        transcript=utterance.text,
    )


def noisy(utterance: ScoredUtterance, rng: np.random.Generator, scale: float = 0.5) -> Prediction:
    """What people say with noise."""
    truth = perfect(utterance)
    assert truth.word is not None
    assert truth.utterance is not None
    phone = np.clip(np.array(truth.phone) + rng.normal(scale=scale, size=len(utterance.phones)), 0, 2)
    word = np.clip(np.array(truth.word, dtype=float) + 3 * rng.normal(scale=scale, size=(len(truth.word), 3)), 0, 10)
    whole = {k: float(np.clip((v or 0.0) + 3 * rng.normal(scale=scale), 0, 10)) for k, v in truth.utterance.items()}
    return replace(
        truth, phone=phone.tolist(), word=word.tolist(), utterance=whole, phone_error=np.clip(1 - phone, 0, 1).tolist()
    )


def stored(predictions: list[Prediction], threshold: float | None = 0.5, **provenance: object) -> StoredPredictions:
    """Predictions as if read from a file."""
    return StoredPredictions(provenance=provenance | {"threshold": threshold}, utterances=tuple(predictions))
