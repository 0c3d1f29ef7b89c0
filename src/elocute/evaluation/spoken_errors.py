"""Sentences in which flite makes one error that speakers of a first language make: spliced nowhere, spoken so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from elocute.acoustic import Backend
from elocute.evaluation.first_language import Places, evidence_at
from elocute.evaluation.flite import speak_phones
from elocute.gop.confusions import learned_prior
from elocute.gop.said import said_posterior
from elocute.phones import PHONES, VOWELS, phonemize, with_stress
from elocute.phones.l1 import L1Profile

Given = tuple[str, ...]
"""Phones of a word with stress digits."""


def speak_errors(
    texts: Sequence[str],
    profile: L1Profile,
    voices: Sequence[str],
    backend: Backend,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Places:
    """One error of a language in each sentence, drawn by its likelihood; what the model heard at its place.

    Sentences without such an error, and those that flite does not speak as it was told, are left out. Every recording
    counts as a speaker of its own.

    Raises:
        ConfigError: flite does not run.
        TextError: a text cannot be pronounced.
    """
    rng = np.random.default_rng(seed)
    prior = learned_prior()
    speakers, words, at, evidence, said = [], [], [], [], []
    for number, text in enumerate(texts, start=1):
        if progress is not None:
            progress(number, len(texts))
        given = [tuple(map(with_stress, word.phones)) for word in phonemize(text)]
        bare = [tuple(phone.rstrip("012") for phone in word) for word in given]
        error = _drawn(bare, profile, rng)
        if error is None:
            continue
        w, p, instead = error
        voice = voices[number % len(voices)]
        spoken = speak_phones((*given[:w], _with_error(given[w], p, instead), *given[w + 1 :]), voice)
        if spoken is None:
            continue
        ids = np.array([PHONES.index(phone) for word in bare for phone in word])
        frames = backend.posteriors(spoken.audio)
        found = said_posterior(frames.log_probs, ids, frames.phone_set, prior)
        speakers.append(f"{voice} {number}")
        words.append(bare[w])
        at.append(p)
        evidence.append(evidence_at(found, ids, sum(map(len, bare[:w])) + p))
        said.append(len(PHONES) if instead is None else PHONES.index(instead))
    return Places(
        part=f"spoken by flite, errors of {profile.code}",
        speaker=tuple(speakers),
        word=tuple(words),
        at=tuple(at),
        evidence=np.array(evidence).reshape(-1, len(PHONES) + 1),
        said=np.array(said, dtype=np.int64),
    )


def _drawn(
    words: Sequence[Sequence[str]], profile: L1Profile, rng: np.random.Generator
) -> tuple[int, int, str | None] | None:
    """Word, position and what is said there instead; None where the language makes no error, or only unheard ones."""
    flat = [phone for word in words for phone in word]
    errors, likelihoods = [], []
    index = 0
    for w, word in enumerate(words):
        for p in range(len(word)):
            beside = {*flat[max(index - 1, 0) : index], *flat[index + 1 : index + 2]}
            for instead, likelihood in profile.said_instead(word, p).items():
                # Nobody hears twice what stands beside its like; and a word is not left out as a whole.
                if instead not in beside and not (instead is None and (word[p] in beside or len(word) == 1)):
                    errors.append((w, p, instead))
                    likelihoods.append(likelihood)
            index += 1
    if not errors:
        return None
    return errors[int(rng.choice(len(errors), p=np.array(likelihoods) / sum(likelihoods)))]


def _with_error(word: Given, at: int, instead: str | None) -> Given:
    """The word as it is said."""
    if instead is None:
        return (*word[:at], *word[at + 1 :])
    own = word[at]
    stress = (own[-1] if own[-1].isdigit() else "0") if instead in VOWELS else ""
    return (*word[:at], f"{instead}{stress}", *word[at + 1 :])
