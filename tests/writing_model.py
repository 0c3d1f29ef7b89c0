"""A stand-in for the language model that writes what it is told, with given probabilities, the way of generation.

It has the tokenizer's vocabulary and the interface that generation calls, and runs the logits processors on logits of
its own. What it cannot show is whether a real model pads and caches rightly; that is tested with random weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

END = "<|end|>"


class WritingModel(torch.nn.Module):
    """Writes planned texts, one for each question, in the order in which they are asked.

    Args:
        processor: whose tokenizer spells the texts.
        texts: to write, one after the other; those in `unclosed` are not closed.
        sure: probability of every token that is written, unless `doubts` says otherwise.
        doubts: of a token, by its text: other tokens by their text, with the probabilities that all of these get.
        unclosed: texts that are not closed.
    """

    def __init__(
        self,
        processor: Any,
        texts: Iterable[str],
        *,
        sure: float = 0.9,
        doubts: dict[str, dict[str, float]] | None = None,
        unclosed: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.tokenizer = processor.tokenizer
        self.texts, self.sure, self.doubts, self.unclosed = iter(texts), sure, doubts or {}, unclosed
        self.asked: list[str] = []
        self.device = torch.device("cpu")
        self.size = max(self.tokenizer.get_vocab().values()) + 1

    def generate(
        self, *, input_ids: torch.Tensor, logits_processor: Any, max_new_tokens: int, pad_token_id: int, **_: Any
    ) -> torch.Tensor:
        """As transformers' generate."""
        rows = []
        for question in input_ids:
            self.asked.append(self.tokenizer.decode(question))
            text = next(self.texts)
            ids = self.tokenizer.encode(text, add_special_tokens=False)
            rows.append(ids if text in self.unclosed else [*ids, self.tokenizer.convert_tokens_to_ids(END)])
        steps = min(max(map(len, rows)), max_new_tokens)
        written = input_ids
        for step in range(steps):
            logits = torch.stack([self._logits(row[step] if step < len(row) else pad_token_id) for row in rows])
            chosen = logits_processor(written, logits).argmax(dim=-1)
            written = torch.cat([written, chosen[:, None]], dim=1)
        return written

    def _logits(self, token: int) -> torch.Tensor:
        """Of the next token."""
        shares = {self.tokenizer.decode([token]): self.sure}
        shares = self.doubts.get(next(iter(shares)), shares)
        logits = torch.full((self.size,), -30.0)
        for text, share in shares.items():
            number = token if text == self.tokenizer.decode([token]) else self._token(text)
            logits[number] = torch.log(torch.tensor(share))
        rest = 1.0 - sum(shares.values())
        if rest > 0:
            # One more token takes what is left, as long as it is less than the largest share.
            logits[self._token("!") if rest < max(shares.values()) else token] = torch.log(torch.tensor(rest))
        return logits

    def _token(self, text: str) -> int:
        """The one token of a text."""
        (number,) = self.tokenizer.encode(text, add_special_tokens=False)
        return int(number)
