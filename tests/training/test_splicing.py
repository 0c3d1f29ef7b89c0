"""Splicing: what the frames of an example are, and that labels and scores say the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from elocute.phones import PHONES
from elocute.training.acoustic_batches import PADDED_TO, Augmentation, TrainingSet
from elocute.training.recordings import Recording
from elocute.training.splicing import GOOD_FROM, NATIVE_SCORE, NEAR, Splicer, Splicing

PHONE_FRAMES = 10
LEAD = 20
STILL = Augmentation(tempo=(1.0, 1.0), warp=(1.0, 1.0), noise_share=0.0)
EXACT = {"reach": 1, "share_of_phones": 1.0}


def recording(name: str, phones: list[int], scores: list[float] | None = None, speaker: str = "a") -> Recording:
    """Phones of equal length after a lead of silence; native where nobody scored."""
    return Recording(
        id=name,
        audio=Path(f"{name}.wav"),
        labels=tuple(phones),
        phones=tuple(phones),
        speaker=speaker,
        kind="native" if scores is None else "learner",
        phone_scores=tuple(scores or ()),
        utterance_scores=() if scores is None else (1.0, 1.5, 2.0, 0.5),
    )


def frames_of(one: Recording) -> int:
    return 2 * LEAD + PHONE_FRAMES * len(one.phones)


def spans_of(one: Recording) -> np.ndarray:
    begins = LEAD + PHONE_FRAMES * np.arange(len(one.phones))
    return np.column_stack([begins, begins + PHONE_FRAMES])


def splicer(recordings: list[Recording], power: np.ndarray | None = None, **settings: float) -> Splicer:
    lengths = [frames_of(one) for one in recordings]
    offsets = (np.cumsum(lengths) - lengths).tolist()
    power = np.ones(sum(lengths)) if power is None else power
    times = {one.id: spans_of(one) for one in recordings}
    return Splicer(recordings, power, offsets, times, Splicing(**settings))  # type: ignore[arg-type]


def phones_at(recordings: list[Recording], source: np.ndarray) -> list[int]:
    """The phone to which each frame belonged at its source, 0 outside of phones."""
    owner = np.concatenate([np.pad(np.repeat(one.phones, PHONE_FRAMES), LEAD) for one in recordings])
    return owner[source].tolist()


def runs(values: list[int]) -> list[tuple[int, int]]:
    """Values without repeats, and how often each comes in a row."""
    found: list[tuple[int, int]] = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1] = (value, found[-1][1] + 1)
        else:
            found.append((value, 1))
    return found


def drawn_recordings(seed: int, count: int = 8, speakers: str = "ab") -> list[Recording]:
    """Random phones with no equal neighbours; half of the speakers native."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        phones = [int(rng.integers(1, 40))]
        while len(phones) < 20:
            phones.append(int(rng.choice([p for p in range(1, 40) if p != phones[-1]])))
        speaker = speakers[number % len(speakers)]
        scores = None if speaker == "b" else rng.choice([0.3, 1.6, 1.9, 2.0], 20).tolist()
        made.append(recording(str(number), phones, scores, speaker))
    return made


@pytest.mark.parametrize("seed", range(6))
def test_labels_tell_the_frames(seed: int):
    """Cut exactly at the edges, the phones of the frames are the labels, whatever was changed."""
    recordings = drawn_recordings(seed)
    made = splicer(recordings, reach=1, share_of_phones=0.3, most=5)
    made.settings = Splicing(reach=1, share_of_phones=0.3, most=5)
    rng, changed = np.random.default_rng(seed), 0
    for index in list(range(len(recordings))) * 5:
        example = made.splice(index, frames_of(recordings[index]), rng)
        if example is None:
            continue
        changed += 1
        assert example.source.shape == example.gain.shape
        heard = [phone for phone, count in runs(phones_at(recordings, example.source)) if phone and count > 2]
        assert heard == list(example.recording.labels)
        speakers = {recordings[int(i)].speaker for i in np.searchsorted(made.offsets, example.source, side="right") - 1}
        assert speakers == {recordings[index].speaker}
    assert changed > 30


@pytest.mark.parametrize("seed", range(3))
def test_scores_tell_what_was_done(seed: int):
    """0 for a canonical phone that was replaced or cut out, the donor's for its own phone and for the same phone."""
    recordings = drawn_recordings(seed, speakers="a")
    made, rng, kinds = splicer(recordings, most=5, share_of_phones=0.3), np.random.default_rng(seed), set()
    for index in list(range(len(recordings))) * 10:
        example = made.splice(index, frames_of(recordings[index]), rng)
        if example is None:
            continue
        old, new = recordings[index], example.recording
        assert new.phones == old.phones
        assert len(new.phone_scores) == len(new.instead) == len(new.instead_scores) == len(old.phones)
        assert all(math.isnan(score) for score in new.utterance_scores)
        kept = set(new.labels)
        for at, (was, is_now, said, said_score) in enumerate(
            zip(old.phone_scores, new.phone_scores, new.instead, new.instead_scores, strict=True)
        ):
            if said:
                kinds.add("substitution")
                assert is_now == 0.0
                assert said_score >= GOOD_FROM
                assert said in kept
                assert said != old.phones[at]
            else:
                assert math.isnan(said_score)
                assert is_now in {was, 0.0, 1.9, 2.0}
                kinds.add("deletion" if is_now == 0.0 else "same" if is_now != was else "none")
        changed = [
            at for at, pair in enumerate(zip(old.phone_scores, new.phone_scores, strict=True)) if len({*pair}) > 1
        ]
        assert all(b - a > 2 for a, b in zip(changed[:-1], changed[1:], strict=True))
    assert kinds == {"substitution", "deletion", "same", "none"}


def test_only_what_was_said_well_is_a_donor():
    """B scored 1 and C, by another speaker, lend nothing; D is what remains."""
    recordings = [
        recording("x", [1, 5, 6, 7, 8], [1.0] * 5),
        recording("y", [2, 4, 2, 4], [1.0, 2.0, 1.7, 1.9]),
        recording("z", [3, 3], None, speaker="b"),
    ]
    made, rng = splicer(recordings, deletions=0.0, insertions=0.0, same=0.0, near=0.0), np.random.default_rng(0)
    said = {
        phone
        for _ in range(50)
        if (example := made.splice(0, frames_of(recordings[0]), rng)) is not None
        for phone in example.recording.instead
    }
    assert said == {0, 4}


def test_a_native_donor_counts_as_well_said():
    recordings = [recording("x", [1, 2, 3, 4, 5]), recording("y", [6, 7, 8, 9, 10])]
    made, rng = splicer(recordings, deletions=0.0, insertions=0.0, same=0.0, near=0.0), np.random.default_rng(0)
    example = made.splice(0, frames_of(recordings[0]), rng)
    assert example is not None
    (place,) = np.flatnonzero(example.recording.instead)
    assert example.recording.instead_scores[place] == NATIVE_SCORE
    assert example.recording.phone_scores[place] == 0.0
    others = [score for at, score in enumerate(example.recording.phone_scores) if at != place]
    assert np.isnan(others).all()


def test_near_donors_are_errors_of_learners():
    recordings = [recording("x", [PHONES.index("TH") + 1] * 1 + [1, 2, 3, 4]), recording("y", list(range(1, 40)))]
    made, rng = splicer(recordings, deletions=0.0, insertions=0.0, same=0.0, near=1.0), np.random.default_rng(0)
    for _ in range(60):
        example = made.splice(0, frames_of(recordings[0]), rng)
        assert example is not None
        for own, said in zip(recordings[0].phones, example.recording.instead, strict=True):
            assert not said or said in NEAR[own - 1]


def test_a_donor_is_as_loud_as_its_new_neighbours():
    """The donor's recording has a hundredth of the power: its frames are raised by 20 dB, no others are."""
    recordings = [recording("x", [1, 2, 3, 4, 5], [1.0] * 5), recording("y", [6, 7, 8, 9, 10], [2.0] * 5)]
    power = np.concatenate([np.ones(frames_of(recordings[0])), np.full(frames_of(recordings[1]), 0.1)])
    made = splicer(recordings, power, deletions=0.0, insertions=0.0, same=0.0, near=0.0)
    example = made.splice(0, frames_of(recordings[0]), np.random.default_rng(0))
    assert example is not None
    foreign = example.source >= frames_of(recordings[0])
    assert foreign.any()
    np.testing.assert_allclose(example.gain[foreign], math.log(10), rtol=1e-6)
    assert (example.gain[~foreign] == 0).all()


def test_a_long_donor_loses_its_middle():
    recordings = [recording("x", [1, 2, 3, 4, 5], [1.0] * 5), recording("y", [6], [2.0])]
    times = {"x": spans_of(recordings[0]), "y": np.array([[10, 45]])}
    lengths = [frames_of(one) for one in recordings]
    settings = Splicing(deletions=0.0, insertions=0.0, same=0.0, near=0.0, reach=1)
    made = Splicer(recordings, np.ones(sum(lengths)), [0, lengths[0]], times, settings)
    example = made.splice(0, lengths[0], np.random.default_rng(0))
    assert example is not None
    foreign = example.source[example.source >= lengths[0]] - lengths[0]
    room = lengths[0] - (len(example.source) - len(foreign))
    assert len(foreign) == round(2.5 * room)
    assert (foreign[0], foreign[-1]) == (10, 44)


def test_what_cannot_change_stays():
    """Unknown times; and a speaker who has only this one phone."""
    lonely = [recording("x", [1, 1, 1], [2.0] * 3)]
    assert splicer(lonely, insertions=0.0, same=0.0).splice(0, frames_of(lonely[0]), np.random.default_rng(0)) is None
    unknown = Splicer(lonely, np.ones(frames_of(lonely[0])), [0], {}, Splicing())
    assert unknown.splice(0, frames_of(lonely[0]), np.random.default_rng(0)) is None


def training_set(recordings: list[Recording]) -> TrainingSet:
    lengths = [frames_of(one) for one in recordings]
    generator = torch.Generator().manual_seed(0)
    made = TrainingSet(
        recordings=recordings,
        frames=torch.randn(sum(lengths), 16, generator=generator).half(),
        lengths=torch.tensor(lengths),
        noise=torch.randn(500, 16, generator=generator).half(),
        batch_s=6.0,
        seed=1,
        augmentation=STILL,
    )
    power = made.frames.float().exp().sum(dim=1).double().numpy()
    times = {one.id: spans_of(one) for one in recordings}
    made.splicer = Splicer(recordings, power, made.first_frames, times, Splicing())
    return made


def test_a_batch_holds_the_spliced_frames_labels_and_scores():
    recordings = drawn_recordings(3)
    plain, spliced = training_set(recordings), training_set(recordings)
    indices = list(range(8))
    before, after = plain.batch(indices, 0.0, 0.0), spliced.batch(indices, 0.0, 1.0)
    assert before.instead is None
    assert after.instead is not None
    assert after.instead_scores is not None
    assert after.instead.shape == after.instead_scores.shape == after.phones.shape
    assert torch.equal(before.phones, after.phones)
    replaced = after.instead > 0
    assert replaced.any()
    assert (after.phone_scores[replaced] == 0).all()
    assert after.instead_scores[replaced].isnan().sum() == 0
    assert after.is_scored
    assert after.labels.tolist() != before.labels.tolist()
    assert sum(after.label_counts) == len(after.labels)
    assert 0 <= after.mels.shape[1] - 2 * max(after.frame_counts) < PADDED_TO
    # Without a share nothing is spliced, and nothing else is drawn.
    again = training_set(recordings).batch(indices, 0.0)
    assert torch.equal(again.mels, before.mels)


def test_frames_of_a_batch_are_those_of_the_example():
    """At the source's tempo, without noise, a row is the normalised example with its gains."""
    recordings = drawn_recordings(5, count=2, speakers="a")
    made, twin = training_set(recordings), training_set(recordings)
    batch = made.batch([0], 0.0, 1.0)
    twin.generator.random()
    example = twin.splicer.splice(0, frames_of(recordings[0]), twin.generator) if twin.splicer else None
    assert example is not None
    frames = made.frames[torch.from_numpy(example.source)].float() + torch.from_numpy(example.gain)[:, None]
    frames = frames[: 2 * batch.frame_counts[0]]
    expected = (frames - frames.mean(0)) / (frames.var(0, unbiased=False) + 1e-2).sqrt()
    torch.testing.assert_close(batch.mels[0, : len(expected)], expected, atol=1e-4, rtol=1e-4)
