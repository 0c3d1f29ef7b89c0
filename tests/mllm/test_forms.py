"""Accepted forms against every combination of them, each aligned by itself."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.gop.variants import distinct_forms, go_together
from elocute.mllm.alignment import GAP, align_phones, pair_cost
from elocute.mllm.forms import best_forms
from elocute.phones import PHONES, phonemize
from elocute.phones.variants import unstressed
from elocute.types import Variant

TEXTS = ("did you want to go", "an hour and a half", "the water", "what are they")


def price(phones: list[str], heard: list[str]) -> tuple[int, int]:
    """Cost of the best alignment, and its gaps."""
    pairs = align_phones(phones, heard)
    gaps = sum(None in (pair.canonical, pair.heard) for pair in pairs)
    paired = [(pair.canonical, pair.heard) for pair in pairs]
    cost = sum(pair_cost(phones[i], heard[j]) for i, j in paired if i is not None and j is not None)
    return cost + GAP * gaps, gaps


def allowed(forms: tuple[Variant, ...]) -> bool:
    """Whether forms may stand side by side, and alone at both ends."""
    return forms[0].after is None and forms[-1].before is None and all(go_together(a, b) for a, b in pairwise(forms))


@settings(max_examples=40, deadline=None)
@given(text=st.sampled_from(TEXTS), data=st.data())
def test_they_are_the_best_of_all_combinations(text: str, data: st.DataObject) -> None:
    canonical = phonemize(text)
    spoken = [phone for word in canonical for phone in unstressed(data.draw(st.sampled_from(word.variants)).phones)]
    noise = data.draw(st.lists(st.tuples(st.integers(0, len(spoken)), st.sampled_from([*PHONES, ""])), max_size=4))
    for place, phone in noise:
        spoken[place : place + 1] = [phone] if phone else []
    found = best_forms(canonical, spoken)
    combinations = [forms for forms in product(*map(distinct_forms, canonical.words)) if allowed(forms)]

    def rank(forms: tuple[Variant, ...]) -> tuple[int, int]:
        phones = [phone for form in forms for phone in unstressed(form.phones)]
        cost, gaps = price(phones, spoken)
        return cost, gaps + sum(form.kind is not None for form in forms)

    chosen = tuple(word.variants[0] for word in found.words)
    assert allowed(chosen)
    assert rank(chosen) == min(map(rank, combinations))


@pytest.mark.parametrize(
    ("heard", "kinds"),
    [
        ("W AA N T T UW G OW", (None, None, None)),
        ("W AA N T T AH G OW", (None, "weak form", None)),
        ("W AA N T D AH G OW", (None, "weak form", None)),  # a slip beside a weak form
        ("W AA N T UW G OW", ("shared consonant", None, None)),
    ],
)
def test_forms_of_connected_speech_are_found(heard: str, kinds: tuple[str | None, ...]) -> None:
    assert tuple(word.variant for word in best_forms(phonemize("want to go"), heard.split())) == kinds
