"""What was said at every phone: the edit lattice against all edits times all paths, and planted errors."""

from __future__ import annotations

import doctest
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
from ctc_problems import one_label_phones, posteriors, random_log_probs
from elocute import gop
from elocute.errors import AlignmentError, PhoneError
from elocute.gop import EditPrior, Said, said_posterior
from elocute.gop import said as module
from elocute.types import PhoneSet

WEIGHT = st.just(0.0) | st.floats(1e-3, 1.0)
LOG_WEIGHT = st.just(-np.inf) | st.floats(-8.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EditProblem:
    """Frames, the phones that should be in them, a prior of the errors, and how phones are spelled."""

    log_probs: np.ndarray
    canonical: tuple[int, ...]
    prior: EditPrior
    tokens: tuple[tuple[int, ...], ...] | None = None

    @property
    def phone_set(self) -> PhoneSet:
        if self.tokens is None:
            return one_label_phones(len(self.prior.inserted))
        symbols = tuple("ABCDE"[: len(self.tokens)])
        return PhoneSet(symbols=symbols, tokens=self.tokens, size=self.log_probs.shape[1], blank_id=0)


@st.composite
def priors(draw: st.DrawFn, K: int, weight: st.SearchStrategy[float] = WEIGHT) -> EditPrior:
    said = np.array(draw(st.lists(st.lists(weight, min_size=K + 1, max_size=K + 1), min_size=K, max_size=K)))
    said[said.sum(axis=1) == 0.0, 0] = 1.0
    inserted = np.array(draw(st.lists(weight, min_size=K, max_size=K)))
    rest = draw(st.floats(0.05, 0.95))
    total = max(float(inserted.sum()), 1e-9)
    return EditPrior(said=said / said.sum(axis=1, keepdims=True), inserted=inserted * (1.0 - rest) / total)


@st.composite
def edit_problems(draw: st.DrawFn) -> EditProblem:
    K, T = draw(st.sampled_from([(1, 5), (2, 5), (3, 4)]))
    T = draw(st.integers(1, T))
    return EditProblem(
        log_probs=draw(posteriors(T, K + 1, LOG_WEIGHT)),
        canonical=tuple(draw(st.lists(st.integers(0, K - 1), max_size=3))),
        prior=draw(priors(K)),
    )


CHAINED: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((1, 2),),
    ((1, 1),),
    ((1, 2, 1),),
    ((1,), (1, 2)),
    ((2,), (1, 2)),
    ((1, 2), (2, 1)),
    ((1, 1), (1,)),
    ((1, 2), (1, 1)),
    ((1, 2, 1), (2,)),
    ((1,), (2,), (1, 2)),
    ((1, 2), (2,), (2, 1)),
)
"""Spellings that begin, end or are alike, or hold a label twice."""


@st.composite
def chained_problems(draw: st.DrawFn) -> EditProblem:
    tokens = draw(st.sampled_from(CHAINED))
    V = 1 + max(label for labels in tokens for label in labels)
    T = draw(st.integers(1, 5 if V < 3 or len(tokens) < 3 else 4))
    return EditProblem(
        log_probs=draw(posteriors(T, V, LOG_WEIGHT)),
        canonical=tuple(draw(st.lists(st.integers(0, len(tokens) - 1), max_size=3))),
        prior=draw(priors(len(tokens))),
        tokens=tokens,
    )


def solve(problem: EditProblem) -> Said:
    return said_posterior(problem.log_probs, list(problem.canonical), problem.phone_set, problem.prior)


@settings(deadline=None, max_examples=80)
@given(edit_problems())
def test_all_sums_are_those_over_all_edits_and_all_paths(problem: EditProblem) -> None:
    check_against_all_paths(problem)


@settings(deadline=None, max_examples=60)
@given(chained_problems())
def test_all_sums_of_phones_spelled_by_several_labels(problem: EditProblem) -> None:
    check_against_all_paths(problem)


def check_against_all_paths(problem: EditProblem) -> None:
    prior, L, K = problem.prior, len(problem.canonical), len(problem.prior.inserted)
    truth = oracles.said_sums(
        np.exp(problem.log_probs).tolist(),
        problem.canonical,
        prior.said.tolist(),
        prior.inserted.tolist(),
        problem.tokens,
    )
    if truth.evidence == 0.0:
        with pytest.raises(AlignmentError, match="no string of phones is possible"):
            solve(problem)
        return
    found = solve(problem)
    said = [[truth.said.get((i, k), 0.0) / truth.evidence for k in (*range(K), None)] for i in range(L)]
    added = [[truth.added.get((j, k), 0.0) / truth.evidence for k in range(K)] for j in range(L + 1)]
    np.testing.assert_allclose(found.posterior, np.reshape(said, (L, K + 1)), rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(found.inserted, added, rtol=0.0, atol=1e-9)
    assert found.log_evidence == pytest.approx(math.log(truth.evidence), abs=1e-9)
    np.testing.assert_array_equal(found.doubt, 1.0 - np.diagonal(prior.said))
    for gap in range(L + 1):
        for k in range(K):
            if added[gap][k] > 1e-6:  # a mean of less is rounding
                mean = truth.begins[gap, k] / truth.added[gap, k]
                assert found.inserted_frame[gap, k] == pytest.approx(mean, abs=1e-8)
            elif added[gap][k] == 0.0:
                assert found.inserted[gap, k] == pytest.approx(0.0, abs=1e-15)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plain:
    """What the plain reference finds: as in `Said`, the moments being frames times expected numbers."""

    said: np.ndarray
    added: np.ndarray
    moments: np.ndarray
    log_evidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a path stands after a frame: in a gap, in a label (None: the blank) that belongs to an edit."""

    gap: int
    label: int | None = None
    edit: tuple[str, int, int] | None = None


def skip(log_said: np.ndarray, begin: int, end: int, longest: int) -> float:
    """Log probability that nothing is said for the phones from gap to gap."""
    return float(log_said[begin:end, -1].sum()) if 0 <= end - begin <= longest else -np.inf


def arcs(states: Sequence[State], log_said: np.ndarray, log_added: np.ndarray, longest: int) -> list[np.ndarray]:
    """Log weights, shape (states, states): of staying in an edit or going to the blank, and of beginning an edit."""
    stay, enter = np.full((2, len(states), len(states)), -np.inf)
    for a, source in enumerate(states):
        for b, target in enumerate(states):
            if a == b or (target.label is None and target.gap == source.gap):
                stay[a, b] = 0.0
            elif target.edit is not None and target.label != source.label:
                kind, place, k = target.edit
                weight = log_said[place, k] if kind == "said" else log_added[k]
                enter[a, b] = skip(log_said, source.gap, place, longest) + weight
    return [stay, enter]


def plain_sums(log_probs: np.ndarray, canonical: Sequence[int], prior: EditPrior, longest_skip: int) -> Plain:
    """Forward and backward in logarithms over a list of states, from each to each; no scaling, no blocks."""
    L, K = len(canonical), len(prior.inserted)
    with np.errstate(divide="ignore"):
        log_said, log_added = np.log(prior.said[list(canonical)]), np.log(prior.inserted)
    states = [State(gap=j) for j in range(L + 1)]
    states += [State(gap=i + 1, label=k, edit=("said", i, k)) for i in range(L) for k in range(K)]
    states += [State(gap=j, label=k, edit=("added", j, k)) for j in range(L + 1) for k in range(K)]
    S = len(states)
    stay, enter = arcs(states, log_said, log_added, longest_skip)
    onward = np.logaddexp(stay, enter)
    emitted = np.stack([log_probs[:, 0 if state.label is None else state.label + 1] for state in states], axis=1)
    ending = np.array([skip(log_said, state.gap, L, longest_skip) for state in states])

    T = len(log_probs)
    before = np.full((T + 1, S), -np.inf)
    before[0, 0] = 0.0
    for t in range(T):
        before[t + 1] = np.logaddexp.reduce(before[t][:, None] + onward, axis=0) + emitted[t]
    whole = float(np.logaddexp.reduce(before[-1] + ending))
    said, added, moments = np.zeros((L, K + 1)), np.zeros((L + 1, K)), np.zeros((L + 1, K))
    after = ending
    for t in range(T - 1, -1, -1):
        share = np.exp(np.logaddexp.reduce(before[t][:, None] + enter, axis=0) + emitted[t] + after - whole)
        for mass, state in zip(share, states, strict=True):
            if state.edit is not None:
                kind, place, k = state.edit
                (said if kind == "said" else added)[place, k] += mass
                if kind == "added":
                    moments[place, k] += t * mass
        after = np.logaddexp.reduce(onward + (emitted[t] + after), axis=1)
    said[:, -1] = 1.0 - said.sum(axis=1)
    log_rest = (L + 1) * np.log1p(-prior.inserted.sum())
    return Plain(said=said, added=added, moments=moments, log_evidence=whole + float(log_rest))


def agree(found: Said, plain: Plain) -> None:
    np.testing.assert_allclose(found.posterior, plain.said, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(found.inserted, plain.added, rtol=1e-9, atol=1e-12)
    expected = np.divide(plain.moments, plain.added, out=np.full_like(plain.added, np.nan), where=plain.added > 0.0)
    np.testing.assert_allclose(found.inserted_frame, expected, rtol=1e-8)
    assert found.log_evidence == pytest.approx(plain.log_evidence, abs=1e-8)


def random_prior(seed: int, K: int) -> EditPrior:
    rng = np.random.default_rng(seed)
    return EditPrior(said=rng.dirichlet(np.ones(K + 1), K), inserted=rng.dirichlet(np.ones(K + 1))[:K] * 0.5)


@pytest.mark.parametrize("T", [1, 15, 16, 17, 31, 32, 33, 50])
def test_blocks_of_frames_leave_no_seam(T: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 0)  # the shortest blocks there are, 16 frames
    log_probs = random_log_probs(T, T=T, V=4)
    canonical, prior = [0, 0, 2, 1, 1], random_prior(T, 3)
    found = said_posterior(log_probs, canonical, one_label_phones(3), prior)
    agree(found, plain_sums(log_probs, canonical, prior, module.LONGEST_SKIP))


@pytest.mark.parametrize("rows", [1, 3, 8, 9, 30])
def test_parts_of_a_long_text_leave_no_seam(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TILE_ROWS", rows)
    log_probs = random_log_probs(rows, T=14, V=3)
    canonical, prior = [i % 2 for i in range(21)], random_prior(rows, 2)
    found = said_posterior(log_probs, canonical, one_label_phones(2), prior)
    agree(found, plain_sums(log_probs, canonical, prior, module.LONGEST_SKIP))


@pytest.mark.parametrize("L", [7, 8, 9, 12])
def test_only_so_many_phones_in_a_row_may_be_missing(L: int) -> None:
    # Fewer frames than phones: most of them must be missing.
    log_probs = random_log_probs(L, T=4, V=3)
    canonical, prior = [i % 2 for i in range(L)], random_prior(L, 2)
    found = said_posterior(log_probs, canonical, one_label_phones(2), prior)
    agree(found, plain_sums(log_probs, canonical, prior, module.LONGEST_SKIP))
    if L > module.LONGEST_SKIP:  # the limit is felt
        without = plain_sums(log_probs, canonical, prior, L)
        assert found.log_evidence < without.log_evidence - 1e-6


def test_a_text_that_is_much_too_long_for_the_frames_is_an_error() -> None:
    log_probs = np.log([[0.9, 0.1]])  # two pieces of silence and one phone: 17 phones at most
    flat = EditPrior.flat(1)
    said_posterior(log_probs, [0] * (2 * module.LONGEST_SKIP + 1), one_label_phones(1), flat)
    with pytest.raises(AlignmentError, match="no string of phones is possible"):
        said_posterior(log_probs, [0] * (2 * module.LONGEST_SKIP + 2), one_label_phones(1), flat)


@pytest.mark.parametrize("T", [1, 15, 16, 17, 40])
def test_blocks_of_frames_leave_no_seam_in_chains(T: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = EditProblem(
        log_probs=random_log_probs(T, T, 4),
        canonical=(0, 3, 1, 3, 2),
        prior=random_prior(T, 4),
        tokens=((1,), (1, 2), (3, 3), (2, 3, 1)),
    )
    whole = solve(problem)
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 1)
    parts = solve(problem)
    np.testing.assert_array_equal(parts.posterior, whole.posterior)
    np.testing.assert_array_equal(parts.inserted, whole.inserted)


def test_a_chain_is_told_from_its_parts_by_order() -> None:
    """CH said, heard as T and then SH, is CH or T SH; heard as SH and then T it is no CH."""
    phones = PhoneSet(symbols=("T", "SH", "CH"), tokens=((1,), (2,), (1, 2)), size=3, blank_id=0)
    rows = np.log(np.full((3, 3), 0.0005) + np.eye(3) * 0.9985)
    forward, backward = rows[[0, 1, 1, 0, 2, 2, 0]], rows[[0, 2, 2, 0, 1, 1, 0]]
    prior = EditPrior.flat(3)
    assert said_posterior(forward, [2], phones, prior).posterior[0].argmax() == 2
    assert said_posterior(backward, [2], phones, prior).posterior[0, 2] < 0.05
    assert said_posterior(forward, [0, 1], phones, prior).posterior[[0, 1], [0, 1]].min() > 0.9


def planted(phones: Sequence[int], K: int, certainty: float = 0.99) -> np.ndarray:
    """Posteriors of one frame a phone between two blanks each; what is not certain is spread evenly."""
    frames = [symbol for phone in phones for symbol in (0, phone + 1, 0)]
    probs = np.full((len(frames), K + 1), (1.0 - certainty) / K)
    probs[np.arange(len(frames)), frames] = certainty
    return np.log(probs)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 5.0, 50.0, 500.0]))
def test_rows_sum_to_one_and_no_count_is_negative(seed: int, peakiness: float) -> None:
    rng = np.random.default_rng(seed)
    T, L, K = int(rng.integers(1, 80)), int(rng.integers(0, 9)), int(rng.integers(1, 6))
    found = said_posterior(
        random_log_probs(seed, T, K + 1, peakiness), rng.integers(0, K, L), one_label_phones(K), random_prior(seed, K)
    )
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0, atol=1e-12)
    assert (found.posterior >= 0.0).all()
    assert (found.inserted >= 0.0).all()
    said = (found.posterior[:, :-1].sum() if L else 0.0) + found.inserted.sum()
    assert said <= T + 1e-9  # a phone needs a frame
    where = found.inserted_frame[found.inserted > 0.0]
    assert ((where >= -1e-9) & (where <= T - 1 + 1e-9)).all()
    assert np.isnan(found.inserted_frame[found.inserted == 0.0]).all()


def test_a_long_recording_of_certain_posteriors_is_told_phone_by_phone() -> None:
    K, rng = 39, np.random.default_rng(21)
    canonical = rng.integers(0, K, 60)
    said = canonical.copy()
    said[[7, 8, 30]] = (said[[7, 8, 30]] + 5) % K
    silence = np.where(np.arange(K + 1) == 0, -1e-12, -30.0)
    log_probs = np.concatenate([planted(said, K, certainty=1.0 - 1e-12), np.tile(silence, (220, 1))])
    assert len(log_probs) == 400
    found = said_posterior(log_probs, canonical, one_label_phones(K), EditPrior.flat(K))
    assert found.posterior.argmax(axis=1).tolist() == said.tolist()
    assert found.posterior.max(axis=1).min() > 0.998
    assert found.inserted.max() < 1e-3
    assert np.isfinite(found.log_evidence)


def test_posteriors_of_zero_and_one_are_no_trouble() -> None:
    K, rng = 39, np.random.default_rng(22)
    canonical = rng.integers(0, K, 130)
    with np.errstate(divide="ignore"):
        log_probs = planted(np.delete(canonical, [50, 51]), K, certainty=1.0)
    found = said_posterior(log_probs, canonical, one_label_phones(K), EditPrior.flat(K))
    assert np.isfinite(found.posterior).all()
    # Every phone is there, in order, but for two; which of equal neighbours is missing is not known.
    assert found.posterior[:, -1].sum() == pytest.approx(2.0, abs=0.1)
    assert found.posterior[50:52, -1].sum() > 1.9


@pytest.mark.parametrize("said", [[0, 1, 6, 7, 4, 5], [0, 1, 6, 6, 4, 5], [0, 1, 1, 6, 4, 5], [0, 1, 4, 5]])
def test_errors_side_by_side_are_all_found_and_their_neighbours_left_in_peace(said: list[int]) -> None:
    K = 8
    found = said_posterior(planted(said, K, 0.999), [0, 1, 2, 3, 4, 5], one_label_phones(K), EditPrior.flat(K))
    perceived = said if len(said) == 6 else [0, 1, K, K, 4, 5]
    assert found.posterior.argmax(axis=1).tolist() == perceived
    assert found.posterior.max(axis=1).min() > 0.9


def test_two_phones_that_change_places_are_seen_only_when_both_may_be_wrong() -> None:
    K, canonical, said = 8, [0, 1, 2, 3, 4, 5], [0, 1, 3, 2, 4, 5]
    log_probs, prior, places = planted(said, K, 0.999), EditPrior.flat(K), [2, 3]
    together = said_posterior(log_probs, canonical, one_label_phones(K), prior).posterior[places, said[2:4]]
    found = gop.alternatives(log_probs, canonical, one_label_phones(K))
    alone = gop.perceived_posterior(found, prior.said[canonical])[places, said[2:4]]
    assert together.min() > 0.7  # the rest: one is dropped and added again on the other side
    assert alone.max() < 0.5


@pytest.mark.parametrize(
    ("said", "missing", "added"),
    [
        ([0, 1, 2, 3], [], []),
        ([0, 2, 3], [1], []),
        ([3], [0, 1, 2], []),
        ([0, 4, 1, 2, 3], [], [(1, 4)]),
        ([4, 5, 0, 1, 2, 3], [], [(0, 4), (0, 5)]),
        ([0, 1, 2, 3, 4], [], [(4, 4)]),
        ([0, 0, 1, 2, 3], [], None),  # said twice: one of the two is added, on one side or the other
    ],
)
def test_phones_left_out_and_added_are_found(
    said: list[int], missing: list[int], added: list[tuple[int, int]] | None
) -> None:
    K = 6
    found = said_posterior(planted(said, K, 0.999), [0, 1, 2, 3], one_label_phones(K), EditPrior.flat(K))
    assert np.flatnonzero(found.posterior[:, -1] > 0.5).tolist() == missing
    if added is None:
        assert found.inserted[0, 0] == pytest.approx(found.inserted[1, 0], rel=1e-3)
        assert found.inserted[:2, 0].sum() > 0.9
        return
    assert [(int(j), int(k)) for j, k in zip(*np.nonzero(found.inserted > 0.5), strict=True)] == added
    for gap, phone in added:
        assert found.inserted_frame[gap, phone] == pytest.approx(3 * said.index(phone) + 1, abs=0.1)


def test_a_flat_prior_is_flat() -> None:
    prior = EditPrior.flat(3, error=0.3, insertion=0.06)
    np.testing.assert_allclose(prior.said, [[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1]])
    np.testing.assert_allclose(prior.inserted, 0.02)


@pytest.mark.parametrize(
    ("said", "inserted", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.5]], [0.1, 0.1], r"said has shape \(2, 2\); expected \(2, 3\)"),
        ([[0.5, 0.4]], [0.1], "rows of probabilities"),
        ([[1.5, -0.5]], [0.1], "rows of probabilities"),
        ([[np.nan, 1.0]], [0.1], "rows of probabilities"),
        ([[0.9, 0.1]], [1.0], "inserted sums to 1; expected probabilities that leave a rest"),
        ([[0.9, 0.1]], [-0.1], "inserted sums to -0.1"),
        ([[0.9, 0.1]], [np.nan], "inserted sums to nan"),
    ],
)
def test_what_is_no_prior_is_an_error(said: list[list[float]], inserted: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EditPrior(said=np.array(said), inserted=np.array(inserted))


def test_frames_in_which_nothing_is_possible_are_an_error() -> None:
    log_probs = planted([0, 1], 2)
    log_probs[3] = -np.inf
    with pytest.raises(AlignmentError, match="no string of phones is possible"):
        said_posterior(log_probs, [0, 1], one_label_phones(2), EditPrior.flat(2))


@pytest.mark.parametrize(
    ("phone_set", "canonical", "message"),
    [
        (PhoneSet(symbols=("A", "B"), tokens=((2, 1), (2, 1)), size=3, blank_id=0), [0], "spelled alike"),
        (one_label_phones(2), [2], r"canonical phone ids are \[2\]; expected 0 to 1"),
        (one_label_phones(2), [-1], r"canonical phone ids are \[-1\]"),
        (one_label_phones(3), [0], r"frames have shape \(6, 3\); the phone set expects \(T, 4\)"),
    ],
)
def test_phones_of_another_kind_are_an_error(phone_set: PhoneSet, canonical: list[int], message: str) -> None:
    with pytest.raises(PhoneError, match=message):
        said_posterior(planted([0, 1], 2), canonical, phone_set, EditPrior.flat(2))


def test_a_prior_of_other_phones_is_an_error() -> None:
    with pytest.raises(ValueError, match="the prior is of 3 phones; the model has 2"):
        said_posterior(planted([0, 1], 2), [0, 1], one_label_phones(2), EditPrior.flat(3))


def test_no_frames_are_an_error() -> None:
    with pytest.raises(AlignmentError, match="the recording has no frames"):
        said_posterior(np.empty((0, 3)), [0, 1], one_label_phones(2), EditPrior.flat(2))


def test_the_blank_need_not_be_the_first_column_nor_the_phones_in_order() -> None:
    log_probs = random_log_probs(23, T=20, V=5)
    plain = said_posterior(log_probs[:, [3, 4, 0, 1]], [0, 2, 1], one_label_phones(3), EditPrior.flat(3))
    phones = PhoneSet(symbols=("A", "B", "C"), tokens=((4,), (0,), (1,)), size=5, blank_id=3)  # column 2 is not used
    found = said_posterior(log_probs, [0, 2, 1], phones, EditPrior.flat(3))
    for name in ("posterior", "inserted", "inserted_frame", "log_evidence"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-12)


def test_the_examples_in_the_docstrings() -> None:
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted
    assert not result.failed
