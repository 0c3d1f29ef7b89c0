"""Features of the scorer: named, finite whatever comes in, and moved by what is planted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.acoustic.fake import PlantedBackend
from elocute.ctc import min_frames
from elocute.errors import AlignmentError
from elocute.gop import gop_sf
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Analysis, Features, analyse
from elocute.scorer.features import NO_RATING
from elocute.types import Audio, PhoneSet, Posteriors
from planted import heard, recording

PHONE_SET = PlantedBackend(PHONES, []).phone_set
SAID = ["DH", "AH", "B", "L", "AE", "K", "K", "AE", "T"]
WORDS = [0, 0, 1, 1, 1, 1, 2, 2, 2]
SHIFT_S = 0.02


def column(features: Features, name: str) -> np.ndarray:
    return features.phone[:, PHONE_FEATURES.index(name)]


def whole(features: Features, name: str) -> float:
    return float(features.utterance[UTTERANCE_FEATURES.index(name)])


def posteriors(log_probs: np.ndarray) -> Posteriors:
    return Posteriors(log_probs=log_probs.astype(np.float32), frame_shift_s=SHIFT_S, phone_set=PHONE_SET)


def check(analysis: Analysis, phones: int) -> None:
    features = analysis.features
    assert features.phone.shape == (phones, len(PHONE_FEATURES))
    assert features.utterance.shape == (len(UTTERANCE_FEATURES),)
    assert features.phone.dtype == features.utterance.dtype == np.float32
    bad = [name for name, value in zip(PHONE_FEATURES, features.phone.T, strict=True) if not np.isfinite(value).all()]
    bad += [name for name, value in zip(UTTERANCE_FEATURES, features.utterance, strict=True) if not np.isfinite(value)]
    assert bad == []
    assert np.abs(features.phone).max() < 1e4


def test_names_are_distinct():
    assert len(set(PHONE_FEATURES)) == len(PHONE_FEATURES)
    assert len(set(UTTERANCE_FEATURES)) == len(UTTERANCE_FEATURES)


def test_columns_are_what_their_names_say():
    analysis = analyse(heard(SAID), SAID, WORDS, recording(2.0, snr_db=17.0))
    features, found, times = analysis.features, analysis.found, analysis.times
    check(analysis, len(SAID))
    np.testing.assert_array_equal(features.phone_ids, [PHONES.index(symbol) for symbol in SAID])
    np.testing.assert_array_equal(features.word_ids, WORDS)
    np.testing.assert_allclose(column(features, "gop_sd"), gop_sf(found, "SD"), atol=1e-5)
    np.testing.assert_allclose(column(features, "frames"), found.durations, rtol=1e-6)
    np.testing.assert_allclose(column(features, "duration_s"), times.duration_s, rtol=1e-6)
    own = [features.phone[i, PHONE_FEATURES.index(f"lpp_{symbol}")] for i, symbol in enumerate(SAID)]
    np.testing.assert_allclose(column(features, "canonical_lpp"), own)
    np.testing.assert_allclose(own, np.log(0.9), atol=0.05)  # each phone owns the frames that say it
    kept = np.exp(features.phone[:, [PHONE_FEATURES.index(f"heard_{name}") for name in (*PHONES, "deleted")]])
    np.testing.assert_allclose(kept.sum(axis=1), 1.0, atol=1e-3)
    assert (kept.argmax(axis=1) == features.phone_ids).all()
    assert whole(features, "phones") == len(SAID)
    assert whole(features, "snr_db") == 17.0
    assert whole(features, "gop_min") == pytest.approx(float(column(features, "gop_sd").min()))
    assert whole(features, "log_prob_per_frame") == pytest.approx(found.log_prob / 100, rel=1e-5)
    assert whole(features, "lead_s") == pytest.approx(float(times.start_s[0]), abs=1e-6)


@pytest.mark.parametrize("place", range(len(SAID)))
def test_a_planted_substitution_stands_out_in_its_own_row(place: int):
    wrong = [*SAID[:place], "SH", *SAID[place + 1 :]]
    features = analyse(heard(wrong), SAID, WORDS, recording(2.0)).features
    for name in ("gop_s", "gop_sd", "gop_sdi", "canonical_lpp", "margin"):
        assert column(features, name).argmin() == place, name
    assert column(features, "heard_SH").argmax() == place
    assert column(features, "best_competitor").argmax() == place


def test_a_planted_pause_is_seen():
    samples = recording(2.0).samples.copy()
    samples[:3200] *= 0.003  # the background, above which everything else rises
    samples[-3200:] *= 0.003
    spoken = heard(SAID)
    spans = analyse(spoken, SAID, WORDS, recording(2.0)).times
    log_probs = np.insert(spoken.log_probs, round(spans.end_s[3] / SHIFT_S), np.repeat(spoken.log_probs[:1], 30, 0), 0)
    cut = round(spans.end_s[3] / SHIFT_S) * 320
    silent = np.concatenate([samples[:cut], np.zeros(30 * 320, np.float32), samples[cut:]])
    audio = Audio(samples=silent, quality=recording(2.6).quality)
    features = analyse(posteriors(log_probs), SAID, WORDS, audio).features
    gaps = column(features, "gap_after_s")
    assert gaps.argmax() == 3
    assert gaps[3] == pytest.approx(0.6, abs=0.03)
    assert column(features, "gap_before_s")[4] == gaps[3]
    assert np.count_nonzero(gaps) == 1
    assert whole(features, "pause_count") == 1
    assert whole(features, "longest_pause_s") == gaps[3]


def test_louder_recordings_look_the_same():
    """Levels enter relative to the loudest frame, and posteriors carry no level."""
    spoken = heard(SAID)
    soft, loud = (analyse(spoken, SAID, WORDS, recording(2.0, amplitude=level)).features for level in (0.05, 0.5))
    np.testing.assert_allclose(soft.phone, loud.phone, atol=1e-3)
    np.testing.assert_allclose(soft.utterance, loud.utterance, atol=1e-3)


def test_the_order_of_other_words_does_not_matter_to_word_ids():
    spoken, audio = heard(SAID), recording(2.0)
    one = analyse(spoken, SAID, WORDS, audio).features
    other = analyse(spoken, SAID, [0] * len(SAID), audio).features
    np.testing.assert_array_equal(one.phone, other.phone)
    np.testing.assert_array_equal(one.utterance, other.utterance)


@pytest.mark.parametrize("symbol", ["AH", "S"])
@pytest.mark.parametrize("amplitude", [0.0, 0.1])
def test_one_phone(symbol: str, amplitude: float):
    check(analyse(heard([symbol], 0.4), [symbol], [0], recording(0.4, amplitude=amplitude)), 1)


@pytest.mark.parametrize("frames", [1, 2])
def test_one_phone_in_one_frame(frames: int):
    log_probs = np.full((frames, 40), -np.log(40))
    check(analyse(posteriors(log_probs), ["AH"], [0], recording(frames * SHIFT_S)), 1)


def test_fewest_frames_that_can_spell_the_phones():
    T = min_frames([PHONES.index(symbol) + 1 for symbol in SAID])
    assert len(SAID) + 1 == T  # K K
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (T, 40))
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    check(analyse(posteriors(log_probs), SAID, WORDS, recording(T * SHIFT_S)), len(SAID))
    with pytest.raises(AlignmentError, match=rf"the recording has {T - 1} frames; its 9 phones need at least {T}"):
        analyse(posteriors(log_probs[1:]), SAID, WORDS, recording(T * SHIFT_S))


def test_silence_and_an_unknown_noise_level():
    check(analyse(heard(SAID), SAID, WORDS, recording(2.0, amplitude=0.0, snr_db=None)), len(SAID))


@pytest.mark.parametrize("rest", [-np.inf, -1e30, -500.0])
def test_certain_posteriors(rest: float):
    """All the mass on one label a frame, the canonical one or another."""
    certain = np.full((100, 40), rest)
    certain[np.arange(100), heard(SAID).log_probs.argmax(axis=1)] = 0.0
    check(analyse(posteriors(certain), SAID, WORDS, recording(2.0)), len(SAID))
    if rest == -500.0:
        other = [*SAID[:4], "IY", *SAID[5:]]
        check(analyse(posteriors(certain), other, WORDS, recording(2.0)), len(SAID))


@settings(max_examples=60, deadline=None)
@given(
    symbols=st.lists(st.sampled_from(PHONES), min_size=1, max_size=12),
    extra=st.integers(0, 40),
    sharpness=st.sampled_from([0.0, 1.0, 5.0, 50.0]),
    amplitude=st.sampled_from([0.0, 1e-4, 0.5]),
    snr_db=st.none() | st.floats(-100, 200),
    seed=st.integers(0, 99),
)
def test_features_are_finite_for_any_input(
    symbols: list[str], extra: int, sharpness: float, amplitude: float, snr_db: float | None, seed: int
):
    """Numpy's warnings are errors here, so nothing is divided by nothing on the way either."""
    T = min_frames([PHONES.index(symbol) for symbol in symbols]) + extra
    logits = sharpness * np.random.default_rng(seed).normal(size=(T, 40))
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    audio = recording(T * SHIFT_S, amplitude=amplitude, seed=seed, snr_db=snr_db)
    word_ids = np.arange(len(symbols)) // 3
    with np.errstate(all="raise", under="ignore"):
        check(analyse(posteriors(log_probs), symbols, word_ids.tolist(), audio), len(symbols))


CHAINED = PhoneSet(  # AY is AA and IH, CH is T and SH, and each of these is a phone, too
    symbols=PHONES,
    tokens=tuple({"AY": (1, 17), "CH": (31, 30)}.get(phone, (label,)) for label, phone in enumerate(PHONES, start=1)),
    size=40,
    blank_id=0,
)


def test_a_chain_is_as_likely_as_its_labels_in_their_order():
    said = ["T", "CH", "SH", "AY", "AA"]
    spoken = PlantedBackend(PHONES, said, phone_set=CHAINED, certainty=0.98).posteriors(recording(2.0))
    found = analyse(spoken, said, [0, 0, 1, 1, 1], recording(2.0))
    features = found.features
    check(found, len(said))
    np.testing.assert_allclose(column(features, "canonical_lpp"), np.log(0.98), atol=0.05)
    assert (column(features, "margin") > 3.0).all()  # T beside CH, which begins like it; AY beside AA
    frames = found.found.occupancies()
    np.testing.assert_allclose(frames.sum(axis=1), 1.0, atol=1e-9)
    assert frames.shape == (100, 2 * len(said) + 1)
    np.testing.assert_allclose(frames[:, 1::2].sum(axis=0), 10.0, atol=1.0)  # three fifths of a fifth of 80
    wrong = analyse(spoken, ["T", "ZH", "SH", "OY", "AA"], [0, 0, 1, 1, 1], recording(2.0)).features
    assert column(wrong, "heard_CH").argmax() == 1
    assert column(wrong, "heard_AY").argmax() == 3
    assert (column(wrong, "gop_sd")[[1, 3]] < -5.0).all()


@settings(max_examples=40, deadline=None)
@given(
    symbols=st.lists(st.sampled_from(["T", "CH", "SH", "AY", "AA", "IH", "S"]), min_size=1, max_size=8),
    extra=st.integers(0, 40),
    sharpness=st.sampled_from([0.0, 1.0, 5.0, 50.0]),
    seed=st.integers(0, 99),
)
def test_features_of_chains_are_finite_for_any_input(symbols: list[str], extra: int, sharpness: float, seed: int):
    T = min_frames([label for symbol in symbols for label in CHAINED.tokens[PHONES.index(symbol)]]) + extra
    logits = sharpness * np.random.default_rng(seed).normal(size=(T, 40))
    log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    heard_so = Posteriors(log_probs=log_probs, frame_shift_s=SHIFT_S, phone_set=CHAINED)
    word_ids = (np.arange(len(symbols)) // 3).tolist()
    with np.errstate(all="raise", under="ignore"):
        check(analyse(heard_so, symbols, word_ids, recording(T * SHIFT_S, seed=seed)), len(symbols))


def test_ratings_are_read_in_the_frames_of_each_phone():
    """A rating planted in the frames of one phone is that phone's; without ratings all of them are neutral."""
    spoken = heard(SAID, 2.0)
    T = len(spoken.log_probs)
    ratings = np.full((T, 43), 1.0, np.float32)
    ratings[:, -4:] = [1.1, 1.2, 1.3, 1.4]
    place = 3
    column_of = PHONES.index(SAID[place])
    frames = spoken.log_probs[:, 1 + column_of] > np.log(0.5)
    ratings[frames, column_of] = 0.25
    found = analyse(replace(spoken, ratings=ratings), SAID, WORDS, recording(2.0)).features
    rating, over = column(found, "rating"), column(found, "rating_over_others")
    said_there = [i for i, symbol in enumerate(SAID) if symbol == SAID[place]]
    for i in range(len(SAID)):
        assert rating[i] == pytest.approx(0.25 if i in said_there else 1.0, abs=0.05)
        assert over[i] == pytest.approx(-0.75 if i in said_there else 0.0, abs=0.05)
    utterance = [whole(found, f"rating_{name}") for name in ("accuracy", "fluency", "prosodic", "total")]
    np.testing.assert_allclose(utterance, [1.1, 1.2, 1.3, 1.4], rtol=1e-5)
    assert whole(found, "rating_min") == pytest.approx(float(rating.min()))
    neutral = analyse(spoken, SAID, WORDS, recording(2.0)).features
    np.testing.assert_allclose(column(neutral, "rating"), NO_RATING, rtol=1e-5)
    assert whole(neutral, "rating_total") == pytest.approx(NO_RATING)
