"""The loss of the rating head: what the frames of a phone say of it, against what people scored.

The frames of a phone are those that the CTC lattice of the canonical phones gives to it (its occupancies), so the
head needs no other alignment and is read at run time as it was trained.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from elocute.training.acoustic_batches import Batch
from elocute.training.splicing import NEAR

LEAST_RATING = -1.0
RATING_STEP = 1 / 64
"""Stored ratings are whole numbers of steps from the least: -1 to 2.98 in one byte."""
GOOD_FROM = 1.8
"""Only a phone with this score tells what was said, so only its frames can serve as errors of other phones."""


def occupancies(log_probs: Tensor, phones: Tensor, frame_counts: list[int], phone_counts: list[int]) -> Tensor:
    """Probability that a frame belongs to a canonical phone, by CTC's forward-backward algorithm.

    PyTorch's CTC backward returns exp(log_probs) - occupancy when every position has a column of its own.

    Args:
        log_probs: shape (B, T, phones + 1), float32, blank first.
        phones: shape (B, L), canonical phones, 0 where there is none.
        frame_counts: valid frames of each example.
        phone_counts: phones of each example.

    Returns: shape (B, T, L); zeros for an example that has too few frames for its phones.
    """
    B, T, _ = log_probs.shape
    L = phones.shape[1]
    index = torch.cat([torch.zeros_like(phones[:, :1]), phones], dim=1)[:, None, :].expand(B, T, L + 1)
    columns = log_probs.detach().gather(2, index).transpose(0, 1).contiguous()
    positions = torch.arange(1, L + 1, device=phones.device).expand(B, L)
    nll, alpha = torch._ctc_loss(columns, positions, frame_counts, phone_counts, 0, True)
    raw = torch.ops.aten._ctc_loss_backward(
        torch.ones_like(nll), columns, positions, frame_counts, phone_counts, nll, alpha, 0, True
    )
    inside = torch.arange(T, device=phones.device)[:, None] < torch.tensor(frame_counts, device=phones.device)
    owned: Tensor = (columns.exp() - raw) * (inside & torch.isfinite(nll))[..., None]
    return owned[..., 1:].clamp(0.0, 1.0).transpose(0, 1)


def phone_ratings(ratings: Tensor, weight: Tensor, phones: Tensor) -> Tensor:
    """Ratings of phones, shape (B, L): their column, averaged over frames by weight (B, T, L) that sums to 1 or 0."""
    index = (phones - 1).clamp(min=0)[:, None, :].expand(-1, ratings.shape[1], -1)
    return (ratings.gather(2, index) * weight).sum(dim=1)


@functools.cache
def confusable(device: torch.device) -> Tensor:
    """For each phone, from row 1, the phones for which it is said by mistake, or (OY) that are said for it.

    Shorter rows are repeated to one length.
    """
    rows = [
        [k for k, errors in enumerate(NEAR, start=1) if said in errors] or list(NEAR[said - 1])
        for said in range(1, len(NEAR) + 1)
    ]
    width = math.lcm(*{len(row) for row in rows})
    return torch.tensor([[0] * width, *(row * (width // len(row)) for row in rows)], device=device)


def rating_loss(
    log_probs: Tensor, ratings: Tensor, batch: Batch, planted_weight: float, near_share: float = 0.0
) -> Tensor:
    """Squared errors of phone and utterance ratings, and of other phones in the frames of well-said ones.

    Args:
        log_probs: shape (B, T, phones + 1), float32; only the alignment is taken from it, no gradient flows back.
        ratings: shape (B, T, phones + 4), float32.
        batch: whose phones and scores are compared; nothing is learnt where nobody scored.
        planted_weight: of rating 0 another phone, drawn at random, in the frames of a well-said one.
        near_share: share of these other phones for which the well-said one is an error that learners make.

    Where another phone was spliced in, its own rating is learnt beside that of the canonical one.
    """
    owned = occupancies(log_probs, batch.phones, batch.frame_counts, batch.phone_counts)
    total = owned.sum(dim=1, keepdim=True)
    weight = owned / total.clamp(min=1e-3)
    known = ~batch.phone_scores.isnan() & (total[:, 0] > 0.1)
    found = phone_ratings(ratings, weight, batch.phones)
    error = (found - batch.phone_scores.nan_to_num()).square()
    errors, count = (error * known).sum(), known.sum()
    if batch.instead is not None and batch.instead_scores is not None:
        there = (batch.instead > 0) & (total[:, 0] > 0.1)
        error = (phone_ratings(ratings, weight, batch.instead) - batch.instead_scores.nan_to_num()).square()
        errors, count = errors + (error * there).sum(), count + there.sum()
    loss = errors / count.clamp(min=1)

    good = known & (batch.phone_scores >= GOOD_FROM)
    shift = torch.randint(1, ratings.shape[2] - 4, batch.phones.shape, device=ratings.device)
    other = (batch.phones - 1 + shift) % (ratings.shape[2] - 4) + 1
    if near_share:
        table = confusable(ratings.device)
        column = torch.randint(0, table.shape[1], batch.phones.shape, device=ratings.device)
        is_near = torch.rand(batch.phones.shape, device=ratings.device) < near_share
        other = torch.where(is_near, table[batch.phones, column], other)
    planted = phone_ratings(ratings, weight, other).square()
    loss = loss + planted_weight * (planted * good).sum() / good.sum().clamp(min=1)

    inside = torch.arange(ratings.shape[1], device=ratings.device)[None, :] < batch.lengths[:, None]
    whole = (ratings[..., -4:] * inside[..., None]).sum(dim=1) / batch.lengths[:, None]
    scored = ~batch.utterance_scores.isnan()
    error = (whole - batch.utterance_scores.nan_to_num()).square()
    return loss + (error * scored).sum() / scored.sum().clamp(min=1)
