"""The backend contract, and the planted backend against the lattice: what was planted must be recovered."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.acoustic import Backend, backend_names, check_backend, load_backend
from elocute.acoustic.fake import PlantedBackend
from elocute.ctc import forward_log_prob, viterbi
from elocute.errors import ConfigError
from elocute.gop import alternatives, gop_sf, perceived_posterior
from elocute.installed import model_versions
from elocute.phones import PHONES
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality, PhoneSet, Posteriors

SAID = ["DH", "AH", "B", "L", "AE", "K", "K", "AE", "T"]


def recording(seconds: float) -> Audio:
    samples = np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
    quality = AudioQuality(
        duration_s=seconds,
        peak=0.0,
        rms_db=-100.0,
        speech_s=0.0,
        snr_db=None,
        clipped=0.0,
        source_rate_hz=SAMPLE_RATE_HZ,
        source_channels=1,
    )
    return Audio(samples=samples, quality=quality)


class Spoiled:
    """A planted backend whose phone set or posteriors are changed."""

    name = "spoiled"
    version = "1"

    def __init__(
        self,
        phone_set: PhoneSet | None = None,
        change: Callable[[np.ndarray, int], np.ndarray] = lambda log_probs, call: log_probs,
    ) -> None:
        self._inner = PlantedBackend(PHONES, SAID)
        self.phone_set = phone_set or self._inner.phone_set
        self._change, self._calls = change, 0

    def posteriors(self, audio: Audio) -> Posteriors:
        self._calls += 1
        heard = self._inner.posteriors(audio)
        return Posteriors(
            log_probs=self._change(heard.log_probs, self._calls),
            frame_shift_s=heard.frame_shift_s,
            phone_set=self.phone_set,
        )


def test_the_planted_backend_keeps_the_contract():
    backend = PlantedBackend(PHONES, SAID)
    assert isinstance(backend, Backend)
    assert check_backend(backend) == [
        "members", "phone set", "noise", "silence", "0.1 seconds", "30 seconds", "deterministic",
    ]  # fmt: skip


PHONE_SETS = {
    "spelled alike: A, B": PhoneSet(symbols=("A", "B"), tokens=((1, 2), (1, 2)), size=3, blank_id=0),
    "one distinct symbol": PhoneSet(symbols=("A", "A"), tokens=((1,), (2,)), size=3, blank_id=0),
    "one spelling a phone": PhoneSet(symbols=("A", "B"), tokens=((1,),), size=3, blank_id=0),
    "from 0 to 2": PhoneSet(symbols=("A", "B"), tokens=((1,), (3,)), size=3, blank_id=0),
    "other than blank 1": PhoneSet(symbols=("A", "B"), tokens=((1,), (2,)), size=3, blank_id=1),
    "empty spelling": PhoneSet(symbols=("A", "B"), tokens=((1,), ()), size=3, blank_id=0),
    "blank is column 3": PhoneSet(symbols=("A", "B"), tokens=((1,), (2,)), size=3, blank_id=3),
}


@pytest.mark.parametrize("reason", PHONE_SETS)
def test_phone_sets_that_break_the_contract_are_refused(reason: str):
    with pytest.raises(ConfigError, match=reason):
        check_backend(Spoiled(phone_set=PHONE_SETS[reason]))


CHANGES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    r"log_probs have shape \(100, 39\)": lambda log_probs, call: log_probs[:, 1:],
    r"log_probs have shape \(0, 40\)": lambda log_probs, call: log_probs[:0],
    r"log_probs have shape \(40,\)": lambda log_probs, call: log_probs[0],
    "a row sums to 2.0000, not 1": lambda log_probs, call: log_probs + np.log(2.0),
    "a row sums to nan, not 1": lambda log_probs, call: log_probs * np.nan,
    "50 frames of 0.02 s for 2.00 s": lambda log_probs, call: log_probs[::2],
    "not deterministic": lambda log_probs, call: np.roll(log_probs, call, axis=0),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_posteriors_that_break_the_contract_are_refused(reason: str):
    with pytest.raises(ConfigError, match=reason):
        check_backend(Spoiled(change=CHANGES[reason]))


def test_a_backend_that_lacks_a_member_is_refused():
    class Nameless:
        version, phone_set = "1", PlantedBackend(PHONES, SAID).phone_set

        def posteriors(self, audio: Audio) -> Posteriors:
            raise NotImplementedError

    with pytest.raises(ConfigError, match="Nameless lacks a member of Backend"):
        check_backend(Nameless())  # type: ignore[arg-type]


def test_an_unknown_backend_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match=r"backend is 'embeded'; expected one of .*"):
        load_backend("embeded")
    assert backend_names() == sorted(backend_names())


def test_the_planted_phones_are_the_best_path():
    backend = PlantedBackend(PHONES, SAID)
    heard = backend.posteriors(recording(2.0))
    labels = [backend.phone_set.id_of(symbol) + 1 for symbol in SAID]
    best = viterbi(heard.log_probs, labels)
    certain = np.log(0.9) * len(heard.log_probs)
    assert best.log_prob == pytest.approx(certain, rel=1e-5)  # every frame says what was planted
    assert best.spans.min() >= 10
    assert best.spans.max() <= 90


@settings(max_examples=30, deadline=None)
@given(
    said=st.lists(st.sampled_from(PHONES), min_size=1, max_size=6),
    place=st.integers(0, 5),
    other=st.sampled_from(PHONES),
    certainty=st.floats(0.85, 0.99),
)
def test_what_was_planted_is_recovered(said: list[str], place: int, other: str, certainty: float):
    """The planted string is the likeliest, and a phone that was said otherwise is found and named."""
    backend = PlantedBackend(PHONES, said, certainty=certainty)
    phone_set = backend.phone_set
    log_probs = backend.posteriors(recording(1.0)).log_probs
    ids = [phone_set.id_of(symbol) for symbol in said]
    right = alternatives(log_probs, ids, phone_set)
    assert right.log_prob == pytest.approx(forward_log_prob(log_probs, [k + 1 for k in ids]), abs=1e-6)
    rivals = np.concatenate([right.substitution.ravel(), right.deletion, right.insertion.ravel()])
    assert rivals.max() <= right.log_prob + 1e-9
    assert (perceived_posterior(right).argmax(axis=1) == ids).all()

    place %= len(said)
    if other == said[place]:
        return
    canonical = ids[:place] + [phone_set.id_of(other)] + ids[place + 1 :]
    wrong = alternatives(log_probs, canonical, phone_set)
    assert wrong.log_prob < right.log_prob
    gop = gop_sf(wrong)
    assert gop.argmin() == place
    assert (np.delete(gop, place) > gop[place] + 1.0).all()
    assert perceived_posterior(wrong)[place].argmax() == ids[place]


def test_a_backend_of_another_package_gets_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    info = tmp_path / "bigears-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bigears\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[elocute.backends]\nbig = bigears:load\nears = bigears:alone\n")
    (tmp_path / "bigears.py").write_text(
        "from elocute.acoustic.fake import PlantedBackend\n"
        "def load(place, *, threads=None):\n"
        "    backend = PlantedBackend(('AA', 'B'), ['B'])\n"
        "    backend.name = f'{place} with {threads}'\n"
        "    return backend\n"
        "def alone(*, threads=None):\n"
        "    return load('nothing', threads=threads)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load_backend("big:C:/models/large", threads=3).name == "C:/models/large with 3"
    assert load_backend("ears").name == "nothing with None"
    with pytest.raises(ConfigError, match=r"backend is 'big'; expected a model after it, such as 'big:FOLDER'"):
        load_backend("big")
    with pytest.raises(ConfigError, match=r"expected 'ears' alone, which is one model and takes no place"):
        load_backend("ears:here")
    assert model_versions("big:here")["backend"] == "big:here bigears 2.1"
