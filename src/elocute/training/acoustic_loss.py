"""Losses of the embedded acoustic model: frame labels for its flat start, then CTC in which any phone may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from elocute.training.acoustic_batches import Batch


class ExactCtc(torch.autograd.Function):
    """Negative CTC log-likelihood whose gradient is right for columns that are no softmax.

    PyTorch's own backward returns exp(log_probs) - occupancy, the gradient with respect to logits under a softmax.
    The gradient with respect to log_probs, which wildcard columns need, is -occupancy: add the exp back.
    """

    @staticmethod
    def forward(
        ctx: Any, log_probs: Tensor, labels: Tensor, frame_counts: list[int], label_counts: list[int]
    ) -> Tensor:
        """log_probs (T, B, V); returns negative log-likelihoods (B,)."""
        nll, alpha = torch._ctc_loss(log_probs, labels, frame_counts, label_counts, 0, True)
        ctx.save_for_backward(log_probs, labels, nll, alpha)
        ctx.counts = (frame_counts, label_counts)
        return torch.where(torch.isfinite(nll), nll, torch.zeros_like(nll))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Minus the occupancies, weighted by the incoming gradient."""
        log_probs, labels, nll, alpha = ctx.saved_tensors
        frame_counts, label_counts = ctx.counts
        raw = torch.ops.aten._ctc_loss_backward(
            gradient, log_probs, labels, frame_counts, label_counts, nll, alpha, 0, True
        )
        inside = torch.arange(len(log_probs), device=raw.device)[:, None] < torch.tensor(
            frame_counts, device=raw.device
        )
        weight = (gradient * torch.isfinite(nll)) * inside
        return raw - log_probs.exp() * weight[..., None], None, None, None


def with_wildcards(log_probs: Tensor) -> Tensor:
    """Append the two wildcard columns, log of the probability of any phone: (..., V) to (..., V + 2)."""
    any_phone = torch.logsumexp(log_probs[..., 1:], dim=-1, keepdim=True)
    return torch.cat([log_probs, any_phone, any_phone], dim=-1)


def ctc_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Mean over the batch of the negative log-likelihood a label."""
    log_probs = with_wildcards(F.log_softmax(logits.float(), dim=-1)).transpose(0, 1)
    nll: Tensor = ExactCtc.apply(log_probs, batch.labels, batch.frame_counts, batch.label_counts)
    return (nll / torch.tensor(batch.label_counts, device=nll.device)).mean()


def frame_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy against phones spread uniformly over the energetic frames."""
    frames = min(logits.shape[1], batch.frame_labels.shape[1])
    return F.cross_entropy(logits[:, :frames].float().flatten(0, 1), batch.frame_labels[:, :frames].flatten())
