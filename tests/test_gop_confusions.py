"""Which errors to expect: probabilities from articulation, from counts and from neither."""

from __future__ import annotations

import numpy as np
import pytest

from elocute.assets import read_card
from elocute.errors import PhoneError
from elocute.gop import EditPrior, said_posterior
from elocute.gop.confusions import (
    DROPPED,
    ERROR,
    INSERTED,
    PRIOR_COUNTS,
    articulatory_errors,
    counts_of,
    edit_prior,
    flat_prior,
    learned_prior,
    with_counts,
)
from elocute.phones import PHONES
from elocute.phones.articulation import distances
from elocute.types import PhoneSet

K = len(PHONES)
COLUMNS = [*PHONES, "-"]


def likeliest(errors: np.ndarray, phone: str, number: int) -> set[str]:
    row = errors[PHONES.index(phone)].copy()
    row[PHONES.index(phone)] = 0.0
    return {COLUMNS[k] for k in np.argsort(-row)[:number]}


@pytest.mark.parametrize("prior", [learned_prior(), flat_prior(), edit_prior(articulatory_errors())])
def test_a_prior_expects_every_error_and_no_more_than_it_should(prior: EditPrior) -> None:
    assert prior.said.shape == (K, K + 1)
    np.testing.assert_allclose(prior.said.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.diagonal(prior.said), 1.0 - ERROR)
    assert prior.said.min() > 1e-6  # nothing is impossible
    assert prior.inserted.shape == (K,)
    assert prior.inserted.sum() == pytest.approx(INSERTED)


def test_the_flat_prior_has_no_favourites() -> None:
    prior = flat_prior()
    errors = prior.said[~np.eye(K, K + 1, dtype=bool)]
    np.testing.assert_allclose(errors, ERROR / K)
    np.testing.assert_allclose(prior.inserted, INSERTED / K)


def test_the_articulatory_errors_fall_with_the_distance() -> None:
    errors, far = articulatory_errors(), distances()
    np.testing.assert_allclose(errors.sum(axis=1), 1.0)
    np.testing.assert_allclose(errors[:, -1], DROPPED)
    np.testing.assert_array_equal(np.diagonal(errors), 0.0)
    for i in range(K):
        others = [k for k in np.argsort(far[i], kind="stable") if k != i]
        assert (np.diff(errors[i, others]) <= 1e-15).all()
    assert likeliest(errors[:, :-1], "TH", 3) == {"F", "DH", "S"}


def test_the_learned_prior_names_what_learners_make_of_a_phone() -> None:
    said = learned_prior().said
    assert {"S", "T", "DH", "-"} <= likeliest(said, "TH", 5)
    assert {"V", "-"} <= likeliest(said, "DH", 5)
    assert "L" in likeliest(said, "R", 3)
    assert "S" in likeliest(said, "Z", 3)
    assert "IH" in likeliest(said, "IY", 5)
    assert "N" in likeliest(said, "NG", 3)
    assert "T" in likeliest(said, "D", 3)
    th = said[PHONES.index("TH")]
    assert th[PHONES.index("S")] > 20 * th[PHONES.index("AA")]


def test_the_learned_prior_is_read_once() -> None:
    assert learned_prior() is learned_prior()


def test_counts_weigh_against_the_articulatory_prior() -> None:
    articulatory = articulatory_errors()
    np.testing.assert_allclose(with_counts(np.zeros((K, K + 1))), articulatory)
    th, k = PHONES.index("TH"), PHONES.index("K")
    counts = counts_of({"TH": {"K": PRIOR_COUNTS}})
    joint = with_counts(counts)
    assert joint[th, k] == pytest.approx(0.5 + articulatory[th, k] / 2)
    others = np.arange(K) != th
    np.testing.assert_allclose(joint[others], articulatory[others])
    np.testing.assert_allclose(joint.sum(axis=1), 1.0)


def test_counts_are_put_where_they_belong() -> None:
    counts = counts_of({"TH": {"S": 2.5, "-": 1.0}, "AA": {"AH": 3}})
    assert counts[PHONES.index("TH"), PHONES.index("S")] == 2.5
    assert counts[PHONES.index("TH"), -1] == 1.0
    assert counts[PHONES.index("AA"), PHONES.index("AH")] == 3.0
    assert counts.sum() == 6.5
    assert not counts_of({}).any()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"QQ": {"S": 1.0}}, "'QQ' is counted 1.0 times as said as 'S'; expected two different phones"),
        ({"S": {"QQ": 1.0}}, "'S' is counted 1.0 times as said as 'QQ'"),
        ({"-": {"S": 1.0}}, "'-' is counted"),  # additions are not counted here
        ({"S": {"S": 4.0}}, "'S' is counted 4.0 times as said as 'S'"),
        ({"S": {"Z": -1.0}}, "'S' is counted -1.0 times"),
        ({"S": {"Z": float("nan")}}, "'S' is counted nan times"),
    ],
)
def test_counts_of_what_is_no_error_are_refused(table: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(PhoneError, match=message):
        counts_of(table)


def test_the_card_says_where_the_counts_come_from() -> None:
    card = read_card("confusions")
    assert set(card) == {"name", "kind", "data", "first_language", "licence", "command", "limits", "counts"}
    assert card["licence"] == "Apache-2.0"
    assert any("CC BY 4.0" in source for source in card["data"])
    assert card["first_language"] == "Mandarin"
    assert card["command"].startswith("elocute train confusions ")
    assert card["limits"]
    assert set(card["counts"]) == set(PHONES)
    counts = counts_of(card["counts"])
    assert counts.min() == 0.0
    assert 100.0 < counts.sum() < 1e5
    for row in card["counts"].values():  # the commonest first, for people who read it
        assert list(row.values()) == sorted(row.values(), reverse=True)


def test_what_a_faint_phone_was_depends_on_the_prior() -> None:
    # TH was said as S or as AA, the frames cannot tell.
    phones = PhoneSet.one_label_each(PHONES)
    canonical, others = PHONES.index("TH"), [PHONES.index("S"), PHONES.index("AA")]
    log_probs = np.full((3, K + 1), -9.0)
    log_probs[[0, 2], 0] = -0.01
    log_probs[1, [k + 1 for k in others]] = -0.7
    learned, flat = (
        said_posterior(log_probs, [canonical], phones, prior).posterior[0, others]
        for prior in (learned_prior(), flat_prior())
    )
    assert learned[0] > 0.9
    assert learned[1] < 0.1
    np.testing.assert_allclose(flat[0], flat[1])
