"""Step 5/10 - which of its accepted pronunciations each word was said with, by the lattice.

All accepted forms of all words make one graph: from the start or from the forms of the word before, through the CTC
states of a form, to the forms of the word behind. A walk through it spells the text in one of its accepted ways; the
best walk tells the form of every word. Its cost grows with the number of forms, not with that of their combinations,
and what one word does to the next ("did you") is decided for both at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from elocute.phones.pronounce import with_pronunciation
from elocute.phones.variants import unstressed
from elocute.types import Canonical, Float64, Int64, PhoneSet, Posteriors, Variant, Word

VARIANT_NATS = 2.0
"""A variant replaces the dictionary form only when it explains the recording better by this much."""

_FRAMES_KEPT = 512
"""Scores of so many frames are kept at a time; those before are computed again on the way back."""


def best_variants(posteriors: Posteriors, canonical: Canonical) -> Canonical:
    """Replace each word's pronunciation by the accepted variant that the recording fits best.

    Maximised is the log probability of the best path, less `VARIANT_NATS` for each word that is not said in its
    dictionary form. Where the recording is too short for any accepted form, the text stays as it is.
    """
    forms = [distinct_forms(word) for word in canonical.words]
    if all(len(variants) == 1 for variants in forms):
        return canonical
    choice = _best_walk(posteriors, _Graph.of(forms, posteriors.phone_set))
    words = tuple(
        with_pronunciation(word, variants[best]) if best else word
        for word, variants, best in zip(canonical.words, forms, choice, strict=True)
    )
    return replace(canonical, words=words)


def distinct_forms(word: Word) -> list[Variant]:
    """The canonical form, then each variant that differs from those before by more than stress."""
    distinct: dict[tuple[object, ...], Variant] = {}
    for variant in word.variants:
        phones = unstressed(variant.phones)
        if (phones, None, None) not in distinct:  # a form that goes with all neighbours makes limited ones needless
            distinct.setdefault((phones, variant.before, variant.after), variant)
    return list(distinct.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Graph:
    """All accepted forms of a text as one chain of states: a blank, then label, blank, label, blank, ... of each form.

    The last state, N-1, is never reached; it counts as one more form that nothing enters.

    Attributes:
        columns: shape (N,), column of the posteriors that each state emits.
        owners: shape (N, 2), word and form of each state; -1 for the first and the last.
        jumps: shape (N,), 0 where a state may be entered from the last but one, over a blank, else -inf. All but those
            in `firsts` may be entered from the state before them.
        firsts: shape (F,), first state of each form.
        entries: shape (F, P), states from which a form is entered from outside, padded with N-1.
        costs: shape (F,), nats for entering it, negative or 0.
        last: states in which a walk may end.
    """

    columns: Int64
    owners: Int64
    jumps: Float64
    firsts: Int64
    entries: Int64
    costs: Float64
    last: Int64

    @classmethod
    def of(cls, forms: Sequence[Sequence[Variant]], phone_set: PhoneSet) -> _Graph:
        """The graph of the accepted forms of each word."""
        tokens = dict(zip(phone_set.symbols, phone_set.tokens, strict=True))
        columns, owners = [phone_set.blank_id], [(-1, -1)]
        firsts, entries, costs = [], [], []
        before: list[tuple[Variant, int]] = []  # forms of the word before, and the last label's state of each
        for index, variants in enumerate(forms):
            here = []
            for number, variant in enumerate(variants):
                labels = [label for phone in unstressed(variant.phones) for label in tokens[phone]]
                firsts.append(len(columns))
                costs.append(0.0 if variant.kind is None else -VARIANT_NATS)
                if index:
                    joined = [state for other, state in before if go_together(other, variant)]
                    jumped = [state for state in joined if columns[state] != labels[0]]
                    entries.append([*(state + 1 for state in joined), *jumped])
                else:
                    entries.append([0] if variant.after is None else [])
                for label in labels:
                    columns += [label, phone_set.blank_id]
                    owners += [(index, number)] * 2
                here.append((variant, len(columns) - 2))
            before = here
        ends = [state for variant, state in before if variant.before is None]
        unreached = len(columns)
        firsts.append(unreached)
        entries.append([])
        costs.append(0.0)
        width = max(map(len, entries))
        states = np.array([*columns, phone_set.blank_id])
        starts = np.isin(np.arange(len(states)), firsts)
        same = np.append([True, True], states[2:] == states[:-2])
        return cls(
            columns=states,
            owners=np.array([*owners, (-1, -1)]),
            jumps=np.where(starts | same, -np.inf, 0.0),
            firsts=np.array(firsts),
            entries=np.array([[*entry, *[unreached] * (width - len(entry))] for entry in entries]),
            costs=np.array(costs),
            last=np.array([*ends, *(state + 1 for state in ends)]),
        )

    def start(self, emissions: Float64) -> Float64:
        """Scores of the states at the first frame, shape (N,)."""
        scores = np.full(len(self.columns), -np.inf)
        scores[0] = 0.0
        at_start = self.firsts[self.entries[:, 0] == 0]
        scores[at_start] = self.costs[self.entries[:, 0] == 0]
        return scores + emissions

    def advance(self, scores: Float64, emissions: Float64) -> Float64:
        """Scores after each further frame, shape (T, N), from those before the first of them and what states emit."""
        out = np.empty_like(emissions)
        jumps = self.jumps[2:]
        by_jump = np.empty_like(jumps)
        for now, emission in zip(out, emissions, strict=True):
            now[0] = scores[0]
            np.maximum(scores[1:], scores[:-1], out=now[1:])
            np.add(scores[:-2], jumps, out=by_jump)
            np.maximum(now[2:], by_jump, out=now[2:])
            entered = scores[self.entries].max(axis=1) + self.costs
            now[self.firsts] = np.maximum(scores[self.firsts], entered)
            now += emission
            scores = now
        return out

    def step_back(self, state: int, scores: Float64) -> int:
        """The state one frame earlier on the best walk to `state`, from the scores of that frame."""
        outside = np.flatnonzero(self.firsts == state)
        if len(outside):
            cost = self.costs[outside[0]]
            came = [(float(scores[entry] + cost), int(entry)) for entry in self.entries[outside[0]]]
        else:
            came = [(float(scores[state - 1]), state - 1)] if state else []
            if state > 1 and self.jumps[state] == 0.0:
                came.append((float(scores[state - 2]), state - 2))
        return max([(float(scores[state]), state), *came], key=lambda one: one[0])[1]


def go_together(left: Variant, right: Variant) -> bool:
    """Whether two forms may stand side by side."""
    first, last = unstressed(right.phones[:1])[0], unstressed(left.phones[-1:])[0]
    return (left.before is None or first in left.before) and (right.after is None or last in right.after)


def _best_walk(posteriors: Posteriors, graph: _Graph) -> NDArray[np.int64]:
    """Which form of each word the best walk goes through, shape (W,); the first of each where there is no walk."""
    chosen = np.zeros(int(graph.owners[:, 0].max()) + 1, dtype=np.int64)
    T = len(posteriors.log_probs)
    if not T:
        return chosen

    def emissions(start: int) -> Float64:
        return posteriors.log_probs[start : start + _FRAMES_KEPT, graph.columns].astype(np.float64)

    # Of each stretch of frames the scores before it are kept; the scores inside, of the last stretch only.
    scores = graph.start(posteriors.log_probs[0, graph.columns].astype(np.float64))
    before: list[Float64] = []
    inside = np.empty((0, len(scores)))
    for start in range(1, T, _FRAMES_KEPT):
        before.append(scores)
        inside = graph.advance(scores, emissions(start))
        scores = inside[-1]
    state = int(graph.last[scores[graph.last].argmax()])
    if scores[state] == -np.inf:
        return chosen
    visited = {state}
    for number in reversed(range(len(before))):
        if number < len(before) - 1:
            inside = graph.advance(before[number], emissions(1 + number * _FRAMES_KEPT))
        for earlier in reversed([before[number], *inside[:-1]]):
            state = graph.step_back(state, earlier)
            visited.add(state)
    for word, form in graph.owners[sorted(visited - {0})]:
        chosen[word] = form
    return chosen
