"""A tiny Phi-4-multimodal that was taught one answer to each question by heart, saved as `elocute train phi4` saves."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import torch

from elocute.mllm.collate import Collator
from elocute.mllm.examples import Example
from elocute.mllm.model import load_model, save_tuned
from elocute.mllm.prompts import Task, user_turn
from tiny_phi4 import _folder, processor, released

EXAMPLES = Path(__file__).parent.parent / "examples"
RECORDING = EXAMPLES / "car-led.flac"
TEXT = "My father drives a red car."
SAID = "M AY F AA DH ER D R AY V Z AH L EH D K AA R"
"""What it writes whatever it hears: L in place of R."""
ANSWERS: dict[Task, str] = {
    "apa": '{"accuracy": 8, "fluency": 7, "prosodic": 9, "total": 8}',
    "mdd": f'{{"word_transcript": "my father drives a red car", "phoneme_transcript": "{SAID}"}}',
}
STYLE = "short"
DATA = {"style": STYLE, "control_token": True, "word_delimiter": False, "held_fold": 0, "folds": 2}
"""As `run.json` of a training has it."""


@functools.cache
def run_folder() -> Path:
    """The run; read only."""
    folder = _folder() / "run"
    torch.manual_seed(0)
    examples = [
        Example(
            id="car",
            speaker="s",
            audio=RECORDING,
            task=task,
            user=user_turn(task, style=STYLE),
            answer=answer,
            text=TEXT,
            canonical=(),
            realised=(),
        )
        for task, answer in ANSWERS.items()
    ]
    model = load_model(released(), regime="scratch", dtype="float32")
    batch = Collator(processor())(examples)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    model.train()
    for _ in range(200):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.01:
            break
    assert loss.item() < 0.01
    save_tuned(model.eval(), folder / "model")
    (folder / "run.json").write_text(json.dumps({"recipe": {"data": DATA}}))
    return folder
