"""Pitch trackers by name, and the checks that each must pass.

Packages offer theirs in the entry-point group `elocute.pitch_trackers` (name = factory without arguments).
"""

from __future__ import annotations

from importlib.metadata import entry_points

import numpy as np

from elocute.acoustic.protocol import bare_audio, named_entry_point
from elocute.errors import ConfigError
from elocute.prosody.pitch import Pitch, PitchTracker, frame_count
from elocute.types import SAMPLE_RATE_HZ, Float64

ENTRY_POINT_GROUP = "elocute.pitch_trackers"


def pitch_tracker_names() -> list[str]:
    """Names of all installed pitch trackers."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def load_pitch_tracker(name: str) -> PitchTracker:
    """Load an installed pitch tracker by name.

    Raises:
        ConfigError: no such tracker.
        MissingExtraError: it needs a package that is not installed.
    """
    tracker: PitchTracker = named_entry_point(ENTRY_POINT_GROUP, name, "pitch tracker").load()()
    return tracker


def check_pitch_tracker(tracker: PitchTracker) -> list[str]:
    """Run the contract on a tracker: tones of known pitch, silence, noise, a very short and a long recording.

    Returns: the names of the checks that passed, in order.

    Raises:
        ConfigError: the first check that failed, with what was found.
    """
    if not isinstance(tracker, PitchTracker):
        raise ConfigError(f"{type(tracker).__name__} lacks a member of PitchTracker: name, track")
    passed = ["members"]
    rng = np.random.default_rng(0)
    shapes = {
        "0.06 seconds": rng.normal(0, 0.1, SAMPLE_RATE_HZ * 6 // 100 + 1),
        "30 seconds": rng.normal(0, 0.1, 30 * SAMPLE_RATE_HZ),
        "noise": rng.normal(0, 0.1, 2 * SAMPLE_RATE_HZ),
        "silence": np.zeros(SAMPLE_RATE_HZ),
    }
    for case, samples in shapes.items():
        pitch = _tracked(tracker, samples, case)
        share = float(pitch.is_voiced.mean())
        if case in ("noise", "silence") and share > 0.05:
            raise ConfigError(f"pitch tracker {tracker.name}, {case}: {share:.0%} of frames are voiced; expected none")
        passed.append(case)
    for f0_hz in (90.0, 130.0, 220.0, 350.0):
        case = f"{f0_hz:.0f} Hz"
        _check_tone(_tracked(tracker, buzz(f0_hz, 1.0), case), f0_hz, f"pitch tracker {tracker.name}, {case}")
        passed.append(case)
    audio = bare_audio((buzz(130.0, 2.0) + shapes["noise"] / 5).astype(np.float32))
    first, second = tracker.track(audio), tracker.track(audio)
    if not np.array_equal(first.f0_hz, second.f0_hz, equal_nan=True):
        raise ConfigError(f"pitch tracker {tracker.name} is not deterministic: two calls on the same audio differ")
    return [*passed, "deterministic"]


def buzz(f0_hz: float, duration_s: float) -> Float64:
    """A periodic sound with 12 harmonics that fall by 6 dB an octave, at 16 kHz, shape (N,)."""
    time = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    harmonics = np.arange(1, 13)[:, None]
    return np.asarray(0.1 * (np.sin(2 * np.pi * f0_hz * harmonics * time) / harmonics).sum(axis=0))


def _tracked(tracker: PitchTracker, samples: Float64, case: str) -> Pitch:
    """What a tracker finds; ConfigError unless it is well formed."""
    pitch = tracker.track(bare_audio(samples.astype(np.float32)))
    place = f"pitch tracker {tracker.name}, {case}"
    shapes = {getattr(pitch, name).shape for name in ("f0_hz", "strength", "intensity_db")}
    expected = (frame_count(len(samples)),)
    if shapes != {expected}:
        raise ConfigError(f"{place}: arrays have shapes {sorted(shapes)}; expected {expected} for all three")
    if abs(pitch.frame_shift_s - 0.01) > 1e-9 or abs(pitch.start_s - 0.005) > 1e-6:
        raise ConfigError(
            f"{place}: frames of {pitch.frame_shift_s} s from {pitch.start_s} s; expected 0.01 s from 0.005 s"
        )
    f0 = pitch.f0_hz[pitch.is_voiced]
    if not np.all(f0 > 0) or np.isinf(pitch.f0_hz).any():
        raise ConfigError(f"{place}: f0_hz has a value that is neither above 0 and finite nor NaN")
    if not np.all((pitch.strength >= 0) & (pitch.strength <= 1)) or not np.isfinite(pitch.intensity_db).all():
        raise ConfigError(f"{place}: expected strength from 0 to 1 and finite intensity_db")
    return pitch


def _check_tone(pitch: Pitch, f0_hz: float, place: str) -> None:
    """ConfigError unless the inner frames of a tone are voiced at its pitch."""
    inner = pitch.f0_hz[5:-5]
    share = float(np.isfinite(inner).mean())
    if share < 0.99:
        raise ConfigError(f"{place}: {share:.0%} of the inner frames are voiced; expected all")
    cents = float(np.nanmax(np.abs(1200 * np.log2(inner / f0_hz))))
    if cents > 20:
        raise ConfigError(f"{place}: a frame is {cents:.0f} cents off; expected at most 20")
