"""The report: round trip, stable bytes, no NaN, and every malformed field is named."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.errors import ConfigError
from elocute.report import (
    AudioFacts,
    BreakFacts,
    Feedback,
    FluencyFacts,
    Heard,
    Mispronunciation,
    ModelFacts,
    MonotoneFacts,
    PauseFacts,
    PhoneReport,
    ProsodyFacts,
    ReferenceFacts,
    Report,
    RhythmFacts,
    SyllableReport,
    UtteranceScores,
    WordReport,
)

SAMPLE = Report(
    schema_version="1",
    text="“Think”, naïvely",
    language="en-US",
    scale=100,
    model=ModelFacts(backend="planted 1", scorer="embedded 1", version="0.1.0"),
    audio=AudioFacts(duration_s=1.5, speech_s=1.25, snr_db=None, clipped=0.0),
    utterance=UtteranceScores(accuracy=80.0, fluency=70.5, prosody=None, completeness=100.0, total=75.1),
    words=(
        WordReport(
            word="Think",
            text_index=0,
            start_s=0.1,
            end_s=0.5,
            accuracy=60.0,
            stress=100.0,
            total=61.2,
            error="mispronunciation",
            variant=None,
            syllables=(
                SyllableReport(
                    phones=("TH", "IH"), score=50.0, stress_expected=1, stress_spoken=None, stress_score=None
                ),
            ),
            phonemes=(
                PhoneReport(
                    phone="TH",
                    ipa="θ",
                    start_s=0.1,
                    end_s=0.2,
                    score=10.0,
                    expected="TH",
                    actual="S",
                    error="substitution",
                    probability=0.93,
                    is_unsure=False,
                    nbest=(Heard(phone="S", probability=0.9), Heard(phone=None, probability=0.03)),
                ),
            ),
        ),
    ),
    mispronunciations=(
        Mispronunciation(
            word="Think",
            word_index=0,
            phone_index=0,
            expected="TH",
            actual="S",
            type="substitution",
            probability=0.93,
            suggestion=None,
        ),
    ),
    fluency=FluencyFacts(
        speech_rate_syl_s=3.2,
        articulation_rate_syl_s=3.9,
        wcpm=110.0,
        pause_count=1,
        long_pause_count=0,
        mean_pause_s=0.3,
        pause_ratio=0.2,
        phonation_ratio=0.8,
        mean_length_of_run=2.5,
        pauses=(PauseFacts(start_s=0.5, end_s=0.8, after_word=0, place="boundary"),),
    ),
    prosody=ProsodyFacts(
        f0_mean_hz=120.5,
        f0_range_st=None,
        f0_slope_st_s=-2.5,
        final_contour="fall",
        final_movement_st=-4.0,
        final_expected="rise",
        monotone=MonotoneFacts(f0_sd_st=1.1, confidence=0.8),
        rhythm=RhythmFacts(npvi_v=50.0, percent_v=45.0, varco_v=40.0, varco_c=None, delta_v_s=0.04, delta_c_s=None),
        breaks=(BreakFacts(kind="unexpected", after_word=0, start_s=0.5, end_s=0.8, confidence=0.9),),
        reference=ReferenceFacts(distance_st=2.0, correlation=None),
    ),
    feedback=(
        Feedback(
            word_index=0,
            phone_index=0,
            level="phone",
            message="put the tongue between the teeth",
            articulation=None,
            minimal_pairs=("think", "sink"),
            source="rules",
        ),
    ),
    warnings=("audio is faint",),
)


def test_round_trip():
    text = SAMPLE.to_json()
    back = Report.from_json(text)
    assert back == SAMPLE
    assert back.to_json() == text
    assert json.loads(text)["words"][0]["phonemes"][0]["ipa"] == "θ"
    assert "θ" in text  # readable, not escaped
    assert Report.from_json(SAMPLE.to_json(indent=2)) == SAMPLE


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value, the root excluded."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def spoiled(path: tuple[str | int, ...], value: Any) -> str:
    plain = SAMPLE.to_dict()
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(plain)


def written(path: tuple[str | int, ...]) -> str:
    return "report" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


PLACES = [path for path in places(SAMPLE.to_dict()) if path != ("schema_version",)]


@pytest.mark.parametrize("path", PLACES, ids=written)
@pytest.mark.parametrize("value", [True, [[]], {"x": []}], ids=["bool", "list", "object"])
def test_a_value_of_another_kind_is_refused_by_its_name(path: tuple[str | int, ...], value: Any):
    if value is True and path[-1] == "is_unsure":
        value = 1
    with pytest.raises(ConfigError) as caught:
        Report.from_json(spoiled(path, value))
    assert str(caught.value).startswith(written(path))


NUMBERS = [
    path for path in PLACES if path[-1] in {"score", "duration_s", "snr_db", "probability", "wcpm", "f0_mean_hz"}
]


@pytest.mark.parametrize("path", NUMBERS, ids=written)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_are_none_are_refused(path: tuple[str | int, ...], number: str):
    text = spoiled(path, "here").replace('"here"', number)
    with pytest.raises(ConfigError, match="report.*expected"):
        Report.from_json(text)


@pytest.mark.parametrize("path", [path for path in PLACES if isinstance(path[-1], str)], ids=written)
def test_a_missing_field_is_named(path: tuple[str | int, ...]):
    if path[0] == "prosody" and len(path) > 1:
        return  # free keys
    plain = SAMPLE.to_dict()
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(ConfigError, match=rf"lacks '{path[-1]}'") as caught:
        Report.from_json(json.dumps(plain))
    assert str(caught.value).startswith(written(path[:-1]) + ":")


def test_an_unknown_field_is_named():
    plain = SAMPLE.to_dict()
    plain["words"][0]["colour"] = "red"
    with pytest.raises(ConfigError, match=r"report\.words\[0\].*unknown 'colour'"):
        Report.from_json(json.dumps(plain))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[]", "schema_version None"),
        ("null", "schema_version None"),
        ('{"schema_version": "2"}', "schema_version '2'; expected '1'"),
        ('{"schema_version": 1}', "schema_version 1; expected '1'"),
    ],
)
def test_what_is_no_report_is_refused(text: str, reason: str):
    with pytest.raises(ConfigError, match=reason.replace("[", r"\[")):
        Report.from_json(text)


def test_literals_are_checked():
    path = ("words", 0, "phonemes", 0, "error")
    with pytest.raises(ConfigError, match=r"report\.words\[0\]\.phonemes\[0\]\.error: got \"wrong\"; expected one of"):
        Report.from_json(spoiled(path, "wrong"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_report_with_nan_is_never_written(bad: float):
    broken = Report.from_json(SAMPLE.to_json())
    object.__setattr__(broken, "audio", AudioFacts(duration_s=bad, speech_s=1.0, snr_db=None, clipped=0.0))
    with pytest.raises(ValueError, match="Out of range float"):
        broken.to_json()


numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | numbers
phones = st.builds(
    PhoneReport,
    phone=st.text(),
    ipa=st.text(),
    start_s=maybe,
    end_s=maybe,
    score=maybe,
    expected=st.text(),
    actual=st.none() | st.text(),
    error=st.sampled_from([None, "substitution", "deletion", "insertion", "distortion"]),
    probability=numbers,
    nbest=st.lists(st.builds(Heard, phone=st.none() | st.text(), probability=numbers), max_size=2).map(tuple),
)
syllables = st.builds(
    SyllableReport,
    phones=st.lists(st.text(), max_size=2).map(tuple),
    score=maybe,
    stress_expected=st.none() | st.integers(0, 2),
    stress_spoken=st.none() | st.integers(0, 2),
    stress_score=maybe,
)
words = st.builds(
    WordReport,
    word=st.text(),
    start_s=maybe,
    end_s=maybe,
    accuracy=maybe,
    stress=maybe,
    total=maybe,
    error=st.sampled_from([None, "omission", "insertion", "mispronunciation", "repetition"]),
    syllables=st.lists(syllables, max_size=2).map(tuple),
    phonemes=st.lists(phones, max_size=2).map(tuple),
)
reports = st.builds(
    Report,
    schema_version=st.just("1"),
    text=st.text(),
    language=st.text(),
    scale=st.sampled_from([1, 10, 100]),
    model=st.just(SAMPLE.model),
    audio=st.builds(AudioFacts, duration_s=numbers, speech_s=numbers, snr_db=maybe, clipped=numbers),
    utterance=st.builds(UtteranceScores, accuracy=maybe, fluency=maybe, prosody=maybe, completeness=maybe, total=maybe),
    words=st.lists(words, max_size=2).map(tuple),
    mispronunciations=st.just(SAMPLE.mispronunciations),
    fluency=st.none() | st.just(SAMPLE.fluency),
    prosody=st.none() | st.just(SAMPLE.prosody),
    feedback=st.just(SAMPLE.feedback),
    warnings=st.lists(st.text(), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(report=reports)
def test_any_report_comes_back_the_same(report: Report):
    text = report.to_json()
    back = Report.from_json(text)
    assert back == report
    assert back.to_json() == text
