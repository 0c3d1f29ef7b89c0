"""What the page's own scripts compute, beside the library's: pitch, spectrogram, colours and captions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elocute
from elocute.audio import load_audio
from elocute.picture.colours import colour, ink_on
from elocute.picture.sound import spectrogram
from elocute.prosody.pitch import AutocorrelationTracker

PAGE = Path(elocute.__file__).parent / "server" / "page"
EXAMPLES = Path(__file__).parents[2] / "examples"
NODE = shutil.which("node")
MODULES = ("captions", "colours", "pitch", "sound", "staff")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs an expression over the page's modules; what is sent is there as `given`."""
    folder = tmp_path_factory.mktemp("page")
    for path in PAGE.glob("*.js"):
        shutil.copy(path, folder)
    # Browsers take them as modules anyway; node wants to be told.
    (folder / "package.json").write_text('{"type": "module"}')
    return partial(result_of, folder)


def result_of(folder: Path, code: str, sent: Any = None) -> Any:
    whole = "".join(f'import * as {name} from "{(folder / name).as_uri()}.js";\n' for name in MODULES)
    whole += 'import { readFileSync } from "node:fs";\nconst given = JSON.parse(readFileSync(0, "utf8"));\n'
    done = subprocess.run(
        [str(NODE), "--input-type=module", "--no-warnings", "--eval", whole + f"console.log(JSON.stringify({code}));"],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["car", "zoo"])
def test_pitch_is_that_of_the_library(run: Callable[..., Any], name: str) -> None:
    audio = load_audio(EXAMPLES / f"{name}.flac")
    code = "Array.from(pitch.track(Float32Array.from(given)), (f) => Number.isNaN(f) ? 0 : f)"
    ours = np.array(run(code, audio.samples.tolist()))
    theirs = np.nan_to_num(AutocorrelationTracker().track(audio).f0_hz)
    assert len(ours) == len(theirs)
    assert np.mean((ours > 0) == (theirs > 0)) > 0.99
    both = (ours > 0) & (theirs > 0)
    assert both.mean() > 0.3
    assert np.mean(np.abs(12 * np.log2(ours[both] / theirs[both])) < 0.1) > 0.98


def test_spectrogram_is_that_of_the_pictures(run: Callable[..., Any]) -> None:
    audio = load_audio(EXAMPLES / "car.flac")
    code = "(({ columns, rows, loudness }) => [columns, rows, Array.from(loudness)])"
    columns, rows, loudness = run(f"{code}(sound.spectrogram(Float32Array.from(given)))", audio.samples.tolist())
    expected = spectrogram(audio.samples)
    assert (rows, columns) == expected.shape
    np.testing.assert_allclose(np.reshape(loudness, (columns, rows)).T, expected, atol=2e-3)


def test_silence_and_nothing_have_no_pitch(run: Callable[..., Any]) -> None:
    assert run(
        "[pitch.track(new Float32Array(0)).length, pitch.track(new Float32Array(1600)).every(Number.isNaN)]"
    ) == [
        0,
        True,
    ]
    assert run("staff.pitchAxis(pitch.track(new Float32Array(1600)))") is None


def test_colours_and_their_ink_are_those_of_the_pictures(run: Callable[..., Any]) -> None:
    shares = [None, *np.linspace(0, 1, 41).tolist()]
    made = run("given.map((share) => { const c = colours.colour(share); return [c, colours.inkOn(c)]; })", shares)
    for share, (fill, ink) in zip(shares, made, strict=True):
        expected = colour(share)
        channels = [abs(int(fill[k : k + 2], 16) - int(expected[k : k + 2], 16)) for k in (1, 3, 5)]
        assert max(channels) <= 1  # halves are rounded differently
        assert ink == ink_on(fill)


def test_lines_cover_all_words_and_are_no_wider_than_the_screen(run: Callable[..., Any]) -> None:
    words = [{"start_s": 0.5 + k, "end_s": 1.3 + k} for k in range(10)]
    for width in (320, 390, 1200):
        lines = run(f"staff.cutLines(given, 12, {width})", words)
        assert lines[0]["start"] == pytest.approx(0.1)
        assert lines[-1]["end"] == pytest.approx(10.7)
        assert all(a["end"] == b["start"] for a, b in zip(lines, lines[1:], strict=False))
        assert max(line["end"] - line["start"] for line in lines) * 190 < 2.2 * max(width, 320)
    assert len(run("staff.cutLines([], 3, 1200)")) == 1


def test_breaks_and_a_wrong_end_are_told_in_words(run: Callable[..., Any]) -> None:
    from drawn_report import rich_report

    told = dict(run("captions.facts(given)", rich_report().to_dict()))
    assert told["Pause where none belongs"] == "after “Record” (83 % sure)"
    assert told["A pause belongs here"] == "after “nice” (60 % sure)"
    assert told["At the end"] == "Your voice goes down (-3.2 semitones); sentences like this mostly go up"
    assert told["Melody"].startswith("Sounds flat (80 % sure)")
    note = run("captions.stressNote(given.words[0])", rich_report().to_dict())
    assert note == "stress heard on /ɹɪ/, belongs on /kɔɹd/"
