"""Step 5/10 - which of its accepted pronunciations each word was said with, by the lattice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elocute.ctc import Splice, lattice, spliced_log_probs
from elocute.phones.pronounce import with_pronunciation
from elocute.types import Canonical, Float64, Posteriors, Word

VARIANT_NATS = 2.0
"""A variant replaces the dictionary form only when it explains the recording better by this much."""


def best_variants(posteriors: Posteriors, canonical: Canonical) -> Canonical:
    """Replace each word's pronunciation by the accepted variant that the recording fits best.

    Words are decided from left to right, each in the company of the choice made for the word before it and of the
    dictionary forms of the others. Only a gain of `VARIANT_NATS` leaves the dictionary form, and only a word with more
    than one accepted pronunciation is looked at.
    """
    options = [_distinct_variants(word) for word in canonical.words]
    if all(len(words) == 1 for words in options):
        return canonical
    fits, is_possible = _variant_fits(posteriors, options)
    choices = [0]
    for fit in fits:
        own = fit[choices[-1]]
        best = int(own.argmax())
        choices.append(best if own[best] > own[0] + VARIANT_NATS else 0)
        if choices[-1] and not is_possible:
            break  # the recording was too short for the text and no longer is: now the other words can be compared
    chosen = [*choices[1:], *[0] * (len(fits) + 1 - len(choices))]
    words = tuple(words[choice] for words, choice in zip(options, chosen, strict=True))
    replaced = replace(canonical, words=words)
    return best_variants(posteriors, replaced) if any(chosen) and not is_possible else replaced


def _distinct_variants(word: Word) -> list[Word]:
    """The word as it stands, then with each of its variants that differs from those before by more than stress."""
    distinct = {tuple(phone.symbol for phone in word.phones): word}
    for variant in word.variants[1:]:
        other = with_pronunciation(word, variant)
        distinct.setdefault(tuple(phone.symbol for phone in other.phones), other)
    return list(distinct.values())


def _variant_fits(posteriors: Posteriors, options: Sequence[Sequence[Word]]) -> tuple[list[Float64], bool]:
    """Log probability of the recording for each choice at a word, after each choice at the word before it.

    Args:
        posteriors: of the recording.
        options: forms of each word, the dictionary form first.

    Returns:
        One array a word, shape (forms of the word before, forms of the word), dictionary forms everywhere else; and
        whether the recording can hold the dictionary forms at all.
    """
    tokens = dict(zip(posteriors.phone_set.symbols, posteriors.phone_set.tokens, strict=True))
    spelled = [
        [tuple(label for phone in form.phones for label in tokens[phone.symbol]) for form in forms] for forms in options
    ]
    labels = [label for forms in spelled for label in forms[0]]
    around = lattice(posteriors.log_probs, labels, posteriors.phone_set.blank_id)
    fits, splices, places = [], [], []
    before: list[tuple[int, ...]] = [()]
    start = 0
    for index, forms in enumerate(spelled):
        fits.append(np.full((len(before), len(forms)), around.log_prob))
        end = start + len(forms[0])
        for (p, prefix), (k, form) in itertools.product(enumerate(before), enumerate(forms)):
            if p or k:
                begin = start - len(before[0]) if p else start
                splices.append(Splice(start=begin, end=end, labels=(*prefix, *form) if p else form))
                places.append((index, p, k))
        before, start = forms, end
    for (index, p, k), fit in zip(places, spliced_log_probs(around, splices), strict=True):
        fits[index][p, k] = fit
    return fits, around.log_prob > -np.inf
