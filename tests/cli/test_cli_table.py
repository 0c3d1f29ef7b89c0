"""The table of `elocute assess`: what a teacher reads, in 80 columns, with and without colour."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from cli_reports import phone, report, weather, word
from rich.cells import cell_len
from rich.console import Console

from elocute.cli.table import ASCII, UNICODE, Marks, fluency_line, practice_goals, render, word_note
from elocute.feedback.sounds import KEYWORDS
from elocute.phones import PHONES, phonemize
from elocute.report import Heard, PhoneReport, Report, UtteranceScores


def printed(source: Report, *, width: int = 80, marks: Marks = UNICODE, color: bool = False) -> str:
    """What the table looks like."""
    page = io.StringIO()
    console = Console(
        file=page, width=width, force_terminal=color, color_system="standard" if color else None, legacy_windows=False
    )
    console.print(render(source, marks))
    return page.getvalue()


def row(text: str, first: str) -> str:
    """The line of the table that begins with a word."""
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [first]]
    return line


def test_every_word_has_its_score_its_phones_and_a_note() -> None:
    text = printed(weather())
    assert row(text, "think").split(maxsplit=2)[:2] == ["think", "58"]
    assert "θ✗ ɪ ŋ k" in row(text, "think")
    assert "TH sounded like S (93% sure)" in row(text, "think")
    assert "w ˈɛ ð ɚ~" in row(text, "weather")
    assert "heavy accent on ER (66% sure)" in row(text, "weather")
    assert "(v) (ɛ) (ɹ) (i)" in row(text, "very")
    assert row(text, "very").rstrip().endswith("  left out")
    assert "(n) aɪ s" in row(text, "nice")
    assert "N left out (99% sure)" in row(text, "nice")
    assert "t ə? d eɪ" in row(text, "today")
    assert row(text, "is").split() == ["is", "93", "█████", "ɪ", "z"]


def test_the_scores_of_the_utterance_are_numbers_and_bars() -> None:
    text = printed(weather())
    assert row(text, "Total").split() == ["Total", "█" * 16 + "░" * 4, "82", "of", "100"]
    assert row(text, "Completeness").split() == ["Completeness", "█" * 20, "100"]


@pytest.mark.parametrize(("scale", "total", "shown"), [(100, 82.34, "82"), (10, 8.23, "8.2"), (1, 0.823, "0.82")])
def test_scores_keep_the_places_of_their_scale(scale: int, total: float, shown: str) -> None:
    scores = UtteranceScores(accuracy=0.0, fluency=None, prosody=None, completeness=float(scale), total=total)
    text = printed(replace(weather(), scale=scale, utterance=scores))
    assert row(text, "Total").split()[1:] == ["█" * 16 + "░" * 4, shown, "of", str(scale)]


def test_what_cannot_be_scored_is_no_zero() -> None:
    scores = UtteranceScores(accuracy=None, fluency=None, prosody=None, completeness=None, total=None)
    text = printed(report([word("I", [phone("AY1", None)], None)], text="It", utterance=scores, fluency=None))
    assert row(text, "Total").split() == ["Total", "not", "scored"]
    assert row(text, "I").split() == ["I", "–", "aɪ"]
    assert "no sound could be scored" in text
    assert "Fluency   " not in text.split("Practise")[1]


def test_errors_can_be_told_without_colour() -> None:
    """Each kind of error has a sign of its own, explained in one line."""
    for marks in (UNICODE, ASCII):
        text = printed(weather(), marks=marks)
        (legend,) = [line for line in text.splitlines() if "( ) left out" in line]
        assert cell_len(legend.rstrip()) <= 80
        for sign in (marks.wrong, marks.heavy, marks.unclear, "( )", "+ added"):
            assert sign in legend


def test_colour_follows_the_score_and_flagged_phones_are_red() -> None:
    text = printed(weather(), color=True)
    assert "\x1b[1;31mθ✗" in text
    assert "\x1b[33mə?" in text or "\x1b[31mə?" in text
    assert "\x1b[32mɪ" in text


def test_ascii_stays_ascii() -> None:
    text = printed(replace(weather(), warnings=()), marks=ASCII)
    assert text.isascii()
    assert "TH* IH NG K" in row(text, "think")
    assert "W 'EH DH ER~" in row(text, "weather")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_long_sentence_stays_inside_the_page(width: int) -> None:
    names = ("internationalization", "photographers", "strengths", "a", "café")
    bad = {"actual": "S", "error": "substitution", "probability": 0.8}
    words = [
        word(names[i % 5], [phone("TH", 20.0, **bad) for _ in range(1 + i % 7)] + [phone("AH0")] * (i % 15))
        for i in range(25)
    ]
    text = printed(report(words), width=width)
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= width
    assert text.count("TH sounded like S") >= 15 or width < 80
    for name in names[1:]:
        assert name in text


def test_square_brackets_of_a_text_are_no_markup() -> None:
    assert "[red]x[/red]" in printed(replace(weather(), text="[red]x[/red]", warnings=("[bold]y",)))
    assert "[bold]y" in printed(replace(weather(), warnings=("[bold]y",)))


def test_many_errors_in_a_word_are_cut_short() -> None:
    bad = [phone("TH", 1.0, actual="S", error="substitution", probability=0.5 + i / 10) for i in range(5)]
    assert word_note(word("x", bad)).splitlines() == [
        "TH sounded like S (90% sure)",
        "TH sounded like S (80% sure)",
        "TH sounded like S (70% sure)",
        "and 2 more",
    ]


BESIDE = {"text_index": None, "accuracy": None, "stress": None, "total": None, "syllables": ()}


def said(symbol: str) -> PhoneReport:
    """A phone of speech that is not of the text."""
    return phone(symbol, None, expected=None, actual=symbol.rstrip("012"), probability=0.0, nbest=())


@pytest.mark.parametrize(
    ("error", "note"),
    [
        ("insertion", "not in the text"),
        ("repetition", "said again later"),
        ("restart", "begun, then said again"),
    ],
)
@pytest.mark.parametrize("marks", [UNICODE, ASCII])
def test_speech_beside_the_text_is_a_row_without_scores(error: str, note: str, marks: Marks) -> None:
    words = [
        word("so", [said("S"), said("OW1")], error=error, **BESIDE),
        word("see", [phone("S"), phone("IY1")], text_index=0),
    ]
    text = printed(report(words, text="It"), marks=marks)
    assert row(text, "see").split()[1] == "93"
    (line,) = [line for line in text.splitlines() if note in line]
    if error == "insertion" and not marks.is_ipa:
        assert line.startswith("/S OW1/")
    else:
        assert line.startswith("so ")
    assert marks.none in line.split()
    assert marks.full not in line
    assert "+" not in line
    assert ("s oʊ" if marks.is_ipa else "S OW") in line
    assert "every sound is clear" in text  # it is nothing to practise


def test_speech_that_is_not_of_the_text_is_named_in_ascii_where_there_is_no_ipa() -> None:
    words = [word("/ʃi/", [said("SH"), said("IY")], error="insertion", **BESIDE), word("I", [phone("AY1")])]
    source = report(words, text="I", warnings=())
    assert printed(source, marks=ASCII).isascii()
    assert "/SH IY/" in printed(source, marks=ASCII)
    assert "/ʃi/" in printed(source)


def test_a_phone_that_was_added_has_a_plus_and_a_note() -> None:
    added = phone("IH", None, expected=None, actual="IH", error="insertion", probability=0.91)
    for marks, shown in ((UNICODE, "s +ɪ t"), (ASCII, "S +IH T")):
        text = printed(report([word("stop", [phone("S"), added, phone("T")])], text="It"), marks=marks)
        assert shown in row(text, "stop")
        assert "extra IH (91% sure)" in row(text, "stop")
        assert "no IH in 'stop'" in text


def test_what_is_not_sure_is_said_to_be_unsure() -> None:
    """A good score has its mark too; what may have been said is the likeliest other phone."""
    nbest = (Heard(phone="TH", probability=0.6), Heard(phone="S", probability=0.3), Heard(phone=None, probability=0.1))
    perhaps = phone("TH", 90.0, is_unsure=True, probability=0.4, nbest=nbest)
    gone = phone("K", 90.0, is_unsure=True, nbest=(Heard(phone=None, probability=0.3),))
    text = printed(report([word("think", [perhaps, phone("IH1"), phone("NG"), gone])], text="It"))
    assert "θ? ɪ ŋ k?" in row(text, "think")
    assert word_note(word("x", [perhaps, gone])).splitlines() == ["TH perhaps like S", "K perhaps left out"]
    assert word_note(word("x", [phone("TH", 90.0)])) == ""
    wrong = phone("R", 5.0, actual="L", error="substitution", probability=0.9)
    assert word_note(word("x", [perhaps, wrong])).splitlines() == ["R sounded like L (90% sure)", "TH perhaps like S"]
    assert "perhaps" not in word_note(word("x", [perhaps, *[wrong] * 4]))


def test_variants_and_words_broken_off_are_noted() -> None:
    assert word_note(word("and", [phone("AH0"), phone("N")], variant="weak form")) == "weak form"
    broken = [phone("D"), phone("AW1", 3.0, actual=None, error="deletion", probability=0.9)]
    assert word_note(word("down", broken, error="truncation")).splitlines() == ["broken off", "AW left out (90% sure)"]
    other = word("ship", [phone("SH"), phone("IH1"), phone("P")], error="mispronunciation")
    assert word_note(other) == "did not sound like this word"
    omitted = word("and", [phone("AH0", 0.0, actual=None, error="deletion")], error="omission", variant=None)
    assert word_note(omitted) == "left out"


def test_what_to_practise_is_what_went_wrong_most() -> None:
    """Two fairly sure errors at one phone weigh more than one that is surer."""
    words = [
        word("think", [phone("TH", 1.0, actual="S", error="substitution", probability=0.6)]),
        word("very", [phone("V", 1.0, actual="W", error="substitution", probability=0.9)]),
        word("three", [phone("TH", 1.0, actual="T", error="substitution", probability=0.6), phone("R")]),
        word("nice", [phone("N", 1.0, actual=None, error="deletion", probability=0.5)]),
        word("zoo", [phone("Z", 1.0, error="distortion", probability=0.4)]),
    ]
    assert practice_goals(report(words).mispronunciations) == [
        "TH in 'think' and 'three', not S as in 'say' or T as in 'two'",
        "V in 'very', not W as in 'we'",
        "N in 'nice'",
    ]


def test_omitted_words_are_named_and_good_speech_is_left_alone() -> None:
    assert "say every word: 'very' left out" in " ".join(printed(weather()).split())
    assert "every sound is clear" in printed(report([word("I", [phone("AY1")])]))
    unclear = printed(report([word("I", [phone("AY1", 71.0)]), word("see", [phone("S"), phone("IY1", 70.0)])]))
    assert "the least clear is IY in 'see' (70)" in " ".join(unclear.split())


def test_fluency_is_one_readable_line() -> None:
    facts = weather().fluency
    assert facts is not None
    assert fluency_line(facts) == (
        "3.8 syllables a second; 2 pauses (1 long) of 0.4 s on average, 20% of the time; 4 syllables in one go; "
        "131 correct words a minute"
    )
    smooth = replace(facts, pause_count=0, long_pause_count=0, mean_pause_s=None, pause_ratio=0.0)
    assert fluency_line(smooth) == "3.8 syllables a second; no pause; 131 correct words a minute"


def test_every_phone_has_a_word_that_has_it() -> None:
    assert set(KEYWORDS) == set(PHONES)
    for symbol, keyword in KEYWORDS.items():
        assert symbol in [item.symbol for item in phonemize(keyword).phones]
