"""The pipeline on planted posteriors: what was planted is what the report says."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.diagnosis import Detector
from elocute.errors import AlignmentError, ConfigError, TextError
from elocute.phones import PHONES, phonemize
from elocute.report import Report, WordReport
from elocute.scorer import Features
from elocute.scorer.embedded import EmbeddedScorer, Scores
from planted import RatedBackend, recording

TEXT = "The black cat sat down."
SAID = ["DH", "AH", "B", "L", "AE", "K", "K", "AE", "T", "S", "AE", "T", "D", "AW", "N"]


def assessor(said: list[str], scale: int = 100, variants: bool = True, nbest: int = 5) -> Assessor:
    config = AssessorConfig(scale=scale, variants=variants, nbest=nbest)
    found = Assessor(config, backend=RatedBackend(PHONES, said))
    # What is tested is how the steps are joined, so the operating point is fixed; that of the card moves with training.
    found.detector = Detector(bias=5.0, weights=(-8.0, 0.0, -1.0, 0.0, 0.0), threshold=0.5, omission_nats_per_phone=2.0)
    return found


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


def test_a_backend_of_several_labels_a_phone_is_refused():
    backend = RatedBackend(PHONES, [])
    spelled = tuple((*tokens, 40) for tokens in backend.phone_set.tokens)
    backend.phone_set = replace(backend.phone_set, tokens=spelled, size=41)
    assert len(backend.phone_set.symbols) == 39
    with pytest.raises(ConfigError, match=r"backend planted .* one label each"):
        Assessor(backend=backend)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ConfigError, match="backend is 'embeded'"):
        Assessor(AssessorConfig(backend="embeded"))


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
    assert good.prosody is None
    assert any(warning.startswith("pitch and rhythm are not measured") for warning in good.warnings)


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
    assert len(stated) >= 2
    assert stated == sorted(stated, reverse=True)
    assert {item.word for item in report.mispronunciations} == {"black", "down"}


class Dislikes:
    """A scorer that dislikes the phones of one word; whether the shipped one does moves with training, too."""

    def __init__(self, scorer: EmbeddedScorer, word: int) -> None:
        self.name, self.version = scorer.name, scorer.version
        self.scorer, self.word = scorer, word

    def score(self, features: Features) -> Scores:
        scores = self.scorer.score(features)
        return replace(scores, phone=np.where(features.word_ids == self.word, 0.1, scores.phone))


def test_a_word_that_is_disliked_but_heard_was_said():
    found = assessor(SAID)
    found.scorer = Dislikes(found.scorer, 4)
    report = found.assess(recording(3.0), TEXT)
    assert report.words[4].error == "mispronunciation"
    assert report.utterance.completeness == 100.0


def test_a_word_left_out(good: Report):
    found = assessor(SAID[:12])
    found.scorer = Dislikes(found.scorer, 4)
    report = found.assess(recording(3.0), TEXT)
    word = report.words[4]
    assert [w.error for w in report.words] == [None, None, None, None, "omission"]
    assert (word.accuracy, word.total, word.stress, word.start_s, word.end_s) == (0.0, 0.0, None, None, None)
    for phone in word.phonemes:
        assert (phone.start_s, phone.end_s, phone.score, phone.actual, phone.error) == (
            None, None, 0.0, None, "deletion",
        )  # fmt: skip
    assert report.utterance.completeness == 80.0
    assert not any(item.word == "down" for item in report.mispronunciations)
    assert report.fluency.wcpm < good.fluency.wcpm


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


def test_given_pronunciations_fix_what_is_right():
    report = assessor(["S", "IH", "NG", "K"]).assess(recording(1.0), "think", pronunciations=[["S", "IH1", "NG", "K"]])
    assert symbols(report.words) == ["S", "IH", "NG", "K"]
    assert report.mispronunciations == ()


def test_variants_can_be_switched_off():
    said = ["AY", "DH", "ER"]
    assert symbols(assessor(said).assess(recording(1.0), "either").words) == said
    assert symbols(assessor(said, variants=False).assess(recording(1.0), "either").words) == ["IY", "DH", "ER"]


def test_what_cannot_be_assessed_is_refused():
    with pytest.raises(AlignmentError, match=r"the recording has \d+ frames; its 15 phones need at least"):
        assessor(SAID, variants=False).assess(recording(0.2), TEXT)
    with pytest.raises(TextError):
        assessor(SAID).assess(recording(1.0), "  ")


def test_another_text_than_the_one_that_was_said_is_not_scored(good: Report):
    report = assessor(SAID).assess(recording(3.0), "Please give my money to someone.")
    (found,) = [warning for warning in report.warnings if warning.startswith("hardly any of the text was heard")]
    assert {report.utterance.total, report.utterance.accuracy, report.utterance.completeness, report.fluency} == {None}
    assert all(word.total is None and word.error is None for word in report.words)
    assert all(phone.score is None and phone.error is None for word in report.words for phone in word.phonemes)
    assert report.mispronunciations == ()
    heard_sounds, sounds = map(int, re.findall(r"\d+", found))
    assert heard_sounds < sounds / 5
    assert sounds == len(phonemize("Please give my money to someone.").phones)
    assert not any(warning.startswith("hardly any") for warning in good.warnings)
    half = assessor(SAID[:9]).assess(recording(3.0), TEXT)
    assert not any(warning.startswith("hardly any") for warning in half.warnings)


def test_warnings_name_what_makes_scores_less_certain():
    loud = recording(3.0)
    poor = replace(loud, quality=replace(loud.quality, clipped=0.02, rms_db=-50.0, snr_db=4.0))
    warnings = assessor(["B", "L", "AE", "K"]).assess(poor, "blorptangle").warnings
    for start in ("audio is clipped (2.0% of samples)", "audio is faint (-50 dB)", "audio is noisy (about 4 dB"):
        assert any(warning.startswith(start) for warning in warnings), start
    assert "not in the lexicon, pronunciation guessed: blorptangle" in warnings
