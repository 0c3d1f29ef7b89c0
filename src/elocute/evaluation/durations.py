"""How well phone times, durations and rhythm agree with those of synthetic speech, which are known.

Every voice is measured with a network that never heard it. Recordings are resampled for the intervals, since four
voices are too few to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from elocute.acoustic import Backend
from elocute.evaluation.bootstrap import Draws, Estimate, estimate, estimate_of_sums, estimate_pcc, ratio
from elocute.evaluation.synthetic import Spoken
from elocute.gop import align_phones, alternatives
from elocute.phones import PHONES, VOWELS
from elocute.prosody import Rhythm, find_pauses, frame_energy_db, listen, refined, rhythm, timing
from elocute.prosody.sound import SoundModel
from elocute.types import Float64, Int64

NEAR_S, FAR_S = 0.02, 0.06
MEASURES = tuple(field.name for field in fields(Rhythm))
_JOINED_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timed:
    """One recording: signed errors in seconds, durations in seconds, rhythm.

    Attributes:
        voice: who spoke.
        inner: of boundaries between two phones.
        halfway: of the same boundaries, half way between spikes.
        edges: of begins after silence and ends before it, those of the recording included.
        true_s: shape (L,), phone durations.
        found_s: shape (L,).
        is_vowel: shape (L,).
        true_rhythm: NaN where there is none, in the order of `MEASURES`.
        found_rhythm: the same.
    """

    voice: str
    inner: Float64
    halfway: Float64
    edges: Float64
    true_s: Float64
    found_s: Float64
    is_vowel: np.ndarray
    true_rhythm: Float64
    found_rhythm: Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """Errors of one kind of boundary; seconds, and shares of all."""

    part: str
    n: int
    median_s: Estimate
    p95_s: Estimate
    within_20_ms: Estimate
    within_60_ms: Estimate
    mean_s: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Correlation with the truth over n items, and the means of both."""

    what: str
    n: int
    pcc: Estimate
    mean_true: float
    mean_found: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Everything that was measured."""

    data: dict[str, Any]
    boundaries: tuple[ErrorRow, ...]
    durations: tuple[Agreement, ...]
    rhythm: tuple[Agreement, ...]
    provenance: dict[str, Any]


def time_all(
    spoken: Sequence[Spoken],
    backend: Backend,
    models: Mapping[str, SoundModel],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Timed]:
    """Find the phone times of every recording, each with the network of its voice, as an assessment does."""
    found = []
    for done, one in enumerate(spoken, start=1):
        found.append(_timed(one, backend, models[one.voice]))
        progress(done, len(spoken))
    return found


def _timed(one: Spoken, backend: Backend, model: SoundModel) -> Timed:
    """One recording; it counts as one word, so that a pause may be anywhere."""
    said, symbols = one.utterance, one.utterance.phones
    heard = backend.posteriors(said.audio)
    shift = heard.frame_shift_s
    canonical = [heard.phone_set.id_of(symbol) for symbol in symbols]
    best = align_phones(heard.log_probs, canonical, heard.phone_set)
    states = alternatives(heard.log_probs, canonical, heard.phone_set).occupancies()
    words = np.arange(len(symbols))  # a word each: flite does not tell where words begin
    pauses = find_pauses(said.audio, states, shift, symbols=symbols, word_ids=words)
    rough = timing(best.spans, frame_energy_db(said.audio, len(heard.log_probs), shift), shift, pauses)
    phones = np.array([PHONES.index(symbol) for symbol in symbols])
    times = refined(rough, best.spans, listen(said.audio.samples, model), phones, pauses)
    joined = said.start_s[1:] - said.end_s[:-1] < _JOINED_S
    begins, ends = np.append(True, ~joined), np.append(~joined, True)
    truth = said.start_s[1:][joined]
    return Timed(
        voice=one.voice,
        inner=(times.start_s[1:] + times.end_s[:-1])[joined] / 2 - truth,
        halfway=(rough.start_s[1:] + rough.end_s[:-1])[joined] / 2 - truth,
        edges=np.append((times.start_s - said.start_s)[begins], (times.end_s - said.end_s)[ends]),
        true_s=said.end_s - said.start_s,
        found_s=times.duration_s,
        is_vowel=np.array([symbol in VOWELS for symbol in symbols]),
        true_rhythm=_numbers(rhythm(said.start_s, said.end_s, symbols)),
        found_rhythm=_numbers(rhythm(times.start_s, times.end_s, symbols)),
    )


def _numbers(measured: Rhythm) -> Float64:
    """In the order of `MEASURES`, NaN for None."""
    return np.array([getattr(measured, name) for name in MEASURES], dtype=np.float64)


def summarise(timed: Sequence[Timed], *, data: dict[str, Any], provenance: dict[str, Any], draws: int) -> Durations:
    """Errors of all and of every voice, correlations of all."""
    voices = tuple(dict.fromkeys(one.voice for one in timed))
    parts = [("all", [one.inner for one in timed])]
    parts += [(voice, [one.inner for one in timed if one.voice == voice]) for voice in voices]
    parts += [("half way", [one.halfway for one in timed]), ("at silence", [one.edges for one in timed])]
    resamples = Draws.of(len(timed), draws)
    owner = np.repeat(np.arange(len(timed)), [len(one.true_s) for one in timed])
    true_s, found_s = (np.concatenate([getattr(one, side) for one in timed]) for side in ("true_s", "found_s"))
    is_vowel = np.concatenate([one.is_vowel for one in timed])
    kinds = {"phones": np.ones(len(true_s), dtype=bool), "vowels": is_vowel, "consonants": ~is_vowel}
    true_rhythm = np.stack([one.true_rhythm for one in timed])
    found_rhythm = np.stack([one.found_rhythm for one in timed])
    everyone = np.arange(len(timed))
    return Durations(
        data=data,
        boundaries=tuple(error_row(part, errors, draws) for part, errors in parts),
        durations=tuple(
            _agreement(kind, true_s[mask], found_s[mask], owner[mask], resamples) for kind, mask in kinds.items()
        ),
        rhythm=tuple(
            _agreement(name, true_rhythm[:, column], found_rhythm[:, column], everyone, resamples)
            for column, name in enumerate(MEASURES)
        ),
        provenance=provenance,
    )


def error_row(part: str, errors: Sequence[Float64], draws: int) -> ErrorRow:
    """Errors of some recordings, one array each."""
    resamples = Draws.of(len(errors), draws)
    owner = np.repeat(np.arange(len(errors)), [len(each) for each in errors])
    signed = np.concatenate(errors)
    size = np.abs(signed)
    ones = np.ones(len(signed))

    def mean(values: Float64) -> Estimate:
        return estimate_of_sums(ratio, owner, np.column_stack([values, ones]), resamples)

    def quantile(percent: float) -> Estimate:
        drawn = [np.percentile(np.repeat(size, weights[owner]), percent) for weights in resamples.weights.astype(int)]
        return estimate(float(np.percentile(size, percent)), np.array(drawn))

    return ErrorRow(
        part=part,
        n=len(signed),
        median_s=quantile(50),
        p95_s=quantile(95),
        # Times are binary fractions.
        within_20_ms=mean((size <= NEAR_S + 1e-6).astype(np.float64)),
        within_60_ms=mean((size <= FAR_S + 1e-6).astype(np.float64)),
        mean_s=mean(signed),
    )


def _agreement(what: str, true: Float64, found: Float64, owner: Int64, resamples: Draws) -> Agreement:
    """Correlation over the items that both sides have."""
    kept = np.isfinite(true) & np.isfinite(found)
    if not kept.any():
        return Agreement(what=what, n=0, pcc=Estimate(value=None), mean_true=0.0, mean_found=0.0)
    return Agreement(
        what=what,
        n=int(kept.sum()),
        pcc=estimate_pcc(true[kept], found[kept], owner[kept], resamples),
        mean_true=float(true[kept].mean()),
        mean_found=float(found[kept].mean()),
    )
