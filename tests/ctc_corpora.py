"""Small corpora in the layouts of the real ones: every phone is a chord of its own, so that a model can learn them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from elocute.phones import PHONES, phonemize

SENTENCES = (
    "she sees the sea",
    "they found a small boat",
    "we think about the weather",
    "my father likes green tea",
    "put the book on the table",
    "nobody came to the party",
)


def spoken(text: str, seed: int, phone_s: float = 0.12) -> np.ndarray:
    """A text as chords of 120 ms a phone, float, 16 kHz, with a little noise and silence at both ends."""
    rng = np.random.default_rng(seed)
    parts = [np.zeros(1600)]
    for phone in phonemize(text).phones:
        number = PHONES.index(phone.symbol)
        time = np.arange(int(16_000 * phone_s)) / 16_000
        low, high = 250 + 60 * (number % 13), 1500 + 700 * (number // 13) + 90 * (number % 5)
        shape = np.hanning(len(time))
        parts.append(0.2 * shape * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)))
    wave = np.concatenate([*parts, np.zeros(1600)])
    return np.asarray(wave + rng.normal(0, 0.003, len(wave)), dtype=np.float32)


def write_librispeech(folder: Path, speakers: int = 3, sentences: Sequence[str] = SENTENCES) -> Path:
    """`SPEAKER/CHAPTER/*.flac` and their transcripts, upper case as there."""
    for speaker in range(100, 100 + speakers):
        chapter = folder / str(speaker) / "7"
        chapter.mkdir(parents=True)
        lines = []
        for number, text in enumerate(sentences):
            key = f"{speaker}-7-{number:04}"
            soundfile.write(chapter / f"{key}.flac", spoken(text, speaker * 100 + number), 16_000)
            lines.append(f"{key} {text.upper()}\n")
        (chapter / f"{speaker}-7.trans.txt").write_text("".join(lines))
    return folder


def write_commonvoice(folder: Path, rows: Sequence[tuple[str, str, str]], name: str = "train.tsv") -> Path:
    """`clips/` and a list of (client_id, path, sentence)."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    lines = ["client_id\tpath\tsentence_id\tsentence\tup_votes\n"]
    for number, (client, path, sentence) in enumerate(rows):
        if sentence.strip():
            wave = spoken("she sees the sea", number)
            soundfile.write(folder / "clips" / path, np.repeat(wave, 3), 48_000)  # as there: 48 kHz
        lines.append(f"{client}\t{path}\tx\t{sentence}\t2\n")
    (folder / name).write_text("".join(lines))
    return folder
