"""Phone boundaries from the sound, against all divisions of small problems and on planted sounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.prosody import Pause, Sound, refined, timing
from elocute.prosody.boundaries import Section, _sums, _windows, _worth_of_lengths, phone_edges
from elocute.prosody.sound import FRAME_S, SILENCE

SHIFT_S = 0.02


def noise(frames: int, seed: int) -> Sound:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(frames, 40))
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return Sound(
        log_probs=log_probs.astype(np.float32),
        change=rng.normal(size=frames).astype(np.float32),
        log_prior=np.full(40, -np.log(40), dtype=np.float32),
    )


def spoken(pieces: list[tuple[int, int]]) -> Sound:
    """Pieces of (phone, frames), each heard with certainty, and nothing known about change."""
    heard = np.repeat([phone for phone, _ in pieces], [frames for _, frames in pieces])
    log_probs = np.full((len(heard), 40), np.log(0.1 / 39), dtype=np.float32)
    log_probs[np.arange(len(heard)), heard] = np.log(0.9)
    flat = np.zeros(len(heard), dtype=np.float32)
    return Sound(log_probs=log_probs, change=flat, log_prior=np.full(40, -np.log(40), dtype=np.float32))


@pytest.mark.parametrize("seed", range(30))
def test_no_division_is_better(seed: int) -> None:
    """Every division that the windows and least lengths allow, one by one."""
    rng = np.random.default_rng(seed)
    is_open_before, is_open_after = bool(seed % 2), bool(seed // 2 % 2)
    phones = rng.integers(39, size=3)
    spikes = np.array([[4, 6], [8, 10], [12, 14]]) + rng.integers(-1, 2)
    section = Section(first=0, last=3, begin=1, end=17, is_open_before=is_open_before, is_open_after=is_open_after)
    sound = noise(18, seed)
    states = np.array([*[SILENCE] * is_open_before, *phones, *[SILENCE] * is_open_after])
    low, high, least = _windows(spikes, section, len(states))
    sums = _sums(sound, states, spikes, section)
    lengths = _worth_of_lengths(spikes, max(least), 16)

    def worth(bounds: tuple[int, ...]) -> float:
        whole = [1, *bounds, 17]
        if any(b - a < frames for a, b, frames in zip(whole[:-1], whole[1:], least, strict=True)):
            return -np.inf
        total = sum(sums[b - 1, n] - sums[a - 1, n] for n, (a, b) in enumerate(zip(whole[:-1], whole[1:], strict=True)))
        ends = zip(whole[is_open_before:-1], whole[1 + is_open_before :], strict=True)
        spans = [b - a for a, b in ends][: len(phones)]
        total += sum(lengths[frames] for frames in spans)
        inner = bounds[is_open_before : len(bounds) - is_open_after]
        return float(total + sum(sound.change[place] for place in inner))

    best = max(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True))), key=worth)
    found = phone_edges(sound, phones, spikes, section).tolist()
    expected = [*([] if is_open_before else [1]), *best, *([] if is_open_after else [17])]
    assert found == expected


def test_boundaries_are_where_the_sound_changes_although_the_spikes_are_late() -> None:
    pieces = [(SILENCE, 20), (3, 9), (20, 14), (7, 11), (SILENCE, 16)]
    spans = np.array([[13, 14], [20, 21], [26, 27]])  # 20 ms frames: the last in each phone, or nearly
    rough = timing(spans, np.full(35, -20.0), SHIFT_S, ())
    found = refined(rough, spans, spoken(pieces), np.array([3, 20, 7]), ())
    assert found.start_s.tolist() == pytest.approx([0.20, 0.29, 0.43])
    assert found.end_s.tolist() == pytest.approx([0.29, 0.43, 0.54])


def test_a_pause_is_kept_and_the_phones_beside_it_touch_it() -> None:
    pieces = [(SILENCE, 10), (3, 20), (SILENCE, 30), (7, 20), (SILENCE, 10)]
    spans = np.array([[9, 10], [34, 35]])
    pause = Pause(start_s=0.31, end_s=0.6, after_phone=0)
    found = refined(
        timing(spans, np.full(45, -20.0), SHIFT_S, (pause,)), spans, spoken(pieces), np.array([3, 7]), (pause,)
    )
    assert found.pauses == (pause,)
    assert (found.end_s[0], found.start_s[1]) == (0.31, 0.6)
    assert (found.start_s[0], found.end_s[1]) == (pytest.approx(0.1), pytest.approx(0.8))


def test_a_pause_that_leaves_no_room_is_dropped() -> None:
    pieces = [(3, 10), (7, 10), (9, 10)]
    spans = np.array([[2, 3], [7, 8], [12, 13]])
    late = Pause(start_s=0.12, end_s=0.29, after_phone=0)  # one frame for two phones
    found = refined(timing(spans, np.full(15, -20.0), SHIFT_S, ()), spans, spoken(pieces), np.array([3, 7, 9]), (late,))
    assert found.pauses == ()
    assert found.start_s[1:].tolist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(("heard", "kept"), [(SILENCE, (0.31, 0.6)), (3, (0.37, 0.6))])
def test_a_pause_reaches_over_a_spike_only_where_silence_is_heard(heard: int, kept: tuple[float, float]) -> None:
    pieces = [(SILENCE, 10), (3, 20), (heard, 7), (SILENCE, 23), (7, 20), (SILENCE, 10)]
    spans = np.array([[18, 19], [34, 35]])  # the middle of the first is at 0.37 s
    pause = Pause(start_s=0.31, end_s=0.6, after_phone=0)
    rough = timing(spans, np.full(45, -20.0), SHIFT_S, ())
    found = refined(rough, spans, spoken(pieces), np.array([3, 7]), (pause,))
    assert [(other.start_s, other.end_s) for other in found.pauses] == [kept]


def test_a_phone_said_as_another_does_not_move_its_neighbours() -> None:
    pieces = [(SILENCE, 10), (3, 10), (30, 10), (7, 10), (SILENCE, 10)]  # 30 is heard where 20 is expected
    change = np.full(50, -1.0, dtype=np.float32)
    change[[10, 20, 30, 40]] = 1.0
    sound = replace(spoken(pieces), change=change)
    spans = np.array([[7, 8], [12, 13], [17, 18]])
    found = refined(timing(spans, np.full(25, -20.0), SHIFT_S, ()), spans, sound, np.array([3, 20, 7]), ())
    assert found.start_s.tolist() == pytest.approx([0.1, 0.2, 0.3])


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, int, tuple[Pause, ...], float, int]:
    T = draw(st.integers(2, 120))
    shift = draw(st.sampled_from([0.01, 0.02, 0.04]))
    edges = sorted(draw(st.lists(st.integers(0, T), min_size=2, max_size=20, unique=True)))
    pairs = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    pauses, begin = [], 0.0
    for phone in range(len(pairs) - 1):
        if draw(st.booleans()):
            start = round(begin + draw(st.integers(1, 30)) * FRAME_S, 6)
            begin = round(start + draw(st.integers(15, 60)) * FRAME_S, 6)
            if begin < T * shift:
                pauses.append(Pause(start_s=start, end_s=begin, after_phone=phone))
    return np.array(pairs, dtype=np.int64), T, tuple(pauses), shift, draw(st.integers(0, 1000))


@settings(max_examples=200, deadline=None)
@given(problem=problems())
def test_times_are_in_order_inside_the_recording_and_parted_by_pauses_alone(
    problem: tuple[np.ndarray, int, tuple[Pause, ...], float, int],
) -> None:
    """Whatever the sound, the spikes and the pauses say, and however much they contradict each other."""
    spans, T, pauses, shift, seed = problem
    rng = np.random.default_rng(seed)
    sound = noise(max(round(T * shift / FRAME_S) + int(rng.integers(-2, 3)), 1), seed)
    rough = timing(spans, rng.uniform(-60, -10, T), shift, pauses)
    found = refined(rough, spans, sound, rng.integers(39, size=len(spans)), pauses)
    assert (found.duration_s > 0).all()
    assert found.start_s[0] >= 0
    assert found.end_s[-1] <= T * shift + 1e-9
    gaps = found.start_s[1:] - found.end_s[:-1]
    assert (gaps > -1e-9).all()
    assert np.flatnonzero(gaps > 1e-9).tolist() == [pause.after_phone for pause in found.pauses]
    for pause in found.pauses:
        given = next(other for other in pauses if other.after_phone == pause.after_phone)
        assert given.start_s <= pause.start_s <= pause.end_s - 0.15 + 1e-9 <= given.end_s - 0.15 + 2e-9
        assert (found.end_s[pause.after_phone], found.start_s[pause.after_phone + 1]) == (pause.start_s, pause.end_s)


@pytest.mark.parametrize("spikes_at", [0, 40, 400, 2000])
@pytest.mark.parametrize(("is_first", "is_last"), [(True, False), (False, True), (False, False)])
def test_spikes_far_outside_of_a_section_leave_its_phones_inside(spikes_at: int, is_first: bool, is_last: bool) -> None:
    """Pauses may cut out a few frames with no spike in them; the phones have to share these frames all the same."""
    sound = noise(2400, 3)
    spikes = np.array([[spikes_at + 2 * k, spikes_at + 2 * k + 1] for k in range(4)])
    section = Section(first=0, last=4, begin=1000, end=1006, is_open_before=is_first, is_open_after=is_last)
    edges = phone_edges(sound, np.array([3, 7, 9, 11]), spikes, section)
    assert len(edges) == 5
    assert edges[0] >= 1000
    assert edges[-1] <= 1006
    assert (np.diff(edges) >= 1).all()
