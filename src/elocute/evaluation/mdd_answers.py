"""What a stored prediction answers to an annotated utterance: flags, names, and strings of phones."""

from __future__ import annotations

from dataclasses import dataclass

from elocute.corpora.l2arctic import ArcticUtterance
from elocute.errors import ConfigError
from elocute.evaluation.predictions import PHONE_MAX, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says of one utterance, phone by phone and as strings.

    Attributes:
        flagged: whether it calls each canonical phone wrong; None where it has no detector.
        heard: what it names at each; None where it names nothing.
        inserted: (canonical phones before it, phone) of each sound that it calls added.
        suspicion: how wrong each phone seems; None where it gave no score.
        free: phones heard without knowing the text; None where it does not tell.
    """

    flagged: tuple[bool, ...] | None
    heard: tuple[str | None, ...] | None
    inserted: tuple[tuple[int, str], ...]
    suspicion: tuple[float, ...] | None
    free: tuple[str, ...] | None


def answer_of(utterance: ArcticUtterance, found: Prediction, threshold: float | None) -> Answer:
    """What a prediction answers; of an utterance that is not scored nothing is flagged, and what is named is its text.

    Args:
        utterance: with the annotation's canonical phones.
        found: its prediction.
        threshold: probability from which the model flags a phone; None where it has no operating point.

    Raises:
        ConfigError: the prediction has other phones or words than the annotation.
    """
    L = len(utterance.phones)
    free = None if found.perceived is None else tuple(found.perceived)
    if not found.is_scored:
        return Answer(flagged=(False,) * L, heard=utterance.canonical, inserted=(), suspicion=None, free=free)
    sizes = {"phones": (L, found.phone), "words": (len(utterance.words), found.word)}
    for what, (expected, values) in sizes.items():
        assert values is not None
        if len(values) != expected:
            raise ConfigError(
                f"utterance {utterance.id} has {expected} {what}, its prediction {len(values)}; expected predictions "
                "for the annotation's own canonical phones"
            )
    return Answer(
        flagged=_flags(utterance, found, threshold),
        heard=None if found.heard is None else tuple(found.heard),
        inserted=tuple((gap, phone) for gap, phone in found.inserted),
        suspicion=_suspicion(found),
        free=free,
    )


def _flags(utterance: ArcticUtterance, found: Prediction, threshold: float | None) -> tuple[bool, ...] | None:
    """Which phones are called wrong: named otherwise, as probable as the threshold, or of a word left out."""
    has_threshold = threshold is not None and found.phone_error is not None
    if found.heard is None and not has_threshold:
        return None
    flagged = [False] * len(utterance.phones)
    if found.heard is not None:
        flagged = [heard != own for heard, own in zip(found.heard, utterance.canonical, strict=True)]
    if threshold is not None and found.phone_error is not None:
        flagged = [old or p >= threshold for old, p in zip(flagged, found.phone_error, strict=True)]
    owners = [index for index, word in enumerate(utterance.words) for _ in word.phones]
    return tuple(old or owner in found.omitted for old, owner in zip(flagged, owners, strict=True))


def _suspicion(found: Prediction) -> tuple[float, ...]:
    """What ranks phones from right to wrong: the stated probability, else how low the score is."""
    if found.phone_error is not None:
        return tuple(found.phone_error)
    return tuple(1.0 - score / PHONE_MAX for score in found.phone or ())
