"""Many recordings through one backend: in batches of like length where it takes them, else one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from elocute.acoustic.protocol import Backend, BatchBackend, batches
from elocute.errors import ConfigError
from elocute.types import SAMPLE_RATE_HZ, Audio, Posteriors

PADDED_S = 480.0
"""Seconds of a batch with its padding at most; bounds the memory of a model, about 20 GB for one of 300 million
parameters in float32."""


def buckets(lengths: Sequence[int], most: int, padded_samples: int) -> Iterator[list[int]]:
    """Recordings of like length together: indices, the shortest first.

    Args:
        lengths: samples of each recording.
        most: recordings in a bucket at most.
        padded_samples: of a bucket at most, padding counted; a longer recording is alone.
    """
    bucket: list[int] = []
    for index in np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable").tolist():
        if bucket and (len(bucket) == most or lengths[index] * (len(bucket) + 1) > padded_samples):
            yield bucket
            bucket = []
        bucket.append(index)
    if bucket:
        yield bucket


def hear_all(
    backend: Backend,
    recordings: Sequence[Audio],
    *,
    batch_size: int,
    padded_s: float = PADDED_S,
    progress: Callable[[int, int], None] | None = None,
) -> list[Posteriors]:
    """Posteriors of many recordings, in their order.

    Args:
        backend: any; one that does not batch hears them one by one.
        recordings: of any lengths.
        batch_size: recordings of a batch at most.
        padded_s: seconds of a batch at most, padding counted.
        progress: called with recordings done and recordings in all.

    Raises:
        ConfigError: a batch size below 1.
        AudioError: the backend refuses a recording.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}; expected 1 or more")
    heard: dict[int, Posteriors] = {}
    size = batch_size if batches(backend) else 1
    for bucket in buckets([len(one.samples) for one in recordings], size, round(padded_s * SAMPLE_RATE_HZ)):
        if isinstance(backend, BatchBackend) and len(bucket) > 1:
            found = backend.posteriors_batch([recordings[index] for index in bucket])
        else:
            found = [backend.posteriors(recordings[index]) for index in bucket]
        heard.update(zip(bucket, found, strict=True))
        if progress is not None:
            progress(len(heard), len(recordings))
    return [heard[index] for index in range(len(recordings))]
