"""A tiny random Phi-4-multimodal in the files of the released repository, made once a session, and a batch for it."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch

from elocute.mllm.adapters import AdapterConfig
from elocute.mllm.processing import load_processor
from elocute.mllm.released import write_released_layout

RANK = 8
SPEECH = AdapterConfig(rank=RANK, alpha=2.0 * RANK, dropout=0.0)
"""Goes on with the tiny model's speech adapter."""
FRESH = AdapterConfig(rank=4, alpha=8.0, dropout=0.0, start="merged")
"""A new adapter over the merged one."""


@functools.cache
def _folder() -> Path:
    """Gone at the end of the session."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-phi4-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def released(layout: str = "native") -> Path:
    """The model's folder; read only."""
    return _released(layout)


@functools.cache
def _released(layout: str) -> Path:
    return write_released_layout(_folder() / layout, layout=layout, rank=RANK)  # type: ignore[arg-type]


@functools.cache
def processor() -> Any:
    """Of the native folder."""
    return load_processor(released())


@functools.cache
def batch() -> dict[str, torch.Tensor]:
    """Two questions with noise of different lengths, answered; labels on the answer alone."""
    draw = np.random.default_rng(1)
    audio = [(0.1 * draw.standard_normal(samples)).astype(np.float32) for samples in (16000, 12000)]
    texts = [
        "<|user|><|audio|>What?<|end|><|assistant|>a b c<|end|>",
        "<|user|><|audio|>What?<|end|><|assistant|>b<|end|>",
    ]
    made = dict(processor()(text=texts, audio=audio, sampling_rate=16000, return_tensors="pt", padding=True))
    labels = made["input_ids"].clone()
    labels[:, : labels.shape[1] - 4] = -100
    labels[made["attention_mask"] == 0] = -100
    return made | {"labels": labels}


def logits(model: Any) -> torch.Tensor:
    """What a model answers to the batch, in float32."""
    inputs = {name: tensor for name, tensor in batch().items() if name != "labels"}
    with torch.no_grad():
        return model.eval()(**inputs).logits.float()


def learn(model: Any, *, updates: int = 2, rate: float = 1e-2) -> list[float]:
    """A few updates on the batch; the losses before each."""
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
    losses = []
    for _ in range(updates):
        loss = model(**batch()).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses
