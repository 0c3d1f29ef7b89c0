"""What a first language is worth: does its profile help to name errors, does a wrong one harm, does it foresee them?

Nobody wrote down what the speakers of speechocean762 said instead of a phone. Two questions need no such label. At a
phone that people called wrong or accented: how much of what was heard did the prior expect (log of the sum, over all
errors, of prior times evidence)? And where the text is changed so that a well-said phone becomes an error: is it named?
Evidence comes from models that did not hear the speaker. An error's evidence is its posterior over its prior, so that
one pass of the lattice serves every prior.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredUtterance
from elocute.ctc import logistic
from elocute.diagnosis import Detector
from elocute.evaluation.bootstrap import Draws, Estimate, estimate_of_sums, ratio
from elocute.evaluation.foreseen import PredictionRow
from elocute.evaluation.predictions import Prediction
from elocute.gop.confusions import learned_prior
from elocute.gop.expected import expected_errors, had_been_expected
from elocute.gop.said import EditPrior, Said, said_posterior
from elocute.phones import PHONES
from elocute.phones.l1 import L1Profile, l1_codes, l1_profile
from elocute.training.planting import GOOD_FROM, SAID_INSTEAD
from elocute.types import Float64, Int64, Posteriors

ACCENTED_BELOW = 1.5
"""Phones scored below it, and not wrong, have an accent that somebody noticed."""
PLANTED_SHARE = 0.2
"""Of the phones of a sentence, so many at most are made errors by changing the text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Phones of whose errors something is known.

    Attributes:
        part: what they are.
        speaker: of each.
        word: ARPABET phones of its word, as asked for.
        at: position in the word.
        evidence: shape (N, K+1), what the recording says of each error, up to a factor; 0 for the canonical phone.
        said: shape (N,), phone id that was said, K for nothing; -1 where nobody knows.
    """

    part: str
    speaker: tuple[str, ...]
    word: tuple[tuple[str, ...], ...]
    at: tuple[int, ...]
    evidence: Float64
    said: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingRow:
    """What profiles change over some places.

    Attributes:
        part: which places.
        measure: "nats" of expected evidence per phone, or share of errors "named" right.
        n: places.
        without: the measure without a profile; of nats the gain over expecting every error alike.
        change: by code, what a profile adds to it.
    """

    part: str
    measure: str
    n: int
    without: Estimate
    change: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """F1 of found wrong phones at the shipped threshold, and how far probabilities moved.

    Attributes:
        l1: code; None without a profile.
        f1: with its interval.
        most_moved: largest change of a probability that a phone is wrong.
    """

    l1: str | None
    f1: Estimate
    most_moved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLanguages:
    """Everything that was measured."""

    data: Mapping[str, Any]
    provenance: Mapping[str, Any]
    settings: Mapping[str, Any]
    detection: tuple[DetectionRow, ...]
    naming: tuple[NamingRow, ...]
    prediction: tuple[PredictionRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """One utterance: canonical phone ids, word of each, posterior of what was said under the learned prior."""

    utterance: ScoredUtterance
    canonical: Int64
    said: Said


def listen(
    utterances: Sequence[ScoredUtterance],
    heard: Mapping[str, Posteriors],
    progress: Callable[[int, int], None] | None = None,
) -> list[Heard]:
    """What was said in every utterance, by the lattice with the learned prior."""
    prior, found = learned_prior(), []
    for number, one in enumerate(utterances, start=1):
        ids = np.array([PHONES.index(phone) for phone in one.phones])
        frames = heard[one.id]
        said = said_posterior(frames.log_probs, ids, frames.phone_set, prior)
        found.append(Heard(utterance=one, canonical=ids, said=said))
        if progress is not None:
            progress(number, len(utterances))
    return found


def real_places(heard: Sequence[Heard]) -> list[Places]:
    """Phones that people called wrong, and those with an accent."""

    def between(part: str, low: float, high: float) -> Places:
        rows = [
            (one, index)
            for one in heard
            for index, score in enumerate(one.utterance.phone_accuracy)
            if low <= score < high
        ]
        return _places(part, rows, [-1] * len(rows))

    return [
        between("called wrong", 0.0, MISPRONOUNCED_BELOW),
        between("accented", MISPRONOUNCED_BELOW, ACCENTED_BELOW),
    ]


def plant(
    part: str,
    utterances: Sequence[ScoredUtterance],
    heard: Mapping[str, Posteriors],
    profile: L1Profile | None,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Places:
    """Errors made by changing the text: a well-said phone becomes what is said in place of another.

    Args:
        part: name.
        utterances: with well-said phones.
        heard: by models that did not hear the speakers.
        profile: whose errors; None takes the usual ones of `training.planting`.
        seed: of the draws.
        progress: called with utterances done and in all.
    """
    rng = np.random.default_rng(seed)
    prior = learned_prior()
    rows: list[tuple[Heard, int]] = []
    said: list[int] = []
    for number, one in enumerate(utterances, start=1):
        asked, chosen = _changed(one, profile, rng)
        if chosen:
            ids = np.array([PHONES.index(phone) for phone in asked.phones])
            frames = heard[one.id]
            found = said_posterior(frames.log_probs, ids, frames.phone_set, prior)
            changed = Heard(utterance=asked, canonical=ids, said=found)
            rows += [(changed, index) for index in chosen]
            said += [PHONES.index(one.phones[index]) for index in chosen]
        if progress is not None:
            progress(number, len(utterances))
    return _places(part, rows, said)


def _changed(
    utterance: ScoredUtterance, profile: L1Profile | None, rng: np.random.Generator
) -> tuple[ScoredUtterance, list[int]]:
    """The utterance with some well-said phones of its text changed, no two side by side, and which."""
    words = [list(word.phones) for word in utterance.words]
    where = [(w, p) for w, word in enumerate(words) for p in range(len(word))]
    said, scores = utterance.phones, utterance.phone_accuracy
    chosen: set[int] = set()
    good = [index for index, score in enumerate(scores) if score >= GOOD_FROM]
    for index in rng.permutation(good).astype(int).tolist():
        if len(chosen) >= max(1, round(PLANTED_SHARE * len(said))):
            break
        if {index - 1, index + 1} & chosen:
            continue
        w, p = where[index]
        asked = _asked_for(words[w], p, profile, rng)
        if asked is not None and asked not in said[max(index - 1, 0) : index + 2]:
            words[w][p] = asked
            chosen.add(index)
    changed = tuple(replace(word, phones=tuple(phones)) for word, phones in zip(utterance.words, words, strict=True))
    return replace(utterance, words=changed), sorted(chosen)


def _asked_for(word: Sequence[str], at: int, profile: L1Profile | None, rng: np.random.Generator) -> str | None:
    """A phone for which what was said is a usual error; None where there is none, or, the rarer the oftener, by lot."""
    said = word[at]
    if profile is None:
        known = [phone for phone, errors in SAID_INSTEAD.items() if said in errors.split()]
        return str(rng.choice(known)) if known else None
    likelihoods = {
        phone: profile.said_instead([*word[:at], phone, *word[at + 1 :]], at).get(said, 0.0)
        for phone in profile.phones
        if phone != said
    }
    total = sum(likelihoods.values())
    if rng.random() >= min(2 * total, 1.0):
        return None
    return str(rng.choice(list(likelihoods), p=np.array(list(likelihoods.values())) / total))


def evidence_at(said: Said, canonical: Int64, index: int) -> Float64:
    """What the recording says of each error at a place, shape (K+1,), at most 1; 0 for the canonical phone.

    Args:
        said: posterior under the learned prior.
        canonical: shape (L,), phone ids.
        index: of the place.
    """
    own = canonical[index]
    found = said.posterior[index] / learned_prior().said[own]
    found[own] = 0.0
    return np.asarray(found / max(float(found.max()), 1e-300))


def _places(part: str, rows: Sequence[tuple[Heard, int]], said: Sequence[int]) -> Places:
    """Some phones of what was heard."""
    where = [_word_of(one.utterance, index) for one, index in rows]
    evidence = [evidence_at(one.said, one.canonical, index) for one, index in rows]
    return Places(
        part=part,
        speaker=tuple(one.utterance.speaker for one, _ in rows),
        word=tuple(word for word, _ in where),
        at=tuple(place for _, place in where),
        evidence=np.array(evidence).reshape(-1, len(PHONES) + 1),
        said=np.array(said, dtype=np.int64),
    )


def _word_of(utterance: ScoredUtterance, index: int) -> tuple[tuple[str, ...], int]:
    """The word of a phone of the utterance, and its position there."""
    for word in utterance.words:
        if index < len(word.phones):
            return word.phones, index
        index -= len(word.phones)
    raise IndexError(index)


def naming_row(places: Places, codes: Sequence[str], draws: int) -> NamingRow:
    """What each profile changes over some places."""
    names = sorted(set(places.speaker))
    who = np.array([names.index(speaker) for speaker in places.speaker])
    resamples = Draws.of(len(names), draws)
    is_known = bool(len(places.said)) and places.said[0] >= 0
    measure = _named if is_known else _expected

    def mean(values: Float64) -> Estimate:
        return estimate_of_sums(ratio, who, np.column_stack([values, np.ones(len(values))]), resamples)

    without = measure(places, _errors(places, None))
    flat = np.ones_like(places.evidence) / len(PHONES)
    return NamingRow(
        part=places.part,
        measure="named" if is_known else "nats",
        n=len(who),
        without=mean(without if is_known else without - measure(places, flat)),
        change={code: mean(measure(places, _errors(places, l1_profile(code))) - without) for code in codes},
    )


def _errors(places: Places, profile: L1Profile | None) -> Float64:
    """Expected errors at each place."""
    known: dict[tuple[str, ...], Float64] = {}
    for word in places.word:
        if word not in known:
            known[word] = expected_errors(profile, [word])
    return np.array([known[word][at] for word, at in zip(places.word, places.at, strict=True)])


def _expected(places: Places, errors: Float64) -> Float64:
    """Log of the evidence that was expected, nats."""
    expected: Float64 = np.log(np.maximum((errors * places.evidence).sum(axis=1), 1e-300))
    return expected


def _named(places: Places, errors: Float64) -> Float64:
    """Whether the likeliest error is the one that was made."""
    return np.asarray((errors * places.evidence).argmax(axis=1) == places.said, dtype=np.float64)


def detection_rows(
    heard: Sequence[Heard],
    predictions: Mapping[str, Prediction],
    detector: Detector,
    codes: Sequence[str],
    draws: int,
) -> list[DetectionRow]:
    """Found wrong phones without and with profiles, from what models without the speaker say of each utterance."""
    rows = [one for one in heard if predictions[one.utterance.id].phone_error is not None]
    names = sorted({one.utterance.speaker for one in rows})
    who = np.array([names.index(one.utterance.speaker) for one in rows for _ in one.canonical])
    truth = np.array([score < MISPRONOUNCED_BELOW for one in rows for score in one.utterance.phone_accuracy])
    stated = np.array([p for one in rows for p in predictions[one.utterance.id].phone_error or ()])
    resamples = Draws.of(len(names), draws)
    prior, found = learned_prior(), []
    for code in (None, *codes):
        moved = stated
        if code is not None:
            log_odds = np.log(np.maximum(stated, 1e-12) / np.maximum(1.0 - stated, 1e-12))
            moved = logistic(log_odds + detector.weights[-1] * _own_moved(rows, l1_profile(code), prior))
        flagged = moved >= detector.flagged_from()
        columns = np.column_stack([2.0 * (flagged & truth), flagged.astype(np.float64) + truth])
        f1 = estimate_of_sums(ratio, who, columns, resamples)
        found.append(DetectionRow(l1=code, f1=f1, most_moved=float(np.abs(moved - stated).max())))
    return found


def _own_moved(heard: Sequence[Heard], profile: L1Profile, prior: EditPrior) -> Float64:
    """How far a profile moves the log posterior of each canonical phone."""
    moved = []
    for one in heard:
        words = [word.phones for word in one.utterance.words]
        after = had_been_expected(one.said, one.canonical, prior, expected_errors(profile, words))
        rows = np.arange(len(one.canonical))
        both = [np.maximum(said.posterior[rows, one.canonical], 1e-6) for said in (after, one.said)]
        moved.append(np.log(both[0]) - np.log(both[1]))
    return np.concatenate(moved)


def checked_codes(wanted: Sequence[str]) -> tuple[str, ...]:
    """Codes of first languages, each once; "all" is all of them. ConfigError for one without a profile."""
    named = [code for one in wanted for code in (l1_codes() if one == "all" else (l1_profile(one).code,))]
    return tuple(dict.fromkeys(named))
