"""Distortions that recordings suffer in use, and sounds that are no speech: pure functions of samples.

Samples are mono float32 of shape (N,) at 16 kHz with full scale 1; levels are dB of full scale (a square wave of
amplitude 1 has 0 dB). Whatever is drawn comes from the generator that is passed in.
"""

from __future__ import annotations

import io

import numpy as np

from elocute.errors import AudioError
from elocute.types import SAMPLE_RATE_HZ, Float32, Float64

FADE_S = 0.005
"""Fade at every place where a recording is cut, long enough to leave no click and shorter than any phone."""

_TELEPHONE_RATE_HZ = 8_000
_PEAK = 0.99
_FRAME = 400
_LIVE_POWER = 1e-9
"""Frames below -90 dB are digital silence."""


def rms_db(samples: Float32) -> float:
    """Level of the whole, dB of full scale; minus infinity for digital silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * float(np.log10(power)) if power > 0 else -float("inf")


def active_level_db(samples: Float32) -> float:
    """Level of the speech without its pauses, dB of full scale.

    The envelope is |samples| through two one-pole filters of 30 ms; speech is active where it lies above a threshold
    15.9 dB below the active level itself, and for 200 ms after.

    Source: ITU-T P.56 (12/2011), method B.
    Deviates: interpolates between thresholds a factor of two apart in one step, as the standard allows, and not by
        bisection; a trailing hangover ends with the recording.

    Raises:
        AudioError: digital silence.
    """
    energy = float(np.sum(np.square(samples, dtype=np.float64)))
    if energy == 0.0:
        raise AudioError("recording is digital silence, so speech in it has no level; expected speech")
    decay = np.exp(-1 / (0.03 * SAMPLE_RATE_HZ))
    n = np.arange(SAMPLE_RATE_HZ // 2)
    envelope = _convolved(np.abs(samples), np.square(1 - decay) * (n + 1) * decay**n)[: len(samples)]
    place = np.arange(len(samples))
    hangover = round(0.2 * SAMPLE_RATE_HZ)
    before: tuple[float, float] | None = None
    for exponent in range(1, 17):
        threshold = 2.0**-exponent
        last = np.maximum.accumulate(np.where(envelope >= threshold, place, -hangover - 1))
        active = int((place - last <= hangover).sum())
        if not active:
            continue
        level = 10 * float(np.log10(energy / active))
        margin = level - 20 * float(np.log10(threshold)) - 15.9
        if margin >= 0:
            if before is None:
                return level
            share = -before[1] / (margin - before[1])
            return before[0] + share * (level - before[0])
        before = level, margin
    return rms_db(samples) if before is None else before[0]


def at_level(samples: Float32, level_db: float) -> Float32:
    """The same sound at another RMS level, dB of full scale; lower if it would clip."""
    return _unclipped(samples * 10 ** ((level_db - rms_db(samples)) / 20))


def floor_noise(like: Float32, length: int, rng: np.random.Generator) -> Float32:
    """White noise, shape (length,), as loud as the quietest tenth of another recording's 25 ms frames.

    It fills the pauses that are put into a recording, where digital silence would be a cue of its own.
    """
    frames = like[: len(like) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    live = power[power > _LIVE_POWER]
    level = float(np.percentile(live, 10)) ** 0.5 if len(live) else 0.0
    return np.asarray(level * rng.standard_normal(length), dtype=np.float32)


def joined(*parts: Float32) -> Float32:
    """Pieces one after the other, each faded in and out over `FADE_S`."""
    return np.concatenate([faded(part) for part in parts])


def faded(samples: Float32) -> Float32:
    """The same with linear fades of `FADE_S` at both ends."""
    length = min(round(FADE_S * SAMPLE_RATE_HZ), len(samples) // 2)
    ramp = np.linspace(0, 1, length, endpoint=False, dtype=np.float32)
    out = samples.copy()
    out[:length] *= ramp
    out[len(out) - length :] *= ramp[::-1]
    return out


def with_noise(samples: Float32, noise: Float32, snr_db: float) -> Float32:
    """Speech in noise.

    Args:
        samples: the speech.
        noise: as many samples as the speech (`looped` makes them).
        snr_db: active level of the speech (ITU-T P.56) over the noise's RMS level.

    Returns: the mix; speech and noise are turned down together where they would clip.
    """
    gain = 10 ** ((active_level_db(samples) - snr_db - rms_db(noise)) / 20)
    return _unclipped(samples + gain * noise)


def looped(clip: Float32, length: int, start: float) -> Float32:
    """A clip without digital silence at its ends, repeated to a length.

    Args:
        clip: the sound.
        length: samples wanted.
        start: where in the clip to begin, a share of it in [0, 1).

    Raises:
        AudioError: the clip holds nothing but digital silence.
    """
    live = np.flatnonzero(np.square(clip) > _LIVE_POWER)
    if not len(live):
        raise AudioError("noise clip is silent throughout; expected a sound, so remove it from the folder")
    inner = clip[live[0] : live[-1] + 1]
    return np.resize(np.roll(inner, -int(start * len(inner))), length)


def coloured_noise(length: int, rng: np.random.Generator, *, slope_db_per_octave: float = 0.0) -> Float32:
    """Gaussian noise at -20 dB whose power density falls by so much an octave above 20 Hz: 0 is white, 3 pink."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency_hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), 20.0)
    shaped = np.fft.irfft(spectrum * 10 ** (-slope_db_per_octave * np.log2(frequency_hz / 20.0) / 20), length)
    return at_level(np.asarray(shaped, dtype=np.float32), -20.0)


def mains_hum(length: int, rng: np.random.Generator) -> Float32:
    """Hum of the mains at -20 dB: 50 Hz and 11 harmonics that fall by 3 dB each, at random phases."""
    time_s = np.arange(length) / SAMPLE_RATE_HZ
    order = np.arange(1, 13)
    phase = rng.uniform(0, 2 * np.pi, len(order))
    waves = np.sin(2 * np.pi * 50 * order * time_s[:, None] + phase) * 10 ** (-3 * (order - 1) / 20)
    return at_level(np.asarray(waves.sum(axis=1), dtype=np.float32), -20.0)


def tone_chords(length: int, rng: np.random.Generator) -> Float32:
    """Music of a kind at -20 dB: major triads of plucked tones with six harmonics, a new one every 0.4 s."""
    time_s = np.arange(round(0.4 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    order = np.arange(1, 7)
    chords = []
    for _ in range(-(-length // len(time_s))):
        root_hz = 220.0 * 2 ** (rng.integers(0, 13) / 12)
        tones = root_hz * 2 ** (np.array([0, 4, 7]) / 12)
        waves = np.sin(2 * np.pi * tones[:, None, None] * order[:, None] * time_s) / order[:, None]
        chords.append(waves.sum(axis=(0, 1)) * np.exp(-4 * time_s) * np.minimum(time_s / 0.005, 1))
    return at_level(np.concatenate(chords)[:length].astype(np.float32), -20.0)


def room_response(rng: np.random.Generator, *, rt60_s: float = 0.6, direct_db: float = 0.0) -> Float64:
    """Impulse response of a room: the direct sound, and 2.5 ms later Gaussian noise that decays exponentially.

    Args:
        rng: of the noise.
        rt60_s: seconds in which the energy falls by 60 dB; the response is as long.
        direct_db: energy of the direct sound over that of the rest; 0 is a listener at the critical distance.

    Source: the statistical model of late reverberation, J.-D. Polack, "La transmission de l'energie sonore dans les
        salles", these, 1988.
    Deviates: no early reflections, and high frequencies decay as slowly as low ones.
    """
    time_s = np.arange(round(rt60_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    response = rng.standard_normal(len(time_s)) * np.exp(-np.log(1e3) * time_s / rt60_s)
    response[time_s < 0.0025] = 0.0
    response *= 10 ** (-direct_db / 20) / np.sqrt(np.square(response).sum())
    response[0] = 1.0
    return np.asarray(response, dtype=np.float64)


def reverberated(samples: Float32, response: Float64) -> Float32:
    """Speech in a room, with the same energy; longer by the response, less one sample."""
    wet = _convolved(samples, response)
    gain = np.sqrt(np.square(samples, dtype=np.float64).sum() / np.square(wet).sum())
    return _unclipped(np.asarray(gain * wet, dtype=np.float32))


def telephoned(samples: Float32) -> Float32:
    """Speech through a telephone: 8 kHz, 300 to 3400 Hz, mu-law; as long as before.

    Source: ITU-T G.711 for the code (libsndfile's coder), G.712 for the band.
    Deviates: the band is a linear-phase filter of 257 taps (windowed sinc, Hamming), flatter than the standard's mask.
    """
    import soundfile
    import soxr

    narrow = soxr.resample(samples, SAMPLE_RATE_HZ, _TELEPHONE_RATE_HZ, quality="HQ")
    n = np.arange(-128, 129)
    edges = 2 * 3400 / _TELEPHONE_RATE_HZ, 2 * 300 / _TELEPHONE_RATE_HZ
    taps = (edges[0] * np.sinc(edges[0] * n) - edges[1] * np.sinc(edges[1] * n)) * np.hamming(len(n))
    band = _convolved(narrow, taps)[128 : 128 + len(narrow)]
    coded = io.BytesIO()
    soundfile.write(coded, np.clip(band, -1, 1), _TELEPHONE_RATE_HZ, format="WAV", subtype="ULAW")
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    return _fitted(soxr.resample(decoded, _TELEPHONE_RATE_HZ, SAMPLE_RATE_HZ, quality="HQ"), len(samples))


def clipped(samples: Float32, share: float = 0.1) -> Float32:
    """Speech recorded far too loud: turned up until this share of the samples lies beyond full scale, and cut there."""
    loud = float(np.quantile(np.abs(samples), 1 - share))
    if loud == 0.0:
        raise AudioError(
            f"recording is digital silence in more than {1 - share:.0%}, so it cannot clip; expected speech"
        )
    return np.asarray(np.clip(samples / loud, -1, 1), dtype=np.float32)


def opus_coded(samples: Float32, bit_rate: int = 12_000) -> Float32:
    """Speech through the Opus codec (libopus, its mode for speech) and back; as long as before.

    Args:
        samples: the speech.
        bit_rate: bits a second, on average.
    """
    import av
    import soxr

    coded = io.BytesIO()
    with av.open(coded, "w", format="ogg") as container:
        stream = container.add_stream(
            "libopus", rate=SAMPLE_RATE_HZ, layout="mono", options={"application": "voip"}, bit_rate=bit_rate
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    coded.seek(0)
    with av.open(coded, "r") as source:
        rate_hz = source.streams.audio[0].rate
        decoded = np.concatenate([frame.to_ndarray().ravel() for frame in source.decode(audio=0)])
    return _fitted(soxr.resample(decoded, rate_hz, SAMPLE_RATE_HZ, quality="HQ"), len(samples))


def at_speed(samples: Float32, factor: float) -> Float32:
    """Speech played faster (factor above 1) or slower by resampling, so that its pitch moves along."""
    import soxr

    return np.asarray(soxr.resample(samples, SAMPLE_RATE_HZ * factor, SAMPLE_RATE_HZ, quality="HQ"), dtype=np.float32)


def _convolved(samples: Float32 | Float64, response: Float64) -> Float64:
    """Full linear convolution by FFT, shape (N + M - 1,)."""
    length = len(samples) + len(response) - 1
    size = 1 << (length - 1).bit_length()
    return np.asarray(np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[:length])


def _unclipped(samples: Float32) -> Float32:
    """Turned down where the peak would pass full scale."""
    peak = float(np.abs(samples).max())
    return np.asarray(samples * (_PEAK / peak) if peak > _PEAK else samples, dtype=np.float32)


def _fitted(samples: Float32, length: int) -> Float32:
    """Cut or filled with zeros to a length."""
    return np.pad(samples, (0, max(length - len(samples), 0)))[:length].astype(np.float32, copy=False)
