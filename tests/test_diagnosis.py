"""Diagnosis: what is planted in the posteriors is named, and nothing else is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.ctc import forward_log_prob, min_frames
from elocute.diagnosis import (
    CLEAR_FROM,
    OMITTED_BELOW,
    Detector,
    Diagnosis,
    detector_inputs,
    diagnose,
    left_out,
    omission_gain,
    omitted_words,
    said_instead,
)
from elocute.gop import Alternatives, alternatives, gop_sf, perceived_posterior
from elocute.phones import PHONES
from elocute.types import PhoneSet, Posteriors
from planted import heard

TEXT = ["DH", "AH", "B", "L", "AE", "K", "HH", "AE", "T"]  # "the black hat"
CAT = [*TEXT[:6], "K", *TEXT[7:]]
WORDS = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
PHONE_SET: PhoneSet = heard([]).phone_set
DETECTOR = Detector(bias=5.0, weights=(-8.0, 0.0, -1.0, 0.0, 1.0), threshold=0.5, omission_nats_per_phone=3.0)
"""Flags a phone that the scorer dislikes, one that the lattice does not hear, and one that the scorer calls wrong."""
UNDECIDED = np.zeros(len(TEXT))
"""Log-odds of an error by which the scorer says nothing."""


def edits_of(posteriors: Posteriors, symbols: list[str]) -> Alternatives:
    return alternatives(posteriors.log_probs, [PHONE_SET.id_of(symbol) for symbol in symbols], PHONE_SET)


def diagnosed(said: list[str], score: np.ndarray | None = None, log_odds: np.ndarray = UNDECIDED) -> Diagnosis:
    score = np.ones(len(TEXT)) if score is None else score
    return diagnose(edits_of(heard(said), TEXT), score, log_odds, WORDS, PHONES, DETECTOR)


def errors(found: Diagnosis) -> dict[int, tuple[str | None, str | None]]:
    return {i: (phone.error, phone.actual) for i, phone in enumerate(found.phones) if phone.error is not None}


def test_what_is_said_right_is_not_flagged():
    found = diagnosed(TEXT)
    assert errors(found) == {}
    assert [phone.actual for phone in found.phones] == TEXT
    assert [phone.nbest[0][0] for phone in found.phones] == TEXT
    assert not found.omitted.any()


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_a_planted_substitution_is_named(place: int):
    found = diagnosed([*TEXT[:place], "SH", *TEXT[place + 1 :]])
    assert errors(found) == {place: ("substitution", "SH")}
    assert found.phones[place].nbest[0][0] == "SH"
    assert found.phones[place].probability == max(phone.probability for phone in found.phones)
    assert not found.omitted.any()


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_a_planted_deletion_is_named(place: int):
    found = diagnosed(TEXT[:place] + TEXT[place + 1 :])
    assert errors(found) == {place: ("deletion", None)}
    others = [name for name, _ in found.phones[place].nbest if name != TEXT[place]]
    assert others[0] is None


@pytest.mark.parametrize("place", range(len(CAT)))
def test_beside_equal_neighbours_the_error_is_still_the_surest(place: int):
    """ "SH K" may also be "K" heard late: the neighbour can be doubted, but less."""
    edits = edits_of(heard([*CAT[:place], "SH", *CAT[place + 1 :]]), CAT)
    found = diagnose(edits, np.ones(len(CAT)), UNDECIDED, WORDS, PHONES, DETECTOR)
    assert errors(found)[place] == ("substitution", "SH")
    assert found.phones[place].probability == max(phone.probability for phone in found.phones)


def test_one_of_two_equal_neighbours_left_out_is_a_deletion_of_either():
    edits = edits_of(heard(CAT[:5] + CAT[6:]), CAT)
    found = diagnose(edits, np.ones(len(CAT)), UNDECIDED, WORDS, PHONES, DETECTOR)
    assert set(errors(found).values()) == {("deletion", None)}
    assert set(errors(found)) <= {5, 6}


def test_a_phone_that_is_heard_but_disliked_is_a_distortion():
    score = np.ones(len(TEXT))
    score[4] = 0.1
    found = diagnosed(TEXT, score)
    assert errors(found) == {4: ("distortion", "AE")}
    assert found.phones[4].probability > 0.9


def test_a_phone_that_the_scorer_calls_wrong_is_flagged():
    log_odds = UNDECIDED.copy()
    log_odds[7] = 6.0
    found = diagnosed(TEXT, log_odds=log_odds)
    assert errors(found) == {7: ("distortion", "AE")}
    assert diagnosed(TEXT).phones[7].probability < 0.1 < found.phones[7].probability


@pytest.mark.parametrize("word", [0, 1, 2])
def test_a_word_that_is_left_out_is_an_omission(word: int):
    said = [symbol for symbol, number in zip(TEXT, WORDS, strict=True) if number != word]
    found = diagnosed(said, np.where(word == WORDS, 0.2, 1.0))
    assert found.omitted.tolist() == [number == word for number in range(3)]
    gain = omission_gain(edits_of(heard(said), TEXT).lattice, WORDS)
    assert gain.argmax() == word


def decide(found: Alternatives, score: np.ndarray, nats: float, certainty: float = 0.5) -> list[bool]:
    """Words left out where the phones of what was said are this sure; half is not clear speech."""
    posterior = np.full((len(TEXT), len(PHONES) + 1), (1 - certainty) / len(PHONES))
    posterior[np.arange(len(TEXT)), found.canonical] = certainty
    return left_out(found.lattice, posterior, found.canonical, WORDS, score, nats).tolist()


@pytest.mark.parametrize("word", [0, 1, 2])
def test_a_word_is_left_out_only_where_lattice_and_scorer_agree(word: int):
    without = edits_of(heard([symbol for symbol, n in zip(TEXT, WORDS, strict=True) if n != word]), TEXT)
    whole = edits_of(heard(TEXT), TEXT)
    nats = DETECTOR.omission_nats_per_phone
    liked, disliked = np.ones(len(TEXT)), np.where(word == WORDS, 0.2, 1.0)
    assert decide(without, disliked, nats) == [number == word for number in range(3)]
    assert not any(decide(without, liked, nats))
    assert not any(decide(whole, disliked, nats))
    assert not any(decide(whole, np.zeros(len(TEXT)), nats))
    assert not any(decide(without, disliked, 1000.0))


@pytest.mark.parametrize("word", [0, 1, 2])
def test_in_clear_speech_the_lattice_decides_alone(word: int):
    """The scorer likes everything; nothing is heard of one word, and the rest is heard more or less surely."""
    found = edits_of(heard([symbol for symbol, n in zip(TEXT, WORDS, strict=True) if n != word]), TEXT)
    nats, liked = DETECTOR.omission_nats_per_phone, np.ones(len(TEXT))
    for certainty, expected in ((CLEAR_FROM + 0.05, True), (CLEAR_FROM - 0.05, False)):
        posterior = np.zeros((len(TEXT), len(PHONES) + 1))
        posterior[np.arange(len(TEXT)), found.canonical] = certainty
        posterior[word == WORDS] = 0.0
        posterior[word == WORDS, -1] = 1.0
        decided = left_out(found.lattice, posterior, found.canonical, WORDS, liked, nats)
        assert decided.tolist() == [expected and number == word for number in range(3)]
        posterior[np.flatnonzero(word == WORDS)[0], -1] = 0.4  # one of its phones is rather heard
        assert not left_out(found.lattice, posterior, found.canonical, WORDS, liked, nats).any()


def test_what_decides_is_the_mean_score_of_a_word():
    """One good phone does not save a word, nor does one bad phone lose it."""
    found = edits_of(heard(TEXT[:2] + TEXT[6:]), TEXT)
    assert omitted_words(found.lattice, WORDS, 3.0).tolist() == [False, True, False]
    score = np.ones(len(TEXT))
    for mean, expected in ((OMITTED_BELOW - 0.01, True), (OMITTED_BELOW + 0.01, False)):
        rest = (4 * mean - 1.0) / 3
        score[2:6] = [1.0, rest, rest, rest]
        assert decide(found, score, 3.0)[1] == expected
        score[2:6] = [0.0, *[4 * mean / 3] * 3]
        assert decide(found, score, 3.0)[1] == expected
    score[2:6] = OMITTED_BELOW  # at the bound it was said
    assert not any(decide(found, score, 3.0))
    score[2:6] = OMITTED_BELOW - 1e-6
    assert decide(found, score, 3.0) == [False, True, False]


def said_at_one_place(posterior: np.ndarray, canonical: int, flagged: bool) -> int:
    """The rule for a single phone, in plain steps."""
    if not flagged:
        return canonical
    others = [(share, -k) for k, share in enumerate(posterior.tolist()) if k != canonical]
    share, place = max(others)  # of equal ones the first
    return canonical if posterior[canonical] >= share else -place


@settings(max_examples=200, deadline=None)
@given(data=st.data(), K=st.integers(2, 6), L=st.integers(1, 5))
def test_what_was_said_instead_is_decided_phone_by_phone(data: st.DataObject, K: int, L: int):
    """Coarse shares, so that equal ones and certain ones are common."""
    shares = st.lists(st.integers(0, 3), min_size=K, max_size=K).filter(any)
    counts = np.array(data.draw(st.lists(shares, min_size=L, max_size=L)), dtype=np.float64)
    posterior = counts / counts.sum(axis=1, keepdims=True)
    canonical = np.array(data.draw(st.lists(st.integers(0, K - 1), min_size=L, max_size=L)))
    flagged = np.array(data.draw(st.lists(st.booleans(), min_size=L, max_size=L)))
    before = posterior.copy()
    found = said_instead(posterior, canonical, flagged)
    assert found.tolist() == [said_at_one_place(*place) for place in zip(posterior, canonical, flagged, strict=True)]
    np.testing.assert_array_equal(posterior, before)


def test_what_was_said_instead_is_what_the_diagnosis_names():
    edits = edits_of(heard([*TEXT[:4], "IY", *TEXT[5:8]]), TEXT)  # one phone wrong, the last one missing
    found = diagnose(edits, np.ones(len(TEXT)), UNDECIDED, WORDS, PHONES, DETECTOR)
    flagged = np.array([phone.error is not None for phone in found.phones])
    said = said_instead(perceived_posterior(edits), edits.canonical, flagged)
    assert [phone.actual for phone in found.phones] == [(*PHONES, None)[k] for k in said]
    assert [phone.actual for phone in found.phones] == [*TEXT[:4], "IY", *TEXT[5:8], None]


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(st.lists(st.sampled_from(["K", "AE", "T"]), min_size=1, max_size=3), min_size=2, max_size=4),
    extra=st.integers(0, 12),
    sharpness=st.sampled_from([0.0, 1.0, 6.0]),
    seed=st.integers(0, 99),
)
def test_omission_gain_is_the_ratio_of_two_forward_passes(
    words: list[list[str]], extra: int, sharpness: float, seed: int
):
    """Equal phones on both sides of the word included, and rests that the frames cannot spell."""
    labels = [[PHONES.index(symbol) + 1 for symbol in word] for word in words]
    T = min_frames(sum(labels, [])) + extra
    logits = sharpness * np.random.default_rng(seed).normal(size=(T, 40))
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    found = alternatives(log_probs, [label - 1 for label in sum(labels, [])], PHONE_SET)
    word_ids = np.repeat(np.arange(len(words)), [len(word) for word in words])
    gain = omission_gain(found.lattice, word_ids)
    for number in range(len(words)):
        rest = sum(labels[:number] + labels[number + 1 :], [])
        assert gain[number] == pytest.approx(forward_log_prob(log_probs, rest) - found.log_prob, abs=1e-9)


def test_a_text_of_one_word_is_never_left_out():
    found = edits_of(heard(["SH"], 1.0), ["K", "AE", "T"])
    ids = np.zeros(3, dtype=np.int64)
    assert omission_gain(found.lattice, ids).tolist() == [-math.inf]
    assert diagnose(found, np.zeros(3), np.zeros(3), ids, PHONES, DETECTOR).omitted.tolist() == [False]


def test_a_word_without_which_the_rest_cannot_be_spelled_is_kept():
    """Without "AH", a blank would have to part K from K."""
    log_probs = np.log(np.full((3, 40), 1e-30))
    for frame, symbol in enumerate(("K", "AH", "K")):
        log_probs[frame, PHONES.index(symbol) + 1] = 0.0
    log_probs[:, 0] = -np.inf  # no blank can part K from K
    found = alternatives(log_probs, [PHONES.index(symbol) for symbol in ("K", "AH", "K")], PHONE_SET)
    assert omission_gain(found.lattice, np.array([0, 1, 2]))[1] == -np.inf


def test_inputs_of_the_detector():
    found = edits_of(heard([*TEXT[:4], "IY", *TEXT[5:]]), TEXT)
    score = np.linspace(0, 1, len(TEXT))
    log_odds = np.linspace(-6, 4, len(TEXT))
    inputs = detector_inputs(score, log_odds, gop_sf(found, "SD"))
    assert inputs.shape == (len(TEXT), 5)
    np.testing.assert_allclose(inputs[:, 0], score)
    np.testing.assert_allclose(inputs[:, 1], score**2)
    np.testing.assert_allclose(inputs[:, 2], np.maximum(gop_sf(found, "SD"), -12.0), atol=1e-9)
    np.testing.assert_allclose(inputs[:, 3], score * inputs[:, 2])
    np.testing.assert_allclose(inputs[:, 4], log_odds)
    assert inputs[:, 2].argmin() == 4


def test_the_probability_is_the_logistic_function():
    inputs = np.array([[0.5, 0.25, -1.0, -0.5, 2.0], [1.0, 1.0, 0.0, 0.0, -3.0]])
    z = 5.0 - 8.0 * inputs[:, 0] - inputs[:, 2] + inputs[:, 4]
    np.testing.assert_allclose(DETECTOR.probability(inputs), [1 / (1 + math.exp(-x)) for x in z])


@pytest.mark.parametrize("bias", [-2000.0, 2000.0])
def test_a_detector_that_is_certain_says_so_without_overflow(bias: float):
    certain = Detector(bias=bias, weights=(0.0,) * 5, threshold=0.5, omission_nats_per_phone=3.0)
    assert certain.probability(np.zeros((1, 5))).tolist() == [float(bias > 0)]


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.sampled_from(PHONES), min_size=1, max_size=9),
    score=st.lists(st.floats(0, 1), min_size=len(TEXT), max_size=len(TEXT)),
    log_odds=st.lists(st.floats(-50, 50), min_size=len(TEXT), max_size=len(TEXT)),
    certainty=st.sampled_from([0.03, 0.3, 0.9, 0.9999]),
    nbest=st.integers(1, 45),
)
def test_whatever_is_said(said: list[str], score: list[float], log_odds: list[float], certainty: float, nbest: int):
    edits = edits_of(heard(said, 1.0, certainty), TEXT)
    found = diagnose(edits, np.array(score), np.array(log_odds), WORDS, PHONES, DETECTOR, nbest)
    assert found.omitted.shape == (3,)
    for symbol, phone in zip(TEXT, found.phones, strict=True):
        assert 0 <= phone.probability <= 1
        names, shares = zip(*phone.nbest, strict=True)
        assert len(names) == len(set(names)) == min(nbest, 40)
        assert all(0 <= share <= 1 for share in shares)
        assert sum(shares) <= 1 + 1e-9
        assert list(shares) == sorted(shares, reverse=True)
        if nbest >= 40:
            assert dict(phone.nbest)[symbol] == pytest.approx(1 - phone.probability)
            assert sum(shares) == pytest.approx(1, abs=1e-6)
        assert (phone.error is None) == (phone.probability < DETECTOR.threshold)
        if phone.error in (None, "distortion"):
            assert phone.actual == symbol
        elif phone.error == "deletion":
            assert phone.actual is None
        else:
            assert phone.error == "substitution"
            assert phone.actual not in (None, symbol)
