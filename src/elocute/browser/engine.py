"""What the page talks to: the same desk, the same job and the same answers as behind `POST /v1/assess`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import numpy as np

from elocute.audio import audio_from_array
from elocute.browser import networks, resample
from elocute.config import AssessorConfig
from elocute.errors import ElocuteError
from elocute.server.form import Form
from elocute.server.practice import Choose
from elocute.server.problems import Problem, problem_of
from elocute.server.wanted import wanted
from elocute.server.work import Assess, Desk
from elocute.types import Audio, Float32

HERE = "this-device"
"""What stands for the request id in a problem."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """A recording that the browser has decoded.

    Attributes:
        samples: shape (N, channels), full scale 1.
        sample_rate: Hz.
        max_duration_s: a longer one is refused.
    """

    samples: Float32
    sample_rate: int
    max_duration_s: float

    def audio(self) -> Audio:
        """Its samples at 16 kHz.

        Raises:
            AudioError: it cannot be used.
        """
        return audio_from_array(self.samples, self.sample_rate, max_duration_s=self.max_duration_s, name="recording")


class Engine:
    """An assessor for one page.

    Args:
        settings: JSON of `bundle.settings`.

    Raises:
        ConfigError: the settings are contradictory, or a model is missing.
    """

    def __init__(self, settings: str) -> None:
        sys.modules["onnxruntime"], sys.modules["soxr"] = networks, resample
        plain = json.loads(settings)
        self._config = AssessorConfig(**plain["assessor"])
        self._limits = plain["limits"]
        self._desk = Desk(self._config)

    def assess(
        self, samples: bytes | memoryview, channels: int, sample_rate: int, fields: dict[str, str]
    ) -> tuple[int, str]:
        """Status and JSON that the server would have answered.

        Args:
            samples: 32-bit floats, one channel after the other.
            channels: how many.
            sample_rate: Hz.
            fields: those of the form.
        """
        planar = np.frombuffer(samples, dtype=np.float32).reshape(channels, -1)
        try:
            asked = wanted(
                Form(fields=dict(fields), files={"audio": b""}),
                self._config,
                max_text_chars=self._limits["max_text_chars"],
            )
            source = Decoded(
                samples=np.ascontiguousarray(planar.T),
                sample_rate=sample_rate,
                max_duration_s=self._limits["max_duration_s"],
            )
            return 200, Assess(wanted=asked, recording=source)(self._desk).body.decode()
        except Problem as problem:
            return _refused(problem)
        except ElocuteError as error:
            return _refused(problem_of(error))

    def practice(self, body: str) -> tuple[int, str]:
        """Status and JSON that the server would have answered to the attempts of a visit."""
        try:
            return 200, Choose(body=body.encode())(self._desk).decode()
        except Problem as problem:
            return _refused(problem)


def _refused(problem: Problem) -> tuple[int, str]:
    """A problem as status and JSON."""
    return problem.status, json.dumps(problem.document(HERE), ensure_ascii=False, allow_nan=False)
