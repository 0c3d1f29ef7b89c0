"""Recordings as one flat array of log-mel frames on the training device, and batches drawn from it.

Everything random is done on the device, on spectra: tempo, vocal-tract length (frequency warp), additive noise,
SpecAugment. Mixing noise as mel power leaves out the cross term of the two signals, whose expectation is zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elocute.corpora.speechocean762 import UTTERANCE_SCORES
from elocute.training.acoustic_model import LogMel, normalise
from elocute.training.recordings import KINDS, Kind, Recording
from elocute.training.splicing import Example, Splicer

FRAMES_PER_S = 100
PADDED_TO = 64
"""Batches last a multiple of so many frames: cuDNN plans every shape anew, which took longer than an update itself."""


def spectra(pcm: Sequence[np.ndarray], mels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Log-mel power of all recordings, one after the other.

    Returns: frames, shape (sum of frames, mels), float16; and lengths, shape (len(pcm),), in frames.
    """
    front_end = LogMel(mels).to(device)
    pieces = []
    with torch.inference_mode():
        for samples in pcm:
            wave = torch.from_numpy(np.array(samples)).to(device).float() / 32768.0
            pieces.append(front_end(wave[None])[0].half())
    lengths = torch.tensor([len(piece) for piece in pieces], device=device)
    return torch.cat(pieces), lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Ranges of what is done to a training example; strength 0 to 1 scales SpecAugment.

    A time mask may hide a whole phone, whose label then teaches to guess it from its neighbours; `longest_time_mask`,
    in frames, keeps masks shorter than phones.
    """

    tempo: tuple[float, float] = (0.87, 1.15)
    warp: tuple[float, float] = (0.87, 1.15)
    noise_share: float = 0.5
    noise_db: tuple[float, float] = (3.0, 30.0)
    frequency_masks: int = 2
    frequency_bins: int = 16
    time_masks: int = 3
    time_share: float = 0.06
    longest_time_mask: int | None = None
    feature_noise: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """A batch on the device.

    Attributes:
        mels: shape (B, frames, mels), normalised; frames a multiple of `PADDED_TO`, zero after each recording.
        lengths: shape (B,), valid output frames (20 ms), on the device.
        frame_counts: the same as a list, for CTC.
        labels: all CTC labels, one after the other.
        label_counts: labels of each example.
        frame_labels: shape (B, frames // 2), phones spread uniformly over the energetic frames, 0 elsewhere.
        phones: shape (B, L), canonical phones, 0 where there is none.
        phone_counts: phones of each example.
        phone_scores: shape (B, L), NaN where nobody scored.
        utterance_scores: shape (B, 4), NaN where nobody scored.
        is_scored: whether anybody scored any of them.
        instead: shape (B, L), what was spliced in for each canonical phone, 0 where nothing was; None if nowhere.
        instead_scores: shape (B, L), people's scores of that.
        weight: of the mean over its examples among those of the other processes' parts; 1 for one process.
    """

    mels: Tensor
    lengths: Tensor
    frame_counts: list[int]
    labels: Tensor
    label_counts: list[int]
    frame_labels: Tensor
    phones: Tensor
    phone_counts: list[int]
    phone_scores: Tensor
    utterance_scores: Tensor
    is_scored: bool
    instead: Tensor | None = None
    instead_scores: Tensor | None = None
    weight: float = 1.0


def targets(recordings: Sequence[Recording], device: torch.device) -> dict[str, Any]:
    """Canonical phones and people's scores, padded; the fields of a `Batch` that augmentation does not touch."""
    counts = [len(recording.phones) for recording in recordings]
    phones = np.zeros((len(recordings), max(counts)), dtype=np.int64)
    scores = np.full(phones.shape, np.nan, dtype=np.float32)
    whole = np.full((len(recordings), len(UTTERANCE_SCORES)), np.nan, dtype=np.float32)
    for row, recording in enumerate(recordings):
        phones[row, : counts[row]] = recording.phones
        if recording.phone_scores:
            scores[row, : counts[row]] = recording.phone_scores
            whole[row] = recording.utterance_scores
    phones_, scores_, whole_ = (torch.from_numpy(array).to(device) for array in (phones, scores, whole))
    found: dict[str, Any] = {
        "phones": phones_,
        "phone_counts": counts,
        "phone_scores": scores_,
        "utterance_scores": whole_,
        "is_scored": any(recording.phone_scores for recording in recordings),
    }
    if any(recording.instead for recording in recordings):
        instead = np.zeros_like(phones)
        instead_scores = np.full_like(scores, np.nan)
        for row, recording in enumerate(recordings):
            if recording.instead:
                instead[row, : counts[row]] = recording.instead
                instead_scores[row, : counts[row]] = recording.instead_scores
        found["instead"] = torch.from_numpy(instead).to(device)
        found["instead_scores"] = torch.from_numpy(instead_scores).to(device)
    return found


@dataclass(eq=False)
class TrainingSet:
    """All recordings on the device, and the batches drawn from them."""

    recordings: Sequence[Recording]
    frames: Tensor
    lengths: Tensor
    noise: Tensor
    batch_s: float
    seed: int
    augmentation: Augmentation = field(default_factory=Augmentation)
    splicer: Splicer | None = None

    def __post_init__(self) -> None:
        """Lay out offsets, labels and the flat-start targets."""
        self.device = self.frames.device
        self.offsets = torch.cumsum(self.lengths, 0) - self.lengths
        self.host_lengths = self.lengths.tolist()
        self.generator = np.random.default_rng(self.seed)
        self.own: np.random.Generator | None = None
        self.rank, self.world = 0, 1
        self.torch_generator = torch.Generator(device=self.device).manual_seed(self.seed)
        self.frame_targets = self._uniform_targets()
        groups = {kind: [i for i, recording in enumerate(self.recordings) if recording.kind == kind] for kind in KINDS}
        self.first_frames: list[int] = self.offsets.tolist()
        self.queues: dict[Kind, Iterator[list[int]]] = {
            kind: self._batches(members) for kind, members in groups.items() if members
        }

    def divide(self, rank: int, world: int) -> None:
        """Take a part of every batch: all processes draw the same batches, each its own augmentation."""
        self.rank, self.world = rank, world
        self.torch_generator.manual_seed(self.seed + 1_000_003 * rank)
        # What is drawn for a recording must leave the order of the batches, which all processes share, alone.
        self.own = np.random.default_rng([self.seed, 0, rank])

    def reseed(self, step: int) -> None:
        """Draw from a step on; a training that is resumed must not see its beginning again."""
        self.generator = np.random.default_rng([self.seed, step])
        self.own = None if self.world == 1 else np.random.default_rng([self.seed, step, self.rank])

    @property
    def _own(self) -> np.random.Generator:
        """Of what is drawn for a recording."""
        return self.own or self.generator

    def _uniform_targets(self) -> Tensor:
        """Spread every recording's phones uniformly over its energetic frames."""
        energy = torch.logsumexp(self.frames.float(), dim=1)
        targets = torch.zeros(len(self.frames), dtype=torch.long)
        energy = energy.cpu()
        for recording, start, length in zip(self.recordings, self.offsets.tolist(), self.host_lengths, strict=True):
            level = energy[start : start + length]
            threshold = level.quantile(0.1) + 0.35 * (level.quantile(0.95) - level.quantile(0.1))
            active = (level > threshold).nonzero()[:, 0]
            position = torch.arange(len(active)) * len(recording.phones) // max(1, len(active))
            targets[start + active] = torch.tensor(recording.phones)[position]
        return targets.to(self.device)

    def _batches(self, members: Sequence[int]) -> Iterator[list[int]]:
        """Endless batches of similar length holding about `batch_s` seconds."""
        while True:
            jitter = self.generator.uniform(0.85, 1.15, len(members))
            order = sorted(zip(members, jitter, strict=True), key=lambda pair: self.host_lengths[pair[0]] * pair[1])
            batches: list[list[int]] = [[]]
            for index, _ in order:
                longest = max([self.host_lengths[index], *(self.host_lengths[i] for i in batches[-1])])
                if batches[-1] and longest * (len(batches[-1]) + 1) > self.batch_s * FRAMES_PER_S:
                    batches.append([])
                batches[-1].append(index)
            for number in self.generator.permutation(len(batches)):
                yield batches[number]

    def draw(self, shares: Mapping[Kind, float], strength: float, splice_share: float = 0.0) -> Batch:
        """One augmented batch of one kind, each as often as `shares` says, and learners' else."""
        others = [shares.get(kind, 0.0) for kind in KINDS[1:]]
        kind = KINDS[int(self.generator.choice(len(KINDS), p=[1.0 - sum(others), *others]))]
        # A set may lack a kind: what has its turn then is whatever there is.
        indices = next(self.queues.get(kind) or next(iter(self.queues.values())))
        part = indices[self.rank :: self.world]
        # A process for which nothing is left goes along with an example that does not count.
        batch = self.batch(part or indices[:1], strength, splice_share)
        return replace(batch, weight=len(part) * self.world / len(indices))

    def batch(self, indices: Sequence[int], strength: float, splice_share: float = 0.0) -> Batch:
        """The named recordings as an augmented batch; about `splice_share` of them are spliced."""
        examples = [self._example(i, splice_share) for i in indices]
        aug, rng = self.augmentation, self._own
        slow, fast = map(math.log, aug.tempo)
        tempo = np.exp(rng.uniform(slow, fast, len(examples)))
        full = [len(example.source) for example in examples]
        lengths = [math.floor(length / rate) // 2 * 2 for length, rate in zip(full, tempo, strict=True)]
        # A sped-up recording must keep 2.5 output frames a label, or CTC has no room.
        for row, example in enumerate(examples):
            if lengths[row] < 5 * len(example.recording.labels):
                tempo[row], lengths[row] = 1.0, full[row] // 2 * 2
        rate = torch.tensor(tempo, dtype=torch.float32, device=self.device)
        counts = torch.tensor(lengths, device=self.device)
        time = torch.arange(-(-max(lengths) // PADDED_TO) * PADDED_TO, device=self.device)
        valid = time[None, :] < counts[:, None]
        mels, nearest = self._resample(examples, rate, time)
        mels = self._add_noise(self._warp(mels), valid)
        mels = normalise(mels, valid)
        if strength > 0:
            mels = self._mask(mels, counts, strength)
            noise = torch.randn(mels.shape, device=self.device, generator=self.torch_generator)
            mels = mels + noise * (aug.feature_noise * strength * self._uniform(len(examples), 1, 1))
        recordings = [example.recording for example in examples]
        return Batch(
            mels=mels * valid[..., None],
            lengths=counts // 2,
            frame_counts=[length // 2 for length in lengths],
            labels=torch.tensor([x for recording in recordings for x in recording.labels], device=self.device),
            label_counts=[len(recording.labels) for recording in recordings],
            frame_labels=(self.frame_targets[nearest] * valid)[:, ::2],
            **targets(recordings, self.device),
        )

    def _example(self, index: int, splice_share: float) -> Example:
        """One recording, spliced with the given probability where that is possible."""
        length = self.host_lengths[index]
        if self.splicer is not None and splice_share > 0 and self._own.random() < splice_share:
            spliced = self.splicer.splice(index, length, self._own)
            if spliced is not None:
                return spliced
        start = self.first_frames[index]
        return Example(
            recording=self.recordings[index],
            source=np.arange(start, start + length),
            gain=np.zeros(length, dtype=np.float32),
        )

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self.device, generator=self.torch_generator)

    def _resample(self, examples: Sequence[Example], rate: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of the examples at another tempo, linear in time; and the index of the nearest source frame."""
        full = [len(example.source) for example in examples]
        sources = np.zeros((len(examples), max(full)), dtype=np.int64)
        gains = np.zeros(sources.shape, dtype=np.float32)
        for row, example in enumerate(examples):
            sources[row, : full[row]], gains[row, : full[row]] = example.source, example.gain
        source, gain = (torch.from_numpy(array).to(self.device) for array in (sources, gains))
        last = torch.tensor(full, device=self.device)[:, None] - 1
        place = torch.minimum(time[None, :] * rate[:, None], last.float())
        low = place.floor()
        fraction = (place - low)[..., None]
        low = low.long()
        high = torch.minimum(low + 1, last)
        here = self.frames[source.gather(1, low)].float() + gain.gather(1, low)[..., None]
        there = self.frames[source.gather(1, high)].float() + gain.gather(1, high)[..., None]
        return here + (there - here) * fraction, source.gather(1, place.round().long())

    def _warp(self, mels: Tensor) -> Tensor:
        """Stretch the mel axis by one random factor per recording: another vocal-tract length."""
        low, high = self.augmentation.warp
        B, _, D = mels.shape
        factor = low + (high - low) * self._uniform(B, 1)
        place = (torch.arange(D, device=self.device)[None, :] * factor).clamp(max=D - 1)
        floor = place.floor().long()
        fraction = (place - floor)[:, None, :]
        here = mels.gather(2, floor[:, None, :].expand_as(mels))
        there = mels.gather(2, (floor + 1).clamp(max=D - 1)[:, None, :].expand_as(mels))
        return here + (there - here) * fraction

    def _add_noise(self, mels: Tensor, valid: Tensor) -> Tensor:
        """Mix noise at a random signal-to-noise ratio into a share of the recordings, as mel power."""
        B, T, _ = mels.shape
        start = (self._uniform(B, 1) * len(self.noise)).long()
        place = (start + torch.arange(T, device=self.device)[None, :]) % len(self.noise)
        noise = self.noise[place].float()
        weight = valid[..., None]
        level = [torch.log((x.exp() * weight).sum((1, 2)) / weight.sum((1, 2))) for x in (mels, noise)]
        low, high = self.augmentation.noise_db
        snr = (low + (high - low) * self._uniform(B)) * math.log(10) / 10
        gain = level[0] - level[1] - snr
        gain = torch.where(self._uniform(B) < self.augmentation.noise_share, gain, torch.full_like(gain, -30.0))
        return torch.logaddexp(mels, noise + gain[:, None, None])

    def _mask(self, mels: Tensor, counts: Tensor, strength: float) -> Tensor:
        """SpecAugment (Park et al. 2019): hide bands and stretches of time."""
        B, T, D = mels.shape
        aug = self.augmentation
        bins = torch.arange(D, device=self.device)
        width = self._uniform(B, aug.frequency_masks) * aug.frequency_bins * strength
        begin = self._uniform(B, aug.frequency_masks) * (D - width)
        hide = ((bins >= begin[..., None]) & (bins < (begin + width)[..., None])).any(1)
        time = torch.arange(T, device=self.device)
        span = counts[:, None].float()
        length = self._uniform(B, aug.time_masks) * aug.time_share * span * strength
        if aug.longest_time_mask is not None:
            length = length.clamp(max=float(aug.longest_time_mask))
        first = self._uniform(B, aug.time_masks) * (span - length)
        gone = ((time >= first[..., None]) & (time < (first + length)[..., None])).any(1)
        return mels.masked_fill(hide[:, None, :], 0.0).masked_fill(gone[..., None], 0.0)
