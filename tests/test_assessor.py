"""The pipeline on planted posteriors: what was planted is what the report says."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elocute.acoustic.fake import PlantedBackend
from elocute.assessor import Assessor, cut, embedded_detector
from elocute.assets import asset_path
from elocute.config import AssessorConfig
from elocute.diagnosis import Detector
from elocute.errors import AlignmentError, ConfigError, TextError
from elocute.gop.confusions import flat_prior, learned_prior
from elocute.phones import PHONES, phonemize
from elocute.report import Report, WordReport
from elocute.scorer import Features
from elocute.scorer.embedded import Scores
from elocute.types import Audio, PhoneSet, Posteriors
from planted import ListeningScorer, RatedBackend, recording

TEXT = "The black cat sat down."
SAID = ["DH", "AH", "B", "L", "AE", "K", "K", "AE", "T", "S", "AE", "T", "D", "AW", "N"]


WORDS = [SAID[:2], SAID[2:6], SAID[6:9], SAID[9:12], SAID[12:]]
DETECTOR = Detector(bias=0.0, weights=(1.0, 0.0, 0.0), thresholds=(0.8, 0.5, 0.3, 0.1))


def assessor(said: list[str], certainty: float = 0.9999, **config: Any) -> Assessor:
    """What is tested is how the steps are joined: the shipped scorer and detector move with training."""
    backend = RatedBackend(PHONES, said, certainty=certainty)
    return Assessor(AssessorConfig(**config), backend=backend, scorer=ListeningScorer(), detector=DETECTOR)


def flat(words: Sequence[Sequence[str]]) -> list[str]:
    return [phone for word in words for phone in word]


def symbols(words: tuple[WordReport, ...]) -> list[str]:
    return [phone.expected for word in words for phone in word.phonemes]


@pytest.fixture(scope="module")
def good() -> Report:
    return assessor(SAID).assess(recording(3.0), TEXT)


# --- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0, 5, 1000, -1])
def test_other_scales_are_refused(scale: int):
    with pytest.raises(ConfigError, match=f"scale is {scale}; expected one of 1, 10, 100"):
        assessor(SAID, scale=scale)


@pytest.mark.parametrize("nbest", [0, -1])
def test_no_candidates_are_refused(nbest: int):
    with pytest.raises(ConfigError, match=f"nbest is {nbest}; expected 1 or more"):
        assessor(SAID, nbest=nbest)


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(threads: int):
    with pytest.raises(ConfigError, match=f"threads is {threads}; expected 1 or more"):
        Assessor(AssessorConfig(threads=threads), backend=RatedBackend(PHONES, SAID))


@pytest.mark.parametrize("phones", [PHONES[:38], PHONES[::-1], tuple(phone.lower() for phone in PHONES)])
def test_a_backend_of_other_phones_is_refused(phones: tuple[str, ...]):
    with pytest.raises(ConfigError, match=r"backend planted .* 39 ARPABET phones"):
        Assessor(backend=RatedBackend(phones, []))


def chained_phones() -> PhoneSet:
    """CH, JH and the diphthongs of two labels each, T and SH among them, as a model of single IPA letters has them."""
    chains = {"CH": ("T", "SH"), "JH": ("D", "ZH"), "AY": ("AA", "IH"), "AW": ("AA", "UH"), "OY": ("AO", "IH")}
    single = {phone: label for label, phone in enumerate((p for p in PHONES if p not in chains), start=1)}
    tokens = tuple(tuple(single[part] for part in chains.get(phone, (phone,))) for phone in PHONES)
    return PhoneSet(symbols=PHONES, tokens=tokens, size=len(single) + 1, blank_id=0)


def chained(said: Sequence[str], seconds: float = 2.0) -> Report:
    """What is said of "a cheap child", planted in labels of single sounds."""
    backend = PlantedBackend(PHONES, said, phone_set=chained_phones(), certainty=0.95)
    return Assessor(backend=backend, scorer=ListeningScorer()).assess(recording(seconds), "a cheap child")


CHEAP_CHILD = "AH CH IY P CH AY L D".split()


def test_phones_of_several_labels_go_all_the_way():
    report = chained(CHEAP_CHILD)
    assert symbols(report.words) == CHEAP_CHILD
    assert report.mispronunciations == ()
    phones = [phone for word in report.words for phone in word.phonemes]
    assert all(phone.score is not None and phone.score > 90 for phone in phones)
    starts = [phone.start_s for phone in phones]
    assert starts == sorted(starts)
    for place, phone in enumerate(phones):  # each in its eighth of the middle eight tenths
        assert phone.start_s is not None
        assert phone.end_s is not None
        middle = (phone.start_s + phone.end_s) / 2
        assert middle == pytest.approx(0.2 + 1.6 * (place + 0.5) / 8, abs=0.12)


@pytest.mark.parametrize(("place", "instead"), [(1, "SH"), (4, "T"), (5, "IY"), (1, "JH"), (3, "B"), (7, "JH")])
def test_a_phone_said_as_another_is_named_among_chains(place: int, instead: str):
    said = [*CHEAP_CHILD[:place], instead, *CHEAP_CHILD[place + 1 :]]
    report = chained(said)
    found = [(one.expected, one.actual, one.type) for one in report.mispronunciations]
    assert found == [(CHEAP_CHILD[place], instead, "substitution")]


def test_a_recording_with_fewer_frames_than_labels_is_refused():
    with pytest.raises(AlignmentError, match=r"the recording has 10 frames of 20 ms; the 8 phones of the text need"):
        chained(CHEAP_CHILD, seconds=0.2)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ConfigError, match="backend is 'embeded'"):
        Assessor(AssessorConfig(backend="embeded"))


@pytest.mark.parametrize("name", ["", "medium"])
def test_an_unknown_sensitivity_is_refused(name: str):
    with pytest.raises(ConfigError, match=f"sensitivity is '{name}'; expected one of low, normal, high"):
        assessor(SAID, sensitivity=name)


def test_the_detector_of_the_card_is_used_unless_another_is_given():
    backend = RatedBackend(PHONES, SAID)
    shipped = Assessor(backend=backend)
    assert shipped.detector == embedded_detector()
    assert list(shipped.detector.thresholds) == sorted(shipped.detector.thresholds, reverse=True)
    assert len(shipped.detector.weights) == 3
    assert shipped.scorer.name == "embedded"
    given = Assessor(backend=backend, scorer=ListeningScorer(), detector=DETECTOR)
    assert (given.detector, given.scorer.name) == (DETECTOR, "listening")
    assert given.assess(recording(3.0), TEXT).model.scorer == "listening 1"


def test_the_scorer_suits_the_backend_unless_the_settings_name_one(tmp_path: Path):
    rated, unrated = RatedBackend(PHONES, SAID), PlantedBackend(PHONES, SAID)
    assert (Assessor(backend=rated).scorer.name, Assessor(backend=unrated).scorer.name) == ("embedded", "unrated")
    assert Assessor(backend=rated).detector != Assessor(backend=unrated).detector
    report = Assessor(backend=unrated).assess(recording(3.0), TEXT)
    assert any("for any backend" in warning for warning in report.warnings)
    for stem in ("scorer", "scorer_unrated"):
        (tmp_path / stem).mkdir()
        for suffix in ("json", "onnx"):
            shutil.copy(asset_path(f"{stem}.{suffix}"), tmp_path / stem / f"scorer.{suffix}")
    config = AssessorConfig(scorer=str(tmp_path / "scorer_unrated"))
    own = Assessor(config, backend=rated).assess(recording(3.0), TEXT)
    assert own.model.scorer.startswith("scorer_unrated ")
    assert not any("for any backend" in warning for warning in own.warnings)
    with pytest.raises(ConfigError, match="learned to rely on ratings, and backend planted gives none"):
        Assessor(AssessorConfig(scorer=str(tmp_path / "scorer")), backend=unrated)


def test_likely_confusions_need_less_evidence_unless_they_are_switched_off():
    """Nothing but a faint sound, as much like a likely error as like an unlikely one, tells what was said."""
    learned, plain = assessor([]), assessor([], confusions=False)
    assert learned.prior is learned_prior()
    np.testing.assert_array_equal(plain.prior.said, flat_prior().said)
    np.testing.assert_array_equal(plain.prior.inserted, flat_prior().inserted)
    assert not np.allclose(learned.prior.said, plain.prior.said)

    class Mumbled(RatedBackend):
        """In place of TH of "think", S and M are equally loud."""

        def posteriors(self, audio: Audio) -> Posteriors:
            found = super().posteriors(audio)
            columns = [PHONES.index(phone) + 1 for phone in ("TH", "S", "M")]
            log_probs = found.log_probs.copy()
            at = found.log_probs.argmax(axis=1) == columns[0]
            log_probs[np.ix_(at, columns)] = np.log([1e-4, 0.45, 0.45]).astype(np.float32)
            return replace(found, log_probs=log_probs)

    def heard(confusions: bool) -> dict[str | None, float]:
        backend = Mumbled(PHONES, ["TH", "IH", "NG", "K"])
        config = AssessorConfig(confusions=confusions, nbest=40, variants=False)
        found = Assessor(config, backend=backend, scorer=ListeningScorer(), detector=DETECTOR)
        phone = found.assess(recording(1.0), "think").words[0].phonemes[0]
        return {item.phone: item.probability for item in phone.nbest}

    same = heard(False)
    assert same["S"] == pytest.approx(same["M"], abs=1e-3)
    likely = heard(True)
    assert likely["S"] > 5 * likely["M"]


# --- reports ---------------------------------------------------------------------------------------------------


def test_a_good_recording(good: Report):
    assert symbols(good.words) == SAID
    assert [word.word for word in good.words] == ["The", "black", "cat", "sat", "down"]
    assert good.mispronunciations == ()
    assert all(word.error is None for word in good.words)
    assert good.utterance.completeness == 100.0
    assert (good.schema_version, good.scale, good.language) == ("1", 100, "en-US")
    assert good.text == TEXT
    assert good.model.backend.startswith("planted")
    phones = [phone for word in good.words for phone in word.phonemes]
    assert all(phone.actual == phone.expected and phone.error is None for phone in phones)
    starts, ends = [phone.start_s for phone in phones], [phone.end_s for phone in phones]
    assert starts == sorted(starts)
    assert all(0 <= a < b <= 3.0 for a, b in zip(starts, ends, strict=True))
    assert [(word.start_s, word.end_s) for word in good.words] == [
        (word.phonemes[0].start_s, word.phonemes[-1].end_s) for word in good.words
    ]
    assert all(0 <= phone.score <= 100 for phone in phones)
    assert good.prosody is not None  # tones in place of phones have a rhythm; their pitch is beyond any voice's
    assert good.prosody.f0_mean_hz is None
    assert good.prosody.rhythm.npvi_v is not None
    assert good.prosody.final_expected == "fall"
    assert good.fluency is not None
    assert good.fluency.phonation_ratio == pytest.approx(1 - good.fluency.pause_ratio, abs=0.001)
    assert good.warnings == ()


def test_syllables_hold_the_phones_of_their_word(good: Report):
    for word in good.words:
        inside = [phone for syllable in word.syllables for phone in syllable.phones]
        assert inside == [phone.expected for phone in word.phonemes]
        assert len(word.syllables) == 1


def test_json_is_stable(good: Report):
    text = good.to_json()
    assert Report.from_json(text) == good
    assert assessor(SAID).assess(recording(3.0), TEXT).to_json() == text
    assert json.loads(text)["scale"] == 100


@pytest.mark.parametrize("place", [0, 3, 4, 7, 9, 12, 13, 14])
def test_a_planted_substitution_is_the_lowest_phone_and_named(place: int):
    report = assessor([*SAID[:place], "SH", *SAID[place + 1 :]]).assess(recording(3.0), TEXT)
    scores = [phone.score for word in report.words for phone in word.phonemes]
    assert int(np.argmin(scores)) == place
    assert len(report.mispronunciations) >= 1
    first = report.mispronunciations[0]
    assert (first.type, first.expected, first.actual) == ("substitution", SAID[place], "SH")
    word = report.words[first.word_index]
    assert word.phonemes[first.phone_index].expected == SAID[place]
    assert word.error == "mispronunciation"


def test_probabilities_of_mispronunciations_fall():
    wrong = [*SAID]
    wrong[3], wrong[13] = "SH", "OY"
    report = assessor(wrong).assess(recording(3.0), TEXT)
    stated = [item.probability for item in report.mispronunciations]
    assert len(stated) == 2
    assert stated == sorted(stated, reverse=True)
    assert {item.word for item in report.mispronunciations} == {"black", "down"}


class Dislikes(ListeningScorer):
    """Dislikes the phones of one word, too."""

    def __init__(self, word: int) -> None:
        self.word = word

    def score(self, features: Features) -> Scores:
        scores = super().score(features)
        is_bad = features.word_ids == self.word
        return replace(
            scores,
            phone=np.where(is_bad, 0.1, scores.phone),
            error_log_odds=np.where(is_bad, 3.0, scores.error_log_odds),
        )


def test_a_word_that_is_disliked_but_heard_was_said():
    found = assessor(SAID)
    found.scorer = Dislikes(4)
    report = found.assess(recording(3.0), TEXT)
    assert [word.error for word in report.words] == [None] * 4 + ["mispronunciation"]
    assert {phone.error for phone in report.words[4].phonemes} == {"distortion"}
    assert report.utterance.completeness == 100.0


def check_spoken(report: Report, said: list[str], seconds: float) -> None:
    """Every phone that was said is told, in order, and where it was said: evenly between a tenth and nine tenths."""
    told = [phone for word in report.words for phone in word.phonemes if phone.actual is not None]
    assert [phone.actual for phone in told] == said
    middles = (0.1 + 0.8 * (np.arange(len(said)) + 0.5) / len(said)) * seconds
    for phone, middle in zip(told, middles, strict=True):
        if phone.error != "insertion":
            assert phone.start_s <= middle <= phone.end_s
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("gone", [[0], [1], [3], [4], [0, 1], [3, 4], [1, 2]])
def test_words_that_are_skipped(gone: list[int]):
    """What is left is scored as if the text had been without them, times the share that was said."""
    said = flat([word for number, word in enumerate(WORDS) if number not in gone])
    report = assessor(said, variants=False).assess(recording(4.0), TEXT)
    assert [w.error for w in report.words] == ["omission" if n in gone else None for n in range(5)]
    check_spoken(report, said, 4.0)
    share = 1 - len(gone) / 5
    assert report.utterance.completeness == pytest.approx(100 * share)
    assert report.utterance.accuracy > 99.0
    assert report.utterance.total == pytest.approx(share * report.utterance.accuracy, abs=0.1)
    assert report.mispronunciations == ()
    words = [word for number, word in enumerate(TEXT.split()) if number not in gone]
    alone = assessor(said, variants=False).assess(recording(4.0), " ".join(words))
    for ours, theirs in zip([w for w in report.words if w.error is None], alone.words, strict=True):
        assert replace(ours, text_index=0, word="") == replace(theirs, text_index=0, word="")
    assert f"only {len(words)} of 5 words of the text were heard" in report.warnings


@pytest.mark.parametrize("again", range(5))
def test_a_word_that_is_said_twice(again: int):
    said = flat([*WORDS[: again + 1], *WORDS[again:]])
    report = assessor(said, variants=False).assess(recording(4.0), TEXT)
    names = [word.rstrip(".") for word in TEXT.split()]
    errors = [(word.word, word.text_index, word.error) for word in report.words]
    expected = [(name, number, None) for number, name in enumerate(names)]
    expected.insert(again, (names[again], None, "repetition"))
    assert errors == expected
    check_spoken(report, said, 4.0)
    assert report.utterance.completeness == 100.0
    assert report.utterance.accuracy > 99.0
    assert report.mispronunciations == ()


def test_a_part_that_is_said_twice():
    said = flat([*WORDS[:3], *WORDS[1:]])
    report = assessor(said, variants=False).assess(recording(5.0), TEXT)
    assert [(word.word, word.error) for word in report.words] == [
        ("The", None),
        ("black", "repetition"),
        ("cat", "repetition"),
        ("black", None),
        ("cat", None),
        ("sat", None),
        ("down", None),
    ]
    check_spoken(report, said, 5.0)


@pytest.mark.parametrize("place", range(6))
def test_a_word_that_is_inserted(place: int):
    """At every place, the ends included."""
    said = flat([*WORDS[:place], ["F", "IY", "SH", "IH", "NG"], *WORDS[place:]])
    report = assessor(said, variants=False).assess(recording(5.0), TEXT)
    assert [word.error for word in report.words] == [None] * place + ["insertion"] + [None] * (5 - place)
    extra = report.words[place]
    assert (extra.word, extra.text_index, extra.total) == ("/fiʃɪŋ/", None, None)
    check_spoken(report, said, 5.0)
    assert report.utterance.accuracy > 99.0
    assert any(warning.endswith("not of the text were left out of the scores") for warning in report.warnings)


def test_a_word_that_is_begun_and_said_again():
    said = flat([WORDS[0], ["B", "L", "AE"], *WORDS[1:]])
    report = assessor(said, variants=False).assess(recording(4.0), TEXT)
    assert [(word.word, word.error) for word in report.words[:3]] == [
        ("The", None),
        ("black", "restart"),
        ("black", None),
    ]
    check_spoken(report, said, 4.0)


def test_a_word_that_is_broken_off_for_good():
    said = [*SAID[:12], "D"]
    report = assessor(said, variants=False).assess(recording(4.0), TEXT)
    assert [word.error for word in report.words] == [None] * 4 + ["truncation"]
    assert [phone.error for phone in report.words[4].phonemes] == [None, "deletion", "deletion"]
    assert report.utterance.completeness == 100.0


def test_a_phone_that_is_added_inside_a_word():
    said = [*SAID[:4], "AH", *SAID[4:]]
    report = assessor(said, variants=False).assess(recording(4.0), TEXT)
    black = report.words[1]
    assert [(phone.expected, phone.actual) for phone in black.phonemes][:4] == [
        ("B", "B"), ("L", "L"), (None, "AH"), ("AE", "AE"),
    ]  # fmt: skip
    (item,) = [item for item in report.mispronunciations if item.type == "insertion"]
    assert (item.word_index, item.phone_index, item.actual) == (1, 2, "AH")
    check_spoken(report, said, 4.0)


@pytest.mark.parametrize(("sensitivity", "flagged"), [("low", False), ("normal", True), ("high", True)])
def test_the_sensitivity_of_the_settings_is_used(sensitivity: str, flagged: bool):
    found = assessor(SAID, sensitivity=sensitivity)

    class Doubts(ListeningScorer):
        def score(self, features: Features) -> Scores:
            scores = super().score(features)
            odds = np.where(np.arange(len(SAID)) == 4, np.log(0.6 / 0.4), scores.error_log_odds)
            return replace(scores, error_log_odds=odds)

    found.scorer = Doubts()
    phone = found.assess(recording(3.0), TEXT).words[1].phonemes[2]
    assert phone.probability == pytest.approx(0.6, abs=1e-4)
    assert (phone.error is not None, phone.is_unsure) == (flagged, not flagged)


def test_frames_are_cut_out_of_posteriors_ratings_and_samples():
    audio = recording(1.01)  # the last frame is cut short
    posteriors = RatedBackend(PHONES, ["S"]).posteriors(audio)
    frames = len(posteriors.log_probs)
    same, whole = cut(posteriors, audio, np.arange(frames))
    assert (same, whole) == (posteriors, audio)
    kept = np.array([3, 4, 10, frames - 1])
    heard, rest = cut(posteriors, audio, kept)
    np.testing.assert_array_equal(heard.log_probs, posteriors.log_probs[kept])
    np.testing.assert_array_equal(heard.ratings, posteriors.ratings[kept])
    hop = 320
    assert len(rest.samples) == len(kept) * hop
    for place, frame in enumerate(kept[:3]):
        np.testing.assert_array_equal(
            rest.samples[place * hop : (place + 1) * hop], audio.samples[frame * hop : (frame + 1) * hop]
        )
    last = audio.samples[(frames - 1) * hop : frames * hop]
    np.testing.assert_array_equal(rest.samples[-hop:][: len(last)], last)
    unrated = cut(replace(posteriors, ratings=None), audio, kept)[0]
    assert unrated.ratings is None


@pytest.mark.parametrize(("scale", "digits"), [(1, 3), (10, 2)])
def test_scales_differ_by_their_factor(good: Report, scale: int, digits: int):
    found = assessor(SAID, scale=scale).assess(recording(3.0), TEXT)
    assert found.scale == scale
    for name in ("accuracy", "fluency", "completeness", "total"):
        value, whole = getattr(found.utterance, name), getattr(good.utterance, name)
        assert value == pytest.approx(whole * scale / 100, abs=scale * 0.00101)
        assert value == round(value, digits)
    for ours, theirs in zip(found.words, good.words, strict=True):
        assert ours.accuracy == pytest.approx(theirs.accuracy * scale / 100, abs=scale * 0.00101)


@pytest.mark.parametrize("nbest", [1, 3, 40])
def test_as_many_candidates_as_asked_for(nbest: int):
    report = assessor(SAID, nbest=nbest).assess(recording(3.0), TEXT)
    for word in report.words:
        for phone in word.phonemes:
            assert len(phone.nbest) == nbest
            assert sum(item.probability for item in phone.nbest) <= 1 + 40 * 5e-5  # each rounded to 4 digits


@pytest.mark.parametrize(("text", "said"), [("a", "AH"), ("Oh!", "OW"), ("cat", "K AE T")])
def test_texts_of_one_word_and_one_phone(text: str, said: str):
    report = assessor(said.split()).assess(recording(1.0), text)
    assert symbols(report.words) == said.split()
    assert report.words[0].error is None
    assert Report.from_json(report.to_json()) == report


def test_a_long_text():
    text = " ".join(["the black cat sat down"] * 6)
    report = assessor(SAID * 6).assess(recording(12.0), text)
    assert len(report.words) == 30
    assert report.mispronunciations == ()


def test_a_long_text_of_which_only_the_beginning_was_read():
    report = assessor(SAID).assess(recording(30.0), f"{TEXT} {' '.join(['We want more money for our zoo.'] * 20)}")
    assert [word.error for word in report.words] == [None] * 5 + ["omission"] * 140


def test_a_long_text_of_which_nothing_was_read():
    check_unscored(assessor([]).assess(recording(30.0), " ".join([TEXT] * 30)))


def test_a_text_for_which_other_speech_leaves_no_frames_is_not_scored():
    said = [phone.symbol for phone in phonemize("my father drives a red car down the road and up").phones]
    check_unscored(assessor(said).assess(recording(1.2), "extraordinary"))


def test_given_pronunciations_fix_what_is_right():
    report = assessor(["S", "IH", "NG", "K"]).assess(recording(1.0), "think", pronunciations=[["S", "IH1", "NG", "K"]])
    assert symbols(report.words) == ["S", "IH", "NG", "K"]
    assert report.mispronunciations == ()


def test_variants_can_be_switched_off():
    said = ["AY", "DH", "ER"]
    assert symbols(assessor(said).assess(recording(1.0), "either").words) == said
    assert symbols(assessor(said, variants=False).assess(recording(1.0), "either").words) == ["IY", "DH", "ER"]


def test_what_cannot_be_assessed_is_refused():
    with pytest.raises(AlignmentError, match=r"the recording has \d+ frames of 20 ms; the 15 phones of the text need"):
        assessor(SAID, variants=False).assess(recording(0.2), TEXT)
    with pytest.raises(TextError):
        assessor(SAID).assess(recording(1.0), "  ")


def check_unscored(report: Report) -> str:
    """Nothing is scored; returns the reason."""
    assert {report.utterance.total, report.utterance.accuracy, report.utterance.completeness, report.fluency} == {None}
    assert all(word.total is None and word.error is None and word.text_index is not None for word in report.words)
    assert all(phone.score is None and phone.error is None for word in report.words for phone in word.phonemes)
    assert report.mispronunciations == ()
    assert Report.from_json(report.to_json()) == report
    (reason,) = [warning for warning in report.warnings if "nothing is scored" in warning]
    return reason


def test_another_text_than_the_one_that_was_said_is_not_scored():
    reason = check_unscored(assessor(SAID).assess(recording(3.0), "Please give my money to someone."))
    assert reason.startswith(("hardly any", "the recording does not fit", "the recording sounds like noise"))


@pytest.mark.parametrize("certainty", [0.9, 0.9999])
def test_a_recording_in_which_nothing_is_said_is_not_scored(certainty: float):
    report = assessor([], certainty).assess(recording(3.0), TEXT)
    reason = check_unscored(report)
    heard_sounds, sounds = map(int, re.findall(r"\d+", reason))
    assert (heard_sounds, sounds) == (0, len(symbols(report.words)))
    assert reason.startswith("hardly any of the text was heard (0 of")


def test_half_of_a_text_is_scored():
    report = assessor(SAID[:9]).assess(recording(3.0), TEXT)
    assert [word.error for word in report.words] == [None] * 3 + ["omission"] * 2
    assert report.utterance.total is not None


def test_warnings_name_what_makes_scores_less_certain():
    loud = recording(3.0)
    poor = replace(loud, quality=replace(loud.quality, clipped=0.02, rms_db=-50.0, snr_db=4.0))
    warnings = assessor(["B", "L", "AE", "K"]).assess(poor, "blorptangle").warnings
    for start in ("audio is clipped (2.0% of samples)", "audio is faint (-50 dB)", "audio is noisy (about 4 dB"):
        assert any(warning.startswith(start) for warning in warnings), start
    assert "not in the lexicon, pronunciation guessed: blorptangle" in warnings
