"""The training loss: wildcard columns need a CTC gradient that PyTorch's own backward does not give."""

import torch
from torch.nn import functional as F

from elocute.training.acoustic import ExactCtc, with_wildcards


def plain_ctc(log_probs: torch.Tensor, labels: list[int]) -> torch.Tensor:
    """Forward recursion from the definition, differentiable by autograd; log_probs (T, V)."""
    states = [0]
    for label in labels:
        states += [label, 0]
    floor = torch.tensor(-1e30, dtype=log_probs.dtype)
    alpha = [log_probs[0, s] if i < 2 else floor for i, s in enumerate(states)]
    for t in range(1, len(log_probs)):
        new = []
        for i, s in enumerate(states):
            ways = [alpha[i]] + ([alpha[i - 1]] if i else [])
            if i > 1 and s != 0 and s != states[i - 2]:
                ways.append(alpha[i - 2])
            new.append(torch.logsumexp(torch.stack(ways), 0) + log_probs[t, s])
        alpha = new
    return -torch.logsumexp(torch.stack(alpha[-2:]), 0)


def test_gradient_through_wildcards_equals_autograd_of_the_definition() -> None:
    torch.manual_seed(3)
    frames, labels = [9, 7], [[2, 5, 3], [6, 4]]  # 5 and 6 are the wildcards of a model of 4 phones
    for _ in range(20):
        logits = torch.randn(2, 9, 5, dtype=torch.float64, requires_grad=True)
        log_probs = with_wildcards(F.log_softmax(logits, dim=-1))
        weight = torch.rand(2, dtype=torch.float64)
        nll = ExactCtc.apply(log_probs.transpose(0, 1), torch.tensor(sum(labels, [])), frames, [3, 2])
        (ours,) = torch.autograd.grad((nll * weight).sum(), logits)
        log_probs = with_wildcards(F.log_softmax(logits, dim=-1))
        plain = torch.stack([plain_ctc(log_probs[b, : frames[b]], labels[b]) for b in range(2)])
        (expected,) = torch.autograd.grad((plain * weight).sum(), logits)
        torch.testing.assert_close(nll, plain)
        torch.testing.assert_close(ours, expected)


def test_an_impossible_example_is_left_out_without_harm() -> None:
    logits = torch.zeros(1, 2, 5, requires_grad=True)
    log_probs = with_wildcards(F.log_softmax(logits, dim=-1)).transpose(0, 1)
    nll = ExactCtc.apply(log_probs, torch.tensor([1, 2, 3]), [2], [3])
    nll.sum().backward()
    assert nll.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
