"""Everything of a report has its place; lines are broken where nobody speaks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cli_reports import phone, report, weather, word
from hypothesis import given
from hypothesis import strategies as st

from drawn_report import refused_report, rich_report
from elocute.picture.captions import break_facts, facts, phone_caption, word_caption
from elocute.picture.scene import phone_foot, scene, signs
from elocute.report import Report


def test_words_and_phones_stand_where_the_report_says() -> None:
    drawn = scene(rich_report(), 2.4)
    assert [(word.label, word.start_s, word.end_s) for word in drawn.words] == [
        ("Record", 0.2, 0.7),
        ("nice", 1.2, 1.5),
        ("nice", 1.7, 2.0),
    ]
    assert [word.is_extra for word in drawn.words] == [False, True, False]
    assert [phone_foot(item) for item in drawn.words[0].phones] == ["96", "→i", "96", "96?", "→∅", "96", "added"]
    assert drawn.words[0].share == pytest.approx(0.62)
    assert drawn.words[1].share is None


def test_a_word_left_out_stands_between_its_neighbours() -> None:
    (lost,) = scene(rich_report(), 2.4).lost
    assert lost.labels == ("very",)
    assert lost.at_s == pytest.approx((0.7 + 1.2) / 2)


@pytest.mark.parametrize(("order", "at_s"), [("first", 0.5), ("last", 2.0), ("alone", 1.5)])
def test_words_left_out_at_an_end_stand_outside_of_the_others(order: str, at_s: float) -> None:
    gone = word("not", [], 0.0, error="omission", start_s=None, end_s=None, syllables=())
    said = word("said", [phone("S")], start_s=1.0, end_s=2.0)
    words = {"first": [gone, gone, said], "last": [said, gone], "alone": [gone, gone]}[order]
    (lost,) = scene(report(words), 3.0).lost
    assert lost.at_s == pytest.approx(at_s)
    assert lost.labels == ("not",) * words.count(gone)


def test_stress_is_compared_syllable_by_syllable() -> None:
    first, second = scene(rich_report(), 2.4).words[0].syllables
    assert (first.start_s, first.end_s) == (0.20, 0.36)
    assert (second.start_s, second.end_s) == (0.36, 0.66)  # the added phone is of no syllable
    assert (first.expected, first.spoken, first.is_stressed_right) == (0, True, False)
    assert (second.expected, second.spoken, second.is_stressed_right) == (1, False, False)


def test_stress_that_cannot_be_told_is_not_called_wrong() -> None:
    syllables = scene(weather(), 2.5).words[2].syllables
    assert [item.expected for item in syllables] == [1, 0]
    assert all(item.spoken is None and item.is_stressed_right is None for item in syllables)


def test_a_pause_is_odd_inside_a_phrase_and_where_none_belongs() -> None:
    whole = rich_report()
    assert [item.is_odd for item in scene(whole, 2.4).pauses] == [True, False]
    assert whole.prosody is not None
    other = replace(whole.prosody.breaks[0], start_s=1.5, end_s=1.7)
    moved = replace(whole, prosody=replace(whole.prosody, breaks=(other,)))
    assert [item.is_odd for item in scene(moved, 2.4).pauses] == [True, True]


def test_a_refused_recording_has_a_scene() -> None:
    drawn = scene(refused_report(), 1.0)
    assert [word.label for word in drawn.words] == ["knew"]
    assert drawn.lost == drawn.pauses == drawn.breaks == ()
    assert facts(refused_report()) == break_facts(refused_report()) == ()


def test_only_signs_that_occur_are_explained() -> None:
    assert signs(scene(refused_report(), 1.0)) == ()
    told = " ".join(signs(scene(rich_report(), 2.4)))
    assert all(sign in told for sign in ("→s", "→∅", "+s", "?", "dashed", "○", "•", "shaded", "rust", "▼", "▽"))


def test_captions_say_it_all_in_words() -> None:
    whole = rich_report()
    record = whole.words[0]
    assert word_caption(record, 100) == (
        "Record: 62 of 100; mispronounced; stress heard on /ɹɪ/, belongs on /kɔɹd/; 0.20 to 0.70 s"
    )
    assert phone_caption(record.phonemes[1], record, 100).startswith("ɪ (IH0) in Record: said as i; 40 of 100;")
    assert "left out" in phone_caption(record.phonemes[4], record, 100)
    assert "unclear" in phone_caption(record.phonemes[3], record, 100)
    told = {fact.name: fact.value for fact in (*facts(whole), *break_facts(whole))}
    assert told["At the end"] == "the pitch falls (-3.2 semitones); such sentences mostly rise"
    assert told["Pause where none belongs"] == "after 'Record' (83% sure)"
    assert "flat" in told["Monotone"]


def test_scores_are_written_for_their_scale() -> None:
    small = replace(rich_report(), scale=1)
    words = tuple(replace(item, total=None if item.total is None else item.total / 100) for item in small.words)
    assert scene(replace(small, words=words), 2.4).words[0].score == "0.62"


def timed(times: list[tuple[float, float]]) -> Report:
    return report([word("a", [phone("AH0", start_s=a, end_s=b)], start_s=a, end_s=b) for a, b in times])


@given(
    st.lists(st.tuples(st.floats(0.05, 1.5), st.floats(0.0, 9.0)), max_size=40),
    st.floats(0.06, 2.0),
)
def test_lines_are_the_whole_recording_in_order(lengths: list[tuple[float, float]], rest_s: float) -> None:
    times, now = [], 0.0
    for said_s, pause_s in lengths:
        times.append((now + pause_s, now + pause_s + said_s))
        now = times[-1][1]
    drawn = scene(timed(times), now + rest_s)
    assert drawn.lines[0].start_s == 0.0
    assert drawn.lines[-1].end_s == drawn.duration_s
    assert all(a.end_s == b.start_s for a, b in zip(drawn.lines, drawn.lines[1:], strict=False))
    assert all(line.end_s > line.start_s for line in drawn.lines)
    assert drawn.line_s <= 8.0
    for moment in (0.0, now, drawn.duration_s, *(line.end_s for line in drawn.lines)):
        assert sum(drawn.is_on(line, moment) for line in drawn.lines) == 1


def test_a_line_is_broken_in_the_longest_pause_nearby() -> None:
    # Words of 0.4 s without pauses, save for one of half a second at 4.4 s; the middle is at 5.25 s.
    times = [(0.4 * k + (0.5 if k >= 11 else 0.0), 0.4 * (k + 1) + (0.5 if k >= 11 else 0.0)) for k in range(25)]
    first, second = scene(timed(times), 10.5 - 0.6).lines
    assert 4.4 < first.end_s < 4.9
    assert second.start_s == first.end_s
