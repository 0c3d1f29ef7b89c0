"""What steps 3 to 8 found in one recording of one text: all that a report is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.diagnosis import Diagnosis
from elocute.gop import Reading
from elocute.gop.match import Match
from elocute.prosody import Prosody
from elocute.prosody.reference import MelodyComparison
from elocute.scorer import Analysis
from elocute.scorer.embedded import Scores
from elocute.types import Audio, Canonical, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """What the steps found in a recording.

    Attributes:
        recording: all of it.
        canonical: the text, in the accepted pronunciations that fit best.
        reading: how it was read.
        frames: shape (T',), frames of the recording that were looked at: without extra speech.
        frame_shift_s: seconds a frame.
        spoken: words of the text that were said, in order; what follows is about their phones alone.
        analysis: of them, on the frames that were looked at.
        prosody: how they were said.
        scores: theirs.
        diagnosis: theirs.
        doubts: probability that each phone of the whole text is wrong.
        match: how well the recording and the text go together.
        symbols: of the phone set, in order.
        reference: its melody beside that of a reference recording; None without one, or where too little is voiced.
    """

    recording: Audio
    canonical: Canonical
    reading: Reading
    frames: Int64
    frame_shift_s: float
    spoken: tuple[int, ...]
    analysis: Analysis
    prosody: Prosody
    scores: Scores
    diagnosis: Diagnosis
    doubts: Float64
    match: Match
    symbols: Sequence[str]
    reference: MelodyComparison | None = None

    @property
    def is_scorable(self) -> bool:
        """Whether scores would mean anything."""
        return bool(self.spoken) and self.match.is_scorable

    def seconds(self, times_s: tuple[float, float], frame: int) -> tuple[float, float]:
        """Begin and end in the recording, from those in the frames that were looked at.

        Two phones meet half way, so that one that was said beside extra speech may reach over it. Of its time only the
        side counts on which it was heard.

        Args:
            times_s: begin and end in the frames that were looked at, seconds.
            frame: one of those frames, in which the phone was heard.
        """
        frames, shift = self.frames, self.frame_shift_s
        beyond = frames - np.arange(len(frames))
        side = np.flatnonzero(beyond == beyond[frame])
        first, last = float(side[0] * shift), float((side[-1] + 1) * shift)
        moved = float(beyond[frame] * shift)
        start, end = (round(min(max(time, first), last) + moved, 3) for time in times_s)
        return start, end
