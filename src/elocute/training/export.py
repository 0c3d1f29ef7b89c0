"""Export trained networks to ONNX, quantise them to int8, and prove that the copies compute the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elocute.errors import ConfigError
from elocute.training.acoustic_model import FRAME_SHIFT_S, AcousticConfig, AcousticModel

OPSET = 20
TWIN_TOLERANCE = 1e-3
"""Largest difference in nats allowed between torch and the fp32 ONNX graph."""


def load_acoustic(run: Path) -> AcousticModel:
    """The trained model of a run folder, in float32, ready for inference."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    model = AcousticModel(AcousticConfig(**record["config"]["model"]))
    weights = torch.load(run / "weights.pt", map_location="cpu", weights_only=True)
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval()


def export_acoustic(run: Path, out: Path) -> dict[str, Any]:
    """Write `out` (int8) from a run folder, samples (1, N) to log_probs (1, N // 320, 40).

    Only MatMul and Gemm are quantised, one scale a channel: quantised convolutions are slower and less exact.

    Returns: facts for the card: sizes and the differences between torch, fp32 and int8.

    Raises:
        ConfigError: the fp32 graph differs from torch by more than the tolerance.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = load_acoustic(run)
    full = out.with_suffix(".fp32.onnx")
    rng = np.random.default_rng(0)
    samples = torch.from_numpy(rng.normal(0, 0.05, (1, 32_000)).astype(np.float32))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        program = torch.onnx.export(
            model,
            (samples,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["samples"],
            output_names=["log_probs"],
            dynamic_shapes={"samples": {1: torch.export.Dim("n", min=1600, max=16_000 * 600)}},
        )
    if program is None:
        raise ConfigError("torch.onnx.export returned nothing; expected an ONNX program")
    program.save(full, external_data=False)
    quantize_dynamic(
        full,
        out,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    facts = compare_twins(model, full, out, rng)
    facts |= {
        "bytes": out.stat().st_size,
        "bytes_fp32": full.stat().st_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "frame_shift_s": FRAME_SHIFT_S,
    }
    if facts["torch_fp32_max_nats"] > TWIN_TOLERANCE:
        raise ConfigError(
            f"the exported graph differs from torch by {facts['torch_fp32_max_nats']:.2g} nats; "
            f"expected at most {TWIN_TOLERANCE}"
        )
    return facts


def compare_twins(model: AcousticModel, full: Path, small: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Largest difference in nats of torch against fp32, and mean difference and agreement of fp32 against int8."""
    import onnxruntime

    sessions = [onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (full, small)]
    worst, gaps, agreement = 0.0, [], []
    for seconds in (0.3, 1.07, 4.0, 11.31):
        time = np.arange(int(seconds * 16_000)) / 16_000
        wave = 0.1 * np.sin(2 * np.pi * (120 + 40 * np.sin(3 * time)) * time) + rng.normal(0, 0.02, time.shape)
        samples = wave[None].astype(np.float32)
        with torch.inference_mode():
            ours = model(torch.from_numpy(samples)).numpy()
        fp32, int8 = (session.run(None, {"samples": samples})[0] for session in sessions)
        worst = max(worst, float(np.abs(ours - fp32).max()))
        gaps.append(float(np.abs(np.exp(fp32) - np.exp(int8)).mean()))
        agreement.append(float((fp32.argmax(-1) == int8.argmax(-1)).mean()))
    return {
        "torch_fp32_max_nats": worst,
        "fp32_int8_mean_probability_difference": float(np.mean(gaps)),
        "fp32_int8_argmax_agreement": float(np.mean(agreement)),
    }
