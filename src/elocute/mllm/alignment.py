"""What a language model wrote down, laid beside what should have been said: phones by how alike the mouth makes them.

Needleman and Wunsch (1970) over whole strings. A pair costs the articulatory distance of its phones, a gap on either
side costs `GAP`. The most distant pairs cost two gaps, and ties go to the pair: a sound in place of another is one
slip, not two. Costs are whole numbers (thousandths), so that ties are exact and the answer is the same everywhere.

Source: S. Needleman, C. Wunsch, J. Mol. Biol. 48 (1970); articulatory costs as in G. Kondrak's ALINE (NAACL 2000), with
the distances of `phones.articulation`. Deviates: a global alignment with linear gaps, no expansion of one to two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from elocute.phones import PHONES
from elocute.phones.articulation import distance

UNKNOWN = "<unk>"
"""What annotators, and so the model, write for a sound that nobody can name."""
GAP = 1000
"""Cost of a phone that the other side lacks, thousandths."""
UNKNOWN_COST = 1000
"""Cost of a sound that nobody can name in place of any phone: more than a near phone, less than two gaps."""

PairKind = Literal["match", "substitution", "deletion", "insertion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One step of an alignment.

    Attributes:
        canonical: index of the phone that should have been said; None for an insertion.
        heard: index of the phone that was heard; None for a deletion.
        kind: what it is.
    """

    canonical: int | None
    heard: int | None
    kind: PairKind


def pair_cost(canonical: str, heard: str) -> int:
    """Thousandths that it costs to hear one phone for another: 0 for the same, at most two gaps.

    >>> pair_cost("TH", "TH"), pair_cost("TH", "S") < pair_cost("TH", "M"), pair_cost("TH", "AA") == 2 * GAP
    (0, True, True)
    """
    return _pair_costs().get((canonical, heard), UNKNOWN_COST * (canonical != heard))


@cache
def _pair_costs() -> dict[tuple[str, str], int]:
    """Costs of all pairs of the 39 phones."""
    return {(a, b): min(round(1000 * distance(a, b)), 2 * GAP) for a in PHONES for b in PHONES}


def align_phones(canonical: Sequence[str], heard: Sequence[str]) -> tuple[Pair, ...]:
    """The cheapest alignment of two strings of phones.

    Of alignments that cost the same, the one with the fewest gaps; of those, the one that tracing back from the end
    finds when it prefers a pair to a deletion to an insertion.

    Args:
        canonical: what should have been said: ARPABET without stress.
        heard: what was heard; besides phones `<unk>`, or any symbol that is none of the 39.

    Cost: O(L H) time and memory.

    >>> [pair.kind for pair in align_phones(["TH", "IH", "NG", "K"], ["S", "IH", "NG", "K", "AH"])]
    ['substitution', 'match', 'match', 'match', 'insertion']
    """
    if list(canonical) == list(heard):  # nothing else is free
        return tuple(Pair(canonical=n, heard=n, kind="match") for n in range(len(canonical)))
    # The number of gaps, below any thousandth, breaks ties within the same sums.
    unit = len(canonical) + len(heard) + 1
    gap = GAP * unit + 1
    cost = [[gap * j for j in range(len(heard) + 1)]]
    for i, phone in enumerate(canonical, start=1):
        above, row = cost[-1], [gap * i]
        for j, said in enumerate(heard, start=1):
            row.append(min(above[j - 1] + pair_cost(phone, said) * unit, above[j] + gap, row[-1] + gap))
        cost.append(row)
    return tuple(_traced(canonical, heard, cost, unit))


def _traced(canonical: Sequence[str], heard: Sequence[str], cost: list[list[int]], unit: int) -> list[Pair]:
    """The way back through the table of costs, told from the beginning."""
    gap = GAP * unit + 1
    pairs: list[Pair] = []
    i, j = len(canonical), len(heard)
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + pair_cost(canonical[i - 1], heard[j - 1]) * unit:
            i, j = i - 1, j - 1
            kind: PairKind = "match" if canonical[i] == heard[j] else "substitution"
            pairs.append(Pair(canonical=i, heard=j, kind=kind))
        elif i and cost[i][j] == cost[i - 1][j] + gap:
            i -= 1
            pairs.append(Pair(canonical=i, heard=None, kind="deletion"))
        else:
            j -= 1
            pairs.append(Pair(canonical=None, heard=j, kind="insertion"))
    return pairs[::-1]


def heard_at(canonical: Sequence[str], heard: Sequence[str]) -> tuple[str | None, ...]:
    """What was heard at each canonical phone, None for nothing; what was added is left out."""
    return tuple(
        None if pair.heard is None else heard[pair.heard]
        for pair in align_phones(canonical, heard)
        if pair.canonical is not None
    )
