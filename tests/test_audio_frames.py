"""Frames of samples, beside numpy's sliding window."""

from __future__ import annotations

import numpy as np
import pytest

from elocute.audio.frames import frames_of


@pytest.mark.parametrize(("length", "width", "hop"), [(400, 400, 160), (1000, 400, 160), (999, 50, 7), (10, 3, 20)])
def test_frames_are_those_of_a_sliding_window(length: int, width: int, hop: int) -> None:
    samples = np.random.default_rng(0).normal(size=2 * length).astype(np.float32)[::2]
    expected = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
    found = frames_of(samples, width, hop)
    np.testing.assert_array_equal(found, expected)
    assert not found.flags.writeable


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="399 samples hold no frame of 400"):
        frames_of(np.zeros(399), 400, 160)
