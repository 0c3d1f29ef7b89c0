"""Which sounds to practise next: Leitner's boxes over phones, counted in attempts.

Every phone that was ever wrong is a card. It starts in box 1; an attempt in which it was always right moves it one box
up, one in which it was wrong puts it back into box 1, and an unsure one leaves it where it is. A card of box b is due
2^(b-1) attempts after it was last said: a sound that keeps on being right comes back less and less often.

Source: S. Leitner, So lernt man lernen, Herder, 1972. Deviates: time is counted in attempts, not days, because reports
have no dates; intervals double, as in most programs since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from elocute.feedback.sentences import SENTENCES, all_sentences, phones_in

HIGHEST_BOX = 6
"""A card in it comes back after 32 attempts."""
_NOT_AGAIN = 5
"""A sentence is not offered again within so many attempts, as long as there are others."""
_MOST_PHONES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the phones of one attempt.

    Attributes:
        text: what was read.
        right: how often each phone was right.
        wrong: how often each was flagged.
        unsure: how often nothing could be said for sure.
    """

    text: str
    right: Mapping[str, int] = field(default_factory=dict)
    wrong: Mapping[str, int] = field(default_factory=dict)
    unsure: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One phone that was wrong at least once.

    Attributes:
        phone: ARPABET without stress.
        box: 1 to `HIGHEST_BOX`.
        last: number of the attempt in which it was last said, from 0.
        mistakes: how often it was wrong in all.
    """

    phone: str
    box: int
    last: int
    mistakes: int

    @property
    def due(self) -> int:
        """Number of the attempt from which it should come again."""
        return self.last + (1 << (self.box - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """What to practise next.

    Attributes:
        sentence: to read aloud.
        phones: what it is for, most urgent first; empty where nothing was wrong so far.
    """

    sentence: str
    phones: tuple[str, ...]


def cards(history: Sequence[Outcome]) -> tuple[Card, ...]:
    """The cards after all attempts, most urgent first: the longest overdue, then the lowest box, then most mistakes."""
    deck: dict[str, Card] = {}
    for number, attempt in enumerate(history):
        for phone in sorted({*attempt.right, *attempt.wrong, *attempt.unsure}):
            old, mistakes = deck.get(phone), attempt.wrong.get(phone, 0)
            if old is None and not mistakes:
                continue
            box = 1 if old is None or mistakes else old.box + (not attempt.unsure.get(phone, 0))
            before = 0 if old is None else old.mistakes
            deck[phone] = Card(phone=phone, box=min(box, HIGHEST_BOX), last=number, mistakes=before + mistakes)
    return tuple(sorted(deck.values(), key=lambda card: (card.due, card.box, -card.mistakes, card.phone)))


def next_practice(history: Sequence[Outcome]) -> Practice:
    """The next sentence, from what went wrong so far.

    Of the sentences that were not read lately the one that holds the due phones most densely; where none is due, the
    phone that is due first. Where nothing was wrong yet, the sentence with the most phones that were never said.
    """
    now = len(history)
    lately = {_key(attempt.text) for attempt in history[-_NOT_AGAIN:]}
    fresh = [sentence for sentence in all_sentences() if _key(sentence) not in lately]
    deck = cards(history)
    if not deck:
        said = {phone for attempt in history for phone in attempt.right}
        return Practice(sentence=max(fresh, key=lambda sentence: len(phones_in(sentence).keys() - said)), phones=())
    due = [card.phone for card in deck if card.due <= now][:_MOST_PHONES] or [deck[0].phone]
    first = due[0]
    weights = {phone: 1.0 / (1 + rank) for rank, phone in enumerate(due)}
    own = [sentence for sentence in SENTENCES[first] if sentence in fresh]
    others = [sentence for sentence in fresh if phones_in(sentence).get(first, 0)]
    choice = max(own or others or fresh, key=lambda sentence: _density(sentence, weights))
    return Practice(sentence=choice, phones=tuple(phone for phone in due if phones_in(choice).get(phone, 0)))


def _density(sentence: str, weights: Mapping[str, float]) -> float:
    """Share of a sentence's phones that are wanted, by weight."""
    found = phones_in(sentence)
    return sum(weights.get(phone, 0.0) * count for phone, count in found.items()) / sum(found.values())


def _key(text: str) -> str:
    """A text by its letters alone."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
