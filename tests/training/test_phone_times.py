"""Phone times: what is aligned is kept, file and all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from elocute.acoustic import load_backend
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training.phone_times import find_phone_times, read_phone_times, write_phone_times
from elocute.training.recordings import Recording


def test_times_survive_their_file(tmp_path: Path):
    times = {"a": np.array([[3, 9], [9, 14]]), "b": np.array([[0, 60000]])}
    write_phone_times(tmp_path / "t.npz", times)
    found = read_phone_times(tmp_path / "t.npz")
    assert list(found) == ["a", "b"]
    assert all(np.array_equal(found[name], spans) for name, spans in times.items())


@pytest.mark.parametrize("content", [b"", b"PK", b"text"])
def test_another_file_is_no_phone_times(tmp_path: Path, content: bytes):
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(ConfigError, match="holds no phone times"):
        read_phone_times(tmp_path / "t.npz")


def test_a_cut_file_is_damaged(tmp_path: Path):
    np.savez_compressed(tmp_path / "t.npz", ids=np.array(["a"]), phones=np.array([2]), spans=np.zeros((1, 2)))
    with pytest.raises(ConfigError, match="1 phones, expected 2"):
        read_phone_times(tmp_path / "t.npz")


def test_a_recording_without_room_is_left_out(tmp_path: Path):
    """Noise of half a second has room for three phones, in order and inside of it, not for sixty."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 8000), 16000)
    few, many = (tuple(1 + k % len(PHONES) for k in range(count)) for count in (3, 60))
    recordings = [
        Recording(id=name, audio=path, labels=phones, phones=phones, speaker="s", kind="native")
        for name, phones in (("few", few), ("many", many))
    ]
    seen: list[int] = []
    times = find_phone_times(recordings, load_backend("embedded"), lambda: seen.append(1))
    assert list(times) == ["few"]
    assert len(seen) == 2
    spans = times["few"]
    assert spans.shape == (3, 2)
    assert (spans >= 0).all()
    assert (spans <= 50).all()
    assert (np.diff(spans.ravel()) >= 0).all()
