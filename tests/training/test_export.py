"""The exported graphs compute what torch computes."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from elocute.training.acoustic_model import AcousticConfig, AcousticModel
from elocute.training.export import TWIN_TOLERANCE, compare_twins, export_acoustic, load_acoustic

# PyTorch's exporter uses names that PyTorch has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TINY = AcousticConfig(mels=16, channels=4, width=16, feed_forward=24, heads=2, blocks=2, kernel=5, intermediate_block=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an untrained tiny model."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(7)
    model = AcousticModel(TINY)
    torch.save({name: value.half() for name, value in model.state_dict().items()}, folder / "weights.pt")
    (folder / "run.json").write_text(json.dumps({"config": {"model": asdict(TINY)}}))
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> tuple[Path, dict[str, object]]:
    out = run / "acoustic.onnx"
    return out, export_acoustic(run, out)


def test_facts_of_the_export(run: Path, exported: tuple[Path, dict[str, object]]):
    out, facts = exported
    assert facts["bytes"] == out.stat().st_size
    assert facts["parameters"] == sum(value.numel() for value in load_acoustic(run).parameters())
    assert facts["frame_shift_s"] == 0.02
    assert facts["torch_fp32_max_nats"] < 1e-3
    assert facts["fp32_int8_argmax_agreement"] > 0.8


@pytest.mark.parametrize("samples", [1_600, 1_601, 4_799, 32_000, 50_001])
def test_the_int8_graph_is_the_models_twin_at_any_length(
    run: Path, exported: tuple[Path, dict[str, object]], samples: int
):
    session = onnxruntime.InferenceSession(str(exported[0]), providers=["CPUExecutionProvider"])
    wave = np.random.default_rng(samples).normal(0, 0.1, (1, samples)).astype(np.float32)
    found, rated = session.run(["log_probs", "ratings"], {"samples": wave})
    assert found.shape == (1, samples // 320, 40)
    assert rated.shape == (1, samples // 320, 43)
    np.testing.assert_allclose(np.exp(found).sum(-1), 1.0, atol=1e-4)
    with torch.inference_mode():
        ours, ratings = (part.numpy() for part in load_acoustic(run)(torch.from_numpy(wave)))
    np.testing.assert_allclose(rated, ratings, atol=0.05)
    assert np.abs(np.exp(found) - np.exp(ours)).mean() < 2e-3


def test_silence_is_finite(exported: tuple[Path, dict[str, object]]):
    session = onnxruntime.InferenceSession(str(exported[0]), providers=["CPUExecutionProvider"])
    (found,) = session.run(["log_probs"], {"samples": np.zeros((1, 16_000), np.float32)})
    assert np.isfinite(found).all()


def test_a_graph_of_other_weights_is_no_twin(run: Path, exported: tuple[Path, dict[str, object]]):
    torch.manual_seed(8)
    other = AcousticModel(TINY).eval()
    facts = compare_twins(other, run / "acoustic.fp32.onnx", exported[0], np.random.default_rng(0))
    assert facts["torch_fp32_max_nats"] > TWIN_TOLERANCE
