"""What a backend heard is kept, whole files only and for this backend only; and bending leaves probabilities whole."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from elocute.corpora.speechocean762 import ScoredUtterance, read_speechocean762
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training import listening, scorer_run
from elocute.training.listening import UNBENT_SHARE, bent, hear_all
from elocute.training.scorer_run import ScorerRun, heard_by, listen
from elocute.types import Audio, Posteriors
from planted import RatedBackend, heard, rated
from tiny_corpus import write_corpus


class Counting(RatedBackend):
    """Counts what it is asked, and may stop."""

    def __init__(self, stop_after: int = 10**9) -> None:
        super().__init__(PHONES, ["S", "IY"])
        self.asked, self._stop_after = 0, stop_after

    def posteriors(self, audio: Audio) -> Posteriors:
        if self.asked == self._stop_after:
            raise KeyboardInterrupt
        self.asked += 1
        return super().posteriors(audio)


@pytest.fixture
def utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ScoredUtterance]:
    write_corpus(tmp_path, "train")
    found = read_speechocean762(tmp_path)
    assert len(found) > 2
    monkeypatch.setattr(listening, "CHUNK", 2)
    return found


def test_a_stopped_run_goes_on(utterances: list[ScoredUtterance], tmp_path: Path):
    folder, backend = tmp_path / "heard", Counting(stop_after=3)
    with pytest.raises(KeyboardInterrupt):
        hear_all(backend, utterances, folder)
    assert {path.suffix for path in folder.iterdir()} == {".npz"}
    again, seen = Counting(), []
    found = hear_all(again, utterances, folder, lambda done, total: seen.append((done, total)))
    assert again.asked == len(utterances) - 2  # the first file was whole
    assert seen[-1] == (len(utterances), len(utterances))
    direct = hear_all(Counting(), utterances, tmp_path / "other")
    assert list(found) == list(direct) == [one.id for one in utterances]
    for key, one in found.items():
        assert (one.frame_shift_s, one.phone_set) == (direct[key].frame_shift_s, direct[key].phone_set)
        np.testing.assert_array_equal(one.log_probs, direct[key].log_probs)
        np.testing.assert_array_equal(one.ratings, direct[key].ratings)


def test_a_folder_of_another_backend_or_of_other_utterances_is_refused(
    utterances: list[ScoredUtterance], tmp_path: Path
):
    hear_all(Counting(), utterances, tmp_path / "heard")
    other = Counting()
    other.version = "2"
    with pytest.raises(ConfigError, match=r"planted planted heard in 2 recordings.*expected planted 2"):
        hear_all(other, utterances, tmp_path / "heard")
    with pytest.raises(ConfigError, match="name another folder"):
        hear_all(Counting(), utterances[1:], tmp_path / "heard")


def test_bending_changes_sharpness_and_blanks_and_drops_ratings():
    whole = {str(number): rated(heard(["S", "IY", "T"])) for number in range(400)}
    found = bent(whole, np.random.default_rng(0))
    peaks = Counter()
    for key, one in found.items():
        assert one.ratings is None
        np.testing.assert_allclose(np.exp(one.log_probs).sum(axis=1), 1.0, atol=1e-5)
        own = whole[key].log_probs
        peaks[bool(np.array_equal(one.log_probs, own))] += 1
        # The order of the phones in a frame stays.
        np.testing.assert_array_equal(one.log_probs[:, 1:].argmax(axis=1), own[:, 1:].argmax(axis=1))
    assert peaks[True] == pytest.approx(400 * UNBENT_SHARE, abs=40)
    assert bent(whole, np.random.default_rng(0))["7"].log_probs.tolist() == found["7"].log_probs.tolist()
    blank = np.array([one.log_probs[:, 0].mean() for one in found.values()])
    assert blank.std() > 0.2


@pytest.mark.parametrize("is_general", [False, True])
def test_a_scorer_hears_the_corpus_with_a_backend_that_did_not_train_on_it(
    utterances: list[ScoredUtterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_general: bool
):
    monkeypatch.setattr(scorer_run, "load_backend", lambda name: Counting())
    config = ScorerRun(speechocean=tmp_path, out=tmp_path / "out", backend="mine", is_general=is_general)
    heard, hear_natives = listen(utterances, config, None)
    natives = hear_natives(utterances[:2])
    assert list(heard) == [one.id for one in utterances]
    assert list(natives) == [one.id for one in utterances[:2]]
    for one in (*heard.values(), *natives.values()):
        assert (one.ratings is None) == is_general
    assert "mine" in heard_by(config)
    assert ("sharpness" in heard_by(config)) == is_general
    assert {path.name for path in (tmp_path / "out" / "heard").iterdir()} == {"corpus", "native"}
