"""Answers of the model to recordings: greedy, in batches, with how sure it was of every token.

Decoding is greedy because scores and transcripts have one best answer, and because the same recording should get the
same report. Prompts are padded on the left, so that all answers of a batch begin at the same place.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.errors import ConfigError
from elocute.mllm.collate import Collator, Recordings
from elocute.mllm.examples import Example
from elocute.mllm.processing import token_ids
from elocute.types import Float64

BATCH_SIZE = 16
AUDIO_TOKEN_S = 0.08
"""Seconds of a recording for each vector of the audio encoder."""
SCORES = tuple(range(11))
"""The whole scores that an answer may give."""
ANSWER_TOKENS = 96
"""Room for a short answer, such as four scores."""
TOKENS_PER_SECOND = 60
"""Room for a transcript, besides: fast speech has ten phones and four words a second, of a few tokens each."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generated:
    """What the model wrote.

    Attributes:
        text: without the token that closes it.
        pieces: the text of each token.
        log_probs: shape (N,), natural log of the probability that the model gave each token.
        score_log_probs: shape (N, 11), that of each whole score 0 to 10 in place of each token; -inf for a score that
            is no token of its own.
        is_complete: whether it was closed by the model, not cut off for its length.
    """

    text: str
    pieces: tuple[str, ...]
    log_probs: Float64
    score_log_probs: Float64
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generation:
    """Answers in the order of their prompts, and what they took.

    Attributes:
        answers: one for each prompt.
        tokens: written, closing ones included.
        seconds: of the model alone; reading recordings is not in it.
    """

    answers: tuple[Generated, ...]
    tokens: int
    seconds: float


def generate(
    model: Any,
    processor: Any,
    examples: Sequence[Example],
    *,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
    recordings: Recordings | None = None,
    progress: Progress | None = None,
) -> Generation:
    """Let the model answer.

    Args:
        model: Phi-4-multimodal, with or without adapters; it is left as it was (training or not).
        processor: its processor.
        examples: questions; their answers are not looked at, but for their length, to batch alike with alike.
        batch_size: questions at a time; memory grows with it. Answers hardly depend on it: of recordings that are
            shorter than others of their batch, the last 80 ms are heard beside a frame of padding.
        max_new_tokens: most that an answer may have; None leaves room for the speech that the recording can hold.
        recordings: decoded before; None reads each when it is needed.
        progress: called with questions answered and questions in all.

    Raises:
        ConfigError: no such batch size or length, or a question that the model cannot be asked.
        AudioError: a recording cannot be used.
    """
    import torch

    if batch_size < 1 or (max_new_tokens is not None and max_new_tokens < 1):
        raise ConfigError(f"batch_size is {batch_size}, max_new_tokens {max_new_tokens}; expected 1 or more of each")
    order = asking_order(examples)
    collate = Collator(processor, with_answers=False, recordings=recordings)
    writer = _Writer(model, processor, max_new_tokens)
    found: dict[int, Generated] = {}
    tokens, seconds = 0, 0.0
    with torch.inference_mode(), answering(model):
        # The longest first: what does not fit into memory shows at once.
        for first in range(0, len(order), batch_size):
            batch = order[first : first + batch_size]
            some = [examples[n] for n in batch]
            written, took_s = writer.write(collate(some), any(map(is_long, some)))
            found.update(zip(batch, written, strict=True))
            tokens += sum(len(answer.log_probs) + answer.is_complete for answer in written)
            seconds += took_s
            if progress is not None:
                progress(len(found), len(examples))
    return Generation(answers=tuple(found[n] for n in range(len(examples))), tokens=tokens, seconds=seconds)


def asking_order(examples: Sequence[Example]) -> list[int]:
    """Indices of the questions, the longest answers first; those alike follow each other."""
    return sorted(range(len(examples)), key=lambda n: (is_long(examples[n]), len(examples[n].answer)), reverse=True)


@contextmanager
def answering(model: Any) -> Iterator[None]:
    """The model without dropout while it answers."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def is_long(example: Example) -> bool:
    """Whether the answer grows with the recording, as a transcript does."""
    return example.task != "apa"


class _Writer:
    """Writes the answers to one batch at a time."""

    def __init__(self, model: Any, processor: Any, max_new_tokens: int | None) -> None:
        self.model, self.tokenizer, self.max_new_tokens = model, processor.tokenizer, max_new_tokens
        ids = token_ids(processor)
        self.ends, self.pad = sorted({ids.end, ids.eos}), ids.pad
        self.never = [ids.audio, ids.image]  # written by the model, one of these would ask for another recording
        self.scores = score_tokens(self.tokenizer)

    def write(self, batch: Mapping[str, Any], is_long: bool) -> tuple[list[Generated], float]:
        """Answers to a batch, and the seconds that the model took."""
        import torch
        from transformers import LogitsProcessorList

        device = self.model.device
        seconds = AUDIO_TOKEN_S * int(batch["audio_embed_sizes"].max())
        watch = _Watch(self.never, list(self.scores.values()))
        _synchronise(device)
        began_s = time.perf_counter()
        written = self.model.generate(
            **{name: tensor.to(device) for name, tensor in batch.items()},
            do_sample=False,
            num_beams=1,
            use_cache=True,
            max_new_tokens=self.max_new_tokens or ANSWER_TOKENS + is_long * round(TOKENS_PER_SECOND * seconds),
            eos_token_id=self.ends,
            pad_token_id=self.pad,
            logits_processor=LogitsProcessorList([watch]),
        )
        _synchronise(device)
        took_s = time.perf_counter() - began_s
        ids = written[:, batch["input_ids"].shape[1] :].tolist()
        log_probs = torch.stack(watch.chosen, dim=1).double().cpu().numpy()
        scores = np.full((*log_probs.shape, len(SCORES)), -np.inf)
        scores[:, :, list(self.scores)] = torch.stack(watch.scores, dim=1).double().cpu().numpy()
        return [self._answer(row, log_probs[n], scores[n]) for n, row in enumerate(ids)], took_s

    def _answer(self, ids: list[int], log_probs: Float64, scores: Float64) -> Generated:
        """One answer, up to its end."""
        ends = [place for place, token in enumerate(ids) if token in self.ends]
        stop = ends[0] if ends else len(ids)
        text, pieces = _decoded(self.tokenizer, ids[:stop])
        return Generated(
            text=text,
            pieces=pieces,
            log_probs=log_probs[:stop],
            score_log_probs=scores[:stop],
            is_complete=bool(ends),
        )


class _Watch:
    """Sees the model's probabilities before each token is chosen; forbids some tokens.

    It keeps of each step what is needed: all probabilities of 200,000 tokens would be gigabytes in a batch.
    """

    def __init__(self, never: list[int], scores: list[int]) -> None:
        self._never, self._scores = never, scores
        self.chosen: list[Any] = []
        self.scores: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Called by transformers with the logits of the next token, shape (B, V)."""
        scores[:, self._never] = -float("inf")
        log_probs = scores.float().log_softmax(dim=-1)
        self.chosen.append(log_probs.amax(dim=-1))
        self.scores.append(log_probs[:, self._scores])
        return scores


def score_tokens(tokenizer: Any) -> dict[int, int]:
    """Tokens by whole score, of those that are one token behind a colon; a small vocabulary may lack the rare ones."""
    spelt = {score: tokenizer.encode(f'": {score}', add_special_tokens=False) for score in SCORES}
    before = Counter(tuple(ids[:-1]) for ids in spelt.values()).most_common(1)[0][0]
    return {score: ids[-1] for score, ids in spelt.items() if tuple(ids[:-1]) == before}


def _decoded(tokenizer: Any, ids: list[int]) -> tuple[str, tuple[str, ...]]:
    """The text of some tokens, and what each adds to it."""
    text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    pieces = tuple(tokenizer.decode([one], clean_up_tokenization_spaces=False) for one in ids)
    if "".join(pieces) != text:  # a character in several tokens: it counts with the last
        whole = [tokenizer.decode(ids[:n], clean_up_tokenization_spaces=False) for n in range(len(ids) + 1)]
        ends = [len(part.rstrip("\ufffd")) for part in whole[:-1]] + [len(text)]
        ends = np.maximum.accumulate(ends).tolist()
        pieces = tuple(text[begin:end] for begin, end in zip(ends, ends[1:], strict=False))
    return str(text), pieces


def _synchronise(device: Any) -> None:
    """Wait for the accelerator, so that the clock means something."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
