"""Training of the network that finds phone boundaries: synthetic speech with exact times, and real speech without.

The voices of flite tell when each phone begins, but there are four of them. A first network learns from these alone
and places the boundaries in real recordings, between the spikes of the acoustic model; a second one learns from both
(self-training), so that it has heard many voices, microphones and rooms. Half of what it sees is disturbed by noise or
cut to the band of a telephone, and the scale of frequencies is stretched, as a shorter vocal tract does.

For every voice one more network is trained, the same way but without that voice in either step, to be judged on it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from elocute.acoustic import Backend
from elocute.audio import audio_from_array
from elocute.errors import AlignmentError
from elocute.evaluation.synthetic import Spoken
from elocute.gop import align_phones
from elocute.phones import PHONES
from elocute.prosody.sound import BANDS, CHANGE, FRAME_S, OFFSETS, SILENCE, SoundModel, listen, read_model, spectrum
from elocute.prosody.timing import Timing, frame_energy_db, refined, timing
from elocute.training.recordings import Recording, read_pcm
from elocute.types import SAMPLE_RATE_HZ, Audio, Float32, Float64, Int64

log = logging.getLogger(__name__)
_HIDDEN = 128
_BATCH = 512
_LEARNING_RATE = 2e-3
_DROPOUT = 0.2
_SHIFT = 0.1  # noise that a whole band of a frame and its context shares
_TELEPHONE_HZ = 3400
_REAL_ROUNDS = 2
"""How often the real recordings are divided anew by the network that learned from them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """A recording with the times of its phones.

    Attributes:
        samples: shape (N,), 16 kHz.
        phones: shape (L,), indices of `PHONES`.
        start_s: shape (L,).
        end_s: shape (L,).
    """

    samples: Float32
    phones: Int64
    start_s: Float64
    end_s: Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aligned:
    """A real recording, where the CTC model hears its phones."""

    samples: Float32
    phones: Int64
    spans: Int64
    rough: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingTraining:
    """Settings.

    Attributes:
        steps: of `_BATCH` frames each, of every network.
        seed: of weights, disturbances and order.
    """

    steps: int = 3000
    seed: int = 1


def align_recordings(
    recordings: Iterable[Recording], backend: Backend, progress: Callable[[], None] = lambda: None
) -> list[Aligned]:
    """Where the acoustic model hears the phones of real recordings; those too short for their phones are left out."""
    order = [backend.phone_set.symbols.index(phone) for phone in PHONES]
    found = []
    for recording in recordings:
        audio = audio_from_array(read_pcm(recording.audio).astype(np.float32) / 32768.0, SAMPLE_RATE_HZ)
        heard = backend.posteriors(audio)
        progress()
        try:
            spans = align_phones(
                heard.log_probs, [order[phone - 1] for phone in recording.phones], heard.phone_set
            ).spans
        except AlignmentError:
            continue
        rough = timing(spans, frame_energy_db(audio, len(heard.log_probs), heard.frame_shift_s), heard.frame_shift_s)
        phones = np.array(recording.phones, dtype=np.int64) - 1
        found.append(Aligned(samples=audio.samples, phones=phones, spans=spans, rough=rough))
    return found


def train(
    spoken: Sequence[Spoken],
    real: Sequence[Aligned],
    noises: Sequence[Audio],
    config: TimingTraining,
    without: str | None = None,
) -> SoundModel:
    """Train one network; `without` is the voice that it must not hear."""
    rng = np.random.default_rng(config.seed)
    known = [_example(one) for one in spoken if one.voice != without]
    seen = _rows(known, noises, rng)
    model = _fit([seen], config)
    for _ in range(_REAL_ROUNDS if real else 0):
        divided = [_divided(one, model) for one in real]
        model = _fit([seen, _rows(divided, noises, rng)], config)
    return model


def card(
    weights: Path, spoken: Sequence[Spoken], real: Sequence[Aligned], config: TimingTraining, command: str
) -> dict[str, Any]:
    """What the network is and came from; how well it does is for `elocute evaluate durations` to say."""
    model = read_model(weights)
    return {
        "name": "elocute timing",
        "kind": "dense network from log mel bands of nine frames to 39 phones, silence and change, every 10 ms",
        "data": [
            f"{len(spoken)} recordings of flite 2.2, voices {', '.join(sorted({one.voice for one in spoken}))}",
            f"{len(real)} real recordings with times found by self-training: speechocean762, official train split "
            "(CC BY 4.0), LJ Speech (public domain) and native speech of Kathleen (CC0)",
            "20 clips of noise: ESC-10 noise, its CC0 clips",
        ],
        "licence": "Apache-2.0",
        "command": command,
        "parameters": sum(part.size for part in (*model.weights, *model.biases)),
        "bytes": weights.stat().st_size,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "config": asdict(config),
        "limits": [
            "weak at which phone is said: it needs the spikes of the acoustic model",
            "the only times that were given were those of four synthetic American and Scottish voices",
        ],
    }


def _example(spoken: Spoken) -> Example:
    said = spoken.utterance
    phones = np.array([PHONES.index(phone) for phone in said.phones], dtype=np.int64)
    return Example(samples=said.audio.samples, phones=phones, start_s=said.start_s, end_s=said.end_s)


def _divided(one: Aligned, model: SoundModel) -> Example:
    """A real recording with the boundaries that a network finds."""
    times = refined(one.rough, one.spans, listen(one.samples, model), one.phones)
    return Example(samples=one.samples, phones=one.phones, start_s=times.start_s, end_s=times.end_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Frames of many recordings: bands with a margin around each recording, and what is to be learned.

    Attributes:
        bands: shape (M, BANDS).
        frames: shape (N,), places of the N frames in `bands`; around each, M has what `OFFSETS` need.
        phone: shape (N,).
        change: shape (N,), 0 to 1.
    """

    bands: Float32
    frames: Int64
    phone: Int64
    change: Float32


def _rows(examples: Sequence[Example], noises: Sequence[Audio], rng: np.random.Generator) -> _Rows:
    """Frames of the recordings, each once as it is and once disturbed."""
    margin = max(OFFSETS)
    bands, frames, phones, changes, total = [], [], [], [], 0
    for example in examples:
        phone, change = targets(example)
        for samples in (example.samples, _disturbed(example.samples, noises, rng)):
            own = spectrum(samples, warp=round(float(rng.uniform(0.88, 1.16)), 2))
            bands.append(np.pad(own, ((margin, margin), (0, 0)), mode="edge"))
            frames.append(total + margin + np.arange(len(own)))
            phones.append(phone)
            changes.append(change)
            total += len(own) + 2 * margin
    return _Rows(
        bands=np.concatenate(bands),
        frames=np.concatenate(frames),
        phone=np.concatenate(phones),
        change=np.concatenate(changes),
    )


def targets(example: Example) -> tuple[Int64, Float32]:
    """The phone that each frame is in the middle of, and how near a boundary its beginning is; both shape (frames,)."""
    frames = -(-len(example.samples) // round(FRAME_S * SAMPLE_RATE_HZ))
    middles = (np.arange(frames) + 0.5) * FRAME_S
    owner = np.searchsorted(example.start_s, middles, side="right") - 1
    inside = (owner >= 0) & (middles < example.end_s[np.maximum(owner, 0)])
    phone = np.where(inside, example.phones[np.maximum(owner, 0)], SILENCE)
    change = np.zeros(frames, dtype=np.float32)
    edges = np.round(np.concatenate([example.start_s, example.end_s]) / FRAME_S).astype(np.int64)
    for step, share in ((-1, 0.5), (1, 0.5), (0, 1.0)):
        near = np.clip(edges + step, 0, frames - 1)
        change[near] = np.maximum(change[near], share)
    return phone, change


def _disturbed(samples: Float32, noises: Sequence[Audio], rng: np.random.Generator) -> Float32:
    """The recording in noise, 5 to 30 dB below it, or through a telephone, or both."""
    kind = rng.integers(3)
    wave = samples.astype(np.float64)
    if kind != 1:
        noise = rng.normal(size=len(wave))
        if noises and rng.random() < 0.7:
            clip = noises[int(rng.integers(len(noises)))].samples
            noise = np.resize(np.roll(clip, int(rng.integers(len(clip)))), len(wave)).astype(np.float64)
        gain = np.sqrt(np.square(wave).mean() / (np.square(noise).mean() + 1e-12)) * 10 ** (-rng.uniform(5, 30) / 20)
        wave = wave + gain * noise
    if kind != 0:
        parts = np.fft.rfft(wave)
        parts[np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE_HZ) > _TELEPHONE_HZ] = 0
        wave = np.fft.irfft(parts, len(wave))
    return wave.astype(np.float32)


def _fit(sets: Sequence[_Rows], config: TimingTraining) -> SoundModel:
    """Learn phone and change of every frame; each of the sets gives the same number of frames to a batch."""
    torch.manual_seed(config.seed)
    width = len(OFFSETS) * BANDS
    net = nn.Sequential(
        nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(_HIDDEN, CHANGE + 1),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), lr=_LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=config.steps + 1)
    rng = np.random.default_rng(config.seed)
    offsets = np.array(OFFSETS)
    lost = 0.0
    for step in range(config.steps):
        draws = [rng.integers(len(rows.frames), size=_BATCH // len(sets)) for rows in sets]
        places = [rows.frames[draw][:, None] + offsets for rows, draw in zip(sets, draws, strict=True)]
        inputs = np.concatenate(
            [rows.bands[place].reshape(-1, width) for rows, place in zip(sets, places, strict=True)]
        )
        phone = np.concatenate([rows.phone[draw] for rows, draw in zip(sets, draws, strict=True)])
        change = np.concatenate([rows.change[draw] for rows, draw in zip(sets, draws, strict=True)])
        wave = torch.from_numpy(inputs.reshape(-1, width)) + _SHIFT * torch.randn(len(inputs), 1)
        out = net(wave)
        loss = nn.functional.cross_entropy(out[:, :CHANGE], torch.from_numpy(phone))
        loss = loss + nn.functional.binary_cross_entropy_with_logits(out[:, CHANGE], torch.from_numpy(change))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        lost += float(loss.detach())
        if (step + 1) % 1000 == 0:
            log.info("step %d: loss %.3f", step + 1, lost / 1000)
            lost = 0.0
    counts = sum(np.bincount(rows.phone, minlength=CHANGE) / len(rows.phone) for rows in sets) / len(sets)
    dense = [layer for layer in net if isinstance(layer, nn.Linear)]
    return SoundModel(
        weights=tuple(layer.weight.detach().numpy().T.copy() for layer in dense),
        biases=tuple(layer.bias.detach().numpy().copy() for layer in dense),
        log_prior=np.log(counts + 1e-4).astype(np.float32),
    )
