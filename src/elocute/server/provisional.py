"""Words that are surely finished while their text is still being read, and their provisional scores.

The forward pass over the lattice of the whole text says how far the reading has come. A word is finished when the
lattice has, all but surely, left its last phone, a moment ago. What was read until then is assessed as if it were the
whole text, and the scores of the words that are new are told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elocute.acoustic import Backend
from elocute.assessor import Assessor
from elocute.ctc import lattice
from elocute.phones import PHONES, phonemize
from elocute.report import WordReport
from elocute.types import SAMPLE_RATE_HZ, Audio, Canonical, Float32, Float64

SURE = 0.98
"""Probability that a word has been left, from which it is finished."""
SETTLED_S = 0.12
"""The model hears the last frames without what comes after them, and so is not asked about them."""
WINDOW_S = 10.0
LOOK_BACK_S = 2.0
"""In a long recording the model hears the last `WINDOW_S` again; the first `LOOK_BACK_S` of them are only context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A beginning of the text: how many words it has, and how many phones."""

    text: str
    words: int
    phones: int


def prefixes(canonical: Canonical) -> tuple[Prefix, ...]:
    """Beginnings of a text that end with a word as it is written: of "42 years" one ends at "42", none at "forty".

    Where a number is written twice, some of them may be spoken in other words than the text begins with.
    """
    ends = np.cumsum([len(word.phones) for word in canonical.words])
    found: list[Prefix] = []
    cursor = 0
    for count, word in enumerate(canonical.words, start=1):
        place = canonical.text.find(word.text, cursor)
        if place >= 0:
            cursor = place + len(word.text)
        elif found:
            found.pop()  # one more word of what was found before
        found.append(Prefix(text=canonical.text[:cursor], words=count, phones=int(ends[count - 1])))
    return tuple(found)


class Follower:
    """Follows somebody who reads a text.

    Args:
        text: what is read.

    Raises:
        TextError: it cannot be pronounced.
    """

    def __init__(self, text: str) -> None:
        canonical = phonemize(text)
        self._spoken = [word.spoken for word in canonical.words]
        self._phones = [PHONES.index(phone.symbol) for phone in canonical.phones]
        self._prefixes = prefixes(canonical)
        self._told = 0
        self._heard: Float32 = np.zeros((0, 1), dtype=np.float32)
        self._frame_shift_s = 0.02

    @property
    def is_done(self) -> bool:
        """Whether all words have been told of."""
        return not self._prefixes or self._told >= self._prefixes[-1].words

    def follow(self, assessor: Assessor, audio: Audio) -> tuple[WordReport, ...]:
        """Words that were finished since the last call, with provisional scores.

        Args:
            assessor: of the report that is wanted in the end.
            audio: the recording from its beginning until now; never shorter than in the call before.

        Raises:
            AudioError, AlignmentError: too short to tell.
        """
        finished = self._finished(assessor.backend, audio)
        reached = [prefix for prefix in self._prefixes if self._told < prefix.words <= finished]
        if not reached:
            return ()
        last = reached[-1]
        if [word.spoken for word in phonemize(last.text).words] != self._spoken[: last.words]:
            return ()  # the next word will be told together with this one
        report = assessor.assess(audio, last.text)
        if report.utterance.accuracy is None:
            return ()
        told, self._told = self._told, last.words
        return tuple(word for word in report.text_words if word.text_index is not None and word.text_index >= told)

    def _finished(self, backend: Backend, audio: Audio) -> int:
        """Words that were surely read to their end."""
        log_probs, frame_shift_s = self._hear(backend, audio)
        settled = log_probs[: max(len(log_probs) - round(SETTLED_S / frame_shift_s), 0)]
        if not len(settled):
            return 0
        tokens = [backend.phone_set.tokens[phone][0] for phone in self._phones]
        ways = lattice(settled, tokens, backend.phone_set.blank_id).alpha[-1]
        probs = np.exp(ways - ways.max())
        probs /= probs.sum()
        beyond: Float64 = np.cumsum(probs[::-1])[::-1]
        # State 2s is the blank after s phones: whoever is there or further has left the s-th phone.
        return max((prefix.words for prefix in self._prefixes if beyond[2 * prefix.phones] >= SURE), default=0)

    def _hear(self, backend: Backend, audio: Audio) -> tuple[Float32, float]:
        """Log-probabilities from the beginning until now, and seconds a row."""
        begin, context = 0, round(LOOK_BACK_S / self._frame_shift_s)
        if audio.duration_s > WINDOW_S:
            begin = int((audio.duration_s - WINDOW_S) / self._frame_shift_s)
        if len(self._heard) < begin + context:  # nothing was heard before, or too long ago
            begin, context = 0, 0
        first = round(begin * self._frame_shift_s * SAMPLE_RATE_HZ)
        new = backend.posteriors(replace(audio, samples=audio.samples[first:]))
        self._frame_shift_s = new.frame_shift_s
        context = context if begin else 0
        known = self._heard[: begin + context]
        self._heard = np.concatenate([known, new.log_probs[context:]]) if len(known) else new.log_probs
        return self._heard, self._frame_shift_s
