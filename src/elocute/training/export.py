"""Export trained networks to ONNX, quantise them to int8, and prove that the copies compute the same."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elocute.acoustic.embedded import MIN_SAMPLES
from elocute.assets import load_onnxruntime
from elocute.errors import ConfigError
from elocute.export.graph import quantise, to_onnx
from elocute.training.acoustic_model import FRAME_SHIFT_S, AcousticConfig, AcousticModel

TWIN_TOLERANCE = 1e-3
"""Largest difference in nats allowed between torch and the fp32 ONNX graph."""
INT8_TOLERANCE = 1e-3
"""Largest mean difference in probability allowed between the fp32 and the int8 graph."""
RATING_TOLERANCE = 0.02
"""Largest mean difference in rating, on the scale of 0 to 2, allowed between the fp32 and the int8 graph."""


def load_acoustic(run: Path) -> AcousticModel:
    """The trained model of a run folder, in float32, ready for inference."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    model = AcousticModel(AcousticConfig(**record["config"]["model"]))
    weights = torch.load(run / "weights.pt", map_location="cpu", weights_only=True)
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval()


def export_acoustic(run: Path, out: Path) -> dict[str, Any]:
    """Write `out` (int8) from a run folder: samples (1, N) to log_probs (1, N // 320, 40) and ratings (.., 43).

    Returns: facts for the card: sizes and the differences between torch, fp32 and int8.

    Raises:
        ConfigError: a graph differs from its twin by more than the tolerance.
    """
    model = load_acoustic(run)
    full = run / "acoustic.fp32.onnx"
    rng = np.random.default_rng(0)
    to_onnx(model, full, outputs=("log_probs", "ratings"), shortest=MIN_SAMPLES, batch=False)
    quantise(full, out)
    facts = compare_twins(model, full, out, rng)
    facts |= {
        "bytes": out.stat().st_size,
        "bytes_fp32": full.stat().st_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "frame_shift_s": FRAME_SHIFT_S,
    }
    for fact, tolerance in (
        ("torch_fp32_max_nats", TWIN_TOLERANCE),
        ("fp32_int8_mean_probability_difference", INT8_TOLERANCE),
        ("fp32_int8_mean_rating_difference", RATING_TOLERANCE),
    ):
        if facts[fact] > tolerance:
            raise ConfigError(
                f"the exported graph fails its twin test: {fact} is {facts[fact]:.2g}, at most {tolerance}"
            )
    return facts


def write_card(run: Path, facts: dict[str, Any], heldout: dict[str, dict[str, Any]], out: Path) -> dict[str, Any]:
    """Write the card of an exported acoustic model.

    Args:
        run: run folder of the exported model.
        facts: from `export_acoustic`.
        heldout: phone error rate (`per`) and correlation of the bare ratings with people's scores (`rating_pcc`) on
            unseen speakers, of the models trained the same way without a fold.
        out: where to write the JSON.

    Returns: the card.
    """
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    config = record["config"]
    synthetic = [Path(folder).name for folder in config.get("synthetic", ())]  # runs of earlier versions have none
    card = {
        "name": "elocute embedded acoustic model",
        "version": date.today().isoformat(),
        "kind": "Conformer CTC over 39 ARPABET phones and blank, with a rating head; log-mel front end inside the "
        "graph; int8 MatMul",
        "phones": record["phones"],
        "frame_shift_s": FRAME_SHIFT_S,
        "parameters": facts["parameters"],
        "bytes": facts["bytes"],
        "licence": "Apache-2.0",
        "data": [
            "speechocean762, official train split (CC BY 4.0)",
            "Kathleen, 1,112 sentences of one US speaker (CC0 1.0)",
            "LJSpeech, 314 sentences of one US speaker (public domain)",
            "Picovoice speech-to-intent-benchmark, 366 of 619 spoken orders of crowd speakers, those whose words were "
            "found by elocute train transcribe-orders (Apache-2.0)",
            "ESC-10 noise, its CC0 clips",
            *(f"synthetic speech with errors: {name} (elocute train synthetic)" for name in synthetic),
        ],
        "command": "elocute train acoustic --speechocean DIR --native kathleen --native ljspeech --native orders "
        f"--noise esc10 {''.join(f'--synthetic {name} ' for name in synthetic)}--minutes {config['minutes']} "
        f"--seed {config['seed']} --out RUN; elocute train export RUN",
        "training": config
        | {name: "" for name in ("speechocean", "native", "noise", "out", "cache")}
        | {"synthetic": synthetic},
        "steps": record["step"],
        "minutes": round(record["spent_s"] / 60, 1),
        "twins": {key: value for key, value in facts.items() if key.startswith(("torch", "fp32"))},
        "evaluation": {
            "what": "greedy phone error rate against the canonical phones (what was said wrong counts as error too) "
            "and PCC of the bare ratings with people's scores, both on the left-out speakers of models trained "
            "without one fold, for the minutes named",
            "heldout": heldout,
        },
        "limits": [
            "one native speaker group and one learner group (Mandarin L1, half children); read speech",
            f"trained for {record['spent_s'] / 60:.0f} minutes on less than 5 hours of people's speech",
        ],
    }
    out.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def compare_twins(model: AcousticModel, full: Path, small: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Largest difference of torch against fp32, and mean differences and agreement of fp32 against int8."""
    onnxruntime = load_onnxruntime()
    sessions = [onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (full, small)]
    worst, gaps, rating_gaps, agreement = 0.0, [], [], []
    for seconds in (0.3, 1.07, 4.0, 11.31):
        time = np.arange(int(seconds * 16_000)) / 16_000
        wave = 0.1 * np.sin(2 * np.pi * (120 + 40 * np.sin(3 * time)) * time) + rng.normal(0, 0.02, time.shape)
        samples = wave[None].astype(np.float32)
        with torch.inference_mode():
            ours = [part.numpy() for part in model(torch.from_numpy(samples))]
        fp32, int8 = (session.run(["log_probs", "ratings"], {"samples": samples}) for session in sessions)
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip(ours, fp32, strict=True)))
        gaps.append(float(np.abs(np.exp(fp32[0]) - np.exp(int8[0])).mean()))
        rating_gaps.append(float(np.abs(fp32[1] - int8[1]).mean()))
        agreement.append(float((fp32[0].argmax(-1) == int8[0].argmax(-1)).mean()))
    return {
        "torch_fp32_max_nats": worst,
        "fp32_int8_mean_probability_difference": float(np.mean(gaps)),
        "fp32_int8_mean_rating_difference": float(np.mean(rating_gaps)),
        "fp32_int8_argmax_agreement": float(np.mean(agreement)),
    }
