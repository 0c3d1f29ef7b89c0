"""Rhythm measures by hand."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.prosody import rhythm

Phone = tuple[str, float]


def measured(*phones: Phone, pause_after: int | None = None):
    lengths = np.array([length for _, length in phones])
    ends = np.cumsum(lengths)
    starts = ends - lengths
    if pause_after is not None:
        starts[pause_after + 1 :] += 0.5
        ends[pause_after + 1 :] += 0.5
    return rhythm(starts, ends, [symbol for symbol, _ in phones])


def test_by_hand() -> None:
    found = measured(("B", 0.1), ("AE", 0.2), ("T", 0.1), ("IH", 0.1), ("NG", 0.15))
    assert found.npvi_v == pytest.approx(100 * 0.1 / 0.15)
    assert found.percent_v == pytest.approx(100 * 0.3 / 0.65)
    assert found.delta_v_s == pytest.approx(0.1 / math.sqrt(2))
    assert found.varco_v == pytest.approx(100 * 0.1 / math.sqrt(2) / 0.15)
    consonants = np.array([0.1, 0.1, 0.15])
    assert found.delta_c_s == pytest.approx(consonants.std(ddof=1))
    assert found.varco_c == pytest.approx(100 * consonants.std(ddof=1) / consonants.mean())


def test_neighbours_of_a_kind_are_one_interval_also_across_words() -> None:
    merged = measured(("S", 0.05), ("T", 0.05), ("AH", 0.1), ("IY", 0.1), ("K", 0.1), ("AA", 0.1), ("N", 0.1))
    apart = measured(("S", 0.1), ("AH", 0.2), ("K", 0.1), ("AA", 0.1), ("N", 0.1))
    assert asdict(merged) == pytest.approx(asdict(apart), abs=1e-9)


def test_a_pause_ends_an_interval_and_its_pairs() -> None:
    phones = (("AH", 0.1), ("IY", 0.2), ("K", 0.1), ("AA", 0.1), ("N", 0.1))
    parted = measured(*phones, pause_after=0)
    assert parted.npvi_v == pytest.approx(100 * 0.1 / 0.15)  # of IY and AA, but not of AH and IY
    assert parted.delta_v_s == pytest.approx(np.std([0.1, 0.2, 0.1], ddof=1))
    assert measured(("AH", 0.1), ("K", 0.1), ("AA", 0.2), pause_after=0).npvi_v is None


def test_too_little_is_none() -> None:
    alone = measured(("B", 0.1), ("AE", 0.2), ("T", 0.1))
    assert (alone.npvi_v, alone.varco_v, alone.delta_v_s, alone.percent_v) == (None, None, None, None)
    assert alone.delta_c_s == pytest.approx(0.0)


@given(
    lengths=st.lists(st.floats(0.01, 0.5), min_size=6, max_size=20),
    factor=st.floats(0.5, 3.0),
    seed=st.integers(0, 100),
)
def test_the_rate_changes_only_the_deltas(lengths: list[float], factor: float, seed: int) -> None:
    symbols = np.random.default_rng(seed).choice(["AA", "T"], size=len(lengths)).tolist()
    own = measured(*zip(symbols, lengths, strict=True))
    slower = measured(*((symbol, factor * length) for symbol, length in zip(symbols, lengths, strict=True)))
    for name in ("npvi_v", "percent_v", "varco_v", "varco_c"):
        value = getattr(own, name)
        assert getattr(slower, name) == (None if value is None else pytest.approx(value, abs=1e-6))
    if own.delta_v_s is not None:
        assert slower.delta_v_s == pytest.approx(factor * own.delta_v_s, abs=1e-9)
