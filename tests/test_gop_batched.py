"""Step 5 over many recordings at once: against all paths, and against each recording by itself, in numpy and torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
from ctc_problems import ANY_LOG_WEIGHT, one_label_phones, posteriors, random_log_probs
from elocute import gop
from elocute.acoustic.tensors import TorchArrays
from elocute.errors import AlignmentError, ConfigError, PhoneError
from elocute.gop.arrays import Arrays, NumpyArrays
from elocute.gop.batched import alternatives_batch, alternatives_padded
from elocute.gop.edits_batched import pack
from elocute.types import PhoneSet

DEVICES = [None, "cpu"]
CHAINED = PhoneSet(
    symbols=tuple("ABCDEFG"), tokens=((1,), (2,), (3,), (1, 2), (2, 2), (3, 1, 3), (4,)), size=6, blank_id=5
)
ARRAYS = ("substitution", "deletion", "insertion", "any_string", "durations", "bounds", "canonical")


@pytest.fixture(autouse=True)
def _torch(request: pytest.FixtureRequest) -> None:
    if "device" in request.fixturenames and request.getfixturevalue("device") is not None:
        pytest.importorskip("torch")


def arrays_on(device: str | None) -> Arrays:
    return NumpyArrays() if device is None else TorchArrays(device)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Recordings and texts of one phone set."""

    log_probs: list[np.ndarray]
    canonical: list[list[int]]
    phone_set: PhoneSet


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    V = draw(st.integers(2, 4))
    blank_id = draw(st.integers(0, V - 1))
    symbols = [v for v in range(V) if v != blank_id]
    spelling = st.lists(st.sampled_from(symbols), min_size=1, max_size=draw(st.integers(1, 3))).map(tuple)
    tokens = tuple(draw(st.lists(spelling, min_size=1, max_size=4, unique=True)))
    phone_set = PhoneSet(symbols=tuple(map(str, range(len(tokens)))), tokens=tokens, size=V, blank_id=blank_id)
    texts = draw(st.lists(st.lists(st.integers(0, len(tokens) - 1), max_size=3), min_size=1, max_size=4))
    frames = [draw(posteriors(draw(st.integers(1, 5)), V, ANY_LOG_WEIGHT)) for _ in texts]
    return Batch(log_probs=frames, canonical=texts, phone_set=phone_set)


def alone(batch: Batch, number: int) -> gop.Alternatives | AlignmentError:
    try:
        return gop.alternatives(batch.log_probs[number], batch.canonical[number], batch.phone_set)
    except AlignmentError as error:
        return error


def check_against_each_alone(batch: Batch, device: str | None, *, atol: float = 1e-9) -> None:
    found = alternatives_batch(batch.log_probs, batch.canonical, batch.phone_set, arrays=arrays_on(device))
    split = found.split()
    scores = found.arrays.numpy(found.gop_sf())
    assert len(split) == len(batch.log_probs)
    for number, one in enumerate(split):
        theirs = alone(batch, number)
        if isinstance(theirs, AlignmentError):
            assert str(one) == str(theirs)
            continue
        assert isinstance(one, gop.Alternatives)
        assert one.log_prob == pytest.approx(theirs.log_prob, abs=atol)
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(one, name), getattr(theirs, name), rtol=1e-12, atol=atol, err_msg=name)
        np.testing.assert_allclose(one.occupancies(), theirs.occupancies(), atol=1e-9)
        own = scores[found.texts.starts[number] : found.texts.starts[number + 1]]
        np.testing.assert_allclose(own, gop.gop_sf(theirs, "SD"), rtol=1e-12, atol=atol)


@pytest.mark.parametrize("device", DEVICES)
def test_ragged_batches_equal_each_recording_alone(device: str | None) -> None:
    @settings(deadline=None, max_examples=40)
    @given(batches())
    def check(batch: Batch) -> None:
        check_against_each_alone(batch, device)

    check()


@settings(deadline=None, max_examples=60)
@given(batches())
def test_every_alternative_in_a_batch_is_the_sum_over_all_paths(batch: Batch) -> None:
    tokens, blank_id = batch.phone_set.tokens, batch.phone_set.blank_id
    found = alternatives_batch(batch.log_probs, batch.canonical, batch.phone_set).split()
    for one, frames, phones in zip(found, batch.log_probs, batch.canonical, strict=True):
        truth = oracles.sequence_log_probs(frames.tolist(), blank_id)

        def log_prob(said: list[int], truth: dict[tuple[int, ...], float] = truth) -> float:
            return truth.get(tuple(label for k in said for label in tokens[k]), -np.inf)

        if isinstance(one, AlignmentError):
            assert log_prob(phones) == -np.inf
            continue
        L, K = len(phones), len(tokens)
        every = {
            "substitution": [[log_prob([*phones[:i], k, *phones[i + 1 :]]) for k in range(K)] for i in range(L)],
            "deletion": [log_prob([*phones[:i], *phones[i + 1 :]]) for i in range(L)],
            "insertion": [[log_prob([*phones[:j], k, *phones[j:]]) for k in range(K)] for j in range(L + 1)],
        }
        for name, values in every.items():
            shape = getattr(one, name).shape
            np.testing.assert_allclose(getattr(one, name), np.array(values).reshape(shape), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("peakiness", [0.5, 5.0, 60.0])
@pytest.mark.parametrize("phone_set", [one_label_phones(6), CHAINED], ids=["single", "chains"])
def test_long_and_short_recordings_share_blocks_of_frames(
    phone_set: PhoneSet, peakiness: float, device: str | None
) -> None:
    rng = np.random.default_rng(3)
    lengths, phones = (3, 75, 40, 1, 33, 64), (2, 9, 5, 1, 0, 12)
    batch = Batch(
        log_probs=[random_log_probs(n, T=T, V=phone_set.size, peakiness=peakiness) for n, T in enumerate(lengths)],
        canonical=[rng.integers(0, len(phone_set.symbols), L).tolist() for L in phones],
        phone_set=phone_set,
    )
    check_against_each_alone(batch, device, atol=1e-8)


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_behind_the_end_of_a_recording_is_not_looked_at(device: str | None) -> None:
    phone_set, xp = one_label_phones(4), arrays_on(device)
    frames = np.stack([random_log_probs(n, T=20, V=5) for n in range(3)], axis=1)
    texts, counts = pack([[0, 1], [2, 2, 3], [1]], phone_set), np.array([20, 11, 7])
    spoilt = frames.copy()
    spoilt[11:, 1] = 123.0
    spoilt[7:, 2] = -np.inf
    one, other = (alternatives_padded(xp, xp.put(values), counts, texts, phone_set) for values in (frames, spoilt))
    for name in ("log_prob", "substitution", "deletion", "insertion", "any_string", "durations"):
        np.testing.assert_array_equal(xp.numpy(getattr(one, name)), xp.numpy(getattr(other, name)))


def test_bad_batches_are_refused() -> None:
    phone_set, frames = one_label_phones(4), random_log_probs(0, T=5, V=5)
    with pytest.raises(PhoneError, match="expected 0 to 3"):
        alternatives_batch([frames, frames], [[0], [4]], phone_set)
    with pytest.raises(PhoneError, match="the phone set expects"):
        alternatives_batch([frames[:, :4]], [[0]], phone_set)
    with pytest.raises(ValueError, match="2 recordings came with 1 texts"):
        alternatives_batch([frames, frames], [[0]], phone_set)
    with pytest.raises(AlignmentError, match="no recording has frames"):
        alternatives_batch([frames[:0]], [[0]], phone_set)


def test_a_device_that_is_not_there_is_named() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match="device is 'nowhere'"):
        TorchArrays("nowhere")
