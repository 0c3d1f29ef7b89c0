"""Transcripts for speech whose slots are known, but not its words: the likeliest sentence of a grammar.

Every sentence that a grammar allows for the label of a recording is scored by the CTC probability of its phones. On
speech unlike its training data a CTC model says blank too often, so that the shortest sentence would always win;
therefore blank is made less likely, and every phone of a sentence earns a bonus (`Scoring`). Both were tuned on what
is known: how often the value of a slot in the label beats the other values that the grammar has for it.

`Found` says how clear the best sentence is, `Rule` when it is clear enough: it must lead over every other sentence of
its label, none of its slot values may fit much worse than another one, and greedy decoding, which knows nothing of
the sentence, must hear enough of it. Words that people added or left out, and wrong labels, fail there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from elocute.errors import ConfigError
from elocute.evaluation.metrics import edit_distance
from elocute.phones import phonemize
from elocute.training.grammar import Grammar, Slot, Template, fill, slots_of
from elocute.types import Float32, Float64, PhoneSet

_BATCH = 64

Labels = tuple[int, ...]
"""CTC labels of a word or of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """How sentences of different lengths are compared.

    Attributes:
        blank_nats: what blank loses in every frame before the row is normalised again.
        phone_nats: what every phone of a sentence earns.
    """

    blank_nats: float
    phone_nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a sentence is clear enough to train on.

    Attributes:
        margin_nats: least lead over the next sentence whose words differ in more than a for an.
        article_nats: least lead over the same sentence with a for an.
        slot_nats: least lead of every slot value over the next one of its type; below zero it may trail.
        greedy_per: most phone errors of greedy decoding against the sentence, as a share of its phones.
    """

    margin_nats: float = 4.0
    article_nats: float = 1.0
    slot_nats: float = -2.0
    greedy_per: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The likeliest sentence of a recording, and how clear it is.

    Attributes:
        text: the sentence.
        rival: the next best sentence whose words differ in more than a for an; None if the label leaves no other.
        margin: lead over `rival`, nats; infinite without one.
        article_margin: lead over the same sentence with a for an, nats; infinite if the grammar has none.
        slot_margins: by variable, lead of its value over the best other one in the same sentence, nats.
        greedy_per: phone errors of greedy decoding against the sentence, per phone of it.
    """

    text: str
    rival: str | None
    margin: float
    article_margin: float
    slot_margins: Mapping[str, float]
    greedy_per: float

    def refusal(self, rule: Rule) -> str | None:
        """The first bound of the rule that the sentence misses, by name; None if it is clear."""
        missed = {
            "slot_nats": min(self.slot_margins.values(), default=np.inf) < rule.slot_nats,
            "greedy_per": self.greedy_per > rule.greedy_per,
            "margin_nats": self.margin < rule.margin_nats,
            "article_nats": self.article_margin < rule.article_nats,
        }
        return next((name for name, is_missed in missed.items() if is_missed), None)


class Transcriber:
    """Finds sentences of one grammar in posteriors; remembers the phones of the words that it has met.

    Args:
        grammar: what can be said.
        phone_set: of the posteriors.
    """

    def __init__(self, grammar: Grammar, phone_set: PhoneSet) -> None:
        self.grammar = grammar
        self.phone_set = phone_set
        self._words: dict[str, Labels] = {}

    def find(self, log_probs: Float32 | Float64, intent: str, values: Mapping[str, str], scoring: Scoring) -> Found:
        """The likeliest sentence of a label in a recording.

        Args:
            log_probs: of the recording, shape (T, V).
            intent: of the label.
            values: slot values of the label by variable.
            scoring: how sentences are compared.

        Raises:
            ConfigError: the grammar has no sentence for this label, or a word of it has no certain pronunciation.
        """
        frames = less_blank(np.asarray(log_probs, dtype=np.float64), self.phone_set.blank_id, scoring.blank_nats)
        templates = {fill(t, values): t for t in self.grammar.matching(intent, values)}
        scores = dict(zip(templates, self._score(frames, list(templates), scoring).tolist(), strict=True))
        text = max(scores, key=lambda candidate: scores[candidate])
        rivals = {other: score for other, score in scores.items() if _plain(other) != _plain(text)}
        twins = [scores[other] for other in scores if other not in rivals and other != text]
        heard = greedy_labels(frames, self.phone_set.blank_id)
        labels = self.labels(text)
        return Found(
            text=text,
            rival=max(rivals, key=lambda other: rivals[other], default=None),
            margin=scores[text] - max(rivals.values(), default=-np.inf),
            article_margin=scores[text] - max(twins, default=-np.inf),
            slot_margins={
                slot.variable: self._slot_margin(frames, templates[text], slot, values, scoring)
                for slot in slots_of(templates[text])
            },
            greedy_per=edit_distance(heard, labels) / len(labels),
        )

    def labels(self, text: str) -> Labels:
        """CTC labels of a sentence, every word in its first listed pronunciation.

        Raises:
            ConfigError: the lexicon does not list a word of it.
        """
        return tuple(label for word in text.split() for label in self._word(word))

    def _word(self, word: str) -> Labels:
        if word not in self._words:
            canonical = phonemize(word)
            if any(part.source != "lexicon" for part in canonical):
                raise ConfigError(f"the grammar has the word {word!r}, which the lexicon does not list; add it there")
            phones = self.phone_set
            self._words[word] = tuple(
                label for phone in canonical.phones for label in phones.tokens[phones.id_of(phone.symbol)]
            )
        return self._words[word]

    def _score(self, frames: Float64, texts: Sequence[str], scoring: Scoring) -> Float64:
        """Comparable scores of sentences, nats, shape (len(texts),)."""
        spelled = [self.labels(text) for text in texts]
        lengths = np.array([len(labels) for labels in spelled])
        return sentence_log_probs(frames, spelled, self.phone_set.blank_id) + scoring.phone_nats * lengths

    def _slot_margin(
        self, frames: Float64, template: Template, slot: Slot, values: Mapping[str, str], scoring: Scoring
    ) -> float:
        """Lead of a slot's value over the best other one while the rest of the sentence stays, nats."""
        choices = self.grammar.slots[slot.type]
        texts = [fill(template, {**values, slot.variable: choice}) for choice in choices]
        scores = dict(zip(choices, self._score(frames, texts, scoring).tolist(), strict=True))
        own = scores.pop(values[slot.variable])
        return float(own - max(scores.values(), default=-np.inf))


def sentence_log_probs(frames: Float64, sentences: Sequence[Labels], blank_id: int) -> Float64:
    """Log P(labels | audio) of many sentences at once, nats; -inf where a sentence has more labels than fit.

    Args:
        frames: natural-log posteriors, shape (T, V).
        sentences: CTC labels of each.
        blank_id: column of the CTC blank.
    """
    tensor = torch.from_numpy(frames)[:, None]
    losses = []
    for start in range(0, len(sentences), _BATCH):
        batch = sentences[start : start + _BATCH]
        losses.append(
            torch.nn.functional.ctc_loss(
                tensor.expand(-1, len(batch), -1),
                torch.tensor([label for labels in batch for label in labels]),
                torch.full((len(batch),), len(frames)),
                torch.tensor([len(labels) for labels in batch]),
                blank=blank_id,
                reduction="none",
            )
        )
    return -torch.cat(losses).numpy()


def less_blank(frames: Float64, blank_id: int, nats: float) -> Float64:
    """Log posteriors in which blank has lost so many nats, rows normalised; shape (T, V) as `frames`."""
    tilted = frames.copy()
    tilted[:, blank_id] -= nats
    return np.asarray(tilted - np.logaddexp.reduce(tilted, axis=1, keepdims=True))


def greedy_labels(frames: Float64, blank_id: int) -> list[int]:
    """Labels of the likeliest path, repeats merged and blanks dropped."""
    best = frames.argmax(axis=1)
    starts = np.r_[True, best[1:] != best[:-1]]
    return [int(label) for label in best[starts] if label != blank_id]


def _plain(text: str) -> str:
    """A sentence without the difference of a and an."""
    return " ".join("a" if word == "an" else word for word in text.split())
