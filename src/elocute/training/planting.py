"""Planted errors: the recording stays, its text is changed, so that a phone is wrong for sure and in a known place.

A scorer trained only on people's scores learns that a good speaker's phones are good, whatever the lattice says of
one of them. Changing canonical phones of good recordings gives examples of the opposite at no cost.
Source: Lee and Glass's idea as P2P in Zhang et al., arXiv 2207.00774: perturb the phones, keep the audio.
Deviates: replacements are drawn so that what was said is a plausible error for the new canonical phone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.phones import PHONES

SAID_INSTEAD: dict[str, str] = {
    "AA": "AH AO AE", "AE": "EH AH AA", "AH": "AA AE UH", "AO": "OW AA AH", "AW": "AA AO OW", "AY": "AE AA EY",
    "B": "P D V", "CH": "SH T JH", "D": "T DH N", "DH": "D Z L", "EH": "AE IH EY", "ER": "AH AO R", "EY": "EH IH AY",
    "F": "P V HH", "G": "K D NG", "HH": "F K SH", "IH": "IY EH AH", "IY": "IH EY EH", "JH": "CH D ZH", "K": "G T P",
    "L": "R N W", "M": "N B NG", "N": "L NG M", "NG": "N G M", "OW": "AO UH AA", "OY": "AO AY OW", "P": "B T F",
    "R": "L W ER", "S": "SH TH Z", "SH": "S CH ZH", "T": "D K TH", "TH": "S F T", "UH": "UW AH OW", "UW": "UH OW Y",
    "V": "W F B", "W": "V UW R", "Y": "IY JH L", "Z": "S DH ZH", "ZH": "SH Z JH",
}  # fmt: skip
"""Errors that learners of English commonly make at each phone: neighbours in voicing, place, manner or height."""

WRONG = 0.0
"""Score given to a planted error, on the corpus's scale of 0 to 2."""
GOOD_FROM = 1.8
"""Only phones that people scored this well are changed: only there it is known what was said."""


def plant_errors(utterance: ScoredUtterance, rng: np.random.Generator, share: float = 0.12) -> ScoredUtterance:
    """Change one well-said phone of the text, or, as often, about `share` of them; none where there is none.

    A single error in a sentence that is otherwise perfect is what a good speaker makes, and what people's scores teach
    least. Three quarters of the changes make what was said a plausible error, the others are any phone; one change in
    six adds a phone to the text that nobody said instead. Two changed phones never stand side by side.

    Returns: the utterance with another text; changed phones score 0, the others keep their scores.
    """
    places = [(w, p) for w, word in enumerate(utterance.words) for p in range(len(word.phones))]
    good = [i for i, score in enumerate(utterance.phone_accuracy) if score >= GOOD_FROM]
    wanted = 1 if rng.random() < 0.5 else max(1, round(share * len(good)))
    chosen: set[int] = set()
    for i in rng.permutation(good).astype(int).tolist():
        if len(chosen) < wanted and not {i - 1, i + 1} & chosen:
            chosen.add(i)
    words = list(utterance.words)
    # From the back, so that an added phone does not move the places before it.
    for i in sorted(chosen, reverse=True):
        w, p = places[i]
        words[w] = _changed(words[w], p, rng)
    return replace(utterance, words=tuple(words))


def _changed(word: ScoredWord, p: int, rng: np.random.Generator) -> ScoredWord:
    """The word with phone p replaced by one that was not said, or with such a phone added after it."""
    phones, scores = list(word.phones), list(word.phone_accuracy)
    if rng.random() < 1 / 6:
        neighbours = set(phones[p : p + 2])
        phones.insert(p + 1, str(rng.choice([phone for phone in PHONES if phone not in neighbours])))
        scores.insert(p + 1, WRONG)
    else:
        said = phones[p]
        confusable = [phone for phone, errors in SAID_INSTEAD.items() if said in errors.split()]
        others = [phone for phone in PHONES if phone != said]
        phones[p] = str(rng.choice(confusable if confusable and rng.random() < 0.75 else others))
        scores[p] = WRONG
    return replace(word, phones=tuple(phones), phone_accuracy=tuple(scores))


def insert_word(utterance: ScoredUtterance, other: ScoredUtterance, rng: np.random.Generator) -> ScoredUtterance:
    """Put a word of another utterance at a random place of the text; nobody said it, so its phones score 0."""
    word = other.words[int(rng.integers(len(other.words)))]
    place = int(rng.integers(len(utterance.words) + 1))
    unsaid = replace(word, phone_accuracy=(WRONG,) * len(word.phones), accuracy=0.0, total=0.0)
    return replace(utterance, words=(*utterance.words[:place], unsaid, *utterance.words[place:]))
