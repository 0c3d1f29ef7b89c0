"""Examples to batches of tensors: one sequence of ids each, its labels, and what the audio encoder hears.

A sequence is built from its parts: prompt before the audio, one audio token for every vector of the encoder, prompt
after it, answer, `<|end|>`. Labels are known by construction: exactly the answer and its `<|end|>`, never found by
searching. The same parts, tokenised as one text by the model's own processor, give the same ids (tests).
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from elocute.audio import load_audio
from elocute.errors import BatchError, ConfigError
from elocute.mllm.examples import Example
from elocute.mllm.processing import token_ids
from elocute.mllm.prompts import AUDIO
from elocute.types import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100
"""Label of what is not learned; `torch.nn.functional.cross_entropy` leaves it out."""
_BATCH_FRAMES = 4000
"""Longer recordings are heard in pieces, which transformers does wrongly, with an error, for several at once."""
Side = Literal["right", "left"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recordings:
    """Decoded recordings by path.

    Attributes:
        samples: int16, mono 16 kHz.
    """

    samples: Mapping[Path, np.ndarray]

    def lengths(self, examples: Iterable[Example]) -> np.ndarray:
        """Samples of each example's recording; what `LengthBuckets` sorts by."""
        return np.array([len(self.samples[example.audio]) for example in examples], dtype=np.int64)


def read_recordings(
    examples: Iterable[Example],
    *,
    longest_s: float = 60.0,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Recordings:
    """Decode every recording once; 115 MB an hour of speech.

    Args:
        examples: what to decode; a recording of several examples is decoded once.
        longest_s: a longer recording is refused.
        processes: how many decode.
        progress: called with recordings done and their number.

    Raises:
        AudioError: a recording cannot be read, or is longer.
        BatchError: a process died.
    """
    paths = list(dict.fromkeys(example.audio for example in examples))
    found: dict[Path, np.ndarray] = {}

    def take(decoded: Iterable[np.ndarray]) -> None:
        for path, samples in zip(paths, decoded, strict=True):
            found[path] = samples
            if progress is not None:
                progress(len(found), len(paths))

    if processes == 1:
        take(_decoded(path, longest_s) for path in paths)
    else:
        try:
            with concurrent.futures.ProcessPoolExecutor(processes) as pool:
                take(pool.map(_decoded, paths, [longest_s] * len(paths), chunksize=16))
        except BrokenProcessPool as error:
            raise BatchError(
                f"a process died after {len(found)} of {len(paths)} recordings, most likely for want of memory; "
                f"decode with fewer than {processes} processes"
            ) from error
    return Recordings(samples=found)


def _decoded(path: Path, longest_s: float) -> np.ndarray:
    """Samples of one recording as 16-bit integers."""
    samples = load_audio(path, max_duration_s=longest_s).samples
    return np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)


class Collator:
    """Makes a batch of examples: keyword arguments of `Phi4MultimodalForCausalLM.forward`, or of its `generate`.

    Keys: `input_ids`, `attention_mask` (B, L), `labels` (B, L) with answers; `audio_input_features` (B, T, 80),
    `audio_embed_sizes` (B,); `audio_attention_mask` (B, T) only where there are two recordings or more, as the feature
    extractor has it. Can be pickled, so that a loader's processes can hold one.
    """

    def __init__(
        self,
        processor: Any,
        *,
        with_answers: bool = True,
        side: Side | None = None,
        recordings: Recordings | None = None,
        most_tokens: int | None = None,
        longest_s: float = 60.0,
    ) -> None:
        """Take what is needed from a processor.

        Args:
            processor: from `load_processor`.
            with_answers: whether sequences go on with the answer, and have labels; False to generate from them.
            side: where padding stands; default: right with answers, left without, so that generation goes on from
                the prompt's last token.
            recordings: decoded before; default: each recording is read when it is needed.
            most_tokens: a longer sequence is refused; default: what the tokenizer gives as the model's longest.
            longest_s: a longer recording is refused when it is read.
        """
        if side not in (None, "right", "left"):
            raise ConfigError(f"side is {side!r}; expected right or left")
        self._tokenizer = processor.tokenizer
        self._extractor = processor.audio_processor
        self._ids = token_ids(processor)
        self._with_answers = with_answers
        self._side = side or ("right" if with_answers else "left")
        self._recordings = recordings
        self._most_tokens = most_tokens or int(processor.tokenizer.model_max_length)
        self._longest_s = longest_s
        self._prompts: dict[str, tuple[list[int], list[int]]] = {}

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """The batch of these examples, in their order.

        Raises:
            AudioError: a recording cannot be read.
            ConfigError: no examples, a prompt without place for the recording, or a sequence that is too long.
        """
        import torch

        if not examples:
            raise ConfigError("a batch of no examples; expected one or more")
        sound = self._sound(examples)
        sizes = sound["audio_embed_sizes"].tolist()
        rows = [self.sequence(example, size) for example, size in zip(examples, sizes, strict=True)]
        longest = max(len(ids) for ids, _ in rows)
        input_ids = torch.full((len(rows), longest), self._ids.pad, dtype=torch.long)
        attention = torch.zeros_like(input_ids)
        labels = torch.full_like(input_ids, IGNORED)
        for row, (ids, learned) in enumerate(rows):
            start = longest - len(ids) if self._side == "left" else 0
            end = start + len(ids)
            input_ids[row, start:end] = torch.tensor(ids)
            attention[row, start:end] = 1
            labels[row, end - learned : end] = input_ids[row, end - learned : end]
        batch = {"input_ids": input_ids, "attention_mask": attention}
        if self._with_answers:
            batch["labels"] = labels
        return {**batch, **sound}

    def sequence(self, example: Example, audio_tokens: int) -> tuple[list[int], int]:
        """Ids of one example without padding, and how many of the last ones are its answer and `<|end|>`.

        Args:
            example: which.
            audio_tokens: vectors that the audio encoder makes of its recording.
        """
        before, after = self._prompt(example.user)
        ids = [*before, *[self._ids.audio] * audio_tokens, *after]
        answer = [*self._encode(example.answer), self._ids.end] if self._with_answers else []
        if len(ids) + len(answer) > self._most_tokens:
            raise ConfigError(
                f"example {example.key} has {len(ids) + len(answer)} tokens, {audio_tokens} of them audio; expected "
                f"{self._most_tokens} or fewer, so leave it out or choose a shorter prompt"
            )
        return ids + answer, len(answer)

    def lengths(self, examples: Sequence[Example]) -> np.ndarray:
        """Tokens of each example without padding; what `LengthBuckets` should sort by where prompts differ in length.

        Raises:
            ConfigError: recordings were not decoded before, or a sequence is too long.
        """
        if self._recordings is None:
            raise ConfigError("lengths need decoded recordings; give the collator what read_recordings returns")
        extractor = self._extractor
        frames = (self._recordings.lengths(examples) - extractor.win_length) // extractor.hop_length + 1
        vectors = -(-frames // extractor.audio_compression_rate)
        found = [len(self.sequence(one, int(count))[0]) for one, count in zip(examples, vectors, strict=True)]
        return np.array(found, dtype=np.int64)

    def _prompt(self, user: str) -> tuple[list[int], list[int]]:
        """Ids before and after the recording; there are few different prompts, so each is kept."""
        if user not in self._prompts:
            parts = user.split(AUDIO)
            if len(parts) != 2:
                raise ConfigError(f"the user turn has {AUDIO} {len(parts) - 1} times; expected once")
            self._prompts[user] = (self._encode(parts[0]), self._encode(parts[1]))
        return self._prompts[user]

    def _encode(self, text: str) -> list[int]:
        """Ids of a text, nothing added."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _sound(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """What the audio encoder hears: features, padded with zeros, and their sizes.

        One recording after the other: given several of nearly the same length at once, which is what buckets make,
        the feature extractor fails (its mask is longer than the frames that it masks; transformers 5.17 to 5.23). The
        features are the same, and they do not depend on the company.
        """
        import torch

        found = [
            self._extractor([self._wave(example)], sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
            for example in examples
        ]
        features = [one["audio_input_features"][0] for one in found]
        for example, each in zip(examples, features, strict=True):
            if len(features) > 1 and len(each) > _BATCH_FRAMES:
                raise ConfigError(
                    f"the recording of {example.key} has {len(each)} frames, in a batch of {len(features)}; the audio "
                    f"encoder takes more than {_BATCH_FRAMES} (40 s) only in a batch of one, so leave it out, or cut it"
                )
        sound = {
            "audio_input_features": torch.nn.utils.rnn.pad_sequence(features, batch_first=True),
            "audio_embed_sizes": torch.cat([one["audio_embed_sizes"] for one in found]),
        }
        if len(features) > 1:
            frames = torch.tensor([len(each) for each in features])
            sound["audio_attention_mask"] = torch.arange(int(frames.max()))[None, :] < frames[:, None]
        return sound

    def _wave(self, example: Example) -> np.ndarray:
        """Samples of a recording, -1 to 1."""
        if self._recordings is None:
            return load_audio(example.audio, max_duration_s=self._longest_s).samples
        if example.audio not in self._recordings.samples:
            raise ConfigError(f"recording {example.audio} was not decoded; give read_recordings all examples")
        return self._recordings.samples[example.audio].astype(np.float32) / 32767


def decode_labels(processor: Any, labels: Tensor) -> list[str]:
    """What each row of labels teaches, as text; with `<|end|>`, which is learned, too.

    Args:
        processor: from `load_processor`.
        labels: shape (B, L), `IGNORED` where nothing is learned.
    """
    rows = [[number for number in row if number != IGNORED] for row in labels.tolist()]
    return [str(text) for text in processor.tokenizer.batch_decode(rows)]


class LengthBuckets:
    """Batches of similar length in random order, from (seed, epoch) alone: a batch sampler for PyTorch's loader.

    Each epoch shuffles the examples, cuts them into pools of `pool` batches, sorts each pool by length, cuts it into
    batches, and shuffles these. Every example comes once; only the last batch of an epoch may be smaller.

    Attributes:
        batch_size: examples of a batch; accelerate asks for it.
        drop_last: whether a smaller batch is left out.
    """

    def __init__(
        self,
        lengths: Sequence[float] | np.ndarray,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        pool: int = 50,
    ) -> None:
        """Set up.

        Args:
            lengths: of each example, in any unit.
            batch_size: examples of a batch.
            seed: of the order.
            shuffle: False: longest first, always the same; for evaluation, where too long a batch should fail at once.
            drop_last: leave out a batch that is not full.
            pool: batches among which neighbours are sought; more: less padding, less chance.
        """
        if batch_size < 1 or pool < 1:
            raise ConfigError(f"batch_size is {batch_size} and pool {pool}; expected 1 or more")
        self.batch_size = batch_size
        self.drop_last = drop_last
        self._lengths = np.asarray(lengths, dtype=np.float64)
        self._seed = seed
        self._shuffle = shuffle
        self._pool = pool
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of this epoch from now on."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(len(self._lengths), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        """Indices of the examples of each batch."""
        if not self._shuffle:
            order = np.argsort(-self._lengths, kind="stable")
            yield from self._cut(order)
            return
        rng = np.random.default_rng([self._seed, self._epoch])
        order = rng.permutation(len(self._lengths))
        if self.drop_last:
            order = order[: len(self) * self.batch_size]
        width = self._pool * self.batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), width):
            pool = order[start : start + width]
            batches.extend(self._cut(pool[np.argsort(self._lengths[pool], kind="stable")]))
        # A batch that is not full stays last: accelerate fills up the last one when it shares out batches.
        partial = [batch for batch in batches if len(batch) < self.batch_size]
        full = [batch for batch in batches if len(batch) == self.batch_size]
        yield from (full[index] for index in rng.permutation(len(full)))
        yield from partial

    def _cut(self, order: np.ndarray) -> Iterator[list[int]]:
        """Consecutive batches."""
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size].tolist()
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch
