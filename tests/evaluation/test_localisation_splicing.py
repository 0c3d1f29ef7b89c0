"""Recordings with one known error: what goes, what comes, and where the acoustic model is listened to."""

from __future__ import annotations

import numpy as np
import pytest

from elocute.acoustic.fake import PlantedBackend
from elocute.audio import audio_from_array
from elocute.evaluation.localisation_planting import Place, Planted
from elocute.evaluation.localisation_splicing import (
    DONOR_TRANSITION_S,
    LONGEST,
    LONGEST_INSERTION_S,
    Donor,
    Heard,
    heard_at,
    likeness,
    splice_error,
)
from elocute.phones import PHONES
from elocute.types import SAMPLE_RATE_HZ, Audio, PhoneSet, Posteriors

WORDS = (("K", "AE1"), ("T", "S"))


def levels(*seconds_and_level: tuple[float, float]) -> Audio:
    """Constant levels one after the other."""
    parts = [np.full(round(seconds * SAMPLE_RATE_HZ), level) for seconds, level in seconds_and_level]
    return audio_from_array(np.concatenate(parts).astype(np.float32), SAMPLE_RATE_HZ)


def silent_posteriors() -> Posteriors:
    phone_set = PhoneSet.one_label_each(PHONES)
    return Posteriors(log_probs=np.log(np.full((1, 40), 1 / 40, np.float32)), frame_shift_s=0.02, phone_set=phone_set)


def heard(pause_s: float = 0.0) -> Heard:
    """Four phones of 0.1, 0.12, 0.03 and 0.1 s at levels of their own, after 0.2 s; a pause before the third."""
    ends = np.array([0.3, 0.42, 0.45 + pause_s, 0.55 + pause_s])
    audio = levels((0.2, 0.02), (0.1, 0.1), (0.12, 0.2), (pause_s, 0.0), (0.03, 0.3), (0.1, 0.4), (0.2, 0.02))
    return Heard(
        audio=audio,
        given=WORDS,
        start_s=np.array([0.2, 0.3, 0.42 + pause_s, 0.45 + pause_s]),
        end_s=ends,
        posteriors=silent_posteriors(),
    )


def donor(seconds: float = 0.08) -> Donor:
    """A phone of level 0.5 among sound of 0.05."""
    audio = levels((0.5, 0.05), (seconds, 0.5), (0.5, 0.05))
    return Donor(audio=audio, start_s=0.5, end_s=0.5 + seconds, was_heard=True)


def planted(kind: str, said: str | None, place: Place) -> Planted:
    return Planted(kind=kind, place=place, canonical=None if kind == "insertion" else "AE", said=said)  # type: ignore[arg-type]


def test_a_deletion_takes_the_transitions_along() -> None:
    done = splice_error(heard(), planted("deletion", None, Place(word=0, phone=1)), None)
    # 20 ms of the phone before, and a third of the 30 ms of the one behind.
    assert done.audio.duration_s == pytest.approx(0.75 - 0.12 - 0.02 - 0.01, abs=1e-4)
    assert done.start_s == done.end_s == pytest.approx(0.28, abs=1e-4)
    around = done.audio.samples[round(0.27 * SAMPLE_RATE_HZ)], done.audio.samples[round(0.29 * SAMPLE_RATE_HZ)]
    assert around == pytest.approx((0.1, 0.3), abs=1e-3)
    assert not np.isclose(done.audio.samples, 0.2, atol=1e-3).sum() > 40  # nothing of it is left but what a fade passes


def test_across_a_pause_nothing_is_taken_along() -> None:
    done = splice_error(heard(pause_s=0.2), planted("deletion", None, Place(word=0, phone=1)), None)
    assert done.audio.duration_s == pytest.approx(0.95 - 0.12 - 0.02, abs=1e-4)


def test_a_substitution_puts_the_donor_in_its_place() -> None:
    one = donor()
    done = splice_error(heard(), planted("substitution", "IY", Place(word=0, phone=1)), one)
    gone, come = 0.12 + 0.01 + 0.01, 0.08 + 2 * DONOR_TRANSITION_S
    assert done.audio.duration_s == pytest.approx(0.75 - gone + come, abs=1e-4)
    assert (done.start_s, done.end_s) == pytest.approx((0.29, 0.29 + come), abs=1e-4)
    middle = done.audio.samples[round((done.start_s + done.end_s) / 2 * SAMPLE_RATE_HZ)]
    # As far above its new surroundings as above its old ones, and no higher than full scale.
    assert middle == pytest.approx(1.0, abs=0.01)


def test_a_donor_does_not_outgrow_its_place() -> None:
    done = splice_error(heard(), planted("substitution", "IY", Place(word=1, phone=0)), donor(0.4))
    # 30 ms, with 10 ms of each neighbour.
    assert done.end_s - done.start_s == pytest.approx(LONGEST * 0.05, abs=1e-3)
    done = splice_error(heard(), planted("insertion", "IY", Place(word=1, phone=0)), donor(0.4))
    assert done.end_s - done.start_s == pytest.approx(LONGEST_INSERTION_S, abs=1e-3)


def test_an_insertion_takes_nothing_away() -> None:
    done = splice_error(heard(), planted("insertion", "IY", Place(word=0, phone=1)), donor())
    assert done.audio.duration_s == pytest.approx(0.75 + 0.08 + 2 * DONOR_TRANSITION_S, abs=1e-4)
    assert done.start_s == pytest.approx(0.42, abs=1e-4)
    before = round(0.41 * SAMPLE_RATE_HZ)
    np.testing.assert_allclose(done.audio.samples[:before], heard().audio.samples[:before], atol=1e-6)
    behind = round(0.12 * SAMPLE_RATE_HZ)
    np.testing.assert_allclose(done.audio.samples[-behind:], heard().audio.samples[-behind:], atol=1e-6)


def test_the_model_is_listened_to_at_the_place_alone() -> None:
    backend = PlantedBackend(PHONES, ["K", "AE", "T"])
    posteriors = backend.posteriors(heard().audio)
    shift = posteriors.frame_shift_s
    best = [None if label == 0 else PHONES[label - 1] for label in posteriors.log_probs.argmax(axis=1).tolist()]
    own = [t for t, name in enumerate(best) if name == "AE"]
    middle_s = (own[0] + own[-1] + 1) / 2 * shift
    assert heard_at(posteriors, middle_s - 0.01, middle_s + 0.01) == ("AE",)
    assert heard_at(posteriors, 0.0, len(best) * shift) == ("K", "AE", "T")
    assert heard_at(posteriors, 100.0, 100.1) == ()


def test_donors_with_like_neighbours_are_preferred() -> None:
    sentence = (("K", "AE", "T"), ("S", "IY"))
    error = planted("substitution", "EH", Place(word=0, phone=1))
    same, near, far = (("K", "EH", "T"),), (("B", "EH", "D"),), (("IY", "EH", "OW"),)
    place = Place(word=0, phone=1)
    assert [likeness(words, place, sentence, error) for words in (same, near, far)] == [4, 2, 0]
    behind = planted("insertion", "AH", Place(word=0, phone=2))
    assert likeness((("T", "AH", "S"),), place, sentence, behind) == 4
    assert likeness((("AH", "S"),), Place(word=0, phone=0), sentence, behind) == 2  # nothing before it
