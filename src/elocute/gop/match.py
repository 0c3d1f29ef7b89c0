"""Step 5/10 - was it speech, and was it this text?

Two questions, each answered by a logistic regression of few numbers. Speech: noises make the acoustic model hear few
phones, and none surely. This text: with a strange text the best reading is dear for each phone that was heard, the edit
lattice doubts the phones that it takes for said, and words are missing where other speech is. Fitted on right texts
(whole, cut short, with noise), texts of other utterances, reversed speech, noises and tones, heard by acoustic models
that did not train on the speakers (docs/experiments.md, section 18).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elocute.ctc import Lattice, logistic
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
SURE_TEXT = 0.35
"""Probability of the text from which the total stands as it is; below it the total falls in proportion.

Strict about noise, lenient about texts: among learners a low one means a heavy accent more often than another text.
"""

_SPEECH = (3.028, 30.197, 8.449, 3.394)
"""Bias, and weights of how surely phones are heard, of their log rate, of the share of the text's phones heard."""
_TEXT = (6.182, -4.135, 12.727, -31.188, -8.121)
"""Bias, and weights of the log price of the reading, of the mean posterior of the canonical phones, of the share of the
text in place of which other speech is, and of the share of the words that was said."""
_PRICE_FLOOR = 0.2
_RATE_FLOOR = 0.005
_FRAME_SHIFT_S = 0.02
"""Of the model that the weights were fitted for; rates of others are brought to it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """How well a recording and a text go together.

    Attributes:
        heard: shape (L,), which phones of the words that were said the acoustic model found at all.
        speech: probability that the recording holds speech.
        text: probability that it is of this text.
        share: of the words of the text that was said.
    """

    heard: NDArray[np.bool_]
    speech: float
    text: float
    share: float

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
        certain = max(self.text - CERTAIN_TEXT, 0.0) / (1.0 - CERTAIN_TEXT) if self.share == 1.0 else 0.0
        return max(min(self.speech / SURE_SPEECH, 1.0) ** 2, certain) * min(self.text / SURE_TEXT, 1.0)


def match(posteriors: Posteriors, said: Lattice, own: Float64, reading: Reading, phones: int, share: float) -> Match:
    """Compare a recording with a text.

    Args:
        posteriors: of the whole recording.
        said: lattice of the words that were said.
        own: shape (L,), posterior that each of their phones was said as it should be.
        reading: of the whole text.
        phones: of the whole text.
        share: of its words that was said.
    """
    probs = np.exp(posteriors.log_probs.max(axis=1).astype(np.float64))
    best = posteriors.log_probs.argmax(axis=1)
    blank_id = posteriors.phone_set.blank_id
    sound = best != blank_id
    sounds = max(int(((np.diff(best, prepend=blank_id) != 0) & sound).sum()), 1)
    surely = float(probs[sound].mean()) if sound.any() else 0.0
    rate = sounds / len(best) * _FRAME_SHIFT_S / posteriors.frame_shift_s
    heard = heard_phones(said)
    bias, *weights = _SPEECH
    speech = bias + np.dot(weights, [surely, np.log(rate + _RATE_FLOOR), heard.mean()])
    inserted = sum(len(extra.phones) for extra in reading.extras if extra.kind == "insertion")
    replaced = min(1.0 - share, inserted / phones)
    bias, *weights = _TEXT
    text = bias + np.dot(weights, [np.log(reading.price / sounds + _PRICE_FLOOR), own.mean(), replaced, share])
    return Match(heard=heard, speech=float(logistic(speech)), text=float(logistic(text)), share=share)


def heard_phones(text: Lattice) -> NDArray[np.bool_]:
    """Which phones of a lattice the acoustic model found anywhere in the recording, shape (L,)."""
    own = text.label_occupancies() * np.exp(text.log_probs[:, text.labels])
    return np.asarray(own.max(axis=0) >= HEARD_PROBABILITY)
