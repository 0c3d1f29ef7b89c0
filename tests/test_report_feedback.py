"""Advice in the report: a suggestion at every flagged phone, the few pieces that help most, nothing for unsure ones."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal

import pytest
from cli_reports import phone, report, weather
from cli_reports import word as listed_word

from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.phones import PHONES, phonemize
from elocute.report import Feedback, Mispronunciation, PhoneReport, Report, WordReport
from elocute.report_feedback import MOST_PIECES, feedback_of, next_sentence, outcome_of, with_suggestions
from elocute.report_parts import mispronunciations_of
from planted import RatedBackend, recording


def wrong(expected: str, actual: str | None, probability: float = 0.9) -> PhoneReport:
    kind = "deletion" if actual is None else "distortion" if actual == expected.rstrip("012") else "substitution"
    return phone(expected, 20.0, error=kind, actual=actual, probability=probability)


def advised(source: Report, level: str = "learner", l1: str | None = None) -> Report:
    found = mispronunciations_of(source.words)
    whole = replace(
        source,
        mispronunciations=with_suggestions(found, source.words, level, l1),  # type: ignore[arg-type]
        feedback=feedback_of(found, source.words, level, l1),  # type: ignore[arg-type]
    )
    assert Report.from_json(whole.to_json()) == whole
    return whole


def suggestion(source: Report, level: str = "learner", l1: str | None = None) -> str:
    (item,) = advised(source, level, l1).mispronunciations
    assert item.suggestion is not None
    return item.suggestion


def word(text: str, *phones: PhoneReport, **changes: object) -> WordReport:
    return listed_word(text, phones, **changes)


def sentence(*words: WordReport) -> Report:
    return report(words)


def test_think_said_as_sink_by_a_mandarin_speaker() -> None:
    source = sentence(word("think", wrong("TH", "S"), phone("IH1"), phone("NG"), phone("K")))
    text = suggestion(source, l1="zh")
    assert "tongue between your teeth" in text
    assert "Mandarin has no such sound" in text
    assert "sick/thick" in text
    assert "sink/think" in text
    assert "Mandarin" not in suggestion(source)
    assert "Mandarin lacks /θ/; usual substitutes: [s]" in suggestion(source, "teacher", "Mandarin")
    assert "new trick" in suggestion(source, "child", "zh")


@pytest.mark.parametrize("level", ["child", "learner", "teacher"])
def test_the_whole_way_from_what_was_heard_to_the_suggestion(level: Literal["child", "learner", "teacher"]) -> None:
    """With the scorer and the detector that ship."""
    said = [item.symbol for item in phonemize("I think so").phones]
    said[said.index("TH")] = "S"
    assessor = Assessor(AssessorConfig(l1="zh", advice=level), backend=RatedBackend(PHONES, said, certainty=0.99))
    done = assessor.assess(recording(2.0), "I think so")
    (item,) = done.mispronunciations
    assert (item.word, item.expected, item.actual) == ("think", "TH", "S")
    for part in ("between your teeth", "Mandarin", "sick/thick", "sink/think"):
        assert part in (item.suggestion or "")
    (piece,) = done.feedback
    assert (piece.level, piece.source) == (level, "rules")
    silent = Assessor(AssessorConfig(advice="off"), backend=RatedBackend(PHONES, said, certainty=0.99))
    off = silent.assess(recording(2.0), "I think so")
    assert off.feedback == ()
    assert [one.suggestion for one in off.mispronunciations] == [None]


def test_an_unknown_reader_of_advice_is_refused() -> None:
    with pytest.raises(ConfigError, match="advice is 'parent'; expected one of off, child, learner, teacher"):
        Assessor(AssessorConfig(advice="parent"))  # type: ignore[arg-type]


def test_the_first_language_is_named_only_where_it_explains_the_slip() -> None:
    final = sentence(word("bad", phone("B"), phone("AE1"), wrong("D", "T")))
    assert "Mandarin words end in" in suggestion(final, l1="zh")
    nasal = sentence(word("turn", phone("T"), phone("ER1"), wrong("N", None)))
    assert "Mandarin" not in suggestion(nasal, l1="zh")  # words of Mandarin do end in n
    added = replace(phone("AH"), expected=None, actual="AH", error="insertion", score=None, nbest=())
    ending = sentence(word("good", phone("G"), phone("UH1"), phone("D"), added, syllables=()))
    (item,) = with_suggestions(mispronunciations_of(ending.words), ending.words, "learner", "ja")
    assert "Japanese" in (item.suggestion or "")
    odd = sentence(word("bad", wrong("B", "M"), phone("AE1"), phone("D")))
    assert "Mandarin" not in suggestion(odd, l1="zh")


def test_every_flagged_phone_has_a_suggestion_and_no_other() -> None:
    source = weather()
    unclear = replace(source.words[6].phonemes[1], is_unsure=True)
    today = replace(source.words[6], phonemes=(source.words[6].phonemes[0], unclear, *source.words[6].phonemes[2:]))
    done = advised(replace(source, words=(*source.words[:6], today)))
    flagged = [item for item in done.words if item.error != "omission" for item in item.phonemes if item.error]
    assert len(done.mispronunciations) == len(flagged) >= 3
    assert all(item.suggestion and item.word in item.suggestion for item in done.mispronunciations)
    assert (6, 1) not in {(piece.word_index, piece.phone_index) for piece in done.feedback}
    assert (6, 1) not in {(item.word_index, item.phone_index) for item in done.mispronunciations}


def test_three_pieces_at_most_the_worst_first_one_for_each_confusion() -> None:
    source = sentence(
        word("this", wrong("DH", "D", 0.7), phone("IH1"), phone("S")),
        word("that", wrong("DH", "D", 0.8), phone("AE1"), phone("T")),
        word("vet", wrong("V", "W", 0.99), phone("EH1"), phone("T")),
        word("red", wrong("R", "L", 0.6), phone("EH1"), phone("D")),
        word("she", wrong("SH", "S", 0.75), phone("IY1")),
    )
    pieces = advised(source).feedback
    assert len(pieces) == MOST_PIECES
    assert [(piece.word_index, piece.phone_index) for piece in pieces] == [(1, 0), (2, 0), (4, 0)]
    assert "The same happened in “this”." in pieces[0].message
    assert {piece.level for piece in pieces} == {"learner"}
    assert {piece.source for piece in pieces} == {"rules"}
    assert all(piece.articulation and piece.minimal_pairs for piece in pieces)


def test_a_word_has_two_pieces_at_most() -> None:
    source = sentence(
        word("this", wrong("DH", "D"), wrong("IH1", "IY"), wrong("S", "SH")),
        word("red", phone("R"), wrong("EH1", "AE", 0.5), phone("D")),
    )
    assert [piece.word_index for piece in advised(source).feedback] == [0, 0, 1]


def test_added_sounds_are_placed_among_the_canonical_ones() -> None:
    added = replace(phone("AH"), expected=None, actual="AH", error="insertion", score=None, probability=0.95, nbest=())
    text = suggestion(sentence(word("school", phone("S"), added, phone("K"), phone("UW1"), phone("L"), syllables=())))
    assert "Get ready for “k” while you still say “s”" in text
    text = suggestion(sentence(word("good", phone("G"), phone("UH1"), phone("D"), added, syllables=())))
    assert "Stop on “d”" in text


def test_unclear_sounds_are_called_unclear() -> None:
    assert "was not clear" in suggestion(sentence(word("this", wrong("DH", "DH"), phone("IH1"), phone("S"))))


def test_words_broken_off_get_no_advice() -> None:
    cut = word("museum", phone("M"), wrong("Y", None), error="truncation")
    done = advised(sentence(cut))
    assert done.feedback == ()
    assert [item.suggestion for item in done.mispronunciations] == [None]


def test_nothing_wrong_nothing_said() -> None:
    assert feedback_of((), (), "learner") == ()


def test_it_costs_less_than_two_milliseconds() -> None:
    """Even where every word of a long sentence is wrong; texts of slips that were met before cost next to nothing."""
    words = [word(f"w{n}", wrong("TH", "S", 0.9 - n / 100), wrong("IH1", "IY"), phone("K")) for n in range(12)]
    source = sentence(*words)
    found: tuple[Mispronunciation, ...] = mispronunciations_of(source.words)
    with_suggestions(found, source.words, "learner")  # the asset is read once in a process
    times_s = []
    for n in range(5):
        fresh = tuple(replace(item, word=f"{item.word}x{n}") for item in source.words)
        started_s = time.perf_counter()
        with_suggestions(found, fresh, "learner")
        pieces: tuple[Feedback, ...] = feedback_of(found, fresh, "learner")
        times_s.append(time.perf_counter() - started_s)
        assert len(pieces) == 2
    assert min(times_s) < 0.01  # 24 new texts; a loaded machine is given five times what is wanted


def test_the_next_sentence_is_for_what_went_wrong() -> None:
    outcome = outcome_of(weather())
    assert outcome.wrong == {"TH": 1, "ER": 1, "N": 1}
    assert "V" not in {*outcome.right, *outcome.wrong}  # in the word that was left out
    practice = next_sentence([weather()])
    assert set(practice.phones) <= {"TH", "ER", "N"}
    assert practice.phones
    unscored = replace(weather(), utterance=replace(weather().utterance, total=None))
    assert next_sentence([unscored]) == next_sentence([])
