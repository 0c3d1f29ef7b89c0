"""Steps 4 and 5 against torch's own CTC, a batch of every alternative in float64."""

from __future__ import annotations

import numpy as np
import torch

from ctc_problems import one_label_phones, random_log_probs
from elocute import ctc, gop


def torch_log_probs(log_probs: np.ndarray, sequences: list[list[int]]) -> np.ndarray:
    """Log P of each sequence by `ctc_loss`, blank 0."""
    lengths = torch.tensor([len(labels) for labels in sequences])
    targets = torch.tensor([label for labels in sequences for label in labels])
    frames = torch.from_numpy(log_probs)[:, None].expand(-1, len(sequences), -1)
    loss = torch.nn.functional.ctc_loss(
        frames, targets, torch.full((len(sequences),), len(log_probs)), lengths, reduction="none"
    )
    return -loss.numpy()


def test_every_alternative_equals_torch() -> None:
    log_probs = random_log_probs(51, T=120, V=40, peakiness=4.0)
    labels = [3, 3, 17, 39, 1, 8, 8, 8, 22, 5]
    L = len(labels)
    found = gop.alternatives(log_probs, [label - 1 for label in labels], one_label_phones(39))
    substituted = [[*labels[:i], k, *labels[i + 1 :]] for i in range(L) for k in range(1, 40)]
    deleted = [[*labels[:i], *labels[i + 1 :]] for i in range(L)]
    inserted = [[*labels[:j], k, *labels[j:]] for j in range(L + 1) for k in range(1, 40)]
    theirs = torch_log_probs(log_probs, [labels, *substituted, *deleted, *inserted])
    ours = [found.log_prob, *found.substitution.ravel(), *found.deletion, *found.insertion.ravel()]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_occupancies_are_the_gradient_of_the_log_probability() -> None:
    log_probs = torch.from_numpy(random_log_probs(52, T=40, V=6)).requires_grad_()
    labels = [2, 4, 4, 1]
    torch.nn.functional.ctc_loss(
        log_probs[:, None], torch.tensor([labels]), torch.tensor([40]), torch.tensor([4]), reduction="sum"
    ).backward()
    occupancies = ctc.lattice(log_probs.detach().numpy(), labels).occupancies()
    per_symbol = np.zeros((40, 6))
    np.add.at(per_symbol, (slice(None), [0, 2, 0, 4, 0, 4, 0, 1, 0]), occupancies)
    # torch's native gradient assumes a softmax below: exp(log_probs) minus the occupancy
    np.testing.assert_allclose(np.exp(log_probs.detach().numpy()) - per_symbol, log_probs.grad, atol=1e-12)
