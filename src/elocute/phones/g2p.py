"""Step 2/10 - pronunciations of words that nobody lists, by a small ONNX model or by an optional engine."""

from __future__ import annotations

LETTERS = "'abcdefghijklmnopqrstuvwxyz^$"
"""Letters of the model; id = place + 1, 0 is padding. ^ and $ stand around every word."""
BLANK_ID = 0
"""Column of the CTC blank; column i + 1 is lexicon.SYMBOLS[i]."""


def encode_word(word: str) -> list[int]:
    """Letter ids of a lower-case word between its boundary marks."""
    return [LETTERS.index(letter) + 1 for letter in f"^{word}$"]
