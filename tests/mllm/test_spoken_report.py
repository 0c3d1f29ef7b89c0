"""Reports of what a language model said: planted answers, and what must hold of any."""

from __future__ import annotations

from io import StringIO
from itertools import cycle
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from elocute.assessors import check_report_maker
from elocute.azure import to_azure_json
from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.mllm.assessor import Asked, Loaded, Phi4Assessor
from elocute.mllm.prompts import Task
from elocute.report import Report
from planted import recording
from tiny_phi4 import processor
from writing_model import WritingModel

AUDIO = recording(1.5)
TEXT = "I think so"
APA = '{"accuracy": 8, "fluency": 7, "prosodic": 9, "total": 10}'
RIGHT = "AY TH IH NG K S OW"


def mdd(phones: str, words: str = "i think so") -> str:
    """A transcript."""
    return f'{{"word_transcript": "{words}", "phoneme_transcript": "{phones}"}}'


def assessed(phones: str, *, text: str = TEXT, apa: str = APA, settings: Any = None, **model: Any) -> Report:
    """The report of a recording of which the model writes this."""
    writing = WritingModel(processor(), [mdd(phones), apa], **model)
    loaded = Loaded(model=writing, processor=processor(), asked=Asked(style="short"), version="0")
    config = AssessorConfig(backend="phi4:tiny", **(settings or {}))
    report = Phi4Assessor(loaded, config).assess(AUDIO, text)
    assert Report.from_json(report.to_json()) == report
    return report


def test_what_the_model_says_is_in_the_report_and_nothing_else() -> None:
    report = assessed(RIGHT)
    whole = report.utterance
    assert (whole.accuracy, whole.fluency, whole.prosody, whole.completeness, whole.total) == (80, 70, 90, 100, 100)
    assert [word.word for word in report.words] == ["I", "think", "so"]
    assert all(word.error is None for word in report.words)
    unknown = [(word.start_s, word.end_s, word.accuracy, word.stress, word.total) for word in report.words]
    assert unknown == [(None,) * 5] * 3
    assert {(phone.start_s, phone.score, phone.error) for word in report.words for phone in word.phonemes} == {
        (None, None, None)
    }
    assert (report.fluency, report.prosody, report.mispronunciations) == (None, None, ())
    assert any("no times, no scores of words" in warning for warning in report.warnings)
    assert any("not calibrated" in warning for warning in report.warnings)
    assert report.model.backend == "phi4 0"


def test_a_replaced_phone_is_a_substitution_with_the_models_probability_and_advice() -> None:
    report = assessed("AY S IH NG K S OW", sure=0.8)
    (item,) = report.mispronunciations
    assert (item.word, item.expected, item.actual, item.type) == ("think", "TH", "S", "substitution")
    phone = report.words[1].phonemes[0]
    assert 0 < phone.probability <= 0.8
    assert phone.nbest[0].phone == "S"
    assert report.words[1].error == "mispronunciation"
    assert item.suggestion is not None
    assert [piece.source for piece in report.feedback] == ["rules"]
    assert assessed("AY S IH NG K S OW", settings={"advice": "off"}).feedback == ()


def test_lost_added_and_nameless_phones() -> None:
    report = assessed("<unk> TH IH NG S AH OW")
    kinds = {(item.word, item.expected, item.actual): item.type for item in report.mispronunciations}
    assert kinds == {
        ("think", "K", None): "deletion",
        ("so", None, "AH"): "insertion",
        ("I", "AY", "AY"): "distortion",
    }
    assert "sounds that were heard and have no name in English: 1" in report.warnings


def test_a_word_of_which_nothing_was_heard_is_left_out_and_lowers_the_total() -> None:
    report = assessed("AY TH IH NG K")
    assert [word.error for word in report.words] == [None, None, "omission"]
    assert all(phone.error == "deletion" for phone in report.words[2].phonemes)
    assert report.mispronunciations == ()  # of words that were said
    assert (report.utterance.accuracy, report.utterance.completeness, report.utterance.total) == (80, 66.7, 66.7)
    assert any("only 2 of 3 words" in warning for warning in report.warnings)


@pytest.mark.parametrize("phones", ["", "B UH L ER D", "M AA M AA M AA M AA M AA M AA"])
def test_another_text_is_not_scored(phones: str) -> None:
    report = assessed(phones)
    assert report.utterance.accuracy is None
    assert [word.error for word in report.words] == [None] * 3
    assert all(word.phonemes == () for word in report.words)
    assert any("do not fit the text" in warning for warning in report.warnings)


def test_scores_that_cannot_be_read_are_null_with_the_reason_and_the_rest_stands() -> None:
    report = assessed("AY S IH NG K S OW", apa="The accuracy is good.")
    assert (report.utterance.accuracy, report.utterance.total) == (None, None)
    assert report.utterance.completeness == 100
    assert len(report.mispronunciations) == 1
    assert any("scores could not be read" in warning for warning in report.warnings)


def test_an_answer_read_with_patience_is_told() -> None:
    report = assessed(RIGHT, apa=APA.replace('"', "'"))
    assert report.utterance.accuracy == 80
    assert any("read with patience" in warning for warning in report.warnings)


def test_a_weak_form_is_no_error_unless_forms_are_fixed() -> None:
    said = "W IY W AA N T T AH G OW"
    report = assessed(said, text="we want to go")
    assert report.mispronunciations == ()
    assert report.words[2].variant == "weak form"
    fixed = assessed(said, text="we want to go", settings={"variants": False})
    assert [(item.expected, item.actual) for item in fixed.mispronunciations] == [("UW", "AH")]


def test_doubt_is_told_and_flagged_by_sensitivity() -> None:
    doubts = {" S": {" S": 0.45, " Z": 0.4}}
    said = "AY S IH NG K S OW"
    flagged = assessed(said, doubts=doubts, settings={"sensitivity": "high"})
    assert [item.type for item in flagged.mispronunciations] == ["substitution"]
    normal = assessed(said, doubts=doubts)
    assert normal.mispronunciations == ()
    assert normal.words[1].phonemes[0].is_unsure
    # The S of "so" is what it should be, but hardly.
    assert normal.words[2].phonemes[0].is_unsure
    assert normal.words[2].phonemes[0].probability == pytest.approx(0.55, abs=0.02)
    surer = {" S": {" S": 0.7, " Z": 0.2}}
    assert len(assessed(said, doubts=surer).mispronunciations) == 1
    assert assessed(said, doubts=surer, settings={"sensitivity": "low"}).mispronunciations == ()


def test_scores_are_the_models_expectation() -> None:
    report = assessed(RIGHT, doubts={" 8": {" 8": 0.6, " 6": 0.4}}, settings={"scale": 10})
    assert report.utterance.accuracy == 7.2


@pytest.mark.parametrize("texts", [(mdd("Z IY K AO L IH T B EH R"), APA), ("no", "nothing")])
def test_it_keeps_the_contract_of_what_makes_reports(texts: tuple[str, str]) -> None:
    loaded = Loaded(
        model=WritingModel(processor(), cycle(texts)), processor=processor(), asked=Asked(style="short"), version="0"
    )
    passed = check_report_maker(Phi4Assessor(loaded, AssessorConfig(backend="phi4:tiny", threads=1)))
    assert {"members", "noise", "deterministic", "other settings"} <= set(passed)


def only(task: Task, answer: str) -> Report:
    """The report of a model that was trained for one task alone."""
    loaded = Loaded(
        model=WritingModel(processor(), [answer]), processor=processor(), asked=Asked(tasks=(task,)), version="0"
    )
    return Phi4Assessor(loaded, AssessorConfig()).assess(AUDIO, TEXT)


def test_a_model_is_asked_for_what_it_was_trained_for_alone() -> None:
    rated = only("apa", APA)
    assert (rated.utterance.accuracy, rated.utterance.completeness, rated.utterance.total) == (80, None, 100)
    assert all(word.phonemes == () for word in rated.words)
    assert any("nobody checked that this text was read" in warning for warning in rated.warnings)
    heard = only("mdd", mdd("AY S IH NG K S OW"))
    assert (heard.utterance.accuracy, heard.utterance.completeness) == (None, 100)
    assert [item.actual for item in heard.mispronunciations] == ["S"]
    assert any("not trained to give scores" in warning for warning in heard.warnings)
    both = only("combined", APA[:-1] + ", " + mdd("AY S IH NG K S OW")[1:])
    assert both.utterance.accuracy == 80
    assert [item.actual for item in both.mispronunciations] == ["S"]


def test_settings_that_mean_nothing_here_are_refused() -> None:
    loaded = Loaded(model=None, processor=None, asked=Asked(), version="0")
    with pytest.raises(ConfigError, match="scale is 7"):
        Phi4Assessor(loaded, AssessorConfig(scale=7))
    with pytest.raises(ConfigError, match="leave the scorer out"):
        Phi4Assessor(loaded, AssessorConfig(scorer="somewhere"))


def test_a_reference_recording_is_refused_in_words() -> None:
    loaded = Loaded(
        model=WritingModel(processor(), [mdd(RIGHT), APA]), processor=processor(), asked=Asked(), version="0"
    )
    report = Phi4Assessor(loaded, AssessorConfig()).assess(AUDIO, TEXT, reference=AUDIO)
    assert any("reference recording was not used" in warning for warning in report.warnings)


def test_other_shapes_of_the_report_can_be_made() -> None:
    """Azure's JSON and the tables, of a report without a single time."""
    from rich.console import Console

    from elocute.cli.table import render

    report = assessed("AY S IH NG K S OW")
    assert '"NBest"' in to_azure_json(report)
    page = StringIO()
    Console(width=80, file=page).print(render(report))
    assert "think" in page.getvalue()
