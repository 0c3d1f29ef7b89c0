"""Diagnosis: what is planted in the posteriors is named, and nothing else is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.diagnosis import (
    CLEAR_FROM,
    CONTRADICTED_BELOW,
    INSERTED_FROM,
    MISREAD_BELOW,
    MISSING_FROM,
    OMITTED_BELOW,
    SAID_FLOOR,
    WHOLE_PART,
    Detector,
    Diagnosis,
    detector_inputs,
    diagnose,
    if_wrong,
    inserted_phones,
    left_out,
    misread_words,
    own_posterior,
    said_instead,
)
from elocute.errors import ConfigError
from elocute.gop import EditPrior, Said, said_posterior
from elocute.phones import PHONES
from elocute.types import PhoneSet
from planted import heard

TEXT = ["DH", "AH", "B", "L", "AE", "K", "HH", "AE", "T"]  # "the black hat"
CAT = [*TEXT[:6], "K", *TEXT[7:]]
WORDS = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
ONE = np.zeros(1, dtype=np.int64)
PHONE_SET: PhoneSet = heard([]).phone_set
PRIOR = EditPrior.flat(len(PHONES))
K = len(PHONES)
DETECTOR = Detector(bias=0.5, weights=(1.0, -4.0, -1.0), thresholds=(0.8, 0.5, 0.3, 0.1))
"""Flags a phone that the scorer dislikes, one that the lattice does not hear, and one that the scorer calls wrong."""
ODDS = Detector(bias=0.0, weights=(1.0, 0.0, 0.0), thresholds=(0.8, 0.5, 0.3, 0.1))
"""States just what the scorer says."""
UNDECIDED = np.zeros(len(TEXT))
"""Log-odds of an error by which the scorer says nothing."""


def ids(symbols: list[str]) -> np.ndarray:
    return np.array([PHONE_SET.id_of(symbol) for symbol in symbols])


def said_for(symbols: list[str], said: list[str]) -> Said:
    """The lattice of a text in which other phones are spoken."""
    return said_posterior(heard(said, certainty=0.99999).log_probs, ids(symbols), PHONE_SET, PRIOR)


def diagnosed(said: list[str], score: np.ndarray | None = None, log_odds: np.ndarray = UNDECIDED) -> Diagnosis:
    score = np.ones(len(TEXT)) if score is None else score
    return diagnose(said_for(TEXT, said), ids(TEXT), score, log_odds, WORDS, PHONES, DETECTOR)


def errors(found: Diagnosis) -> dict[int, tuple[str | None, str | None]]:
    return {i: (phone.error, phone.actual) for i, phone in enumerate(found.phones) if phone.error is not None}


def certain(symbols: list[str], own: float = 0.999, **others: float) -> Said:
    """A lattice that is this sure of every canonical phone, the rest shared by these, "nothing" among them."""
    posterior = np.full((len(symbols), K + 1), 1e-9)
    shares = others or {"nothing": 1.0}
    for name, share in shares.items():
        posterior[:, K if name == "nothing" else PHONES.index(name)] = (1 - own) * share / sum(shares.values())
    posterior[np.arange(len(symbols)), ids(symbols)] = own
    return Said(
        posterior=posterior / posterior.sum(axis=1, keepdims=True),
        inserted=np.full((len(symbols) + 1, K), 1e-6),
        inserted_frame=np.full((len(symbols) + 1, K), np.nan),
        doubt=np.full(K, 0.06),
        log_evidence=-1.0,
    )


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


# --- the detector ----------------------------------------------------------------------------------------------


def test_inputs_of_the_detector():
    score, odds = np.linspace(0, 1, 4), np.linspace(-6, 4, 4)
    posterior = np.array([1.0, 0.5, SAID_FLOOR / 100, 0.0])
    inputs = detector_inputs(score, odds, posterior)
    assert inputs.shape == (4, 3)
    np.testing.assert_array_equal(inputs[:, 0], odds)
    np.testing.assert_array_equal(inputs[:, 1], score)
    np.testing.assert_allclose(inputs[:, 2], [0.0, math.log(0.5), math.log(SAID_FLOOR), math.log(SAID_FLOOR)])


def test_the_probability_is_the_logistic_function():
    inputs = np.array([[2.0, 0.5, -1.0], [-3.0, 1.0, 0.0]])
    z = 0.5 + inputs[:, 0] - 4.0 * inputs[:, 1] - inputs[:, 2]
    np.testing.assert_allclose(DETECTOR.probability(inputs), [1 / (1 + math.exp(-x)) for x in z])


@pytest.mark.parametrize("bias", [-2000.0, 2000.0])
def test_a_detector_that_is_certain_says_so_without_overflow(bias: float):
    sure = replace(DETECTOR, bias=bias, weights=(0.0,) * 3)
    assert sure.probability(np.zeros((1, 3))).tolist() == [float(bias > 0)]


@pytest.mark.parametrize(
    ("sensitivity", "flagged", "unsure"), [("low", 0.8, 0.5), ("normal", 0.5, 0.3), ("high", 0.3, 0.1)]
)
def test_each_sensitivity_flags_from_its_threshold_and_abstains_down_to_the_next(
    sensitivity: str, flagged: float, unsure: float
):
    assert (DETECTOR.flagged_from(sensitivity), DETECTOR.unsure_from(sensitivity)) == (flagged, unsure)
    if sensitivity == "normal":
        assert (DETECTOR.flagged_from(), DETECTOR.unsure_from()) == (flagged, unsure)


@pytest.mark.parametrize("name", ["", "highest", "Normal", None])
def test_an_unknown_sensitivity_is_refused_with_the_known_ones(name: str):
    for question in (DETECTOR.flagged_from, DETECTOR.unsure_from):
        with pytest.raises(ConfigError, match=f"sensitivity is {name!r}; expected one of low, normal, high"):
            question(name)
    with pytest.raises(ConfigError, match="expected one of low, normal, high"):
        diagnose(certain(TEXT), ids(TEXT), np.ones(9), UNDECIDED, WORDS, PHONES, DETECTOR, sensitivity=name)


# --- flagged, unsure, right ------------------------------------------------------------------------------------


def verdicts(probabilities: list[float], found: Said, sensitivity: str = "normal") -> list[str]:
    """What is said of phones whose error has these probabilities."""
    odds = np.array([log_odds(p) for p in probabilities])
    text = TEXT[: len(odds)]
    phones = diagnose(
        found, ids(text), np.ones(len(odds)), odds, WORDS[: len(odds)], PHONES, ODDS, sensitivity=sensitivity
    ).phones
    assert [phone.probability for phone in phones] == pytest.approx(probabilities)
    assert not any(phone.error and phone.is_unsure for phone in phones)
    return ["wrong" if phone.error else "unsure" if phone.is_unsure else "right" for phone in phones]


@pytest.mark.parametrize(
    ("sensitivity", "expected"),
    [
        ("low", ["wrong", "unsure", "unsure", "right", "right", "right", "right"]),
        ("normal", ["wrong", "wrong", "wrong", "unsure", "unsure", "right", "right"]),
        ("high", ["wrong", "wrong", "wrong", "wrong", "wrong", "unsure", "right"]),
    ],
)
def test_zones_of_each_sensitivity(sensitivity: str, expected: list[str]):
    probabilities = [0.81, 0.79, 0.51, 0.49, 0.31, 0.29, 0.09]
    assert verdicts(probabilities, certain(TEXT[:7]), sensitivity) == expected


def test_a_phone_at_a_threshold_is_beyond_it():
    for threshold, expected in ((0.5, "wrong"), (0.3, "unsure")):
        odds = np.array([math.log(threshold) - math.log1p(-threshold)])
        stated = ODDS.probability(detector_inputs(np.ones(1), odds, np.ones(1)))[0]
        exact = replace(ODDS, thresholds=(0.8, *((stated, 0.3) if expected == "wrong" else (0.5, stated)), 0.1))
        (phone,) = diagnose(certain(["S"]), ids(["S"]), np.ones(1), odds, ONE, PHONES, exact).phones
        assert ("wrong" if phone.error else "unsure" if phone.is_unsure else "right") == expected


def test_a_phone_that_the_lattice_contradicts_is_never_called_right():
    """However well the scorer likes it; and it is not flagged either."""
    probabilities = [0.01, 0.01, 0.99]
    assert verdicts(probabilities, certain(TEXT[:3], 0.9)) == ["right", "right", "wrong"]
    found = certain(TEXT[:3], 2 * CONTRADICTED_BELOW, S=1.0)
    assert verdicts(probabilities, found) == ["right", "right", "wrong"]
    assert verdicts(probabilities, certain(TEXT[:3], CONTRADICTED_BELOW / 2, S=1.0)) == ["unsure", "unsure", "wrong"]


# --- what was said instead -------------------------------------------------------------------------------------


def test_a_flagged_phone_is_named_after_what_the_lattice_heard():
    """Own posterior 1 %: another phone, or nothing, is the error; own posterior nearly 1: a heavy accent."""
    odds = np.array([log_odds(0.9)] * 2)
    for found, expected in (
        (certain(["S", "T"], 0.02, SH=0.9, nothing=0.1), ("substitution", "SH")),
        (certain(["S", "T"], 0.02, SH=0.1, nothing=0.9), ("deletion", None)),
        (certain(["S", "T"], 0.9995, SH=1.0), ("distortion", None)),
    ):
        phones = diagnose(found, ids(["S", "T"]), np.ones(2), odds, WORDS[:2], PHONES, ODDS).phones
        own = ["S", "T"] if expected[0] == "distortion" else [expected[1]] * 2
        assert [(phone.error, phone.actual) for phone in phones] == [(expected[0], name) for name in own]


def test_the_trust_of_the_prior_is_taken_out_before_a_flagged_phone_is_named():
    """Prior odds of 0.94 to 0.06 for the canonical phone: it needs a posterior so much higher than another's."""
    prior_odds = 0.94 / 0.06
    for own_over_other, expected in ((1.01 * prior_odds, "S"), (0.99 * prior_odds, "SH")):
        own = own_over_other / (1 + own_over_other)
        found = certain(["S"], own, SH=1.0)
        (phone,) = diagnose(found, ids(["S"]), np.ones(1), np.array([3.0]), ONE, PHONES, ODDS).phones
        assert phone.actual == expected
        assert phone.error == ("distortion" if expected == "S" else "substitution")
        (unflagged,) = diagnose(found, ids(["S"]), np.ones(1), np.array([-3.0]), ONE, PHONES, ODDS).phones
        assert (unflagged.actual, unflagged.error) == ("S", None)


def said_at_one_place(posterior: list[float], doubt: float, canonical: int, flagged: bool) -> int:
    """The rule for a single phone, in plain steps."""
    others = [(share, -k) for k, share in enumerate(posterior) if k != canonical]
    share, place = max(others)  # of equal ones the first
    likelihood = posterior[canonical] / (1 - doubt)
    return -place if flagged and likelihood * doubt < share else canonical


@settings(max_examples=200, deadline=None)
@given(data=st.data(), phones=st.integers(2, 5), L=st.integers(1, 5))
def test_what_was_said_instead_is_decided_phone_by_phone(data: st.DataObject, phones: int, L: int):
    """Coarse shares, so that equal ones and certain ones are common."""
    shares = st.lists(st.integers(0, 3), min_size=phones + 1, max_size=phones + 1).filter(any)
    counts = np.array(data.draw(st.lists(shares, min_size=L, max_size=L)), dtype=np.float64)
    posterior = counts / counts.sum(axis=1, keepdims=True)
    canonical = np.array(data.draw(st.lists(st.integers(0, phones - 1), min_size=L, max_size=L)))
    flagged = np.array(data.draw(st.lists(st.booleans(), min_size=L, max_size=L)))
    doubt = np.array(data.draw(st.lists(st.sampled_from([0.03, 0.3]), min_size=phones, max_size=phones)))
    nothing = np.zeros((L + 1, phones))
    said = Said(posterior=posterior, inserted=nothing, inserted_frame=nothing, doubt=doubt, log_evidence=0.0)
    before = posterior.copy()
    found = said_instead(said, canonical, flagged)
    assert found.tolist() == [
        said_at_one_place(row.tolist(), doubt[own], own, is_flagged)
        for row, own, is_flagged in zip(posterior, canonical.tolist(), flagged.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(posterior, before)
    np.testing.assert_array_equal(own_posterior(said, canonical), posterior[np.arange(L), canonical])
    others = if_wrong(said, canonical)
    assert (others[np.arange(L), canonical] == 0.0).all()
    rest = 1 - posterior[np.arange(L), canonical]
    np.testing.assert_allclose(others.sum(axis=1), np.where(rest > 1e-12, 1.0, 0.0), atol=1e-12)


def test_candidates_share_the_probability_of_an_error_as_the_lattice_says():
    found = certain(["S"], 0.5, SH=0.6, TH=0.3, nothing=0.1)
    (phone,) = diagnose(found, ids(["S"]), np.ones(1), np.array([log_odds(0.7)]), ONE, PHONES, ODDS, nbest=4).phones
    names, shares = zip(*phone.nbest, strict=True)
    assert names == ("SH", "S", "TH", None)
    assert shares == pytest.approx((0.42, 0.3, 0.21, 0.07), abs=1e-6)


# --- the whole of it, on spoken phones -------------------------------------------------------------------------


def test_what_is_said_right_is_not_flagged():
    found = diagnosed(TEXT)
    assert errors(found) == {}
    assert [phone.actual for phone in found.phones] == TEXT
    assert [phone.nbest[0][0] for phone in found.phones] == TEXT
    assert not any(phone.is_unsure for phone in found.phones)
    assert found.inserted == ()


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_a_planted_substitution_is_named(place: int):
    found = diagnosed([*TEXT[:place], "SH", *TEXT[place + 1 :]])
    assert errors(found) == {place: ("substitution", "SH")}
    assert found.phones[place].nbest[0][0] == "SH"
    assert found.phones[place].probability == max(phone.probability for phone in found.phones)
    assert found.inserted == ()


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_a_planted_deletion_is_named(place: int):
    found = diagnosed(TEXT[:place] + TEXT[place + 1 :])
    assert errors(found) == {place: ("deletion", None)}
    others = [name for name, _ in found.phones[place].nbest if name != TEXT[place]]
    assert others[0] is None


@pytest.mark.parametrize("place", range(len(CAT)))
def test_beside_equal_neighbours_the_error_is_still_the_surest(place: int):
    """ "SH K" may also be "K" heard late: the neighbour can be doubted, but less."""
    found = said_for(CAT, [*CAT[:place], "SH", *CAT[place + 1 :]])
    phones = diagnose(found, ids(CAT), np.ones(len(CAT)), UNDECIDED, WORDS, PHONES, DETECTOR).phones
    assert (phones[place].error, phones[place].actual) == ("substitution", "SH")
    assert phones[place].probability == max(phone.probability for phone in phones)


@pytest.mark.parametrize("place", range(len(TEXT) - 1))
def test_two_errors_side_by_side_are_both_named(place: int):
    """Each place takes in what was said at the other."""
    found = diagnosed([*TEXT[:place], "SH", "OY", *TEXT[place + 2 :]])
    assert errors(found) == {place: ("substitution", "SH"), place + 1: ("substitution", "OY")}


def test_one_of_two_equal_neighbours_left_out_is_a_deletion_of_either():
    found = said_for(CAT, CAT[:5] + CAT[6:])
    phones = diagnose(found, ids(CAT), np.ones(len(CAT)), UNDECIDED, WORDS, PHONES, replace(DETECTOR, bias=3.7))
    assert errors(phones) == {5: ("deletion", None), 6: ("deletion", None)}
    assert found.posterior[[5, 6], K] == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_phone_that_is_heard_but_disliked_is_a_distortion():
    score = np.ones(len(TEXT))
    score[4] = -0.5
    found = diagnosed(TEXT, score)
    assert errors(found) == {4: ("distortion", "AE")}
    assert found.phones[4].probability > 0.7


def test_a_phone_that_the_scorer_calls_wrong_is_flagged():
    odds = UNDECIDED.copy()
    odds[7] = 8.0
    found = diagnosed(TEXT, log_odds=odds)
    assert errors(found) == {7: ("distortion", "AE")}
    assert diagnosed(TEXT).phones[7].probability < 0.1 < found.phones[7].probability


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.sampled_from(PHONES), min_size=1, max_size=9),
    score=st.lists(st.floats(0, 1), min_size=len(TEXT), max_size=len(TEXT)),
    odds=st.lists(st.floats(-50, 50), min_size=len(TEXT), max_size=len(TEXT)),
    certainty=st.sampled_from([0.03, 0.3, 0.9, 0.9999]),
    sensitivity=st.sampled_from(["low", "normal", "high"]),
    nbest=st.integers(1, 45),
)
def test_whatever_is_said(
    said: list[str], score: list[float], odds: list[float], certainty: float, sensitivity: str, nbest: int
):
    lattice = said_posterior(heard(said, 1.0, certainty).log_probs, ids(TEXT), PHONE_SET, PRIOR)
    own = own_posterior(lattice, ids(TEXT))
    phones = diagnose(
        lattice,
        ids(TEXT),
        np.array(score),
        np.array(odds),
        WORDS,
        PHONES,
        DETECTOR,
        sensitivity=sensitivity,
        nbest=nbest,
    ).phones
    for symbol, phone, posterior in zip(TEXT, phones, own, strict=True):
        assert 0 <= phone.probability <= 1
        names, shares = zip(*phone.nbest, strict=True)
        assert len(names) == len(set(names)) == min(nbest, 40)
        assert all(0 <= share <= 1 for share in shares)
        assert sum(shares) <= 1 + 1e-9
        assert list(shares) == sorted(shares, reverse=True)
        if nbest >= 40:
            assert dict(phone.nbest)[symbol] == pytest.approx(1 - phone.probability)
            assert sum(shares) == pytest.approx(1, abs=1e-6)
        assert (phone.error is not None) == (phone.probability >= DETECTOR.flagged_from(sensitivity))
        doubtful = phone.probability >= DETECTOR.unsure_from(sensitivity) or posterior < CONTRADICTED_BELOW
        assert phone.is_unsure == (phone.error is None and doubtful)
        if phone.error in (None, "distortion"):
            assert phone.actual == symbol
        elif phone.error == "deletion":
            assert phone.actual is None
        else:
            assert phone.error == "substitution"
            assert phone.actual not in (None, symbol)


# --- phones that were added ------------------------------------------------------------------------------------


def with_added(*added: tuple[int, str, float, float]) -> Said:
    """A lattice of "S T" to which phones were added: gap, phone, how many of it, and from which frame."""
    found = certain(["S", "T"])
    inserted, frame = found.inserted.copy(), found.inserted_frame.copy()
    for gap, phone, count, begin in added:
        inserted[gap, PHONES.index(phone)] = count
        frame[gap, PHONES.index(phone)] = begin
    return replace(found, inserted=inserted, inserted_frame=frame)


def test_added_phones_are_reported_in_order_where_they_are_sure():
    found = with_added((2, "AH", 0.95, 31.4), (0, "SH", INSERTED_FROM, 3.0), (1, "IY", INSERTED_FROM - 0.01, 11.0))
    added = inserted_phones(found, PHONES)
    assert [(one.gap, one.phone, one.frame) for one in added] == [(0, "SH", 3), (2, "AH", 31)]
    assert [one.probability for one in added] == pytest.approx([INSERTED_FROM, 0.95])
    assert inserted_phones(with_added(), PHONES) == ()


def test_of_several_candidates_in_a_gap_the_likeliest_is_named():
    found = with_added((1, "IY", 0.72, 10.0), (1, "IH", 0.9, 12.0))
    assert [(one.phone, one.frame) for one in inserted_phones(found, PHONES)] == [("IH", 12)]


def test_a_phone_that_was_added_more_than_once_is_no_more_than_certain():
    (added,) = inserted_phones(with_added((1, "IY", 1.8, 10.0)), PHONES)
    assert added.probability == 1.0


@pytest.mark.parametrize("gap", range(len(TEXT) + 1))
def test_an_added_phone_is_found_where_it_was_said(gap: int):
    said = [*TEXT[:gap], "OY", *TEXT[gap:]]
    found = diagnosed(said)
    assert errors(found) == {}
    (added,) = found.inserted
    assert (added.gap, added.phone) == (gap, "OY")
    spoken = heard(said).log_probs.argmax(axis=1) == PHONES.index("OY") + 1
    assert abs(added.frame - int(np.flatnonzero(spoken)[0])) <= 2


# --- words that sounded like others ----------------------------------------------------------------------------


def test_a_word_of_which_too_little_speaks_for_it_may_be_another():
    """Lattice and scorer count alike; it is the mean over the word, so no single phone decides."""
    bound = 2 * MISREAD_BELOW
    for share, expected in ((bound - 0.02, [False, True, False]), (bound + 0.02, [False] * 3)):
        for heard_share, liked in ((share / 2, share / 2), (share - 0.9, 0.9), (0.9, share - 0.9)):
            own, score = np.ones(len(TEXT)), np.ones(len(TEXT))
            own[2:6], score[2:6] = heard_share, liked
            assert misread_words(own, score, WORDS).tolist() == expected
            own[2:6] += [0.05, -0.05, 0.05, -0.05]
            assert misread_words(own, score, WORDS).tolist() == expected


def test_a_word_of_one_phone_is_never_taken_for_another():
    assert misread_words(np.zeros(3), np.zeros(3), np.array([0, 1, 1])).tolist() == [False, True]


def test_another_word_in_place_of_one_is_told_even_where_no_phone_is_flagged():
    said = said_for(TEXT, [*TEXT[:2], "S", "N", "OW", "Z", *TEXT[6:]])
    score = np.where(WORDS == 1, 0.4, 1.0)
    lenient = replace(DETECTOR, thresholds=(1.1, 1.1, 1.1, 1.1))
    found = diagnose(said, ids(TEXT), score, UNDECIDED, WORDS, PHONES, lenient)
    assert errors(found) == {}
    assert found.misread == (False, True, False)
    assert diagnosed(TEXT).misread == (False, False, False)


# --- words that were left out ----------------------------------------------------------------------------------


def heard_word(posteriors: dict[int, float], rest: float) -> Said:
    """A lattice that hears the phones of each word this surely, and all others as `rest`."""
    found = certain(TEXT)
    own = np.array([posteriors.get(int(word), rest) for word in WORDS])
    posterior = np.repeat(((1 - own) / K)[:, None], K + 1, axis=1)
    posterior[np.arange(len(TEXT)), ids(TEXT)] = own
    return replace(found, posterior=posterior)


def gone(skipped: list[int], found: Said, score: np.ndarray) -> list[int]:
    decided = left_out(skipped, found, ids(TEXT), WORDS, score)
    assert decided.shape == (3,)
    return np.flatnonzero(decided).tolist()


LIKED = np.ones(len(TEXT))
FUZZY, CLEAR = CLEAR_FROM - 0.01, CLEAR_FROM + 0.01


@pytest.mark.parametrize("word", [0, 1, 2])
def test_a_word_is_left_out_only_where_reading_and_scorer_agree(word: int):
    disliked = np.where(word == WORDS, OMITTED_BELOW - 0.2, 1.0)
    fuzzy = heard_word({word: 0.0}, FUZZY)
    assert gone([word], fuzzy, disliked) == [word]
    assert gone([word], fuzzy, LIKED) == []
    assert gone([], fuzzy, disliked) == []
    assert gone([], fuzzy, np.zeros(len(TEXT))) == []
    assert gone([(word + 1) % 3], fuzzy, disliked) == []


def missing_word(word: int, rest: float, own: float = 0.0, missing: float = 1.0) -> Said:
    """A lattice that misses the phones of a word this surely, hears them as `own`, and all others as `rest`."""
    found = heard_word({word: own}, rest)
    posterior = found.posterior.copy()
    here = np.flatnonzero(word == WORDS)
    posterior[here, :-1] = (1.0 - own - missing) / K
    posterior[here, ids(TEXT)[here]] = own
    posterior[here, -1] = missing
    return replace(found, posterior=posterior)


@pytest.mark.parametrize("skipped", [True, False])
@pytest.mark.parametrize("word", [0, 1, 2])
def test_in_clear_speech_the_lattice_decides_alone(word: int, skipped: bool):
    """The scorer likes everything; nothing is heard of one word, and the rest is heard more or less surely."""
    reading = [word] if skipped else []
    assert gone(reading, missing_word(word, CLEAR), LIKED) == [word]
    assert gone(reading, missing_word(word, FUZZY), LIKED) == []
    assert gone(reading, heard_word({word: 0.0}, CLEAR), LIKED) == []  # something else was said
    assert gone(reading, missing_word(word, CLEAR, 0.0, MISSING_FROM + 0.01), LIKED) == [word]
    assert gone(reading, missing_word(word, CLEAR, 0.0, MISSING_FROM - 0.01), LIKED) == []


def test_a_word_that_was_broken_off_was_not_left_out():
    missing = missing_word(1, CLEAR)
    assert gone([], missing, LIKED) == [1]
    assert not left_out([], missing, ids(TEXT), WORDS, LIKED, begun=[1]).any()


def test_how_clear_the_speech_is_is_judged_without_what_was_skipped():
    """The first word is skipped and fuzzy; without it the others are clear, with it they are not."""
    missing = missing_word(2, CLEAR)
    posterior = missing.posterior.copy()
    first = np.flatnonzero(WORDS == 0)
    posterior[first] = 1.0 / (K + 1)
    fuzzy = replace(missing, posterior=posterior)
    assert gone([0], fuzzy, LIKED) == [2]
    assert gone([], fuzzy, LIKED) == []


@pytest.mark.parametrize(
    ("skipped", "expected"),
    [
        (range(2, 2 + WHOLE_PART), True),
        (range(2, 1 + WHOLE_PART), False),
        ([0, 1], True),
        ([8, 9], True),
        ([0], False),
        ([9], False),
        ([0, 2, 4, 6, 8], False),
        (range(10), True),
        ([0, 1, 5, 8, 9], None),
    ],
)
def test_whole_parts_of_a_text_are_left_out_without_a_second_witness(skipped: list[int], expected: bool | None):
    """Ten words in speech that is not clear, of which the scorer likes every one."""
    symbols = ["S", "T"] * 10
    found = certain(symbols, FUZZY)
    decided = left_out(list(skipped), found, ids(symbols), np.repeat(np.arange(10), 2), np.ones(20))
    wanted = [0, 1, 8, 9] if expected is None else list(skipped) if expected else []
    assert np.flatnonzero(decided).tolist() == wanted


def test_a_word_of_one_phone_needs_the_scorer_too():
    word_ids = np.array([0, 1, 1])
    found = certain(["AH", "S", "T"], 0.99)
    posterior = found.posterior.copy()
    posterior[0] = 0.0
    posterior[0, K] = 1.0
    found = replace(found, posterior=posterior)
    for score, expected in (([1.0, 1.0, 1.0], [False, False]), ([0.1, 1.0, 1.0], [True, False])):
        assert left_out([0], found, ids(["AH", "S", "T"]), word_ids, np.array(score)).tolist() == expected


def test_what_decides_is_the_mean_score_of_a_word():
    """One good phone does not save a word, nor does one bad phone lose it."""
    found = heard_word({1: 0.0}, FUZZY)
    score = np.ones(len(TEXT))
    for mean, expected in ((OMITTED_BELOW - 0.01, [1]), (OMITTED_BELOW + 0.01, [])):
        score[2:6] = [1.0, *[(4 * mean - 1.0) / 3] * 3]
        assert gone([1], found, score) == expected
        score[2:6] = [0.0, *[4 * mean / 3] * 3]
        assert gone([1], found, score) == expected
