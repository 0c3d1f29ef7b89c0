"""Reports in the JSON of Azure Pronunciation Assessment: every field against what the service documents and does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from cli_reports import phone, report, weather, word
from hypothesis import given, settings

from azure_reports import reports
from elocute.azure import AzureConfig, pron_score, to_azure, to_azure_json
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.report import (
    AudioFacts,
    BreakFacts,
    Heard,
    MonotoneFacts,
    PauseFacts,
    ProsodyFacts,
    Report,
    RhythmFacts,
    SyllableReport,
    UtteranceScores,
    WordReport,
)

# Names at each level: those that are always there, and those that may be missing.
TOP = ({"Id", "RecognitionStatus", "Offset", "Duration", "DisplayText", "NBest"}, {"SNR"})
BEST = ({"Lexical", "ITN", "MaskedITN", "Display", "PronunciationAssessment", "Words"}, {"Confidence"})
SCORES = ({"AccuracyScore", "FluencyScore", "CompletenessScore", "PronScore"}, {"ProsodyScore"})
WORD = ({"Word", "Offset", "Duration", "PronunciationAssessment", "Syllables", "Phonemes"}, set())
WORD_SCORES = ({"ErrorType"}, {"AccuracyScore", "Feedback"})
SYLLABLE = ({"Syllable", "Offset", "Duration", "PronunciationAssessment"}, {"Grapheme"})
PHONEME = ({"Phoneme", "Offset", "Duration", "PronunciationAssessment"}, set())
PHONE_SCORES = ({"AccuracyScore"}, {"NBestPhonemes"})
BREAK = ({"ErrorTypes", "BreakLength"}, {"UnexpectedBreak", "MissingBreak"})
INTONATION = ({"ErrorTypes"}, {"Monotone"})


def has_names(value: dict[str, Any], names: tuple[set[str], set[str]]) -> bool:
    """Whether an object has all the names it must have, and none that the service does not have."""
    must, may = names
    return must <= value.keys() <= must | may


def parts(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[set[str], set[str]]]]:
    """Every object of a result, with the names that it may have."""
    best = result["NBest"][0]
    yield from ((result, TOP), (best, BEST), (best["PronunciationAssessment"], SCORES))
    for said in best["Words"]:
        yield from ((said, WORD), (said["PronunciationAssessment"], WORD_SCORES))
        for syllable in said["Syllables"]:
            yield from ((syllable, SYLLABLE), (syllable["PronunciationAssessment"], PHONE_SCORES))
        for one in said["Phonemes"]:
            yield from ((one, PHONEME), (one["PronunciationAssessment"], PHONE_SCORES))
            for heard in one["PronunciationAssessment"].get("NBestPhonemes", ()):
                yield heard, ({"Phoneme", "Score"}, set())
        if "Feedback" in said["PronunciationAssessment"]:
            prosody = said["PronunciationAssessment"]["Feedback"]["Prosody"]
            yield from ((prosody["Break"], BREAK), (prosody["Intonation"], INTONATION))


def words_of(found: Report, config: AzureConfig | None = None) -> list[dict[str, Any]]:
    """The words of the result."""
    words: list[dict[str, Any]] = to_azure(found, config)["NBest"][0]["Words"]
    return words


def in_a_row(*texts: str, **changes: dict[str, Any]) -> list[WordReport]:
    """Words of one phone, half a second each; `changes` by text."""
    return [
        replace(word(text, [phone("AY1")], text_index=n, start_s=0.5 * n, end_s=0.5 * n + 0.4), **changes.get(text, {}))
        for n, text in enumerate(texts)
    ]


OMITTED = {"start_s": None, "end_s": None, "error": "omission", "accuracy": 0.0}


def extra(text: str, kind: str, start_s: float) -> WordReport:
    """Speech beside the text."""
    return word(text, [], None, text_index=None, error=kind, start_s=start_s, end_s=start_s + 0.1, syllables=())


def prosody(*breaks: BreakFacts, flat: float | None = None) -> ProsodyFacts:
    """Prosody with these breaks, and a melody that is flat with this confidence."""
    rhythm = RhythmFacts(npvi_v=None, percent_v=None, varco_v=None, varco_c=None, delta_v_s=None, delta_c_s=None)
    monotone = None if flat is None else MonotoneFacts(f0_sd_st=1.0, confidence=flat)
    return ProsodyFacts(
        f0_mean_hz=None, f0_range_st=None, f0_slope_st_s=None, final_contour=None, final_movement_st=None,
        final_expected=None, monotone=monotone, rhythm=rhythm, breaks=breaks, reference=None,
    )  # fmt: skip


def names_in(value: Any) -> set[str]:
    """Every name in a JSON value."""
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return {*value, *names_in(list(value.values()))} if isinstance(value, dict) else set()


@settings(max_examples=20, deadline=None)
@given(found=reports())
def test_every_field_is_documented(found: Report):
    page = (Path(__file__).parent.parent / "docs" / "azure.md").read_text(encoding="utf-8")
    assert [name for name in names_in(to_azure(found)) if f"`{name}`" not in page] == []


def test_the_overall_score_is_the_services():
    # Scores that the service gave with prosody, and what it made of them.
    assert round(pron_score(94, 98, 100, 78.8), 1) == 89.9
    assert round(pron_score(100, 100, 100, 87.8), 1) == 95.1
    assert round(pron_score(90, 100, 100, 0), 1) == 58.0
    assert pron_score(50, 70, 100) == pytest.approx(0.6 * 50 + 0.2 * 70 + 0.2 * 100)
    assert {round(pron_score(*one), 9) for one in permutations((10, 40, 70, 90))} == {44.0}


def test_the_full_text():
    found = weather()
    result = to_azure(found)
    assert result["RecognitionStatus"] == "Success"
    assert (result["Offset"], result["Duration"]) == (1_000_000, 4_000_000)
    assert result["SNR"] == 31.0
    best = result["NBest"][0]
    assert best["PronunciationAssessment"] == {
        "AccuracyScore": 81.4,
        "FluencyScore": 88.0,
        "ProsodyScore": 85.2,
        "CompletenessScore": 100.0,
        "PronScore": 87.2,  # 0.4 * 81.4 + 0.2 * (85.2 + 88 + 100)
    }
    assert "very" not in best["Lexical"]
    assert result["DisplayText"] == best["Display"]
    assert best["Lexical"] == best["ITN"] == best["MaskedITN"] == best["Display"].lower()


def test_confidence_is_how_surely_phones_were_heard():
    def heard(*probabilities: float) -> tuple[Heard, ...]:
        return tuple(Heard(phone="S", probability=one) for one in probabilities)

    inside = [phone("S", nbest=heard(0.2, 0.7)), phone("IY1", nbest=heard(0.9)), phone("Z", nbest=())]
    said = word("see", [*inside, phone("T", None, expected=None, error="insertion", nbest=heard(0.1))])
    gone = word("you", [phone("Y", nbest=heard(1.0))], text_index=1, **OMITTED)
    added = replace(extra("/s/", "insertion", 0.6), phonemes=(phone("S", None, nbest=heard(0.1)),))
    assert to_azure(report([said, gone, added]))["NBest"][0]["Confidence"] == 0.8
    assert "Confidence" not in to_azure(report([gone]))["NBest"][0]


def test_a_text_that_was_read_whole_is_displayed_as_written():
    found = report(in_a_row("I", "see"), text="I  see,\nyes!")
    assert to_azure(found)["DisplayText"] == "I see, yes!"
    assert to_azure(found)["NBest"][0]["Lexical"] == "i see"
    partly = report(in_a_row("I", "see", see=OMITTED), text="I see!")
    assert to_azure(partly)["DisplayText"] == "I"
    more = report([*in_a_row("I", "see"), extra("/həm/", "insertion", 1.0)], text="I see!")
    assert to_azure(more)["DisplayText"] == "I see /həm/"


def test_words_phones_and_syllables():
    think = words_of(weather())[1]
    assert think["Word"] == "think"
    assert (think["Offset"], think["Duration"]) == (1_000_000, 4_000_000)
    assert think["PronunciationAssessment"] == {"AccuracyScore": 58.0, "ErrorType": "Mispronunciation"}
    assert [one["Phoneme"] for one in think["Phonemes"]] == ["θ", "ɪ", "ŋ", "k"]
    assert think["Phonemes"][0] == {
        "Phoneme": "θ",
        "PronunciationAssessment": {"AccuracyScore": 12.0, "NBestPhonemes": [{"Phoneme": "θ", "Score": 98.0}]},
        "Offset": 1_000_000,
        "Duration": 1_000_000,
    }
    assert [one["Syllable"] for one in think["Syllables"]] == ["θɪŋk"]
    assert think["Syllables"][0]["Grapheme"] == "think"


def test_syllables_are_timed_by_their_phones_though_phones_were_added():
    inside = [phone("T", start_s=0.1, end_s=0.2), phone("AH0", start_s=0.2, end_s=0.25)]
    inside += [phone("D", start_s=0.25, end_s=0.35), phone("EY1", start_s=0.35, end_s=0.5)]
    added = phone("S", None, expected=None, error="insertion", start_s=0.22, end_s=0.24)
    syllables = tuple(
        SyllableReport(phones=names, score=score, stress_expected=0, stress_spoken=None, stress_score=None)
        for names, score in ((("T", "AH"), 70.0), (("D", "EY"), 30.0))
    )
    today = word("Today", [*inside[:2], added, *inside[2:]], syllables=syllables)
    (said,) = words_of(report([today]))
    assert [one["Phoneme"] for one in said["Phonemes"]] == ["t", "ə", "d", "eɪ"]
    assert said["Syllables"] == [
        {"Syllable": "tə", "PronunciationAssessment": {"AccuracyScore": 70.0}, "Offset": 1_000_000,
         "Duration": 1_500_000},
        {"Syllable": "deɪ", "PronunciationAssessment": {"AccuracyScore": 30.0}, "Offset": 2_500_000,
         "Duration": 2_500_000},
    ]  # fmt: skip
    assert said["PronunciationAssessment"]["ErrorType"] == "Mispronunciation"


def test_what_may_have_been_said():
    nbest = (Heard(phone=None, probability=0.6), Heard(phone="AH", probability=0.3), Heard(phone="HH", probability=0.1))
    found = report([word("a", [phone("AH0", nbest=nbest)])])

    def heard(config: AzureConfig) -> list[tuple[str, float]]:
        (said,) = words_of(found, config)
        scores = said["Phonemes"][0]["PronunciationAssessment"]["NBestPhonemes"]
        return [(one["Phoneme"], one["Score"]) for one in scores]

    # Nothing has no name; the phone of the text has the name that it has there.
    assert heard(AzureConfig()) == [("", 60.0), ("ə", 30.0), ("h", 10.0)]
    assert heard(AzureConfig(alphabet="SAPI")) == [("", 60.0), ("ax", 30.0), ("h", 10.0)]
    assert heard(AzureConfig(grading="FivePoint")) == [("", 3.0), ("ə", 1.5), ("h", 0.5)]


def test_names_of_phones():
    """The service's page writes 'photosynthesis' so in both alphabets."""
    symbols = "F OW1 T AH0 S IH1 N TH AH0 S AH0 S".split()
    found = report([word("photosynthesis", [phone(symbol) for symbol in symbols])])
    for alphabet, names in (("SAPI", "f ow t ax s ih n th ax s ax s"), ("IPA", "f oʊ t ə s ɪ n θ ə s ə s")):
        (said,) = words_of(found, AzureConfig(alphabet=alphabet))
        assert [one["Phoneme"] for one in said["Phonemes"]] == names.split()
        assert said["Syllables"][0]["Syllable"] == names.replace(" ", "")


def test_all_phones_have_names_of_their_own():
    (said,) = words_of(report([word("x", [phone(symbol) for symbol in PHONES])]), AzureConfig(alphabet="SAPI"))
    names = {one["Phoneme"] for one in said["Phonemes"]}
    assert len(names) == len(PHONES)
    # The American English phones of SAPI, without schwa, which depends on stress.
    assert names == set(
        "aa ae ah ao aw ay b ch d dh eh er ey f g h ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh".split()
    )


def test_words_left_out_stand_at_their_place_with_zeros():
    first, gone, last = words_of(report(in_a_row("you", "see", "me", see=OMITTED)))
    assert gone == {
        "Word": "see",
        "Offset": 0,
        "Duration": 0,
        "PronunciationAssessment": {"AccuracyScore": 0.0, "ErrorType": "Omission"},
        "Syllables": [],
        "Phonemes": [],
    }
    assert [first["Word"], last["Word"]] == ["you", "me"]


def test_added_words_have_no_score():
    said = [*in_a_row("you"), extra("/həm/", "insertion", 0.6)]
    assert words_of(report(said))[1] == {
        "Word": "/həm/",
        "Offset": 6_000_000,
        "Duration": 1_000_000,
        "PronunciationAssessment": {"ErrorType": "Insertion"},
        "Syllables": [],
        "Phonemes": [],
    }


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("a B x d", "a x B d"),  # said in place of the word left out: first what was said, then what was not
        ("a x B d", "a x B d"),
        ("a B C x y d", "a x y B C d"),
        ("a B x C y d", "a x y B C d"),
        ("x a B d y", "x a B d y"),
        ("a b C x", "a b x C"),
        ("A b x C", "A b x C"),
        ("A B", "A B"),
    ],
)
def test_order_of_words_left_out_and_added(order: str, expected: str):
    """Capitals were left out, x and y added."""
    said, index = [], 0
    for at, text in enumerate(order.split()):
        if text in "xy":
            said.append(extra(text, "insertion", 0.5 * at))
            continue
        facts: dict[str, Any] = OMITTED if text.isupper() else {"start_s": 0.5 * at, "end_s": 0.5 * at + 0.4}
        said.append(replace(word(text, [phone("AY1")], text_index=index), **facts))
        index += 1
    assert [one["Word"] for one in words_of(report(said))] == expected.lower().split()


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (None, "None"),
        ("mispronunciation", "Mispronunciation"),
        ("truncation", "Mispronunciation"),
        ("omission", "Omission"),
        ("insertion", "Insertion"),
        ("repetition", "Insertion"),
        ("restart", "Insertion"),
    ],
)
def test_error_types(error: str | None, name: str):
    index = None if name == "Insertion" else 0
    (said,) = words_of(report([word("you", [phone("Y")], error=error, text_index=index)]))
    assert said["PronunciationAssessment"]["ErrorType"] == name


def feedback(found: Report) -> list[dict[str, Any]]:
    return [one["PronunciationAssessment"]["Feedback"]["Prosody"] for one in words_of(found)]


def test_breaks_stand_at_the_word_behind_them():
    pause = BreakFacts(kind="unexpected", after_word=1, start_s=0.9, end_s=1.0, confidence=0.8)
    mark = BreakFacts(kind="missing", after_word=2, start_s=1.4, end_s=1.4, confidence=0.75)
    said = report(in_a_row("a", "b", "c", "d"), prosody=prosody(pause, mark))
    pauses = (
        PauseFacts(start_s=0.9, end_s=1.0, after_word=1, place="phrase"),
        PauseFacts(start_s=1.1, end_s=1.3, after_word=2, place="word"),
    )
    assert said.fluency is not None
    found = [one["Break"] for one in feedback(replace(said, fluency=replace(said.fluency, pauses=pauses)))]
    none, calm = {"Confidence": 0.0}, {"ErrorTypes": ["None"], "BreakLength": 0}
    assert found[0] == calm
    assert found[1] == calm | {"UnexpectedBreak": none, "MissingBreak": none}
    assert found[2] == {
        "ErrorTypes": ["UnexpectedBreak"],
        "UnexpectedBreak": {"Confidence": 0.8},
        "MissingBreak": none,
        "BreakLength": 1_000_000,
    }
    # Not above the threshold, and the pause is inside the word.
    assert found[3] == calm | {"UnexpectedBreak": none, "MissingBreak": {"Confidence": 0.75}}


def test_a_break_inside_a_word_is_before_none():
    inside = BreakFacts(kind="unexpected", after_word=0, start_s=0.1, end_s=0.3, confidence=0.99)
    found = feedback(report(in_a_row("a", "b"), prosody=prosody(inside)))
    assert [one["Break"]["ErrorTypes"] for one in found] == [["None"], ["None"]]


def test_a_break_behind_a_word_left_out_is_before_the_next_that_was_said():
    pause = BreakFacts(kind="unexpected", after_word=1, start_s=0.6, end_s=0.9, confidence=0.9)
    said = words_of(report(in_a_row("a", "b", "c", b=OMITTED), prosody=prosody(pause)))
    assert "Feedback" not in said[1]["PronunciationAssessment"]
    assert said[2]["PronunciationAssessment"]["Feedback"]["Prosody"]["Break"]["ErrorTypes"] == ["UnexpectedBreak"]


@pytest.mark.parametrize("after_word", [0, 1])
def test_a_break_is_found_across_words_left_out_and_added(after_word: int):
    pause = BreakFacts(kind="unexpected", after_word=after_word, start_s=0.6, end_s=0.9, confidence=0.9)
    a, b, c = in_a_row("a", "b", "c", b=OMITTED)
    said = words_of(report([a, b, extra("um", "insertion", 0.5), c], prosody=prosody(pause)))
    assert [one["Word"] for one in said] == ["a", "um", "b", "c"]
    assert said[3]["PronunciationAssessment"]["Feedback"]["Prosody"]["Break"]["ErrorTypes"] == ["UnexpectedBreak"]


@pytest.mark.parametrize(("confidence", "kinds"), [(0.9, ["Monotone"]), (0.75, []), (0.2, [])])
def test_all_words_share_the_melody(confidence: float, kinds: list[str]):
    found = feedback(report(in_a_row("a", "b"), prosody=prosody(flat=confidence)))
    melody = {"ErrorTypes": kinds, "Monotone": {"SyllablePitchDeltaConfidence": confidence}}
    assert [one["Intonation"] for one in found] == [melody, melody]


def test_breaks_and_melody_are_no_error_type_of_a_word():
    """As in the service's answers: a program that counts words of type None must not count them out."""
    pause = BreakFacts(kind="unexpected", after_word=0, start_s=0.4, end_s=0.5, confidence=0.9)
    said = words_of(report(in_a_row("a", "b"), prosody=prosody(pause, flat=0.9)))
    assert [one["PronunciationAssessment"]["ErrorType"] for one in said] == ["None", "None"]


def test_without_prosody_there_is_none_in_the_result():
    scores = UtteranceScores(accuracy=50.0, fluency=70.0, prosody=None, completeness=100.0, total=60.0)
    found = report(in_a_row("a"), utterance=scores)
    assert to_azure(found)["NBest"][0]["PronunciationAssessment"] == {
        "AccuracyScore": 50.0,
        "FluencyScore": 70.0,
        "CompletenessScore": 100.0,
        "PronScore": 64.0,
    }
    assert "Feedback" not in words_of(found)[0]["PronunciationAssessment"]
    melody = feedback(replace(found, prosody=prosody()))[0]["Intonation"]
    assert melody == {"ErrorTypes": []}


def test_what_could_not_be_scored_is_no_match():
    nothing = UtteranceScores(accuracy=None, fluency=None, prosody=None, completeness=None, total=None)
    audio = AudioFacts(duration_s=2.5, speech_s=0.0, snr_db=None, clipped=0.0)
    result = to_azure(report([word("a", [phone("AY1", None)], None)], utterance=nothing, audio=audio))
    assert len(result.pop("Id")) == 32
    assert result == {"RecognitionStatus": "NoMatch", "Offset": 0, "Duration": 25_000_000}


@pytest.mark.parametrize("name", ["accuracy", "fluency", "completeness"])
def test_without_a_score_that_the_service_always_gives_it_is_no_match(name: str):
    found = report(in_a_row("a"))
    lacking = replace(found, utterance=replace(found.utterance, **{name: None}))
    assert to_azure(lacking)["RecognitionStatus"] == "NoMatch"


@pytest.mark.parametrize(("scale", "score"), [(100, 81.4), (10, 8.14), (1, 0.814)])
@pytest.mark.parametrize(("grading", "expected"), [("HundredMark", 81.4), ("FivePoint", 4.07)])
def test_any_scale_becomes_the_services(scale: int, score: float, grading: Any, expected: float):
    scores = UtteranceScores(accuracy=score, fluency=score, prosody=score, completeness=score, total=score)
    found = report([word("a", [phone("AY1", score)], score)], scale=scale, utterance=scores)
    result = to_azure(found, AzureConfig(grading=grading))["NBest"][0]
    assert set(result["PronunciationAssessment"].values()) == {expected}
    assert result["Words"][0]["PronunciationAssessment"]["AccuracyScore"] == expected
    assert result["Words"][0]["Phonemes"][0]["PronunciationAssessment"]["AccuracyScore"] == expected


def test_granularity():
    word_level = words_of(weather(), AzureConfig(granularity="Word"))
    assert len(word_level) == len(words_of(weather()))
    assert all(not {"Phonemes", "Syllables"} & one.keys() for one in word_level)
    full = to_azure(weather(), AzureConfig(granularity="FullText"))
    assert "Words" not in full["NBest"][0]
    assert full["NBest"][0]["PronunciationAssessment"]["AccuracyScore"] == 81.4


@pytest.mark.parametrize(("name", "value"), [("grading", "TenPoint"), ("granularity", "phone"), ("alphabet", "UPS")])
def test_unknown_settings_are_refused(name: str, value: str):
    with pytest.raises(ConfigError, match=rf"{name} is '{value}'; expected one of "):
        AzureConfig(**{name: value})  # type: ignore[arg-type]


def test_the_id_tells_reports_apart():
    one, other = to_azure(weather())["Id"], to_azure(replace(weather(), text="I think."))["Id"]
    assert one == to_azure(weather())["Id"] != other
    assert int(one, 16) >= 0
    assert len(one) == 32


def test_the_text_of_the_json_is_readable():
    text = to_azure_json(weather())
    assert '"θ"' in text
    assert json.loads(to_azure_json(weather(), indent=2)) == json.loads(text) == to_azure(weather())


@settings(max_examples=80, deadline=None)
@given(found=reports())
def test_any_report_has_the_services_names_and_numbers(found: Report):
    result = json.loads(to_azure_json(found))
    assert result == to_azure(found) == to_azure(Report.from_json(found.to_json()))
    if found.utterance.accuracy is None:
        assert "NBest" not in result
        return
    for part, names in parts(result):
        assert has_names(part, names), (part, names)
        for name, value in part.items():
            if name.endswith("Score"):
                assert 0 <= value <= 100
            if name in {"Offset", "Duration", "BreakLength"}:
                assert isinstance(value, int)
                assert value >= 0
    words = result["NBest"][0]["Words"]
    assert sorted(one["Word"] for one in words) == sorted(one.word.lower() for one in found.words)
    read = [one["Word"] for one in words if one["PronunciationAssessment"]["ErrorType"] != "Insertion"]
    assert read == [one.word.lower() for one in found.text_words]
    said = [one for one in words if one["PronunciationAssessment"]["ErrorType"] != "Omission"]
    assert [one["Offset"] for one in said] == sorted(one["Offset"] for one in said)
    assert result["NBest"][0]["Lexical"] == " ".join(one["Word"] for one in said)
    for one in (one for one in words if one["Phonemes"]):
        assert one["Syllables"][0]["Offset"] == one["Phonemes"][0]["Offset"]
        assert "".join(p["Phoneme"] for p in one["Phonemes"]) == "".join(s["Syllable"] for s in one["Syllables"])
