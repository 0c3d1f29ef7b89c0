"""Which accepted pronunciation of each word comes closest to the phones that a language model wrote.

Nobody is blamed for a weak form or a flap: all accepted forms of a text make one graph, and the cheapest alignment with
what was heard goes through one form of every word. Its cost is that of `align_phones` times the forms of a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from elocute.gop.variants import distinct_forms, go_together
from elocute.mllm.alignment import GAP, pair_cost
from elocute.phones.pronounce import with_pronunciation
from elocute.phones.variants import unstressed
from elocute.types import Canonical, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """The cheapest ways through one form of a word, by how many heard phones lie behind its end.

    Attributes:
        cost: of the text up to here.
        entry: how many heard phones lay behind on the way into the word.
        came_from: by the entry: form of the word before.
    """

    cost: list[int]
    entry: list[int]
    came_from: list[int]


def best_forms(canonical: Canonical, heard: Sequence[str]) -> Canonical:
    """Replace each word's pronunciation by the accepted one that was heard; the dictionary's first among equals.

    Args:
        canonical: the text with its accepted forms.
        heard: phones as the model wrote them.
    """
    forms = [distinct_forms(word) for word in canonical.words]
    if all(len(variants) == 1 for variants in forms):
        return canonical
    longest = sum(max(len(variant.phones) for variant in variants) for variants in forms)
    # Below any thousandth of cost: gaps, and other forms than the dictionary's.
    unit = longest + len(heard) + len(forms) + 1
    gap = GAP * unit + 1
    rows: list[list[_Row | None]] = []
    start, arrived = [gap * n for n in range(len(heard) + 1)], [0] * (len(heard) + 1)
    for index, variants in enumerate(forms):
        here: list[_Row | None] = []
        for variant in variants:
            if index:
                start, arrived = _entered(variant, forms[index - 1], rows[-1], len(heard))
            elif variant.after is not None:
                start = []
            else:
                start = [gap * n for n in range(len(heard) + 1)]
            extra = int(variant.kind is not None)
            here.append(_through(variant, start, arrived, heard, unit, extra) if start else None)
        rows.append(here)
    choice = _chosen(forms, rows, len(heard))
    if choice is None:
        return canonical
    words = (
        with_pronunciation(word, variants[best]) if best else word
        for word, variants, best in zip(canonical.words, forms, choice, strict=True)
    )
    return replace(canonical, words=tuple(words))


def _entered(
    variant: Variant, before: Sequence[Variant], rows: Sequence[_Row | None], heard: int
) -> tuple[list[int], list[int]]:
    """Least cost of everything before a form, and the form before it, by heard phones behind; empty if none goes."""
    joined = [
        (number, row)
        for number, (other, row) in enumerate(zip(before, rows, strict=True))
        if row is not None and go_together(other, variant)
    ]
    if not joined:
        return [], []
    best = [min((row.cost[n], number) for number, row in joined) for n in range(heard + 1)]
    return [cost for cost, _ in best], [number for _, number in best]


def _through(
    variant: Variant, start: Sequence[int], arrived: Sequence[int], heard: Sequence[str], unit: int, extra: int
) -> _Row:
    """Align the phones of one form, behind everything before it."""
    gap = GAP * unit + 1
    # A cell is its cost and where the word was entered; what was added before the word counts as behind the last one.
    above = [(cost + extra, n) for n, cost in enumerate(start)]
    for phone in unstressed(variant.phones):
        row = [(above[0][0] + gap, above[0][1])]
        for n, said in enumerate(heard, start=1):
            paired, entry = above[n - 1]
            row.append(
                min(
                    (paired + pair_cost(phone, said) * unit, entry),
                    (above[n][0] + gap, above[n][1]),
                    (row[-1][0] + gap, row[-1][1]),
                    key=lambda cell: cell[0],
                )
            )
        above = row
    return _Row(cost=[cost for cost, _ in above], entry=[n for _, n in above], came_from=list(arrived))


def _chosen(forms: Sequence[Sequence[Variant]], rows: Sequence[Sequence[_Row | None]], heard: int) -> list[int] | None:
    """Form of each word on the cheapest way through the text; None where there is no way."""
    ends = [
        (row.cost[heard], number)
        for number, (variant, row) in enumerate(zip(forms[-1], rows[-1], strict=True))
        if row is not None and variant.before is None
    ]
    if not ends:
        return None
    number, place, choice = min(ends)[1], heard, []
    for row_of in reversed(rows):
        choice.append(number)
        row = row_of[number]
        assert row is not None
        place = row.entry[place]
        number = row.came_from[place]
    return choice[::-1]
