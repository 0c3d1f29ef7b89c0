"""What `make demo` promises: in every example the planted error is what the report points at."""

import json
from pathlib import Path

import pytest

from elocute.assessor import Assessor
from elocute.report import Report

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ROWS = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
PLANTED = [row for row in ROWS if row["planted"]]


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    assessor = Assessor()
    return {row["id"]: assessor.assess(EXAMPLES / row["audio"], row["text"]) for row in ROWS}


@pytest.mark.parametrize("row", [row for row in PLANTED if row["planted"]["phone_index"] is not None], ids=str)
def test_the_planted_phone_is_the_lowest_of_its_sentence(row: dict, reports: dict[str, Report]) -> None:
    place = (row["planted"]["word_index"], row["planted"]["phone_index"])
    scores = {
        (w, p): phone.score for w, word in enumerate(reports[row["id"]].words) for p, phone in enumerate(word.phonemes)
    }
    assert min(scores, key=scores.__getitem__) == place
    good = reports[row["id"].split("-")[0]]
    assert good.words[place[0]].phonemes[place[1]].score > scores[place]


@pytest.mark.parametrize("row", [row for row in PLANTED if row["planted"]["phone_index"] is None], ids=str)
def test_the_dropped_word_and_no_other_is_left_out(row: dict, reports: dict[str, Report]) -> None:
    report = reports[row["id"]]
    omitted = [index for index, word in enumerate(report.words) if word.error == "omission"]
    assert omitted == [row["planted"]["word_index"]]
    assert report.utterance.completeness == pytest.approx(100 * (1 - 1 / len(report.words)), abs=0.1)


@pytest.mark.parametrize("row", [row for row in ROWS if not row["planted"]], ids=str)
def test_nothing_is_wrong_with_a_good_recording(row: dict, reports: dict[str, Report]) -> None:
    report = reports[row["id"]]
    assert report.mispronunciations == ()
    assert [word.error for word in report.words] == [None] * len(report.words)
    assert report.utterance.completeness == 100
