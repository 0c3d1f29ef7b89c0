"""Lexical stress: which syllable of a word stands out, from pitch, level, length and colour of its vowel.

A small network turns the measures of one syllable (`syllables`) into one number; over the syllables of a word these
become probabilities. It does not know which stress the text asks for; of the phones it knows how long their vowels are
by nature, so that a long vowel is not taken for a stressed one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from elocute.assets import read_asset
from elocute.prosody.pitch import Pitch
from elocute.prosody.syllables import CONTEXT, MEASURES, Measured, measure_stress
from elocute.prosody.timing import Timing
from elocute.types import Audio, Float64, Phone

LEAST_PROBABILITY = 0.6
"""Below, no syllable stands out clearly enough to say which."""
LEAST_CONTRADICTION = 0.5
"""Another syllable than the lexicon's is named from this probability, the prior counted in."""
STRESSED_AS_ASKED = 0.9
"""Prior of a score: so many of a learner's words have the stress where it belongs (speechocean762: more)."""
_NEIGHBOURLY = 9
"""So many of the measures are also compared with the neighbours, whatever word they belong to."""
FEATURES: tuple[str, ...] = (
    *MEASURES,
    *(f"{name}_in_word" for name in MEASURES),
    *(f"{name}_{side}" for side in ("before", "after") for name in MEASURES[:_NEIGHBOURLY]),
    *CONTEXT,
)
"""Inputs of the network: the measures, the same less the mean of the word's other syllables, some less those of the
neighbours, and where the syllable stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyllableStress:
    """How one syllable stood out.

    Attributes:
        probability: that it stands out of its word, 0 to 1; those of a word sum to 1.
        is_stressed: whether it is the one that stands out; None where that is not clear enough.
        score: how surely it is stressed as it should be, 0 to 1; None where the lexicon does not say.
    """

    probability: float
    is_stressed: bool | None
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenStress:
    """How one word of two or more syllables was stressed.

    Attributes:
        spoken: syllable that stands out, counted from 0; None where it is not clear enough which.
        expected: syllable that should; None where the lexicon does not say.
        score: how surely the word is stressed as it should be, 0 to 1; None where the lexicon does not say.
        syllables: in order.
    """

    spoken: int | None
    expected: int | None
    score: float | None
    syllables: tuple[SyllableStress, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StressModel:
    """Networks of one hidden layer, whose outputs are averaged: K networks, F features, H units.

    Attributes:
        usual: shape (vowels, len(MEASURES)), how long each vowel is by its nature, stressed as often as not: open ones
            are longer than close ones (Lehiste 1970); 0 for other measures than length.
        mean: shape (F,), taken off the features.
        scale: shape (F,), the features are divided by it.
        hidden: shape (K, F, H).
        hidden_bias: shape (K, H).
        output: shape (K, H).
    """

    usual: Float64
    mean: Float64
    scale: Float64
    hidden: Float64
    hidden_bias: Float64
    output: Float64

    def prominence(self, measured: Measured) -> Float64:
        """Probability that each syllable of one word stands out, shape (S,)."""
        scaled = np.clip((stress_features(measured, self.usual) - self.mean) / self.scale, -4.0, 4.0)
        units = np.tanh(np.einsum("sf,kfh->ksh", scaled, self.hidden) + self.hidden_bias[:, None])
        logits = np.einsum("ksh,kh->ks", units, self.output).mean(axis=0)
        likely = np.exp(logits - logits.max())
        return np.asarray(likely / likely.sum())


def stress_features(measured: Measured, usual: Float64) -> Float64:
    """Inputs of the network, shape (S, len(FEATURES)); `usual` as in `StressModel`."""
    rows = measured.measures - usual[measured.vowels]
    own, narrow = rows[1:-1], rows[:, :_NEIGHBOURLY]
    others = (own.sum(axis=0) - own) / (len(own) - 1)
    return np.hstack([own, own - others, narrow[1:-1] - narrow[:-2], narrow[1:-1] - narrow[2:], measured.context])


@cache
def embedded_stress(held_out: str | None = None) -> StressModel:
    """The model that ships with elocute.

    Args:
        held_out: give the one that was trained without this voice or speaker, for evaluation.

    Raises:
        KeyError: no such model.
    """
    with np.load(io.BytesIO(read_asset("stress.npz"))) as stored:
        number = stored["names"].tolist().index(held_out or "")
        return StressModel(
            **{name: stored[name][number].astype(np.float64) for name in StressModel.__dataclass_fields__}
        )


def stress_groups() -> tuple[str, ...]:
    """Voices and speakers for which there is a model that was trained without them."""
    with np.load(io.BytesIO(read_asset("stress.npz"))) as stored:
        return tuple(name for name in stored["names"].tolist() if name)


def spoken_stress(
    audio: Audio,
    pitch: Pitch,
    times: Timing,
    words: Sequence[Sequence[Phone]],
    accepted: Sequence[frozenset[int]] | None = None,
    model: StressModel | None = None,
) -> tuple[SpokenStress | None, ...]:
    """How the words of an utterance were stressed.

    Args:
        audio: the recording.
        pitch: of the same recording.
        times: of all phones of the words, in order.
        words: canonical phones of the words that were said, with the syllables and the stress of the lexicon.
        accepted: syllables of each word that other accepted pronunciations stress: "record", the verb, is not wrong.
        model: the embedded one if None.

    Returns: one for each word; None where it has fewer than two syllables, or a vowel too short to measure or without
        any voice in the whole word.
    """
    network = model or embedded_stress()
    found: list[SpokenStress | None] = [None] * len(words)
    for measured in measure_stress(audio, pitch, times, words):
        others = frozenset[int]() if accepted is None else accepted[measured.word]
        found[measured.word] = _judged(network.prominence(measured), words[measured.word], others)
    return tuple(found)


def expected_stress(phones: Sequence[Phone]) -> int | None:
    """Syllable with the primary stress; None where there is none, or more than one."""
    stressed = [phone.syllable_index for phone in phones if phone.stress == 1]
    return stressed[0] if len(stressed) == 1 else None


def with_prior(probability: Float64, expected: int) -> Float64:
    """Probabilities of the syllables, shape (S,), knowing that words are mostly stressed as they should be."""
    prior = np.full(len(probability), (1 - STRESSED_AS_ASKED) / (len(probability) - 1))
    prior[expected] = STRESSED_AS_ASKED
    return np.asarray(prior * probability / (prior @ probability))


def named_syllable(probability: Float64, expected: int | None) -> int | None:
    """Syllable that the report names as the one that stands out; None where it is not clear enough which.

    Args:
        probability: shape (S,), from the sound alone.
        expected: syllable that the lexicon stresses, which takes more to be contradicted; None where it does not say.
    """
    best = int(probability.argmax())
    if probability[best] < LEAST_PROBABILITY:
        return None
    if expected is None or best == expected or with_prior(probability, expected)[best] >= LEAST_CONTRADICTION:
        return best
    return None


def _judged(probability: Float64, phones: Sequence[Phone], accepted: frozenset[int]) -> SpokenStress:
    """Probabilities of the syllables, put beside the stress of the pronunciation that was said, or another's."""
    clearest = named_syllable(probability, None)
    expected = clearest if clearest in accepted else expected_stress(phones)
    if expected is not None and expected >= len(probability):
        expected = None  # a syllable without vowel before it: the lexicon's count is not ours
    spoken = named_syllable(probability, expected)
    scores: list[float | None] = [None] * len(probability)
    if expected is not None:
        after = with_prior(probability, expected)
        scores = [float(p if n == expected else 1 - p) for n, p in enumerate(after)]
    return SpokenStress(
        spoken=spoken,
        expected=expected,
        score=None if expected is None else scores[expected],
        syllables=tuple(
            SyllableStress(probability=float(p), is_stressed=None if spoken is None else n == spoken, score=scores[n])
            for n, p in enumerate(probability)
        ),
    )
