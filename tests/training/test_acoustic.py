"""The training loss: wildcard columns need a CTC gradient that PyTorch's own backward does not give."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import training_processes
from elocute.training.acoustic import AcousticTraining, train
from elocute.training.acoustic_batches import TrainingSet
from elocute.training.acoustic_loss import ExactCtc, with_wildcards
from elocute.training.acoustic_model import AcousticConfig
from elocute.training.recordings import WILDCARD, Recording
from elocute.training.scorer_data import read_heldout


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


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AcousticTraining:
    """A training of a tiny model on noise, with two recordings left out."""
    generator = np.random.default_rng(0)
    recordings = [
        Recording(
            id=str(i),
            audio=Path("x"),
            labels=(1, WILDCARD + 1),
            phones=(1, 2),
            speaker="s",
            kind="learner",
            phone_scores=(2.0, 0.1 * i),
            utterance_scores=(0.2 * i, 1.0, 0.3 * i, 0.1 * i),
        )
        for i in range(6)
    ]
    model = AcousticConfig(width=16, feed_forward=16, heads=2, blocks=2, channels=4, intermediate_block=1)
    frames = torch.from_numpy(generator.normal(size=(6 * 60, model.mels)).astype(np.float32))

    def build_sets(config: AcousticTraining, device: torch.device):
        lengths = torch.full((4,), 60)
        training = TrainingSet(
            recordings=recordings[:4], frames=frames[:240], lengths=lengths, noise=frames[240:], batch_s=2.0, seed=1
        )
        return training, recordings[4:], frames[240:], lengths[:2]

    monkeypatch.setattr("elocute.training.acoustic.build_sets", build_sets)
    return AcousticTraining(
        speechocean=tmp_path,
        native=(),
        noise=tmp_path,
        out=tmp_path / "run",
        fold=0,
        minutes=3 / 60,
        report_every=2,
        flat_start_steps=2,
        plateau_step=4,
        plateau_loss=1e9,
        model=model,
    )


def test_a_training_that_stopped_goes_on_where_it_was(tiny: AcousticTraining) -> None:
    out = train(replace(tiny, stop_after_minutes=1 / 60), torch.device("cpu"))
    first = json.loads((out / "run.json").read_text())
    assert 1.0 <= first["spent_s"] < 2.5
    train(tiny, torch.device("cpu"))
    second = json.loads((out / "run.json").read_text())
    assert second["spent_s"] >= 3.0
    assert second["step"] > first["step"]
    assert second["curve"][: len(first["curve"])] == first["curve"]
    assert second["restarts"] == 0
    assert set(second["rating_pcc_heldout"]) == {"phone", "accuracy", "fluency", "prosodic", "total"}
    heard = read_heldout(out.parent)
    assert list(heard) == ["4", "5"]
    assert heard["4"].log_probs.shape == (30, 40)
    assert heard["4"].ratings.shape == (30, 43)
    np.testing.assert_allclose(np.exp(heard["5"].log_probs).sum(1), 1.0, atol=1e-3)


def test_a_model_on_the_blank_plateau_is_started_anew(tiny: AcousticTraining) -> None:
    out = train(replace(tiny, plateau_loss=0.0, most_restarts=2), torch.device("cpu"))
    record = json.loads((out / "run.json").read_text())
    assert record["restarts"] == 2
    steps = [point["step"] for point in record["curve"]]
    # Training stops by the clock: on a busy machine soon after the last new start.
    assert len(steps) >= 4
    assert steps == [2, 4, 2, 4, 2, 4, *range(6, 6 + 2 * len(steps), 2)][: len(steps)]


def test_two_processes_learn_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes of gloo that share every batch, one of them without a part of some, against one process."""
    pytest.importorskip("accelerate", reason="the extra hf is not installed")
    steps = 15
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, str(Path(training_processes.__file__)), str(tmp_path / "two"), str(steps)]
    processes = [
        subprocess.Popen(
            command, env=os.environ | shared | {"RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True
        )
        for rank in ("0", "1")
    ]
    monkeypatch.setattr("elocute.training.acoustic.build_sets", training_processes.build_sets)
    train(training_processes.config(tmp_path / "one", steps), torch.device("cpu"))
    errors = [process.communicate(timeout=600)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    one, two = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two"))
    assert (one["processes"], two["processes"]) == (1, 2)
    assert [point["step"] for point in two["curve"]] == [point["step"] for point in one["curve"]]
    assert len(one["curve"]) == steps // 3
    losses = [[point["loss"] for point in record["curve"]] for record in (one, two)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-3)
    weights = [torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name].float(), value.float(), atol=2e-3, rtol=0.02)


def test_a_training_by_steps_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elocute.training.acoustic.build_sets", training_processes.build_sets)
    curves = []
    for name in ("a", "b"):
        out = train(training_processes.config(tmp_path / name, 12), torch.device("cpu"))
        curves.append([point["loss"] for point in json.loads((out / "run.json").read_text())["curve"]])
    assert curves[0] == curves[1]
    assert len(curves[0]) == 4
