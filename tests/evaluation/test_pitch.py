"""Trackers against each other: counted by hand, and an octave that a spoiled tracker plants is all that is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import elocute.prosody.trackers
from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.evaluation.pitch import count, find_recordings
from elocute.prosody.pitch import AutocorrelationTracker, Pitch
from elocute.prosody.trackers import buzz
from elocute.types import Audio

runner = CliRunner()
NAN = float("nan")


def pitch_of(*f0_hz: float) -> Pitch:
    return Pitch(
        f0_hz=np.array(f0_hz),
        strength=np.ones(len(f0_hz)),
        intensity_db=np.zeros(len(f0_hz)),
        frame_shift_s=0.01,
        start_s=0.005,
    )


def test_frames_are_counted_by_their_kind() -> None:
    own = pitch_of(100, 121, 79, 119, 100, NAN, NAN, NAN)
    truth = pitch_of(100, 100, 100, 100, NAN, 100, NAN, NAN)
    found = count(own, truth, duration_s=0.08, tracker_s=1, reference_s=2)
    assert (found.frames, found.both, found.agreeing, found.missed, found.added) == (8, 4, 6, 1, 1)
    assert (found.too_high, found.too_low) == (1, 1)
    assert found.cents == pytest.approx(1200 * np.log2(1.19))


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Two speakers with two recordings each, one broken file, and one that is no recording."""
    rng = np.random.default_rng(0)
    for speaker, f0_hz in (("low", 110.0), ("high", 220.0)):
        (tmp_path / "voices" / speaker).mkdir(parents=True)
        for take in range(2):
            samples = np.concatenate([buzz(f0_hz + 3 * take, 0.5), np.zeros(3200)]) + 0.001 * rng.normal(size=11200)
            soundfile.write(tmp_path / "voices" / speaker / f"{take}.wav", samples, 16_000)
    (tmp_path / "voices" / "low" / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "voices" / "notes.txt").write_text("no recording")
    return tmp_path / "voices"


class OctaveUp:
    """Ours, but an octave too high from 150 Hz."""

    name = "octave up"

    def track(self, audio: Audio) -> Pitch:
        pitch = AutocorrelationTracker().track(audio)
        return replace(pitch, f0_hz=pitch.f0_hz * np.where(pitch.f0_hz > 150, 2.0, 1.0))


def evaluate(*arguments: object, code: int = 0):
    done = runner.invoke(app, ["evaluate", "pitch", *map(str, arguments), "--draws", "50"])
    assert done.exit_code == code, done.output
    return done


def test_a_planted_octave_is_all_that_is_found(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trackers = {"planted": OctaveUp(), "autocorrelation": AutocorrelationTracker()}
    monkeypatch.setattr(elocute.prosody.trackers, "load_pitch_tracker", trackers.__getitem__)
    done = evaluate(voices, "--tracker", "planted", "--against", "autocorrelation", "--json", "-")
    found = json.loads(done.stdout)
    assert found["format"] == "elocute pitch 1"
    (row,) = found["folders"]
    assert (row["recordings"], row["speakers"]) == (4, 2)
    assert row["gross"]["value"] == row["too_high"]["value"] == pytest.approx(0.5, abs=0.02)
    assert row["too_low"]["value"] == 0
    # A draw of only one of the two speakers has all frames an octave up, or none but at an abrupt end.
    assert row["gross"]["low"] == pytest.approx(0, abs=0.03)
    assert row["gross"]["high"] == 1
    assert row["fine_cents"]["value"] == 0
    assert row["voicing"]["value"] == 1
    assert [Path(path).name for path in found["refused"]] == ["broken.wav"]


def test_ours_against_praat_as_tables(voices: Path) -> None:
    pytest.importorskip("parselmouth", reason="needs the extra praat")
    done = evaluate(voices, voices / "high", "--limit", 4)
    assert "Pitch: autocorrelation against praat" in done.stdout
    rows = [line.split() for line in done.stdout.split("Voicing")[0].splitlines() if line]
    sizes = {row[0]: row[1:3] for row in rows if row[0] in ("voices", "high", "all")}
    assert sizes["high"] == ["2", "2"]
    assert sum(int(sizes[name][0]) for name in ("voices", "high")) == int(sizes["all"][0])


def test_a_draw_is_the_same_for_the_same_seed(voices: Path) -> None:
    first, again, other = (find_recordings(voices, 2, seed) for seed in (0, 0, 5))
    assert first == again
    assert len(first) == len(other) == 2
    assert len({tuple(r.path for r in find_recordings(voices, 2, seed)) for seed in range(9)}) > 1


def test_folders_that_hold_nothing_are_refused(tmp_path: Path, voices: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        find_recordings(tmp_path / "none", None, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="has no recordings"):
        find_recordings(tmp_path / "empty", None, 0)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.wav").write_bytes(b"RIFF")
    assert "no recording of broken can be read" in evaluate(broken, "--against", "autocorrelation", code=1).stderr
