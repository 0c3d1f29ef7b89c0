"""Is the stressed syllable found? On voices, speakers and words that the model has not heard.

Of every group of voices or speakers that the shipped model was trained on, there is a twin that was trained without it
(`prosody.stress.embedded_stress`); it judges that group. One word in five, and all the pairs of noun and verb, no
model was trained on; parts are reported for these, and for all words where the speaker alone is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elocute.evaluation import distort
from elocute.evaluation.bootstrap import Draws, Estimate, estimate_of_sums, ratio
from elocute.evaluation.stress_data import Distort, StressRow
from elocute.evaluation.stress_speech import Voice
from elocute.evaluation.stress_words import (
    CARRIERS,
    StressedSentence,
    drawn_words,
    in_carrier,
    is_held_out,
    known_words,
    pairs,
)
from elocute.prosody.stress import StressModel, embedded_stress, named_syllable, stress_groups
from elocute.types import Audio, Float64

FORMAT = "elocute stress 1"
SYLLABLES = (2, 3)
"""Words of so many syllables are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """How often the stressed syllable was found in one part.

    Attributes:
        part: what was spoken, by whom.
        words: how many.
        unmeasured: of these, how many could not be measured; they count as wrong.
        right: share whose most probable syllable is the stressed one, with the interval.
        false: share in which the report would name another syllable, the lexicon agreeing with the speaker.
        noticed: share in which it would, the lexicon asking for the next syllable (after the last, the first).
        apart: of words spoken in both forms of a pair by one voice, share where the one stressed earlier is the one in
            which the earlier syllable is the more probable; None where there are no such words.
        first: share that is right if the first syllable is always named.
        balanced: mean over the places of the stress (of each length of word) of the share that is right.
    """

    part: str
    words: int
    unmeasured: int
    right: Estimate
    false: float
    noticed: float
    apart: float | None
    first: float
    balanced: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """What `elocute evaluate stress` found.

    Attributes:
        parts: synthesisers first, then recordings.
        silent: recordings that gave no word, by group: not spoken as ordered, not aligned, or without such words.
        settings: of the run.
        provenance: of the run.
    """

    parts: tuple[PartResult, ...]
    silent: Mapping[str, int]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]


def pair_sentences() -> list[StressedSentence]:
    """Both forms of every pair, each in a carrier of its own."""
    carriers = [carrier for carrier in CARRIERS if carrier.count("{}") == 1]
    return [in_carrier(iter([word]), carriers[n // 2 % len(carriers)]) for n, word in enumerate(pairs())]


def moved_sentences(count: int, rng: np.random.Generator, *, held_out: bool) -> list[StressedSentence]:
    """Sentences of words with their stress moved."""
    words = drawn_words(known_words(SYLLABLES, held_out=held_out), rng)
    return [in_carrier(words, CARRIERS[int(rng.integers(len(CARRIERS)))]) for _ in range(count)]


def pair_voices(voices: Sequence[Voice]) -> list[Voice]:
    """Voices in turn, each twice, so that both forms of a pair are spoken by one."""
    return [voice for voice in voices for _ in range(2)]


def voices_by_group(voices: Sequence[Voice]) -> dict[str, list[Voice]]:
    """Voices of each group."""
    groups: dict[str, list[Voice]] = {}
    for voice in voices:
        groups.setdefault(voice.group, []).append(voice)
    return groups


def judged(rows: Sequence[StressRow], model_of: Callable[[str], StressModel]) -> list[Float64 | None]:
    """Probabilities of the syllables of every word, each from the model for its group."""
    return [None if row.measured is None else model_of(row.group).prominence(row.measured) for row in rows]


def held_out_model(group: str) -> StressModel:
    """The shipped model, or its twin that has not heard the group."""
    return embedded_stress(group) if group in stress_groups() else embedded_stress()


def measure_parts(
    rows: Sequence[StressRow], probabilities: Sequence[Float64 | None], *, draws: int
) -> tuple[PartResult, ...]:
    """Results of every part that has words of `SYLLABLES` syllables; words that were not measured count, too."""
    parts: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if row.measured is None or len(row.measured) in SYLLABLES:
            for part in _parts_of(row):
                parts.setdefault(part, []).append(number)
    order = sorted(parts, key=lambda part: (part.split(":")[0] not in _SPOKEN.values(), part))
    return tuple(
        _result(part, [rows[n] for n in parts[part]], [probabilities[n] for n in parts[part]], draws) for part in order
    )


_SPOKEN = {"pair": "pairs", "natural": "as in the lexicon", "kept": "moved, vowels kept", "reduced": "moved, reduced"}


def _parts_of(row: StressRow) -> Iterator[str]:
    """Names of the parts that a word belongs to."""
    if row.kind in _SPOKEN:
        yield f"{_SPOKEN[row.kind]}: {row.group}"
        yield f"{_SPOKEN[row.kind]}: all voices"
    else:
        yield f"{row.group}: all words"
        if is_held_out(row.word):
            yield f"{row.group}: unknown words"


def _result(part: str, rows: Sequence[StressRow], probabilities: Sequence[Float64 | None], draws: int) -> PartResult:
    """Result of one part; resamples speakers where there are several, else words."""
    truth = np.array([row.stressed for row in rows])
    lengths = np.array([0 if row.measured is None else len(row.measured) for row in rows])
    best = np.array([-1 if p is None else int(p.argmax()) for p in probabilities])
    right = best == truth
    pairs_of = list(zip(rows, probabilities, strict=True))
    speakers = {row.speaker for row in rows}
    names = [row.speaker if len(speakers) > 20 else row.word for row in rows]
    _, clusters = np.unique(names, return_inverse=True)
    places = sorted({(int(n), int(t)) for n, t in zip(lengths, truth, strict=True) if n})
    shares = [float(right[(lengths == n) & (truth == t)].mean()) for n, t in places]
    return PartResult(
        part=part,
        words=len(rows),
        unmeasured=int((best < 0).sum()),
        right=estimate_of_sums(
            ratio,
            clusters,
            np.column_stack([right, np.ones(len(rows))]).astype(np.float64),
            Draws.of(int(clusters.max()) + 1, draws),
        ),
        false=float(np.mean([_contradicts(p, row.stressed) for row, p in pairs_of])),
        noticed=float(np.mean([p is not None and _contradicts(p, (row.stressed + 1) % len(p)) for row, p in pairs_of])),
        apart=_told_apart(pairs_of),
        first=float((truth == 0).mean()),
        balanced=float(np.mean(shares)) if shares else float("nan"),
    )


def _contradicts(probability: Float64 | None, expected: int) -> bool:
    """Whether the report would name another syllable than the expected one."""
    return probability is not None and named_syllable(probability, expected) not in (None, expected)


def _told_apart(rows: Sequence[tuple[StressRow, Float64 | None]]) -> float | None:
    """`PartResult.apart`; a word that could not be measured is not told from its twin."""
    forms: dict[tuple[str, str], dict[int, Float64 | None]] = {}
    for row, probability in rows:
        if row.kind == "pair":
            forms.setdefault((row.speaker, row.word), {})[row.stressed] = probability
    told = []
    for both in forms.values():
        if len(both) == 2:
            (early, one), (_, other) = sorted(both.items())
            told.append(one is not None and other is not None and bool(one[early] > other[early]))
    return float(np.mean(told)) if told else None


def _in_noise(audio: Audio, rng: np.random.Generator) -> Audio:
    """Pink noise 10 dB below the speech."""
    noise = distort.coloured_noise(len(audio.samples), rng, slope_db_per_octave=3.0)
    return replace(audio, samples=distort.with_noise(audio.samples, noise, 10.0))


def _by_telephone(audio: Audio, rng: np.random.Generator) -> Audio:
    """8 kHz, 300 to 3400 Hz, mu-law."""
    return replace(audio, samples=distort.telephoned(audio.samples))


CONDITIONS: dict[str, Distort | None] = {"clean": None, "noise": _in_noise, "telephone": _by_telephone}
"""What is done to the recordings before they are heard."""
