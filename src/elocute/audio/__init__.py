"""Step 1/10 - any recording to mono 16 kHz float32 samples and facts about their quality.

`decode` turns files into samples, `checks` refuses what is no recording, `quality` measures; this module holds the
way through. Decoders and the resampler are imported when a recording needs them. Audio is neither logged nor stored.
"""

from __future__ import annotations

import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from elocute.audio import checks
from elocute.audio.decode import decode_file, opened
from elocute.audio.quality import SILENT_DB, clipped_share, loudest_db, measure_quality
from elocute.config import AudioConfig
from elocute.errors import AudioError
from elocute.types import SAMPLE_RATE_HZ, Audio, Float32

__all__ = ["AudioSource", "audio_from_array", "load_audio", "measure_quality", "stretch_of"]

AudioSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | NDArray[Any]
"""What `load_audio` takes: a path, the bytes of a file, an open binary file, or an array with its rate."""

_DEFAULTS = AudioConfig()


def load_audio(
    source: AudioSource, *, sample_rate: int | None = None, max_duration_s: float = _DEFAULTS.max_duration_s
) -> Audio:
    """Read a recording, whatever it is, as mono 16 kHz.

    Channels are averaged, integers scaled to -1..1, loudness is left alone.

    Args:
        source: path, bytes of a file, open binary file (read from its position to its end; need not be seekable),
            or array of samples with shape (N,) or (N, channels), any float or integer dtype; unsigned integers are
            offset binary as in 8-bit wav.
        sample_rate: Hz of an array; must be left out for anything else, files carry their own.
        max_duration_s: a longer recording is refused, from its header where that tells.

    Raises:
        AudioError: missing, a directory, empty, not audio, truncated, damaged, silent, not finite, shorter than
            0.05 s, longer than `max_duration_s`, or an array that is no recording.
        ConfigError: `max_duration_s` is not above zero.
    """
    checks.check_limit(max_duration_s)
    if hasattr(source, "__array__"):
        return audio_from_array(np.asarray(source), sample_rate, max_duration_s=max_duration_s)
    if isinstance(source, list | tuple):
        raise AudioError(
            f"recording is a {type(source).__name__}; expected a path, bytes, a binary file or a numpy array, so wrap "
            "samples in np.asarray"
        )
    if sample_rate is not None:
        raise AudioError(
            f"sample_rate={sample_rate} was given with an encoded recording, which carries its own rate; leave it "
            "out, or pass decoded samples as a numpy array"
        )
    with opened(source) as (name, file):
        samples, rate = decode_file(name, file, max_duration_s)
    checks.check_values(name, samples)
    return _finish(name, samples, rate)


def audio_from_array(
    samples: NDArray[Any],
    sample_rate: int | None,
    *,
    max_duration_s: float = _DEFAULTS.max_duration_s,
    name: str = "recording (array)",
) -> Audio:
    """Turn samples in memory, such as the chunks of a stream joined, into `Audio`.

    Args:
        samples: shape (N,) or (N, channels); floats with full scale 1, or integers of any width.
        sample_rate: Hz.
        max_duration_s: a longer recording is refused.
        name: what complaints call it.

    Raises:
        AudioError, ConfigError: as `load_audio`.
    """
    checks.check_limit(max_duration_s)
    checks.check_array(name, samples)
    rate = checks.check_rate(name, sample_rate)
    checks.check_length(name, len(samples) / rate, max_duration_s)
    samples = samples.reshape(len(samples), -1)
    hint = ""
    if samples.dtype.kind == "f":
        checks.check_values(name, samples)
    elif samples.dtype.itemsize > 2:
        bits = 8 * samples.dtype.itemsize
        hint = f"; {samples.dtype} is scaled by 2**{bits - 1}, so convert 16-bit values with .astype(np.int16)"
    return _finish(name, checks.scaled(samples), rate, silent_hint=hint)


def stretch_of(samples: NDArray[Any], sample_rate: int) -> Audio:
    """A stretch of a recording that is still being made, which may be silent.

    Args:
        samples: shape (N,) or (N, channels); floats with full scale 1, or integers of any width.
        sample_rate: Hz.

    Raises:
        AudioError: it is no recording, or shorter than 0.05 s.
    """
    name = "stretch of a recording"
    checks.check_array(name, samples)
    rate = checks.check_rate(name, sample_rate)
    checks.check_length(name, len(samples) / rate, float("inf"))
    mono = checks.scaled(samples.reshape(len(samples), -1)).mean(axis=1)
    mono = mono if rate == SAMPLE_RATE_HZ else _resampled(mono, rate)
    return Audio(samples=mono, quality=measure_quality(mono, clipped=0.0, source_rate_hz=rate, source_channels=1))


def _finish(name: str, samples: Float32, rate: int, *, silent_hint: str = "") -> Audio:
    """Mix, resample and measure finite samples of shape (N, channels); refuse silence."""
    mix = samples @ np.full(samples.shape[1], 1 / samples.shape[1], np.float32)  # mean(axis=1), 20 times as fast
    mono = mix if rate == SAMPLE_RATE_HZ else _resampled(mix, rate)
    # Before, because an offset that starts abruptly rings in the resampler; after, because sound above 8 kHz is gone.
    level_db = min(loudest_db(mix, rate), loudest_db(mono, SAMPLE_RATE_HZ))
    if level_db < SILENT_DB:
        channel_db = max(loudest_db(channel, rate) for channel in samples.T)
        if channel_db - loudest_db(mix, rate) > 40:
            raise AudioError(
                f"{name} has {samples.shape[1]} channels that cancel each other when mixed (loudest 25 ms alone "
                f"{channel_db:.0f} dB, mixed {level_db:.0f} dB); send a single channel"
            )
        raise AudioError(
            f"{name} is silent: its loudest 25 ms below 8 kHz have {level_db:.0f} dB of full scale, expected at least "
            f"{SILENT_DB:.0f}; check the microphone and record again{silent_hint}"
        )
    quality = measure_quality(
        mono, clipped=clipped_share(samples), source_rate_hz=rate, source_channels=samples.shape[1]
    )
    return Audio(samples=mono, quality=quality)


def _resampled(samples: Float32, rate_hz: int) -> Float32:
    """Samples at 16 kHz; N becomes round(N * 16000 / rate), give or take one."""
    import soxr

    return np.asarray(soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ, quality="HQ"), dtype=np.float32)
