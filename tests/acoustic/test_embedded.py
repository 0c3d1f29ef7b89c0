"""The shipped acoustic model keeps the contract of a backend and tells its facts."""

import json
from importlib.resources import files

import numpy as np
import pytest

from elocute.acoustic import backend_names, check_backend, load_backend
from elocute.acoustic.embedded import EmbeddedBackend
from elocute.errors import AudioError
from elocute.phones import PHONES
from planted import recording

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def backend() -> EmbeddedBackend:
    return EmbeddedBackend(threads=1)


def test_the_contract(backend: EmbeddedBackend):
    assert check_backend(backend)[-1] == "deterministic"


def test_it_is_found_by_its_name():
    assert "embedded" in backend_names()
    assert isinstance(load_backend("embedded", threads=1), EmbeddedBackend)


def test_the_card_is_of_this_model(backend: EmbeddedBackend):
    card = json.loads((files("elocute") / "assets" / "acoustic.json").read_text(encoding="utf-8"))
    model = (files("elocute") / "assets" / "acoustic.onnx").read_bytes()
    assert card["bytes"] == len(model) <= 20 * MEGABYTE
    assert tuple(card["phones"]) == PHONES == backend.phone_set.symbols
    assert backend.version == card["version"]
    assert card["licence"] == "Apache-2.0"
    assert card["data"]
    assert card["limits"]


@pytest.mark.parametrize("samples", [1_600, 1_919, 1_920, 16_000, 33_333])
def test_one_row_each_20_ms(backend: EmbeddedBackend, samples: int):
    heard = backend.posteriors(recording(samples / 16_000))
    assert heard.log_probs.shape == (samples // 320, 40)
    assert heard.log_probs.dtype == np.float32
    assert heard.frame_shift_s == 0.02


def test_a_recording_that_is_too_short_is_refused(backend: EmbeddedBackend):
    with pytest.raises(AudioError, match=r"audio is 0\.099 s; the embedded model needs at least 0\.1 s; record again"):
        backend.posteriors(recording(1_590 / 16_000))


def test_the_level_of_a_recording_does_not_matter(backend: EmbeddedBackend):
    soft, loud = (backend.posteriors(recording(1.0, amplitude=level)).log_probs for level in (0.02, 0.2))
    assert np.abs(np.exp(soft) - np.exp(loud)).mean() < 0.002
