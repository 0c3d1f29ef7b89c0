"""flite speaks exactly the phones that it is given, or nothing."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from elocute.errors import ConfigError, PhoneError
from elocute.evaluation import flite

has_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def test_words_become_phoneme_tags() -> None:
    words = [["DH", "AH0"], ["S", "AH1", "N"], ["AY2"]]
    assert flite.ssml(words) == (
        '<speak><phoneme ph="dh ax">word</phoneme> <phoneme ph="s ah1 n">word</phoneme> '
        '<phoneme ph="ay1">word</phoneme>.</speak>'
    )


@has_flite
def test_phones_come_with_their_times() -> None:
    said = flite.speak_phones([["DH", "AH0"], ["S", "AH1", "N"]], "slt")
    assert said is not None
    assert said.phones == ("DH", "AH", "S", "AH", "N")
    assert (said.end_s > said.start_s).all()
    np.testing.assert_array_equal(said.start_s[1:], said.end_s[:-1])
    assert 0.3 < said.end_s[-1] < said.audio.duration_s
    s = said.audio.samples[round(16000 * said.start_s[2]) : round(16000 * said.end_s[2])]
    vowel = said.audio.samples[round(16000 * said.start_s[3]) : round(16000 * said.end_s[3])]
    # An S changes its sign far more often than a vowel.
    assert (np.diff(np.sign(s)) != 0).mean() > 3 * (np.diff(np.sign(vowel)) != 0).mean()


def test_phones_that_are_none_are_refused() -> None:
    """flite itself would report Q as spoken, and say nothing."""
    with pytest.raises(PhoneError, match="'Q' is not an ARPABET phone"):
        flite.speak_phones([["S", "Q", "N"]], "slt")


@has_flite
def test_other_phones_than_those_asked_for_give_no_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = flite.ssml
    monkeypatch.setattr(flite, "ssml", lambda words: whole(words[:1]))
    assert flite.speak_phones([["S", "AH1", "N"], ["T", "UW1"]], "slt") is None


@has_flite
def test_voices_are_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(flite.installed_voices()) <= set(flite.VOICES)
    monkeypatch.setattr(flite, "run_flite", lambda command: "Voices available: kal rms slt \n")
    assert flite.installed_voices() == ("slt", "rms")


def test_no_flite_no_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flite.shutil, "which", lambda name: None)
    assert flite.installed_voices() == ()


def test_a_flite_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "flite")

    monkeypatch.setattr(flite.subprocess, "run", fails)
    with pytest.raises(ConfigError, match=r"flite -voice slt does not run .* install flite 2\.2"):
        flite.speak_phones([["S"]], "slt")
