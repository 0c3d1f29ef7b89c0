"""Hard cases, planned: which utterances, and everything about their cases that is drawn before anything is heard.

Every draw has a generator of its own, seeded by the run's seed, the utterance and the case, so that a case is the same
whichever others are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from elocute.corpora.spoken import SpokenCorpus, SpokenUtterance
from elocute.errors import ConfigError, ElocuteError
from elocute.evaluation.metrics import edit_distance
from elocute.phones import phonemize, split_stress

MIN_WORDS = 4
"""Shorter sentences cannot be cut at 25, 50 and 75 %."""
FAR = (2 / 3, 1.0)
"""Phone distance of a swapped word: the two share no more than a third of their phones."""
NEAR = (0.45, 0.7)
"""Phone distance of a near one; below it lie words that a learner's accent alone would turn into each other."""
SHORT = (0.2, 0.5)
"""Length of a short text, as a share of the words that were said."""
_NEIGHBOURS = 25
"""A wrong text is drawn from so many of the most similar length."""
_SHARED_WORDS = 0.25

Phones = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedText:
    """A text of which one word was not said.

    Attributes:
        text: the whole of it.
        index: which word was not said, counted from 0.
        word: that word.
        instead_of: what was said in its place; None for nothing.
    """

    text: str
    index: int
    word: str
    instead_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherText:
    """Another utterance: its id, text and, where the corpus has them, canonical phones."""

    id: str
    text: str
    phones: tuple[Phones, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is drawn for one utterance; None for what the corpus has no candidate for.

    Attributes:
        id: of the utterance.
        text: its text, word by word: normalised, without punctuation.
        words: of that text.
        phones: the corpus's own canonical phones, for the true text only.
        wrong_text: that of another utterance.
        short_text: the beginning of that of another one, `SHORT` times as many words as were said, two at least.
        swapped: a word replaced by one that sounds different.
        swapped_near: a word replaced by one that sounds similar.
        added: with a word more.
        other: another utterance, by the same speaker where there is one, with other words.
        clips: names of the noise clips that take the recording's place.
        noise: name of the clip that is mixed in.
        noise_start: where in that clip to begin, a share of it.
    """

    id: str
    text: str
    words: tuple[str, ...]
    phones: tuple[Phones, ...] | None
    wrong_text: str | None
    short_text: str | None
    swapped: ChangedText | None
    swapped_near: ChangedText | None
    added: ChangedText | None
    other: OtherText | None
    clips: tuple[str, ...]
    noise: str | None
    noise_start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The plans of a run, and why utterances that were drawn could not be used (reason, count)."""

    plans: tuple[Plan, ...]
    speakers: tuple[str, ...]
    left_out: dict[str, int]


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator for one draw, the same for the same names."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode("utf-8")) for name in names)])


def make_plans(corpus: SpokenCorpus, clips: Sequence[str], *, limit: int, seed: int) -> Selection:
    """Draw utterances evenly over speakers, and all that their cases need.

    Args:
        corpus: recordings with texts; every one is a candidate for texts and words of others.
        clips: names of noise clips; each takes a recording's place at least once.
        limit: how many utterances.
        seed: of everything drawn.

    Raises:
        ConfigError: the corpus has no utterance that can be used.
    """
    left_out: dict[str, int] = {}
    chosen: list[tuple[SpokenUtterance, tuple[str, ...]]] = []
    for utterance in _evenly(corpus.utterances, seed):
        if len(chosen) == limit:
            break
        words = usable_words(utterance)
        if isinstance(words, tuple):
            chosen.append((utterance, words))
        else:
            left_out[words] = left_out.get(words, 0) + 1
    if not chosen:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in left_out.items())
        raise ConfigError(f"none of the {len(corpus.utterances)} utterances of {corpus.name} can be used ({reasons})")
    pool = _Pool.of(corpus)
    share = np.array_split(np.asarray(clips, dtype=object), len(chosen))
    plans = []
    for number, (utterance, words) in enumerate(chosen):
        mine = tuple(share[number]) or tuple(clips[number % len(clips) :][:1] if clips else ())
        plans.append(_plan(utterance, words, pool, mine, clips, seed))
    return Selection(
        plans=tuple(plans),
        speakers=tuple(utterance.speaker or utterance.id for utterance, _ in chosen),
        left_out=left_out,
    )


def usable_words(utterance: SpokenUtterance) -> tuple[str, ...] | str:
    """The words of an utterance's text as they are spoken, or why it cannot be used.

    A text is usable if it reads the same when its spoken words are written one by one: only then can words be
    exchanged and found again by their index.
    """
    try:
        said = phonemize(utterance.text, pronunciations=utterance.phones)
        words = tuple(word.spoken for word in said)
        again = phonemize(" ".join(words), pronunciations=utterance.phones)
    except ElocuteError as error:
        return f"text that cannot be read ({type(error).__name__})"
    if tuple(word.spoken for word in again) != words or any(" " in word for word in words):
        return "numbers or signs that do not read word by word"
    return words if len(words) >= MIN_WORDS else f"fewer than {MIN_WORDS} words"


def _evenly(utterances: Sequence[SpokenUtterance], seed: int) -> Iterator[SpokenUtterance]:
    """All utterances in random order, one of each speaker in every round."""
    rng = generator(seed, "utterances")
    by_speaker: dict[str, list[SpokenUtterance]] = {}
    for utterance in utterances:
        by_speaker.setdefault(utterance.speaker or utterance.id, []).append(utterance)
    queues = [[items[k] for k in rng.permutation(len(items))] for _, items in sorted(by_speaker.items())]
    while queues:
        for k in rng.permutation(len(queues)):
            yield queues[k].pop()
        queues = [queue for queue in queues if queue]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pool:
    """The corpus as a source of other texts and words.

    Attributes:
        utterances: all of them.
        bags: the words of each, lower case.
        letters: length of each text.
        vocabulary: every word that is read as one word, sorted.
    """

    utterances: tuple[SpokenUtterance, ...]
    bags: tuple[frozenset[str], ...]
    letters: np.ndarray
    vocabulary: tuple[str, ...]

    @classmethod
    def of(cls, corpus: SpokenCorpus) -> _Pool:
        """Collect texts and words."""
        bags = tuple(frozenset(_plain_words(utterance.text)) for utterance in corpus.utterances)
        return cls(
            utterances=corpus.utterances,
            bags=bags,
            letters=np.array([len(utterance.text) for utterance in corpus.utterances]),
            vocabulary=tuple(sorted(frozenset[str]().union(*bags))),
        )

    def others(self, utterance: SpokenUtterance, words: Sequence[str]) -> list[int]:
        """Utterances that share few words with this one."""
        own = frozenset(words)
        return [
            k
            for k, (other, bag) in enumerate(zip(self.utterances, self.bags, strict=True))
            if other.id != utterance.id and bag and len(own & bag) <= _SHARED_WORDS * min(len(own), len(bag))
        ]


def _plain_words(text: str) -> list[str]:
    """Words of letters and apostrophes in a text, lower case."""
    parts = (part.strip(".,;:!?\"'()-").lower() for part in text.split())
    return [part for part in parts if part and part.isascii() and part.replace("'", "").isalpha()]


def _plan(
    utterance: SpokenUtterance,
    words: tuple[str, ...],
    pool: _Pool,
    clips: tuple[str, ...],
    all_clips: Sequence[str],
    seed: int,
) -> Plan:
    """Everything drawn for one utterance."""

    def draw(case: str) -> np.random.Generator:
        return generator(seed, utterance.id, case)

    others = pool.others(utterance, words)
    nearest = sorted(others, key=lambda k: (abs(int(pool.letters[k]) - len(utterance.text)), k))[:_NEIGHBOURS]
    wrong = pool.utterances[int(draw("wrong-text").choice(nearest))].text if nearest else None
    same = [k for k in others if utterance.speaker is not None and pool.utterances[k].speaker == utterance.speaker]
    candidates = same or others
    other = pool.utterances[int(draw("other").choice(candidates))] if candidates else None
    return Plan(
        id=utterance.id,
        text=" ".join(words),
        words=words,
        phones=utterance.phones,
        wrong_text=wrong,
        short_text=_short(pool, others, len(words), draw("short-text")),
        swapped=_swapped(words, utterance.phones, pool.vocabulary, FAR, draw("swapped-word")),
        swapped_near=_swapped(words, utterance.phones, pool.vocabulary, NEAR, draw("swapped-word-near")),
        added=_added(words, pool.vocabulary, draw("added-word")),
        other=None if other is None else OtherText(id=other.id, text=other.text, phones=other.phones),
        clips=clips,
        noise=str(draw("noise").choice(np.asarray(all_clips))) if all_clips else None,
        noise_start=round(float(draw("noise-start").uniform()), 6),
    )


def _short(pool: _Pool, others: Sequence[int], words: int, rng: np.random.Generator) -> str | None:
    """The first words of another utterance's text, many fewer than were said."""
    count = max(2, round(float(rng.uniform(*SHORT)) * words))
    texts = [_plain_words(pool.utterances[k].text) for k in others]
    candidates = [text[:count] for text in texts if len(text) >= count]
    return " ".join(candidates[int(rng.integers(len(candidates)))]) if candidates else None


def _swapped(
    words: tuple[str, ...],
    phones: tuple[Phones, ...] | None,
    vocabulary: Sequence[str],
    distance: tuple[float, float],
    rng: np.random.Generator,
) -> ChangedText | None:
    """The text with one word exchanged for another of the corpus, at a phone distance in a range; both ends count."""
    for index in rng.permutation(len(words)).tolist():
        said = {*pronunciations(words[index])} | ({phones[index]} if phones is not None else set())
        if min(map(len, said), default=0) < 2:
            continue
        for k in rng.permutation(len(vocabulary)).tolist():
            heard = pronunciations(vocabulary[k])
            if vocabulary[k] in words or min(map(len, heard), default=0) < 2:
                continue
            if distance[0] - 1e-9 <= phone_distance(said, heard) <= distance[1] + 1e-9:
                text = " ".join((*words[:index], vocabulary[k], *words[index + 1 :]))
                return ChangedText(text=text, index=index, word=vocabulary[k], instead_of=words[index])
    return None


def _added(words: tuple[str, ...], vocabulary: Sequence[str], rng: np.random.Generator) -> ChangedText | None:
    """The text with a word more, unlike its neighbours, somewhere inside."""
    index = int(rng.integers(1, len(words)))
    around = {*pronunciations(words[index - 1]), *pronunciations(words[index])}
    for k in rng.permutation(len(vocabulary)).tolist():
        new = pronunciations(vocabulary[k])
        if vocabulary[k] in words or min(map(len, new), default=0) < 2 or phone_distance(around, new) < FAR[0]:
            continue
        text = " ".join((*words[:index], vocabulary[k], *words[index:]))
        return ChangedText(text=text, index=index, word=vocabulary[k], instead_of=None)
    return None


@lru_cache(maxsize=20_000)
def pronunciations(word: str) -> frozenset[Phones]:
    """Every accepted pronunciation of one word, without stress; none where it is not read as one word."""
    try:
        said = phonemize(word).words
    except ElocuteError:
        return frozenset()  # letters that English does not have: no candidate
    if len(said) != 1 or said[0].spoken != word:
        return frozenset()
    return frozenset(tuple(split_stress(phone)[0] for phone in variant.phones) for variant in said[0].variants)


def phone_distance(left: set[Phones] | frozenset[Phones], right: set[Phones] | frozenset[Phones]) -> float:
    """Least edit distance between two words over all their pronunciations, as a share of the longer one's phones.

    >>> phone_distance({("K", "AE", "T")}, {("K", "AA", "T"), ("B", "AE", "D")})
    0.3333333333333333
    """
    return min(edit_distance(a, b) / max(len(a), len(b)) for a in left for b in right)
