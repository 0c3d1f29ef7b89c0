"""Words of the G2P model: which are trained on, which are held out, and how guesses are scored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elocute.evaluation import edit_distance
from elocute.phones.inventory import split_stress
from elocute.phones.lexicon import Lexicon, Pronunciation

MAX_LETTERS = 24
"""Longer words of the lexicon are left out of training and test; 12 of 126,000 are."""
_WORD = re.compile(r"[a-z](?:[a-z']*[a-z])?")
_SUFFIXES = ("'s", "ing", "ers", "est", "ness", "ment", "able", "ies", "es", "ed", "er", "ly", "s", "y", "e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Words with their pronunciations; no two parts share a stem."""

    train: Mapping[str, tuple[Pronunciation, ...]]
    dev: Mapping[str, tuple[Pronunciation, ...]]
    test: Mapping[str, tuple[Pronunciation, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class G2PScore:
    """How well a G2P engine did on a list of words; shares from 0 to 1, best match over the listed pronunciations.

    Attributes:
        words: number of words.
        per: phone errors divided by phones of the best matching pronunciation, stress ignored.
        wer: share of words with any wrong phone, stress ignored.
        per_stress: as `per`, where a vowel with another stress digit is an error.
        wer_stress: as `wer`, stress digits compared too.
    """

    words: int
    per: float
    wer: float
    per_stress: float
    wer_stress: float


def stem(word: str) -> str:
    """A rough stem, so that the forms of a headword fall into one part of the split.

    >>> {stem(w) for w in ("walk", "walks", "walked", "walking", "walker's")}
    {'walk'}
    """
    found = True
    while found:
        found = False
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 3:
                word, found = word[: -len(suffix)], True
                break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("i") else word


def split_lexicon(path: Path) -> Split:
    """Split a packed lexicon by the hash of each word's stem: 5 % test, 2 % dev, the rest train.

    Only words of letters and inner apostrophes, 2 to MAX_LETTERS long, take part.
    """
    lexicon = Lexicon(path.read_bytes())
    parts: dict[str, dict[str, tuple[Pronunciation, ...]]] = {"train": {}, "dev": {}, "test": {}}
    for word in lexicon.words():
        if not 2 <= len(word) <= MAX_LETTERS or not _WORD.fullmatch(word):
            continue
        bucket = int.from_bytes(hashlib.sha256(stem(word).encode()).digest()[:4], "big") % 100
        parts["test" if bucket < 5 else "dev" if bucket < 7 else "train"][word] = lexicon.get(word)
    return Split(train=parts["train"], dev=parts["dev"], test=parts["test"])


def _bare(phones: Sequence[str]) -> tuple[str, ...]:
    return tuple(split_stress(phone)[0] for phone in phones)


def _errors(
    guess: Sequence[str], references: Iterable[Sequence[str]], view: Callable[[Sequence[str]], Sequence[str]]
) -> tuple[int, int]:
    """Phone errors against the closest reference, and that reference's length."""
    scored = [(edit_distance(view(guess), view(reference)), len(reference)) for reference in references]
    return min(scored, key=lambda pair: pair[0] / pair[1])


def score(guesses: Mapping[str, Sequence[str]], references: Mapping[str, Sequence[Pronunciation]]) -> G2PScore:
    """Score guessed pronunciations of the words of `references`; every word needs a guess (an empty one is wrong)."""
    bare = [_errors(guesses[word], references[word], _bare) for word in references]
    full = [_errors(guesses[word], references[word], tuple) for word in references]
    words = len(references)
    return G2PScore(
        words=words,
        per=sum(e for e, _ in bare) / sum(n for _, n in bare),
        wer=sum(e > 0 for e, _ in bare) / words,
        per_stress=sum(e for e, _ in full) / sum(n for _, n in full),
        wer_stress=sum(e > 0 for e, _ in full) / words,
    )
