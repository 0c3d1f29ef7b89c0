"""The alignment against one written from its definition: all ways of laying two strings side by side, and the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.mllm.alignment import UNKNOWN, align_phones, heard_at, pair_cost
from elocute.phones import PHONES
from elocute.phones.articulation import distance

Step = tuple[int | None, int | None]


def every_alignment(left: int, right: int) -> Iterator[tuple[Step, ...]]:
    """All ways of laying `left` symbols beside `right`, in order: pairs, and gaps on either side."""
    if not left and not right:
        yield ()
    if left and right:
        yield from ((*rest, (left - 1, right - 1)) for rest in every_alignment(left - 1, right - 1))
    if left:
        yield from ((*rest, (left - 1, None)) for rest in every_alignment(left - 1, right))
    if right:
        yield from ((*rest, (None, right - 1)) for rest in every_alignment(left, right - 1))


def price(canonical: Sequence[str], heard: Sequence[str], steps: Sequence[Step]) -> Fraction:
    """What an alignment costs: gap and unknown sound 1, a pair its articulatory distance, up to 2."""
    total = Fraction(0)
    for i, j in steps:
        if i is None or j is None or UNKNOWN in (canonical[i], heard[j]):
            total += i is None or j is None or canonical[i] != heard[j]
        else:
            total += min(Fraction(round(1000 * distance(canonical[i], heard[j])), 1000), Fraction(2))
    return total


def best(canonical: Sequence[str], heard: Sequence[str]) -> tuple[Step, ...]:
    """The cheapest; then the fewest gaps; then, from the end, pairs before deletions before insertions."""

    def rank(steps: tuple[Step, ...]) -> tuple[Fraction, int, list[int]]:
        order = [2 if i is None else 1 if j is None else 0 for i, j in reversed(steps)]
        return price(canonical, heard, steps), sum(None in step for step in steps), order

    return min(every_alignment(len(canonical), len(heard)), key=rank)


phones = st.lists(st.sampled_from([*PHONES, UNKNOWN]), max_size=5)
few = st.lists(st.sampled_from(["S", "TH", "AA", UNKNOWN]), max_size=5)


@settings(deadline=None)
@given(canonical=st.one_of(phones, few), heard=st.one_of(phones, few))
def test_it_is_the_best_of_all_alignments(canonical: list[str], heard: list[str]) -> None:
    pairs = align_phones(canonical, heard)
    assert tuple((pair.canonical, pair.heard) for pair in pairs) == best(canonical, heard)


@settings(deadline=None)
@given(canonical=st.lists(st.sampled_from(PHONES), max_size=30), heard=st.lists(st.sampled_from(PHONES), max_size=30))
def test_every_phone_of_both_sides_stands_in_it_once_and_in_order(canonical: list[str], heard: list[str]) -> None:
    pairs = align_phones(canonical, heard)
    assert [pair.canonical for pair in pairs if pair.canonical is not None] == list(range(len(canonical)))
    assert [pair.heard for pair in pairs if pair.heard is not None] == list(range(len(heard)))
    kinds = {(pair.canonical is None, pair.heard is None): pair.kind for pair in pairs if pair.kind != "match"}
    expected = {(False, False): "substitution", (False, True): "deletion", (True, False): "insertion"}
    assert all(expected[sides] == kind for sides, kind in kinds.items())
    assert all(canonical[pair.canonical or 0] == heard[pair.heard or 0] for pair in pairs if pair.kind == "match")


@settings(deadline=None)
@given(said=st.lists(st.sampled_from([*PHONES, UNKNOWN]), max_size=40))
def test_a_string_beside_itself_is_all_matches(said: list[str]) -> None:
    assert [pair.kind for pair in align_phones(said, said)] == ["match"] * len(said)


def test_a_pair_of_strangers_is_one_substitution_not_two_gaps() -> None:
    """A consonant for a vowel costs as much as leaving one out and adding the other."""
    assert pair_cost("K", "IY") == 2000
    assert [pair.kind for pair in align_phones(["K"], ["IY"])] == ["substitution"]


@pytest.mark.parametrize(
    ("canonical", "heard", "expected"),
    [
        ("TH IH NG K", "S IH NG K", ("S", "IH", "NG", "K")),
        ("S T R IY T", "T R IY T", (None, "T", "R", "IY", "T")),
        ("S T R IY T", "S AH T R IY T", ("S", "T", "R", "IY", "T")),
        # Two phones for three: articulation tells which one is missing, edit distance does not.
        ("W ER L D", "W AH D", ("W", "AH", None, "D")),
        ("K AE T", "K <unk> T", ("K", UNKNOWN, "T")),
        ("K AE T", "", (None, None, None)),
    ],
)
def test_what_was_heard_at_each_phone(canonical: str, heard: str, expected: tuple[str | None, ...]) -> None:
    assert heard_at(canonical.split(), heard.split()) == expected
