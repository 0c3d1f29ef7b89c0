"""Step 1/10 - samples cut into frames that overlap, without copying them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", np.float32, np.float64)


def frames_of(samples: NDArray[T], width: int, hop: int) -> NDArray[T]:
    """Every whole frame, shape (1 + (N - width) // hop, width), read-only; frame n begins at sample n * hop.

    A sliding window of numpy has one row for every sample first, of which those of a minute are more than a 32-bit
    system can count.

    Args:
        samples: shape (N,), at least `width` of them.
        width: samples of a frame.
        hop: samples from the beginning of a frame to that of the next.
    """
    if len(samples) < width:
        raise ValueError(f"{len(samples)} samples hold no frame of {width}")
    (stride,) = samples.strides
    shape = (1 + (len(samples) - width) // hop, width)
    return np.lib.stride_tricks.as_strided(samples, shape, (hop * stride, stride), writeable=False)
