"""Errors expected of speakers of a first language: what they change in the diagnosis, and what they must not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.planted import heard

from elocute.gop.confusions import learned_prior
from elocute.gop.expected import expected_errors, had_been_expected, profile_errors
from elocute.gop.said import Said, said_posterior
from elocute.phones import PHONES
from elocute.phones.l1 import l1_codes, l1_profile
from elocute.types import Float64

WORDS = [["TH", "IH", "NG", "K"], ["V", "EH", "R", "IY"], ["S", "K", "UW", "L"]]
CANONICAL = np.array([PHONES.index(phone) for word in WORDS for phone in word])


@pytest.fixture(scope="module")
def said() -> Said:
    posteriors = heard(["S", "IH", "NG", "K", "B", "EH", "R", "IY", "S", "K", "UW", "L"], certainty=0.7)
    return said_posterior(posteriors.log_probs, CANONICAL, posteriors.phone_set, learned_prior())


def test_without_a_profile_they_are_those_of_the_learned_prior(said: Said) -> None:
    errors = expected_errors(None, WORDS)
    learned = learned_prior().said[CANONICAL].copy()
    learned[np.arange(len(CANONICAL)), CANONICAL] = 0.0
    assert errors == pytest.approx(learned / learned.sum(axis=1, keepdims=True))
    same = had_been_expected(said, CANONICAL, learned_prior(), errors)
    assert same.posterior == pytest.approx(said.posterior, abs=1e-12)


@pytest.mark.parametrize("code", l1_codes())
def test_they_are_probabilities_and_nothing_is_impossible(code: str) -> None:
    errors = expected_errors(l1_profile(code), WORDS)
    assert errors.sum(axis=1) == pytest.approx(1.0)
    assert (errors[np.arange(len(CANONICAL)), CANONICAL] == 0.0).all()
    assert (errors > 0.0).sum() == errors.size - len(CANONICAL)


def test_what_the_language_says_instead_is_expected_more(said: Said) -> None:
    """Spanish has B for V: the more, the surer is the diagnosis of it."""
    at, b = 4, PHONES.index("B")
    expected = [expected_errors(profile, WORDS)[at, b] for profile in (None, l1_profile("es"))]
    assert expected[1] > 3 * expected[0]
    found = had_been_expected(said, CANONICAL, learned_prior(), expected_errors(l1_profile("es"), WORDS))
    assert found.posterior[at, b] > said.posterior[at, b]


@pytest.mark.parametrize("code", l1_codes())
def test_whether_a_phone_is_wrong_does_not_depend_on_it(said: Said, code: str) -> None:
    found = had_been_expected(said, CANONICAL, learned_prior(), expected_errors(l1_profile(code), WORDS))
    rows = np.arange(len(CANONICAL))
    assert found.posterior[rows, CANONICAL] == pytest.approx(said.posterior[rows, CANONICAL], abs=1e-12)
    assert found.posterior.sum(axis=1) == pytest.approx(1.0)
    assert found.inserted is said.inserted


def test_it_is_what_the_lattice_finds_with_that_prior() -> None:
    """One place, no neighbours: reweighting must equal a lattice that had the other prior from the beginning."""
    posteriors = heard(["B", "IY"], certainty=0.6)
    word = [["V", "IY"]]
    canonical = np.array([PHONES.index(phone) for phone in word[0]])
    errors = expected_errors(l1_profile("es"), word)
    prior = learned_prior()
    own, rate = prior.said[canonical, canonical], 1.0 - prior.said[canonical, canonical]
    table = prior.said.copy()
    table[canonical] = errors * rate[:, None]
    table[canonical, canonical] = own
    other = type(prior)(said=table, inserted=prior.inserted)
    direct = said_posterior(posteriors.log_probs, canonical, posteriors.phone_set, other).posterior
    first = said_posterior(posteriors.log_probs, canonical, posteriors.phone_set, prior)
    turned = had_been_expected(first, canonical, prior, errors).posterior

    def among_errors(posterior: Float64) -> Float64:
        rest = posterior.copy()
        rest[np.arange(2), canonical] = 0.0
        return np.asarray(rest / rest.sum(axis=1, keepdims=True))

    assert among_errors(turned)[0] == pytest.approx(among_errors(direct)[0], abs=0.02)
    assert among_errors(turned)[0].argmax() == PHONES.index("B")


def test_likelihoods_of_a_profile_come_place_by_place() -> None:
    found = profile_errors(l1_profile("zh"), WORDS)
    assert found[0, PHONES.index("S")] == 0.25
    assert found.shape == (12, 40)
    # The L of "school" is last in its word, where Mandarin has none; nothing else is expected to be left out more.
    assert found[11, -1] > 0.0
