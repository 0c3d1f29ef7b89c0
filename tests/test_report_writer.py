"""The report: what the steps found is told word by word, in time order, and at the times of the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from elocute.assessor import cut
from elocute.diagnosis import Detector, Inserted, diagnose
from elocute.finding import Finding
from elocute.gop import EditPrior, Extra, Reading, said_posterior
from elocute.gop.match import CERTAIN_TEXT, REFUSED_BELOW, SURE_SPEECH, SURE_TEXT, Evidence, Match
from elocute.phones import PHONES, phonemize
from elocute.prosody import measure_prosody
from elocute.prosody.pitch import AutocorrelationTracker
from elocute.report import PhoneReport, Report, WordReport
from elocute.report_writer import write_report
from elocute.scorer import analyse
from elocute.types import Posteriors
from planted import ListeningScorer, RatedBackend, rated, recording

TEXT = "The black cat sat down."
WORDS = [["DH", "AH"], ["B", "L", "AE", "K"], ["K", "AE", "T"], ["S", "AE", "T"], ["D", "AW", "N"]]
SAID = [phone for word in WORDS for phone in word]
DETECTOR = Detector(bias=0.0, weights=(1.0, 0.0, 0.0), thresholds=(0.8, 0.5, 0.3, 0.1))
SHIFT = 0.02
CLEAR = Evidence(surely=1.0, rate=0.2, heard=1.0, price=0.1, own=1.0, share=1.0, replaced=0.0, beside=0.0)
FITS = Match(heard=np.ones(len(SAID), dtype=bool), speech=1.0, text=1.0, evidence=CLEAR)


def reading(*extras: Extra, skipped: Sequence[int] = (), truncated: Sequence[int] = ()) -> Reading:
    return Reading(skipped=tuple(skipped), truncated=tuple(truncated), extras=extras, price=0.0)


def extra(kind: str, word: int | None, phones: Sequence[str], start: int, end: int) -> Extra:
    return Extra(
        kind=kind,
        before_word=word or 0,
        word=word,
        phones=tuple(PHONES.index(phone) for phone in phones),
        start=start,
        end=end,
    )


def spoken_at(frames: int, *runs: tuple[str, int, int]) -> Posteriors:
    """Posteriors in which each phone is heard in its frames, and nothing elsewhere."""
    spoken = np.zeros(frames, dtype=np.int64)
    for symbol, start, end in runs:
        spoken[start:end] = PHONES.index(symbol) + 1
    probs = np.full((frames, len(PHONES) + 1), 1e-5)
    probs[np.arange(frames), spoken] = 1 - 39e-5
    phone_set = RatedBackend(PHONES, []).phone_set
    return rated(Posteriors(log_probs=np.log(probs).astype(np.float32), frame_shift_s=SHIFT, phone_set=phone_set))


def evenly(said: Sequence[str], seconds: float = 4.0) -> Posteriors:
    return RatedBackend(PHONES, said, certainty=0.9999).posteriors(recording(seconds))


def runs_of(posteriors: Posteriors) -> list[tuple[str, int, int]]:
    """What is heard, with its frames."""
    best = posteriors.log_probs.argmax(axis=1)
    edges = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
    return [(PHONES[best[a] - 1], a, b) for a, b in zip(edges, edges[1:], strict=False) if best[a]]


def finding(
    posteriors: Posteriors, read: Reading | None = None, spoken: Sequence[int] = range(5), **changes: object
) -> Finding:
    """What would be found if the text was read like this."""
    read = read or reading()
    canonical = phonemize(TEXT)
    audio = recording(len(posteriors.log_probs) * SHIFT)
    kept = read.kept_frames(len(posteriors.log_probs))
    heard, rest = cut(posteriors, audio, kept)
    words = [canonical.words[number] for number in spoken]
    symbols = [phone.symbol for word in words for phone in word.phones]
    analysis = analyse(heard, symbols, [k for k, word in enumerate(words) for _ in word.phones], rest)
    scores = ListeningScorer().score(analysis.features)
    phone_ids = analysis.features.phone_ids
    said = said_posterior(heard.log_probs, phone_ids, heard.phone_set, EditPrior.flat(len(PHONES)))
    pitch = AutocorrelationTracker().track(rest)
    facts: dict[str, object] = {
        "recording": audio,
        "canonical": canonical,
        "reading": read,
        "frames": kept,
        "frame_shift_s": SHIFT,
        "spoken": tuple(spoken),
        "analysis": analysis,
        "prosody": measure_prosody(rest, pitch, analysis.times, canonical, spoken),
        "scores": scores,
        "diagnosis": diagnose(
            said, phone_ids, scores.phone, scores.error_log_odds, analysis.features.word_ids, PHONES, DETECTOR
        ),
        "doubts": np.linspace(0.0, 1.0, len(SAID)),
        "match": FITS,
        "symbols": PHONES,
    }
    return Finding(**(facts | changes))  # type: ignore[arg-type]


def written(found: Finding, scale: int = 100, scorer: str = "listening 1") -> Report:
    """The report, which survives its JSON."""
    report = write_report(found, scale=scale, backend="planted 1", scorer=scorer)
    assert Report.from_json(report.to_json()) == report
    assert [word.text_index for word in report.text_words] == list(range(5))
    for item in report.mispronunciations:
        word = report.words[item.word_index]
        phone = word.phonemes[item.phone_index]
        assert (word.word, phone.expected, phone.actual) == (item.word, item.expected, item.actual)
        assert (phone.error, phone.probability) == (item.type, item.probability)
    return report


def names(report: Report) -> list[tuple[str, str | None]]:
    return [(word.word, word.error) for word in report.words]


def phones_of(word: WordReport) -> list[tuple[str | None, str | None]]:
    return [(phone.expected, phone.actual) for phone in word.phonemes]


def check_times(report: Report, posteriors: Posteriors) -> None:
    """What is said in the report is what is heard in the recording, one after the other and at its times."""
    said: list[PhoneReport] = [phone for word in report.words for phone in word.phonemes if phone.actual is not None]
    runs = runs_of(posteriors)
    assert [phone.actual for phone in said] == [symbol for symbol, _, _ in runs]
    for phone, (_, start, end) in zip(said, runs, strict=True):
        if phone.error == "insertion":  # only its begin is known
            assert phone.start_s == pytest.approx(start * SHIFT, abs=2 * SHIFT)
        else:
            assert phone.start_s is not None
            assert phone.end_s is not None
            assert phone.start_s <= (start + end) / 2 * SHIFT <= phone.end_s
    timed = [word for word in report.words if word.start_s is not None]
    for before, after in zip(timed, timed[1:], strict=False):
        assert before.end_s <= after.start_s + 1e-9
    for word in timed:
        inside = [phone for phone in word.phonemes if phone.start_s is not None]
        assert word.start_s == min(phone.start_s for phone in inside)
        assert word.end_s == max(phone.end_s for phone in inside)


# --- words of the text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 10, 100])
def test_a_text_that_was_said(scale: int):
    posteriors = evenly(SAID)
    report = written(finding(posteriors), scale)
    assert names(report) == [(word, None) for word in ("The", "black", "cat", "sat", "down")]
    check_times(report, posteriors)
    assert report.utterance.completeness == scale
    assert report.utterance.total == pytest.approx(scale, abs=0.01 * scale)
    assert report.mispronunciations == ()
    assert [warning for warning in report.warnings if "pitch and rhythm" not in warning] == []


def test_words_that_were_left_out_have_no_times_and_score_nothing():
    posteriors = evenly([*WORDS[0], *WORDS[2], *WORDS[3]])
    found = finding(posteriors, reading(skipped=[1, 4]), spoken=[0, 2, 3])
    report = written(found)
    assert names(report) == [("The", None), ("black", "omission"), ("cat", None), ("sat", None), ("down", "omission")]
    check_times(report, posteriors)
    for index, first in ((1, 2), (4, 12)):
        word = report.words[index]
        assert (word.start_s, word.end_s, word.accuracy, word.stress, word.total) == (None, None, 0.0, None, 0.0)
        assert [syllable.score for syllable in word.syllables] == [0.0]
        for place, phone in enumerate(word.phonemes):
            assert (phone.start_s, phone.end_s, phone.score, phone.actual) == (None, None, 0.0, None)
            assert (phone.error, phone.is_unsure) == ("deletion", False)
            assert phone.probability == pytest.approx(found.doubts[first + place], abs=1e-4)
            assert [(item.phone, item.probability) for item in phone.nbest] == [(None, 1.0)]
    assert report.mispronunciations == ()  # a word left out is one error, not one for each phone
    assert report.utterance.completeness == 60.0
    assert report.utterance.total == pytest.approx(0.6 * 100 * found.scores.total, abs=0.1)
    assert report.utterance.accuracy == pytest.approx(100 * found.scores.accuracy, abs=0.1)
    assert "only 3 of 5 words of the text were heard" in report.warnings


def test_words_read_right_are_counted_without_those_left_out_and_those_said_wrong():
    """Words a minute of the same recording, of five words, of four, and of four of which one is wrong."""
    whole = evenly([*SAID[:12]])
    four = written(finding(whole, spoken=range(4))).fluency
    wrong = written(finding(evenly(["DH", "AH", "B", "L", "OY", *SAID[5:12]]), spoken=range(4)))
    assert [word.error for word in wrong.words] == [None, "mispronunciation", None, None, "omission"]
    assert wrong.fluency.wcpm == pytest.approx(four.wcpm * 3 / 4, rel=0.01)
    assert wrong.fluency.speech_rate_syl_s == four.speech_rate_syl_s


def test_a_word_that_was_broken_off():
    posteriors = evenly([*SAID[:12], "D"])
    report = written(finding(posteriors, reading(truncated=[4])))
    assert names(report)[-1] == ("down", "truncation")
    assert phones_of(report.words[4]) == [("D", "D"), ("AW", None), ("N", None)]
    assert [(item.word, item.type) for item in report.mispronunciations] == [("down", "deletion")] * 2
    assert report.utterance.completeness == 100.0


def test_a_word_that_sounded_like_another_is_mispronounced_though_no_phone_is_flagged():
    """Its number is that among the words that were said."""
    posteriors = evenly([*WORDS[0], *SAID[6:]])
    found = finding(posteriors, reading(skipped=[1]), spoken=[0, 2, 3, 4])
    found = replace(found, diagnosis=replace(found.diagnosis, misread=(False, True, False, False)))
    report = written(found)
    assert [word.error for word in report.words] == [None, "omission", "mispronunciation", None, None]
    assert report.mispronunciations == ()
    broken = written(replace(found, reading=reading(skipped=[1], truncated=[2])))
    assert broken.words[2].error == "truncation"


# --- speech beside the text ------------------------------------------------------------------------------------


def test_a_word_said_twice_has_an_entry_of_its_own_and_later_words_keep_their_times():
    posteriors = evenly([*WORDS[0], *WORDS[1], *SAID[2:]])
    runs = runs_of(posteriors)
    read = reading(extra("repetition", 1, WORDS[1], runs[2][1], runs[5][2]))
    report = written(finding(posteriors, read))
    assert names(report) == [
        ("The", None),
        ("black", "repetition"),
        ("black", None),
        ("cat", None),
        ("sat", None),
        ("down", None),
    ]
    check_times(report, posteriors)
    again = report.words[1]
    assert (again.start_s, again.end_s) == pytest.approx((runs[2][1] * SHIFT, runs[5][2] * SHIFT))
    assert (again.text_index, again.accuracy, again.stress, again.total, again.variant) == (None,) * 5
    assert again.syllables == ()
    for phone, symbol in zip(again.phonemes, WORDS[1], strict=True):
        assert (phone.expected, phone.actual, phone.error, phone.score) == (None, symbol, None, None)
    assert report.mispronunciations == ()
    assert report.utterance.completeness == 100.0
    assert not any("not of the text" in warning for warning in report.warnings)


def test_extras_of_all_kinds_stand_in_time_order():
    """Before the first word, between, two in a row, and after the last."""
    said = ["F", "IY", "SH", *WORDS[0], "B", "L", *WORDS[1], *WORDS[2], "S", "EY", *SAID[6:], "G", "OW"]
    posteriors = evenly(said, 6.0)
    runs = runs_of(posteriors)

    def from_to(first: int, last: int) -> tuple[int, int]:
        return runs[first][1], runs[last][2]

    read = reading(
        extra("insertion", None, ["F", "IY", "SH"], *from_to(0, 2)),
        extra("restart", 1, ["B", "L"], *from_to(5, 6)),
        extra("repetition", 2, WORDS[2], *from_to(11, 13)),
        extra("insertion", None, ["S", "EY"], *from_to(14, 15)),
        extra("insertion", None, ["G", "OW"], *from_to(25, 26)),
    )
    report = written(finding(posteriors, read))
    assert names(report) == [
        ("/fiʃ/", "insertion"),
        ("The", None),
        ("black", "restart"),
        ("black", None),
        ("cat", "repetition"),
        ("/seɪ/", "insertion"),
        ("cat", None),
        ("sat", None),
        ("down", None),
        ("/ɡoʊ/", "insertion"),
    ]
    check_times(report, posteriors)
    beside = [word for word in report.words if word.error == "insertion"]
    assert all(word.text_index is None and word.total is None for word in beside)
    seconds = sum(end - start for start, end in (from_to(0, 2), from_to(14, 15), from_to(25, 26))) * SHIFT
    (warning,) = [warning for warning in report.warnings if "not of the text" in warning]
    assert warning.startswith(f"{seconds:.1f} s of speech")


def test_extras_beside_words_that_were_left_out():
    said = [*WORDS[0], "F", "IY", "SH", *WORDS[3], *WORDS[4]]
    posteriors = evenly(said)
    runs = runs_of(posteriors)
    read = reading(extra("insertion", None, ["F", "IY", "SH"], runs[2][1], runs[4][2]), skipped=[1, 2])
    report = written(finding(posteriors, read, spoken=[0, 3, 4]))
    check_times(report, posteriors)
    assert {word.error for word in report.words[1:4]} == {"omission", "insertion"}
    assert report.utterance.completeness == 60.0


@pytest.mark.parametrize("pause", [0, 5, 60])
@pytest.mark.parametrize("other_pause", [0, 5, 60])
def test_a_phone_beside_extra_speech_is_on_the_side_on_which_it_was_heard(pause: int, other_pause: int):
    """However long the silences before and after the extra speech: what meets half way, meets in what is left."""
    at, runs = 10, []
    for symbol in SAID:
        if symbol == "B":
            at += pause
            runs += [("F", at, at + 4), ("IY", at + 6, at + 10)]
            at += 12 + other_pause
        runs.append((symbol, at, at + 4))
        at += 6
    posteriors = spoken_at(at + 10, *runs)
    begin = next(start for symbol, start, _ in runs if symbol == "F")
    report = written(finding(posteriors, reading(extra("insertion", None, ["F", "IY"], begin, begin + 10))))
    assert names(report)[:3] == [("The", None), ("/fi/", "insertion"), ("black", None)]
    check_times(report, posteriors)
    the, beside, black = report.words[:3]
    assert the.end_s <= beside.start_s == pytest.approx(begin * SHIFT)
    assert beside.end_s == pytest.approx((begin + 10) * SHIFT)
    assert black.start_s >= beside.end_s


def test_a_phone_between_two_extras_stays_between_them():
    at, runs = 10, []
    for symbol in ["F", "IY", "DH", "AH", "G", "OW", *SAID[2:]]:
        runs.append((symbol, at, at + 4))
        at += 6
    posteriors = spoken_at(at + 10, *runs)
    read = reading(extra("insertion", None, ["F", "IY"], 10, 20), extra("insertion", None, ["G", "OW"], 34, 44))
    report = written(finding(posteriors, read))
    assert [word.word for word in report.words[:4]] == ["/fi/", "The", "/ɡoʊ/", "black"]
    check_times(report, posteriors)


# --- phones that were added ------------------------------------------------------------------------------------


def with_inserted(found: Finding, *inserted: Inserted) -> Finding:
    return replace(found, diagnosis=replace(found.diagnosis, inserted=inserted))


def added(gap: int, phone: str, frame: int, probability: float = 0.9) -> Inserted:
    return Inserted(gap=gap, phone=phone, probability=probability, frame=frame)


def test_added_phones_stand_in_their_words_at_their_places():
    """At the very beginning, inside, at a word's end (where it belongs to the word before), and at the very end."""
    posteriors = evenly(SAID)
    runs = runs_of(posteriors)
    found = with_inserted(
        finding(posteriors),
        added(0, "OY", runs[0][1] - 5),
        added(3, "AH", runs[3][1] - 3, 0.8),
        added(4, "UH", runs[4][1] - 3),
        added(6, "IY", runs[6][1] - 3, 0.99),
        added(15, "SH", runs[14][2] + 1),
    )
    report = written(found)
    assert [phones_of(word) for word in report.words] == [
        [(None, "OY"), ("DH", "DH"), ("AH", "AH")],
        [("B", "B"), (None, "AH"), ("L", "L"), (None, "UH"), ("AE", "AE"), ("K", "K"), (None, "IY")],
        [("K", "K"), ("AE", "AE"), ("T", "T")],
        [("S", "S"), ("AE", "AE"), ("T", "T")],
        [("D", "D"), ("AW", "AW"), ("N", "N"), (None, "SH")],
    ]
    assert [word.error for word in report.words] == ["mispronunciation"] * 2 + [None] * 2 + ["mispronunciation"]
    assert [(item.actual, item.word_index, item.phone_index) for item in report.mispronunciations] == [
        ("IY", 1, 6),
        ("OY", 0, 0),
        ("UH", 1, 3),
        ("SH", 4, 3),
        ("AH", 1, 1),
    ]
    for word in report.words:
        assert [syllable.phones for syllable in word.syllables] == [tuple(WORDS[word.text_index])]
        for phone in word.phonemes:
            if phone.expected is None:
                assert (phone.error, phone.score, phone.is_unsure) == ("insertion", None, False)
                assert [(item.phone, item.probability) for item in phone.nbest] == [(phone.actual, phone.probability)]
    assert report.words[1].phonemes[1].start_s == pytest.approx((runs[3][1] - 3) * SHIFT)


def test_two_phones_added_in_one_place_by_turns_of_gap_and_word():
    """Gaps are counted among the words that were said: with a word left out, they still meet the right one."""
    posteriors = evenly([*WORDS[0], *WORDS[2], *WORDS[3], *WORDS[4]])
    runs = runs_of(posteriors)
    found = finding(posteriors, reading(skipped=[1]), spoken=[0, 2, 3, 4])
    report = written(with_inserted(found, added(4, "AH", runs[4][1] - 2), added(5, "IY", runs[5][1] - 2)))
    assert phones_of(report.words[2]) == [("K", "K"), ("AE", "AE"), (None, "AH"), ("T", "T"), (None, "IY")]
    assert [(item.word_index, item.phone_index) for item in report.mispronunciations] == [(2, 2), (2, 4)]


def test_an_added_phone_after_extra_speech_has_the_time_of_the_recording_and_its_index_counts_the_extra():
    posteriors = evenly([*WORDS[0], *WORDS[1], *SAID[2:]])
    runs = runs_of(posteriors)
    first, behind = runs[2][1], runs[5][2]
    read = reading(extra("repetition", 1, WORDS[1], first, behind))
    frame = runs[11][1] + 1  # inside "cat", in the recording
    report = written(with_inserted(finding(posteriors, read), added(7, "OY", frame - (behind - first))))
    (item,) = report.mispronunciations
    assert (item.word, item.word_index, item.phone_index, item.actual) == ("cat", 3, 1, "OY")
    assert report.words[3].phonemes[1].start_s == pytest.approx(frame * SHIFT)


# --- nothing is scored -----------------------------------------------------------------------------------------


TWO_HEARD = np.arange(len(SAID)) < 2
TOO_LITTLE = "hardly any of the text was heard (2 of 15 sounds), so nothing is scored"
ANOTHER = "the recording does not fit the text, so nothing is scored"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"match": replace(FITS, heard=TWO_HEARD)}, TOO_LITTLE),
        ({"match": replace(FITS, heard=TWO_HEARD, text=0.0)}, TOO_LITTLE),
        (
            {"match": replace(FITS, speech=REFUSED_BELOW - 0.01)},
            "the recording sounds like noise, so nothing is scored",
        ),
        ({"match": replace(FITS, heard=TWO_HEARD[2:3])}, "hardly any of the text was heard (0 of 15 sounds)"),
        ({"match": replace(FITS, text=REFUSED_BELOW - 0.01)}, ANOTHER),
        ({"spoken": ()}, ANOTHER),
    ],
)
def test_a_recording_that_holds_something_else_is_not_scored(changes: dict[str, object], reason: str):
    """Neither words nor phones have scores or errors, extra speech is not told, and the reason is given once."""
    read = reading(extra("insertion", None, ["SH"], 0, 4), truncated=[1])
    found = with_inserted(finding(evenly(["DH", "AH", "SH", *SAID[3:]]), read), added(3, "AH", 50))
    assert len(written(found).mispronunciations) == 2
    report = written(replace(found, **changes))
    scores = report.utterance
    assert (scores.accuracy, scores.fluency, scores.prosody, scores.completeness, scores.total) == (None,) * 5
    (stated,) = [warning for warning in report.warnings if "nothing is scored" in warning]
    assert stated.startswith(reason)
    assert (report.mispronunciations, report.fluency) == ((), None)
    assert len(report.words) == 5
    for word in report.words:
        assert (word.accuracy, word.stress, word.total, word.error) == (None,) * 4
        assert {syllable.score for syllable in word.syllables} == {None}
        for phone in word.phonemes:
            assert (phone.score, phone.actual, phone.error, phone.is_unsure) == (None, None, None, False)
    assert not any("not of the text" in warning for warning in report.warnings)


@pytest.mark.parametrize(("name", "sure"), [("speech", SURE_SPEECH), ("text", SURE_TEXT)])
def test_the_less_a_recording_fits_the_lower_is_the_total(name: str, sure: float):
    """At the bound it is scored; where it is trusted the total stands as it is, and below it is said why it is low."""
    found = finding(evenly(SAID))
    whole = written(found)
    totals = []
    for probability in (REFUSED_BELOW, sure / 2, sure - 0.01, sure):
        match = replace(FITS, text=CERTAIN_TEXT)  # no surer of the text, or it could not be noise
        match = replace(match, **{name: probability})
        report = written(replace(found, match=match))
        totals.append(report.utterance.total)
        assert totals[-1] == pytest.approx(whole.utterance.total * match.trust, abs=0.06)
        assert report.utterance.accuracy == whole.utterance.accuracy
        assert report.words == whole.words
        is_lowered = any("so the total is lowered" in warning for warning in report.warnings)
        assert is_lowered == (probability < sure)
    assert totals == sorted(totals)
    assert 0 < totals[0] < totals[1] < totals[-1] == whole.utterance.total


def test_what_is_surely_this_text_is_speech():
    doubtful = replace(FITS, speech=SURE_SPEECH / 2)
    trusts = [replace(doubtful, text=text).trust for text in (CERTAIN_TEXT, (CERTAIN_TEXT + 1) / 2, 1.0)]
    assert trusts == [pytest.approx(0.25), pytest.approx(0.5), 1.0]
    partly = replace(doubtful, evidence=replace(CLEAR, share=0.9))
    assert partly.trust == pytest.approx(0.25)  # a word or two can be found in any noise


# --- warnings --------------------------------------------------------------------------------------------------


def test_warnings_name_what_makes_scores_less_certain():
    found = finding(evenly(SAID))
    quality = replace(found.recording.quality, clipped=0.02, rms_db=-50.0, snr_db=4.0)
    found = replace(found, recording=replace(found.recording, quality=quality))
    warnings = written(found, scorer="unrated 1").warnings
    for start in (
        "audio is clipped (2.0% of samples)",
        "audio is faint (-50 dB)",
        "audio is noisy (about 4 dB",
        "scores come from the scorer for any backend",
    ):
        assert any(warning.startswith(start) for warning in warnings), start
