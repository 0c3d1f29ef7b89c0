"""A melody against itself, faster, slower, higher; against its mirror; and warping against its definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.prosody.pitch import Pitch
from elocute.prosody.reference import compare_melodies, warp


def melody(seconds: float, shift_st: float = 0.0, sign: float = 1.0, extra: float = 0.0) -> Pitch:
    """One melody in any time: voiced but for gaps, with its own loudness, `extra` seconds of silence around."""
    place = (np.arange(round(seconds / 0.01)) + 0.5) * 0.01 / seconds
    voiced = (place % 0.3) > 0.06
    curve = 6 + shift_st + sign * (3 * np.sin(9 * place) - 4 * place)
    level = -25 - 15 * ~voiced + 5 * np.sin(25 * place)
    pad = round(extra / 0.01)
    return Pitch(
        f0_hz=np.pad(np.where(voiced, 100 * 2 ** (curve / 12), np.nan), pad, constant_values=np.nan),
        strength=np.pad(voiced * 0.9, pad),
        intensity_db=np.pad(level, pad, constant_values=-70),
        frame_shift_s=0.01,
        start_s=0.005,
    )


def stretches(seconds: float, start_s: float = 0.0) -> np.ndarray:
    edges = start_s + np.linspace(0, seconds, 8)
    return np.column_stack([edges[:-1], edges[1:]])


WAYS = {
    "phones": (stretches(2.0), stretches(2.8, 0.4)),
    "warping": (np.array([[0.0, 2.0]]), np.array([[0.4, 3.2]])),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_melody_slower_and_higher_is_the_same(way: str) -> None:
    own, others = WAYS[way]
    found = compare_melodies(melody(2.0), own, melody(2.8, shift_st=7.0, extra=0.4), others)
    assert found is not None
    assert found.distance_st < 0.3
    assert found.correlation is not None
    assert found.correlation > 0.98


@pytest.mark.parametrize("way", WAYS)
def test_the_mirrored_melody_is_far_off(way: str) -> None:
    own, others = WAYS[way]
    found = compare_melodies(melody(2.0), own, melody(2.8, sign=-1.0, extra=0.4), others)
    assert found is not None
    assert found.distance_st > 2.0
    assert found.correlation is not None
    assert found.correlation < 0.0


def test_a_flat_melody_has_a_distance_but_no_correlation() -> None:
    own = stretches(2.0)
    found = compare_melodies(melody(2.0, sign=0.0), own, melody(2.0), own)
    assert found is not None
    assert found.correlation is None
    assert found.distance_st > 1.0


def test_recordings_with_next_to_no_voice_in_common_are_not_compared() -> None:
    silent = Pitch(
        f0_hz=np.full(200, np.nan),
        strength=np.zeros(200),
        intensity_db=np.full(200, -60.0),
        frame_shift_s=0.01,
        start_s=0.005,
    )
    for own, others in ((stretches(2.0), stretches(2.0)), WAYS["warping"]):
        assert compare_melodies(silent, own, melody(2.0), others) is None
        assert compare_melodies(melody(2.0), own, silent, others) is None
    assert compare_melodies(melody(2.0), np.empty((0, 2)), melody(2.0), np.empty((0, 2))) is None


def path_cost(features: np.ndarray, targets: np.ndarray, path: list[tuple[int, int]]) -> float:
    cost = sum(float(np.linalg.norm(features[i] - targets[j])) for i, j in path)
    return cost + 0.3 * sum((i - a == 0) or (j - b == 0) for (a, b), (i, j) in itertools.pairwise(path))


def all_paths(A: int, B: int) -> list[list[tuple[int, int]]]:
    if (A, B) == (1, 1):
        return [[(0, 0)]]
    before = [(a, b) for a, b in ((A - 1, B - 1), (A - 1, B), (A, B - 1)) if a >= 1 and b >= 1]
    return [[*path, (A - 1, B - 1)] for a, b in before for path in all_paths(a, b)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000))
def test_warping_finds_the_cheapest_of_all_paths(A: int, B: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, targets = rng.normal(size=(A, 2)), rng.normal(size=(B, 2))
    rows, columns = warp(features, targets)
    path = list(zip(rows.tolist(), columns.tolist(), strict=True))
    assert path in all_paths(A, B)
    best = min(path_cost(features, targets, one) for one in all_paths(A, B))
    assert path_cost(features, targets, path) == pytest.approx(best)


def test_a_minute_is_compared_in_a_second_or_so() -> None:
    found = compare_melodies(melody(60.0), np.array([[0.0, 60.0]]), melody(66.0), np.array([[0.0, 66.0]]))
    assert found is not None
    assert found.correlation is not None
    assert found.correlation > 0.95
    assert found.compared_s == pytest.approx(0.8 * 60, rel=0.1)
