"""L2-ARCTIC: every kind of annotation, the layout, and all that can contradict itself; files are made here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arctic_corpus import Entry, textgrid, tiers_of, write_sentence
from elocute.corpora.l2arctic import SPEAKERS, TEST_SPEAKERS, UNKNOWN, ArcticUtterance, read_l2arctic, spliced
from elocute.corpora.l2arctic_annotation import Said, parse_label, read_annotation
from elocute.errors import ConfigError
from elocute.phones import PHONES

EVERYTHING = [
    ("this", ["DH,D,s ", "IH1", " S , Z* , s"]),  # a substitution, with stray spaces; near another phone
    ("old", ["OW1", "l,sil,d", "D", "sil,AX,a"]),  # lower case, a deletion; an addition behind the word, AX
    ("rose", ["R,R*,s", "OW1,err,s", "Z", "sil,err,A"]),  # with an accent; nobody could tell, twice
    ("<unk>", ["spn"]),
    ("won't", ["sil,AH*,a", "W", "OW1,OW0,s", "N", "T"]),  # an addition before the word; the same phone again
]


def same(phone: str) -> Said:
    return Said(kind="same", phone=phone)


def sub(phone: str, *, star: bool = False) -> Said:
    return Said(kind="substituted", phone=phone, is_approximate=star)


@pytest.fixture
def utterance(tmp_path: Path) -> ArcticUtterance:
    write_sentence(tmp_path, "NJS", "arctic_a0001", EVERYTHING, comments="fast ʃ")
    return read_l2arctic(tmp_path, ["NJS"]).utterances[0]


def test_every_kind_of_annotation(utterance: ArcticUtterance) -> None:
    gone, err = Said(kind="deleted", phone=None), Said(kind="unknown", phone=None)
    assert [(word.text, [phone.said for phone in word.phones]) for word in utterance.words] == [
        ("this", [sub("D"), same("IH"), sub("Z", star=True)]),
        ("old", [same("OW"), gone, same("D")]),
        ("rose", [sub("R", star=True), err, same("Z")]),
        ("won't", [same("W"), same("OW"), same("N"), same("T")]),
    ]
    assert utterance.canonical == tuple("DH IH S OW L D R OW Z W OW N T".split())
    assert [phone.stress for phone in utterance.phones[:4]] == [None, 1, None, 1]
    assert [phone.is_distorted for phone in utterance.phones].index(True) == 6
    assert sum(phone.is_distorted for phone in utterance.phones) == 1
    assert [(item.gap, item.phone, item.is_approximate) for item in utterance.insertions] == [
        (6, "AH", False),
        (9, None, False),
        (9, "AH", True),
    ]
    assert utterance.perceived == (
        "D",
        "IH",
        "Z",
        "OW",
        "D",
        "AH",
        "R",
        UNKNOWN,
        "Z",
        UNKNOWN,
        "AH",
        *"W OW N T".split(),
    )
    assert utterance.unknown_words == ("<unk>",)
    assert len(utterance.slips) == 1
    assert "interval 16 of the tier 'phones' (1.500 s, 'OW1,OW0,s') read as said well" in utterance.slips[0]


def test_times_and_who_speaks(utterance: ArcticUtterance) -> None:
    assert (utterance.id, utterance.speaker, utterance.l1, utterance.gender) == (
        "NJS-arctic_a0001",
        "NJS",
        "Spanish",
        "f",
    )
    assert utterance.audio.name == "arctic_a0001.wav"
    assert utterance.text == "this old rose <unk> won't"
    assert (utterance.phones[0].start_s, utterance.phones[0].end_s) == (0.1, 0.2)
    assert (utterance.words[1].start_s, utterance.words[1].end_s) == (0.4, 0.8)
    assert (utterance.insertions[0].start_s, utterance.insertions[0].end_s) == (0.7, 0.8)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_formats_say_the_same(tmp_path: Path, utterance: ArcticUtterance, short: bool, encoding: str) -> None:
    write_sentence(tmp_path, "NJS", "arctic_a0001", EVERYTHING, short=short, encoding=encoding)
    again = read_l2arctic(tmp_path, ["NJS"]).utterances[0]
    assert (again.words, again.insertions) == (utterance.words, utterance.insertions)


@pytest.mark.parametrize(
    ("text", "canonical", "said", "slip"),
    [
        ("AH0)", "AH", same("AH"), None),
        ("V``", "V", same("V"), None),
        ("AX", "AH", same("AH"), None),
        ("ER0,AX,s", "ER", sub("AH"), None),
        ("R*", "R", sub("R", star=True), "said with an accent"),
        ("T,sil,s", "T", Said(kind="deleted", phone=None), "read as deletion"),
        ("sp,G,s", None, sub("G"), "read as addition"),
        ("D,T,a", "D", sub("T"), "read as substitution"),
        ("D,T", "D", sub("T"), "read as substitution"),
    ],
)
def test_slips_of_annotators_are_read_and_told(text: str, canonical: str, said: Said, slip: str | None) -> None:
    label = parse_label(text, "here")
    assert (label.canonical, label.said) == (canonical, said)
    assert [slip in each for each in label.slips] == ([] if slip is None else [True])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("err", "here: 'err' is unknown; expected an ARPABET phone or sil"),
        ("QX", "here: 'QX' is unknown"),
        ("D,QX,s", "here: 'QX' is unknown; expected an ARPABET phone, sil or err"),
        ("err,D,s", "here: 'err' is unknown; expected an ARPABET phone or sil"),
        ("D,T,x", "here is tagged unlike CPL,PPL,s"),
        ("D,T,s,s", "here is tagged unlike CPL,PPL,s"),
        ("sil,sil,d", "here has neither a correct nor a perceived phone"),
        ("D T", "here: 'D T' is unknown"),
    ],
)
def test_labels_without_meaning_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_label(text, "here")


STRAY = st.sampled_from(["", " ", "  "])


@given(st.sampled_from(PHONES), st.sampled_from(PHONES), st.booleans(), STRAY, STRAY, st.booleans())
def test_spaces_and_case_do_not_matter(own: str, other: str, star: bool, a: str, b: str, lower: bool) -> None:
    text = f"{a}{own}{b},{b}{other}{'*' * star}{a},{a}s{b}"
    label = parse_label(text.lower() if lower else text, "here")
    expected = same(other) if own == other and not star else sub(other, star=star)
    assert (label.canonical, label.said) == (own, expected)


def refused(folder: Path, words: list[Entry], phones: list[Entry], end_s: float = 1.0) -> str:
    path = folder / "a.TextGrid"
    path.write_text(textgrid([("words", words), ("phones", phones)], end_s))
    with pytest.raises(ConfigError) as caught:
        read_annotation(path)
    return str(caught.value)


def test_tiers_that_contradict_themselves_are_refused_by_interval(tmp_path: Path) -> None:
    word, phone = (0.1, 0.5, "at"), (0.1, 0.3, "AE1")
    late = refused(tmp_path, [word], [phone, (0.2, 0.5, "T")])
    assert "interval 2 of the tier 'phones' ('T') begins at 0.200 s; expected no earlier than 0.300 s" in late
    empty = refused(tmp_path, [word], [phone, (0.3, 0.3, "T")])
    assert "interval 2 of the tier 'phones' ('T') ends at 0.300 s, not after its begin at 0.300 s" in empty
    beyond = refused(tmp_path, [word], [phone, (0.3, 1.4, "T")])
    assert "the tier 'phones' ends at 1.000 s, its last interval 1.400 s" in beyond
    apart = refused(tmp_path, [word], [phone, (0.9, 1.0, "T")])
    assert "interval 2 of the tier 'phones' (0.900 s, 'T') lies in no word" in apart
    bare = refused(tmp_path, [word, (0.5, 0.9, "sea")], [phone, (0.3, 0.5, "T")])
    assert "the word 'sea' (0.500 s) has no phones in the tier 'phones'" in bare
    assert "no word in it" in refused(tmp_path, [(0.0, 1.0, "")], [phone])
    assert "no word has canonical phones" in refused(tmp_path, [(0.1, 0.5, "<unk>")], [(0.1, 0.5, "spn")])
    assert "interval 1 of the tier 'phones' (0.100 s, 'A E'): 'A E' is unknown" in refused(
        tmp_path, [word], [(0.1, 0.3, "A E")]
    )


def test_phones_just_beside_a_word_belong_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    words = [(0.1, 0.4, "at"), (0.5, 0.9, "sea")]
    phones = [(0.0, 0.2, "AE1"), (0.2, 0.44, "T"), (0.44, 0.48, "S"), (0.48, 0.9, "IY1")]
    path.write_text(textgrid([("words", words), ("phones", phones)], 1.0))
    found = read_annotation(path)
    assert [[phone.canonical for phone in word.phones] for word in found.words] == [["AE", "T"], ["S", "IY"]]


def test_tiers_that_are_missing_or_of_another_recording(tmp_path: Path) -> None:
    (words, phones), end = tiers_of([("at", ["AE1", "T"])])
    path = tmp_path / "a.TextGrid"
    for tiers, message in (
        ([words], "has no tier 'phones', only 'words'"),
        ([words, phones, words], "has two tiers 'words'"),
        ([("Words ", words[1]), ("PHONES", phones[1])], None),
    ):
        path.write_text(textgrid(tiers, end))
        if message is None:
            assert len(read_annotation(path).words) == 1
        else:
            with pytest.raises(ConfigError, match=message):
                read_annotation(path)
    longer = textgrid([words, phones], end)
    parts = longer.split("item [2]")
    path.write_text("item [2]".join([parts[0], parts[1].replace(f"xmax = {end}", "xmax = 9.0", 1)]))
    with pytest.raises(ConfigError, match=r"the tier 'words' ends at 0.400 s, 'phones' at 9.000 s"):
        read_annotation(path)


AT = [("at", ["AE1", "T"])]


def test_the_layout(tmp_path: Path) -> None:
    for name in TEST_SPEAKERS:
        write_sentence(tmp_path, name, "arctic_b0002", AT)
        write_sentence(tmp_path, name, "arctic_a0001", AT)
        write_sentence(tmp_path, name, "arctic_a0003", AT, annotated=False)
    (tmp_path / "NJS" / "annotation" / ".DS_Store").write_bytes(b"\x00")
    corpus = read_l2arctic(tmp_path)
    assert [item.id for item in corpus.utterances[:3]] == ["NJS-arctic_a0001", "NJS-arctic_b0002", "TLV-arctic_a0001"]
    assert len(corpus.utterances) == 12
    assert corpus.unannotated == tuple(f"{name}-arctic_a0003" for name in TEST_SPEAKERS)
    assert corpus.unusable == ()
    shutil.move(tmp_path / "NJS", tmp_path / "NJS2")
    shutil.move(tmp_path / "NJS2", tmp_path / "NJS" / "NJS")  # as some archives unpack
    assert len(read_l2arctic(tmp_path, ["NJS"]).utterances) == 2


def test_the_speakers_are_those_of_the_corpus() -> None:
    assert len(SPEAKERS) == 24
    for l1 in {speaker.l1 for speaker in SPEAKERS.values()}:
        assert sorted(speaker.gender for speaker in SPEAKERS.values() if speaker.l1 == l1) == ["f", "f", "m", "m"]
    assert len({SPEAKERS[name].l1 for name in TEST_SPEAKERS}) == 6


def test_the_story_of_the_suitcase(tmp_path: Path) -> None:
    write_sentence(tmp_path, "suitcase_corpus", "njs", AT)
    write_sentence(tmp_path, "suitcase_corpus", "tlv", AT)
    corpus = read_l2arctic(tmp_path, ["NJS", "TLV"], "suitcase")
    assert [(item.id, item.speaker) for item in corpus.utterances] == [("NJS-suitcase", "NJS"), ("TLV-suitcase", "TLV")]


def test_an_annotation_that_contradicts_itself_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    write_sentence(tmp_path, "NJS", "arctic_a0001", AT)
    write_sentence(tmp_path, "NJS", "arctic_a0002", [("at", ["AE1", "T,D,x"])])
    corpus = read_l2arctic(tmp_path, ["NJS"])
    assert [item.id for item in corpus.utterances] == ["NJS-arctic_a0001"]
    ((key, reason),) = corpus.unusable
    assert key == "NJS-arctic_a0002"
    assert "arctic_a0002.TextGrid: interval 3 of the tier 'phones' (0.200 s, 'T,D,x') is tagged unlike" in reason
    (tmp_path / "NJS" / "annotation" / "arctic_a0001.TextGrid").unlink()
    with pytest.raises(ConfigError, match="no annotation can be used: .*interval 3"):
        read_l2arctic(tmp_path, ["NJS"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"speaker 'XYZ' is not of L2-ARCTIC; expected each once, of ABA, ASI"):
        read_l2arctic(tmp_path, ["XYZ"])
    with pytest.raises(ConfigError, match="missing or named twice"):
        read_l2arctic(tmp_path, ["NJS", "NJS"])
    with pytest.raises(ConfigError, match=r"wav not found \(.*: no such folder\); expected L2-ARCTIC's root"):
        read_l2arctic(tmp_path / "nowhere", ["NJS"])
    write_sentence(tmp_path, "NJS", "arctic_a0001", AT)
    (tmp_path / "NJS" / "transcript" / "arctic_a0001.txt").unlink()
    with pytest.raises(ConfigError, match=r"arctic_a0001.TextGrid has no transcript of that name"):
        read_l2arctic(tmp_path, ["NJS"])
    (tmp_path / "NJS" / "wav" / "arctic_a0001.wav").unlink()
    with pytest.raises(ConfigError, match=r"has no recording in wav/ of that name"):
        read_l2arctic(tmp_path, ["NJS"])
    shutil.rmtree(tmp_path / "NJS" / "annotation")
    with pytest.raises(ConfigError, match="annotation not found; expected it beside"):
        read_l2arctic(tmp_path, ["NJS"])
    (tmp_path / "NJS" / "annotation").mkdir()
    with pytest.raises(ConfigError, match="has no annotation of NJS"):
        read_l2arctic(tmp_path, ["NJS"])
    write_sentence(tmp_path, "NJS", "arctic_a0001", AT)
    write_sentence(tmp_path, "NJS", "arctic_a0001", AT, suffix=".flac")
    with pytest.raises(ConfigError, match="have the same name; keep one of them"):
        read_l2arctic(tmp_path, ["NJS"])


def test_strings_are_spliced_in_order() -> None:
    assert spliced(["A", None, "C"], [(0, "x"), (2, "y"), (2, "z"), (3, "w")]) == ("x", "A", "y", "z", "C", "w")
    assert spliced([], []) == ()
