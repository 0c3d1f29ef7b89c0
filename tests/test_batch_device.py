"""A torch backend's posteriors and what the lattices make of them on its device, against numpy one by one."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra hf is not installed")
import torch

from acoustic.label_lists import ESPEAK
from acoustic.tiny_models import save_family
from elocute.acoustic.huggingface import HuggingFaceBackend
from elocute.acoustic.tensors import fold_tensor, side_by_side
from elocute.acoustic.vocabulary import phones_of
from elocute.batch.device import DeviceGop
from elocute.gop import Alternatives, alternatives, gop_sf
from elocute.gop.edits_batched import pack
from planted import recording

ROOT = Path(__file__).parent.parent


def random_log_probs(B: int, T: int, V: int, peakiness: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.log_softmax(torch.randn(B, T, V, generator=generator) * peakiness, dim=-1)


@pytest.mark.parametrize("peakiness", [1.0, 8.0, 30.0])
def test_posteriors_are_folded_on_the_device_as_in_numpy(peakiness: float) -> None:
    folding = phones_of(list(ESPEAK), 0)
    assert len(folding.pairs)
    log_probs = random_log_probs(3, 12, len(ESPEAK), peakiness)
    folded = fold_tensor(folding, log_probs)
    for row, alone in zip(folded, log_probs, strict=True):
        np.testing.assert_allclose(row, folding.fold(alone.numpy()), rtol=1e-6, atol=1e-6)


def test_batches_of_different_lengths_stand_side_by_side() -> None:
    one, other = torch.rand(2, 5, 3), torch.rand(1, 7, 3)
    joined = side_by_side([one, other])
    assert joined.shape == (7, 3, 3)
    assert joined.dtype == torch.float64
    np.testing.assert_array_equal(joined[:5, :2].transpose(0, 1), one.double())
    np.testing.assert_array_equal(joined[:, 2], other[0].double())


@pytest.mark.parametrize("labels", [None, ESPEAK], ids=["arpabet", "espeak"])
def test_scores_of_batches_equal_those_of_each_recording_alone(labels: tuple[str, ...] | None, tmp_path: Path) -> None:
    folder = save_family("wav2vec2", tmp_path / "model", *([] if labels is None else [labels]))
    backend = HuggingFaceBackend(folder, name="hf:tiny", threads=1)
    recordings = [recording(seconds, seed=n) for n, seconds in enumerate((0.9, 0.31, 1.7, 0.4, 0.2))]
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 39, n).tolist() for n in (6, 2, 9, 3, 30)]  # the last is too long for its recording
    heard = [backend.hear([one.samples for one in part]) for part in (recordings[:2], recordings[2:])]
    found = DeviceGop.of(backend)(heard, pack(texts, backend.phone_set))
    split, scores = found.split(), found.gop_sf().numpy()
    assert not isinstance(split[-1], Alternatives)
    assert np.isneginf(scores[found.texts.starts[-2] :]).all()
    for number, (audio, text) in enumerate(zip(recordings[:-1], texts, strict=False)):
        truth = alternatives(backend.posteriors(audio).log_probs, text, backend.phone_set)
        own = split[number]
        assert isinstance(own, Alternatives)
        begin, end = found.texts.starts[number : number + 2]
        np.testing.assert_allclose(scores[begin:end], gop_sf(truth, "SD"), atol=1e-5)
        for name in ("log_prob", "substitution", "deletion", "insertion", "any_string", "durations"):
            np.testing.assert_allclose(getattr(own, name), getattr(truth, name), rtol=1e-6, atol=1e-5, err_msg=name)


def test_the_benchmark_runs_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--device", "cpu", "--tiny", "--hours", "0.003", "--checked", "2", "--precisions", "fp32"]
    monkeypatch.setattr(sys, "argv", ["gpu_batch.py", *options, "--threads", "1", "--out", str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    runpy.run_path(str(ROOT / "benchmarks" / "gpu_batch.py"), run_name="__main__")
    row = json.loads((tmp_path / "gpu_batch.json").read_text(encoding="utf-8"))["precisions"]["fp32"]
    assert row["posteriors_max_nats"] < 1e-5
    assert row["gop_max_nats"] < 1e-5
    assert row["wall"] > row["network"] > 0
    assert "| fp32 |" in (tmp_path / "gpu_batch.md").read_text(encoding="utf-8")
