"""Counts of detection and diagnosis against definitions written out, and against all alignments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.corpora.l2arctic_annotation import AnnotatedPhone, Said
from elocute.evaluation.mdd_counts import (
    Counts,
    align,
    aligned_counts,
    edits,
    insertion_counts,
    phone_counts,
)
from elocute.evaluation.metrics import edit_distance

SAID = st.sampled_from(["same", "D", "S*", "T*", "deleted", "unknown"])
"""What annotators heard at a T: itself, another, near another, itself with an accent, nothing, nobody knows what."""


def phone(said: str) -> AnnotatedPhone:
    kinds = {
        "same": Said(kind="same", phone="T"),
        "deleted": Said(kind="deleted", phone=None),
        "unknown": Said(kind="unknown", phone=None),
    }
    other = Said(kind="substituted", phone=said.rstrip("*"), is_approximate=said.endswith("*"))
    return AnnotatedPhone(canonical="T", stress=None, said=kinds.get(said, other), start_s=0.0, end_s=0.1)


def outcomes(said: Sequence[str], flagged: Sequence[bool], heard: Sequence[str | None], strict: bool) -> dict[str, int]:
    """The hierarchy from its definition: sets of places, nothing else."""
    places = set(range(len(said)))
    well = {i for i in places if said[i] == "same" or (said[i] == "T*" and not strict)}
    called = {i for i in places if flagged[i]}
    rejected = (places - well) & called
    truth = {"D": "D", "S*": "S", "T*": "T", "deleted": None}
    known = {i for i in rejected if said[i] != "unknown"}
    named = {i for i in known if heard[i] == truth[said[i]]}
    return {
        "ta": len(well - called),
        "fr": len(well & called),
        "fa": len(places - well - called),
        "tr": len(rejected),
        "cd": len(named),
        "de": len(known - named),
    }


@given(
    st.lists(st.tuples(SAID, st.booleans(), st.sampled_from(["T", "D", "S", None])), max_size=12),
    st.booleans(),
)
def test_phone_by_phone_counts_are_their_definitions(rows: list[tuple[str, bool, str | None]], strict: bool) -> None:
    said, flagged, heard = ([row[k] for row in rows] for k in range(3))
    found = phone_counts([phone(each) for each in said], flagged, heard, strict=strict)
    expected = outcomes(said, flagged, heard, strict)
    assert dict(zip(("ta", "fr", "fa", "tr", "cd", "de"), found.row, strict=True)) == expected
    assert found.ta + found.fr + found.fa + found.tr == len(rows)
    unnamed = phone_counts([phone(each) for each in said], flagged, None, strict=strict)
    assert (unnamed.tr, unnamed.cd, unnamed.de) == (expected["tr"], 0, 0)


def alignments(left: str, right: str) -> Iterator[list[tuple[str | None, str | None]]]:
    """Every alignment of two strings."""
    if not left and not right:
        yield []
    if left and right:
        yield from ([*rest, (left[-1], right[-1])] for rest in alignments(left[:-1], right[:-1]))
    if left:
        yield from ([*rest, (left[-1], None)] for rest in alignments(left[:-1], right))
    if right:
        yield from ([*rest, (None, right[-1])] for rest in alignments(left, right[:-1]))


def preference(pairs: list[tuple[str | None, str | None]]) -> tuple[int, list[int]]:
    """Fewest edits; then, from the end, a pair before a deletion before an insertion."""
    return sum(a != b for a, b in pairs), [1 if b is None else 2 if a is None else 0 for a, b in reversed(pairs)]


SHORT = st.text("abc", max_size=4)


@given(SHORT, SHORT)
def test_alignment_is_the_best_of_all(left: str, right: str) -> None:
    found = align(left, right)
    assert found == min(alignments(left, right), key=preference)
    assert sum(a != b for a, b in found) == edit_distance(left, right)
    counted = edits(left, right)
    assert counted.substitutions + counted.deletions + counted.insertions == edit_distance(left, right)
    assert len(right) - len(left) == counted.insertions - counted.deletions


@pytest.mark.parametrize(
    ("canonical", "perceived", "hypothesis", "expected"),
    [
        ("abcd", "abcd", "abcd", Counts(ta=4)),
        ("abcd", "abcd", "abxd", Counts(ta=3, fr=1)),
        ("abcd", "abcd", "abd", Counts(ta=3, fr=1)),
        ("abcd", "abxd", "abxd", Counts(ta=3, cd=1)),
        ("abcd", "abxd", "abcd", Counts(ta=3, fa=1)),
        ("abcd", "abxd", "abyd", Counts(ta=3, de=1)),
        ("abcd", "abxd", "abd", Counts(ta=3, de=1)),  # missed by the hypothesis, said otherwise by people
        ("abcd", "abd", "abd", Counts(ta=3, cd=1)),
        ("abcd", "abd", "abcd", Counts(ta=3, fa=1)),
        ("abcd", "abd", "abxd", Counts(ta=3, de=1)),
        ("abcd", "abxcd", "abxcd", Counts(ta=4, cd=1)),  # an addition is a positive
        ("abcd", "abxcd", "abycd", Counts(ta=4, de=1)),
        ("abcd", "abxcd", "abcd", Counts(ta=4, fa=1)),
        ("abcd", "abcd", "abxcd", Counts(ta=4)),  # and a false addition counts nowhere
        ("abcd", "", "abcd", Counts(fa=4)),
        ("", "ab", "ab", Counts(cd=2)),
    ],
)
def test_counts_by_aligned_strings(canonical: str, perceived: str, hypothesis: str, expected: Counts) -> None:
    assert aligned_counts(canonical, perceived, hypothesis) == expected


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("cxy")), min_size=1, max_size=8))
def test_where_nothing_is_missed_or_added_aligned_strings_count_phone_by_phone(rows: list[tuple[bool, str]]) -> None:
    """Every place has symbols of its own, so that the alignments are the diagonal."""
    canonical = [f"c{i}" for i in range(len(rows))]
    perceived = [f"{'x' if wrong else 'c'}{i}" for i, (wrong, _) in enumerate(rows)]
    hypothesis = [f"{said}{i}" for i, (_, said) in enumerate(rows)]
    phones = [
        AnnotatedPhone(
            canonical=own,
            stress=None,
            said=Said(kind="same" if own == heard else "substituted", phone=heard),
            start_s=0.0,
            end_s=0.1,
        )
        for own, heard in zip(canonical, perceived, strict=True)
    ]
    flagged = [own != said for own, said in zip(canonical, hypothesis, strict=True)]
    assert aligned_counts(canonical, perceived, hypothesis) == phone_counts(phones, flagged, hypothesis, strict=False)


@given(SHORT, SHORT)
def test_who_hears_what_people_heard_makes_no_mistake(canonical: str, perceived: str) -> None:
    found = aligned_counts(canonical, perceived, perceived)
    assert (found.fr, found.fa, found.de) == (0, 0, 0)
    assert found.cd == edit_distance(canonical, perceived)


def test_edits_of_one_string() -> None:
    assert edits("abcd", "axd").row == (1, 1, 0, 4)
    assert edits("", "ab").row == (0, 0, 2, 0)


def test_insertions_are_matched_by_their_gap() -> None:
    people = [(0, "AH"), (2, "T"), (2, "S"), (2, None), (5, "K")]
    model = [(2, "S"), (2, "D"), (3, "K"), (5, "K"), (5, "K")]
    found = insertion_counts(people, model)
    assert (found.found, found.named, found.missed, found.false) == (3, 2, 2, 2)
    assert insertion_counts([], []).row == (0, 0, 0, 0)
    assert insertion_counts([], model).row == (0, 0, 0, 5)
