"""The first language in the assessor, the command line and the server: it names errors, and changes no score."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.planted import ListeningScorer, RatedBackend, recording

from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.report import Report

TEXT = "very"
SAID = ["B", "EH", "R", "IY"]


def assessed(l1: str | None, said: list[str], text: str = TEXT) -> Report:
    backend = RatedBackend(PHONES, said, certainty=0.6)
    assessor = Assessor(AssessorConfig(l1=l1), backend=backend, scorer=ListeningScorer())
    return assessor.assess(recording(2.0), text)


def scores_of(report: Report) -> list[object]:
    """All that says how good a recording is, and whether something was wrong."""
    phones = [phone for word in report.words for phone in word.phonemes]
    return [
        report.utterance,
        [(word.accuracy, word.stress, word.total, word.error) for word in report.words],
        [(phone.score, phone.probability, phone.is_unsure, phone.error is None) for phone in phones],
    ]


@pytest.mark.parametrize("l1", ["zh", "es", "ja", "Arabic"])
def test_scores_and_whether_something_is_wrong_do_not_depend_on_it(l1: str) -> None:
    for said in (SAID, ["V", "EH", "R", "IY"], ["F", "EH", "L", "IY"]):
        assert scores_of(assessed(l1, said)) == scores_of(assessed(None, said))


def test_what_speakers_of_the_language_say_is_named_with_more_confidence() -> None:
    def b_for_v(l1: str | None) -> float:
        first = assessed(l1, SAID).words[0].phonemes[0]
        return next(heard.probability for heard in first.nbest if heard.phone == "B")

    assert b_for_v("es") > b_for_v(None)
    assert b_for_v("es") > b_for_v("zh")


def test_unknown_languages_and_contradictions_are_refused() -> None:
    backend = RatedBackend(PHONES, SAID)
    with pytest.raises(ConfigError, match=r"'Japenese'; did you mean 'japanese'\?"):
        Assessor(AssessorConfig(l1="Japenese"), backend=backend, scorer=ListeningScorer())
    with pytest.raises(ConfigError, match="confusions is off; leave one of them out"):
        Assessor(AssessorConfig(l1="ja", confusions=False), backend=backend, scorer=ListeningScorer())


def test_the_server_has_one_assessor_for_each_language_and_takes_those_without_a_profile() -> None:
    from elocute.server.wanted import Wanted
    from elocute.server.work import Desk

    desk = Desk(AssessorConfig(threads=1))
    plain = Wanted(
        audio=b"", text="", detail="full", l1=None, scale=100, shape="native", sensitivity="normal", advice="learner"
    )
    found = {l1: desk.follower(replace(plain, l1=l1)) for l1 in (None, "zh", "es", "sw")}
    assert [one.l1 and one.l1.code for one in found.values()] == [None, "zh", "es", None]
    assert found["sw"] is found[None]
    assert desk.assessor(replace(plain, l1="zh")) is found["zh"]  # with these models, it follows the reader itself
    assert found["zh"].backend is found[None].backend
