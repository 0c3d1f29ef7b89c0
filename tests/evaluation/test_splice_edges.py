"""Edges of phones: on sounds that change at known times, and on flite's speech, which tells its phone times."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from elocute.audio import audio_from_array
from elocute.evaluation.flite import speak_phones
from elocute.evaluation.splice_edges import phone_edges
from elocute.phones import phonemize, with_stress
from elocute.types import SAMPLE_RATE_HZ, Audio

FRAME_S = 0.02


def sounds(*pieces: tuple[float, float]) -> Audio:
    """Sine waves one after the other, (Hz, seconds) each; 0 Hz is silence."""
    rng = np.random.default_rng(0)
    parts = [0.3 * np.sin(2 * np.pi * hz * np.arange(round(s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ) for hz, s in pieces]
    samples = np.concatenate(parts)
    return audio_from_array((samples + 1e-4 * rng.normal(size=len(samples))).astype(np.float32), SAMPLE_RATE_HZ)


def test_boundaries_are_where_the_sound_changes_wherever_the_spikes_are() -> None:
    audio = sounds((0, 0.2), (300, 0.13), (900, 0.07), (2500, 0.1), (600, 0.2), (0, 0.2))
    truth = np.array([0.33, 0.40, 0.50])
    for spikes in ([12, 17, 22, 30], [11, 18, 23, 32], [15, 18, 22, 27]):
        edges = phone_edges(audio, np.array([[spike, spike + 1] for spike in spikes]), FRAME_S)
        np.testing.assert_allclose(edges.end_s[:-1], truth, atol=0.011)
        np.testing.assert_array_equal(edges.start_s[1:], edges.end_s[:-1])
        assert edges.start_s[0] == pytest.approx(0.2, abs=0.03)
        assert edges.end_s[-1] == pytest.approx(0.7, abs=0.03)


def test_a_pause_parts_phones() -> None:
    audio = sounds((0, 0.2), (300, 0.1), (0, 0.3), (900, 0.12), (2500, 0.1), (0, 0.2))
    edges = phone_edges(audio, np.array([[12, 13], [32, 33], [38, 39]]), FRAME_S)
    assert edges.end_s[0] == pytest.approx(0.3, abs=0.03)
    assert edges.start_s[1] == pytest.approx(0.6, abs=0.03)
    assert edges.end_s[1] == pytest.approx(0.72, abs=0.011)


def test_one_phone_and_spikes_side_by_side() -> None:
    audio = sounds((0, 0.2), (300, 0.3), (0, 0.2))
    alone = phone_edges(audio, np.array([[15, 16]]), FRAME_S)
    assert alone.start_s[0] < 0.3 < alone.end_s[0]
    close = phone_edges(audio, np.array([[15, 16], [16, 17], [17, 18]]), FRAME_S)
    assert (np.diff(close.start_s) > 0).all()
    assert (close.end_s > close.start_s).all()


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_on_synthetic_speech_boundaries_are_closer_than_half_way_between_spikes() -> None:
    from elocute.acoustic import load_backend
    from elocute.gop import align_phones

    backend = load_backend("embedded", threads=1)
    errors, rough = [], []
    for voice in ("slt", "rms"):
        for text in ("He turned sharply and faced Gregson across the table", "The gray ship moved slowly past them"):
            words = [list(map(with_stress, word.phones)) for word in phonemize(text)]
            said = speak_phones(words, voice)
            assert said is not None
            posteriors = backend.posteriors(said.audio)
            ids = [posteriors.phone_set.id_of(phone) for phone in said.phones]
            spans = align_phones(posteriors.log_probs, ids, posteriors.phone_set).spans
            edges = phone_edges(said.audio, spans, posteriors.frame_shift_s)
            errors.extend(np.abs(edges.end_s - said.end_s)[:-1])
            rough.extend(np.abs((spans[:-1, 1] + spans[1:, 0]) / 2 * posteriors.frame_shift_s - said.end_s[:-1]))
    assert len(errors) > 100
    assert np.median(errors) < 0.014
    assert np.median(errors) < 0.8 * np.median(rough)
    assert np.mean(np.array(errors) < 0.04) > 0.85
