"""Speed of the pitch tracker in seconds of recordings a second, and against Praat's on the same recordings.

    python benchmarks/pitch_speed.py                     # the recordings of examples/
    python benchmarks/pitch_speed.py DIR --limit 100     # others, any depth
    python benchmarks/pitch_speed.py --synthetic 60      # one buzz of so many seconds, no file needed

Each recording is tracked --repeat times and the least time counts; reading files does not. Set OMP_NUM_THREADS=1 for
one core; neither tracker uses more. Without parselmouth (extra praat) only our own speed is told.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from elocute.acoustic.protocol import bare_audio
from elocute.audio import load_audio
from elocute.evaluation.pitch import find_recordings
from elocute.prosody.pitch import PitchTracker
from elocute.prosody.trackers import buzz, load_pitch_tracker
from elocute.types import Audio

EXAMPLES = Path(__file__).parent.parent / "examples"


def recordings(arguments: argparse.Namespace) -> Iterator[Audio]:
    """What is tracked."""
    if arguments.synthetic is not None:
        noise = np.random.default_rng(0).normal(0, 0.005, round(arguments.synthetic * 16_000))
        yield bare_audio((buzz(130.0, arguments.synthetic) + noise).astype(np.float32))
        return
    for recording in find_recordings(arguments.folder, arguments.limit, seed=0):
        yield load_audio(recording.path)


def least_seconds(tracker: PitchTracker, audio: Audio, repeat: int) -> float:
    """The least of several runs."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        tracker.track(audio)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Track everything with both, and print a line each and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=EXAMPLES, help="recordings, any depth")
    parser.add_argument("--limit", type=int, help="so many of them, drawn at random")
    parser.add_argument("--synthetic", type=float, metavar="SECONDS", help="a buzz of this length instead")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the least time counts")
    arguments = parser.parse_args()
    names = ["autocorrelation", *(["praat"] if find_spec("parselmouth") else [])]
    trackers = [load_pitch_tracker(name) for name in names]
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}; {' and '.join(names)}")
    durations, times = [], []
    for audio in recordings(arguments):
        durations.append(audio.duration_s)
        times.append([least_seconds(tracker, audio, arguments.repeat) for tracker in trackers])
    totals = np.array(times).sum(axis=0)
    print(f"{len(durations)} recordings, {sum(durations):.0f} s, median {statistics.median(durations):.1f} s")
    for name, total in zip(names, totals, strict=True):
        print(f"{name}: {sum(durations) / total:.0f} x real time, {1000 * total / len(durations):.1f} ms a recording")
    if len(names) > 1:
        print(f"speed as a multiple of praat's: {totals[1] / totals[0]:.2f}")


if __name__ == "__main__":
    main()
