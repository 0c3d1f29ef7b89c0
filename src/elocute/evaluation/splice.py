"""Splice sound: replace, remove or insert a piece of a recording, with short cross-fades and a fitting level.

A joint lies exactly where it is asked for: the cross-fade is centred on it, and both sides bring half a fade of their
own sound from beyond it, so that neither length nor place changes by it.

Source: the idea is SpeechBlender's (Eltager Elkheir et al., arXiv 2211.00923): errors made of good speech by blending
phones. Deviates: the donor is another recording of the same speaker, and the phone is replaced as a whole.
"""

from __future__ import annotations

import numpy as np

from elocute.types import SAMPLE_RATE_HZ, Float32, Float64

FADE_S = 0.008
"""Length of a cross-fade: long enough for no click, short against any phone."""
AROUND_S = 0.25
"""How much sound on either side of a place tells how loud the voice is there."""
MAX_GAIN_DB = 15.0
_HALF = round(FADE_S * SAMPLE_RATE_HZ / 2)


def spliced(samples: Float32, begin: int, end: int, piece: Float64 | None = None) -> Float32:
    """The recording with the samples [begin, end) replaced.

    Args:
        samples: shape (N,).
        begin: first sample to go.
        end: first sample to stay; equal to `begin` for an insertion.
        piece: what comes instead, with half a cross-fade of its surroundings at either end (`cut`); None for nothing.

    Returns: shape (N - (end - begin) + length of the piece without its ends,).
    """
    left = with_surroundings(samples, 0, begin)
    right = with_surroundings(samples, end, len(samples))
    joined = left if piece is None else joint(left, piece)
    return np.asarray(joint(joined, right)[_HALF:-_HALF], dtype=np.float32)


def joint(left: Float64, right: Float64) -> Float64:
    """Two pieces, cross-faded where they overlap: the last samples of one, the first of the other.

    Raised cosines that add up to one, so that what both sides share stays as it is.
    """
    fade = 0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * _HALF) + 0.5) / (2 * _HALF))
    both = left[len(left) - 2 * _HALF :] * (1.0 - fade) + right[: 2 * _HALF] * fade
    return np.concatenate([left[: len(left) - 2 * _HALF], both, right[2 * _HALF :]])


def with_surroundings(samples: Float32, begin: int, end: int) -> Float64:
    """Samples [begin, end) and half a cross-fade before and behind, with silence where the recording ends."""
    padded = np.pad(samples.astype(np.float64), _HALF)
    return padded[begin : end + 2 * _HALF]


def cut(samples: Float32, begin: int, end: int, gain: float = 1.0, longest: int | None = None) -> Float64:
    """A donor: samples [begin, end) with half a cross-fade at either end, for `spliced`.

    Args:
        samples: the donor's recording.
        begin: first sample of the phone.
        end: first sample behind it.
        gain: factor.
        longest: if the phone is longer than this, its middle is taken out: what tells phones apart is, more often
            than not, how they begin and end.
    """
    if longest is not None and end - begin > longest:
        head = max(longest // 2, _HALF)
        tail = max(longest - head, _HALF)
        first = with_surroundings(samples, begin, begin + head)
        return gain * joint(first, with_surroundings(samples, end - tail, end))
    return gain * with_surroundings(samples, begin, end)


def gain_between(samples: Float32, begin: int, end: int, donor: Float32, donor_begin: int, donor_end: int) -> float:
    """Factor that makes a donor as loud among its new neighbours as it was among its old ones.

    The voice around both places is compared, not the phones: an S in place of a vowel should be no louder than an S.
    """
    here, there = _level_around(samples, begin, end), _level_around(donor, donor_begin, donor_end)
    if here <= 0.0 or there <= 0.0:
        return 1.0
    limit = 10 ** (MAX_GAIN_DB / 20)
    return float(np.clip(here / there, 1 / limit, limit))


def _level_around(samples: Float32, begin: int, end: int) -> float:
    """Root mean square of the sound on either side of [begin, end); 0 where there is none."""
    reach = round(AROUND_S * SAMPLE_RATE_HZ)
    around = np.concatenate([samples[max(begin - reach, 0) : begin], samples[end : end + reach]]).astype(np.float64)
    return float(np.sqrt(np.square(around).mean())) if len(around) else 0.0
