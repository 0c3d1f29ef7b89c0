"""Mispronunciation detection and diagnosis, every measure against a count by hand on planted errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from arctic_corpus import write_sentence
from elocute.corpora.l2arctic import ArcticCorpus, read_l2arctic
from elocute.errors import ConfigError
from elocute.evaluation.mdd import evaluate_mdd
from elocute.evaluation.mdd_assessing import row_of_utterance
from elocute.evaluation.mdd_result import (
    ALIGNED,
    DIAGNOSIS,
    ECHO,
    EVERYTHING,
    FREE,
    MODEL,
    NOTHING,
    PHONES,
    STRICT,
    MddEvaluation,
    to_json,
)
from elocute.evaluation.predictions import Prediction, StoredPredictions, read_predictions, write_predictions

# The canonical phones are S IY | R EH D of each sentence; who says what:
SENTENCES = {
    ("NJS", "arctic_a0001"): [("sea", ["S,SH,s", "IY1"]), ("red", ["R,R*,s", "EH1", "D,sil,d"])],
    ("NJS", "arctic_a0002"): [("sea", ["S", "IY1", "sil,AH,a"]), ("red", ["R", "EH1,err,s", "D"])],
    ("TLV", "arctic_a0001"): [("sea", ["S", "IY1,IH*,s"]), ("red", ["R", "EH1", "D", "sil,AH,a"])],
    ("HQTV", "arctic_a0001"): [("sea", ["S", "IY1"]), ("red", ["R", "EH1", "D"])],
}
OWN = tuple("S IY R EH D".split())


def prediction(key: str, heard: str, probability: str, perceived: str, **more) -> Prediction:
    """A prediction of five phones in two words; `-` is nothing."""
    return Prediction(
        id=key,
        phone=[2.0 - 2.0 * float(p) for p in probability.split()],
        word=[(10.0, 10.0, 10.0)] * 2,
        utterance={},
        phone_error=[float(p) for p in probability.split()],
        heard=[None if phone == "-" else phone for phone in heard.split()],
        perceived=perceived.split(),
        **more,
    )


PREDICTIONS = (
    # SH found and named; R flagged, though it was heard as R (a distortion); the D that is missing is missed.
    prediction("NJS-arctic_a0001", "SH IY R EH D", ".9 .1 .6 .1 .3", "SH IY R EH"),
    # The vowel that nobody could tell is found; the added AH is found, as IH; another is added where none is.
    prediction("NJS-arctic_a0002", "S IY R AE D", ".1 .1 .1 .8 .1", "S IY IH R AE D", inserted=[(2, "IH"), (5, "T")]),
    # IH found, but named EH; a false alarm at D; the AH at the end is missed.
    prediction("TLV-arctic_a0001", "S EH R EH T", ".1 .7 .1 .1 .7", "S EH R EH T"),
    # The second word is said to be left out: three false alarms.
    prediction("HQTV-arctic_a0001", "S IY - - -", ".1 .1 .2 .2 .2", "S IY", omitted=[1]),
)
STORED = StoredPredictions(provenance={"threshold": 0.5, "protocol": "planted"}, utterances=PREDICTIONS)


@pytest.fixture
def corpus(tmp_path: Path) -> ArcticCorpus:
    for (speaker, stem), words in SENTENCES.items():
        write_sentence(tmp_path, speaker, stem, words)
    return read_l2arctic(tmp_path, ["NJS", "TLV", "HQTV"])


@pytest.fixture
def result(corpus: ArcticCorpus) -> MddEvaluation:
    return evaluate_mdd(corpus, STORED, draws=50)


def detection(result: MddEvaluation, labels: str, predictor: str, part: str = "all"):
    (row,) = (r for r in result.detection if (r.labels, r.predictor, r.part) == (labels, predictor, part))
    return row


def counts(row) -> tuple[int, ...]:
    return row.ta, row.fr, row.fa, row.tr, row.cd, row.de


def test_phone_by_phone(result: MddEvaluation) -> None:
    row = detection(result, PHONES, MODEL)
    # Wrong: S, D (deleted), EH (err), IY. False alarms: R with its accent, D, and a word of three.
    assert counts(row) == (11, 5, 1, 3, 1, 1)
    assert row.precision.value == pytest.approx(3 / 8)
    assert row.recall.value == pytest.approx(3 / 4)
    assert row.f1.value == pytest.approx(6 / 12)
    assert row.frr.value == pytest.approx(5 / 16)
    assert row.far.value == pytest.approx(1 / 4)
    assert row.der.value == pytest.approx(1 / 2)
    assert row.da.value == pytest.approx(1 / 2)
    assert row.accuracy.value == pytest.approx(14 / 20)
    assert row.f1.low is not None
    assert row.f1.low <= row.f1.value <= row.f1.high


def test_an_accent_counts_as_wrong_where_that_is_asked(result: MddEvaluation) -> None:
    # R,R* is a positive now; flagged, and heard as R: found, and diagnosed.
    assert counts(detection(result, STRICT, MODEL)) == (11, 4, 1, 4, 2, 1)


def test_trivial_detectors(result: MddEvaluation) -> None:
    nothing, everything = detection(result, PHONES, NOTHING), detection(result, PHONES, EVERYTHING)
    assert counts(nothing) == (16, 0, 4, 0, 0, 0)
    assert (nothing.precision.value, nothing.recall.value, nothing.f1.value) == (0.0, 0.0, 0.0)
    assert counts(everything) == (0, 16, 0, 4, 0, 0)
    assert everything.precision.value == pytest.approx(4 / 20)
    assert (everything.recall.value, everything.da.value) == (1.0, None)


def test_the_ranking(result: MddEvaluation) -> None:
    (row,) = (r for r in result.ranking if (r.labels, r.part) == (PHONES, "all"))
    wrong = [0.9, 0.3, 0.8, 0.7]
    right = [0.1, 0.6, 0.1, *[0.1] * 4, *[0.1] * 3, 0.7, 0.1, 0.1, *[0.2] * 3]
    pairs = [(a > b) + 0.5 * (a == b) for a in wrong for b in right]
    assert (row.n, row.wrong, len(right)) == (20, 4, 16)
    assert row.roc_auc.value == pytest.approx(sum(pairs) / len(pairs))


def test_added_sounds_are_apart(result: MddEvaluation) -> None:
    rows = {row.predictor: row for row in result.insertions if row.part == "all"}
    model, nothing = rows[MODEL], rows[NOTHING]
    assert (model.found, model.named, model.missed, model.false) == (1, 0, 1, 1)
    assert (model.precision.value, model.recall.value, model.f1.value) == (0.5, 0.5, 0.5)
    assert (nothing.found, nothing.missed, nothing.precision.value, nothing.recall.value) == (0, 2, None, 0.0)


def test_strings(result: MddEvaluation) -> None:
    rows = {row.hypothesis: row for row in result.strings if row.part == "all"}
    # People: SH IY R EH | S IY AH R <unk> D | S IH R EH D AH | S IY R EH D
    assert {row.length for row in rows.values()} == {21}
    free = rows[FREE]  # 0 + (AH as IH, <unk> as AE) + (IH, D wrong, AH missed) + 3 missed
    assert (free.substitutions, free.deletions, free.insertions) == (4, 4, 0)
    assert free.per.value == pytest.approx(8 / 21)
    assert free.correct.value == pytest.approx(13 / 21)
    assert free.accuracy.value == pytest.approx(13 / 21)
    said = rows[DIAGNOSIS]  # SH IY R EH D | S IY IH R AE D T | S EH R EH T | S IY
    assert (said.substitutions, said.deletions, said.insertions) == (4, 4, 2)
    assert said.accuracy.value == pytest.approx(11 / 21)
    echo = rows[ECHO]
    assert (echo.substitutions, echo.deletions, echo.insertions) == (3, 2, 1)


def test_aligned_strings(result: MddEvaluation) -> None:
    # SH and the missing D: CD | AH and <unk>: DE | IH: DE; D AH against T pairs the last ones, so D: FR, AH: DE | 3 FR
    assert counts(detection(result, ALIGNED, FREE)) == (12, 4, 0, 6, 2, 4)
    # The D that is missing is missed; the false T at the end of the second sentence counts nowhere.
    assert counts(detection(result, ALIGNED, DIAGNOSIS)) == (12, 4, 1, 5, 1, 4)
    echo = detection(result, ALIGNED, ECHO)
    assert (echo.fr, echo.tr, echo.f1.value) == (0, 0, 0.0)
    assert echo.fa == 6


def test_parts_are_speakers_and_first_languages(result: MddEvaluation) -> None:
    parts = list(dict.fromkeys(row.part for row in result.detection))
    assert parts == ["all", "Vietnamese", "NJS (Spanish)", "TLV (Vietnamese)", "HQTV (Vietnamese)"]
    rows = [detection(result, PHONES, MODEL, part) for part in parts]
    assert counts(rows[2]) == (6, 1, 1, 2, 1, 0)
    assert counts(rows[3]) == (3, 1, 0, 1, 0, 1)
    for k in range(6):
        assert counts(rows[0])[k] == sum(counts(row)[k] for row in rows[2:])
        assert counts(rows[1])[k] == sum(counts(row)[k] for row in rows[3:])
    assert rows[2].f1.low is None  # one speaker has no interval
    assert rows[4].recall.value is None  # nothing is wrong there


def test_facts_and_json(corpus: ArcticCorpus, result: MddEvaluation) -> None:
    facts = {"utterances": 4, "words": 8, "phones": 20, "substituted": 2, "distorted": 1, "deleted": 1, "unknown": 1}
    assert {key: result.data[key] for key in facts} == facts
    assert result.data["inserted"] == 2
    plain = json.loads(to_json(result))
    assert plain["format"] == "elocute mdd 1"
    assert plain["detection"][0]["f1"]["value"] == 0.5
    assert to_json(result) == to_json(evaluate_mdd(corpus, STORED, draws=50))
    for measure in ("precision", "recall", "f1", "frr", "far", "der", "da", "accuracy", "per", "correct", "roc_auc"):
        assert plain["definitions"][measure]


def test_a_recording_that_was_not_assessed_is_not_flagged(corpus: ArcticCorpus) -> None:
    refused = Prediction(id="NJS-arctic_a0001", phone=None, word=None, utterance=None, reason="silence")
    result = evaluate_mdd(corpus, replace(STORED, utterances=(refused, *PREDICTIONS[1:])), draws=20)
    assert result.unscored == {"NJS-arctic_a0001": "silence"}
    assert counts(detection(result, PHONES, MODEL, "NJS (Spanish)")) == (7, 0, 2, 1, 0, 0)
    (row,) = (r for r in result.strings if (r.part, r.hypothesis) == ("NJS (Spanish)", FREE))
    assert row.deletions == 4  # nothing was heard of it


def test_predictions_of_other_kinds(corpus: ArcticCorpus) -> None:
    bare = [replace(item, heard=None, phone_error=None, omitted=()) for item in PREDICTIONS]
    only_strings = evaluate_mdd(corpus, StoredPredictions(provenance={}, utterances=tuple(bare)), draws=20)
    assert {row.labels for row in only_strings.detection} == {ALIGNED}
    assert only_strings.insertions == ()
    assert any("only strings are measured" in note for note in only_strings.notes)
    assert only_strings.ranking[0].roc_auc.value == pytest.approx(
        evaluate_mdd(corpus, STORED, draws=20).ranking[0].roc_auc.value  # low scores rank as the probability did
    )
    named = [replace(item, perceived=None, phone_error=None) for item in PREDICTIONS]
    only_names = evaluate_mdd(corpus, StoredPredictions(provenance={}, utterances=tuple(named)), draws=20)
    # Without a probability a distortion cannot be seen: the R of the first sentence passes.
    assert counts(detection(only_names, PHONES, MODEL)) == (12, 4, 1, 3, 1, 1)
    assert {row.hypothesis for row in only_names.strings} == {DIAGNOSIS, ECHO}
    mute = [replace(item, perceived=None) for item in bare]
    with pytest.raises(ConfigError, match="neither flag phones .* nor tell phones heard without the text"):
        evaluate_mdd(corpus, StoredPredictions(provenance={}, utterances=tuple(mute)))


def test_predictions_that_do_not_fit(corpus: ArcticCorpus) -> None:
    with pytest.raises(ConfigError, match="lack 1 of 4 utterances, first NJS-arctic_a0001"):
        evaluate_mdd(corpus, replace(STORED, utterances=PREDICTIONS[1:]))
    short = replace(PREDICTIONS[0], phone=[1.0], phone_error=[0.5], heard=["S"])
    with pytest.raises(ConfigError, match="utterance NJS-arctic_a0001 has 5 phones, its prediction 1"):
        evaluate_mdd(corpus, replace(STORED, utterances=(short, *PREDICTIONS[1:])))


def test_inserted_phones_are_stored(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.gz", {"threshold": 0.5}, PREDICTIONS)
    again = read_predictions(tmp_path / "p.gz")
    assert [tuple(item.inserted) for item in again.utterances] == [(), ((2, "IH"), (5, "T")), (), ()]
    for wrong in ([(6, "T")], [(-1, "T")], [(True, "T")], [(1, None)]):
        with pytest.raises(ConfigError, match="expected a phone and its place"):
            write_predictions(tmp_path / "q.gz", {}, [replace(PREDICTIONS[0], inserted=wrong)])
    line = '{"id":"u","phone":[1],"word":[[1,1,1]],"utterance":{},"inserted":[[0]]}\n'
    (tmp_path / "r").write_text('{"format":"elocute predictions 1","provenance":{}}\n' + line)
    with pytest.raises(ConfigError, match=r"an inserted phone is \[0\]; expected the phones before it, and the phone"):
        read_predictions(tmp_path / "r")


def test_the_text_to_assess_has_as_many_words_as_the_annotation(tmp_path: Path) -> None:
    write_sentence(tmp_path, "NJS", "arctic_a0001", [("sea", ["S", "IY1"]), ("red", ["R", "EH1", "D"])])
    write_sentence(tmp_path, "NJS", "arctic_a0002", [("sea-red", ["S", "IY1"]), ("<unk>", ["R", "EH1", "D"])])
    rows = [row_of_utterance(item) for item in read_l2arctic(tmp_path, ["NJS"]).utterances]
    assert [row.text for row in rows] == ["sea red", "word word"]
    assert [row.phones for row in rows] == [(("S", "IY"), ("R", "EH", "D"))] * 2
