"""Log-mel spectra of all recordings of a training in memory, and batches of them as the model takes them.

Spectra are made once, by the model's own feature extractor; an epoch then costs the network alone. 32 kB a second of
speech: what fits into memory is some hundred hours. Augmentation works on spectra: tempo by interpolation, noise by
adding powers, masks (SpecAugment, Park et al. 2019), all drawn from a generator that the caller seeds.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from elocute.audio import load_audio
from elocute.errors import ConfigError
from elocute.mllm.collate import IGNORED, Collator
from elocute.mllm.examples import Example
from elocute.mllm.recipe import AugmentationTable
from elocute.phones import PHONES
from elocute.types import SAMPLE_RATE_HZ

LABELS = {phone: number for number, phone in enumerate(PHONES, start=1)}
UNKNOWN_LABEL = len(PHONES) + 1
"""Label of what is no phone of English; 0 is blank."""
_NEPER_OF_DB = math.log(10) / 10
_MANY = 200
"""From so many recordings on, processes decode: starting them takes as long as decoding some dozens."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bank:
    """Spectra of recordings, one after the other.

    Attributes:
        frames: log powers in mel bands, shape (frames of all, 80).
        starts: first frame of each recording.
        lengths: number of its frames, 100 a second.
        place: index of every recording by its path.
    """

    frames: Tensor
    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    place: Mapping[Path, int]

    def __getitem__(self, path: Path) -> Tensor:
        """Spectrum of a recording, shape (T, 80)."""
        index = self.place[path]
        return self.frames[self.starts[index] : self.starts[index] + self.lengths[index]]

    def seconds(self, path: Path) -> float:
        """Length of a recording."""
        return self.lengths[self.place[path]] / 100

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each band, shape (80,) each, for models without any."""
        values = self.frames.float()
        return values.mean(dim=0), values.std(dim=0).clamp_min(1e-3)


def make_bank(
    paths: Sequence[Path],
    extractor: Any,
    device: torch.device,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Bank:
    """Decode recordings and compute their spectra, each by itself, so that neighbours do not matter.

    Args:
        paths: recordings, each once.
        extractor: feature extractor of the model.
        device: where the spectra shall be.
        workers: processes that decode, where there are many recordings, and threads that compute.
        progress: called with recordings done and their number.

    Raises:
        AudioError: a recording cannot be read.
    """
    if not paths:
        raise ConfigError("no recording to train on; expected a corpus with at least one")

    def spectrum(samples: np.ndarray) -> Tensor:
        found = extractor([samples], sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")["audio_input_features"]
        return torch.as_tensor(found[0], dtype=torch.float32)

    coming = []
    with contextlib.ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(max(1, workers)))
        if workers > 1 and len(paths) >= _MANY:
            processes = stack.enter_context(ProcessPoolExecutor(workers))
            decoded = processes.map(_samples, paths, chunksize=8)
        else:
            decoded = map(_samples, paths)
        for number, samples in enumerate(decoded, start=1):
            coming.append(threads.submit(spectrum, samples))
            if progress is not None:
                progress(number, len(paths))
        spectra = [made.result() for made in coming]
    lengths = tuple(len(made) for made in spectra)
    starts = tuple(int(start) for start in np.cumsum((0, *lengths[:-1])))
    return Bank(
        frames=torch.cat(spectra).to(device),
        starts=starts,
        lengths=lengths,
        place={path: index for index, path in enumerate(paths)},
    )


def _samples(path: Path) -> np.ndarray:
    """Samples of a recording, -1 to 1."""
    return load_audio(path).samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokens:
    """An example as tokens.

    Attributes:
        before: of the turn up to the recording.
        after: from the recording to the end of the answer.
        learned: how many of the last of them are the answer and the token that closes it.
        phones: labels of the phones that were said, from 1, for the auxiliary loss; empty where nobody knows.
    """

    before: np.ndarray
    after: np.ndarray
    learned: int
    phones: tuple[int, ...] = ()


def tokens_of(collator: Collator, example: Example, audio_id: int) -> Tokens:
    """An example as tokens, with the recording taken out."""
    ids, learned = collator.sequence(example, 1)
    place = ids.index(audio_id)
    said = [LABELS.get(phone, UNKNOWN_LABEL) for word in example.realised for phone in word]
    return Tokens(
        before=np.array(ids[:place], dtype=np.int64),
        after=np.array(ids[place + 1 :], dtype=np.int64),
        learned=learned,
        phones=tuple(said),
    )


def frame_tokens(tokenizer: Any) -> np.ndarray:
    """Which tokens hold the JSON of an answer together, by number: those with a quotation mark or brace, special ones.

    Where these are among the wrong ones that a model sees (`answer_noise`), it learns that answers may end without
    their brace, or go on after it, and now and then writes so.
    """
    special = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    spelt = [tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in range(len(tokenizer))]
    return np.array([token in special or bool(set(text) & set('"{}')) for token, text in enumerate(spelt)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """What one forward pass takes.

    Attributes:
        inputs: of the model: tokens, attention, spectra; padded at the right.
        labels: shape (B, L), the answers' tokens at their places, `IGNORED` elsewhere.
        answer_tokens: how many tokens are learned.
        longest_answer: so many last places hold all of them.
        sizes: vectors of the audio encoder for each recording.
        phones: labels for the auxiliary loss, shape (B, most), 0 as padding.
        phone_counts: how many of them each recording has.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    answer_tokens: int
    longest_answer: int
    sizes: tuple[int, ...]
    phones: Tensor
    phone_counts: tuple[int, ...]


def collate(
    spectra: Spectra,
    tokens: Sequence[Tokens],
    *,
    audio_id: int,
    pad_id: int,
    stride: int = 8,
    answer_noise: float = 0.0,
    frame: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
    multiples: tuple[int, int] = (1, 1),
) -> Batch:
    """A batch of spectra and tokens, the same as the processor and the collator make of recordings and texts.

    Args:
        spectra: of the recordings.
        tokens: of each example.
        audio_id: token that stands for a vector of the audio encoder.
        pad_id: token for padding.
        stride: frames that make one such vector.
        answer_noise: share of the answers' tokens that are replaced by other answers' in what the model sees, not in
            what it learns.
        frame: of `frame_tokens`: these are neither replaced nor replace others; None for all alike.
        rng: draws these.
        multiples: frames and tokens are padded to multiples of these, so that batches have few different shapes.
    """
    device = spectra.values.device
    lengths = torch.from_numpy(spectra.lengths)
    sizes = tuple(-(-int(length) // stride) for length in lengths)
    frames = _rounded(int(lengths.max()), multiples[0])
    ids, labels, attention = _rows(tokens, sizes, audio_id, pad_id, multiples[1])
    phones = np.zeros((len(tokens), max(len(item.phones) for item in tokens)), dtype=np.int64)
    for number, item in enumerate(tokens):
        phones[number, : len(item.phones)] = item.phones
    if answer_noise and rng is not None:
        is_free = labels != IGNORED
        if frame is not None:
            is_free &= ~frame[labels.clip(min=0)]
        is_other = is_free & (rng.random(labels.shape) < answer_noise)
        ids[is_other] = rng.choice(labels[is_free], int(is_other.sum()))
    inputs = {
        "input_ids": torch.from_numpy(ids).to(device, non_blocking=True),
        "attention_mask": torch.from_numpy(attention).to(device, non_blocking=True),
        "audio_input_features": F.pad(spectra.values, (0, 0, 0, frames - spectra.values.shape[1])),
        "audio_embed_sizes": torch.tensor(sizes),
    }
    if len(tokens) > 1 or frames > int(lengths.max()):  # the processor gives none to a single recording
        mask = torch.arange(frames)[None] < lengths[:, None]
        inputs["audio_attention_mask"] = mask.to(device, non_blocking=True)
    return Batch(
        inputs=inputs,
        labels=torch.from_numpy(labels).to(device, non_blocking=True),
        answer_tokens=sum(item.learned for item in tokens),
        longest_answer=labels.shape[1] - int((labels != IGNORED).argmax(axis=1).min()),
        sizes=sizes,
        phones=torch.from_numpy(phones),
        phone_counts=tuple(len(item.phones) for item in tokens),
    )


def _rows(
    tokens: Sequence[Tokens], sizes: Sequence[int], audio_id: int, pad_id: int, multiple: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, labels and which of them are no padding, shape (B, L) each."""
    rows = [
        np.concatenate((item.before, np.full(size, audio_id), item.after))
        for item, size in zip(tokens, sizes, strict=True)
    ]
    shape = (len(rows), _rounded(max(map(len, rows)), multiple))
    ids, labels = np.full(shape, pad_id, dtype=np.int64), np.full(shape, IGNORED, dtype=np.int64)
    attention = np.zeros(shape, dtype=np.int64)
    for number, (row, item) in enumerate(zip(rows, tokens, strict=True)):
        end = len(row)
        ids[number, :end] = row
        attention[number, :end] = 1
        labels[number, end - item.learned : end] = row[end - item.learned :]
    return ids, labels, attention


def _rounded(count: int, multiple: int) -> int:
    """The next multiple."""
    return -(-count // multiple) * multiple


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectra:
    """Spectra of a batch.

    Attributes:
        values: log powers, shape (B, T, 80), 0 as padding.
        lengths: frames of each.
    """

    values: Tensor
    lengths: np.ndarray


def spectra_of(
    bank: Bank,
    paths: Sequence[Path],
    table: AugmentationTable | None = None,
    *,
    tempos: Sequence[tuple[float, float]] = (),
    noise: Tensor | None = None,
    fill: Tensor | None = None,
    rng: np.random.Generator | None = None,
) -> Spectra:
    """Spectra of some recordings, changed or not; all of them in a few operations on the bank's device.

    Args:
        bank: of all recordings.
        paths: which ones.
        table: what may be done to them; None for nothing.
        tempos: range of factors of each.
        noise: log powers of noise, shape (frames, 80); None for none.
        fill: what masked places hold, shape (80,).
        rng: draws everything.
    """
    places = [bank.place[path] for path in paths]
    given = np.array([bank.lengths[place] for place in places])
    if table is None or rng is None:
        return Spectra(values=_resampled(bank, places, given, given), lengths=given)
    low, high = np.log(np.array(tempos)).T
    lengths = np.maximum(8, np.rint(given / np.exp(rng.uniform(low, high)))).astype(np.int64)
    values = _resampled(bank, places, given, lengths)
    if noise is not None and table.noise_share:
        values = _with_noise(values, lengths, noise, table, rng)
    gain_db = rng.uniform(*table.gain_db, len(places))
    if gain_db.any():
        values = (values + _on(gain_db * _NEPER_OF_DB, values)[:, None, None]).clamp_min(0.0)
    if fill is not None:
        values = _masked(values, lengths, table, fill, rng)
    return Spectra(values=values * _is_inside(values, lengths)[..., None], lengths=lengths)


def _on(array: np.ndarray, like: Tensor) -> Tensor:
    """Numbers on the device and in the type of a tensor."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.device, like.dtype)


def _is_inside(values: Tensor, lengths: np.ndarray) -> Tensor:
    """Which frames of a padded batch are no padding, shape (B, T)."""
    ends = torch.from_numpy(lengths).to(values.device)
    return torch.arange(values.shape[1], device=values.device)[None] < ends[:, None]


def _resampled(bank: Bank, places: Sequence[int], given: np.ndarray, wanted: np.ndarray) -> Tensor:
    """Spectra stretched from so many frames to so many, linearly; shape (B, T, 80), 0 as padding."""
    device = bank.frames.device
    starts = torch.tensor([bank.starts[place] for place in places], device=device)[:, None]
    old, new = (torch.from_numpy(np.asarray(count)).to(device)[:, None] for count in (given, wanted))
    step = torch.arange(int(wanted.max()), device=device)[None]
    place = ((step + 0.5) * (old / new) - 0.5).clamp_min(0.0).minimum((old - 1).float())
    below = place.floor().long()
    above = (below + 1).minimum(old - 1)
    values = bank.frames[starts + below].lerp(bank.frames[starts + above], (place - below)[..., None])
    return values * (step < new)[..., None]


def _with_noise(
    values: Tensor, lengths: np.ndarray, noise: Tensor, table: AugmentationTable, rng: np.random.Generator
) -> Tensor:
    """Noise added to some of the recordings: powers of independent sounds add up."""
    count, most, _ = values.shape
    first = torch.from_numpy(rng.integers(0, len(noise), count)).to(values.device)[:, None]
    piece = noise[(first + torch.arange(most, device=values.device)[None]) % len(noise)]
    inside = _is_inside(values, lengths)[..., None]
    frames = inside.sum(dim=(1, 2))
    level = [
        ((sound.exp() * inside).sum(dim=(1, 2)) / (frames * values.shape[2])).clamp_min(1e-6).log()
        for sound in (values, piece)
    ]
    distance = _on(rng.uniform(*table.noise_db, count) * _NEPER_OF_DB, values)
    # The spectra have a floor at 0, which recordings without noise keep.
    added = piece + (level[0] - level[1] - distance)[:, None, None]
    is_noisy = torch.from_numpy(rng.random(count) < table.noise_share).to(values.device)
    return torch.where(is_noisy[:, None, None], torch.logaddexp(values, added), values)


def _masked(
    values: Tensor, lengths: np.ndarray, table: AugmentationTable, fill: Tensor, rng: np.random.Generator
) -> Tensor:
    """Bands and stretches of time hidden by the mean spectrum; no stretch is longer than a quarter of a recording."""
    count, most, bands = values.shape
    for axis, number, widest in ((2, table.frequency_masks, table.frequency_bins), (1, table.time_masks, None)):
        size = np.full(count, bands) if axis == 2 else lengths
        largest = np.full(count, widest) if widest is not None else np.minimum(table.time_frames, lengths // 4)
        steps = torch.arange(values.shape[axis], device=values.device)[None]
        for _ in range(number):
            width = rng.integers(0, np.minimum(largest, size - 1) + 1)
            first = rng.integers(0, size - width)
            begin, end = (torch.from_numpy(edge).to(values.device)[:, None] for edge in (first, first + width))
            hidden = (steps >= begin) & (steps < end)
            shape = (count, 1, bands) if axis == 2 else (count, most, 1)
            values = torch.where(hidden.reshape(shape), fill, values)
    return values
