"""How a text was read: the lattice against a slow search of all states, and planted readings."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
from ctc_problems import one_label_phones, posteriors
from elocute.errors import PhoneError
from elocute.gop import EditPrior, Extra, Reading, ReadingPrices, read_words
from elocute.gop.chains import phone_emissions
from elocute.gop.reading import ExtraKind
from elocute.gop.reading_lattice import ReadingLattice, SpokenPhone
from elocute.phones import PHONES
from elocute.types import PhoneSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadingProblem:
    """Frames, the words of a text, a prior of errors and prices."""

    log_probs: np.ndarray
    words: tuple[tuple[int, ...], ...]
    prior: EditPrior
    prices: ReadingPrices
    tokens: tuple[tuple[int, ...], ...]

    @property
    def phone_set(self) -> PhoneSet:
        symbols = tuple("ABCDE"[: len(self.tokens)])
        return PhoneSet(symbols=symbols, tokens=self.tokens, size=self.log_probs.shape[1], blank_id=0)


CHAINED = (
    ((1, 2),),
    ((1, 1),),
    ((1, 2, 1),),
    ((1,), (1, 2)),
    ((2,), (1, 2)),
    ((1, 2), (2, 1)),
    ((1, 1), (1,)),
    ((1, 2, 1), (2,)),
    ((1,), (2,), (1, 2)),
    ((1,), (2,), (3,), (1, 2), (3, 2)),
    ((1, 2), (2,), (2, 1)),
)
"""Spellings that begin, end or are alike, or hold a label twice."""


@st.composite
def reading_problems(draw: st.DrawFn, chained: bool = False) -> ReadingProblem:
    if chained:
        tokens: tuple[tuple[int, ...], ...] = draw(st.sampled_from(CHAINED))
    else:
        tokens = tuple((k + 1,) for k in range(draw(st.integers(1, 4))))
    K, V = len(tokens), 1 + max(label for labels in tokens for label in labels)
    T = draw(st.integers(0, 8))
    phone = st.integers(0, K - 1)
    words = draw(st.lists(st.lists(phone, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3))
    weight = st.just(0.0) | st.floats(1e-4, 1.0)
    said = np.array(draw(st.lists(st.lists(weight, min_size=K + 1, max_size=K + 1), min_size=K, max_size=K)))
    said[np.arange(K), np.arange(K)] += 0.5
    price = st.floats(0.1, 9.0)
    return ReadingProblem(
        log_probs=draw(posteriors(T, V, st.floats(-9.0, 0.0) | st.sampled_from([-np.inf, -40.0]))),
        words=tuple(words),
        prior=EditPrior(said=said / said.sum(axis=1, keepdims=True), inserted=np.full(K, 0.1 / K)),
        prices=ReadingPrices(**{field.name: draw(price) for field in dataclasses.fields(ReadingPrices)}),
        tokens=tokens,
    )


@settings(deadline=None, max_examples=60)
@given(reading_problems())
def test_the_best_reading_costs_what_a_search_of_all_states_finds(problem: ReadingProblem) -> None:
    check_against_a_search(problem)


@settings(deadline=None, max_examples=40)
@given(reading_problems(chained=True))
def test_the_best_reading_of_phones_spelled_by_several_labels(problem: ReadingProblem) -> None:
    check_against_a_search(problem)


def check_against_a_search(problem: ReadingProblem) -> None:
    found = read_words(problem.log_probs, problem.words, problem.phone_set, problem.prior, problem.prices)
    price, looked_at = oracles.best_reading_price(
        problem.log_probs.tolist(),
        problem.words,
        problem.prior.said.tolist(),
        dataclasses.asdict(problem.prices),
        problem.tokens,
    )
    assert looked_at or not len(problem.log_probs)
    assert found.price == pytest.approx(price, abs=1e-9)


def price_of_path(problem: ReadingProblem, path: Sequence[SpokenPhone]) -> float:
    """What a path costs by the prices alone, after checking that it is one."""
    log_probs, prices, text = problem.log_probs, problem.prices, [k for word in problem.words for k in word]
    said = np.log(np.maximum(problem.prior.said, 1e-300))
    dropped = [float(said[c, c] - said[c, -1]) for c in text]
    moves = oracles.reading_moves([len(word) for word in problem.words], dropped, dataclasses.asdict(prices))
    borders = np.cumsum([0, *map(len, problem.words)])
    column = np.zeros(len(log_probs), dtype=int)
    cost, gap, end, last = 0.0, 0, 0, None
    for item in path:
        assert end <= item.start < item.end
        labels = problem.tokens[item.label]
        # CTC would merge them.
        assert item.start > end or last is None or labels[0] != problem.tokens[last.label][-1]
        chain = range(item.start, item.end)
        best = (
            max(
                (
                    path
                    for path in itertools.product({0, *labels}, repeat=len(chain))
                    if oracles.collapse(path, 0) == labels and path[0] and path[-1]
                ),
                key=lambda path: sum(log_probs[t, symbol] for t, symbol in zip(chain, path, strict=True)),
            )
            if len(labels) > 1
            else labels * len(chain)
        )
        column[item.start : item.end] = best
        if item.is_added:
            is_border = item.place in borders
            entry = moves.get((gap, item.place), np.inf) + (prices.filler if is_border else prices.added_phone)
            if last is not None and last.is_added and last.place == item.place:
                entry = min(entry, prices.filler_phone if is_border else prices.added_phone)
        else:
            canonical = text[item.place]
            entry = moves.get((gap, item.place), np.inf) + said[canonical, canonical] - said[canonical, item.label]
        cost += float(entry)
        gap, end, last = item.place + (not item.is_added), item.end, item
    cost += moves.get((gap, len(text)), np.inf)
    rows = np.arange(len(log_probs))
    return cost + float(log_probs.max(axis=1).sum() - log_probs[rows, column].sum())


@settings(deadline=None, max_examples=100)
@given(reading_problems())
def test_the_path_that_is_told_has_the_price_that_is_told(problem: ReadingProblem) -> None:
    check_told_path(problem)


@settings(deadline=None, max_examples=50)
@given(reading_problems(chained=True))
def test_the_path_of_phones_spelled_by_several_labels_has_its_price(problem: ReadingProblem) -> None:
    check_told_path(problem)


def check_told_path(problem: ReadingProblem) -> None:
    emissions = phone_emissions(problem.log_probs, problem.phone_set)
    path, price = ReadingLattice(emissions, problem.words, problem.prior, problem.prices).best_path()
    if price < np.inf:
        assert price_of_path(problem, path) == pytest.approx(price, abs=1e-9)


CHAIN = PhoneSet(symbols=("T", "SH", "CH", "IY"), tokens=((1,), (2,), (1, 2), (3,)), size=4, blank_id=0)


@pytest.mark.parametrize(
    ("columns", "skipped", "kinds"),
    [
        ([0, 1, 2, 0, 3, 0, 1, 0], (), []),  # CH IY | T
        ([0, 1, 0, 2, 3, 3, 0, 1], (), []),  # a blank inside of CH
        ([0, 1, 2, 3, 0, 1, 2, 3, 0, 1], (), ["repetition"]),
        ([0, 1, 0], (0,), []),
    ],
)
def test_words_with_affricates_are_followed(columns: list[int], skipped: tuple[int, ...], kinds: list[str]) -> None:
    rows = np.log(np.full((4, 4), 0.0005) + np.eye(4) * 0.998)
    found = read_words(rows[columns], [(2, 3), (0,)], CHAIN, EditPrior.flat(4))
    assert (found.skipped, [one.kind for one in found.extras]) == (skipped, kinds)


TEXT = "DH AH | B L AE K | K AE T | S AE T"
VERY = "V EH R IY | V EH R IY | G UH D"
ELEPHANT = "EH L AH F AH N T"


def ids(phones: str) -> tuple[int, ...]:
    return tuple(PHONES.index(phone) for phone in phones.split())


def spoken(phones: str, certainty: float = 0.999) -> np.ndarray:
    """Posteriors in which exactly these phones are said, phone i in frame 3 i + 1; the rest is blank."""
    said = ids(phones)
    column = np.zeros(3 * len(said), dtype=int)
    column[1::3] = [phone + 1 for phone in said]
    probs = np.full((len(column), len(PHONES) + 1), (1.0 - certainty) / len(PHONES))
    probs[np.arange(len(column)), column] = certainty
    return np.log(probs)


def read(text: str, phones: str, certainty: float = 0.999) -> Reading:
    words = [ids(word) for word in text.split("|")]
    prior = EditPrior.flat(len(PHONES))
    return read_words(spoken(phones, certainty), words, one_label_phones(len(PHONES)), prior)


def extra(kind: ExtraKind, before: int, word: int | None, phones: str, first: int) -> Extra:
    """An extra whose phones are said from phone `first` of the recording on."""
    end = 3 * (first + len(phones.split()) - 1) + 2
    return Extra(kind=kind, before_word=before, word=word, phones=ids(phones), start=3 * first + 1, end=end)


READINGS = {
    "as it is": (TEXT, "DH AH B L AE K K AE T S AE T", (), (), []),
    "a word of one phone": ("AY | S IY", "AY S IY", (), (), []),
    "one word": (ELEPHANT, ELEPHANT, (), (), []),
    "neighbours that are equal": (VERY, "V EH R IY V EH R IY G UH D", (), (), []),
    "a word with another vowel": (TEXT, "DH AH B L EH K K AE T S AE T", (), (), []),
    "a word without its last phone": (ELEPHANT, "EH L AH F AH N", (), (), []),
    "a single noise between words": (TEXT, "DH AH B L AE K M K AE T S AE T", (), (), []),
    "the first word left out": (TEXT, "B L AE K K AE T S AE T", (0,), (), []),
    "a word left out": (TEXT, "DH AH K AE T S AE T", (1,), (), []),
    "two words left out": (TEXT, "DH AH S AE T", (1, 2), (), []),
    "a word of one phone left out": ("DH IH S | AH | K AE T", "DH IH S K AE T", (1,), (), []),
    "half of it": (TEXT, "DH AH B L AE K", (2, 3), (), []),
    "nothing": (TEXT, "", (0, 1, 2, 3), (), []),
    "a word said twice": (
        TEXT,
        "DH AH B L AE K B L AE K K AE T S AE T",
        (),
        (),
        [extra("repetition", 1, 1, "B L AE K", 2)],
    ),
    "a word said three times": (
        TEXT,
        "DH AH B L AE K B L AE K B L AE K K AE T S AE T",
        (),
        (),
        [extra("repetition", 1, 1, "B L AE K", 2), extra("repetition", 1, 1, "B L AE K", 6)],
    ),
    "the last word said twice": (
        TEXT,
        "DH AH B L AE K K AE T S AE T S AE T",
        (),
        (),
        [extra("repetition", 3, 3, "S AE T", 9)],
    ),
    "one word said twice": (ELEPHANT, f"{ELEPHANT} {ELEPHANT}", (), (), [extra("repetition", 0, 0, ELEPHANT, 0)]),
    "a word of one phone said twice": (
        "AY | S IY",
        "AY AY S IY",
        (),
        (),
        [extra("repetition", 0, 0, "AY", 0)],
    ),
    "a phrase said twice": (
        TEXT,
        "DH AH B L AE K DH AH B L AE K K AE T S AE T",
        (),
        (),
        [extra("repetition", 0, 0, "DH AH", 0), extra("repetition", 1, 1, "B L AE K", 2)],
    ),
    "a word begun, broken off and said again": (
        TEXT,
        "DH AH B L AE B L AE K K AE T S AE T",
        (),
        (),
        [extra("restart", 1, 1, "B L AE", 2)],
    ),
    "a phrase begun again in the middle of a word": (
        TEXT,
        "DH AH B L DH AH B L AE K K AE T S AE T",
        (),
        (),
        [extra("repetition", 0, 0, "DH AH", 0), extra("restart", 1, 1, "B L", 2)],
    ),
    "one word begun twice": (ELEPHANT, f"EH L AH {ELEPHANT}", (), (), [extra("restart", 0, 0, "EH L AH", 0)]),
    "another word first": (
        TEXT,
        "HH EH L OW DH AH B L AE K K AE T S AE T",
        (),
        (),
        [extra("insertion", 0, None, "HH EH L OW", 0)],
    ),
    "another word in the middle": (
        TEXT,
        "DH AH B L AE K HH EH L OW K AE T S AE T",
        (),
        (),
        [extra("insertion", 2, None, "HH EH L OW", 6)],
    ),
    "another word at the end": (
        TEXT,
        "DH AH B L AE K K AE T S AE T HH EH L OW",
        (),
        (),
        [extra("insertion", 4, None, "HH EH L OW", 12)],
    ),
    "two sounds in the middle": (
        TEXT,
        "DH AH M UW B L AE K K AE T S AE T",
        (),
        (),
        [extra("insertion", 1, None, "M UW", 2)],
    ),
    "broken off at the end": (ELEPHANT, "EH L AH", (), (0,), []),
    "more than half of a word": (ELEPHANT, "EH L AH F", (), (), []),
    "half of a word, with one phone missing": ("B IY | AY", "B AY", (), (), []),
    "half of a word, with two phones missing": ("S AY | S P IY K", "S AY S P", (), (1,), []),
    "broken off, and the rest is missing": (TEXT, "DH AH B L", (2, 3), (1,), []),
    "broken off in the middle": (f"DH AH | {ELEPHANT} | S AE T", "DH AH EH L AH S AE T", (), (1,), []),
    "begun twice and never finished": (
        f"DH AH | {ELEPHANT}",
        "DH AH EH L AH EH L AH",
        (),
        (1,),
        [extra("restart", 1, 1, "EH L AH", 2)],
    ),
}


@pytest.mark.parametrize("certainty", [0.9999, 0.998])
@pytest.mark.parametrize("reading", list(READINGS))
def test_a_reading_is_told_as_it_went(reading: str, certainty: float) -> None:
    text, said, skipped, truncated, extras = READINGS[reading]
    found = read(text, said, certainty)
    assert (found.skipped, found.truncated, list(found.extras)) == (skipped, truncated, extras)


def test_of_equal_neighbours_either_may_be_left_out_or_said_again() -> None:
    assert read(VERY, "V EH R IY G UH D").skipped in [(0,), (1,)]
    thrice = read(VERY, "V EH R IY V EH R IY V EH R IY G UH D")
    assert not thrice.skipped
    assert [one.kind for one in thrice.extras] == ["repetition"]
    assert thrice.extras[0].word in (0, 1)
    assert thrice.extras[0].phones == ids("V EH R IY")


def test_frames_of_extras_are_not_kept() -> None:
    found = read(TEXT, "HH EH L OW DH AH B L AE K B L AE K K AE T S AE T")
    assert [(one.kind, one.start, one.end) for one in found.extras] == [("insertion", 1, 11), ("repetition", 19, 29)]
    assert found.kept_frames(54).tolist() == [0, *range(11, 19), *range(29, 54)]
    assert read(TEXT, TEXT.replace("|", "")).kept_frames(36).tolist() == list(range(36))


def test_what_was_left_out_has_the_price_that_is_asked_for() -> None:
    prices = ReadingPrices(skipped_word=2.0, next_skipped_word=0.5)
    words, phones = [ids(word) for word in TEXT.split("|")], one_label_phones(len(PHONES))
    found = read_words(spoken("DH AH"), words, phones, EditPrior.flat(len(PHONES)), prices)
    assert found.skipped == (1, 2, 3)
    assert found.price == pytest.approx(3.0)
    assert read(TEXT, TEXT.replace("|", "")).price == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("paused", [False, True])
def test_a_filler_has_one_beginning_whether_it_pauses_or_not(paused: bool) -> None:
    prices = ReadingPrices(filler=5.0, filler_phone=1.5)
    log_probs = spoken("DH AH HH EH L OW K AE T", 1.0 - 1e-12)
    if not paused:
        log_probs = log_probs[1::3]
    words = [ids("DH AH"), ids("K AE T")]
    found = read_words(log_probs, words, one_label_phones(len(PHONES)), EditPrior.flat(len(PHONES)), prices)
    assert [one.phones for one in found.extras] == [ids("HH EH L OW")]
    assert found.price == pytest.approx(5.0 + 3 * 1.5)


def test_a_long_text_read_twice_is_one_repetition_of_every_word() -> None:
    phones = TEXT.replace("|", "")
    text = " | ".join([TEXT, VERY, ELEPHANT])
    said = " ".join([phones, VERY.replace("|", ""), ELEPHANT])
    found = read(text, f"{said} {said}")
    assert not found.skipped
    assert [(one.kind, one.word) for one in found.extras] == [("repetition", word) for word in range(8)]


def test_phones_of_another_kind_and_priors_of_other_phones_are_errors() -> None:
    log_probs = spoken("DH AH")
    with pytest.raises(PhoneError, match=r"frames have shape \(6, 40\)"):
        read_words(log_probs, [(0,)], one_label_phones(3), EditPrior.flat(3))
    with pytest.raises(ValueError, match="the prior is of 3 phones; the model has 39"):
        read_words(log_probs, [(0,)], one_label_phones(39), EditPrior.flat(3))
