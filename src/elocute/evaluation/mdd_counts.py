"""Counts of mispronunciation detection and diagnosis: phone by phone, and by aligned strings as the literature does it.

Terms (Li, Qian, Meng, IEEE/ACM TASLP 2017, and its forerunners): a mispronounced phone is truly rejected (TR) when
flagged and falsely accepted (FA) when not; one that was said well is falsely rejected (FR) when flagged and truly
accepted (TA) when not. A true rejection is diagnosed correctly (CD) if what was said is named, else wrongly (DE).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from elocute.corpora.l2arctic_annotation import AnnotatedPhone

Pair = tuple[str | None, str | None]
"""A phone of the reference and one of the hypothesis; None where the other side has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The hierarchy of outcomes; `undiagnosed` are true rejections of sounds that annotators could not tell."""

    ta: int = 0
    fr: int = 0
    fa: int = 0
    cd: int = 0
    de: int = 0
    undiagnosed: int = 0

    @property
    def tr(self) -> int:
        """True rejections."""
        return self.cd + self.de + self.undiagnosed

    @property
    def row(self) -> tuple[float, ...]:
        """TA, FR, FA, TR, CD, DE."""
        return (self.ta, self.fr, self.fa, self.tr, self.cd, self.de)


def is_mispronounced(phone: AnnotatedPhone, *, strict: bool) -> bool:
    """Whether annotators heard something else; `strict` counts the canonical phone with an accent (`X*`), too."""
    return phone.said.kind != "same" and (strict or not phone.is_distorted)


def phone_counts(
    phones: Sequence[AnnotatedPhone],
    flagged: Sequence[bool],
    heard: Sequence[str | None] | None,
    *,
    strict: bool,
) -> Counts:
    """Outcomes at every canonical phone; nothing is aligned, for both sides speak of the same phones.

    Args:
        phones: with what annotators heard.
        flagged: whether the detector calls each phone wrong.
        heard: what it names, None for nothing; None as a whole where it names nothing at all.
        strict: see `is_mispronounced`.
    """
    found: Counter[str] = Counter()
    for index, (phone, is_flagged) in enumerate(zip(phones, flagged, strict=True)):
        if not is_mispronounced(phone, strict=strict):
            found["fr" if is_flagged else "ta"] += 1
        elif not is_flagged:
            found["fa"] += 1
        elif heard is None or phone.said.kind == "unknown":
            found["undiagnosed"] += 1
        else:
            found["cd" if heard[index] == phone.said.phone else "de"] += 1
    return Counts(**found)


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Pair]:
    """Alignment of least edits (Levenshtein 1966).

    Of several, the one that tracing back from the end finds when it prefers a pair to a deletion to an insertion, as
    Kaldi's align-text does, on which published figures rest.
    """
    cost = [list(range(len(hypothesis) + 1))]  # lists, because single cells of an array are slow
    for i, ref in enumerate(reference, start=1):
        above, row = cost[-1], [i]
        for j, hyp in enumerate(hypothesis, start=1):
            row.append(min(above[j - 1] + (ref != hyp), above[j] + 1, row[-1] + 1))
        cost.append(row)
    pairs: list[Pair] = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((reference[i], hypothesis[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            pairs.append((reference[i], None))
        else:
            j -= 1
            pairs.append((None, hypothesis[j]))
    return pairs[::-1]


def aligned_counts(canonical: Sequence[str], perceived: Sequence[str], hypothesis: Sequence[str]) -> Counts:
    """Outcomes by three alignments: canonical to perceived, canonical to hypothesis, perceived to hypothesis.

    Phones that annotators miss are looked up in the second alignment, those that they heard in the third; an added
    phone counts as mispronounced. What the hypothesis adds counts nowhere, so that false insertions cost no precision.

    Source: the scoring of K. Fu et al., "A Full Text-Dependent End to End Mispronunciation Detection and Diagnosis with
    Easy Data Augmentation Techniques", arXiv 2104.08428, which most figures on L2-ARCTIC use; written anew from what it
    does. Deviates: none known; silences are not in the strings.
    """
    found: Counter[str] = Counter()
    said_for = iter([hyp for ref, hyp in align(canonical, hypothesis) if ref is not None])
    answer_to = iter([hyp for ref, hyp in align(perceived, hypothesis) if ref is not None])
    for ref, said in align(canonical, perceived):
        instead = next(said_for) if ref is not None else None
        if said is None:
            found["fa" if instead == ref else "cd" if instead is None else "de"] += 1
            continue
        answer = next(answer_to)
        if ref == said:
            found["ta" if answer == said else "fr"] += 1
        else:
            # `ref` is None for an addition, and then so is an answer that says nothing was there.
            found["cd" if answer == said else "fa" if answer == ref else "de"] += 1
    return Counts(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """How a string differs from a reference of `length` phones."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def row(self) -> tuple[float, ...]:
        """Substitutions, deletions, insertions, length."""
        return (self.substitutions, self.deletions, self.insertions, self.length)


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """Least edits from a reference to a hypothesis."""
    pairs = align(reference, hypothesis)
    return Edits(
        substitutions=sum(None not in (ref, hyp) and ref != hyp for ref, hyp in pairs),
        deletions=sum(hyp is None for _, hyp in pairs),
        insertions=sum(ref is None for ref, _ in pairs),
        length=len(reference),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertionCounts:
    """Sounds that the text does not have: found by the detector, of these named right; missed; and false."""

    found: int
    named: int
    missed: int
    false: int

    @property
    def row(self) -> tuple[float, ...]:
        """Found, named, missed, false."""
        return (self.found, self.named, self.missed, self.false)


def insertion_counts(
    annotated: Iterable[tuple[int, str | None]], detected: Iterable[tuple[int, str]]
) -> InsertionCounts:
    """Inserted sounds by the gap they lie in: (canonical phones before it, phone; None where nobody could tell).

    In a gap each detected sound finds one annotated sound, whatever it names; those that agree are paired first.
    """
    people, model = _by_gap(annotated), _by_gap(detected)
    found = named = 0
    for gap, phones in people.items():
        heard = model.get(gap, Counter())
        found += min(phones.total(), heard.total())
        named += (phones & heard).total()
    total, claimed = (sum(each.total() for each in side.values()) for side in (people, model))
    return InsertionCounts(found=found, named=named, missed=total - found, false=claimed - found)


def _by_gap(items: Iterable[tuple[int, str | None]]) -> dict[int, Counter[str | None]]:
    """How often each phone lies in each gap."""
    gaps: dict[int, Counter[str | None]] = {}
    for gap, phone in items:
        gaps.setdefault(gap, Counter())[phone] += 1
    return gaps
