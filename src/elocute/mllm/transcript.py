"""The phones that a language model wrote, with the probability that it gave each, and how well they fit a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.mllm.alignment import Pair
from elocute.mllm.answers import Answer
from elocute.mllm.generation import Generated
from elocute.mllm.prompts import DELIMITER
from elocute.types import Float64

LEAST_MATCHED = 0.4
"""Share of right phones below which a transcript is of another text. A phone recogniser's transcripts of 250 recordings
of speechocean762 reach .53 at the least, beside the texts of others .34 (99 %) and .44 at the most (2 of 998 pass)."""
LEAST_HEARD = 0.2
"""Share of the text's phones that must be right in all: less is nothing to judge a reading by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardPhones:
    """What the model heard, phone by phone.

    Attributes:
        symbols: ARPABET without stress; also `<unk>` and what is no phone of English.
        probabilities: that the model gave to each as it wrote it, given what it had written before.
        end: that it gave to ending there.
    """

    symbols: tuple[str, ...]
    probabilities: tuple[float, ...]
    end: float

    def beside(self, place: int) -> float:
        """Probability of what was written at a place: a phone, or the end behind the last."""
        return self.probabilities[place] if place < len(self.symbols) else self.end


def heard_phones(generated: Generated, answer: Answer) -> HeardPhones | None:
    """The phones of an answer; None where they could not be read.

    A phone is as probable as the tokens that it is spelt with together. One that is spelt in another way than it is
    written (an escape of JSON) counts as the least probable token of the answer.
    """
    if answer.phones is None or answer.phoneme_transcript is None:
        return None
    ends = np.cumsum([len(piece) for piece in generated.pieces])
    key = re.search(r"phoneme[_ ]transcript", generated.text, re.IGNORECASE)
    place = key.end() if key else 0
    found = []
    for written in answer.phoneme_transcript.replace(DELIMITER, " ").split():
        begin = generated.text.find(written, place)
        if begin >= 0:
            place = begin + len(written)
        found.append(_probability(generated.log_probs, ends, begin, place))
    return HeardPhones(
        symbols=answer.phones,
        probabilities=tuple(found),
        end=_probability(generated.log_probs, ends, place, place + 1) if place < len(generated.text) else 1.0,
    )


def _probability(log_probs: Float64, ends: Float64, begin: int, end: int) -> float:
    """Of the tokens that characters [begin, end) are in; of the worst token where `begin` is below 0."""
    if begin < 0:
        return float(np.exp(log_probs.min()))
    first, last = np.searchsorted(ends, begin, side="right"), np.searchsorted(ends, end, side="left")
    return float(np.exp(log_probs[first : last + 1].sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well a transcript fits a text.

    Attributes:
        spoken: words of the text of which anything was heard, in order.
        matched: share of right phones among those of these words and what was added.
        heard: share of right phones among all of the text.
    """

    spoken: tuple[int, ...]
    matched: float
    heard: float

    @property
    def is_this_text(self) -> bool:
        """Whether the text was read, as far as can be told."""
        return self.matched >= LEAST_MATCHED and self.heard >= LEAST_HEARD


def fit_of(pairs: Sequence[Pair], word_ids: Sequence[int]) -> Fit:
    """How well an alignment fits.

    Args:
        pairs: of the canonical phones with those heard.
        word_ids: word of each canonical phone.
    """
    spoken = {word_ids[p.canonical] for p in pairs if p.canonical is not None and p.heard is not None}
    looked_at = sum(pair.canonical is None or word_ids[pair.canonical] in spoken for pair in pairs)
    right = sum(pair.kind == "match" for pair in pairs)
    return Fit(
        spoken=tuple(sorted(spoken)),
        matched=right / looked_at if looked_at else 0.0,
        heard=right / len(word_ids) if word_ids else 0.0,
    )
