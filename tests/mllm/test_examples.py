"""Examples of speechocean762: what was really said, tasks side by side, speakers apart; also on the real corpus."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, Annotated, ScoredWord, read_speechocean762
from elocute.errors import ConfigError
from elocute.mllm.answers import ALPHABET, parse_answer
from elocute.mllm.examples import (
    Realisation,
    hold_out_fold,
    realisation_of,
    realised,
    speechocean_examples,
    utterances_of,
)
from elocute.mllm.prompts import AUDIO, user_turn
from tiny_corpus import write_corpus

SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL = SHARED / "speechocean762"
MANIFEST = Path(__file__).parents[2] / "examples" / "manifest.jsonl"
needs_corpus = pytest.mark.skipif(not REAL.is_dir(), reason="speechocean762 is not beside the checkout")

WHALE = ScoredWord(
    text="WHALE",
    phones=("W", "EY", "L"),
    phone_accuracy=(0.0, 0.0, 0.4),
    accuracy=1,
    stress=10,
    total=3,
    mispronunciations=(
        Annotated(index=0, canonical="W", pronounced="<DEL>"),
        Annotated(index=1, canonical="EY", pronounced="OW"),
        Annotated(index=2, canonical="L", pronounced="L*"),
    ),
)
"""The example on the corpus's own card."""


def said(*pronounced: str) -> tuple[str, ...]:
    """Whale, with other annotations."""
    marks = tuple(
        Annotated(index=index, canonical=phone, pronounced=said)
        for index, (phone, said) in enumerate(zip(WHALE.phones, pronounced, strict=True))
    )
    return realised(replace(WHALE, mispronunciations=marks))


def test_the_card_of_the_corpus() -> None:
    assert realised(WHALE) == ("OW", "<unk>")


@pytest.mark.parametrize(
    ("pronounced", "expected"),
    [
        (("V", "EH1", "R"), ("V", "EH", "R")),
        (("V*", "EH*", "<unk>"), ("V", "EH", "<unk>")),
        (("W*", "EY", "TR"), ("<unk>", "<unk>", "TR")),  # W, but not quite; EY contradicts its score
        (("<DEL>", "<del>", "<DEL>"), ()),
    ],
)
def test_what_was_said_instead(pronounced: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert said(*pronounced) == expected


def test_a_phone_that_is_right_stays_whatever_is_annotated() -> None:
    right = replace(WHALE, phone_accuracy=(2.0, MISPRONOUNCED_BELOW, 0.4))
    assert realised(right) == ("W", "EY", "<unk>")


def test_without_annotation_a_wrong_phone_is_unknown_or_left_as_it_should_be() -> None:
    silent = replace(WHALE, mispronunciations=None, phone_accuracy=(2.0, 0.4, 1.0))
    assert realised(silent) == ("W", "<unk>", "L")
    assert realised(silent, "canonical") == ("W", "EY", "L")


def test_counts_say_where_every_wrong_phone_went(tmp_path: Path) -> None:
    utterance = read_speechocean762(write_corpus(tmp_path), "test")[0]
    odd = replace(
        WHALE,
        mispronunciations=(
            Annotated(index=1, canonical="EY", pronounced="OW*"),
            Annotated(index=2, canonical="R", pronounced="L"),
        ),
    )
    other = replace(WHALE, mispronunciations=None)
    found = realisation_of([replace(utterance, words=(WHALE, odd)), replace(utterance, words=(other,))])
    assert found == Realisation(
        utterances=2,
        phones=9,
        wrong=9,
        substituted=2,
        approximate=2,
        distorted=1,
        unknown=0,
        deleted=1,
        unannotated=5,
        contradictory=1,
    )
    assert "9 phones, of which people called 9 wrong: 2 spoken as another phone, 1 left out" in str(found)
    assert "5 without a word on what was spoken instead" in str(found)


@pytest.mark.parametrize("annotated", [True, False])
def test_every_utterance_is_asked_every_task(tmp_path: Path, annotated: bool) -> None:
    folder = write_corpus(tmp_path, annotated=annotated)
    utterances = read_speechocean762(folder, "test")
    examples = speechocean_examples(folder, split="test")
    assert [example.key for example in examples] == [f"{u.id}/{task}" for u in utterances for task in ("apa", "mdd")]
    assert utterances_of(examples) == utterances
    for example in examples:
        utterance = example.utterance
        assert utterance is not None
        assert example.audio.is_file()
        assert example.user == user_turn(example.task)
        answer = parse_answer(example.task, example.answer)
        assert answer.status == "valid"
        if example.task == "apa":
            assert answer.scores == example.scores
        else:
            assert answer.words == tuple(word.text for word in utterance.words)
            assert answer.phones == tuple(phone for word in example.realised for phone in word)
            assert example.canonical == tuple(word.phones for word in utterance.words)
    planted = [json.loads(line) for line in MANIFEST.read_text().splitlines()]
    for example, row in zip(examples[1::2], planted, strict=True):
        if row["planted"] is None:
            assert example.realised == example.canonical
        elif annotated and row["planted"]["said"]:
            assert row["planted"]["said"] in example.realised[row["planted"]["word_index"]]
            assert example.realised != example.canonical
        elif not annotated:
            assert "<unk>" in example.realised[row["planted"]["word_index"]]


def test_options_reach_questions_and_answers(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path)
    options = {"word_delimiter": True, "control_token": False, "style": "short"}
    (first, *_) = speechocean_examples(folder, split="test", tasks=["combined"], **options)  # type: ignore[arg-type]
    assert first.user == user_turn("combined", **options)  # type: ignore[arg-type]
    assert first.user.startswith(f"<|user|>{AUDIO}")
    answer = parse_answer("combined", first.answer)
    assert answer.status == "valid"
    assert answer.phones_by_word == first.realised
    assert answer.scores == first.scores


def test_nobody_is_on_both_sides_of_a_fold(tmp_path: Path) -> None:
    examples = speechocean_examples(write_corpus(tmp_path), split="test")
    held = []
    for fold in range(3):
        kept, out = hold_out_fold(examples, fold, folds=3, seed=1)
        assert {e.speaker for e in kept}.isdisjoint(e.speaker for e in out)
        assert sorted(e.key for e in [*kept, *out]) == sorted(e.key for e in examples)
        held += out
    assert Counter(e.key for e in held) == Counter(e.key for e in examples)


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path)
    examples = speechocean_examples(folder, split="test")
    for call, match in [
        (lambda: speechocean_examples(folder, split="test", tasks=[]), r"tasks are \[\]; expected one or more"),
        (lambda: speechocean_examples(folder, split="test", tasks=["apa", "apa"]), "each once"),
        (lambda: speechocean_examples(folder, split="test", unannotated="x"), "unannotated is 'x'"),  # type: ignore[arg-type]
        (lambda: speechocean_examples(folder), "expected the official layout"),
        (lambda: hold_out_fold(examples, 3, folds=3), "fold is 3; expected 0 to 2"),
        (lambda: hold_out_fold([replace(examples[0], utterance=None)], 0, folds=2), "1 examples have no scores"),
    ]:
        with pytest.raises(ConfigError, match=match):
            call()
    examples[0].audio.unlink()
    with pytest.raises(ConfigError, match=r"1 of \d+ recordings of .* are missing, first"):
        speechocean_examples(folder, split="test")


@needs_corpus
def test_the_real_corpus_as_questions() -> None:
    examples = speechocean_examples(REAL, word_delimiter=True)
    assert len(examples) == 5000
    counts = realisation_of(utterances_of(examples))
    assert (counts.utterances, counts.phones, counts.wrong) == (2500, 47076, 1991)
    assert counts.unannotated + counts.substituted + counts.distorted + counts.unknown + counts.deleted == 1991
    for example in examples:
        answer = parse_answer(example.task, example.answer)
        assert answer.status == "valid"
        assert answer.notes == ()
        if example.task == "mdd":
            assert answer.phones_by_word == example.realised
            assert set(answer.phones or ()) <= ALPHABET
    unknown = sum(phone == "<unk>" for e in examples[1::2] for word in e.realised for phone in word)
    assert unknown == counts.unannotated + counts.distorted + counts.unknown
    kept, out = hold_out_fold(examples, 0)
    assert (len({e.speaker for e in kept}), len({e.speaker for e in out})) == (100, 25)
