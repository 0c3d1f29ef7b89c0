"""Step 5: every alternative against the enumeration of all paths, every score against its definition."""

from __future__ import annotations

import doctest
import importlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
from ctc_problems import PhoneProblem, normalised, one_label_phones, patient, phone_problems, random_log_probs
from elocute import ctc, gop
from elocute.errors import AlignmentError, ConfigError, PhoneError
from elocute.gop import edits
from elocute.types import PhoneSet


def same(ours: object, theirs: object) -> None:
    """Equal to rounding, infinities included."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-10)


def solved(problem: PhoneProblem) -> gop.Alternatives | None:
    """The alternatives; None, as all paths must confirm, where the canonical phones are impossible."""
    try:
        return gop.alternatives(problem.log_probs, problem.canonical, problem.phone_set)
    except AlignmentError:
        truth = oracles.sequence_log_probs(problem.log_probs.tolist(), problem.phone_set.blank_id)
        assert truth.get(problem.spell(problem.canonical), -np.inf) == -np.inf
        return None


def check_against_all_paths(problem: PhoneProblem) -> None:
    found = solved(problem)
    if found is None:
        return
    canonical, blank_id, rows = problem.canonical, problem.phone_set.blank_id, problem.log_probs.tolist()
    truth = oracles.sequence_log_probs(rows, blank_id)
    L, K = len(canonical), len(problem.phone_set.symbols)

    def log_prob(phones: list[int]) -> float:
        return truth.get(problem.spell(phones), -np.inf)

    same(found.log_prob, log_prob(canonical))
    same(found.substitution, [[log_prob([*canonical[:i], k, *canonical[i + 1 :]]) for k in range(K)] for i in range(L)])
    same(found.deletion, [log_prob([*canonical[:i], *canonical[i + 1 :]]) for i in range(L)])
    same(found.insertion, [[log_prob([*canonical[:j], k, *canonical[j:]]) for k in range(K)] for j in range(L + 1)])
    for i in range(L):
        before, after = problem.spell(canonical[:i]), problem.spell(canonical[i + 1 :])
        same(found.any_string[i], oracles.any_string_log_prob(rows, before, after, blank_id))
    per_label = oracles.expected_durations(rows, problem.spell(canonical), blank_id)
    bounds = np.cumsum([0, *(len(problem.phone_set.tokens[k]) for k in canonical)])
    same(found.durations, [sum(per_label[a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)])


@patient
@given(phone_problems(max_labels_per_phone=1))
def test_every_alternative_is_the_sum_over_all_paths(problem: PhoneProblem) -> None:
    check_against_all_paths(problem)


@patient
@given(phone_problems(max_labels_per_phone=3))
def test_every_alternative_of_phones_spelled_by_several_labels(problem: PhoneProblem) -> None:
    check_against_all_paths(problem)


@pytest.mark.parametrize("peakiness", [0.5, 5.0, 60.0])
def test_alternatives_equal_one_forward_pass_each(peakiness: float) -> None:
    # Long enough for several blocks of frames, with repeats, phones of one to three labels that share them.
    tokens = ((1,), (2,), (3,), (1, 2), (2, 2), (3, 1, 3), (4,))
    phone_set = PhoneSet(symbols=tuple("ABCDEFG"), tokens=tokens, size=6, blank_id=5)
    log_probs = random_log_probs(11, T=75, V=6, peakiness=peakiness)
    canonical = [0, 0, 3, 4, 1, 5, 5, 2, 6]
    found = gop.alternatives(log_probs, canonical, phone_set)
    rows = log_probs.tolist()

    def log_prob(*phones: int) -> float:
        return oracles.ctc_forward(rows, [label for k in phones for label in tokens[k]], 5)

    for i in range(len(canonical)):
        before, after = canonical[:i], canonical[i + 1 :]
        same(found.deletion[i], log_prob(*before, *after))
        same(found.substitution[i], [log_prob(*before, k, *after) for k in range(len(tokens))])
    for j in range(len(canonical) + 1):
        same(found.insertion[j], [log_prob(*canonical[:j], k, *canonical[j:]) for k in range(len(tokens))])
    same(found.substitution[np.arange(9), canonical], found.log_prob)


@pytest.mark.parametrize("peakiness", [0.5, 5.0, 60.0, 600.0])
def test_with_and_without_logarithms_the_sums_are_the_same(peakiness: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # Gaps full of repeats, all of a phone's neighbours, frames that no phone can have said.
    log_probs = random_log_probs(12, T=200, V=8, peakiness=peakiness)
    log_probs[90:93] = np.where(np.arange(8) == 0, 0.0, -np.inf)
    canonical = [2, 2, 2, 0, 1, 0, 6, 5, 5, 3]
    quick = gop.alternatives(log_probs, canonical, one_label_phones(7))
    monkeypatch.setattr(edits, "TRUSTED", np.inf)
    in_logs = gop.alternatives(log_probs, canonical, one_label_phones(7))
    for name in ("substitution", "insertion"):
        np.testing.assert_allclose(getattr(quick, name), getattr(in_logs, name), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("cost", [11.0, 14.1, 14.5, 14.8, 40.0])
def test_what_vanishes_as_a_probability_is_still_exact(cost: float) -> None:
    # Between the first and the last frame, fifty can say phone 1, for certain, or phone 3, at e^-cost each. In all that
    # is e^-550, a probability; e^-705, e^-725 and e^-740, which a float64 holds with few digits or none; e^-2000.
    log_probs = np.full((52, 5), -np.inf)
    log_probs[0, 1] = log_probs[-1, 3] = 0.0
    log_probs[1:-1, [2, 4]] = [0.0, -cost]
    found = gop.alternatives(log_probs, [0, 1, 2], one_label_phones(4))
    same(found.substitution[1], [-np.inf, 0.0, -np.inf, -50 * cost])
    same(found.insertion[1, 3], np.logaddexp.reduce(-cost * np.arange(1, 50)))


def test_rows_need_not_sum_to_one() -> None:
    log_probs = random_log_probs(13, T=5, V=3) + np.random.default_rng(14).normal(size=(5, 1))
    found = gop.alternatives(log_probs, [1, 0, 1], one_label_phones(2))
    rows = log_probs.tolist()
    labels = (2, 1, 2)
    for i in range(3):
        same(found.any_string[i], oracles.any_string_log_prob(rows, labels[:i], labels[i + 1 :], 0))
        deleted = (*labels[:i], *labels[i + 1 :])
        same(found.deletion[i], oracles.ctc_forward(rows, deleted, 0))


@patient
@given(phone_problems(max_labels_per_phone=2))
def test_everything_mirrors_when_time_runs_backwards(problem: PhoneProblem) -> None:
    found = solved(problem)
    if found is None:
        return
    mirrored_set = PhoneSet(
        symbols=problem.phone_set.symbols,
        tokens=tuple(tokens[::-1] for tokens in problem.phone_set.tokens),
        size=problem.phone_set.size,
        blank_id=problem.phone_set.blank_id,
    )
    mirrored = gop.alternatives(problem.log_probs[::-1], problem.canonical[::-1], mirrored_set)
    for name in ("substitution", "deletion", "insertion", "any_string", "durations"):
        same(getattr(mirrored, name)[::-1], getattr(found, name))


@patient
@given(phone_problems(max_labels_per_phone=2))
def test_scores_are_ordered_and_posteriors_sum_to_one(problem: PhoneProblem) -> None:
    found = solved(problem)
    if found is None:
        return
    s, sd, sdi = (gop.gop_sf(found, edits) for edits in ("S", "SD", "SDI"))
    assert (s <= 0.0).all()
    assert (sd <= s + 1e-10).all()  # the log probabilities reach -25,000
    assert (sdi <= sd + 1e-10).all()
    posterior = gop.perceived_posterior(found)
    assert posterior.shape == (len(problem.canonical), len(problem.phone_set.symbols) + 1)
    same(posterior.sum(axis=1), 1.0)
    same(posterior[np.arange(len(problem.canonical)), problem.canonical], np.exp(sd))


@pytest.mark.parametrize("module", ["elocute.gop.edits", "elocute.gop.free"])
def test_examples_in_docstrings(module: str) -> None:
    outcome = doctest.testmod(importlib.import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_scores_from_their_definitions() -> None:
    found = gop.alternatives(random_log_probs(21, T=30, V=5), [0, 3, 3, 1], one_label_phones(4))
    for i in range(4):
        substituted = np.logaddexp.reduce(found.substitution[i])
        same(gop.gop_sf(found, "S")[i], found.log_prob - substituted)
        same(gop.gop_sf(found, "SD")[i], found.log_prob - np.logaddexp(substituted, found.deletion[i]))
        same(gop.gop_sf(found, "SDI")[i], found.log_prob - found.any_string[i])
        same(gop.gop_sf_per_frame(found)[i], gop.gop_sf(found, "SD")[i] / found.durations[i])


def test_vector_is_log_posterior_then_ratios_then_duration() -> None:
    found = gop.alternatives(random_log_probs(22, T=60, V=40), [4, 7, 7], one_label_phones(39))
    vector = gop.gop_vector(found)
    assert vector.shape == (3, 41)
    same(vector[:, 0], found.log_prob)
    same(vector[:, 1], found.log_prob - found.deletion)
    same(vector[:, 2:], found.log_prob - found.substitution)
    same(vector[np.arange(3), 2 + found.canonical], 0.0)
    longer = gop.gop_vector(found, duration=True)
    assert longer.shape == (3, 42)
    same(longer[:, -1], found.durations)
    same(longer[:, :-1], vector)


def test_impossible_alternatives_keep_the_vector_finite() -> None:
    # Three frames for three phones: a substitution that repeats a neighbour would need a blank.
    found = gop.alternatives(random_log_probs(23, T=3, V=4), [0, 1, 2], one_label_phones(3))
    assert found.substitution[1, 0] == found.substitution[1, 2] == -np.inf
    assert (found.insertion == -np.inf).all()
    vector = gop.gop_vector(found, ceiling=50.0)
    assert vector[1, 2] == vector[1, 4] == 50.0
    assert np.isfinite(vector).all()
    same(gop.perceived_posterior(found)[1, [0, 2]], 0.0)


def test_prior_and_temperature() -> None:
    found = gop.alternatives(random_log_probs(24, T=12, V=4), [0, 2], one_label_phones(3))
    plain = gop.perceived_posterior(found)
    prior = np.array([[0.7, 0.1, 0.1, 0.1], [0.0, 0.2, 0.6, 0.2]])
    same(gop.perceived_posterior(found, prior), plain * prior / (plain * prior).sum(axis=1, keepdims=True))
    same(gop.perceived_posterior(found, prior[0]), plain * prior[0] / (plain * prior[0]).sum(axis=1, keepdims=True))
    flat = plain**0.25
    same(gop.perceived_posterior(found, temperature=4.0), flat / flat.sum(axis=1, keepdims=True))
    for wrong in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="temperature is .*; expected a positive number"):
            gop.perceived_posterior(found, temperature=wrong)
    with pytest.raises(ValueError, match=r"prior has shape \(3,\); expected \(2, 4\) or \(4,\)"):
        gop.perceived_posterior(found, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="negative"):
        gop.perceived_posterior(found, [1.0, -1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="rules out all .* phone 1"):
        gop.perceived_posterior(found, [[1, 1, 1, 1], [0, 0, 0, 0]])


def planted(said: list[int], K: int, confidence: float = 0.9) -> np.ndarray:
    """Posteriors of three frames a phone and one blank frame in between."""
    frames = [label for phone in said for label in (phone + 1, phone + 1, phone + 1, 0)]
    rest = (1.0 - confidence) / K
    return np.log(np.where(np.arange(K + 1) == np.array(frames)[:, None], confidence, rest))


def test_planted_substitution_deletion_and_insertion_are_found() -> None:
    canonical, phone_set = [0, 1, 2, 3, 4], one_label_phones(6)
    substituted = gop.alternatives(planted([0, 1, 5, 3, 4], 6), canonical, phone_set)
    assert gop.gop_sf(substituted).argmin() == 2
    assert gop.perceived_posterior(substituted).argmax(axis=1).tolist() == [0, 1, 5, 3, 4]
    deleted = gop.alternatives(planted([0, 1, 3, 4], 6), canonical, phone_set)
    assert gop.gop_sf(deleted).argmin() == 2
    assert gop.perceived_posterior(deleted)[2].argmax() == 6
    assert deleted.durations.argmin() == 2
    assert deleted.durations.min() >= 1.0 - 1e-12
    inserted = gop.alternatives(planted([0, 1, 5, 2, 3, 4], 6), canonical, phone_set)
    assert np.unravel_index(inserted.insertion.argmax(), inserted.insertion.shape) == (2, 5)
    assert inserted.insertion.max() > inserted.log_prob
    clean = gop.alternatives(planted(canonical, 6), canonical, phone_set)
    assert clean.insertion.max() < clean.log_prob
    np.testing.assert_allclose(clean.durations, 3.0, atol=0.2)


def test_long_recording_in_bounded_memory() -> None:
    log_probs = random_log_probs(31, T=2000, V=40)
    canonical = np.random.default_rng(32).integers(0, 39, 100)
    tracemalloc.start()
    found = gop.alternatives(log_probs, canonical, one_label_phones(39))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # all frames, gaps and phones at once would take 63 MB an array
    np.testing.assert_allclose(found.substitution[np.arange(100), canonical], found.log_prob, rtol=1e-12)
    for i, k in ((0, 5), (99, 17), (41, canonical[40])):
        labels = canonical + 1
        labels[i] = k + 1
        truth = oracles.ctc_forward(log_probs.tolist(), labels.tolist(), 0)
        assert found.substitution[i, k] == pytest.approx(truth, rel=1e-12)


def test_errors_name_frames_phones_and_what_to_do() -> None:
    phones = one_label_phones(3)
    message = "recording has 3 frames; its 3 phones need at least 4; record the whole text again"
    with pytest.raises(AlignmentError, match=message):
        gop.alternatives(random_log_probs(1, T=3, V=4), [0, 0, 2], phones)
    with pytest.raises(AlignmentError, match=message):
        gop.align_phones(random_log_probs(1, T=3, V=4), [0, 0, 2], phones)
    certain = normalised(np.full((5, 4), -np.inf))  # nothing but blanks
    with pytest.raises(AlignmentError, match="2 phones .*at least 2 frames.* 5 frames .* probability zero; check"):
        gop.alternatives(certain, [0, 1], phones)
    with pytest.raises(PhoneError, match=r"phone ids are \[0, 3\]; expected 0 to 2"):
        gop.alternatives(random_log_probs(1, T=9, V=4), [0, 3], phones)
    with pytest.raises(PhoneError, match=r"frames have shape \(9, 5\); the phone set expects \(T, 4\)"):
        gop.alternatives(random_log_probs(1, T=9, V=5), [0, 1], phones)
    with pytest.raises(PhoneError, match=r"frames have shape \(9, 5\); the phone set expects \(T, 4\)"):
        gop.align_phones(random_log_probs(1, T=9, V=5), [0, 1], phones)
    for tokens in (((1,), (1,)), ((1,), ())):
        ambiguous = PhoneSet(symbols=("A", "B"), tokens=tokens, size=3, blank_id=0)
        with pytest.raises(PhoneError, match="spelled alike, or one has no labels"):
            gop.alternatives(random_log_probs(1, T=9, V=3), [0], ambiguous)


def test_unknown_settings_are_refused() -> None:
    log_probs = random_log_probs(1, T=9, V=4)
    phones = one_label_phones(3)
    with pytest.raises(ConfigError, match="edits is 'DS'; expected one of S, SD, SDI"):
        gop.gop_sf(gop.alternatives(log_probs, [0], phones), "DS")  # type: ignore[arg-type]
    alignment = gop.align_phones(log_probs, [0], phones)
    with pytest.raises(ConfigError, match="average is 'max'; expected 'log_probs' or 'probs'"):
        gop.gop_sa(log_probs, alignment, phones, average="max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="8 frames were given with an alignment of 9"):
        gop.segment_lpp(log_probs[:8], alignment, phones)


def test_no_phones_leave_only_insertions() -> None:
    log_probs = random_log_probs(2, T=4, V=3)
    found = gop.alternatives(log_probs, [], one_label_phones(2))
    same(found.log_prob, log_probs[:, 0].sum())
    same(found.insertion, [[ctc.forward_log_prob(log_probs, [label]) for label in (1, 2)]])
    assert found.substitution.shape == (0, 2)
    assert gop.gop_sf(found).shape == (0,)
    assert gop.gop_vector(found).shape == (0, 4)
    nothing = gop.alternatives(np.zeros((0, 3)), [], one_label_phones(2))
    assert nothing.log_prob == 0.0
    assert nothing.insertion.tolist() == [[-np.inf, -np.inf]]


# Aligned scores. Phone 2 has two labels, label 5 is a special one that no phone uses.
PHONES = PhoneSet(symbols=("A", "B", "C"), tokens=((1,), (2,), (3, 1)), size=6, blank_id=0)


@patient
@given(st.integers(0, 10_000), st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_aligned_scores_from_their_definitions(seed: int, canonical: list[int]) -> None:
    logits = np.random.default_rng(seed).normal(size=(16, 6)) * 3.0
    log_probs = normalised(logits)
    alignment = gop.align_phones(log_probs, canonical, PHONES)
    lpp, lpr = gop.segment_lpp(log_probs, alignment, PHONES), gop.segment_lpr(log_probs, alignment, PHONES)
    sa = gop.gop_sa(log_probs, alignment, PHONES)
    sa_of_mean = gop.gop_sa(log_probs, alignment, PHONES, average="probs")
    scores = gop.logit_gop(logits, alignment, PHONES, margin_weight=0.3)
    probs = np.exp(log_probs)
    for i, phone in enumerate(canonical):
        frames = [t for t in range(16) if alignment.positions[t] == i]
        assert alignment.spans[i].tolist() == [frames[0], frames[-1] + 1]
        own = list(PHONES.tokens[phone])
        heard = {k: probs[frames][:, list(PHONES.tokens[k])].sum(axis=1) for k in range(3)}
        same(lpp[i], [np.log(heard[k]).mean() for k in range(3)])
        same(lpr[i], [np.log(heard[k]).mean() - np.log(heard[phone]).mean() for k in range(3)])
        same(sa[i], np.log(heard[phone]).mean())
        same(sa_of_mean[i], np.log(heard[phone].mean()))
        rivals = [label for label in (1, 2, 3) if label not in own]
        own_logit = logits[frames][:, own].max(axis=1)
        margin = (own_logit - logits[frames][:, rivals].max(axis=1)).mean()
        same(scores.max_logit[i], own_logit.max())
        same(scores.margin[i], margin)
        same(scores.variance[i], own_logit.var())
        same(scores.combined[i], 0.3 * margin + 0.7 * np.log(heard[phone].mean()))


def test_alignment_is_viterbi_over_the_labels() -> None:
    log_probs = random_log_probs(41, T=20, V=6)
    alignment = gop.align_phones(log_probs, [2, 0, 2], PHONES)
    best = ctc.viterbi(log_probs, [3, 1, 1, 3, 1], 0)
    assert alignment.log_prob == best.log_prob
    phone_of_label = {-1: -1, 0: 0, 1: 0, 2: 1, 3: 2, 4: 2}
    assert alignment.positions.tolist() == [phone_of_label[s] for s in best.positions.tolist()]


def test_blank_frames_between_phones_do_not_count() -> None:
    log_probs = planted([0, 1], 3, confidence=0.94)
    alignment = gop.align_phones(log_probs, [0, 1], one_label_phones(3))
    assert alignment.positions.tolist() == [0, 0, 0, -1, 1, 1, 1, -1]
    same(gop.gop_sa(log_probs, alignment, one_label_phones(3)), np.log(0.94))
    assert gop.segment_lpr(log_probs, alignment, one_label_phones(3)).argmax(axis=1).tolist() == [0, 1]


def test_logit_scores_of_one_frame_and_of_a_dominant_blank() -> None:
    phones = one_label_phones(2)
    logits = np.array([[9.0, -5.0, -5.0], [8.0, 9.0, 1.0], [9.0, -5.0, -5.0]])
    alignment = gop.align_phones(normalised(logits), [0], phones)
    scores = gop.logit_gop(logits, alignment, phones)
    assert alignment.spans.tolist() == [[1, 2]]
    assert scores.max_logit.tolist() == [9.0]
    assert scores.margin.tolist() == [8.0]  # against the other phone, not the blank
    assert scores.variance.tolist() == [0.0]
    with pytest.raises(ValueError, match="logits hold NaN or infinity"):
        gop.logit_gop(np.where(logits == 1.0, -np.inf, logits), alignment, phones)
