"""Step 1/10 - facts about a recording: level, clipping, speech and noise."""

from __future__ import annotations

import numpy as np

from elocute.audio.frames import frames_of
from elocute.types import SAMPLE_RATE_HZ, AudioQuality, Float32, Float64

SILENT_DB = -70.0  # 35 dB below the quietest utterance of speechocean762, above the hiss of a muted input

_FRAME, _HOP = 400, 160  # 25 ms and 10 ms at 16 kHz
_LIVE_DB = -90.0  # digital silence (gates, padding) says nothing about the noise of the room
_FLOOR_PERCENTILE = 5
_NOISE_BAND_DB = 3.0
_SPEECH_RISE_DB = 6.0
_MIN_FRAMES = 10


def measure_quality(samples: Float32, *, clipped: float, source_rate_hz: int, source_channels: int) -> AudioQuality:
    """Facts about a mono 16 kHz recording; the last three arguments are known only before the conversion.

    Speech are the 25 ms frames at least 6 dB above the noise floor, which is the 5th percentile of the frame levels
    without digital silence. The ratio compares mean power of speech frames, noise subtracted, with that of frames
    within 3 dB of the floor. It assumes some pause between sounds: without any, weak consonants pass for noise.

    Source: own estimator. With white noise or rain added to 82 utterances of two corpora its median error is within
        3 dB from 5 to 30 dB; it is too high below (speech frames that drown are not counted) and too low above.
    """
    power = _frame_power(samples, SAMPLE_RATE_HZ)
    levels = 10 * np.log10(power + 1e-12)
    live = levels > _LIVE_DB
    speech_s, snr_db = 0.0, None
    if live.sum() >= _MIN_FRAMES:
        floor = np.percentile(levels[live], _FLOOR_PERCENTILE)
        speech = levels > floor + _SPEECH_RISE_DB
        speech_s = float(speech.sum() * _HOP / SAMPLE_RATE_HZ)
        noise_power = power[live & (levels <= floor + _NOISE_BAND_DB)].mean()
        if speech.sum() >= _MIN_FRAMES:
            snr_db = float(10 * np.log10(power[speech].mean() / noise_power - 1))
    return AudioQuality(
        duration_s=len(samples) / SAMPLE_RATE_HZ,
        peak=float(np.abs(samples).max()),
        rms_db=float(10 * np.log10(max(float(np.mean(np.square(samples, dtype=np.float64))), 1e-12))),
        speech_s=speech_s,
        snr_db=snr_db,
        clipped=clipped,
        source_rate_hz=source_rate_hz,
        source_channels=source_channels,
    )


def _frame_power(samples: Float32, rate_hz: int) -> Float64:
    """Mean square of each whole 25 ms frame, offset removed; shape (frames,), one frame at least."""
    centred = samples - samples.mean(dtype=np.float64)
    frame, hop = (rate_hz * length // SAMPLE_RATE_HZ for length in (_FRAME, _HOP))
    return np.asarray(np.square(frames_of(np.asarray(centred), frame, hop)).mean(axis=1))


def loudest_db(samples: Float32, rate_hz: int) -> float:
    """Level of the loudest frame of 0.05 s or more, dB of full scale, -120 for digital silence."""
    return float(10 * np.log10(_frame_power(samples, rate_hz).max() + 1e-12))


def clipped_share(samples: Float32) -> float:
    """Share of source samples, shape (N, channels), in flat tops at full scale or beyond it.

    A flat top is three or more equal neighbours: a loud but clean wave has only single samples up there. Lossy codecs
    bend flat tops, but then overshoot full scale, which is counted too.
    """
    top = np.abs(samples) >= 127 / 128  # full scale of 8-bit recordings
    if not top.any():
        return 0.0
    equal = (samples[1:] == samples[:-1]) & top[1:]
    middle = equal[1:] & equal[:-1]
    flat = np.zeros(samples.shape, dtype=bool)
    for shift in range(3):
        flat[shift : len(flat) - 2 + shift] |= middle
    return float((flat | (np.abs(samples) > 1)).mean())
