"""Random CTC problems for hypothesis: tiny ones for enumeration, with impossible, certain and vanishing posteriors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from elocute.types import PhoneSet

# A busy machine must not fail a test.
patient = settings(deadline=None)

# What a row of log posteriors is made of before it is normalised: impossible, far below what a float64 probability
# can hold (e^-745), about 1e-300, small, ordinary.
ANY_LOG_WEIGHT = st.sampled_from([-np.inf, -5000.0, -1000.0, -690.0, -30.0]) | st.floats(-5.0, 0.0)
POSSIBLE_LOG_WEIGHT = st.floats(-8.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Frames, and labels to find in them."""

    log_probs: np.ndarray
    labels: tuple[int, ...]
    blank_id: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhoneProblem:
    """Frames, and phones to find in them."""

    log_probs: np.ndarray
    canonical: list[int]
    phone_set: PhoneSet

    def spell(self, phones: list[int]) -> tuple[int, ...]:
        return tuple(label for phone in phones for label in self.phone_set.tokens[phone])


def normalised(weights: np.ndarray) -> np.ndarray:
    """Rows that sum to 1 after exp; a row in which all is impossible says its first symbol for certain."""
    weights = np.array(weights, dtype=np.float64)
    weights[np.isneginf(weights).all(axis=1), 0] = 0.0
    return weights - np.logaddexp.reduce(weights, axis=1, keepdims=True)


@st.composite
def posteriors(draw: st.DrawFn, T: int, V: int, weight: st.SearchStrategy[float]) -> np.ndarray:
    row = st.lists(weight, min_size=V, max_size=V)
    return normalised(np.array(draw(st.lists(row, min_size=T, max_size=T))).reshape(T, V))


@st.composite
def problems(draw: st.DrawFn, weight: st.SearchStrategy[float] = ANY_LOG_WEIGHT) -> Problem:
    T, V = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    blank_id = draw(st.integers(0, V - 1))
    symbols = [v for v in range(V) if v != blank_id]
    labels = draw(st.lists(st.sampled_from(symbols), max_size=4))
    return Problem(log_probs=draw(posteriors(T, V, weight)), labels=tuple(labels), blank_id=blank_id)


@st.composite
def phone_problems(draw: st.DrawFn, max_labels_per_phone: int) -> PhoneProblem:
    V = draw(st.integers(2, 4))
    blank_id = draw(st.integers(0, V - 1))
    symbols = [v for v in range(V) if v != blank_id]
    spelling = st.lists(st.sampled_from(symbols), min_size=1, max_size=max_labels_per_phone).map(tuple)
    tokens = draw(st.lists(spelling, min_size=1, max_size=4, unique=True))
    phone_set = PhoneSet(
        symbols=tuple(f"phone{k}" for k in range(len(tokens))), tokens=tuple(tokens), size=V, blank_id=blank_id
    )
    canonical = draw(st.lists(st.integers(0, len(tokens) - 1), min_size=1, max_size=3))
    labels = [label for k in canonical for label in tokens[k]]
    shortest = len(labels) + sum(a == b for a, b in zip(labels[1:], labels[:-1], strict=True))
    T = draw(st.integers(min(shortest, 5), 5))  # mostly enough frames
    return PhoneProblem(log_probs=draw(posteriors(T, V, ANY_LOG_WEIGHT)), canonical=canonical, phone_set=phone_set)


def one_label_phones(K: int) -> PhoneSet:
    """K phones, phone k spelled by label k + 1, blank 0."""
    return PhoneSet(
        symbols=tuple(f"phone{k}" for k in range(K)), tokens=tuple((k + 1,) for k in range(K)), size=K + 1, blank_id=0
    )


def random_log_probs(seed: int, T: int, V: int, peakiness: float = 3.0) -> np.ndarray:
    """Log-softmax of normal logits; larger `peakiness` brings rows nearer to certainty."""
    return normalised(np.random.default_rng(seed).normal(size=(T, V)) * peakiness)
