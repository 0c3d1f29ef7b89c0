"""Definitions written out: slow, obvious, and independent of the package (nothing of it is imported here).

The product of all paths is enumerated, so keep T and V tiny; `ctc_forward` is the text-book recursion for larger cases.
Sequences are tuples of label ids; results are natural logs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

NEG_INF = -math.inf
Rows = Sequence[Sequence[float]]
Labels = tuple[int, ...]


def log_sum(terms: Iterable[float]) -> float:
    """log(sum(exp(term)))."""
    kept = [term for term in terms if term > NEG_INF]
    if not kept:
        return NEG_INF
    top = max(kept)
    return top + math.log(math.fsum(math.exp(term - top) for term in kept))


def collapse(path: Sequence[int], blank_id: int) -> Labels:
    """Merge equal neighbours, then drop blanks: the definition of CTC."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank_id)


def all_paths(log_probs: Rows) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every path of V^T with its log probability."""
    V = len(log_probs[0]) if len(log_probs) else 0
    for path in itertools.product(range(V), repeat=len(log_probs)):
        yield path, sum(row[symbol] for row, symbol in zip(log_probs, path, strict=True))


def sequence_log_probs(log_probs: Rows, blank_id: int) -> dict[Labels, float]:
    """Log probability of every label sequence that the frames can spell."""
    terms: dict[Labels, list[float]] = {}
    for path, score in all_paths(log_probs):
        terms.setdefault(collapse(path, blank_id), []).append(score)
    return {labels: log_sum(scores) for labels, scores in terms.items()}


def best_path_log_prob(log_probs: Rows, labels: Labels, blank_id: int) -> float:
    """Log probability of the best single path that spells `labels`."""
    return max((s for path, s in all_paths(log_probs) if collapse(path, blank_id) == labels), default=NEG_INF)


def owners(path: Sequence[int], blank_id: int) -> list[int]:
    """For each frame the index of the label that it belongs to, -1 for blank."""
    positions, current, previous = [], -1, blank_id
    for symbol in path:
        current += symbol not in (blank_id, previous)
        positions.append(-1 if symbol == blank_id else current)
        previous = symbol
    return positions


def expected_durations(log_probs: Rows, labels: Labels, blank_id: int) -> list[float]:
    """Expected frames per label, over all paths that spell `labels`."""
    spelling = [(path, score) for path, score in all_paths(log_probs) if collapse(path, blank_id) == labels]
    total = log_sum(score for _, score in spelling)
    return [
        math.fsum(owners(path, blank_id).count(i) * math.exp(score - total) for path, score in spelling)
        for i in range(len(labels))
    ]


def entry_log_prob(log_probs: Rows, labels: Labels, blank_id: int, frame: int) -> float:
    """Log mass of the first `frame` + 1 frames that spell `labels` and begin the last of them at `frame`."""

    def enters(path: Sequence[int]) -> bool:
        fresh = len(path) == 1 or path[-1] != path[-2]
        return path[-1] != blank_id and fresh and collapse(path, blank_id) == labels

    return log_sum(score for path, score in all_paths(log_probs[: frame + 1]) if enters(path))


def any_string_log_prob(log_probs: Rows, before: Labels, after: Labels, blank_id: int) -> float:
    """Log probability of `before`, then any string of labels, then `after`."""
    shortest = len(before) + len(after)

    def fits(said: Labels) -> bool:
        return len(said) >= shortest and said[: len(before)] == before and said[len(said) - len(after) :] == after

    return log_sum(score for path, score in all_paths(log_probs) if fits(collapse(path, blank_id)))


def ctc_forward(log_probs: Rows, labels: Sequence[int], blank_id: int) -> float:
    """Log P(labels): prefix by prefix, where a state is (labels said so far, last symbol)."""
    masses: dict[tuple[int, int], float] = {(0, blank_id): 0.0}
    for row in log_probs:
        arrivals: dict[tuple[int, int], list[float]] = {}
        for (said, last), mass in masses.items():
            arrivals.setdefault((said, blank_id), []).append(mass + row[blank_id])
            if last != blank_id:
                arrivals.setdefault((said, last), []).append(mass + row[last])
            if said < len(labels) and labels[said] != last:
                following = labels[said]
                arrivals.setdefault((said + 1, following), []).append(mass + row[following])
        masses = {state: log_sum(terms) for state, terms in arrivals.items()}
    return log_sum(mass for (said, _), mass in masses.items() if said == len(labels))
