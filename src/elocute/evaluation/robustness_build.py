"""Hard cases, built: how a recording or its text is changed to make each of them.

A builder gets the material of one utterance and yields what is to be assessed, with what is true of it. Words are cut
where the assessor itself finds them in the clean recording; a case whose word times are not known is not built, and
counted as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from elocute.evaluation import distort
from elocute.evaluation.robustness_plan import ChangedText, Plan
from elocute.types import SAMPLE_RATE_HZ, Float32

REPEAT_PAUSE_S = (0.15, 0.3)
JOINT_PAUSE_S = 0.5
SPLICE_PAUSE_S = 0.08
CLIP_S = 5.0
_WORD_MARGIN_S = 0.05


WordTimes = tuple[tuple[tuple[float, float], ...], ...]
"""For each word begin and end of its phones, seconds; no phones for a word that was not found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known of a built recording; None for what does not apply.

    Attributes:
        word: index of the word of the text that was exchanged, added or cut out.
        absent: indices of the words of the utterance's own text that are not in the recording.
        span_s: where speech is that the text does not have, with what it is mistaken for: begin and end, seconds.
        clean_span_s: the same place in the clean recording, where nothing is to be found.
    """

    word: int | None = None
    absent: frozenset[int] = frozenset()
    span_s: tuple[float, float] | None = None
    clean_span_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One thing to be assessed.

    Attributes:
        samples: shape (N,), float32, 16 kHz.
        text: what the assessor is told was said; None for the utterance's own.
        truth: what is known of it.
        detail: which word, clip or utterance, for people.
    """

    samples: Float32
    text: str | None = None
    truth: Truth = Truth()
    detail: str = ""


class NotBuiltError(Exception):
    """A case cannot be made of this utterance; the message says why. Caught and counted, never shown as an error."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What cases are made of.

    Attributes:
        plan: what was drawn.
        samples: the clean recording.
        times: of its phones, word by word; empty where the assessor scored nothing.
        other: the other utterance of the plan, assessed; None where there is none.
        clip: reads a noise clip by its name.
    """

    plan: Plan
    samples: Float32
    times: WordTimes
    other: Callable[[], Other | None]
    clip: Callable[[str], Float32]

    def edges(self, index: int) -> tuple[int, int]:
        """Where a word is cut out: the middles of the gaps to its neighbours, samples.

        Raises:
            NotBuiltError: the word or a neighbour was not found in the clean recording.
        """
        return self.boundary(index), self.boundary(index + 1)

    def boundary(self, index: int) -> int:
        """Middle of the gap before a word; the recording's begin before the first and its end after the last."""
        if index == 0:
            return 0
        if self.times and index == len(self.times):
            return len(self.samples)
        before, after = self.found(index - 1), self.found(index)
        middle = (before[1] + after[0]) / 2
        return min(max(round(middle * SAMPLE_RATE_HZ), 0), len(self.samples))

    def found(self, index: int) -> tuple[float, float]:
        """Begin and end of a word, seconds."""
        if not self.times:
            raise NotBuiltError("clean recording was not scored, so where its words are is unknown")
        if not self.times[index]:
            raise NotBuiltError("a word at the cut was not found in the clean recording")
        return self.times[index][0][0], self.times[index][-1][1]

    def piece(self, first: int, last: int) -> tuple[int, int]:
        """Samples of words `first` to `last`, with no more than 50 ms of what is around them."""
        margin = round(_WORD_MARGIN_S * SAMPLE_RATE_HZ)
        begin = max(self.boundary(first), round(self.found(first)[0] * SAMPLE_RATE_HZ) - margin)
        end = min(self.boundary(last + 1), round(self.found(last)[1] * SAMPLE_RATE_HZ) + margin)
        if end - begin < margin:
            raise NotBuiltError("the word is too short to be cut")
        return max(begin, 0), end

    def pause(self, seconds: float, rng: np.random.Generator) -> Float32:
        """A pause as noisy as this recording's."""
        return distort.floor_noise(self.samples, round(seconds * SAMPLE_RATE_HZ), rng)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Other:
    """Another utterance: id, samples, the words of its text, and the times of their phones."""

    id: str
    samples: Float32
    words: tuple[str, ...]
    times: WordTimes


Builder = Callable[[Material, np.random.Generator], Iterator[Recording]]


def clean(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """The recording as it is."""
    yield Recording(samples=material.samples)


def other_text(of: Callable[[Plan], str | None]) -> Builder:
    """The recording with a text that nobody said."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        text = of(material.plan)
        if text is None:
            raise NotBuiltError("the corpus has no other text with other words")
        yield Recording(samples=material.samples, text=text, detail=text)

    return build


def changed(of: Callable[[Plan], ChangedText | None]) -> Builder:
    """A text in which one word was not said."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        said = of(material.plan)
        if said is None:
            raise NotBuiltError("the corpus has no word to put there")
        detail = f"{said.index} {said.word}" + (f" for {said.instead_of}" if said.instead_of else "")
        yield Recording(samples=material.samples, text=said.text, truth=Truth(word=said.index), detail=detail)

    return build


def truncated(share: float) -> Builder:
    """The first words only."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        words = len(material.plan.words)
        kept = min(max(round(share * words), 1), words - 1)
        part = distort.faded(material.samples[: material.boundary(kept)])
        yield Recording(
            samples=part, truth=Truth(absent=frozenset(range(kept, words))), detail=f"{kept} of {words} words"
        )

    return build


def begins_late(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """The last words only: half of them."""
    words = len(material.plan.words)
    lost = min(max(round(0.5 * words), 1), words - 1)
    part = distort.faded(material.samples[material.boundary(lost) :])
    yield Recording(samples=part, truth=Truth(absent=frozenset(range(lost))), detail=f"{words - lost} of {words} words")


def cut_word(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """A word, neither the first nor the last, cut out."""
    index = int(rng.integers(1, len(material.plan.words) - 1))
    begin, end = material.edges(index)
    samples = distort.joined(material.samples[:begin], material.samples[end:])
    yield Recording(
        samples=samples,
        truth=Truth(word=index, absent=frozenset((index,))),
        detail=f"{index} {material.plan.words[index]}",
    )


def repeated(least: int, most: int) -> Builder:
    """Words said twice, with a pause between."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        words = len(material.plan.words)
        count = int(rng.integers(least, most + 1))
        first = int(rng.integers(0, words - count + 1))
        begin, end = material.piece(first, first + count - 1)
        gap = material.pause(rng.uniform(*REPEAT_PAUSE_S), rng)
        x = material.samples
        yield Recording(
            samples=distort.joined(x[:end], gap, x[begin:]),
            truth=Truth(span_s=_seconds(begin, end + len(gap) + end - begin), clean_span_s=_seconds(begin, end)),
            detail=" ".join(material.plan.words[first : first + count]),
        )

    return build


def false_start(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """A word broken off after about half of its phones, a pause, then the whole word."""
    long = [k for k, phones in enumerate(material.times) if len(phones) >= 3]
    if not long:
        raise NotBuiltError("no word has three phones, or nothing was scored")
    index = int(rng.choice(long))
    begin, end = material.piece(index, index)
    ends_s = [end_s for _, end_s in material.times[index][:-1]]
    middle_s = (begin + end) / 2 / SAMPLE_RATE_HZ
    broken = min(max(round(min(ends_s, key=lambda s: abs(s - middle_s)) * SAMPLE_RATE_HZ), begin + 1), end)
    gap = material.pause(rng.uniform(*REPEAT_PAUSE_S), rng)
    x = material.samples
    yield Recording(
        samples=distort.joined(x[:broken], gap, x[begin:]),
        truth=Truth(span_s=_seconds(begin, broken + len(gap) + end - begin), clean_span_s=_seconds(begin, end)),
        detail=f"{index} {material.plan.words[index]}",
    )


def inserted_word(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """A word of the other utterance between two words."""
    other = _other(material)
    strange = [
        k
        for k, phones in enumerate(other.times)
        if len(phones) >= 3 and other.words[k].lower() not in material.plan.words
    ]
    if not strange:
        raise NotBuiltError("the other utterance has no word to lend")
    index = int(rng.choice(strange))
    lender = replace(material, samples=other.samples, times=other.times)
    begin, end = lender.piece(index, index)
    word = _as_loud(other.samples, material.samples)[begin:end]
    at = material.boundary(int(rng.integers(1, len(material.plan.words))))
    gap = material.pause(SPLICE_PAUSE_S, rng)
    x = material.samples
    yield Recording(
        samples=distort.joined(x[:at], gap, word, gap, x[at:]),
        truth=Truth(
            span_s=_seconds(at + len(gap), at + len(gap) + len(word)), clean_span_s=_seconds(at - 800, at + 800)
        ),
        detail=f"{other.words[index]} of {other.id}",
    )


def with_other(*, is_before: bool) -> Builder:
    """Another utterance before or after."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        other = _other(material)
        strange, x = _as_loud(other.samples, material.samples), material.samples
        gap = material.pause(JOINT_PAUSE_S, rng)
        parts = (strange, gap, x) if is_before else (x, gap, strange)
        begin = 0 if is_before else len(x) + len(gap)
        yield Recording(
            samples=distort.joined(*parts),
            truth=Truth(span_s=_seconds(begin, begin + len(strange))),
            detail=other.id,
        )

    return build


def silence(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """Digital zero, as long as the recording."""
    yield Recording(samples=np.zeros_like(material.samples))


def noise_floor(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """White noise at -70 dB, as long as the recording."""
    noise = distort.coloured_noise(len(material.samples), rng)
    yield Recording(samples=distort.at_level(noise, -70.0))


def noise_only(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """Clips of noise, five seconds each, as loud as the speech was."""
    level_db = distort.active_level_db(material.samples)
    for name in material.plan.clips:
        noise = distort.looped(material.clip(name), round(CLIP_S * SAMPLE_RATE_HZ), 0.0)
        yield Recording(samples=distort.at_level(noise, level_db), detail=name)


def sound(make: Callable[[int, np.random.Generator], Float32]) -> Builder:
    """A sound that is no speech, as long and as loud as the speech was."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        sound = make(len(material.samples), rng)
        yield Recording(samples=distort.at_level(sound, distort.active_level_db(material.samples)))

    return build


def pink(length: int, rng: np.random.Generator) -> Float32:
    """Pink noise."""
    return distort.coloured_noise(length, rng, slope_db_per_octave=3.0)


def backwards(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """The recording backwards: speech without words, which stands for another language."""
    yield Recording(samples=material.samples[::-1].copy())


def noisy(snr_db: float) -> Builder:
    """A clip of noise mixed in."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        name = material.plan.noise
        assert name is not None  # the case needs clips, and is refused without
        noise = distort.looped(material.clip(name), len(material.samples), material.plan.noise_start)
        yield Recording(samples=distort.with_noise(material.samples, noise, snr_db), detail=name)

    return build


def distorted(change: Callable[[Float32], Float32]) -> Builder:
    """The recording through something."""

    def build(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
        yield Recording(samples=change(material.samples))

    return build


def reverb(material: Material, rng: np.random.Generator) -> Iterator[Recording]:
    """The recording in a room of RT60 0.6 s."""
    yield Recording(samples=distort.reverberated(material.samples, distort.room_response(rng, rt60_s=0.6)))


def _other(material: Material) -> Other:
    """The other utterance."""
    other = material.other()
    if other is None:
        raise NotBuiltError("the corpus has no other utterance with other words")
    return other


def _as_loud(samples: Float32, like: Float32) -> Float32:
    """Another recording at the speech level of this one."""
    gain = 10 ** ((distort.active_level_db(like) - distort.active_level_db(samples)) / 20)
    return np.asarray(np.clip(samples * gain, -1, 1), dtype=np.float32)


def _seconds(begin: int, end: int) -> tuple[float, float]:
    """A span of samples in seconds."""
    return begin / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ
