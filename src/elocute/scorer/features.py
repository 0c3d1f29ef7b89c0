"""What the scorer looks at: one vector a phone and one an utterance.

Log posteriors are floored, so that one certain frame cannot outweigh everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from elocute.gop import Alternatives, align_phones, alternatives, gop_sf
from elocute.phones import PHONES, VOWELS
from elocute.prosody import Timing, find_pauses, frame_energy_db, listen, refined, timing
from elocute.types import Audio, Float32, Float64, Int64, PhoneSet, Posteriors

LOG_FLOOR = -12.0
"""Nats; a phone less likely than exp(-12) is as good as absent."""

SCALARS = (
    "canonical_lpp",
    "margin",
    "gop_s",
    "gop_sd",
    "gop_sdi",
    "gop_sd_per_frame",
    "best_competitor",
    "deletion_ratio",
    "insertion_before",
    "insertion_after",
    "frames",
    "log_frames",
    "entropy_heard",
    "entropy_frames",
    "peak",
    "duration_s",
    "log_duration",
    "gap_before_s",
    "gap_after_s",
    "energy_db",
    "rating",
    "rating_over_others",
)
PHONE_FEATURES: tuple[str, ...] = (
    *(f"lpp_{symbol}" for symbol in ("blank", *PHONES)),
    *(f"heard_{symbol}" for symbol in (*PHONES, "deleted")),
    *SCALARS,
)
"""Names of the columns of `Features.phone`."""

UTTERANCE_FEATURES: tuple[str, ...] = (
    "log_prob_per_frame",
    "log_prob_per_phone",
    "gop_mean",
    "gop_min",
    "gop_p10",
    "gop_std",
    "bad_share",
    "lpp_mean",
    "lpp_p10",
    "insertion_max",
    "insertion_mean",
    "entropy_mean",
    "blank_share",
    "phones",
    "span_s",
    "phones_per_s",
    "articulation_per_s",
    "pause_count",
    "pause_per_phone",
    "pause_s",
    "longest_pause_s",
    "pause_ratio",
    "run_length",
    "lead_s",
    "tail_s",
    "duration_mean_s",
    "duration_std_s",
    "vowel_npvi",
    "vowel_share",
    "duration_p90_s",
    "energy_range_db",
    "energy_std_db",
    "snr_db",
    "rating_accuracy",
    "rating_fluency",
    "rating_prosodic",
    "rating_total",
    "rating_mean",
    "rating_min",
)
"""Names of the columns of `Features.utterance`."""
NO_RATING = 1.7
"""Stands for every rating where the acoustic model gives none; near the mean of people's scores."""
_RATING_COLUMNS = [PHONE_FEATURES.index(name) for name in ("rating", "rating_over_others")]
_UTTERANCE_RATING_COLUMNS = [at for at, name in enumerate(UTTERANCE_FEATURES) if name.startswith("rating_")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """One utterance, taken apart.

    Attributes:
        found: the lattice and every one-edit alternative.
        times: phone times and pauses.
        features: what the scorer looks at.
    """

    found: Alternatives
    times: Timing
    features: Features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Inputs of the scorer.

    Attributes:
        phone: shape (L, len(PHONE_FEATURES)), float32.
        utterance: shape (len(UTTERANCE_FEATURES),), float32.
        phone_ids: shape (L,), canonical phones.
        word_ids: shape (L,), word of each phone, counted from 0.
        prosody: shape (len(manner.PROSODY_FEATURES),), float32; None where it was not measured.
    """

    phone: Float32
    utterance: Float32
    phone_ids: Int64
    word_ids: Int64
    prosody: Float32 | None = None


def analyse(posteriors: Posteriors, symbols: Sequence[str], word_ids: Sequence[int], audio: Audio) -> Analysis:
    """Take an utterance apart: lattice, alternatives, times, features.

    Args:
        posteriors: what the acoustic model heard.
        symbols: canonical phones, ARPABET without stress.
        word_ids: word of each phone, counted from 0.
        audio: the recording.

    Raises:
        AlignmentError: the recording is too short for the phones.
    """
    phone_set = posteriors.phone_set
    canonical = [phone_set.id_of(symbol) for symbol in symbols]
    found = alternatives(posteriors.log_probs, canonical, phone_set)
    best = align_phones(posteriors.log_probs, canonical, phone_set)
    energy_db = frame_energy_db(audio, len(posteriors.log_probs), posteriors.frame_shift_s)
    occupancies = found.occupancies()
    pauses = find_pauses(audio, occupancies, posteriors.frame_shift_s, symbols=symbols, word_ids=word_ids)
    rough = timing(best.spans, energy_db, posteriors.frame_shift_s, pauses)
    phones = np.array([PHONES.index(symbol) for symbol in symbols])
    times = refined(rough, best.spans, listen(audio.samples), phones, pauses)
    ratings = posteriors.ratings
    if ratings is None:
        ratings = np.full((len(posteriors.log_probs), len(phone_set.symbols) + 4), NO_RATING, dtype=np.float32)
    ids = np.asarray(word_ids, dtype=np.int64)
    features = extract_features(found, phone_set, times, ids, audio.quality.snr_db, ratings)
    return Analysis(found=found, times=times, features=features)


def extract_features(
    found: Alternatives,
    phone_set: PhoneSet,
    times: Timing,
    word_ids: Int64,
    snr_db: float | None,
    ratings: Float32,
) -> Features:
    """Describe an utterance for the scorer.

    Args:
        found: every one-edit alternative of the canonical phones.
        phone_set: of the backend; all 39 phones.
        times: phone times and pauses.
        word_ids: shape (L,), word of each phone, counted from 0.
        snr_db: signal-to-noise ratio of the recording, None where unknown.
        ratings: shape (T, phones + 4), see `Posteriors`.
    """
    log_probs = np.maximum(found.lattice.log_probs, LOG_FLOOR)
    labels = found.lattice.label_occupancies()
    owned = np.add.reduceat(labels, found.bounds[:-1], axis=1)
    weight = owned / np.maximum(owned.sum(axis=0), 1e-6)
    columns = [phone_set.blank_id, *(tokens[0] for tokens in phone_set.tokens)]
    lpp = weight.T @ log_probs[:, columns]
    if any(len(tokens) > 1 for tokens in phone_set.tokens):
        _spread_chains(lpp, found, phone_set, log_probs, labels)
    edits = np.column_stack([found.substitution, found.deletion])
    heard = np.maximum(edits - np.logaddexp.reduce(edits, axis=1, keepdims=True), LOG_FLOOR)
    frame_entropy = -(np.exp(log_probs) * log_probs).sum(axis=1)
    rating = weight.T @ ratings[:, : len(phone_set.symbols)].astype(np.float64)
    scalars = np.column_stack(
        [_scalars(found, lpp, heard, weight, frame_entropy, times), _phone_ratings(rating, found.canonical)]
    )
    whole = np.concatenate(
        [_utterance(found, lpp, scalars, frame_entropy, times, snr_db), _utterance_ratings(ratings, scalars)]
    )
    return Features(
        phone=np.column_stack([lpp, heard, scalars]).astype(np.float32),
        utterance=whole.astype(np.float32),
        phone_ids=found.canonical,
        word_ids=np.asarray(word_ids, dtype=np.int64),
    )


def _spread_chains(lpp: Float64, found: Alternatives, phone_set: PhoneSet, log_probs: Float64, labels: Float64) -> None:
    """Mean log posteriors of phones that are chains of labels, put into the columns of `lpp` (L, 1+K).

    The frames of a phone are divided among the labels of a chain: those of the canonical phone by the lattice's own
    occupancies, those of any other chain into equal parts, one after the other.

    Args:
        lpp: its other columns are right.
        found: of the canonical phones.
        phone_set: of the backend.
        log_probs: shape (T, V), floored.
        labels: shape (T, S), occupancies of the canonical phones' labels.
    """
    owned = np.add.reduceat(labels, found.bounds[:-1], axis=1)
    ends = np.cumsum(owned / np.maximum(owned.sum(axis=0), 1e-6), axis=0)
    begins = np.vstack([np.zeros((1, len(found.canonical))), ends[:-1]])
    for phone, tokens in enumerate(phone_set.tokens):
        if len(tokens) > 1:
            lpp[:, 1 + phone] = 0.0
            for part, label in enumerate(tokens):
                low, high = part / len(tokens), (part + 1) / len(tokens)
                share = np.clip(np.minimum(ends, high) - np.maximum(begins, low), 0.0, None)
                lpp[:, 1 + phone] += share.T @ log_probs[:, label]
    own = np.add.reduceat((labels * log_probs[:, found.lattice.labels]).sum(axis=0), found.bounds[:-1])
    is_chain = np.diff(found.bounds) > 1
    lpp[is_chain, 1 + found.canonical[is_chain]] = (own / np.maximum(owned.sum(axis=0), 1e-6))[is_chain]


def without_ratings(features: Features) -> Features:
    """The same, as if the acoustic model had given no ratings."""
    phone, utterance = features.phone.copy(), features.utterance.copy()
    phone[:, _RATING_COLUMNS] = (NO_RATING, 0.0)
    utterance[_UTTERANCE_RATING_COLUMNS] = NO_RATING
    return replace(features, phone=phone, utterance=utterance)


def _scalars(
    found: Alternatives, lpp: Float64, heard: Float64, weight: Float64, frame_entropy: Float64, times: Timing
) -> Float64:
    """The columns named in `SCALARS` up to the energy, shape (L, 20)."""
    L = len(found.canonical)
    rows = np.arange(L)
    canonical = lpp[rows, 1 + found.canonical]
    others = lpp[:, 1:].copy()
    others[rows, found.canonical] = -np.inf
    competitors = heard.copy()
    competitors[rows, found.canonical] = -np.inf
    gop_sd = np.maximum(gop_sf(found, "SD"), 3 * LOG_FLOOR)
    frames = np.maximum(found.durations, 1.0)
    inserted = np.clip(found.insertion.max(axis=1) - found.log_prob, 2 * LOG_FLOOR, -2 * LOG_FLOOR)
    gap = np.zeros(L + 1)
    for pause in times.pauses:
        gap[pause.after_phone + 1] = pause.duration_s
    loud = times.energy_db.max()
    return np.column_stack(
        [
            canonical,
            canonical - others.max(axis=1),
            np.maximum(gop_sf(found, "S"), 3 * LOG_FLOOR),
            gop_sd,
            np.maximum(gop_sf(found, "SDI"), 5 * LOG_FLOOR),
            gop_sd / frames,
            competitors.max(axis=1),
            np.clip(found.deletion - found.log_prob, 2 * LOG_FLOOR, -2 * LOG_FLOOR),
            inserted[:-1],
            inserted[1:],
            found.durations,
            np.log(frames),
            -(np.exp(heard) * heard).sum(axis=1),
            weight.T @ frame_entropy,
            _peaks(found, weight),
            times.duration_s,
            np.log(times.duration_s + 0.01),
            gap[:-1],
            gap[1:],
            np.clip(weight.T @ times.energy_db - loud, -60.0, 0.0),
        ]
    )


def _peaks(found: Alternatives, weight: Float64) -> Float64:
    """Largest share of a phone's frames that one frame has, times how sure it is of the phone, shape (L,).

    Of a chain, that of its likeliest label.
    """
    own = np.exp(found.lattice.log_probs[:, found.lattice.labels])
    if own.shape[1] == weight.shape[1]:
        return np.asarray((weight * own).max(axis=0))
    labels = found.lattice.label_occupancies()
    total = np.maximum(np.add.reduceat(labels.sum(axis=0), found.bounds[:-1]), 1e-6)
    sure = (labels * own).max(axis=0) / np.repeat(total, np.diff(found.bounds).astype(np.intp))
    return np.maximum.reduceat(sure, found.bounds[:-1])


def _utterance(
    found: Alternatives, lpp: Float64, scalars: Float64, frame_entropy: Float64, times: Timing, snr_db: float | None
) -> Float64:
    """The columns named in `UTTERANCE_FEATURES` up to the signal-to-noise ratio."""
    column = dict(zip(SCALARS, scalars.T, strict=True))
    T, L = len(frame_entropy), len(found.canonical)
    gop, own = column["gop_sd"], column["canonical_lpp"]
    span = float(times.end_s[-1] - times.start_s[0])
    pauses = np.array([pause.duration_s for pause in times.pauses])
    paused = float(pauses.sum())
    is_vowel = np.isin(found.canonical, [PHONES.index(vowel) for vowel in VOWELS])
    lengths, vowels = times.duration_s, times.duration_s[is_vowel]
    speech = times.energy_db[~times.quiet] if (~times.quiet).any() else times.energy_db
    inserted = np.append(column["insertion_before"], column["insertion_after"][-1])
    return np.array(
        [
            found.log_prob / T,
            max(found.log_prob / L, 5 * LOG_FLOOR),
            gop.mean(),
            gop.min(),
            np.percentile(gop, 10),
            gop.std(),
            (gop < -2.0).mean(),
            own.mean(),
            np.percentile(own, 10),
            inserted.max(),
            inserted.mean(),
            frame_entropy.mean(),
            np.exp(lpp[:, 0]).mean(),
            L,
            span,
            L / span,
            L / (span - paused),
            len(pauses),
            len(pauses) / L,
            paused,
            pauses.max() if len(pauses) else 0.0,
            paused / span,
            L / (len(pauses) + 1),
            times.start_s[0],
            T * times.frame_shift_s - float(times.end_s[-1]),
            lengths.mean(),
            lengths.std(),
            _npvi(vowels),
            vowels.sum() / lengths.sum(),
            np.percentile(lengths, 90),
            float(np.subtract(*np.percentile(times.energy_db, [95, 5]))),
            speech.std(),
            30.0 if snr_db is None else float(np.clip(snr_db, -10, 60)),
        ]
    )


def _phone_ratings(rating: Float64, canonical: Int64) -> Float64:
    """Rating of each canonical phone, and by how much it is above the best other; shape (L, 2)."""
    rows = np.arange(len(canonical))
    own = rating[rows, canonical]
    others = rating.copy()
    others[rows, canonical] = -np.inf
    return np.column_stack([own, own - others.max(axis=1)])


def _utterance_ratings(ratings: Float32, scalars: Float64) -> Float64:
    """The four ratings of the utterance, mean and least rating of its phones."""
    own = scalars[:, SCALARS.index("rating")]
    return np.concatenate([ratings[:, -4:].mean(axis=0), [own.mean(), own.min()]])


def _npvi(durations: Float64) -> float:
    """Normalised pairwise variability index of successive durations (Grabe and Low 2002); 0 below two."""
    if len(durations) < 2:
        return 0.0
    pairs = np.abs(np.diff(durations)) / ((durations[1:] + durations[:-1]) / 2)
    return float(100 * pairs.mean())
