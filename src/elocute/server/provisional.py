"""Words that are surely finished while their text is still being read, and their provisional scores.

The recording is heard in chunks, each with a stretch of what came before it as context. A forward pass over the lattice
of the whole text, which goes on from chunk to chunk, says how far the reading has come: a word is finished when the
lattice has, all but surely, left its last phone. The words that are new are assessed with a few words before them as if
they were the whole text. So the work for a second of speech is the same at the end of a recording as at its beginning.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from elocute.assessor import Assessor
from elocute.ctc import forward
from elocute.errors import AlignmentError
from elocute.gop.variants import best_variants
from elocute.phones import phonemize
from elocute.report import WordReport
from elocute.report_writer import write_report
from elocute.types import SAMPLE_RATE_HZ, Audio, Canonical, Float64, Int64, PhoneSet, Posteriors

SURE = 0.98
"""Probability that a word has been left, from which it is finished."""
LOOK_BACK_S = 4.0
"""So much is heard again before each new chunk, as its context."""
SETTLED_S = 0.4
"""Frames are settled for good when so much was heard behind them; those after them are looked at anew each time."""
EDGE_S = 0.06
"""The model hears the last frames without what comes after them, and so is not asked about them at all."""
CONTEXT_WORDS = 5
"""Words before the new ones that are assessed together with them."""
CONTEXT_S = 6.0
"""The assessed stretch is no longer than this, as far as the new words leave a choice."""
RISE_DB = 8.0
"""A phone counts as heard only where it is so much louder than the quietest moment: the model hears phones in noise."""
MUTED_DB = -65.0
"""The quietest moment is taken to be no quieter than this, dB of full scale."""
ENDING_S = 0.2
"""A word may sound on for so long after the lattice has left it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A text to be read.

    Attributes:
        canonical: its words and phones.
        text: in Unicode's composed form, as its words are.
        spans: begin and end of each word in `text`; both words of "42" have the same.
    """

    canonical: Canonical
    text: str
    spans: tuple[tuple[int, int], ...]

    @property
    def stops(self) -> tuple[int, ...]:
        """How many words are said wherever a word as it is written ends: of "42 years" after "42", not "forty"."""
        ends = range(1, len(self.spans) + 1)
        return tuple(count for count in ends if count == len(self.spans) or self.spans[count] != self.spans[count - 1])

    def labels(self, phone_set: PhoneSet) -> list[list[int]]:
        """The labels that spell each word."""
        return [
            [label for phone in word.phones for label in phone_set.tokens[phone_set.id_of(phone.symbol)]]
            for word in self.canonical.words
        ]

    def part(self, first: int, last: int) -> Canonical:
        """The words [first, last) as if they were the whole text."""
        return Canonical(
            text=self.text[self.spans[first][0] : self.spans[last - 1][1]],
            words=tuple(
                replace(word, phones=tuple(replace(phone, word_index=index) for phone in word.phones))
                for index, word in enumerate(self.canonical.words[first:last])
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Progress:
    """How far a reading has come; small, because it travels to the worker and back with every chunk.

    Attributes:
        frame_shift_s: seconds a frame.
        settled: frames over which the forward pass has gone for good.
        alpha: of the last of them, shape (2S+1,); None before the first.
        left: shape (W,), frame in which each word was left, -1 for not yet.
        told: words that were told of.
        heard_s: how much of the recording was listened to.
        floor_db: level of the quietest moment, dB of full scale.
        voiced_s: when a phone was heard last; None for never.
        is_read: whether half of the last word, or more, has surely been said; learners often leave its end out.
    """

    frame_shift_s: float = 0.02
    settled: int = 0
    alpha: Float64 | None = None
    left: Int64 | None = None
    told: int = 0
    heard_s: float = 0.0
    floor_db: float = 0.0
    voiced_s: float | None = None
    is_read: bool = False

    @property
    def from_frame(self) -> int:
        """First frame that the next look has to hear."""
        first = self.settled - round(LOOK_BACK_S / self.frame_shift_s)
        if self.left is not None and self.told < len(self.left):
            earliest = self.settled - round(CONTEXT_S / self.frame_shift_s)
            first = min(first, max(_begun(self.left, max(self.told - CONTEXT_WORDS, 0)), earliest))
        return max(first, 0)

    @property
    def from_s(self) -> float:
        """When that frame begins."""
        return self.from_frame * self.frame_shift_s

    @property
    def quiet_s(self) -> float:
        """For how long no phone was heard, seconds."""
        return self.heard_s - (self.voiced_s or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """What following a reader gave: how far the reading is now, and the words that are new."""

    progress: Progress
    words: tuple[WordReport, ...] = ()


@lru_cache(maxsize=64)
def script_of(text: str) -> Script:
    """What is to be read.

    Raises:
        TextError: it cannot be pronounced.
    """
    canonical = phonemize(text)
    whole = unicodedata.normalize("NFC", canonical.text)
    spans: list[tuple[int, int]] = []
    end = 0
    for word in canonical.words:
        begin = whole.find(word.text, end)
        if spans and (begin < 0 or re.search(r"\w", whole[end:begin])):
            spans.append(spans[-1])  # not there, or only beyond other words: one more word of the one before
            continue
        end = max(begin, 0) + len(word.text)
        spans.append((max(begin, 0), end))
    return Script(canonical=canonical, text=whole, spans=tuple(spans))


def follow(assessor: Assessor, script: Script, progress: Progress, audio: Audio) -> Followed:
    """Go on following somebody who reads.

    Args:
        assessor: of the report that is wanted in the end.
        script: what is read.
        progress: how far it was; what the last call gave.
        audio: the recording from `progress.from_s` until now.

    Raises:
        AudioError: it is too short to be heard.
    """
    stretch = Stretch(audio=audio, heard=assessor.backend.posteriors(audio), first=progress.from_frame)
    progress, finished = _advanced(script, progress, stretch)
    reached = [stop for stop in script.stops if progress.told < stop <= finished]
    if not reached:
        return Followed(progress=progress)
    words = _words(assessor, script, progress, stretch, reached[-1])
    # Of words without scores so far nothing is told; they are looked at again, together with the next.
    return Followed(progress=replace(progress, told=reached[-1]) if words else progress, words=words)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretch:
    """A part of a recording: its samples, what was heard in them, and the number of its first frame."""

    audio: Audio
    heard: Posteriors
    first: int

    def part(self, start: int, end: int) -> Stretch:
        """The frames [start, end) of the recording."""
        heard, hop = self.heard, round(self.heard.frame_shift_s * SAMPLE_RATE_HZ)
        rows = slice(start - self.first, end - self.first)
        ratings = None if heard.ratings is None else heard.ratings[rows]
        return Stretch(
            audio=replace(self.audio, samples=self.audio.samples[rows.start * hop : rows.stop * hop]),
            heard=replace(heard, log_probs=heard.log_probs[rows], ratings=ratings),
            first=start,
        )


def _advanced(script: Script, progress: Progress, stretch: Stretch) -> tuple[Progress, int]:
    """How far the reading is with what was heard, and how many words were surely read to their end."""
    shift_s, phone_set, done = stretch.heard.frame_shift_s, stretch.heard.phone_set, progress.settled
    end = stretch.first + len(stretch.heard.log_probs)
    until, settled = (end - round(back_s / shift_s) for back_s in (EDGE_S, SETTLED_S))
    progress = replace(progress, frame_shift_s=shift_s, heard_s=end * shift_s)
    if until <= done:
        return progress, 0
    new = stretch.part(done, until)
    words = script.labels(phone_set)
    labels = [label for word in words for label in word]
    alpha = forward(new.heard.log_probs, labels, phone_set.blank_id, before=progress.alpha)
    ends = np.cumsum([len(word) for word in words])
    gone = _gone(alpha, np.append(ends, ends[-1] - len(words[-1]) // 2))
    gone, has_ended = gone[:, :-1], gone[-1, -1] >= SURE
    before = np.full(len(words), -1) if progress.left is None else progress.left
    likely = gone >= 0.5
    floor_db, voiced = _voiced(new, progress.floor_db)
    sure = np.flatnonzero(gone[-1] >= SURE)
    return replace(
        progress,
        settled=max(settled, done),
        alpha=alpha[settled - done - 1] if settled > done else progress.alpha,
        left=np.where((before < 0) & likely.any(axis=0), done + likely.argmax(axis=0), before),
        floor_db=floor_db,
        voiced_s=(done + int(voiced[-1]) + 1) * shift_s if len(voiced) else progress.voiced_s,
        is_read=bool(has_ended),
    ), int(sure[-1]) + 1 if len(sure) else 0


def _voiced(stretch: Stretch, floor_db: float) -> tuple[float, Int64]:
    """Level of the quietest moment until now, and the frames in which a phone was heard."""
    log_probs, phone_set = stretch.heard.log_probs, stretch.heard.phone_set
    hop = round(stretch.heard.frame_shift_s * SAMPLE_RATE_HZ)
    power = np.square(np.pad(stretch.audio.samples, (0, len(log_probs) * hop - len(stretch.audio.samples))))
    level_db = 10 * np.log10(np.maximum(power.reshape(-1, hop).mean(axis=1, dtype=np.float64), 1e-12))
    floor_db = max(min(floor_db, float(level_db.min())), MUTED_DB)
    phones = np.delete(log_probs, phone_set.blank_id, axis=1).max(axis=1)
    return floor_db, np.flatnonzero((phones > np.log(0.5)) & (level_db > floor_db + RISE_DB))


def _gone(alpha: Float64, ends: Int64) -> Float64:
    """Probability that so many labels have been left, shape (T, ends)."""
    probs = np.exp(alpha - alpha.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    beyond = np.cumsum(probs[:, ::-1], axis=1)[:, ::-1]
    # State 2s is the blank after s labels: whoever is there or further has left s labels.
    return np.asarray(beyond[:, 2 * ends])


def _words(
    assessor: Assessor, script: Script, progress: Progress, stretch: Stretch, last: int
) -> tuple[WordReport, ...]:
    """Scores of the words up to the `last` that were not told yet; none if they cannot be scored."""
    assert progress.left is not None
    left, told = progress.left, progress.told
    near = [first for first in range(max(told - CONTEXT_WORDS, 0), told) if _begun(left, first) >= stretch.first]
    first = min([*near, told])
    begin = max(_begun(left, first), stretch.first)
    end = stretch.first + len(stretch.heard.log_probs)
    if ENDING_S is not None:
        end = min(int(left[last - 1]) + round(ENDING_S / stretch.heard.frame_shift_s), end)
    part, canonical = stretch.part(begin, end), script.part(first, last)
    try:
        if assessor.config.variants:
            canonical = best_variants(part.heard, canonical)
        found = assessor.find(part.audio, part.heard, canonical)
    except AlignmentError:  # too few frames
        return ()
    report = write_report(
        found, scale=assessor.config.scale, backend=assessor.backend.name, scorer=assessor.scorer.name
    )
    if report.utterance.accuracy is None:
        return ()
    begin_s = begin * stretch.heard.frame_shift_s
    new = report.text_words[told - first :]
    return tuple(_moved(word, number, begin_s) for number, word in enumerate(new, start=told))


def _begun(left: Int64, word: int) -> int:
    """Frame from which a word may sound: when the one before it was left."""
    return max(int(left[word - 1]), 0) if word else 0


def _moved(word: WordReport, text_index: int, by_s: float) -> WordReport:
    """A word in its place in the whole recording and text."""

    def later(time_s: float | None) -> float | None:
        return None if time_s is None else round(time_s + by_s, 3)

    return replace(
        word,
        text_index=text_index,
        start_s=later(word.start_s),
        end_s=later(word.end_s),
        phonemes=tuple(replace(one, start_s=later(one.start_s), end_s=later(one.end_s)) for one in word.phonemes),
    )
