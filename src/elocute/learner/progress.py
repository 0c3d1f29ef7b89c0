"""What changed between the earlier and the later half of a learner's attempts, and what luck would explain as well.

The sounds of one attempt share a speaker, a day and a text, so that whole attempts are the unit: were there no change,
any half of them could have come first. The p-value is the share of divisions into halves whose difference is at least
as large as the one seen (Fisher's randomisation test; every division where there are few, else drawn ones). Many sounds
are tested at once: those called changed keep the share of false ones below `FALSE_SHARE` (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, sqrt
from typing import Literal

import numpy as np

from elocute.feedback import Outcome, next_practice
from elocute.learner.attempts import Attempt, History
from elocute.types import Float64

Verdict = Literal["better", "worse", "no clear change", "too little to tell"]

FALSE_SHARE = 0.1
"""Of the sounds that are called changed, so many may be so by luck."""
LEAST_SOUNDS = 5
"""A sound said less often than this in either half is not tested."""
LEAST_ATTEMPTS = 4
"""Fewer attempts have no halves to compare."""
DIVISIONS = 5000
"""Divisions into halves that are looked at, where there are more."""
_SEED = 0
_Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with its 95 % interval (Wilson 1927), which takes sounds for independent.

    Attributes:
        n: sounds.
        wrong: of them wrong.
        value: share; None without a sound.
        low: of the interval.
        high: of the interval.
    """

    n: int
    wrong: int
    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, wrong: int, n: int) -> Rate:
        """The share of `wrong` in `n`."""
        if not n:
            return cls(n=0, wrong=0, value=None, low=None, high=None)
        share = wrong / n
        middle, spread = share + _Z**2 / (2 * n), _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
        scale = 1 + _Z**2 / n
        low, high = max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)
        return cls(n=n, wrong=wrong, value=share, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundProgress:
    """How one phone fared.

    Attributes:
        phone: ARPABET; None for all phones together.
        before: in the earlier half of the attempts.
        after: in the later half.
        p: how often luck alone would do this; None where it is not tested.
        verdict: what can be said.
        heard: what was said instead, with how often before and after; None is nothing, commonest first.
    """

    phone: str | None
    before: Rate
    after: Rate
    p: float | None
    verdict: Verdict
    heard: tuple[tuple[str | None, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreProgress:
    """How one score of the utterance fared, on a scale of 0 to 100.

    Attributes:
        name: accuracy, fluency, prosody, completeness or total.
        values: of every attempt; None where it was withheld.
        before: mean over the earlier half.
        after: mean over the later half.
        p: how often luck alone would do this; None where it is not tested.
        verdict: what can be said.
    """

    name: str
    values: tuple[float | None, ...]
    before: float | None
    after: float | None
    p: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A learner's profile.

    Attributes:
        attempts: ids, first one first.
        days: ISO dates, where the attempts are in their order; else None each.
        texts: what was read.
        skipped: rows that were left out, and why.
        scores: of the utterance.
        all_sounds: every phone together.
        sounds: by phone, those that go wrong most often now first.
        next_sentence: to practise.
        next_phones: what it is for.
        notes: how to read all this.
    """

    attempts: tuple[str, ...]
    days: tuple[str | None, ...]
    texts: tuple[str, ...]
    skipped: Mapping[str, int]
    scores: tuple[ScoreProgress, ...]
    all_sounds: SoundProgress
    sounds: tuple[SoundProgress, ...]
    next_sentence: str
    next_phones: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Said:
    """Phones of one attempt: how often each was said, how often wrong, and what was heard instead."""

    n: Counter[str]
    wrong: Counter[str]
    unsure: Counter[str]
    heard: Counter[tuple[str, str | None]]


def progress_of(history: History) -> Learner:
    """What changed over a learner's attempts."""
    said = [_said(attempt) for attempt in history.attempts]
    half = len(said) // 2
    phones = sorted({phone for one in said for phone in one.n})
    p_values = {phone: _change(said, (phone,)) for phone in phones}
    trusted = discoveries({phone: p for phone, p in p_values.items() if p is not None})
    sounds = [_sound(phone, said, half, p_values[phone], is_trusted=phone in trusted) for phone in phones]
    overall = _change(said, tuple(phones))
    practice = next_practice([_outcome(attempt, one) for attempt, one in zip(history.attempts, said, strict=True)])
    return Learner(
        attempts=tuple(attempt.id for attempt in history.attempts),
        days=tuple(
            attempt.day.isoformat() if attempt.day and history.is_dated else None for attempt in history.attempts
        ),
        texts=tuple(attempt.report.text for attempt in history.attempts),
        skipped=dict(history.skipped),
        scores=tuple(_score(name, history.attempts, half) for name in _SCORES),
        all_sounds=_sound(None, said, half, overall, is_trusted=overall is not None and overall <= FALSE_SHARE / 2),
        sounds=tuple(
            sorted(sounds, key=lambda sound: (-(sound.after.value or 0.0), -sound.after.n, sound.phone or ""))
        ),
        next_sentence=practice.sentence,
        next_phones=practice.phones,
        notes=tuple(_notes(history)),
    )


_SCORES = ("total", "accuracy", "fluency", "prosody", "completeness")


def _said(attempt: Attempt) -> _Said:
    """What became of the phones that an attempt was to say; words that were left out say nothing of a sound."""
    n: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    unsure: Counter[str] = Counter()
    heard: Counter[tuple[str, str | None]] = Counter()
    for word in attempt.report.text_words:
        for phone in word.phonemes if word.error not in ("omission", "truncation") else ():
            if phone.expected is None:
                continue
            n[phone.expected] += 1
            unsure[phone.expected] += phone.is_unsure
            if phone.error is not None:
                wrong[phone.expected] += 1
                heard[phone.expected, phone.actual] += 1
    return _Said(n=n, wrong=wrong, unsure=unsure, heard=heard)


def _outcome(attempt: Attempt, said: _Said) -> Outcome:
    """An attempt as the order of practice counts it."""
    right = {phone: n - said.wrong[phone] - said.unsure[phone] for phone, n in said.n.items()}
    return Outcome(
        text=attempt.report.text,
        right={phone: n for phone, n in right.items() if n > 0},
        wrong={phone: n for phone, n in said.wrong.items() if n},
        unsure={phone: n for phone, n in said.unsure.items() if n},
    )


def _sound(phone: str | None, said: Sequence[_Said], half: int, p: float | None, *, is_trusted: bool) -> SoundProgress:
    """How a phone, or all together, fared."""
    sides = (said[:half], said[half:])
    before, after = (
        Rate.of(*(sum(sum(table.values()) if phone is None else table[phone] for table in tables) for tables in both))
        for both in ((([one.wrong for one in side]), ([one.n for one in side])) for side in sides)
    )
    counts: list[Counter[str | None]] = [Counter(), Counter()]
    for side, count in zip(sides, counts, strict=True):
        for one in side:
            for (expected, actual), n in one.heard.items():
                if expected == phone:
                    count[actual] += n
    both = sorted(counts[0] | counts[1], key=lambda actual: (-(counts[0][actual] + counts[1][actual]), actual or "~"))
    return SoundProgress(
        phone=phone,
        before=before,
        after=after,
        p=p,
        verdict=_verdict(before.value, after.value, p, is_trusted=is_trusted, is_less_better=True),
        heard=tuple((actual, counts[0][actual], counts[1][actual]) for actual in both),
    )


def _score(name: str, attempts: Sequence[Attempt], half: int) -> ScoreProgress:
    """How a score fared; each is tested by itself, as there are few."""
    values = [getattr(attempt.report.utterance, name) for attempt in attempts]
    scaled = [
        None if value is None else 100.0 * value / attempt.report.scale
        for value, attempt in zip(values, attempts, strict=True)
    ]
    known = [(value, number >= half) for number, value in enumerate(scaled) if value is not None]
    before = [value for value, is_late in known if not is_late]
    after = [value for value, is_late in known if is_late]
    p = None
    if min(len(before), len(after)) >= LEAST_ATTEMPTS // 2:
        table = np.column_stack([[value for value, _ in known], np.ones(len(known))])
        p = randomisation_p(table, len(before))
    means = [sum(side) / len(side) if side else None for side in (before, after)]
    return ScoreProgress(
        name=name,
        values=tuple(scaled),
        before=means[0],
        after=means[1],
        p=p,
        verdict=_verdict(
            means[0], means[1], p, is_trusted=p is not None and p <= FALSE_SHARE / 2, is_less_better=False
        ),
    )


def _verdict(
    before: float | None, after: float | None, p: float | None, *, is_trusted: bool, is_less_better: bool
) -> Verdict:
    """What can be said of a change."""
    if p is None or before is None or after is None:
        return "too little to tell"
    if not is_trusted:
        return "no clear change"
    return "better" if (after < before) == is_less_better else "worse"


def _change(said: Sequence[_Said], phones: Sequence[str]) -> float | None:
    """p-value of the change of the error rate of some phones; None where there is too little."""
    rows = [(sum(one.wrong[phone] for phone in phones), sum(one.n[phone] for phone in phones)) for one in said]
    half = len(rows) // 2
    enough = min(sum(n for _, n in rows[:half]), sum(n for _, n in rows[half:])) >= LEAST_SOUNDS
    if len(rows) < LEAST_ATTEMPTS or not enough:
        return None
    return randomisation_p(np.array(rows, dtype=np.float64), half)


def randomisation_p(table: Float64, first: int, divisions: int = DIVISIONS) -> float:
    """Share of divisions of the rows whose difference of ratios is at least that of the division as it is.

    Args:
        table: shape (M, 2); the ratio of a part is the sum of its first column over that of its second.
        first: rows of the first part.
        divisions: so many are drawn where there are more; the division as it is counts as one of them.

    Returns: two-sided p-value, exact where all divisions were looked at. A division with an empty part differs by 0.
    """
    masks = _divisions(len(table), first, divisions)
    one, other = masks @ table, (1.0 - masks) @ table
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = np.nan_to_num(np.abs(one[:, 0] / one[:, 1] - other[:, 0] / other[:, 1]), posinf=0.0)
    return float((gaps >= gaps[0] - 1e-12).mean())


@lru_cache(maxsize=32)
def _divisions(rows: int, first: int, divisions: int) -> Float64:
    """Rows of the first part, one division a row, shape (D, rows), 0 or 1; the division as it is comes first."""
    if comb(rows, first) > divisions:
        masks = np.zeros((divisions, rows))
        masks[:, :first] = 1.0
        masks[1:] = np.random.default_rng(_SEED).permuted(masks[1:], axis=1)
        return masks
    masks = np.zeros((comb(rows, first), rows))
    for mask, chosen in zip(masks, combinations(range(rows), first), strict=True):
        mask[list(chosen)] = 1.0
    return masks


def discoveries(p_values: Mapping[str, float], share: float = FALSE_SHARE) -> frozenset[str]:
    """Keys that are called changed (Benjamini and Hochberg 1995).

    >>> sorted(discoveries({"a": 0.001, "b": 0.04, "c": 0.5}))
    ['a', 'b']
    """
    ranked = sorted(p_values, key=lambda key: p_values[key])
    last = max((rank for rank, key in enumerate(ranked, 1) if p_values[key] <= share * rank / len(ranked)), default=0)
    return frozenset(ranked[:last])


def _notes(history: History) -> list[str]:
    """How to read all this."""
    count = len(history.attempts)
    notes = [
        f"before: the first {count // 2} attempts, after: the last {count - count // 2}"
        + ("" if history.is_dated else ", in the order of the files, since not every attempt has a date"),
        "better and worse are said only where luck would seldom do the same; other texts may be harder or easier",
        "a sound counts as wrong where the report flags it, so that a part of the errors is the listener's",
    ]
    if count < LEAST_ATTEMPTS:
        notes.append(f"{count} attempts are too few to see a change; it takes {LEAST_ATTEMPTS}, and more is better")
    return notes
