"""Step 4: the lattice against the enumeration of all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
from ctc_problems import POSSIBLE_LOG_WEIGHT, Problem, patient, problems, random_log_probs
from elocute import ctc


def same(ours: object, theirs: object) -> None:
    """Equal to rounding, -inf included."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11)


@patient
@given(problems())
def test_probability_is_the_sum_over_all_paths(problem: Problem) -> None:
    truth = oracles.sequence_log_probs(problem.log_probs.tolist(), problem.blank_id).get(problem.labels, -np.inf)
    arguments = problem.log_probs, problem.labels, problem.blank_id
    same(ctc.lattice(*arguments).log_prob, truth)
    same(ctc.forward_log_prob(*arguments), truth)
    same(oracles.ctc_forward(problem.log_probs.tolist(), problem.labels, problem.blank_id), truth)


@patient
@given(problems(), st.lists(st.integers(0, 5), max_size=4))
def test_a_forward_pass_that_goes_on_is_the_whole_one(problem: Problem, cuts: list[int]) -> None:
    whole = ctc.lattice(problem.log_probs, problem.labels, problem.blank_id).alpha
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    before, rows = None, []
    for first, last in itertools.pairwise(bounds):
        rows.append(ctc.forward(problem.log_probs[first:last], problem.labels, problem.blank_id, before=before))
        before = rows[-1][-1] if len(rows[-1]) else before
    np.testing.assert_allclose(np.concatenate(rows), whole, rtol=1e-12, atol=1e-12)


def test_a_long_forward_pass_goes_on_frame_by_frame() -> None:
    log_probs, labels = random_log_probs(1, 400, 12, peakiness=8), [1 + k * k % 11 for k in range(60)]
    before, rows = None, []
    for frame in log_probs:
        rows.append(ctc.forward(frame[None], labels, before=before))
        before = rows[-1][0]
    np.testing.assert_allclose(np.concatenate(rows), ctc.lattice(log_probs, labels).alpha, rtol=1e-12, atol=1e-12)


def test_a_forward_pass_of_other_labels_does_not_go_on() -> None:
    before = ctc.forward(random_log_probs(0, 3, 4), [1, 2])[-1]
    with pytest.raises(ValueError, match="from the same labels"):
        ctc.forward(random_log_probs(0, 3, 4), [1, 2, 3], before=before)


@patient
@given(problems())
def test_backward_sums_to_the_same_probability(problem: Problem) -> None:
    lattice = ctc.lattice(problem.log_probs, problem.labels, problem.blank_id)
    same(np.logaddexp.reduce(lattice.beta[0, :2]), lattice.log_prob)


@patient
@given(problems())
def test_occupancies_are_expected_frames(problem: Problem) -> None:
    lattice = ctc.lattice(problem.log_probs, problem.labels, problem.blank_id)
    occupancies = lattice.occupancies()
    assert occupancies.shape == (len(problem.log_probs), 2 * len(problem.labels) + 1)
    same(occupancies.sum(axis=1), float(lattice.log_prob > -np.inf))
    same(lattice.label_occupancies(), occupancies[:, 1::2])
    if lattice.log_prob > -np.inf:
        truth = oracles.expected_durations(problem.log_probs.tolist(), problem.labels, problem.blank_id)
        same(lattice.expected_durations(), truth)


@patient
@given(problems())
def test_entries_are_first_frames_of_labels(problem: Problem) -> None:
    entries = ctc.lattice(problem.log_probs, problem.labels, problem.blank_id).entries()
    rows = problem.log_probs.tolist()
    for t, s in itertools.product(range(len(rows)), range(len(problem.labels))):
        same(entries[t, s], oracles.entry_log_prob(rows, problem.labels[: s + 1], problem.blank_id, t))


@patient
@given(problems(), st.data())
def test_a_splice_is_as_probable_as_the_labels_that_it_makes(problem: Problem, data: st.DataObject) -> None:
    V, L = problem.log_probs.shape[1], len(problem.labels)
    others = st.lists(st.sampled_from([v for v in range(V) if v != problem.blank_id]), min_size=1, max_size=3)
    splices = []
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, L))
        end = data.draw(st.integers(start, L))
        splices.append(ctc.Splice(start=start, end=end, labels=tuple(data.draw(others))))
    found = ctc.spliced_log_probs(ctc.lattice(problem.log_probs, problem.labels, problem.blank_id), splices)
    assert found.shape == (len(splices),)
    rows = problem.log_probs.tolist()
    for splice, log_prob in zip(splices, found, strict=True):
        made = (*problem.labels[: splice.start], *splice.labels, *problem.labels[splice.end :])
        same(log_prob, oracles.ctc_forward(rows, made, problem.blank_id))


def test_no_frames_hold_no_splice_and_many_splices_are_as_good_as_few() -> None:
    splice = ctc.Splice(start=0, end=1, labels=(2,))
    assert ctc.spliced_log_probs(ctc.lattice(np.empty((0, 3)), [1]), [splice]).tolist() == [-np.inf]
    around = ctc.lattice(random_log_probs(0, 6, 3), [1, 2])
    alone = [ctc.spliced_log_probs(around, [ctc.Splice(start=k % 2, end=2, labels=(1 + k % 2,))])[0] for k in (0, 1)]
    many = [ctc.Splice(start=k % 2, end=2, labels=(1 + k % 2,)) for k in range(150)]
    same(ctc.spliced_log_probs(around, many), np.tile(alone, 75))


def test_splices_that_are_none_are_refused() -> None:
    around = ctc.lattice(np.log([[0.5, 0.5]]), [1])
    for start, end, labels in ((0, 1, ()), (0, 2, (1,)), (1, 0, (1,)), (-1, 0, (1,))):
        with pytest.raises(ValueError, match="splices are"):
            ctc.spliced_log_probs(around, [ctc.Splice(start=start, end=end, labels=labels)])


@patient
@given(problems())
def test_viterbi_is_the_best_path(problem: Problem) -> None:
    rows, labels, blank_id = problem.log_probs.tolist(), problem.labels, problem.blank_id
    alignment = ctc.viterbi(problem.log_probs, labels, blank_id)
    same(alignment.log_prob, oracles.best_path_log_prob(rows, labels, blank_id))
    if alignment.log_prob == -np.inf:
        assert (alignment.positions == -1).all()
        assert (alignment.spans == 0).all()
        return
    path = [blank_id if s < 0 else labels[s] for s in alignment.positions]
    assert oracles.collapse(path, blank_id) == labels
    assert oracles.owners(path, blank_id) == alignment.positions.tolist()
    same(sum(row[symbol] for row, symbol in zip(rows, path, strict=True)), alignment.log_prob)
    for s, (start, end) in enumerate(alignment.spans):
        assert np.flatnonzero(alignment.positions == s).tolist() == list(range(start, end))


@patient
@given(problems(POSSIBLE_LOG_WEIGHT))
def test_viterbi_bounds_forward_and_equals_it_when_frames_are_scarce(problem: Problem) -> None:
    arguments = problem.log_probs, problem.labels, problem.blank_id
    best, total = ctc.viterbi(*arguments).log_prob, ctc.forward_log_prob(*arguments)
    T, needed = len(problem.log_probs), ctc.min_frames(problem.labels)
    assert best <= total + 1e-12
    assert (total == -np.inf) == (needed > T)
    if needed == T:
        same(best, total)


@patient
@given(problems(), st.randoms(use_true_random=False))
def test_reversal_and_relabelling_change_nothing(problem: Problem, random: object) -> None:
    log_prob = ctc.forward_log_prob(problem.log_probs, problem.labels, problem.blank_id)
    same(ctc.forward_log_prob(problem.log_probs[::-1], problem.labels[::-1], problem.blank_id), log_prob)
    V = problem.log_probs.shape[1]
    new_ids = list(range(V))
    random.shuffle(new_ids)  # type: ignore[attr-defined]
    relabelled = np.empty_like(problem.log_probs)
    relabelled[:, new_ids] = problem.log_probs
    labels = [new_ids[label] for label in problem.labels]
    same(ctc.forward_log_prob(relabelled, labels, new_ids[problem.blank_id]), log_prob)


@patient
@given(problems())
def test_a_certain_blank_at_the_end_changes_nothing(problem: Problem) -> None:
    blank = np.full((1, problem.log_probs.shape[1]), -np.inf)
    blank[0, problem.blank_id] = 0.0
    log_prob = ctc.forward_log_prob(problem.log_probs, problem.labels, problem.blank_id)
    longer = np.vstack([problem.log_probs, blank])
    same(ctc.forward_log_prob(longer, problem.labels, problem.blank_id), log_prob)


def test_a_certain_blank_in_the_middle_parts_repeats() -> None:
    half = np.log([0.5, 0.5])
    blank = np.array([0.0, -np.inf])
    same(ctc.forward_log_prob([half, half], [1], 0), np.log(0.75))
    same(ctc.forward_log_prob([half, blank, half], [1], 0), np.log(0.5))
    same(ctc.forward_log_prob([half, blank, half], [1, 1], 0), np.log(0.25))


@patient
@given(problems())
def test_probabilities_of_all_sequences_sum_to_one(problem: Problem) -> None:
    T, V = problem.log_probs.shape
    symbols = [v for v in range(V) if v != problem.blank_id]
    sequences = itertools.chain.from_iterable(itertools.product(symbols, repeat=n) for n in range(min(T, 4) + 1))
    frames = problem.log_probs[:4]
    total = sum(np.exp(ctc.forward_log_prob(frames, labels, problem.blank_id)) for labels in sequences)
    same(total, 1.0)


@pytest.mark.parametrize("peakiness", [0.1, 3.0, 60.0, 600.0])
def test_long_and_peaky_recordings_keep_every_digit(peakiness: float) -> None:
    # Per-frame scaling of probabilities fails silently here.
    log_probs = random_log_probs(1, T=400, V=42, peakiness=peakiness)
    labels = np.random.default_rng(2).integers(1, 42, 60)
    truth = oracles.ctc_forward(log_probs.tolist(), labels.tolist(), 0)
    lattice = ctc.lattice(log_probs, labels)
    assert lattice.log_prob == pytest.approx(truth, rel=1e-13)
    assert ctc.forward_log_prob(log_probs, labels) == lattice.log_prob
    np.testing.assert_allclose(lattice.occupancies().sum(axis=1), 1.0, rtol=1e-9)


def test_two_thousand_frames() -> None:
    log_probs = random_log_probs(3, T=2000, V=40)
    labels = np.random.default_rng(4).integers(1, 40, 100)
    lattice = ctc.lattice(log_probs, labels)
    assert lattice.log_prob == pytest.approx(oracles.ctc_forward(log_probs.tolist(), labels.tolist(), 0), rel=1e-13)
    assert lattice.occupancies().sum() == pytest.approx(2000.0, rel=1e-9)
    alignment = ctc.viterbi(log_probs, labels)
    assert alignment.log_prob < lattice.log_prob
    path = np.append(labels, 0)[alignment.positions]
    assert oracles.collapse(path.tolist(), 0) == tuple(labels)
    same(log_probs[np.arange(2000), path].sum(), alignment.log_prob)


def test_planted_boundaries_are_found() -> None:
    planted = [0, 3, 3, 3, 0, 0, 1, 2, 2, 0]
    log_probs = np.log(np.where(np.arange(4) == np.array(planted)[:, None], 0.97, 0.01))
    alignment = ctc.viterbi(log_probs, [3, 1, 2])
    assert alignment.spans.tolist() == [[1, 4], [6, 7], [7, 9]]
    np.testing.assert_allclose(ctc.lattice(log_probs, [3, 1, 2]).expected_durations(), [3, 1, 2], atol=0.15)


@pytest.mark.parametrize(("labels", "frames"), [([], 0), ([5], 1), ([5, 5], 3), ([1, 2, 2, 2, 1], 7)])
def test_min_frames(labels: list[int], frames: int) -> None:
    assert ctc.min_frames(labels) == frames


def test_no_labels_and_no_frames() -> None:
    log_probs = np.log([[0.25, 0.75], [0.5, 0.5]])
    same(ctc.lattice(log_probs, []).log_prob, np.log(0.125))
    assert ctc.lattice(log_probs, []).expected_durations().shape == (0,)
    assert ctc.viterbi(log_probs, []).positions.tolist() == [-1, -1]
    for labels, truth in (([], 0.0), ([1], -np.inf)):
        assert ctc.lattice(np.zeros((0, 2)), labels).log_prob == truth
        assert ctc.forward_log_prob(np.zeros((0, 2)), labels) == truth
        assert ctc.viterbi(np.zeros((0, 2)), labels).log_prob == truth
        assert ctc.lattice(np.zeros((0, 2)), labels).occupancies().shape == (0, 2 * len(labels) + 1)


def test_single_precision_input_is_computed_in_double_and_left_alone() -> None:
    log_probs = random_log_probs(5, T=50, V=6).astype(np.float32)
    before = log_probs.copy()
    lattice = ctc.lattice(log_probs, [1, 2, 3])
    assert lattice.alpha.dtype == lattice.beta.dtype == np.float64
    assert lattice.log_prob == ctc.lattice(log_probs.astype(np.float64), [1, 2, 3]).log_prob
    np.testing.assert_array_equal(log_probs, before)


@pytest.mark.parametrize(
    ("log_probs", "labels", "blank_id", "message"),
    [
        (np.zeros(3), [1], 0, r"shape \(3,\); expected \(T, V\)"),
        (np.full((2, 3), np.nan), [1], 0, "NaN"),
        (np.full((2, 3), np.inf), [1], 0, "inf"),
        (np.zeros((2, 3)), [1], 3, "blank_id is 3; expected a column of log_probs, 0 to 2"),
        (np.zeros((2, 3)), [1, 3], 0, r"labels are \[1, 3\]; expected ids from 0 to 2"),
        (np.zeros((2, 3)), [-1], 0, r"labels are \[-1\]"),
        (np.zeros((2, 3)), [0], 0, "without the blank 0"),
    ],
)
@pytest.mark.parametrize("function", [ctc.lattice, ctc.forward_log_prob, ctc.viterbi])
def test_what_is_no_ctc_problem_is_refused(
    function: object, log_probs: np.ndarray, labels: list[int], blank_id: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(log_probs, labels, blank_id)  # type: ignore[operator]


def test_logsumexp() -> None:
    same(ctc.logsumexp(np.array([[-np.inf, 0.0], [-np.inf, -2000.0]])), [-np.inf, 0.0])
    same(ctc.logsumexp(np.log([[0.2, 0.3]]), axis=1), np.log([0.5]))
    assert ctc.logsumexp(np.zeros((0, 3))).tolist() == [-np.inf] * 3
