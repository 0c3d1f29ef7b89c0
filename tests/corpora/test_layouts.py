"""The two layouts of speechocean762, and the single experts' scores."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow comes with the extra 'evaluate'")

from corpora.test_speechocean762 import CORPUS, scores, write  # noqa: E402
from elocute.corpora.experts import parse_marks, read_experts  # noqa: E402
from elocute.corpora.layouts import read_corpus, with_recordings  # noqa: E402
from elocute.corpora.speechocean762 import Annotated  # noqa: E402
from elocute.errors import ConfigError, MissingExtraError  # noqa: E402
from parquet_corpus import convert  # noqa: E402


def annotated():
    table = scores()
    table["000010011"]["words"][0]["mispronunciations"] = [
        {"canonical-phone": "L", "index": 2, "pronounced-phone": "L*"}
    ]
    table["000010011"]["words"][1]["mispronunciations"] = []
    return table


@pytest.fixture
def official(tmp_path: Path) -> Path:
    folder = write(tmp_path / "official", annotated())
    for speaker, utterance in (("0001", "000010011"), ("0002", "000020001")):
        (folder / "WAVE" / f"SPEAKER{speaker}").mkdir(parents=True)
        (folder / "WAVE" / f"SPEAKER{speaker}" / f"{utterance}.opus").write_bytes(b"audio of " + utterance.encode())
    return folder


@pytest.mark.parametrize("shards", [1, 2])
def test_both_layouts_hold_the_same_utterances(official: Path, tmp_path: Path, shards: int) -> None:
    ours = read_corpus(official, "train")
    theirs = read_corpus(convert(official, tmp_path / "hf", "train", shards=shards), "train")
    assert (ours.layout, theirs.layout) == ("official", "parquet")

    def labels(corpus):
        # Parquet says null where a field is absent, and cannot tell it from a list that is.
        return [replace(utterance, audio=Path(utterance.audio.name)) for utterance in corpus.utterances]

    assert labels(ours) == labels(theirs)
    assert ours.utterances[0].words[0].mispronunciations == (Annotated(index=2, canonical="L", pronounced="L*"),)
    assert ours.utterances[0].words[1].mispronunciations == ()
    assert ours.utterances[1].words[0].mispronunciations is None


def test_recordings_come_out_of_parquet_whole(official: Path, tmp_path: Path) -> None:
    corpus = read_corpus(convert(official, tmp_path / "hf", "train"), "train")
    (tmp_path / "unpacked").mkdir()
    (second,) = with_recordings(corpus, corpus.utterances[1:], tmp_path / "unpacked")
    assert second.audio.read_bytes() == b"audio of 000020001"
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["000020001.opus"]


def test_recordings_of_the_official_layout_stay_where_they_are(official: Path, tmp_path: Path) -> None:
    corpus = read_corpus(official, "train")
    assert with_recordings(corpus, corpus.utterances, tmp_path)[0].audio == corpus.utterances[0].audio
    corpus.utterances[1].audio.unlink()
    with pytest.raises(ConfigError, match=r"000020001.opus not found, and 0 more of 2"):
        with_recordings(corpus, corpus.utterances, tmp_path)


def test_a_row_without_its_recording_is_named(official: Path, tmp_path: Path) -> None:
    (official / "WAVE" / "SPEAKER0001" / "000010011.opus").unlink()
    corpus = read_corpus(convert(official, tmp_path / "hf", "train"), "train")
    with pytest.raises(ConfigError, match="000010011.opus has no bytes"):
        with_recordings(corpus, corpus.utterances, tmp_path)


def test_other_scores_hold_for_parquet_too(official: Path, tmp_path: Path) -> None:
    folder = convert(official, tmp_path / "hf", "train")
    other = annotated()
    other["000010011"]["total"] = 1
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert read_corpus(folder, "train", tmp_path / "other.json").utterances[0].total == 1.0
    del other["000020001"]
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="other scores lack utterance 000020001"):
        read_corpus(folder, "train", tmp_path / "other.json")


def test_other_scores_that_cannot_be_used_are_named(official: Path, tmp_path: Path) -> None:
    folder = convert(official, tmp_path / "hf", "train")
    other = tmp_path / "other.json"
    with pytest.raises(ConfigError, match=r"cannot read .*other\.json: No such file"):
        read_corpus(folder, "train", other)
    with pytest.raises(ConfigError, match=r"cannot read .*hf: Is a directory; give a file like"):
        read_corpus(folder, "train", folder)
    other.write_bytes(b"\x80\xff\x00")
    with pytest.raises(ConfigError, match=r"other\.json is no JSON object: 'utf-8' codec"):
        read_corpus(folder, "train", other)
    for record, reason in ((None, "is None; expected an object"), ({}, "lacks 'text'")):
        other.write_text(json.dumps(annotated() | {"000010011": record}))
        with pytest.raises(ConfigError, match=rf"other\.json: utterance 000010011 {reason}"):
            read_corpus(folder, "train", other)


def test_wrong_folders_are_told_what_is_expected(official: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"is not speechocean762's split test: .* nothing of either is there"):
        read_corpus(tmp_path / "empty", "test")
    with pytest.raises(ConfigError, match="it holds only the split train"):
        read_corpus(convert(official, tmp_path / "hf", "train"), "test")
    with pytest.raises(ConfigError, match=r"test.wav.scp not found"):
        read_corpus(official, "test")


def test_parquet_files_that_contradict_are_refused(official: Path, tmp_path: Path) -> None:
    folder = convert(official, tmp_path / "hf", "train")
    path = folder / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)

    def rewritten(change) -> None:
        rows = table.to_pylist()
        change(rows)
        pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)

    rewritten(lambda rows: rows[1]["audio"].update(path="000010011.opus"))
    with pytest.raises(ConfigError, match="utterance 000010011 occurs twice"):
        read_corpus(folder, "train")
    rewritten(lambda rows: rows[1]["audio"].update(path="recording.wav"))
    with pytest.raises(ConfigError, match=r"audio.path is 'recording.wav'; expected the utterance's id"):
        read_corpus(folder, "train")
    rewritten(lambda rows: rows[1].update(speaker=None))
    with pytest.raises(ConfigError, match="a row has no 'speaker'"):
        read_corpus(folder, "train")
    rewritten(lambda rows: rows.clear())
    with pytest.raises(ConfigError, match="the split train has no utterances"):
        read_corpus(folder, "train")
    path.write_bytes(b"no parquet")
    with pytest.raises(ConfigError, match=r"cannot read .*train-00000"):
        read_corpus(folder, "train")


def test_without_pyarrow_the_extra_is_named(official: Path, tmp_path: Path, monkeypatch) -> None:
    folder = convert(official, tmp_path / "hf", "train")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"install elocute\[evaluate\]"):
        read_corpus(folder, "train")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("W IY0", (2, 2)),
        ("K {AO0} L", (2, 1, 2)),
        ("(AR0)", (0,)),
        ("(AH0 L) N", (0, 0, 2)),
        ("B EH0 [ L ] R", (2, 2, 2)),
        ("Z IH1 [AX0] {R OW0 }", (2, 2, 1, 1)),
        ("", ()),
    ],
)
def test_marks_are_read(text: str, expected: tuple[int, ...]) -> None:
    assert parse_marks(text) == expected


def detail(**changes):
    word = {"accuracy": [10, 8], "stress": [10, 5], "total": [10, 7]}
    record = {
        "accuracy": [8, 9], "completeness": [1.0, 0.75], "fluency": [7, 8], "prosodic": [7, 8], "total": [8, 9],
        "words": [word | {"phones": ["K AO0 L", "K (AO0) L"]}, word | {"phones": ["IH0 T", "IT0"]}],
    }  # fmt: skip
    return {"000010011": record | changes}


def test_experts_are_read_and_matched_by_phone(official: Path, tmp_path: Path) -> None:
    path = official / "resource" / "scores-detail.json"
    path.write_text(json.dumps(detail()))
    corpus = read_corpus(official, "train")
    assert corpus.details == path
    (found,) = read_experts(path, corpus.utterances)  # the second utterance has no details
    assert found.completeness == (10.0, 7.5)
    assert found.words[0].phones == ((2, 2, 2), (2, 0, 2))
    assert found.words[1].phones is None  # one expert wrote the word with one phone less
    assert found.words[1].total == (10, 7)


def test_experts_files_that_contradict_are_refused(official: Path, tmp_path: Path) -> None:
    utterances = read_corpus(official, "train").utterances
    path = tmp_path / "d.json"
    with pytest.raises(ConfigError, match=r"cannot read .*d.json"):
        read_experts(path, utterances)
    path.write_text(json.dumps(detail(words=[])))
    assert read_experts(path, utterances) == []  # other words than the corpus's
    for content, reason in (
        ("{", "no JSON object"),
        ("[]", "no JSON object but a list"),
        (json.dumps({"000010011": {}}), "utterance 000010011 has a record without 'words'"),
        (json.dumps({"000010011": None}), r"the record of utterance 000010011 is damaged \('NoneType'"),
        (json.dumps(detail(total=["x", 8])), r"utterance 000010011 is damaged \(a score is 'x'\); expected"),
        (json.dumps(detail(total=[float("nan"), 8])), r"damaged \(a score is nan\)"),
        (json.dumps(detail(total="98")), r"damaged \(a score is '9'\)"),
        (json.dumps(detail(total=None)), r"damaged \('NoneType'"),
        (json.dumps(detail(total=[None])), r"damaged \(must be real number, not NoneType\)"),
        (json.dumps(detail(words=[3, 4])), r"damaged \('int'"),
    ):
        path.write_text(content)
        with pytest.raises(ConfigError, match=reason):
            read_experts(path, utterances)
    path.write_bytes(b"\x80\xff\x00")
    with pytest.raises(ConfigError, match=r"d\.json is no JSON object: 'utf-8' codec"):
        read_experts(path, utterances)


@pytest.mark.data
@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the speechocean762 corpus beside the checkout")
def test_the_mean_of_the_experts_marks_is_the_corpus_s_own_score() -> None:
    corpus = read_corpus(CORPUS, "train")
    assert corpus.details is not None
    same = words = matched = 0
    for utterance, experts in zip(corpus.utterances, read_experts(corpus.details, corpus.utterances), strict=True):
        for word, marked in zip(utterance.words, experts.words, strict=True):
            words += 1
            if marked.phones is not None:
                matched += 1
                means = [sum(marks) / len(marks) for marks in zip(*marked.phones, strict=True)]
                same += means == pytest.approx(word.phone_accuracy, abs=1e-9)
    assert words == 15849
    assert matched > 0.93 * words
    assert same > 0.995 * matched


@pytest.mark.data
@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the speechocean762 corpus beside the checkout")
def test_the_real_corpus_survives_the_way_through_parquet(tmp_path: Path) -> None:
    ours = read_corpus(CORPUS, "train").utterances[:40]
    theirs = read_corpus(convert(CORPUS, tmp_path, "train", limit=40), "train").utterances
    assert [replace(item, audio=Path(item.audio.name)) for item in ours] == list(theirs)
