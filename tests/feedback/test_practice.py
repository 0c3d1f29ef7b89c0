"""Practice: pairs differ by one sound, words are common and decent, the choice is made again the same."""

import json
from pathlib import Path

import pytest

from elocute.assets import read_asset
from elocute.errors import ConfigError
from elocute.feedback import LEVELS, minimal_pairs, practice_words
from elocute.feedback.practice import pairs_of
from elocute.phones import PHONES, split_stress
from elocute.phones.lexicon import default_lexicon
from elocute.training.practice import BLOCKED, build, common_words

KEYS = [(one, other) for one in (*PHONES, "-") for other in (*PHONES, "-") if one != other]


def bare(word: str) -> tuple[str, ...]:
    return tuple(split_stress(phone)[0] for phone in default_lexicon().get(word)[0])


def test_words_of_a_pair_differ_by_the_one_sound():
    checked = 0
    for expected, actual in KEYS:
        for pair in pairs_of(expected, actual):
            said, wanted = bare(pair.said), bare(pair.wanted)
            at = {"initial": [0], "final": [len(wanted) - 1], "medial": range(1, len(wanted) - 1)}
            if expected == "-":
                at = {"initial": [0], "final": [len(said) - 1], "medial": range(1, len(said) - 1)}
                assert any(said[:i] + said[i + 1 :] == wanted and said[i] == actual for i in at[pair.place])
            else:
                new = () if actual == "-" else (actual,)
                assert any(
                    wanted[i] == expected and wanted[:i] + new + wanted[i + 1 :] == said for i in at[pair.place]
                ), (expected, actual, pair)
            assert not set(default_lexicon().get(pair.said)) & set(default_lexicon().get(pair.wanted))
            checked += 1
    assert checked > 4000


def test_a_pair_turns_round_with_its_confusion():
    for expected, actual in KEYS:
        there = [(pair.said, pair.wanted) for pair in pairs_of(expected, actual)]
        back = [(pair.wanted, pair.said) for pair in pairs_of(actual, expected)]
        assert there == back


@pytest.mark.parametrize(
    ("expected", "actual", "classic"),
    [
        ("TH", "S", "sick/thick"),
        ("TH", "T", "tree/three"),
        ("V", "W", "wet/vet"),
        ("L", "R", "right/light"),
        ("IH", "IY", "sheep/ship"),
        ("AE", "EH", "bed/bad"),
        ("D", "T", "seat/seed"),
        ("B", "P", "pin/bin"),
        ("AH", "AA", "not/nut"),
        ("N", "NG", "thing/thin"),
    ],
)
def test_classics_are_there(expected: str, actual: str, classic: str):
    assert classic in {str(pair) for pair in pairs_of(expected, actual)}


def test_the_same_place_comes_first_and_is_all_where_a_sound_was_lost():
    assert minimal_pairs("TH", "S", place="final")[0] in {"pass/path", "mouse/mouth"}
    lost = minimal_pairs("T", "-", place="final", level="teacher")
    assert lost
    assert all(wanted.startswith(said[:1]) for said, wanted in (pair.split("/") for pair in lost))
    for phone in PHONES:
        for place in ("initial", "medial", "final"):
            offered = minimal_pairs(phone, "-", place=place, level="teacher", most=9)
            assert set(offered) <= {str(pair) for pair in pairs_of(phone, "-") if pair.place == place}


def test_no_rude_word_is_offered():
    packed = json.loads(read_asset("practice.json"))
    offered = {word for lines in packed["pairs"].values() for line in lines for word in line.split()[:2]}
    offered |= {line.split()[0] for places in packed["words"].values() for lines in places.values() for line in lines}
    assert len(offered) > 1500
    assert offered & BLOCKED == set()
    assert offered & {"sex", "ass", "shit", "kill", "death", "gun", "drunk", "god"} == set()
    assert all(default_lexicon().get(word) for word in offered)


def test_children_get_the_most_common_words():
    rank = {pair: pair.level for key in KEYS for pair in pairs_of(*key)}
    assert {1, 2, 3} == set(rank.values())
    for expected, actual in KEYS:
        hard = {str(pair) for pair in pairs_of(expected, actual) if pair.level == 3}
        assert not hard & set(minimal_pairs(expected, actual, level="child", most=99))


@pytest.mark.parametrize("level", LEVELS)
def test_every_sound_has_words(level: str):
    for phone in PHONES:
        words = practice_words(phone, level=level)  # type: ignore[arg-type]
        assert len(words) >= 3, phone
        assert all(phone in bare(word) for word in words)
    assert bare(practice_words("T", place="final")[0])[-1] == "T"


def test_common_errors_have_pairs():
    """Of the confusions that learners make most, all but those for which English has no pairs of common words."""
    for expected, actual in [
        ("TH", "S"), ("TH", "T"), ("TH", "F"), ("DH", "D"), ("DH", "Z"), ("V", "W"), ("V", "B"), ("V", "F"), ("R", "L"),
        ("L", "R"), ("L", "N"), ("N", "L"), ("IH", "IY"), ("IY", "IH"), ("AE", "EH"), ("EH", "AE"), ("UH", "UW"),
        ("AH", "AA"), ("SH", "S"), ("S", "SH"), ("NG", "N"), ("N", "NG"), ("Z", "S"), ("D", "T"), ("B", "P"),
        ("P", "B"), ("G", "K"), ("T", "-"), ("D", "-"), ("K", "-"), ("L", "-"), ("S", "-"), ("-", "AH"), ("AO", "OW"),
    ]:  # fmt: skip
        assert minimal_pairs(expected, actual), (expected, actual)
    assert minimal_pairs("ZH", "SH") == ()  # English has none


def small_lists(folder: Path) -> tuple[Path, Path]:
    """Lists from which a choice can be made."""
    words = "think sink thick sick sex red led write light right rights the".split()
    counts = folder / "counts.txt"
    counts.write_text("".join(f"{word} {100 - n}\n" for n, word in enumerate(words)), encoding="utf-8")
    for size in ("10", "20", "35"):
        (folder / f"english-words.{size}").write_text("\n".join(words), encoding="utf-8")
        (folder / f"american-words.{size}").write_text("", encoding="utf-8")
    return counts, folder


def test_building_chooses_from_the_lists(tmp_path: Path):
    counts, scowl = small_lists(tmp_path)
    made = build(counts, scowl, default_lexicon())
    assert made["pairs"] == {  # type: ignore[comparison-overlap]
        "L R": ["light right i 1", "led red i 1"],  # a classic comes first
        "NG -": ["sink sick m 1", "think thick m 1"],
        "S -": ["rights write f 1"],
        "S TH": ["sink think i 1", "sick thick i 1"],
    }
    assert "sex" not in {word.word for word in common_words(counts, scowl, default_lexicon())}
    assert set(made["words"]) == set(PHONES)  # type: ignore[call-overload]


def test_building_says_what_is_missing(tmp_path: Path):
    counts, scowl = small_lists(tmp_path)
    counts.write_text("zzzz 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="has no word that SCOWL and the lexicon know"):
        common_words(counts, scowl, default_lexicon())
    (scowl / "english-words.20").unlink()
    with pytest.raises(ConfigError, match=r"english-words\.20 is missing"):
        common_words(counts, scowl, default_lexicon())
