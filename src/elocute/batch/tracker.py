"""What is known of partitions under way: how far each one is, and at which row its worker died."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# A row that was begun so often and never ended, each time by itself under watch, is what kills the workers.
_DEATHS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a worker is told when it takes up a partition.

    Attributes:
        is_watched: whether it must tell of each row before it begins it, because a worker died here before.
        deadly: rows of the partition, counted from 0, that it must leave alone.
    """

    is_watched: bool
    deadly: frozenset[int]


@dataclass(slots=True)
class _State:
    """One partition."""

    attempts: int = 0
    rows_done: int = 0
    under_way: int | None = None
    deaths: Counter[int] = field(default_factory=Counter)


class Tracker:
    """One for a run; workers tell it what they do, the run asks it how far they are."""

    def __init__(self) -> None:
        self._states: dict[int, _State] = {}
        self._deaths = 0

    def begin(self, partition: int) -> Attempt:
        """A worker takes up a partition; if another did before, that one is dead."""
        state = self._states.setdefault(partition, _State())
        if state.under_way is not None:
            state.deaths[state.under_way] += 1
        self._deaths += state.attempts > 0
        state.attempts += 1
        state.under_way = None
        state.rows_done = 0
        return Attempt(
            is_watched=state.attempts > 1,
            deadly=frozenset(row for row, deaths in state.deaths.items() if deaths >= _DEATHS),
        )

    def begin_row(self, partition: int, row: int) -> None:
        """A watched worker is about to assess a row."""
        self._states[partition].under_way = row

    def tell(self, partition: int, rows_done: int) -> None:
        """So many rows of a partition are answered."""
        self._states[partition].rows_done = rows_done

    def end(self, partition: int) -> None:
        """A partition is written; the run counts its rows from now on."""
        self._states.pop(partition, None)

    def rows_under_way(self) -> int:
        """Rows answered in partitions that are not written yet."""
        return sum(state.rows_done for state in self._states.values())

    def deaths(self) -> int:
        """How often a partition was taken up again."""
        return self._deaths
