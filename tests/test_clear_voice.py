"""A synthetic voice that says S for TH, on real sound from end to end: heard, named, explained."""

from __future__ import annotations

import pytest

from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.evaluation.stress_speech import Voice, installed, speak_stressed

VOICES = (
    Voice(engine="flite", name="slt"),
    Voice(engine="espeak", name="en-us"),
    Voice(engine="espeak", name="en-us+f2"),
)


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    return Assessor(AssessorConfig(l1="zh", threads=1))


@pytest.mark.parametrize("voice", VOICES, ids=str)
def test_think_said_as_sink_is_heard_named_and_explained(voice: Voice, assessor: Assessor) -> None:
    if voice not in installed():
        pytest.skip(f"{voice} is not installed")
    wrong = speak_stressed([("S", "IH1", "NG", "K")], voice)
    right = speak_stressed([("TH", "IH1", "NG", "K")], voice)
    assert wrong is not None
    assert right is not None
    (found,) = assessor.assess(wrong, "think").mispronunciations
    assert (found.expected, found.actual) == ("TH", "S")
    for part in ("between your teeth", "Mandarin", "sick/thick", "sink/think"):
        assert part in (found.suggestion or "")
    assert assessor.assess(right, "think").mispronunciations == ()
