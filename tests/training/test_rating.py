"""The rating loss: frames are given to phones as our own lattice gives them, and planted ratings are found."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from elocute.ctc import lattice
from elocute.phones import PHONES
from elocute.training.acoustic_batches import Batch
from elocute.training.rating import confusable, occupancies, phone_ratings, rating_loss
from elocute.training.splicing import NEAR


def batch_of(phones: list[list[int]], scores: list[list[float]], frames: list[int]) -> Batch:
    """A batch with nothing in it but what ratings are compared with."""
    L = max(map(len, phones))
    nothing = torch.empty(0)
    return Batch(
        mels=nothing,
        lengths=torch.tensor(frames),
        frame_counts=frames,
        labels=nothing,
        label_counts=[],
        frame_labels=nothing,
        phones=torch.tensor([row + [0] * (L - len(row)) for row in phones]),
        phone_counts=[len(row) for row in phones],
        phone_scores=torch.tensor([row + [np.nan] * (L - len(row)) for row in scores]),
        utterance_scores=torch.full((len(phones), 4), 1.5),
        is_scored=True,
    )


@pytest.mark.parametrize("seed", range(5))
def test_occupancies_are_those_of_our_lattice(seed: int):
    """Batched, padded and by PyTorch's backward, or one by one in numpy: the same frames belong to a phone."""
    torch.manual_seed(seed)
    phones, frames = [[3, 1, 4, 2], [5, 6]], [17, 11]
    log_probs = F.log_softmax(2 * torch.randn(2, 17, 7), dim=-1)
    padded = torch.tensor([phones[0], phones[1] + [0, 0]])
    found = occupancies(log_probs, padded, frames, [4, 2])
    assert found.shape == (2, 17, 4)
    for row in range(2):
        expected = lattice(log_probs[row, : frames[row]].double().numpy(), phones[row]).label_occupancies()
        L = len(phones[row])
        np.testing.assert_allclose(found[row, : frames[row], :L], expected, atol=1e-4)
        assert (found[row, frames[row] :] == 0).all()
        assert (found[row, :, L:] < 1e-6).all()


def test_too_few_frames_belong_to_nobody():
    log_probs = F.log_softmax(torch.randn(1, 2, 7), dim=-1)
    assert (occupancies(log_probs, torch.tensor([[1, 2, 3]]), [2], [3]) == 0).all()


def test_the_loss_is_zero_where_ratings_are_the_scores():
    """Frames are certain; the rated column is the canonical phone's, others are 0; nothing else is compared."""
    phones, scores = [[1, 2, 3], [3, 1]], [[2.0, 0.4, 1.9], [1.0, 2.0]]
    spoken = torch.tensor([[0, 1, 1, 0, 2, 0, 3, 0], [0, 3, 0, 1, 1, 0, 0, 0]])
    log_probs = torch.log(0.999 * F.one_hot(spoken, 4) + 0.001 / 4)
    batch = batch_of(phones, scores, [8, 6])
    ratings = torch.zeros(2, 8, 3 + 4)
    ratings[..., 3:] = 1.5
    for row, t, phone, score in (
        (0, 1, 1, 2.0), (0, 2, 1, 2.0), (0, 4, 2, 0.4), (0, 6, 3, 1.9), (1, 1, 3, 1.0), (1, 3, 1, 2.0), (1, 4, 1, 2.0),
    ):  # fmt: skip
        ratings[row, t, phone - 1] = score
    assert rating_loss(log_probs, ratings, batch, 1.0).item() < 1e-3
    worse = ratings.clone()
    worse[0, 4, 1] = 2.0
    assert rating_loss(log_probs, worse, batch, 1.0).item() == pytest.approx(1.6**2 / 5, rel=0.02)
    # Where nobody scored, nothing is learnt.
    unscored = batch_of([[1, 2]], [[np.nan, np.nan]], [8])
    object.__setattr__(unscored, "utterance_scores", torch.full((1, 4), np.nan))
    free = torch.randn(1, 8, 7, requires_grad=True)
    loss = rating_loss(log_probs[:1], free, unscored, 1.0)
    loss.backward()
    assert loss.item() == 0
    assert (free.grad == 0).all()


def test_a_well_said_phone_is_an_error_of_every_other():
    phones, scores = [[2]], [[2.0]]
    log_probs = torch.log(0.999 * F.one_hot(torch.tensor([[0, 2, 2, 0]]), 4) + 0.001 / 4)
    ratings = torch.full((1, 4, 7), 1.5)
    ratings[0, :, 1] = 2.0
    alone = rating_loss(log_probs, ratings, batch_of(phones, scores, [4]), 0.0).item()
    planted = rating_loss(log_probs, ratings, batch_of(phones, scores, [4]), 0.5).item()
    assert alone < 1e-3
    assert planted == pytest.approx(0.5 * 1.5**2, rel=0.01)
    ratings[0, :, 0] = ratings[0, :, 2] = 0.0
    assert rating_loss(log_probs, ratings, batch_of(phones, scores, [4]), 0.5).item() < 1e-3


def test_phone_ratings_read_the_column_of_each_phone():
    ratings = torch.arange(2 * 3 * 5, dtype=torch.float32).view(2, 3, 5)
    weight = torch.tensor([[[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]], [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]])
    found = phone_ratings(ratings, weight, torch.tensor([[2, 1], [5, 0]]))
    assert found.tolist() == [[1.0, 7.5], [29.0, 0.0]]


def test_a_spliced_phone_keeps_its_own_rating_beside_the_canonical_zero():
    """Canonical 2 gave way to 3, which people scored 1.9 where it came from."""
    log_probs = torch.log(0.999 * F.one_hot(torch.tensor([[0, 1, 0, 2, 0]]), 4) + 0.001 / 4)
    batch = replace(
        batch_of([[1, 2]], [[2.0, 0.0]], [5]),
        instead=torch.tensor([[0, 3]]),
        instead_scores=torch.tensor([[np.nan, 1.9]]),
    )
    ratings = torch.zeros(1, 5, 7)
    ratings[..., 3:] = 1.5
    ratings[0, 1, 0] = 2.0
    assert rating_loss(log_probs, ratings, batch, 0.0).item() == pytest.approx(1.9**2 / 3, rel=0.01)
    ratings[0, 3, 2] = 1.9
    assert rating_loss(log_probs, ratings, batch, 0.0).item() < 1e-3
    ratings[0, 3, 1] = 1.5
    assert rating_loss(log_probs, ratings, batch, 0.0).item() == pytest.approx(1.5**2 / 3, rel=0.01)


def test_near_planted_phones_are_those_for_which_it_is_said():
    """S is an error of TH, SH and Z: these ratings are pulled to 0 in its frames, no others."""
    S = PHONES.index("S") + 1
    table = confusable(torch.device("cpu"))
    assert {PHONES[k - 1] for k in table[S].tolist()} == {"TH", "SH", "Z"}
    for said in range(1, 40):
        for wanted in set(table[said].tolist()):
            assert wanted != said
            assert said in NEAR[wanted - 1] or PHONES[said - 1] in ("AW", "OY")
    log_probs = torch.log(0.999 * F.one_hot(torch.tensor([[0, S, S, 0]]), 40) + 0.001 / 40)
    found = set()
    for seed in range(20):
        torch.manual_seed(seed)
        ratings = torch.full((1, 4, 43), 1.5, requires_grad=True)
        rating_loss(log_probs, ratings, batch_of([[S]], [[2.0]], [4]), 1.0, near_share=1.0).backward()
        found |= {k + 1 for k in range(39) if ratings.grad is not None and ratings.grad[0, 1, k] > 0}
    assert {PHONES[k - 1] for k in found} == {"TH", "SH", "Z"}
