"""The official Speech SDK for Python takes our JSON for the service's: its result classes, and its whole client."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from cli_reports import weather
from hypothesis import given, settings

from azure_reports import reports
from elocute.assessor import Assessor
from elocute.azure import AzureConfig, to_azure, to_azure_json
from elocute.report import Report

speechsdk = pytest.importorskip("azure.cognitiveservices.speech", reason="needs azure-cognitiveservices-speech")
pytest.importorskip("websockets", reason="needs websockets, of the extra 'serve'")

EXAMPLES = Path(__file__).parent.parent / "examples"
JSON_RESULT = speechsdk.PropertyId.SpeechServiceResponse_JsonResult


def parsed(text: str) -> Any:
    """What the SDK's result class makes of a service's JSON."""
    return speechsdk.PronunciationAssessmentResult(SimpleNamespace(properties={JSON_RESULT: text}))


@settings(max_examples=80, deadline=None)
@given(found=reports())
def test_the_result_classes_read_every_number(found: Report) -> None:
    text = to_azure_json(found)
    if found.utterance.accuracy is None:
        assert "PronunciationAssessment" not in text  # by which the SDK knows that there is no assessment
        return
    best, seen = json.loads(text)["NBest"][0], parsed(text)
    scores = best["PronunciationAssessment"]
    assert seen.accuracy_score == scores["AccuracyScore"]
    assert seen.fluency_score == scores["FluencyScore"]
    assert seen.completeness_score == scores["CompletenessScore"]
    assert seen.pronunciation_score == scores["PronScore"]
    assert seen.prosody_score == scores.get("ProsodyScore")
    assert len(seen.words) == len(best["Words"]) == len(found.words)
    for one, word in zip(seen.words, best["Words"], strict=True):
        assert one.word == word["Word"]
        assert one.error_type == word["PronunciationAssessment"]["ErrorType"]
        assert one.accuracy_score == word["PronunciationAssessment"].get("AccuracyScore", 0)
        for part, syllable in zip(one.syllables, word["Syllables"], strict=True):
            assert (part.syllable, part.offset, part.duration) == (
                syllable["Syllable"], syllable["Offset"], syllable["Duration"],
            )  # fmt: skip
            assert part.grapheme == syllable.get("Grapheme")
            assert part.accuracy_score == syllable["PronunciationAssessment"]["AccuracyScore"]
        for phone, phoneme in zip(one.phonemes, word["Phonemes"], strict=True):
            marks = phoneme["PronunciationAssessment"]
            assert (phone.phoneme, phone.accuracy_score) == (phoneme["Phoneme"], marks["AccuracyScore"])
            heard = [{"Phoneme": item.phoneme, "Score": item.score} for item in phone.nbest_phonemes or ()]
            assert heard == marks.get("NBestPhonemes", [])


@pytest.mark.parametrize("config", [AzureConfig(granularity="Word"), AzureConfig(granularity="FullText")])
def test_the_result_classes_read_coarser_results(config: AzureConfig) -> None:
    seen = parsed(to_azure_json(weather(), config))
    assert seen.pronunciation_score == 87.2
    if config.granularity == "Word":
        assert [one.error_type for one in seen.words] == [
            "None", "Mispronunciation", "Mispronunciation", "None", "Omission", "Mispronunciation", "None",
        ]  # fmt: skip


def recognised(url: str, samples: bytes, text: str) -> Any:
    """What a program gets that assesses a recording with the SDK, as the service's documentation shows."""
    stream = speechsdk.audio.PushAudioInputStream()
    stream.write(samples)
    stream.close()
    recognizer = speechsdk.SpeechRecognizer(
        speech_config=speechsdk.SpeechConfig(host=url), audio_config=speechsdk.audio.AudioConfig(stream=stream)
    )
    settings = speechsdk.PronunciationAssessmentConfig(
        reference_text=text,
        grading_system=speechsdk.PronunciationAssessmentGradingSystem.HundredMark,
        granularity=speechsdk.PronunciationAssessmentGranularity.Phoneme,
        enable_miscue=True,
    )
    settings.phoneme_alphabet = "IPA"
    settings.nbest_phoneme_count = 5
    settings.enable_prosody_assessment()
    settings.apply_to(recognizer)
    return recognizer.recognize_once()


def test_a_client_of_the_service_assesses_a_recording_with_elocute() -> None:
    """The SDK sends a recording and its text; elocute assesses them; the SDK gets a recognition result."""
    from azure_service import speech_service

    samples, _ = soundfile.read(EXAMPLES / "museum-dropped.flac", dtype="int16")
    assessor, made = Assessor(), []

    def answer(asked: dict[str, Any], recording: bytes) -> dict[str, Any]:
        made.append(assessor.assess(recording, asked["referenceText"]))
        return to_azure(made[0], AzureConfig(grading=asked["gradingSystem"], alphabet=asked["phonemeAlphabet"]))

    with speech_service(answer) as service:
        result = recognised(service.url, samples.tobytes(), "We are going to the new museum.")
    assert service.asked[0]["gradingSystem"] == "HundredMark"
    (found,) = made
    expected = to_azure(found)
    assert result.reason == speechsdk.ResultReason.RecognizedSpeech
    assert result.text == expected["DisplayText"] == "We are going to the museum"
    assert (result.offset, result.duration) == (expected["Offset"], expected["Duration"])
    assert json.loads(result.properties[JSON_RESULT]) == expected
    seen = speechsdk.PronunciationAssessmentResult(result)
    assert [(one.word, one.error_type) for one in seen.words if one.error_type == "Omission"] == [("new", "Omission")]
    assert seen.pronunciation_score == expected["NBest"][0]["PronunciationAssessment"]["PronScore"]
    museum = seen.words[-1]
    assert [one.phoneme for one in museum.phonemes][:3] == ["m", "j", "u"]
    assert [len(one.nbest_phonemes) for one in museum.phonemes] == [5] * len(museum.phonemes)


def test_a_client_of_the_service_learns_that_nothing_could_be_scored() -> None:
    from azure_service import speech_service

    assessor = Assessor()

    def answer(asked: dict[str, Any], recording: bytes) -> dict[str, Any]:
        # Sound, but no speech.
        hiss = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
        return to_azure(assessor.assess(hiss, asked["referenceText"], sample_rate=16_000))

    with speech_service(answer) as service:
        result = recognised(service.url, bytes(32_000), "I think so.")
    assert result.reason == speechsdk.ResultReason.NoMatch
    assert result.no_match_details.reason == speechsdk.NoMatchReason.NotRecognized
