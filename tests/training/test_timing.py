"""Training of the boundary network: targets by hand, and a tiny network that learns two sounds."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from elocute.evaluation.flite import Utterance  # noqa: E402
from elocute.evaluation.synthetic import Spoken  # noqa: E402
from elocute.phones import PHONES  # noqa: E402
from elocute.prosody import listen  # noqa: E402
from elocute.prosody.sound import SILENCE  # noqa: E402
from elocute.training.timing import Example, TimingTraining, targets, train  # noqa: E402
from elocute.types import Audio, AudioQuality  # noqa: E402

HUM, HISS = PHONES.index("M"), PHONES.index("S")


def test_targets_by_hand() -> None:
    example = Example(
        samples=np.zeros(1600, np.float32),
        phones=np.array([HUM, HISS]),
        start_s=np.array([0.021, 0.05]),
        end_s=np.array([0.05, 0.074]),
    )
    phone, change = targets(example)
    assert phone.tolist() == [SILENCE, SILENCE, HUM, HUM, HUM, HISS, HISS, SILENCE, SILENCE, SILENCE]
    assert change.tolist() == [0, 0.5, 1, 0.5, 0.5, 1, 0.5, 1, 0.5, 0]


def spoken(voice: str, seed: int) -> Spoken:
    """Hum, hiss and hum between silences."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 20, size=5)
    kinds = [SILENCE, HUM, HISS, HUM, SILENCE]
    parts = []
    for kind, frames in zip(kinds, lengths.tolist(), strict=True):
        size = 160 * frames
        hum = 0.2 * np.sin(2 * np.pi * 200 * np.arange(size) / 16_000)
        parts.append({SILENCE: 1e-4 * rng.normal(size=size), HUM: hum, HISS: 0.05 * rng.normal(size=size)}[kind])
    samples = np.concatenate(parts).astype(np.float32)
    ends = np.cumsum(lengths) * 0.01
    quality = AudioQuality(
        duration_s=len(samples) / 16_000,
        peak=0.2,
        rms_db=-20.0,
        speech_s=0.3,
        snr_db=None,
        clipped=0.0,
        source_rate_hz=16_000,
        source_channels=1,
    )
    said = Utterance(
        audio=Audio(samples=samples, quality=quality), phones=("M", "S", "M"), start_s=ends[:3], end_s=ends[1:4]
    )
    return Spoken(voice=voice, text="", stretch=1.0, utterance=said)


def test_a_tiny_network_learns_two_sounds_and_never_hears_the_voice_left_out() -> None:
    known = [spoken("a", seed) for seed in range(8)]
    strange = spoken("b", 99)
    wrong = Spoken(voice="b", text="", stretch=1.0, utterance=strange.utterance)
    model = train([*known, wrong], [], [], TimingTraining(steps=80, seed=0), without="b")
    alone = train(known, [], [], TimingTraining(steps=80, seed=0))
    for ours, theirs in zip(model.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    example = Example(
        samples=strange.utterance.audio.samples,
        phones=np.array([HUM, HISS, HUM]),
        start_s=strange.utterance.start_s,
        end_s=strange.utterance.end_s,
    )
    phone, change = targets(example)
    sound = listen(example.samples, model)
    assert (sound.log_probs.argmax(axis=1) == phone).mean() > 0.9
    assert sound.change[change == 1].mean() > sound.change[change == 0].mean() + 1
