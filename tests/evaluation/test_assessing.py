"""From recordings to stored predictions: what a report says, and a run that is killed and goes on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_reports import phone, weather, word

from elocute.corpora.layouts import read_corpus
from elocute.errors import BatchError, ConfigError
from elocute.evaluation.assessing import assess_corpus, greedy_phones, prediction_from_report
from elocute.evaluation.predictions import read_predictions, write_predictions
from elocute.report import Report
from elocute.types import PhoneSet, Posteriors
from tiny_corpus import FakeFactory, write_corpus


def test_the_best_path_is_read_without_the_text() -> None:
    phones = PhoneSet(symbols=("S", "T", "TS"), tokens=((1,), (2,), (2, 1)), size=4, blank_id=0)

    def heard(*labels: int) -> tuple[str, ...]:
        log_probs = np.full((len(labels), 4), -9.0, dtype=np.float32)
        log_probs[np.arange(len(labels)), labels] = -0.01
        return greedy_phones(Posteriors(log_probs=log_probs, frame_shift_s=0.02, phone_set=phones))

    assert heard(0, 1, 1, 0, 1, 2, 2) == ("S", "S", "T")
    assert heard(2, 2, 0, 1, 1, 0, 1) == ("TS", "S")
    assert heard(1, 3, 1) == ("S", "S")  # column 3 spells no phone
    assert heard(0, 0) == ()


def said() -> Report:
    """A report of words that were said."""
    report = weather()
    return replace(report, words=tuple(each for each in report.words if each.error != "omission"))


def test_a_report_becomes_a_prediction_on_the_corpus_s_scales(tmp_path: Path) -> None:
    report = said()
    found = prediction_from_report("u", report, ("AY",))
    phones = [item for each in report.words for item in each.phonemes]
    assert found.phone == pytest.approx([item.score / 50 for item in phones])
    assert [list(scores) for scores in found.word] == [
        pytest.approx([w.accuracy / 10, w.stress / 10, w.total / 10]) for w in report.words
    ]
    assert found.utterance["prosodic"] == pytest.approx(report.utterance.prosody / 10)
    assert found.heard == [item.actual for item in phones]
    assert found.phone_error == [item.probability for item in phones]
    assert found.perceived == ("AY",)
    write_predictions(tmp_path / "p.gz", {}, [found])
    assert read_predictions(tmp_path / "p.gz").utterances[0].omitted == ()


def test_words_left_out_and_reports_without_scores_stay_what_they_are() -> None:
    report = said()
    gone = word("gone", [phone("G", 0.0, actual=None, error="deletion")], total=0.0, stress=None, error="omission")
    found = prediction_from_report("u", replace(report, words=(*report.words, gone)))
    assert found.omitted == [len(report.words)]
    assert tuple(found.word[-1]) == (0.0, None, 0.0)
    assert (found.phone[-1], found.heard[-1]) == (0.0, None)
    nothing = replace(report.utterance, accuracy=None, fluency=None, prosody=None, completeness=None, total=None)
    unscored = replace(report, utterance=nothing)
    for warning, reason in (
        ("hardly any of it was heard (1 of 9 sounds), so nothing is scored; check it", "hardly any of it was heard"),
        ("it does not fit, so nothing is scored; check it", "it does not fit, so nothing is scored; check it"),
    ):
        refused = prediction_from_report("u", replace(unscored, warnings=("audio is faint", warning)), ())
        assert (refused.is_scored, refused.reason) == (False, reason)
    assert prediction_from_report("u", replace(unscored, warnings=()), ()).reason == "nothing is scored"


def test_sounds_that_the_text_does_not_have_keep_their_place(tmp_path: Path) -> None:
    """In a word, and as an entry of their own between words; what is said again is beside the text, too."""
    added = phone("G", None, expected=None, error="insertion")
    beside = {"text_index": None, "total": None, "accuracy": None, "stress": None}
    report = said()
    report = replace(
        report,
        words=(
            word("um", [replace(added, actual="AH")], error="insertion", **beside),
            word("sing", [phone("S"), phone("IH1"), phone("NG"), added], text_index=0),
            word("so", [phone("S"), phone("OW1")], error="repetition", **beside),
            word("so", [phone("S"), phone("OW1", actual=None, error="deletion")], text_index=1),
        ),
    )
    found = prediction_from_report("u", report)
    assert found.heard == ["S", "IH", "NG", "S", None]
    assert found.inserted == [(0, "AH"), (3, "G"), (3, "S"), (3, "OW")]
    write_predictions(tmp_path / "p.gz", {}, [found])
    assert read_predictions(tmp_path / "p.gz").utterances[0].inserted == tuple(found.inserted)


@pytest.fixture
def corpus(tmp_path: Path):
    return read_corpus(write_corpus(tmp_path / "corpus"), "test")


def run(corpus, out: Path, make, **options) -> None:
    options = {"provenance": {"model": "fake"}, "configuration": "fake", "workers": 1} | options
    assess_corpus(corpus, corpus.utterances, out, make_assessor=make, **options)


def test_a_killed_run_goes_on_where_it_was(corpus, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    (log / "kill").touch()
    make = FakeFactory(log=log, die_on=corpus.utterances[4].id)
    with pytest.raises(BatchError, match="a worker process died"):
        run(corpus, tmp_path / "p.gz", make)
    assert not (tmp_path / "p.gz").exists()
    seen: list[tuple[int, int]] = []
    run(corpus, tmp_path / "p.gz", make, progress=lambda done, total: seen.append((done, total)))
    assert seen[0][0] > 0  # the first rows were kept
    assert [item.id for item in read_predictions(tmp_path / "p.gz").utterances] == [u.id for u in corpus.utterances]
    assert (log / corpus.utterances[0].id).read_text() == "x"  # assessed once
    run(corpus, tmp_path / "whole.gz", make)
    assert (tmp_path / "whole.gz").read_bytes() == (tmp_path / "p.gz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "log", "p.gz", "whole.gz"]


def test_an_unfinished_run_of_another_configuration_is_not_continued(corpus, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    (log / "kill").touch()
    make = FakeFactory(log=log, die_on=corpus.utterances[4].id)
    with pytest.raises(BatchError):
        run(corpus, tmp_path / "p.gz", make)
    with pytest.raises(ConfigError, match="begun with another configuration; .* --fresh"):
        run(corpus, tmp_path / "p.gz", make, configuration="other")
    run(corpus, tmp_path / "p.gz", make, configuration="other", fresh=True)
    assert (log / corpus.utterances[0].id).read_text() == "xx"


def test_a_kill_between_rows_and_predictions_costs_no_manual_work(corpus, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    (tmp_path / "p.gz.rows").write_text("{}\n")
    run(corpus, tmp_path / "p.gz", FakeFactory(log=log))
    assert len(read_predictions(tmp_path / "p.gz").utterances) == 7


def test_a_recording_that_cannot_be_assessed_is_kept_with_its_reason(corpus, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    bad = corpus.utterances[2].id
    run(corpus, tmp_path / "p.gz", FakeFactory(log=log, refuse=bad))
    found = {item.id: item for item in read_predictions(tmp_path / "p.gz").utterances}
    assert len(found) == 7
    assert found[bad].reason == f"AudioError: the recording of {bad} is 0.0 s long; record again"
    assert found[corpus.utterances[3].id].is_scored


def test_parquet_is_assessed_like_the_official_layout(corpus, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow comes with the extra 'evaluate'")
    from parquet_corpus import convert

    log = tmp_path / "log"
    log.mkdir()
    other = read_corpus(convert(corpus.folder, tmp_path / "hf", "test"), "test")
    run(corpus, tmp_path / "a.gz", FakeFactory(log=log))
    (log / "kill").touch()
    make = FakeFactory(log=log, die_on=corpus.utterances[4].id)
    with pytest.raises(BatchError):
        run(other, tmp_path / "b.gz", make)
    run(other, tmp_path / "b.gz", make)  # resumed, though the recordings were unpacked to another place
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert json.loads((corpus.folder / "resource" / "scores.json").read_text()).keys() == {
        utterance.id for utterance in other.utterances
    }
