"""A phone model as a folder that transformers and `--backend hf:` load."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from elocute.training.ctc_model import VOCABULARY, PhoneModel


def save_model(phone_model: PhoneModel, model: Any, folder: Path) -> None:
    """Write the model as users of transformers expect it, and the vocabulary that `--backend hf:DIR` reads.

    Every file takes its name when it is whole, the configuration last.
    """
    part = folder / ".writing"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model.save_pretrained(part)
    phone_model.extractor.save_pretrained(part)
    write_vocabulary(part, VOCABULARY)
    for path in sorted(part.iterdir(), key=lambda path: path.name == "config.json"):
        os.replace(path, folder / path.name)
    part.rmdir()


def write_vocabulary(folder: Path, labels: tuple[str, ...]) -> None:
    """`vocab.json` and `tokenizer_config.json` of labels whose first is blank and padding."""
    vocabulary = {label: number for number, label in enumerate(labels)}
    tokenizer = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "pad_token": labels[0],
        "unk_token": labels[0],
        "bos_token": None,
        "eos_token": None,
        "word_delimiter_token": None,
        "do_lower_case": False,
    }
    for name, table in (("vocab.json", vocabulary), ("tokenizer_config.json", tokenizer)):
        (folder / name).write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
