"""Every default in one place: frozen settings, one dataclass per step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """What step 1 accepts.

    Attributes:
        max_duration_s: a longer recording is refused.
    """

    max_duration_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessorConfig:
    """How recordings are assessed.

    Attributes:
        backend: name of the acoustic backend.
        scorer: folder of a scorer made by `elocute train scorer`; None takes the shipped one that suits the backend.
        scale: scores go from 0 to this; 100, 10 or 1.
        threads: threads of one inference; None leaves the choice to the run-time.
        nbest: candidates for what was said that the report lists at every phone.
        variants: whether the accepted variant that fits the recording best replaces the dictionary form.
        sensitivity: how readily a phone is flagged: "low", "normal" or "high".
        confusions: whether likely errors need less evidence than unlikely ones; else all errors are alike.
        pitch: name of the pitch tracker.
        l1: code or name of the speaker's first language (`phones.l1`), which tells what errors to expect; None where it
            is not known. Scores do not depend on it.
        advice: for whom the report's advice is written: a "child", a "learner" or a "teacher"; "off" leaves it out.
    """

    backend: str = "embedded"
    scorer: str | None = None
    scale: int = 100
    threads: int | None = None
    nbest: int = 5
    variants: bool = True
    sensitivity: Literal["low", "normal", "high"] = "normal"
    confusions: bool = True
    pitch: str = "autocorrelation"
    l1: str | None = None
    advice: Literal["off", "child", "learner", "teacher"] = "learner"
