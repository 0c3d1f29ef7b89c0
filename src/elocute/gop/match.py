"""Step 5/10 - was it speech, and was it this text?

Two questions, each answered by a logistic regression of few numbers. Speech: noises make the acoustic model hear few
phones, and none surely. This text: with a strange text the best reading is dear for each phone that was heard, the edit
lattice doubts the phones that it takes for said, and words are missing where other speech is. Fitted on right texts
(whole, cut short, with noise), texts of other utterances, reversed speech, noises and tones, heard by acoustic models
that did not train on the speakers (docs/experiments.md, section 18).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from elocute.assets import read_card
from elocute.ctc import logistic
from elocute.gop.edits import Alternatives
from elocute.gop.reading import Reading
from elocute.types import Float64, Posteriors

HEARD_PROBABILITY = 0.2
"""A phone counts as heard where the acoustic model gives it this probability in one of its frames."""
LEAST_HEARD = 0.2
"""Below this share of phones heard the recording holds no speech, or none of this text."""
REFUSED_BELOW = 0.05
"""Probability below which nothing is scored."""
SURE_SPEECH = 0.85
"""Probability of speech from which the total stands as it is; below it the total falls with its square."""
CERTAIN_TEXT = 0.97
"""Probability of the text above which its being speech is less and less in question, at 1 not at all, if all of it was
said: a word or two can be found in any noise."""
SURE_TEXT = 0.7
"""Probability of the text from which the total stands as it is; below it the total falls in proportion.

Of right pairs by unseen speakers one in a hundred is below it; of short texts beside long speech of something else,
one in thirty-five still gets more than 20 of 100 (`assets/match.json`).
"""

_PRICE_FLOOR = 0.2
_RATE_FLOOR = 0.005
_FRAME_SHIFT_S = 0.02
"""Of the model that the weights were fitted for; rates of others are brought to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the two questions are answered from.

    Attributes:
        surely: mean probability of the phones that are heard in the recording, whichever they are.
        rate: how many are heard, per frame of 20 ms.
        heard: share of the text's phones that are among them.
        price: of the reading, nats for each phone that is heard.
        own: mean posterior of the canonical phones of the words that were said.
        share: of the words of the text that was said.
        replaced: other speech in place of missing words, as a share of the text's phones, at most what is missing.
        beside: other speech wherever it is, phones for each phone of the words that were said.
    """

    surely: float
    rate: float
    heard: float
    price: float
    own: float
    share: float
    replaced: float
    beside: float

    @property
    def of_speech(self) -> tuple[float, ...]:
        """Inputs of the first regression."""
        return self.surely, float(np.log(self.rate + _RATE_FLOOR)), self.heard

    @property
    def of_text(self) -> tuple[float, ...]:
        """Inputs of the second.

        The price counts by itself and times the share: words that are missing make a right text dear, too. The more
        is said beside a text, the better can a text that was not said be found somewhere in it.
        """
        price = float(np.log(self.price + _PRICE_FLOOR))
        return price, self.own, self.replaced, self.share, price * self.share, float(np.log1p(self.beside))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """How well a recording and a text go together.

    Attributes:
        heard: shape (L,), which phones of the words that were said the acoustic model found at all.
        speech: probability that the recording holds speech.
        text: probability that it is of this text.
        evidence: for both.
    """

    heard: NDArray[np.bool_]
    speech: float
    text: float
    evidence: Evidence

    @property
    def is_scorable(self) -> bool:
        """Whether scores would mean anything."""
        return self.is_speech and self.text >= REFUSED_BELOW

    @property
    def is_speech(self) -> bool:
        """Whether it is not refused for want of speech."""
        return bool(self.heard.mean() >= LEAST_HEARD) and self.speech >= REFUSED_BELOW

    @property
    def trust(self) -> float:
        """Share of the total that the recording deserves, 0 to 1."""
        is_whole = self.evidence.share == 1.0
        certain = max(self.text - CERTAIN_TEXT, 0.0) / (1.0 - CERTAIN_TEXT) if is_whole else 0.0
        return max(min(self.speech / SURE_SPEECH, 1.0) ** 2, certain) * min(self.text / SURE_TEXT, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """The two regressions: bias first, then a weight for each input."""

    speech: tuple[float, ...]
    text: tuple[float, ...]

    def judge(self, match: Match) -> Match:
        """The same evidence, judged by these."""
        return replace(
            match,
            speech=_probability(self.speech, match.evidence.of_speech),
            text=_probability(self.text, match.evidence.of_text),
        )


@cache
def embedded_matcher() -> Matcher:
    """The regressions that ship, `assets/match.json`."""
    stored = read_card("match")
    return Matcher(speech=tuple(stored["speech"]), text=tuple(stored["text"]))


def match(
    posteriors: Posteriors,
    said: Alternatives,
    own: Float64,
    reading: Reading,
    phones: int,
    share: float,
    matcher: Matcher,
) -> Match:
    """Compare a recording with a text.

    Args:
        posteriors: of the whole recording.
        said: the words that were said.
        own: shape (L,), posterior that each of their phones was said as it should be.
        reading: of the whole text.
        phones: of the whole text.
        share: of its words that was said.
        matcher: from `embedded_matcher`.
    """
    probs = np.exp(posteriors.log_probs.max(axis=1).astype(np.float64))
    best = posteriors.log_probs.argmax(axis=1)
    blank_id = posteriors.phone_set.blank_id
    sound = best != blank_id
    sounds = max(int(((np.diff(best, prepend=blank_id) != 0) & sound).sum()), 1)
    heard = heard_phones(said)
    inserted = sum(len(extra.phones) for extra in reading.extras if extra.kind == "insertion")
    evidence = Evidence(
        surely=float(probs[sound].mean()) if sound.any() else 0.0,
        rate=sounds / len(best) * _FRAME_SHIFT_S / posteriors.frame_shift_s,
        heard=float(heard.mean()),
        price=reading.price / sounds,
        own=float(own.mean()),
        share=share,
        replaced=min(1.0 - share, inserted / phones),
        beside=inserted / len(own),
    )
    return matcher.judge(Match(heard=heard, speech=0.0, text=0.0, evidence=evidence))


def _probability(weights: Sequence[float], inputs: Sequence[float]) -> float:
    """A logistic regression."""
    return float(logistic(weights[0] + np.dot(weights[1:], inputs)))


def heard_phones(said: Alternatives) -> NDArray[np.bool_]:
    """Which phones the acoustic model found anywhere in the recording, shape (L,); of a chain, all of its labels."""
    text = said.lattice
    own = text.label_occupancies() * np.exp(text.log_probs[:, text.labels])
    return np.asarray(np.minimum.reduceat(own.max(axis=0), said.bounds[:-1]) >= HEARD_PROBABILITY)
