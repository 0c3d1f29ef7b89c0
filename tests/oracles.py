"""Definitions written out: slow, obvious, and independent of the package (nothing of it is imported here).

The product of all paths is enumerated, so keep T and V tiny; `ctc_forward` is the text-book recursion for larger cases.
Sequences are tuples of label ids; results are natural logs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One way of saying the canonical phones.

    Attributes:
        phones: what is said in all.
        probability: of the prior, up to the factor for adding nothing (more) in each gap.
        said: for each canonical phone what it is said as; None: not at all.
        added: for each added phone its gap and its index in `phones`.
    """

    phones: Labels
    probability: float
    said: tuple[int | None, ...]
    added: tuple[tuple[int, int], ...]


def all_edits(canonical: Labels, said: Rows, inserted: Sequence[float], longest: int) -> Iterator[Edit]:
    """Every way of adding, replacing and dropping phones that comes to at most `longest` of them.

    `said` (K, K+1): probability that canonical phone c is said as phone k, last column: not at all; `inserted` (K,):
    probability that phone k is added.
    """
    phones = range(len(inserted))

    def fill(gap: int, so_far: Edit) -> Iterator[Edit]:
        """Add any phones in `gap`, then deal with the phone behind it."""
        for number in range(longest - len(so_far.phones) + 1):
            for extra in itertools.product(phones, repeat=number):
                begin = len(so_far.phones)
                filled = Edit(
                    phones=so_far.phones + extra,
                    probability=so_far.probability * math.prod(inserted[k] for k in extra),
                    said=so_far.said,
                    added=so_far.added + tuple((gap, begin + i) for i in range(number)),
                )
                if gap == len(canonical):
                    yield filled
                else:
                    yield from say(gap, filled)

    def say(place: int, so_far: Edit) -> Iterator[Edit]:
        """Say the canonical phone of `place` as any phone, or drop it."""
        for k in (None, *phones):
            spoken = () if k is None else (k,)
            if len(so_far.phones) + len(spoken) <= longest:
                weight = said[canonical[place]][-1 if k is None else k]
                yield from fill(
                    place + 1,
                    Edit(
                        phones=so_far.phones + spoken,
                        probability=so_far.probability * weight,
                        said=(*so_far.said, k),
                        added=so_far.added,
                    ),
                )

    return fill(0, Edit(phones=(), probability=1.0, said=(), added=()))


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidSums:
    """Sums over all edits and all their paths; tables are keyed by (place, phone) or (gap, phone).

    Attributes:
        evidence: probability of the frames.
        said: its share in which the phone at a place is said as a phone; None: not at all.
        added: its share in which a phone is added in a gap, once for each time.
        begins: the same, each times the frame in which the added phone begins.
    """

    evidence: float
    said: Mapping[tuple[int, int | None], float]
    added: Mapping[tuple[int, int], float]
    begins: Mapping[tuple[int, int], float]


def said_sums(
    probs: Rows, canonical: Labels, said: Rows, inserted: Sequence[float], tokens: Sequence[Labels] | None = None
) -> SaidSums:
    """Every edit times every path of frames (T, V), column 0 the blank, that spells it.

    `tokens` are the labels that spell each phone; without it, phone k is label k + 1.
    """
    spelling = tokens or [(k + 1,) for k in range(len(inserted))]
    masses: dict[Labels, float] = {}
    moments: dict[Labels, list[float]] = {}
    for path in itertools.product(range(len(probs[0])), repeat=len(probs)):
        mass = math.prod(row[symbol] for row, symbol in zip(probs, path, strict=True))
        belongs = owners(path, 0)
        labels = collapse(path, 0)
        masses[labels] = masses.get(labels, 0.0) + mass
        sums = moments.setdefault(labels, [0.0] * len(labels))
        for i in range(len(labels)):
            sums[i] += mass * belongs.index(i)

    nothing_more = (1.0 - math.fsum(inserted)) ** (len(canonical) + 1)
    evidence: list[float] = []
    shares: dict[tuple[int, int | None], float] = {}
    added: dict[tuple[int, int], float] = {}
    begins: dict[tuple[int, int], float] = {}
    for edit in all_edits(canonical, said, inserted, len(probs)):
        weight = edit.probability * nothing_more
        labels = tuple(label for k in edit.phones for label in spelling[k])
        mass = weight * masses.get(labels, 0.0)
        if mass == 0.0:
            continue
        evidence.append(mass)
        for place, k in enumerate(edit.said):
            shares[place, k] = shares.get((place, k), 0.0) + mass
        for gap, i in edit.added:
            key = gap, edit.phones[i]
            added[key] = added.get(key, 0.0) + mass
            first = sum(len(spelling[k]) for k in edit.phones[:i])
            begins[key] = begins.get(key, 0.0) + weight * moments[labels][first]
    return SaidSums(evidence=math.fsum(evidence), said=shares, added=added, begins=begins)


def word_moves(
    w: int, borders: Sequence[int], dropped: Sequence[float], prices: Mapping[str, float]
) -> Iterator[tuple[int, int, float]]:
    """Moves from a gap to a gap of a text that leave one word, or stay in it: source, target, cost."""
    begin, end = borders[w], borders[w + 1]
    for gap in range(begin, end + 1):
        broken = prices["breaking_off"] if begin < gap < end else 0.0
        if gap < end:
            for target in range(gap + 1, end + 1):
                if target - gap < end - begin:  # phones of a word are dropped, but not all
                    yield gap, target, sum(dropped[gap:target])
            for target in range(w + 1, len(borders)):
                number = target - w - (gap > begin)  # of words left out: a word that was begun is none
                skipped = prices["skipped_word"] + (number - 1) * prices["next_skipped_word"] if number else 0.0
                yield gap, borders[target], broken + skipped
        if gap > begin:
            for target in range(w + 1):
                yield gap, borders[target], broken + prices["going_back"] + (w - target) * prices["further_back"]


def reading_moves(
    sizes: Sequence[int], dropped: Sequence[float], prices: Mapping[str, float]
) -> dict[tuple[int, int], float]:
    """What it costs to go from gap to gap of a text of words of these sizes; what is not there is impossible."""
    borders = list(itertools.accumulate(sizes, initial=0))
    costs = {(gap, gap): 0.0 for gap in range(borders[-1] + 1)}
    for w in range(len(sizes)):
        for source, target, cost in word_moves(w, borders, dropped, prices):
            costs[source, target] = min(cost, costs.get((source, target), math.inf))
    return costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Where a reader is: in a gap, at a phone (None: the blank), in the midst of speech added there or not.

    `spot` counts the phone's labels and the blanks between them, from 0.
    """

    gap: int
    label: int | None = None
    is_filler: bool = False
    spot: int = 0


def replacing(said: Rows, canonical: int, column: int) -> float:
    """Price of saying a phone as another, or not at all (-1), beside saying it as it should be."""
    odds = said[canonical][column] / said[canonical][canonical]
    return -math.log(odds) if odds > 0.0 else math.inf


def steps_inside(reader: Reader, tokens: Labels) -> Iterator[Reader]:
    """Where a reader in the midst of a phone of several labels can be one frame later."""
    yield reader
    yield replace(reader, spot=reader.spot + 1)
    label = reader.spot // 2
    if reader.spot % 2 == 0 and tokens[label] != tokens[label + 1]:
        yield replace(reader, spot=reader.spot + 2)


def is_inside(reader: Reader, spelling: Sequence[Labels]) -> bool:
    """Whether a reader has begun a phone and not come to its last label."""
    return reader.label is not None and reader.spot < 2 * len(spelling[reader.label]) - 2


def column_of(reader: Reader, spelling: Sequence[Labels]) -> int:
    """The column that is heard where a reader is."""
    return 0 if reader.label is None or reader.spot % 2 else spelling[reader.label][reader.spot // 2]


def openings(reader: Reader, spelling: Sequence[Labels]) -> list[int]:
    """Phones that a reader who is in no phone's midst may begin without a blank."""
    last = None if reader.label is None else spelling[reader.label][-1]
    return [k for k, labels in enumerate(spelling) if labels[0] != last]


def cheapest_end(best: Mapping[Reader, float], leaving: Mapping[int, float], spelling: Sequence[Labels]) -> float:
    """Cost of the reader who has come to the end for least, `leaving` each gap for it."""
    done = {reader: cost for reader, cost in best.items() if not is_inside(reader, spelling)}
    return min((cost + leaving.get(reader.gap, math.inf) for reader, cost in done.items()), default=math.inf)


def one_frame_later(
    best: Mapping[Reader, float],
    steps: Callable[[Reader], Iterator[tuple[Reader, float]]],
    heard: Callable[[Reader], float],
) -> dict[Reader, float]:
    """What it costs at least to be each reader one frame later; `heard`: log probability of where they then are."""
    arrivals: dict[Reader, float] = {}
    for reader, cost in best.items():
        for later, price in steps(reader):
            total = cost + price - heard(later)
            if total < arrivals.get(later, math.inf):
                arrivals[later] = total
    return arrivals


def best_reading_price(
    log_probs: Rows,
    words: Sequence[Labels],
    said: Rows,
    prices: Mapping[str, float],
    tokens: Sequence[Labels] | None = None,
) -> tuple[float, int]:
    """Price of the cheapest reading of the words, and how many readers were looked at, all frames together.

    Column 0 of the frames is the blank; `tokens` are the columns that spell each phone, without it column k + 1 phone
    k; `said` as in `all_edits`.
    """
    spelling = tokens or [(k + 1,) for k in range(len(said))]
    text = [phone for word in words for phone in word]
    borders = set(itertools.accumulate(map(len, words), initial=0))

    moves = reading_moves([len(word) for word in words], [replacing(said, c, -1) for c in text], prices)

    def steps(reader: Reader) -> Iterator[tuple[Reader, float]]:
        """Where the reader can be one frame later, and what it costs."""
        if is_inside(reader, spelling):
            yield from ((later, 0.0) for later in steps_inside(reader, spelling[reader.label or 0]))
            return
        yield Reader(gap=reader.gap, is_filler=reader.is_filler), 0.0
        if reader.label is not None:
            yield reader, 0.0
        for k in openings(reader, spelling):
            if reader.is_filler:
                further = prices["filler_phone" if reader.gap in borders else "added_phone"]
                yield Reader(gap=reader.gap, label=k, is_filler=True), further
            for target in range(len(text) + 1):
                moving = moves.get((reader.gap, target), math.inf)
                adding = prices["filler" if target in borders else "added_phone"]
                yield Reader(gap=target, label=k, is_filler=True), moving + adding
                if target < len(text):
                    yield Reader(gap=target + 1, label=k), moving + replacing(said, text[target], k)

    best = {Reader(gap=0): 0.0}
    looked_at = 0
    for row in log_probs:
        looked_at += len(best)
        best = one_frame_later(best, steps, lambda later, row=row: row[column_of(later, spelling)])
    leaving = {gap: cost for (gap, target), cost in moves.items() if target == len(text)}
    return math.fsum(map(max, log_probs)) + cheapest_end(best, leaving, spelling), looked_at
