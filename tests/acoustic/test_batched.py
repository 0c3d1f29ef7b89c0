"""Batches of recordings: buckets, and what every family hears in them against what it hears of each alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.acoustic import check_backend, load_backend
from elocute.acoustic.batched import buckets, hear_all
from elocute.acoustic.fake import PlantedBackend
from elocute.acoustic.protocol import batches
from elocute.errors import AudioError, ConfigError
from elocute.phones import PHONES
from elocute.types import Audio, Posteriors
from planted import recording


class Batching(PlantedBackend):
    """Hears batches, and remembers how many recordings each had; with `padding` it also hears what is behind them."""

    batches = True

    def __init__(self, *, padding: bool = False) -> None:
        super().__init__(PHONES, ["HH", "AY"])
        self.sizes: list[int] = []
        self.padding = padding

    def posteriors_batch(self, recordings: Sequence[Audio]) -> list[Posteriors]:
        self.sizes.append(len(recordings))
        longest = max(recordings, key=lambda one: one.duration_s)
        return [self.posteriors(longest if self.padding else one) for one in recordings]


@given(st.lists(st.integers(1, 100), max_size=30), st.integers(1, 7), st.integers(50, 300))
def test_buckets_hold_every_recording_once_and_keep_their_bounds(lengths: list[int], most: int, padded: int) -> None:
    found = list(buckets(lengths, most, padded))
    assert sorted(index for bucket in found for index in bucket) == list(range(len(lengths)))
    for bucket in found:
        longest = max(lengths[index] for index in bucket)
        assert len(bucket) <= most
        assert len(bucket) == 1 or longest * len(bucket) <= padded
    flat = [lengths[index] for bucket in found for index in bucket]
    assert flat == sorted(flat)


def test_recordings_come_back_in_their_order_and_in_as_few_passes_as_may_be() -> None:
    backend, recordings = Batching(), [recording(s) for s in (0.5, 2.0, 0.3, 1.0, 3.0)]
    done: list[int] = []
    found = hear_all(backend, recordings, batch_size=2, padded_s=4.5, progress=lambda now, _: done.append(now))
    assert [len(one.log_probs) for one in found] == [25, 100, 15, 50, 150]
    assert backend.sizes == [2, 2]  # two of 3 s would be more than 4.5 s
    assert done == [2, 4, 5]
    with pytest.raises(ConfigError, match="batch_size is 0"):
        hear_all(backend, recordings, batch_size=0)


def test_a_backend_that_does_not_batch_hears_one_after_the_other() -> None:
    backend = load_backend("embedded", threads=1)
    assert not batches(backend)
    recordings = [recording(0.4), recording(0.9, seed=1), recording(0.25, seed=2)]
    found = hear_all(backend, recordings, batch_size=8)
    for one, audio in zip(found, recordings, strict=True):
        alone = backend.posteriors(audio)
        np.testing.assert_array_equal(one.log_probs, alone.log_probs)
        assert one.ratings is not None
        np.testing.assert_array_equal(one.ratings, alone.ratings)
    with pytest.raises(AudioError):
        hear_all(backend, [recording(0.4), recording(0.01)], batch_size=8)


def test_the_contract_refuses_a_backend_that_hears_the_padding() -> None:
    assert check_backend(Batching())[-1] == "batch"
    with pytest.raises(ConfigError, match="in a batch otherwise than alone"):
        check_backend(Batching(padding=True))
